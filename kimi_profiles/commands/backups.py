"""Copies of Claude Code's files as they were without any profile, and the way back to one of them.

`backups list` names them; `backups show ID` says what putting one back would change; `backups restore ID`
does it, and `backups restore pristine` gives the very bytes back that the files of the scope had before the
first profile. The profile that is applied is taken out first, and what the files hold then is copied too,
so nothing is lost. `backups prune` forgets old copies: of each file the first one, the newest ten and what
unapply needs are kept.

  kimi-profiles backups
  kimi-profiles backups show pristine
  kimi-profiles backups restore pristine
"""

from __future__ import annotations

import argparse
import contextlib
from datetime import UTC, datetime

from kimi_profiles._version import SCHEMA
from kimi_profiles.backups import KEPT, Backup
from kimi_profiles.commands.apply import tell_plan, tell_result
from kimi_profiles.errors import ProfilesError, UsageError
from kimi_profiles.report import diff_segments, plan_json, result_json, short_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kimi_profiles.call import Call
    from kimi_profiles.screen import Segment

USAGE = "[list | show ID | restore ID | prune] "
_ACTIONS = ("list", "show", "restore", "prune")
_NAMED = {"show", "restore"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("action", nargs="?", choices=_ACTIONS, default="list", help="(default: list)")
    parser.add_argument(
        "id", metavar="ID", nargs="?", help="an id from the list, the path of a copy, or pristine"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="restore: show what would change, write nothing"
    )
    parser.add_argument(
        "--keep", metavar="N", type=_number, help=f"prune: how many to keep (default: {KEPT})"
    )


def run(call: Call) -> int:
    """Do what the arguments say."""
    action = call.args.action
    if (action in _NAMED) != (call.args.id is not None):
        wanted = "wants one ID, or the word pristine" if action in _NAMED else "takes no ID"
        raise UsageError(f"backups {action} {wanted}", hint="see: kimi-profiles backups list")
    if call.args.keep is not None and action != "prune":
        raise UsageError(f"backups {action} takes no --keep")
    if call.args.dry_run and action != "restore":
        raise UsageError(f"backups {action} takes no --dry-run")
    {"list": _list, "show": _show, "restore": _restore, "prune": _prune}[action](call)
    return 0


def _list(call: Call) -> None:
    backups = call.claude().backups()
    _answer(call, backups=list(map(_json, backups)))
    if call.is_json or call.is_quiet:
        return
    if not backups:
        call.say("no backups yet; the first apply makes one")
        return
    call.out.table(["ID", "MADE", "SIZE", "NOTE", "FILE"], list(map(_cells, backups)))


def _show(call: Call) -> None:
    plan = call.claude().plan_restore(call.args.id)
    backups = [target.intent.restores for target in plan.targets if target.intent.restores is not None]
    _answer(call, backups=list(map(_json, backups)), targets=plan_json(plan)["targets"])
    for backup in backups:
        call.say((backup.id, "strong"), f"  {_moment(backup)}", (f"  {_note(backup)}", "dim"))
        call.say(("  of    ", "dim"), short_path(backup.path))
        call.say(("  copy  ", "dim"), short_path(backup.copy))
    call.say("to put it back would change" if plan.changed else "the files say just that now")
    for segments in diff_segments(plan.targets):
        call.say(*segments)


def _restore(call: Call) -> None:
    claude = call.claude()
    if call.args.dry_run:
        plan = claude.plan_restore(call.args.id)
        _answer(call, **plan_json(plan))
        tell_plan(call, plan)
        return
    with call.busy("putting the copies back"):
        result = claude.restore(call.args.id)
    _answer(call, **result_json(result))
    tell_result(call, result, "put back" if result.changed else "nothing to do, the files say just that")
    made = {target.backup for target in result.targets}
    with contextlib.suppress(ProfilesError, OSError):  # it is done; this is only said about it
        for backup in claude.backups():
            if backup.copy in made:
                call.say((f"  what {short_path(backup.path)} held until now is backup {backup.id}", "dim"))


def _prune(call: Call) -> None:
    gone = call.claude().prune_backups(kept=call.args.keep)
    _answer(call, changed=bool(gone), removed=list(map(_json, gone)))
    for backup in gone:
        call.say(("  - ", "remove"), f"{backup.id}  {_moment(backup)}  {short_path(backup.path)}")
    call.say(f"{len(gone)} {'copy' if len(gone) == 1 else 'copies'} forgotten")


def _answer(call: Call, **facts: Any) -> None:
    head = {"schema": SCHEMA, "ok": True, "command": "backups", "action": call.args.action}
    call.answer({**head, **facts, "command": "backups"})


def _json(backup: Backup) -> dict[str, Any]:
    return {
        "id": backup.id,
        "path": str(backup.path),
        "copy": str(backup.copy),
        "at": _made_at(backup).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "mode": None if backup.mode is None else f"{backup.mode:04o}",
        "size_bytes": None if backup.is_absent else backup.size_bytes,
        "pristine": backup.is_pristine,
        "needed": backup.is_needed,
    }


def _cells(backup: Backup) -> list[Segment | str]:
    size = "-" if backup.is_absent else f"{backup.size_bytes:,}"
    return [(backup.id, "strong"), _moment(backup), size, (_note(backup), "dim"), short_path(backup.path)]


def _note(backup: Backup) -> str:
    notes = {"pristine": backup.is_pristine, "no file": backup.is_absent, "in use": backup.is_needed}
    return ", ".join(note for note, is_so in notes.items() if is_so)


def _moment(backup: Backup) -> str:
    return _made_at(backup).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _made_at(backup: Backup) -> datetime:
    return datetime.fromtimestamp(backup.at_ns // 1_000_000_000, UTC)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) != int(text):
        raise argparse.ArgumentTypeError("give a whole number, 0 or more")
    return int(text)
