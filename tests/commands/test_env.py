"""`env`: a profile as variables."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING

import pytest
from commands.conftest import TOKEN, Run, Told, tree

from kimi_profiles.cli import main
from kimi_profiles.shells import SHELLS, fish_quote, posix_quote

if TYPE_CHECKING:
    from pathlib import Path

INTERACTIVE = ("sh", "bash", "zsh", "fish")


@pytest.fixture
def env(home: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run ``env`` on ``home``; standard error never has the token, and nothing is written."""
    monkeypatch.setenv("WORK_KEY", TOKEN)
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.delenv("PSModulePath", raising=False)
    monkeypatch.chdir(home)

    def told(line: str) -> Told:
        before = tree(home)
        status = main(
            ["env", "--home", str(home), "--store", str(home / "profiles.toml"), *shlex.split(line)]
        )
        out, err = (data.decode() for data in capfdbinary.readouterr())
        assert tree(home) == before
        assert TOKEN not in err
        assert "Traceback" not in err
        return Told(status, out, err)

    return told


def append(home: Path, text: str) -> None:
    store = home / "profiles.toml"
    store.write_text(f"{store.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")


def settings(home: Path, data: object) -> None:
    (home / ".claude" / "settings.json").write_text(json.dumps(data))


def test_the_variables_for_the_shell_it_is_started_from(env: Run) -> None:
    told = env("work")
    lines = told.out.splitlines()
    assert (told.status, told.err) == (0, "")
    assert "export ANTHROPIC_BASE_URL='https://api.moonshot.cn/anthropic'" in lines
    assert f"export ANTHROPIC_AUTH_TOKEN='{TOKEN}'" in lines
    assert "export API_TIMEOUT_MS='600000'" in lines
    assert lines[0].startswith("unset -v ")
    assert {"ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_UNIX_SOCKET"} < set(lines[0].split())


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_told_the_same(env: Run, shell: str) -> None:
    mapping = json.loads(env("work --shell json").out)
    told = env(f"work --shell {shell}")
    assert told.status == 0
    assert mapping["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    for name, value in mapping.items():
        assert name in told.out
        assert value is None or value in told.out


@pytest.mark.parametrize("shell", SHELLS)
def test_the_way_back_needs_no_token(env: Run, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORK_KEY")
    told = env(f"work --unset --shell {shell}")
    assert (told.status, told.err) == (0, "")
    assert shell == "vscode" or ("ANTHROPIC_BASE_URL" in told.out and "API_TIMEOUT_MS" in told.out)
    assert "ANTHROPIC_API_KEY" not in told.out
    assert "moonshot" not in told.out


def test_json_is_masked(env: Run) -> None:
    for line in ("work --json", "work --json --shell json", "--json work --by-reference", "work --json -q"):
        told = env(line)
        assert TOKEN not in told.out
        assert (told.json["schema"], told.json["ok"], told.json["command"]) == (1, True, "env")
        assert told.json["profile"] == "work"
        assert told.json["variables"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.cn/anthropic"
        assert told.json["variables"]["ANTHROPIC_API_KEY"] is None
    masked = env("work --json").json["variables"]["ANTHROPIC_AUTH_TOKEN"]
    assert (masked["secret"], len(masked["fingerprint"])) == (True, 8)
    reference = env("work --json --by-reference").json["variables"]["ANTHROPIC_AUTH_TOKEN"]
    assert reference == {"reference": "env WORK_KEY"}
    assert env("work --json --unset").json["variables"]["ANTHROPIC_AUTH_TOKEN"] is None
    assert env("work --json --snippet").json["snippet"].startswith("# Profile work.")


def test_other_secrets_of_the_profile_are_masked_too(env: Run, home: Path) -> None:
    append(home, "[profiles.work.env]\nOTHER_PASSWORD = 'hunter2'\n")
    assert "hunter2" in env("work").out
    for line in ("work --json", "work --json --by-reference"):
        assert "hunter2" not in env(line).out


def test_quiet_is_about_warnings_only(env: Run, home: Path) -> None:
    settings(home, {"env": {"ANTHROPIC_BASE_URL": "https://elsewhere.example"}})
    told = env("work --quiet")
    assert (TOKEN in told.out, told.err) == (True, "")


@pytest.mark.parametrize(
    ("line", "status", "message"),
    {
        "no such profile": ("nothing", 66, "no profile"),
        "no such shell": ("work --shell ksh", 2, "ksh"),
        "two ways at once": ("work --unset --snippet", 2, "not allowed"),
        "no snippet for it": ("work --snippet --shell cmd", 2, "no such code for cmd"),
        "no reference for it": ("work --by-reference --shell json", 2, "no such code for json"),
        "kept alone": ("work --kept-in /x", 2, "--by-reference"),
    }.values(),
)
def test_what_does_not_exist(env: Run, line: str, status: int, message: str) -> None:
    told = env(line)
    assert (told.status, told.out) == (status, "")
    assert message in told.err
    answer = env(f"{line} --json")
    assert (answer.status, answer.json["ok"]) == (status, False)


def test_without_a_token_there_is_no_base_url(env: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "two words", "sk-kimi-0123456789abcdef", "sk-ant-0123456789abcdef"):
        monkeypatch.setenv("WORK_KEY", value)
        for shell in SHELLS:
            told = env(f"work --shell {shell}")
            assert (told.status, told.out) == (78, "")


def test_a_token_of_another_provider_is_refused_by_reference_too(
    env: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORK_KEY", "sk-kimi-0123456789abcdef")
    assert env("work --by-reference").status == 78
    monkeypatch.delenv("WORK_KEY")  # it may be there when the shell starts
    assert env("work --by-reference").status == 0


@pytest.mark.parametrize(
    ("shell", "value"), [("cmd", "%PATH%"), ("setx", "/M"), ("dotenv", "a b"), ("powershell", "")]
)
def test_what_cannot_be_said_is_refused_as_a_whole(env: Run, home: Path, shell: str, value: str) -> None:
    append(home, f"[profiles.work.env]\nODD = '{value}'\n")
    told = env(f"work --shell {shell}")
    assert (told.status, told.out) == (78, "")
    assert told.err.startswith(f"kimi-profiles: ODD cannot be said to {shell}: ")


def test_text_is_utf_8_whatever_the_terminal_speaks(
    env: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(home, '[profiles.work.env]\nODD = "é漢\\r\\n"\n')
    with open(os.dup(1), "w", encoding="ascii") as stream:  # noqa: PTH123
        monkeypatch.setattr("sys.stdout", stream)
        told = env("work")
        monkeypatch.undo()
    assert "export ODD='é漢\r\n'\n" in told.out


WARNINGS: dict[str, tuple[object, str, str]] = {
    "another endpoint": (
        {"env": {"ANTHROPIC_BASE_URL": "https://elsewhere.example"}},
        "hidden",
        "ANTHROPIC_BASE_URL has no effect here: user settings say otherwise",
    ),
    "a key that would ride along": (
        {"env": {"ANTHROPIC_API_KEY": "sk-test-of-somebody-else"}},
        "hidden",
        "ANTHROPIC_API_KEY has no effect here",
    ),
    "another model": ({"env": {"ANTHROPIC_MODEL": "m"}}, "hidden", "ANTHROPIC_MODEL has no effect here"),
    "a helper": ({"apiKeyHelper": "echo x"}, "second-credential", "apiKeyHelper in"),
}


@pytest.mark.parametrize(("data", "name", "message"), WARNINGS.values(), ids=WARNINGS)
def test_a_settings_file_that_says_otherwise_is_told(
    env: Run, home: Path, data: object, name: str, message: str
) -> None:
    settings(home, data)
    for line in ("work", "work --by-reference"):
        told = env(line)
        assert told.status == 0
        assert message in told.err
        assert "sk-test-of-somebody-else" not in told.err
        assert name in {warning["name"] for warning in env(f"{line} --json").json["warnings"]}


def test_a_settings_file_that_says_the_same_is_not_told(env: Run, home: Path) -> None:
    settings(
        home, {"env": {"ANTHROPIC_BASE_URL": "https://api.moonshot.cn/anthropic", "ANTHROPIC_API_KEY": ""}}
    )
    assert env("work").err == ""


@pytest.mark.parametrize("way", ["", "--by-reference"])
def test_the_same_profile_applied_is_no_reason_to_warn(env: Run, home: Path, way: str) -> None:
    common = ["--home", str(home), "--store", str(home / "profiles.toml"), "--quiet"]
    assert main([*common, "apply", "work"]) == 0
    assert env(f"work {way}").err == ""
    assert "ANTHROPIC_BASE_URL and " in env(f"home {way}").err


@pytest.mark.parametrize("text", ["{", "[]", "\0", '{"env": 3}'])
def test_a_broken_settings_file_stops_nothing(env: Run, home: Path, text: str) -> None:
    for path in (home / ".claude" / "settings.json", home / ".claude.json"):
        path.write_text(text)
    assert env("work").status == 0


def test_a_console_login_that_is_sent_too_is_told(env: Run, home: Path) -> None:
    (home / ".claude.json").write_text('{"primaryApiKey": "sk-test-console-login"}')
    told = env("work")
    assert "primaryApiKey in " in told.err
    assert "sk-test-console-login" not in told.err


def test_settings_are_left_out_and_that_is_told(env: Run, home: Path) -> None:
    append(home, '[profiles.work.settings]\ntheme = "light"\n')
    told = env("work")
    assert "theme" not in told.out
    assert "is not in the environment" in told.err


@pytest.mark.parametrize("shell", ["setx", "vscode"])
def test_where_the_token_is_kept_is_told(env: Run, shell: str) -> None:
    assert "token" in env(f"work --shell {shell}").err


@pytest.mark.parametrize("shell", INTERACTIVE)
def test_by_reference_has_no_token(env: Run, home: Path, shell: str) -> None:
    key = home / "key"
    key.write_text(TOKEN)
    append(home, f'[profiles.filed]\nextends = "work"\nauth.token = {{ file = {json.dumps(str(key))} }}\n')
    append(home, '[profiles.asked]\nextends = "work"\nauth.token = { command = ["op", "it\'s"] }\n')
    append(home, '[profiles.ringed]\nextends = "work"\nauth.token = { keyring = "s" }\n')
    for name in ("work", "home", "filed", "asked", "ringed", "ollama"):
        for way in ("--by-reference", "--snippet"):
            told = env(f"{name} {way} --shell {shell}")
            assert told.status == 0
            assert TOKEN not in told.out
            assert "ANTHROPIC_BASE_URL" in told.out or way == "--snippet"


def test_a_reference_to_what_must_not_be_set_is_refused(env: Run, home: Path) -> None:
    append(home, '[profiles.odd]\nextends = "work"\nauth.token = { env = "ANTHROPIC_API_KEY" }\n')
    told = env("odd --by-reference")
    assert (told.status, told.out) == (78, "")
    assert "ANTHROPIC_API_KEY holds the token" in told.err


def test_a_profile_without_a_token_is_refused(env: Run, home: Path) -> None:
    append(home, '[profiles.bare]\nbase_url = "https://x.example"\n')
    for way in ("", "--by-reference", "--snippet"):
        assert env(f"bare {way}").status == 78
    assert env("bare --unset").status == 0


@pytest.mark.parametrize("shell", INTERACTIVE)
def test_a_hostile_path_stays_one_word_and_is_told_on_one_line(env: Run, home: Path, shell: str) -> None:
    folder = home / "it's\n$(id)\x1b[31m"
    folder.mkdir()
    (folder / "profiles.toml").write_text(
        '[profiles.work]\nprovider = "moonshot-cn"\nauth.token = { file = "key" }\n'
    )
    quote = fish_quote if shell == "fish" else posix_quote
    options = ["--store", str(folder / "profiles.toml"), "--kept-in", str(folder / "kept"), "--shell", shell]
    told = env(shlex.join(["work", "--by-reference", *options]))
    assert told.status == 0
    for path in (folder / "key", folder / "profiles.toml"):
        assert quote(str(path)) in told.out
    (message,) = (line for line in told.out.splitlines() if "gives no token" in line)
    assert "\\x1b[31m/key" in message
    assert "\x1b" not in message


def test_the_snippet_goes_by_the_options_it_was_made_with(env: Run, home: Path) -> None:
    text = env("work --snippet --shell zsh").out
    assert f"'--store' '{home / 'profiles.toml'}' '--home' '{home}'" in text
    others = {env(f"work --snippet --shell {shell}").out.split("/env/")[1][:20] for shell in INTERACTIVE}
    assert len(others) == len(INTERACTIVE)
