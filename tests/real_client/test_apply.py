"""After ``apply`` the real client asks the profile's endpoint, with its credential and its model alone."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from support import amount

from real_client.sandbox import CLIENTS, ClientRun, Request, run_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

STORE = """\
[profiles.token]
base_url = "http://127.0.0.1:8181/anthropic"
auth.token = { env = "TOKEN_OF_PROFILE" }
models = { default = "token-default", opus = "token-opus", sonnet = "token-sonnet", haiku = "token-haiku" }

[profiles.key]
base_url = "http://127.0.0.1:8181/keyed/anthropic/"
auth = { variable = "ANTHROPIC_API_KEY", token = { env = "KEY_OF_PROFILE" } }
models.default = "key-default"

[profiles.helper]
base_url = "http://127.0.0.1:8181/helped"
auth = { delivery = "helper", token = { env = "HELP_OF_PROFILE" } }
models.default = "helper-default"
"""

# Longer than the 20 characters by which the client knows an approved key.
SECRETS = {
    "TOKEN_OF_PROFILE": "sk-test-token-profile-1111111111",
    "KEY_OF_PROFILE": "sk-test-key-profile-2222222222",
    "HELP_OF_PROFILE": "sk-test-helper-profile-3333333333",
}
TOKEN, KEY, HELP = SECRETS.values()
FOREIGN = "sk-test-foreign"

EXPECTED = {
    "token": ("/anthropic", "token-default", {"authorization": f"Bearer {TOKEN}"}),
    "key": ("/keyed/anthropic", "key-default", {"x-api-key": KEY}),
    "helper": ("/helped", "helper-default", {"authorization": f"Bearer {HELP}", "x-api-key": HELP}),
}


@dataclass(frozen=True)
class Machine:
    """One home, what its shell exports, and the client that is started in it."""

    version: str
    home: Path
    store: Path | None
    shell: Mapping[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.home / "work"

    @property
    def settings(self) -> Path:
        return self.home / ".claude" / "settings.json"

    @property
    def state(self) -> Path:
        return self.home / ".claude.json"

    @property
    def environment(self) -> dict[str, str]:
        # PYTHONPATH: so that a copy of the package with a planted fault can be tested.
        own = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        return {**own, **SECRETS, **self.shell}

    def exporting(self, variables: Mapping[str, str]) -> Machine:
        return replace(self, shell={**self.shell, **variables})

    def run(self, *arguments: str) -> None:
        """Run the program as a person would from that shell."""
        store = ["--store", str(self.store)] if self.store else []
        done = subprocess.run(
            [sys.executable, "-m", "kimi_profiles", *store, *arguments],
            cwd=self.work,
            env={"HOME": str(self.home), "PATH": os.defpath, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        for secret in (*SECRETS.values(), FOREIGN):
            assert secret not in done.stdout + done.stderr

    def ask(self, *arguments: str) -> ClientRun:
        """Start the client with a question and see where it goes."""
        return run_client(
            self.version,
            home=self.home,
            cwd=self.work,
            args=["-p", "hi", *arguments],
            env={"CLAUDE_CODE_MAX_RETRIES": "0", **self.environment},
            timeout_s=60,
        )


def by_turns(*levels: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Every combination on one of the versions, by turns, and on both in the long run."""
    return [
        (version, *combination)
        for number, combination in enumerate(itertools.product(*levels))
        for turn, version in enumerate(CLIENTS)
        if amount((number + turn) % 2, 1)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "profiles.toml"
    path.write_text(STORE, encoding="utf-8")
    return path


@pytest.fixture
def machine(client: str, sandbox_home: Path, store: Path) -> Machine:
    return Machine(client, sandbox_home, store)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def held_credentials(request: Request) -> dict[str, str]:
    """Without the bearer of 2.1.39 for an empty variable: it holds nothing."""
    return {name: value for name, value in request.credentials if value.strip() != "Bearer"}


def assert_asks(run: ClientRun, profile: str, *, model: str | None = None) -> None:
    """The client got its answer, from ``profile``'s endpoint alone, with ``profile``'s credential alone."""
    path, default, credentials = EXPECTED[profile]
    assert (run.exit_code, run.stdout) == (0, "hello\n"), run.stderr
    assert {each.model for each in run.messages} == {model or default}
    assert {each.path.partition("?")[0] for each in run.messages} == {f"{path}/v1/messages"}
    for request in run.requests:
        assert request.path.startswith(f"{path}/")
        assert held_credentials(request) == credentials
    assert FOREIGN not in repr(run.requests)


# name → (what the shell exports, the user's settings.json, the user's .claude.json)
SURROUNDINGS: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}, {}),
    "a key in the shell": ({"ANTHROPIC_API_KEY": f"{FOREIGN}-key"}, {}, {}),
    "a token in the shell": ({"ANTHROPIC_AUTH_TOKEN": f"{FOREIGN}-token"}, {}, {}),
    "an OAuth token in the shell": ({"CLAUDE_CODE_OAUTH_TOKEN": f"{FOREIGN}-oauth"}, {}, {}),
    "a header in the shell": ({"ANTHROPIC_CUSTOM_HEADERS": f"x-api-key: {FOREIGN}-header"}, {}, {}),
    "Bedrock in the shell": ({"CLAUDE_CODE_USE_BEDROCK": "1", "AWS_REGION": "us-east-1"}, {}, {}),
    "an endpoint and models in the shell": (
        {
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:8181/elsewhere",
            "ANTHROPIC_MODEL": "shell-model",
            "ANTHROPIC_SMALL_FAST_MODEL": "shell-model",
        },
        {},
        {},
    ),
    "a Console login": ({}, {}, {"primaryApiKey": f"{FOREIGN}-login"}),
    "variables in .claude.json": (
        {},
        {},
        {"env": {"ANTHROPIC_API_KEY": f"{FOREIGN}-key", "ANTHROPIC_AUTH_TOKEN": f"{FOREIGN}-token"}},
    ),
    "a helper of the user's": ({}, {"apiKeyHelper": f"echo {FOREIGN}-helper"}, {}),
    "a key in the settings": ({}, {"env": {"ANTHROPIC_API_KEY": f"{FOREIGN}-key"}}, {}),
    "a token in the settings": ({}, {"env": {"ANTHROPIC_AUTH_TOKEN": f"{FOREIGN}-token"}}, {}),
    "models in the settings": (
        {},
        {"model": "opus", "env": {"ANTHROPIC_SMALL_FAST_MODEL": "own-small", "ANTHROPIC_MODEL": "own-model"}},
        {},
    ),
}


