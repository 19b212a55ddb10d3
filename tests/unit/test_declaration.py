"""Tables become profiles: what is refused, what is inherited, what the provider adds, where it came from."""

from __future__ import annotations

import tomllib
import traceback
from typing import Any

import pytest

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.declaration import check_table
from kimi_profiles.errors import ProfileInvalidError, ProfileNotFoundError
from kimi_profiles.inheritance import resolve_profile
from kimi_profiles.profile import TIERS, Profile, TokenRef

CATALOGUE = read_catalogue()
TOKEN = "sk-kimi-" + "Zq9" * 12
GATEWAY = 'base_url = "https://gateway.example"\n'


def resolve(text: str, name: str = "p") -> Profile:
    document = tomllib.loads(text)
    return resolve_profile(
        name, document.get("profiles", {}), defaults=document.get("defaults", {}), catalogue=CATALOGUE
    )


def refusal(text: str, name: str = "p") -> ProfileInvalidError:
    with pytest.raises(ProfileInvalidError) as caught:
        resolve(text, name)
    shown = "".join(traceback.format_exception(caught.value)) + (caught.value.hint or "")
    assert "Zq9" not in shown
    assert (str(caught.value) + (caught.value.hint or "")).isprintable()
    return caught.value


# ---- one table: what is refused, by which keys it is found, and what the message says

