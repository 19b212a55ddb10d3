"""Texts by name in one file that never changes, of which a run looks at those that it needs.

Its first line is an index; behind it each text stands on a line of its own. The file is known by a digest of
that line, and the line has a digest of each text, so a text is checked when it is read and no other is.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from operator import index as whole
from operator import itemgetter
from types import MappingProxyType

from kimi_profiles.digests import sha256
from kimi_profiles.errors import LedgerInvalidError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LOST", "Archive", "pack", "unpack"]

_DIGITS = 32
LOST = "restore this file; or move ledger.json away, and restore backups by hand"
"""What to do about an archive that is gone or damaged."""


class Archive(Mapping[str, bytes]):
    """The texts of one section. One that was changed is a ``LedgerInvalidError`` when it is asked for.

    Args:
        index: Name → where its text begins, its length, both in bytes, and its digest.
        data: The file.
        path: Where it is, for the error.
    """

    def __init__(
        self,
        index: Mapping[str, tuple[int, int, str]] = MappingProxyType({}),
        data: bytes = b"",
        path: Path | None = None,
    ) -> None:
        self._index = index
        self._data = data
        self._path = path

    def __getitem__(self, name: str) -> bytes:
        start, length, digest = self._index[name]
        text = self._data[start : start + length]
        if _digest(text) != digest:
            raise LedgerInvalidError(
                "this part of the ledger was changed",
                hint=LOST,
                path=self._path,
            )
        return text

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    def mentioning(self, piece: bytes) -> Iterator[str]:
        """Names of the texts in which ``piece`` occurs, in the order of the texts."""
        texts = sorted((start, start + length, name) for name, (start, length, _) in self._index.items())
        if not texts:
            return
        here, stop = texts[0][0], texts[-1][1]
        while (here := self._data.find(piece, here, stop)) >= 0:
            _, end, name = texts[bisect_right(texts, here, key=itemgetter(0)) - 1]
            if here + len(piece) <= end:
                yield name
            here = max(end, here + 1)


def pack(sections: Mapping[str, Mapping[str, bytes]]) -> tuple[str, bytes]:
    """What the file is to be known by, and the file.

    Args:
        sections: Name of a section → name of a text → the text, JSON in ASCII and on one line.
    """
    index: dict[str, dict[str, tuple[int, int, str]]] = {}
    lines: list[bytes] = []
    here = 0
    for section, texts in sections.items():
        index[section] = {}
        for name, text in texts.items():
            index[section][name] = (here, len(text), _digest(text))
            lines.append(text)
            here += len(text) + 2  # the comma and the end of the line
    head = b'{"index": %s, "texts": [\n' % json.dumps(index).encode("ascii")
    return _digest(head), b"%s%s\n]}\n" % (head, b",\n".join(lines))


def unpack(digest: str, data: bytes, *, path: Path | None = None) -> dict[str, Archive]:
    """The sections of a file that :func:`pack` made.

    Args:
        digest: What it is known by.
        data: The file.
        path: Where it is, for errors.

    Raises:
        ValueError: It is another file; also a ``TypeError``, if somebody made a digest of nonsense.
    """
    end = data.find(b"\n") + 1
    head = data[:end]
    if not end or _digest(head) != digest:
        msg = "another file"
        raise ValueError(msg)
    sections = {}
    for section, places in json.loads(head + b"]}")["index"].items():
        index = {
            name: (end + whole(start), whole(length), str(text))
            for name, (start, length, text) in places.items()
        }
        sections[section] = Archive(index, data, path)
    return sections


def _digest(data: bytes) -> str:
    return sha256(data)[:_DIGITS]
