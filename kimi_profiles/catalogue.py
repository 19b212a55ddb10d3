"""Known providers and models: the packaged catalogue, read once, and look-ups in it.

It is kept in ``catalogue.toml``; what is read is ``catalogue.json``, which ``docs/generate.py`` makes of it
and which Python reads fifty times as fast.

It is data with sources, as of ``Catalogue.as_of``. Not promised: that a provider still behaves as listed,
that prices are what a particular account pays, or that a model absent here does not exist.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date
    from typing import Any, Literal

__all__ = [
    "BalanceEndpoint",
    "Catalogue",
    "Model",
    "Provider",
    "nearest",
    "read_catalogue",
]

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceEndpoint:
    """Where a provider tells what an account holds, and how to read its answer.

    Attributes:
        url: Asked with GET and the same key as a bearer token; on the host of the provider's ``base_url``.
        amount: JSON Pointer (RFC 6901) to what is left to spend, a number or a text that is one.
        currency: Its currency, ISO 4217; beginning with ``/`` it is a JSON Pointer to it.
        entries: JSON Pointer to a list with one entry a currency, from which the other two pointers start;
            ``None`` where there is no list.
        divisor: How many units of ``amount`` make one of ``currency``.
    """

    url: str
    amount: str
    currency: str
    entries: str | None = None
    divisor: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One endpoint that speaks Anthropic's Messages API; ``None`` means that no source says.

    Attributes:
        id: Name in the catalogue; also the name of the profile that needs no TOML file.
        label: Name for people.
        base_url: Value for ``ANTHROPIC_BASE_URL``, without ``/v1``; may end in a slash.
        openai_base_url: The same provider's OpenAI-compatible endpoint.
        auth_variable: ``ANTHROPIC_AUTH_TOKEN`` (bearer) or ``ANTHROPIC_API_KEY`` (``x-api-key``).
        key_variable: Environment variable that customarily holds the user's key.
        key_prefix: How its keys begin. It may also begin another provider's longer prefix: ``sk-`` and
            ``sk-kimi-``; the longest that fits decides.
        fixed_token: What to send to a local server that wants a token and ignores it. Not a secret.
        region_twin: Id of the other region's provider, whose keys are not interchangeable with these.
        console: Host, or host and path, of the page where keys are made; no scheme.
        balance: Where the account's balance can be asked with the same key.
        note: What else to know, for people.
        models: Tier (``default``, ``haiku``, ...) to model id; may be empty.
        env: More environment variables this provider wants; values as Claude Code gets them.
        sources: Where all this is from; never empty.
    """

    id: str
    label: str
    base_url: str
    auth_variable: Literal["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"]
    openai_base_url: str | None = None
    key_variable: str | None = None
    key_prefix: str | None = None
    fixed_token: str | None = None
    region_twin: str | None = None
    console: str | None = None
    balance: BalanceEndpoint | None = None
    note: str | None = None
    models: Mapping[str, str]
    env: Mapping[str, str]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model id; ``None`` means that no source says.

    Attributes:
        id: As the API wants it, in the provider's spelling.
        providers: Ids of the providers that serve it, or served it; may be empty.
        context_tokens: Window, in tokens.
        max_output_tokens: Most tokens in one answer; the smallest that a source gives.
        status: ``legacy`` still answers; ``retired`` does not, since ``retired_on``.
        retired_on: Set exactly where ``status`` is ``retired``.
        successor: Id of the model to use instead.
        thinking: Whether and how it thinks, for people.
        vision: Whether it takes images.
        note: What else to know, for people.
        claude_code_form: How Claude Code's variables name it, where that is not ``id``.
        price_usd_per_mtok: US dollars for a million tokens: ``input``, ``output``, maybe ``cache_read``.
        sources: Where all this is from; never empty.
    """

    id: str
    providers: tuple[str, ...]
    status: Literal["current", "legacy", "retired", "unknown"]
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    retired_on: date | None = None
    successor: str | None = None
    thinking: str | None = None
    vision: bool | None = None
    note: str | None = None
    claude_code_form: str | None = None
    price_usd_per_mtok: Mapping[str, float] | None = None
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything known, by id, in the order of the file.

    Attributes:
        dated: The day up to which the sources were read, ISO 8601.
        providers: Provider id to provider.
        models: Model id to model.
    """

    dated: str
    providers: Mapping[str, Provider]
    models: Mapping[str, Model]

    @property
    def as_of(self) -> date:
        """The day up to which the sources were read."""
        from datetime import date

        return date.fromisoformat(self.dated)

    def longest_prefix(self, key: str) -> str | None:
        """The longest known beginning of keys that ``key`` begins with."""
        prefixes = {each.key_prefix for each in self.providers.values() if each.key_prefix}
        return max(filter(key.startswith, prefixes), key=len, default=None)

    def provider_at(self, base_url: str) -> Provider | None:
        """The provider that answers at ``base_url``.

        Args:
            base_url: Any text. The scheme does not matter (absent, it counts as ``https``); letter case
                matters in the path only; trailing slashes do not matter.

        Returns:
            The provider with the same host and port whose path is the longest that begins the path of
            ``base_url``, counted in whole segments; ``None`` where there is none, or no host.
        """
        _, path = _place(base_url)
        on_host = [(_known_place(found.base_url)[1], found) for found in self.providers_of_host(base_url)]
        fitting = [(len(start), found) for start, found in on_host if path.startswith(start)]
        return max(fitting, key=lambda fit: fit[0], default=(0, None))[1]

    def providers_of_host(self, host: str) -> tuple[Provider, ...]:
        """Every provider on ``host``, whatever its path.

        Args:
            host: ``host``, ``host:port`` or a URL. Without a port the scheme's own is meant, 443 by default:
                ``localhost`` alone does not find a local server.

        Returns:
            In the order of the catalogue; empty where the host is unknown or not one.
        """
        wanted, _ = _place(host)
        return tuple(known for known in self.providers.values() if _known_place(known.base_url)[0] == wanted)

    def model(self, model_id: str) -> Model | None:
        """The model of this id, without regard to letter case and to one trailing ``[1m]``."""
        wanted = model_id.casefold().removesuffix("[1m]")
        return next((self.models[key] for key in self.models if key.casefold() == wanted), None)


