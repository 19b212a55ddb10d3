"""A disk that loses what was not synced, and the operations of a traced run on it.

The model, harder than any one file system: bytes of a file are safe once the file is synced; entries of a
folder (make, rename, remove) once the folder is. What is not safe may be there or not, each for itself: of
bytes nothing new, half or all; of entries each one. Mode bits are taken as safe at once.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from faults.traced import State

TRACED = ("-y", "-xx", "-s", "1000000", "-e", "trace=%file,%desc")
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PATH = re.compile(r"(?:<((?:\\x[0-9a-f]{2})*)>, )?" + _TEXT.pattern)
_MODE = re.compile(r", (0[0-7]*)(?:,|$)")
_WITH_BYTES = {"read", "pread64", "write"}  # what stands in quotation marks is no path
_UNKNOWN = ("link", "truncate", "pwrite", "writev", "sendfile", "copy_file", "fallocate", "symlink")
_EXHAUSTIVE = 1 << 12


class Operation(NamedTuple):
    """One system call that succeeded; ``name`` without the variants that say the same."""

    name: str
    paths: tuple[PurePosixPath, ...]
    descriptor: int
    result: int
    data: bytes
    mode: int
    flags: str


@dataclass
class Node:
    """A file or a folder: what it is now, what is safe, and what has still to become safe."""

    mode: int
    data: bytes | None = None
    safe: bytes = b""
    entries: dict[str, Node] = field(default_factory=dict)
    safe_entries: dict[str, Node] = field(default_factory=dict)
    unsafe: list[dict[str, Node | None]] = field(default_factory=list)

    def change(self, entries: dict[str, Node | None]) -> None:
        self.unsafe.append(entries)
        _put(self.entries, entries)

    def sync(self) -> None:
        self.safe = self.data or b""
        self.safe_entries = dict(self.entries)
        self.unsafe = []

    @property
    def is_safe(self) -> bool:
        return self.safe == (self.data or b"") and not self.unsafe

    def versions(self) -> list[bytes | dict[str, Node]]:
        """All that may be left of it."""
        if self.data is not None:
            half = self.data[: len(self.data) // 2]
            return [self.data] if self.is_safe else list(dict.fromkeys((self.safe, half, self.data)))
        found = []
        for kept in itertools.product((False, True), repeat=len(self.unsafe)):
            entries = dict(self.safe_entries)
            for change in itertools.compress(self.unsafe, kept):
                _put(entries, change)
            found.append(entries)
        return found


class Disk:
    """What is in ``home``, as far as its contents go."""

    def __init__(self, home: Path, start: State) -> None:
        self.home = PurePosixPath(home)
        self.root = Node(0o755)
        self.files: dict[int, Node] = {}
        for name, (data, mode) in sorted(start.items()):
            folder = self.find(self.home / name, parent=True)
            folder.change({PurePosixPath(name).name: Node(mode, data)})
        for node in self.nodes():
            node.sync()

    def find(self, path: PurePosixPath, *, parent: bool = False) -> Node:
        node = self.root
        for name in path.relative_to(self.home).parts[: -1 if parent else None]:
            node = node.entries[name]
        return node

    def nodes(self) -> list[Node]:
        """All that can be reached, now or after a loss."""
        found: dict[int, Node] = {}
        todo = [self.root]
        while todo:
            node = todo.pop()
            if id(node) not in found:
                found[id(node)] = node
                todo += [*node.entries.values(), *node.safe_entries.values()]
                todo += [each for change in node.unsafe for each in change.values() if each is not None]
        return list(found.values())

    def is_safe(self, path: PurePosixPath) -> bool:
        """Whether the file is there with all its bytes whatever is lost."""
        node = self.root
        for name in path.relative_to(self.home).parts:
            follows = node.entries[name]
            touching = [change for change in node.unsafe if name in change]
            if touching or node.safe_entries.get(name) is not follows:
                return False
            node = follows
        return node.is_safe

    def apply(self, operation: Operation) -> None:
        name, paths = operation.name, operation.paths
        if name == "open":
            folder = self.find(paths[0], parent=True)
            if "O_CREAT" in operation.flags and paths[0].name not in folder.entries:
                folder.change({paths[0].name: Node(operation.mode, b"")})
            node = self.find(paths[0])
            if "O_TRUNC" in operation.flags:
                node.data = b""
            self.files[operation.result] = node
        elif name == "close":
            self.files.pop(operation.descriptor, None)
        elif name == "write":
            node = self.files[operation.descriptor]
            node.data = (node.data or b"") + operation.data[: operation.result]
        elif name in {"fsync", "fdatasync"}:
            self.files[operation.descriptor].sync()
        elif name == "fchmod":
            self.files[operation.descriptor].mode = operation.mode
        elif name == "chmod":
            self.find(paths[0]).mode = operation.mode
        elif name == "mkdir":
            self.find(paths[0], parent=True).change({paths[0].name: Node(operation.mode)})
        elif name in {"unlink", "rmdir"}:
            self.find(paths[0], parent=True).change({paths[0].name: None})
        elif name == "rename":
            self._rename(*paths, is_swap="RENAME_EXCHANGE" in operation.flags)

    def _rename(self, source: PurePosixPath, target: PurePosixPath, *, is_swap: bool) -> None:
        folder = self.find(source, parent=True)
        if source.parent != target.parent:
            assert not is_swap
            self.find(target, parent=True).change({target.name: folder.entries[source.name]})
            folder.change({source.name: None})  # each folder for itself: the file may be in both, or in none
            return
        replaced = folder.entries[target.name] if is_swap else None
        folder.change({source.name: replaced, target.name: folder.entries[source.name]})

    def now(self) -> State:
        """What is there if nothing is lost."""
        return dict(_walk(self.root, {}, ""))

    def states(self, dice: random.Random, samples: int) -> Iterator[State]:
        """What may be there after a power cut: every combination, or where they are many, some of them."""
        nodes = [node for node in self.nodes() if not node.is_safe]
        versions = [node.versions() for node in nodes]
        if math.prod(map(len, versions)) <= _EXHAUSTIVE:
            choices: Iterator[tuple[bytes | dict[str, Node], ...]] = itertools.product(*versions)
        else:
            choices = itertools.chain(
                [tuple(each[0] for each in versions), tuple(each[-1] for each in versions)],
                (tuple(map(dice.choice, versions)) for _ in range(samples)),
            )
        for choice in choices:
            kept = {id(node): version for node, version in zip(nodes, choice, strict=True)}
            yield dict(_walk(self.root, kept, ""))


def operations(log: str, home: Path) -> list[Operation]:
    """What a run did in ``home``, in order; ``log`` comes from ``strace`` with the options ``TRACED``."""
    found = []
    descriptors: set[int] = set()
    for line in log.splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        call, arguments, result = match[1], match[2], int(match[3])
        name = re.sub(r"(?<=[a-z])(at2?)$", "", call)
        if name == "unlink" and "AT_REMOVEDIR" in arguments:
            name = "rmdir"
        number = re.match(r"\d+", arguments)
        descriptor = int(number[0]) if number else -1
        is_write = name == "write"
        found_paths = [] if name in _WITH_BYTES else _PATH.findall(arguments)
        paths = tuple(
            PurePosixPath(_decoded(folder).decode(), _decoded(path).decode()) for folder, path in found_paths
        )
        is_ours = descriptor in descriptors or any(path.is_relative_to(home) for path in paths)
        if not is_ours:
            continue
        assert not name.startswith(_UNKNOWN), line
        if name == "open":
            descriptors.add(result)
        elif name == "close":
            descriptors.discard(descriptor)
        modes = _MODE.findall(arguments)
        mode = int(modes[-1], 8) if modes else 0
        data = _decoded(_TEXT.findall(arguments)[0]) if is_write else b""
        found.append(Operation(name, paths, descriptor, result, data, mode, re.sub(r'".*?"', "", arguments)))
    return found


def _decoded(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _put(entries: dict[str, Node], change: dict[str, Node | None]) -> None:
    for name, node in change.items():
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node


def _walk(
    folder: Node, kept: dict[int, bytes | dict[str, Node]], prefix: str
) -> Iterator[tuple[str, tuple[bytes | None, int]]]:
    entries = kept.get(id(folder), folder.entries)
    assert isinstance(entries, dict)
    for name, node in entries.items():
        path = f"{prefix}{name}"
        if node.data is None:
            yield path, (None, node.mode)
            yield from _walk(node, kept, path + "/")
        else:
            data = kept.get(id(node), node.data)
            assert isinstance(data, bytes)
            yield path, (data, node.mode)
