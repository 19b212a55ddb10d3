"""What a configuration means as a profile: its provider, by the address, and what differs from that. Pure."""

from __future__ import annotations

import re
from types import MappingProxyType

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.claude import context_tokens, is_first_party
from kimi_profiles.declaration import check_table
from kimi_profiles.endpoint import check_base_url, profile_notices
from kimi_profiles.errors import (
    InvalidError,
    Notice,
    ProfileInvalidError,
)
from kimi_profiles.importing.auth import CREDENTIALS, Credential, find_credential
from kimi_profiles.importing.credential import is_placeholder, named_variable
from kimi_profiles.importing.found import NOT_AN_ENDPOINT, LeftOut, holds_password, source_of
from kimi_profiles.importing.tiers import MODEL_NAMES, read_tiers
from kimi_profiles.inheritance import resolve_profile
from kimi_profiles.secrets import Secret, is_secret_name
from kimi_profiles.values import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from kimi_profiles.catalogue import Provider
    from kimi_profiles.importing.found import Found, Value
    from kimi_profiles.profile import Profile

__all__ = ["ELSEWHERE", "ENDPOINT_VARIABLES", "Proposal", "recognize"]

_URL = "ANTHROPIC_BASE_URL"
_WINDOW = ("CLAUDE_CODE_MAX_CONTEXT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW")
_EXTRAS = (
    "ANTHROPIC_BETAS",
    "ANTHROPIC_CUSTOM_HEADERS",
    "API_TIMEOUT_MS",
    "CLAUDE_CODE_ATTRIBUTION_HEADER",
    "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS",
    "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "CLAUDE_CODE_EFFORT_LEVEL",
    "CLAUDE_CODE_EXTRA_BODY",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "DISABLE_PROMPT_CACHING",
    "ENABLE_TOOL_SEARCH",
    "MAX_THINKING_TOKENS",
)
ENDPOINT_VARIABLES = (_URL, *CREDENTIALS[:2], *(n for n in MODEL_NAMES if n != "model"), *_WINDOW, *_EXTRAS)
"""The variables that belong to an endpoint; all others are taken only on request."""

ELSEWHERE = "endpoint-of-other-file"
"""The notice that a project decides where a token goes that is not its own."""

_OF_A_PROJECT = {"project", "local"}
_VERSION = re.compile(r"/v\d+(?:/messages)?/*\Z")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LEAST_TOKEN = 8  # characters; a shorter one may be a part of any word
_MAX_WINDOW = 100_000_000


@dataclass(frozen=True, slots=True)
class Proposal:
    """A profile that could be added.

    Attributes:
        name: Of the profile.
        table: Its TOML table; no token is in it.
        taken: Dotted key → where its value stood.
        implied: Variables that the provider, or this program, sets to the same by itself.
        left_out: What is not taken, and why.
        export: The variable that has to hold the token, where it does not yet.
        token: The token that was found; ``None`` for none.
        token_name: The variable in which it was found.
        token_source: Where that stood.
        notices: What is odd.
    """

    name: str
    table: Mapping[str, Any]
    taken: Mapping[str, str]
    implied: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    export: str | None = None
    token: Secret | None = field(default=None, repr=False)
    token_name: str | None = None
    token_source: str | None = None
    notices: tuple[Notice, ...] = ()

    def with_token_at(self, reference: Mapping[str, str]) -> Proposal:
        """The same, with the token kept elsewhere than in a variable."""
        auth = {**self.table.get("auth", {}), "token": dict(reference)}
        table = {key: value for key, value in self.table.items() if key not in {"auth", *_AFTER_AUTH}}
        rest = {key: self.table[key] for key in _AFTER_AUTH if key in self.table}
        return replace(self, table={**table, "auth": auth, **rest}, export=None)


_NOBODYS: Mapping[str, str] = MappingProxyType({})
_AFTER_AUTH = ("models", "context_tokens", "pin_model", "env", "settings")


def recognize(
    found: Found,
    name: str,
    *,
    env: Mapping[str, str],
    owners: Mapping[str, str] = _NOBODYS,
    with_settings: bool = False,
) -> Proposal:
    """What ``found`` is as the profile ``name``.

    Args:
        found: From a reader.
        name: A name that a profile may have.
        env: Variables that a token can be in already.
        owners: Variable → the profile that has its token in it.
        with_settings: Whether settings and variables that say nothing about an endpoint are taken too.

    Raises:
        InvalidError: It cannot be used, or says no base URL; no value of it is in the message.
        EndpointError: Its base URL cannot work.
    """
    if found.problem is not None:
        raise InvalidError(found.problem)
    return _Recognizer(found, name, env, owners, with_settings=with_settings).propose()