WRONG = {
    "unknown key": ("basurl = 1", "basurl", "unknown key 'basurl'", "did you mean base_url?"),
    "unknown key, upper case": ("ENV = {}", "ENV", "unknown key", "did you mean env?"),
    "nothing is near": ("zzz = 1", "zzz", "unknown key 'zzz'", "known keys: description, extends"),
    "under auth": ("auth.tokn = 1", "auth.tokn", "unknown key 'tokn'", "did you mean token?"),
    "under auth.token": ('auth.token.envv = "A"', "auth.token.envv", "unknown key", "did you mean env?"),
    "under models": ('models.sonet = "m"', "models.sonet", "unknown key", "did you mean sonnet?"),
    "a long key is cut": (f"{'z' * 200} = 1", "z" * 200, "unknown key 'zzz", "known keys"),
    "a key with an escape": ('"\\u001b[2J" = 1', "\x1b[2J", "unknown key '\\x1b[2J'", "known keys"),
    # types
    "a number for text": ("description = 1", "description", "description must be text", ""),
    "a boolean for text": ("provider = true", "provider", "provider must be text", ""),
    "text for a boolean": ('pin_model = "yes"', "pin_model", "pin_model must be true or false", ""),
    "a number for a boolean": ("onboarding = 1", "onboarding", "onboarding must be true or false", ""),
    "text for a number": ('context_tokens = "9000"', "context_tokens", "must be a whole number", ""),
    "a fraction for a number": ("context_tokens = 9000.0", "context_tokens", "must be a whole number", ""),
    "too few tokens": ("context_tokens = 999", "context_tokens", "greater than or equal to 1000", ""),
    "too many tokens": ("context_tokens = 100000001", "context_tokens", "less than or equal", ""),
    "text for a table": ('models = "m"', "models", "models must be a table", ""),
    "a list for a table": ("env = []", "env", "env must be a table", ""),
    "a table for text": ("extends = {}", "extends", "extends must be text", ""),
    "a list of parents": ('extends = ["a"]', "extends", "extends must be text", ""),
    "settings are a table": ("settings = 1", "settings", "settings must be a table", ""),
    "auth is a table": ("auth = 1", "auth", "auth must be a table", ""),
    "too long": (f'description = "{"a" * 16385}"', "description", "at most 16384", ""),
    "a control character": ('description = "\\u001b[2J"', "description", "control character", ""),
    # token references
    "a token": (f'auth.token = "{TOKEN}"', "auth.token", "a token itself does not belong", "auth.token = {"),
    "any text for a token": ('auth.token = "x"', "auth.token", "a token itself does not belong", "env"),
    "a token as the variable": (
        f'auth.token.env = "{TOKEN}"',
        "auth.token.env",
        "not the name",
        "not the token",
    ),
    "a token as the path": (f'auth.token.file = "{TOKEN}"', "auth.token.file", "looks like a token", "refer"),
    "a token as the service": (
        f'auth.token.keyring = "{TOKEN}"',
        "auth.token.keyring",
        "looks like",
        "refer",
    ),
    "a token in the command": (
        f'auth.token.command = ["echo", "Bearer {TOKEN}"]',
        "auth.token.command",
        "looks like a token",
        "refer",
    ),
    "no way to the token": ("auth.token = {}", "auth.token", "exactly one of env, file", ""),
    "two ways": ('auth.token = {env = "A", file = "b"}', "auth.token", "exactly one of env, file", ""),
    "a user name alone": ('auth.token = {username = "me"}', "auth.token", "exactly one of env, file", ""),
    "a user name with env": (
        'auth.token = {env = "A", username = "me"}',
        "auth.token",
        "with keyring only",
        "",
    ),
    "a token that is a list": ('auth.token = ["op"]', "auth.token", "auth.token must be a table", ""),
    "an empty command": ("auth.token.command = []", "auth.token.command", "at least 1", ""),
    "a command line": ('auth.token.command = "op read"', "auth.token.command", "must be a list", ""),
    "an empty path": ('auth.token.file = ""', "auth.token.file", "at least 1", ""),
    "NUL in the path": ('auth.token.file = "a\\u0000"', "auth.token.file", "control character", ""),
    "no variable": ('auth.token.env = "A-B"', "auth.token.env", "not the name of an environment", ""),
    "a dollar sign": ('auth.token.env = "$A"', "auth.token.env", "not the name of an environment", ""),
    "another variable": ('auth.variable = "MY_KEY"', "auth.variable", "'ANTHROPIC_AUTH_TOKEN' or", ""),
    "another delivery": ('auth.delivery = "email"', "auth.delivery", "'inline' or 'helper'", ""),
    # endpoint and models
    "a base URL with /v1": (
        'base_url = "https://gateway.example/v1"',
        "base_url",
        "adds /v1/messages",
        "use http",
    ),
    "a base URL with a password": (
        'base_url = "https://u:Zq9@x.example"',
        "base_url",
        "user name",
        "auth.token",
    ),
    "a base URL with a token": (
        f'base_url = "https://x.example/{TOKEN}"',
        "base_url",
        "looks like a token",
        "",
    ),
    "no such provider": (
        'provider = "moonshot-chn"',
        "provider",
        "no provider 'moonshot-chn'",
        "moonshot-cn?",
    ),
    "an empty provider": ('provider = ""', "provider", "there is no provider ''", "kimi-profiles providers"),
    "a model with a blank": ('models.haiku = "kimi k2"', "models.haiku", "printable ASCII", ""),
    "an empty model": ('models.haiku = ""', "models.haiku", "printable ASCII", ""),
    "a token as the model": (f'models.haiku = "{TOKEN}"', "models.haiku", "looks like a token", ""),
    # env
    "ANTHROPIC_BASE_URL": (
        'env.ANTHROPIC_BASE_URL = "x"',
        "env.ANTHROPIC_BASE_URL",
        "under env",
        "set base_url",
    ),
    "in lower case": ('env.anthropic_api_key = "x"', "env.anthropic_api_key", "under env", "set auth.token"),
    "the token's variable": (
        'env.ANTHROPIC_AUTH_TOKEN = ""',
        "env.ANTHROPIC_AUTH_TOKEN",
        "under env",
        "auth.token",
    ),
    "a tier's variable": (
        'env.ANTHROPIC_DEFAULT_OPUS_MODEL = "m"',
        "env.ANTHROPIC_DEFAULT_OPUS_MODEL",
        "under env",
        "set models.opus",
    ),
    "the folder": ('env.CLAUDE_CONFIG_DIR = "x"', "env.CLAUDE_CONFIG_DIR", "two folders", ""),
    "a second credential": ('env.CLAUDE_CODE_OAUTH_TOKEN = "x"', "env.CLAUDE_CODE_OAUTH_TOKEN", "second", ""),
    "another cloud": ('env.CLAUDE_CODE_USE_BEDROCK = "1"', "env.CLAUDE_CODE_USE_BEDROCK", "elsewhere", ""),
    "another cloud, lower case": (
        'env.claude_code_use_vertex = "1"',
        "env.claude_code_use_vertex",
        "elsewhere",
        "",
    ),
    "a credential header": (
        'env.ANTHROPIC_CUSTOM_HEADERS = "X-A: 1\\n X-Api-Key : Zq9"',
        "env.ANTHROPIC_CUSTOM_HEADERS",
        "credential header",
        "auth.variable",
    ),
    "a token in env": (
        f'env.MY_VALUE = "{TOKEN}"',
        "env.MY_VALUE",
        "MY_VALUE looks like a token",
        "export it",
    ),
    "a token inside a value": (f'env.X = "a {TOKEN} b"', "env.X", "X looks like a token", "export it"),
    "another kind of token": ('env.X = "pk-live-Zq9Zq9Zq9Zq9"', "env.X", "X looks like a token", "export it"),
    "a boolean in env": ("env.X = true", "env.X", "X must be text", ""),
    "a fraction in env": ("env.X = 1.5", "env.X", "X must be text", ""),
    "a list in env": ("env.X = []", "env.X", "X must be text", ""),
    "a number of 65 bits in env": ("env.X = 9223372036854775808", "env.X", "X must be text", ""),
    "an endless number in env": (f"env.X = 0x{'f' * 5000}", "env.X", "X must be text", ""),
    "NUL in env": ('env.X = "a\\u0000"', "env.X", "NUL", ""),
    "no name of a variable": ('env."A B" = "x"', "env.A B", "'A B' is not the name", ""),
    "an empty name": ('env."" = "x"', "env.", "'' is not the name", ""),
    "an escape in a name": ('env."\\u001b[2J" = true', "env.\x1b[2J", "is not the name", ""),
    # settings
    "env under settings": ("settings.env = {}", "settings.env", "variables do not", "own env table"),
    "apiKeyHelper": ('settings.apiKeyHelper = "x"', "settings.apiKeyHelper", "apiKeyHelper", "auth.delivery"),
    "nan": ("settings.a.b = nan", "settings.a.b", "JSON has no nan", ""),
    "inf in a list": ("settings.a = [1, [inf]]", "settings.a", "JSON has no nan", ""),
    "a fraction that is too large": ("settings.a = 1e999", "settings.a", "JSON has no nan", ""),
    "a date": ("settings.a = 2026-01-01", "settings.a", "no dates", ""),
    "a time": ("settings.a = 12:00:00", "settings.a", "no dates", ""),
    "an endless number": (f"settings.a = 0x{'f' * 5000}", "settings.a", "at most 64 bits", ""),
    "a token in settings": (f'settings.a.b = ["{TOKEN}"]', "settings.a.b", "looks like a token", "refer"),
    "too deep": ("settings.a = " + "[" * 65 + "]" * 65, "settings.a", "deeper than 64", ""),
}


