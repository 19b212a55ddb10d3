"""A run that is killed at a system call: each file is old or new, and the next command carries on.

SIGTERM and SIGINT at a system call: as a whole old or new, told in one line, and nothing is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import amount, require_tool

import kimi_profiles
from faults.traced import (
    ALL_RUNS,
    COMMANDS,
    RUNS,
    TOKEN,
    Call,
    Run,
    Server,
    State,
    Targets,
    age_client_lock,
    assert_nothing_left,
    calls,
    carry_out,
    from_first_touch,
    leftovers,
    prepare,
    reset,
    spread,
    targets,
)

ALL = 10_000


def points_of(log: str, home: Path, others: int) -> list[Call]:
    """All calls that change something, and ``others`` of the rest."""
    found = from_first_touch(calls(log), home)
    changing = [call for call in found if call.changes_something]
    assert len(changing) > 20
    return changing + spread([call for call in found if not call.changes_something], others)


def ends_of(home: Path, start: State, steps: list[str]) -> list[Targets]:
    """What the targets are after each of ``steps`` where nothing goes wrong."""
    reset(home, start)
    ends = []
    for step in steps:
        carry_out(step, home)
        ends.append(targets(home))
    return ends


@pytest.mark.parametrize("run", ALL_RUNS.values(), ids=ALL_RUNS)
def test_killed_at_every_system_call(run: Run, server: Server, home: Path) -> None:
    start = prepare(home, run)
    old = targets(home)
    assert server.run(run.step, home, "-e", "trace=all") == 0
    points = points_of(server.log, home, amount(4, ALL))
    new = targets(home)
    assert old != new
    again = ends_of(home, start, [run.step, "unapply"])
    assert again[0] == new
    # The step that goes back finds the old state or the new one.
    back = [ends_of(home, start, [run.opposite, "unapply"])]
    back.append(ends_of(home, start, [run.step, run.opposite, "unapply"])[1:])

    for number, call in enumerate(points):
        reset(home, start)
        fault = f"inject={call.name}:signal=KILL:when={call.number}"
        why = f"{fault} {call.line}"
        assert server.run(run.step, home, "-e", f"trace={call.name}", "-e", fault) == -signal.SIGKILL, why
        for name, state in targets(home).items():
            assert state in (old[name], new[name]), (why, name)

        age_client_lock(home)
        step, ends = ((run.step, [again]), (run.opposite, back))[number % 2]
        carry_out(step, home)
        after = targets(home)
        assert leftovers(home) == [], why
        carry_out("unapply", home)
        assert [after, targets(home)] in ends, why
        assert_nothing_left(home, why)


# At exit_group all is done: that the status is still that of the run is right.
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_interrupted_at_a_system_call(run: Run, server: Server, home: Path) -> None:
    start = prepare(home, run)
    old = targets(home)
    assert server.run(COMMANDS[run.step], home, "-e", "trace=all") == 0
    points = [call for call in points_of(server.log, home, amount(4, ALL)) if call.name != "exit_group"]
    new = targets(home)

    for number, call in enumerate(points):
        reset(home, start)
        name, status = (("TERM", 143), ("INT", 130))[number % 2]
        fault = f"inject={call.name}:signal={name}:when={call.number}"
        why = f"{fault} {call.line}"
        assert server.run(COMMANDS[run.step], home, "-e", f"trace={call.name}", "-e", fault) == status, why
        assert f"--- SIG{name} " in server.log, why
        assert targets(home) in (old, new), why
        assert leftovers(home) == [], why
        assert server.out == "", why
        said = "kimi-profiles: interrupted; the files are whole, and the next command carries on\n"
        assert server.err == said, why
        carry_out("unapply", home)
        assert_nothing_left(home, why)


def run_command(home: Path, log: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """``python -m kimi_profiles apply a``, as people run it, under ``strace`` from its start."""
    command = [require_tool("strace"), "-f", "-q", "-o", str(log), *options]
    command += [sys.executable, "-P", "-m", "kimi_profiles", *COMMANDS["a"].split()[1:], "--home", str(home)]
    package = str(Path(kimi_profiles.__file__).parent.parent)
    environment = {
        **os.environ,
        "PYTHONPATH": package,
        "CANARY": TOKEN,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


# signal → exit statuses; as shells count, 128 more than the signal, where the signal itself ended the process
ENDS = {"KILL": {-9}, "TERM": {143, -15}, "INT": {130, -2}}


def test_the_command_killed_or_interrupted(home: Path, tmp_path: Path) -> None:
    start = prepare(home, RUNS["apply"])
    old = targets(home)
    log = tmp_path / "log"
    assert run_command(home, log, "-e", "trace=all").returncode == 0
    new = targets(home)
    found = calls(log.read_text(encoding="utf-8", errors="replace"))
    changing = [call for call in from_first_touch(found, home) if call.changes_something]
    assert len(changing) > 20

    for number, call in enumerate(spread(changing, amount(8, ALL))):
        reset(home, start)
        name = list(ENDS)[number % len(ENDS)]
        fault = f"inject={call.name}:signal={name}:when={call.number}"
        why = f"{fault} {call.line}"
        done = run_command(home, log, "-e", f"trace={call.name}", "-e", fault)
        assert done.returncode in ENDS[name], (why, done)
        assert f"SIG{name}" in log.read_text(encoding="utf-8", errors="replace"), why
        assert "Traceback" not in done.stderr + done.stdout, (why, done)
        assert TOKEN not in done.stderr + done.stdout, why
        for target, state in targets(home).items():
            assert state in (old[target], new[target]), (why, target)
        if name != "KILL":
            assert leftovers(home) == [], why
        age_client_lock(home)
        carry_out("a", home)
        assert targets(home) == new, why
        assert leftovers(home) == [], why
