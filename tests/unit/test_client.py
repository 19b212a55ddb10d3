"""Which Claude Code is installed, told without starting it where that can be."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from kimi_profiles.client import NEWER, OLDER, find_client, rules_for

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and scripts as POSIX has them")

VERSIONS = {
    "1.0.0": OLDER,
    "2.1.39": OLDER,
    "2.1.40": NEWER,
    "2.1.329": NEWER,
    "2.2.0": NEWER,
    "10.0.0": NEWER,
    None: NEWER,
}


@pytest.mark.parametrize(("version", "rules"), VERSIONS.items())
def test_rules(version: str | None, rules: object) -> None:
    assert rules_for(version) == rules


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def found(folder: Path | str) -> tuple[str | None, str | None]:
    client = find_client({"PATH": str(folder)})
    return (None, None) if client is None else (client.path.name, client.version)


def test_none_is_found(bin_folder: Path) -> None:
    assert find_client({"PATH": str(bin_folder)}) is None
    assert find_client({"PATH": ""}) is None
    assert find_client({}) is None


def test_a_native_installation_is_named_for_its_version(tmp_path: Path, bin_folder: Path) -> None:
    real = script(tmp_path / "versions" / "2.1.329", "exit 1")
    (bin_folder / "claude").symlink_to(real)
    assert found(bin_folder) == ("2.1.329", "2.1.329")


def test_a_package_says_its_version(tmp_path: Path, bin_folder: Path) -> None:
    package = tmp_path / "node_modules" / "@anthropic-ai" / "claude-code"
    real = script(package / "bin" / "claude.exe", "exit 1")
    (package / "package.json").write_text(
        json.dumps({"name": "@anthropic-ai/claude-code", "version": "2.1.7"})
    )
    (bin_folder / "claude").symlink_to(real)
    assert found(bin_folder) == ("claude.exe", "2.1.7")


OTHERS = {
    "another package": '{"name": "other", "version": "2.1.7"}',
    "no version": '{"name": "@anthropic-ai/claude-code"}',
    "a wrong version": '{"name": "@anthropic-ai/claude-code", "version": "2.1.7; x"}',
    "a number": '{"name": "@anthropic-ai/claude-code", "version": 2}',
    "not JSON": "{",
    "a list": "[]",
    "too deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_else_it_is_asked(text: str, bin_folder: Path) -> None:
    script(bin_folder / "claude", 'test "$*" = --version && echo "2.1.99 (Claude Code)"')
    (bin_folder / "package.json").write_text(text)
    assert found(bin_folder) == ("claude", "2.1.99")


@pytest.mark.parametrize("answer", ["echo hello", "exit 1", "echo 9.9.9", "printf '\\377'", "kill -9 $$"])
def test_one_that_does_not_say_is_there_all_the_same(answer: str, bin_folder: Path) -> None:
    script(bin_folder / "claude", answer)
    assert found(bin_folder) == ("claude", None)


def test_what_lies_in_the_working_directory_is_not_run(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(bin_folder / "claude", "touch ran")
    monkeypatch.chdir(bin_folder)
    for path in (".", "", f"..{os.sep}bin", os.pathsep):
        assert find_client({"PATH": path}) is None
    assert not (bin_folder / "ran").exists()
