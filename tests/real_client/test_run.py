"""What the real client sends when it is started by ``run``, whatever else is applied, exported or stored."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support import IS_LONG

from real_client import sandbox
from real_client.sandbox import ClientRun, run_client
from real_client.test_apply import (
    EXPECTED,
    FOREIGN,
    HELP,
    KEY,
    SECRETS,
    TOKEN,
    Machine,
    by_turns,
    held_credentials,
    machine,
    read_json,
    store,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["machine", "store"]

# A key that nobody approved, and a token beside a Console login, come by a helper: in both headers.
BY_HELPER = {
    "token": {"authorization": f"Bearer {TOKEN}", "x-api-key": TOKEN},
    "key": {"authorization": f"Bearer {KEY}", "x-api-key": KEY},
    "helper": {"authorization": f"Bearer {HELP}", "x-api-key": HELP},
}
READY = {"hasCompletedOnboarding": True}

# Everything at once that could lead elsewhere.
SHELL = {
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:8181/shell",
    "ANTHROPIC_API_KEY": f"{FOREIGN}-key",
    "ANTHROPIC_AUTH_TOKEN": f"{FOREIGN}-token",
    "ANTHROPIC_MODEL": "shell-model",
    "ANTHROPIC_CUSTOM_HEADERS": f"x-api-key: {FOREIGN}-header",
    "CLAUDE_CODE_OAUTH_TOKEN": f"{FOREIGN}-oauth",
    "CLAUDE_CODE_USE_BEDROCK": "1",
    "CLAUDE_CODE_REMOTE": "1",
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1",
}
PROJECT = {
    "apiKeyHelper": f"echo {FOREIGN}-helper",
    "env": {
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:8181/project",
        "ANTHROPIC_API_KEY": f"{FOREIGN}-key",
        "ANTHROPIC_AUTH_TOKEN": f"{FOREIGN}-token",
        "ANTHROPIC_MODEL": "project-model",
        "ANTHROPIC_CUSTOM_HEADERS": f"x-api-key: {FOREIGN}-header",
    },
}
OAUTH = {
    "accessToken": f"{FOREIGN}-access",
    "refreshToken": f"{FOREIGN}-refresh",
    "expiresAt": 4102444800000,
    "scopes": ["user:inference"],
    "subscriptionType": "max",
}

# Types into the client as a person does: each text when it has been quiet for a while.
TYPIST = """
import os, pty, select, signal, sys, time
child, terminal = pty.fork()
if child == 0:
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], sys.argv[1:])
typed = ["hello", "\\r", ""]
end = time.monotonic() + 40
quiet = 2.5
while typed and time.monotonic() < end:
    ready, _, _ = select.select([terminal], [], [], quiet)
    if ready:
        try:
            text = os.read(terminal, 65536)
        except OSError:
            break
        sys.stdout.buffer.write(text)
        if not text:
            break
    else:
        os.write(terminal, typed.pop(0).encode())
sys.stdout.flush()
os.kill(child, signal.SIGTERM)
os.waitpid(child, 0)
"""


def run_profile(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    *arguments: str,
    before: tuple[str, ...] = (),
    shell: dict[str, str] | None = None,
) -> ClientRun:
    """The client in the sandbox, started by ``run PROFILE``."""
    client = sandbox.client_path(machine.version)
    assert client is not None
    words = [sys.executable, "-P", "-m", "kimi_profiles", "--store", str(machine.store), "run", profile]
    driver = machine.home / "driver"
    path = shlex.quote(str(client.parent))
    driver.write_text(f'#!/bin/sh\nPATH={path}:$PATH\nexec {shlex.join([*before, *words])} "$@"\n')
    driver.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "client_path", lambda _: driver)
        done = run_client(
            machine.version,
            home=machine.home,
            cwd=machine.work,
            args=list(arguments),
            env={"CLAUDE_CODE_MAX_RETRIES": "0", **machine.environment, **(shell or {})},
            timeout_s=60,
        )
    assert list((machine.home / ".local" / "state" / "kimi-profiles" / "run").iterdir()) == []
    assert not any(secret in done.stdout + done.stderr for secret in (*SECRETS.values(), FOREIGN))
    return done


def assert_asked(run: ClientRun, profile: str, credentials: dict[str, str]) -> None:
    """All that was sent went to the profile's endpoint, with its credential, for its model."""
    path, model, _ = EXPECTED[profile]
    assert run.messages, run.stderr + run.stdout
    assert {each.model for each in run.messages} <= {model, f"{profile}-haiku"}
    for request in run.requests:
        assert request.path.startswith(f"{path.rstrip('/')}/")
        assert held_credentials(request) == credentials
        assert FOREIGN not in repr(request)
        for name, secret in (("token", TOKEN), ("key", KEY), ("helper", HELP)):
            assert name == profile or secret not in repr(request)


