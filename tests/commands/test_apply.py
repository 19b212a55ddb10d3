"""``apply`` and ``unapply``, as their users see them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from commands.conftest import TOKEN, Run, tree

SETTINGS = '{\r\n\t"hooks" : {"Stop": []},\r\n\t"env": {"ANTHROPIC_MODEL": "mine"},\r\n\t"n": 1.0\r\n}'


@pytest.fixture
def settings(home: Path) -> Path:
    path = home / ".claude" / "settings.json"
    path.write_bytes(SETTINGS.encode())
    path.chmod(0o644)
    return path


def test_apply_then_unapply_gives_the_same_bytes(run: Run, home: Path, settings: Path) -> None:
    state = home / ".claude.json"
    state.write_text('{"numStartups":3,"primaryApiKey":"sk-ant-test"}')
    assert run("apply work").status == 0
    env = json.loads(settings.read_text())["env"]
    assert env["ANTHROPIC_BASE_URL"] == "https://api.moonshot.cn/anthropic"
    assert env["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    assert env["ANTHROPIC_API_KEY"] == ""
    assert env["API_TIMEOUT_MS"] == "600000"
    assert settings.stat().st_mode & 0o777 == 0o600
    assert json.loads(state.read_text()) == {"numStartups": 3, "hasCompletedOnboarding": True}
    assert run("apply home").status == 0
    assert run("apply work").status == 0
    assert run("unapply").status == 0
    assert settings.read_bytes() == SETTINGS.encode()
    assert settings.stat().st_mode & 0o777 == 0o644
    assert state.read_text() == '{"numStartups":3,"primaryApiKey":"sk-ant-test"}'


@pytest.mark.parametrize("command", ["apply work", "apply work --dry-run --json"])
def test_what_the_state_file_supplies_is_masked_in_the_settings(
    command: str, run: Run, home: Path, settings: Path
) -> None:
    (home / ".claude.json").write_text('{"env":{"ANTHROPIC_CUSTOM_HEADERS":"x: y"},"apiKeyHelper":"a key"}')
    told = run(command)
    assert told.status == 0
    if "--dry-run" in command:
        changes = {change["pointer"] for change in told.json["targets"][1]["changes"]}
        assert {"/env/ANTHROPIC_CUSTOM_HEADERS", "/apiKeyHelper"} <= changes
        return
    now = json.loads(settings.read_text())
    assert (now["env"]["ANTHROPIC_CUSTOM_HEADERS"], now["apiKeyHelper"]) == ("", "")
    assert run(command).status == 0
    assert json.loads(settings.read_text()) == now


def test_files_and_folders_that_were_not_there_are_gone_again(run: Run, home: Path) -> None:
    (home / ".claude").rmdir()
    before = {path for path in tree(home) if not path.startswith(".local")}
    assert run("apply work").status == 0
    assert (home / ".claude" / "settings.json").stat().st_mode & 0o777 == 0o600
    assert run("unapply").status == 0
    assert {path for path in tree(home) if not path.startswith(".local")} == before


def test_the_second_apply_writes_nothing_at_all(run: Run, home: Path, settings: Path) -> None:
    assert run("apply work").status == 0
    before = tree(home)
    told = run("apply work --json")
    assert told.json["changed"] is False
    assert [target["changed"] for target in told.json["targets"]] == [False, False]
    assert tree(home) == before


def test_the_answer_has_the_shape_that_scripts_rely_on(run: Run, home: Path, settings: Path) -> None:
    answer = run("apply work --json").json
    assert answer["schema"] == 1
    assert (answer["ok"], answer["command"], answer["profile"], answer["scope"]) == (
        True,
        "apply",
        "work",
        "user",
    )
    assert (answer["changed"], answer["dry_run"]) == (True, False)
    target = answer["targets"][1]
    assert target["path"] == str(settings)
    assert (target["changed"], target["created"]) == (True, False)
    assert Path(target["backup"]).read_bytes() == SETTINGS.encode()
    changes = {change["pointer"]: change for change in target["changes"]}
    assert changes["/env/ANTHROPIC_MODEL"] == {
        "pointer": "/env/ANTHROPIC_MODEL",
        "action": "replace",
        "before": "mine",
        "after": "kimi-k2.7-code",
    }
    token = changes["/env/ANTHROPIC_AUTH_TOKEN"]
    assert (token["action"], token["before"], token["after"]["secret"]) == ("add", None, True)
    assert token["after"]["fingerprint"] == hashlib.sha256(TOKEN.encode()).hexdigest()[:8]
    assert [warning["name"] for warning in answer["warnings"]] == ["session-restart"]


def test_a_dry_run_writes_nothing(run: Run, home: Path, settings: Path) -> None:
    before = tree(home)
    assert run("apply work --dry-run --json").json["dry_run"] is True
    assert run("apply work --dry-run").status == 0
    assert run("unapply --dry-run").status == 0
    assert tree(home) == before


def test_what_somebody_changed_since_stays_and_is_told(run: Run, home: Path, settings: Path) -> None:
    run("apply work")
    settings.write_text(settings.read_text().replace("kimi-k2.7-code-highspeed", "my-own-haiku"))
    told = run("unapply --json")
    drift = [drift for target in told.json["targets"] for drift in target["drift"]]
    assert drift == [{"pointer": "/env/ANTHROPIC_DEFAULT_HAIKU_MODEL", "kept": True}]
    env = json.loads(settings.read_text())["env"]
    assert env == {"ANTHROPIC_MODEL": "mine", "ANTHROPIC_DEFAULT_HAIKU_MODEL": "my-own-haiku"}


def test_a_provider_is_a_profile_without_any_file(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kimi_profiles.cli import main

    monkeypatch.setenv("MOONSHOT_API_KEY", TOKEN)
    assert main(["--home", str(home), "apply", "moonshot-cn"]) == 0
    env = json.loads((home / ".claude" / "settings.json").read_text())["env"]
    assert env["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    assert main(["unapply", "--home", str(home)]) == 0
    assert not (home / ".claude" / "settings.json").exists()


def test_the_token_may_come_from_standard_input(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORK_KEY")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TOKEN}\n"))
    assert run("apply work --token-stdin").status == 0
    assert TOKEN in (home / ".claude" / "settings.json").read_text()


def test_only_the_named_settings_file_changes(run: Run, home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    assert run(f"apply work --settings '{other}'").status == 0
    assert TOKEN in other.read_text()
    assert not (home / ".claude.json").exists()
    assert run(f"unapply --settings '{other}'").status == 0
    assert not other.exists()


def test_two_scopes_share_what_both_want_until_the_last_goes(run: Run, home: Path, tmp_path: Path) -> None:
    state = home / ".claude.json"
    project = tmp_path / "project"
    project.mkdir()
    run("apply work")
    assert run(f"apply home --scope local --project '{project}'").status == 0
    assert (project / ".claude" / "settings.local.json").exists()
    run("unapply")
    assert json.loads(state.read_text())["hasCompletedOnboarding"] is True
    assert run(f"unapply --scope local --project '{project}'").status == 0
    assert not state.exists()
    assert list(project.iterdir()) == []


REFUSALS = {
    "a comment": ('{\n  // mine\n  "a": 1\n}', ":2:3: comments are not JSON"),
    "a comma too many": ('{\n  "a": 1,\n}', ":2:9: a comma behind the last member is not JSON"),
    "a list": ("[]", ":1:1: the whole document is not an object"),
    "an env that is a list": ('{"env": []}', ":1:9: /env is not an object"),
    "a text that ends early": ('{"env": {', ": the text ends"),
}


@pytest.mark.parametrize(("text", "message"), REFUSALS.values(), ids=REFUSALS)
def test_a_broken_file_is_refused_and_nothing_is_written(
    run: Run, home: Path, settings: Path, text: str, message: str
) -> None:
    settings.write_text(text)
    (home / ".local/state/kimi-profiles").mkdir(parents=True)
    before = tree(home)
    told = run("apply work")
    assert told.status == 78
    first, hint = told.err.splitlines()
    assert first.startswith(f"kimi-profiles: {settings}")
    assert message in first
    assert hint.startswith("hint: ")
    error = run("apply work --json").json
    assert (error["ok"], error["exit_code"]) == (False, 78)
    assert error["error"]["name"] == "target-unreadable"
    assert error["error"]["path"] == str(settings)
    after = tree(home)
    after.pop(".local/state/kimi-profiles/lock", None)
    assert {path: entry[3] for path, entry in after.items()} == {
        path: entry[3] for path, entry in before.items()
    }


def test_an_unset_variable_is_named_with_what_to_do(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORK_KEY")
    before = tree(home)
    told = run("apply work")
    assert told.status == 78
    assert told.err.splitlines()[0] == "kimi-profiles: the variable WORK_KEY is not set"
    assert "export WORK_KEY=" in told.err
    assert tree(home) == before


def test_an_unknown_profile_offers_the_nearest_name(run: Run, home: Path) -> None:
    before = tree(home)
    told = run("apply wrok")
    assert told.status == 66
    assert "did you mean work?" in told.err
    assert tree(home) == before


def test_a_key_of_another_system_is_refused_before_anything_is_written(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORK_KEY", "sk-kimi-test-0123456789")
    before = tree(home)
    told = run("apply work")
    assert told.status == 78
    assert "api.kimi.com" in told.err
    assert tree(home) == before


def test_a_token_is_not_written_into_a_file_that_git_tracks(run: Run, home: Path, settings: Path) -> None:
    for command in (["init", "-q"], ["add", "-f", ".claude/settings.json"]):
        subprocess.run(["git", *command], cwd=home, check=True)
    told = run("apply work")
    assert told.status == 77
    assert "tracked by git" in told.err
    assert settings.read_bytes() == SETTINGS.encode()
    assert run("apply work --allow-tracked").status == 0


def test_the_settings_that_a_project_shares_get_no_token(run: Run, tmp_path: Path) -> None:
    told = run(f"apply work --scope project --project '{tmp_path}'")
    assert told.status == 77
    assert not (tmp_path / ".claude").exists()


def test_unapply_where_nothing_is_applied_is_no_error(run: Run, home: Path) -> None:
    before = tree(home)
    told = run("unapply --json")
    assert (told.status, told.json["changed"], told.json["profile"]) == (0, False, None)
    assert tree(home) == before


def test_options_stand_before_or_behind_the_command(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--json --scope user apply work").json["scope"] == "user"
    monkeypatch.chdir(home)
    (home / "apply").mkdir()
    assert run("apply --project apply work --json").json["changed"] is False


def test_a_usage_error_is_one_json_object_too(run: Run) -> None:
    told = run("apply --json")
    assert (told.status, told.json["error"]["name"]) == (2, "usage")
    assert run("aply --json").json["error"]["hint"] == "did you mean apply?"
    assert run("apply work --lock-timeout never").status == 2


HELPER = """\
[profiles.work]
provider = "moonshot-cn"
auth = { token = { env = "WORK_KEY" }, delivery = "helper" }
"""


def test_a_helper_keeps_the_token_out_of_every_file(run: Run, home: Path, settings: Path) -> None:
    (home / "profiles.toml").write_text(HELPER)
    assert run("apply work").status == 0
    written = json.loads(settings.read_text())
    assert (written["env"]["ANTHROPIC_AUTH_TOKEN"], written["env"]["ANTHROPIC_API_KEY"]) == ("", "")
    assert all(TOKEN.encode() not in (entry[3] or b"") for entry in tree(home).values())
    helper = subprocess.run(
        ["/bin/sh", "-c", written["apiKeyHelper"]], capture_output=True, text=True, check=True, cwd=home
    )
    assert helper.stdout == f"{TOKEN}\n"
    assert run("unapply").status == 0
    assert settings.read_bytes() == SETTINGS.encode()


def test_a_helper_is_not_fooled_by_the_folder_it_runs_in(run: Run, home: Path, settings: Path) -> None:
    (home / "profiles.toml").write_text(HELPER)
    run("apply work")
    trap = home / "kimi_profiles"
    trap.mkdir()
    (trap / "__init__.py").write_text("")
    (trap / "__main__.py").write_text("print('trapped')")
    command = json.loads(settings.read_text())["apiKeyHelper"]
    helper = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, cwd=home)
    assert helper.stdout == f"{TOKEN}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_helper_whose_path_is_not_text_is_refused(run: Run, tmp_path: Path) -> None:
    home = tmp_path / os.fsdecode(b"h\xffme")
    home.mkdir()
    store = home / "profiles.toml"
    store.write_text(HELPER, encoding="utf-8")
    told = run(f"apply work --home {shlex.quote(str(home))} --store {shlex.quote(str(store))}")
    assert (told.status, "not UTF-8" in told.err) == (2, True)
    assert list(home.rglob("settings*.json")) == []


def test_a_helper_without_a_token_is_applied_and_warned_of(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "profiles.toml").write_text(HELPER)
    monkeypatch.delenv("WORK_KEY")
    names = [warning["name"] for warning in run("apply work --json").json["warnings"]]
    assert names == ["token-unavailable", "session-restart"]


def test_a_helper_gives_no_token_to_an_endpoint_that_the_profile_has_left(run: Run, home: Path) -> None:
    """The settings still name the old endpoint, so the new key must not go there."""
    store = home / "profiles.toml"
    helped = '[profiles.helped]\nauth.delivery = "helper"\nauth.token.env = "WORK_KEY"\nprovider = "{}"\n'
    store.write_text(helped.format("moonshot-cn"), encoding="utf-8")
    run("apply helped")
    line = json.loads((home / ".claude" / "settings.json").read_text())["apiKeyHelper"]
    words = shlex.join(shlex.split(line)[4:])
    assert run(words).out == f"{TOKEN}\n"

    store.write_text(helped.format("moonshot-intl"), encoding="utf-8")
    told = run(words)
    assert (told.status, told.out) == (78, "")
    assert "hint: kimi-profiles apply helped" in told.err
    run("apply helped")
    line = json.loads((home / ".claude" / "settings.json").read_text())["apiKeyHelper"]
    assert run(shlex.join(shlex.split(line)[4:])).out == f"{TOKEN}\n"


@pytest.mark.parametrize(
    ("token", "expected"), [('env = "WORK_KEY"', ["applying work"]), ('command = ["false"]', [])]
)
def test_no_line_moves_over_what_may_ask_for_a_password(
    token: str, expected: list[str], run: Run, home: Path, moving_line: list[str]
) -> None:
    store = home / "profiles.toml"
    store.write_text(store.read_text().replace('env = "WORK_KEY"', token))
    run("apply work")
    assert moving_line == expected


def test_what_a_moved_project_says_already_is_told_not_to_be_ours(run: Run, home: Path) -> None:
    before, after = home / "before", home / "after"
    before.mkdir()
    assert "unapply will leave it there" not in run(f"apply work --scope local --project '{before}'").err
    before.rename(after)
    told = run(f"apply work --scope local --project '{after}'")
    assert told.status == 0
    assert "unapply will leave it there" in told.err
    assert "folder was moved" in told.err
    data = (after / ".claude" / "settings.local.json").read_bytes()
    told = run(f"unapply --scope local --project '{after}'")
    assert told.status == 0
    assert "and say it still" in told.err
    assert (after / ".claude" / "settings.local.json").read_bytes() == data
    told = run(f"unapply --scope local --project '{after}'")
    assert (told.status, told.err) == (0, "")
