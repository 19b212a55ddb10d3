"""Text for people: styled on a terminal, plain elsewhere, and never a control character from a value."""

from __future__ import annotations

import os
from itertools import groupby
from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Literal, TextIO, TypeAlias

__all__ = ["Screen", "Segment", "display_width", "visible"]

Style: TypeAlias = 'Literal["", "add", "remove", "change", "dim", "strong", "good", "bad"]'
Segment = tuple[str, Style]
"""A piece of text and how it looks."""

Color: TypeAlias = 'Literal["auto", "always", "never"]'

_RICH = {
    "add": "green",
    "remove": "red",
    "change": "yellow",
    "dim": "dim",
    "strong": "bold",
    "good": "bold green",
    "bad": "bold red",
}
_BELOW = "      "
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def visible(text: str) -> str:
    """``text`` with everything that could steer a terminal, or turn its direction, written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    import unicodedata

    return "".join(ascii(char)[1:-1] if unicodedata.category(char) in _HIDDEN else char for char in text)


def display_width(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata

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
        self.width = _columns() if self.is_terminal else None

    def line(self, *segments: Segment | str, hang: int | None = None) -> None:
        """Print one line; on a terminal that is narrower it goes on below.

        Args:
            segments: Its pieces.
            hang: By how many columns what goes on below is indented; four more than the line if left out.
        """
        self._write_wrapped(_pieces(segments), hang)

    def whole(self, *segments: Segment | str) -> None:
        """Print one line that people copy: where it is too long, the terminal itself goes on with it."""
        self._write(_pieces(segments))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Segment | str]]) -> None:
        """Print aligned columns, as wide as their widest cell.

        Where the last cells of a row do not fit on a terminal they stand below, indented.
        """
        titles: list[Segment] = [(title, "dim") for title in header]
        cells = [titles, *(_pieces(row) for row in rows)]
        widths = [max(display_width(row[i][0]) for row in cells) for i in range(len(header))]
        for row in cells:
            pieces: list[Segment] = []
            left = self.width or 0
            for (text, style), width in zip(row, widths, strict=True):
                columns = display_width(text)
                if self.width is not None and pieces and columns and columns > left:
                    self._write_wrapped(pieces, len(_BELOW))
                    pieces, left = [(_BELOW, "")], self.width - len(_BELOW)
                pieces += [(text, style), (" " * (width - columns + 2), "")]
                left -= width + 2
            self._write_wrapped(pieces, len(_BELOW))

    def _write_wrapped(self, pieces: list[Segment], hang: int | None) -> None:
        for part in [pieces] if self.width is None else _wrap(pieces, self.width, hang):
            self._write(part)

    def _write(self, pieces: Sequence[Segment]) -> None:
        text = _colored(pieces) if self.has_color else "".join(text for text, _ in pieces)
        self.stream.write(f"{text.rstrip(' ')}\n")


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


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


def _wrap(pieces: list[Segment], width: int, hang: int | None) -> list[list[Segment]]:
    """As many lines as it takes, none wider than ``width``, broken between words where that can be."""
    text = "".join(text for text, _ in pieces).rstrip(" ")
    styles = [style for text, style in pieces for _ in text]
    own = len(text) - len(text.lstrip(" "))
    indent = " " * min(own + 4 if hang is None else hang, width - 2)
    lines: list[list[Segment]] = []
    start = 0
    while start < len(text) or not lines:
        before = indent if lines else ""
        end = _fitting(text, start, width - len(before))
        lines.append([(before, ""), *_restyled(text[start:end], styles[start:end])])
        start = end
        while start < len(text) and text[start] == " ":
            start += 1
    return lines


def _fitting(text: str, start: int, width: int) -> int:
    """Where the line that begins at ``start`` ends: behind the last word that fits, or in the only one."""
    end, columns = start, 0
    while end < len(text):
        columns += display_width(text[end])
        if columns > width:
            break
        end += 1
    if end == len(text) or text[end] == " ":
        return end
    blank = text.rfind(" ", start, end)
    has_word = blank > start and text[start:blank].strip(" ") != ""
    return blank if has_word else max(end, start + 1)


def _restyled(text: str, styles: Sequence[Style]) -> list[Segment]:
    runs = groupby(zip(text, styles, strict=True), key=itemgetter(1))
    return [("".join(char for char, _ in run), style) for style, run in runs]


def _colored(pieces: Iterable[Segment]) -> str:
    from rich.style import Style as RichStyle

    styled = ((text, _RICH.get(style)) for text, style in pieces)
    return "".join(RichStyle.parse(style).render(text) if style else text for text, style in styled)
