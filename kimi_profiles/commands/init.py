"""Create the file for your own profiles, with examples to uncomment. An existing file is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kimi_profiles.files import create_file, make_folder
from kimi_profiles.report import SCHEMA, short_path

if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

TEMPLATE = """\
# Profiles for Claude Code. This file holds no token, only where a token is: it may be published.
# Check it with: kimi-profiles validate

# [defaults.env]                          # under every profile
# API_TIMEOUT_MS = "600000"

# [profiles.work]
# description = "Kimi, China endpoint"
# provider = "moonshot-cn"                # see: kimi-profiles providers
# auth.token = { env = "MOONSHOT_API_KEY" }
#
# [profiles.work.models]                  # a tier left out takes `default`
# default = "kimi-k2.7-code"
# haiku   = "kimi-k2.7-code-highspeed"

# [profiles.home]
# extends  = "work"
# provider = "moonshot-intl"
# auth.token = { file = "~/.secrets/moonshot" }
"""


def add_arguments(_: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(call: Call) -> int:
    """Create the file."""
    path = call.own_store_path()
    make_folder(path.parent)
    is_new = create_file(path, TEMPLATE.encode("utf-8"))
    call.answer({"schema": SCHEMA, "ok": True, "command": "init", "path": str(path), "changed": is_new})
    if is_new:
        call.say(("made ", "good"), short_path(path))
    else:
        call.say(f"{short_path(path)} is there already, and stays as it is")
    return 0
