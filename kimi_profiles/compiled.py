"""Profiles as they came out once, kept in the cache folder, so that pydantic need not be loaded for them.

A file is named for the digest of all that decides what is in it: the text, the profile's name, this program
and its catalogue. So none is ever out of date; at worst it is not there, and is made. Whatever else may be
wrong with one, it counts as not there: it is damaged, somebody else's, or others may write to it. There is no
secret in a profile, so there is none here.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import stat
from pathlib import Path

from kimi_profiles._version import __version__
from kimi_profiles.catalogue import packaged_catalogue
from kimi_profiles.digests import sha256
from kimi_profiles.errors import ProfilesError
from kimi_profiles.files import PRIVATE, FileChangedError, make_folder, replace_file, take_snapshot
from kimi_profiles.profile import Profile, TokenRef
from kimi_profiles.route import STAY
from kimi_profiles.values import asdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = ["CompiledProfiles"]

_MAX_SIZE_BYTES = 4 << 20
_MOST_WRITTEN = 8  # by one process: who looks at more profiles has loaded pydantic anyway
_MOST_FILES = 200
_NAMES = ""  # no profile is called so
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | STAY
# What makes a profile of a table. What was installed from a checkout has the version of another one.
_MAKERS = ("declaration.py", "endpoint.py", "inheritance.py", "profile.py", "store.py")


class CompiledProfiles:
    """What is kept for one TOML text.

    Args:
        folder: Where. It is made when something is to be kept; nothing is where it is not our own.
        text: The TOML text.
    """

    def __init__(self, folder: Path, text: str) -> None:
        self._folder = folder
        self._text = text
        self._written = 0
        self._is_useful = True

    def names(self) -> list[str] | None:
        """The names of the profiles in the text, in its order; ``None`` where that is not known.

        Where they are, the text is known to be TOML of the right shape.
        """
        found = self._read(_NAMES)
        is_names = isinstance(found, list) and all(isinstance(name, str) for name in found)
        return found if is_names else None

    def keep_names(self, names: Iterable[str]) -> None:
        """Keep the names of a text that was found to be right."""
        self._write(_NAMES, list(names))

    def profile(self, name: str) -> Profile | None:
        """The profile as it was kept; ``None`` where it is not known.

        After the first that is not, none is looked for: what makes the others is loaded now.
        """
        profile = _profile(self._read(name)) if self._is_useful else None
        self._is_useful = profile is not None
        return profile

    def keep(self, profile: Profile) -> None:
        """Keep a profile of the text, or of the catalogue."""
        facts = asdict(profile)
        del facts["source"]
        self._write(profile.name, facts)

    @functools.cached_property
    def _digest(self) -> str:
        package = Path(__file__).parent
        head = " ".join([__version__, *(_stamp(package / name) for name in _MAKERS)])
        return sha256(b"\0".join((head.encode(), packaged_catalogue(), self._text.encode())))

    def _key(self, name: str) -> str:
        return sha256(f"{self._digest} {name}".encode())

    def _read(self, name: str) -> Any:
        key = self._key(name)
        try:
            seal, _, data = _own_bytes(self._folder / f"{key}.json").partition(b"\n")
            return json.loads(data) if seal == _seal(key, data) else None
        except (OSError, ValueError, RecursionError):
            return None

    def _write(self, name: str, value: object) -> None:
        if self._written == _MOST_WRITTEN or not _is_own(self._folder):
            return
        self._written += 1
        key = self._key(name)
        data = json.dumps(value).encode()
        path = self._folder / f"{key}.json"
        with contextlib.suppress(ProfilesError, FileChangedError, OSError):  # the next run tries again
            make_folder(self._folder)
            _make_room(self._folder)
            replace_file(
                take_snapshot(path, limit_bytes=_MAX_SIZE_BYTES),
                _seal(key, data) + b"\n" + data,
                mode=PRIVATE,
                temporary=f".{key}.{os.getpid()}",
            )


def _profile(facts: Any) -> Profile | None:
    try:
        token = facts["token"]
        if token is not None:
            token = TokenRef(token["kind"], token["value"], tuple(token["arguments"]))
        return Profile(**{**facts, "token": token})
    except (TypeError, KeyError):  # ``None`` among others
        return None


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
