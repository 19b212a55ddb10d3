"""Copies of files as they are without us. Never written over; the first of each file is kept for good.

One folder for each file, named after it and a digest of its path, and in it one copy for each state that we
met: ``<time in ns>-<mode>-<digest>``. A file that did not exist is an empty copy named ``…-none-absent``.
The path of a copy below the folder of all backups is its *key*.
"""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

from kimi_profiles.digests import sha256
from kimi_profiles.errors import NotFoundError, ProfilesError
from kimi_profiles.files import (
    create_file,
    make_folder,
    read_file,
    remove_leftover,
    scan_folder,
    temporary_name,
)
from kimi_profiles.patterns import pattern
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = [
    "KEPT",
    "Backup",
    "backup_path",
    "list_backups",
    "load_backup",
    "prune_backups",
    "save_backup",
    "sweep_backups",
]

KEPT = 10
_DIGITS = 16
_ID_DIGITS = 8
_TARGET = "target"
_MAX_PATH_BYTES = 64 << 10
_COPY = pattern(r"(\d{20})-(none|[0-7]{4})-(absent|[0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Backup:
    """One copy.

    Attributes:
        key: Its path below the folder of all backups.
        path: The file of which it is a copy.
        copy: Where it is.
        at_ns: When it was made, in nanoseconds since 1970.
        mode: Permission bits of the file; ``None`` where there was no file.
        size_bytes: Of the file.
        is_pristine: Whether it is the first of its file, which is kept for good.
        is_needed: Whether unapply needs it.
    """

    key: str
    path: Path
    copy: Path
    at_ns: int
    mode: int | None
    size_bytes: int
    is_pristine: bool
    is_needed: bool

    @property
    def id(self) -> str:
        """Eight hexadecimal digits by which people name it."""
        return sha256(self.key.encode())[:_ID_DIGITS]

    @property
    def is_absent(self) -> bool:
        """Whether it says that there was no file."""
        return self.mode is None


def save_backup(folder: Path, target: Path, data: bytes | None, *, mode: int | None) -> str:
    """Keep a copy; one that is the same as the newest is not kept twice.

    Args:
        folder: All backups.
        target: The file.
        data: Its bytes without our part; ``None`` where there is no file.
        mode: Its permission bits; ``None`` where there is no file.

    Returns:
        The key of the copy.
    """
    own = folder / _name_of(target)
    make_folder(own)
    temporary = _temporary(folder)
    create_file(own / _TARGET, str(target).encode("utf-8", "surrogateescape"), temporary=temporary)
    digest = "absent" if data is None else sha256(data)[:_DIGITS]
    tail = f"-{'none' if mode is None or data is None else f'{mode:04o}'}-{digest}"
    copies = [*_copies(own)]
    if copies and copies[-1].endswith(tail) and read_file(own / copies[-1]) == (data or b""):
        return f"{own.name}/{copies[-1]}"
    # A clock that was set back must not put a copy before the first one.
    now = max([time.time_ns(), *(int(copy.partition("-")[0]) + 1 for copy in copies[-1:])])
    while not create_file(own / f"{now:020d}{tail}", data or b"", temporary=temporary):
        now += 1
    return f"{own.name}/{now:020d}{tail}"


def load_backup(folder: Path, backup: str) -> bytes | None:
    """The bytes of a copy; ``None`` if it says that there was no file.

    Raises:
        NotFoundError: There is no such copy, or it is damaged.
    """
    path = backup_path(folder, backup)
    data = read_file(path)
    digest = backup.rpartition("-")[2]
    if data is None:
        raise NotFoundError("this backup is gone", path=path)
    if digest == "absent":
        return None
    if sha256(data)[:_DIGITS] != digest:
        raise NotFoundError("this backup is damaged", path=path)
    return data


def backup_path(folder: Path, backup: str) -> Path:
    """Where a copy is."""
    name, _, copy = backup.partition("/")
    return folder / name / copy


def list_backups(
    folder: Path, *, needed: Collection[str] = (), of: Iterable[Path] | None = None
) -> list[Backup]:
    """All copies: files in the order of their paths, copies of each from the first to the newest.

    Args:
        folder: All backups.
        needed: Keys of those that unapply needs.
        of: Only of these files, and nothing of the others is read; all if left out.
    """
    if of is None:
        of = filter(None, (_target_of(folder / name) for name in scan_folder(folder)))
    found = [
        _backup(own / name, target, status, is_pristine=number == 0, needed=needed)
        for target in of
        for own in [folder / _name_of(target)]
        for number, (name, status) in enumerate(_copies(own).items())
    ]
    return sorted(found, key=lambda backup: (str(backup.path), backup.at_ns))


def prune_backups(
    folder: Path, *, needed: Collection[str], kept: int = KEPT, of: Iterable[Path] | None = None
) -> list[Backup]:
    """Forget the oldest copies of each file, but never the first, the newest ``kept``, or one in ``needed``.

    Args:
        folder: All backups.
        needed: Keys of those that unapply needs.
        kept: How many of each file.
        of: Only of these files; of all if left out.

    Returns:
        What was forgotten.
    """
    gone: list[Backup] = []
    for _, group in itertools.groupby(list_backups(folder, needed=needed, of=of), lambda each: each.path):
        backups = list(group)
        gone += (backup for backup in backups[1 : max(len(backups) - kept, 1)] if not backup.is_needed)
    for backup in gone:
        remove_leftover(backup.copy)
    return gone


def sweep_backups(folder: Path) -> None:
    """Remove the unfinished copy that a run left that was killed while it made one."""
    remove_leftover(_temporary(folder))


def _temporary(folder: Path) -> Path:
    """What a copy is until it is whole: always the same, so that nobody has to look for it in each folder."""
    return folder / temporary_name(folder, folder / "copy")


def _copies(own: Path) -> dict[str, os.stat_result]:
    """Names of the copies in ``own``, the first one first."""
    found = scan_folder(own)
    return {name: found[name] for name in sorted(found) if _COPY.fullmatch(name)}


def _backup(
    copy: Path, target: Path, status: os.stat_result, *, is_pristine: bool, needed: Collection[str]
) -> Backup:
    time_ns, mode, _ = copy.name.split("-")
    key = f"{copy.parent.name}/{copy.name}"
    return Backup(
        key=key,
        path=target,
        copy=copy,
        at_ns=int(time_ns),
        mode=None if mode == "none" else int(mode, 8),
        size_bytes=status.st_size,
        is_pristine=is_pristine,
        is_needed=key in needed,
    )


def _target_of(own: Path) -> Path | None:
    """The file whose copies are in ``own``; ``None`` for a folder that is none of ours."""
    try:
        data = read_file(own / _TARGET, limit_bytes=_MAX_PATH_BYTES)
    except ProfilesError:
        return None
    target = Path(os.fsdecode(data or b""))
    return target if _name_of(target) == own.name else None


def _name_of(target: Path) -> str:
    digest = sha256(str(target).encode("utf-8", "surrogateescape"))
    return f"{target.name.lstrip('.')[:40]}-{digest[:_DIGITS]}"
