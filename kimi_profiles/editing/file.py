"""The profile file changed on disk: lock, read, change, check, replace.

At every moment the file is the old one or the new one. A text that is no profile file, or in which a profile
is wrong that was right before, is never put in its place. What another program writes meanwhile is kept: the
change is made anew on what is there then.
"""

from __future__ import annotations

import contextlib
import tomllib

from kimi_profiles.editing.profiles import HEADER, value_at
from kimi_profiles.editing.values import written_key
from kimi_profiles.errors import (
    DurabilityUnconfirmedError,
    ProfileInvalidError,
    ProfileNotFoundError,
    ProfilesError,
    TargetBusyError,
)
from kimi_profiles.files import (
    PRIVATE,
    FileChangedError,
    make_folder,
    replace_file,
    take_snapshot,
    temporary_name,
)
from kimi_profiles.ledger import Ledger, ledger_file, read_ledger, write_ledger
from kimi_profiles.locks import hold_lock
from kimi_profiles.paths import find_places
from kimi_profiles.secrets import without_tokens
from kimi_profiles.store import MAX_SIZE_BYTES, ProfileStore
from kimi_profiles.values import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import Any

    from kimi_profiles.files import Snapshot

__all__ = ["Revision", "edit_store", "install_store", "plan_edit", "rename_application"]

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Revision:
    """What became of the profile file, or would.

    Attributes:
        path: The file.
        before: What it held; ``None`` where it did not exist.
        after: What it holds now.
    """

    path: Path
    before: str | None = field(repr=False)
    after: str = field(repr=False)

    @property
    def changed(self) -> bool:
        """Whether the two differ."""
        return self.before != self.after


def plan_edit(path: Path, change: Callable[[str], str]) -> Revision:
    """What :func:`edit_store` would do. Nothing is written. Arguments and errors as there."""
    return _plan(path, change)[0]


def edit_store(
    path: Path,
    change: Callable[[str], str],
    *,
    timeout_s: float,
    home: Path | None = None,
    records: Callable[[Ledger], Ledger] | None = None,
) -> Revision:
    """Change the profile file.

    Args:
        path: The file. Where there is none it is made, mode 0600, beginning with
            :data:`kimi_profiles.editing.profiles.HEADER`; an existing one keeps mode, owner and being a link.
        change: From the text it holds to the text it shall hold. Called again if somebody else was quicker;
            what it raises ends the edit, and nothing is written.
        timeout_s: How long to wait for the lock, in seconds.
        home: Whose lock; that of the user who runs this if left out. The same as for the store.
        records: What changes in the ledger along with it.

    Returns:
        What was done.

    Raises:
        ProfileInvalidError: The file is none that :class:`ProfileStore` accepts, or would not be; or a
            profile would be wrong that is not so now.
        LockTimeoutError: The lock was not free in time.
        TargetBusyError: Another program keeps changing the file.
        NotPermittedError: The file system does not allow it, or the file is a link that leads nowhere.
        WriteFailedError: The disk is full or failed; the old file is in place.
        DurabilityUnconfirmedError: All is written, but the disk did not confirm it.
    """
    state = find_places(home=home).state
    make_folder(state)
    with hold_lock(state / "lock", timeout_s=timeout_s):
        for _ in range(_ATTEMPTS):
            revision, snapshot = _plan(path, change)
            try:
                _carry_out(revision, snapshot, state, records)
            except FileChangedError:
                continue
            return revision
    raise TargetBusyError(
        "another program keeps changing this file", hint="let it finish, then run this again", path=path
    )


def install_store(
    path: Path, data: bytes, *, expected: bytes | None, timeout_s: float, home: Path | None = None
) -> None:
    """Put other bytes in the place of the profile file, which may be invalid now; the new one is not.

    Args:
        path: The file.
        data: What it shall hold.
        expected: What it holds, or ``None`` for no file; if somebody changed that, nothing is written.
        timeout_s: How long to wait for the lock, in seconds.
        home: As for :func:`edit_store`.

    Raises:
        TargetBusyError: The file is not what was expected.
        ProfilesError: As for :func:`edit_store`.
    """
    state = find_places(home=home).state
    make_folder(state)
    with hold_lock(state / "lock", timeout_s=timeout_s):
        snapshot = take_snapshot(path, limit_bytes=MAX_SIZE_BYTES)
        changed = TargetBusyError("somebody changed this file meanwhile", path=path)
        if snapshot.data != expected:
            raise changed
        try:
            _replace(snapshot, data, state)
        except FileChangedError:
            raise changed from None


