"""`completion`: a script on standard output, whatever state the files are in."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from commands.conftest import Run, tree

from kimi_profiles.cli import main
from kimi_profiles.commands.completion import _SHELLS
from kimi_profiles.completion import SCRIPTS
from kimi_profiles.digests import sha256
from kimi_profiles.errors import UsageError

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


@pytest.mark.parametrize("shell", SCRIPTS)
def test_it_is_made_once(run: Run, home: Path, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(f"completion {shell}").out
    with monkeypatch.context() as patch:
        patch.setattr("kimi_profiles.commands.completion._make", None)
        assert run(f"completion {shell}").out == first
    (kept,) = (home / ".cache").rglob("completion/*.json")
    assert kept.stat().st_mode & 0o777 == 0o600 or os.name == "nt"
    for data in (b"", b"echo stolen\n", kept.read_bytes().replace(b"bash", b"rm  "), b"0" * 64 + b"\n1"):
        kept.write_bytes(data)
        assert run(f"completion {shell}").out == first


def test_each_shell_has_its_own(run: Run) -> None:
    assert len({run(f"completion {shell}").out for shell in SCRIPTS for _ in range(2)}) == len(SCRIPTS)


@pytest.mark.skipif(os.name == "nt", reason="modes as POSIX has them")
def test_what_others_may_have_written_is_not_printed(run: Run, home: Path) -> None:
    first = run("completion bash").out
    (kept,) = (home / ".cache").rglob("completion/*.json")
    text = json.dumps("echo stolen\n").encode()
    kept.write_bytes(sha256(kept.stem.encode(), text).encode() + b"\n" + text)
    assert run("completion bash").out == "echo stolen\n"  # as nobody but us can have done that
    kept.chmod(0o620)
    assert run("completion bash").out == first


def test_it_is_made_anew_by_another_program(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("completion bash")
    monkeypatch.setattr("kimi_profiles.commands.completion._make", lambda *_: "made anew")
    monkeypatch.setattr("kimi_profiles.kept.__version__", "9.9.9")
    assert run("completion bash").out == "made anew"


def test_where_nobody_has_a_home_it_is_made_all_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run("completion bash").out

    def find(**_: object) -> None:
        raise UsageError("nobody's home")

    monkeypatch.setattr("kimi_profiles.commands.completion.find_places", find)
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
    assert tuple(SCRIPTS) == _SHELLS
    assert 'eval "$(kimi-profiles completion bash)"' in told.out
