"""`import`: what it shows, asks, writes and keeps to itself."""

from __future__ import annotations

import io
import json
import os
import shlex
import sqlite3
import stat
import sys
import time
import tomllib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from commands.conftest import Told, tree
from support import run_with_secret_service

from kimi_profiles.cli import main
from kimi_profiles.errors import LockTimeoutError

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "sk-test-0123456789abcdefghij"
OTHER = "sk-test-zyxwvutsrqponmlkjihg9"
URL, AUTH = "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"
CN = "https://api.moonshot.cn/anthropic"
SETTINGS = {
    "env": {
        "ANTHROPIC_BASE_URL": f"{CN}/",
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "ANTHROPIC_MODEL": "kimi-k3",
        "API_TIMEOUT_MS": "600000",
    },
    "hooks": {"Stop": []},
}
MADE = {
    "provider": "moonshot-cn",
    "auth": {"token": {"env": "MOONSHOT_API_KEY"}},
    "models": {"default": "kimi-k3"},
    "env": {"API_TIMEOUT_MS": "600000"},
}

Run = Callable[..., Told]


@pytest.fixture
def home(isolated_environment: Path) -> Path:
    """The user's own home, with Claude Code's folder."""
    (isolated_environment / ".claude").mkdir()
    return isolated_environment


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in that home; no token is ever in what it says."""
    monkeypatch.chdir(home)

    def told(line: str, typed: str | bytes | None = None, *, on_terminal: bool = False) -> Told:
        data = typed.encode() if isinstance(typed, str) else typed or b""
        stream = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
        monkeypatch.setattr(stream, "isatty", lambda: on_terminal)
        monkeypatch.setattr(sys, "stdin", stream)
        status = main(shlex.split(line))
        out, err = capsys.readouterr()
        assert TOKEN not in out + err
        assert OTHER not in out + err
        assert TOKEN[3:] not in out + err
        assert "Traceback" not in err
        return Told(status, out, err)

    return told


def store(home: Path) -> dict[str, Any]:
    return tomllib.loads((home / ".config/kimi-profiles/profiles.toml").read_text(encoding="utf-8"))[
        "profiles"
    ]


def settle(home: Path, settings: object = SETTINGS) -> Path:
    file = home / ".claude" / "settings.json"
    file.write_text(
        settings if isinstance(settings, str) else json.dumps(settings, indent=2), encoding="utf-8"
    )
    return file


# ---- shown first


@pytest.mark.parametrize(
    "options", ["", "--dry-run", "--dry-run --yes", "--json", "--quiet", "--dry-run --token-file k"]
)
def test_nothing_is_written_without_a_yes(run: Run, home: Path, options: str) -> None:
    settle(home)
    before = tree(home)
    assert run(f"import work {options}").status == 0
    assert tree(home) == before


def test_what_is_taken_is_shown(run: Run, home: Path) -> None:
    settle(home)
    told = run("import work")
    assert '  + provider = "moonshot-cn"\n' in told.out
    assert '  + auth.token = { env = "MOONSHOT_API_KEY" }\n' in told.out
    assert "models.default      ~/.claude/settings.json:5\n" in told.out
    assert "hooks     it says nothing about an endpoint; --with-settings takes it\n" in told.out
    assert "nothing written; add --yes" in told.out


def test_with_yes_it_is_added(run: Run, home: Path) -> None:
    settings = settle(home)
    before = settings.read_bytes()
    told = run("import work --yes")
    assert told.status == 0
    assert store(home) == {"work": MADE}
    assert "export MOONSHOT_API_KEY=…  the token is in ~/.claude/settings.json:4" in told.out
    assert settings.read_bytes() == before
    file = home / ".config/kimi-profiles/profiles.toml"
    assert TOKEN not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 or os.name == "nt"


def test_on_a_terminal_it_asks_once(run: Run, home: Path) -> None:
    settle(home)
    before = tree(home)
    for answer in ("n\n", "\n", ""):
        told = run("import work", answer, on_terminal=True)
        assert (told.status, told.err.count("Add it? [y/N]")) == (0, 1)
    assert tree(home) == before
    assert run("import work", "y\n", on_terminal=True).status == 0
    assert list(store(home)) == ["work"]


def test_json_never_asks(run: Run, home: Path) -> None:
    settle(home)
    told = run("import work --json", "y\n", on_terminal=True)
    assert told.err == ""
    answer = told.json
    keys = ("schema", "ok", "command", "profile", "changed", "dry_run", "export")
    assert {key: answer[key] for key in keys} == {
        "schema": 1, "ok": True, "command": "import", "profile": "work", "changed": True, "dry_run": True,
        "export": "MOONSHOT_API_KEY",
    }  # fmt: skip
    assert answer["table"] == MADE
    assert {"key": "models.default", "source": f"{home}/.claude/settings.json:5"} in answer["taken"]
    assert [left["name"] for left in answer["left_out"]] == ["hooks"]
    assert answer["token"]["secret"] is True
    answer = run("import work --json --yes").json
    assert (answer["changed"], answer["dry_run"]) == (True, False)
    assert store(home) == {"work": MADE}


def test_an_existing_profile_is_not_replaced(run: Run, home: Path) -> None:
    settle(home)
    run("import work --yes")
    before = tree(home)
    told = run("import work --yes --token-file k")
    assert told.status == 2
    assert "work" in told.err
    assert tree(home) == before


def test_the_comments_of_the_file_stay(run: Run, home: Path) -> None:
    settle(home)
    file = home / "p.toml"
    file.write_text('# mine\n[profiles.a]   # first\nprovider = "zai"\n', encoding="utf-8")
    assert run("import work --yes --store p.toml").status == 0
    text = file.read_text(encoding="utf-8")
    assert text.startswith('# mine\n[profiles.a]   # first\nprovider = "zai"\n\n[profiles.work]\n')


def test_defaults_that_change_the_profile_are_told(run: Run, home: Path) -> None:
    settle(home)
    file = home / "p.toml"
    file.write_text('[defaults.env]\nFOO = "1"\n', encoding="utf-8")
    assert "[defaults]" in run("import work --store p.toml").err


WRONG = {
    "import": 2,
    "import a/b --yes": 2,
    "import .. --yes": 2,
    "import x --all --from-ccs": 2,
    "import --all": 2,
    "import x --provider-name y": 2,
    "import x --from-files --from-shell": 2,
    "import x --keyring --token-file y": 2,
    "import --all --from-ccs --token-file y": 2,
    "import x --from-text ''": 2,
    "import x --from-text nowhere.md": 66,
    "import x --from-cc-switch nowhere": 66,
    "import x --from-ccs": 66,
    "import x --settings nowhere.json": 66,
    "import x --yes": 78,
    "import x --from-shell": 78,
}


@pytest.mark.parametrize(("line", "status"), WRONG.items(), ids=WRONG)
def test_a_wrong_call_is_refused(run: Run, home: Path, line: str, status: int) -> None:
    before = tree(home)
    told = run(line)
    assert (told.status, told.out) == (status, "")
    assert tree(home) == before
    assert run(f"{line} --json").json["exit_code"] == status


# ---- what Claude Code uses now


def test_a_project_does_not_get_my_token_by_yes(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(home, {"env": {AUTH: TOKEN}})
    for name in ("settings.json", "settings.local.json"):
        (home / "p/.claude").mkdir(parents=True, exist_ok=True)
        (home / "p/.claude" / name).write_text(json.dumps({"env": {URL: "https://other.example"}}))
        before = tree(home)
        for options in (
            "--yes",
            "--yes --json",
            "--yes --quiet",
            "--yes --token-file k",
            "--yes --from-files",
        ):
            told = run(f"import w --project p {options}")
            assert told.status == 77, options
            assert "--settings FILE" in told.err + told.out
            assert tree(home) == before
        warnings = run("import w --project p --json --yes --dry-run").json["warnings"]
        messages = {warning["name"]: warning["message"] for warning in warnings}
        assert f"{home}/p/.claude/{name}:1" in messages["endpoint-of-other-file"]
        told = run("import w --project p")  # shown, with the warning
        assert (told.status, "+ base_url" in told.out, "of a project" in told.err) == (0, True, True)
        told = run("import w --project p", "n\n", on_terminal=True)
        assert told.err.index("of a project") < told.err.index("Add it?")
        assert tree(home) == before
        assert run(f"import w{len(name)} --settings p/.claude/{name} --yes").status == 0
        (home / "p/.claude" / name).unlink()
    monkeypatch.setenv(AUTH, OTHER)
    (home / ".claude/settings.json").unlink()
    (home / "p/.claude/settings.json").write_text(json.dumps({"env": {URL: "https://other.example"}}))
    assert run("import w --project p --yes").status == 77
    assert run("import w --project p --yes --from-files").status == 0


def test_a_person_who_has_read_the_warning_may_agree(run: Run, home: Path) -> None:
    settle(home, {"env": {AUTH: TOKEN}})
    (home / "p/.claude").mkdir(parents=True)
    (home / "p/.claude/settings.json").write_text(json.dumps({"env": {URL: CN}}))
    assert run("import w --project p", "y\n", on_terminal=True).status == 0
    assert list(store(home)) == ["w"]


def test_two_accounts_at_one_provider(run: Run, home: Path) -> None:
    settle(home)
    assert run("import work --yes").err == ""
    settle(home, {"env": {**SETTINGS["env"], AUTH: OTHER}})  # type: ignore[dict-item]
    told = run("import private", "y\n", on_terminal=True)
    assert told.status == 0
    warning = "MOONSHOT_API_KEY is the variable of profile work; PRIVATE_API_KEY is used instead"
    assert 0 <= told.err.index(warning) < told.err.index("Add it?")
    references = [table["auth"]["token"] for table in store(home).values()]
    assert references == [{"env": "MOONSHOT_API_KEY"}, {"env": "PRIVATE_API_KEY"}]
    assert "export PRIVATE_API_KEY=" in told.out


def test_a_helper_that_prints_the_token_leaves_none_behind(run: Run, home: Path) -> None:
    literal = "0123456789abcdef0123456789abcdef.AbCdEfGh12345678"
    settle(home, {"env": {URL: CN}, "apiKeyHelper": f"echo {literal}"})
    told = run("import w --yes --with-settings")
    assert (told.status, literal in told.out + told.err) == (0, False)
    assert store(home)["w"]["auth"] == {"token": {"env": "MOONSHOT_API_KEY"}}
    assert "the token is in ~/.claude/settings.json:" in told.out
    assert run("import v --yes --token-file kept").status == 0
    assert (home / "kept").read_text() == f"{literal}\n"


def test_each_value_comes_from_the_layer_that_wins(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(home)
    (home / "p/.claude").mkdir(parents=True)
    (home / "p/.claude/settings.local.json").write_text('{"env": {"ANTHROPIC_MODEL": "kimi-k2.6"}}')
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://api.z.ai/api/anthropic")
    monkeypatch.setenv("ANTHROPIC_DEFAULT_HAIKU_MODEL", "kimi-k2.7-code-highspeed")
    sources = {entry["key"]: entry["source"] for entry in run("import w --json --project p").json["taken"]}
    assert sources["provider"] == f"{home}/.claude/settings.json:3"
    assert sources["models.default"] == f"{home}/p/.claude/settings.local.json:1"
    assert sources["models.haiku"] == "the environment"
    answer = run("import w --json --project p --from-files").json
    assert "haiku" not in answer["table"]["models"]
    assert run("import w --json --project p --from-shell").json["table"]["provider"] == "zai"


def test_a_settings_file_that_is_named_counts_alone(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_MODEL", "other")
    settle(home, {"env": {"ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic"}})
    (home / "mine.json").write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": CN}}))
    assert run("import w --json --settings mine.json").json["table"]["provider"] == "moonshot-cn"
    assert "models" not in run("import w --json --settings mine.json").json["table"]


def test_another_home_has_nothing_of_our_environment(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", CN)
    (home / "other/.claude").mkdir(parents=True)
    assert run("import w --home other").status == 78
    assert run("import w --home other --from-shell").status == 78
    assert run("import w").status == 0


def test_what_we_wrote_is_nobodys_configuration(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(home)
    run("import mine --yes")
    monkeypatch.setenv("MOONSHOT_API_KEY", OTHER)
    assert run("apply mine").status == 0
    told = run("import again --yes --from-files")
    assert told.status == 78
    assert "profile mine" in told.err
    assert "unapply" in told.err
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://api.z.ai/api/anthropic")
    answer = run("import again --json").json
    assert answer["table"]["provider"] == "zai"
    reasons = {left["name"]: left["reason"] for left in answer["left_out"]}
    assert "profile mine" in reasons["ANTHROPIC_BASE_URL"]
    assert "profile mine" in reasons["ANTHROPIC_AUTH_TOKEN"]
    assert answer["table"]["models"] == {"default": "kimi-k3"}  # said before us, and never ours
    settings = json.loads((home / ".claude/settings.json").read_text())
    settings["env"]["ANTHROPIC_BASE_URL"] = "https://changed.example"
    settle(home, settings)
    assert run("import again --json --from-files").json["table"]["base_url"] == "https://changed.example"


def test_the_way_there_and_back(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an applied profile left in a file, imported elsewhere: a plan for it changes no endpoint."""
    monkeypatch.setenv("MOONSHOT_API_KEY", TOKEN)
    (home / "p.toml").write_text('[profiles.p]\nprovider = "moonshot-cn"\nmodels.default = "kimi-k3"\n')
    (home / "one/.claude").mkdir(parents=True)
    (home / "two/.claude").mkdir(parents=True)
    assert run("apply p --store p.toml --home one").status == 0
    data = (home / "one/.claude/settings.json").read_bytes()
    (home / "two/.claude/settings.json").write_bytes(data)
    assert run("import q --store p.toml --home two --yes").status == 0
    plan = run("plan q --store p.toml --home two --json").json
    changes = {change["pointer"] for target in plan["targets"] for change in target["changes"]}
    assert changes == {"/hasCompletedOnboarding"}


