"""Take one key, or a whole table such as models, out of a profile in your file.

What the profile inherits, or its provider says, counts again then. Comments, order and layout of the file
stay. NAME may be defaults, for [defaults], which lie under every profile.

  kimi-profiles unset work models.haiku
"""

from __future__ import annotations

from kimi_profiles.commands.set import add_dry_run, apply_notices, change_store, finish
from kimi_profiles.editing.profiles import table_key, unset_value
from kimi_profiles.editing.values import written_key
from kimi_profiles.errors import UsageError
from kimi_profiles.tomltext import parse_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

USAGE = "NAME KEY "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", help="a profile of yours, or defaults")
    parser.add_argument("key", metavar="KEY", help="such as models.haiku")
    add_dry_run(parser)


def run(call: Call) -> int:
    """Take the key out."""
    name = call.args.name
    key = parse_key(call.args.key)  # also one that no profile should have: this is how to get rid of it
    if key is None:
        raise UsageError(f"{call.args.key!a:.80} is not a key", hint="such as models.haiku")
    revision = change_store(call, lambda text: unset_value(text, table_key(text, name), key))
    said = ((name, "strong"), f"  {written_key(*key)} is gone")
    finish(call, "unset", revision, profile=name, said=said, notices=apply_notices(call, revision, name))
    return 0
