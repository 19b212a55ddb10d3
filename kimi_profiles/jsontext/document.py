"""A JSON document as text: what stands at an address, and the same text with other things there."""

from __future__ import annotations

from kimi_profiles.jsontext.address import Address, Found, join_pointer, split_pointer
from kimi_profiles.jsontext.narrow import narrow, widen
from kimi_profiles.jsontext.scan import Container, scan_container, scan_root
from kimi_profiles.jsontext.strict import SPACE, line_and_column
from kimi_profiles.jsontext.values import canonical
from kimi_profiles.patterns import pattern
from kimi_profiles.values import Generic, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any, TypeAlias, TypeVar

    from kimi_profiles.jsontext.address import Wanted
    from kimi_profiles.jsontext.scan import Member
    from kimi_profiles.jsontext.splices import Splice

    _Text = TypeVar("_Text", bound=str | bytes)

__all__ = ["Blocked", "Document", "State", "is_hollow"]

_LARGE_BYTES = 1 << 20
_ROOM_BYTES = 1 << 18
_HOLLOW = pattern(rb"(?:\xef\xbb\xbf)?[ \t\n\r]*(?:\{[ \t\n\r]*\}[ \t\n\r]*)?")


@dataclass(frozen=True, slots=True)
class Blocked:
    """The address cannot be reached: what stands at ``pointer`` is not of the ``expected`` kind."""

    pointer: str
    expected: str


State: TypeAlias = "Found | Blocked | None"
"""What stands at an address; ``None`` is nothing."""


