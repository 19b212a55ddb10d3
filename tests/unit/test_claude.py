"""What each kind of profile means in Claude Code's files, as tables of changes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from kimi_profiles.claude import (
    MASKABLE,
    RIVALS,
    TIER_VARIABLES,
    Surroundings,
    claude_json_changes,
    context_tokens,
    environment_notices,
    is_first_party,
    settings_changes,
)
from kimi_profiles.ledger import Record
from kimi_profiles.plan import plan_text
from kimi_profiles.profile import Profile
from kimi_profiles.secrets import Secret
from kimi_profiles.supplied import has_login, supplied_by_env, supplied_by_settings, supplied_by_target

TOKEN = Secret("sk-1234567890abcdefghijklmnop")
URL = "https://llm.example/anthropic"
KIMI = "kimi-k2.7-code"
FAST = "kimi-k2.7-code-highspeed"
MODELS = {"default": KIMI, "opus": KIMI, "sonnet": KIMI, "haiku": FAST, "subagent": KIMI, "fable": KIMI}

PLAIN = Profile("plain", URL)
KEY = Profile("key", URL, auth_variable="ANTHROPIC_API_KEY")
HELPER = Profile("helper", URL, delivery="helper")
WITH_MODELS = Profile("models", URL, models=MODELS)
FIRST_PARTY = Profile("first", "https://api.anthropic.com")

TOKEN_SET = {"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_AUTH_TOKEN": TOKEN.reveal(), "ANTHROPIC_API_KEY": ""}
KEY_SET = {"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_API_KEY": TOKEN.reveal()}
HELPER_SET = {"ANTHROPIC_BASE_URL": URL, "ANTHROPIC_AUTH_TOKEN": "", "ANTHROPIC_API_KEY": ""}
THIRD_PARTY = {"CLAUDE_CODE_ATTRIBUTION_HEADER": "0", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
MODELS_SET = {
    "ANTHROPIC_MODEL": KIMI,
    "ANTHROPIC_DEFAULT_OPUS_MODEL": KIMI,
    "ANTHROPIC_DEFAULT_SONNET_MODEL": KIMI,
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": FAST,
    "ANTHROPIC_DEFAULT_FABLE_MODEL": KIMI,
    "CLAUDE_CODE_SUBAGENT_MODEL": KIMI,
}
WINDOW = {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": "262144", "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "262144"}


def changes_of(
    profile: Profile, *supplied: str, record: Record | None = None, text: str | None = None
) -> list[Any]:
    token = None if profile.delivery == "helper" else TOKEN
    here = supplied_by_target(record or Record(), text)
    around = Surroundings(here | frozenset(supplied), helper_command="kimi-profiles token x")
    return settings_changes(profile, token, around)


def settings_of(profile: Profile, *supplied: str, text: str = "{}") -> dict[str, Any]:
    """The settings file after ``profile`` was applied to ``text``."""
    plan = plan_text(text, Record(), changes_of(profile, *supplied, text=text), holder="h")
    return json.loads(plan.text or "")


CREDENTIALS = {
    "a token": (PLAIN, (), {"env": TOKEN_SET | THIRD_PARTY}),
    "a key": (KEY, (), {"env": KEY_SET | THIRD_PARTY}),
    "a helper": (HELPER, (), {"env": HELPER_SET | THIRD_PARTY, "apiKeyHelper": "kimi-profiles token x"}),
    "a key, and the shell has a token": (
        KEY,
        ("ANTHROPIC_AUTH_TOKEN",),
        {"env": KEY_SET | THIRD_PARTY | {"ANTHROPIC_AUTH_TOKEN": ""}},
    ),
    "a token, and the shell has a key": (
        PLAIN,
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        {"env": TOKEN_SET | THIRD_PARTY},
    ),
    "a token, and a weaker layer has a helper": (
        PLAIN,
        ("apiKeyHelper",),
        {"env": TOKEN_SET | THIRD_PARTY, "apiKeyHelper": ""},
    ),
    "Anthropic itself: nothing about attribution": (
        FIRST_PARTY,
        (),
        {"env": TOKEN_SET | {"ANTHROPIC_BASE_URL": "https://api.anthropic.com"}},
    ),
    "models": (WITH_MODELS, (), {"env": TOKEN_SET | MODELS_SET | THIRD_PARTY | WINDOW}),
    "models, and the shell has the old small one": (
        WITH_MODELS,
        ("ANTHROPIC_SMALL_FAST_MODEL",),
        {"env": TOKEN_SET | MODELS_SET | THIRD_PARTY | WINDOW | {"ANTHROPIC_SMALL_FAST_MODEL": ""}},
    ),
    "no models: those of the shell are left alone": (
        PLAIN,
        ("ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL"),
        {"env": TOKEN_SET | THIRD_PARTY},
    ),
}


@pytest.mark.parametrize(("profile", "supplied", "expected"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_settings(profile: Profile, supplied: tuple[str, ...], expected: dict[str, Any]) -> None:
    assert settings_of(profile, *supplied) == expected


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_is_masked_where_something_supplies_it(name: str) -> None:
    assert settings_of(PLAIN, name)["env"] == TOKEN_SET | THIRD_PARTY | {name: ""}
    own = json.dumps({"env": {name: "theirs"}})  # a running session has it, and keeps what only goes away
    assert settings_of(PLAIN, text=own)["env"] == TOKEN_SET | THIRD_PARTY | {name: ""}


@pytest.mark.parametrize("name", [*RIVALS, "ANTHROPIC_AUTH_TOKEN"])
def test_a_profile_may_set_a_rival_itself(name: str) -> None:
    """Its own table wins over the mask: custom headers are what some providers want."""
    profile = replace(KEY, env={name: "wanted"})
    assert settings_of(profile, name)["env"][name] == "wanted"


def test_all_that_is_ever_masked_is_called_maskable() -> None:
    both = {"ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"}  # set by every profile, not only where supplied
    for profile in (PLAIN, KEY, HELPER, WITH_MODELS, replace(WITH_MODELS, pin_model=False)):
        bare = {change.pointer: change.want for change in changes_of(profile)}
        masked = {change.pointer: change.want for change in changes_of(profile, *MASKABLE)}
        names = {pointer.rpartition("/")[2] for pointer, want in masked.items() if want != bare[pointer]}
        assert names <= MASKABLE
        assert set(RIVALS) <= names | both


SWITCHES = {
    "token, then key: the token is emptied": (PLAIN, KEY, {"env": {"ANTHROPIC_AUTH_TOKEN": ""}}),
    "models, then unpinned: the model is emptied": (
        WITH_MODELS,
        replace(WITH_MODELS, pin_model=False),
        {"env": {"ANTHROPIC_MODEL": ""}},
    ),
    "helper, then token: the helper is emptied": (HELPER, PLAIN, {"apiKeyHelper": ""}),
    "custom headers, then none: they are emptied": (
        replace(PLAIN, env={"ANTHROPIC_CUSTOM_HEADERS": "x: y"}),
        PLAIN,
        {"env": {"ANTHROPIC_CUSTOM_HEADERS": ""}},
    ),
}


@pytest.mark.parametrize(("first", "second", "expected"), SWITCHES.values(), ids=SWITCHES)
def test_a_variable_that_running_sessions_still_have_is_emptied(
    first: Profile, second: Profile, expected: dict[str, Any]
) -> None:
    """Removal does not reach them, an empty string does; also after any number of switches."""
    plan = plan_text("{}", Record(), changes_of(first), holder="h")
    for _ in range(3):
        plan = plan_text(plan.text, plan.record, changes_of(second, record=plan.record), holder="h")
        now = json.loads(plan.text or "")
        for key, value in expected.items():
            assert (now[key].items() >= value.items()) if isinstance(value, dict) else now[key] == value
    assert plan_text(plan.text, plan.record, (), holder="h").text == "{}"


@pytest.mark.parametrize(
    "profile", [PLAIN, KEY, HELPER, WITH_MODELS, FIRST_PARTY], ids=lambda each: each.name
)
def test_every_variable_is_text(profile: Profile) -> None:
    env = settings_of(profile, *RIVALS)["env"]
    assert all(isinstance(value, str) for value in env.values())


@pytest.mark.parametrize("profile", [PLAIN, KEY, HELPER, WITH_MODELS], ids=lambda each: each.name)
def test_no_place_is_wanted_twice(profile: Profile) -> None:
    addresses = [change.address for change in changes_of(profile, *RIVALS)]
    assert len(set(addresses)) == len(addresses)


def test_a_base_url_comes_with_a_credential() -> None:
    for profile in (PLAIN, KEY, HELPER):
        now = settings_of(profile)
        supplied = [now["env"].get(name) for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")]
        assert sum(map(bool, [*supplied, now.get("apiKeyHelper")])) == 1


@pytest.mark.parametrize("profile", [PLAIN, KEY], ids=["token", "key"])
def test_what_holds_the_token_is_secret(profile: Profile) -> None:
    changes = [*changes_of(profile, *RIVALS, "apiKeyHelper"), *claude_json_changes(profile, TOKEN)]
    holding = [change for change in changes if change.want and TOKEN.reveal()[-20:] in change.want]
    assert holding
    assert all(change.is_secret for change in holding)
    assert TOKEN.reveal()[-20:] not in repr(changes)


# ---- the context window

OPUS = "claude-opus-4-6"
WINDOWS = {
    "known": (WITH_MODELS, 262144),
    "no models": (PLAIN, None),
    "unknown model": (replace(PLAIN, models=dict.fromkeys(MODELS, "no-such-model")), None),
    "the client's own model": (replace(PLAIN, models=dict.fromkeys(MODELS, OPUS)), None),
    "declared": (replace(WITH_MODELS, context_tokens=1000), 1000),
    "declared without models": (replace(PLAIN, context_tokens=1000), 1000),
    "the smallest of those that a conversation runs on": (
        replace(PLAIN, models={"default": KIMI, "opus": "moonshot-v1-128k"}),
        131072,
    ),
    "the haiku tier holds no conversation": (
        replace(PLAIN, models={"default": KIMI, "haiku": "moonshot-v1-128k"}),
        262144,
    ),
    "the default is unknown": (replace(PLAIN, models={"default": "no-such-model", "opus": KIMI}), None),
}


@pytest.mark.parametrize(("profile", "expected"), WINDOWS.values(), ids=WINDOWS)
def test_context_window(profile: Profile, expected: int | None) -> None:
    assert context_tokens(profile) == expected
    env = settings_of(profile)["env"]
    pair = None if expected is None else str(expected)
    assert (env.get("CLAUDE_CODE_MAX_CONTEXT_TOKENS"), env.get("CLAUDE_CODE_AUTO_COMPACT_WINDOW")) == (
        pair,
        pair,
    )


PAIRS = {
    "theirs is the first": {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": "5"},
    "theirs is the second": {"CLAUDE_CODE_AUTO_COMPACT_WINDOW": "5"},
    "both are theirs": {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": "5", "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "6"},
}


@pytest.mark.parametrize("own", PAIRS.values(), ids=PAIRS)
def test_the_pair_gives_way_as_a_whole(own: dict[str, str]) -> None:
    """Half a pair of ours beside theirs would contradict it."""
    everything = TOKEN_SET | MODELS_SET | THIRD_PARTY
    assert settings_of(WITH_MODELS, text=json.dumps({"env": own}))["env"] == everything | own
    assert settings_of(replace(WITH_MODELS, env=own))["env"] == everything | own


# ---- what gives way, and what comes on top

EXTRAS = {"API_TIMEOUT_MS": "3000000"}
ON_TOP = {
    "an extra": (replace(PLAIN, extras=EXTRAS), {}, EXTRAS),
    "theirs wins over an extra": (
        replace(PLAIN, extras=EXTRAS),
        {"API_TIMEOUT_MS": "1"},
        {"API_TIMEOUT_MS": "1"},
    ),
    "the profile's own wins over both": (
        replace(PLAIN, extras=EXTRAS, env={"API_TIMEOUT_MS": "2"}),
        {"API_TIMEOUT_MS": "1"},
        {"API_TIMEOUT_MS": "2"},
    ),
    "theirs wins over attribution": (
        PLAIN,
        {"CLAUDE_CODE_ATTRIBUTION_HEADER": "1"},
        {"CLAUDE_CODE_ATTRIBUTION_HEADER": "1"},
    ),
    "an extra wins over a default of ours": (
        replace(PLAIN, extras={"CLAUDE_CODE_ATTRIBUTION_HEADER": "2"}),
        {},
        {"CLAUDE_CODE_ATTRIBUTION_HEADER": "2"},
    ),
    "the profile's own model wins over its tiers": (
        replace(WITH_MODELS, env={"ANTHROPIC_MODEL": "m"}),
        {},
        {"ANTHROPIC_MODEL": "m"},
    ),
    "the profile wins over theirs": (WITH_MODELS, {"ANTHROPIC_MODEL": "theirs"}, {"ANTHROPIC_MODEL": KIMI}),
    "an extra for Anthropic itself": (replace(FIRST_PARTY, extras=EXTRAS), {}, EXTRAS),
}


@pytest.mark.parametrize(("profile", "own", "expected"), ON_TOP.values(), ids=ON_TOP)
def test_who_wins(profile: Profile, own: dict[str, str], expected: dict[str, str]) -> None:
    env = settings_of(profile, text=json.dumps({"env": own}))["env"]
    assert {name: env.get(name) for name in expected} == expected


def test_a_model_that_is_not_pinned_is_emptied_but_the_tiers_stay() -> None:
    env = settings_of(replace(WITH_MODELS, pin_model=False), text='{"env":{"ANTHROPIC_MODEL":"theirs"}}')[
        "env"
    ]
    assert env["ANTHROPIC_MODEL"] == ""
    assert env.items() >= {name: MODELS[tier] for tier, name in TIER_VARIABLES.items()}.items()


# ---- more settings

FLAT = {
    "a scalar": ({"theme": "dark"}, [("/theme", '"dark"', None)]),
    "below tables": ({"a": {"b": {"c": 1.5}}}, [("/a/b/c", "1.5", None)]),
    "keys that a pointer escapes": ({"a/b": {"c~d": True}}, [("/a~1b/c~0d", "true", None)]),
    "a list, member by member": (
        {"permissions": {"allow": ["Read", "Bash(ls)"]}},
        [
            ("/permissions/allow", '"Read"', '"Read"'),
            ("/permissions/allow", '"Bash(ls)"', '"Bash(ls)"'),
        ],
    ),
    "a table as a member": ({"l": [{"a": [1]}]}, [("/l", '{"a": [1]}', '{"a": [1]}')]),
    "equal members once": (
        {"l": ["x", "x", {"a": 1, "b": 2}, {"b": 2, "a": 1}]},
        [("/l", '"x"', '"x"'), ("/l", '{"b": 2, "a": 1}', '{"b": 2, "a": 1}')],
    ),
    "1 and 1.0 are one member": ({"l": [1, 1.0]}, [("/l", "1.0", "1.0")]),
    "empty tables and lists want nothing": ({"a": {}, "b": [], "c": {"d": {}}}, []),
    "text beyond ASCII": ({"é": "ü"}, [("/é", '"ü"', None)]),
}


@pytest.mark.parametrize(("settings", "expected"), FLAT.values(), ids=FLAT)
def test_further_settings(settings: dict[str, Any], expected: list[tuple[str, str, str | None]]) -> None:
    more = changes_of(replace(PLAIN, settings=settings))[len(changes_of(PLAIN)) :]
    assert [(change.pointer, change.want, change.member) for change in more] == expected


def test_a_setting_with_the_name_of_a_secret_is_one() -> None:
    changes = changes_of(replace(PLAIN, settings={"proxy": {"PROXY_PASSWORD": "x", "host": "y"}}))
    assert [change.is_secret for change in changes[-2:]] == [True, False]


# ---- .claude.json

SHORT, LONG = "sk-short", "sk-1234567890abcdefghijklmnop"
APPROVED, REJECTED = "/customApiKeyResponses/approved", "/customApiKeyResponses/rejected"


@pytest.mark.parametrize(
    ("key", "tail"), [(LONG, "7890abcdefghijklmnop"), (SHORT, SHORT), ("k" * 20, "k" * 20)], ids=len
)
def test_a_key_is_approved_by_its_end(key: str, tail: str) -> None:
    """By its last 20 characters, or all of a shorter one."""
    raw = json.dumps(tail)
    changes = {
        change.pointer: (change.want, change.member) for change in claude_json_changes(KEY, Secret(key))
    }
    assert (changes[APPROVED], changes[REJECTED]) == ((raw, raw), (None, raw))


STATES = {
    "a token": (PLAIN, TOKEN, {"/hasCompletedOnboarding", "/primaryApiKey"}),
    "a key": (KEY, TOKEN, {"/hasCompletedOnboarding", "/primaryApiKey", APPROVED, REJECTED}),
    "a helper": (HELPER, None, {"/hasCompletedOnboarding", "/primaryApiKey"}),
    "a helper for a key": (
        replace(HELPER, auth_variable="ANTHROPIC_API_KEY"),
        None,
        {"/hasCompletedOnboarding", "/primaryApiKey"},
    ),
    "the login stays": (replace(PLAIN, detach_login=False), TOKEN, {"/hasCompletedOnboarding"}),
    "the first questions stay": (replace(PLAIN, onboarding=False), TOKEN, {"/primaryApiKey"}),
    "nothing": (replace(PLAIN, onboarding=False, detach_login=False), TOKEN, set()),
}


@pytest.mark.parametrize(("profile", "token", "expected"), STATES.values(), ids=STATES)
def test_state(profile: Profile, token: Secret | None, expected: set[str]) -> None:
    assert {change.pointer for change in claude_json_changes(profile, token)} == expected


def test_state_applied_and_taken_out() -> None:
    tail = LONG[-20:]
    text = json.dumps(
        {"customApiKeyResponses": {"approved": ["x"], "rejected": [tail, "y"]}, "primaryApiKey": "p"}
    )
    plan = plan_text(text, Record(), claude_json_changes(KEY, Secret(LONG)), holder="h")
    assert json.loads(plan.text or "") == {
        "customApiKeyResponses": {"approved": ["x", tail], "rejected": ["y"]},
        "hasCompletedOnboarding": True,
    }
    assert plan_text(plan.text, plan.record, (), holder="h").text == text


# ---- what is looked at

SUPPLIED = {
    "variables": ('{"env":{"A":"1","B":2,"C":""}}', {"A", "B"}),
    "a helper": ('{"apiKeyHelper":"x"}', {"apiKeyHelper"}),
    "no helper": ('{"apiKeyHelper":"","env":{}}', set()),
    "null is no helper": ('{"apiKeyHelper":null}', set()),
    "the wrong type": ('{"env":[1],"apiKeyHelper":false}', {"apiKeyHelper"}),
    "a comment: the client ignores the file": ('{"env":{"A":"1"}} // x', set()),
    "nothing": ("", set()),
    "a list": ("[]", set()),
    "the last of duplicates": ('{"env":{"A":"1"},"env":{"B":"1"}}', {"B"}),
}


@pytest.mark.parametrize(("text", "expected"), SUPPLIED.values(), ids=SUPPLIED)
def test_supplied_by_settings(text: str, expected: set[str]) -> None:
    assert supplied_by_settings(text) == expected


def test_supplied_by_env() -> None:
    assert supplied_by_env({"A": "1", "B": ""}) == {"A"}


LOGINS = {'{"primaryApiKey":"x"}': True, '{"primaryApiKey":""}': False, '{"primaryApiKey":null}': False}


@pytest.mark.parametrize(("text", "expected"), [*LOGINS.items(), ("", False), ("[]", False), ("{", False)])
def test_has_login(text: str, expected: bool) -> None:  # noqa: FBT001
    assert has_login(text) is expected


HOSTS = {
    "https://api.anthropic.com": True,
    "https://anthropic.com/x": True,
    "https://API.Anthropic.com:443": True,
    "https://api.anthropic.com.evil.example": False,
    "https://notanthropic.com": False,
    "https://api.moonshot.ai/anthropic": False,
    "http://localhost:1234": False,
}


@pytest.mark.parametrize(("url", "expected"), HOSTS.items(), ids=HOSTS)
def test_is_first_party(url: str, expected: bool) -> None:  # noqa: FBT001
    assert is_first_party(url) is expected


ENVIRONMENTS = {
    "nothing": ({}, ()),
    "an empty one": ({"ANTHROPIC_UNIX_SOCKET": ""}, ()),
    "a socket": ({"ANTHROPIC_UNIX_SOCKET": "/s"}, ("unset ANTHROPIC_UNIX_SOCKET",)),
    "the desktop program": (
        {"CLAUDE_CODE_ENTRYPOINT": "claude-desktop"},
        ("unset CLAUDE_CODE_ENTRYPOINT",),
    ),
    "the terminal": ({"CLAUDE_CODE_ENTRYPOINT": "cli"}, ()),
}


@pytest.mark.parametrize(("env", "hints"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_environment_notices(env: dict[str, str], hints: tuple[str, ...]) -> None:
    notices = environment_notices(env)
    assert tuple(notice.hint for notice in notices) == hints
    assert {notice.name for notice in notices} <= {"environment-wins"}