@pytest.mark.parametrize(("client", "profile", "name"), by_turns(EXPECTED, SURROUNDINGS), indirect=["client"])
def test_the_profile_alone_is_used(machine: Machine, profile: str, name: str) -> None:
    shell, settings, state = SURROUNDINGS[name]
    write_json(machine.settings, settings)
    write_json(machine.state, state)
    machine = machine.exporting(shell)
    machine.run("apply", profile)

    assert_asks(machine.ask(), profile)
    # No `-p` makes the background request in which the client would use it.
    env = read_json(machine.settings)["env"]
    assert env.get("ANTHROPIC_SMALL_FAST_MODEL", "") == ""
    assert ("ANTHROPIC_SMALL_FAST_MODEL" in env) == (
        "ANTHROPIC_SMALL_FAST_MODEL" in shell or "ANTHROPIC_SMALL_FAST_MODEL" in settings.get("env", {})
    )


@pytest.mark.parametrize("profile", EXPECTED)
def test_a_stored_subscription_is_not_used(machine: Machine, profile: str) -> None:
    tokens = {"accessToken": f"{FOREIGN}-access", "refreshToken": f"{FOREIGN}-refresh"}
    login = {**tokens, "expiresAt": 4102444800000, "scopes": ["user:inference"], "subscriptionType": "max"}
    write_json(machine.home / ".claude" / ".credentials.json", {"claudeAiOauth": login})
    machine.run("apply", profile)

    assert_asks(machine.ask(), profile)


# Which of them can come later: a token profile and a helper profile mask the other variable in any case.
@pytest.mark.parametrize(
    ("profile", "name"),
    [
        ("token", "ANTHROPIC_API_KEY"),
        ("helper", "ANTHROPIC_API_KEY"),
        ("helper", "ANTHROPIC_AUTH_TOKEN"),
    ],
)
def test_a_credential_exported_later_is_masked(machine: Machine, profile: str, name: str) -> None:
    machine.run("apply", profile)

    assert_asks(machine.exporting({name: f"{FOREIGN}-later"}).ask(), profile)


