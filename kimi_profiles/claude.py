"""What a profile means in Claude Code's files: profile → changes. Pure; knows the client, touches nothing.

Source of each rule: docs/claude-code.md, measured on Claude Code 2.1.39 and 2.1.329.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.change import Change
from kimi_profiles.errors import Notice, UsageError
from kimi_profiles.jsontext import canonical, dumps, join_pointer
from kimi_profiles.layers import CLOUDS, HOST_ENTRYPOINTS
from kimi_profiles.secrets import is_secret_name
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from kimi_profiles.profile import Profile
    from kimi_profiles.secrets import Secret

__all__ = [
    "MASKABLE",
    "MODEL_VARIABLES",
    "RIVALS",
    "UNMASKABLE",
    "Surroundings",
    "claude_json_changes",
    "context_tokens",
    "environment_notices",
    "helper_line",
    "is_first_party",
    "settings_changes",
]

TIER_VARIABLES = {
    "opus": "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "sonnet": "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "haiku": "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "fable": "ANTHROPIC_DEFAULT_FABLE_MODEL",
    "subagent": "CLAUDE_CODE_SUBAGENT_MODEL",
}

# Each brings a second credential, or sends requests elsewhere than to the base URL, when a weaker layer sets
# it; an empty string in the settings switches each off.
RIVALS = (
    "CLAUDE_CODE_OAUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
    *CLOUDS,
    "CLAUDE_CODE_REMOTE",
)
# Everything that an empty string may have to mask.
MASKABLE = frozenset(
    {*RIVALS, "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "apiKeyHelper"}
)

# Variables of the process against which no settings file helps, and what the client does with them.
UNMASKABLE = {
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "Claude Code ignores endpoint and credential of all settings",
    "CLAUDE_CODE_HOST_AUTH_ENV_VAR": "Claude Code ignores endpoint and credential of all settings",
    "ANTHROPIC_UNIX_SOCKET": "Claude Code then sends its requests to that socket",
    "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR": "Claude Code then sends the key it finds there too",
}
_WINDOW = ("CLAUDE_CODE_MAX_CONTEXT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW")
MODEL_VARIABLES = ("ANTHROPIC_MODEL", *TIER_VARIABLES.values(), *_WINDOW)
"""What a profile says of models; what one does not say must not be another one's."""

HELPER = "apiKeyHelper"
"""The setting that names a command which prints the credential."""

APPROVAL_LENGTH = 20
"""So many characters from the end of a key are what ``.claude.json`` knows it by."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the meaning of a profile depends on beside the profile.

    Attributes:
        supplied: Names of variables, and ``apiKeyHelper``, that something else may supply: a weaker layer
            (process, ``.claude.json``, a weaker scope), or the settings file itself, see
            :func:`~kimi_profiles.supplied.supplied_by_target`.
        helper_command: Command line that prints this profile's token, for ``auth.delivery = "helper"``.
    """

    supplied: frozenset[str] = frozenset()
    helper_command: str | None = None


def settings_changes(profile: Profile, token: Secret | None, surroundings: Surroundings) -> list[Change]:
    """What ``profile`` wants in a settings file.

    A variable that would interfere is emptied where anything supplies it, else left out.

    Args:
        profile: Resolved.
        token: Needed for inline delivery; not looked at for a helper.
        surroundings: See there.
    """
    is_helper = profile.delivery == "helper"

    def masked(name: str) -> str | None:
        return "" if name in surroundings.supplied else None

    env: dict[str, str | None] = {"ANTHROPIC_BASE_URL": profile.base_url}
    if is_helper:
        # The client takes a variable of either name beside the helper's answer, so both are switched off.
        env |= {"ANTHROPIC_AUTH_TOKEN": "", "ANTHROPIC_API_KEY": ""}
    elif token is not None and profile.auth_variable == "ANTHROPIC_AUTH_TOKEN":
        env |= {"ANTHROPIC_AUTH_TOKEN": token.reveal(), "ANTHROPIC_API_KEY": ""}
    elif token is not None:
        # 2.1.39 sends an empty bearer for an empty variable, so it is set only where it masks something.
        masked_token = masked("ANTHROPIC_AUTH_TOKEN")
        env |= {"ANTHROPIC_API_KEY": token.reveal(), "ANTHROPIC_AUTH_TOKEN": masked_token}
    env |= {name: masked(name) for name in RIVALS}
    env |= _models(profile, masked)
    env |= dict(profile.env)
    changes = [_variable(name, value) for name, value in env.items()]
    helper = surroundings.helper_command if is_helper else masked(HELPER)
    changes.append(
        Change(join_pointer(HELPER), None if helper is None else dumps(helper), is_secret=not is_helper)
    )
    changes += _defaults(profile)
    changes += _settings(profile.settings, ())
    return changes


