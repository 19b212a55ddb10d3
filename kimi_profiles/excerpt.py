"""The line of a file that an error is about, and a mark below the place. What may be a key is blotted out."""

from __future__ import annotations

import re
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING

from kimi_profiles.screen import display_width, visible
from kimi_profiles.secrets import holds_token, is_secret_name

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Excerpt", "make_excerpt"]

Excerpt = tuple[str, str]
"""The line, or a part of it, and a line with a caret below the place."""

_AROUND = 2_000
_BLOT = "•"
_SPREAD = "…"
# A name is what stands before a colon or an equals sign; a text may lack its closing mark.
_WORD = re.compile(
    r"""(?P<name>(?:"[^"]{0,100}"|'[^']{0,100}'|[A-Za-z0-9_$:.-]{1,100})(?=[ \t]*[:=]))"""
    r"""|(?P<text>"[^"]*"?|'[^']*'?)|(?P<bare>[^\s"'\[\]{},:=]+)|."""
)
# Longer than an id, and with a digit in it: nothing that people need to see, and perhaps a key.
_LIKE_A_KEY = re.compile(r"(?=[A-Za-z0-9_+/-]*\d)[A-Za-z0-9_+/-]{20,}")
_ALSO_SECRET = re.compile(r"(?i)apikey|authorization|bearer|rejected|approved|helper")


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
        token, and elsewhere whatever looks like one.
    """
    lines = text.split("\n", line)
    if not 0 < line <= len(lines):
        return None
    whole = lines[line - 1].rstrip("\r")
    place = max(min(column - 1, len(whole)), 0)
    start = max(place - _AROUND, 0)
    if start:  # a word that is cut in two shows neither of its halves
        start = next((i for i in range(start, place) if whole[i] in " ,={"), place)
    is_value = line > 1 and _asks_for_secret(lines[line - 2][-_AROUND:])
    shown = "".join(_blotted(whole[start : place + _AROUND], is_secret=is_value))
    return _fitted(shown, place - start, max(width, 20)) if shown.strip() else None


def _asks_for_secret(line: str) -> bool:
    """Whether the value of a secret has to be on the next line."""
    names = [word[0] for word in _WORD.finditer(line) if word["name"]]
    return line.rstrip().endswith((":", "=", "[")) and any(map(_is_secret, names))


def _is_secret(name: str) -> bool:
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name.strip("\"'"))
    return is_secret_name(plain) or _ALSO_SECRET.search(plain) is not None


def _blotted(line: str, *, is_secret: bool) -> Iterator[str]:
    """Its words, each as long as before; ``is_secret`` where the line begins with the value of a secret."""
    for word in _WORD.finditer(line):
        may_show = word["name"] is not None or not _ALSO_SECRET.search(word[0])
        if (is_secret and len(word[0]) > 1) or holds_token(word[0]) or not may_show:
            yield re.sub(r"[^\s\"']", _BLOT, word[0])
        else:
            yield _LIKE_A_KEY.sub(lambda found: _BLOT * len(found[0]), word[0])
        is_secret = is_secret or (word["name"] is not None and _is_secret(word["name"]))


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
