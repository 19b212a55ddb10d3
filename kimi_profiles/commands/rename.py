"""Give a profile of your file another name.

Profiles that extend it, and the record of what is applied, follow.

  kimi-profiles rename work job
"""

from __future__ import annotations

import contextlib

from kimi_profiles.commands.set import add_dry_run, applications_of, change_store, finish, scope_option
from kimi_profiles.editing.file import rename_application
from kimi_profiles.editing.profiles import rename_profile
from kimi_profiles.errors import Notice, ProfilesError
from kimi_profiles.store import ProfileStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from kimi_profiles.call import Call
    from kimi_profiles.ledger import Application, Ledger

USAGE = "OLD NEW "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("old", metavar="OLD", help="a profile of yours")
    parser.add_argument("new", metavar="NEW", help="its new name")
    add_dry_run(parser)


def run(call: Call) -> int:
    """Rename the profile."""
    old, new = call.args.old, call.args.new
    applied: dict[str, Application] = {}
    declared: dict[str, str] = {}
    is_helper = False

    def change(text: str) -> str:
        nonlocal is_helper
        after = rename_profile(text, old, new)
        with contextlib.suppress(ProfilesError):  # a profile that is wrong has no digest
            before = ProfileStore(call.own_store_path(), text)[old]
            is_helper = before.delivery == "helper"
            if not is_helper:  # else the helper still names the old one, and `status` has to say so
                declared[before.digest] = ProfileStore(call.own_store_path(), after)[new].digest
        applied.update(applications_of(call, old, text))
        return after

    def records(ledger: Ledger) -> Ledger:
        return rename_application(ledger, new, settings=applied, declared=declared)

    revision = change_store(call, change, records=records)
    said = (("renamed ", "good"), f"{old} to ", (new, "strong"))
    notices = _helper_notices(old, new, applied) if is_helper else []
    finish(call, "rename", revision, profile=new, said=said, notices=notices, renamed=old)
    return 0


def _helper_notices(old: str, new: str, applied: Mapping[str, Application]) -> list[Notice]:
    """Claude Code runs a command that names the profile."""
    return [
        Notice(
            "helper-names-profile",
            f"the helper in {settings} asks for the token of {old}, which is no profile any more",
            f"kimi-profiles apply {new}{scope_option(settings, application)}",
        )
        for settings, application in applied.items()
    ]