@pytest.mark.parametrize(("line", "keys", "reason", "hint"), WRONG.values(), ids=WRONG)
def test_refused(line: str, keys: str, reason: str, hint: str) -> None:
    base = "" if line.startswith(("provider", "base_url")) else GATEWAY
    error = refusal(f"[profiles.p]\n{base}{line}\n")
    assert ".".join(error.where) == f"profiles.p.{keys}"
    assert reason in error.message
    assert hint in (error.hint or "")
    assert len(error.message) < 250


RIGHT: dict[str, tuple[str, str, object]] = {
    "a number in env is text": ("env.API_TIMEOUT_MS = 600000", "env", {"API_TIMEOUT_MS": "600000"}),
    "an empty value": ('env.HTTPS_PROXY = ""', "env", {"HTTPS_PROXY": ""}),
    "a harmless header": (
        'env.ANTHROPIC_CUSTOM_HEADERS = "X-Team: a"',
        "env",
        {"ANTHROPIC_CUSTOM_HEADERS": "X-Team: a"},
    ),
    "a word with sk- inside": ('env.X = "task-management-service"', "env", {"X": "task-management-service"}),
    "a word with key- in front": ('env.X = "key-management-service"', "env", {"X": "key-management-service"}),
    "settings as they are": (
        "settings = {a = [1, {b = 1.5}], c = true}",
        "settings",
        {"a": [1, {"b": 1.5}], "c": True},
    ),
    "64 levels": ("settings.a = " + "[" * 63 + "]" * 63, "context_tokens", None),
    "64 bits": ("settings.a = -9223372036854775808", "settings", {"a": -(2**63)}),
    "a token from a file": ('auth.token.file = "~/key"', "token", TokenRef("file", "~/key")),
    "a token from a command": (
        'auth.token.command = ["sh", "-c", "a\\nb"]',
        "token",
        TokenRef("command", "sh", ("sh", "-c", "a\nb")),
    ),
    "a token from a keyring": ('auth.token.keyring = "kimi"', "token", TokenRef("keyring", "kimi")),
    "and a user name": (
        'auth.token = {keyring = "kimi", username = "me"}',
        "token",
        TokenRef("keyring", "kimi", ("me",)),
    ),
    "no token": ("", "token", None),
    "the variable": ('auth.variable = "ANTHROPIC_API_KEY"', "auth_variable", "ANTHROPIC_API_KEY"),
    "the variable left out": ("", "auth_variable", "ANTHROPIC_AUTH_TOKEN"),
    "the delivery": ('auth.delivery = "helper"', "delivery", "helper"),
    "the delivery left out": ("", "delivery", "inline"),
    "no models": ("", "models", {}),
    "every tier takes the default": (
        'models.default = "m"',
        "models",
        dict.fromkeys(("default", *TIERS), "m"),
    ),
    "but one": (
        'models = {default = "m", haiku = "h"}',
        "models",
        {**dict.fromkeys(("default", *TIERS), "m"), "haiku": "h"},
    ),
    "tiers without a default": ('models.haiku = "h"', "models", {"haiku": "h"}),
    "pinned": ("", "pin_model", True),
    "not pinned": ("pin_model = false", "pin_model", False),
    "context": ("context_tokens = 262_144", "context_tokens", 262_144),
    "no provider": ("", "provider", None),
}


