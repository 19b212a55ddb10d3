"""What was found out about a large file counts until the file changes, so that it need not be read again.

Claude Code's state file grows to tens of megabytes, and prompts and shells ask about it all day. A file is
the same as long as device, inode, size and both its times are. No program can set the time of the last change
of its inode; and what changed a moment ago is not relied on, for the clock may stand still that long.

Not seen is what a program writes into a file through a mapping of its memory; no version of Claude Code does.
For what is told, never for what is written: whoever writes to a file reads it.
"""

from __future__ import annotations

import os
import time
from functools import partial

from kimi_profiles.digests import sha256
from kimi_profiles.files import open_file
from kimi_profiles.kept import Kept, program
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["KnownFiles", "Look"]

_LARGE_BYTES = 256 << 10  # less is read as fast as what is known of it
_SETTLED_S = 3.0  # the coarsest clock of a file system in use, that of FAT, has steps of 2 s
# What finds something out about a file.
_FINDERS = ("drift.py", "layers.py")


@dataclass(frozen=True, slots=True)
class Look:
    """A file that was looked at.

    Attributes:
        is_known: Whether the fact holds for the file as it is; it was not read then.
        data: Its bytes; ``None`` where there is no file, and where it was not read.
        keep: To be called where the fact was found to hold.
    """

    is_known: bool
    data: bytes | None = field(repr=False)
    keep: Callable[[], None]


class KnownFiles:
    """Facts about files, kept in the cache.

    Args:
        cache: The folder of our cache.
    """

    def __init__(self, cache: Path) -> None:
        self._kept = Kept(cache / "files")

    def look(self, path: Path, fact: str) -> Look:
        """Read a file, unless it is known that a fact holds for it.

        Args:
            path: The file.
            fact: In any words without a secret; the same words are the same fact.

        Raises:
            NotPermittedError: As :func:`~kimi_profiles.files.take_snapshot`.
        """
        with open_file(path) as file:
            status = file.status
            if status is None or status.st_size < _LARGE_BYTES or os.name == "nt":
                return Look(False, file.read(), _keep_nothing)
            key = sha256(f"{path}\0{fact}\0{program(*_FINDERS)}".encode("utf-8", "surrogateescape"))
            mark = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
            if self._kept.read(key) == mark:
                return Look(True, None, _keep_nothing)
            age_s = time.time() - max(status.st_mtime_ns, status.st_ctime_ns) / 1e9
            keep = partial(self._kept.write, key, mark) if age_s >= _SETTLED_S else _keep_nothing
            return Look(False, file.read(), keep)


def _keep_nothing() -> None:
    pass
