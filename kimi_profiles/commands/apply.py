"""Merge a profile into Claude Code's files.

Only the keys that the profile needs are touched; everything else in the files stays as it is, to the byte.
What another profile had put there is taken out first. `unapply` gives back what was there before.

  kimi-profiles apply moonshot-cn
  kimi-profiles apply work --scope local
  kimi-profiles apply work --dry-run

With --homes-from it is a profile of yours that goes into each home of a list. Each home is a run of its own:
one that fails is told, and stops no other.

  kimi-profiles apply work --homes-from homes.txt
"""

from __future__ import annotations

import sys

from kimi_profiles.credentials import is_below_home, read_token
from kimi_profiles.errors import UsageError
from kimi_profiles.homes import add_homes_argument, on_homes
from kimi_profiles.report import diff_segments, drift_segments, plan_json, result_json, short_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from kimi_profiles.api import ClaudeCode, Plan, Result
    from kimi_profiles.call import Call
    from kimi_profiles.profile import Profile
    from kimi_profiles.transaction import TargetResult

_MAX_TOKEN_CHARACTERS = 1 << 16

USAGE = "NAME "


def add_profile_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``apply`` and ``plan`` have in common."""
    parser.add_argument("name", metavar="NAME", help="a profile of yours, or a provider")
    parser.add_argument(
        "--token-stdin",
        action="store_true",
        help="read the token from standard input, not where the profile says",
    )
    parser.add_argument(
        "--allow-tracked", action="store_true", help="write the token even into a file that git tracks"
    )
    parser.add_argument(
        "--keep-login",
        action="store_true",
        help="leave a stored Console login alone, although it is sent too",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_profile_arguments(parser)
    add_homes_argument(parser)
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and write nothing")


def run(call: Call) -> int:
    """Apply, or with ``--dry-run`` show the plan."""
    if call.args.homes_from is not None:
        is_dry = call.args.dry_run
        return on_homes(call, "apply", plan_for_homes if is_dry else _apply_to_homes, is_dry=is_dry)[0]
    if call.args.dry_run:
        show_plan(call, plan_apply(call))
        return 0
    profile, options = call.store()[call.args.name], _options(call)
    # A command or a keyring may ask for something.
    may_ask = profile.token is not None and profile.token.kind in {"command", "keyring"}
    with call.busy(f"applying {profile.name}", unless=may_ask):
        result = call.claude().apply(profile, **options)
    call.answer(result_json(result))
    tell_result(call, result, f"{result.profile} is applied")
    return 0


def _apply_to_homes(call: Call) -> Callable[[ClaudeCode], Result]:
    profile, options = _given_to_homes(call)
    return lambda claude: claude.apply(profile, **options)


def plan_for_homes(call: Call) -> Callable[[ClaudeCode], Plan]:
    """What to do for each home to see what ``apply`` would do."""
    profile, options = _given_to_homes(call)
    return lambda claude: claude.plan(profile, **options)


def _given_to_homes(call: Call) -> tuple[Profile, dict[str, Any]]:
    """The profile and what else ``apply`` wants; a token that is the same in each home is got once."""
    profile, options = call.store()[call.args.name], _options(call)
    is_given = options["token"] is not None or profile.delivery == "helper"
    if not is_given and (profile.token is None or not is_below_home(profile.token)):
        options["token"] = read_token(profile).reveal()
    return profile, options


def plan_apply(call: Call) -> Plan:
    """The plan for the profile that the arguments name."""
    return call.claude().plan(call.store()[call.args.name], **_options(call))


def show_plan(call: Call, plan: Plan) -> None:
    """Print the plan as the difference it would make."""
    call.answer(plan_json(plan))
    tell_plan(call, plan)


def tell_plan(call: Call, plan: Plan) -> None:
    """The same, for people alone."""
    for segments in diff_segments(plan.targets):
        call.say(*segments)
    if not plan.changed:
        call.say("nothing to do")
    call.warn(plan.warnings)


def tell_result(call: Call, result: Result, done: str) -> None:
    """Print what was done: a sentence, then a line for each file."""
    if not result.changed:
        call.say(done, (" already, nothing to do" if result.command == "apply" else ""))
    else:
        call.say((done, "good"), (f"  {result.scope} scope", "dim"))
    for target in result.targets:
        plan = target.plan
        if not plan.is_changed:
            continue
        call.say("  ", short_path(plan.path), (f"  {_what(target)}", "dim"))
    for segments in drift_segments(result):
        call.say(*segments)
    call.warn(result.warnings)


def _what(target: TargetResult) -> str:
    """What became of one file, in a few words."""
    plan = target.plan
    if plan.mode is None:
        return "removed, as it was not there before"
    count = len(plan.text.actions)
    keys = f"{count} {'key' if count == 1 else 'keys'}"
    if plan.snapshot.data is None:
        return f"made, {keys}"
    parts = [keys] if count else []
    if plan.mode != plan.snapshot.mode:
        parts.append(f"mode {plan.snapshot.mode or 0:04o} → {plan.mode:04o}")
    return ", ".join([*parts, "backed up"] if target.backup else parts)


def _options(call: Call) -> dict[str, Any]:
    return {
        "token": _read_token() if call.args.token_stdin else None,
        "allow_tracked": call.args.allow_tracked,
        "keep_login": call.args.keep_login,
    }


def _read_token() -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "--token-stdin wants the token on standard input", hint="pipe it in: … | kimi-profiles …"
        )
    return sys.stdin.read(_MAX_TOKEN_CHARACTERS)