def test_a_file_that_claude_code_ignores_says_nothing(run: Run, home: Path) -> None:
    settle(home, '{"env": {"ANTHROPIC_BASE_URL": "https://x.example"}')
    told = run("import w --from-files")
    assert told.status == 78


# ---- start-up files

START_UP = {
    ".bashrc": ("/bin/bash", f"export {URL}=\"{CN}\"\nexport {AUTH}='{TOKEN}'\n", ":1"),
    ".zshrc": ("/usr/bin/zsh", f"# no\nexport ANTHROPIC_BASE_URL={CN} ANTHROPIC_AUTH_TOKEN={TOKEN}\n", ":2"),
    ".config/fish/config.fish": ("/bin/fish", f"set -gx {URL} '{CN}'\nset -gx {AUTH} {TOKEN}\n", ":1"),
    ".tcshrc": ("/bin/tcsh", f'setenv {URL} "{CN}"\nsetenv {AUTH} {TOKEN}\n', ":1"),
    ".config/powershell/profile.ps1": ("", f'$env:{URL} = "{CN}"\n$env:{AUTH}="{TOKEN}"\n', ":1"),
    ".pam_environment": ("", f"ANTHROPIC_BASE_URL={CN}\nANTHROPIC_AUTH_TOKEN={TOKEN}\n", ":1"),
}  # fmt: skip


