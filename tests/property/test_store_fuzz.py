"""Whatever stands in the TOML file: it is read, or refused with a place, and soon."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimi_profiles.errors import ProfileInvalidError, ProfilesError
from kimi_profiles.store import ProfileStore

SLOW_S = 2.0
TOKEN = "sk-kimi-" + "Zq9" * 12
SEED = f"""\
# comment [a] = "b"
[defaults.env]
API_TIMEOUT_MS = 600000

[profiles.work]
description = "Kimi, China \\u00e9"
provider = "moonshot-cn"
auth.token = {{ env = "MOONSHOT_API_KEY" }}
context_tokens = 262_144

[profiles.work.models]
default = "kimi-k2.7-code"
haiku   = 'kimi-k2.7-code-highspeed'

[profiles."home"]
extends  = "work"
base_url = "https://api.moonshot.ai/anthropic"
auth = {{ token = {{ command = ["op", "read", "x"] }}, variable = "ANTHROPIC_API_KEY", delivery = "helper" }}
env = {{ LONG = \"\"\"
lines \\"\"\" of
\"\"\", OTHER = '''x''' }}

[profiles.home.settings]
permissions = {{ allow = ["Bash(git diff:*)", 1.5, [true, {{ a.b = -1 }}]] }}
[[profiles.home.settings.hooks.Stop]]
when = 1979-05-27T07:32:00Z

[profiles.bad]
auth.token = "{TOKEN}"
[profiles.key]
auth.token = {{ keyring = "kimi", username = "me" }}
base_url = "https://{TOKEN}@gateway.example/v1"
"""
PIECES = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    ".",
    '"',
    "'",
    '"""',
    "'''",
    "\\",
    "\\u0000",
    "\\ud800",
    "#",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\x1b[2J",
    "\ufeff",
    "\u2028",
    "\xe9",
    "0x",
    "1e999",
    "nan",
    "-inf",
    "9" * 20,
    "9" * 5000,
    "true",
    "2026-01-01",
    "24:00:00",
    "profiles",
    "defaults",
    "work",
    "extends = ",
    '"work"',
    '"home"',
    "a." * 33,
    '"\\"".' * 33,
    "[" * 70,
    "{a=" * 70,
    "env",
    "models",
    "auth",
    "token",
    "settings",
    "provider",
    "base_url",
    '"https://"',
    '"http://[::1"',
    '"deepseek"',
    "located",
    "__proto__",
    "A" * 300,
    f'"{TOKEN}"',
    " " * 50,
]


def check(text: str) -> None:
    """Open the text, resolve each profile in it and some that may not be, and look at every error."""
    start = time.process_time()
    errors: list[ProfilesError] = []
    try:
        store = ProfileStore(Path("profiles.toml"), text)
    except ProfileInvalidError as error:
        errors.append(error)
    else:
        for name in [*store, "moonshot-cn", "no such"]:
            try:
                profile = store[name]
            except ProfilesError as error:
                errors.append(error)
            else:
                assert profile.name == name
                assert profile.base_url.startswith("http")
        errors += store.check()
    assert time.process_time() - start < SLOW_S
    lines = text.split("\n")
    for error in errors:
        assert "Zq9Zq9" not in str(error) + (error.hint or "")
        assert error.message.isprintable()
        if isinstance(error, ProfileInvalidError):
            assert error.line is not None
            assert error.column is not None
            assert 1 <= error.line <= len(lines)
            assert 1 <= error.column <= len(lines[error.line - 1]) + 1


def test_the_seed_is_what_it_is_meant_to_be() -> None:
    """So that mutations reach further than the first line."""
    store = ProfileStore(Path("profiles.toml"), SEED)
    assert store["work"].context_tokens == 262_144
    assert [(error.line, error.message[:20]) for error in store.check()] == [
        (26, "JSON has no dates an"),
        (29, "a token itself does "),
        (32, "this value looks lik"),
    ]
    check(SEED)


def mutate(text: str, rng: random.Random) -> str:
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        here, there = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        there = min(there, here + rng.choice((0, 1, 5, 60)))
        way = rng.randrange(5)
        if way == 0:
            text = text[:here] + text[there:]
        elif way == 1:
            text = text[:here] + rng.choice(PIECES) + text[there:]
        elif way == 2:
            text = text[:here] + text[here:there] * rng.choice((2, 40)) + text[there:]
        elif way == 3:
            lines = text.split("\n")
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            text = "\n".join(lines)
        else:
            words = [piece for piece in PIECES if piece.isalpha()]
            text = text.replace(rng.choice(words), rng.choice(PIECES), 1)
    return text


@pytest.mark.parametrize("part", range(4))
def test_a_mutated_file_is_read_or_refused(part: int, pytestconfig: pytest.Config) -> None:
    rng = random.Random(f"{pytestconfig.getoption('hypothesis_seed')} {part}")
    start = time.monotonic()
    for _ in range(600):
        check(mutate(SEED, rng))
        if time.monotonic() - start > 3:
            break


values = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.dates(),
        st.times(),
        st.sampled_from(PIECES),
    ),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    ["description", "extends", "provider", "base_url", "auth", "models", "context_tokens", "env", "settings"]
)
tables = st.dictionaries(keys | st.text(max_size=5), values, max_size=5) | values
documents = st.fixed_dictionaries(
    {},
    optional={
        "profiles": st.dictionaries(st.text(max_size=5), tables, max_size=4) | values,
        "defaults": tables,
    },
)


def written(value: object) -> str:
    """``value`` as TOML, all of it inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(str(key))} = {written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(one) for one in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(one if one.isalnum() else f"\\U{ord(one):08X}" for one in value) + '"'
    return str(value)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents)
def test_any_toml_is_read_or_refused(document: dict[str, object]) -> None:
    check("\n".join(f"{key} = {written(value)}" for key, value in document.items()))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    check(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.tuples(st.integers(0, len(SEED)), st.binary(max_size=3)))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes | tuple[int, bytes]
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_bytes(data if isinstance(data, bytes) else SEED.encode()[: data[0]] + data[1])
    errors: list[ProfilesError] = []
    try:
        errors += ProfileStore.open(path).check()
    except ProfilesError as error:
        errors.append(error)
    for error in errors:
        assert error.path == str(path)
        assert "Zq9Zq9" not in str(error)
