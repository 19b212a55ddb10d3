"""How new members are laid out: like their neighbours, never by a rule of our own where one can be copied."""

from __future__ import annotations

from enum import Enum

from kimi_profiles.jsontext.scan import scan_container
from kimi_profiles.jsontext.splices import Splice
from kimi_profiles.jsontext.values import dumps
from kimi_profiles.patterns import pattern
from kimi_profiles.values import NamedTuple, dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from kimi_profiles.jsontext.scan import Container, Member

__all__ = ["Item", "Place", "Style", "layout_container", "layout_value", "order", "root_style"]

_LAST_LINE = pattern(r"(?:\r\n|\n|\r)[ \t]*\Z")


class Place(Enum):
    """Places that no sibling's name tells."""

    FIRST = "first"
    LAST = "last"


class Item(NamedTuple):
    """One new member.

    Attributes:
        name: What it is known by among its siblings: the key, or a list member's canonical text.
        text: The whole member as it will stand there.
        after: Name of the sibling it goes behind, or a place; one whose sibling is nowhere goes last.
    """

    name: str
    text: str
    after: str | Place = Place.LAST


@dataclass(frozen=True, slots=True)
class Style:
    """White space around the members of one container.

    Attributes:
        opening: Behind the opening bracket.
        gap: Between a comma and the next member.
        closing: Before the closing bracket.
        colon: From the end of a key to its value.
        unit: What one level of indentation adds.
    """

    opening: str
    gap: str
    closing: str
    colon: str
    unit: str

    def of(self, container: Container) -> Style:
        """The style of ``container``; where it has no members to copy from, this one."""
        text, first, last = container.text, container.first, container.last
        if first is None or last is None:
            return self
        opening = text[container.start + 1 : first.start]
        closing = text[last.value_end : container.end - 1]
        colon = text[last.key_end : last.value_start] if container.kind == "{" else self.colon
        if _is_multiline(colon):
            colon = self.colon
        before = container.before(last)
        if before is not None:
            gap = text[text.index(",", before.value_end) + 1 : last.start]
        elif _is_multiline(opening):
            gap = opening
        else:
            gap = " " if colon.endswith((" ", "\t")) else ""
        gap = _last_line(gap)
        return Style(opening, gap, closing, colon, _unit(gap, closing) or self.unit)

    def inner(self) -> Style:
        """The style for a new container that is the value of a member."""
        if _is_multiline(self.gap):
            deeper = self.gap + self.unit
            return replace(self, opening=deeper, gap=deeper, closing=self.gap)
        if _is_multiline(self.opening + self.closing):
            return replace(self, opening="", closing="")
        return self

    def enclose(self, bracket: str, members: Sequence[str]) -> str:
        """A whole container."""
        inside = f"{self.opening}{self.join(members)}{self.closing}" if members else ""
        return f"{bracket}{inside}{'}' if bracket == '{' else ']'}"

    def join(self, members: Iterable[str]) -> str:
        """Members, and the commas between them."""
        return f",{self.gap}".join(members)

    def member(self, key: str, raw: str) -> str:
        """One member of an object, without comma."""
        return f"{dumps(key)}{self.colon}{raw}"


def root_style(text: str) -> Style:
    """The style for a document without members: two spaces, and the line ends that ``text`` has."""
    newline = "\r\n" if "\r\n" in text else "\n"
    return Style(opening=newline + "  ", gap=newline + "  ", closing=newline, colon=": ", unit="  ")


def layout_value(raw: str, style: Style) -> str:
    """``raw``, laid out as the value of a member in a container of this style; only white space changes.

    Args:
        raw: Strict JSON text without white space before it; narrow, as is the result.
        style: That of the container.
    """
    container = scan_container(raw, 0)
    if container is None:
        return raw
    inner = style.inner()
    members = []
    for member in container:
        value = layout_value(raw[member.value_start : member.value_end], inner)
        head = raw[member.start : member.key_end] + inner.colon if container.kind == "{" else ""
        members.append(head + value)
    return inner.enclose(container.kind, members)


