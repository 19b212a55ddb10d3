"""The line of a file that an error is about, and a mark below the place. What may be a key is blotted out."""

from __future__ import annotations

import re
from itertools import accumulate, takewhile

from kimi_profiles.screen import display_width, visible
from kimi_profiles.secrets import holds_token, is_secret_name

__all__ = ["Excerpt", "make_excerpt"]

Excerpt = tuple[str, str]
"""The line, or a part of it, and a line with a caret below the place."""

_AROUND = 20_000  # more than the longest token, so that of a token that is cut nothing is near
_BLOT = "•"
_SPREAD = "…"
# A name is what stands before a colon or an equals sign; a text may lack its closing mark.
_WORD = re.compile(
    r"""(?P<name>(?:"(?:[^"\\\n]|\\.){0,100}"|'[^'\n]{0,100}'|[A-Za-z0-9_$:.-]{1,100})(?=[ \t]*[:=]))"""
    r"""|(?P<text>\"{3}[\s\S]*?(?:\"{3}|\Z)|'{3}[\s\S]*?(?:'{3}|\Z)|"(?:[^"\\\n]|\\.)*"?|'[^'\n]*'?)"""
    r"""|(?P<bare>[^\s"'\[\]{},:=]+)|\n|."""
)
_HEADER = re.compile(r"^[ \t]*\[[^\n]*\][ \t\r]*(?:#[^\n]*)?$", re.MULTILINE)
_URL = re.compile(r"""(:(?:\\?/){2})((?:[^\s"\\]|\\.)+)""")
# Longer than an id, and if there is a digit in it nothing that people need to see, and perhaps a key.
_LONG = re.compile(r"[A-Za-z0-9_+/-]{20,}")
_ESCAPE = re.compile(r"\\[uUx]")  # may spell a name, or a key
_ALSO_SECRET = re.compile(
    r"(?i)(?:api|access|auth|private).?key|authorization|bearer|rejected|approved|helper"
    r"|token(?!s)|secret|passw|passphrase|credential|cookie|jwt|(?<![a-z0-9])keys(?![a-z0-9])"
)
# No text without its closing mark, and no mere mark.
_WHOLE = re.compile(r"""(["'])[\s\S]*\1|[^"'\w]*\w[\s\S]*""")
_LIKE_A_NAME = re.compile(r"[A-Za-z_.]{1,100}")


def make_excerpt(text: str, line: int, column: int, *, width: int) -> Excerpt | None:
    """What to show below an error at a place of ``text``.

    Args:
        text: The file. A line feed ends a line.
        line: From 1.
        column: From 1, in characters.
        width: Columns that there are; at least 20 are used.

    Returns:
        ``None`` where the line is not there, or is blank. Of a line that is too long the part around the
        place. In it each character of what may be a secret is a ``•``: all that follows the name of a key or
        token, on its line and as long as the value goes on, and elsewhere whatever looks like one, or may
        have one in it. Not promised: that a short secret is known where nothing says that it is one.
    """
    lines = text.split("\n", line)
    if not 0 < line <= len(lines):
        return None
    whole = lines[line - 1].rstrip("\r")
    begin = sum(len(each) + 1 for each in lines[: line - 1])
    place = begin + max(min(column - 1, len(whole)), 0)
    start = max(place - _AROUND, 0)
    if start:  # a word that is cut in two shows neither of its halves
        start = next((i for i in range(start, place) if text[i] in "\n ,={"), place)
    known = _blotted(text[start : min(begin + len(whole), place + _AROUND)])
    shown = known[max(begin - start, 0) :]
    return _fitted(shown, place - max(begin, start), max(width, 20)) if shown.strip() else None


