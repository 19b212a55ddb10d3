"""What `merge` knows of a text, in a file of its own: the exact way back for who keeps the text elsewhere."""

from __future__ import annotations

import json

from kimi_profiles.errors import LedgerInvalidError, NotFoundError, TargetBusyError, TargetTrackedError
from kimi_profiles.files import PRIVATE, SPARE, FileChangedError, replace_file, take_snapshot
from kimi_profiles.git import is_tracked
from kimi_profiles.ledger import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from kimi_profiles.files import Snapshot

__all__ = ["RecordFile"]

SCHEMA = 1
_LIMIT_BYTES = 256 << 20  # a text of the greatest size, each of its characters an escape


class RecordFile:
    """One such file. It holds earlier values of the user's, tokens among them: mode 0600, and not in git.

    Args:
        path: Where; it need not exist.

    Attributes:
        path: The same.
        record: What is known; ``None`` where there is no file.
        base: The text without any profile; ``None`` if it is not known.

    Raises:
        LedgerInvalidError: The file is no record.
        NotPermittedError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._snapshot = take_snapshot(path, limit_bytes=_LIMIT_BYTES)
        self.record, self.base = _parse(self._snapshot)

    def known(self) -> tuple[Record, str | None]:
        """What is known.

        Raises:
            NotFoundError: There is no file.
        """
        if self.record is None:
            raise NotFoundError("there is no record of an earlier merge", path=self.path)
        return self.record, self.base

    def write(self, record: Record, base: str | None) -> None:
        """Replace the file; if it says all of this, it is left alone.

        Raises:
            NotFoundError: There is no such folder.
            TargetTrackedError: Git tracks it.
            TargetBusyError: Somebody changed it since it was read.
            ProfilesError: See :func:`~kimi_profiles.files.replace_file`.
        """
        document = {"schema": SCHEMA, "record": record.to_json(), "base": base}
        data = json.dumps(document, indent=1, ensure_ascii=True).encode("ascii")
        if self._snapshot.data == data and self._snapshot.mode == PRIVATE:
            return
        if not self._snapshot.real.parent.is_dir():
            raise NotFoundError("there is no such folder", path=self._snapshot.real.parent)
        if is_tracked(self.path):
            raise TargetTrackedError(
                "git tracks this file, and a record holds earlier values, which may be tokens",
                hint="keep the record outside of the repository",
                path=self.path,
            )
        try:
            replace_file(self._snapshot, data, mode=PRIVATE, temporary=SPARE)
        except FileChangedError:
            raise TargetBusyError("another program changes this record", path=self.path) from None


def _parse(snapshot: Snapshot) -> tuple[Record | None, str | None]:
    if snapshot.data is None:
        return None, None
    try:
        document = json.loads(snapshot.data)
        if document["schema"] != SCHEMA:
            raise LedgerInvalidError(
                f"this record has another schema than {SCHEMA}, which is what this program knows",
                hint="use the newer version of kimi-profiles that wrote it",
                path=snapshot.path,
            )
        base = document["base"]
        if not isinstance(base, str | None):
            raise TypeError
        (base or "").encode()  # a lone surrogate is an error here, not when the text is printed
        return Record.from_json(document["record"]), base
    except LedgerInvalidError as error:
        raise error.at(snapshot.path) from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise LedgerInvalidError(
            "this is no record that `merge --record` wrote",
            hint="name another file, or move this one away",
            path=snapshot.path,
        ) from None
