"""What a source says, before anybody asks what it means."""

from __future__ import annotations

import re

from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = [
    "NOT_AN_ENDPOINT",
    "PROCESS",
    "Found",
    "LeftOut",
    "Value",
    "as_text",
    "cut",
    "from_settings",
    "holds_password",
    "source_of",
]

PROCESS = "process"
"""The layer of what is in the environment."""

NOT_AN_ENDPOINT = "it says nothing about an endpoint; --with-settings takes it"

_MOST_WHOLE = 1e21  # from there on JavaScript writes an exponent
_LONGEST_NAME = 80  # characters
_IN_URL = re.compile(r"(?i)https?://[^/\s@]+@|://[^/\s@:]*:[^/\s@]+@")
_NO_SETTINGS = {"$schema", "env", "apiKeyHelper", "model"}


@dataclass(frozen=True, slots=True)
class Value:
    """The text of a variable, and where it stands.

    Attributes:
        text: As written; it may be a token, or name another variable.
        source: In words: file and line, or which environment.
        layer: Which layer of Claude Code's configuration that is; empty for whatever is none.
    """

    text: str = field(repr=False)
    source: str
    layer: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that does not become a part of the profile.

    Attributes:
        name: A variable, or a key of the settings.
        reason: In words, without its value.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """One configuration.

    Attributes:
        variables: By name; beside variables also ``apiKeyHelper``, ``model`` and ``primaryApiKey``, as in
            :mod:`~kimi_profiles.layers`. An empty text says that something is switched off.
        settings: Other settings of Claude Code, by key.
        settings_source: Where these stand; by key, where they stand in several places.
        left_out: What was seen, and is nobody's business or cannot be read.
        name: What the source calls it; empty where it has no name.
        is_current: Whether the source says that it is the one in use.
        problem: Why it cannot become a profile at all; ``None`` if nothing is known against it.
    """

    variables: Mapping[str, Value] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    settings_source: Mapping[str, str] | str = ""
    left_out: tuple[LeftOut, ...] = ()
    name: str = ""
    is_current: bool = False
    problem: str | None = None


def source_of(found: Found, key: str) -> str:
    """Where the setting ``key`` stands."""
    source = found.settings_source
    return source if isinstance(source, str) else source.get(key, "")


def from_settings(document: Mapping[str, Any], source: str) -> tuple[dict[str, Value], dict[str, Any]]:
    """Variables and other settings of a document that has the form of Claude Code's ``settings.json``."""
    env = document.get("env")
    variables = {
        name: Value(as_text(value), source)
        for name, value in (env.items() if isinstance(env, dict) else ())
        if isinstance(value, str | int | float)
    }
    for name in ("model", "apiKeyHelper"):
        if isinstance(document.get(name), str):
            variables[name] = Value(document[name], source)
    return variables, {key: value for key, value in document.items() if key not in _NO_SETTINGS}


def as_text(value: str | float) -> str:
    """A JSON scalar as a variable has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < _MOST_WHOLE
    return str(int(value) if is_whole else value)


def cut(name: str) -> str:
    """What another tool calls something, short enough for a message."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def holds_password(text: str) -> bool:
    """Whether there is a password in a URL: ``scheme://user:password@host``, ``https://token@host``."""
    return _IN_URL.search(text) is not None
