"""Print a profile as the text of a settings file of its own: for managed settings, Nix, images.

It is meant for the strongest layer, above settings that nobody knows, so everything that would bring a
second credential, or lead elsewhere, is masked with "". With inline delivery it holds the token; --helper
puts a command that prints it in its place, which works wherever the profile and this program are.

What stands in Claude Code's state file is not part of it: that the first-start questions are answered, that a
key is approved, and a stored Console login, whose key is sent beside a token unless you log out.

  kimi-profiles render work --helper > managed-settings.json
"""

from __future__ import annotations

from kimi_profiles._version import SCHEMA
from kimi_profiles.commands.merge import (
    add_delivery_arguments,
    chosen_profile,
    merge_profile,
    notices,
    print_text,
)
from kimi_profiles.errors import Notice
from kimi_profiles.report import settings_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

USAGE = "NAME "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_delivery_arguments(parser)


def run(call: Call) -> int:
    """Print the settings."""
    profile = chosen_profile(call)
    merged = merge_profile(call, profile, "")
    found = notices(call, profile)
    if profile.delivery == "inline" and not call.is_json:
        message = "this text holds the token"
        found.append(Notice("token-printed", message, "keep it as private as the token, or use --helper"))
    call.answer(
        {
            "schema": SCHEMA,
            "ok": True,
            "command": "render",
            "profile": profile.name,
            "settings": settings_json(merged.actions),
            "warnings": [notice.to_json() for notice in found],
        }
    )
    call.warn(found)
    if not call.is_json:
        print_text(merged.text)
    return 0
