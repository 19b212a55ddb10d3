"""Private files for one program: made for it, locked as long as it or we live, removed after it.

Promised on Linux and macOS: nobody else may read them (0600, in a folder of 0700); the lock is the kernel's
and the program inherits it. So what a run leaves that was killed, :func:`sweep_folders` of the next one
removes, but not before the program itself has ended. On Windows the lock ends with us.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import sys
import time

from kimi_profiles.errors import NotPermittedError, ProfilesError, TargetBusyError, WriteFailedError
from kimi_profiles.files import SPARE, create_file, give_to_owner, make_folder, remove_leftover
from kimi_profiles.route import STAY, follow
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SETTINGS", "TOKEN", "Handover", "handover", "sweep_folders"]

SETTINGS, TOKEN = "settings.json", "token"
_LOCK = "lock"
_NAME = re.compile(r"[0-9a-f]{32}")
_TRIES = 100
_STALE_S = 60.0
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL
_BUSY = {errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK}


@dataclass(frozen=True, slots=True)
class Handover:
    """A folder for one program.

    Attributes:
        folder: Its path; nobody can guess it.
        lock: Descriptor of the locked file in it.
    """

    folder: Path
    lock: int

    def write(self, name: str, text: str) -> Path:
        """Make the file :data:`SETTINGS` or :data:`TOKEN`, mode 0600.

        Raises:
            ProfilesError: The file system does not allow it, or the disk is full.
        """
        path = self.folder / name
        create_file(path, text.encode())
        return path


@contextlib.contextmanager
def handover(parent: Path) -> Iterator[Handover]:
    """A new folder below ``parent``, which is made too; gone after the block with all that is in it.

    Raises:
        NotPermittedError: It cannot be made, or the file system has no locks.
        WriteFailedError: The disk is full.
        TargetBusyError: Somebody else removes it whenever it is made.
    """
    made = _make(parent)
    try:
        yield made
    finally:
        _remove(made.folder, made.lock)


def sweep_folders(parent: Path) -> None:
    """Remove what runs left that were killed, and whose program has ended; what cannot be removed stays."""
    try:
        with os.scandir(parent) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for name in filter(_NAME.fullmatch, folders):
        with contextlib.suppress(OSError, ProfilesError):
            _sweep(parent / name)


def _make(parent: Path) -> Handover:
    make_folder(parent)
    for _ in range(_TRIES):
        folder = parent / secrets.token_hex(16)
        make_folder(folder)
        lock = _lock_new(folder)
        if lock is not None:
            return Handover(folder, lock)
    raise TargetBusyError("another program removes what is made here", path=parent)


def _lock_new(folder: Path) -> int | None:
    """Descriptor of the new locked file; ``None`` if a sweep took the folder before it was locked."""
    path = folder / _LOCK
    try:
        descriptor = _open(path, _CREATE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _explained(error, path) from None
    try:
        if _try_lock(descriptor) and _is_still(path, descriptor):
            return descriptor
    except OSError as error:
        os.close(descriptor)
        _remove(folder, None)
        raise _explained(error, path) from None
    os.close(descriptor)
    return None


def _sweep(folder: Path) -> None:
    try:
        descriptor = _open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        # A run was killed before it had locked, or after it had removed all else; or it is about to lock.
        if time.time() - folder.lstat().st_mtime > _STALE_S:
            _remove(folder, None)
        return
    if _try_lock(descriptor):
        _remove(folder, descriptor)
    else:
        os.close(descriptor)


def _remove(folder: Path, lock: int | None) -> None:
    """Remove the folder, secrets first, the lock last, whatever of it is there."""
    with contextlib.suppress(OSError, ProfilesError):
        for name in (TOKEN, SETTINGS, SPARE) if lock is not None else ():
            remove_leftover(folder / name)
    if lock is not None and sys.platform == "win32":
        os.close(lock)  # what is open cannot be removed
    with contextlib.suppress(OSError, ProfilesError):
        if lock is not None:
            remove_leftover(folder / _LOCK)
        with follow(folder, follow_symlinks=False) as route:
            route.check(None)
            os.rmdir(route.name, dir_fd=route.folder)
    if lock is not None and sys.platform != "win32":
        os.close(lock)


def _open(path: Path, flags: int) -> int:
    with follow(path, follow_symlinks=False) as route:
        route.check(None)
        if route.missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        descriptor = os.open(route.name, flags | STAY, 0o600, dir_fd=route.folder)
        if flags & os.O_CREAT and sys.platform != "win32":
            give_to_owner(route, descriptor)
        return descriptor


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _try_lock(descriptor: int) -> bool:
    """Lock it without waiting; whether nobody else has.

    Raises:
        OSError: The file system has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise
    return True


def _explained(error: OSError, path: Path) -> ProfilesError:
    reason = f"cannot make or lock this: {os.strerror(error.errno or 0)}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return WriteFailedError(reason, path=path)
    return NotPermittedError(
        reason, hint="the state folder must be on a local file system that you may write to", path=path
    )
