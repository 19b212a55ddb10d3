"""The line that an error is about: shown with a mark below the place, and without any key."""

from __future__ import annotations

import random

import pytest

from kimi_profiles.excerpt import make_excerpt
from kimi_profiles.screen import display_width

KEY = "0a1B2c3D4e5F6g7H8i9J"  # no prefix that would give it away

SHOWN = {
    "a missing comma": ('{\n  "a": 1\n  "b": 2\n}', 3, 3, ('"b": 2', "^")),
    "at the end of the line": ('x = "y\n', 1, 7, ('x = "y', "      ^")),
    "a tab is one column": ("a\tb = ?", 1, 7, ("a b = ?", "      ^")),
    "wide characters": ('a = "漢字" ?', 1, 10, ('a = "漢字" ?', "           ^")),
    "a control character": ('a = "\x1b" ?', 1, 9, (r'a = "\x1b" ?', "           ^")),
    "carriage returns": ("a = 1\r\nb = ?\r\n", 2, 5, ("b = ?", "    ^")),
    "a column beyond the line": ("a = 1", 1, 99, ("a = 1", "     ^")),
}
BLOTTED = {
    "the value of a secret": (f'"ANTHROPIC_AUTH_TOKEN": "{KEY}" "x"', 1, 48, "AUTH_TOKEN"),
    "without quotes": (f"ANTHROPIC_API_KEY={KEY} ?", 1, 1, "ANTHROPIC_API_KEY="),
    "a quote that is not closed": (f'"primaryApiKey": "{KEY}', 1, 1, "primaryApiKey"),
    "on the next line": (f'"ANTHROPIC_AUTH_TOKEN":\n{KEY[:8]}', 2, 1, ""),
    "in a list of approved keys": (f'"approved": [\n  "{KEY[:12]}",', 2, 3, ""),
    "a short one": ('auth.token = "hunter2" ?', 1, 24, "auth.token"),
    "taken for a name": ('{"TOKEN": "hunter2": 1}', 1, 20, "TOKEN"),
    "anything that looks like one": (f'["{KEY}" 1]', 1, 25, ""),
    "a token where nobody expects it": ('{"x": "sk-test-abcdefghijkl" 1}', 1, 29, '"x"'),
    "a header": ('"X": "Authorization: Bearer hunter2", "b" 1', 1, 40, '"X"'),
    "a comment": (f"# ZHIPU_API_KEY: {KEY[:9]}\n", 1, 1, "ZHIPU_API_KEY"),
}


@pytest.mark.parametrize(("text", "line", "column", "expected"), SHOWN.values(), ids=SHOWN)
def test_the_line_and_the_place(text: str, line: int, column: int, expected: tuple[str, str]) -> None:
    assert make_excerpt(text, line, column, width=80) == expected


@pytest.mark.parametrize(("text", "line", "column", "kept"), BLOTTED.values(), ids=BLOTTED)
def test_what_may_be_a_key_is_blotted_out(text: str, line: int, column: int, kept: str) -> None:
    excerpt = make_excerpt(text, line, column, width=200)
    assert excerpt is not None
    assert kept in excerpt[0]
    assert "•" in excerpt[0]
    for secret in (KEY, KEY[:8], KEY[-8:], "hunter2", "sk-test"):
        assert secret not in excerpt[0]


def test_what_is_not_secret_is_shown() -> None:
    text = 'base_url = "https://api.moonshot.cn/anthropic/v1"'
    excerpt = make_excerpt(text, 1, 12, width=80)
    assert excerpt == (text, " " * 11 + "^")
    model = 'default = "kimi-k2.7-code-highspeed" ?'
    assert make_excerpt(model, 1, 38, width=80) == (model, " " * 37 + "^")


@pytest.mark.parametrize(("line", "column"), [(0, 1), (4, 1), (2, 1)])
def test_where_there_is_nothing_nothing_is_shown(line: int, column: int) -> None:
    assert make_excerpt("a = 1\n\n", line, column, width=80) is None


@pytest.mark.parametrize("before", range(2_002, 2_030, 3))
def test_of_a_word_that_is_cut_nothing_is_shown(before: int) -> None:
    text = '{"a": "' + KEY + " " + "x" * (before - 30) + ' z " 1'
    excerpt = make_excerpt(text, 1, len(text), width=6_000)
    assert excerpt is not None
    assert not any(KEY[i : i + 4] in excerpt[0] for i in range(len(KEY) - 4))


def test_it_fits_and_the_mark_is_below_the_place() -> None:
    rng = random.Random(3)
    for _ in range(2_000):
        text = "".join(rng.choices("ab ,\t漢\x1b", k=rng.randint(1, 300)))
        place = rng.randrange(len(text))
        text = text[:place] + "@" + text[place + 1 :]
        width = rng.randint(1, 120)
        excerpt = make_excerpt(text, 1, place + 1, width=width)
        assert excerpt is not None
        line, mark = excerpt
        assert max(display_width(line), display_width(mark)) <= max(width, 20)
        assert display_width(line[: line.index("@")]) == len(mark) - 1
