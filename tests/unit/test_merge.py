"""A profile in a text and out of it again: what goes, what stays, what is recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from kimi_profiles import Profile, merge_text, unmerge_text
from kimi_profiles.claude import MASKABLE
from kimi_profiles.errors import TargetInvalidError, TokenUnavailableError, UsageError
from kimi_profiles.jsontext import JsonTextError
from kimi_profiles.merge import MergedText, helper_command, record_ahead, unmerge_profile
from kimi_profiles.presumed import strange_credentials
from kimi_profiles.profile import TokenRef

URL = "https://llm.example/anthropic"
TOKEN = "sk-test-0123456789abcdefghij"
WORK = Profile(
    "work",
    URL,
    token=TokenRef("env", "WORK_KEY"),
    models={"default": "m", "haiku": "small"},
    settings={"permissions": {"allow": ["Read", "Skill(x)"]}},
    context_tokens=9000,
)
KEY = replace(WORK, name="key", auth_variable="ANTHROPIC_API_KEY")
HELPED = replace(WORK, name="helped", delivery="helper")
HERE = replace(WORK, base_url="http://127.0.0.1:9/anthropic")
OTHER = Profile("other", "https://other.example/a", token=TokenRef("env", "OTHER_KEY"), env={"MINE": "1"})


def merge(text: str, profile: Profile = WORK, token: str | None = TOKEN, **known: Any) -> MergedText:
    return merge_text(
        text, profile, token=None if profile.delivery == "helper" else token, supplied=MASKABLE, **known
    )


def env_of(text: str) -> dict[str, Any]:
    return json.loads(text.removeprefix("\ufeff")).get("env", {})


# ---- merging

FORMS = {
    "nothing": ("", "", "\n"),
    "a byte order mark": ('\ufeff{"model": "opus"}', '\ufeff{"model": "opus", "env": {', "}"),
    "CRLF": (
        '{\r\n  "a": 1\r\n}\r\n',
        '{\r\n  "a": 1,\r\n  "env": {\r\n    "ANTHROPIC',
        '"\r\n    ]\r\n  }\r\n}\r\n',
    ),
    "tabs, no final newline": ('{\n\t"a": 1\n}', '{\n\t"a": 1,\n\t"env": {\n\t\t"ANTHROPIC_BASE_URL"', "\n}"),
    "odd values": ('{"a":1.0,"a":3e99,"é":"\\u00e9"}', '{"a":1.0,"a":3e99,"é":"\\u00e9","env":{"ANTH', "}"),
}


@pytest.mark.parametrize(("text", "head", "tail"), FORMS.values(), ids=FORMS)
def test_every_other_character_stays(text: str, head: str, tail: str) -> None:
    merged = merge(text)
    assert merged.text.startswith(head)
    assert merged.text.endswith(tail)
    assert env_of(merged.text)["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    assert unmerge_profile(merged.text, WORK).text == text
    assert unmerge_text(merged.text, merged.record, base=merged.base).text == text


def test_what_could_bring_a_second_credential_is_masked() -> None:
    settings = json.loads(merge("").text)
    masked = {*(MASKABLE & settings["env"].keys()), "ANTHROPIC_API_KEY"} - {
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_MODEL",
    }
    assert len(masked) == len(MASKABLE) - 2  # those two have values; apiKeyHelper for ANTHROPIC_API_KEY
    assert {settings["env"][name] for name in masked} == {""}
    assert settings["apiKeyHelper"] == ""


@pytest.mark.parametrize(
    "text", ["[]", '{"env": []}', '{"env": 1}', '{"a": 1,}', "{} //", '{"permissions": {"allow": {}}}']
)
def test_what_has_no_place_for_a_profile_is_refused(text: str) -> None:
    with pytest.raises(TargetInvalidError):
        merge(text)


def test_a_token_is_needed_for_inline_delivery() -> None:
    with pytest.raises(TokenUnavailableError):
        merge("", token=None)


def test_switching_by_record_takes_the_old_profile_out() -> None:
    first = merge('{"env": {"MINE": "0"}}', OTHER)
    assert env_of(first.text)["MINE"] == "1"
    second = merge(first.text, WORK, "sk-test-another-token", record=first.record, base=first.base)
    assert env_of(second.text)["MINE"] == "0"
    assert TOKEN not in second.text
    assert unmerge_text(second.text, second.record, base=second.base).text == '{"env": {"MINE": "0"}}'


# ---- without a record

MERGED = json.loads(merge("").text)


def changed(*gone: str, **values: Any) -> str:
    env = {name: value for name, value in {**MERGED["env"], **values}.items() if name not in gone}
    return json.dumps(MERGED | {"env": env})


STAYS = {
    "an edited model": (changed(ANTHROPIC_MODEL="mine"), {"ANTHROPIC_MODEL": "mine"}, ["ANTHROPIC_MODEL"]),
    "a mask that somebody filled": (
        changed(CLAUDE_CODE_OAUTH_TOKEN="sk-ant-oat-1"),
        {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat-1"},
        ["CLAUDE_CODE_OAUTH_TOKEN"],
    ),
    "a key of Anthropic's": (
        changed(ANTHROPIC_API_KEY="sk-ant-1234567890123456"),
        {"ANTHROPIC_API_KEY": "sk-ant-1234567890123456"},
        ["ANTHROPIC_API_KEY"],
    ),
    "one of the window's two": (
        changed(CLAUDE_CODE_AUTO_COMPACT_WINDOW="1"),
        {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": "9000", "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "1"},
        [],
    ),
    "a variable that gives way": (
        changed(CLAUDE_CODE_ATTRIBUTION_HEADER="1"),
        {"CLAUDE_CODE_ATTRIBUTION_HEADER": "1"},
        [],
    ),
    "a key that nobody knows": (changed(EDITOR="vi"), {"EDITOR": "vi"}, []),
}


@pytest.mark.parametrize(("text", "left", "told"), STAYS.values(), ids=STAYS)
def test_what_somebody_changed_stays_and_is_told(text: str, left: dict[str, str], told: list[str]) -> None:
    back = unmerge_profile(text, WORK)
    assert json.loads(back.text) == {"env": left}
    assert [(drift.pointer, drift.is_kept) for drift in back.drift] == [(f"/env/{n}", True) for n in told]


GOES = {
    "another token": changed(ANTHROPIC_AUTH_TOKEN="sk-test-a-newer-token"),
    "no token": changed("ANTHROPIC_AUTH_TOKEN"),
    "a key beside the token": changed(ANTHROPIC_API_KEY="sk-test-a-key-beside-it"),
    "no word at all": changed(ANTHROPIC_AUTH_TOKEN="two words"),
    "a number": changed(ANTHROPIC_AUTH_TOKEN=7),
    "another profile of the endpoint": merge("", KEY).text,
    "a helper of ours": merge("", HELPED).text,
    "a helper as apply writes it": merge(
        "", HELPED, helper="'/o d/python' -P -m kimi_profiles token work"
    ).text,
    "other spelling": merge("").text.replace("/", "\\/").replace('"m"', '"\\u006d"'),
}


@pytest.mark.parametrize("text", GOES.values(), ids=GOES)
def test_beside_the_base_url_every_credential_goes(text: str) -> None:
    back = unmerge_profile(text, WORK)
    assert back.text == ""
    assert back.drift == ()


def test_a_helper_profile_takes_any_helper_with_it_others_only_ours() -> None:
    text = json.dumps({"env": {"ANTHROPIC_BASE_URL": URL}, "apiKeyHelper": "pass show x"})
    assert unmerge_profile(text, HELPED).text == ""
    back = unmerge_profile(text, WORK)
    assert json.loads(back.text) == {"apiKeyHelper": "pass show x"}
    assert [drift.pointer for drift in back.drift] == ["/apiKeyHelper"]


def test_no_other_providers_key_is_left_to_be_sent_to_anthropic() -> None:
    profile = replace(WORK, base_url="https://api.moonshot.cn/anthropic")
    text = changed(ANTHROPIC_BASE_URL=profile.base_url, ANTHROPIC_API_KEY="sk-kimi-a-key-of-another-endpoint")
    assert unmerge_profile(text, profile).text == ""


def test_on_this_machine_any_key_may_be_the_profiles() -> None:
    assert unmerge_profile(merge("", HERE, "sk-ant-1234567890123456").text, HERE).text == ""


@pytest.mark.parametrize("url", ["https://elsewhere.example", f"{URL}/", 7, None])
def test_beside_another_base_url_no_credential_goes_and_no_mask(url: object) -> None:
    text = changed(ANTHROPIC_BASE_URL=url)
    left = json.loads(unmerge_profile(text, WORK).text)
    models = {
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS",
        "CLAUDE_CODE_AUTO_COMPACT_WINDOW",
        "CLAUDE_CODE_SUBAGENT_MODEL",
    }
    gone = {name for name in MERGED["env"] if name not in left["env"]}
    assert {name for name in gone if name.startswith("ANTHROPIC")} == {
        "ANTHROPIC_MODEL",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    }
    assert gone & models == models - {"CLAUDE_CODE_SUBAGENT_MODEL"}
    assert left["env"]["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    assert left["apiKeyHelper"] == ""


def test_a_profile_does_not_take_the_masks_of_another() -> None:
    text = merge("", OTHER).text
    assert unmerge_profile(text, WORK).drift[0].pointer == "/env/ANTHROPIC_BASE_URL"
    left = env_of(unmerge_profile(text, WORK).text)
    # What both want and no credential depends on goes; nobody can tell whose it is.
    assert env_of(text).keys() - left.keys() == {
        "CLAUDE_CODE_ATTRIBUTION_HEADER",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    }


@pytest.mark.parametrize(
    "text", ["{}", '{"env": {}}', '{"permissions": {"allow": [ ]}}', "[]", '{"env": []}', "7", '{"a": 1}\n']
)
def test_what_says_nothing_of_the_profile_stays_as_it_is(text: str) -> None:
    back = unmerge_profile(text, WORK)
    assert (back.text, back.actions, back.drift) == ("" if text == "{}" else text, (), ())


def test_members_of_lists_go_one_by_one() -> None:
    text = '{"permissions": {"allow": ["Bash(ls)", "Read", "Skill(x)", "Read"]}}'
    assert unmerge_profile(text, WORK).text == '{"permissions": {"allow": ["Bash(ls)"]}}'


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(JsonTextError):
        unmerge_profile("{", WORK)


def test_a_credential_that_the_profile_does_not_write_is_named() -> None:
    strange = unmerge_profile(changed(ANTHROPIC_API_KEY="sk-test-a-key-beside-it"), WORK)
    assert strange_credentials(strange.actions, WORK) == ["/env/ANTHROPIC_API_KEY"]
    for profile in (WORK, KEY, HELPED):
        usual = unmerge_profile(merge("", profile).text, profile)
        assert strange_credentials(usual.actions, profile) == []
    helped = unmerge_profile(merge("", HELPED).text, WORK)
    assert strange_credentials(helped.actions, WORK) == []


# ---- records


def test_a_base_that_is_not_that_of_the_record_is_not_given_back() -> None:
    merged = merge('{"a": 1}')
    assert unmerge_text(merged.text, merged.record, base='{"a": "another file"}').text == '{"a": 1}'
    again = merge(merged.text, record=merged.record, base='{"a": "another file"}')
    assert again.base is None


def test_an_edit_after_the_merge_is_kept_on_the_exact_way_back() -> None:
    merged = merge('{"env": {  }, "model": "opus"}')
    edited = merged.text.replace('"opus"', '"sonnet"')
    back = unmerge_text(edited, merged.record, base=merged.base).text
    assert json.loads(back) == {"env": {}, "model": "sonnet"}


def test_a_record_holds_no_token_of_ours() -> None:
    merged = merge('{"env": {"ANTHROPIC_AUTH_TOKEN": "the-users-own"}}')
    again = merge(merged.text, record=merged.record, base=merged.base)
    for known in (merged, again):
        kept = json.dumps(record_ahead(merged.text, merged.record, known).to_json()) + str(known.base)
        assert TOKEN not in kept
        assert "the-users-own" in kept
        assert TOKEN not in repr(known)
        assert "the-users-own" not in repr(known)


def test_a_discarded_merge_brings_no_other_key_back() -> None:
    """The second text is never used: the first token must not become an earlier value of the user's."""
    first = merge("{}", OTHER, "sk-test-the-first-token")
    ahead = record_ahead("{}", None, first)
    second = merge(first.text, WORK, TOKEN, record=ahead, base=first.base)
    ahead = record_ahead(first.text, ahead, second)
    third = merge(first.text, WORK, TOKEN, record=ahead, base=second.base)
    assert third.drift == ()
    assert "sk-test-the-first-token" not in json.dumps(third.record.to_json()) + str(third.base)
    assert unmerge_text(third.text, third.record).text == "{}"


