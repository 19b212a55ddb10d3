"""From JSON text to the places of an object's or a list's members.

Only the container asked for is walked in Python. Each member's value is passed over by the C scanner of
``json``, which checks every byte of it but builds next to nothing, so a document costs about as much as
``json.loads``.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from kimi_profiles.errors import TargetInvalidError
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

__all__ = [
    "BOM",
    "MAX_DEPTH",
    "MAX_MEMBERS",
    "SPACE",
    "Container",
    "JsonTextError",
    "Member",
    "refuse_constant",
    "scan_container",
    "scan_root",
    "too_many_members",
]

BOM = "\ufeff"
SPACE = " \t\n\r"
"""What JSON calls white space; ``str.strip`` alone takes off more."""

MAX_DEPTH = 64
"""Python versions give up at different depths, the oldest before 1,000; this limit is the same for all."""

MAX_MEMBERS = 50_000
"""Of one container that is walked: each costs half a kilobyte, and a few microseconds at every look."""

_NO_KEY = "expected a key in double quotes"
_NO_COLON = "expected ':' behind the key"
_NO_COMMA = "expected ',' or the closing bracket"
_TRAILING_COMMA = "a comma behind the last member is not JSON"
_TOO_MANY = f"an object or a list of more than {MAX_MEMBERS:,} members"
_TOO_DEEP = f"lists and objects are nested more than {MAX_DEPTH} deep"

# The scanner's messages, by how they begin; its wording and some of its places differ between versions.
_REASONS = {
    "Unterminated string": "this string is not closed",
    "Invalid control": "line breaks and control characters stand in a string only as escapes",
    "Invalid \\u": "'\\u' takes four hexadecimal digits",
    "Invalid \\": r"no such escape; a backslash itself is written '\\'",
    "Expecting property": _NO_KEY,
    "Expecting ':'": _NO_COLON,
    "Expecting ','": _NO_COMMA,
    "Illegal trailing": _TRAILING_COMMA,
    "Expecting value": "expected a value",
}
_INSIDE_STRING = ("Unterminated", "Invalid")
_FOREIGN = {
    "//": "comments are not JSON",
    "/*": "comments are not JSON",
    "#": "comments are not JSON",
    "'": "strings take double quotes in JSON",
}

_space = re.compile(r"[ \t\n\r]*").match
_comma = re.compile(r"[ \t\n\r]*,[ \t\n\r]*").match
_plain_head = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*').match
# Possessive: a string of millions of escapes would else cost a stack of millions of places to go back to.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[][{}]|-?Infinity|NaN', re.DOTALL)


class JsonTextError(TargetInvalidError):
    """The text is not strict JSON (RFC 8259), or too deep; ``line`` and ``column`` say where."""


class Member(NamedTuple):
    """One member of a container; offsets count characters of the whole document.

    In a list, ``key`` is empty and ``start`` equals ``value_start``.
    """

    key: str
    start: int
    key_end: int
    value_start: int
    value_end: int


@dataclass(frozen=True, slots=True)
class Container:
    """An object or a list: ``start`` is its opening bracket, ``end`` lies behind its closing one."""

    kind: str
    start: int
    end: int
    members: tuple[Member, ...]


class _ConstantError(ValueError):
    pass


def refuse_constant(name: str) -> NoReturn:
    """For ``parse_constant``: NaN and the infinities are not JSON."""
    msg = f"{name} is not JSON"
    raise _ConstantError(msg)


def _depth(members: Iterable[tuple[object, object]]) -> int:
    """How deep a container of these members is; of an object in it, ``_skip_value`` left only the depth.

    It runs for every object of the document, so it takes the shortest way.
    """
    deepest = 0
    for _, value in members:
        if value.__class__ is int:
            depth = value
        elif value.__class__ is list:
            depth = _depth(enumerate(value)) if value else 1
        else:
            continue
        deepest = max(deepest, depth)
    return 1 + deepest


_skip_value = json.JSONDecoder(
    object_pairs_hook=_depth, parse_int=str, parse_float=str, parse_constant=refuse_constant
).raw_decode
_read_string = json.JSONDecoder().raw_decode


def scan_root(text: str) -> tuple[int, Container | None]:
    """Check the whole document; where its one value begins, and its members if it is a container.

    Returns:
        ``(start, container)``; ``start == len(text)`` where the text is empty but for white space and a byte
        order mark.

    Raises:
        JsonTextError: Not strict JSON, nested more than 64 deep, or something follows the value.
    """
    start = _skip_space(text, 1 if text.startswith(BOM) else 0)
    if start == len(text):
        return start, None
    container = scan_container(text, start)
    rest = _skip_space(text, container.end if container else _end_of_value(text, start))
    if rest != len(text):
        raise _unexpected(text, rest, "there is more text behind the end of the JSON value")
    return start, container


def scan_container(text: str, start: int) -> Container | None:
    """The container whose opening bracket stands at ``start``, or ``None`` if a scalar stands there.

    Raises:
        JsonTextError: Its text is not strict JSON, or nested more than 64 deep.
    """
    opening = text[start]
    if opening not in "{[":
        return None
    closing = "}" if opening == "{" else "]"
    scan = _scan_member if opening == "{" else _scan_element
    members: list[Member] = []
    here = _skip_space(text, start + 1)
    if text[here : here + 1] == closing:
        return Container(opening, start, here + 1, ())
    while True:
        if len(members) == MAX_MEMBERS:
            raise too_many_members(text, here)
        member = scan(text, here)
        members.append(member)
        comma = _comma(text, member.value_end)
        if comma is None:
            break
        here = comma.end()
    here = _skip_space(text, members[-1].value_end)
    if text[here : here + 1] != closing:
        raise _unexpected(text, here, _NO_COMMA)
    return Container(opening, start, here + 1, tuple(members))


def _scan_member(text: str, here: int) -> Member:
    head = _plain_head(text, here)
    if head is not None:
        value_start = head.end()
        return Member(head[1], here, head.end(1) + 1, value_start, _end_of_value(text, value_start))
    if text[here : here + 1] != '"':
        raise _unexpected(text, here, _NO_KEY)
    key, key_end = _decode(_read_string, text, here)
    colon = _skip_space(text, key_end)
    if text[colon : colon + 1] != ":":
        raise _unexpected(text, colon, _NO_COLON)
    value_start = _skip_space(text, colon + 1)
    return Member(str(key), here, key_end, value_start, _end_of_value(text, value_start))


def _scan_element(text: str, here: int) -> Member:
    return Member("", here, here, here, _end_of_value(text, here))


def _skip_space(text: str, here: int) -> int:
    match = _space(text, here)
    return match.end() if match else here


def _end_of_value(text: str, start: int) -> int:
    return _decode(_skip_value, text, start)[1]


def _decode(decode: Callable[[str, int], tuple[object, int]], text: str, start: int) -> tuple[object, int]:
    try:
        value, end = decode(text, start)
        if _depth([("", value)]) <= MAX_DEPTH:
            return value, end
        place, reason = end, ""
    except json.JSONDecodeError as error:
        place, reason = error.pos, error.msg
    except _ConstantError:
        place, reason = len(text), ""
    except RecursionError:
        if _refused(text, len(text)) is None:  # it is the caller who has used up the stack
            raise
        place, reason = len(text), ""
    raise _explain(text, place, reason)


def _explain(text: str, place: int, reason: str) -> JsonTextError:
    """The scanner's complaint in the words of a person who edits by hand, the same in every Python."""
    earlier = _refused(text, place)
    if earlier is not None:
        return _error(text, *earlier)
    words = next(words for beginning, words in _REASONS.items() if reason.startswith(beginning))
    return (
        _error(text, place, words) if reason.startswith(_INSIDE_STRING) else _unexpected(text, place, words)
    )


