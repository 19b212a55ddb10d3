"""The real client changes ``.claude.json`` while a crowd of ours does: nobody's part of it is lost.

``claude mcp add`` is what makes the client write on demand: each run adds one entry. By itself, two at a
time, it loses none (measured, both versions).
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from faults import crowd
from support import amount

from real_client.sandbox import ClientRun, run_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

MEMBERS = 20
PAIRS = amount(3, 15)
SETTINGS = {"permissions": {"allow": ["Read"]}, "env": {"LANG": "de"}}
STATE = {"hasCompletedOnboarding": True, "numStartups": 7, "primaryApiKey": "sk-test-login"}


def read_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


@contextlib.contextmanager
def crowd_beside(home: Path, scratch: Path) -> Iterator[dict[str, Any]]:
    """A crowd of ours as long as the block; what it reports is in the dictionary after it."""
    found: dict[str, Any] = {}
    command = crowd.command(home, scratch, MEMBERS)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            yield found
        finally:
            (scratch / "stop").touch()
            out = process.communicate(timeout=120)[0]
    found |= json.loads(out)


def run_two(version: str, home: Path, *commands: list[str]) -> list[ClientRun]:
    """Several client commands at once."""
    runs: list[ClientRun] = []

    def run(arguments: list[str]) -> None:
        environment = {"CLAUDE_CODE_MAX_RETRIES": "0"}
        runs.append(run_client(version, home=home, cwd=home / "work", args=arguments, env=environment))

    threads = [threading.Thread(target=run, args=[command]) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return runs


def test_what_the_client_writes_beside_a_crowd_stays(
    client: str, sandbox_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, scratch = sandbox_home, tmp_path / "scratch"
    settings, state = home / ".claude" / "settings.json", home / ".claude.json"
    for folder in (scratch, *(home / name for name in crowd.PROJECTS)):
        folder.mkdir()
    settings.write_text(json.dumps(SETTINGS), encoding="utf-8")
    state.write_text(json.dumps(STATE), encoding="utf-8")
    began = time.monotonic()

    with crowd_beside(home, scratch) as found:
        run_two(client, home, ["-p", "hi"], ["-p", "hi"])  # writes who it is, with or without a profile
        identity = read_json(state)["userID"]
        added = [f"server-{number}" for number in range(2 * PAIRS)]
        for first, second in zip(added[::2], added[1::2], strict=True):
            commands = [["mcp", "add", "-s", "user", name, "--", "true"] for name in (first, second)]
            for run in run_two(client, home, *commands):
                assert run.exit_code == 0, run.stderr

    died = [each["died"] for each in crowd.everybody(found) if "died" in each]
    assert died == [], died[0]
    ends: Counter[str] = sum((Counter(each["ends"]) for each in found["members"]), Counter())
    with capsys.disabled():
        print(f"\n{dict(ends)} of ours beside {client} in {time.monotonic() - began:.1f} s")
    assert set(ends) <= {"0", "75"}
    assert ends["0"] > 2 * MEMBERS
    assert found["readers"][0]["looks"] > MEMBERS

    for scope in set(crowd.SCOPES):
        crowd.carry_out(crowd.claude_of(home, scope), "unapply")
    document = read_json(state)
    assert set(document["mcpServers"]) == set(added)
    assert {name: document.get(name) for name in STATE} == STATE
    assert document["userID"] == identity
    assert read_json(settings) == SETTINGS
    assert crowd.TOKEN[-20:] not in state.read_text(encoding="utf-8")
    left = [path.name for path in home.rglob("*") if path.name.endswith((".kimi-profiles", ".json.lock"))]
    assert left == []
