"""From JSON text to the members of an object or a list, of which only those that matter are looked at.

All text here is narrow. A value is passed over by the C scanner of ``json``, and members that are just a key
and something small by one regular expression, a thousand at a time; such a *run* is taken apart when somebody
wants a member of it. So a document costs about as much as ``json.loads``, and next to no memory.
"""

from __future__ import annotations

from bisect import bisect_left

from kimi_profiles.jsontext.narrow import narrow, widen
from kimi_profiles.jsontext.strict import (
    BOM,
    NO_COLON,
    NO_COMMA,
    NO_KEY,
    JsonTextError,
    end_of_value,
    read_string,
    skip_space,
    text_error,
    unexpected,
)
from kimi_profiles.patterns import pattern
from kimi_profiles.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

__all__ = ["MAX_ITEMS", "Container", "Member", "scan_container", "scan_root", "too_many_items"]

MAX_ITEMS = 50_000
"""Of a list that is walked: what each of them means has to be worked out."""

_TOO_MANY = f"a list of more than {MAX_ITEMS:,} members"
_TOO_ODD = f"an object of more than {MAX_ITEMS:,} members whose keys have escapes"

# Behind so many members of an object, small ones are only noted together.
_MANY = 1_000
_SMALL_CHARS = 1 << 10
_RUN_CHARS = 1 << 16

_SPACE = r"[ \t\n\r]*+"
_STRING = r'"[^"\\\x00-\x1f]*+"'
_INTEGER = "-?(?:0|[1-9][0-9]*+)"
_NUMBER = rf"{_INTEGER}(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?"
_COLON = f"{_SPACE}:{_SPACE}"
_COMMA = f"{_SPACE},{_SPACE}"

# What most members of large objects are: a scalar, or a list or an object of a few.
_FEW = 24
_ESCAPE = r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
_TEXT = rf'"[^"\\\x00-\x1f]*+(?:{_ESCAPE}[^"\\\x00-\x1f]*+){{0,{_FEW}}}"'
_ITEM = f"(?:{_TEXT}|true|false|null|{_NUMBER})"
_FIELD = f"{_TEXT}{_COLON}{_ITEM}"
_SMALL = (
    f"(?:{_ITEM}"
    rf"|\{{{_SPACE}(?:{_FIELD}(?:{_COMMA}{_FIELD}){{0,{_FEW}}})?{_SPACE}\}}"
    rf"|\[{_SPACE}(?:{_ITEM}(?:{_COMMA}{_ITEM}){{0,{_FEW}}})?{_SPACE}\])"
)

_comma = pattern(_COMMA)
# The key, and the value where it is just this; else that begins where the match ends.
_member = pattern(f"({_STRING}){_COLON}(?:({_STRING}|true|false|null|{_INTEGER})(?={_SPACE}[,}}]))?")
# Not possessive, though nothing ever goes back into it: before 3.11.5 a possessive group could end too late.
_small_members = pattern(f"(?:{_STRING}{_COLON}{_SMALL}{_COMMA}){{1,{_MANY}}}")


class Member(NamedTuple):
    """One member of a container; offsets count characters of the whole document.

    In a list, ``key_end`` and ``value_start`` equal ``start``.
    """

    start: int
    key_end: int
    value_start: int
    value_end: int


class _Run(NamedTuple):
    """Members in a row; behind them, at ``stop``, the next one begins.

    ``has_escapes`` says whether a key among them may be spelled otherwise than it reads.
    """

    start: int
    stop: int
    has_escapes: bool


_Segment: TypeAlias = Member | _Run


