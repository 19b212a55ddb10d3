"""``run``, killed or interrupted at a system call: no file with a token outlives the program for long."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from support import amount, require_tool

from faults.traced import BARE, TOKEN, Call, Server, State, calls, carry_out, from_first_touch, reset, spread

if TYPE_CHECKING:
    from pathlib import Path

ALL = 10_000
WITH_CLIENT: State = {**BARE, "bin": (None, 0o755), "bin/claude": (b"#!/bin/sh\nexit 0\n", 0o755)}
KEPT = ".local/state/kimi-profiles/run"


@pytest.fixture
def line(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Starts a program that ends at once; the token is in two files meanwhile, in one of them by itself."""
    monkeypatch.setenv("CANARY", TOKEN)
    reset(home, WITH_CLIENT)
    return f"kimi-profiles --home {home} run --exec {home}/bin/claude a"


def points_of(server: Server, line: str, home: Path, others: int) -> list[Call]:
    assert server.run(line, home, "-e", "trace=all") == 0
    found = from_first_touch(calls(server.log), home)
    changing = [call for call in found if call.changes_something]
    assert any("token" in call.line for call in changing)
    rest = [call for call in found if not call.changes_something and call.name != "exit_group"]
    return spread(changing, amount(18, ALL)) + spread(rest, others)


def sweep(home: Path) -> list[Path]:
    """What there is after the next run, once the program of the last one has ended."""
    deadline = time.monotonic() + 5
    while True:
        assert carry_out(f"kimi-profiles --home {home} run --exec {require_tool('true')} b", home) == 0
        found = sorted((home / KEPT).glob("*")) if (home / KEPT).is_dir() else []
        if not any(list(folder.iterdir()) for folder in found) or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


def test_after_a_kill_the_next_run_leaves_no_token(server: Server, home: Path, line: str) -> None:
    was_left = 0
    for call in points_of(server, line, home, amount(6, ALL)):
        reset(home, WITH_CLIENT)
        fault = f"inject={call.name}:signal=KILL:when={call.number}"
        why = f"{fault} {call.line}"
        assert server.run(line, home, "-e", f"trace={call.name}", "-e", fault) == -signal.SIGKILL, why
        was_left += any(TOKEN.encode() in path.read_bytes() for path in home.rglob("*/token"))
        for folder in sweep(home):  # one that a run may be about to lock
            assert list(folder.iterdir()) == [], why
            os.utime(folder, (0, 0))
        assert sweep(home) == [], why
    assert was_left > 0


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_an_interrupted_run_leaves_nothing(server: Server, home: Path, line: str, name: str) -> None:
    number = int(getattr(signal, f"SIG{name}"))
    statuses = set()
    for call in points_of(server, line, home, amount(2, ALL))[:: amount(2, 1)]:
        reset(home, WITH_CLIENT)
        fault = f"inject={call.name}:signal={name}:when={call.number}"
        why = f"{fault} {call.line}"
        # It came before the program, went on to it, or came when that had ended already.
        status = server.run(line, home, "-e", f"trace={call.name}", "-e", fault)
        assert status in {128 + number, -number, 0}, why
        statuses.add(status)
        assert list((home / KEPT).glob("*")) == [], why
        assert "Traceback" not in server.err, why
    assert 128 + number in statuses
    assert len(statuses) > 1
