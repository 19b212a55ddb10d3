"""Take a profile out of your file, with the comment right above it.

Refused while it is applied (unapply first, or --force: what is applied then stays, and unapply still takes it
out), and while another profile extends it.

  kimi-profiles remove work
"""

from __future__ import annotations

from kimi_profiles.commands.set import add_dry_run, applications_of, change_store, finish, scope_option
from kimi_profiles.editing.profiles import remove_profile
from kimi_profiles.errors import Notice, NotPermittedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call
    from kimi_profiles.ledger import Application

USAGE = "NAME "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", help="a profile of yours")
    parser.add_argument("--force", action="store_true", help="even if it is applied")
    add_dry_run(parser)


def run(call: Call) -> int:
    """Remove the profile."""
    name = call.args.name
    applied: dict[str, Application] = {}

    def change(text: str) -> str:
        after = remove_profile(text, name)
        applied.update(applications_of(call, name, text))
        for settings, application in applied.items():
            if not call.args.force:
                hint = f"kimi-profiles unapply{scope_option(settings, application)}; or --force"
                raise NotPermittedError(f"profile {name} is applied in {settings}", hint=hint)
        return after

    revision = change_store(call, change)
    notices = [
        Notice(
            "still-applied",
            f"{settings} still holds what profile {name} put there",
            f"kimi-profiles unapply{scope_option(settings, application)}",
        )
        for settings, application in applied.items()
    ]
    said = (("removed ", "good"), (name, "strong"))
    finish(call, "remove", revision, profile=name, said=said, notices=notices)
    return 0