@pytest.mark.parametrize("profile", EXPECTED)
def test_the_home_of_somebody_else(machine: Machine, tmp_path: Path, profile: str) -> None:
    own = tmp_path / "own"
    (own / "work").mkdir(parents=True)
    replace(machine, home=own).run("apply", profile, "--home", str(machine.home))

    assert list(own.rglob("*")) == [own / "work"]
    assert_asks(machine.ask(), profile)


@pytest.mark.parametrize(
    ("arguments", "model"),
    [
        ((), "token-default"),
        (("--model", "opus"), "token-opus"),
        (("--model", "sonnet"), "token-sonnet"),
        (("--model", "haiku"), "token-haiku"),
    ],
    ids=["none asked for", "opus", "sonnet", "haiku"],
)
def test_each_tier_is_the_profiles_model(machine: Machine, arguments: tuple[str, ...], model: str) -> None:
    machine.run("apply", "token")

    assert_asks(machine.ask(*arguments), "token", model=model)


@pytest.mark.parametrize("tier", ["opus", "sonnet", "haiku"])
def test_a_tier_left_out_is_the_default_model(machine: Machine, tier: str) -> None:
    machine.run("apply", "key")

    assert_asks(machine.ask("--model", tier), "key", model="key-default")


def test_a_provider_needs_no_file_of_profiles(sandbox_home: Path) -> None:
    machine = Machine("none", sandbox_home, None, {"MOONSHOT_API_KEY": TOKEN})
    machine.run("apply", "moonshot-cn")

    env = read_json(machine.settings)["env"]
    assert env["ANTHROPIC_BASE_URL"] == "https://api.moonshot.cn/anthropic"
    assert (env["ANTHROPIC_AUTH_TOKEN"], env["ANTHROPIC_API_KEY"]) == (TOKEN, "")
    assert list(sandbox_home.rglob("*.toml")) == []


# scope → (options of the program, the file below the project, arguments of the client)
SCOPES: dict[str, tuple[list[str], str, list[str]]] = {
    "project": (["--scope", "project"], ".claude/settings.json", []),
    "local": (["--scope", "local"], ".claude/settings.local.json", []),
    "a file": (["--settings", "mine.json"], "mine.json", ["--settings", "mine.json"]),
}


STRONGER = [("key", "token"), ("token", "key"), ("helper", "key")]


@pytest.mark.parametrize(("client", "pair", "scope"), by_turns(STRONGER, SCOPES), indirect=["client"])
def test_a_stronger_scope_wins_alone(machine: Machine, pair: tuple[str, str], scope: str) -> None:
    below, profile = pair
    options, file, arguments = SCOPES[scope]
    machine.run("apply", below)
    user_settings = machine.settings.read_bytes()
    machine.run("apply", profile, *options, "--allow-tracked")

    assert machine.settings.read_bytes() == user_settings
    assert (machine.work / file).stat().st_mode & 0o777 == 0o600
    assert_asks(machine.ask(*arguments), profile)

    machine.run("unapply", *options)
    assert list(machine.work.iterdir()) == []
    assert_asks(machine.ask(), below)


@pytest.mark.parametrize("profile", EXPECTED)
def test_a_settings_file_wins_over_any_project(machine: Machine, profile: str) -> None:
    variables = {
        "ANTHROPIC_API_KEY": f"{FOREIGN}-key",
        "ANTHROPIC_AUTH_TOKEN": f"{FOREIGN}-token",
        "ANTHROPIC_CUSTOM_HEADERS": f"x-api-key: {FOREIGN}-header",
    }
    settings = {"apiKeyHelper": f"echo {FOREIGN}-helper", "env": variables}
    write_json(machine.work / ".claude" / "settings.local.json", settings)
    # Not applied in the project: nobody knows in which one the file will be used.
    machine.run("apply", profile, "--settings", str(machine.home / "mine.json"))

    assert_asks(machine.ask("--settings", str(machine.home / "mine.json")), profile)


@pytest.mark.parametrize("profile", EXPECTED)
def test_a_folder_of_configuration(machine: Machine, profile: str) -> None:
    folder = machine.home / "elsewhere"
    machine = machine.exporting({"CLAUDE_CONFIG_DIR": str(folder)})
    write_json(folder / ".claude.json", {"primaryApiKey": f"{FOREIGN}-login"})
    write_json(folder / "settings.json", {"env": {"ANTHROPIC_API_KEY": f"{FOREIGN}-key"}})
    machine.run("apply", profile)

    assert read_json(folder / ".claude.json")["hasCompletedOnboarding"] is True
    assert_asks(machine.ask(), profile)
    assert not machine.settings.exists()
    assert not machine.state.exists()


