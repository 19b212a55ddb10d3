"""The JSON that the reference shows has the keys of what the commands answer, no more and no fewer."""

from __future__ import annotations

import io
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import KEY, blocks
from support import ROOT

from kimi_profiles.cli import main

STORE = """\
[profiles.work]
provider = "moonshot-cn"

[profiles.broken]
provider = "moonshot-nc"
"""
SNIPPET = f"export ANTHROPIC_BASE_URL=https://api.moonshot.ai/anthropic ANTHROPIC_AUTH_TOKEN={KEY}\n"
# Command of an example → what is run before, and a command line that answers like it.
LINES = {
    "apply": ("apply work", "apply moonshot-intl"),
    "merge": ("", "merge work"),
    "render": ("", "render work"),
    "backups": ("apply work", "backups"),
    "status": ("apply work", "status"),
    "doctor": ("apply work", "doctor"),
    "list": ("", "list"),
    "show": ("", "show work"),
    "validate": ("", "validate"),
    "init": ("", "init --store new.toml"),
    "token": ("", "token work"),
    "env": ("", "env work --shell bash"),
    "schema": ("", "schema"),
    "completion": ("", "completion bash"),
    "set": ("", "set work models.haiku kimi-k2.7-code"),
    "import": ("", "import old --from-text snippet.txt --dry-run"),
}
# Their keys are names, of variables or settings, and not ours: only what both have is compared.
MAPS = {
    "env",
    "effective",
    "values",
    "variables",
    "settings",
    "table",
    "json_schema",
    "before",
    "after",
    "value",
}
EXAMPLES = [block for block in blocks(ROOT / "docs" / "reference.md") if block.language == "json"]


def faults(shown: Any, told: Any, where: str = "") -> list[str]:
    """Keys that are in one of them only."""
    if isinstance(shown, list) and isinstance(told, list):
        return faults(shown[0], told[0], f"{where}[]") if shown and told else []
    if not isinstance(shown, dict) or not isinstance(told, dict):
        return []
    is_map = where.rpartition("/")[2] in MAPS
    found = [] if is_map else [f"{where}/{key}" for key in shown.keys() ^ told.keys()]
    for key in shown.keys() & told.keys():
        found += faults(shown[key], told[key], f"{where}/{key}")
    return found


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command line with ``--json`` in a home with two profiles; what it answers."""
    home = Path.home()
    (home / "project" / ".claude").mkdir(parents=True)
    monkeypatch.chdir(home / "project")
    monkeypatch.setenv("MOONSHOT_API_KEY", KEY)
    monkeypatch.setenv("PATH", str(home / "bin"))
    (home / "bin").mkdir()
    (home / "bin" / "2.1.329").touch(mode=0o755)
    (home / "bin" / "claude").symlink_to("2.1.329")
    (home / "profiles.toml").write_text(STORE)
    (home / "project" / "snippet.txt").write_text(SNIPPET)
    (home / ".claude").mkdir()
    (home / ".claude" / "settings.json").write_text(
        '{"env": {"ANTHROPIC_MODEL": "mine", "ANTHROPIC_API_KEY": ""}}'
    )

    def run(line: str) -> Any:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}\n")))
        capsys.readouterr()
        main(["--store", str(home / "profiles.toml"), *shlex.split(line), "--json"])
        said = capsys.readouterr().out
        assert KEY not in said
        return json.loads(said)

    return run


def test_every_command_that_answers_with_an_object_of_its_own_is_tried() -> None:
    assert {json.loads(block.text)["command"] for block in EXAMPLES} == LINES.keys()


@pytest.mark.parametrize(
    "block", EXAMPLES, ids=lambda block: "{command} {ok}".format_map(json.loads(block.text))
)
def test_an_example_has_the_keys_of_the_answer(
    monkeypatch: pytest.MonkeyPatch, answer: Any, block: Any
) -> None:
    shown = json.loads(block.text)
    before, line = LINES[shown["command"]]
    if before:
        answer(before)
    if shown["command"] == "apply" and not shown["ok"]:
        (Path.home() / ".claude" / "settings.json").write_text("{")
    elif shown["command"] in {"status", "doctor"}:
        # Whatever can be told is there: drift, another scope, a file that is ignored, a layer that is hidden.
        path = Path.home() / ".claude" / "settings.json"
        path.write_text(path.read_text().replace("kimi-k2.7-code", "another-model"))
        answer("apply work --scope local")
        (Path.home() / "project" / ".claude" / "settings.json").write_text("{,}")
        monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "sk-test-a-token-of-the-shell")

    told = answer(line)

    assert told["ok"] == shown["ok"]
    assert faults(shown, told) == []
