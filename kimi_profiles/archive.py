"""Texts by name in one file that never changes, of which a run reads those that it needs.

At its top stands an index with a line for each text; the texts follow, each on a line of its own. The file is
known by a digest of the index, and the index has a digest of each text, so a text is checked when it is read
and no other is. A look for one name is a search in the index, which is not even parsed for it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping

from kimi_profiles.digests import sha256
from kimi_profiles.errors import LedgerInvalidError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import TypeAlias

__all__ = ["LOST", "Archive", "OpenParts", "pack", "unpack"]

LOST = "restore this file; or move ledger.json away, and restore backups by hand"
"""What to do about an archive that is gone or damaged."""

_DIGITS = 32
_BEGINNING, _END = b'{"index": {\n', b'}},\n"texts": [\n'
_OPENING, _NEXT = b": {\n", b"},\n"
_CHUNK_BYTES = 1 << 18
_SOME_LINES_BYTES = 1 << 12

ReadPart: TypeAlias = "Callable[[int, int], bytes]"
"""From a place and a length, both in bytes, to what stands there in a file; less where the file ends."""


class OpenParts:
    """Reads parts of a file, which stays the same one whatever becomes of its name.

    Args:
        descriptor: Of the file; it may be closed afterwards.
    """

    _descriptor = -1

    def __init__(self, descriptor: int) -> None:
        self._size_bytes = os.fstat(descriptor).st_size
        self._descriptor = os.dup(descriptor)

    def __call__(self, start: int, length: int) -> bytes:
        """See :data:`ReadPart`."""
        length = min(length, self._size_bytes)
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, length, start)
        os.lseek(self._descriptor, start, os.SEEK_SET)
        return os.read(self._descriptor, length)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class Archive(Mapping[str, bytes]):
    """The texts of one section. One that was changed is a ``LedgerInvalidError`` when it is asked for.

    Args:
        index: Has the lines of the section in it, each ``"name": [place, length, digest, word, …]``; the
            place counts from the first text, in bytes.
        start: Where the end of the line before them stands.
        stop: Behind the end of the last one.
        read: Reads the file from the first text on.
        path: Where it is, for the error.
    """

    def __init__(self, index: bytes, start: int, stop: int, read: ReadPart, path: Path | None) -> None:
        self._index, self._start, self._stop = index, start, stop  # a copy of the lines would take a while
        self._read = read
        self._path = path

    def __getitem__(self, name: str) -> bytes:
        line = self._line(name)
        if line is None:
            raise KeyError(name)
        _, start, length, digest, _ = self._entry(line)
        with self._checked():
            text = self._read(start, length)
            if _digest(text) != digest:
                raise ValueError("another text")
            return text

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._line(name) is not None

    def __iter__(self) -> Iterator[str]:
        start = self._start + 1
        while start < self._stop:
            stop = self._index.find(b"\n", min(start + _SOME_LINES_BYTES, self._stop - 1))
            with self._checked():
                names = json.loads(b"{%s}" % self._index[start:stop].rstrip(b","))
            yield from names
            start = stop + 1

    def __len__(self) -> int:
        return self._index.count(b'\n"', self._start, self._stop)

    def mentioning(self, word: str) -> Iterator[str]:
        """Names of the texts that were packed with ``word``, or are called so, in the order of the texts."""
        quoted, here = _quoted(word), self._start
        while (here := self._index.find(quoted, here, self._stop)) >= 0:
            start, here = self._around(here)
            name, *_, words = self._entry(self._index[start:here])
            if word == name or word in words:
                yield name

    def _line(self, name: str) -> bytes | None:
        here = self._index.find(b"\n%s: [" % _quoted(name), self._start, self._stop)
        return None if here < 0 else self._index[slice(*self._around(here + 1))]

    def _around(self, place: int) -> tuple[int, int]:
        """Where the line begins and ends that ``place`` is in."""
        return self._index.rfind(b"\n", 0, place) + 1, self._index.find(b"\n", place)

    def _entry(self, line: bytes) -> tuple[str, int, int, str, list[str]]:
        """Name, place, length, digest and words."""
        with self._checked():
            ((name, (start, length, digest, *words)),) = json.loads(b"{%s}" % line.rstrip(b",")).items()
            return name, start, length, digest, words

    @contextlib.contextmanager
    def _checked(self) -> Iterator[None]:
        """Whatever is wrong is one of our errors; who wants to can make a digest of nonsense too."""
        try:
            yield
        except (OSError, TypeError, ValueError, OverflowError, RecursionError):
            raise LedgerInvalidError(
                "this part of the ledger was changed", hint=LOST, path=self._path
            ) from None


def pack(
    sections: Mapping[str, Mapping[str, bytes]], words: Callable[[str, bytes], Iterable[str]]
) -> tuple[str, bytes]:
    """What the file is to be known by, and the file.

    Args:
        sections: Name of a section → name of a text → the text, JSON in ASCII and on one line. There is one.
        words: From a section and a text of it to what it is to be found by besides its name.
    """
    index: list[bytes] = []
    lines: list[bytes] = []
    here = 0
    for section, texts in sections.items():
        entries = []
        for name, text in texts.items():
            place = [here, len(text), _digest(text), *(word for word in words(section, text) if word != name)]
            entries.append(b"%s: %s" % (_quoted(name), json.dumps(place).encode("ascii")))
            lines.append(text)
            here += len(text) + 2  # the comma and the end of the line
        index.append(b"%s%s%s\n" % (_quoted(section), _OPENING, b",\n".join(entries)))
    head = b"%s%s%s" % (_BEGINNING, _NEXT.join(index), _END)
    return _digest(head), b"%s%s\n]}\n" % (head, b",\n".join(lines))


def unpack(digest: str, read: ReadPart, *, path: Path | None = None) -> dict[str, Archive]:
    """The sections of a file that :func:`pack` made.

    Args:
        digest: What it is known by.
        read: Reads the file.
        path: Where it is, for errors.

    Raises:
        ValueError: It is another file.
    """
    head = b""
    while (end := head.find(_END) + len(_END)) < len(_END):
        more = read(len(head), max(len(head), _CHUNK_BYTES))
        if not more:
            raise ValueError("another file")
        head += more
    if _digest(memoryview(head)[:end]) != digest:
        raise ValueError("another file")

    def read_text(start: int, length: int) -> bytes:
        return read(end + start, length)

    sections: dict[str, Archive] = {}
    here = len(_BEGINNING)
    while True:
        start = head.index(_OPENING, here, end)
        stop = head.index(b"\n}", start, end) + 1
        name = json.loads(head[here:start])
        sections[name] = Archive(head, start + len(_OPENING) - 1, stop, read_text, path)
        if stop == end - len(_END):
            return sections
        here = head.index(_NEXT, stop, stop + len(_NEXT)) + len(_NEXT)


def _quoted(word: str) -> bytes:
    return json.dumps(word).encode("ascii")


def _digest(data: bytes | memoryview) -> str:
    return sha256(data)[:_DIGITS]
