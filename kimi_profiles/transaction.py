"""Carry plans out: lock, read, plan, back up, record, replace, check, record again.

At every moment each file is the old one or the new one, and the ledger is true of both; so a run that is
killed anywhere leaves nothing to repair, and the next one carries on. What cannot be closed is the moment
between the last comparison and the rename against a program that takes no lock: such an overwrite is seen
afterwards, and done again.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kimi_profiles.backups import backup_path, load_backup, prune_backups, save_backup
from kimi_profiles.errors import (
    DurabilityUnconfirmedError,
    NotFoundError,
    TargetBusyError,
    TargetInvalidError,
    TargetTrackedError,
    WriteFailedError,
)
from kimi_profiles.files import (
    PRIVATE,
    FileChangedError,
    Snapshot,
    make_folder,
    remove_file,
    remove_leftover,
    replace_file,
    set_mode,
    take_snapshot,
)
from kimi_profiles.git import is_tracked
from kimi_profiles.ledger import ABSENT, Application, Ledger, Record, read_ledger, write_ledger
from kimi_profiles.locks import hold_folder_lock, hold_lock
from kimi_profiles.plan import TextPlan, plan_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kimi_profiles.change import Change

__all__ = ["Intent", "TargetIntent", "TargetPlan", "TargetResult", "plan_targets", "run_transaction"]

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class TargetIntent:
    """What is wanted of one file.

    Attributes:
        changes: From what is on record to what is wanted; nothing wanted takes our part out.
        has_client_lock: Whether Claude Code locks this file when it writes it.
        is_shared: Whether the file is meant to be committed, tracked already or not.
    """

    path: Path
    changes: Callable[[Record], Sequence[Change]]
    has_client_lock: bool = False
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """What one command wants of all its files.

    Attributes:
        holder: Settings file of the scope.
        application: What the scope holds afterwards; ``None`` for nothing.
        targets: In the order in which they are to be written.
        allows_tracked: Whether a token may go into a file that git tracks.
    """

    holder: Path
    application: Application | None
    targets: tuple[TargetIntent, ...]
    allows_tracked: bool = False


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """What would become of one file.

    Attributes:
        text: See :class:`~kimi_profiles.plan.TextPlan`.
        mode: Permission bits to be; ``None`` for no file.
    """

    intent: TargetIntent
    snapshot: Snapshot
    earlier: Record = field(repr=False)
    text: TextPlan
    mode: int | None
    record: Record = field(repr=False)

    @property
    def path(self) -> Path:
        """The file, under the name by which it is known."""
        return self.intent.path

    @property
    def is_changed(self) -> bool:
        """Whether its bytes or its mode would change."""
        return self.text.is_changed or self.mode != self.snapshot.mode


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What became of one file; ``backup`` is the copy that this run made, if it made one."""

    plan: TargetPlan
    backup: Path | None = None


def plan_targets(intent: Intent, *, state: Path) -> list[TargetPlan]:
    """What :func:`run_transaction` would do now; nothing is written and no lock is taken."""
    ledger = read_ledger(state / "ledger.json")
    return [_plan_target(target, intent, ledger, state / "backups") for target in intent.targets]


def run_transaction(intent: Intent, *, state: Path, timeout_s: float) -> list[TargetResult]:
    """Do it.

    Args:
        intent: What is wanted.
        state: Our state folder; made if need be.
        timeout_s: How long to wait for each lock, in seconds.

    Raises:
        LockTimeoutError: A lock was not free in time. Nothing was written.
        TargetBusyError: A file kept changing; others may have been written.
        TargetInvalidError: A file is not what it has to be. Nothing was written.
        NotPermittedError: The file system, or a rule of ours, does not allow it.
        DurabilityUnconfirmedError: All is written, but the disk did not confirm it.
    """
    make_folder(state)
    with hold_lock(state / "lock", timeout_s=timeout_s):
        return _Run(intent, state, timeout_s).carry_out()


