"""What each layer of Claude Code's configuration supplies, and which one wins. Pure: bytes in, values out.

Source: docs/claude-code.md "Precedence", "What it ignores", "Folders"; measured on Claude Code 2.1.39 and
2.1.329, and held to both by ``tests/real_client/test_conformance.py``.
"""

from __future__ import annotations

import codecs
import json

from kimi_profiles.jsontext import JsonTextError, join_pointer
from kimi_profiles.values import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any, Literal, NoReturn, TypeAlias

    from kimi_profiles.client import Rules
    from kimi_profiles.jsontext.document import Document

__all__ = [
    "BEARING",
    "CLOUDS",
    "HOST_ENTRYPOINTS",
    "Effective",
    "Ignored",
    "Layer",
    "LayerName",
    "read_environment",
    "read_layer",
]

LayerName: TypeAlias = 'Literal["managed", "flag", "local", "project", "user", "claude.json", "process"]'
"""Sources of configuration, from strong to weak."""

CLOUDS = (
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",
)
"""Variables that send requests to a cloud, whatever the base URL."""

HOST_ENTRYPOINTS = frozenset({"claude-desktop", "local-agent"})
"""Values of ``CLAUDE_CODE_ENTRYPOINT`` with which the program decides that started the client."""

BEARING = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_API_KEY",
    "apiKeyHelper",
    "primaryApiKey",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_MODEL",
    "model",
    "ANTHROPIC_DEFAULT_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_FABLE_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS",
    "CLAUDE_CODE_AUTO_COMPACT_WINDOW",
    "CLAUDE_CODE_EXTRA_BODY",
    "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP",
    "CLAUDE_CODE_SUBSCRIPTION_TYPE",
    "CLAUDE_CODE_RATE_LIMIT_TIER",
    *CLOUDS,
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
    "CLAUDE_CODE_HOST_AUTH_ENV_VAR",
    "CLAUDE_CODE_REMOTE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR",
    "ANTHROPIC_UNIX_SOCKET",
)
"""Names that bear on endpoint, credential or model, in the order in which people are told of them."""

_MAX_NEWER_BYTES = 2 << 20
_INFINITY = float("inf")
_MOST_DIGITS, _MOST_ZEROS = 21, -6  # beyond them a number is written with an exponent
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", float: "a number"}

# What the settings' keys have to hold; a file in which one holds something else is ignored as a whole. Only
# what was measured: the client knows more keys, and looks further into some of these.
_TYPES: dict[str, type] = {
    "$schema": str,
    "alwaysThinkingEnabled": bool,
    "apiKeyHelper": str,
    "attribution": dict,
    "awsAuthRefresh": str,
    "cleanupPeriodDays": float,
    "enableAllProjectMcpServers": bool,
    "enabledPlugins": dict,
    "env": dict,
    "includeCoAuthoredBy": bool,
    "language": str,
    "model": str,
    "outputStyle": str,
    "permissions": dict,
    "sandbox": dict,
    "spinnerTipsEnabled": bool,
    "statusLine": dict,
}
_OLDER_TYPES: dict[str, type] = {"hooks": dict}
_NEWER_TYPES: dict[str, type] = {"availableModels": list}