class Container:
    """An object or a list in a document.

    Args:
        text: The document.
        start: Where its opening bracket stands.
        end: The place behind its closing one.
        segments: Its members, in order; the last of them by itself.

    Attributes:
        kind: Its opening bracket.
    """

    def __init__(self, text: str, start: int, end: int, segments: list[_Segment]) -> None:
        self.text, self.start, self.end = text, start, end
        self.kind = text[start]
        self._segments = segments
        self._has_runs = any(isinstance(segment, _Run) for segment in segments[_MANY:])
        self._singles: dict[str, list[Member]] | None = None
        self._found: dict[str, list[Member]] = {}
        self._firsts: list[Member] | None = None

    @property
    def first(self) -> Member | None:
        """Its first member, if there is any."""
        return self._at(0) if self._segments else None

    @property
    def last(self) -> Member | None:
        """Its last member, if there is any."""
        return self._at(len(self._segments) - 1) if self._segments else None

    def before(self, member: Member) -> Member | None:
        """The member before this one."""
        index = self._index(member)
        if not index:
            return None
        self._at(index - 1)
        return self._at(self._index(member) - 1)

    def behind(self, member: Member) -> Member | None:
        """The member behind this one."""
        index = self._index(member) + 1
        return self._at(index) if index < len(self._segments) else None

    def __iter__(self) -> Iterator[Member]:
        """Its members, in order."""
        for segment in self._segments:
            yield from [segment] if isinstance(segment, Member) else self._members(segment)

    def key(self, member: Member) -> str:
        """The key of a member, as it reads, narrow."""
        raw = self.text[member.start + 1 : member.key_end - 1]
        return raw if "\\" not in raw else narrow(read_string(f'"{widen(raw)}"', 0)[0])

    def find(self, key: str) -> Sequence[Member]:
        """All members of an object that have this key, in order; for a reader the last one counts.

        Args:
            key: As it reads; narrow.
        """
        if self._singles is None:
            self._singles = {}
            self._note([segment for segment in self._segments if isinstance(segment, Member)])
        if not self._has_runs:
            return self._singles.get(key, ())
        if key not in self._found:
            in_runs = self._find_in_runs(key)
            self._found[key] = sorted([*self._singles.get(key, ()), *in_runs])
        return self._found[key]

    def key_before(self, key: str) -> str | None:
        """The key that readers see before this one; of duplicates, only the first takes a place."""
        member = self.find(key)[0]
        before = self.before(member)
        if before is None:
            return None
        name = self.key(before)
        if self.find(name)[0] == before:
            return name
        if self._firsts is None:
            firsts: dict[str, Member] = {}
            for other in self:
                firsts.setdefault(self.key(other), other)
            self._firsts = list(firsts.values())
        return self.key(self._firsts[bisect_left(self._firsts, member) - 1])

    def _note(self, members: Iterable[Member]) -> None:
        if self._singles is not None:
            for member in members:
                self._singles.setdefault(self.key(member), []).append(member)

    def _find_in_runs(self, key: str) -> list[Member]:
        """Those members that have this key; a run without it stays as it is."""
        found = []
        for segment in self._segments:
            if isinstance(segment, _Run) and (
                segment.has_escapes or self.text.find(f'"{key}"', segment.start, segment.stop) >= 0
            ):
                found += [member for member in self._members(segment) if self.key(member) == key]
        return found

    def _index(self, member: Member) -> int:
        index = bisect_left(self._segments, member[:1])
        if self._segments[index : index + 1] == [member]:
            return index
        self._at(index - 1)  # it is in that run
        return bisect_left(self._segments, member[:1])

    def _at(self, index: int) -> Member:
        """The member at ``index``; of a run that is there, after it was taken apart, the first one."""
        segment = self._segments[index]
        if isinstance(segment, Member):
            return segment
        members = self._members(segment)
        self._segments[index : index + 1] = members
        self._note(members)
        return members[0]

    def _members(self, run: _Run) -> list[Member]:
        members = []
        here = run.start
        while here < run.stop:
            member = _scan_member(self.text, here)
            members.append(member)
            here = _behind_comma(self.text, member.value_end)
        return members


def scan_root(text: str) -> tuple[int, Container | None]:
    """Check the whole document; where its one value begins, and its members if it is a container.

    Args:
        text: Narrow.

    Returns:
        ``(start, container)``; ``start == len(text)`` where the text is empty but for white space and a byte
        order mark.

    Raises:
        JsonTextError: Not strict JSON, nested more than 64 deep, or something follows the value.
    """
    start = skip_space(text, len(BOM) if text.startswith(BOM) else 0)
    if start == len(text):
        return start, None
    container = scan_container(text, start)
    rest = skip_space(text, container.end if container else end_of_value(text, start))
    if rest != len(text):
        raise unexpected(text, rest, "there is more text behind the end of the JSON value")
    return start, container


