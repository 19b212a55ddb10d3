"""The line that an error is about: shown with a mark below the place, and without any key."""

from __future__ import annotations

import random
import time

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
    "joined as in JavaScript": ('"accessToken": "hunter2" 1', 1, 26, '"accessToken"'),
    "joined by a hyphen": ('client-secret = "hunter2" 1', 1, 27, "client-secret"),
    "not joined at all": ('"accesstoken": "hunter2" 1', 1, 26, '"accesstoken"'),
    "many keys": ('api_keys = ["a", "hunter2" 1]', 1, 28, "api_keys"),
    "a name that is spelled in escapes": (r'"T\u004fKEN": "hunter2" 1', 1, 26, ""),
    "a key that is spelled in escapes": (r'"x": "hun\u0074er2" 1, "hunter2\x21"', 1, 1, '"x"'),
    "the colon is missing": ('"ANTHROPIC_AUTH_TOKEN" "hunter2-horse"', 1, 24, '"ANTHROPIC_AUTH_TOKEN"'),
    "the equals sign is missing": ("api_key hunter2", 1, 9, "api_key"),
    "the names of keys in single quotes": ("'AUTH_TOKEN' 'hunter2' ?", 1, 24, "'AUTH_TOKEN'"),
    "a name and a value in one text": ('env = "MY_TOKEN=hunter2" ?', 1, 26, "env"),
    "a command line": (r'cmd = "curl -H \"x-api-key: hunter2\" x" ?', 1, 40, "cmd"),
    "a quotation mark in the value": (r'"TOKEN": "ab\"hunter2: 1\" hunter2" 1', 1, 36, "TOKEN"),
    "no quotation marks but others inside": ("TOKEN = it's\"hunter2 ?", 1, 22, "TOKEN"),
    "a short one between marks": ("token = {hunter2}[hunter2]", 1, 9, "token"),
    "a user in a URL": ('"proxy": "http://me:hunter2@host/x" 1', 1, 36, "@host/x"),
    "a user in a URL without quotation marks": ("proxy = http://me:hunter2@host/x", 1, 9, "@host/x"),
    "an at sign in the password": ('"proxy": "http://me:p@hunter2@host/x" 1', 1, 38, "@host/x"),
    "a user in a URL with escapes": (r'"proxy": "http:\/\/me:hunter2@host" 1', 1, 37, "@host"),
    "the query of a URL": ('base_url = "https://host/x?a=hunter2" ?', 1, 38, "https://host/x?"),
    "the tail of a key": (f'"x": "{KEY}.hunter2" 1', 1, 35, '"x"'),
    "not the first in a list": ('"approved": [\n  "a",\n  "hunter2" ?', 3, 13, ""),
    "in an object below": ('"headers": {\n  "X-Org": "hunter2" 1', 2, 21, ""),
    "in a table of secrets": ('[profiles.work.headers]\nx-org = "a"\nx-b = "hunter2" ?', 3, 17, "x-b"),
    "in a list of tables": ('[[tokens.token]] # x\r\nx = "hunter2" ?', 2, 15, "x ="),
    "two lines below": ('"TOKEN":\n\n  "hunter2" 1', 3, 13, ""),
    "the colon is on the line too": ('"TOKEN"\n  : "hunter2" 1', 2, 15, ""),
    "behind a comment": ("token = # it is here\n  hunter2", 2, 1, ""),
    "behind comments as in JavaScript": ('"TOKEN": // a\n /* b */\n "hunter2"', 3, 2, ""),
    "a mark before it": ("token: |\n  hunter2", 2, 1, ""),
    "a text that is broken in two": ('token = "a\nhunter2" ?', 2, 10, ""),
    "in a text of many lines": ('token = """\nx = 1\nhunter2', 3, 1, ""),
    "and with single quotes": ("token = '''\nx = 1\nhunter2", 3, 1, ""),
    "such a text of which the first line speaks": ('x = """\nBearer\nhunter2', 3, 1, ""),
    "words in a comment": ("# my password is hunter2", 1, 1, "# my"),
    "far behind its name": (f'{{"TOKEN": [{"1, " * 2_000}"hunter2" ?', 1, 6_022, ""),
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


NOT_SECRET = {
    "below a secret": '"ANTHROPIC_AUTH_TOKEN": "hunter2"\n"ANTHROPIC_BASE_URL": "https://host/x" 1',
    "below a list of secrets": '"approved": [\n"hunter2"\n]\n"model": "kimi-k2" 1',
    "below a comment on secrets": '# how to get a token\nprovider = "moonshot-cn" ?',
    "in the next table": '[work.headers]\nx = "hunter2"\n[profiles.home]\nprovider = "moonshot-cn" ?',
    "below a text of many lines": 'auth.token = """\nhunter2"""\nprovider = "moonshot-cn" ?',
    "how many tokens": '"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "32000" 1',
    "escapes": r'"x": "a \"b\" \\c \n" 1',
}


@pytest.mark.parametrize("text", NOT_SECRET.values(), ids=NOT_SECRET)
def test_what_is_near_a_secret_is_shown(text: str) -> None:
    last = text.rsplit("\n", maxsplit=1)[-1]
    assert make_excerpt(text, text.count("\n") + 1, 1, width=200) == (last, "^")


HUGE = {
    "one letter": "a" * 80_000,
    "the starts of URLs": "://a" * 20_000,
    "the starts of keys": "key-" * 20_000,
    "quotation marks": '"' * 80_001,
    "escapes": '"\\' * 40_000,
    "brackets": "[" * 40_000 + "]#" * 20_000,
    "lines": "token = [\n" * 8_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_a_huge_file_takes_no_time(text: str) -> None:
    line = text.count("\n") or 1
    start = time.process_time()
    for column in (1, 30_000, 80_000):
        make_excerpt(text, line, column, width=80)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(("line", "column"), [(0, 1), (4, 1), (2, 1)])
def test_where_there_is_nothing_nothing_is_shown(line: int, column: int) -> None:
    assert make_excerpt("a = 1\n\n", line, column, width=80) is None


@pytest.mark.parametrize("before", range(2_002, 2_030, 3))
def test_of_a_word_that_is_cut_nothing_is_shown(before: int) -> None:
    text = '{"a": "' + KEY + " " + "x" * (before + 17_970) + ' z " 1'
    excerpt = make_excerpt(text, 1, len(text), width=60_000)
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
