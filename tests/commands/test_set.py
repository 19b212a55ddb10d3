"""``set`` and ``unset``: what is in the file after them, and what they say."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from commands.conftest import STORE, TOKEN, Run, tree

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(home: Path) -> Path:
    return home / "profiles.toml"


def profiles(store: Path) -> dict[str, Any]:
    return tomllib.loads(store.read_text())["profiles"]


def test_set_changes_one_line_and_says_so(run: Run, store: Path) -> None:
    told = run("set work models.haiku kimi-k3")
    assert (told.status, told.err) == (0, "")
    assert told.out.startswith('work  models.haiku = "kimi-k3"  ')
    line = 'auth.token = { env = "WORK_KEY" }\n'
    assert store.read_text() == STORE.replace(line, line + 'models.haiku = "kimi-k3"\n')
    assert run("show work --json").json["values"]["models.haiku"]["value"] == "kimi-k3"
    assert run("unset work models.haiku").out.startswith("work  models.haiku is gone")
    assert store.read_text() == STORE


def test_set_answers_scripts(run: Run, store: Path) -> None:
    facts = {"schema": 1, "ok": True, "profile": "work", "path": str(store), "dry_run": False, "warnings": []}
    assert run("set work pin_model false --json").json == {**facts, "command": "set", "changed": True}
    assert run("set work pin_model false --json").json == {**facts, "command": "set", "changed": False}
    assert run("set work pin_model false").out == "nothing to do\n"
    assert run("unset work pin_model --json").json == {**facts, "command": "unset", "changed": True}
    assert run("set work pin_model false --quiet").out == ""


DRY = [
    "set work models.haiku kimi-k3",
    "set work models.haiku kimi-k3 --json",
    "set zai models.default x",
    "unset work description",
    "copy work new",
    "rename work new",
    "remove home",
    "add new --provider zai",
    "init",
]


@pytest.mark.parametrize("line", DRY)
@pytest.mark.parametrize("is_applied", [False, True], ids=["nothing applied", "applied"])
def test_a_dry_run_writes_nothing(run: Run, home: Path, line: str, *, is_applied: bool) -> None:
    if is_applied:
        run("apply work -q")
    before = tree(home)
    told = run(f"{line} --dry-run")
    assert told.status == 0
    assert told.out
    assert tree(home) == before


def test_a_dry_run_shows_the_difference_without_secrets(run: Run, store: Path) -> None:
    run("set work env.MY_PASSWORD hunter2")
    told = run("set work env.OTHER x --dry-run")
    assert "hunter2" not in told.out
    assert '+env.OTHER = "x"' in told.out.splitlines()
    told = run("set work env.OTHER x --dry-run --json")
    assert '+env.OTHER = "x"' in told.json["diff"].splitlines()
    assert told.json["dry_run"] is True
    assert "hunter2" not in told.out
    assert "hunter2" in store.read_text()


def test_a_secret_that_is_set_is_not_shown(run: Run) -> None:
    told = run("set work env.MY_PASSWORD hunter2")
    assert "env.MY_PASSWORD = secret f52fbd32" in told.out
    assert "hunter2" not in told.out


def test_settings_take_toml(run: Run, store: Path) -> None:
    run("""set work settings.permissions.allow '["Bash(ls)"]'""")
    run("""set work 'settings."a.b"' true""")
    run("set work settings.model opus")
    assert profiles(store)["work"]["settings"] == {
        "permissions": {"allow": ["Bash(ls)"]},
        "a.b": True,
        "model": "opus",
    }
    run("unset work settings.permissions")
    assert profiles(store)["work"]["settings"] == {"a.b": True, "model": "opus"}


def test_another_kind_of_reference_replaces_the_one_there_is(run: Run, store: Path) -> None:
    run("set work auth.token.file ~/key")
    assert profiles(store)["work"]["auth"]["token"] == {"file": "~/key"}
    run("set work auth.token 'command=pass show key'")
    assert profiles(store)["work"]["auth"]["token"] == {"command": ["pass", "show", "key"]}
    run("set work auth.token.keyring kimi")
    run("set work auth.token.username me")
    assert profiles(store)["work"]["auth"]["token"] == {"keyring": "kimi", "username": "me"}
    run("unset work auth.token.keyring")
    assert "auth" not in profiles(store)["work"]


@pytest.mark.parametrize(
    "words", [f"auth.token {TOKEN}", f"auth.token.env {TOKEN}", f"env.X {TOKEN}", "auth.token abc.def"]
)
def test_a_token_is_refused_with_what_to_do_instead(run: Run, home: Path, words: str) -> None:
    """The fixture looks that the token is not repeated."""
    before = tree(home)
    told = run(f"set work {words}")
    assert told.status == 2
    assert "export WORK_KEY=…, and: kimi-profiles set work auth.token.env WORK_KEY" in told.err
    assert "abc.def" not in told.err
    assert tree(home) == before


def test_the_variable_for_a_token_is_guessed_where_nothing_names_one(run: Run) -> None:
    assert "set my.own auth.token.env MY_OWN_API_KEY" in run("set my.own auth.token abc").err
    assert "auth.token.env MOONSHOT_API_KEY" in run("set moonshot-cn auth.token abc").err


def test_a_provider_becomes_a_profile(run: Run, store: Path) -> None:
    told = run("set moonshot-cn models.default kimi-k3")
    assert told.status == 0
    assert store.read_text() == STORE + (
        '\n[profiles.moonshot-cn]\nprovider = "moonshot-cn"\nmodels.default = "kimi-k3"\n'
    )


def test_a_provider_becomes_a_profile_also_where_there_is_no_file(run: Run, store: Path) -> None:
    store.unlink()
    assert run("set zai env.A 1").status == 0
    assert profiles(store) == {"zai": {"provider": "zai", "env": {"A": "1"}}}
    assert store.read_text().startswith("# Profiles for Claude Code.")


def test_defaults_lie_under_every_profile(run: Run, store: Path) -> None:
    assert run("set defaults env.A 1").status == 0
    assert store.read_text() == STORE.replace("600000\n", '600000\nA = "1"\n')
    assert run("show home --json").json["values"]["env.A"] == {"value": "1", "origin": "defaults"}
    run("unset defaults env.A")
    assert store.read_text() == STORE


REFUSED = {
    "no such profile": ("set nobody models.haiku x", 66, "there is no profile 'nobody'"),
    "no such profile to take from": ("unset nobody models.haiku", 66, "there is no profile 'nobody'"),
    "a provider only": ("unset zai models.haiku", 66, "kimi-profiles add zai makes a profile of it"),
    "no such key": ("set work model.haiku x", 2, "did you mean models.haiku?"),
    "a key that is not there": ("unset work auth.tokens", 2, "did you mean auth.token?"),
    "no key": ("unset work 'a b'", 2, "'a b' is not a key"),
    "no value of its kind": ("set work context_tokens many", 2, "context_tokens takes a whole number"),
    "a value that is wrong": (
        "set work base_url https://x.example/v1",
        78,
        "this would be wrong: profiles.work.base_url: ",
    ),
    "a value that is wrong for an heir": ("set work provider nowhere", 78, "no provider 'nowhere'"),
    "a circle": ("set work extends home", 78, "profiles extend each other"),
    "defaults that are wrong": ("set defaults extends work", 78, "[defaults] lies under every profile"),
    "what belongs elsewhere": (
        "set work env.ANTHROPIC_BASE_URL https://x.example",
        78,
        "hint: set base_url",
    ),
    "what needs to be there": ("unset work provider", 78, "neither provider nor base_url"),
    "a lone surrogate": ("set work description \udcff", 2, "TOML is UTF-8"),
}


@pytest.mark.parametrize(("line", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_writes_nothing(run: Run, store: Path, line: str, status: int, message: str) -> None:
    before = store.stat().st_mtime_ns, store.read_bytes()
    told = run(line)
    assert told.status == status
    assert message in told.err
    assert (store.stat().st_mtime_ns, store.read_bytes()) == before


def test_a_fault_can_be_mended_by_set(run: Run, store: Path) -> None:
    store.write_text(STORE.replace("moonshot-cn", "nowhere"))
    assert run("set work description other").status == 0
    assert run("set work provider zai").status == 0
    assert run("validate").status == 0


def test_a_key_that_no_profile_has_can_be_taken_out(run: Run, store: Path) -> None:
    store.write_text(STORE + '"odd key" = 1\n')
    assert run("validate").status == 78
    assert run("""unset home '"odd key"'""").status == 0
    assert store.read_text() == STORE


def test_what_is_applied_has_to_be_applied_again(run: Run) -> None:
    run("apply work")
    told = run("set work models.haiku kimi-k3 --json")
    assert [warning["hint"] for warning in told.json["warnings"]] == ["kimi-profiles apply work"]
    assert run("set home models.haiku kimi-k3 --json").json["warnings"] == []
    assert "kimi-profiles apply work" in run("unset work models.haiku").err


def test_a_profile_of_another_file_is_not_the_applied_one(run: Run, home: Path) -> None:
    own = home / ".config" / "kimi-profiles" / "profiles.toml"
    own.parent.mkdir(parents=True)
    own.write_text(STORE)
    run("apply work")
    other = home / "other.toml"
    other.write_text('[profiles.work]\nprovider = "zai"\n')
    assert run(f"set work env.A 1 --json --store '{other}'").json["warnings"] == []
    assert run(f"remove work --store '{other}'").status == 0
    assert run("status --json").json["applied"]["profile"] == "work"


def test_a_profile_of_a_file_that_is_always_named_is_the_applied_one(run: Run) -> None:
    """Also when it was changed since."""
    run("apply home")
    run("set home env.A 1")
    assert len(run("set home env.B 1 --json").json["warnings"]) == 1
    assert run("remove home").status == 77


def test_a_ledger_that_is_damaged_does_not_stop_set(run: Run, home: Path) -> None:
    run("apply work")
    (ledger,) = home.rglob("ledger.json")
    ledger.write_text("damaged")
    assert run("set work models.haiku kimi-k3").status == 0
    assert run("rename work new").status == 78
    assert run("remove home").status == 78


HOSTILE = [
    "work] \n[profiles.x",
    "a b",
    "\x1b[2J",
    '"',
    "../x",
    "",
    "-",
    "x" * 65,
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
@pytest.mark.parametrize("line", ["add {} --provider zai", "copy work {}", "rename work {}"])
def test_a_hostile_name_is_refused(run: Run, store: Path, name: str, line: str) -> None:
    quoted = "'" + name + "'"
    told = run(line.format(f"-- {quoted}") if name == "-" and "add" not in line else line.format(quoted))
    assert told.status == 2
    assert "\x1b" not in told.err
    assert store.read_text() == STORE


def test_a_hostile_value_stays_a_value(run: Run, store: Path) -> None:
    hostile = 'x"\\n[profiles.evil]\\nprovider = "zai"\\n# '.replace("\\n", "\n")
    told = run(f"set work settings.x '{hostile}' --json")
    assert told.status == 0
    assert set(profiles(store)) == {"work", "home"}
    assert profiles(store)["work"]["settings"]["x"] == hostile
    run("set work settings.y '\x1b[2J'")
    assert "\x1b" not in run("set work settings.y '\x1b[3J'").out
    assert "\x1b" not in store.read_text()


def test_errors_answer_scripts(run: Run, store: Path) -> None:
    told = run("set work base_url nonsense --json")
    assert (told.status, told.json["ok"], told.json["exit_code"]) == (78, False, 78)
    assert told.json["error"]["path"] == str(store)
    assert json.loads(run("unset work models.haiku --json").out)["error"]["name"] == "usage"
