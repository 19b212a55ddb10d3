"""Text for people: styled on a terminal, plain elsewhere, and never a control character from a value."""

from __future__ import annotations

import os
import shutil
import unicodedata
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Screen", "Segment", "display_width", "visible"]

Style = Literal["", "add", "remove", "change", "dim", "strong", "good", "bad"]
Segment = tuple[str, Style]
"""A piece of text and how it looks."""

Color = Literal["auto", "always", "never"]

_RICH = {
    "add": "green",
    "remove": "red",
    "change": "yellow",
    "dim": "dim",
    "strong": "bold",
    "good": "bold green",
    "bad": "bold red",
}
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def visible(text: str) -> str:
    """``text`` with everything that could steer a terminal, or turn its direction, written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(ascii(char)[1:-1] if unicodedata.category(char) in _HIDDEN else char for char in text)


def display_width(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


class Screen:
    """One output stream.

    Args:
        stream: Where to.
        color: ``auto`` asks the stream, ``NO_COLOR`` and ``FORCE_COLOR``.
    """

    def __init__(self, stream: TextIO, *, color: Color = "auto") -> None:
        self.stream = stream
        self.is_terminal = stream.isatty()
        self.has_color = _wants_color(color, is_terminal=self.is_terminal)
        self.width = shutil.get_terminal_size((100, 24)).columns if self.is_terminal else None

    def line(self, *segments: Segment | str) -> None:
        """Print one line; on a terminal cut at its width."""
        pieces = [(segment, "") if isinstance(segment, str) else segment for segment in segments]
        pieces = [(visible(text), style) for text, style in pieces]
        if self.width is not None:
            pieces = _cut(pieces, self.width)
        if self.has_color:
            self.stream.write(_colored(pieces))
        else:
            self.stream.write("".join(text for text, _ in pieces))
        self.stream.write("\n")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Segment | str]]) -> None:
        """Print aligned columns, as wide as their widest cell; the last one takes what is left."""
        cells: list[list[Segment]] = [
            [(cell, "") if isinstance(cell, str) else cell for cell in row] for row in rows
        ]
        titles: list[Segment] = [(title, "dim") for title in header]
        titled = [titles, *cells]
        widths = [max(display_width(visible(row[i][0])) for row in titled) for i in range(len(header))]
        for row in titled:
            segments: list[Segment] = []
            for (text, style), width in zip(row[:-1], widths, strict=False):
                padding = " " * (width - display_width(visible(text)) + 2)
                segments += [(text, style), (padding, "")]
            self.line(*segments, row[-1])


def _wants_color(color: Color, *, is_terminal: bool) -> bool:
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal and os.environ.get("TERM") != "dumb"


def _cut(pieces: Sequence[tuple[str, str]], width: int) -> list[tuple[str, str]]:
    left = width
    kept: list[tuple[str, str]] = []
    total = sum(display_width(text) for text, _ in pieces)
    for text, style in pieces:
        if total <= width or display_width(text) < left:
            kept.append((text, style))
            left -= display_width(text)
            continue
        while text and display_width(text) > left - 1:
            text = text[:-1]  # noqa: PLW2901 - a character may take two columns
        kept.append((text + "…", style))
        break
    return kept


def _colored(pieces: Sequence[tuple[str, str]]) -> str:
    from rich.style import Style as RichStyle

    styled = ((text, _RICH.get(style)) for text, style in pieces)
    return "".join(RichStyle.parse(style).render(text) if style else text for text, style in styled)
