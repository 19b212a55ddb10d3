"""Read a file whole, replace it whole. Short effects that decide nothing about content.

Promised on Linux and macOS: a reader sees the old bytes or the new ones; links, mode, owner and extended
attributes stay; what a call reports as done survives a power cut, or :class:`DurabilityUnconfirmedError`
says that it may not. Not promised: durability of the folder entry on Windows, which cannot sync folders;
anything on network file systems that do not keep rename atomic.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kimi_profiles.errors import (
    DurabilityUnconfirmedError,
    NotPermittedError,
    ProfilesError,
    WriteFailedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PRIVATE",
    "SPARE",
    "FileChangedError",
    "Snapshot",
    "create_file",
    "give_to_owner",
    "make_folder",
    "missing_folders",
    "read_file",
    "remove_file",
    "remove_leftover",
    "replace_file",
    "set_mode",
    "take_snapshot",
]

MAX_SIZE_BYTES = 64 << 20
PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
SPARE = ".new.kimi-profiles"
"""What :func:`create_file` calls its temporary file; a run that was killed may leave it."""
_IS_WINDOWS = os.name == "nt"
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_STAY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_WINDOWS_RETRY_S = 2.0
_CHUNK_BYTES = 1 << 20


class FileChangedError(Exception):
    """Somebody changed the file since its snapshot; nothing was written."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was at one moment.

    Attributes:
        path: The name under which it is known, perhaps a link.
        real: The file itself, links resolved.
        data: Its bytes; ``None`` where there is no file.
        status: Its ``os.stat_result``; ``None`` where there is no file.
    """

    path: Path
    real: Path
    data: bytes | None = field(repr=False)
    status: os.stat_result | None = field(repr=False)

    @property
    def mode(self) -> int | None:
        """Permission bits; ``None`` where there is no file. On Windows, which has none, always 0600."""
        if self.status is None:
            return None
        return PRIVATE if _IS_WINDOWS else stat.S_IMODE(self.status.st_mode)

    def is_same_file(self, other: Snapshot) -> bool:
        """Whether ``other`` has the same bytes in the same file, untouched in between."""
        return self.real == other.real and self.data == other.data and _trace(self) == _trace(other)


def take_snapshot(path: Path, *, limit_bytes: int = MAX_SIZE_BYTES) -> Snapshot:
    """Read ``path`` whole.

    Raises:
        NotPermittedError: It may not be read, is larger than ``limit_bytes``, is not a regular file, or is a
            link that leads nowhere or in a circle.
    """
    with _explained(path, "read"):
        real = _resolve(path)
        try:
            descriptor = os.open(real, _READ | _STAY)
        except FileNotFoundError:
            return Snapshot(path, real, None, None)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NotPermittedError(f"this is {_kind(status.st_mode)}, not a file", path=path)
            if status.st_size > limit_bytes:
                raise _too_large(path, limit_bytes)
            data = _read_all(descriptor, limit_bytes + 1)
        finally:
            os.close(descriptor)
        if len(data) > limit_bytes:
            raise _too_large(path, limit_bytes)
        return Snapshot(path, real, data, status)


def read_file(path: Path, *, limit_bytes: int = MAX_SIZE_BYTES) -> bytes | None:
    """The bytes of ``path``, or ``None`` where there is no file. Raises like :func:`take_snapshot`."""
    return take_snapshot(path, limit_bytes=limit_bytes).data


def replace_file(snapshot: Snapshot, data: bytes, *, mode: int, temporary: str) -> None:
    """Put ``data`` in the place of the file, atomically.

    Args:
        snapshot: What was read before; if the file is no longer that, nothing happens.
        data: The new bytes.
        mode: Permission bits of the new file.
        temporary: Name of the temporary file, made beside the real file. The caller's lock must make it
            unique; a leftover of that name is removed first.

    Raises:
        FileChangedError: The file changed since ``snapshot``.
        NotPermittedError: The file system does not allow it, or the file has a second hard link, which a
            replacement would cut off.
        WriteFailedError: The disk is full or failed. The old bytes are in place.
        DurabilityUnconfirmedError: The new bytes are in place, but the folder could not be synced.
    """
    real = snapshot.real
    if snapshot.status is not None and snapshot.status.st_nlink > 1 and not _IS_WINDOWS:
        raise NotPermittedError(
            f"the file has {snapshot.status.st_nlink} hard links, and replacing it would cut the others off",
            hint="make the other names symbolic links to this one",
            path=snapshot.path,
        )
    with _explained(snapshot.path, "write"):
        spare = real.with_name(temporary)
        _unlink(spare)
        try:
            descriptor = os.open(spare, _CREATE | _STAY, PRIVATE)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                _write_all(file.fileno(), data)
                _copy_identity(snapshot, file.fileno(), mode)
                os.fsync(file.fileno())
            _check_unchanged(snapshot)
            _rename(spare, real)
        except BaseException:
            with contextlib.suppress(OSError):
                _unlink(spare)
            raise
    _sync_folder(real.parent, snapshot.path)


def create_file(path: Path, data: bytes) -> bool:
    """Write a new private file (mode 0600) durably and whole; never over an existing one.

    Returns:
        Whether it was made; ``False`` where something of that name exists.
    """
    snapshot = take_snapshot(path)
    if snapshot.data is not None:
        return False
    try:
        replace_file(snapshot, data, mode=PRIVATE, temporary=SPARE)
    except FileChangedError:
        return False
    return True


def remove_file(snapshot: Snapshot) -> None:
    """Remove the file, if it still is what the snapshot says.

    Raises:
        FileChangedError: It is not.
        NotPermittedError: The file system does not allow it.
    """
    with _explained(snapshot.path, "remove"):
        _check_unchanged(snapshot)
        _unlink(snapshot.real)
    _sync_folder(snapshot.real.parent, snapshot.path)


def remove_leftover(path: Path) -> None:
    """Remove a temporary file of ours, if there is one."""
    with _explained(path, "remove"):
        _unlink(path)


def set_mode(path: Path, mode: int) -> None:
    """Change the permission bits of a file."""
    with _explained(path, "write"):
        path.chmod(mode)


def make_folder(path: Path) -> tuple[Path, ...]:
    """Make ``path`` and what is missing above it, private (mode 0700).

    Returns:
        The folders that were made, outer ones first.
    """
    made = []
    with _explained(path, "write"):
        for folder in missing_folders(path):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=PRIVATE_FOLDER)
                made.append(folder)
                give_to_owner(folder.parent, folder)
    for folder in made:
        _sync_folder(folder.parent, folder)
    return tuple(made)


def missing_folders(path: Path) -> tuple[Path, ...]:
    """``path`` and what is missing above it, outer ones first; empty where ``path`` is a folder."""
    missing: list[Path] = []
    with _explained(path, "read"):
        while not path.is_dir():
            missing.insert(0, path)
            path = path.parent
    return tuple(missing)


def _check_unchanged(snapshot: Snapshot) -> None:
    if not snapshot.is_same_file(take_snapshot(snapshot.path)):
        raise FileChangedError


def _resolve(path: Path) -> Path:
    """The real file behind ``path``; also where it does not exist yet."""
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotPermittedError("the link leads in a circle", path=path) from None
        raise
    here = path
    while not here.is_symlink() and not here.exists() and here != here.parent:
        here = here.parent
    if here.is_symlink() and not here.exists():
        raise NotPermittedError(
            f"the link {here} leads nowhere", hint="create what it points to, or remove the link", path=path
        )
    return Path(os.path.realpath(path.parent)) / path.name


def _trace(snapshot: Snapshot) -> tuple[int, ...] | None:
    status = snapshot.status
    if status is None:
        return None
    return (status.st_dev, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns)


def _read_all(descriptor: int, limit_bytes: int) -> bytes:
    chunks = []
    left = limit_bytes
    while left > 0 and (chunk := os.read(descriptor, min(left, _CHUNK_BYTES))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _copy_identity(snapshot: Snapshot, descriptor: int, mode: int) -> None:
    """Owner, extended attributes (access lists are among them) and mode of the old file."""
    if _IS_WINDOWS:
        return
    old, new = snapshot.status, os.fstat(descriptor)
    if old is None:
        give_to_owner(snapshot.real.parent, descriptor)
    else:
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        _copy_attributes(snapshot.real, descriptor)
    os.fchmod(descriptor, mode)


def give_to_owner(folder: Path, made: Path | int) -> None:
    """What root makes in somebody's folder belongs to that somebody, who else could not use it."""
    if _IS_WINDOWS or os.geteuid() != 0:
        return
    owner, now = folder.stat(), os.stat(made)  # noqa: PTH116 - a descriptor has no Path
    if (now.st_uid, now.st_gid) != (owner.st_uid, owner.st_gid):
        os.chown(made, owner.st_uid, owner.st_gid)


