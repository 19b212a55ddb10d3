"""What a TOML table says, checked, and how tables become a :class:`Profile`: inheritance, then the provider.

The only module that needs pydantic.
"""

from __future__ import annotations

import copy
import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from deepmerge import Merger
from deepmerge.strategy.dict import DictStrategies
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from kimi_profiles.catalogue import nearest
from kimi_profiles.endpoint import check_base_url
from kimi_profiles.errors import EndpointError, ProfileInvalidError, ProfileNotFoundError, UsageError
from kimi_profiles.profile import TIERS, Profile, TokenRef, check_profile_name
from kimi_profiles.secrets import holds_token, without_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kimi_profiles.catalogue import Catalogue, Provider

__all__ = ["ProfileTable", "check_table", "resolve_profile"]

_MAX_DEPTH = 64
_MAX_ANCESTORS = 16
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
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class TokenTable(_Table):
    """``auth.token``: exactly one way to get at the token."""

    env: Annotated[str, AfterValidator(_check_variable_name)] | None = None
    file: Annotated[_Text, Field(min_length=1)] | None = None
    command: Annotated[list[_Text], Field(min_length=1)] | None = None
    keyring: Annotated[_Text, Field(min_length=1)] | None = None
    username: _Text | None = None


class AuthTable(_Table):
    """``auth``: where the token is, and how Claude Code gets it."""

    token: Annotated[TokenTable, BeforeValidator(_check_token)] | None = None
    variable: Literal["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"] | None = None
    delivery: Literal["inline", "helper"] | None = None


class ModelsTable(_Table):
    """``models``: tier → model id; a tier left out takes ``default``."""

    default: _ModelId | None = None
    opus: _ModelId | None = None
    sonnet: _ModelId | None = None
    haiku: _ModelId | None = None
    subagent: _ModelId | None = None
    fable: _ModelId | None = None


class ProfileTable(_Table):
    """One ``[profiles.NAME]``, or ``[defaults]``."""

    description: _Text | None = None
    extends: _Text | None = None
    provider: _Text | None = None
    base_url: Annotated[_Text, AfterValidator(_check_url)] | None = None
    auth: AuthTable = AuthTable()
    models: ModelsTable = ModelsTable()
    context_tokens: Annotated[int, Field(ge=1_000, le=100_000_000)] | None = None
    env: Annotated[dict[str, str], BeforeValidator(_check_env)] = {}
    settings: Annotated[dict[str, Any], BeforeValidator(_check_settings)] = {}
    pin_model: bool = True
    onboarding: bool = True
    detach_login: bool = True


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
        raise _fault((*where, "auth", "token"), error.message(), (error.context or {}).get("hint")) from None


def resolve_profile(
    name: str, tables: Mapping[str, object], *, defaults: object, catalogue: Catalogue
) -> Profile:
    """The profile ``name``, with all it inherits.

    Precedence, weakest first: provider, ``[defaults]``, the ancestors by ``extends``, the profile itself.
    Tables merge; scalars, lists and ``auth.token`` of the stronger one replace. A profile that names another
    provider than its parent, or than ``[defaults]`` with an endpoint, keeps nothing of their endpoint,
    credential or models: a key must not follow a profile to another provider.

    Args:
        name: Of one of ``tables``, or of a provider.
        tables: Name → table as TOML gave it.
        defaults: The table ``[defaults]``, or an empty one.
        catalogue: The known providers.

    Raises:
        ProfileNotFoundError: No such profile and no such provider.
        ProfileInvalidError: It, or one it inherits from, is wrong; or inheritance goes in a circle.
    """
    if check_table(defaults, ("defaults",)).extends is not None:
        raise _fault(("defaults", "extends"), "[defaults] lies under every profile and extends none", None)
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    _merge(merged, origins, _as_dict(defaults), "defaults")
    for depth, ancestor in enumerate(reversed(_lineage(name, tables, catalogue))):
        table = _as_dict(tables.get(ancestor, {"provider": ancestor}))
        # What [defaults] say without an endpoint of their own is meant for whatever lies over them.
        has_endpoint = depth > 0 or not merged.keys().isdisjoint({"provider", "base_url"})
        if has_endpoint and "provider" in table and table["provider"] != merged.get("provider"):
            _drop_endpoint(merged, origins)
        _merge(merged, origins, table, f"profile {ancestor}" if ancestor in tables else "built in")
    for key in ("extends", "description"):
        if origins.get(key) != f"profile {name}":
            merged.pop(key, None)
            origins.pop(key, None)
    checked = check_table(merged, ("profiles", name))
    return _with_provider(name, checked, origins, catalogue)


