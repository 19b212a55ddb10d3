"""Copies of files as they are without us. Never written over; the first of each file is kept for good.

One folder for each file, named after it and a digest of its path, and in it one copy for each state that we
met: ``<time in ns>-<mode>-<digest>``. A file that did not exist is an empty copy named ``…-none-absent``.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from kimi_profiles.errors import NotFoundError
from kimi_profiles.files import SPARE, create_file, make_folder, read_file, remove_leftover

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["backup_path", "load_backup", "prune_backups", "save_backup", "sweep_backups"]

KEPT = 10
_DIGITS = 16
_TARGET = "target"


def save_backup(folder: Path, target: Path, data: bytes | None, *, mode: int | None) -> str:
    """Keep a copy; one that is the same as the newest is not kept twice.

    Args:
        folder: All backups.
        target: The file.
        data: Its bytes without our part; ``None`` where there is no file.
        mode: Its permission bits; ``None`` where there is no file.

    Returns:
        The id of the copy: its path below ``folder``.
    """
    own = folder / _name_of(target)
    make_folder(own)
    create_file(own / _TARGET, str(target).encode("utf-8", "surrogateescape"))
    digest = "absent" if data is None else hashlib.sha256(data).hexdigest()[:_DIGITS]
    tail = f"-{'none' if mode is None or data is None else f'{mode:04o}'}-{digest}"
    copies = _copies(own)
    if copies and copies[-1].endswith(tail) and read_file(own / copies[-1]) == (data or b""):
        return f"{own.name}/{copies[-1]}"
    now = time.time_ns()
    while not create_file(own / f"{now:020d}{tail}", data or b""):
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
    if hashlib.sha256(data).hexdigest()[:_DIGITS] != digest:
        raise NotFoundError("this backup is damaged", path=path)
    return data


def backup_path(folder: Path, backup: str) -> Path:
    """Where a copy is."""
    name, _, copy = backup.partition("/")
    return folder / name / copy


def prune_backups(folder: Path, target: Path, *, needed: Collection[str]) -> None:
    """Forget the oldest copies of ``target``, but never the first, the newest 10, or one in ``needed``."""
    own = folder / _name_of(target)
    for copy in _copies(own)[1:-KEPT]:
        if f"{own.name}/{copy}" not in needed:
            remove_leftover(own / copy)


def sweep_backups(folder: Path) -> None:
    """Remove the unfinished copy that a run left that was killed while it made one."""
    for leftover in folder.glob(f"*/{SPARE}"):
        remove_leftover(leftover)


def _copies(own: Path) -> list[str]:
    return sorted(path.name for path in own.iterdir() if path.name not in {_TARGET, SPARE})


def _name_of(target: Path) -> str:
    digest = hashlib.sha256(str(target).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{target.name.lstrip('.')[:40]}-{digest[:_DIGITS]}"
