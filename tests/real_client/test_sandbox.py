"""The sandbox sees what the real client sends: one credential, two, or none."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from real_client.sandbox import ClientRun, Request, client_path, missing_reason, run_client

TOKEN = "sk-test-token"
KEY = "sk-test-key"
URL = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8181/anthropic"}
QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
BEARER = ("authorization", f"Bearer {TOKEN}")

CREDENTIALS = {
    "a token is a bearer": ({"ANTHROPIC_AUTH_TOKEN": TOKEN}, {}, (BEARER,)),
    "a key is an x-api-key": ({"ANTHROPIC_API_KEY": KEY}, {}, (("x-api-key", KEY),)),
    "two credentials in one file are both seen": (
        {"ANTHROPIC_AUTH_TOKEN": TOKEN, "ANTHROPIC_API_KEY": KEY},
        {},
        (BEARER, ("x-api-key", KEY)),
    ),
    "a key of the shell is seen beside the token": (
        {"ANTHROPIC_AUTH_TOKEN": TOKEN},
        {"ANTHROPIC_API_KEY": KEY},
        (BEARER, ("x-api-key", KEY)),
    ),
}


def ask(version: str, home: Path, settings_env: dict[str, str], **options: object) -> ClientRun:
    text = json.dumps({"env": {**QUIET, **settings_env}})
    (home / ".claude" / "settings.json").write_text(text, encoding="utf-8")
    return run_client(version, home=home, cwd=home / "work", args=["-p", "hi"], **options)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # empty for a zombie that awaits its reaper
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("settings_env", "shell", "expected"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_every_credential_is_seen(
    client: str,
    sandbox_home: Path,
    settings_env: dict[str, str],
    shell: dict[str, str],
    expected: tuple[tuple[str, str], ...],
) -> None:
    run = ask(client, sandbox_home, {**URL, "ANTHROPIC_MODEL": "m-test", **settings_env}, env=shell)

    assert (run.exit_code, run.stdout) == (0, "hello\n"), run.stderr
    assert {(r.method, r.path) for r in run.messages} == {("POST", "/anthropic/v1/messages?beta=true")}
    assert {r.model for r in run.messages} == {"m-test"}
    assert {r.credentials for r in run.messages} == {expected}


def test_nothing_is_asked_without_a_credential(client: str, sandbox_home: Path) -> None:
    run = ask(client, sandbox_home, URL)

    assert run.exit_code == 1
    assert "Not logged in" in run.stdout
    assert run.messages == ()
    assert all(request.credentials == () for request in run.requests)


def test_a_server_of_this_machine_is_out_of_reach(client: str, sandbox_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        outside.setblocking(False)
        url = f"http://127.0.0.1:{outside.getsockname()[1]}"
        settings_env = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": TOKEN}
        run = ask(client, sandbox_home, settings_env, env={"CLAUDE_CODE_MAX_RETRIES": "0"}, timeout_s=20)

        assert run.exit_code != 0
        assert run.requests == ()
        with pytest.raises(BlockingIOError):
            outside.accept()


def test_the_client_inherits_only_what_it_is_given(
    client: str,
    sandbox_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    run = ask(client, sandbox_home, {**URL, "ANTHROPIC_AUTH_TOKEN": TOKEN})

    assert {r.credentials for r in run.messages} == {(BEARER,)}
    assert (sandbox_home / ".tmp").stat().st_mode & 0o777 == 0o700


def test_a_client_out_of_time_is_killed_with_its_helper(client: str, sandbox_home: Path) -> None:
    pid_file = sandbox_home / "helper.pid"
    settings = {"apiKeyHelper": f"echo $$ > {pid_file}; exec sleep 60", "env": {**QUIET, **URL}}
    (sandbox_home / ".claude" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    run = run_client(client, home=sandbox_home, cwd=sandbox_home / "work", args=["-p", "hi"], timeout_s=5)

    assert run.exit_code == -9
    assert run.messages == ()
    assert not is_running(int(pid_file.read_text(encoding="utf-8")))


def test_the_reason_names_a_client_that_is_not_installed() -> None:
    assert client_path("0.0.0") is None
    assert "0.0.0 is not installed" in str(missing_reason("0.0.0"))


def test_a_run_without_its_client_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not installed"):
        run_client("0.0.0", home=tmp_path, cwd=tmp_path, args=["-p", "hi"])


def test_counting_tokens_is_not_a_message() -> None:
    count = Request("POST", "/v1/messages/count_tokens?beta=true", {}, {"model": "m"})
    ask_model = Request(
        "POST", "/v1/messages?beta=true", {"cookie": "a", "authorization": ""}, {"model": "m"}
    )
    run = ClientRun(0, "", "", (count, ask_model))

    assert run.messages == (ask_model,)
    assert ask_model.credentials == (("authorization", ""), ("cookie", "a"))
