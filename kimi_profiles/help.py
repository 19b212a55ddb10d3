"""How ``--help`` is laid out: paragraphs as wide as the terminal, examples as they are written."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap

__all__ = ["HelpFormatter"]

_WIDEST = 100
_OPTIONS_COLUMN = 28
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")


class HelpFormatter(argparse.HelpFormatter):
    """For argparse: fills paragraphs, and leaves alone those that hold an indented line."""

    def __init__(self, prog: str) -> None:
        width = min(shutil.get_terminal_size().columns, _WIDEST)
        super().__init__(prog, max_help_position=_OPTIONS_COLUMN, width=width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        del indent  # descriptions and epilogs have none
        paragraphs = _PARAGRAPH_END.split(text.strip("\n"))
        return "\n\n".join(_filled(paragraph, width) for paragraph in paragraphs)


def _filled(paragraph: str, width: int) -> str:
    lines = paragraph.splitlines()
    if any(line.startswith(" ") for line in lines):
        return paragraph
    return textwrap.fill(" ".join(lines), width, break_long_words=False, break_on_hyphens=False)
