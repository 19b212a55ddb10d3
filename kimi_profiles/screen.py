"""Text for people: styled on a terminal, plain elsewhere, and never a control character from a value."""

from __future__ import annotations

import os
import shutil
import unicodedata
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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
_CONTINUED = "      "
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
        """Print one line; on a terminal that is narrower it goes on below, indented."""
        for pieces in self._fitted(_pieces(segments), _wrap):
            self._write(pieces)

    def _fitted(
        self, pieces: list[Segment], fit: Callable[[list[Segment], int], list[list[Segment]]]
    ) -> list[list[Segment]]:
        return [pieces] if self.width is None else fit(pieces, self.width)

    def _write(self, pieces: Sequence[Segment]) -> None:
        text = _colored(pieces) if self.has_color else "".join(text for text, _ in pieces)
        self.stream.write(f"{text.rstrip(' ')}\n")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Segment | str]]) -> None:
        """Print aligned columns, as wide as their widest cell; a terminal's width cuts the last one."""
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
            for pieces in self._fitted(_pieces([*segments, row[-1]]), _cut):
                self._write(pieces)


def _wants_color(color: Color, *, is_terminal: bool) -> bool:
    if color != "auto":
        return color == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal and os.environ.get("TERM") != "dumb"


def _pieces(segments: Iterable[Segment | str]) -> list[Segment]:
    styled: list[Segment] = [(segment, "") if isinstance(segment, str) else segment for segment in segments]
    return [(visible(text), style) for text, style in styled]


def _cut(pieces: list[Segment], width: int) -> list[list[Segment]]:
    """One line; what does not fit is left out, and an ellipsis says so."""
    lines = _wrap(pieces, width)
    if len(lines) == 1:
        return lines
    return [[*_wrap(pieces, width - 1)[0], ("…", "dim")]]


def _wrap(pieces: list[Segment], width: int) -> list[list[Segment]]:
    """As many lines as it takes, none wider than ``width``."""
    lines: list[list[Segment]] = [[]]
    left = width
    for text, style in pieces:
        fitting = ""
        for char in text:
            columns = display_width(char)
            if columns > left:
                lines[-1].append((fitting, style))
                lines.append([(_CONTINUED, "")])
                fitting, left = "", max(width - len(_CONTINUED), 2)
            fitting += char
            left -= columns
        lines[-1].append((fitting, style))
    return lines


def _colored(pieces: Iterable[Segment]) -> str:
    from rich.style import Style as RichStyle

    styled = ((text, _RICH.get(style)) for text, style in pieces)
    return "".join(RichStyle.parse(style).render(text) if style else text for text, style in styled)
