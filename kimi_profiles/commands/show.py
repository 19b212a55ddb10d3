"""One profile as it is applied: every value, and where it comes from.

for example:

  kimi-profiles show work
"""

from __future__ import annotations

from kimi_profiles._version import SCHEMA
from kimi_profiles.claude import context_tokens
from kimi_profiles.endpoint import profile_notices
from kimi_profiles.jsontext import dumps
from kimi_profiles.secrets import fingerprint, is_secret_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from typing import Any

    from kimi_profiles.call import Call
    from kimi_profiles.profile import Profile
    from kimi_profiles.screen import Segment

USAGE = "NAME "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", help="a profile of yours, or a provider")


def run(call: Call) -> int:
    """Print the profile."""
    profile = call.store()[call.args.name]
    values = dict(_values(profile))
    notices = profile_notices(profile)
    call.answer(
        {
            "schema": SCHEMA,
            "ok": True,
            "command": "show",
            "profile": profile.name,
            "values": {
                key: {"value": value, "origin": _origin(profile, key)} for key, value in values.items()
            },
            "warnings": [notice.to_json() for notice in notices],
        }
    )
    if call.is_json or call.is_quiet:
        return 0
    rows: list[list[Segment | str]] = []
    for key, value in values.items():
        rows.append([key, _word(value), (_origin(profile, key), "dim")])
    call.say((profile.name, "strong"))
    call.out.table(["KEY", "VALUE", "FROM"], rows)
    call.warn(notices)
    return 0


def _values(profile: Profile) -> Iterator[tuple[str, Any]]:
    if profile.description:
        yield "description", profile.description
    if profile.provider:
        yield "provider", profile.provider
    yield "base_url", profile.base_url
    yield "auth.variable", profile.auth_variable
    yield "auth.delivery", profile.delivery
    if profile.token is not None:
        yield "auth.token", str(profile.token)
    for tier, model in profile.models.items():
        yield f"models.{tier}", model
    window = context_tokens(profile)
    if window is not None:
        yield "context_tokens", window
    for name, value in {**profile.extras, **profile.env}.items():
        is_secret = is_secret_name(name) and bool(value)
        yield f"env.{name}", {"secret": True, "fingerprint": fingerprint(value)} if is_secret else value
    yield from _flat(profile.settings, "settings")
    yield "pin_model", profile.pin_model
    yield "onboarding", profile.onboarding
    yield "detach_login", profile.detach_login


def _word(value: Any) -> str:
    if isinstance(value, dict) and value.get("secret") is True:
        return f"secret {value['fingerprint']}"
    return value if isinstance(value, str) else dumps(value)


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}.{key}")
        else:
            yield f"{prefix}.{key}", value


def _origin(profile: Profile, key: str) -> str:
    if key == "context_tokens" and key not in profile.origins:
        return "catalogue"
    return profile.origins.get(key, "default")