@dataclass(frozen=True, slots=True)
class Ignored:
    """Why the client takes no notice of a file.

    Attributes:
        reason: In words, without values.
        line: From 1; ``None`` where no place can be told.
        column: The same.
        is_fatal: Whether the client does not even start.
    """

    reason: str
    line: int | None = None
    column: int | None = None
    is_fatal: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file, or the environment of the process, supplies.

    Attributes:
        name: Which layer it belongs to; several files can make up ``managed``.
        path: The file; ``None`` for the process.
        values: Variables by name, as the client understands them, and ``model``, ``apiKeyHelper`` and
            ``primaryApiKey`` where the client looks for them.
        ignored: Set where the file supplies nothing although it says something.
        text: The file's text.
        scanned: The same, as soon as somebody asked for a line of it.
    """

    name: LayerName
    path: Path | None = None
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    ignored: Ignored | None = None
    text: str = field(default="", repr=False)
    scanned: list[Document[str]] = field(default_factory=list, repr=False, compare=False)

    def line(self, name: str) -> int | None:
        """The line on which the file says ``name``, from 1; ``None`` where that cannot be told."""
        pointer = join_pointer(name) if name in _SETTINGS else join_pointer("env", name)
        if self.path is None or name not in self.values:
            return None
        if not self.scanned:
            try:
                self.scanned.append(_scanned(self.text))
            except JsonTextError:  # the client reads a little more than we do
                return None
        return self.scanned[0].place(pointer)[0]


_SETTINGS = ("model", "apiKeyHelper", "primaryApiKey")


@dataclass(frozen=True, slots=True)
class Effective:
    """All layers together.

    Attributes:
        layers: From strong to weak.
    """

    layers: tuple[Layer, ...]

    def suppliers(self, name: str) -> tuple[Layer, ...]:
        """The layers that say ``name``; the first one wins, the others are shadowed."""
        return tuple(layer for layer in self.layers if name in layer.values)

    def value(self, name: str) -> str | None:
        """What the client takes ``name`` to be; an empty text where somebody switched it off."""
        return next((layer.values[name] for layer in self.layers if name in layer.values), None)

    def names(self) -> list[str]:
        """Those of :data:`BEARING` that any layer says."""
        return [name for name in BEARING if self.suppliers(name)]

    def hidden(self, path: Path) -> Iterator[tuple[str, Layer]]:
        """What the file ``path`` says in vain: each name with the stronger layer that says otherwise."""
        for name in self.names():
            winner, *others = self.suppliers(name)
            for layer in others:
                if layer.path == path and layer.values[name] != winner.values[name]:
                    yield name, winner

    def without(self, names: Iterable[str], *, from_all_but: LayerName) -> Effective:
        """The same, with ``names`` taken out of every layer except one."""
        hidden = frozenset(names)
        return Effective(
            tuple(
                layer
                if layer.name == from_all_but
                else replace(layer, values={n: v for n, v in layer.values.items() if n not in hidden})
                for layer in self.layers
            )
        )


def read_environment(env: Mapping[str, str]) -> Layer:
    """The environment of a process as the weakest layer."""
    return Layer(
        "process", values={name: env[name] for name in BEARING if name in env and name not in _SETTINGS}
    )


def read_layer(name: LayerName, path: Path, data: bytes | None, rules: Rules) -> Layer:
    """What a file supplies.

    Args:
        name: Which layer it belongs to: what is looked for differs for ``claude.json``.
        path: Where it is.
        data: Its bytes; ``None`` where there is no file.
        rules: Of which version.
    """
    is_state = name == "claude.json"
    if data is None:
        return Layer(name, path)
    text = _decode(data, is_state=is_state)
    try:
        document = _checked(text, data, rules, is_state=is_state)
    except _DroppedError as dropped:
        # A broken file of these stops the client, any other is passed over.
        stops = ("claude.json", "managed") if rules.is_newer else ("claude.json",)
        is_fatal = (dropped.is_broken and name in stops) or (dropped.is_too_large and name == "flag")
        return Layer(name, path, ignored=replace(dropped.ignored, is_fatal=is_fatal), text=text)
    values = _state_values(document, rules) if is_state else _settings_values(document)
    return Layer(name, path, dict(values), text=text)


class _DroppedError(Exception):
    """Why the client drops a file."""

    def __init__(
        self,
        reason: str,
        line: int | None = None,
        column: int | None = None,
        *,
        is_broken: bool = False,
        is_too_large: bool = False,
    ) -> None:
        super().__init__(reason)
        self.ignored = Ignored(reason, line, column)
        self.is_broken = is_broken
        self.is_too_large = is_too_large


def _checked(text: str, data: bytes, rules: Rules, *, is_state: bool) -> Any:
    """The document, if the client takes it."""
    if rules.is_newer and not is_state and len(data) > _MAX_NEWER_BYTES:
        raise _DroppedError(f"Claude Code {rules.version} reads no more than 2 MiB", is_too_large=True)
    if is_state and not rules.is_newer and not text.strip():
        raise _DroppedError("it is empty", is_broken=True)
    try:
        document = _parse(text)
    except RecursionError:
        raise _DroppedError("it is too deep to be understood") from None
    except ValueError:
        raise _broken(text) from None
    wrong = None if is_state else _wrong_type(document, rules)
    if wrong is not None:
        pointer, reason = wrong
        raise _DroppedError(reason, *_place(text, pointer))
    return document


def _decode(data: bytes, *, is_state: bool) -> str:
    if data.startswith(codecs.BOM_UTF16_LE) and not is_state:
        return data.decode("utf-16", "replace")
    return data.decode("utf-8", "replace").removeprefix("\ufeff")


def _parse(text: str) -> Any:
    """As ``JSON.parse`` does it: every number a double, the last of duplicate keys, no ``NaN``."""
    return json.loads(text if text.strip() else "{}", parse_int=float, parse_constant=_refuse)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _broken(text: str) -> _DroppedError:
    try:
        _scanned(text)
    except JsonTextError as error:
        return _DroppedError(error.message, error.line, error.column, is_broken=True)
    return _DroppedError("it is not JSON", is_broken=True)


def _wrong_type(document: Any, rules: Rules) -> tuple[str, str] | None:
    """Pointer and reason of the first thing for which the client drops the whole file."""
    if not isinstance(document, dict):
        return "", "it is not an object"
    for key, kind in (_TYPES | (_NEWER_TYPES if rules.is_newer else _OLDER_TYPES)).items():
        if key in document and not isinstance(document[key], kind):
            return join_pointer(key), f"{key} has to be {_KINDS[kind]}"
    return None


def _place(text: str, pointer: str) -> tuple[int, int] | tuple[None, None]:
    try:
        return _scanned(text).place(pointer)
    except JsonTextError:  # the client reads a little more than we do
        return None, None


def _scanned(text: str) -> Document[str]:
    """For the place of something in it, or of what is wrong with it; few runs need either."""
    from kimi_profiles.jsontext.document import Document

    return Document(text)


def _settings_values(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _variables(document.get("env"))
    for name in ("model", "apiKeyHelper"):
        if name in document:
            yield name, document[name]


def _state_values(document: Any, rules: Rules) -> Iterator[tuple[str, str]]:
    if isinstance(document, dict):
        env = document.get("env")
        if isinstance(env, dict) and rules.is_newer:
            env = {name: value for name, value in env.items() if isinstance(value, str | bool | float)}
        yield from _variables(env)
        if isinstance(document.get("primaryApiKey"), str):
            yield "primaryApiKey", document["primaryApiKey"]


def _variables(env: Any) -> Iterator[tuple[str, str]]:
    if isinstance(env, dict):
        yield from ((name, _as_text(value)) for name, value in env.items())


def _as_text(value: Any) -> str:
    """What JavaScript's ``String`` makes of a JSON value (ECMA-262 §7.1.17)."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number_text(value)
    if isinstance(value, list):
        return ",".join("" if item is None else _as_text(item) for item in value)
    return "[object Object]"


def _number_text(value: float) -> str:
    """ECMA-262 §6.1.6.1.20."""
    if value in {_INFINITY, -_INFINITY}:
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    from decimal import Decimal

    sign, numerals, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, numerals))
    point = len(digits) + int(exponent)
    if 0 < point <= _MOST_DIGITS:
        text = digits.ljust(point, "0") if len(digits) <= point else f"{digits[:point]}.{digits[point:]}"
    elif _MOST_ZEROS < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
        text = f"{mantissa}e{point - 1:+d}"
    return f"-{text}" if sign else text