def scan_container(text: str, start: int) -> Container | None:
    """The container whose opening bracket stands at ``start``, or ``None`` if a scalar stands there.

    Args:
        text: Narrow.
        start: Behind white space.

    Raises:
        JsonTextError: Its text is not strict JSON, or nested more than 64 deep; or it is a list of more than
            :data:`MAX_ITEMS`, or an object with that many keys that are spelled with escapes.
    """
    opening = text[start : start + 1]
    if opening not in {"{", "["}:
        return None
    closing = "}" if opening == "{" else "]"
    here = skip_space(text, start + 1)
    if text[here : here + 1] == closing:
        return Container(text, start, here + 1, [])
    segments, here = _scan_object(text, here) if opening == "{" else _scan_list(text, here)
    here = skip_space(text, here)
    if text[here : here + 1] != closing:
        raise unexpected(text, here, NO_COMMA)
    return Container(text, start, here + 1, segments)


def too_many_items(text: str, position: int) -> JsonTextError:
    """For a list that has, or would get, more than :data:`MAX_ITEMS`."""
    return text_error(text, position, _TOO_MANY)


def _scan_object(text: str, here: int) -> tuple[list[_Segment], int]:
    """The members of an object of which the first begins ``here``, and where the last one ends."""
    segments: list[_Segment] = []
    odd = pause = wait = 0
    while True:
        if wait or len(segments) < _MANY:
            wait = max(wait - 1, 0)
        elif small := _small_members.match(text, here):
            segments.append(_Run(here, small.end(), has_escapes=False))
            here, pause = small.end(), 0
        else:  # where members are not small, this is tried ever less often
            pause = wait = min(2 * pause + 1, _MANY)
        member = _scan_member(text, here)
        comma = _comma.match(text, member.value_end)
        if comma is None:
            return [*segments, member], member.value_end
        here = comma.end()
        odd += "\\" in text[member.start : member.key_end]
        if odd > MAX_ITEMS:  # every look for a key has to spell each of them out
            raise text_error(text, member.start, _TOO_ODD)
        if len(segments) < _MANY or here - member.start > _SMALL_CHARS:
            segments.append(member)
        else:
            _note_small(text, segments, member, here)


def _note_small(text: str, segments: list[_Segment], member: Member, stop: int) -> None:
    """Add a member to those before it, without keeping its places."""
    start, has_escapes = member.start, "\\" in text[member.start : member.key_end]
    last = segments[-1]
    if isinstance(last, _Run) and stop - last.start < _RUN_CHARS:
        segments.pop()
        start, has_escapes = last.start, has_escapes or last.has_escapes
    segments.append(_Run(start, stop, has_escapes))


def _scan_list(text: str, here: int) -> tuple[list[_Segment], int]:
    """As :func:`_scan_object`."""
    segments: list[_Segment] = []
    while True:
        if len(segments) == MAX_ITEMS:
            raise too_many_items(text, here)
        end = end_of_value(text, here)
        segments.append(Member(here, here, here, end))
        comma = _comma.match(text, end)
        if comma is None:
            return segments, end
        here = comma.end()


def _scan_member(text: str, here: int) -> Member:
    member = _member.match(text, here)
    if member is not None:
        value_start, value_end = member.span(2)
        if value_end < 0:
            value_start, value_end = member.end(), end_of_value(text, member.end())
        return Member(here, member.end(1), value_start, value_end)
    if text[here : here + 1] != '"':
        raise unexpected(text, here, NO_KEY)
    _, key_end = read_string(text, here)
    colon = skip_space(text, key_end)
    if text[colon : colon + 1] != ":":
        raise unexpected(text, colon, NO_COLON)
    value_start = skip_space(text, colon + 1)
    return Member(here, key_end, value_start, end_of_value(text, value_start))


def _behind_comma(text: str, here: int) -> int:
    comma = _comma.match(text, here)
    return len(text) if comma is None else comma.end()
