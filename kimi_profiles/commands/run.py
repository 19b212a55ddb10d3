"""Start Claude Code with a profile for this one process; no file of yours changes.

Everything behind NAME goes to Claude Code as it stands, so the options of this command come before NAME.
Several terminals can use different profiles at once. The exit status is that of the program.

  kimi-profiles run home                      Claude Code with profile home
  kimi-profiles run home -- -p hi             with arguments; -- may be left out
  kimi-profiles run --exec python home t.py   another program; its variables
"""

from __future__ import annotations

from kimi_profiles.errors import UsageError
from kimi_profiles.running.child import end_like

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

USAGE = "[options] NAME [--] [ARGS…]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", help="a profile of yours, or a provider")
    parser.add_argument(
        "--exec", metavar="PROGRAM", help="start this with the profile's variables, not Claude Code"
    )
    parser.add_argument(
        "--keep-login",
        action="store_true",
        help="do not mind a stored Console login, although it is sent too",
    )


def run(call: Call) -> int:
    """Start the program, and end as it does."""
    from kimi_profiles.running.launch import plan_launch, start

    _check(call)
    claude = call.claude()
    profile = call.store()[call.args.name]
    program = call.args.exec
    launch = plan_launch(claude, profile, call.rest, program=program, keep_login=call.args.keep_login)
    return end_like(start(launch, claude, tell=call.warn, ignored=call.ignored))


def _check(call: Call) -> None:
    args = call.args
    if args.json:
        raise UsageError("run has no answer of its own that could be JSON", hint="leave --json out")
    if args.settings is not None:
        raise UsageError(
            "run edits no settings file",
            hint=f"for Claude Code's own option: run {args.name} --settings FILE",
        )
    if args.scope != "user" or args.project is not None:
        raise UsageError(
            "run has no scope: the profile is for one process", hint="start it in the folder of the project"
        )
    if args.exec == "":
        raise UsageError("--exec is empty")