@pytest.mark.parametrize(("line", "attribute", "expected"), RIGHT.values(), ids=RIGHT)
def test_accepted(line: str, attribute: str, expected: object) -> None:
    assert getattr(resolve(f"[profiles.p]\n{GATEWAY}{line}\n"), attribute) == expected


def test_a_profile_needs_an_endpoint() -> None:
    error = refusal("[profiles.p]\n")
    assert error.message == "profile p has neither provider nor base_url"
    assert error.where == ("profiles", "p")


@pytest.mark.parametrize("value", [1, "text", [], None])
def test_a_table_that_is_none(value: object) -> None:
    with pytest.raises(ProfileInvalidError, match=r"^profiles\.p must be a table$"):
        check_table(value, ("profiles", "p"))


@pytest.mark.parametrize("name", ["a b", ".a", "con", "\x1b[2J", "caf\xe9", "a" * 65])
def test_a_name_that_no_profile_may_have(name: str) -> None:
    tables = {name: {"base_url": "https://x.example"}, "child": {"extends": name}}
    for wanted in (name, "child"):
        with pytest.raises(ProfileInvalidError) as caught:
            resolve_profile(wanted, tables, defaults={}, catalogue=CATALOGUE)
        assert str(caught.value).isprintable()


# ---- providers


@pytest.mark.parametrize("provider", CATALOGUE.providers.values(), ids=lambda one: one.id)
def test_every_provider_is_a_profile(provider: Any) -> None:
    profile = resolve("", provider.id)
    assert (profile.name, profile.provider) == (provider.id, provider.id)
    assert profile.base_url == provider.base_url
    assert profile.auth_variable == provider.auth_variable
    assert profile.extras == provider.env
    for tier, model in provider.models.items():
        assert profile.models[tier] == model
    if "default" in provider.models:
        assert set(profile.models) == {"default", *TIERS}
    if provider.fixed_token:
        assert profile.token == TokenRef("fixed", provider.fixed_token)
    elif provider.key_variable:
        assert profile.token == TokenRef("env", provider.key_variable)
    else:
        assert profile.token is None


def test_a_table_of_a_provider_s_name_wins() -> None:
    profile = resolve(f"[profiles.moonshot-cn]\n{GATEWAY}", "moonshot-cn")
    assert (profile.base_url, profile.provider) == ("https://gateway.example", None)


