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

from kimi_profiles.digests import sha256
from kimi_profiles.errors import (
    DurabilityUnconfirmedError,
    NotPermittedError,
    ProfilesError,
    WriteFailedError,
)
from kimi_profiles.route import STAY, Route, follow
from kimi_profiles.values import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = [
    "PRIVATE",
    "SPARE",
    "FileChangedError",
    "OpenFile",
    "Snapshot",
    "check_lent",
    "create_file",
    "folder_mark",
    "give_to_owner",
    "lender_of",
    "make_folder",
    "missing_folders",
    "open_file",
    "read_file",
    "remove_file",
    "remove_leftover",
    "remove_temporary",
    "replace_file",
    "scan_folder",
    "set_mode",
    "take_snapshot",
    "temporary_name",
]

MAX_SIZE_BYTES = 64 << 20
PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
SPARE = ".new.kimi-profiles"
"""What a temporary file is called where nothing else is said; a run that was killed may leave it."""
_IS_WINDOWS = os.name == "nt"
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_WINDOWS_RETRY_S = 2.0
_CHUNK_BYTES = 1 << 20


class FileChangedError(Exception):
    """Somebody changed the file since its snapshot; nothing was written.

    Attributes:
        was_in_place: Whether the new bytes were there for a moment, so that somebody may have read them.
    """

    was_in_place = False


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
        return (
            self.real == other.real
            and self.data == other.data
            and _trace(self.status) == _trace(other.status)
        )


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file that is open.

    Attributes:
        path: The name under which it is known, perhaps a link.
        real: The file itself, links resolved.
        status: Its ``os.stat_result``; ``None`` where there is no file.
        descriptor: By which it is read; ``None`` where there is no file.
        limit_bytes: What counts as too large.
    """

    path: Path
    real: Path
    status: os.stat_result | None = field(repr=False)
    descriptor: int | None
    limit_bytes: int

    def read(self) -> bytes | None:
        """Its bytes; ``None`` where there is no file."""
        if self.descriptor is None or self.status is None:
            return None
        data = _read_all(self.descriptor, self.limit_bytes + 1, self.status.st_size)
        if len(data) > self.limit_bytes:
            raise _too_large(self.path, self.limit_bytes)
        return data


def take_snapshot(path: Path, *, limit_bytes: int = MAX_SIZE_BYTES) -> Snapshot:
    """Read ``path`` whole.

    Raises:
        NotPermittedError: It may not be read, is larger than ``limit_bytes``, is not a regular file, or is a
            link that leads nowhere or in a circle.
    """
    with open_file(path, limit_bytes=limit_bytes) as file:
        return Snapshot(path, file.real, file.read(), file.status)


@contextlib.contextmanager
def open_file(path: Path, *, limit_bytes: int = MAX_SIZE_BYTES) -> Iterator[OpenFile]:
    """A file that may be read, or need not be. Raises like :func:`take_snapshot`."""
    with _explained(path, "read"), follow(path) as route:
        descriptor = None
        if not route.missing:
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(route.name, _READ | STAY, dir_fd=route.folder)
        if descriptor is None:
            route.check(None)
            yield OpenFile(path, route.real, None, None, limit_bytes)
            return
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NotPermittedError(f"this is {_kind(status.st_mode)}, not a file", path=path)
            route.check(status)
            if status.st_size > limit_bytes:
                raise _too_large(path, limit_bytes)
            yield OpenFile(path, route.real, status, descriptor, limit_bytes)
        finally:
            os.close(descriptor)


def folder_mark(path: Path) -> str | None:
    """What the folder of ``path`` is known by, whatever it is called; ``None`` where there is none.

    It stays the same when the folder, or one above it, is renamed. Another one may have the same, on another
    file system or once this one is gone; so what is found by it is to be looked at.
    """
    try:
        return f"inode {path.parent.stat().st_ino}"
    except (OSError, ValueError):
        return None


def lender_of(file: Snapshot | OpenFile) -> int | None:
    """Whose file it is, if neither ours nor root's."""
    if _IS_WINDOWS or file.status is None or file.status.st_uid in {0, os.geteuid()}:
        return None
    return file.status.st_uid


def check_lent(snapshot: Snapshot, lender: int) -> None:
    """Refuse a file to which the ledger of another user led us, and which is not theirs.

    Raises:
        NotPermittedError: Neither the file nor its folder belongs to ``lender``.
    """
    folder = snapshot.real.parent
    while not folder.is_dir():
        folder = folder.parent
    owners = {folder.stat().st_uid, *([snapshot.status.st_uid] if snapshot.status else [])}
    if lender not in owners:
        raise NotPermittedError(
            "the ledger that names this file belongs to another user, and the file does not",
            hint="run this as that user",
            path=snapshot.path,
        )


