"""A secret gives itself away only where it is asked to, and what could not travel in a header is none."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import logging
import pickle
import time
import traceback

import pytest

from kimi_profiles.errors import TokenUnavailableError
from kimi_profiles.secrets import Secret, fingerprint, holds_token, is_secret_name, without_tokens

VALUE = "sk-kimi-" + "Zq9" * 11
SECRET = Secret(VALUE)

WAYS_TO_PRINT = {
    "str": str(SECRET),
    "repr": repr(SECRET),
    "an f-string": f"{SECRET} {SECRET!s} {SECRET!r} {SECRET!a}",
    "percent": "%s %r" % (SECRET, SECRET),  # noqa: UP031 - logging formats like this
    "format": "{} {!r}".format(SECRET, SECRET),  # noqa: UP032 - and old code like this
    "inside a collection": str([SECRET, {"token": SECRET}]),
}


@pytest.mark.parametrize("text", WAYS_TO_PRINT.values(), ids=WAYS_TO_PRINT)
def test_printing_shows_the_fingerprint_alone(text: str) -> None:
    assert VALUE not in text
    assert "Zq9" not in text
    assert SECRET.fingerprint in text


def test_logging_shows_the_fingerprint_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("any").info("sent %s", SECRET)
    assert SECRET.fingerprint in caplog.text
    assert "Zq9" not in caplog.text


TRAVELS = {"pickle": pickle.dumps, "copy": copy.copy, "deepcopy": copy.deepcopy, "json": json.dumps}


@pytest.mark.parametrize("travel", TRAVELS.values(), ids=TRAVELS)
def test_it_does_not_travel(travel: object) -> None:
    assert callable(travel)
    with pytest.raises(TypeError) as caught:
        travel(SECRET)
    assert "Zq9" not in str(caught.value)


def test_it_has_no_attributes_to_dump() -> None:
    assert not hasattr(SECRET, "__dict__")


def test_reveal_gives_it_back() -> None:
    assert SECRET.reveal() == VALUE


def test_equality_is_that_of_the_values() -> None:
    assert Secret(VALUE) == SECRET
    assert hash(Secret(VALUE)) == hash(SECRET)
    assert Secret(VALUE + "x") != SECRET
    assert SECRET != VALUE


@pytest.mark.parametrize("value", ["!", "~", "a" * 8192, "a:b=c/d+e"])
def test_printable_ascii_is_accepted(value: str) -> None:
    assert Secret(value).reveal() == value


REFUSED = {
    "empty": ("", "is empty"),
    "too long": ("Zq9" * 2731, "longer than 8192"),
    "a blank": ("Zq9 Zq9", "a blank"),
    "a tab": ("Zq9\t", "a blank"),
    "a second header": ("Zq9\r\nx-api-key: other", "a line end"),
    "a final newline": ("Zq9\n", "a line end"),
    "NUL": ("Zq9\0", "outside ASCII"),
    "DEL": ("Zq9\x7f", "outside ASCII"),
    "escape": ("\x1b[31mZq9", "outside ASCII"),
    "full-width": ("Zq\uff19", "outside ASCII"),
    "no-break space": ("Zq9\xa0", "outside ASCII"),
    "a lone surrogate": ("Zq9\udcff", "outside ASCII"),
}


@pytest.mark.parametrize(("value", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_no_header_can_carry_is_refused_without_showing_it(value: str, reason: str) -> None:
    with pytest.raises(TokenUnavailableError) as caught:
        Secret(value, source="the value of MY_KEY")
    assert str(caught.value).startswith("the value of MY_KEY ")
    assert reason in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value)) + (caught.value.hint or "")
    assert "Zq" not in shown


def test_a_fingerprint_is_the_start_of_the_sha_256() -> None:
    assert fingerprint("abc") == "ba7816bf"
    assert SECRET.fingerprint == hashlib.sha256(VALUE.encode()).hexdigest()[:8]
    assert len(fingerprint("\udcff")) == 8


SECRET_NAMES = [
    "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "MOONSHOT_API_KEY", "my_api_key",
    "AWS_SECRET_ACCESS_KEY", "AWS_BEARER_TOKEN_BEDROCK", "ANTHROPIC_CUSTOM_HEADERS", "DB_PASSWORD", "DB_PASS",
    "MYSQL_PWD", "TOKEN", "KEY", "OPENAI_API_KEY2", "GOOGLE_APPLICATION_CREDENTIALS", "SESSION_COOKIE",
    "apiToken", "clientSecret", "x-api-key", "X-Api-Key", "api key", "primaryApiKey", "myAPIKey",
    "accessToken", "apitoken", "clientsecret", "privateKey", "_authToken", "Proxy-Authorization",
    "DBPassword", "secrets.db", "api_Key_Helper",
]  # fmt: skip
OPEN_NAMES = [
    "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL", "MAX_THINKING_TOKENS", "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS", "KEYBOARD", "MONKEY", "AUTHOR", "BYPASS", "API_TIMEOUT_MS", "",
    "maxTokens", "keybindings", "includeCoAuthoredBy", "co-authored-by", "hotkeys",
    "monkeyPatch", "bypassAll", "apiKeyHelper", "otelHeadersHelper",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_that_promises_a_secret(name: str) -> None:
    assert is_secret_name(name)


def test_a_long_name_is_told_quickly() -> None:
    start = time.process_time()
    for name in ("a" * 1_000_000, "A" * 1_000_000, "aA" * 500_000, "-" * 1_000_000, "API" * 300_000):
        assert not is_secret_name(name)
    assert time.process_time() - start < 4


@pytest.mark.parametrize("name", OPEN_NAMES)
def test_a_name_that_promises_none(name: str) -> None:
    assert not is_secret_name(name)


def test_names_in_capitals_are_cut_into_words_as_others_are() -> None:
    pieces = ["TOKEN", "KEY", "API", "A", "2", "_", "-", " ", "É"]
    for name in map("".join, itertools.product(pieces, repeat=4)):
        assert is_secret_name(name) == is_secret_name(f"{name}-x"), name


TOKENS = {
    "alone": (VALUE, "…"),
    "in a header": (f"Bearer {VALUE}\n", "Bearer …\n"),
    "in quotation marks": (f"key '{VALUE}'", "key '…'"),
    "two": (f"{VALUE},{VALUE}", "…,…"),
    "another provider's": ("pk-live-0123456789", "…"),
    "another's after words": ("key-for-the-live-service-0123456789", "…"),
    "part of a word": ("task-management-service", "task-management-service"),
    "words": ("key-management-service", "key-management-service"),
    "too short": ("sk-short", "sk-short"),
    "nothing": ("", ""),
}


STARTS = {start: start * (80_000 // len(start)) for start in ("key-", "pk-ak-", "sk-", "sk-.", "sk-a b ")}


@pytest.mark.parametrize("text", STARTS.values(), ids=STARTS)
def test_a_text_full_of_starts_of_tokens_takes_no_time(text: str) -> None:
    start = time.process_time()
    without_tokens(text)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(("text", "expected"), TOKENS.values(), ids=TOKENS)
def test_what_looks_like_a_token_is_found_and_left_out(text: str, expected: str) -> None:
    assert without_tokens(text) == expected
    assert holds_token(text) == (text != expected)