class _Run:
    """One transaction under the lock; holds what has to be on record at each of its moments."""

    def __init__(self, intent: Intent, state: Path, timeout_s: float) -> None:
        self.intent = intent
        self.ledger_file = state / "ledger.json"
        self.backups = state / "backups"
        self.timeout_s = timeout_s
        self.tag = hashlib.sha256(str(state).encode("utf-8", "surrogateescape")).hexdigest()[:8]
        remove_leftover(state / "ledger.json.tmp")
        self.ledger = read_ledger(self.ledger_file)
        self.ahead: dict[str, Record] = {}
        self.final: dict[str, Record] = {}
        self.made_backups: dict[Path, Path] = {}
        self.unconfirmed: DurabilityUnconfirmedError | None = None

    def carry_out(self) -> list[TargetResult]:
        for path in map(Path, self.ledger.pending):
            self._sweep(path)
        plans = [self._plan(target, self.ledger) for target in self.intent.targets]
        if self._is_done(plans):
            return [TargetResult(plan) for plan in plans]
        plans = [self._prepare(plan) for plan in plans]
        self._write_ahead()
        plans = [self._write(plan) if plan.is_changed else plan for plan in plans]
        self._finish(plans)
        return [TargetResult(plan, self.made_backups.get(plan.path)) for plan in plans]

    def _plan(self, target: TargetIntent, ledger: Ledger) -> TargetPlan:
        return _plan_target(target, self.intent, ledger, self.backups)

    def _is_done(self, plans: Sequence[TargetPlan]) -> bool:
        known = self.ledger.applications.get(str(self.intent.holder))
        wanted = self.intent.application
        if known is not None and wanted is not None:
            known = replace(known, at=wanted.at)
        is_recorded = all(plan.record == plan.earlier for plan in plans)
        return known == wanted and is_recorded and not self.ledger.pending and not _any_changed(plans)

    def _prepare(self, plan: TargetPlan) -> TargetPlan:
        """Back up what is not our own work, and note what the ledger has to say while we write."""
        ahead = final = plan.record
        if plan.text.is_changed:
            plan = self._backed_up(plan)
            now, text = (plan.record.digest_text(text) for text in (plan.text.now, plan.text.text))
            ahead = replace(plan.record, texts=(*plan.record.texts[:1], now, text))
            final = replace(plan.record, texts=(*plan.record.texts[:1], text))
        self.ahead[str(plan.path)] = plan.earlier.joined(ahead)
        self.final[str(plan.path)] = final
        return plan

    def _backed_up(self, plan: TargetPlan) -> TargetPlan:
        """The plan, with a base on record that is the file without us."""
        text, record = plan.text, plan.record
        if text.keeps_base:
            return plan
        if not record.owned:  # the text to be is that base
            return replace(plan, record=replace(record, base=None, texts=()))
        mode = record.mode_before if record.mode_before is not None else plan.snapshot.mode
        data = None if text.base is None else text.base.encode("utf-8")
        backup = save_backup(self.backups, plan.path, data, mode=mode)
        self.made_backups[plan.path] = backup_path(self.backups, backup)
        base = ABSENT if data is None else backup
        return replace(plan, record=replace(record, base=base, texts=(record.digest_text(text.base),)))

    def _write_ahead(self) -> None:
        pending = [str(target.path) for target in self.intent.targets]
        try:
            write_ledger(self.ledger_file, self.ledger.with_records(self.ahead, pending=pending))
        except DurabilityUnconfirmedError as error:
            # Unlike for a target this is no success: without a ledger that survives, nothing may be written.
            raise WriteFailedError(error.message, hint=error.hint, path=error.path) from None

    def _write(self, plan: TargetPlan) -> TargetPlan:
        """Replace one file; plan anew whenever somebody else was quicker."""
        if plan.mode is not None:
            folders = make_folder(plan.snapshot.real.parent)
            self._note_folders(plan, folders)
        done = plan
        for _ in range(_ATTEMPTS):
            with self._client_lock(plan.intent):
                if not take_snapshot(plan.path).is_same_file(plan.snapshot):
                    plan = self._prepare(self._plan(plan.intent, self.ledger.with_records(self.ahead)))
                    self._write_ahead()
                if not plan.is_changed:
                    return done
                try:
                    self._replace(plan)
                except FileChangedError:
                    continue
                except DurabilityUnconfirmedError as error:
                    self.unconfirmed = error
            done = plan
            if self._says_what_was_meant(plan):
                return plan
        raise TargetBusyError(
            "another program keeps changing this file",
            hint="let it finish, then run this again",
            path=plan.path,
        )

    def _replace(self, plan: TargetPlan) -> None:
        if plan.mode is None or plan.text.text is None:
            remove_file(plan.snapshot)
        elif plan.text.is_changed:
            data = plan.text.text.encode("utf-8")
            replace_file(plan.snapshot, data, mode=plan.mode, temporary=self._temporary(plan.path))
        else:
            set_mode(plan.snapshot.real, plan.mode)

    def _says_what_was_meant(self, plan: TargetPlan) -> bool:
        after = take_snapshot(plan.path)
        meant = None if plan.text.text is None else plan.text.text.encode("utf-8")
        if after.data == meant:
            return True
        again = plan_text(
            _decode(after), self.ahead[str(plan.path)], self._changes(plan), holder=str(self.intent.holder)
        )
        return not again.is_changed

    def _changes(self, plan: TargetPlan) -> Sequence[Change]:
        return plan.intent.changes(plan.earlier)

    def _note_folders(self, plan: TargetPlan, folders: tuple[Path, ...]) -> None:
        if folders:
            names = (*self.final[str(plan.path)].folders, *map(str, folders))
            for records in (self.ahead, self.final):
                records[str(plan.path)] = replace(records[str(plan.path)], folders=names)
            self._write_ahead()

    def _finish(self, plans: Sequence[TargetPlan]) -> None:
        ledger = self.ledger.with_records(self.final)
        try:
            write_ledger(
                self.ledger_file, ledger.with_application(str(self.intent.holder), self.intent.application)
            )
        except DurabilityUnconfirmedError as error:
            self.unconfirmed = error
        for plan in plans:
            if plan.mode is None:
                _remove_folders(plan.earlier.folders)
            if plan.path in self.made_backups:
                needed = {record.base for record in ledger.records.values() if record.base is not None}
                prune_backups(self.backups, plan.path, needed=needed)
        if self.unconfirmed is not None:
            raise self.unconfirmed

    def _client_lock(self, target: TargetIntent) -> contextlib.AbstractContextManager[None]:
        if target.has_client_lock:
            return hold_folder_lock(target.path, timeout_s=self.timeout_s)
        return contextlib.nullcontext()

    def _temporary(self, path: Path) -> str:
        return f".{path.name}.{self.tag}.kimi-profiles"

    def _sweep(self, path: Path) -> None:
        """Remove what a run of ours that was killed left beside ``path``."""
        with contextlib.suppress(OSError):
            remove_leftover(Path(path.resolve()).with_name(self._temporary(path)))