def read_file(path: Path, *, limit_bytes: int = MAX_SIZE_BYTES) -> bytes | None:
    """The bytes of ``path``, or ``None`` where there is no file. Raises like :func:`take_snapshot`."""
    return take_snapshot(path, limit_bytes=limit_bytes).data


def scan_folder(path: Path) -> dict[str, os.stat_result]:
    """What is in the folder ``path``: its names, each with what it is; a link counts as a link.

    Returns:
        Empty where there is no such folder, or where it goes away meanwhile.

    Raises:
        NotPermittedError: It is no folder, may not be read, or a link of somebody else leads to it.
        WriteFailedError: The disk failed.
    """
    found = {}
    gone = contextlib.suppress(FileNotFoundError)
    with _explained(path, "read"), gone, follow(path / "_", follow_symlinks=False) as route:
        route.check(None)
        if not route.missing:
            opened = contextlib.nullcontext(path) if route.folder is None else route.opened()
            with opened as folder, os.scandir(folder) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):  # it went away just now
                        found[entry.name] = entry.stat(follow_symlinks=False)
    return found


def temporary_name(state: Path, path: Path) -> str:
    """What to call the temporary file of ``path``, by those who hold the lock in the folder ``state``."""
    tag = sha256(str(state).encode("utf-8", "surrogateescape"))[:8]
    return f".{path.name}.{tag}.kimi-profiles"


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
    if snapshot.status is not None and snapshot.status.st_nlink > 1 and not _IS_WINDOWS:
        raise NotPermittedError(
            f"the file has {snapshot.status.st_nlink} hard links, and replacing it would cut the others off",
            hint="make the other names symbolic links to this one",
            path=snapshot.path,
        )
    with _explained(snapshot.path, "write"), _route_to(snapshot) as route:
        temporary = route.at(temporary)
        _unlink(temporary, route)
        made: os.stat_result | None = None
        try:
            made = _make(temporary, route, data, lambda new: _copy_identity(snapshot, new, mode, route))
            _check_unchanged(snapshot)
            _rename(temporary, route)
            _check_replaced(snapshot, temporary, route, made)
        except BaseException:
            _undo(temporary, route, made)
            raise
        _forget(temporary, route)
        _sync_folder(route)


def create_file(path: Path, data: bytes, *, temporary: Path | None = None) -> bool:
    """Write a new private file (mode 0600) durably and whole; never over an existing one.

    Args:
        path: The file; its folder must exist.
        data: Its bytes.
        temporary: What it is until it is whole, on the same file system; beside it if left out. The caller's
            lock must make it unique; a leftover of that name is removed first.

    Returns:
        Whether it was made; ``False`` where a file of that name exists.

    Raises:
        NotPermittedError: Something else has that name, or the file system does not allow it.
        WriteFailedError: The disk is full or failed.
        DurabilityUnconfirmedError: The file is in place, but the folder could not be synced.
    """
    with _explained(path, "write"), follow(path) as route:
        if route.missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        status = _status(route.name, route)
        route.check(status)
        if status is not None:
            if not stat.S_ISREG(status.st_mode):
                raise NotPermittedError(f"this is {_kind(status.st_mode)}, not a file", path=path)
            return False
        nothing = Snapshot(path, route.real, None, None)
        with _route_to_spare(temporary, route) as spare:
            _unlink(spare.name, spare)
            is_made = False
            try:
                _make(spare.name, spare, data, lambda new: _copy_identity(nothing, new, PRIVATE, route))
                is_made = _move(spare, route)
            finally:
                if not is_made:
                    _forget(spare.name, spare)
        if is_made:
            _sync_folder(route)
        return is_made


def remove_file(snapshot: Snapshot) -> None:
    """Remove the file, if it still is what the snapshot says.

    Raises:
        FileChangedError: It is not.
        NotPermittedError: The file system does not allow it.
    """
    with _explained(snapshot.path, "remove"), _route_to(snapshot) as route:
        _check_unchanged(snapshot)
        _unlink(route.name, route)
        _sync_folder(route)


def remove_leftover(path: Path) -> None:
    """Remove a temporary file of ours, if there is one; nor is there one where its folder goes away."""
    with _explained(path, "remove"), follow(path, follow_symlinks=False) as route:
        route.check(None)
        if not route.missing:
            _unlink(route.name, route)


def remove_temporary(path: Path, temporary: str) -> None:
    """Remove what :func:`replace_file` of a run that was killed left beside the real file."""
    with _explained(path, "remove"), follow(path) as route:
        route.check(None)
        if not route.missing and _status(route.at(temporary), route) is not None:
            _unlink(route.at(temporary), route)


