"""Our lock dies with its holder; Claude Code's is waited for, taken over when stale, never left."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest

from kimi_profiles.errors import LockTimeoutError, NotPermittedError, ProfilesError, WriteFailedError
from kimi_profiles.locks import hold_folder_lock, hold_lock, sweep_folder_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLDER = """
import sys, time
from pathlib import Path
from kimi_profiles.locks import hold_lock
with hold_lock(Path(sys.argv[1]), timeout_s=5):
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds our lock."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_the_lock_file_stays_private_and_empty(tmp_path: Path) -> None:
    earlier = os.umask(0)
    try:
        with hold_lock(tmp_path / "lock", timeout_s=1):
            pass
    finally:
        os.umask(earlier)

    status = (tmp_path / "lock").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_size) == (0o600, 0)


def test_the_lock_can_be_held_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold_lock(tmp_path / "lock", timeout_s=1):
        raise ZeroDivisionError
    with hold_lock(tmp_path / "lock", timeout_s=0):
        pass


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only /proc/locks names the holder")
def test_a_lock_that_another_process_holds_times_out_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        began = time.monotonic()
        with pytest.raises(LockTimeoutError) as caught, hold_lock(path, timeout_s=0.2):
            pytest.fail("two held it")
        took_s = time.monotonic() - began

    assert caught.value.exit_code == 75
    assert f"(process {process.pid})" in str(caught.value)
    assert "--lock-timeout" in (caught.value.hint or "")
    assert 0.2 <= took_s < 2


def test_a_stopped_holder_keeps_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(LockTimeoutError), hold_lock(path, timeout_s=0.1):
            pytest.fail("two held it")


def test_a_killed_holder_is_followed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        process.kill()
        process.wait()
        began = time.monotonic()
        with hold_lock(path, timeout_s=5):
            took_s = time.monotonic() - began

    assert took_s < 1


def test_one_waits_until_the_other_is_done(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", []
    is_held = threading.Event()

    def hold() -> None:
        with hold_lock(path, timeout_s=5):
            is_held.set()
            time.sleep(0.2)
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait(5)
    with hold_lock(path, timeout_s=5):
        order.append("second")
    thread.join()

    assert order == ["first", "second"]


def test_it_is_the_lock_that_filelock_takes(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    theirs = filelock.FileLock(path, timeout=0)
    with theirs, pytest.raises(LockTimeoutError), hold_lock(path, timeout_s=0.1):
        pytest.fail("two held it")
    with hold_lock(path, timeout_s=0), pytest.raises(filelock.Timeout):
        theirs.acquire()
    with theirs:
        pass


def test_a_lock_file_that_was_removed_locks_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    path, flock, flags = tmp_path / "lock", fcntl.flock, []

    def remove_first(descriptor: int, flag: int) -> None:
        if not flags:
            path.unlink()
        flags.append(flag)
        flock(descriptor, flag)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with hold_lock(path, timeout_s=1):
        assert path.exists()
        with pytest.raises(LockTimeoutError), hold_lock(path, timeout_s=0):
            pytest.fail("two held it")
    assert flags.count(fcntl.LOCK_EX | fcntl.LOCK_NB) == 3


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="where open files can be counted")
def test_no_descriptor_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with (
            hold_lock(path, timeout_s=1),
            contextlib.suppress(LockTimeoutError),
            hold_lock(path, timeout_s=0),
        ):
            pytest.fail("two held it")
    monkeypatch.setattr("fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "")))
    with pytest.raises(NotPermittedError), hold_lock(path, timeout_s=1):
        pytest.fail("it was held")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EIO])