def test_what_is_no_longer_in_effect_is_forgotten() -> None:
    first = merge("{}", OTHER)
    second = merge("{}", WORK, record=first.record, base=first.base)
    ahead = record_ahead("{}", first.record, second)
    assert "/env/MINE" not in {owned.pointer for owned in ahead.owned}
    mine = second.text.replace('"ANTHROPIC_BASE_URL"', '"MINE": "1", "ANTHROPIC_BASE_URL"')
    assert env_of(unmerge_text(mine, ahead).text) == {"MINE": "1"}


# ---- the helper


def test_the_helper_is_the_same_on_every_machine() -> None:
    assert helper_command(WORK) == f"kimi-profiles token work --for {WORK.base_url}"
    helper = f"kimi-profiles token helped --for {HELPED.base_url}"
    assert json.loads(merge("", HELPED).text)["apiKeyHelper"] == helper


def test_the_helper_names_a_store_of_its_own() -> None:
    command = helper_command(WORK, store="/a b/p.toml")
    assert command == f"kimi-profiles token work --for {WORK.base_url} --store '/a b/p.toml'"


def test_a_helper_needs_somewhere_to_get_the_token_and_a_path_that_is_text() -> None:
    with pytest.raises(TokenUnavailableError):
        helper_command(replace(WORK, token=None))
    with pytest.raises(UsageError):
        helper_command(WORK, store="/\udcff/p.toml")


def test_what_is_supplied_stays_the_callers() -> None:
    supplied: Any = {"ANTHROPIC_MODEL"}
    merge_text('{"env": {"ANTHROPIC_API_KEY": "x", "MINE": "1"}}', WORK, token=TOKEN, supplied=supplied)
    assert supplied == {"ANTHROPIC_MODEL"}