def set_mode(snapshot: Snapshot, mode: int) -> None:
    """Change the permission bits of a file, if it still is the same.

    Raises:
        FileChangedError: It is not.
        NotPermittedError: The file system does not allow it.
    """
    with _explained(snapshot.path, "write"), _route_to(snapshot) as route:
        if _IS_WINDOWS:
            snapshot.real.chmod(mode)
            return
        with _opened(snapshot, route) as descriptor:
            os.fchmod(descriptor, mode)


def make_folder(path: Path) -> tuple[Path, ...]:
    """Make ``path`` and what is missing above it, private (mode 0700).

    Returns:
        The folders that were made, outer ones first.
    """
    names = missing_folders(path)
    made: dict[Path, Route] = {}
    with _explained(path, "write"), contextlib.ExitStack() as stack:
        for folder in names:
            # One at a time: what was made is held, and the next one goes into it.
            route = stack.enter_context(follow(folder))
            route.check(None)
            with contextlib.suppress(FileExistsError):
                os.mkdir(route.name, PRIVATE_FOLDER, dir_fd=route.folder)
                made[folder] = route
                _give_folder(route)
        for route in made.values():
            _sync_folder(route)
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


@contextlib.contextmanager
def _route_to(snapshot: Snapshot) -> Iterator[Route]:
    """The way to the file of a snapshot, whose folder is there and still the same."""
    with follow(snapshot.path) as route:
        if route.real != snapshot.real:
            raise FileChangedError
        if route.missing:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        yield route


@contextlib.contextmanager
def _route_to_spare(temporary: Path | None, route: Route) -> Iterator[Route]:
    """The way to a temporary file; if none is named, to one beside the file to which ``route`` leads."""
    if temporary is None:
        yield replace(route, name=route.at(SPARE))
        return
    with follow(temporary, follow_symlinks=False) as spare:
        spare.check(None)
        yield spare


@contextlib.contextmanager
def _opened(snapshot: Snapshot, route: Route) -> Iterator[int]:
    """A descriptor of the file, if it still is the one of the snapshot."""
    try:
        descriptor = os.open(route.name, _READ | STAY, dir_fd=route.folder)
    except FileNotFoundError:
        raise FileChangedError from None
    try:
        now, old = os.fstat(descriptor), snapshot.status
        if old is None or (now.st_dev, now.st_ino) != (old.st_dev, old.st_ino):
            raise FileChangedError
        yield descriptor
    finally:
        os.close(descriptor)


def _trace(status: os.stat_result | None) -> tuple[int, ...] | None:
    if status is None:
        return None
    owner = status.st_uid, status.st_gid
    return (status.st_dev, status.st_ino, status.st_mode, *owner, status.st_size, status.st_mtime_ns)


def _read_all(descriptor: int, limit_bytes: int, expected_bytes: int) -> bytes:
    """All there is, up to a limit; as many bytes as are expected come in one piece, which is not copied."""
    chunks = []
    left, size = limit_bytes, expected_bytes + 1
    while left > 0 and (chunk := os.read(descriptor, min(left, size))):
        chunks.append(chunk)
        left -= len(chunk)
        size = _CHUNK_BYTES
    return b"".join(chunks)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _make(name: str, route: Route, data: bytes, prepare: Callable[[int], None]) -> os.stat_result:
    """Make a file, durable but for its name; ``prepare`` gets a descriptor of it when all is written."""
    descriptor = os.open(name, _CREATE | STAY, PRIVATE, dir_fd=route.folder)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        _write_all(file.fileno(), data)
        prepare(file.fileno())
        os.fsync(file.fileno())
        return os.fstat(file.fileno())


def _copy_identity(snapshot: Snapshot, descriptor: int, mode: int, route: Route) -> None:
    """Owner, extended attributes (access lists are among them) and mode of the old file."""
    if _IS_WINDOWS:
        return
    old, new = snapshot.status, os.fstat(descriptor)
    if old is None:
        give_to_owner(route, descriptor)
    else:
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        with _opened(snapshot, route) as source:
            _copy_attributes(source, descriptor)
    os.fchmod(descriptor, mode)


def give_to_owner(route: Route, made: int) -> None:
    """What root makes in somebody's folder belongs to that somebody, who else could not use it.

    Args:
        route: The way to the folder.
        made: A descriptor of what was made: by its name, somebody could put another file in its place.
    """
    if route.folder is None or os.geteuid() != 0:
        return
    owner, now = os.fstat(route.folder), os.fstat(made)
    if (now.st_uid, now.st_gid) != (owner.st_uid, owner.st_gid):
        os.fchown(made, owner.st_uid, owner.st_gid)


def _give_folder(route: Route) -> None:
    if route.folder is None:
        return
    flags = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | STAY
    descriptor = os.open(route.name, flags, dir_fd=route.folder)
    try:
        give_to_owner(route, descriptor)
    finally:
        os.close(descriptor)