def _lineage(name: str, tables: Mapping[str, object], catalogue: Catalogue) -> list[str]:
    """``name`` and its ancestors, nearest first; each of their tables is checked by itself."""
    lineage: list[str] = []
    parent: str | None = name
    while parent is not None:
        if parent in lineage:
            circle = " → ".join([*lineage[lineage.index(parent) :], parent])
            raise _fault(("profiles", lineage[-1], "extends"), f"profiles extend each other: {circle}", None)
        if parent not in tables and parent not in catalogue.providers:
            known = nearest(parent, [*tables, *catalogue.providers])
            hint = f"did you mean {known}?" if known else "see: kimi-profiles list"
            if not lineage:
                raise ProfileNotFoundError(f"there is no profile {parent!a:.80}", hint=hint)
            where = ("profiles", lineage[-1], "extends")
            raise _fault(where, f"extends {parent!a:.80}, and there is no such profile", hint)
        if parent in tables:
            _check_name(parent)
        if len(lineage) == _MAX_ANCESTORS:
            where = ("profiles", lineage[-1], "extends")
            raise _fault(where, f"profile {name} extends more than {_MAX_ANCESTORS - 1} others", None)
        lineage.append(parent)
        parent = check_table(tables[parent], ("profiles", parent)).extends if parent in tables else None
    return lineage


def _check_name(name: str) -> None:
    try:
        check_profile_name(name)
    except UsageError as error:
        raise _fault(("profiles", name), error.message, error.hint) from None


def _check_whole(table: ProfileTable) -> ProfileTable:
    token = table.auth.token
    if token is not None:
        ways = [way for way in ("env", "file", "command", "keyring") if getattr(token, way) is not None]
        if len(ways) != 1:
            raise _refuse("auth.token takes exactly one of env, file, command, keyring")
        if token.username is not None and ways != ["keyring"]:
            raise _refuse("username goes with keyring only")
    return table


def _with_provider(name: str, table: ProfileTable, origins: dict[str, str], catalogue: Catalogue) -> Profile:
    where = ("profiles", name)
    provider = catalogue.providers.get(table.provider or "")
    if table.provider is not None and provider is None:
        known = nearest(table.provider, catalogue.providers)
        hint = f"did you mean {known}?" if known else "see: kimi-profiles providers"
        named_by = origins["provider"].removeprefix("profile ")
        table_of = ("defaults",) if origins["provider"] == "defaults" else ("profiles", named_by)
        raise _fault((*table_of, "provider"), f"there is no provider {table.provider!a:.80}", hint)
    base_url = table.base_url or (provider.base_url if provider else None)
    if base_url is None:
        raise _fault(
            where, f"profile {name} has neither provider nor base_url", "see: kimi-profiles providers"
        )
    models = _models(table.models, provider, origins)
    recommended = provider.env if provider else {}
    _note_provider(provider, table, origins)
    return Profile(
        name=name,
        base_url=base_url,
        auth_variable=table.auth.variable or (provider.auth_variable if provider else "ANTHROPIC_AUTH_TOKEN"),
        delivery=table.auth.delivery or "inline",
        token=_token(table.auth.token, provider),
        models=models,
        context_tokens=table.context_tokens,
        env=table.env,
        extras={key: value for key, value in recommended.items() if key not in table.env},
        settings=table.settings,
        pin_model=table.pin_model,
        onboarding=table.onboarding,
        detach_login=table.detach_login,
        provider=table.provider,
        description=table.description,
        origins=origins,
    )


