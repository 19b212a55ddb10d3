"""What each combination sends, as it was measured on both versions of Claude Code.

``tests/real_client/test_conformance.py`` asks the clients themselves; this is the table in short.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kimi_profiles.client import NEWER, OLDER, Rules
from kimi_profiles.layers import Effective, read_environment, read_layer
from kimi_profiles.request import Login, Request, messages_url, predict_request, tier_models

URL = "http://127.0.0.1:8181"
USER, STATE, PROJECT = Path("settings.json"), Path(".claude.json"), Path("project.json")
LOGIN = Login(Path("login"), "L")
CREDENTIALS = ("authorization", "x-api-key", "proxy-authorization", "cookie")


def effective(
    rules: Rules,
    env: dict[str, Any] | None = None,
    *,
    shell: dict[str, str] | None = None,
    state: dict[str, Any] | None = None,
    project: dict[str, Any] | None = None,
    **settings: Any,
) -> Effective:
    document = {"env": {"ANTHROPIC_BASE_URL": URL, **(env or {})}, **settings}
    return Effective(
        (
            read_layer("project", PROJECT, json.dumps(project or {}).encode(), rules),
            read_layer("user", USER, json.dumps(document).encode(), rules),
            read_layer("claude.json", STATE, json.dumps(state or {}).encode(), rules),
            read_environment(shell or {}),
        )
    )


def sent(request: Request) -> dict[str, str | None]:
    return {each.header: each.value for each in request.credentials}


TOKEN, KEY = {"ANTHROPIC_AUTH_TOKEN": "T"}, {"ANTHROPIC_API_KEY": "K"}
HELPER = {"apiKeyHelper": "echo H"}
PRIMARY = {"state": {"primaryApiKey": "P"}}
OAUTH = {"CLAUDE_CODE_OAUTH_TOKEN": "V"}
PLAN = "CLAUDE_CODE_SUBSCRIPTION_TYPE"
BOTH_HEADERS = "Authorization: Bearer X\nX-Api-Key:  Y "
B, X = "authorization", "x-api-key"
NOTHING: dict[str, str | None] = {}

# id → (arguments of effective(), login, what 2.1.39 sends, what 2.1.329 sends; once if they agree)
CASES: dict[str, tuple[dict[str, Any], Login | None, Any, Any]] = {
    "nothing": ({}, None, NOTHING, ...),
    "token": ({"env": TOKEN}, None, {B: "T"}, ...),
    "key": ({"env": KEY}, None, {X: "K"}, ...),
    "both": ({"env": {**TOKEN, **KEY}}, None, {B: "T", X: "K"}, ...),
    "helper": (HELPER, None, {B: None, X: None}, ...),
    "helper and token": ({**HELPER, "env": TOKEN}, None, {B: "T", X: None}, ...),
    "helper and key": ({**HELPER, "env": KEY}, None, {B: None, X: "K"}, ...),
    "helper and both": ({**HELPER, "env": {**TOKEN, **KEY}}, None, {B: "T", X: "K"}, ...),
    "helper, and both emptied": (
        {**HELPER, "env": {"ANTHROPIC_AUTH_TOKEN": "", "ANTHROPIC_API_KEY": ""}},
        None,
        {B: None, X: None},
        ...,
    ),
    "no helper": ({"apiKeyHelper": "", "env": TOKEN}, None, {B: "T"}, ...),
    "Console login": (PRIMARY, None, {X: "P"}, ...),
    "Console login and token": ({**PRIMARY, "env": TOKEN}, None, {B: "T", X: "P"}, ...),
    "Console login and key": ({**PRIMARY, "env": KEY}, None, {X: "K"}, ...),
    "Console login and helper": ({**PRIMARY, **HELPER}, None, {B: None, X: None}, ...),
    "Console login and an empty key": (
        {**PRIMARY, "env": {**TOKEN, "ANTHROPIC_API_KEY": ""}},
        None,
        {B: "T", X: "P"},
        ...,
    ),
    "a login that is a number": ({"env": TOKEN, "state": {"primaryApiKey": 7}}, None, {B: "T"}, ...),
    "claude.ai login": ({}, LOGIN, {B: "L"}, ...),
    "claude.ai login and token": ({"env": TOKEN}, LOGIN, {B: "T"}, ...),
    "claude.ai login and key": ({"env": KEY}, LOGIN, {X: "K"}, ...),
    "claude.ai login and helper": (HELPER, LOGIN, {B: None, X: None}, ...),
    "both logins": (PRIMARY, LOGIN, {B: "L"}, ...),
    "claude.ai login and an empty token": ({"env": {"ANTHROPIC_AUTH_TOKEN": ""}}, LOGIN, {B: "L"}, ...),
    "claude.ai login and a blank token": ({"env": {"ANTHROPIC_AUTH_TOKEN": " "}}, LOGIN, {B: ""}, {B: "L"}),
    "OAuth variable in the settings": ({"env": OAUTH}, None, NOTHING, {B: "V"}),
    "OAuth variable in a project": ({"project": {"env": OAUTH}}, None, NOTHING, ...),
    "OAuth variable in .claude.json": ({"state": {"env": OAUTH}}, None, NOTHING, {B: "V"}),
    "OAuth variable in the shell": ({"shell": OAUTH}, None, {B: "V"}, ...),
    "OAuth variable in the shell and login": ({"shell": OAUTH}, LOGIN, {B: "V"}, ...),
    "OAuth variable in the shell and token": ({"shell": OAUTH, "env": TOKEN}, None, {B: "T"}, ...),
    "OAuth variable in the shell, emptied": (
        {"shell": OAUTH, "env": {"CLAUDE_CODE_OAUTH_TOKEN": ""}},
        None,
        {B: "V"},
        NOTHING,
    ),
    "an empty token": ({"env": {"ANTHROPIC_AUTH_TOKEN": ""}}, None, {B: ""}, NOTHING),
    "an empty token and a key": (
        {"env": {"ANTHROPIC_AUTH_TOKEN": "", **KEY}},
        None,
        {B: "", X: "K"},
        {X: "K"},
    ),
    "a token of null": ({"env": {"ANTHROPIC_AUTH_TOKEN": None}}, None, {B: "null"}, ...),
    "a token with blanks": ({"env": {"ANTHROPIC_AUTH_TOKEN": " T "}}, None, {B: " T"}, {B: "T"}),
    "a key with blanks": ({"env": {"ANTHROPIC_API_KEY": " K "}}, None, {X: "K"}, ...),
    "headers": ({"env": {"ANTHROPIC_CUSTOM_HEADERS": BOTH_HEADERS}}, None, {B: "X", X: "Y"}, ...),
    "headers and token": (
        {"env": {**TOKEN, "ANTHROPIC_CUSTOM_HEADERS": BOTH_HEADERS}},
        None,
        {B: "T", X: "Y"},
        ...,
    ),
    "headers and key": (
        {"env": {**KEY, "ANTHROPIC_CUSTOM_HEADERS": BOTH_HEADERS}},
        None,
        {B: "X", X: "Y"},
        ...,
    ),
    "headers and helper": (
        {**HELPER, "env": {"ANTHROPIC_CUSTOM_HEADERS": BOTH_HEADERS}},
        None,
        {B: None, X: "Y"},
        ...,
    ),
    "headers and login": ({"env": {"ANTHROPIC_CUSTOM_HEADERS": BOTH_HEADERS}}, LOGIN, {B: "X", X: "Y"}, ...),
    "a cookie": (
        {"env": {**TOKEN, "ANTHROPIC_CUSTOM_HEADERS": "cookie: a"}},
        None,
        {B: "T", "cookie": "a"},
        ...,
    ),
    "a cookie alone": ({"env": {"ANTHROPIC_CUSTOM_HEADERS": "cookie: a"}}, None, NOTHING, ...),
    "headers that are none": (
        {"env": {**TOKEN, "ANTHROPIC_CUSTOM_HEADERS": "x\nx-api-key:"}},
        None,
        {B: "T"},
        ...,
    ),
    "remote and login": ({"shell": {"CLAUDE_CODE_REMOTE": "1"}, "env": TOKEN}, LOGIN, {B: "T"}, {B: "L"}),
    "remote, login and key": ({"shell": {"CLAUDE_CODE_REMOTE": "1"}, "env": KEY}, LOGIN, {B: "L"}, ...),
    "remote without login": ({"shell": {"CLAUDE_CODE_REMOTE": "1"}, "env": TOKEN}, None, {B: "T"}, ...),
    "remote that is not": ({"shell": {"CLAUDE_CODE_REMOTE": "0"}, "env": TOKEN}, LOGIN, {B: "T"}, ...),
    "remote in the settings": ({"env": {**TOKEN, "CLAUDE_CODE_REMOTE": "1"}}, LOGIN, {B: "T"}, ...),
    "managed by the host": (
        {"shell": {"CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1"}, "env": TOKEN, **PRIMARY, **HELPER},
        LOGIN,
        {B: "T", X: None},
        NOTHING,
    ),
    "managed by the host, which has a key": (
        {"shell": {"CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1", **KEY}, "env": TOKEN},
        None,
        {B: "T", X: "K"},
        {X: "K"},
    ),
}


@pytest.mark.parametrize(("arguments", "login", "older", "newer"), CASES.values(), ids=CASES)
def test_credentials(arguments: dict[str, Any], login: Login | None, older: Any, newer: Any) -> None:
    arguments = dict(arguments)
    env = arguments.pop("env", {})
    for rules, expected in ((OLDER, older), (NEWER, older if newer is ... else newer)):
        request = predict_request(effective(rules, env, **arguments), login, rules)
        assert sent(request) == expected, rules.version
        assert (request.url is None) == (expected == NOTHING) == (request.obstacle is not None)


MAPPED = {
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "o",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "s",
    "ANTHROPIC_DEFAULT_FABLE_MODEL": "f",
}
MODEL, BODY = "ANTHROPIC_MODEL", "CLAUDE_CODE_EXTRA_BODY"

# id → (variables, top-level model, of 2.1.39, of 2.1.329)
MODELS: dict[str, tuple[dict[str, Any], str | None, str | None, Any]] = {
    "none": ({}, None, None, ...),
    "none, mapped": (MAPPED, None, "s", "o"),
    "a variable": ({MODEL: " m "}, "top", "m", ...),
    "a setting": ({}, "top", "top", ...),
    "an empty variable": ({MODEL: ""}, "top", "top", ...),
    "a blank variable": ({MODEL: " "}, "top", "", ...),
    "an alias": ({**MAPPED, MODEL: "OPUS"}, None, "o", ...),
    "an alias, not mapped": ({MODEL: "opus"}, None, None, ...),
    "an alias, mapped to nothing": ({MODEL: "opus", "ANTHROPIC_DEFAULT_OPUS_MODEL": ""}, None, None, ...),
    "an alias, mapped to a blank": ({MODEL: "opus", "ANTHROPIC_DEFAULT_OPUS_MODEL": " "}, None, "", None),
    "an alias of an alias": ({MODEL: "opus", "ANTHROPIC_DEFAULT_OPUS_MODEL": "sonnet"}, None, "sonnet", ...),
    "the default is an alias": (
        {"ANTHROPIC_DEFAULT_OPUS_MODEL": "sonnet", "ANTHROPIC_DEFAULT_SONNET_MODEL": "haiku"},
        None,
        None,
        "haiku",
    ),
    "a long alias": ({**MAPPED, MODEL: "opus[1m]"}, None, "o", ...),
    "a long model": ({MODEL: "kimi [1M]"}, None, "kimi", ...),
    "a long mapping": ({"ANTHROPIC_DEFAULT_OPUS_MODEL": "o[1m]", MODEL: "best"}, None, "o", ...),
    "opusplan": ({**MAPPED, MODEL: "opusplan"}, None, "s", ...),
    "fable": ({**MAPPED, MODEL: "fable"}, None, "fable", "f"),
    "default": ({**MAPPED, MODEL: "default"}, None, "default", ...),
    "an old one": ({**MAPPED, MODEL: "claude-opus-4-20250514"}, None, "claude-opus-4-20250514", "o"),
    "an old one, not mapped": ({MODEL: "Claude-Opus-4-1"}, None, "Claude-Opus-4-1", None),
    "an old one, kept": (
        {**MAPPED, MODEL: "claude-opus-4-0", "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1"},
        None,
        "claude-opus-4-0",
        ...,
    ),
    "not so old": ({**MAPPED, MODEL: "claude-opus-4-5"}, None, "claude-opus-4-5", ...),
    "a default": ({**MAPPED, "ANTHROPIC_DEFAULT_MODEL": "d"}, None, "s", "d"),
    **{
        f"a default that is none: {value}": ({**MAPPED, "ANTHROPIC_DEFAULT_MODEL": value}, None, "s", "o")
        for value in ("default", " Inherit ", "opusplan", "Haiku[1m]", " ")
    },
    "a default with more": ({**MAPPED, "ANTHROPIC_DEFAULT_MODEL": "default[1m]"}, None, "s", "default"),
    "a default and a setting": ({**MAPPED, "ANTHROPIC_DEFAULT_MODEL": "d"}, "top", "top", ...),
    "a body": ({BODY: '{"model": "b"}', MODEL: "m"}, None, "b", ...),
    "a body without": ({BODY: '{"x": 1}', MODEL: "m"}, None, "m", ...),
    "a body that is none": ({BODY: "[", MODEL: "m"}, None, "m", ...),
}


@pytest.mark.parametrize(("env", "top", "older", "newer"), MODELS.values(), ids=MODELS)
def test_the_model(env: dict[str, Any], top: str | None, older: str | None, newer: Any) -> None:
    settings = {} if top is None else {"model": top}
    for rules, expected in ((OLDER, older), (NEWER, older if newer is ... else newer)):
        request = predict_request(effective(rules, env, **settings), None, rules)
        assert request.model.id == expected, rules.version


# id → (login, shell, of 2.1.39, of 2.1.329)
WITH_LOGIN = {
    "a plan that is not told": (LOGIN, {}, "s", "s"),
    "max": (Login(Path("login"), "L", "max"), {}, "o", "o"),
    "pro": (Login(Path("login"), "L", "pro"), {}, "o", "o"),
    "team": (Login(Path("login"), "L", "team", "default_raven"), {}, "o", "o"),
    "enterprise": (Login(Path("login"), "L", "enterprise"), {}, "s", "o"),
    "another": (Login(Path("login"), "L", "free"), {}, "s", "s"),
    "a variable beside it": (Login(Path("login"), "L", "max"), OAUTH, "s", "s"),
    "a variable and its plan": (LOGIN, {**OAUTH, PLAN: "enterprise"}, "s", "o"),
    "a variable and a word": (LOGIN, {**OAUTH, PLAN: " MAX "}, "s", "s"),
    "a login beside a plan": (Login(Path("login"), "L", "free"), {PLAN: "max"}, "s", "s"),
    "a token beside it": (Login(Path("login"), "L", "max"), TOKEN, "s", "o"),
}


@pytest.mark.parametrize(("login", "shell", "older", "newer"), WITH_LOGIN.values(), ids=WITH_LOGIN)
def test_the_model_of_a_subscription(login: Login, shell: dict[str, str], older: str, newer: str) -> None:
    for rules, expected in ((OLDER, older), (NEWER, newer)):
        request = predict_request(effective(rules, MAPPED, shell=shell), login, rules)
        assert request.model.id == expected, rules.version


@pytest.mark.parametrize("plan", ["free", "enterprise", "pro", None])
def test_a_subscription_that_may_have_no_opus(plan: str | None) -> None:
    login = Login(Path("login"), "L", plan)
    is_free = plan == "free"
    for model, older in {
        "claude-opus-4-5": "s" if is_free else "claude-opus-4-5",
        "opus[1m]": "s" if is_free else "o",
        "Opus": "o",
        "kimi": "kimi",
    }.items():
        chosen = effective(OLDER, {**MAPPED, MODEL: model}, model="top")
        assert predict_request(chosen, login, OLDER).model.id == older
    variable = effective(OLDER, {**MAPPED, MODEL: "opus"}, shell=OAUTH)
    assert predict_request(variable, login, OLDER).model.id == "o"


# id → (login, of 2.1.39, of 2.1.329), where sonnet alone is mapped
WITH_SONNET = {
    "pro": (Login(Path("login"), "L", "pro"), None, "s"),
    "max": (Login(Path("login"), "L", "max"), None, None),
    "team": (Login(Path("login"), "L", "team", "default_raven"), None, "s"),
    "the largest team": (Login(Path("login"), "L", "team", "default_claude_max_5x"), None, None),
    "enterprise": (Login(Path("login"), "L", "enterprise", "default_claude_max_5x"), "s", "s"),
}


@pytest.mark.parametrize(("login", "older", "newer"), WITH_SONNET.values(), ids=WITH_SONNET)
def test_a_subscription_where_sonnet_alone_is_mapped(
    login: Login, older: str | None, newer: str | None
) -> None:
    for rules, expected in ((OLDER, older), (NEWER, newer)):
        env = {"ANTHROPIC_DEFAULT_SONNET_MODEL": "s", "ANTHROPIC_DEFAULT_OPUS_MODEL": ""}
        request = predict_request(effective(rules, env), login, rules)
        assert request.model.id == expected, rules.version


def test_the_settings_do_not_tell_the_plan_of_a_variable() -> None:
    layers = effective(NEWER, {**MAPPED, PLAN: "max"}, shell=OAUTH)
    assert predict_request(layers, None, NEWER).model.id == "s"


def test_a_host_program_leaves_some_names_to_the_settings() -> None:
    host = {"CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1", **TOKEN}
    for env, shell, expected in (
        ({BODY: '{"model": "b"}'}, {MODEL: "m"}, "b"),
        ({"CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1"}, {MODEL: "claude-opus-4-1"}, "claude-opus-4-1"),
        ({MODEL: "x", **MAPPED}, {MODEL: "m"}, "m"),
        ({MODEL: "x", **MAPPED}, {}, None),
    ):
        request = predict_request(effective(NEWER, env, shell={**host, **shell}), None, NEWER)
        assert request.model.id == expected, env


def test_a_model_names_who_decided() -> None:
    request = predict_request(effective(NEWER, {**MAPPED, MODEL: "opus"}), None, NEWER)
    assert request.model.names == (MODEL, "ANTHROPIC_DEFAULT_OPUS_MODEL")


def test_tiers() -> None:
    env = {**MAPPED, "CLAUDE_CODE_SUBAGENT_MODEL": "sub[1m]"}
    tiers = {tier: model.id for tier, model in tier_models(effective(NEWER, env), NEWER).items()}
    assert tiers == {"opus": "o", "sonnet": "s", "haiku": None, "fable": "f", "subagent": "sub"}
    assert "fable" not in tier_models(effective(OLDER, env), OLDER)


URLS = {
    URL: f"{URL}/v1/messages",
    f"{URL}/": f"{URL}/v1/messages",
    f"{URL}//": f"{URL}//v1/messages",
    f"{URL}/anthropic": f"{URL}/anthropic/v1/messages",
    f"{URL}/anthropic//": f"{URL}/anthropic//v1/messages",
    f"{URL}/v1": f"{URL}/v1/v1/messages",
    f"{URL}/a b/é": f"{URL}/a%20b/%C3%A9/v1/messages",
    f"{URL}/%7e": f"{URL}/%7e/v1/messages",
    f"{URL}/../x": f"{URL}/x/v1/messages",
    f"{URL}/./x/../y": f"{URL}/y/v1/messages",
    f"{URL}\\x": f"{URL}/x/v1/messages",
    f"{URL}/x?y=1": f"{URL}/x?y=1/v1/messages",
    f"{URL}/x#f": f"{URL}/x",
    "HTTP://LOCALHOST/x": "http://localhost/x/v1/messages",
    "localhost:8181": None,
    "null": None,
    "http://[": None,
    "http://h:99999999": None,
    "ftp://h": None,
}


@pytest.mark.parametrize(("base_url", "expected"), URLS.items())
def test_the_address(base_url: str, expected: str | None) -> None:
    assert messages_url(base_url) == expected


OBSTACLES = {
    "CLAUDE_CODE_USE_BEDROCK": ("1", OLDER, "Amazon Bedrock"),
    "CLAUDE_CODE_USE_VERTEX": ("true", OLDER, "Google Vertex AI"),
    "CLAUDE_CODE_USE_MANTLE": ("yes", NEWER, "Amazon Bedrock"),
    "ANTHROPIC_UNIX_SOCKET": ("/socket", NEWER, "socket"),
    "CLAUDE_CODE_ENTRYPOINT": ("claude-desktop", NEWER, "the program decides"),
}


@pytest.mark.parametrize(("name", "case"), OBSTACLES.items(), ids=OBSTACLES)
def test_what_leads_elsewhere_is_told(name: str, case: tuple[str, Rules, str]) -> None:
    value, rules, words = case
    request = predict_request(effective(rules, TOKEN, shell={name: value}), None, rules)
    assert (request.url, request.credentials) == (None, ())
    assert words in str(request.obstacle)
    off = predict_request(effective(rules, TOKEN, shell={name: ""}), None, rules)
    assert off.obstacle is None


def test_a_base_url_that_is_none_is_told() -> None:
    request = predict_request(effective(NEWER, {**TOKEN, "ANTHROPIC_BASE_URL": "example"}), None, NEWER)
    assert (request.url, request.obstacle) == (None, "ANTHROPIC_BASE_URL is not a URL")


def test_no_repr_shows_a_credential() -> None:
    login = Login(Path("x"), "sk-canary")
    found = effective(NEWER, {"ANTHROPIC_AUTH_TOKEN": "sk-canary"})
    for thing in (login, found, predict_request(found, login, NEWER)):
        assert "sk-canary" not in repr(thing)
