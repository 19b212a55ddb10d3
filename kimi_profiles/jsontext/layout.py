"""How new members are laid out: like their neighbours, never by a rule of our own where one can be copied."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from kimi_profiles.jsontext.scan import scan_container
from kimi_profiles.jsontext.splices import Splice
from kimi_profiles.jsontext.values import dumps
from kimi_profiles.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from kimi_profiles.jsontext.scan import Container

__all__ = ["Item", "Place", "Style", "layout_container", "layout_value", "order", "root_style"]

_LAST_LINE = re.compile(r"(?:\r\n|\n|\r)[ \t]*\Z")


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

    def of(self, text: str, container: Container) -> Style:
        """The style of ``container``; where it has no members to copy from, this one."""
        members = container.members
        if not members:
            return self
        last = members[-1]
        opening = text[container.start + 1 : members[0].start]
        closing = text[last.value_end : container.end - 1]
        colon = text[last.key_end : last.value_start] if container.kind == "{" else self.colon
        if _is_multiline(colon):
            colon = self.colon
        if len(members) > 1:
            gap = text[text.index(",", members[-2].value_end) + 1 : last.start]
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
        raw: Strict JSON text without white space before it.
        style: That of the container.
    """
    container = scan_container(raw, 0)
    if container is None:
        return raw
    inner = style.inner()
    members = []
    for member in container.members:
        value = layout_value(raw[member.value_start : member.value_end], inner)
        head = raw[member.start : member.key_end] + inner.colon if container.kind == "{" else ""
        members.append(head + value)
    return inner.enclose(container.kind, members)


def order(items: Sequence[Item], names: Sequence[str] = ()) -> list[list[str]]:
    """The texts of new members: those before all old ones, then those behind each old one.

    Args:
        items: The new members; their order counts where their places do not decide.
        names: The old members. Of two with the same name, the first is the one to go behind.
    """
    followers: dict[str | Place, list[Item]] = {}
    for item in items:
        followers.setdefault(item.after, []).append(item)
    slots = [_take(followers, Place.FIRST), *(_take(followers, name) for name in names)]
    # What is left follows nobody here, or only one another.
    new: dict[str | Place, None] = {item.name: None for item in items}
    for name in [*(name for name in followers if name not in new), *new]:
        slots[-1] += _take(followers, name)
    return slots


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
    names: Sequence[str],
    removed: Collection[int],
    inserted: Sequence[Item],
    style: Style,
) -> list[Splice]:
    """The splices that take members out of a container and put new ones in.

    Args:
        container: Where.
        names: What its members are known by, as ``Item.name``.
        removed: Indices of members that go.
        inserted: New members, in the order in which they shall come where nothing else decides.
        style: The container's own style.
    """
    members = container.members
    if not removed and not inserted:
        return []
    kept = [index for index in range(len(members)) if index not in removed]
    ahead, *behind = order(inserted, [names[index] for index in kept])
    if not kept:
        return [_fill(container, ahead, style)]
    first = members[kept[0]].start
    splices = [Splice(members[0].start, first, "".join(f"{text},{style.gap}" for text in ahead))]
    for index, following, texts in zip(kept, [*kept[1:], len(members)], behind, strict=True):
        new = "".join(f",{style.gap}{text}" for text in texts)
        splices.append(Splice(members[index].value_end, members[following - 1].value_end, new))
    return [one for one in splices if one.text or one.start != one.end]


def _fill(container: Container, texts: Sequence[str], style: Style) -> Splice:
    """Everything between the brackets, where no old member stays."""
    members = container.members
    if not texts:
        return Splice(container.start + 1, container.end - 1, "")
    if members:
        return Splice(members[0].start, members[-1].value_end, style.join(texts))
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