def claude_json_changes(profile: Profile, token: Secret | None) -> list[Change]:
    """What ``profile`` wants in ``.claude.json``. Arguments as for :func:`settings_changes`."""
    changes = []
    if profile.onboarding:
        changes.append(Change("/hasCompletedOnboarding", "true"))
    if token is not None and profile.delivery == "inline" and profile.auth_variable == "ANTHROPIC_API_KEY":
        tail = dumps(token.reveal()[-APPROVAL_LENGTH:])
        approved = join_pointer("customApiKeyResponses", "approved")
        rejected = join_pointer("customApiKeyResponses", "rejected")
        changes += [
            Change(approved, tail, member=tail, is_secret=True),
            Change(rejected, None, member=tail, is_secret=True),
        ]
    if profile.detach_login:
        changes.append(Change("/primaryApiKey", None, is_secret=True))
    return changes


def helper_line(profile: Profile, command: Sequence[str]) -> str:
    """``command``, which prints the token of ``profile``, as the client hands it to a shell.

    Raises:
        UsageError: A path in it is not UTF-8.
    """
    import shlex
    import subprocess

    line = subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)
    try:
        line.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"profile {profile.name} has a helper, whose path is not UTF-8 as JSON must be",
            hint='set auth.delivery = "inline"',
        ) from None
    return line


def environment_notices(env: Mapping[str, str]) -> list[Notice]:
    """What the process environment does to a profile and no settings file can undo."""
    reasons = {name: why for name, why in UNMASKABLE.items() if env.get(name)}
    if env.get("CLAUDE_CODE_ENTRYPOINT") in HOST_ENTRYPOINTS:
        reasons["CLAUDE_CODE_ENTRYPOINT"] = "Claude Code then prefers a stored claude.ai login"
    return [
        Notice("environment-wins", f"{name} is set in this environment: {why}", f"unset {name}")
        for name, why in reasons.items()
    ]


def is_first_party(base_url: str) -> bool:
    """Whether the endpoint is Anthropic's own."""
    host = urlsplit(base_url).hostname or ""
    return host == "anthropic.com" or host.endswith(".anthropic.com")


def _models(profile: Profile, masked: Any) -> dict[str, str | None]:
    if not profile.models:
        return {}
    pinned = profile.models["default"] if profile.pin_model and "default" in profile.models else None
    tiers = {TIER_VARIABLES[tier]: model for tier, model in profile.models.items() if tier != "default"}
    return {
        "ANTHROPIC_MODEL": pinned or masked("ANTHROPIC_MODEL"),
        **tiers,
        # It beats the haiku tier for background requests.
        "ANTHROPIC_SMALL_FAST_MODEL": masked("ANTHROPIC_SMALL_FAST_MODEL"),
    }


def _defaults(profile: Profile) -> Iterator[Change]:
    """What is set only where neither the profile nor the user says anything."""
    values: dict[str, str] = {}
    if not is_first_party(profile.base_url):
        # The attribution block differs in every request, so no third-party prompt cache ever hits.
        values["CLAUDE_CODE_ATTRIBUTION_HEADER"] = "0"
        values["CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"] = "1"
    values |= profile.extras
    for name, value in values.items():
        if name not in profile.env:
            yield _variable(name, value, unless=(name,))
    window = context_tokens(profile)
    if window is not None and not any(name in profile.env for name in _WINDOW):
        for name in _WINDOW:
            yield _variable(name, str(window), unless=_WINDOW)


def context_tokens(profile: Profile) -> int | None:
    """The context window to tell the client, in tokens; ``None`` where it knows better than we do.

    The client has one number for all models: the smallest window of those a conversation can run on. For ids
    that begin with ``claude-`` it uses its own table.
    """
    if profile.context_tokens is not None:
        return profile.context_tokens
    catalogue = read_catalogue()
    ids = {model for tier, model in profile.models.items() if tier != "haiku"}
    known = {model: catalogue.model(model) for model in ids}
    default = known.get(profile.models.get("default", ""))
    if default is None or default.context_tokens is None:
        return None
    return min(model.context_tokens for model in known.values() if model and model.context_tokens)


def _variable(name: str, value: str | None, *, unless: Iterable[str] = ()) -> Change:
    return Change(
        join_pointer("env", name),
        None if value is None else dumps(value),
        is_secret=is_secret_name(name),
        unless=tuple(join_pointer("env", other) for other in unless),
    )


def _settings(table: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Change]:
    """One change for each scalar, and for each member of each list."""
    for key, value in table.items():
        here = (*keys, key)
        if isinstance(value, Mapping):
            yield from _settings(value, here)
        elif isinstance(value, list):
            for raw in {canonical(raw): raw for raw in map(dumps, value)}.values():
                yield Change(join_pointer(*here), raw, member=raw)
        else:
            yield Change(join_pointer(*here), dumps(value), is_secret=is_secret_name(key))
