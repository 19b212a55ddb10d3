"""Take the applied profile out of Claude Code's files again.

Each key gets back what was there before; what somebody changed since stays as they left it. If nobody
else wrote to a file in between, it gets its old bytes back.

  kimi-profiles unapply
  kimi-profiles unapply --scope local
  kimi-profiles unapply --homes-from homes.txt
"""

from __future__ import annotations

from kimi_profiles.commands.apply import show_plan, tell_result
from kimi_profiles.commands.status import tell_elsewhere
from kimi_profiles.homes import add_homes_argument, on_homes
from kimi_profiles.report import result_json, short_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_homes_argument(parser)
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and write nothing")


def run(call: Call) -> int:
    """Unapply, or with ``--dry-run`` show the plan."""
    if call.args.homes_from is not None:
        return _run_on_homes(call)
    claude = call.claude()
    if call.args.dry_run:
        show_plan(call, claude.plan_unapply())
        return 0
    with call.busy("taking the profile out"):
        result = claude.unapply()
    call.answer(result_json(result))
    done = f"{result.profile} is taken out" if result.profile else "no profile is applied"
    tell_result(call, result, done)
    if result.profile is None:
        call.say((f"  {short_path(claude.scope.settings)}", "dim"))
        tell_elsewhere(call, claude.status())
    return 0


def _run_on_homes(call: Call) -> int:
    from kimi_profiles.api import ClaudeCode

    is_dry = call.args.dry_run
    work = ClaudeCode.plan_unapply if is_dry else ClaudeCode.unapply
    return on_homes(call, "unapply", lambda _: work, is_dry=is_dry)[0]