def test_the_provider_gives_way_to_the_profile() -> None:
    profile = resolve("""
        [profiles.p]
        provider = "zai"
        base_url = "https://gateway.example"
        auth = { token = { env = "MINE" }, variable = "ANTHROPIC_API_KEY" }
        models.default = "m"
        env.API_TIMEOUT_MS = "1"
    """)
    assert profile.base_url == "https://gateway.example"
    assert profile.token == TokenRef("env", "MINE")
    assert profile.auth_variable == "ANTHROPIC_API_KEY"
    assert profile.models == dict.fromkeys(("default", *TIERS), "m")
    assert (profile.env, profile.extras) == ({"API_TIMEOUT_MS": "1"}, {})


MODELS = {
    "the provider's": ("", "kimi-k2.7-code", "kimi-k2.7-code-highspeed", "kimi-k2.7-code"),
    "one tier of one's own": (
        'models.opus = "kimi-k3"',
        "kimi-k2.7-code",
        "kimi-k2.7-code-highspeed",
        "kimi-k3",
    ),
    "the default of one's own": ('models.default = "kimi-k3"', "kimi-k3", "kimi-k3", "kimi-k3"),
}


@pytest.mark.parametrize(("line", "default", "haiku", "opus"), MODELS.values(), ids=MODELS)
def test_models_with_a_provider(line: str, default: str, haiku: str, opus: str) -> None:
    models = resolve(f'[profiles.p]\nprovider = "moonshot-cn"\n{line}').models
    assert (models["default"], models["haiku"], models["opus"]) == (default, haiku, opus)
    assert models["subagent"] == default


# ---- inheritance

FAMILY = """
[defaults]
env = { FROM = "defaults", D = "d" }
pin_model = false
[profiles.grandparent]
provider = "moonshot-cn"
description = "old"
auth = { token = { keyring = "kimi", username = "me" }, delivery = "helper" }
models = { default = "kimi-k3", haiku = "h" }
context_tokens = 5000
env = { FROM = "grandparent", G = "g" }
settings = { permissions = { allow = ["a", "b"], deny = ["d"] }, theme = "dark", hook = { x = 1 } }
[profiles.parent]
extends = "grandparent"
env = { FROM = "parent", P = "p" }
settings = { permissions = { allow = ["c"] }, hook = 1 }
[profiles.p]
extends = "parent"
auth.token = { env = "MINE" }
models.haiku = "mine"
env = { FROM = "p" }
settings.permissions.ask = ["e"]
"""


def test_tables_merge_and_everything_else_replaces() -> None:
    profile = resolve(FAMILY)
    assert profile.env == {"FROM": "p", "D": "d", "G": "g", "P": "p"}
    assert profile.settings == {
        "permissions": {"allow": ["c"], "deny": ["d"], "ask": ["e"]},
        "theme": "dark",
        "hook": 1,
    }
    assert (profile.models["default"], profile.models["haiku"]) == ("kimi-k3", "mine")
    assert profile.delivery == "helper"
    assert profile.context_tokens == 5000
    assert profile.pin_model is False


def test_a_token_reference_replaces_the_inherited_one_whole() -> None:
    assert resolve(FAMILY).token == TokenRef("env", "MINE")
    assert resolve(FAMILY, "parent").token == TokenRef("keyring", "kimi", ("me",))


def test_a_description_is_not_inherited() -> None:
    assert resolve(FAMILY).description is None
    assert resolve(FAMILY, "grandparent").description == "old"


def test_resolving_a_child_leaves_its_parent_alone() -> None:
    document = tomllib.loads(FAMILY)
    before = tomllib.loads(FAMILY)
    for name in ("p", "parent", "p"):
        resolve_profile(name, document["profiles"], defaults=document["defaults"], catalogue=CATALOGUE)
    assert document == before


