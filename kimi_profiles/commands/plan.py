"""Show what `apply` would change, as a difference with secrets masked; nothing is written.

With --exit-code the exit status is 4 if there is anything to change, and 0 if not.

  kimi-profiles plan work
  kimi-profiles plan work --exit-code
"""

from __future__ import annotations

from kimi_profiles.commands.apply import add_profile_arguments, plan_apply, plan_for_homes, show_plan
from kimi_profiles.homes import add_homes_argument, on_homes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

_FOUND = 4

USAGE = "NAME "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_profile_arguments(parser)
    add_homes_argument(parser)
    parser.add_argument("--exit-code", action="store_true", help="exit 4 if there is anything to change")


def run(call: Call) -> int:
    """Show the plan."""
    if call.args.homes_from is not None:
        status, is_changed = on_homes(call, "apply", plan_for_homes, is_dry=True)
        return status or (_FOUND if call.args.exit_code and is_changed else 0)
    plan = plan_apply(call)
    show_plan(call, plan)
    return _FOUND if call.args.exit_code and plan.changed else 0
