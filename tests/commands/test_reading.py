"""The commands that only read: what they say, and that they write nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from commands.conftest import TOKEN, Run, tree

if TYPE_CHECKING:
    from pathlib import Path

READING = [
    "plan work",
    "plan work --json",
    "status",
    "status --json --check",
    "doctor",
    "doctor --json",
    "list",
    "list --names",
    "list --all --json",
    "show work",
    "show home --json",
    "validate",
    "providers",
    "models --json",
    "token work",
    "backups",
    "backups list --json",
    "apply work --dry-run",
    "unapply --dry-run",
    "--help",
    "--version",
    "apply --help",
]


@pytest.mark.parametrize("is_applied", [False, True], ids=["nothing applied", "applied"])
@pytest.mark.parametrize("line", READING)
def test_a_reading_command_writes_nothing(run: Run, home: Path, line: str, *, is_applied: bool) -> None:
    if is_applied:
        run("apply work -q")
    before = tree(home)
    assert run(line).status in {0, 4}
    assert tree(home) == before


def test_plan_shows_the_difference_and_tells_scripts(run: Run) -> None:
    told = run("plan work --exit-code")
    assert told.status == 4
    assert "+ /env/ANTHROPIC_BASE_URL" in told.out
    assert '"https://api.moonshot.cn/anthropic"' in told.out
    assert "/env/ANTHROPIC_AUTH_TOKEN" in told.out
    assert "secret " in told.out
    run("apply work")
    told = run("plan work --exit-code")
    assert (told.status, told.out) == (0, "nothing to do\n")


def test_status_tells_what_is_applied(run: Run) -> None:
    told = run("status --json --check")
    assert (told.status, told.json["applied"], told.json["in_sync"]) == (4, None, False)
    run("apply work")
    told = run("status --json --check")
    assert (told.status, told.json["applied"]["profile"], told.json["in_sync"]) == (0, "work", True)
    assert told.json["applied"]["at"].endswith("Z")
    assert "in sync" in run("status").out


def test_status_tells_drift(run: Run, home: Path) -> None:
    run("apply work")
    settings = home / ".claude" / "settings.json"
    data = json.loads(settings.read_text())
    data["env"]["ANTHROPIC_BASE_URL"] = "https://elsewhere.example"
    settings.write_text(json.dumps(data))
    told = run("status --json --check")
    assert told.status == 4
    (drift,) = told.json["drift"]
    assert (drift["path"], drift["pointer"]) == (str(settings), "/env/ANTHROPIC_BASE_URL")
    assert "/env/ANTHROPIC_BASE_URL" in run("status").out


def test_status_tells_that_the_profile_was_edited_since(run: Run, home: Path) -> None:
    run("apply work")
    store = home / "profiles.toml"
    store.write_text(store.read_text().replace("600000", "700000"))
    assert [warning["name"] for warning in run("status --json").json["warnings"]] == ["profile-changed"]


def test_list_marks_the_applied_profile(run: Run) -> None:
    run("apply home")
    rows = {row["name"]: row["applied"] for row in run("list --json").json["profiles"]}
    assert rows == {"work": False, "home": True}
    assert run("list --names").out == "work\nhome\n"
    assert "moonshot-intl" in run("list --names --all").out.splitlines()
    assert "Kimi at work" in run("list").out


def test_list_shows_a_broken_profile_beside_the_others(run: Run, home: Path) -> None:
    store = home / "profiles.toml"
    store.write_text(store.read_text() + '\n[profiles.odd]\nprovider = "nowhere"\n')
    rows = {row["name"]: row for row in run("list --json").json["profiles"]}
    assert "there is no provider 'nowhere'" in rows["odd"]["error"]
    assert rows["work"]["model"] == "kimi-k2.7-code"


def test_show_names_the_origin_of_each_value(run: Run) -> None:
    values = run("show home --json").json["values"]
    assert values["base_url"] == {"value": "http://127.0.0.1:9/anthropic", "origin": "profile home"}
    assert values["auth.token"]["origin"] == "profile work"
    assert values["env.API_TIMEOUT_MS"]["origin"] == "defaults"
    assert values["models.opus"] == {"value": "my-model", "origin": "models.default"}
    assert values["provider"]["origin"] == "profile work"


def test_validate_tells_every_fault_with_its_place(run: Run, home: Path) -> None:
    store = home / "profiles.toml"
    store.write_text('[profiles.a]\nprovider = "nowhere"\n[profiles.b]\nbase_url = "https://x.example/v1"\n')
    told = run("validate")
    assert told.status == 78
    assert f"{store}:2:1: there is no provider 'nowhere'" in told.err
    assert f"{store}:4:1: " in told.err
    errors = run("validate --json").json["errors"]
    assert [(error["line"], error["column"]) for error in errors] == [(2, 1), (4, 1)]


def test_validate_takes_a_file(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[profiles.x]\nprovider = "zai"\n')
    assert run(f"validate '{other}'").out.startswith("fine: 1 profile")
    assert run(f"validate '{tmp_path}/none.toml'").status == 66


def test_validate_warns_of_retired_models(run: Run, home: Path) -> None:
    (home / "profiles.toml").write_text(
        '[profiles.x]\nprovider = "moonshot-cn"\nmodels.default = "kimi-k2-0905-preview"\n'
    )
    told = run("validate")
    assert told.status == 0
    assert "kimi-k2-0905-preview is retired" in told.err
    assert "use kimi-k2.7-code" in told.err


def test_init_makes_a_file_that_is_valid_and_never_overwrites(run: Run, home: Path) -> None:
    store = home / "profiles.toml"
    store.unlink()
    assert run("init --json").json["changed"] is True
    assert run("validate").status == 0
    uncommented = "".join(
        line.removeprefix("# ").removeprefix("#") for line in store.read_text().splitlines(keepends=True)[3:]
    )
    store.write_text(uncommented)
    assert run("validate").status == 0
    assert run("init --json").json["changed"] is False
    assert store.read_text() == uncommented


def test_token_prints_the_token_and_nothing_else(run: Run) -> None:
    told = run("token work")
    assert (told.out, told.err) == (f"{TOKEN}\n", "")


def test_token_masks_with_json(run: Run) -> None:
    told = run("token work --json")
    assert TOKEN not in told.out
    assert told.json["token"]["secret"] is True


def test_token_refuses_a_key_that_belongs_elsewhere(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK_KEY", "sk-ant-test-0123456789")
    told = run("token work")
    assert (told.status, told.out) == (78, "")


def test_providers_and_models_are_lists_for_scripts(run: Run) -> None:
    providers = {row["name"]: row for row in run("providers --json").json["providers"]}
    assert providers["kimi-code-com"]["auth_variable"] == "ANTHROPIC_API_KEY"
    models = {row["name"]: row for row in run("models --json --provider moonshot-cn").json["models"]}
    assert models["kimi-k2.7-code"]["context_tokens"] == 262144
    assert "kimi-for-coding" not in models


def test_help_names_every_command(run: Run) -> None:
    from kimi_profiles.cli import COMMANDS

    told = run("--help")
    assert all(f"\n  {name} " in told.out for name in COMMANDS)


@pytest.mark.parametrize("value", ["\x1b[31mred", "a\u202eb", "x\ny", "\x9b2J"])
def test_values_cannot_steer_the_terminal(run: Run, home: Path, value: str) -> None:
    (home / ".claude" / "settings.json").write_text(json.dumps({"env": {"ANTHROPIC_MODEL": value}}))
    told = run("plan work")
    assert told.status == 0
    assert not any(char in told.out for char in "\x1b\u202e\x9b")


def test_show_masks_what_has_the_name_of_a_secret(run: Run, home: Path) -> None:
    store = home / "profiles.toml"
    store.write_text(store.read_text() + '\n[profiles.own]\nextends = "home"\nenv.MY_TOKEN = "a-word"\n')

    assert "a-word" not in run("show own").out
    assert run("show own --json").json["values"]["env.MY_TOKEN"]["value"]["secret"] is True


def test_a_token_is_no_key_either(run: Run, home: Path) -> None:
    store = home / "profiles.toml"
    store.write_text(store.read_text() + f'\n[profiles.own]\nextends = "home"\nsettings.x."{TOKEN}" = 1\n')

    told = run("show own")
    assert told.status == 78
    assert "looks like a token" in told.err
