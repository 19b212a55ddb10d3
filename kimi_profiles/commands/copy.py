"""Copy a profile of your file under a new name, comments included; or make a profile of a provider.

for example:

  kimi-profiles copy work job
  kimi-profiles copy moonshot-cn mine
"""

from __future__ import annotations

from kimi_profiles.commands.set import add_dry_run, change_store, finish
from kimi_profiles.editing.profiles import copy_profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

USAGE = "OLD NEW "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("old", metavar="OLD", help="a profile of yours, or a provider")
    parser.add_argument("new", metavar="NEW", help="the name of the copy")
    add_dry_run(parser)


def run(call: Call) -> int:
    """Copy the profile."""
    old, new = call.args.old, call.args.new
    revision = change_store(call, lambda text: copy_profile(text, old, new))
    said = (("copied ", "good"), f"{old} to ", (new, "strong"))
    finish(call, "copy", revision, profile=new, said=said, copied=old)
    return 0
