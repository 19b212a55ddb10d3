"""Values that took a while to find out, kept in the cache folder for the next run.

A file is named for the digest of all that decides what is in it. So none is ever out of date; at worst it
is not there, and its value is found out again. Whatever else may be wrong with one, it counts as not there:
it is damaged, somebody else's, or others may write to it. No secret belongs here.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path

from kimi_profiles._version import __version__
from kimi_profiles.digests import sha256
from kimi_profiles.errors import ProfilesError
from kimi_profiles.files import PRIVATE, FileChangedError, make_folder, replace_file, take_snapshot
from kimi_profiles.route import STAY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Kept", "program", "whole_program"]

_MAX_SIZE_BYTES = 4 << 20
_MOST_FILES = 200
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | STAY


class Kept:
    """Values by key.

    Args:
        folder: Where. It is made when something is to be kept; nothing is where it is not our own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str) -> Any:
        """What was kept; ``None`` where that is not known.

        Args:
            key: A digest of all that decides the value, in hexadecimal digits.
        """
        try:
            seal, _, data = _own_bytes(self._folder / f"{key}.json").partition(b"\n")
            return json.loads(data) if seal == _seal(key, data) else None
        except (OSError, ValueError, RecursionError):
            return None

    def write(self, key: str, value: object) -> None:
        """Keep a value, any that JSON has; what cannot be kept now is for the next run to try."""
        if not _is_own(self._folder):
            return
        data = json.dumps(value).encode()
        path = self._folder / f"{key}.json"
        with contextlib.suppress(ProfilesError, FileChangedError, OSError):
            make_folder(self._folder)
            _make_room(self._folder)
            replace_file(
                take_snapshot(path, limit_bytes=_MAX_SIZE_BYTES),
                _seal(key, data) + b"\n" + data,
                mode=PRIVATE,
                temporary=f".{key}.{os.getpid()}",
            )


def program(*files: str) -> str:
    """A text that is another one when this program, or one of these files of it, is another one.

    What was installed from a checkout has the version of another one.
    """
    package = Path(__file__).parent
    return " ".join([__version__, *(_stamp(package / name) for name in files)])


def whole_program() -> str:
    """The same for all files of it."""
    package = os.path.dirname(__file__)  # noqa: PTH120 - texts, as there are many
    return program(
        *sorted(
            f"{folder}/{name}"
            for folder, _, names in os.walk(package)
            for name in names
            if name.endswith((".py", ".json"))
        )
    )


def _seal(key: str, data: bytes) -> bytes:
    """What the first line has to be: of other data, or under another name, it is another."""
    return sha256(key.encode(), data).encode()


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:  # in an archive
        return ""
    return f"{status.st_size}.{status.st_mtime_ns}"


def _own_bytes(path: Path) -> bytes:
    """The bytes of a file that only we can have written; else none."""
    with os.fdopen(os.open(path, _READ), "rb") as file:
        status = os.fstat(file.fileno())
        is_own = stat.S_ISREG(status.st_mode) and status.st_uid == _own_id(status)
        if not is_own or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or status.st_size > _MAX_SIZE_BYTES:
            return b""
        return file.read()


def _is_own(folder: Path) -> bool:
    """Whether the folder is ours, or will be: what root keeps in somebody's home that somebody could read."""
    for path in (folder, *folder.parents):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        except OSError:
            return False
        return status.st_uid == _own_id(status)
    return False


def _own_id(status: os.stat_result) -> int:
    return os.geteuid() if hasattr(os, "geteuid") else status.st_uid


def _make_room(folder: Path) -> None:
    """Where there are many files, the older half of them goes."""
    files = list(folder.iterdir())
    if len(files) >= _MOST_FILES:
        files.sort(key=lambda file: file.lstat().st_mtime_ns)
        for file in files[: len(files) // 2]:
            file.unlink()