ORIGINS = {
    "env.FROM": "profile p",
    "env.P": "profile parent",
    "env.G": "profile grandparent",
    "env.D": "defaults",
    "pin_model": "defaults",
    "provider": "profile grandparent",
    "base_url": "provider moonshot-cn",
    "auth.variable": "provider moonshot-cn",
    "auth.token": "profile p",
    "auth.delivery": "profile grandparent",
    "models.default": "profile grandparent",
    "models.haiku": "profile p",
    "models.opus": "models.default",
    "settings.permissions.allow": "profile parent",
    "settings.permissions.deny": "profile grandparent",
    "settings.hook": "profile parent",
    "extends": "profile p",
}


def test_the_origin_of_each_value() -> None:
    origins = resolve(FAMILY).origins
    assert {key: origins.get(key) for key in ORIGINS} == ORIGINS


def test_what_is_no_longer_there_has_no_origin() -> None:
    origins = resolve(FAMILY).origins
    assert "settings.hook.x" not in origins
    assert "description" not in origins


def test_the_origin_of_what_is_built_in() -> None:
    origins = resolve("", "zai").origins
    assert origins["provider"] == "built in"
    assert origins["auth.token"] == origins["env.API_TIMEOUT_MS"] == "provider zai"


def test_a_provider_can_be_extended() -> None:
    profile = resolve('[profiles.p]\nextends = "moonshot-cn"\ncontext_tokens = 9000')
    assert (profile.provider, profile.base_url) == ("moonshot-cn", "https://api.moonshot.cn/anthropic")


PARENT = """
[profiles.parent]
{endpoint}
auth = {{ token = {{ env = "MOONSHOT_KEY" }}, variable = "ANTHROPIC_API_KEY", delivery = "helper" }}
models = {{ default = "kimi-k3", haiku = "h" }}
context_tokens = 5000
env.KEPT = "yes"
[profiles.p]
extends = "parent"
{child}
"""
KIMI = 'provider = "moonshot-cn"\nbase_url = "https://api.moonshot.cn/anthropic/"'
CHANGES_OF_PROVIDER = {
    "another provider": (KIMI, 'provider = "deepseek"'),
    "the first provider": ('base_url = "https://gateway.example"', 'provider = "deepseek"'),
    "the built-in one": ('extends = "moonshot-cn"', 'provider = "deepseek"'),
}


@pytest.mark.parametrize(("endpoint", "child"), CHANGES_OF_PROVIDER.values(), ids=CHANGES_OF_PROVIDER)
def test_a_key_does_not_follow_a_profile_to_another_provider(endpoint: str, child: str) -> None:
    profile = resolve(PARENT.format(endpoint=endpoint, child=child))
    assert profile.base_url == "https://api.deepseek.com/anthropic"
    assert profile.token == TokenRef("env", "DEEPSEEK_API_KEY")
    assert profile.auth_variable == "ANTHROPIC_AUTH_TOKEN"
    assert profile.models["default"] == "deepseek-v4-pro"
    assert profile.models["haiku"] == "deepseek-v4-flash"
    assert profile.context_tokens is None
    assert (profile.env, profile.delivery) == ({"KEPT": "yes"}, "helper")
    assert profile.origins["auth.token"] == profile.origins["base_url"] == "provider deepseek"


SAME_PROVIDER = {
    "named again": 'provider = "moonshot-cn"',
    "not named": 'base_url = "https://gateway.example"',
}


@pytest.mark.parametrize("child", SAME_PROVIDER.values(), ids=SAME_PROVIDER)
def test_with_the_same_provider_the_key_stays(child: str) -> None:
    profile = resolve(PARENT.format(endpoint=KIMI, child=child))
    assert profile.token == TokenRef("env", "MOONSHOT_KEY")
    assert profile.models["default"] == "kimi-k3"


DEFAULTS = {
    "a provider": 'provider = "moonshot-cn"\nauth.token.env = "MOONSHOT_KEY"\nmodels.default = "kimi-k3"',
    "a base URL": 'base_url = "https://gateway.example"\nauth.token.env = "MOONSHOT_KEY"',
}


@pytest.mark.parametrize("defaults", DEFAULTS.values(), ids=DEFAULTS)
def test_nor_does_the_key_of_the_defaults(defaults: str) -> None:
    profile = resolve(f'[defaults]\n{defaults}\n[profiles.p]\nprovider = "deepseek"')
    assert profile.base_url == "https://api.deepseek.com/anthropic"
    assert profile.token == TokenRef("env", "DEEPSEEK_API_KEY")
    assert profile.models["default"] == "deepseek-v4-pro"


