"""What the real client sends while profiles are switched under a session that is running.

Both versions take changed settings over without a restart; measured: within 1.3 seconds. A session is driven
from inside the sandbox: the client is started by a small program that asks, switches, and asks again until it
has to have noticed. No request at any moment carries the key of one profile to the endpoint of another.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from real_client import sandbox
from real_client.sandbox import ClientRun, run_client
from real_client.test_apply import EXPECTED, HELP, KEY, STORE, TOKEN, Machine, held_credentials

if TYPE_CHECKING:
    from pathlib import Path

ASKED_AFTER_EACH_STEP = 5
PAUSE_S = 0.6

DRIVER = """\
#!{python}
import json, subprocess, sys, time

pipe = subprocess.PIPE
session = subprocess.Popen([{client!r}, *sys.argv[1:]], stdin=pipe, stdout=pipe, text=True)

def ask(text):
    message = {{"role": "user", "content": [{{"type": "text", "text": text}}]}}
    print(json.dumps({{"type": "user", "message": message}}), file=session.stdin, flush=True)
    for line in session.stdout:
        if json.loads(line).get("type") == "result":
            print(line, end="", flush=True)
            return

ask("first")
for step in {steps!r}:
    program = [sys.executable, "-P", "-m", "kimi_profiles", "--store", {store!r}]
    subprocess.run([*program, *step.split()], check=True, stdout=subprocess.DEVNULL)
    for number in range({count}):
        time.sleep({pause})
        ask(f"{{step}} {{number}}")
session.stdin.close()
sys.exit(session.wait())
"""


def run_session(machine: Machine, steps: list[str], monkeypatch: pytest.MonkeyPatch) -> ClientRun:
    """One session of the client; its questions name the step after which they were asked."""
    driver = machine.home / "driver"
    text = DRIVER.format(
        python=sys.executable,
        client=str(sandbox.client_path(machine.version)),
        store=str(machine.store),
        steps=steps,
        count=ASKED_AFTER_EACH_STEP,
        pause=PAUSE_S,
    )
    driver.write_text(text, encoding="utf-8")
    driver.chmod(0o755)
    monkeypatch.setattr(sandbox, "client_path", lambda _: driver)
    words = ["-p", "--verbose", "--input-format", "stream-json", "--output-format", "stream-json"]
    return run_client(
        machine.version,
        home=machine.home,
        cwd=machine.work,
        args=words,
        env={"CLAUDE_CODE_MAX_RETRIES": "0", **machine.environment},
        timeout_s=60,
    )


@pytest.mark.parametrize("steps", [["key", "token"]], ids=["token, key, token"])
def test_a_running_session_never_mixes_two_profiles(
    steps: list[str], client: str, sandbox_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "profiles.toml"
    store.write_text(STORE, encoding="utf-8")
    machine = Machine(client, sandbox_home, store)
    machine.run("apply", "token")

    run = run_session(machine, [f"apply {step}" for step in steps], monkeypatch)

    assert run.exit_code == 0, run.stderr
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(answers) == 1 + len(steps) * ASKED_AFTER_EACH_STEP
    assert not any(answer["is_error"] for answer in answers)
    asked = [profile_asked(each.path) for each in run.messages]
    for request in run.requests:
        profile = profile_asked(request.path)
        assert held_credentials(request) == EXPECTED[profile][2], request.path
        for name, secret in (("token", TOKEN), ("key", KEY), ("helper", HELP)):
            assert name == profile or secret not in repr(request)
    assert [profile for n, profile in enumerate(asked) if n == 0 or asked[n - 1] != profile] == [
        "token",
        *steps,
    ]


def profile_asked(path: str) -> str:
    """Whose endpoint it is."""
    return next(name for name, (base, _, _) in EXPECTED.items() if path.startswith(f"{base}/"))