@pytest.mark.parametrize("name", START_UP)
def test_a_start_up_file(run: Run, home: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shell, text, place = START_UP[name]
    monkeypatch.setenv("SHELL", shell)
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(text)
    before = tree(home)
    answer = run("import w --from-shell --json").json
    assert answer["table"] == {"provider": "moonshot-cn", "auth": {"token": {"env": "MOONSHOT_API_KEY"}}}
    assert answer["taken"][0] == {"key": "provider", "source": f"{home / name}{place}"}
    assert answer["token"]["secret"] is True
    assert tree(home) == before


def test_start_up_files_of_two_shells_are_not_mixed(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/bin/zsh")
    (home / ".bashrc").write_text(
        f"export ANTHROPIC_BASE_URL=https://b.example ANTHROPIC_AUTH_TOKEN={OTHER}\n"
    )
    (home / ".zshrc").write_text(f"export ANTHROPIC_BASE_URL={CN}\nexport ANTHROPIC_MODEL=$(pick)\n")
    answer = run("import w --from-shell --json").json
    assert (answer["table"]["provider"], answer["token"]) == ("moonshot-cn", None)
    assert [left["name"] for left in answer["left_out"]] == ["ANTHROPIC_MODEL"]


# ---- texts

GUIDE = f"""\
# Kimi 사용하기
```bash
$ export ANTHROPIC_BASE_URL={CN}
$ export ANTHROPIC_AUTH_TOKEN=${{YOUR_MOONSHOT_API_KEY}}
$ export ANTHROPIC_MODEL=kimi-k2-thinking-turbo
$ claude
```
"""


def test_a_guide(run: Run, home: Path) -> None:
    told = run("import w --from-text --yes", GUIDE)
    assert told.status == 0
    assert store(home)["w"]["models"] == {"default": "kimi-k2-thinking-turbo"}
    assert "retired" in told.err
    (home / "guide.md").write_text(GUIDE, encoding="utf-16")
    assert run("import w2 --from-text guide.md --yes").status == 0
    assert store(home)["w2"] == store(home)["w"]


def test_where_the_token_of_a_text_is(run: Run, home: Path) -> None:
    text = f"\nexport {URL}={CN} {AUTH}={TOKEN}\n"
    assert "the token is in what you pasted\n" in run("import w --from-text --yes", text).out
    (home / "guide.md").write_text(text.replace(TOKEN, OTHER))
    told = run("import v --from-text guide.md --yes")
    assert "the token is in guide.md:2\n" in told.out


def test_on_a_terminal_the_text_is_pasted(run: Run, home: Path) -> None:
    told = run("import w --from-text", GUIDE, on_terminal=True)
    assert "Ctrl-" in told.err
    assert not (home / ".config/kimi-profiles").exists()  # the end of the text is no yes


def test_a_snippet_that_is_not_json_says_where(run: Run) -> None:
    told = run("import w --from-text", '{\n  "env": {\n    "ANTHROPIC_AUTH_TOKEN": $YOUR_KEY\n  }\n}\n')
    assert told.status == 78
    assert "standard input:3:29: expected a value" in told.err
    assert "quotation marks" in told.err


@pytest.mark.parametrize("data", [b"\xff\x00", b"\xff\xfe\x00\xd8", b"\x80" * 10, b"x" * (1 << 20) + b"x"])
def test_what_is_no_text_is_refused(run: Run, home: Path, data: bytes) -> None:
    before = tree(home)
    assert run("import w --from-text --yes", data).status == 78
    assert tree(home) == before


def test_a_pipe_and_a_folder_are_no_text(run: Run, home: Path) -> None:
    assert run("import w --from-text .claude").status == 77
    if hasattr(os, "mkfifo"):
        os.mkfifo(home / "pipe")
        assert run("import w --from-text pipe").status == 77


# ---- other tools


def cc_switch(home: Path, *names: str, **envs: dict[str, str]) -> None:
    (home / ".cc-switch").mkdir(exist_ok=True)
    connection = sqlite3.connect(home / ".cc-switch/cc-switch.db")
    connection.execute(
        "CREATE TABLE providers (id TEXT, app_type TEXT, name TEXT, settings_config TEXT, meta TEXT,"
        " created_at INTEGER, sort_index INTEGER, is_current BOOLEAN)"
    )
    for number, name in enumerate(names):
        env = envs.get(f"e{number}", {"ANTHROPIC_BASE_URL": CN, "ANTHROPIC_AUTH_TOKEN": TOKEN})
        row = (
            str(number),
            "claude",
            name,
            json.dumps({"env": env, "hooks": {}}),
            "{}",
            0,
            number,
            number == 0,
        )
        connection.execute("INSERT INTO providers VALUES (?,?,?,?,?,?,?,?)", row)
    connection.commit()
    connection.close()


def test_one_of_several_providers(run: Run, home: Path) -> None:
    cc_switch(home, "Kimi 国内", "Other\x1b[31m\n", "Kimi 国内")
    before = tree(home)
    told = run("import w --from-cc-switch --yes")
    assert told.status == 2
    assert "1 Kimi 国内" in told.err
    assert "2 Other" in told.err
    assert "\x1b" not in told.err
    assert run("import w --from-cc-switch --yes --provider-name nobody").status == 2
    assert run("import w --from-cc-switch --yes --provider-name 4").status == 2
    assert "several" in run("import w --from-cc-switch --yes --provider-name 'kimi 国内'").err
    assert tree(home) == before
    assert run("import w --from-cc-switch --yes --provider-name 3").status == 0
    assert run("import v --from-cc-switch", "2\ny\n", on_terminal=True).status == 0
    assert list(store(home)) == ["w", "v"]
    assert sorted(path.name for path in (home / ".cc-switch").iterdir()) == ["cc-switch.db"]


def test_all_of_them(run: Run, home: Path) -> None:
    cc_switch(
        home, "Work", "Work", "Official", "Private",
        e1={"ANTHROPIC_BASE_URL": CN, "ANTHROPIC_AUTH_TOKEN": OTHER},
        e2={},
        e3={"ANTHROPIC_BASE_URL": CN, "ANTHROPIC_AUTH_TOKEN": TOKEN},
    )  # fmt: skip
    answer = run("import --all --from-cc-switch --yes --json").json
    assert [one["profile"] for one in answer["profiles"]] == ["work", "work-2", "private"]
    assert [one["name"] for one in answer["skipped"]] == ["Official"]
    references = {name: table["auth"]["token"]["env"] for name, table in store(home).items()}
    # Two tokens in one variable would send one of them to the wrong account.
    assert references == {
        "work": "MOONSHOT_API_KEY",
        "work-2": "WORK_2_API_KEY",
        "private": "MOONSHOT_API_KEY",
    }
    assert run("import --all --from-cc-switch --yes").status == 0
    assert list(store(home))[3:] == ["work-3", "work-4", "private-2"]


def test_nothing_in_the_tool_can_be_used(run: Run, home: Path) -> None:
    cc_switch(home, "Official", e0={})
    assert run("import --all --from-cc-switch --yes").status == 78
    assert "no endpoint" in run("import w --from-cc-switch --yes").err


def test_the_profiles_of_ccs(run: Run, home: Path) -> None:
    (home / ".ccs").mkdir()
    (home / ".ccs/km.settings.json").write_text(json.dumps(SETTINGS))
    (home / ".ccs/glm.settings.json").write_text(
        json.dumps(
            {
                "env": {
                    "ANTHROPIC_BASE_URL": "https://api.z.ai/api/anthropic",
                    "ANTHROPIC_AUTH_TOKEN": "YOUR_GLM_API_KEY_HERE",
                }
            }
        )
    )
    (home / ".ccs/config.yaml").write_text(
        "profiles:\n  km:\n    type: api\n    settings: ~/.ccs/km.settings.json\n"
    )
    assert run("import w --from-ccs --provider-name km --yes").status == 0
    assert store(home)["w"] == MADE
    answer = run("import --all --from-ccs .ccs --json").json
    assert [one["profile"] for one in answer["profiles"]] == ["km", "glm"]
    assert answer["profiles"][1]["token"] is None


def test_a_hostile_list_leads_nowhere(run: Run, home: Path) -> None:
    (home / ".ccs").mkdir()
    (home / "outside.json").write_text(json.dumps({"secret": TOKEN}))
    (home / ".ccs/loop.settings.json").symlink_to("loop.settings.json")
    (home / ".ccs/config.yaml").write_text(
        "profiles:\n  a:\n    settings: ../outside.json\n  b:\n    settings: /dev/zero\n"
        '  c:\n    settings: "\\0"\n'
    )
    answer = run("import --all --from-ccs --json")
    assert answer.status == 78


# ---- where the token goes


def test_a_token_in_a_file_of_its_own(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(home)
    told = run("import work --yes --token-file .secrets/kimi")
    assert told.status == 0
    assert "export" not in told.out
    file = home / ".secrets/kimi"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (f"{TOKEN}\n", 0o600)
    assert store(home)["work"]["auth"] == {"token": {"file": "~/.secrets/kimi"}}
    monkeypatch.delenv("MOONSHOT_API_KEY", raising=False)
    assert run("plan work").status == 0
    before = tree(home)
    assert run("import other --yes --token-file .secrets/kimi").status == 2
    assert tree(home) == before


def test_a_token_file_is_never_written_through_a_link(run: Run, home: Path) -> None:
    settle(home)
    (home / "link").symlink_to("elsewhere")
    (home / "there").write_text("mine")
    (home / "full").symlink_to("there")
    before = tree(home)
    for name in ("link", "full"):
        assert run(f"import work --yes --token-file {name}").status in {2, 77}
    assert tree(home) == before


def test_a_token_does_not_stay_behind_without_its_profile(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(home)

    def full(*_: object, **__: object) -> None:
        raise LockTimeoutError("somebody else is at it")

    monkeypatch.setattr("kimi_profiles.editing.file.edit_store", full)
    assert run("import work --yes --token-file kept").status == 75
    assert not (home / "kept").exists()


@pytest.mark.parametrize("option", ["--token-file", "--keyring"])
@pytest.mark.parametrize("name", ["a\x1bb", "sk-test-another-0123456789", ""])
def test_a_place_that_no_profile_can_name_gets_no_token(run: Run, home: Path, option: str, name: str) -> None:
    settle(home)
    before = tree(home)
    told = run(f"import work --yes {option} {shlex.quote(name)}")
    assert told.status in {2, 78}
    assert "keyring cannot" not in told.err
    assert "no keyring" not in told.err
    assert tree(home) == before


def test_without_a_token_there_is_nothing_to_keep(run: Run, home: Path) -> None:
    settle(home, {"env": {"ANTHROPIC_BASE_URL": CN, "ANTHROPIC_AUTH_TOKEN": "YOUR_KEY"}})
    assert run("import work --yes --token-file k").status == 2
    assert run("import work --yes --keyring").status == 2


def test_without_a_keyring_nothing_is_added(run: Run, home: Path) -> None:
    settle(home)
    before = tree(home)
    told = run("import work --yes --keyring")
    assert told.status == 78
    assert "keyring" in told.err
    assert tree(home) == before


@pytest.mark.once
def test_a_token_in_a_real_keyring(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    settle(home)
    code = f"""
import keyring, sys
from kimi_profiles.cli import main
assert main(["import", "work", "--keyring", "my service", "--yes"]) == 0
assert keyring.get_password("my service", "work") == {TOKEN!r}
assert main(["import", "again", "--keyring", "my service", "--yes", "--json"]) == 0
keyring.set_password("my service", "third", "another")
assert main(["import", "third", "--keyring", "my service", "--yes"]) == 78
assert keyring.get_password("my service", "third") == "another"
assert main(["plan", "work", "--json"]) == 0
"""
    ran = run_with_secret_service(code, home)
    assert (ran.returncode, TOKEN in ran.stdout + ran.stderr) == (0, False), ran.stderr
    assert store(home)["work"]["auth"] == {"token": {"keyring": "my service", "username": "work"}}
    assert list(store(home)) == ["work", "again"]


# ---- hostile


def test_names_and_values_steer_no_terminal(run: Run, home: Path) -> None:
    nasty = "\x1b]0;x\x07\u202e\n"
    settle(
        home,
        {
            "env": {"ANTHROPIC_BASE_URL": CN, f"A{nasty}": "1", "ANTHROPIC_MODEL": f"m{nasty}"},
            f"k{nasty}{TOKEN}": 1,
        },
    )
    told = run("import w")
    assert told.status == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(told.out + told.err)
    assert run("import w --json").status == 0
    assert run("import w --with-settings --yes").status == 0


def test_half_characters_are_left_out(run: Run, home: Path) -> None:
    text = json.dumps({"env": {URL: CN, "API_TIMEOUT_MS": "6\ud800"}, "hooks": {"a\ud800": 1}, "k\ud800": 1})
    settle(home, text)
    assert run("import w --with-settings --yes --json").status == 0
    assert set(store(home)["w"]) == {"provider", "auth"}


def test_a_huge_file_is_refused_or_read_quickly(run: Run, home: Path) -> None:
    settle(home, {"env": {"ANTHROPIC_BASE_URL": CN, **{f"V{number}": "x" for number in range(20_000)}}})
    start = time.process_time()
    assert run("import w --json").status == 0
    assert run("import w --from-text --json", (home / ".claude/settings.json").read_bytes()).status == 0
    assert time.process_time() - start < 8
    (home / "big.md").write_bytes(b"x" * (2 << 20))
    assert run("import w --from-text big.md").status == 77


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_paths_that_are_no_text(run: Run, home: Path) -> None:
    name = os.fsdecode(b"gu\xffide.md")
    (home / name).write_text(f"export ANTHROPIC_BASE_URL={CN} ANTHROPIC_AUTH_TOKEN={TOKEN}\n")
    assert run(f"import w --from-text {shlex.quote(name)} --json --yes").status == 0
    assert (
        run(f"import v --from-text {shlex.quote(name)} --yes --token-file {shlex.quote(name)}2").status == 2
    )
