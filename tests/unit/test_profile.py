"""What may name a profile, and how a token reference is printed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.errors import UsageError
from kimi_profiles.profile import Profile, TokenRef, check_profile_name

GOOD_NAMES = ["a", "work", "Work-2", "_x", "0", "k2.7", "a" * 64, "console", "com10", "nullable", "a.con"]
BAD_NAMES = {
    "empty": "",
    "too long": "a" * 65,
    "a point first": ".a",
    "a dash first": "-a",
    "a blank": "a b",
    "a slash": "a/b",
    "a backslash": "a\\b",
    "the folder above": "..",
    "a line end": "a\n",
    "an escape": "a\x1b[2J",
    "not ASCII": "caf\xe9",
    "a look-alike": "w\u043erk",
    "a digit that is not ASCII": "a\u0661",
    "a device": "con",
    "a device, upper case": "NUL",
    "a device with a suffix": "aux.toml",
    "a numbered device": "LPT1",
}


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_a_profile_name(name: str) -> None:
    assert check_profile_name(name) == name


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_no_profile_name(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_profile_name(name)
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
    assert len(str(caught.value)) < 120
    assert "1 to 64" in (caught.value.hint or "")


@pytest.mark.parametrize("name", read_catalogue().providers)
def test_every_provider_names_a_profile(name: str) -> None:
    assert check_profile_name(name) == name


REFERENCES = {
    "env": (TokenRef("env", "MY_KEY"), "env MY_KEY"),
    "file": (TokenRef("file", "~/key"), "file ~/key"),
    "keyring": (TokenRef("keyring", "kimi", ("me",)), "keyring kimi"),
    "fixed": (TokenRef("fixed", "ollama"), "ollama"),
    "command: the program alone": (TokenRef("command", "op", ("op", "read", "op://x")), "command op"),
}


@pytest.mark.parametrize(("reference", "text"), REFERENCES.values(), ids=REFERENCES)
def test_a_reference_as_text(reference: TokenRef, text: str) -> None:
    assert str(reference) == text


def test_a_profile_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Profile("p", "https://gateway.example").base_url = "https://evil.example"  # type: ignore[misc]


def test_origins_do_not_tell_profiles_apart() -> None:
    one, other = (
        Profile("p", "https://x.example", origins={"base_url": at}) for at in ("defaults", "profile p")
    )
    assert one == other
