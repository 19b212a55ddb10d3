"""Many named values in one JSON file, of which a run reads those that it needs; the others stay text.

The file is JSON as any other. Beyond that it says with a digest that its bytes are what we wrote; then each
name and each value stands on a line of its own, and nobody has to parse all of it. A file that says no such
thing, or was changed since, is for the caller to read and to check as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from kimi_profiles.digests import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias, TypeVar

    from kimi_profiles.archive import Archive

    T = TypeVar("T")

__all__ = ["Entries", "Sections", "seal", "unseal"]

Sections: TypeAlias = "Mapping[str, Mapping[str, bytes]]"
"""Name of a section → name of an entry → its value as JSON, in ASCII and on one line."""

_BEGINNING = b'{\n"digest": '
_GONE = b"null"
"""For an entry of the archive that is none any more."""


class Entries(Mapping["str", "T"]):
    """Values by name; each is read when it is asked for, and once.

    Args:
        texts: Name → the value as JSON. For a name of the archive this counts; there ``null`` is no value.
        read: From a name and its text to the value. What it raises, asking for the name raises.
        write: The inverse: from a value to its text.
        archive: Further values, which have not changed for long but for those of ``texts``.
    """

    def __init__(
        self,
        texts: Mapping[str, bytes],
        read: Callable[[str, bytes], T],
        write: Callable[[T], bytes],
        archive: Archive | None = None,
    ) -> None:
        self.texts = texts
        self._read, self._write = read, write
        self._archive = archive
        self._older: Mapping[str, bytes] = {} if archive is None else archive
        self._known: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if self._is_gone(name):
            raise KeyError(name)
        if name not in self._known:
            self._known[name] = self._read(name, self._text_of(name))
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return (name in self.texts or name in self._older) and not self._is_gone(str(name))

    def __iter__(self) -> Iterator[str]:
        gone = {name for name, text in self.texts.items() if text == _GONE}
        yield from (name for name in self._older if name not in gone)
        yield from (name for name in self.texts if name not in self._older)

    def __len__(self) -> int:
        return len(self._older) + sum(
            -self._is_gone(name) if name in self._older else 1 for name in self.texts
        )

    def check(self) -> None:
        """Look at everything; raises what asking for it would raise."""
        _ = (*self.values(),)
        if self._archive is not None:
            self._archive.check()

    def all_texts(self) -> dict[str, bytes]:
        """Name → the value as JSON, those of the archive among them."""
        return {name: self._text_of(name) for name in self}

    def changed(self, values: Mapping[str, T | None]) -> Entries[T]:
        """The same with some values replaced or added, or with ``None`` taken out; no other is read."""
        texts, known = dict(self.texts), dict(self._known)
        for name, value in values.items():
            if value is not None:
                texts[name], known[name] = self._write(value), value
                continue
            texts.pop(name, None)
            known.pop(name, None)
            if name in self._older:
                texts[name] = _GONE
        entries = Entries(texts, self._read, self._write, self._archive)
        entries._known = known
        return entries

    def mentioning(self, word: str) -> list[str]:
        """Names of those whose text has the string ``word`` in it, or is noted with it; none is read.

        Only right for texts in which each character is escaped as :func:`json.dumps` does it.
        """
        quoted = json.dumps(word).encode("ascii")
        older = () if self._archive is None else self._archive.mentioning(word)
        recent = [name for name, text in self.texts.items() if quoted in text]
        return [name for name in older if name not in self.texts] + recent

    def _text_of(self, name: str) -> bytes:
        return self.texts[name] if name in self.texts else self._older[name]

    def _is_gone(self, name: str) -> bool:
        return self.texts.get(name) == _GONE and name in self._older


def seal(sections: Sections, others: Mapping[str, object]) -> bytes:
    """The file.

    Args:
        sections: What stands line by line.
        others: Further members, at least one.
    """
    lines: list[bytes] = []
    for section, texts in sections.items():
        lines.append(b"%s: {" % _text(section))
        comma = b""
        for name, text in texts.items():
            lines += (b"%s%s:" % (comma, _text(name)), text)
            comma = b","
        lines.append(b"},")
    lines += (_text(others)[1:], b"")
    body = b"\n".join(lines)
    return _head(body) + body


def unseal(data: bytes) -> tuple[dict[str, dict[str, bytes]], dict[str, Any]] | None:
    """Sections and other members of a file that is as :func:`seal` made it, to the byte; else ``None``."""
    if not data.startswith(_BEGINNING):
        return None
    begin = data.find(b"\n", len(_BEGINNING)) + 1
    if data[:begin] != _head(memoryview(data)[begin:]):
        return None
    lines = data.split(b"\n")[2:]
    sections = {}
    try:
        while lines[0].endswith(b": {"):
            end = lines.index(b"},")
            names = json.loads(b"[%s]" % b"".join(line[:-1] for line in lines[1:end:2]))
            sections[json.loads(lines[0][:-3])] = dict(zip(map(_name, names), lines[2:end:2], strict=True))
            lines = lines[end + 1 :]
        return sections, json.loads(b"{" + lines[0])
    except (ValueError, IndexError, TypeError, RecursionError):  # who wants to can make a digest too
        return None


def _head(body: bytes | memoryview) -> bytes:
    """What stands before ``body``: that it is ours."""
    return b'%s"%s",\n' % (_BEGINNING, sha256(body, b"\n").encode("ascii"))


def _text(value: object) -> bytes:
    return json.dumps(value).encode("ascii")


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
