"""The real client changes ``.claude.json`` while a crowd of ours does: nobody's part of it is lost.

``claude mcp add`` is what makes the client write on demand: each run adds one entry. One client at a time: it
writes without its lock where that is not free (2.1.39 at once, 2.1.329 after 1.5 s), so that of two of them,
beside whoever holds the lock, one can lose what the other wrote.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
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
RUNS = amount(3, 30)
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


def run(version: str, home: Path, *arguments: str) -> ClientRun:
    environment = {"CLAUDE_CODE_MAX_RETRIES": "0"}
    return run_client(version, home=home, cwd=home / "work", args=list(arguments), env=environment)


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
        run(client, home, "-p", "hi")  # writes who it is, with or without a profile
        identity = read_json(state)["userID"]
        added = [f"server-{number}" for number in range(RUNS)]
        for name in added:
            added_one = run(client, home, "mcp", "add", "-s", "user", name, "--", "true")
            assert added_one.exit_code == 0, added_one.stderr

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
