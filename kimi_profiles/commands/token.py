"""Print a profile's token on standard output, and nothing else: for Claude Code's apiKeyHelper.

With --json it is masked.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kimi_profiles.credentials import read_token
from kimi_profiles.endpoint import check_token
from kimi_profiles.report import SCHEMA

if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

USAGE = "NAME "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", help="a profile of yours, or a provider")


def run(call: Call) -> int:
    """Print the token, if it belongs to the endpoint."""
    profile = call.store()[call.args.name]
    token = read_token(profile, home=call.home)
    check_token(profile.base_url, token)
    if call.is_json:
        masked = {"secret": True, "fingerprint": token.fingerprint}
        call.answer(
            {"schema": SCHEMA, "ok": True, "command": "token", "profile": profile.name, "token": masked}
        )
    else:
        sys.stdout.write(token.reveal() + "\n")
    return 0
