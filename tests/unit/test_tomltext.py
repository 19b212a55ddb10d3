"""Positions of keys in TOML, keys from the command line, and values as TOML."""

from __future__ import annotations

import datetime as dt
import math
import tomllib

import pytest

from kimi_profiles.editing.values import written, written_key
from kimi_profiles.tomltext import parse_key, read_entries

TEXT = '''\
# comment [a] = "b"
profiles.z.provider = "x" # behind
[ profiles . "work" ]
auth . "token" = { env = "A", b.c = {} , d = [1, {e = 2}] } # c
when = 1979-05-27 07:32:00  # two words
lines = """
[no]
no = 1
"""
many = [ # one
  1, "]", # two
]
[[profiles.home.settings.hooks.Stop]]
half = 1.5'''
ENTRIES = [
    ("profiles.z.provider", 'profiles.z.provider = "x"', '"x"'),
    ("profiles.work", '[ profiles . "work" ]', None),
    ("profiles.work.auth.token", 'auth . "token" = { env = "A", b.c = {} , d = [1, {e = 2}] }', None),
    ("profiles.work.auth.token.env", 'env = "A"', '"A"'),
    ("profiles.work.auth.token.b.c", "b.c = {}", "{}"),
    ("profiles.work.auth.token.d", "d = [1, {e = 2}]", "[1, {e = 2}]"),
    ("profiles.work.when", "when = 1979-05-27 07:32:00", "1979-05-27 07:32:00"),
    ("profiles.work.lines", 'lines = """\n[no]\nno = 1\n"""', None),
    ("profiles.work.many", 'many = [ # one\n  1, "]", # two\n]', None),
    ("profiles.home.settings.hooks.Stop", "[[profiles.home.settings.hooks.Stop]]", None),
    ("profiles.home.settings.hooks.Stop.half", "half = 1.5", "1.5"),
]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_each_key_and_its_value_are_found_where_they_stand(newline: str) -> None:
    text = TEXT.replace("\n", newline)
    tomllib.loads(text)
    found = read_entries(text)
    assert [(".".join(entry.path), text[entry.start : entry.end]) for entry in found] == [
        (path, whole.replace("\n", newline)) for path, whole, _ in ENTRIES
    ]
    for entry, (_, _, value) in zip(found, ENTRIES, strict=True):
        if value is not None:
            assert text[entry.value : entry.end] == value
    assert [entry.path for entry in found if entry.is_header] == [
        ("profiles", "work"),
        ("profiles", "home", "settings", "hooks", "Stop"),
    ]
    assert [entry.is_list for entry in found if entry.is_header] == [False, True]
    assert [entry.holder for entry in found][3:6] == [2, 2, 2]
    assert [text[start:end] for start, end in found[2].parts] == ["auth", '"token"']
    assert found[2].table == ("profiles", "work")


KEYS = {
    "one part": ("extends", ("extends",)),
    "dotted": ("auth.token.env", ("auth", "token", "env")),
    "quoted": ('settings."a.b"', ("settings", "a.b")),
    "in single quotes": ("settings.'q'", ("settings", "q")),
    "an escape": ('"\\u00e9"', ("é",)),
    "quoted and empty": ('""', ("",)),
    "32 parts": (".".join("a" * 32), tuple("a" * 32)),
    "33 parts": (".".join("a" * 33), None),
    "empty": ("", None),
    "blank": ("a b", None),
    "an assignment": ("a = 0 #", None),
    "two lines": ("a\nb", None),
    "an empty part": ("a..b", None),
    "a dot at the end": ("a.", None),
    "an open quotation mark": ('"a', None),
    "a bad escape": ('"\\q"', None),
    "a table": ("[a]", None),
    "a letter that has to be quoted": ("é", None),
}


@pytest.mark.parametrize(("text", "expected"), KEYS.values(), ids=KEYS)
def test_a_key_from_the_command_line(text: str, expected: tuple[str, ...] | None) -> None:
    assert parse_key(text) == expected


VALUES = [
    "plain",
    'a "quoted" \\ text',
    "tab\t, line\n, return\r, bell\a, delete\x7f, escape\x1b",
    "é, 汉字, 🦉, \u2028",
    "",
    True,
    False,
    0,
    -(2**63),
    1.0,
    1e300,
    -0.5,
    math.inf,
    dt.datetime(1979, 5, 27, 7, 32, tzinfo=dt.UTC),
    dt.date(1979, 5, 27),
    dt.time(7, 32, 0, 999999),
    [],
    [1, ["a", {"b": 2}]],
    {},
    {"a b": {"c": [True]}, "": 1, 'q"': 2},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_written_is_read_as_the_same(value: object) -> None:
    text = f"{written_key('x y')} = {written(value)}"
    assert "\n" not in text
    assert tomllib.loads(text) == {"x y": value}
    assert type(tomllib.loads(text)["x y"]) is type(value)


def test_nan_is_written_too() -> None:
    assert math.isnan(tomllib.loads(f"x = {written(math.nan)}")["x"])


@pytest.mark.parametrize("value", [None, object(), b"x", "\ud800"], ids=lambda value: type(value).__name__)
def test_what_toml_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"Unable to convert|TOML is UTF-8"):
        written(value)