def _models(table: ModelsTable, provider: Provider | None, origins: dict[str, str]) -> dict[str, str]:
    named = table.model_dump(exclude_none=True)
    offered = dict(provider.models) if provider and "default" not in named else {}
    models: dict[str, str] = {**offered, **named}
    default = models.get("default")
    for tier in models:
        if provider is not None:
            origins.setdefault(f"models.{tier}", f"provider {provider.id}")
    if default is None:
        return models
    for tier in TIERS:
        if tier not in models:
            origins[f"models.{tier}"] = "models.default"
    return {tier: models.get(tier, default) for tier in ("default", *TIERS)}


def _note_provider(provider: Provider | None, table: ProfileTable, origins: dict[str, str]) -> None:
    if provider is None:
        return
    source = f"provider {provider.id}"
    origins.setdefault("base_url", source)
    origins.setdefault("auth.variable", source)
    if provider.key_variable or provider.fixed_token:
        origins.setdefault("auth.token", source)
    for variable in provider.env:
        if variable not in table.env:
            origins[f"env.{variable}"] = source


def _token(table: TokenTable | None, provider: Provider | None) -> TokenRef | None:
    if table is None:
        if provider and provider.fixed_token:
            return TokenRef("fixed", provider.fixed_token)
        return TokenRef("env", provider.key_variable) if provider and provider.key_variable else None
    if table.env is not None:
        return TokenRef("env", table.env)
    if table.file is not None:
        return TokenRef("file", table.file)
    if table.command is not None:
        return TokenRef("command", table.command[0], tuple(table.command))
    service = table.keyring or ""
    return TokenRef("keyring", service, (table.username,) if table.username is not None else ())


# Inheritance


def _merge_tables(config: Merger, path: list[str], base: dict[str, Any], nxt: dict[str, Any]) -> Any:
    if path == ["auth", "token"]:
        return nxt  # one reference; two half ones would be none
    return DictStrategies.strategy_merge(config, path, base, nxt)


_merger = Merger([(dict, _merge_tables)], ["override"], ["override"])


def _merge(merged: dict[str, Any], origins: dict[str, str], table: dict[str, Any], source: str) -> None:
    _merger.merge(merged, copy.deepcopy(table))
    for key in _leaves(table, ()):
        origins[key] = source
    for gone in origins.keys() - set(_leaves(merged, ())):
        del origins[gone]


def _leaves(table: Mapping[str, object], prefix: tuple[str, ...]) -> Iterator[str]:
    for key, value in table.items():
        here = (*prefix, key)
        if isinstance(value, dict) and here != ("auth", "token"):
            yield from _leaves(value, here)
        else:
            yield ".".join(here)


def _drop_endpoint(merged: dict[str, Any], origins: dict[str, str]) -> None:
    for key in ("base_url", "models", "context_tokens"):
        merged.pop(key, None)
    for key in ("token", "variable"):
        merged.get("auth", {}).pop(key, None)
    dropped = ("base_url", "models.", "context_tokens", "auth.token", "auth.variable")
    for key in [key for key in origins if key.startswith(dropped)]:
        del origins[key]


def _as_dict(table: object) -> dict[str, Any]:
    return table if isinstance(table, dict) else {}


# Errors


def _fault(where: tuple[str, ...], message: str, hint: str | None) -> ProfileInvalidError:
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
        return _fault((*where, *path, *context["keys"]), context["message"], context["hint"])
    if kind == "extra_forbidden":
        known = nearest(path[-1], _known_keys(path[:-1]))
        return _fault(
            (*where, *path),
            f"unknown key {path[-1]!a:.80}",
            f"did you mean {known}?" if known else "known keys: " + ", ".join(_known_keys(path[:-1])),
        )
    subject = ".".join(path) or ".".join(where)
    reason = _MUST_BE.get(kind) or first["msg"].replace("Input should be", "must be")
    return _fault((*where, *path), f"{subject} {reason}", None)


def _known_keys(path: tuple[str, ...]) -> list[str]:
    model: Any = ProfileTable
    for part in path:
        model = {"auth": AuthTable, "models": ModelsTable, "token": TokenTable}.get(part, model)
    return list(model.model_fields)