PAIRS = [("token", "key"), ("token", "helper"), ("key", "token")]


@pytest.mark.parametrize(("client", "pair"), by_turns(PAIRS), indirect=["client"])
def test_while_one_profile_is_applied_another_is_run(
    machine: Machine, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    applied, profile = pair
    machine.run("apply", applied)
    machine.run("apply", applied, "--scope", "local", "--allow-tracked")
    before = machine.settings.read_bytes(), (machine.work / ".claude" / "settings.local.json").read_bytes()

    run = run_profile(machine, monkeypatch, profile, "--", "-p", "hi")

    assert (run.exit_code, run.stdout) == (0, "hello\n"), run.stderr
    assert_asked(run, profile, EXPECTED["token"][2] if profile == "token" else BY_HELPER[profile])
    after = machine.settings.read_bytes(), (machine.work / ".claude" / "settings.local.json").read_bytes()
    assert after == before


@pytest.mark.parametrize(("client", "profile"), by_turns(EXPECTED), indirect=["client"])
def test_whatever_else_says_where_to_go(
    machine: Machine, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {"primaryApiKey": f"{FOREIGN}-login", "env": {"ANTHROPIC_API_KEY": f"{FOREIGN}-state"}}
    write_json(machine.state, state)
    write_json(machine.home / ".claude" / ".credentials.json", {"claudeAiOauth": OAUTH})
    for name in ("settings.json", "settings.local.json"):
        write_json(machine.work / ".claude" / name, PROJECT)

    run = run_profile(machine, monkeypatch, profile, "-p", "hi", shell=SHELL)

    assert (run.exit_code, run.stdout) == (0, "hello\n"), run.stderr
    assert_asked(run, profile, BY_HELPER[profile])
    assert read_json(machine.state)["primaryApiKey"] == f"{FOREIGN}-login"


@pytest.mark.parametrize(("client", "profile"), by_turns(["token"]), indirect=["client"])
def test_the_clients_own_settings_and_exit_status(
    machine: Machine, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"env": {"ANTHROPIC_MODEL": "mine", "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "123"}}
    run = run_profile(machine, monkeypatch, profile, "-p", "hi", "--settings", json.dumps(own))
    assert_asked(run, profile, EXPECTED[profile][2])
    assert {each.body["max_tokens"] for each in run.messages} == {123}

    run = run_profile(machine, monkeypatch, profile, "--no-such-option")
    assert run.exit_code == 1
    assert "no-such-option" in run.stderr


@pytest.mark.skipif(not IS_LONG, reason="12 seconds each: for the long run")
@pytest.mark.parametrize("state", [READY, {**READY, "primaryApiKey": f"{FOREIGN}-login"}], ids=["", "login"])
@pytest.mark.parametrize("profile", ["token", "key"])
def test_an_interactive_start_asks_nothing(
    machine: Machine, profile: str, state: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trusted = {"projects": {str(machine.work): {"hasTrustDialogAccepted": True}}}
    write_json(machine.state, {**state, **trusted})
    typist = tmp_path / "typist.py"
    typist.write_text(TYPIST)

    run = run_profile(
        machine,
        monkeypatch,
        profile,
        before=(sys.executable, str(typist)),
        shell={"ANTHROPIC_API_KEY": FOREIGN},
    )

    is_by_helper = profile == "key" or "primaryApiKey" in state
    assert_asked(run, profile, BY_HELPER[profile] if is_by_helper else EXPECTED[profile][2])
    for words in ("custom API key", "Select login", "Auth conflict"):
        assert words not in run.stdout
