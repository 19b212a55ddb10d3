"""Texts by name in one file that never changes, of which a run reads those that it needs.

A tree of three levels. At the top of the file stands an index of pages, and the file is known by a digest of
it. A page has the places of some texts, sorted by their names. Pages and texts follow, each on a line of its
own, and whoever names one has its digest too; so what is read is checked, and nothing else is read. A look
for one name takes the index, one page, and the text.
"""

from __future__ import annotations

import contextlib
import json
import os
from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise

from kimi_profiles.digests import sha256
from kimi_profiles.errors import LedgerInvalidError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import Any, TypeAlias

__all__ = ["LOST", "Archive", "OpenParts", "pack", "unpack"]

LOST = "restore this file; or move ledger.json away, and restore backups by hand"
"""What to do about an archive that is gone or damaged."""

_DIGITS = 32
_ON_PAGE = 64  # some 6 KB; the index of a thousand texts then takes as much
_BEGINNING, _END = b'{"index": ', b',\n"texts": [\n'
_CHUNK_BYTES = 1 << 15

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
    """The texts of one section, in the order of their names.

    Asking for what was changed, or for anything by way of it, is a ``LedgerInvalidError``.

    Args:
        index: From :func:`pack`: the table of the pages with the places of the texts, and that of those with
            the names of the texts by their words.
        read: Reads the file from the first line behind its index on.
        path: Where it is, for the error.

    Raises:
        TypeError, ValueError: ``index`` is none.
    """

    def __init__(self, index: tuple[object, object], read: ReadPart, path: Path | None = None) -> None:
        places, words = index
        self._places, self._words = _Pages(places, read), _Pages(words, read)
        self._read = read
        self._path = path

    def __getitem__(self, name: str) -> bytes:
        with self._checked():
            place = self._places.find(name)
            if place is not None:
                return _text_at(place, self._read)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        with self._checked():
            return isinstance(name, str) and self._places.find(name) is not None

    def __iter__(self) -> Iterator[str]:
        with self._checked():
            yield from self._places

    def __len__(self) -> int:
        return len(self._places)

    def mentioning(self, word: str) -> list[str]:
        """Names of the texts that were packed with ``word``, or are called so, in their order."""
        with self._checked():
            found = {*(self._words.find(word) or ()), word}
            return [name for name in sorted(found) if self._places.find(name) is not None]

    def check(self) -> None:
        """Look at everything."""
        for name in self:
            _ = self[name]
        with self._checked():
            _ = (*self._words,)

    @contextlib.contextmanager
    def _checked(self) -> Iterator[None]:
        """Whatever is wrong is one of our errors; who wants to can make a digest of nonsense too."""
        try:
            yield
        except (OSError, TypeError, ValueError, OverflowError, RecursionError):
            raise LedgerInvalidError(
                "this part of the ledger was changed", hint=LOST, path=self._path
            ) from None


class _Pages:
    """Entries by name, of which a look for one reads one page.

    Args:
        table: Of each page the first name in it, how many there are, and where it is; in their order.
        read: See :class:`Archive`.

    Raises:
        TypeError, ValueError: ``table`` is none.
    """

    def __init__(self, table: Any, read: ReadPart) -> None:
        self._firsts: list[str] = [first for first, _, _ in table]
        self._counts: list[int] = [count for _, count, _ in table]
        self._places = [place for _, _, place in table]
        self._pages: dict[int, dict[str, Any]] = {}
        self._read = read
        if {*map(type, self._firsts)} - {str} or {*map(type, self._counts)} - {int}:
            raise TypeError
        if {*self._counts} - {*range(1, _ON_PAGE + 1)}:
            raise ValueError
        _check_order(self._firsts)
        # Were each the inside of the one before, they would take many times the memory of the file.
        spans = [(start, start + length) for start, length, _ in self._places]
        if any(one[1] > other[0] for one, other in pairwise(spans)):
            raise ValueError

    def find(self, name: str) -> Any:
        """The entry of this name; ``None`` if there is none."""
        number = bisect_right(self._firsts, name) - 1
        return None if number < 0 else self._page(number).get(name)

    def __iter__(self) -> Iterator[str]:
        for number in range(len(self._places)):
            yield from self._page(number)

    def __len__(self) -> int:
        return sum(self._counts)

    def _page(self, number: int) -> dict[str, Any]:
        if number not in self._pages:
            page = json.loads(_text_at(self._places[number], self._read))
            if not isinstance(page, dict) or None in page.values():
                raise TypeError
            if len(page) != self._counts[number]:
                raise ValueError
            _check_order([*page, *self._firsts[number + 1 : number + 2]])
            if next(iter(page)) != self._firsts[number]:
                raise ValueError
            self._pages[number] = page
        return self._pages[number]