def _copy_attributes(source: Path, descriptor: int) -> None:
    if not hasattr(os, "listxattr"):
        return
    try:
        names = os.listxattr(source)
    except OSError:
        return
    for name in names:
        if name.startswith(("user.", "system.posix_acl")):
            os.setxattr(descriptor, name, os.getxattr(source, name))


def _rename(source: Path, target: Path) -> None:
    """Rename over ``target``. Windows refuses while another program has it open; that passes."""
    deadline = time.monotonic() + (_WINDOWS_RETRY_S if _IS_WINDOWS else 0)
    while True:
        try:
            source.replace(target)
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _sync_folder(folder: Path, path: Path) -> None:
    if _IS_WINDOWS:
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DurabilityUnconfirmedError(
            f"written, but the disk did not confirm it: {os.strerror(error.errno or 0)}",
            hint="check the disk, then run the same command again",
            path=path,
        ) from None


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _too_large(path: Path, limit_bytes: int) -> NotPermittedError:
    size = f"{limit_bytes >> 20} MiB" if limit_bytes >= 1 << 20 else f"{limit_bytes >> 10} KiB"
    return NotPermittedError(f"the file is larger than {size}", path=path)


@contextlib.contextmanager
def _explained(path: Path, verb: str) -> Iterator[None]:
    """Turn what the operating system says into one of our errors, naming ``path``."""
    try:
        yield
    except (ProfilesError, FileChangedError):
        raise
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        if error.errno in {errno.EISDIR, errno.ENXIO, errno.ENOTDIR, errno.ELOOP}:
            raise NotPermittedError(f"cannot {verb} this: {reason}", path=path) from None
        if error.errno in _DENIED:
            raise NotPermittedError(
                f"not permitted to {verb} this: {reason}", hint="check owner and mode", path=path
            ) from None
        raise WriteFailedError(f"cannot {verb} this: {reason}", path=path) from None
