"""Create the file for your own profiles, with examples to uncomment. An existing file is left alone.

`kimi-profiles add NAME` makes the file too, with a profile in it.
"""

from __future__ import annotations

from kimi_profiles._version import SCHEMA
from kimi_profiles.editing.profiles import HEADER
from kimi_profiles.files import create_file, make_folder, read_file
from kimi_profiles.report import short_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

TEMPLATE = f"""{HEADER}
# [defaults.env]                          # under every profile
# API_TIMEOUT_MS = "600000"

# [profiles.work]
# description = "Kimi, China endpoint"
# provider = "moonshot-cn"                # see: kimi-profiles providers
# auth.token = {{ env = "MOONSHOT_API_KEY" }}
#
# [profiles.work.models]                  # a tier left out takes `default`
# default = "kimi-k2.7-code"
# haiku   = "kimi-k2.7-code-highspeed"

# [profiles.home]
# extends  = "work"
# provider = "moonshot-intl"
# auth.token = {{ file = "~/.secrets/moonshot" }}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be made, and write nothing")


def run(call: Call) -> int:
    """Create the file."""
    path = call.own_store_path()
    is_dry_run = call.args.dry_run
    if is_dry_run:
        is_new = read_file(path) is None
    else:
        make_folder(path.parent)
        is_new = create_file(path, TEMPLATE.encode("utf-8"))
    facts = {"path": str(path), "changed": is_new, "dry_run": is_dry_run}
    call.answer({"schema": SCHEMA, "ok": True, "command": "init", **facts})
    if is_new:
        call.say(("would make " if is_dry_run else "made ", "good"), short_path(path))
    else:
        call.say(f"{short_path(path)} is there already, and stays as it is")
    return 0
