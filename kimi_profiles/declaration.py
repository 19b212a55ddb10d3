"""What the TOML table of one profile says, checked. The only module that needs pydantic.

Its annotations are no texts (``from __future__``), which pydantic would have to compile once more.
"""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from kimi_profiles.catalogue import nearest
from kimi_profiles.endpoint import check_base_url
from kimi_profiles.errors import EndpointError, ProfileInvalidError
from kimi_profiles.profile import TIERS
from kimi_profiles.secrets import holds_token, without_tokens

__all__ = [
    "NOT_UNDER_ENV",
    "AuthTable",
    "ModelsTable",
    "ProfileTable",
    "TokenTable",
    "check_table",
    "fault",
]

_MAX_DEPTH = 64
_TOML_INTEGERS = range(-(1 << 63), 1 << 63)  # a larger one is an error by TOML, and Python parses it
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODEL = re.compile(r"[\x21-\x7e]{1,200}")
_CREDENTIAL_HEADER = re.compile(r"(?im)^\s*(authorization|proxy-authorization|x-api-key|api-key|cookie)\s*:")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_ELSEWHERE = {
    "ANTHROPIC_BASE_URL": "base_url",
    "ANTHROPIC_AUTH_TOKEN": "auth.token",
    "ANTHROPIC_API_KEY": 'auth.token, with auth.variable = "ANTHROPIC_API_KEY"',
    "ANTHROPIC_MODEL": "models.default",
    "ANTHROPIC_SMALL_FAST_MODEL": "models.haiku",
    "CLAUDE_CODE_SUBAGENT_MODEL": "models.subagent",
    **{f"ANTHROPIC_DEFAULT_{tier.upper()}_MODEL": f"models.{tier}" for tier in TIERS if tier != "subagent"},
}
_NOT_HERE = {
    "CLAUDE_CONFIG_DIR": "in a settings file the client's state ends up in two folders; export it",
    "CLAUDE_CODE_OAUTH_TOKEN": "it is a second credential beside the profile's own",
    "CLAUDE_CODE_USE_BEDROCK": "it sends requests elsewhere than to base_url",
    "CLAUDE_CODE_USE_VERTEX": "it sends requests elsewhere than to base_url",
    "CLAUDE_CODE_USE_FOUNDRY": "it sends requests elsewhere than to base_url",
}
NOT_UNDER_ENV = (*_ELSEWHERE, *_NOT_HERE)
"""Variables that ``env`` refuses, in any letter case."""


def _refuse(message: str, hint: str | None = None, *, keys: tuple[str, ...] = ()) -> PydanticCustomError:
    """For validators; ``keys`` lead on from the validated table to the entry that is at fault."""
    return PydanticCustomError("profile", "{message}", {"message": message, "hint": hint, "keys": keys})


def _refuse_token(value: str, subject: str, *, keys: tuple[str, ...] = ()) -> None:
    if holds_token(value):
        raise _refuse(
            f"{subject} looks like a token, which does not belong in a file that is meant to be published",
            "export it in the shell, or refer to it by auth.token",
            keys=keys,
        )


def _check_text(value: str) -> str:
    if _CONTROL.search(value):
        raise _refuse("a control character cannot be part of this value")
    _refuse_token(value, "this value")
    return value


def _check_model(value: str) -> str:
    _refuse_token(value, "this value")
    if _MODEL.fullmatch(value) is None:
        raise _refuse("a model id is 1 to 200 printable ASCII characters without blanks")
    return value


def _check_variable_name(value: str) -> str:
    if _VARIABLE.fullmatch(value) is None:
        raise _refuse(
            "this is not the name of an environment variable",
            "name the variable that holds the token, not the token",
        )
    return value


def _check_url(value: str) -> str:
    try:
        check_base_url(value)
    except EndpointError as error:
        raise _refuse(error.message, error.hint) from None
    return value


def _check_token(value: object) -> object:
    if isinstance(value, str):
        raise _refuse(
            "a token itself does not belong in this file, which is meant to be published",
            'refer to it: auth.token = { env = "NAME" }, or file, command, keyring',
        )
    return value


def _check_env(value: object) -> object:
    if not isinstance(value, dict):
        return value
    checked = {}
    for name, text in value.items():
        if _VARIABLE.fullmatch(name) is None:
            raise _refuse(f"{name!a:.80} is not the name of an environment variable", keys=(name,))
        if isinstance(text, int) and not isinstance(text, bool) and text in _TOML_INTEGERS:
            text = str(text)  # noqa: PLW2901 - Claude Code wants text, people write API_TIMEOUT_MS = 600000
        if not isinstance(text, str):
            raise _refuse(f"{name} must be text, in quotation marks", keys=(name,))
        _check_env_entry(name, text)
        checked[name] = text
    return checked