def rename_application(
    ledger: Ledger, new: str, *, settings: Iterable[str], declared: Mapping[str, str]
) -> Ledger:
    """``ledger`` with ``new`` as the name of the profile that is applied to some settings files.

    Args:
        ledger: What is on record.
        new: The name from now on.
        settings: The keys of the applications.
        declared: Digest of the profile under the old name → under the new one. An application of a profile
            that was declared differently keeps its digest, so ``status`` still tells that it changed since.
    """
    for key in settings:
        known = ledger.applications[key]
        digest = declared.get(known.declared, known.declared)
        ledger = ledger.with_application(key, replace(known, profile=new, declared=digest))
    return ledger


def _carry_out(
    revision: Revision, snapshot: Snapshot, state: Path, records: Callable[[Ledger], Ledger] | None
) -> None:
    """Both files, the ledger first: a rename that is cut short in between can be run again."""
    data, ledger = revision.after.encode(), ledger_file(state)
    known = Ledger() if records is None else read_ledger(ledger)
    wanted = known if records is None else records(known)
    try:
        if wanted != known:
            with contextlib.suppress(DurabilityUnconfirmedError):  # the file after it has to be confirmed
                write_ledger(ledger, wanted)
        if revision.changed:
            _replace(snapshot, data, state)
    except BaseException:  # a signal too
        with contextlib.suppress(ProfilesError):
            if wanted != known and take_snapshot(revision.path).data != data:
                write_ledger(ledger, known)
        raise


def _replace(snapshot: Snapshot, data: bytes, state: Path) -> None:
    make_folder(snapshot.real.parent)
    mode = PRIVATE if snapshot.mode is None else snapshot.mode
    replace_file(snapshot, data, mode=mode, temporary=temporary_name(state, snapshot.path))


def _plan(path: Path, change: Callable[[str], str]) -> tuple[Revision, Snapshot]:
    snapshot = take_snapshot(path, limit_bytes=MAX_SIZE_BYTES)
    before = None if snapshot.data is None else ProfileStore.read(path, snapshot.data)
    text = HEADER if before is None else before.text
    try:
        after = change(text)
    except (ProfileNotFoundError, ProfileInvalidError) as error:
        raise error.at(path) from None
    if before is not None and after == before.text:
        return Revision(path, after, after), snapshot
    _check(before or ProfileStore(path, text), after)
    return Revision(path, None if before is None else before.text, after), snapshot


def _check(before: ProfileStore, after: str) -> None:
    """Refuse a text that would make things worse."""
    if len(after.encode()) > MAX_SIZE_BYTES:
        raise ProfileInvalidError(
            f"the file would be larger than {MAX_SIZE_BYTES >> 20} MiB", path=before.path
        )
    try:
        store = ProfileStore(before.path, after)
    except ProfileInvalidError as error:
        raise _refused(error, before.path) from None
    faults = {name: fault for name in store if (fault := _fault(store, name)) is not None}
    documents = (tomllib.loads(before.text), tomllib.loads(after)) if faults else ({}, {})
    for name, fault in faults.items():
        if _is_new(fault, _fault(before, name), *documents):
            raise _refused(fault, before.path)


def _fault(store: ProfileStore, name: str) -> ProfileInvalidError | None:
    with contextlib.suppress(ProfileNotFoundError):
        try:
            store[name]
        except ProfileInvalidError as error:
            return error
    return None


def _is_new(
    fault: ProfileInvalidError, before: ProfileInvalidError | None, old: dict[str, Any], new: dict[str, Any]
) -> bool:
    """A profile that was wrong may stay so in what was not touched: faults are mended one at a time."""
    return before is None or value_at(old, fault.where) != value_at(new, fault.where)


def _refused(error: ProfileInvalidError, path: Path) -> ProfileInvalidError:
    """Without line and column: they are of a text that is nowhere."""
    place = f"{without_tokens(written_key(*error.where))}: " if error.where else ""
    return ProfileInvalidError(f"this would be wrong: {place}{error.message}", hint=error.hint, path=path)
