"""What the pages of the documentation say: their blocks, their commands, their anchors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support import ROOT, require_tool

README = ROOT / "README.md"
DOCS = [
    README,
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("**/*.md")),
    *sorted(ROOT.glob("examples/**/*.md")),
]
KEY = "sk-test-0123456789abcdef"

_FENCE = re.compile(r"^( *)```([\w-]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# A line, or inline code, that begins with the command, perhaps behind a prompt or another program.
_COMMAND = re.compile(
    r"(?:^|[|(]|&& |\|\| |\$ )\s*((?:kimi-profiles|python -m kimi_profiles)(?: .*)?)$", re.MULTILINE
)
# What is behind a command and not its own: other commands, redirections, comments, the end of a quotation.
_REST = re.compile(r" ?(?:[|;<>]|&&| #|\)['\"]|  )")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: Path from the root of the repository.
        line: Of its first line of text, from 1.
        language: What stands behind the fence; may be empty.
        text: What is in it.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(page: Path) -> list[Block]:
    text = read(page)
    name = page.relative_to(ROOT).as_posix()
    return [
        Block(name, text.count("\n", 0, found.start(3)) + 1, found[2], found[3])
        for found in _FENCE.finditer(text)
    ]


def code(text: str) -> list[str]:
    """Everything that is set as code: fenced blocks, indented ones, spans."""
    fenced = [found[3] for found in _FENCE.finditer(text)]
    prose = _FENCE.sub("", text)
    return [*fenced, *re.findall(r"^    .*$", prose, re.MULTILINE), *re.findall(r"`([^`]+)`", prose)]


def commands(page: Path) -> list[str]:
    """Every command line of ours on a page, without what is done with its output."""
    texts = [text.replace("\\\n", " ").replace("\\|", "|") for text in code(read(page))]
    lines = [line for text in texts for line in _COMMAND.findall(text)]
    return list(dict.fromkeys(_REST.split(line)[0].strip() for line in lines))


def anchors(page: Path) -> set[str]:
    """The anchors of a page, as they are made of its headings."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", read(page)), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shell(script: str, *, standard_input: str = "", path: Path | None = None) -> str:
    """Run a script in the throw-away home with `kimi-profiles` and Python on the PATH; what it prints.

    Args:
        script: For sh, with ``-eu``.
        standard_input: Of the script.
        path: A folder with more programs.
    """
    folders = [*([str(path)] if path else []), str(Path(sys.executable).parent), os.environ["PATH"]]
    done = subprocess.run(
        [require_tool("sh"), "-eu", "-c", script],
        env=os.environ | {"PATH": os.pathsep.join(folders), "PYTHONUTF8": "1"},
        cwd=Path.home(),
        input=standard_input,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def settled(text: str) -> str:
    """What a program printed, without what differs from run to run."""
    return re.sub(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "since …", text)