def _check_env_entry(name: str, text: str) -> None:
    known = name.upper()  # on Windows the letter case of a variable makes no difference
    keys = (name,)
    if "\0" in text:
        raise _refuse(f"{name} holds a NUL character", keys=keys)
    if known in _ELSEWHERE:
        raise _refuse(f"{name} does not belong under env", f"set {_ELSEWHERE[known]}", keys=keys)
    if known in _NOT_HERE:
        raise _refuse(f"{name} does not belong into a profile: {_NOT_HERE[known]}", keys=keys)
    if known == "ANTHROPIC_CUSTOM_HEADERS" and _CREDENTIAL_HEADER.search(text):
        raise _refuse(
            f"{name} holds a credential header, a second one beside the profile's own",
            "use auth.token, and auth.variable to choose the header",
            keys=keys,
        )
    _refuse_token(text, name, keys=keys)


def _check_settings(value: object) -> object:
    if isinstance(value, dict):
        if "env" in value:
            raise _refuse(
                "variables do not belong under settings", "use the profile's own env table", keys=("env",)
            )
        if "apiKeyHelper" in value:
            hint = 'set auth.delivery = "helper"'
            raise _refuse("apiKeyHelper does not belong under settings", hint, keys=("apiKeyHelper",))
        _check_json(value, (), 0)
    return value


def _check_json(value: object, keys: tuple[str, ...], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _refuse(f"settings are nested deeper than {_MAX_DEPTH} levels", keys=keys)
    if isinstance(value, dict):
        for key, below in value.items():
            _refuse_token(key, "this key", keys=(*keys, key))
            _check_json(below, (*keys, key), depth + 1)
    elif isinstance(value, list):
        for below in value:
            _check_json(below, keys, depth + 1)
    elif isinstance(value, str):
        _refuse_token(value, "this value", keys=keys)
    else:
        _check_json_scalar(value, keys)


def _check_json_scalar(value: object, keys: tuple[str, ...]) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _refuse("JSON has no nan and no inf", keys=keys)
    elif not isinstance(value, int):
        raise _refuse("JSON has no dates and times; write them as text", keys=keys)
    elif value not in _TOML_INTEGERS:
        raise _refuse("a whole number has at most 64 bits", keys=keys)


_Text = Annotated[str, AfterValidator(_check_text), Field(max_length=16384)]
_ModelId = Annotated[str, AfterValidator(_check_model)]


class _Table(BaseModel):
    # Only whole profiles are checked; what checks the tables in them by themselves need not be built.
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True
    )


class TokenTable(_Table):
    """Where the token is, never the token: exactly one of `env`, `file`, `command` and `keyring`."""

    env: Annotated[str, AfterValidator(_check_variable_name)] | None = Field(
        default=None, description="Name of the environment variable that holds the token."
    )
    file: Annotated[_Text, Field(min_length=1)] | None = Field(
        default=None,
        description="Path of a file that holds the token. `~` is the home; else from this file's folder.",
    )
    command: Annotated[list[_Text], Field(min_length=1)] | None = Field(
        default=None,
        description="A program and its arguments, run without a shell; what it prints is the token.",
    )
    keyring: Annotated[_Text, Field(min_length=1)] | None = Field(
        default=None, description="A service in the system's keyring. Needs `kimi-profiles[keyring]`."
    )
    username: _Text | None = Field(default=None, description="Whose token it is, for `keyring`.")


class AuthTable(_Table):
    """Where the token is, and how Claude Code gets it."""

    token: Annotated[TokenTable, BeforeValidator(_check_token)] | None = None
    variable: Literal["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"] | None = Field(
        default=None,
        description="`ANTHROPIC_AUTH_TOKEN` sends the token as a bearer, `ANTHROPIC_API_KEY` as `x-api-key`. "
        "Left out, the provider's.",
    )
    delivery: Literal["inline", "helper"] | None = Field(
        default=None,
        description="`inline` (the default) writes the token into the settings file; with `helper` Claude "
        "Code asks `kimi-profiles token` for it.",
    )


class ModelsTable(_Table):
    """Model ids. A tier that is left out takes `default`; `default` left out takes the provider's."""

    default: _ModelId | None = Field(default=None, description="The main model.")
    opus: _ModelId | None = Field(default=None, description="The model for the tier opus.")
    sonnet: _ModelId | None = Field(default=None, description="The model for the tier sonnet.")
    haiku: _ModelId | None = Field(
        default=None, description="The model for the tier haiku and background requests."
    )
    subagent: _ModelId | None = Field(default=None, description="The model for subagents.")
    fable: _ModelId | None = Field(default=None, description="The model for the tier fable.")


