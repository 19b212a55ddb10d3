"""What a file supplies, which file is ignored and why, and who wins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kimi_profiles.client import NEWER, OLDER, Rules
from kimi_profiles.layers import Effective, Ignored, read_environment, read_layer

PATH = Path("settings.json")
BOTH = (OLDER, NEWER)
GOOD = {"env": {"ANTHROPIC_MODEL": "m"}, "model": "top", "apiKeyHelper": "h", "unknown": 7}
VALUES = {"ANTHROPIC_MODEL": "m", "model": "top", "apiKeyHelper": "h"}


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


READ = {
    "plain": dumps(GOOD),
    "with a mark": b"\xef\xbb\xbf" + dumps(GOOD),
    "UTF-16 with a mark": json.dumps(GOOD).encode("utf-16"),
    "CRLF": json.dumps(GOOD, indent=1).replace("\n", "\r\n").encode(),
    "a key twice": dumps(GOOD)[:-1] + b', "model": "top"}',
    "deep": dumps({**GOOD, "x": None})[:-5] + b"[" * 200 + b"]" * 200 + b"}",
}


@pytest.mark.parametrize("data", READ.values(), ids=READ)
@pytest.mark.parametrize("rules", BOTH, ids=lambda rules: rules.version)
def test_a_file_that_the_client_reads(data: bytes, rules: Rules) -> None:
    layer = read_layer("user", PATH, data, rules)
    assert (dict(layer.values), layer.ignored) == (VALUES, None)


@pytest.mark.parametrize("data", [None, b"", b" \n", b"{}"])
def test_nothing_supplies_nothing(data: bytes | None) -> None:
    layer = read_layer("user", PATH, data, NEWER)
    assert (dict(layer.values), layer.ignored) == ({}, None)


# JSON text → what it means in `env`
TEXTS = {
    '"x"': "x",
    '""': "",
    "null": "null",
    "true": "true",
    "false": "false",
    "7": "7",
    "1.0": "1",
    "-0": "0",
    "0.1": "0.1",
    "1e21": "1e+21",
    "1.5e-7": "1.5e-7",
    "0.000001": "0.000001",
    "100000000000000000000": "100000000000000000000",
    "123456789012345678901234567890": "1.2345678901234568e+29",
    "-2.50": "-2.5",
    "1e400": "Infinity",
    '[1,[2,null],"a"]': "1,2,,a",
    "[]": "",
    '{"a":1}': "[object Object]",
}


@pytest.mark.parametrize(("raw", "expected"), TEXTS.items())
def test_values_become_text_as_in_javascript(raw: str, expected: str) -> None:
    data = f'{{"env": {{"ANTHROPIC_MODEL": {raw}}}}}'.encode()
    assert read_layer("user", PATH, data, NEWER).values["ANTHROPIC_MODEL"] == expected
    assert read_layer("claude.json", PATH, data, OLDER).values["ANTHROPIC_MODEL"] == expected
    is_plain = raw != "null" and raw[0] not in "[{"
    found = read_layer("claude.json", PATH, data, NEWER).values.get("ANTHROPIC_MODEL")
    assert found == (expected if is_plain else None)


# id → (bytes, versions that ignore it, reason, line and column)
DROPPED: dict[str, tuple[bytes, tuple[Rules, ...], str, tuple[int, int] | None]] = {
    "a comment": (b'{\n  // no\n  "model": "m"}', BOTH, "", (2, 3)),
    "a comma too many": (b'{"model": "m",}', BOTH, "", (1, 14)),
    "torn": (b'{"model": "m"', BOTH, "", None),
    "NaN": (b'{"model": "m", "x": NaN}', BOTH, "", None),
    "UTF-16 without a mark": (json.dumps(GOOD).encode("utf-16-le"), BOTH, "", None),
    "a list": (b"[]", BOTH, "it is not an object", (1, 1)),
    "null": (b"null", BOTH, "it is not an object", (1, 1)),
    "env is a list": (b'{\n"env": []}', BOTH, "env has to be an object", (2, 8)),
    "env is null": (b'{"env": null}', BOTH, "env has to be an object", (1, 9)),
    "model is a number": (dumps({"model": 7}), BOTH, "model has to be text", (1, 11)),
    "model is null": (dumps({"model": None}), BOTH, "model has to be text", (1, 11)),
    "helper is null": (dumps({"apiKeyHelper": None}), BOTH, "apiKeyHelper has to be text", (1, 18)),
    "permissions is text": (dumps({"permissions": "x"}), BOTH, "permissions has to be an object", (1, 17)),
    "days is text": (
        dumps({"cleanupPeriodDays": "x"}),
        BOTH,
        "cleanupPeriodDays has to be a number",
        (1, 23),
    ),
    "hooks is text": (dumps({"hooks": "x"}), (OLDER,), "hooks has to be an object", (1, 11)),
    "models is text": (
        dumps({"availableModels": "x"}),
        (NEWER,),
        "availableModels has to be a list",
        (1, 21),
    ),
    "large": (dumps({"x": "y" * (2 << 20)}), (NEWER,), "2 MiB", None),
}


@pytest.mark.parametrize(("data", "versions", "reason", "place"), DROPPED.values(), ids=DROPPED)
@pytest.mark.parametrize("rules", BOTH, ids=lambda rules: rules.version)
def test_a_file_that_the_client_ignores(
    data: bytes, versions: tuple[Rules, ...], reason: str, place: tuple[int, int] | None, rules: Rules
) -> None:
    layer = read_layer("project", PATH, data, rules)
    if rules not in versions:
        assert layer.ignored is None
        return
    assert layer.ignored is not None
    assert not layer.values
    assert reason in layer.ignored.reason
    assert not layer.ignored.is_fatal
    if place is not None:
        assert (layer.ignored.line, layer.ignored.column) == place


# id → (layer, bytes, versions that do not even start)
FATAL: dict[str, tuple[Any, bytes, tuple[Rules, ...]]] = {
    "a broken .claude.json": ("claude.json", b"{", BOTH),
    "a .claude.json in UTF-16": ("claude.json", json.dumps(GOOD).encode("utf-16"), BOTH),
    "an empty .claude.json": ("claude.json", b" ", (OLDER,)),
    "a list in .claude.json": ("claude.json", b"[]", ()),
    "broken managed settings": ("managed", b"{", (NEWER,)),
    "managed settings of a wrong type": ("managed", b'{"env": []}', ()),
    "a large file of --settings": ("flag", dumps({"x": "y" * (2 << 20)}), (NEWER,)),
    "a broken file of --settings": ("flag", b"{", ()),
}


@pytest.mark.parametrize(("name", "data", "versions"), FATAL.values(), ids=FATAL)
def test_a_file_that_stops_the_client(name: Any, data: bytes, versions: tuple[Rules, ...]) -> None:
    for rules in BOTH:
        ignored = read_layer(name, PATH, data, rules).ignored or Ignored("")
        assert ignored.is_fatal == (rules in versions), rules.version


def test_the_state_file_supplies_variables_and_the_login() -> None:
    document = {"env": {"ANTHROPIC_MODEL": "m"}, "primaryApiKey": "P", "model": "no", "apiKeyHelper": "no"}
    layer = read_layer("claude.json", PATH, dumps(document), NEWER)
    assert dict(layer.values) == {"ANTHROPIC_MODEL": "m", "primaryApiKey": "P"}


def test_the_strongest_wins_and_the_others_are_shadowed() -> None:
    layers = (
        read_layer("local", PATH, dumps({"env": {"ANTHROPIC_MODEL": ""}}), NEWER),
        read_layer("user", PATH, dumps(GOOD), NEWER),
        read_environment({"ANTHROPIC_MODEL": "shell", "ANTHROPIC_API_KEY": "K", "HOME": "x", "model": "no"}),
    )
    effective = Effective(layers)
    assert effective.value("ANTHROPIC_MODEL") == ""
    assert [layer.name for layer in effective.suppliers("ANTHROPIC_MODEL")] == ["local", "user", "process"]
    assert effective.names() == ["ANTHROPIC_API_KEY", "apiKeyHelper", "ANTHROPIC_MODEL", "model"]
    assert effective.value("ANTHROPIC_BASE_URL") is None


def test_a_value_knows_its_line() -> None:
    text = b'{\n  "model": "top",\n  "env": {\n    "ANTHROPIC_MODEL": "m"\n  }\n}'
    layer = read_layer("user", PATH, text, NEWER)
    assert (layer.line("ANTHROPIC_MODEL"), layer.line("model"), layer.line("apiKeyHelper")) == (4, 2, None)
    assert read_environment({"ANTHROPIC_MODEL": "m"}).line("ANTHROPIC_MODEL") is None
