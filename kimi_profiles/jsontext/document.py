"""A JSON document as text: what stands at an address, and the same text with other things there."""

from __future__ import annotations

from kimi_profiles.jsontext.address import Address, join_pointer, split_pointer
from kimi_profiles.jsontext.layout import Item, Style, layout_container, root_style
from kimi_profiles.jsontext.scan import (
    BOM,
    MAX_MEMBERS,
    SPACE,
    Container,
    line_and_column,
    scan_container,
    scan_root,
    too_many_members,
)
from kimi_profiles.jsontext.splices import Splice, splice
from kimi_profiles.jsontext.values import canonical
from kimi_profiles.jsontext.wanted import (
    Found,
    Node,
    Wanted,
    build_tree,
    new_container,
    new_element,
    new_member,
    wanted_text,
)
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from kimi_profiles.jsontext.scan import Member

__all__ = ["Blocked", "Document", "State"]


@dataclass(frozen=True, slots=True)
class Blocked:
    """The address cannot be reached: what stands at ``pointer`` is not of the ``expected`` kind."""

    pointer: str
    expected: str


State: TypeAlias = "Found | Blocked | None"
"""What stands at an address; ``None`` is nothing."""


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
        self._end = len(text.rstrip(SPACE))
        self._containers: dict[int, Container | None] = {self._start: root}

    def read(self, addresses: Iterable[Address]) -> dict[Address, State]:
        """What stands at each of ``addresses``.

        Returns:
            ``Found``, ``None`` for nothing, or ``Blocked`` where something else is in the way.
        """
        return {address: self._state(address) for address in addresses}

    def elements(self, pointer: str) -> tuple[str, ...]:
        """JSON texts of the members of the list at ``pointer``; none where there is no list."""
        start = self._start_of(pointer)
        container = None if start is None else self._container(start)
        if container is None or container.kind != "[":
            return ()
        return tuple(map(self._raw, container.members))

    def place(self, pointer: str) -> tuple[int, int]:
        """Line and column, from 1, of the value at ``pointer``, or of the value nearest around it."""
        keys = split_pointer(pointer)
        while (start := self._start_of(join_pointer(*keys))) is None:
            keys = keys[:-1]
        return line_and_column(self.text, start)

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
            prune: Pointers of containers that go when they end up without members, unless their key is there
                more than once.

        Raises:
            ValueError: An address is blocked, is the whole document, or lies inside another; or what is
                wanted is not JSON text, or for a member of a list not that member.
        """
        tree = build_tree(wanted, prune)
        if self._start == len(self.text):
            return self._from_nothing(tree)
        container = self._container(self._start)
        if not tree.only_removes and (container is None or container.kind != "{"):
            msg = "the document is not an object"
            raise ValueError(msg)
        if container is None:
            return self.text
        splices, _ = self._edit_container(container, tree, root_style(self.text), "")
        return splice(self.text, sorted(splices))

    # Reading

    def _container(self, start: int) -> Container | None:
        if start not in self._containers:
            self._containers[start] = scan_container(self.text, start)
        return self._containers[start]

    def _start_of(self, pointer: str) -> int | None:
        """Where the value at ``pointer`` begins."""
        start = self._start
        for key in split_pointer(pointer):
            container = self._container(start)
            index = None if container is None or container.kind != "{" else _last(container, key)
            if container is None or index is None:
                return None
            start = container.members[index].value_start
        return start

    def _state(self, address: Address) -> State:
        keys = split_pointer(address.pointer)
        start, end, after = self._start, self._end, None
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
            start, end = member.value_start, member.value_end
            if depth == len(keys) - 1:
                after = _before(key, {other.key: other.key for other in container.members})
        if address.member is None:
            return Found(self.text[start:end], after)
        container = self._container(start)
        if container is None or container.kind != "[":
            return Blocked(address.pointer, "list")
        return self._element(container, canonical(address.member))

    def _element(self, container: Container, name: str) -> Found | None:
        raws: dict[str, str] = {}
        for element in container.members:
            raw = self._raw(element)
            raws.setdefault(canonical(raw), raw)
        return Found(raws[name], _before(name, raws)) if name in raws else None

    def _raw(self, member: Member) -> str:
        return self.text[member.value_start : member.value_end]

    # Editing

    def _from_nothing(self, tree: Node) -> str:
        raw = new_container(tree, root_style(self.text))
        if raw is None:
            return self.text
        mark = BOM if self.text.startswith(BOM) else ""
        return mark + raw + (self.text[len(mark) :] or "\n")

    def _edit_container(
        self, container: Container, node: Node, style: Style, pointer: str
    ) -> tuple[list[Splice], bool]:
        """The splices for one container, and whether it ends up without members."""
        style = style.of(self.text, container)
        if container.kind == "[":
            names = [canonical(self._raw(element)) for element in container.members]
            changes = _change_elements(names, node, style)
        else:
            names = [member.key for member in container.members]
            changes = self._change_members(container, node, style, pointer)
        # What could not be read again could not be taken out again.
        if len(names) - len(changes.removed) + len(changes.inserted) > MAX_MEMBERS:
            raise too_many_members(self.text, container.start)
        own = layout_container(container, names, changes.removed, changes.inserted, style)
        is_empty = len(changes.removed) == len(container.members) and not changes.inserted
        return [*changes.below, *own], is_empty

    def _change_members(self, container: Container, node: Node, style: Style, pointer: str) -> _Changes:
        changes = _Changes()
        for key, child in node.children.items():
            same = [index for index, member in enumerate(container.members) if member.key == key]
            if not same:
                changes.inserted += new_member(key, child, style)
                continue
            # Of several, not all were made by us; without the last one another would come to light.
            child.prune = child.prune and len(same) == 1
            below = self._edit_member(container.members[same[-1]], child, style, pointer + join_pointer(key))
            if below is None:
                changes.removed.update(same)
            else:
                changes.below += below
        return changes

    def _edit_member(self, member: Member, node: Node, style: Style, pointer: str) -> list[Splice] | None:
        """The splices inside one member of an object; ``None`` where it goes as a whole."""
        if node.is_leaf:
            if node.value is None:
                return None
            return [Splice(member.value_start, member.value_end, wanted_text(node.value, style))]
        inner = self._container(member.value_start)
        if not node.only_removes and (inner is None or inner.kind != node.opening):
            msg = f"{pointer} is not {'a list' if node.opening == '[' else 'an object'}"
            raise ValueError(msg)
        if inner is None:
            return []
        below, is_empty = self._edit_container(inner, node, style.inner(), pointer)
        return None if is_empty and node.prune else below


def _last(container: Container, key: str) -> int | None:
    for index in range(len(container.members) - 1, -1, -1):
        if container.members[index].key == key:
            return index
    return None


def _before(name: str, siblings: Mapping[str, str]) -> str | None:
    """The text of the sibling before ``name``; ``siblings`` maps names to texts, in a reader's order."""
    names = list(siblings)
    index = names.index(name)
    return siblings[names[index - 1]] if index else None


def _change_elements(present: Sequence[str], node: Node, style: Style) -> _Changes:
    changes = _Changes()
    for name, wanted in node.members.items():
        if wanted is None:
            changes.removed.update(index for index, other in enumerate(present) if other == name)
        elif name not in present:
            changes.inserted.append(new_element(name, wanted, style))
    return changes