class ProfileTable(_Table):
    """One profile. It needs `provider` or `base_url`, of its own or inherited."""

    description: _Text | None = Field(default=None, description="For `list` and `show`. Not inherited.")
    extends: _Text | None = Field(
        default=None, description="The profile or provider that this one builds on."
    )
    provider: _Text | None = Field(
        default=None,
        description="Known endpoint: it sets what this profile leaves out. See `kimi-profiles providers`.",
    )
    base_url: Annotated[_Text, AfterValidator(_check_url)] | None = Field(
        default=None,
        description="Address of an Anthropic-compatible endpoint: `https://…`, or `http://` to this machine; "
        "without `/v1`. Left out, the provider's.",
    )
    auth: AuthTable = AuthTable.model_construct()
    models: ModelsTable = ModelsTable.model_construct()
    context_tokens: Annotated[int, Field(ge=1_000, le=100_000_000)] | None = Field(
        default=None, description="Context window of the main model, in tokens. Left out, the catalogue's."
    )
    env: Annotated[dict[str, str], BeforeValidator(_check_env)] = Field(
        default={}, description="Further environment variables. What has a key of its own is refused here."
    )
    settings: Annotated[dict[str, Any], BeforeValidator(_check_settings)] = Field(
        default={},
        description="Further settings, merged into Claude Code's `settings.json`; lists gain members.",
    )
    pin_model: bool = Field(
        default=True, description="Whether `ANTHROPIC_MODEL` is set, which beats a choice by `/model`."
    )
    onboarding: bool = Field(
        default=True, description="Whether the questions of the first start are marked as answered."
    )
    detach_login: bool = Field(
        default=True, description="Whether a stored Console login is set aside while the profile is applied."
    )


def check_table(table: object, where: tuple[str, ...]) -> ProfileTable:
    """``table`` as TOML gave it, checked.

    Args:
        table: The value at ``where`` in the file.
        where: Keys that lead to it; the error names its place by them.

    Raises:
        ProfileInvalidError: It is wrong; ``where`` of the error leads to the key.
    """
    try:
        checked = ProfileTable.model_validate(table)
        return _check_whole(checked)
    except ValidationError as error:
        raise _first_fault(error, where) from None
    except PydanticCustomError as error:
        raise fault((*where, "auth", "token"), error.message(), (error.context or {}).get("hint")) from None


def _check_whole(table: ProfileTable) -> ProfileTable:
    token = table.auth.token
    if token is not None:
        ways = [way for way in ("env", "file", "command", "keyring") if getattr(token, way) is not None]
        if len(ways) != 1:
            raise _refuse("auth.token takes exactly one of env, file, command, keyring")
        if token.username is not None and ways != ["keyring"]:
            raise _refuse("username goes with keyring only")
    return table


def fault(where: tuple[str, ...], message: str, hint: str | None = None) -> ProfileInvalidError:
    """An error at the key that ``where`` leads to; no token in ``message`` survives."""
    error = ProfileInvalidError(without_tokens(message), hint=hint)
    error.where = where
    return error


_MUST_BE = {
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must be a table",
    "string_type": "must be text, in quotation marks",
}


def _first_fault(error: ValidationError, where: tuple[str, ...]) -> ProfileInvalidError:
    first = error.errors(include_url=False, include_input=False)[0]
    path = tuple(part for part in first["loc"] if isinstance(part, str))
    kind = first["type"]
    if kind == "profile":
        context = first.get("ctx", {})
        return fault((*where, *path, *context["keys"]), context["message"], context["hint"])
    if kind == "extra_forbidden":
        known = nearest(path[-1], _known_keys(path[:-1]))
        return fault(
            (*where, *path),
            f"unknown key {path[-1]!a:.80}",
            f"did you mean {known}?" if known else "known keys: " + ", ".join(_known_keys(path[:-1])),
        )
    subject = ".".join(path) or ".".join(where)
    reason = _MUST_BE.get(kind) or first["msg"].replace("Input should be", "must be")
    return fault((*where, *path), f"{subject} {reason}", None)


def _known_keys(path: tuple[str, ...]) -> list[str]:
    model: Any = ProfileTable
    for part in path:
        model = {"auth": AuthTable, "models": ModelsTable, "token": TokenTable}.get(part, model)
    return list(model.model_fields)