class Document(Generic["_Text"]):
    """One JSON text, which never changes. Each container is scanned once, until there is an edit.

    Args:
        text: The whole document, as text or as its UTF-8 bytes, which saves a large file much time and
            memory. A byte order mark, any white space, and duplicate keys (the last one counts) are allowed;
            an empty text counts as an object without members that nobody wrote yet.

    Raises:
        JsonTextError: ``text`` is not strict JSON.

    Attributes:
        text: As it was given.
        start: Where its value begins.

    Source:
        RFC 8259; which duplicate counts: ECMA-262 §25.5.1 (the last).
    """

    def __init__(self, text: _Text) -> None:
        self.text = text
        self._data: bytes = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self._narrow: str | None = _narrowed(self._data)
        self.start, root = scan_root(self._narrow)
        self._containers: dict[int, Container | None] = {self.start: root}
        self._names: dict[int, dict[str, list[Member]]] = {}
        self._states: dict[Address, State] = {}

    @property
    def narrow(self) -> str:
        """The text with one character for each byte, to which all offsets belong."""
        if self._narrow is None:
            self._narrow = _narrowed(self._data)
        return self._narrow

    def read(self, addresses: Iterable[Address]) -> dict[Address, State]:
        """What stands at each of ``addresses``.

        Returns:
            ``Found``, ``None`` for nothing, or ``Blocked`` where something else is in the way.
        """
        return {address: self.state(address) for address in addresses}

    def state(self, address: Address) -> State:
        """What stands at one address."""
        if address not in self._states:
            self._states[address] = self._find(address)
        return self._states[address]

    def elements(self, pointer: str) -> tuple[str, ...]:
        """JSON texts of the members of the list at ``pointer``; none where there is no list."""
        start = self._start_of(pointer)
        container = None if start is None else self.container(start)
        if container is None or container.kind != "[":
            return ()
        return tuple(map(self._raw, container))

    def place(self, pointer: str) -> tuple[int, int]:
        """Line and column, from 1, of the value at ``pointer``, or of the value nearest around it."""
        keys = split_pointer(pointer)
        while (start := self._start_of(join_pointer(*keys))) is None:
            keys = keys[:-1]
        return line_and_column(self.narrow, start)

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
        return self.edits(wanted, prune=prune)[0]

    def edits(self, *wanted: Mapping[Address, Wanted], prune: Collection[str] = ()) -> list[_Text]:
        """:meth:`edit`, for several edits of the same text; together they cost one scan."""
        from kimi_profiles.jsontext.edit import edit

        splices = [edit(self, each, prune) for each in wanted]
        if any(splices):  # a text more, and it may be large: what can be had again makes room for it
            self._narrow = None
            self._containers.clear()
            self._names.clear()
        return [self._spliced(each) for each in splices]

    def _spliced(self, splices: Sequence[Splice]) -> _Text:
        from kimi_profiles.jsontext.splices import splice_bytes

        if not splices:
            return self.text
        data = splice_bytes(self._data, splices)
        given: Any = data.decode("utf-8", "surrogatepass") if isinstance(self.text, str) else data
        return given  # type: ignore[no-any-return]

    def container(self, start: int) -> Container | None:
        """The container whose opening bracket stands at ``start``; ``None`` if a scalar stands there."""
        if start not in self._containers:
            self._containers[start] = scan_container(self.narrow, start)
        return self._containers[start]

    def _start_of(self, pointer: str) -> int | None:
        """Where the value at ``pointer`` begins."""
        reached = self._reach(split_pointer(pointer))
        return reached[0] if isinstance(reached, tuple) else None

    def _reach(self, keys: Sequence[str]) -> tuple[int, int, Container | None] | Blocked | None:
        """Start and end of the value at ``keys``, and the object that it is a member of."""
        start, end, parent = self.start, len(self.narrow), None
        if keys and start == end:
            return None
        for depth, key in enumerate(keys):
            parent = self.container(start)
            if parent is None or parent.kind != "{":
                return Blocked(join_pointer(*keys[:depth]), "object")
            found = parent.find(narrow(key))
            if not found:
                return None
            start, end = found[-1].value_start, found[-1].value_end
        return start, end, parent

    def _find(self, address: Address) -> State:
        keys = split_pointer(address.pointer)
        reached = self._reach(keys)
        if reached is None or isinstance(reached, Blocked):
            return reached
        start, end, parent = reached
        if start == len(self.narrow):
            return None
        if address.member is None:
            after = None if parent is None else parent.key_before(narrow(keys[-1]))
            raw = self.narrow[start:end].rstrip(SPACE)
            return Found(widen(raw), None if after is None else widen(after))
        container = self.container(start)
        if container is None or container.kind != "[":
            return Blocked(address.pointer, "list")
        names = self.names_of(container)
        name = canonical(address.member)
        if name not in names:
            return None
        order = list(names)
        index = order.index(name)
        before = self._raw(names[order[index - 1]][0]) if index else None
        return Found(self._raw(names[name][0]), before)

    def names_of(self, container: Container) -> dict[str, list[Member]]:
        """The members of a list by what they mean."""
        if container.start not in self._names:
            names = self._names[container.start] = {}
            for member in container:
                names.setdefault(canonical(self._raw(member)), []).append(member)
        return self._names[container.start]

    def _raw(self, member: Member) -> str:
        return widen(self.narrow[member.value_start : member.value_end])


def _narrowed(data: bytes) -> str:
    if len(data) < _LARGE_BYTES:
        return data.decode("latin-1")
    # The text is freed before an edited one is made, which then is to have its memory: to get as much from
    # the system costs a tenth of all the time. glibc maps so large a block by itself, and unmaps it again,
    # until one as large was freed (mallopt(3), M_MMAP_THRESHOLD); and what comes behind it, such as modules
    # that are loaded meanwhile, would keep it apart from what is free there, so that goes in front of it.
    bytes(len(data) + _ROOM_BYTES)
    room = bytes(_ROOM_BYTES)
    text = data.decode("latin-1")
    del room
    return text


def is_hollow(text: str | bytes) -> bool:
    """Whether strict JSON says nothing: it is empty, or an object without members."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return _HOLLOW.fullmatch(data) is not None
