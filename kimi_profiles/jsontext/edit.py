"""From a document and what shall stand in it to the splices that make it so."""

from __future__ import annotations

from kimi_profiles.jsontext.address import join_pointer
from kimi_profiles.jsontext.layout import Item, Style, layout_container, root_style
from kimi_profiles.jsontext.narrow import narrow
from kimi_profiles.jsontext.scan import MAX_ITEMS, too_many_items
from kimi_profiles.jsontext.splices import Splice
from kimi_profiles.jsontext.strict import BOM
from kimi_profiles.jsontext.wanted import (
    Node,
    build_tree,
    new_container,
    new_element,
    new_member,
    wanted_text,
)
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from kimi_profiles.jsontext.address import Address, Wanted
    from kimi_profiles.jsontext.document import Document
    from kimi_profiles.jsontext.scan import Container, Member

__all__ = ["edit"]


def edit(document: Document[Any], wanted: Mapping[Address, Wanted], prune: Collection[str]) -> list[Splice]:
    """The splices, sorted. Arguments and errors as for ``Document.edit``."""
    tree = build_tree(wanted, prune)
    text = document.narrow
    if document.start == len(text):
        return _from_nothing(text, tree)
    container = document.container(document.start)
    if not tree.only_removes and (container is None or container.kind != "{"):
        msg = "the document is not an object"
        raise ValueError(msg)
    if container is None:
        return []
    # Where there are members, they show the style.
    style = root_style("" if container.first else text)
    splices, _ = _Editor(document).edit_container(container, tree, style, "")
    return sorted(splices)


def _from_nothing(text: str, tree: Node) -> list[Splice]:
    raw = new_container(tree, root_style(text))
    if raw is None:
        return []
    mark = len(BOM) if text.startswith(BOM) else 0
    end = "" if len(text) > mark else "\n"
    return [Splice(mark, mark, raw + end)]


@dataclass(slots=True)
class _Changes:
    """What happens to one container: members that go, members that come, splices inside those that stay."""

    removed: set[Member] = field(default_factory=set)
    inserted: list[Item] = field(default_factory=list)
    below: list[Splice] = field(default_factory=list)


class _Editor:
    def __init__(self, document: Document[Any]) -> None:
        self.document = document

    def edit_container(
        self, container: Container, node: Node, style: Style, pointer: str
    ) -> tuple[list[Splice], bool]:
        """The splices for one container, and whether it ends up without members."""
        if not node.only_removes:  # else nothing is laid out
            style = style.of(container)
        if container.kind == "[":
            names = self.document.names_of(container)
            changes = _change_elements(names, node, style)
            # What could not be read again could not be taken out again.
            if sum(map(len, names.values())) - len(changes.removed) + len(changes.inserted) > MAX_ITEMS:
                raise too_many_items(self.document.narrow, container.start)
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
        inner = self.document.container(member.value_start)
        if not node.only_removes and (inner is None or inner.kind != node.opening):
            msg = f"{pointer} is not {'a list' if node.opening == '[' else 'an object'}"
            raise ValueError(msg)
        if inner is None:
            return []
        below, is_empty = self.edit_container(inner, node, style.inner(), pointer)
        return None if is_empty and node.prune else below


def _change_elements(present: Mapping[str, Collection[Member]], node: Node, style: Style) -> _Changes:
    changes = _Changes()
    for name, wanted in node.members.items():
        if wanted is None:
            changes.removed.update(present.get(name, ()))
        elif name not in present:
            changes.inserted.append(new_element(name, wanted, style))
    return changes
