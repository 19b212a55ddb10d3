"""What is applied, since when, and whether the files still hold what was written.

With --check the exit status is 4 unless a profile is applied and every key still holds what was written.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from kimi_profiles.errors import ProfilesError
from kimi_profiles.report import short_path, status_json

if TYPE_CHECKING:
    import argparse

    from kimi_profiles.api import Status
    from kimi_profiles.call import Call
    from kimi_profiles.ledger import Application
    from kimi_profiles.profile import Profile
    from kimi_profiles.screen import Segment

_FOUND = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--check", action="store_true", help="exit 4 unless applied and in sync")


def run(call: Call) -> int:
    """Show the status."""
    claude = call.claude()
    status = claude.status()
    profile = _declared(call, status.applied)
    if profile is not None:
        status = claude.status(profile=profile)
    call.answer(status_json(status))
    _show(call, status, profile)
    return _FOUND if call.args.check and not status.in_sync else 0


def _declared(call: Call, applied: Application | None) -> Profile | None:
    """The applied profile as it is declared now; a broken declaration is no reason not to answer."""
    if applied is None:
        return None
    try:
        return call.store()[applied.profile]
    except ProfilesError:
        return None


def _show(call: Call, status: Status, profile: Profile | None) -> None:
    applied = status.applied
    if applied is None:
        call.say("no profile is applied", (f"  {status.scope} scope, {short_path(status.settings)}", "dim"))
    else:
        word: Segment = ("in sync", "good") if status.in_sync else ("changed since", "bad")
        call.say((applied.profile, "strong"), "  ", word)
        rows = [("scope", status.scope), ("since", applied.at.replace("T", " ").replace("Z", " UTC"))]
        if profile is not None:
            rows += [("endpoint", profile.base_url), ("token", _token(profile))]
            if "default" in profile.models:
                rows.append(("model", profile.models["default"]))
        rows += [("file", short_path(path)) for path in map(Path, applied.targets)]
        for name, value in rows:
            call.say((f"  {name:<10}", "dim"), value)
    for path, drift in groupby(status.drift, key=lambda entry: entry[0]):
        call.say(("  ! ", "change"), short_path(path), ("  no longer holds what was written at", "dim"))
        for _, pointer in drift:
            call.say("      ", pointer)
    if status.is_interrupted:
        call.say(("  ! ", "change"), "a run was cut short; run apply or unapply again and it carries on")
    tell_elsewhere(call, status)
    call.warn(status.warnings)


def tell_elsewhere(call: Call, status: Status) -> None:
    """Name what is applied in other scopes, with its settings file."""
    for other in status.elsewhere:
        where = short_path(Path(other.targets[-1]))
        call.say((f"  also applied: {other.profile}, {other.scope} scope, {where}", "dim"))


def _token(profile: Profile) -> str:
    if profile.delivery == "helper":
        return f"apiKeyHelper, from {profile.token}"
    return f"{profile.auth_variable}, from {profile.token}"
