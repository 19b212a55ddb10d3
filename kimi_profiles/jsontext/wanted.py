"""The wanted changes to one document as a tree, and the text of what is new in it."""

from __future__ import annotations

from kimi_profiles.jsontext.address import Found, split_pointer
from kimi_profiles.jsontext.layout import Item, Place, Style, layout_value, order
from kimi_profiles.jsontext.narrow import narrow, widen
from kimi_profiles.jsontext.strict import SPACE
from kimi_profiles.jsontext.values import canonical, escape_surrogates
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kimi_profiles.jsontext.address import Address, Wanted

__all__ = [
    "Node",
    "build_tree",
    "new_container",
    "new_element",
    "new_member",
    "wanted_text",
]


@dataclass(slots=True)
class Node:
    """The wanted changes at and below one pointer: at itself, to members of its list, or below its keys.

    Attributes:
        children: By key.
        members: By canonical text.
        value: What shall stand here, if this ``is_leaf``.
        is_leaf: Whether the change is to this value as a whole.
        prune: Whether the container goes when it ends up without members.
    """

    children: dict[str, Node] = field(default_factory=dict)
    members: dict[str, Wanted] = field(default_factory=dict)
    value: Wanted = None
    is_leaf: bool = False
    prune: bool = False

    @property
    def opening(self) -> str:
        """The bracket of the container that these changes need."""
        return "[" if self.members else "{"

    @property
    def only_removes(self) -> bool:
        """Whether nothing happens where nothing stands."""
        wanted = [*self.members.values(), self.value]
        return all(value is None for value in wanted) and all(
            child.only_removes for child in self.children.values()
        )


def build_tree(wanted: Mapping[Address, Wanted], prune: Collection[str]) -> Node:
    """The tree for ``Document.edit``, whose arguments and errors these are."""
    root = Node()
    for address, value in wanted.items():
        name = None if value is None else canonical(value.raw if isinstance(value, Found) else value)
        node = _descend(root, address.pointer)
        if address.member is None:
            node.value, node.is_leaf = value, True
        else:
            member = canonical(address.member)
            if member in node.members or name not in {None, member}:
                msg = f"one member of {address.pointer!r} shall be two things"
                raise ValueError(msg)
            node.members[member] = value
        if node is root or node.is_leaf + bool(node.members) + bool(node.children) > 1:
            msg = f"{address.pointer!r} is the whole document, or another change lies inside it"
            raise ValueError(msg)
    for pointer in prune:
        node = root
        for key in split_pointer(pointer):
            node = node.children.setdefault(key, Node())
        node.prune = True
    return root


def _descend(node: Node, pointer: str) -> Node:
    for key in split_pointer(pointer):
        if node.is_leaf or node.members:
            msg = f"{pointer!r} lies inside another change"
            raise ValueError(msg)
        node = node.children.setdefault(key, Node())
    return node


def new_container(node: Node, style: Style) -> str | None:
    """The text of a container that holds just what ``node`` wants; ``None`` where it wants nothing."""
    items = [new_element(name, wanted, style) for name, wanted in node.members.items() if wanted is not None]
    for key, child in node.children.items():
        items += new_member(key, child, style)
    ahead, _, rest = order(items)
    return style.enclose(node.opening, [*ahead, *rest]) if items else None


def new_member(key: str, node: Node, style: Style) -> list[Item]:
    """The new member of an object; none where ``node`` wants nothing."""
    if node.value is not None:
        return [Item(key, style.member(key, wanted_text(node.value, style)), _place(node.value))]
    raw = new_container(node, style.inner())
    return [] if raw is None else [Item(key, style.member(key, raw))]


def new_element(name: str, wanted: Found | str, style: Style) -> Item:
    """The new member of a list."""
    place = _place(wanted)
    return Item(name, wanted_text(wanted, style), canonical(place) if isinstance(place, str) else place)


def wanted_text(wanted: Found | str, style: Style) -> str:
    """The text of a value in a container of this style."""
    if isinstance(wanted, Found):
        return wanted.raw
    return escape_surrogates(widen(layout_value(narrow(wanted.strip(SPACE)), style)))


def _place(wanted: Found | str) -> str | Place:
    if isinstance(wanted, str):
        return Place.LAST
    return Place.FIRST if wanted.after is None else wanted.after
