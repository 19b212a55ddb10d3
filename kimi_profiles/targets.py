"""What is wanted of each file, and what would become of it: file, ledger and plan together."""

from __future__ import annotations

import os
from codecs import getincrementaldecoder
from pathlib import Path

from kimi_profiles.backups import load_backup
from kimi_profiles.difference import difference
from kimi_profiles.errors import NotPermittedError, ProfilesError, TargetInvalidError, TargetTrackedError
from kimi_profiles.files import PRIVATE, Snapshot, check_lent, folder_mark, take_snapshot
from kimi_profiles.git import is_tracked
from kimi_profiles.jsontext import Found
from kimi_profiles.jsontext.document import Document
from kimi_profiles.ledger import ABSENT, Application, Ledger, Record, ledger_file, read_ledger
from kimi_profiles.plan import TextPlan, plan_document
from kimi_profiles.route import resolve
from kimi_profiles.values import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kimi_profiles.backups import Backup
    from kimi_profiles.change import Change

__all__ = [
    "Intent",
    "TargetIntent",
    "TargetPlan",
    "decode",
    "encode",
    "plan_target",
    "plan_targets",
    "read_document",
]

_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class TargetIntent:
    """What is wanted of one file.

    Attributes:
        changes: From what is on record, and what the file holds, to what is wanted; nothing wanted takes
            our part out.
        has_client_lock: Whether Claude Code locks this file when it writes it.
        is_shared: Whether the file is meant to be committed, tracked already or not.
        restores: The backup whose bytes are to be put in the place of the file, once our part is taken out.
    """

    path: Path
    changes: Callable[[Record, Document[bytes] | None], Sequence[Change]]
    has_client_lock: bool = False
    is_shared: bool = False
    restores: Backup | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """What one command wants of all its files.

    Attributes:
        holder: Settings file of the scope.
        application: What the scope holds afterwards; ``None`` for nothing.
        targets: In the order in which they are to be written.
        take_out: For any other file in which the scope still has something, how to take it out.
        allows_tracked: Whether a token may go into a file that git tracks.
    """

    holder: Path
    application: Application | None
    targets: tuple[TargetIntent, ...]
    take_out: Callable[[Path], TargetIntent]
    allows_tracked: bool = False

    def targets_with(self, ledger: Ledger) -> tuple[TargetIntent, ...]:
        """The targets, and what an earlier command of this scope left in other files."""
        named = {target.path for target in self.targets}
        held = (Path(path) for path, _ in ledger.held_by(str(self.holder)))
        return (*self.targets, *(self.take_out(path) for path in held if path not in named))


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
    text: TextPlan[bytes]
    mode: int | None
    record: Record = field(repr=False)

    @property
    def path(self) -> Path:
        """The file, under the name by which it is known."""
        return self.intent.path

    @property
    def data(self) -> bytes | None:
        """The bytes to be; ``None`` for no file."""
        return self.text.text

    @property
    def is_changed(self) -> bool:
        """Whether its bytes or its mode would change."""
        return self.text.is_changed or self.mode != self.snapshot.mode


def plan_targets(intent: Intent, *, state: Path) -> list[TargetPlan]:
    """What a transaction would do now; nothing is written and no lock is taken."""
    ledger = read_ledger(ledger_file(state))
    return [plan_target(target, intent, ledger, state / "backups") for target in intent.targets_with(ledger)]


def plan_target(target: TargetIntent, intent: Intent, ledger: Ledger, backups: Path) -> TargetPlan:
    """Read one file and plan it.

    Raises:
        NotFoundError: The backup that is to be restored is gone or damaged.
        TargetInvalidError: It is not what it has to be.
        TargetTrackedError: A token would go into a file that is published.
        NotPermittedError: It cannot be read.
    """
    record = ledger.record(target.path)
    snapshot = take_snapshot(target.path)
    if ledger.lender is not None:
        check_lent(snapshot, ledger.lender)
    if target.restores is not None:
        copy = load_backup(backups, target.restores.key)
        text = _restored(copy, snapshot, record, holder=str(intent.holder))
        return TargetPlan(target, snapshot, record, text, target.restores.mode, text.record)
    try:
        document = read_document(snapshot)
        changes = target.changes(record, document)
        text = plan_document(document, record, changes, holder=str(intent.holder))
    except TargetInvalidError as error:
        raise error.at(target.path) from None
    if not text.record.owned and text.keeps_base and record.owned:
        text = _exact(text, record, backups)
    place = folder_mark(snapshot.real)
    if text.record.owned or record.owned:
        is_new = not record.owned and (snapshot.path != snapshot.real or _says_any(document, changes))
        names = ledger.records if is_new else [str(snapshot.real), *ledger.in_place(place)]
        _check_sole_name(snapshot, names, ledger)
    mode, mode_before = _modes(snapshot, text)
    is_applied = intent.application is not None  # what is taken out brings no new token in
    if text.record.holds_secret and text.is_changed and is_applied and not intent.allows_tracked:
        _check_private(target)
    planned = replace(text.record, mode_before=mode_before, place=place)
    return TargetPlan(target, snapshot, record, text, mode, planned)


def _says_any(document: Document[bytes] | None, changes: Sequence[Change]) -> bool:
    """Whether any of what is wanted, or another value in its place, stands there before us.

    If not, no record under another name is true of the file: every profile has a base URL to write.
    """
    wanted = [change.address for change in changes if change.want is not None]
    return document is not None and any(isinstance(document.state(each), Found) for each in wanted)