def test_nor_does_it_go_to_a_built_in_profile() -> None:
    assert resolve(f"[defaults]\n{DEFAULTS['a provider']}", "deepseek").token == TokenRef(
        "env", "DEEPSEEK_API_KEY"
    )


def test_defaults_without_an_endpoint_are_for_every_provider() -> None:
    profile = resolve('[defaults]\nauth.token.env = "MINE"\n[profiles.p]\nprovider = "deepseek"')
    assert profile.token == TokenRef("env", "MINE")


CIRCLES = {
    "itself": ({"p": "p"}, "p → p", "p"),
    "two": ({"p": "a", "a": "p"}, "p → a → p", "a"),
    "three": ({"p": "a", "a": "b", "b": "p"}, "p → a → b → p", "b"),
    "not in it": ({"p": "a", "a": "b", "b": "a"}, "a → b → a", "b"),
}


@pytest.mark.parametrize(("parents", "circle", "at"), CIRCLES.values(), ids=CIRCLES)
def test_a_circle_is_named(parents: dict[str, str], circle: str, at: str) -> None:
    error = refusal("".join(f'[profiles.{name}]\nextends = "{parent}"\n' for name, parent in parents.items()))
    assert error.message == f"profiles extend each other: {circle}"
    assert error.where == ("profiles", at, "extends")


@pytest.mark.parametrize(("length", "is_accepted"), [(16, True), (17, False), (5000, False)])
def test_a_line_of_ancestors_ends(length: int, *, is_accepted: bool) -> None:
    lines = [f'[profiles.p{n}]\nextends = "p{n + 1}"\n' for n in range(length - 1)]
    text = "".join(lines) + f"[profiles.p{length - 1}]\n{GATEWAY}"
    if is_accepted:
        assert resolve(text, "p0").base_url == "https://gateway.example"
    else:
        assert refusal(text, "p0").where == ("profiles", "p15", "extends")


def test_no_such_parent() -> None:
    error = refusal('[profiles.work]\n[profiles.p]\nextends = "wrk"')
    assert error.where == ("profiles", "p", "extends")
    assert (error.message, error.hint) == (
        "extends 'wrk', and there is no such profile",
        "did you mean work?",
    )


def test_a_fault_of_the_parent_is_found_there() -> None:
    assert refusal('[profiles.a]\nbasurl = 1\n[profiles.p]\nextends = "a"').where == (
        "profiles",
        "a",
        "basurl",
    )


PROVIDER_AT = {
    "its own": ('[profiles.p]\nprovider = "x"', ("profiles", "p", "provider")),
    "the parent's": (
        '[profiles.a]\nprovider = "x"\n[profiles.p]\nextends = "a"',
        ("profiles", "a", "provider"),
    ),
    "the defaults'": ('[defaults]\nprovider = "x"\n[profiles.p]', ("defaults", "provider")),
}


@pytest.mark.parametrize(("text", "where"), PROVIDER_AT.values(), ids=PROVIDER_AT)
def test_an_unknown_provider_is_found_where_it_is_named(text: str, where: tuple[str, ...]) -> None:
    assert refusal(text).where == where


def test_a_fault_of_the_defaults_is_found_there() -> None:
    assert refusal("[defaults]\nenvv = {}\n[profiles.p]").where == ("defaults", "envv")
    assert refusal('[defaults]\nextends = "a"\n[profiles.p]').where == ("defaults", "extends")


NOT_FOUND = {
    "near a profile": ("wrok", "did you mean work?"),
    "near a provider": ("moonshot-chn", "did you mean moonshot-cn?"),
    "near nothing": ("zzz", "see: kimi-profiles list"),
    "an escape": ("\x1b[2J", "see: kimi-profiles list"),
}


@pytest.mark.parametrize(("name", "hint"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_no_such_profile(name: str, hint: str) -> None:
    with pytest.raises(ProfileNotFoundError) as caught:
        resolve(f"[profiles.work]\n{GATEWAY}", name)
    assert caught.value.message == f"there is no profile {name!a}"
    assert caught.value.hint == hint
