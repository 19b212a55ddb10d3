"""A profile as environment variables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kimi_profiles.environment import environment_with, profile_variables
from kimi_profiles.profile import Profile, TokenRef
from kimi_profiles.secrets import Secret

TOKEN = "sk-test-0123456789abcdefghij"
URL = "https://api.example/anthropic"
PROFILE = Profile("work", URL, models={"default": "kimi-k2.7-code", "haiku": "small"})


def test_a_token_profile_sets_its_variables_and_wants_no_second_credential() -> None:
    variables = profile_variables(PROFILE, Secret(TOKEN))
    assert {name: value for name, value in variables.items() if value is not None} == {
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_AUTH_TOKEN": TOKEN,
        "ANTHROPIC_MODEL": "kimi-k2.7-code",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "small",
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "262144",
        "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "262144",
    }
    unset = {name for name, value in variables.items() if value is None}
    assert {"ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK"} < unset


def test_a_key_profile_wants_no_token_beside_the_key() -> None:
    variables = profile_variables(
        Profile("work", URL, auth_variable="ANTHROPIC_API_KEY", delivery="helper"), Secret(TOKEN)
    )
    assert variables["ANTHROPIC_API_KEY"] == TOKEN
    assert variables["ANTHROPIC_AUTH_TOKEN"] is None


def test_what_a_profile_empties_itself_is_set_and_empty() -> None:
    variables = profile_variables(Profile("work", URL, env={"A": "", "B": "b"}), Secret(TOKEN))
    assert (variables["A"], variables["B"]) == ("", "b")


def test_settings_are_no_variables() -> None:
    variables = profile_variables(Profile("work", URL, settings={"theme": "light"}), Secret(TOKEN))
    assert not {"theme", "apiKeyHelper"} & set(variables)


OTHERS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_OF_TOMORROW",
    "ANTHROPIC_UNIX_SOCKET",
    "CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
    "CLAUDE_CODE_USE_VERTEX",
)


@pytest.mark.parametrize("name", OTHERS)
def test_a_program_gets_nothing_of_another_endpoint(name: str) -> None:
    env = environment_with({name: "other", "PATH": "/bin", "MOONSHOT_API_KEY": "k"}, PROFILE, Secret(TOKEN))
    assert env.get(name) != "other"
    assert (env["PATH"], env["MOONSHOT_API_KEY"], env["ANTHROPIC_AUTH_TOKEN"]) == ("/bin", "k", TOKEN)


def test_the_variable_that_a_helper_reads_stays_whatever_it_is_called() -> None:
    profile = replace(PROFILE, token=TokenRef("env", "ANTHROPIC_WORK_KEY"))
    env = environment_with({"ANTHROPIC_WORK_KEY": TOKEN, "ANTHROPIC_HOME_KEY": "x"}, profile, Secret(TOKEN))
    assert env["ANTHROPIC_WORK_KEY"] == TOKEN
    assert "ANTHROPIC_HOME_KEY" not in env


def test_the_variable_of_the_token_stays_empty_where_it_is_a_rival() -> None:
    profile = replace(PROFILE, token=TokenRef("env", "ANTHROPIC_API_KEY"))
    assert "ANTHROPIC_API_KEY" not in environment_with({"ANTHROPIC_API_KEY": TOKEN}, profile, Secret(TOKEN))


def test_the_models_of_another_profile_do_not_stay() -> None:
    other = Profile("other", URL)
    assert profile_variables(other, Secret(TOKEN))["CLAUDE_CODE_SUBAGENT_MODEL"] is None
    left = {name: "kimi" for name in profile_variables(PROFILE, Secret(TOKEN)) if "MODEL" in name}
    env = environment_with({**left, "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "262144"}, other, Secret(TOKEN))
    assert not [name for name in env if "MODEL" in name or "CONTEXT" in name]
