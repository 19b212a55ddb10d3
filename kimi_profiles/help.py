"""argparse as it is used here: how ``--help`` is laid out, and errors that can be caught."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import textwrap

from kimi_profiles.errors import UsageError
from kimi_profiles.grammar import HelpShown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from _typeshed import SupportsWrite

__all__ = ["HelpFormatter", "Parser"]

_WIDEST = 100
_OPTIONS_COLUMN = 28
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")


class Parser(argparse.ArgumentParser):
    """Raises instead of exiting, so that ``--json`` holds for usage errors too."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the line."""
        raise UsageError(message, hint=f"see: {self.prog} --help")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002 - argparse's
        """Help or version is printed."""
        if message:
            sys.stdout.write(message)
        raise HelpShown

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """As argparse does it, which keeps to itself that the disk is full."""
        (file or sys.stderr).write(message)


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