class Order(NamedTuple):
    """The texts of new members: those before all old ones, behind old ones by name, and behind all."""

    ahead: list[str]
    behind: dict[str, list[str]]
    last: list[str]


def order(items: Sequence[Item], is_here: Callable[[str], bool] = lambda _: False) -> Order:
    """Where new members go.

    Args:
        items: The new members; their order counts where their places do not decide.
        is_here: Whether there is an old member of this name.
    """
    followers: dict[str | Place, list[Item]] = {}
    for item in items:
        followers.setdefault(item.after, []).append(item)
    ahead = _take(followers, Place.FIRST)
    here = [name for name in followers if isinstance(name, str) and is_here(name)]
    behind = {name: _take(followers, name) for name in here}
    # What is left follows nobody here, or only one another.
    new: dict[str | Place, None] = {item.name: None for item in items}
    last: list[str] = []
    for name in [*(name for name in followers if name not in new), *new]:
        last += _take(followers, name)
    return Order(ahead, behind, last)


def _take(followers: dict[str | Place, list[Item]], name: str | Place) -> list[str]:
    """The texts that follow ``name``, each with those that follow it."""
    texts: list[str] = []
    waiting = followers.pop(name, [])[::-1]
    while waiting:
        item = waiting.pop()
        texts.append(item.text)
        waiting += followers.pop(item.name, [])[::-1]
    return texts


def layout_container(
    container: Container,
    find: Callable[[str], Sequence[Member]],
    removed: Collection[Member],
    inserted: Sequence[Item],
    style: Style,
) -> list[Splice]:
    """The splices that take members out of a container and put new ones in.

    Args:
        container: Where.
        find: From what a member is known by, as ``Item.name``, to all members known by it. Of several that
            stay, new ones go behind the first.
        removed: Members that go.
        inserted: New members, in the order in which they shall come where nothing else decides.
        style: The container's own style.
    """
    if not removed and not inserted:
        return []

    def anchor(name: str) -> Member | None:
        return next((member for member in find(name) if member not in removed), None)

    ahead, behind, rest = order(inserted, lambda name: anchor(name) is not None)
    first = _skip(container.first, container.behind, removed)
    last = _skip(container.last, container.before, removed)
    if first is None or last is None:
        return [_fill(container, [*ahead, *rest], style)]
    leading = container.first or first
    splices = [Splice(leading.start, first.start, "".join(f"{text},{style.gap}" for text in ahead))]
    following = {anchor(name) or last: texts for name, texts in behind.items()}
    following.setdefault(last, []).extend(rest)
    for member, texts in following.items():
        new = "".join(f",{style.gap}{text}" for text in texts)
        splices.append(Splice(member.value_end, member.value_end, new))
    for member in removed:
        before = container.before(member)
        if member > first and before is not None:
            splices.append(Splice(before.value_end, member.value_end, ""))
    return [one for one in splices if one.text or one.start != one.end]


def _skip(
    member: Member | None, step: Callable[[Member], Member | None], removed: Collection[Member]
) -> Member | None:
    """The first member, from this one on, that stays."""
    while member is not None and member in removed:
        member = step(member)
    return member


def _fill(container: Container, texts: Sequence[str], style: Style) -> Splice:
    """Everything between the brackets, where no old member stays."""
    first, last = container.first, container.last
    if not texts:
        return Splice(container.start + 1, container.end - 1, "")
    if first is not None and last is not None:
        return Splice(first.start, last.value_end, style.join(texts))
    return Splice(container.start, container.end, style.enclose(container.kind, texts))


def _is_multiline(space: str) -> bool:
    return "\n" in space or "\r" in space


def _last_line(gap: str) -> str:
    match = _LAST_LINE.search(gap)
    return match[0] if match else gap


def _unit(gap: str, closing: str) -> str:
    inner, outer = (_last_line(space).lstrip("\r\n") for space in (gap, closing))
    if _is_multiline(gap) and _is_multiline(closing) and inner.startswith(outer):
        return inner[len(outer) :]
    return ""