def _plan_target(target: TargetIntent, intent: Intent, ledger: Ledger, backups: Path) -> TargetPlan:
    record = ledger.record(target.path)
    snapshot = take_snapshot(target.path)
    try:
        text = plan_text(_decode(snapshot), record, target.changes(record), holder=str(intent.holder))
    except TargetInvalidError as error:
        raise error.at(target.path) from None
    if not text.record.owned and text.keeps_base and record.owned:
        text = _exact(text, record, backups)
    mode, mode_before = _modes(snapshot, text)
    if text.record.holds_secret and text.is_changed and not intent.allows_tracked:
        _check_private(target)
    return TargetPlan(target, snapshot, record, text, mode, replace(text.record, mode_before=mode_before))


def _check_private(target: TargetIntent) -> None:
    if target.is_shared or is_tracked(target.path):
        state = "is meant to be committed" if target.is_shared else "is tracked by git"
        raise TargetTrackedError(
            f"this file {state}, and the token would be published with it",
            hint='set auth.delivery = "helper", apply with --scope local, or insist with --allow-tracked',
            path=target.path,
        )


def _exact(text: TextPlan, record: Record, backups: Path) -> TextPlan:
    """Nothing of ours is left to keep, and nobody else wrote in between: give the very bytes back."""
    if record.base == ABSENT or record.base is None:
        return replace(text, text=None)
    try:
        data = load_backup(backups, record.base)
    except NotFoundError:
        return text
    return replace(text, text=None if data is None else data.decode("utf-8"))


def _modes(snapshot: Snapshot, text: TextPlan) -> tuple[int | None, int | None]:
    """Permission bits to be, and those to give back later."""
    now, before = snapshot.mode, text.record.mode_before
    if text.text is None:
        return None, None
    if now is None:
        return PRIVATE, None
    if text.record.holds_secret:
        return (PRIVATE, now if before is None else before) if now & 0o077 else (now, before)
    if before is not None and now == PRIVATE:
        return before, None
    return now, None


def _decode(snapshot: Snapshot) -> str | None:
    if snapshot.data is None:
        return None
    try:
        return snapshot.data.decode("utf-8")
    except UnicodeDecodeError as error:
        start = snapshot.data[: error.start]
        reason = "this is not UTF-8"
        if snapshot.data.startswith((b"\xff\xfe", b"\xfe\xff")):
            reason = "this is UTF-16"
        raise TargetInvalidError(
            reason,
            hint="save it as UTF-8; nothing was written",
            path=snapshot.path,
            line=start.count(b"\n") + 1,
            column=len(start[start.rfind(b"\n") + 1 :].decode("utf-8")) + 1,
        ) from None


def _any_changed(plans: Sequence[TargetPlan]) -> bool:
    return any(plan.is_changed for plan in plans)


def _remove_folders(folders: Sequence[str]) -> None:
    """Folders that we made go again, from the inside out, as far as they are empty."""
    for folder in reversed(folders):
        try:
            Path(folder).rmdir()
        except OSError:
            return