class _Recognizer:
    def __init__(
        self,
        found: Found,
        name: str,
        env: Mapping[str, str],
        owners: Mapping[str, str],
        *,
        with_settings: bool,
    ) -> None:
        self.found = found
        self.name = name
        self.process = env
        self.owners = owners
        self.with_settings = with_settings
        self.values = {key: value for key, value in found.variables.items() if value.text.strip()}
        self.used: set[str] = set()
        self.taken: dict[str, str] = {}
        self.implied: list[str] = []
        self.left_out = list(found.left_out)
        self.notices: list[Notice] = []
        self.table: dict[str, Any] = {}
        self.credential = Credential()
        self.provider: Provider | None = None

    def propose(self) -> Proposal:
        self._take_endpoint()
        self._take_credential()
        self._take_models()
        self._take_window()
        self._take_env()
        self._take_settings()
        self.notices += profile_notices(self._profile(self.table))  # which is refused if it could not be used
        return Proposal(
            self.name,
            self.table,
            self.taken,
            tuple(dict.fromkeys(self.implied)),
            tuple(self.left_out),
            self.credential.export,
            self.credential.token,
            self.credential.token_name,
            self.values[self.credential.token_name].source if self.credential.token_name else None,
            tuple(self.notices),
        )

    # What several steps need

    def _use(self, name: str) -> Value | None:
        self.used.add(name)
        return self.values.get(name)

    def _leave(self, name: str, reason: str) -> None:
        self.used.add(name)
        self.left_out.append(LeftOut(name, reason))

    def _refusal(self, table: Mapping[str, Any]) -> str | None:
        """Why ``table`` may not be part of a profile."""
        try:
            check_table(table, ("profiles", self.name))
        except ProfileInvalidError as error:
            return error.message
        if any(map(_LONE_SURROGATE.search, _texts(table))):
            return "it is no Unicode text, as TOML wants it"
        if any(map(holds_password, _texts(table))):
            return "it holds a password"
        return "it holds the token" if any(map(self._holds_token, _texts(table))) else None

    def _holds_token(self, text: str) -> bool:
        token = self.credential.token.reveal() if self.credential.token else ""
        return len(token) >= _LEAST_TOKEN and token in text

    def _profile(self, table: Mapping[str, Any]) -> Profile:
        return resolve_profile(self.name, {self.name: table}, defaults={}, catalogue=read_catalogue())

    # Step by step

    def _take_endpoint(self) -> None:
        found = self._use(_URL)
        if found is None:
            reasons = {left.name: left.reason for left in self.left_out}
            why = [f"{key}: {reasons[key]}" for key in (_URL, "customApiUrl") if key in reasons]
            message = f"nothing there sets {_URL}, so there is no endpoint to import"
            raise InvalidError(message, hint=next(iter(why), None))
        url = found.text.strip()
        if named_variable(url) or is_placeholder(url):
            raise InvalidError(
                f"{_URL} is no address but stands for one", hint=f"it stands in {found.source}"
            )
        short = _VERSION.sub("", url)
        provider = read_catalogue().provider_at(short)
        if short != url:
            known = provider is not None and _is_same_place(short, provider.base_url)
            check_base_url(short if known else url)  # for all others its own words are better
            message = f"the base URL ends in {url[len(short) :]}, which Claude Code adds by itself"
            self.notices.append(Notice("version-suffix", message))
        check_base_url(short)
        self.provider = provider if provider and _is_same_place(short, provider.base_url) else None
        key = "provider" if self.provider else "base_url"
        self.table[key] = self.provider.id if self.provider else short
        self.taken[key] = found.source

    def _take_credential(self) -> None:
        self.used.update(CREDENTIALS)
        found = find_credential(
            self.values, self.name, self.provider, self._base_url(), env=self.process, owners=self.owners
        )
        self.used.update(found.used)
        self.credential = found
        self.left_out += found.left_out
        self.notices += found.notices
        self.taken |= {f"auth.{key}": source for key, source in found.sources.items()}
        if found.table:
            self.table["auth"] = found.table
        layer = self.values[_URL].layer
        if layer in _OF_A_PROJECT and found.layers - {layer}:
            self.notices.append(
                Notice(
                    ELSEWHERE,
                    f"the endpoint is that of a project ({self.values[_URL].source}), and the token is not"
                    " from that file: the profile would send it there",
                    "--settings FILE imports what stands in one file alone",
                )
            )

    def _base_url(self) -> str:
        return self.provider.base_url if self.provider else str(self.table["base_url"])

    def _take_models(self) -> None:
        self.used.update(MODEL_NAMES)
        tiers = read_tiers(self.values, lambda model: self._refusal({"models": {"default": model}}))
        self.left_out += tiers.left_out
        if not tiers.is_pinned and "default" in tiers.mapped:
            self.table["pin_model"] = False
            self.taken["pin_model"] = "ANTHROPIC_MODEL is not set"
        offered = self._profile({"provider": self.provider.id}).models if self.provider else {}
        said = {} if tiers.follows_from(offered) else tiers.worth_saying()
        for tier, mapped in said.items():
            self.taken[f"models.{tier}"] = mapped.source
        if said:
            self.table["models"] = {tier: mapped.model for tier, mapped in said.items()}
        names = {mapped.variable for mapped in said.values()}
        self.implied += [mapped.variable for mapped in tiers.mapped.values() if mapped.variable not in names]

    def _take_window(self) -> None:
        values = [self._use(name) for name in _WINDOW]
        texts = {value.text.strip() for value in values if value}
        whole = next(iter(texts)) if len(texts) == 1 and all(values) else ""
        if re.fullmatch(r"[1-9][0-9]{3,8}", whole) and int(whole) <= _MAX_WINDOW and values[0]:
            if context_tokens(self._profile(self.table)) == int(whole):
                self.implied += _WINDOW
            else:
                self.table["context_tokens"] = int(whole)
                self.taken["context_tokens"] = ", ".join(dict.fromkeys(v.source for v in values if v))
            return
        for name, value in zip(_WINDOW, values, strict=True):
            if value:
                self._take_variable(name, value)

    def _take_env(self) -> None:
        usual = dict(self._implied_variables())
        for name, value in self.values.items():
            if name in self.used:
                continue
            if usual.get(name) == value.text.strip():
                self.implied.append(name)
            elif is_secret_name(name):
                self._leave(name, "it may hold a secret")
            elif name in _EXTRAS or name in usual or self.with_settings:
                self._take_variable(name, value)
            else:
                self._leave(name, NOT_AN_ENDPOINT)

    def _implied_variables(self) -> Iterator[tuple[str, str]]:
        if not is_first_party(self._base_url()):
            yield "CLAUDE_CODE_ATTRIBUTION_HEADER", "0"
            yield "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"
        if self.provider:
            yield from self.provider.env.items()

    def _take_variable(self, name: str, value: Value) -> None:
        refusal = self._refusal({"env": {name: value.text}})
        if refusal is None and named_variable(value.text):
            refusal = "it names another variable, and Claude Code fills none in"
        if refusal is not None:
            self._leave(name, refusal)
            return
        self.table.setdefault("env", {})[name] = value.text
        self.taken[f"env.{name}"] = value.source

    def _take_settings(self) -> None:
        settings: dict[str, Any] = {}
        for key, value in self.found.settings.items():
            if not self.with_settings:
                self._leave(key, NOT_AN_ENDPOINT)
                continue
            refusal = self._refusal({"settings": {key: value}}) or _odd(key, value)
            if refusal is not None:
                self._leave(key, refusal)
                continue
            settings[key] = value
            self.taken[f"settings.{key}"] = source_of(self.found, key)
        if settings:
            self.table["settings"] = settings


def _odd(key: str, value: Any) -> str | None:
    """Why a setting that may be declared is better not written into the profiles' file."""
    if is_secret_name(key):
        return "it may hold a secret"
    if value is None:
        return "TOML has no null"
    if isinstance(value, dict):
        return next(filter(None, (_odd(below, inner) for below, inner in value.items())), None)
    if isinstance(value, list):
        return next(filter(None, (_odd("", inner) for inner in value)), None)
    return None


def _texts(value: Any) -> Iterator[str]:
    """Every text in a table."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
    elif isinstance(value, str):
        yield value


def _is_same_place(url: str, other: str) -> bool:
    catalogue = read_catalogue()
    here, there = catalogue.provider_at(url), catalogue.provider_at(other)
    return here is not None and here is there and _path(url) == _path(other)


def _path(url: str) -> str:
    return url.partition("://")[2].partition("/")[2].rstrip("/")
