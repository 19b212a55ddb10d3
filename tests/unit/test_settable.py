"""Keys of a profile as they are typed, and words of the command line as their values."""

from __future__ import annotations

from typing import Any

import pytest

from kimi_profiles.declaration import AuthTable, ModelsTable, ProfileTable, TokenTable
from kimi_profiles.editing.keys import TokenGivenError, as_command, known_keys, read_assignment, read_key
from kimi_profiles.errors import UsageError

TOKEN = "sk-test-0123456789abcdefghij"

VALUES: dict[str, tuple[str, str, object]] = {
    "text": ("models.haiku", "kimi-k3", "kimi-k3"),
    "text that looks like a number": ("models.default", "3", "3"),
    "text that looks like TOML": ("description", '"x"', '"x"'),
    "a choice is text": ("auth.delivery", "helper", "helper"),
    "an empty text": ("description", "", ""),
    "true": ("pin_model", "true", True),
    "false": ("onboarding", "false", False),
    "a number": ("context_tokens", "262144", 262144),
    "a number with underscores": ("context_tokens", "262_144", 262144),
    "a variable is always text": ("env.API_TIMEOUT_MS", "600000", "600000"),
    "a command as for a shell": (
        "auth.token.command",
        "op read 'op://a b/c'",
        ["op", "read", "op://a b/c"],
    ),
    "a command as a list": ("auth.token.command", '["op", "a b"]', ["op", "a b"]),
    "a table": ("models", '{ default = "m" }', {"default": "m"}),
    "a setting that is TOML": ("settings.permissions.allow", '["Bash(ls)"]', ["Bash(ls)"]),
    "a setting that is true": ("settings.x", "true", True),
    "a setting that is a number": ("settings.x", "-1.5", -1.5),
    "a setting that is text": ("settings.model", "opus plan", "opus plan"),
    "a setting that is text in quotation marks": ("settings.model", '"1"', "1"),
    "a date is text: JSON has none": ("settings.x", "2026-01-01", "2026-01-01"),
    "two lines are text": ("settings.x", "1\ny = 2", "1\ny = 2"),
    "a setting of open brackets": ("settings.x", "[" * 3000, "[" * 3000),
    "all of a token reference": ("auth.token", '{ env = "X" }', {"env": "X"}),
}


@pytest.mark.parametrize(("key", "text", "value"), VALUES.values(), ids=VALUES)
def test_what_a_word_means(key: str, text: str, value: Any) -> None:
    assert read_assignment(read_key(key), text) == (tuple(key.split(".")), value)
    assert type(read_assignment(read_key(key), text)[1]) is type(value)


def test_a_token_reference_by_its_kind() -> None:
    token = read_key("auth.token")
    assert read_assignment(token, "env=MY_KEY") == (("auth", "token", "env"), "MY_KEY")
    assert read_assignment(token, "file=~/a=b") == (("auth", "token", "file"), "~/a=b")
    assert read_assignment(token, "command=pass show x") == (
        ("auth", "token", "command"),
        ["pass", "show", "x"],
    )
    assert read_assignment(token, "keyring=k") == (("auth", "token", "keyring"), "k")


WRONG_VALUES = {
    "neither true nor false": ("pin_model", "yes", "true or false"),
    "no number": ("context_tokens", "256k", "a whole number"),
    "a number beyond all": ("context_tokens", "9" * 5000, "a whole number"),
    "no table": ("models", "x", "models is a table"),
    "a list for a table": ("env", "[]", "env is a table"),
    "a mark that is not closed": ("auth.token.command", "op 'read", "not closed"),
    "too long": ("settings.x", "a." * 10_000, "16,384 characters"),
}


@pytest.mark.parametrize(("key", "text", "message"), WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_a_word_that_is_no_value(key: str, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_assignment(read_key(key), text)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("auth.token", TOKEN),
        ("auth.token", "a1b2c3d4.e5f6"),
        ("auth.token", ""),
        ("auth.token", f"env={TOKEN}"),
        ("auth.token.env", TOKEN),
        ("env.X", f"Bearer {TOKEN}"),
        ("settings.x", f'["{TOKEN}"]'),
        ("description", TOKEN),
    ],
)
def test_a_token_is_refused_and_not_repeated(key: str, text: str) -> None:
    with pytest.raises(TokenGivenError) as caught:
        read_assignment(read_key(key), text)
    assert not text or text not in f"{caught.value}{caught.value.hint}"
    assert TOKEN not in f"{caught.value!r}{caught.value}{caught.value.hint}"


WRONG_KEYS = {
    "only its last part": ("haiku", "did you mean models.haiku?"),
    "a slip": ("model.haiku", "did you mean models.haiku?"),
    "another slip": ("descripton", "did you mean description?"),
    "a variable": ("API_TIMEOUT_MS", "did you mean env.API_TIMEOUT_MS?"),
    "a token": ("token", "did you mean auth.token?"),
    "a key below a value": ("extends.x", "did you mean extends?"),
    "nothing like it": ("zzz", "keys: description, extends"),
    "a key of a variable": ("env.A.b", "env.NAME"),
    "no key at all": ("a b", "settings."),
}


@pytest.mark.parametrize(("key", "hint"), WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_an_unknown_key_gets_the_nearest_one(key: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_key(key)
    assert hint in str(caught.value.hint)


def test_a_token_in_the_place_of_a_key_is_not_repeated() -> None:
    with pytest.raises(TokenGivenError) as caught:
        read_key(TOKEN)
    assert TOKEN not in str(caught.value)


def test_every_key_of_a_profile_is_known_and_has_a_value() -> None:
    """A key that is added to the file format can be set without another word about it."""
    tables = {"": ProfileTable, "auth.": AuthTable, "models.": ModelsTable, "auth.token.": TokenTable}
    every = {f"{prefix}{name}" for prefix, table in tables.items() for name in table.model_fields}
    assert set(known_keys()) == every
    for name in every - {"auth.token"}:
        for word in ("text", "true", "1000", '{ x = "y" }'):
            try:
                key, value = read_assignment(read_key(name), word)
            except UsageError:
                continue
            assert ".".join(key) == name
            assert value is not None
            break
        else:
            pytest.fail(f"{name} takes none of these")


def test_a_command() -> None:
    assert as_command("") == []
    assert as_command("[1]") == ["[1]"]
