"""The packaged catalogue holds together, and look-ups in it find what they should."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import FrozenInstanceError, fields
from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from kimi_profiles.catalogue import Catalogue, Model, Provider, nearest, read_catalogue

if TYPE_CHECKING:
    from pathlib import Path

CATALOGUE = read_catalogue()
DOCUMENT = tomllib.loads(files("kimi_profiles").joinpath("catalogue.toml").read_text("utf-8"))
ENTRIES: dict[str, Provider | Model] = {
    **{f"providers.{key}": value for key, value in CATALOGUE.providers.items()},
    **{f"models.{key}": value for key, value in CATALOGUE.models.items()},
}

every_provider = pytest.mark.parametrize("provider", CATALOGUE.providers.values(), ids=CATALOGUE.providers)
every_model = pytest.mark.parametrize("model", CATALOGUE.models.values(), ids=CATALOGUE.models)
every_entry = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)

TOKEN = re.compile(r"(?i)\bsk-[\w-]{12,}|\beyJ[\w-]{10,}|\bBearer\s+\S{8,}|(?<![0-9a-z])[0-9a-z]{32,}")
TIERS = {"default", "opus", "sonnet", "haiku", "subagent", "fable"}


def strings(value: object) -> list[str]:
    """Every string in a TOML document, keys too."""
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


# ---- what is in it


def test_what_is_read_is_what_is_kept() -> None:
    packaged = files("kimi_profiles").joinpath("catalogue.json").read_text("utf-8")
    assert json.loads(packaged) == json.loads(json.dumps(DOCUMENT, default=str)), (
        "run: python docs/generate.py"
    )


KNOWN_PROVIDERS = {
    "Moonshot, international": ("moonshot-intl", "https://api.moonshot.ai/anthropic", "ANTHROPIC_AUTH_TOKEN"),
    "Moonshot, China": ("moonshot-cn", "https://api.moonshot.cn/anthropic", "ANTHROPIC_AUTH_TOKEN"),
    "Kimi Code": ("kimi-code-com", "https://api.kimi.com/coding/", "ANTHROPIC_API_KEY"),
    "Kimi Code, overseas": ("kimi-code-ai", "https://api.kimi.ai/coding/", "ANTHROPIC_API_KEY"),
    "GLM": ("zai", "https://api.z.ai/api/anthropic", "ANTHROPIC_AUTH_TOKEN"),
    "DeepSeek": ("deepseek", "https://api.deepseek.com/anthropic", "ANTHROPIC_AUTH_TOKEN"),
    "a local server": ("ollama", "http://localhost:11434", "ANTHROPIC_AUTH_TOKEN"),
}


@pytest.mark.parametrize(("key", "base_url", "auth"), KNOWN_PROVIDERS.values(), ids=KNOWN_PROVIDERS)
def test_a_known_provider_has_its_endpoint(key: str, base_url: str, auth: str) -> None:
    provider = CATALOGUE.providers[key]
    assert (provider.id, provider.base_url, provider.auth_variable) == (key, base_url, auth)


KNOWN_PREFIXES = {
    "Open Platform": ("moonshot-cn", "sk-"),
    "membership": ("kimi-code-com", "sk-kimi-"),
    "OpenRouter": ("openrouter", "sk-or-"),
    "no source says": ("deepseek", None),
    "the token is ignored": ("ollama", None),
}


@pytest.mark.parametrize(("key", "prefix"), KNOWN_PREFIXES.values(), ids=KNOWN_PREFIXES)
def test_key_prefix(key: str, prefix: str | None) -> None:
    assert CATALOGUE.providers[key].key_prefix == prefix


KNOWN_MODELS = {
    "1M flagship": ("kimi-k3", 1_048_576, 131_072, "current"),
    "the coding model": ("kimi-k2.7-code", 262_144, 262_144, "current"),
    "sources differ, the smaller counts": ("kimi-for-coding", 262_144, 32_768, "current"),
    "old and short": ("moonshot-v1-8k", 8_192, 8_192, "legacy"),
    "the router takes the longest": ("moonshot-v1-auto", 131_072, 131_072, "legacy"),
    "retired": ("kimi-k2-0711-preview", 131_072, 32_000, "retired"),
    "window not known": ("glm-5.3", None, None, "current"),
    "hearsay": ("kimi-k1.5", None, None, "unknown"),
}


@pytest.mark.parametrize(("key", "context", "output", "status"), KNOWN_MODELS.values(), ids=KNOWN_MODELS)
def test_a_known_model_has_its_limits(key: str, context: int | None, output: int | None, status: str) -> None:
    model = CATALOGUE.models[key]
    assert (model.id, model.context_tokens, model.max_output_tokens, model.status) == (
        key,
        context,
        output,
        status,
    )


DEFAULTS = {
    "both tiers": ("moonshot-cn", {"default": "kimi-k2.7-code", "haiku": "kimi-k2.7-code-highspeed"}),
    "one model for all": ("kimi-code-com", {"default": "kimi-for-coding"}),
    "no fact supports one": ("openrouter", {}),
}


@pytest.mark.parametrize(("key", "models"), DEFAULTS.values(), ids=DEFAULTS)
def test_default_models(key: str, models: dict[str, str]) -> None:
    assert CATALOGUE.providers[key].models == models


def test_it_says_as_of_when() -> None:
    assert date(2026, 11, 21) == CATALOGUE.as_of


# ---- providers


@every_provider
def test_base_url_is_https_or_loopback_and_has_no_v1(provider: Provider) -> None:
    parts = urlsplit(provider.base_url)
    loopback = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    assert parts.scheme == ("http" if loopback else "https")
    assert not parts.path.rstrip("/").endswith("/v1")
    assert (parts.query, parts.fragment, parts.username) == ("", "", None)


@every_provider
def test_auth_variable_is_one_of_two(provider: Provider) -> None:
    assert provider.auth_variable in {"ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"}


@every_provider
def test_a_fixed_token_is_for_loopback_only_and_alone(provider: Provider) -> None:
    local = urlsplit(provider.base_url).hostname == "localhost"
    assert (provider.fixed_token is not None) == local
    if local:
        assert (provider.key_prefix, provider.key_variable) == (None, None)


@every_provider
def test_key_variable_is_a_variable_name_and_not_claude_codes_own(provider: Provider) -> None:
    if provider.key_variable is not None:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*_API_KEY", provider.key_variable)
        assert not provider.key_variable.startswith("ANTHROPIC_")


BALANCES = {
    "moonshot-intl": ("https://api.moonshot.ai/v1/users/me/balance", "USD"),
    "moonshot-cn": ("https://api.moonshot.cn/v1/users/me/balance", "CNY"),
    "deepseek": ("https://api.deepseek.com/user/balance", "/currency"),
    "siliconflow": ("https://api.siliconflow.com/v1/user/info", "USD"),
    "novita": ("https://api.novita.ai/openapi/v1/billing/balance/detail", "USD"),
}


def test_where_a_balance_can_be_asked() -> None:
    found = {key: entry.balance for key, entry in CATALOGUE.providers.items() if entry.balance}
    assert {key: (balance.url, balance.currency) for key, balance in found.items()} == BALANCES


@every_provider
def test_a_balance_is_asked_of_the_same_host_and_read_by_plain_pointers(provider: Provider) -> None:
    balance = provider.balance
    if balance is not None:
        assert balance.url.startswith("https://")
        assert urlsplit(balance.url).netloc == urlsplit(provider.base_url).netloc
        pointers = [balance.amount, balance.entries or "/", balance.currency]
        assert all(re.fullmatch(r"(/\w*)+|[A-Z]{3}", pointer) for pointer in pointers)
        assert balance.amount.startswith("/")
        assert balance.divisor >= 1


TWINS = {
    ("moonshot-cn", "moonshot-intl"),
    ("kimi-code-ai", "kimi-code-com"),
    ("bigmodel", "zai"),
    ("minimax-cn", "minimax-intl"),
    ("dashscope-cn", "dashscope-intl"),
}


def test_region_twins_exist_and_are_mutual() -> None:
    found = {key: entry.region_twin for key, entry in CATALOGUE.providers.items() if entry.region_twin}
    assert set(found.items()) == TWINS | {(twin, key) for key, twin in TWINS}


@every_provider
def test_default_models_exist_are_current_and_are_served_here(provider: Provider) -> None:
    assert set(provider.models) <= TIERS
    assert not provider.models or "default" in provider.models
    for model_id in provider.models.values():
        model = CATALOGUE.models[model_id]
        assert model.status == "current"
        assert provider.id in model.providers


@every_provider
def test_env_adds_text_only_and_sets_nothing_a_profile_sets_itself(provider: Provider) -> None:
    for name, value in provider.env.items():
        assert isinstance(value, str)
        assert not name.startswith("ANTHROPIC_")
        assert name != "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"


def test_every_base_url_leads_back_to_its_provider() -> None:
    back = {key: CATALOGUE.provider_at(entry.base_url) for key, entry in CATALOGUE.providers.items()}
    assert back == dict(CATALOGUE.providers)


# ---- models


@every_model
def test_providers_and_successor_exist(model: Model) -> None:
    assert set(model.providers) <= set(CATALOGUE.providers)
    if model.successor is not None:
        assert CATALOGUE.models[model.successor].status == "current"


@every_model
def test_retired_has_a_date_and_a_successor(model: Model) -> None:
    assert model.status in {"current", "legacy", "retired", "unknown"}
    assert (model.retired_on is not None) == (model.status == "retired")
    if model.status == "retired":
        assert model.retired_on is not None
        assert model.retired_on <= CATALOGUE.as_of
        assert model.successor is not None


@every_model
def test_limits_are_positive_and_an_answer_fits_the_window(model: Model) -> None:
    limits = [n for n in (model.max_output_tokens, model.context_tokens) if n is not None]
    assert limits == sorted(limits)
    assert all(type(n) is int and n >= 8_192 for n in limits)


@every_model
def test_prices_are_dollars_for_a_million_tokens(model: Model) -> None:
    price = model.price_usd_per_mtok
    if price is not None:
        assert {"input", "output"} <= set(price) <= {"input", "output", "cache_read"}
        assert all(type(value) is float for value in price.values())
        assert 0 < price.get("cache_read", 0.01) < price["input"] < price["output"] < 100


@every_model
def test_claude_code_form_leads_back_to_the_model(model: Model) -> None:
    if model.claude_code_form is not None:
        assert model.claude_code_form != model.id
        assert CATALOGUE.model(model.claude_code_form) is model


# ---- the file


@every_entry
def test_every_entry_has_sources(entry: Provider | Model) -> None:
    assert entry.sources
    assert all(source.strip() for source in entry.sources)
    assert len(set(entry.sources)) == len(entry.sources)


def test_every_named_source_is_used() -> None:
    tables = [*DOCUMENT["providers"].values(), *DOCUMENT["models"].values()]
    assert {short for table in tables for short in table["sources"]} == set(DOCUMENT["sources"])


@every_entry
def test_every_field_has_its_declared_type(entry: Provider | Model) -> None:
    allowed = {"str": str, "int": int, "bool": bool, "date": date, "None": type(None)}
    for field in fields(entry):
        names = str(field.type).split(" | ")
        if set(names) <= set(allowed):
            assert type(getattr(entry, field.name)) in [allowed[name] for name in names], field.name


def test_no_string_looks_like_a_token_or_names_a_package_registry() -> None:
    found = strings(DOCUMENT)
    assert len(found) > 300
    assert [text for text in found if TOKEN.search(text)] == []
    assert [text for text in found if re.search(r"npmjs\.org|npmjs\.com|pypi\.org|pythonhosted", text)] == []


TOKEN_LIKE = {
    "Open Platform key": ("sk-" + "a1B2" * 6, True),
    "membership key": ("key sk-kimi-" + "x9" * 10, True),
    "JSON Web Token": ("eyJ" + "hbGciOiJIUzI1", True),
    "header": ("Bearer " + "0123456789", True),
    "forty hexadecimal digits": ("5ca9459b" * 5, True),
    "a prefix": ("keys begin sk-kimi- there", False),
    "a file name": ("model_prices_and_context_window_backup.json", False),
}


@pytest.mark.parametrize(("text", "is_token"), TOKEN_LIKE.values(), ids=TOKEN_LIKE)
def test_the_token_pattern_itself(text: str, is_token: bool) -> None:  # noqa: FBT001
    assert bool(TOKEN.search(text)) is is_token


# ---- reading


def test_it_is_read_once_and_cannot_be_changed() -> None:
    assert read_catalogue() is CATALOGUE
    with pytest.raises(FrozenInstanceError):
        CATALOGUE.providers["zai"].base_url = "https://elsewhere.example"  # type: ignore[misc]
    for table in (CATALOGUE.providers, CATALOGUE.models, CATALOGUE.providers["zai"].env):
        with pytest.raises(TypeError):
            table["zai"] = None  # type: ignore[index]


def test_a_package_without_its_data_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("kimi_profiles.catalogue.__file__", str(tmp_path / "catalogue.py"))
    with pytest.raises(FileNotFoundError, match=r"catalogue\.json"):
        read_catalogue.__wrapped__()


# ---- look-ups

PLACES = {
    "as listed": ("https://api.moonshot.cn/anthropic", "moonshot-cn"),
    "trailing slash added": ("https://api.moonshot.cn/anthropic//", "moonshot-cn"),
    "trailing slash missing": ("https://api.kimi.com/coding", "kimi-code-com"),
    "a longer path": ("https://api.kimi.com/coding/v1/messages", "kimi-code-com"),
    "/v1 too many": ("https://openrouter.ai/api/v1", "openrouter"),
    "host in capitals": ("https://API.Moonshot.AI/anthropic", "moonshot-intl"),
    "path in capitals is another path": ("https://api.moonshot.ai/Anthropic", None),
    "another scheme": ("http://api.z.ai/api/anthropic", "zai"),
    "no scheme": ("api.z.ai/api/anthropic", "zai"),
    "the scheme's own port": ("https://api.z.ai:443/api/anthropic", "zai"),
    "another port": ("https://api.z.ai:8443/api/anthropic", None),
    "root dot": ("https://api.z.ai./api/anthropic", "zai"),
    "query": ("https://api.z.ai/api/anthropic?x=1", "zai"),
    "port decides": ("http://localhost:1234/", "lmstudio"),
    "port of nobody": ("http://localhost:8080", None),
    "a provider at the root": ("https://api.siliconflow.com/v1", "siliconflow"),
    "segment, not letters": ("https://api.moonshot.cn/anthropic-old", None),
    "path missing": ("https://api.moonshot.cn", None),
    "the OpenAI endpoint": ("https://api.moonshot.cn/v1", None),
    "parent domain": ("https://moonshot.cn/anthropic", None),
    "subdomain": ("https://evil.api.moonshot.cn/anthropic", None),
    "known host as a user name": ("https://api.kimi.com@evil.example/coding/", None),
    "the first party": ("https://api.anthropic.com", None),
    "broken brackets": ("https://[::1/anthropic", None),
    "broken port": ("https://api.z.ai:port/api/anthropic", None),
    "no host": ("https:///api/anthropic", None),
    "a path only": ("/api/anthropic", None),
    "empty": ("", None),
}


@pytest.mark.parametrize(("base_url", "expected"), PLACES.values(), ids=PLACES)
def test_provider_at(base_url: str, expected: str | None) -> None:
    found = CATALOGUE.provider_at(base_url)
    assert (found and found.id) == expected


HOSTS = {
    "host": ("api.moonshot.cn", ["moonshot-cn"]),
    "capitals": ("API.MOONSHOT.CN", ["moonshot-cn"]),
    "URL with another path": ("https://api.moonshot.cn/v1", ["moonshot-cn"]),
    "host and port": ("localhost:11434", ["ollama"]),
    "a port is part of the place": ("localhost", []),
    "unknown": ("example.com", []),
    "empty": ("", []),
    "broken": ("[", []),
}


@pytest.mark.parametrize(("host", "expected"), HOSTS.values(), ids=HOSTS)
def test_providers_of_host(host: str, expected: list[str]) -> None:
    assert [provider.id for provider in CATALOGUE.providers_of_host(host)] == expected


def shared(key: str, base_url: str) -> Provider:
    return Provider(
        id=key,
        label=key,
        base_url=base_url,
        auth_variable="ANTHROPIC_AUTH_TOKEN",
        models={},
        env={},
        sources=("test",),
    )


SHARED_HOST = {
    "the root": ("https://one.example/other", "root"),
    "one segment": ("https://one.example/a/", "a"),
    "two segments": ("https://one.example/a/b/c", "ab"),
    "half a segment falls back": ("https://one.example/a/bc", "a"),
}


@pytest.mark.parametrize(("base_url", "expected"), SHARED_HOST.values(), ids=SHARED_HOST)
def test_the_longest_path_wins_whatever_the_order(base_url: str, expected: str) -> None:
    places = {"a": "/a", "ab": "/a/b/", "root": ""}
    providers = {key: shared(key, f"https://one.example{path}") for key, path in places.items()}
    for order in (providers, dict(reversed(providers.items()))):
        found = Catalogue(dated=CATALOGUE.dated, providers=order, models={}).provider_at(base_url)
        assert found is providers[expected]


MODEL_IDS = {
    "as listed": ("kimi-k2.7-code", "kimi-k2.7-code"),
    "1M suffix": ("kimi-k3[1m]", "kimi-k3"),
    "1M suffix in capitals": ("KIMI-K3[1M]", "kimi-k3"),
    "one suffix only": ("kimi-k3[1m][1m]", None),
    "suffix in the middle": ("kimi[1m]-k3", None),
    "listed with capitals": ("minimax-m3", "MiniMax-M3"),
    "a beginning is not enough": ("kimi-k2.7", None),
    "claude": ("claude-sonnet-5", None),
    "suffix alone": ("[1m]", None),
    "empty": ("", None),
}


@pytest.mark.parametrize(("model_id", "expected"), MODEL_IDS.values(), ids=MODEL_IDS)
def test_model(model_id: str, expected: str | None) -> None:
    found = CATALOGUE.model(model_id)
    assert (found and found.id) == expected


NEAREST = {
    "one letter wrong": ("moonshoot-cn", ["moonshot-cn", "zai"], "moonshot-cn"),
    "letters swapped": ("default_modle", ["default_model", "env"], "default_model"),
    "letter case": ("minimax-m3", ["MiniMax-M2.7", "MiniMax-M3"], "MiniMax-M3"),
    "letter case and a typo": ("MINIMAX-N3", ["MiniMax-M3", "kimi-k3"], "MiniMax-M3"),
    "the only one that begins so": ("d", ["deepseek", "zai"], "deepseek"),
    "a beginning beats likeness": ("open", ["openrouter-and-more", "oven"], "openrouter-and-more"),
    "several begin so, the likest counts": (
        "moonshot",
        ["moonshot-intl", "moonshot-cn", "zai"],
        "moonshot-cn",
    ),
    "several begin so, none alike": ("k", ["kimi-for-coding", "kimi-k2.7-code"], None),
    "itself": ("kimi-k2", ["kimi-k2.5", "kimi-k2"], "kimi-k2"),
    "nothing alike": ("bedrock", ["moonshot-cn", "zai"], None),
    "empty name": ("", ["zai"], None),
    "nothing known": ("zai", [], None),
}


@pytest.mark.parametrize(("name", "known", "expected"), NEAREST.values(), ids=NEAREST)
def test_nearest(name: str, known: list[str], expected: str | None) -> None:
    assert nearest(name, known) == expected
    assert nearest(name, iter(reversed(known))) == expected
