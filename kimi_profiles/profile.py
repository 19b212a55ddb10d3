"""A profile, resolved: every value it has, and where each came from. Plain data, no third-party package."""

from __future__ import annotations

import json

from kimi_profiles.digests import sha256
from kimi_profiles.errors import UsageError
from kimi_profiles.patterns import pattern
from kimi_profiles.values import asdict, dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal, TypeAlias

__all__ = ["TIERS", "Delivery", "Profile", "TokenRef", "Variable", "check_profile_name"]

Variable: TypeAlias = 'Literal["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"]'
Delivery: TypeAlias = 'Literal["inline", "helper"]'

TIERS = ("opus", "sonnet", "haiku", "subagent", "fable")
"""The model tiers beside ``default``."""

_NAME = pattern(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_DEVICE = pattern(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


@dataclass(frozen=True, slots=True)
class TokenRef:
    """Where a token is, never the token.

    Attributes:
        kind: ``env``, ``file``, ``command`` or ``keyring``; ``fixed`` for the public word that a local server
            wants to see and does not check.
        value: Variable name, path, or keyring service; the fixed word.
        arguments: The whole command for ``command``; the user name, if one was given, for ``keyring``.
    """

    kind: Literal["env", "file", "command", "keyring", "fixed"]
    value: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "command":
            return f"command {self.arguments[0]}"
        return self.value if self.kind == "fixed" else f"{self.kind} {self.value}"


@dataclass(frozen=True, slots=True)
class Profile:
    """What one name stands for, after inheritance and the provider's defaults.

    Attributes:
        name: See :func:`check_profile_name`.
        base_url: Checked: https (http only to this machine), no query, no ``/v1`` at its end.
        auth_variable: The variable by which Claude Code gets the token.
        delivery: ``inline`` puts the token into the settings file, ``helper`` a command that prints it.
        token: Where the token is; ``None`` if nothing says so.
        models: Tier → model id. Where it has ``default``, it has all of :data:`TIERS`; may be empty.
        context_tokens: Window of the default model in tokens, overriding the catalogue.
        env: Further variables.
        extras: Variables that the provider recommends; a value of the user's own wins over them.
        settings: Further settings, to be deep-merged.
        pin_model: Whether the default model is set as ``ANTHROPIC_MODEL``, which beats ``/model``.
        onboarding: Whether the first-start questions are marked as answered.
        detach_login: Whether a stored Console key is set aside while the profile is applied.
        provider: Catalogue entry, if one was named.
        source: The TOML file that declares it, absolute; ``None`` for one that is only in the catalogue.
            Relative paths of token files start in its folder.
        origins: Dotted key → where its value came from, in words.
    """

    name: str
    base_url: str
    auth_variable: Variable = "ANTHROPIC_AUTH_TOKEN"
    delivery: Delivery = "inline"
    token: TokenRef | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    context_tokens: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    pin_model: bool = True
    onboarding: bool = True
    detach_login: bool = True
    provider: str | None = None
    description: str | None = None
    source: str | None = field(default=None, compare=False)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def digest(self) -> str:
        """Equal for equal profiles, the name included: tells later whether one was declared differently."""
        data = {name: value for name, value in asdict(self).items() if name not in {"origins", "source"}}
        return sha256(json.dumps(data, sort_keys=True, default=str).encode())


def check_profile_name(name: str) -> str:
    """``name``, if it may name a profile.

    Returns:
        The same name: 1 to 64 of ``a-z A-Z 0-9 . _ -``, not beginning with ``.`` or ``-``, and not a word
        that Windows keeps for its devices.

    Raises:
        UsageError: It may not.
    """
    if _NAME.fullmatch(name) is None or _DEVICE.fullmatch(name) is not None:
        raise UsageError(
            f"{name!a:.80} cannot name a profile",
            hint="use 1 to 64 of a-z A-Z 0-9 . _ - and begin with a letter, a digit or _",
        )
    return name
