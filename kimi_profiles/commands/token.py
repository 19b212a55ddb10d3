"""Print a profile's token on standard output, and nothing else: for Claude Code's apiKeyHelper.

With --json it is masked.

  kimi-profiles token work
"""

from __future__ import annotations

import sys

from kimi_profiles._version import SCHEMA
from kimi_profiles.credentials import read_token
from kimi_profiles.endpoint import check_token
from kimi_profiles.errors import EndpointError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

USAGE = "NAME "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", help="a profile of yours, or a provider")
    parser.add_argument(
        "--for",
        dest="endpoint",
        metavar="URL",
        help="refuse if the profile has another endpoint by now; helpers say it",
    )


def run(call: Call) -> int:
    """Print the token, if it belongs to the endpoint."""
    profile = call.store()[call.args.name]
    if call.args.endpoint not in {None, profile.base_url}:
        raise EndpointError(
            f"profile {profile.name} has another endpoint by now than the one that asks for its token",
            hint=f"kimi-profiles apply {profile.name}",
        )
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
