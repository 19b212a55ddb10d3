"""Which backups are meant, and what it takes to put them back or to forget them."""

from __future__ import annotations

import os
from pathlib import Path

from kimi_profiles.backups import KEPT, Backup, list_backups, prune_backups
from kimi_profiles.errors import NotFoundError, UsageError
from kimi_profiles.ledger import ledger_file, needed_backups, read_ledger
from kimi_profiles.locks import hold_lock
from kimi_profiles.route import absolute
from kimi_profiles.targets import Intent, TargetIntent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kimi_profiles.paths import Scope

__all__ = ["PRISTINE", "find_backups", "forget_backups", "restore_intent"]

PRISTINE = "pristine"
_LEAST_DIGITS = 4
_HINT = "see: kimi-profiles backups list"


def find_backups(state: Path, name: str, scope: Scope) -> list[Backup]:
    """The backups that ``name`` means: one, or with ``pristine`` the first of each file of the scope.

    Args:
        state: Our state folder.
        name: ``pristine``; an id, or at least 4 digits that only one id begins with; the path of a copy, as
            results name it.
        scope: Whose files ``pristine`` means. Claude Code's state file is one of the ``user`` scope's.

    Raises:
        NotFoundError: There is none.
        UsageError: It means several.
    """
    if name == PRISTINE:
        files = [scope.settings]
        if scope.name == "user" and scope.claude_json is not None:
            files.append(scope.claude_json)
        known = list_backups(state / "backups", of=files)
        found = [backup for file in files for backup in known if backup.is_pristine and backup.path == file]
        if not found:
            raise NotFoundError(f"there is no backup of {scope.settings} yet", hint=_HINT)
        return found
    known = list_backups(state / "backups")
    if os.sep in name:
        found = [backup for backup in known if backup.copy == absolute(Path(name))]
    else:
        found = [
            backup for backup in known if len(name) >= _LEAST_DIGITS and backup.id.startswith(name.lower())
        ]
    if not found:
        raise NotFoundError(f"there is no backup {name!a:.80}", hint=_HINT)
    if len(found) > 1:
        raise UsageError(f"{len(found)} backups begin with {name}", hint=_HINT)
    return found


def restore_intent(
    backups: Sequence[Backup], scope: Scope, *, taken_out: Callable[[Path], TargetIntent]
) -> Intent:
    """What it takes to put ``backups`` back: the profile goes first, from all files that it is in.

    Args:
        backups: At most one of each file.
        scope: The scope whose profile goes, if the file is one of its; else that of the settings file itself.
        taken_out: How to take our part out of a file.
    """
    own = {scope.settings, scope.claude_json}
    holder = scope.settings if backups[0].path in own else backups[0].path
    targets = (
        TargetIntent(target.path, target.changes, target.has_client_lock, restores=backup)
        for backup in backups
        for target in [taken_out(backup.path)]
    )
    return Intent(holder, None, tuple(targets), taken_out)


def forget_backups(state: Path, *, kept: int | None = None, timeout_s: float) -> list[Backup]:
    """Forget all copies but the first of each file, the newest ``kept``, and those that unapply needs.

    Args:
        state: The folder of our state.
        kept: How many; :data:`~kimi_profiles.backups.KEPT` if left out.
        timeout_s: How long to wait for the lock, in seconds.

    Returns:
        What was forgotten.

    Raises:
        LockTimeoutError: Another run held the lock all that time.
        LedgerInvalidError: It cannot be known what is needed.
    """
    if not state.is_dir():
        return []
    with hold_lock(state / "lock", timeout_s=timeout_s):
        needed = needed_backups(read_ledger(ledger_file(state)))
        return prune_backups(state / "backups", needed=needed, kept=KEPT if kept is None else kept)