def _copy_attributes(source: int, descriptor: int) -> None:
    if not hasattr(os, "listxattr"):
        return
    try:
        names = os.listxattr(source)
    except OSError:
        return
    for name in names:
        if name.startswith(("user.", "system.posix_acl")):
            os.setxattr(descriptor, name, os.getxattr(source, name))


def _check_replaced(snapshot: Snapshot, temporary: str, route: Route, made: os.stat_result) -> None:
    """What the rename took out, where that is to be seen, must be the snapshot; else it goes back in.

    So a program that takes no lock and writes between the last comparison and the rename loses nothing.

    Args:
        snapshot: What it should be.
        temporary: What it is called.
        route: The way to its folder.
        made: What was put in.
    """
    expected, out = made, _status(temporary, route)
    if out is None or _is_snapshot(snapshot, out, temporary, route):
        return
    while True:
        back = out
        _rename(temporary, route)
        out = _status(temporary, route)
        if out is None or _trace(out) == _trace(expected):
            changed = FileChangedError()
            changed.was_in_place = True
            raise changed
        expected = back  # somebody wrote in between again, and that is newer


def _undo(temporary: str, route: Route, made: os.stat_result | None) -> None:
    """Leave what was there before: what the rename took out goes back in, and what was made goes.

    Args:
        temporary: What was made, or was taken out.
        route: The way to its folder.
        made: What was made; ``None`` if it never was whole.
    """
    with contextlib.suppress(OSError):
        out = _status(temporary, route)
        is_in_place = made is not None and _trace(_status(route.name, route)) == _trace(made)
        if is_in_place and out is not None:
            _rename(temporary, route)
        _forget(temporary, route)


def _status(name: str, route: Route) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=route.folder)
    except FileNotFoundError:
        return None


def _is_snapshot(snapshot: Snapshot, out: os.stat_result, name: str, route: Route) -> bool:
    if _trace(out) != _trace(snapshot.status):  # it may be anything, a link or not to be read
        return False
    descriptor = os.open(name, _READ | STAY, dir_fd=route.folder)
    try:
        return _read_all(descriptor, MAX_SIZE_BYTES, out.st_size) == snapshot.data
    finally:
        os.close(descriptor)


def _move(spare: Route, route: Route) -> bool:
    """Let a file have its name; ``False`` if something else has it."""
    error = _renamed(spare.name, spare, route)
    if error in {0, errno.EEXIST}:
        return error == 0
    if _status(route.name, route) is not None:
        return False
    _replace(spare.name, spare, route)
    return True


def _rename(temporary: str, route: Route) -> None:
    """Rename over the file; on Linux what was there is called ``temporary`` then."""
    if not _exchange(temporary, route):
        _replace(temporary, route, route)


def _replace(name: str, source: Route, target: Route) -> None:
    """Rename ``name`` of the one folder over the file. Windows refuses while it is open; that passes."""
    deadline = time.monotonic() + (_WINDOWS_RETRY_S if _IS_WINDOWS else 0)
    while True:
        try:
            os.replace(name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder)
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _exchange(temporary: str, route: Route) -> bool:
    """Let both change their names, or the one take a name that is free; whether the system can do that."""
    error = _renamed(temporary, route, route, is_exchange=True)
    if error == errno.ENOENT:
        error = _renamed(temporary, route, route)
        if error == errno.EEXIST:
            raise FileChangedError
    return error == 0


def _renamed(name: str, source: Route, target: Route, *, is_exchange: bool = False) -> int:
    """0, or the number of the error; ``ENOSYS`` where the system cannot do that at all."""
    from kimi_profiles.linux import rename

    return rename(source.folder, name, target.folder, target.name, is_exchange=is_exchange)


def _sync_folder(route: Route) -> None:
    if _IS_WINDOWS:
        return
    try:
        route.sync()
    except OSError as error:
        raise DurabilityUnconfirmedError(
            f"written, but the disk did not confirm it: {os.strerror(error.errno or 0)}",
            hint="check the disk, then run the same command again",
            path=route.path,
        ) from None


def _forget(temporary: str, route: Route) -> None:
    """Remove the temporary file; what fails once is done again, and what cannot be done now is left."""
    for _ in range(2):
        with contextlib.suppress(OSError):
            _unlink(temporary, route)
            return


def _unlink(name: str, route: Route) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=route.folder)


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
        if error.errno in {errno.EISDIR, errno.ENXIO, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}:
            raise NotPermittedError(f"cannot {verb} this: {reason}", path=path) from None
        if error.errno == errno.EBUSY:
            raise NotPermittedError(
                "this file is a mount point, which nothing can take the place of",
                hint="mount its folder instead, as containers do with volumes",
                path=path,
            ) from None
        if error.errno in _DENIED:
            raise NotPermittedError(
                f"not permitted to {verb} this: {reason}", hint="check owner and mode", path=path
            ) from None
        raise WriteFailedError(f"cannot {verb} this: {reason}", path=path) from None
