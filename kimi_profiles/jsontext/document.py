"""A JSON document as text: what stands at an address, and the same text with other things there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from kimi_profiles.jsontext.address import Address, join_pointer, split_pointer
from kimi_profiles.jsontext.layout import LAST, Item, Style, layout_container, layout_value, root_style
from kimi_profiles.jsontext.scan import BOM, Container, scan_container, scan_root
from kimi_profiles.jsontext.splices import Splice, splice
from kimi_profiles.jsontext.values import canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kimi_profiles.jsontext.scan import Member

__all__ = ["Blocked", "Document", "Found", "State", "Wanted"]


@dataclass(frozen=True, slots=True)
class Found:
    """A value that stands in the document.

    Attributes:
        raw: Its JSON text, as written there.
        after: The sibling it follows: a key in an object, a member's JSON text in a list; ``None`` where it
            is the first.
    """

    raw: str
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """The address cannot be reached: what stands at ``pointer`` is not of the ``expected`` kind."""

    pointer: str
    expected: str


State: TypeAlias = "Found | Blocked | None"
"""What stands at an address; ``None`` is nothing."""

Wanted: TypeAlias = "Found | str | None"
"""What shall stand at an address: nothing, JSON text to be laid out like its neighbours, or a ``Found`` that
is put back as it was, behind the sibling it followed."""


@dataclass(slots=True)
class _Node:
    """The wanted changes below one container, as a tree."""

    children: dict[str, _Node] = field(default_factory=dict)
    members: dict[str, Wanted] = field(default_factory=dict)
    value: Wanted = None
    is_leaf: bool = False
    prune: bool = False

    @property
    def opening(self) -> str:
        return "[" if self.members else "{"


@dataclass(slots=True)
class _Changes:
    """What happens to one container: members that go, members that come, splices inside those that stay."""

    removed: set[int] = field(default_factory=set)
    inserted: list[Item] = field(default_factory=list)
    below: list[Splice] = field(default_factory=list)


class Document:
    """One JSON text. Scanning happens once for each container; the text itself never changes.

    Args:
        text: The whole document. A byte order mark, any white space, and duplicate keys (the last one counts)
            are allowed; an empty text counts as an object without members that nobody wrote yet.

    Raises:
        JsonTextError: ``text`` is not strict JSON.

    Source:
        RFC 8259; which duplicate counts: ECMA-262 §25.5.1 (the last).
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._start, root = scan_root(text)
        self._containers: dict[int, Container | None] = {self._start: root}

    def read(self, addresses: Iterable[Address]) -> dict[Address, State]:
        """What stands at each of ``addresses``.

        Returns:
            ``Found``, ``None`` for nothing, or ``Blocked`` where something else is in the way.
        """
        return {address: self._state(address) for address in addresses}

    def missing_containers(self, addresses: Iterable[Address]) -> tuple[str, ...]:
        """Pointers of the containers that would have to be made to set ``addresses``; outer ones first."""
        pointers: dict[str, None] = {}
        for address in addresses:
            keys = split_pointer(address.pointer)
            for depth in range(1, len(keys) + (address.member is not None)):
                pointer = join_pointer(*keys[:depth])
                if self._state(Address(pointer)) is None:
                    pointers[pointer] = None
        return tuple(sorted(pointers))

    def edit(self, wanted: Mapping[Address, Wanted], *, prune: Collection[str] = ()) -> str:
        """The text with ``wanted`` in place and every other character kept.

        A duplicate key is set at its last occurrence and removed at all of them. Removing below a container
        that does not exist does nothing.

        Args:
            wanted: Address → what shall stand there. No address may lie inside another.
            prune: Pointers of containers that go when they end up without members.

        Raises:
            ValueError: An address is blocked, or lies inside another.
        """
        tree = _tree(wanted, prune)
        if self._start == len(self.text):
            return self._from_nothing(tree)
        container = self._container(self._start)
        if container is None or container.kind != "{":
            msg = "the document is not an object"
            raise ValueError(msg)
        splices, _ = self._edit_container(container, tree, root_style(self.text), "")
        return splice(self.text, sorted(splices))

    # Reading

    def _container(self, start: int) -> Container | None:
        if start not in self._containers:
            self._containers[start] = scan_container(self.text, start)
        return self._containers[start]

    def _state(self, address: Address) -> State:
        keys = split_pointer(address.pointer)
        start, end, after = self._start, len(self.text.rstrip(" \t\n\r")), None
        if start == len(self.text):
            return None
        for depth, key in enumerate(keys):
            container = self._container(start)
            if container is None or container.kind != "{":
                return Blocked(join_pointer(*keys[:depth]), "object")
            index = _last(container, key)
            if index is None:
                return None
            member = container.members[index]
            after = container.members[index - 1].key if index else None
            start, end = member.value_start, member.value_end
        if address.member is None:
            return Found(self.text[start:end], after)
        container = self._container(start)
        if container is None or container.kind != "[":
            return Blocked(address.pointer, "list")
        return self._element(container, address.member)

    def _element(self, container: Container, member: str) -> Found | None:
        same = canonical(member)
        for index, element in enumerate(container.members):
            raw = self._raw(element)
            if canonical(raw) == same:
                return Found(raw, self._raw(container.members[index - 1]) if index else None)
        return None

    def _raw(self, member: Member) -> str:
        return self.text[member.value_start : member.value_end]

    # Editing

    def _from_nothing(self, tree: _Node) -> str:
        raw = _new_container(tree, root_style(self.text))
        if raw is None:
            return self.text
        mark = BOM if self.text.startswith(BOM) else ""
        return mark + raw + (self.text[len(mark) :] or "\n")

    def _edit_container(
        self, container: Container, node: _Node, style: Style, pointer: str
    ) -> tuple[list[Splice], bool]:
        """The splices for one container, and whether it ends up without members."""
        style = style.of(self.text, container)
        if container.kind == "[":
            changes = self._change_elements(container, node, style)
        else:
            changes = self._change_members(container, node, style, pointer)
        own = layout_container(self.text, container, changes.removed, changes.inserted, style)
        is_empty = len(changes.removed) == len(container.members) and not changes.inserted
        return [*changes.below, *own], is_empty

    def _change_elements(self, container: Container, node: _Node, style: Style) -> _Changes:
        changes = _Changes()
        present = [canonical(self._raw(element)) for element in container.members]
        for member, wanted in node.members.items():
            same = canonical(member)
            if wanted is None:
                changes.removed.update(index for index, text in enumerate(present) if text == same)
            elif same not in present:
                changes.inserted.append(_item(same, wanted, style, key=None))
        return changes

    def _change_members(self, container: Container, node: _Node, style: Style, pointer: str) -> _Changes:
        changes = _Changes()
        for key, child in node.children.items():
            index = _last(container, key)
            if index is None:
                item = _new_member(key, child, style)
                if item is not None:
                    changes.inserted.append(item)
                continue
            member = container.members[index]
            if not child.is_leaf:
                below, is_gone = self._edit_child(member, child, style, pointer + join_pointer(key))
                changes.below.extend(below)
                if is_gone:
                    changes.removed.add(index)
            elif child.value is None:
                changes.removed.update(i for i, other in enumerate(container.members) if other.key == key)
            else:
                raw = child.value.raw if isinstance(child.value, Found) else layout_value(child.value, style)
                changes.below.append(Splice(member.value_start, member.value_end, raw))
        return changes

    def _edit_child(
        self, member: Member, node: _Node, style: Style, pointer: str
    ) -> tuple[list[Splice], bool]:
        """The splices inside the member's value, and whether the member goes as a whole."""
        inner = self._container(member.value_start)
        is_used = bool(node.members or node.children)
        if inner is None or (is_used and inner.kind != node.opening):
            if _is_no_op(node):
                return [], False
            msg = f"{pointer} is not {'a list' if node.opening == '[' else 'an object'}"
            raise ValueError(msg)
        below, is_empty = self._edit_container(inner, node, style.inner(), pointer)
        return ([], True) if is_empty and node.prune else (below, False)


