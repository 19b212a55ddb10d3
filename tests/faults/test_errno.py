"""A system call that fails: each file is old or new, one line says why, the status is the promised one.

Each call of a run fails once with each error. What the error means at that place is the kernel's affair: also
errors are tried that it would never give there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import amount

from faults.traced import (
    COMMANDS,
    RUNS,
    TOKEN,
    Call,
    Run,
    Server,
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

if TYPE_CHECKING:
    from pathlib import Path

ERRORS = ("ENOSPC", "EIO", "EACCES", "EROFS", "EDQUOT", "ENOLCK", "EXDEV", "EINTR")
REFUSALS = {"EACCES", "EROFS"}
# Those of Python and the C library themselves, which are no part of what we do with files.
NOT_OURS = {
    *("exit_group", "brk", "mmap", "munmap", "mprotect", "rt_sigaction", "rt_sigprocmask"),
    *("getpid", "geteuid", "getrandom"),
}
DONE, FAILED, UNCONFIRMED, DENIED = 0, 1, 5, 77


def statuses(call: Call, error: str, said: str) -> set[int]:
    """The exit statuses that are right; 0 wherever the run can do without the call."""
    if "cannot lock this" in said:
        return {FAILED if error in {"ENOSPC", "EDQUOT"} else DENIED}
    if "did not confirm that our own records are safe" in said:
        return {FAILED}
    if error == "EINTR" and call.name in {"openat", "read", "write", "fsync", "flock"}:
        return {DONE}  # Python itself does it again (PEP 475)
    return {DONE, UNCONFIRMED, DENIED if error in REFUSALS else FAILED}


def faults_of(log: str, home: Path, others: int) -> list[tuple[Call, str]]:
    """Every call that changes something with some errors, or all of them; ``others`` of the rest with one."""
    found = from_first_touch(calls(log), home)
    changing = [call for call in found if call.changes_something]
    assert len(changing) > 20
    rest = spread(
        [call for call in found if not call.changes_something and call.name not in NOT_OURS], others
    )
    return [
        *(
            (call, error)
            for number, call in enumerate(changing)
            for error in errors_for(number, amount(1, 8))
        ),
        *((call, error) for number, call in enumerate(rest) for error in errors_for(number, amount(1, 8))),
    ]


def errors_for(number: int, size: int) -> list[str]:
    """``size`` of the errors, others for each number, so that all of them come in turn."""
    return [ERRORS[(number * size + n) % len(ERRORS)] for n in range(size)]


def check_words(server: Server, status: int, why: object) -> None:
    """One line about an error, perhaps a hint; never a traceback, never the token."""
    assert server.out == "", why
    assert TOKEN not in server.err, why
    lines = server.err.splitlines()
    if status == DONE:
        assert lines == [], why
        return
    assert lines[0].startswith("kimi-profiles: "), (why, lines)
    assert "should not" not in lines[0], (why, lines)
    assert [line for line in lines[1:] if not line.startswith("hint: ")] == [], (why, lines)
    assert len(lines) <= 2, (why, lines)


def without(ignored: set[str], state: Targets) -> Targets:
    return {name: value for name, value in state.items() if name not in ignored}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_every_system_call_fails_once(run: Run, server: Server, home: Path) -> None:
    start = prepare(home, run)
    old = targets(home)
    carry_out("unapply", home)
    old_end = targets(home)
    reset(home, start)
    command = COMMANDS[run.step]
    assert server.run(command, home, "-e", "trace=all") == 0
    log, new = server.log, targets(home)
    carry_out("unapply", home)
    new_end = targets(home)
    assert old != new
    faults = faults_of(log, home, amount(4, 10_000))
    ends: set[int] = set()

    for number, (call, error) in enumerate(faults):
        reset(home, start)
        fault = f"inject={call.name}:error={error}:when={call.number}"
        status = server.run(command, home, "-e", f"trace={call.name}", "-e", fault)
        why = (fault, call.line, status, server.err)
        assert "(INJECTED)" in server.log, why
        assert status in statuses(call, error, server.err), why
        check_words(server, status, why)
        ends.add(status)
        # An empty folder that could not be removed stays.
        ignored = {".claude"} if status == DONE and call.name in {"rmdir", "unlinkat", "openat"} else set()
        has_come_through = status in {DONE, UNCONFIRMED}
        assert without(ignored, targets(home)) == without(ignored, new if has_come_through else old), why
        assert leftovers(home) == [], why

        if number % 2 == 0:
            has_come_through = True
            carry_out(run.step, home)
            assert without(ignored, targets(home)) == without(ignored, new), why
        carry_out("unapply", home)
        assert without(ignored, targets(home)) == without(
            ignored, new_end if has_come_through else old_end
        ), why
        assert_nothing_left(home, why)
    assert {DONE, FAILED, UNCONFIRMED, DENIED} <= ends


RENAMES = "rename,renameat,renameat2"
REMOVALS = "unlink,unlinkat,rmdir"
# what fails from some call on, and how
PERSISTENT = {
    "no fsync": ("fsync", "EIO"),
    "no rename": (RENAMES, "EACCES"),
    "no removal": (REMOVALS, "EIO"),
    "no locks": ("flock", "ENOLCK"),
    "read-only": (f"{RENAMES},{REMOVALS},mkdir,mkdirat,fchmod", "EROFS"),
    "no new folder": ("mkdir,mkdirat", "ENOSPC"),
}


@pytest.mark.parametrize("fault", PERSISTENT.values(), ids=PERSISTENT)
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_system_calls_fail_from_one_on(run: Run, fault: tuple[str, str], server: Server, home: Path) -> None:
    names, error = fault
    start = prepare(home, run)
    old = targets(home)
    command = COMMANDS[run.step]
    assert server.run(command, home, "-e", f"trace={names}") == 0
    new, found = targets(home), calls(server.log)
    carry_out("unapply", home)
    end = targets(home)

    for call in spread(found, amount(4, 10_000)):
        reset(home, start)
        others = [name for name in names.split(",") if name != call.name]
        inject = [f"inject={call.name}:error={error}:when={call.number}+"]
        # The counts are by name: another way to do the same fails from its first use.
        inject += [f"inject={','.join(others)}:error={error}:when=1+"] if others and call.number == 1 else []
        status = server.run(
            command, home, "-e", f"trace={names}", *(part for one in inject for part in ("-e", one))
        )
        why = (inject, call.line, status, server.err)
        assert "(INJECTED)" in server.log, why
        assert status in {DONE, FAILED, UNCONFIRMED, DENIED}, why
        check_words(server, status, why)
        now = targets(home)
        for name, state in now.items():
            assert state in (old[name], new[name], (None, 0o700)), (why, name)
        if status == DONE:
            assert now[".claude/settings.json"] == new[".claude/settings.json"], why

        age_client_lock(home)
        carry_out(run.step, home)
        assert without({".claude"}, targets(home)) == without({".claude"}, new), why
        carry_out("unapply", home)
        assert without({".claude"}, targets(home)) == without({".claude"}, end), why
        # Claude Code takes over a lock that could not be removed, once it is stale.
        assert set(leftovers(home)) <= ({".claude.json.lock"} if REMOVALS in names else set()), why
