"""How tables become a :class:`Profile`: ``extends``, ``[defaults]``, then what the provider says."""

from __future__ import annotations

import copy
import functools

from kimi_profiles.catalogue import nearest
from kimi_profiles.declaration import check_table, fault
from kimi_profiles.errors import ProfileNotFoundError, UsageError
from kimi_profiles.profile import TIERS, Profile, TokenRef, check_profile_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from deepmerge import Merger

    from kimi_profiles.catalogue import Catalogue, Provider
    from kimi_profiles.declaration import ModelsTable, ProfileTable, TokenTable

__all__ = ["resolve_profile"]

_MAX_ANCESTORS = 16
_EMPTIED = {"ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"}


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
        raise fault(("defaults", "extends"), "[defaults] lies under every profile and extends none")
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
            raise fault(("profiles", lineage[-1], "extends"), f"profiles extend each other: {circle}")
        if parent not in tables and parent not in catalogue.providers:
            known = nearest(parent, [*tables, *catalogue.providers])
            hint = f"did you mean {known}?" if known else "see: kimi-profiles list"
            if not lineage:
                raise ProfileNotFoundError(f"there is no profile {parent!a:.80}", hint=hint)
            where = ("profiles", lineage[-1], "extends")
            raise fault(where, f"extends {parent!a:.80}, and there is no such profile", hint)
        if parent in tables:
            _check_name(parent)
        if len(lineage) == _MAX_ANCESTORS:
            where = ("profiles", lineage[-1], "extends")
            raise fault(where, f"profile {name} extends more than {_MAX_ANCESTORS - 1} others")
        lineage.append(parent)
        parent = check_table(tables[parent], ("profiles", parent)).extends if parent in tables else None
    return lineage


def _check_name(name: str) -> None:
    try:
        check_profile_name(name)
    except UsageError as error:
        raise fault(("profiles", name), error.message, error.hint) from None


def _with_provider(name: str, table: ProfileTable, origins: dict[str, str], catalogue: Catalogue) -> Profile:
    where = ("profiles", name)
    provider = catalogue.providers.get(table.provider or "")
    if table.provider is not None and provider is None:
        known = nearest(table.provider, catalogue.providers)
        hint = f"did you mean {known}?" if known else "see: kimi-profiles providers"
        named_by = origins["provider"].removeprefix("profile ")
        table_of = ("defaults",) if origins["provider"] == "defaults" else ("profiles", named_by)
        raise fault((*table_of, "provider"), f"there is no provider {table.provider!a:.80}", hint)
    base_url = table.base_url or (provider.base_url if provider else None)
    if base_url is None:
        raise fault(
            where, f"profile {name} has neither provider nor base_url", "see: kimi-profiles providers"
        )
    token = _token(table.auth.token, provider)
    delivery = table.auth.delivery or "inline"
    if delivery == "helper" and token is not None and token.value in _EMPTIED:
        raise fault(
            (*where, "auth", "token"),
            f"a helper cannot read {token.value}: Claude Code runs it with that variable emptied",
            "keep the key in a variable of another name",
        )
    models = _models(table.models, provider, origins)
    recommended = provider.env if provider else {}
    _note_provider(provider, table, origins)
    return Profile(
        name=name,
        base_url=base_url,
        auth_variable=table.auth.variable or (provider.auth_variable if provider else "ANTHROPIC_AUTH_TOKEN"),
        delivery=delivery,
        token=token,
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
    named = {tier: model for tier, model in table if model is not None}
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


@functools.cache
def _merger() -> Merger:
    from deepmerge import Merger  # most profiles inherit nothing that had to be merged
    from deepmerge.strategy.dict import DictStrategies

    def merge_tables(config: Merger, path: list[str], base: dict[str, Any], nxt: dict[str, Any]) -> Any:
        if path == ["auth", "token"]:
            return nxt  # one reference; two half ones would be none
        return DictStrategies.strategy_merge(config, path, base, nxt)

    return Merger([(dict, merge_tables)], ["override"], ["override"])


def _merge(merged: dict[str, Any], origins: dict[str, str], table: dict[str, Any], source: str) -> None:
    if merged:
        _merger().merge(merged, copy.deepcopy(table))
    else:
        merged.update(copy.deepcopy(table))
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
