"""A JSON document as text: what stands at an address, and the same text with other things there."""

from __future__ import annotations

from kimi_profiles.jsontext.address import Address, join_pointer, split_pointer
from kimi_profiles.jsontext.layout import Item, Style, layout_container, root_style
from kimi_profiles.jsontext.narrow import narrow, widen
from kimi_profiles.jsontext.scan import MAX_ITEMS, Container, scan_container, scan_root, too_many_items
from kimi_profiles.jsontext.splices import Splice, splice_bytes
from kimi_profiles.jsontext.strict import BOM, SPACE, line_and_column
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
from kimi_profiles.patterns import pattern
from kimi_profiles.values import Generic, dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any, TypeAlias, TypeVar

    from kimi_profiles.jsontext.scan import Member

    _Text = TypeVar("_Text", bound=str | bytes)

__all__ = ["Blocked", "Document", "State", "is_hollow"]

_HOLLOW = pattern(rb"(?:\xef\xbb\xbf)?[ \t\n\r]*(?:\{[ \t\n\r]*\}[ \t\n\r]*)?")


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

    removed: set[Member] = field(default_factory=set)
    inserted: list[Item] = field(default_factory=list)
    below: list[Splice] = field(default_factory=list)


class Document(Generic["_Text"]):
    """One JSON text. Scanning happens once for each container; the text itself never changes.

    Args:
        text: The whole document, as text or as its UTF-8 bytes, which saves a large file much time and
            memory. A byte order mark, any white space, and duplicate keys (the last one counts) are allowed;
            an empty text counts as an object without members that nobody wrote yet.

    Raises:
        JsonTextError: ``text`` is not strict JSON.

    Source:
        RFC 8259; which duplicate counts: ECMA-262 §25.5.1 (the last).
    """

    def __init__(self, text: _Text) -> None:
        self.text = text
        self._data: bytes = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self._narrow = self._data.decode("latin-1")
        self._start, root = scan_root(self._narrow)
        self._containers: dict[int, Container | None] = {self._start: root}
        self._names: dict[int, dict[str, list[Member]]] = {}
        self._states: dict[Address, State] = {}

    def read(self, addresses: Iterable[Address]) -> dict[Address, State]:
        """What stands at each of ``addresses``.

        Returns:
            ``Found``, ``None`` for nothing, or ``Blocked`` where something else is in the way.
        """
        states = self._states
        return {
            address: states[address]
            if address in states
            else states.setdefault(address, self._state(address))
            for address in addresses
        }

    def elements(self, pointer: str) -> tuple[str, ...]:
        """JSON texts of the members of the list at ``pointer``; none where there is no list."""
        start = self._start_of(pointer)
        container = None if start is None else self._container(start)
        if container is None or container.kind != "[":
            return ()
        return tuple(map(self._raw, container))

    def place(self, pointer: str) -> tuple[int, int]:
        """Line and column, from 1, of the value at ``pointer``, or of the value nearest around it."""
        keys = split_pointer(pointer)
        while (start := self._start_of(join_pointer(*keys))) is None:
            keys = keys[:-1]
        return line_and_column(self._narrow, start)

    def missing_containers(self, addresses: Iterable[Address]) -> tuple[str, ...]:
        """Pointers of the containers that would have to be made to set ``addresses``; outer ones first."""
        pointers: dict[str, None] = {}
        for address in addresses:
            keys = split_pointer(address.pointer)
            for depth in range(1, len(keys) + (address.member is not None)):
                pointer = join_pointer(*keys[:depth])
                if pointer not in pointers and self._reach(keys[:depth]) is None:
                    pointers[pointer] = None
        return tuple(sorted(pointers))

    def edit(self, wanted: Mapping[Address, Wanted], *, prune: Collection[str] = ()) -> _Text:
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
        if self._start == len(self._narrow):
            return self._given(self._from_nothing(tree))
        container = self._container(self._start)
        if not tree.only_removes and (container is None or container.kind != "{"):
            msg = "the document is not an object"
            raise ValueError(msg)
        if container is None:
            return self.text
        # Where there are members, they show the style.
        style = root_style("" if container.first else self._narrow)
        splices, _ = self._edit_container(container, tree, style, "")
        return self._given(sorted(splices))

    def _given(self, splices: list[Splice]) -> _Text:
        """The edited text, of the kind that was given."""
        if not splices:
            return self.text
        data = splice_bytes(self._data, splices)
        given: Any = data.decode("utf-8", "surrogatepass") if isinstance(self.text, str) else data
        return given  # type: ignore[no-any-return]

    # Reading

    def _container(self, start: int) -> Container | None:
        if start not in self._containers:
            self._containers[start] = scan_container(self._narrow, start)
        return self._containers[start]

    def _start_of(self, pointer: str) -> int | None:
        """Where the value at ``pointer`` begins."""
        reached = self._reach(split_pointer(pointer))
        return reached[0] if isinstance(reached, tuple) else None

    def _reach(self, keys: Sequence[str]) -> tuple[int, int, Container | None] | Blocked | None:
        """Start and end of the value at ``keys``, and the object that it is a member of."""
        start, end, parent = self._start, len(self._narrow), None
        if keys and start == end:
            return None
        for depth, key in enumerate(keys):
            parent = self._container(start)
            if parent is None or parent.kind != "{":
                return Blocked(join_pointer(*keys[:depth]), "object")
            found = parent.find(narrow(key))
            if not found:
                return None
            start, end = found[-1].value_start, found[-1].value_end
        return start, end, parent

    def _state(self, address: Address) -> State:
        keys = split_pointer(address.pointer)
        reached = self._reach(keys)
        if reached is None or isinstance(reached, Blocked):
            return reached
        start, end, parent = reached
        if start == len(self._narrow):
            return None
        if address.member is None:
            after = None if parent is None else parent.key_before(narrow(keys[-1]))
            raw = self._narrow[start:end].rstrip(SPACE)
            return Found(widen(raw), None if after is None else widen(after))
        container = self._container(start)
        if container is None or container.kind != "[":
            return Blocked(address.pointer, "list")
        names = self._names_of(container)
        name = canonical(address.member)
        if name not in names:
            return None
        order = list(names)
        index = order.index(name)
        before = self._raw(names[order[index - 1]][0]) if index else None
        return Found(self._raw(names[name][0]), before)

    def _names_of(self, container: Container) -> dict[str, list[Member]]:
        """The members of a list by what they mean."""
        if container.start not in self._names:
            names = self._names[container.start] = {}
            for member in container:
                names.setdefault(canonical(self._raw(member)), []).append(member)
        return self._names[container.start]

    def _raw(self, member: Member) -> str:
        return widen(self._narrow[member.value_start : member.value_end])

    # Editing

    def _from_nothing(self, tree: Node) -> list[Splice]:
        raw = new_container(tree, root_style(self._narrow))
        if raw is None:
            return []
        mark = len(BOM) if self._narrow.startswith(BOM) else 0
        end = "" if len(self._narrow) > mark else "\n"
        return [Splice(mark, mark, raw + end)]

    def _edit_container(
        self, container: Container, node: Node, style: Style, pointer: str
    ) -> tuple[list[Splice], bool]:
        """The splices for one container, and whether it ends up without members."""
        style = style.of(container)
        if container.kind == "[":
            names = self._names_of(container)
            changes = _change_elements(names, node, style)
            # What could not be read again could not be taken out again.
            if sum(map(len, names.values())) - len(changes.removed) + len(changes.inserted) > MAX_ITEMS:
                raise too_many_items(self._narrow, container.start)
            own = layout_container(
                container, lambda name: names.get(name, ()), changes.removed, changes.inserted, style
            )
        else:
            changes = self._change_members(container, node, style, pointer)
            own = layout_container(
                container, lambda name: container.find(narrow(name)), changes.removed, changes.inserted, style
            )
        is_empty = not changes.inserted and all(member in changes.removed for member in container)
        return [*changes.below, *own], is_empty

    def _change_members(self, container: Container, node: Node, style: Style, pointer: str) -> _Changes:
        changes = _Changes()
        for key, child in node.children.items():
            same = container.find(narrow(key))
            if not same:
                changes.inserted += new_member(key, child, style)
                continue
            # Of several, not all were made by us; without the last one another would come to light.
            child.prune = child.prune and len(same) == 1
            below = self._edit_member(same[-1], child, style, pointer + join_pointer(key))
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


def _change_elements(present: Mapping[str, Collection[Member]], node: Node, style: Style) -> _Changes:
    changes = _Changes()
    for name, wanted in node.members.items():
        if wanted is None:
            changes.removed.update(present.get(name, ()))
        elif name not in present:
            changes.inserted.append(new_element(name, wanted, style))
    return changes


def is_hollow(text: str | bytes) -> bool:
    """Whether strict JSON says nothing: it is empty, or an object without members."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return _HOLLOW.fullmatch(data) is not None
