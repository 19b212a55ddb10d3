"""Private files for one program: nobody else reads them, and they go when it has gone, whoever was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kimi_profiles.errors import NotPermittedError
from kimi_profiles.running.handover import SETTINGS, TOKEN, handover, sweep_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kernel locks that a program inherits")

# Hands over to a program that lives until its standard input ends, and says where the files are.
RUN = """
import os, sys
from pathlib import Path
from kimi_profiles.running.child import held_signals, run_child
from kimi_profiles.running.handover import SETTINGS, TOKEN, handover
with held_signals() as held, handover(Path(sys.argv[1])) as lent:
    lent.write(TOKEN, "sk-test-0123456789abcdef")
    lent.write(SETTINGS, "{}")
    script = 'echo "$PPID $$ $1"; exec cat >/dev/null'
    words = ["-c", script, "sh", str(lent.folder)]
    run_child("/bin/sh", words, dict(os.environ), held=held, kept_open=lent.lock)
"""


@contextlib.contextmanager
def running(parent: Path) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A run, the number of its program, and its folder."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", RUN, parent], stdin=pipe, stdout=pipe, text=True) as run:
        assert run.stdout is not None
        _, program, folder = run.stdout.readline().split(maxsplit=2)
        yield run, int(program), parent / folder.strip()


def wait_until_gone(process: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(process, 0)
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return  # ended, and nobody has asked yet how
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.01)
    pytest.fail("the program lives on")


def test_only_we_may_read_it_and_nothing_stays(tmp_path: Path) -> None:
    earlier = os.umask(0)
    try:
        with handover(tmp_path / "state" / "run") as lent:
            paths = [lent.write(TOKEN, "one"), lent.write(SETTINGS, "two")]
            modes = {stat.S_IMODE(path.stat().st_mode) for path in lent.folder.iterdir()}
            folders = {stat.S_IMODE(path.stat().st_mode) for path in lent.folder.parents[:2]}
            folders.add(stat.S_IMODE(lent.folder.stat().st_mode))
            texts = [path.read_text() for path in paths]
    finally:
        os.umask(earlier)
    assert (modes, folders, texts) == ({0o600}, {0o700}, ["one", "two"])
    assert list((tmp_path / "state" / "run").iterdir()) == []


def test_names_cannot_be_guessed(tmp_path: Path) -> None:
    names = set()
    for _ in range(3):
        with handover(tmp_path) as lent:
            names.add(lent.folder.name)
    assert len(names) == 3
    assert {len(name) for name in names} == {32}


def test_nothing_stays_after_an_error(tmp_path: Path) -> None:
    with contextlib.suppress(ZeroDivisionError), handover(tmp_path) as lent:
        lent.write(TOKEN, "one")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_leaves_what_is_in_use(tmp_path: Path) -> None:
    with handover(tmp_path) as lent:
        path = lent.write(TOKEN, "one")
        sweep_folders(tmp_path)
        assert path.read_text() == "one"


def test_what_a_killed_run_left_stays_as_long_as_its_program_and_then_goes(tmp_path: Path) -> None:
    with running(tmp_path) as (run, program, folder):
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        sweep_folders(tmp_path)
        assert {path.name for path in folder.iterdir()} == {SETTINGS, TOKEN, "lock"}
        os.kill(program, signal.SIGKILL)
        wait_until_gone(program)
        sweep_folders(tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_both_killed(tmp_path: Path) -> None:
    with running(tmp_path) as (run, program, _):
        os.kill(program, signal.SIGSTOP)
        os.kill(run.pid, signal.SIGKILL)
        os.kill(program, signal.SIGKILL)
        run.wait()
        wait_until_gone(program)
        sweep_folders(tmp_path)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", [[], ["lock"], ["lock", SETTINGS], ["lock", ".new.kimi-profiles"]], ids=str)
def test_what_was_left_half_made_goes(tmp_path: Path, left: list[str]) -> None:
    folder = tmp_path / ("0" * 32)
    folder.mkdir()
    for name in left:
        (folder / name).touch()
    os.utime(folder, (0, 0))
    sweep_folders(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_about_to_be_locked_stays(tmp_path: Path) -> None:
    (tmp_path / ("0" * 32)).mkdir()
    sweep_folders(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_sweep_touches_nothing_else(tmp_path: Path) -> None:
    parent, other = tmp_path / "run", tmp_path / "other"
    for folder in (parent / "mine", parent / ("0" * 31), parent / ("1" * 32 + "\n"), other):
        folder.mkdir(parents=True)
        for name in ("lock", TOKEN, SETTINGS):
            (folder / name).touch()
    (parent / ("2" * 32)).symlink_to(other)
    (parent / ("3" * 32)).write_text("a file")
    kept = parent / ("4" * 32)
    kept.mkdir()
    for name in ("lock", "theirs"):
        (kept / name).touch()
    before = sorted(tmp_path.rglob("*"))
    sweep_folders(parent)
    assert sorted(tmp_path.rglob("*")) == [path for path in before if path != kept / "lock"]


def test_no_folder_is_no_fault(tmp_path: Path) -> None:
    sweep_folders(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(NotPermittedError), handover(tmp_path / "run"):
        pass


def test_one_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kimi_profiles.running import handover as module

    made = module.make_folder
    swept = []

    def make_and_sweep(path: Path) -> tuple[Path, ...]:
        folders = made(path)
        if path.parent == tmp_path / "run" and len(swept) < 2:
            swept.append(path)
            path.rmdir()
        return folders

    monkeypatch.setattr(module, "make_folder", make_and_sweep)
    with handover(tmp_path / "run") as lent:
        assert lent.folder not in swept
        assert lent.folder.is_dir()
    assert len(swept) == 2


def test_one_that_is_swept_while_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kimi_profiles.running import handover as module

    lock = module._try_lock
    swept = []

    def sweep_and_lock(descriptor: int) -> bool:
        if not swept:
            swept.append(descriptor)
            sweep_folders(tmp_path)  # comes back here, and takes the lock first
        return lock(descriptor)

    monkeypatch.setattr(module, "_try_lock", sweep_and_lock)
    with handover(tmp_path) as lent:
        assert (lent.folder / "lock").exists()
    assert list(tmp_path.iterdir()) == []
