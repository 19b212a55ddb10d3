"""``add`` and ``init``: the file after them, what is asked, and what never is."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from commands.conftest import STORE, TOKEN, Run, tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(home: Path) -> Path:
    return home / "profiles.toml"


ADDED: dict[str, tuple[str, dict[str, Any]]] = {
    "a provider": ("new --provider zai", {"provider": "zai"}),
    "the provider of that name": ("zai", {"provider": "zai"}),
    "all of it": (
        "new --provider zai --model glm-5 --token-env MY_KEY --description 'at work'",
        {
            "description": "at work",
            "provider": "zai",
            "auth": {"token": {"env": "MY_KEY"}},
            "models": {"default": "glm-5"},
        },
    ),
    "a token file": (
        "new --provider zai --token-file ~/k",
        {"provider": "zai", "auth": {"token": {"file": "~/k"}}},
    ),
    "a command": (
        "new --provider zai --token-command \"pass show 'a b'\"",
        {"provider": "zai", "auth": {"token": {"command": ["pass", "show", "a b"]}}},
    ),
    "a keyring": (
        "new --provider zai --token-keyring kimi",
        {"provider": "zai", "auth": {"token": {"keyring": "kimi"}}},
    ),
    "an address": (
        "new --base-url http://127.0.0.1:9/a --token-env MY_KEY",
        {"base_url": "http://127.0.0.1:9/a", "auth": {"token": {"env": "MY_KEY"}}},
    ),
    "an address that is a provider's": (
        "new --base-url https://api.moonshot.cn/anthropic/",
        {"provider": "moonshot-cn"},
    ),
    "an address below a provider's": (
        "new --base-url https://api.moonshot.cn/anthropic/x --token-env MY_KEY",
        {"base_url": "https://api.moonshot.cn/anthropic/x", "auth": {"token": {"env": "MY_KEY"}}},
    ),
    "an heir": ("new --extends work --model kimi-k3", {"extends": "work", "models": {"default": "kimi-k3"}}),
}


@pytest.mark.parametrize(("words", "table"), ADDED.values(), ids=ADDED)
def test_a_profile_is_added_behind_the_others(
    run: Run, store: Path, words: str, table: dict[str, Any]
) -> None:
    told = run(f"add {words}")
    assert told.status == 0
    name = words.split(maxsplit=1)[0]
    assert f"added {name}, http" in told.out
    assert f"use it with: kimi-profiles apply {name}" in told.out
    text = store.read_text()
    assert text.startswith(STORE + f"\n[profiles.{name}]\n")
    assert tomllib.loads(text)["profiles"][name] == table
    assert run("validate").status == 0


def test_add_answers_scripts(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHIPU_API_KEY", TOKEN)
    assert run("add new --provider zai --json").json == {
        "schema": 1,
        "ok": True,
        "command": "add",
        "profile": "new",
        "path": str(store),
        "changed": True,
        "dry_run": False,
        "provider": "zai",
        "base_url": "https://api.z.ai/api/anthropic",
        "warnings": [],
    }


def test_the_first_profile_makes_the_file(run: Run, home: Path, store: Path) -> None:
    store.unlink()
    assert run("add zai").status == 0
    assert store.read_text().startswith("# Profiles for Claude Code.")
    assert store.read_text().endswith('\n\n[profiles.zai]\nprovider = "zai"\n')
    if os.name != "nt":
        assert store.stat().st_mode & 0o777 == 0o600
    run("remove zai")
    assert run("validate").status == 0
    assert list(home.glob(".*kimi-profiles*")) == []


def test_a_key_that_is_not_there_yet_is_named(run: Run) -> None:
    told = run("add new --provider zai")
    assert told.status == 0
    assert "ZHIPU_API_KEY is not set" in told.err
    assert run("add other --provider zai --token-env WORK_KEY").err == ""


REFUSED = {
    "nothing said": ("add new", 2, "--provider ID, --base-url URL or --extends PARENT"),
    "no token said": ("add new --base-url http://127.0.0.1:9/x", 2, "--token-env, --token-file"),
    "two tokens": ("add new --provider zai --token-env A --token-file B", 2, "not allowed with"),
    "taken": ("add work --provider zai", 2, "there is a profile work already"),
    "no name": ("add 'a b' --provider zai", 2, "cannot name a profile"),
    "a device": ("add nul --provider zai", 2, "cannot name a profile"),
    "no such provider": ("add new --provider zaj", 78, "no provider 'zaj'"),
    "no such parent": ("add new --extends nobody", 78, "extends 'nobody'"),
    "no address": ("add new --base-url nonsense --token-env A", 78, "https://host/path"),
    "a token for a variable": (f"add new --provider zai --token-env {TOKEN}", 2, "takes no token"),
    "a token for a file": (f"add new --provider zai --token-file {TOKEN}", 2, "takes no token"),
    "a token in a command": (f"add new --provider zai --token-command 'echo {TOKEN}'", 2, "takes no token"),
    "a token as description": (f"add new --provider zai --description {TOKEN}", 78, "looks like a token"),
    "no command": ("add new --provider zai --token-command ''", 78, "at least 1"),
}


@pytest.mark.parametrize(("line", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_writes_nothing(run: Run, store: Path, line: str, status: int, message: str) -> None:
    told = run(line)
    assert told.status == status
    assert message in told.err
    assert store.read_text() == STORE


def test_init_makes_a_file_that_is_valid_and_never_overwrites(run: Run, home: Path, store: Path) -> None:
    assert run("init --json").json == {
        "schema": 1,
        "ok": True,
        "command": "init",
        "path": str(store),
        "changed": False,
        "dry_run": False,
    }
    store.unlink()
    before = tree(home)
    assert run("init --dry-run").out.startswith("would make ")
    assert tree(home) == before
    assert run("init").out.startswith("made ")
    assert run("validate").status == 0
    text = store.read_text()
    lines = [line.removeprefix("#").removeprefix(" ") for line in text.splitlines()[2:]]
    store.write_text("\n".join(lines))
    assert run("validate").out.startswith("fine: 2 profiles")