def _blotted(text: str) -> str:
    """It with what may be secret blotted out, as long as before."""
    clean = _URL.sub(_without_secrets, text)
    tables = {header.start(): _is_secret(header[0]) for header in _HEADER.finditer(clean)}
    reader = _Reader()
    words = []
    for word in _WORD.finditer(clean):
        if word.start() in tables:
            reader.is_in_table = tables[word.start()]
        words.append(_blot(word[0]) if reader.hides(word) else word[0])
    return "".join(words)


def _without_secrets(url: re.Match[str]) -> str:
    user, at, rest = url[2].rpartition("@")
    place, mark, query = rest.partition("?")
    return f"{url[1]}{_BLOT * len(user)}{at}{place}{mark}{_BLOT * len(query)}"


def _is_secret(words: str) -> bool:
    """Whether one of them is the name of a secret, however they are joined."""
    return is_secret_name(words) or _ALSO_SECRET.search(words) is not None


class _Reader:
    """Goes through the words of TOML or JSON, broken as it may be, and knows where a secret has to be.

    Attributes:
        is_in_table: Whether the header of the TOML table names a secret.
    """

    def __init__(self) -> None:
        self.is_in_table = False
        self._is_in_comment = False
        self._is_behind = False  # the name of a secret, on this line
        self._depth: int | None = None  # of the brackets of its value, while that may go on
        self._has_value = False

    def hides(self, word: re.Match[str]) -> bool:
        """Whether the next word may be a secret."""
        if word.lastgroup is None:
            self._pass_mark(word[0])
            return False
        is_secret = _is_secret(word[0]) or _ESCAPE.search(word[0]) is not None
        is_name = word["name"] is not None or _LIKE_A_NAME.fullmatch(word[0].strip("\"'")) is not None
        hides = (
            self._is_due
            or (self.is_in_table and word["name"] is None)
            or (is_secret and not is_name)
            or holds_token(word[0])
            or any(re.search(r"\d", long) for long in _LONG.findall(word[0]))
        )
        self._pass_word(word[0], is_secret=is_secret)
        return hides

    @property
    def _is_due(self) -> bool:
        return self._is_behind or self._depth is not None

    def _pass_word(self, word: str, *, is_secret: bool) -> None:
        self._is_in_comment = self._is_in_comment or word.startswith(("#", "//", "/*"))
        self._is_behind = self._is_behind or is_secret
        if self._is_in_comment:
            return
        if self._depth is not None:
            self._has_value = self._has_value or _WHOLE.fullmatch(word) is not None
        elif is_secret:
            self._depth, self._has_value = 0, False

    def _pass_mark(self, mark: str) -> None:
        if mark == "\n":
            self._is_behind = self._is_in_comment = False
            if self._depth is not None and (self._depth < 0 or (self._depth == 0 and self._has_value)):
                self._depth = None
        elif self._depth is not None and not self._is_in_comment:
            self._depth += (mark in "[{") - (mark in "]}")


def _blot(word: str) -> str:
    """A character for each; only the quotation marks around it stay, and where lines end."""
    marks = len(word) - len(word.lstrip("\"'"))
    inner = word[marks:].rstrip("\"'")
    return word[:marks] + re.sub(r"[^\n]", _BLOT, inner) + word[marks + len(inner) :]


def _fitted(line: str, place: int, width: int) -> Excerpt:
    """The part of ``line`` that fits, with the place in it, and the caret."""
    before, after = visible(line[:place].replace("\t", " ")), visible(line[place:].replace("\t", " "))
    before = before.lstrip(" ")
    room = width - 1
    if display_width(before + after) > room:
        kept = max(room * 2 // 3, room - display_width(after))
        if display_width(before) > kept:
            before = _SPREAD + _start(before[::-1], kept - 1)[::-1]
        after = _start(after, room - display_width(before))
    return before + after, " " * display_width(before) + "^"


def _start(text: str, width: int) -> str:
    """As much of ``text`` as fits into so many columns."""
    columns = accumulate(map(display_width, text))
    return text[: sum(1 for _ in takewhile(lambda used: used <= width, columns))]
