"""A disk that is really full, of bytes or of inodes: old or new, told in one line, and room heals it."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from support import require_tool, unavailable

from faults.traced import (
    COMMANDS,
    RUNS,
    SETTINGS,
    TOKEN,
    assert_nothing_left,
    carry_out,
    leftovers,
    put,
    targets,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE_BYTES = 4096
SETTINGS_FILE = ".claude/settings.json"
# what is on the full disk → its folder below the home
PLACES = {
    "everything": ".",
    "our own records": ".local/state",
    "our backups": ".local/state/kimi-profiles/backups",
    "the settings": ".claude",
}


@contextlib.contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """A file system of its own in ``folder``, for root alone to make."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    mount = [require_tool("mount"), "-t", "tmpfs", "-o", f"mode=700,{options}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        unavailable(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run([require_tool("umount"), str(folder)], check=True)


def fill_with_bytes(folder: Path, free: int) -> None:
    """Leave room for ``free`` pages."""
    status = os.statvfs(folder)
    with (folder / "filler").open("wb") as file:
        file.write(bytes((status.f_bavail - free) * status.f_bsize))
    status = os.statvfs(folder)
    assert (status.f_bavail, status.f_bsize) == (free, PAGE_BYTES)


def fill_with_files(folder: Path, free: int) -> None:
    """Leave room for ``free`` more files."""
    (folder / "filler").mkdir()
    for number in range(os.statvfs(folder).f_favail - free):
        (folder / "filler" / str(number)).touch()
    assert os.statvfs(folder).f_favail == free


def make_room(folder: Path) -> None:
    filler = folder / "filler"
    for path in [*filler.glob("*"), filler]:
        path.rmdir() if path.is_dir() else path.unlink()


SCARCE = {"bytes": ("size=256k", fill_with_bytes), "inodes": ("size=1m,nr_inodes=64", fill_with_files)}


# Of more than a page, so that half of it can be written.
LARGE = SETTINGS.replace(b"Read", b"Read(" + b"x" * 3 * PAGE_BYTES + b")")
# What writes nothing into the place.
UNTOUCHED = {
    *((run, "our backups") for run in ("switch", "unapply", "unapply to nothing", "restore to nothing")),
    *((run, "the settings") for run in ("unapply to nothing", "restore to nothing")),
}
CASES = [
    (run, place, scarce)
    for run, place, scarce in itertools.product(RUNS, PLACES, SCARCE)
    if (run, place) not in UNTOUCHED
]


@pytest.mark.parametrize("case", CASES, ids=map("-".join, CASES))
def test_a_full_disk(
    case: tuple[str, str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, (options, fill) = RUNS[case[0]], SCARCE[case[2]]
    monkeypatch.setenv("CANARY", TOKEN)
    first = run.first | ({SETTINGS_FILE: (LARGE, 0o644)} if SETTINGS_FILE in run.first else {})
    for free in range(60):
        home = tmp_path / str(free)
        disk = home / PLACES[case[1]]
        with small_disk(disk, options):
            put(home, first)
            for step in run.before:
                carry_out(step, home)
            old = targets(home)
            fill(disk, free)
            status = carry_out(COMMANDS[run.step], home)
            said = capsys.readouterr()
            now = targets(home)
            assert leftovers(home) == [], free

            make_room(disk)
            carry_out(run.step, home)
            new = targets(home)
            assert new != old
            assert now == (old if status else new), (free, status, said.err)
            carry_out("unapply", home)
            assert_nothing_left(home, free)
        if status == 0:
            assert said.err == ""
            assert free > 0
            return
        assert status == 1, (free, said.err)
        assert re.fullmatch(r"kimi-profiles: .*No space left on device\n(hint: .*\n)?", said.err), free
        assert TOKEN not in said.err + said.out, free
    pytest.fail("there was never enough room")
