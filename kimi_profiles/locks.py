"""Two locks: ours, held by the kernel, and the folder by which Claude Code says that it writes."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kimi_profiles.errors import LockTimeoutError, NotPermittedError, WriteFailedError
from kimi_profiles.files import give_to_owner

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hold_folder_lock", "hold_lock", "sweep_folder_lock"]

_STALE_S = 10.0
_POLL_S = 0.02


@contextlib.contextmanager
def hold_lock(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold our lock while the block runs. The kernel frees it when its holder dies, however that happens.

    Args:
        path: The lock file; its folder must exist. It stays behind, empty.
        timeout_s: How long to wait for another holder, in seconds.

    Raises:
        LockTimeoutError: Another process held it all that time; it is named where the system tells.
        NotPermittedError: The file system has no locks, or the file cannot be opened.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=timeout_s, mode=0o600, poll_interval=_POLL_S, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        holder = _holder(path)
        raise LockTimeoutError(
            f"another run{f' (process {holder})' if holder else ''} held the lock for {timeout_s:g} s",
            hint="wait for it, or give --lock-timeout a larger number",
            path=path,
        ) from None
    except OSError as error:
        raise NotPermittedError(
            f"cannot lock this: {os.strerror(error.errno or 0)}",
            hint="the state folder must be on a local file system that you may write to",
            path=path,
        ) from None
    give_to_owner(path.parent, path)
    try:
        yield
    finally:
        lock.release()


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
    while (made_at := _make(folder)) is None:
        if time.monotonic() >= deadline:
            raise LockTimeoutError(
                f"Claude Code holds its lock for more than {timeout_s:g} s",
                hint="let it finish, or close it, then run this again",
                path=folder,
            )
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            # If we were stopped for so long that another program took it over, it is theirs to remove.
            if folder.lstat().st_mtime_ns == made_at:
                folder.rmdir()


def sweep_folder_lock(path: Path) -> None:
    """Remove the lock that a run left that was killed while it held it, once it is stale."""
    _remove_stale(_folder_of(path))


def _folder_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _remove_stale(folder: Path) -> None:
    with contextlib.suppress(OSError):
        if time.time() - folder.lstat().st_mtime > _STALE_S:
            folder.rmdir()


def _make(folder: Path) -> int | None:
    """When the lock was made, in ns; ``None`` if somebody else has it. A stale one is cleared away."""
    try:
        folder.mkdir()
        return folder.lstat().st_mtime_ns
    except FileExistsError:
        _remove_stale(folder)
        return None
    except OSError as error:
        is_denied = error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
        raise (NotPermittedError if is_denied else WriteFailedError)(
            f"cannot take Claude Code's lock: {os.strerror(error.errno or 0)}", path=folder
        ) from None


def _holder(path: Path) -> str | None:
    """Process id of the holder, where ``/proc/locks`` knows it."""
    try:
        inode = path.stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    match = re.search(rf"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:{inode}\s", locks)
    return match[1] if match else None
