"""Where in a TOML text each key stands: for errors with a place, and for edits.

``tomllib`` tells no positions. What it accepted needs no second check, so following headers, keys and
brackets is enough.
"""

from __future__ import annotations

from kimi_profiles.patterns import pattern
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

__all__ = [
    "MAX_DOTTED_PARTS",
    "TOKEN",
    "Entry",
    "key_places",
    "parse_key",
    "read_entries",
]

MAX_DOTTED_PARTS = 32

# One token is a whole string, comment or word, closed or not: the scan never goes back, so it is linear.
_KEY_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\[^\n])*+"|'[^'\n]*+')"""
TOKEN = pattern(
    r"(?s)(?P<blank>[ \t\r]++|\#[^\n]*+)"
    rf"|(?P<deep>(?:{_KEY_PART}[ \t]*+\.[ \t]*+){{{MAX_DOTTED_PARTS}}})"
    r'|(?P<lines>"""(?:[^\\"]++|\\.|"{1,2}(?!"))*+"{0,5}'
    r"|'''(?:[^']++|'{1,2}(?!'))*+'{0,5})"
    r"""|(?P<quoted>"(?:[^"\\\n]++|\\[^\n])*+"?|'[^'\n]*+'?)"""
    r"|(?P<mark>[\[\]{}=,.\n])"
    r"""|(?P<word>[^\s"'\[\]{}=,.\#]++|.)"""
)
_BARE = pattern(r"[A-Za-z0-9_-]+")


@dataclass(slots=True)
class Entry:
    """One place where a key is written: in a header, before ``=``, or inside an inline table.

    Attributes:
        path: The key from the root of the document.
        parts: Start and end of each part of it that is written here; they are the last ones of ``path``.
        start: Where it begins, the bracket of a header included. Offsets count characters.
        end: Where the value ends, or the header.
        value: Where the value begins; ``None`` for a header.
        holder: Index of the entry in whose inline table this stands; ``None`` outside of such.
        is_list: Whether it is a header ``[[…]]``.
    """

    path: tuple[str, ...]
    parts: tuple[tuple[int, int], ...]
    start: int
    end: int = 0
    value: int | None = None
    holder: int | None = None
    is_list: bool = False

    @property
    def table(self) -> tuple[str, ...]:
        """The table that the written key is relative to."""
        return self.path[: len(self.path) - len(self.parts)]

    @property
    def is_header(self) -> bool:
        """Whether it is ``[…]`` or ``[[…]]``."""
        return self.value is None


class _Reader:
    """One pass over a text; its attributes are what stands open at the moment."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.table: tuple[str, ...] = ()  # that of the last header
        self.holders: list[int] = []  # inline tables around us, as indexes of their entries
        self.key: list[tuple[str, int, int]] | None = []  # its parts so far; None while a value is read
        self.header: int | None = None  # where an unfinished one began
        self.is_list = False
        self.brackets = 0  # open since an array began
        self.last = 0  # end of the last token that is no blank

    def read(self, token: re.Match[str]) -> None:
        kind, word = token.lastgroup, token[0]
        if kind == "blank":
            return
        if word != "\n":
            self._note_value(token.start())
        if kind in {"word", "quoted"} and self.key is not None:
            self.key.append((_unquoted(word), token.start(), token.end()))
        elif kind == "mark":
            self._mark(word, token.start())
        if word != "\n":
            self.last = token.end()

    def _note_value(self, start: int) -> None:
        if self.key is None and self.entries[-1].value == 0:
            self.entries[-1].value = start

    def _mark(self, word: str, start: int) -> None:
        if self.brackets:
            self.brackets += (word in "[{") - (word in "]}")
        elif word == "[" and self.key is None:
            self.brackets = 1
        elif word == "[":
            self.is_list = self.header is not None
            self.header = start if self.header is None else self.header
        elif word == "]" and self.header is not None:
            self._end_header(start)
        elif word == "=" and self.key is not None:
            self._begin_value()
        elif word == "{":
            self.holders.append(len(self.entries) - 1)
            self.key = []
        elif word == "}":
            self._end_value()
            self.entries[self.holders.pop()].end = start + 1
            self.key = None
        elif word == ",":
            self._end_value()
            self.key = []
        elif word == "\n" and not self.holders:
            self.end_line()

    def _begin_value(self) -> None:
        key = self.key or []
        holder = self.holders[-1] if self.holders else None
        table = self.table if holder is None else self.entries[holder].path
        path = (*table, *(name for name, _, _ in key))
        parts = tuple((start, end) for _, start, end in key)
        self.entries.append(Entry(path, parts, parts[0][0], value=0, holder=holder))
        self.key = None

    def _end_value(self) -> None:
        if self.key is None and not self.entries[-1].end:
            self.entries[-1].end = self.last

    def _end_header(self, start: int) -> None:
        key = self.key or []
        if key:
            path = tuple(name for name, _, _ in key)
            parts = tuple((begin, end) for _, begin, end in key)
            self.entries.append(Entry(path, parts, self.header or 0, start + 1, is_list=self.is_list))
            self.table, self.key = path, []
        elif self.entries:  # the second bracket of [[…]]
            self.entries[-1].end = start + 1

    def end_line(self) -> None:
        self._end_value()
        self.key, self.header = [], None


def read_entries(text: str) -> list[Entry]:
    """Every place where ``text`` writes a key, in order; keys inside arrays are left out.

    Args:
        text: A document that ``tomllib`` accepts, with no key of more than :data:`MAX_DOTTED_PARTS` parts.
    """
    reader = _Reader()
    for token in TOKEN.finditer(text):
        reader.read(token)
    reader.end_line()
    return reader.entries


def parse_key(text: str) -> tuple[str, ...] | None:
    """The parts of a dotted key such as ``env.A`` or ``settings."a.b"``; ``None`` if it is none."""
    parts: list[str] = []
    wants_part = True
    for token in TOKEN.finditer(text):
        if wants_part and (_BARE.fullmatch(token[0]) or _is_quoted(token)):
            parts.append(_unquoted(token[0]))
        elif wants_part or token[0] != ".":
            return None
        wants_part = not wants_part
    return None if wants_part or len(parts) > MAX_DOTTED_PARTS else tuple(parts)


def _is_quoted(token: re.Match[str]) -> bool:
    if token.lastgroup != "quoted":
        return False
    import tomllib

    try:
        tomllib.loads(f"{token[0]} = 0")
    except tomllib.TOMLDecodeError:
        return False
    return True


def _unquoted(word: str) -> str:
    if word[0] == '"' and "\\" in word:
        import tomllib

        return str(tomllib.loads(f"key = {word}")["key"])
    return word[1:-1] if word[0] in "\"'" else word


def key_places(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Each key of ``text`` and where it is written, in order; for ``a.b`` that is ``a``, then ``a.b``."""
    for entry in read_entries(text):
        for index, (start, _) in enumerate(entry.parts):
            yield entry.path[: len(entry.table) + index + 1], start
