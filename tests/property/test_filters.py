"""Laws of the filters: on random texts, for the profiles of the other laws, to the character.

``KIMI_PROFILES_SEED`` repeats a run; a failure names the seed, the number of the text, and what was done.
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from property.test_apply_unapply import PROFILES as DECLARED
from property.test_apply_unapply import SPECIAL, TOKENS, containers, meaning, random_document
from support import amount

from kimi_profiles import merge_text, unmerge_text
from kimi_profiles.claude import MASKABLE
from kimi_profiles.errors import TargetInvalidError
from kimi_profiles.ledger import Record
from kimi_profiles.merge import record_ahead, unmerge_profile
from kimi_profiles.profile import TokenRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kimi_profiles.merge import MergedText
    from kimi_profiles.profile import Profile

TEXTS = amount(150, 20_000)
PROFILES = {name: replace(profile, token=TokenRef("env", "KEY")) for name, profile in DECLARED.items()}
CREDENTIALS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")
_SEED = os.environ.get("KIMI_PROFILES_SEED")  # read here: no test sees the user's variables


class Case:
    """One random text, and how to name it."""

    def __init__(self, seed: str, number: int) -> None:
        self.rng = random.Random(f"{seed}/filter/{number}")
        self.text = random_document(self.rng) or ""
        self.words = f"KIMI_PROFILES_SEED={seed}, text {number}: {self.text!r}"

    def profile(self) -> Profile:
        chosen = self.rng.choice(list(PROFILES.values()))
        self.words += f", {chosen.name}"
        return chosen

    def merge(
        self, text: str, profile: Profile, record: Record | None = None, base: str | None = None
    ) -> MergedText:
        token = None if profile.delivery == "helper" else self.rng.choice(TOKENS)
        return merge_text(text, profile, token=token, supplied=MASKABLE, record=record, base=base)


@pytest.fixture
def cases(pytestconfig: pytest.Config) -> Iterator[Case]:
    seed = _SEED or str(pytestconfig.getoption("hypothesis_seed"))
    print(f"repeat with KIMI_PROFILES_SEED={seed}")
    return (Case(seed, number) for number in range(TEXTS))


def mergeable(cases: Iterator[Case]) -> Iterator[tuple[Case, Profile, MergedText]]:
    """Each case with a profile in it; a text that has no place for one is a special one."""
    for case in cases:
        try:
            case.merge(case.text, PROFILES["settings"])  # which goes into the most places
        except TargetInvalidError:
            assert case.text in SPECIAL, case.words
            continue
        profile = case.profile()
        yield case, profile, case.merge(case.text, profile)


def test_merging_again_changes_nothing(cases: Iterator[Case]) -> None:
    for case, profile, merged in mergeable(cases):
        token = meaning(merged.text)["env"].get(profile.auth_variable) or None
        again = merge_text(merged.text, profile, token=token, supplied=MASKABLE)
        assert again.text == merged.text, case.words
        known = merge_text(
            merged.text, profile, token=token, supplied=MASKABLE, record=merged.record, base=merged.base
        )
        assert (known.text, known.record, known.base) == (merged.text, merged.record, merged.base), case.words


def test_with_a_record_every_text_comes_back(cases: Iterator[Case]) -> None:
    for case, _, first in mergeable(cases):
        merged = first
        for _ in range(case.rng.randrange(3)):
            merged = case.merge(merged.text, case.profile(), merged.record, merged.base)
        record = Record.from_json(json.loads(json.dumps(merged.record.to_json())))
        back = unmerge_text(merged.text, record, base=merged.base)
        assert back.text == case.text, f"{case.words}, merged: {merged.text!r}"
        assert not back.record.owned, case.words


def test_what_is_recorded_is_true_whichever_text_is_kept(cases: Iterator[Case]) -> None:
    """The earlier text stays where it was if nobody takes the new one, as when chezmoi shows a difference."""
    for case, _, first in mergeable(cases):
        merged, ahead = first, record_ahead(case.text, None, first)
        for _ in range(case.rng.randrange(1, 4)):
            earlier = merged
            merged = case.merge(earlier.text, case.profile(), ahead, earlier.base)
            ahead = record_ahead(earlier.text, ahead, merged)
            for kept in (earlier, merged):
                back = unmerge_text(kept.text, ahead, base=merged.base)
                assert back.text == case.text, f"{case.words}, kept: {kept.text!r}"
                by_keys = unmerge_text(kept.text, ahead)  # without the copy of the whole text
                assert meaning(by_keys.text) == meaning(case.text), f"{case.words}, kept: {kept.text!r}"
            merged = case.rng.choice((earlier, merged))


def test_without_a_record_what_was_only_added_goes_again(cases: Iterator[Case]) -> None:
    count = 0
    for case, profile, merged in mergeable(cases):
        is_addition = all(action.action in {"add", "include"} for action in merged.actions)
        is_silent = len(merged.actions) == len(
            case.merge("", profile).actions
        )  # at every key of the profile's
        if not is_addition or not is_silent or any(containers(meaning(case.text)).values()):
            continue
        count += 1
        back = unmerge_profile(merged.text, profile)
        assert back.text == case.text, f"{case.words}, merged: {merged.text!r}"
        assert back.drift == (), case.words
    assert count > TEXTS // 20


def test_base_url_and_credential_go_together_or_not_at_all(cases: Iterator[Case]) -> None:
    for case, profile, merged in mergeable(cases):
        values = json.loads(merged.text.removeprefix("\ufeff"))
        keys = ("ANTHROPIC_BASE_URL", *CREDENTIALS, "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_MODEL")
        for name in case.rng.sample(keys, k=case.rng.randrange(3)):
            values["env"][name] = case.rng.choice(("https://mine.example", "sk-ant-mine-1234567890", "", 5))
        text = json.dumps(values)
        back = json.loads(unmerge_profile(text, profile).text or "{}")
        case.words += f", changed: {text!r}, without: {back!r}"
        if values["env"]["ANTHROPIC_BASE_URL"] != profile.base_url:
            for where in (*CREDENTIALS, "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL"):
                assert env(back).get(where) == values["env"].get(where), case.words
            assert back.get("apiKeyHelper") == values.get("apiKeyHelper"), case.words
            continue
        left = {name: env(back)[name] for name in CREDENTIALS if name in env(back)}
        assert "ANTHROPIC_BASE_URL" not in env(back), case.words
        assert "apiKeyHelper" not in back, case.words
        if profile.name != "first":  # of which that key is one
            assert all(str(value).startswith("sk-ant-") for value in left.values()), case.words
            assert all(values["env"][name] == value for name, value in left.items()), case.words


def env(settings: Any) -> Any:
    return settings.get("env", {})


def test_taking_out_what_is_not_there_changes_nothing(cases: Iterator[Case]) -> None:
    for case, profile, merged in mergeable(cases):
        back = unmerge_profile(merged.text, profile)
        assert unmerge_profile(back.text, profile).text == back.text, case.words