def _last(container: Container, key: str) -> int | None:
    for index in range(len(container.members) - 1, -1, -1):
        if container.members[index].key == key:
            return index
    return None


def _tree(wanted: Mapping[Address, Wanted], prune: Collection[str]) -> _Node:
    root = _Node()
    for address, value in wanted.items():
        node = _descend(root, address.pointer)
        if address.member is not None:
            node.members[address.member] = value
        else:
            node.value, node.is_leaf = value, True
        if node is root or (node.is_leaf and (node.children or node.members)):
            msg = f"another change lies inside {address.pointer!r}"
            raise ValueError(msg)
    for pointer in prune:
        node = _descend(root, pointer)
        node.prune = not node.is_leaf
    return root


def _descend(node: _Node, pointer: str) -> _Node:
    for key in split_pointer(pointer):
        if node.is_leaf or node.members:
            msg = f"{pointer!r} lies inside another change"
            raise ValueError(msg)
        node = node.children.setdefault(key, _Node())
    return node


def _is_no_op(node: _Node) -> bool:
    wanted = [*node.members.values(), node.value]
    return all(value is None for value in wanted) and all(map(_is_no_op, node.children.values()))


def _new_container(node: _Node, style: Style) -> str | None:
    """The text of a container that holds just what ``node`` wants; ``None`` where it wants nothing."""
    elements = (
        _item(canonical(member), wanted, style, key=None)
        for member, wanted in node.members.items()
        if wanted is not None
    )
    members = (_new_member(key, child, style) for key, child in node.children.items())
    items = [*elements, *(item for item in members if item is not None)]
    return style.enclose(node.opening, items) if items else None


def _new_member(key: str, node: _Node, style: Style) -> Item | None:
    if node.is_leaf:
        return None if node.value is None else _item(key, node.value, style, key=key)
    raw = _new_container(node, style.inner())
    return None if raw is None else Item(key, style.member(key, raw))


def _item(name: str, wanted: Found | str, style: Style, *, key: str | None) -> Item:
    place: str | None = LAST
    if isinstance(wanted, Found):
        raw, place = wanted.raw, wanted.after
        if key is None and place is not None:
            place = canonical(place)
    else:
        raw = layout_value(wanted, style)
    return Item(name, raw if key is None else style.member(key, raw), place)
