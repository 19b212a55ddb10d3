"""The power goes at any moment: each file is old or new and whole, and ``unapply`` gives back what was there.

What a run really did is taken from ``strace`` and done again, one operation after another, on a disk that
loses what was not synced (``disk.py``). To extend: a run in ``traced.RUNS``.
"""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING

import pytest
from support import amount, parts_of

from faults.disk import TRACED, Disk, Operation, operations
from faults.traced import (
    ALL_RUNS,
    LEDGER,
    RUNS,
    TARGETS,
    TOKEN,
    Run,
    Server,
    State,
    age_client_lock,
    carry_out,
    leftovers,
    look,
    prepare,
    reset,
    targets,
)
from kimi_profiles.archive import unpack

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

FILES = TARGETS[1:]
BACKUPS = LEDGER.rpartition("/")[0] + "/backups/"
SAMPLES = amount(120, 2000)
RECOVERED = amount(200, 100_000)


def bytes_of(state: State) -> dict[str, bytes | None]:
    return {name: state[name][0] if name in state else None for name in FILES}


def backups_on_record(state: State) -> list[str]:
    """Where the copies are that the ledger refers to."""
    if LEDGER not in state:
        return []
    ledger = json.loads(state[LEDGER][0] or b"")
    records = dict(ledger["records"])
    if "archive" in ledger:
        archive, _ = state[f"{LEDGER.rpartition('/')[0]}/{ledger['archive']}"]
        digest = ledger["archive"].removeprefix("ledger-").removesuffix(".json")
        older = unpack(digest, parts_of(archive or b""))["records"]
        records = {name: json.loads(text) for name, text in older.items()} | records
    bases = [record["base"] for record in records.values() if record is not None]
    return [BACKUPS + base for base in bases if base not in {None, "absent"}]


def record(server: Server, home: Path, run: Run) -> tuple[State, State, list[Operation]]:
    """What there was, what there is, and what the run did to get there."""
    start = prepare(home, run)
    assert server.run(run.step, home, *TRACED) == 0
    end = look(home)
    assert bytes_of(start) != bytes_of(end)
    return start, end, operations(server.log, home)


def ends_of(home: Path, *starts: State) -> list[dict[str, bytes | None]]:
    """What ``unapply`` makes of each."""
    ends = []
    for start in starts:
        reset(home, start)
        carry_out("unapply", home)
        ends.append(bytes_of(look(home)))
    return ends


@pytest.mark.parametrize("run", ALL_RUNS.values(), ids=ALL_RUNS)
def test_whatever_is_lost_files_ledger_and_backups_are_whole(
    run: Run, server: Server, home: Path, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    start, end, done = record(server, home, run)
    old, new = bytes_of(start), bytes_of(end)
    ends = ends_of(home, start, end)
    dice = random.Random(pytestconfig.getoption("hypothesis_seed"))
    disk = Disk(home, start)
    distinct: dict[int, State] = {}
    for number, operation in enumerate(done):
        disk.apply(operation)
        for state in disk.states(dice, SAMPLES):
            distinct.setdefault(hash(tuple(sorted(state.items()))), state)
            for name, data in bytes_of(state).items():
                assert data in (old[name], new[name]), (number, operation, name)
            for backup in backups_on_record(state):
                digest = hashlib.sha256(state[backup][0] or b"").hexdigest()
                assert digest.startswith(backup.rpartition("-")[2]), (number, operation, backup)
    assert disk.now() == end  # nothing was overlooked
    assert len(distinct) > 20

    chosen = dice.sample(list(distinct.values()), min(RECOVERED, len(distinct)))
    with capsys.disabled():
        print(f"\n{len(done)} operations, {len(distinct)} states after a cut, {len(chosen)} recovered from")
    for state in chosen:
        reset(home, state)
        age_client_lock(home)
        carry_out("unapply", home)
        for name, data in bytes_of(look(home)).items():
            assert data in [each[name] for each in ends], (name, state)
            assert TOKEN.encode() not in (data or b"")
        # Its removal may be lost after all else was safe; whoever writes next takes it over, for it is stale.
        assert set(leftovers(home)) <= {".claude.json.lock"}, state


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_all_is_safe_in_its_order(run: Run, server: Server, home: Path) -> None:
    start, end, done = record(server, home, run)
    disk = Disk(home, start)
    written: list[PurePosixPath] = []
    is_recorded = False
    for operation in done:
        target = operation.paths[-1] if operation.paths else None
        is_target = target is not None and str(target.relative_to(home)) in FILES
        if is_target and operation.name in {"rename", "unlink"}:
            assert target is not None
            assert is_recorded, "the ledger comes before the files"
            assert disk.is_safe(disk.home / LEDGER)
            for backup in backups_on_record(disk.now()):
                assert disk.is_safe(disk.home / backup), "backups come before the files"
            if operation.name == "rename":
                assert disk.find(operation.paths[0]).is_safe, "bytes come before the name"
            assert [path for path in written if not is_entry_safe(disk, path)] == [], "one after the other"
            written.append(target)
        if target is not None and target.name == "ledger.json" and operation.name == "rename":
            assert [path for path in written if not is_entry_safe(disk, path)] == [], "files come first"
            is_recorded = True
        disk.apply(operation)
    assert len(written) == sum(bytes_of(start)[name] != bytes_of(end)[name] for name in FILES)
    assert disk.is_safe(disk.home / LEDGER)
    assert [path for path in written if not is_entry_safe(disk, path)] == []
    assert targets(home)


def is_entry_safe(disk: Disk, path: PurePosixPath) -> bool:
    try:
        folder = disk.find(path, parent=True)
    except KeyError:  # gone, and the file with it
        return True
    return not any(path.name in change for change in folder.unsafe)
