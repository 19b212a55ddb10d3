"""Two locks: ours, held by the kernel, and the folder by which Claude Code says that it writes."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kimi_profiles.errors import LockTimeoutError, NotPermittedError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hold_folder_lock", "hold_lock"]

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

    Source:
        Measured, docs/claude-code.md "How the client writes": mkdir, taken over when older than 10 s.
    """
    folder = path.with_name(path.name + ".lock")
    deadline = time.monotonic() + timeout_s
    while not _make(folder):
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
            folder.rmdir()


def _make(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError:
        with contextlib.suppress(OSError):
            if time.time() - folder.lstat().st_mtime > _STALE_S:
                folder.rmdir()
        return False
    except OSError as error:
        raise NotPermittedError(
            f"cannot take Claude Code's lock: {os.strerror(error.errno or 0)}", path=folder
        ) from None
    return True


def _holder(path: Path) -> str | None:
    """Process id of the holder, where ``/proc/locks`` knows it."""
    try:
        inode = path.stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    match = re.search(rf"FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:{inode}\s", locks)
    return match[1] if match else None
