"""``status``, as its users see it: what is applied, what will be sent, and what is in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands.conftest import TOKEN, Run, tree

from kimi_profiles import ClaudeCode, api
from kimi_profiles.secrets import fingerprint

if TYPE_CHECKING:
    from kimi_profiles.ledger import Ledger

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a script stands in for Claude Code")


@pytest.fixture(autouse=True)
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Claude Code that is named for its version, and is never started."""
    real = tmp_path / "versions" / "2.1.329"
    real.parent.mkdir()
    real.write_text("#!/bin/sh\ntouch was-started\n", encoding="utf-8")
    real.chmod(0o755)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "claude").symlink_to(real)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "claude"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / ".claude").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_what_will_be_sent(run: Run, home: Path) -> None:
    run("apply work")
    settings = str(home / ".claude" / "settings.json")
    told = run("status --json").json
    assert told["request"] == {
        "url": "https://api.moonshot.cn/anthropic/v1/messages",
        "model": "kimi-k2.7-code",
        "credentials": [
            {
                "header": "authorization",
                "source": "ANTHROPIC_AUTH_TOKEN",
                "layer": "user",
                "path": settings,
                "fingerprint": fingerprint(TOKEN),
            }
        ],
        "obstacle": None,
    }
    assert told["effective"]["ANTHROPIC_AUTH_TOKEN"] == {
        "value": {"secret": True, "fingerprint": fingerprint(TOKEN)},
        "layer": "user",
        "path": settings,
        "line": 4,
        "shadowed": [],
    }
    assert told["effective"]["ANTHROPIC_API_KEY"]["value"] == ""
    assert told["models"]["haiku"] == "kimi-k2.7-code-highspeed"
    assert (told["client"]["version"], told["client"]["rules"]) == ("2.1.329", "2.1.329")
    assert told["ignored"] == []


def test_people_see_each_value_with_its_place(run: Run) -> None:
    run("apply work")
    out = run("status").out
    assert "Claude Code 2.1.329 will send\n" in out
    for head, value, line in (
        ("to", "https://api.moonshot.cn/anthropic/v1/messages", 3),
        ("authorization", f"ANTHROPIC_AUTH_TOKEN {fingerprint(TOKEN)}", 4),
        ("model", "kimi-k2.7-code", 6),
        ("haiku", "kimi-k2.7-code-highspeed", 9),
    ):
        (found,) = [text for text in out.splitlines() if text.split()[:1] == [head]]
        assert value in found
        assert found.endswith(f" user:{line}")
    (file,) = [text.split() for text in out.splitlines() if text.split()[:1] == ["from"]]
    assert file[1] == "user"
    assert file[-1].endswith("/.claude/settings.json")
    assert TOKEN not in out


def test_nothing_is_sent_without_a_credential(run: Run) -> None:
    told = run("status --json").json
    assert (told["request"]["url"], told["request"]["credentials"]) == (None, [])
    assert "asks to log in" in told["request"]["obstacle"]
    assert "asks to log in" in run("status").out