def _refused(text: str, stop: int) -> tuple[int, str] | None:
    """Place and reason of what the scanner takes, or refuses without a place, before ``stop``."""
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if token.start() >= stop:
            break
        if mark in {"{", "["}:
            depth += 1
            if depth > MAX_DEPTH:
                return token.start(), _TOO_DEEP
        elif mark in {"}", "]"}:
            depth -= 1
        elif not mark.startswith('"'):
            return token.start(), f"{mark} is not JSON"
    return None


def _unexpected(text: str, position: int, reason: str) -> JsonTextError:
    """For a position between two tokens, where people write what other formats allow."""
    here = _skip_space(text, position)
    before = text[:here].rstrip(SPACE)
    if here == len(text):
        return _error(text, len(before), "the text ends in the middle of a list or an object")
    if text[here] in "]}" and before.endswith(","):
        return _error(text, len(before) - 1, _TRAILING_COMMA)
    for sign, words in _FOREIGN.items():
        if text.startswith(sign, here):
            return _error(text, here, words)
    return _error(text, here, reason)


def too_many_members(text: str, position: int) -> JsonTextError:
    """For a container that has, or would get, more than :data:`MAX_MEMBERS`."""
    return _error(text, position, _TOO_MANY)


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """Where ``position`` is for a person: both from 1, the byte order mark not counted."""
    line_start = text.rfind("\n", 0, position) + 1
    offset = 1 if line_start == 0 and text.startswith(BOM) else 0
    return text.count("\n", 0, position) + 1, position - line_start + 1 - offset


def _error(text: str, position: int, reason: str) -> JsonTextError:
    line, column = line_and_column(text, position)
    return JsonTextError(
        reason,
        hint="Claude Code ignores the whole file while it is not strict JSON; repair it, then run this again",
        line=line,
        column=column,
    )
