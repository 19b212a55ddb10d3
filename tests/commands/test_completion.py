"""`completion`: a script on standard output, whatever state the files are in."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from commands.conftest import Run, tree

from kimi_profiles.cli import main
from kimi_profiles.completion import SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("shell", SCRIPTS)
def test_it_prints_the_script_and_nothing_else(run: Run, home: Path, shell: str) -> None:
    before = tree(home)
    told = run(f"completion {shell}")
    assert (told.status, told.err) == (0, "")
    assert f"made by: kimi-profiles completion {shell}\n" in told.out.partition("\n\n")[0] + "\n"
    assert run(f"completion {shell} --quiet").out == told.out
    assert run(f"completion {shell} --json").json == {
        "schema": 1,
        "ok": True,
        "command": "completion",
        "shell": shell,
        "script": told.out,
    }
    assert tree(home) == before


def test_lines_end_as_bash_wants_them_on_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252", newline="\r\n"))
    assert main(["completion", "bash"]) == 0
    assert written.getvalue().startswith(b"# bash completion")
    assert b"\r" not in written.getvalue()


def test_it_needs_no_file(run: Run, home: Path) -> None:
    first = run("completion bash").out
    (home / "profiles.toml").write_bytes(b"\xff no TOML")
    assert run("completion bash").out == first
    (home / "profiles.toml").unlink()
    assert run("completion bash").out == first


def test_nothing_of_this_machine_is_in_it(run: Run, home: Path) -> None:
    for shell in SCRIPTS:
        told = run(f"completion {shell}").out
        assert str(home) not in told
        assert "moonshot-cn" in told


@pytest.mark.parametrize("line", ["completion", "completion tcsh", "completion bash zsh"])
def test_another_shell_is_a_usage_error(run: Run, line: str) -> None:
    told = run(line)
    assert (told.status, told.out) == (2, "")
    assert "hint: see: kimi-profiles completion --help" in told.err


def test_its_help_says_how_to_install_it(run: Run) -> None:
    told = run("completion --help")
    assert all(shell in told.out.lower() for shell in SCRIPTS)
    assert 'eval "$(kimi-profiles completion bash)"' in told.out