def test_a_second_credential_is_seen(run: Run, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    run("apply work")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-of-the-shell")
    assert [each["header"] for each in run("status --json").json["request"]["credentials"]] == [
        "authorization"
    ]
    shadowed = run("status --json").json["effective"]["ANTHROPIC_API_KEY"]["shadowed"]
    assert shadowed == [
        {
            "value": {"secret": True, "fingerprint": fingerprint("sk-test-of-the-shell")},
            "layer": "process",
            "path": None,
            "line": None,
        }
    ]
    (home / ".claude.json").write_text('{"primaryApiKey": "sk-test-of-the-login"}')
    headers = {each["header"]: each["source"] for each in run("status --json").json["request"]["credentials"]}
    assert headers == {"authorization": "ANTHROPIC_AUTH_TOKEN", "x-api-key": "primaryApiKey"}


# scope of what hides → (its file in the project, what to do about it)
HIDING = {
    "local": ("settings.local.json", "remove ANTHROPIC_MODEL from that file"),
    "project": ("settings.json", "remove ANTHROPIC_MODEL from that file"),
}


@pytest.mark.parametrize(("layer", "case"), HIDING.items(), ids=HIDING)
def test_a_stronger_layer_that_hides_ours_is_named(
    layer: str, case: tuple[str, str], run: Run, project: Path
) -> None:
    name, hint = case
    run("apply work")
    file = project / ".claude" / name
    file.write_text('{"env": {\n  "ANTHROPIC_MODEL": "other"}}')
    told = run("status --json").json
    assert told["request"]["model"] == "other"
    effective = told["effective"]["ANTHROPIC_MODEL"]
    assert (effective["layer"], effective["path"], effective["line"]) == (layer, str(file), 2)
    assert [each["layer"] for each in effective["shadowed"]] == ["user"]
    out = run("status").out
    assert f"hidden by {layer}" in out
    assert hint in out
    file.write_text('{"env": {"ANTHROPIC_MODEL": "kimi-k2.7-code"}}')
    assert "hidden" not in run("status").out


def test_apply_warns_of_what_has_no_effect(run: Run, project: Path) -> None:
    (project / ".claude" / "settings.local.json").write_text('{"env": {\n  "ANTHROPIC_MODEL": "other"}}')
    (warning,) = [each for each in run("apply work --json").json["warnings"] if each["name"] == "hidden"]
    assert "settings.local.json:2" in warning["message"]
    assert "ANTHROPIC_MODEL has no effect here" in run("apply home").err
    assert "hidden" not in [each["name"] for each in run("apply home --scope local --json").json["warnings"]]


def test_a_profile_of_another_scope_that_hides_ours_is_taken_out_by_its_command(
    run: Run, project: Path
) -> None:
    run("apply work")
    run(f"apply home --scope local --project {project}")
    out = run("status").out
    assert "ANTHROPIC_BASE_URL of this scope is hidden by local" in out
    assert "kimi-profiles unapply --scope local" in out


def test_a_settings_file_of_the_command_line_is_asked_for(run: Run, project: Path) -> None:
    run("apply work")
    (project / "flag.json").write_text('{"model": "ignored", "env": {"ANTHROPIC_MODEL": "flagged"}}')
    told = run("status --json --flag-settings flag.json").json
    assert (told["request"]["model"], told["effective"]["ANTHROPIC_MODEL"]["layer"]) == ("flagged", "flag")
    assert run("status --flag-settings missing.json").status == 66
    assert run("status --flag-settings ''").status == 2


def test_a_file_that_claude_code_ignores_is_named_with_the_reason(run: Run, project: Path) -> None:
    run("apply work")
    (project / ".claude" / "settings.json").write_text('{\n  "model": 7\n}')
    (ignored,) = run("status --json").json["ignored"]
    assert (ignored["layer"], ignored["line"], ignored["reason"]) == ("project", 2, "model has to be text")
    assert "settings.json:2 is ignored as a whole: model has to be text" in run("status").out


def test_drift_is_shown_as_what_was_wanted_and_what_there_is(run: Run, home: Path) -> None:
    run("apply work")
    settings = home / ".claude" / "settings.json"
    data = json.loads(settings.read_text())
    data["env"]["ANTHROPIC_DEFAULT_HAIKU_MODEL"] = "mine"
    data["env"]["ANTHROPIC_AUTH_TOKEN"] = "sk-test-somebody-elses"
    del data["env"]["ANTHROPIC_MODEL"]
    settings.write_text(json.dumps(data))
    drift = {each["pointer"]: (each["wanted"], each["now"]) for each in run("status --json").json["drift"]}
    secret = {"secret": True, "fingerprint": fingerprint("sk-test-somebody-elses")}
    assert drift == {
        "/env/ANTHROPIC_AUTH_TOKEN": (None, secret),
        "/env/ANTHROPIC_MODEL": ("kimi-k2.7-code", None),
        "/env/ANTHROPIC_DEFAULT_HAIKU_MODEL": ("kimi-k2.7-code-highspeed", "mine"),
    }
    out = run("status").out
    assert '/env/ANTHROPIC_DEFAULT_HAIKU_MODEL  "kimi-k2.7-code-highspeed" → "mine"' in out
    assert '/env/ANTHROPIC_MODEL  "kimi-k2.7-code" → nothing' in out
    assert "sk-test-somebody-elses" not in out


OLDER = {"2.1.39": "2.1.39", "2.1.100": "2.1.329", "2.1.400": "2.1.329"}


@pytest.mark.parametrize(("version", "rules"), OLDER.items())
def test_the_rules_follow_the_installed_version(version: str, rules: str, run: Run, client: Path) -> None:
    real = client.resolve()
    client.unlink()
    client.symlink_to(real.rename(real.with_name(version)))
    told = run("status --json").json["client"]
    assert (told["version"], told["rules"]) == (version, rules)
    assert (f"by the rules of {rules}" in run("status").out) == (version != rules)


def test_without_a_client_the_newer_rules_count(run: Run, client: Path) -> None:
    client.unlink()
    assert run("status --json").json["client"] == {"path": None, "version": None, "rules": "2.1.329"}


def test_nothing_is_written_and_nothing_is_started(run: Run, home: Path, project: Path) -> None:
    run("apply work")
    before = tree(home), tree(project)
    for options in ("", "--json", "--check", "--json --flag-settings .claude"):
        run(f"status {options}")
    assert (tree(home), tree(project)) == before
    assert not (project / "was-started").exists()


def test_values_are_harmless_and_keep_their_secrets(run: Run, project: Path, home: Path) -> None:
    env = {
        "ANTHROPIC_BASE_URL": "https://user:sk-test-in-the-url@h.example/\u001b[31m?key=sk-test-in-the-query",
        "ANTHROPIC_MODEL": "m\u001b]0;x\u0007\u202e",
        "ANTHROPIC_CUSTOM_HEADERS": "x-api-key: sk-test-in-a-header",
    }
    document = {"env": env, "apiKeyHelper": "echo word-in-a-helper"}
    (project / ".claude" / "settings.local.json").write_text(json.dumps(document))
    (home / ".claude.json").write_text('{"primaryApiKey": "sk-test-in-the-login"}')
    for told in (run("status"), run("status --json"), run("status --json --check")):
        assert not {"\x1b", "\x07", "\u202e"} & set(told.out + told.err)
        for place in ("the-url", "the-query", "a-header", "a-helper", "the-login"):
            assert f"-in-{place}" not in told.out + told.err


def test_the_ledger_is_read_once(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("apply work")
    read = []
    real = api.read_ledger

    def spy(path: Path) -> Ledger:
        read.append(path)
        return real(path)

    monkeypatch.setattr(api, "read_ledger", spy)
    assert run("status").status == 0
    assert len(read) == 1


def test_of_many_other_scopes_five_are_named(run: Run, project: Path) -> None:
    for number in range(7):
        (project / f"p{number:02d}").mkdir()
        assert run(f"apply work --scope local --project p{number:02d}").status == 0
    out = run("status").out.splitlines()
    assert [line for line in out if "also applied" in line][-1].endswith("p04/.claude/settings.local.json")
    assert out[-1] == "  and 2 more"


def test_what_is_applied_elsewhere_is_a_sequence_as_others_are(run: Run, project: Path, home: Path) -> None:
    for name in "abc":
        (project / name).mkdir()
        assert run(f"apply work --scope local --project {name}").status == 0
    assert run("apply home").status == 0
    elsewhere = ClaudeCode.user(home=home).status().elsewhere
    every = tuple(elsewhere)
    assert [Path(other.targets[-1]).parts[-3] for other in every] == [*"abc"]
    assert len(elsewhere) == len(every)
    assert elsewhere == every
    for place in (0, 1, 2, -1, -3):
        assert elsewhere[place] == every[place]
    for part in (slice(None), slice(1), slice(-2, None), slice(None, None, -1), slice(5, 9), slice(2, 0, -2)):
        assert elsewhere[part] == every[part]
    for place in (3, -4):
        with pytest.raises(IndexError):
            elsewhere[place]
