"""How new members are laid out: like their neighbours, never by a rule of our own where one can be copied."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from kimi_profiles.jsontext.splices import Splice
from kimi_profiles.jsontext.values import canonical, dumps, loads

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kimi_profiles.jsontext.scan import Container

__all__ = ["LAST", "Item", "Style", "layout_container", "layout_value", "root_style"]

_LAST_LINE = re.compile(r"(?:\r\n|\n|\r)[ \t]*\Z")

LAST = "\0"
"""For ``Item.after``: behind all others. No key and no canonical JSON text is this string."""


class Item(NamedTuple):
    """One new member.

    Attributes:
        name: What it is known by among its siblings: the key, or a list member's canonical text.
        text: The whole member as it will stand there.
        after: Name of the sibling it goes behind; ``None`` for the first place.
    """

    name: str
    text: str
    after: str | None = LAST


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

    def enclose(self, bracket: str, items: Sequence[Item]) -> str:
        """A whole container of ``items``."""
        members = f",{self.gap}".join(item.text for item in items)
        return f"{bracket}{self.opening}{members}{self.closing}{'}' if bracket == '{' else ']'}"

    def member(self, key: str, raw: str) -> str:
        """One member of an object, without comma."""
        return f"{dumps(key)}{self.colon}{raw}"


def root_style(text: str) -> Style:
    """The style for a document without members: two spaces, and the line ends that ``text`` has."""
    newline = "\r\n" if "\r\n" in text else "\n"
    return Style(opening=newline + "  ", gap=newline + "  ", closing=newline, colon=": ", unit="  ")


def layout_value(raw: str, style: Style) -> str:
    """``raw``, laid out as the value of a member in a container of this style."""
    if raw[:1] not in {"{", "["}:
        return raw
    if _is_multiline(style.gap) and style.unit:
        return dumps(loads(raw), indent=style.unit, colon=style.colon).replace("\n", style.gap)
    return dumps(loads(raw), colon=style.colon, comma=f",{'' if _is_multiline(style.gap) else style.gap}")


def layout_container(
    text: str, container: Container, removed: Collection[int], inserted: Sequence[Item], style: Style
) -> list[Splice]:
    """The splices that take members out of a container and put new ones in.

    Args:
        text: The whole document.
        container: Where.
        removed: Indices of members that go.
        inserted: New members, in the order in which they shall come where nothing else decides.
        style: The container's own style.
    """
    members = container.members
    kept = [index for index in range(len(members)) if index not in removed]
    if not removed and not inserted:
        return []
    slots = _place(text, container, kept, inserted)
    if not kept:
        return [_fill(container, slots[0], style)]
    splices: list[Splice] = []
    first = members[kept[0]]
    start = members[0].start
    ahead = "".join(f"{item.text},{style.gap}" for item in slots[0])
    if ahead or start != first.start:
        splices.append(Splice(start, first.start, ahead))
    for position, index in enumerate(kept):
        following = kept[position + 1] if position + 1 < len(kept) else len(members)
        start = members[index].value_end
        end = members[following - 1].value_end
        new = "".join(f",{style.gap}{item.text}" for item in slots[position + 1])
        if new or end != start:
            splices.append(Splice(start, end, new))
    return splices


def _fill(container: Container, items: Sequence[Item], style: Style) -> Splice:
    """Everything between the brackets, where no old member stays."""
    members = container.members
    if not items:
        return Splice(container.start + 1, container.end - 1, "")
    joined = f",{style.gap}".join(item.text for item in items)
    if members:
        return Splice(members[0].start, members[-1].value_end, joined)
    return Splice(container.start + 1, container.end - 1, f"{style.opening}{joined}{style.closing}")


def _place(
    text: str, container: Container, kept: Sequence[int], inserted: Sequence[Item]
) -> list[list[Item]]:
    """The new members before the first kept one, and behind each kept one."""
    if container.kind == "{":
        names = {container.members[index].key: slot for slot, index in enumerate(kept, 1)}
    else:
        # Only list members that somebody asks for are worth the parsing.
        wanted = {item.after for item in inserted} - {LAST, None}
        names = _element_names(text, container, kept) if wanted else {}
    slots: list[list[Item]] = [[] for _ in range(len(kept) + 1)]
    waiting = list(inserted)
    while waiting:
        placed = [item for item in waiting if item.after is None or item.after in names]
        if not placed:
            break
        for item in placed:
            slot = 0 if item.after is None else names[item.after]
            behind = [other.name for other in slots[slot]]
            slots[slot].insert(behind.index(item.after) + 1 if item.after in behind else 0, item)
            names[item.name] = slot
        waiting = [item for item in waiting if item not in placed]
    slots[-1].extend(waiting)
    return slots


def _element_names(text: str, container: Container, kept: Sequence[int]) -> dict[str, int]:
    elements = [container.members[index] for index in kept]
    return {
        canonical(text[element.value_start : element.value_end]): slot
        for slot, element in enumerate(elements, 1)
    }


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