@pytest.mark.parametrize("profile", EXPECTED)
def test_the_legacy_state_file(machine: Machine, profile: str) -> None:
    legacy = machine.home / ".claude" / ".config.json"
    write_json(legacy, {"primaryApiKey": f"{FOREIGN}-login"})
    machine.run("apply", profile)

    assert not machine.state.exists()
    assert read_json(legacy)["hasCompletedOnboarding"] is True
    assert_asks(machine.ask(), profile)

    machine.run("unapply")
    assert read_json(legacy)["primaryApiKey"] == f"{FOREIGN}-login"
    assert "hasCompletedOnboarding" not in read_json(legacy)


OWN_SETTINGS = """\
{
\t"permissions": { "allow": ["Bash(git diff:*)"], "deny": [] },
\t"apiKeyHelper": "echo sk-test-foreign-helper",
\t"env": { "ANTHROPIC_API_KEY": "sk-test-foreign-key", "EDITOR": "vi",
\t         "ANTHROPIC_SMALL_FAST_MODEL": "own-small", "ANTHROPIC_MODEL": "own-model" },
\t"hooks": {}
}"""
OWN_STATE = """\
{"userID":"u","primaryApiKey":"sk-test-foreign-login",
 "customApiKeyResponses":{"approved":["oreign-key-approved1"],"rejected":["KEY_TAIL"]},
 "projects":{"/x":{"hasTrustDialogAccepted":true,"allowedTools":["Bash"]}},"numStartups":7}
"""


@pytest.mark.parametrize("profile", EXPECTED)
def test_unapply_gives_back_what_the_client_has_rewritten(machine: Machine, profile: str) -> None:
    machine.settings.write_text(OWN_SETTINGS, encoding="utf-8")
    machine.state.write_text(OWN_STATE.replace("KEY_TAIL", KEY[-20:]), encoding="utf-8")
    settings_before, state_before = read_json(machine.settings), read_json(machine.state)
    machine.run("apply", profile)
    state_applied = read_json(machine.state)

    assert_asks(machine.ask(), profile)
    state_used = read_json(machine.state)
    assert machine.state.read_bytes() == json.dumps(state_used, indent=2, ensure_ascii=False).encode()
    rewrite_settings(machine.settings, model="opus")
    machine.run("unapply")

    by_client = {key: value for key, value in state_used.items() if state_applied.get(key) != value}
    assert by_client, "the client was to write its file"
    settings, state = read_json(machine.settings), read_json(machine.state)
    assert settings == {**settings_before, "model": "opus"}
    assert state == {**state_before, **by_client}
    keys = list(state)
    assert keys[keys.index("primaryApiKey") - 1] == "userID"  # as in OWN_STATE


def rewrite_settings(path: Path, *, model: str) -> None:
    """What ``/model`` does: two blanks of indent, the keys that the client knows first, a line end."""
    settings = {**read_json(path), "model": model}
    known = [key for key in ("apiKeyHelper", "env", "permissions", "model") if key in settings]
    ordered = {key: settings[key] for key in (*known, *(settings.keys() - set(known)))}
    path.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@pytest.mark.parametrize("profile", EXPECTED)
def test_unapply_gives_back_every_byte(sandbox_home: Path, store: Path, profile: str) -> None:
    machine = Machine("none", sandbox_home, store)
    machine.settings.write_text(OWN_SETTINGS, encoding="utf-8")
    machine.state.write_text(OWN_STATE, encoding="utf-8")
    machine.run("apply", profile)
    assert "primaryApiKey" not in read_json(machine.state)
    machine.run("unapply")

    assert machine.settings.read_text(encoding="utf-8") == OWN_SETTINGS
    assert machine.state.read_text(encoding="utf-8") == OWN_STATE


@pytest.mark.parametrize(
    ("first", "second"), [("key", "token"), ("token", "key"), ("helper", "token"), ("key", "helper")]
)
def test_after_a_switch_only_the_second_is_used(machine: Machine, first: str, second: str) -> None:
    machine.run("apply", first)
    machine.run("apply", second)

    secret = {"token": TOKEN, "key": KEY, "helper": HELP}[first]
    files = [path for path in machine.home.rglob("*") if path.is_file()]
    assert {machine.settings, machine.state} <= set(files)
    for path in files:
        assert secret[-20:] not in path.read_text(encoding="utf-8", errors="replace"), path
    assert_asks(machine.ask(), second)