def pack(
    sections: Mapping[str, Mapping[str, bytes]], words: Callable[[str, bytes], Iterable[str]]
) -> tuple[str, bytes]:
    """What the file is to be known by, and the file.

    Args:
        sections: Name of a section → name of a text → the text, JSON in ASCII and on one line.
        words: From a section and a text of it to what it is to be found by besides its name.
    """
    lines = _Lines()
    index = {}
    for section, texts in sections.items():
        places = {name: lines.add(texts[name]) for name in sorted(texts)}
        found: dict[str, list[str]] = {}
        for name in places:
            for word in words(section, texts[name]):
                if word != name:
                    found.setdefault(word, []).append(name)
        index[section] = lines.add_pages(places), lines.add_pages(dict(sorted(found.items())))
    head = b"%s%s%s" % (_BEGINNING, _json(index), _END)
    return _digest(head), b"%s%s\n]}\n" % (head, b",\n".join(lines.texts))


class _Lines:
    """Texts one behind the other, and where each is."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self._here = 0

    def add(self, text: bytes) -> tuple[int, int, str]:
        """Place and length in bytes, and digest."""
        place = self._here, len(text), _digest(text)
        self.texts.append(text)
        self._here += len(text) + 2  # the comma and the end of the line
        return place

    def add_pages(self, entries: Mapping[str, object]) -> list[tuple[str, int, tuple[int, int, str]]]:
        """A table for :class:`_Pages`."""
        table, names = [], [*entries]
        for start in range(0, len(names), _ON_PAGE):
            page = {name: entries[name] for name in names[start : start + _ON_PAGE]}
            table.append((names[start], len(page), self.add(_json(page))))
        return table


def unpack(digest: str, read: ReadPart, *, path: Path | None = None) -> dict[str, Archive]:
    """The sections of a file that :func:`pack` made.

    Args:
        digest: What it is known by.
        read: Reads the file.
        path: Where it is, for errors.

    Raises:
        TypeError, ValueError, RecursionError: It is another file.
    """
    head = b""
    while (end := head.find(_END) + len(_END)) < len(_END):
        more = read(len(head), max(len(head), _CHUNK_BYTES))
        if not more:
            raise ValueError("another file")
        head += more
    if _digest(memoryview(head)[:end]) != digest:
        raise ValueError("another file")

    def read_behind(start: int, length: int) -> bytes:
        if start < 0:
            raise ValueError("another place")
        return read(end + start, length)

    index = dict(json.loads(head[len(_BEGINNING) : end - len(_END)]))
    return {section: Archive(tables, read_behind, path) for section, tables in index.items()}


def _text_at(place: tuple[int, int, str], read: ReadPart) -> bytes:
    """What stands at ``place``, which is from :class:`_Lines` or from whoever can make a digest."""
    start, length, digest = place
    text = read(start, length)
    if _digest(text) != digest:
        raise ValueError("another text")
    return text


def _check_order(names: list[str]) -> None:
    """Each name once, and sorted; else a look for one might not find what a look at all does."""
    if any(one >= other for one, other in pairwise(names)):
        raise ValueError("another order")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _digest(data: bytes | memoryview) -> str:
    return sha256(data)[:_DIGITS]