def test_a_file_system_without_locks_is_refused(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(NotPermittedError, match=os.strerror(number)), hold_lock(tmp_path / "l", timeout_s=1):
        pytest.fail("it was held")


def test_a_lock_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("elsewhere")

    with pytest.raises(NotPermittedError), hold_lock(tmp_path / "lock", timeout_s=0.1):
        pytest.fail("it was held")
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / ".claude.json"
    path.write_text("{}")
    return path


@pytest.fixture
def folder(target: Path) -> Path:
    return target.with_name(".claude.json.lock")


def age(folder: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(folder, (then, then))


def test_claude_codes_lock_is_there_while_we_write_and_gone_after(target: Path, folder: Path) -> None:
    with hold_folder_lock(target, timeout_s=1):
        assert folder.is_dir()
    assert not folder.exists()


def test_claude_codes_lock_lies_beside_the_link_not_beside_the_file(tmp_path: Path, target: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(target)
    with hold_folder_lock(link, timeout_s=1):
        assert (tmp_path / "link.json.lock").is_dir()


def test_claude_codes_lock_goes_also_after_an_error(target: Path, folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold_folder_lock(target, timeout_s=1):
        raise ZeroDivisionError
    assert not folder.exists()


# The client counts seconds by the modification time; 8 s was respected and 10.3 s was taken over.
@pytest.mark.parametrize("seconds", [0, 8, -3600], ids=["new", "8 s old", "from the future"])
def test_a_fresh_lock_of_claude_code_is_waited_for(seconds: float, target: Path, folder: Path) -> None:
    folder.mkdir()
    age(folder, seconds)
    began = time.monotonic()

    with pytest.raises(LockTimeoutError) as caught, hold_folder_lock(target, timeout_s=0.2):
        pytest.fail("two held it")

    assert caught.value.exit_code == 75
    assert 0.2 <= time.monotonic() - began < 2
    assert folder.is_dir()


def test_a_lock_that_claude_code_gives_back_is_taken(target: Path, folder: Path) -> None:
    folder.mkdir()
    timer = threading.Timer(0.15, folder.rmdir)
    timer.start()
    with hold_folder_lock(target, timeout_s=5):
        assert folder.is_dir()
    timer.join()
    assert not folder.exists()


def test_a_stale_lock_of_claude_code_is_taken_over(target: Path, folder: Path) -> None:
    folder.mkdir()
    age(folder, 11)
    with hold_folder_lock(target, timeout_s=1):
        assert time.time() - folder.stat().st_mtime < 5
    assert not folder.exists()


def test_a_stale_lock_with_something_in_it_is_left_alone(target: Path, folder: Path) -> None:
    (folder / "precious").mkdir(parents=True)
    age(folder, 60)
    with pytest.raises(LockTimeoutError), hold_folder_lock(target, timeout_s=0.1):
        pytest.fail("it was held")
    assert (folder / "precious").is_dir()


def test_a_lock_that_was_taken_over_from_us_is_theirs_to_remove(target: Path, folder: Path) -> None:
    with hold_folder_lock(target, timeout_s=1):
        folder.rmdir()
        time.sleep(0.01)
        folder.mkdir()
    assert folder.is_dir()


@pytest.mark.parametrize(("seconds", "is_left"), [(0, True), (8, True), (11, False)])
def test_what_a_killed_run_left_is_swept_once_it_is_stale(
    seconds: float, target: Path, folder: Path, *, is_left: bool
) -> None:
    sweep_folder_lock(target)  # nothing there
    folder.mkdir()
    age(folder, seconds)
    sweep_folder_lock(target)
    assert folder.exists() is is_left


def test_no_lock_is_made_anywhere_else_where_the_folder_is_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(ProfilesError, match="No such file"),
        hold_folder_lock(tmp_path / "gone/too/file", timeout_s=1),
    ):
        pytest.fail("it was held")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.parametrize("call", [1, 2])
def test_a_signal_while_signals_are_put_off_leaves_none_blocked(
    call: int, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = signal.pthread_sigmask, []

    def sigmask(how: int, mask: set[int]) -> set[int | signal.Signals]:
        answer = real(how, mask)
        calls.append(mask)
        if len(calls) == call:
            raise KeyboardInterrupt  # as a handler does that runs just then
        return answer

    monkeypatch.setattr(signal, "pthread_sigmask", sigmask)
    with pytest.raises(KeyboardInterrupt), hold_folder_lock(target, timeout_s=1):
        pytest.fail("it was held")
    monkeypatch.undo()

    assert len(calls) >= call
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == set()


# id → error of mkdir, what it becomes
REFUSALS = {
    "read-only": (errno.EROFS, NotPermittedError, 77),
    "denied": (errno.EACCES, NotPermittedError, 77),
    "disk full": (errno.ENOSPC, WriteFailedError, 1),
}


@pytest.mark.parametrize(("number", "kind", "exit_code"), REFUSALS.values(), ids=REFUSALS)
def test_a_lock_that_cannot_be_made_says_why(
    number: int, kind: type[ProfilesError], exit_code: int, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "mkdir", fail)
    with pytest.raises(kind, match=os.strerror(number)) as caught, hold_folder_lock(target, timeout_s=1):
        pytest.fail("it was held")
    assert caught.value.exit_code == exit_code
