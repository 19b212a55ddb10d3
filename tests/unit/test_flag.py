"""What a profile is for one process of Claude Code: what is behind ``--settings``, and the environment."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from kimi_profiles.claude import MASKABLE
from kimi_profiles.errors import TargetInvalidError
from kimi_profiles.merge import merge_text
from kimi_profiles.profile import Profile
from kimi_profiles.running.flag import (
    client_environment,
    flag_text,
    is_inline_json,
    needs_helper,
    take_flag,
    without_applied,
)
from kimi_profiles.secrets import Secret
from kimi_profiles.supplied import is_approved

TOKEN = Secret("sk-test-0123456789abcdefghijklmnop")
URL = "https://api.example/anthropic"
PROFILE = Profile("home", URL, models={"default": "home-model"})
KEYED = replace(PROFILE, auth_variable="ANTHROPIC_API_KEY")
LOGIN = json.dumps({"primaryApiKey": "sk-test-login"})

# name → arguments, value of --settings, what is left
ARGUMENTS: dict[str, tuple[list[str], str | None, list[str]]] = {
    "none": (["-p", "hi"], None, ["-p", "hi"]),
    "two words": (["-p", "--settings", "f", "hi"], "f", ["-p", "hi"]),
    "one word": (["--settings=f", "-p"], "f", ["-p"]),
    "one word, with another =": (["--settings=a=b"], "a=b", []),
    "empty": (["--settings=", "x"], "", ["x"]),
    "the last one counts": (["--settings", "a", "x", "--settings=b"], "b", ["x"]),
    "without a value": (["-p", "--settings"], None, ["-p", "--settings"]),
    "behind --": (["-p", "--", "--settings", "f"], None, ["-p", "--", "--settings", "f"]),
    "the value is --": (["--settings", "--", "x"], "--", ["x"]),
    "another option": (["--settings-x", "f"], None, ["--settings-x", "f"]),
}


@pytest.mark.parametrize(("arguments", "value", "left"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_clients_own_flag_is_taken_out(arguments: list[str], value: str | None, left: list[str]) -> None:
    assert take_flag(arguments) == (value, tuple(left))


INLINE = {"{}": True, ' {"a": 1}\n': True, "{": False, "settings.json": False, "[]": False, "": False}


@pytest.mark.parametrize(("value", "is_inline"), INLINE.items())
def test_a_value_is_json_or_a_path(value: str, *, is_inline: bool) -> None:
    assert is_inline_json(value) is is_inline


def settings(profile: Profile, text: str = "", **options: object) -> dict[str, object]:
    known = {"helper_command": None, "elsewhere": {}, **options}
    return json.loads(flag_text(profile, TOKEN, text, **known))  # type: ignore[arg-type]


def test_every_rival_is_masked_whether_it_is_there_or_not() -> None:
    made = settings(PROFILE)
    env = made["env"]
    assert isinstance(env, dict)
    assert (env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_AUTH_TOKEN"]) == (URL, TOKEN.reveal())
    assert env["ANTHROPIC_MODEL"] == "home-model"
    masked = (MASKABLE | {"ANTHROPIC_API_KEY"}) - {"ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_MODEL", "apiKeyHelper"}
    assert {name: env.get(name) for name in masked} == dict.fromkeys(masked, "")
    assert made["apiKeyHelper"] == ""


def test_a_key_profile_masks_a_token() -> None:
    env = settings(KEYED)["env"]
    assert isinstance(env, dict)
    assert (env["ANTHROPIC_API_KEY"], env["ANTHROPIC_AUTH_TOKEN"]) == (TOKEN.reveal(), "")


@pytest.mark.parametrize("profile", [PROFILE, KEYED], ids=["token", "key"])
def test_with_a_helper_the_token_is_not_in_the_settings(profile: Profile) -> None:
    made = settings(profile, helper_command="cat x")
    env = made["env"]
    assert isinstance(env, dict)
    assert made["apiKeyHelper"] == "cat x"
    assert (env["ANTHROPIC_API_KEY"], env["ANTHROPIC_AUTH_TOKEN"]) == ("", "")
    assert TOKEN.reveal() not in json.dumps(made)


def test_the_users_own_settings_stay_but_for_endpoint_and_credential() -> None:
    own = {
        "hooks": {"Stop": []},
        "apiKeyHelper": "echo sk-test-other",
        "env": {"EDITOR": "vi", "ANTHROPIC_BASE_URL": "https://other.example", "ANTHROPIC_API_KEY": "other"},
    }
    made = settings(PROFILE, json.dumps(own))
    assert made["hooks"] == {"Stop": []}
    env = made["env"]
    assert isinstance(env, dict)
    assert (env["EDITOR"], env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_API_KEY"]) == ("vi", URL, "")
    assert "other" not in json.dumps(made)


@pytest.mark.parametrize("text", ["{,}", '{"env": []}', "[]"])
def test_settings_that_cannot_be_merged_are_refused(text: str) -> None:
    with pytest.raises(TargetInvalidError):
        settings(PROFILE, text)


# name → profile, .claude.json, keep_login, whether a helper is needed
HELPERS: dict[str, tuple[Profile, str, bool, bool]] = {
    "a token": (PROFILE, "{}", False, False),
    "a token, no state": (PROFILE, "", False, False),
    "a token beside a login": (PROFILE, LOGIN, False, True),
    "a login that is kept": (PROFILE, LOGIN, True, False),
    "a login that the profile keeps": (replace(PROFILE, detach_login=False), LOGIN, False, False),
    "an empty login": (PROFILE, '{"primaryApiKey": ""}', False, False),
    "a key": (KEYED, "{}", False, True),
    "a key beside a login that is kept": (KEYED, LOGIN, True, True),
    "an approved key": (
        KEYED,
        json.dumps({"customApiKeyResponses": {"approved": [TOKEN.reveal()[-20:]]}}),
        False,
        False,
    ),
    "a rejected key": (
        KEYED,
        json.dumps({"customApiKeyResponses": {"rejected": [TOKEN.reveal()[-20:]]}}),
        False,
        True,
    ),
    "a broken state": (KEYED, "{", False, True),
}


@pytest.mark.parametrize(("profile", "state", "keep_login", "expected"), HELPERS.values(), ids=HELPERS)
def test_when_a_helper_is_needed(profile: Profile, state: str, *, keep_login: bool, expected: bool) -> None:
    assert needs_helper(profile, TOKEN, state, keep_login=keep_login) is expected


@pytest.mark.parametrize("approved", ["[]", "null", '"x"', "{}", "[1]", '["whole-key-not-its-tail"]'])
def test_what_is_no_approval(approved: str) -> None:
    assert not is_approved(f'{{"customApiKeyResponses": {{"approved": {approved}}}}}', TOKEN)


def test_the_environment_has_the_token_unless_a_helper_brings_it() -> None:
    env = {"PATH": "/bin", "ANTHROPIC_API_KEY": "other", "CLAUDE_CODE_USE_BEDROCK": "1"}
    inline, helped = (client_environment(env, PROFILE, token) for token in (TOKEN, None))
    assert inline["ANTHROPIC_AUTH_TOKEN"] == TOKEN.reveal()
    assert not {"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"} & helped.keys()
    for made in (inline, helped):
        assert (made["PATH"], made["ANTHROPIC_BASE_URL"]) == ("/bin", URL)
        assert "other" not in made.values()
        assert "CLAUDE_CODE_USE_BEDROCK" not in made


WORK = Profile(
    "work",
    "https://work.example",
    models={"default": "work-model"},
    context_tokens=1000,
    env={"OF_WORK": "1", "BOTH": "work"},
    settings={"theme": "dark"},
)


def test_nothing_of_a_profile_that_is_applied_is_left() -> None:
    own = '{"env": {"BOTH": "mine", "ANTHROPIC_MODEL": "mine"}}'
    record = merge_text(own, WORK, token="sk-test-work-0123456789").record
    elsewhere = without_applied([record], {"OF_WORK": "shell", "ANTHROPIC_BASE_URL": "https://shell.example"})
    assert elsewhere["BOTH"] == "mine"
    assert elsewhere["OF_WORK"] == "shell"
    assert elsewhere["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == ""
    assert "theme" not in elsewhere

    env = settings(replace(PROFILE, models={}, env={"BOTH": "home"}), elsewhere=elsewhere)["env"]
    assert isinstance(env, dict)
    assert env["ANTHROPIC_BASE_URL"] == URL
    assert (env["BOTH"], env["OF_WORK"], env["ANTHROPIC_MODEL"]) == ("home", "shell", "mine")
    assert "work" not in json.dumps(env)


def test_the_users_own_settings_for_the_process_win_over_what_would_be_there_without_a_profile() -> None:
    env = settings(PROFILE, '{"env": {"A": "own"}}', elsewhere={"A": "x", "B": "y"})["env"]
    assert isinstance(env, dict)
    assert (env["A"], env["B"]) == ("own", "y")


def test_of_two_profiles_that_are_applied_the_stronger_one_counts() -> None:
    records = [
        merge_text(f'{{"env": {{"OF_WORK": "{before}"}}}}', WORK, token="sk-test-work-0123456789").record
        for before in ("strong", "weak")
    ]
    assert without_applied(records, {})["OF_WORK"] == "strong"