@functools.cache
def read_catalogue() -> Catalogue:
    """Read the packaged catalogue; every call returns the same, unchangeable value.

    Raises:
        FileNotFoundError: The installed package lacks ``catalogue.json``.
    """
    loader: Any = __spec__.loader
    document = json.loads(loader.get_data(str(Path(__file__).with_name("catalogue.json"))))
    sources = document["sources"]
    providers = _Entries(document["providers"], lambda key, table: _provider(key, table, sources))
    models = _Entries(document["models"], lambda key, table: _model(key, table, sources))
    return Catalogue(dated=document["as_of"], providers=providers, models=models)


class _Entries(Mapping["str", "Any"]):
    """The tables of one kind, each made into an entry when it is first looked at."""

    def __init__(self, tables: dict[str, Any], make: Callable[[str, dict[str, Any]], Any]) -> None:
        self._tables = tables
        self._make = make
        self._made: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._made:
            self._made[key] = self._make(key, self._tables[key])
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was most likely meant to be.

    Args:
        name: What was written.
        known: The names that exist. Letter case is ignored in the comparison.

    Returns:
        A member of ``known`` as spelt there: the same but for case, else the only one that begins with
        ``name``, else the most similar by ``difflib`` (ratio at least 0.6), else ``None``.
    """
    import difflib  # here, because only a mistake needs it

    wanted = name.casefold()
    by_folded = {candidate.casefold(): candidate for candidate in known}
    longer = [folded for folded in by_folded if wanted and folded.startswith(wanted)]
    close = longer if len(longer) == 1 else difflib.get_close_matches(wanted, by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def _place(url: str) -> tuple[str, str]:
    """Host, with its port unless that is the scheme's own, and path with one slash at its end."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        port = parts.port
    except ValueError:
        return "", "/"
    host = (parts.hostname or "").removesuffix(".")
    own = _DEFAULT_PORTS.get(parts.scheme, 443)
    return (host if port in (None, own) else f"{host}:{port}"), parts.path.rstrip("/") + "/"


@functools.cache
def _known_place(base_url: str) -> tuple[str, str]:
    """The same for one of the catalogue; others may hold a key, and are not kept."""
    return _place(base_url)


def _provider(key: str, table: dict[str, Any], sources: Mapping[str, str]) -> Provider:
    inner = {name: MappingProxyType(table.get(name, {})) for name in ("models", "env")}
    balance = BalanceEndpoint(**table["balance"]) if "balance" in table else None
    return Provider(**{**table, **inner, "id": key, "balance": balance, "sources": _sources(table, sources)})


def _model(key: str, table: dict[str, Any], sources: Mapping[str, str]) -> Model:
    facts = {**table, "id": key, "providers": tuple(table["providers"]), "sources": _sources(table, sources)}
    if "price_usd_per_mtok" in table:
        facts["price_usd_per_mtok"] = MappingProxyType(table["price_usd_per_mtok"])
    if "retired_on" in table:
        from datetime import date

        facts["retired_on"] = date.fromisoformat(table["retired_on"])
    return Model(**facts)


def _sources(table: dict[str, Any], sources: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sources[short] for short in table["sources"])
