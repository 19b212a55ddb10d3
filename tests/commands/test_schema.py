"""`schema`: the JSON Schema of the profile file, and a real language server that goes by it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from commands.conftest import STORE, Run, tree
from language_server import LanguageServer, language_server, server_path, without_network

from kimi_profiles.schema import profile_schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = "#:schema ./profiles.schema.json\n\n"


def test_it_prints_the_schema_and_nothing_else(run: Run, home: Path) -> None:
    before = tree(home)
    told = run("schema")
    assert (told.status, told.err) == (0, "")
    assert told.json == profile_schema()
    assert told.out.isascii()
    assert told.out.endswith("}\n")
    assert run("schema --quiet").out == told.out
    assert tree(home) == before


def test_with_json_it_is_in_the_one_object(run: Run) -> None:
    told = run("schema --json").json
    assert (told["schema"], told["ok"], told["command"]) == (1, True, "schema")
    assert told["json_schema"] == profile_schema()


def test_it_needs_no_file_and_no_home(run: Run, home: Path) -> None:
    (home / "profiles.toml").write_text("this is [no TOML", encoding="utf-8")
    assert run("schema").status == 0
    (home / "profiles.toml").unlink()
    assert run("schema").status == 0


def test_it_takes_no_arguments(run: Run) -> None:
    told = run("schema work")
    assert (told.status, told.out) == (2, "")


# ---- a real language server, as an editor talks to it


@pytest.fixture
def tombi(run: Run, home: Path) -> Iterator[LanguageServer]:
    (home / "profiles.schema.json").write_text(run("schema").out, encoding="utf-8")
    command = [*without_network(), server_path("tombi"), "lsp", "--offline"]
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "TOMBI_OFFLINE": "1"}
    with language_server(command, root=home, environment=environment) as server:
        yield server


@pytest.mark.once
def test_a_right_file_has_no_red_line(tombi: LanguageServer, home: Path) -> None:
    store = home / "profiles.toml"
    store.write_text(HEAD + STORE, encoding="utf-8")
    assert tombi.open(store) == []


WRONG = {
    "a key": ('descripton = "x"', "descripton"),
    "a provider": ('provider = "moonshot"', "moonshot-cn"),
    "a tier": ('models.sonet = "m"', "sonet"),
    "a token in the file": ('auth.token = "sk-test-0123456789abcdef"', "Table"),
    "two ways to the token": ('auth.token = { env = "A", file = "b" }', "file"),
    "a variable with a key of its own": ('env.ANTHROPIC_BASE_URL = "https://x.example"', "not"),
    "an address that would be lost": ('base_url = "http://x.example"', "pattern"),
}


@pytest.mark.once
@pytest.mark.parametrize(("line", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_marked(tombi: LanguageServer, home: Path, line: str, said: str) -> None:
    store = home / "profiles.toml"
    store.write_text(f"{HEAD}[profiles.work]\n{line}\n", encoding="utf-8")
    messages = tombi.open(store)
    assert any(said in message for message in messages), messages


def labels(answer: Any) -> set[str]:
    """What a completion offers."""
    items = answer["items"] if isinstance(answer, dict) else answer or []
    return {item["label"].strip('"') for item in items}


@pytest.mark.once
def test_it_explains_and_completes(tombi: LanguageServer, home: Path) -> None:
    store = home / "profiles.toml"
    store.write_text(f'{HEAD}[profiles.work]\npin_model = true\nmodels.opus = ""\nmodels.ha\nau\n', "utf-8")
    tombi.open(store)
    hover = json.dumps(tombi.ask("textDocument/hover", tombi.at(store, "pin_m")))
    assert "beats a choice by `/model`" in hover
    assert "kimi-k2.7-code" in labels(
        tombi.ask("textDocument/completion", tombi.at(store, 'models.opus = "'))
    )
    assert "haiku" in labels(tombi.ask("textDocument/completion", tombi.at(store, "models.ha")))
    assert "auth" in labels(tombi.ask("textDocument/completion", tombi.at(store, "\nau")))
