"""Two locks: ours, held by the kernel, and the folder by which Claude Code says that it writes."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import signal
import time
from pathlib import Path

from kimi_profiles.errors import LockTimeoutError, NotPermittedError, WriteFailedError
from kimi_profiles.files import give_to_owner
from kimi_profiles.route import STAY, Route, follow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["hold_folder_lock", "hold_lock", "sweep_folder_lock"]

_STALE_S = 10.0
_POLL_S = 0.02
_IS_WINDOWS = os.name == "nt"


@contextlib.contextmanager
def hold_lock(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold our lock while the block runs. The kernel frees it when its holder dies, however that happens.

    Args:
        path: The lock file; its folder must exist. It stays behind, empty.
        timeout_s: How long to wait for another holder, in seconds.

    Raises:
        LockTimeoutError: Another process held it all that time; it is named where the system tells.
        NotPermittedError: The file system has no locks, or the file cannot be opened.
        WriteFailedError: The disk is full.
    """
    try:
        with follow(path, follow_symlinks=False) as route:  # never a link in the place of the lock
            route.check(None)
            give_back = _take(route, timeout_s)
    except _HeldError:
        holder = _holder(path)
        raise LockTimeoutError(
            f"another run{f' (process {holder})' if holder else ''} held the lock for {timeout_s:g} s",
            hint="wait for it, or give --lock-timeout a larger number",
            path=path,
        ) from None
    except NotPermittedError:
        raise
    except OSError as error:
        reason = f"cannot lock this: {os.strerror(error.errno or 0)}"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise WriteFailedError(reason, path=path) from None
        raise NotPermittedError(
            reason, hint="the state folder must be on a local file system that you may write to", path=path
        ) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # what could not be unlocked is when it is closed
            give_back()


@contextlib.contextmanager
def hold_folder_lock(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock that Claude Code takes before it writes a file: a folder named ``<file>.lock``.

    Args:
        path: The file to be written, under the name by which the client knows it. Its folder must exist.
        timeout_s: How long to wait for a fresh lock of another program, in seconds.

    Raises:
        LockTimeoutError: Another program held it all that time.
        NotPermittedError: The folder may not be written to.
        WriteFailedError: The disk is full or failed.

    Source:
        Measured, docs/claude-code.md "How the client writes": mkdir, taken over when older than 10 s.
    """
    folder = _folder_of(path)
    deadline = time.monotonic() + timeout_s
    made_at: list[int] = []  # filled as soon as it is made, whatever is raised then
    try:
        while not _make(folder, made_at):
            if time.monotonic() >= deadline:
                raise LockTimeoutError(
                    f"Claude Code holds its lock for more than {timeout_s:g} s",
                    hint="let it finish, or close it, then run this again",
                    path=folder,
                )
            time.sleep(_POLL_S)
        yield
    finally:
        try:
            _remove_own(folder, made_at)
        except BaseException as error:  # a signal came before it was removed, or the disk failed once
            with contextlib.suppress(OSError, NotPermittedError):
                _remove_own(folder, made_at)
            if not isinstance(error, OSError | NotPermittedError):
                raise


def sweep_folder_lock(path: Path) -> None:
    """Remove the lock that a run left that was killed while it held it, once it is stale."""
    _remove_stale(_folder_of(path))


class _HeldError(Exception):
    """Somebody else has the lock."""


def _take(route: Route, timeout_s: float) -> Callable[[], None]:
    """Take the kernel's lock on the file; what gives it back.

    With flock this does what filelock does; to import that takes four times as long as Python's own start.
    """
    if _IS_WINDOWS:
        from filelock import FileLock, Timeout

        lock = FileLock(str(route.real), timeout=timeout_s, poll_interval=_POLL_S)
        try:
            lock.acquire()
        except Timeout:
            raise _HeldError from None
        return lock.release
    deadline = time.monotonic() + timeout_s
    while (descriptor := _try_flock(route)) is None:
        if time.monotonic() >= deadline:
            raise _HeldError
        time.sleep(_POLL_S)
    return functools.partial(_end_flock, descriptor)


def _try_flock(route: Route) -> int | None:
    """The descriptor by which the lock is held; ``None`` while somebody else holds it."""
    import fcntl

    _make_lock(route)
    descriptor = os.open(route.name, os.O_RDWR | os.O_NONBLOCK | STAY, dir_fd=route.folder)
    is_ours = False
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = os.fstat(descriptor).st_nlink > 0  # else it was removed meanwhile, and locks nobody out
    finally:
        if not is_ours:
            os.close(descriptor)
    return descriptor if is_ours else None


def _end_flock(descriptor: int) -> None:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a process that was forked meanwhile may have it open too
    finally:
        os.close(descriptor)


def _make_lock(route: Route) -> None:
    """Make the lock file, if there is none, and let its folder's owner have it."""
    try:
        descriptor = os.open(
            route.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | STAY, 0o600, dir_fd=route.folder
        )
    except FileExistsError:
        return
    try:
        with contextlib.suppress(OSError):  # then it is ours, which is all that is needed now
            give_to_owner(route, descriptor)
    finally:
        os.close(descriptor)


def _folder_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _remove_stale(folder: Path) -> None:
    with contextlib.suppress(OSError, NotPermittedError), _route_to(folder) as route:
        if time.time() - _made_at(route) / 1e9 > _STALE_S:
            os.rmdir(route.name, dir_fd=route.folder)


@contextlib.contextmanager
def _route_to(folder: Path) -> Iterator[Route]:
    """The way to the lock, which is never a link, in a folder that is there."""
    with follow(folder, follow_symlinks=False) as route:
        if route.missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        yield route


def _made_at(route: Route) -> int:
    """In ns since 1970."""
    return os.lstat(route.name, dir_fd=route.folder).st_mtime_ns


def _make(folder: Path, made_at: list[int]) -> bool:
    """Make the lock and note when, in ns; ``False`` if somebody else has it. A stale one is cleared away."""
    try:
        with _route_to(folder) as route, _signals_wait():
            route.check(None)
            os.mkdir(route.name, dir_fd=route.folder)
            try:
                made_at.append(_made_at(route))
            except OSError:
                os.rmdir(route.name, dir_fd=route.folder)
                raise
    except FileExistsError:
        _remove_stale(folder)
        return False
    except NotPermittedError:
        raise
    except OSError as error:
        is_denied = error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
        raise (NotPermittedError if is_denied else WriteFailedError)(
            f"cannot take Claude Code's lock: {os.strerror(error.errno or 0)}", path=folder
        ) from None
    return True


def _remove_own(folder: Path, made_at: list[int]) -> None:
    with _route_to(folder) as route:
        # If we were stopped for so long that another program took it over, it is theirs to remove.
        if made_at and _made_at(route) == made_at[0]:
            os.rmdir(route.name, dir_fd=route.folder)


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """SIGINT and SIGTERM, whose handlers may raise anywhere, come when the block is done."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, set())  # a signal may raise before "try" is reached
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def _holder(path: Path) -> str | None:
    """Process id of the holder, where ``/proc/locks`` knows it."""
    try:
        inode = path.stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    match = re.search(rf"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:{inode}\s", locks)
    return match[1] if match else None