def _check_sole_name(snapshot: Snapshot, names: Iterable[str], ledger: Ledger) -> None:
    """One file under two names would have two records, and one of them would not be true.

    Args:
        snapshot: The file.
        names: Which of those on record may be other names of it. That of the file itself always may, and
            that of a file that was in the same folder when it was written; but this may have been made anew.
        ledger: What is on record.
    """
    own, real = str(snapshot.path), snapshot.real
    there = next((path for path in map(str, (real, *real.parents)) if _inode(path)), "")
    inode, missing = _inode(there), str(real)[len(there) :]
    for name in names:
        # To ask for the inode is cheap, and only who leads to the same one can be the same file, whether
        # it is there or will be made.
        may_be = name != own and name.endswith(missing) and _inode(name.removesuffix(missing)) == inode
        if may_be and name in ledger.records and _leads_to(Path(name), real):
            raise NotPermittedError(
                f"a profile is applied to the same file under the name {name}",
                hint="take that out first, or use that name",
                path=snapshot.path,
            )


def _inode(path: str) -> tuple[int, int] | None:
    """Of the file to which ``path`` leads; ``None`` where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a text, as the ledger has it, and many of them
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _leads_to(path: Path, real: Path) -> bool:
    try:
        return resolve(path) == real
    except NotPermittedError:  # nowhere, or in a circle
        return False


def _check_private(target: TargetIntent) -> None:
    if target.is_shared or is_tracked(target.path):
        state = "is meant to be committed" if target.is_shared else "is tracked by git"
        raise TargetTrackedError(
            f"this file {state}, and the token would be published with it",
            hint='apply with --scope local, set auth.delivery = "helper", or insist with --allow-tracked',
            path=target.path,
        )


def _exact(text: TextPlan[bytes], record: Record, backups: Path) -> TextPlan[bytes]:
    """Nothing of ours is left to keep, and nobody else wrote in between: give the very bytes back."""
    if record.base == ABSENT or record.base is None:
        return replace(text, text=None)
    try:
        data = load_backup(backups, record.base)
    except ProfilesError:  # gone, damaged, or something else in its place
        return text
    return replace(text, text=data)


def _restored(copy: bytes | None, snapshot: Snapshot, record: Record, *, holder: str) -> TextPlan[bytes]:
    """``copy`` in the place of the file, the file without our part as the base that is to be saved first.

    What the file holds may be anything: that it is broken is why somebody restores it.
    """
    now, then = (_any_text(data) for data in (snapshot.data, copy))
    try:
        document = None if snapshot.data is None else Document(snapshot.data)
        text = plan_document(document, record, (), holder=holder)
    except TargetInvalidError:
        base = record.without_secrets(now or "")
        if base is None:
            raise NotPermittedError(
                "this file is not JSON, and the token that was written into it cannot be told from the rest",
                hint="move the file away, to a place that only you can read, then run this again",
                path=snapshot.path,
            ) from None
        text = TextPlan(
            now=snapshot.data,
            text=snapshot.data,
            base=base.encode("utf-8", "surrogateescape"),
            keeps_base=False,
            record=record.without(holder),
            actions=(),
            drift=(),
        )
    return replace(text, text=copy, actions=difference(now, then), drift=())


def _any_text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "surrogateescape")


def _modes(snapshot: Snapshot, text: TextPlan[bytes]) -> tuple[int | None, int | None]:
    """Permission bits to be, and those to give back later."""
    now, before = snapshot.mode, text.record.mode_before
    if text.text is None:
        return None, None
    if now is None:
        return PRIVATE, None
    if text.record.holds_secret:
        return (now & PRIVATE, now if before is None else before) if now & 0o077 else (now, before)
    if before is not None and now == before & PRIVATE:
        return before, None
    return now, None


def decode(snapshot: Snapshot) -> str | None:
    """The text of a file; ``None`` where there is none.

    Raises:
        TargetInvalidError: It is not UTF-8.
    """
    if snapshot.data is None:
        return None
    _check_utf8(snapshot.data, snapshot.path)
    return snapshot.data.decode("utf-8")


def encode(text: str | None) -> bytes | None:
    """The bytes of a text; those that were not UTF-8 come back as they were."""
    return None if text is None else text.encode("utf-8", "surrogateescape")


def read_document(snapshot: Snapshot) -> Document[bytes] | None:
    """What a file says; ``None`` where there is none.

    Raises:
        TargetInvalidError: It is not UTF-8, or not strict JSON.
    """
    if snapshot.data is None:
        return None
    _check_utf8(snapshot.data, snapshot.path)
    return Document(snapshot.data)


def _check_utf8(data: bytes, path: Path) -> None:
    if data.isascii():
        return
    decoder = getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _CHUNK_BYTES):  # whole, its text might be four times as large
        try:
            decoder.decode(data[start : start + _CHUNK_BYTES], final=start + _CHUNK_BYTES >= len(data))
        except UnicodeDecodeError:
            raise _not_utf8(data, path) from None


def _not_utf8(data: bytes, path: Path) -> TargetInvalidError:
    before = data
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return TargetInvalidError(
        "this is UTF-16" if is_utf16 else "this is not UTF-8",
        hint="save it as UTF-8; nothing was written",
        path=path,
        line=before.count(b"\n") + 1,
        column=len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1,
    )
