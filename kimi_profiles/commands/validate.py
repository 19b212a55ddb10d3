"""Check the file with the profiles: every profile is resolved, and every fault told with line and column.

for example:

  kimi-profiles validate
  kimi-profiles validate dotfiles/profiles.toml
"""

from __future__ import annotations

from pathlib import Path

from kimi_profiles._version import SCHEMA
from kimi_profiles.endpoint import profile_notices
from kimi_profiles.errors import Notice, ProfileInvalidError
from kimi_profiles.report import short_path, tell_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from kimi_profiles.call import Call
    from kimi_profiles.store import ProfileStore

USAGE = "[FILE] "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("file", metavar="FILE", nargs="?", help="(default: your own file)")


def run(call: Call) -> int:
    """Check, and exit 78 if anything is wrong."""
    from kimi_profiles.store import ProfileStore

    store = ProfileStore.open(Path(call.args.file)) if call.args.file else call.store()
    with call.busy(f"checking {len(store):,} profiles"):
        faults = store.check()
    notices = [] if faults else _notices(store)
    call.answer(
        {
            "schema": SCHEMA,
            "ok": not faults,
            "command": "validate",
            "path": str(store.path),
            "profiles": len(store),
            "errors": [_fault_json(fault) for fault in faults],
            "warnings": [notice.to_json() for notice in notices],
            "exit_code": ProfileInvalidError.exit_code if faults else 0,
        }
    )
    if not call.is_json:
        for fault in faults:
            tell_error(call.err, fault)
    call.warn(notices)
    if faults:
        return ProfileInvalidError.exit_code
    count = len(store)
    call.say(
        ("fine: ", "good"), f"{count} {'profile' if count == 1 else 'profiles'} in {short_path(store.path)}"
    )
    return 0


def _notices(store: ProfileStore) -> list[Notice]:
    found = (notice for profile in store.values() for notice in profile_notices(profile))
    return list(dict.fromkeys(found))


def _fault_json(fault: ProfileInvalidError) -> dict[str, Any]:
    names = ("name", "message", "hint", "path", "line", "column")
    return {name: getattr(fault, name) for name in names}
