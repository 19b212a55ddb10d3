"""A story: a command line, files before, and then output, exit status and files after."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from kimi_profiles import progress
from kimi_profiles.cli import main

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "sk-test-0123456789abcdefghij"
STORE = """\
[defaults.env]
API_TIMEOUT_MS = 600000

[profiles.work]
description = "Kimi at work"
provider = "moonshot-cn"
auth.token = { env = "WORK_KEY" }

[profiles.home]
extends = "work"
base_url = "http://127.0.0.1:9/anthropic"
auth.variable = "ANTHROPIC_API_KEY"
models.default = "my-model"
"""


@dataclass(frozen=True)
class Told:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on standard output."""
        return json.loads(self.out)


Run = Callable[[str], Told]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A throw-away home with Claude Code's folder and two profiles."""
    folder = tmp_path / "a home"
    (folder / ".claude").mkdir(parents=True)
    store = folder / "profiles.toml"
    store.write_text(STORE, encoding="utf-8")
    return folder


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command line on ``home``; the token never shows in what it says, but for ``token``."""
    monkeypatch.setenv("WORK_KEY", TOKEN)

    def told(line: str) -> Told:
        arguments = shlex.split(line)
        status = main(["--home", str(home), "--store", str(home / "profiles.toml"), *arguments])
        out, err = capsys.readouterr()
        if arguments[0] != "token":
            assert TOKEN not in out + err
        assert "Traceback" not in err
        return Told(status, out, err)

    return told


@pytest.fixture
def moving_line(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the line that moves while something takes long says, one after the other."""
    said: list[str] = []

    @contextlib.contextmanager
    def show(what: str, _: object) -> Iterator[Callable[[str], None]]:
        said.append(what)
        yield said.append

    monkeypatch.setattr(progress, "show_progress", show)
    return said


def tree(folder: Path) -> dict[str, tuple[int, int, int, bytes | None]]:
    """Everything below ``folder``, but for what can be made again: inode, mtime, mode and bytes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.relative_to(folder).parts[0] == ".cache":
            continue
        status = path.lstat()
        data = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (status.st_ino, status.st_mtime_ns, status.st_mode, data)
    return found
