"""Carry plans out: lock, read, plan, back up, record, replace, check, record again.

At every moment each file is the old one or the new one, and the ledger is true of both; so a run that is
killed anywhere leaves nothing to repair, and the next one carries on.

If one file cannot be written (read-only, disk full, lock not free, no longer JSON) after another was, the
others get their old bytes back and the ledger its old form: a command that fails has changed nothing. Where
even that cannot be done (a full disk has no room for the old bytes either; somebody wrote to the file since),
the file stays on record as it is and counts as pending, and the next ``apply`` or ``unapply`` carries on.
Copies in ``backups/`` stay.

What cannot be closed is the moment between the last comparison and the rename, or the removal, against a
program that takes no lock. An overwrite of ours is seen afterwards and done again; an overwrite by ours is
not.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from kimi_profiles.backups import backup_path, prune_backups, save_backup, sweep_backups
from kimi_profiles.errors import (
    DurabilityUnconfirmedError,
    ProfilesError,
    TargetBusyError,
    TargetInvalidError,
    WriteFailedError,
)
from kimi_profiles.files import (
    FileChangedError,
    folder_mark,
    make_folder,
    missing_folders,
    remove_file,
    remove_leftover,
    remove_temporary,
    replace_file,
    set_mode,
    take_snapshot,
    temporary_name,
)
from kimi_profiles.jsontext.document import Document
from kimi_profiles.ledger import (
    ABSENT,
    Application,
    Ledger,
    Record,
    ledger_file,
    needed_backups,
    read_ledger,
    sweep_archives,
    write_ledger,
)
from kimi_profiles.locks import hold_folder_lock, hold_lock, sweep_folder_lock
from kimi_profiles.plan import plan_document
from kimi_profiles.targets import Intent, TargetIntent, TargetPlan, plan_target, read_document
from kimi_profiles.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


__all__ = ["Outcome", "TargetResult", "run_transaction"]

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What became of one file; ``backup`` is the copy that this run made, if it made one."""

    plan: TargetPlan
    backup: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction did, and what the scope held before it."""

    targets: tuple[TargetResult, ...]
    earlier: Application | None


def run_transaction(intent: Intent, *, state: Path, timeout_s: float) -> Outcome:
    """Carry ``intent`` out.

    Args:
        intent: What is wanted.
        state: Our state folder; made if need be.
        timeout_s: How long to wait for each lock, in seconds.

    Raises:
        LockTimeoutError: A lock was not free in time.
        TargetBusyError: A file kept changing.
        TargetInvalidError: A file is not what it has to be.
        NotPermittedError: The file system, or a rule of ours, does not allow it.
        WriteFailedError: The disk is full or failed.
        DurabilityUnconfirmedError: All is written, but the disk did not confirm it.

    After every error but the last no file has changed; see the top of the module for what may keep it so.
    """
    with _must_be_durable():
        make_folder(state)
    with hold_lock(state / "lock", timeout_s=timeout_s):
        return _Run(intent, state, timeout_s).carry_out()


class _Run:
    """One transaction under the lock; holds what has to be on record at each of its moments."""

    def __init__(self, intent: Intent, state: Path, timeout_s: float) -> None:
        self.intent = intent
        self.ledger_file = ledger_file(state)
        self.backups = state / "backups"
        self.timeout_s = timeout_s
        self.state = state
        remove_leftover(state / "ledger.json.tmp")
        self.ledger = read_ledger(self.ledger_file)
        self.targets = intent.targets_with(self.ledger)
        self.earlier = self.ledger.applications.get(str(intent.holder))
        self.ahead: dict[str, Record] = {}
        self.final: dict[str, Record] = {}
        self.latest: dict[str, TargetPlan] = {}
        self.made_backups: dict[Path, Path] = {}
        self.archive: str | None = None
        self.unconfirmed: DurabilityUnconfirmedError | None = None

    def carry_out(self) -> Outcome:
        for path in {*map(Path, self.ledger.pending), *(target.path for target in self.targets)}:
            self._sweep(path)
        for target in self.targets:
            if target.has_client_lock and str(target.path) in self.ledger.pending:
                sweep_folder_lock(target.path)
        sweep_backups(self.backups)
        plans = [self._plan(target, self.ledger) for target in self.targets]
        if self._is_done(plans):
            return Outcome(tuple(map(TargetResult, plans)), self.earlier)
        plans = [self._prepare(plan) for plan in plans]
        try:
            self._write_ahead()
            done = [self._write(plan) if plan.is_changed else plan for plan in plans]
            self._settle(done)
        except BaseException:  # a signal too
            self._roll_back(plans)
            raise
        self._prune()
        if self.unconfirmed is not None:
            raise self.unconfirmed
        results = (TargetResult(plan, self.made_backups.get(plan.path)) for plan in done)
        return Outcome(tuple(results), self.earlier)

    def _plan(self, target: TargetIntent, ledger: Ledger) -> TargetPlan:
        return plan_target(target, self.intent, ledger, self.backups)

    def _is_done(self, plans: Sequence[TargetPlan]) -> bool:
        known = self.earlier
        wanted = self.intent.application
        if known is not None and wanted is not None:
            known = replace(known, at=wanted.at)
        is_recorded = all(
            plan.record == plan.earlier or not (plan.record.owned or plan.earlier.owned) for plan in plans
        )
        return known == wanted and is_recorded and not self.ledger.pending and not _any_changed(plans)

    def _prepare(self, plan: TargetPlan) -> TargetPlan:
        """Back up what is not our own work, and note what the ledger has to say while we write."""
        if plan.mode is not None:
            missing = map(str, missing_folders(plan.snapshot.real.parent))
            made = self.ahead[str(plan.path)].folders if str(plan.path) in self.ahead else ()
            folders = (*plan.record.folders, *made, *missing)
            plan = replace(plan, record=replace(plan.record, folders=tuple(dict.fromkeys(folders))))
        ahead = final = plan.record
        if plan.text.is_changed:
            plan = self._backed_up(plan)
            now, text = (plan.record.digest_text(text) for text in (plan.text.now, plan.text.text))
            if plan.intent.restores is None:
                ahead = replace(plan.record, texts=(*plan.record.texts[:1], now, text))
                final = replace(plan.record, texts=(*plan.record.texts[:1], text))
            else:  # what comes back from a copy has nothing to do with the base
                ahead = replace(plan.record, texts=(*plan.record.texts[:1], now))
                final = replace(plan.record, base=None, texts=())
        self.latest[str(plan.path)] = plan
        self.ahead[str(plan.path)] = plan.earlier.joined(ahead)
        self.final[str(plan.path)] = final
        return plan

    def _backed_up(self, plan: TargetPlan) -> TargetPlan:
        """The plan, with a base on record that is the file without us."""
        text, record = plan.text, plan.record
        if text.keeps_base:
            return plan
        if not record.owned and plan.intent.restores is None:  # the text to be is that base
            return replace(plan, record=replace(record, base=None, texts=()))
        mode = record.mode_before if record.mode_before is not None else plan.snapshot.mode
        data = text.base
        with _must_be_durable():
            backup = save_backup(self.backups, plan.path, data, mode=mode)
        self.made_backups[plan.path] = backup_path(self.backups, backup)
        base = ABSENT if data is None else backup
        return replace(plan, record=replace(record, base=base, texts=(record.digest_text(text.base),)))

    def _write_ahead(self) -> None:
        pending = [str(target.path) for target in self.targets]
        with _must_be_durable():
            write_ledger(self.ledger_file, self.ledger.with_records(self.ahead, pending=pending))

    def _write(self, plan: TargetPlan) -> TargetPlan:
        """Replace one file; plan anew whenever somebody else was quicker."""
        if plan.mode is not None:
            with _must_be_durable():
                make_folder(plan.snapshot.real.parent)
        done: TargetPlan | None = None
        is_seen = False
        for _ in range(_ATTEMPTS):
            with self._client_lock(plan.intent):
                if not take_snapshot(plan.path).is_same_file(plan.snapshot):
                    # What we have not written yet is theirs, even if it is just what we would write.
                    known = self.ledger.with_records(self.ahead if is_seen else {})
                    plan = self._prepare(self._plan(plan.intent, known))
                    self._write_ahead()
                if not plan.is_changed:
                    return done or plan
                try:
                    self._replace(plan)
                except FileChangedError as error:
                    is_seen = is_seen or error.was_in_place
                    continue
                except DurabilityUnconfirmedError as error:
                    self.unconfirmed = error
            done, is_seen = plan, True
            if self._says_what_was_meant(plan):
                return plan
        raise TargetBusyError(
            "another program keeps changing this file",
            hint="let it finish, then run this again",
            path=plan.path,
        )

    def _replace(self, plan: TargetPlan) -> None:
        data = plan.data
        if plan.mode is None or data is None:
            remove_file(plan.snapshot)
        elif plan.text.is_changed:
            replace_file(plan.snapshot, data, mode=plan.mode, temporary=self._temporary(plan.path))
        else:
            set_mode(plan.snapshot, plan.mode)

    def _says_what_was_meant(self, plan: TargetPlan) -> bool:
        after = take_snapshot(plan.path)
        if after.data == plan.data:
            return True
        if plan.intent.restores is not None:
            return False
        known = None if plan.text.now is None else Document(plan.text.now)
        changes, record = plan.intent.changes(plan.earlier, known), self.ahead[str(plan.path)]
        try:
            again = plan_document(read_document(after), record, changes, holder=str(self.intent.holder))
        except TargetInvalidError:  # perhaps half of what another program is writing
            return False
        return not again.is_changed

    def _roll_back(self, plans: Sequence[TargetPlan]) -> None:
        """Give every file its old bytes back, and the ledger its old form, as far as that can be done."""
        kept: dict[str, Record] = {}
        for plan in reversed(plans):
            self._sweep(plan.path)
            with contextlib.suppress(ProfilesError, FileChangedError):
                self._put_back(self.latest[str(plan.path)])
                if take_snapshot(plan.path).data == plan.snapshot.data:
                    continue
            kept[str(plan.path)] = self.ahead[str(plan.path)]
        pending = dict.fromkeys((*self.ledger.pending, *kept))
        with contextlib.suppress(ProfilesError, FileChangedError):
            write_ledger(self.ledger_file, self.ledger.with_records(kept, pending=pending))

    def _put_back(self, plan: TargetPlan) -> None:
        old, now = plan.snapshot, take_snapshot(plan.path)
        if plan.is_changed and now.data == plan.data and now.mode == plan.mode:
            if old.data is not None:
                make_folder(now.real.parent)
            with self._client_lock(plan.intent):
                if old.data is None or old.mode is None:
                    remove_file(now)
                elif now.data == old.data:
                    set_mode(now, old.mode)
                else:
                    replace_file(now, old.data, mode=old.mode, temporary=self._temporary(plan.path))
        if old.data is None:
            known = self.ledger.record(plan.path).folders
            _remove_folders([name for name in plan.record.folders if name not in known])

    def _settle(self, plans: Sequence[TargetPlan]) -> None:
        """All files are written: what is on record becomes final."""
        for plan in plans:
            self._sweep(plan.path)
            if plan.mode is None:
                _remove_folders(plan.earlier.folders)
            name = str(plan.path)  # the folder was perhaps made since the plan
            self.final[name] = replace(self.final[name], place=folder_mark(plan.snapshot.real))
        ledger = self.ledger.with_records(self.final)
        ledger = ledger.with_application(str(self.intent.holder), self.intent.application)
        try:
            self.archive = write_ledger(self.ledger_file, ledger)
        except DurabilityUnconfirmedError as error:
            self.unconfirmed = error

    def _prune(self) -> None:
        """All is done: what nobody needs any more can go."""
        if self.unconfirmed is None:
            with contextlib.suppress(ProfilesError, OSError):
                sweep_archives(self.ledger_file, but=self.archive)
        if self.made_backups:
            needed = needed_backups(self.ledger.with_records(self.final), of=self.made_backups)
            with contextlib.suppress(ProfilesError, OSError):
                prune_backups(self.backups, needed=needed, of=self.made_backups)

    def _client_lock(self, target: TargetIntent) -> contextlib.AbstractContextManager[None]:
        if target.has_client_lock:
            return hold_folder_lock(target.path, timeout_s=self.timeout_s)
        return contextlib.nullcontext()

    def _temporary(self, path: Path) -> str:
        return temporary_name(self.state, path)

    def _sweep(self, path: Path) -> None:
        """Remove what a run of ours that was killed left beside ``path``."""
        with contextlib.suppress(ProfilesError):
            remove_temporary(path, self._temporary(path))


@contextlib.contextmanager
def _must_be_durable() -> Iterator[None]:
    """For what has to survive before a target is touched: unlike for a target, unconfirmed is failed."""
    try:
        yield
    except DurabilityUnconfirmedError as error:
        raise WriteFailedError(
            "the disk did not confirm that our own records are safe, so nothing was changed",
            hint=error.hint,
            path=error.path,
        ) from None


def _any_changed(plans: Sequence[TargetPlan]) -> bool:
    return any(plan.is_changed for plan in plans)


def _remove_folders(folders: Sequence[str]) -> None:
    """Folders that we made go again, from the inside out, as far as they are empty."""
    for folder in reversed(folders):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return
