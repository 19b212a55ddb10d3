"""Text for people: no line wider than the terminal, broken between words, and nothing that steers it."""

from __future__ import annotations

import io
import random

import pytest

from kimi_profiles.screen import Screen, display_width

LINES = {
    "it fits": (20, ["short"], ["short"]),
    "between words": (12, ["one two three four"], ["one two", "    three", "    four"]),
    "indented further than its line": (12, ["  one two three"], ["  one two", "      three"]),
    "a word that is too long is cut": (10, ["abcdefghijklmno"], ["abcdefghij", "    klmno"]),
    "an indented word that is too long": (8, ["  abcdefghi"], ["  abcdef", "      gh", "      i"]),
    "wide characters count twice": (10, ["漢字漢字漢字"], ["漢字漢字漢", "    字"]),
    "no room for one wide character": (1, ["漢字"], ["漢", "字"]),
    "nothing": (10, [""], [""]),
    "a wide gap is not carried over": (10, ["one       two"], ["one", "    two"]),
}


def screen(width: int | None) -> Screen:
    made = Screen(io.StringIO())
    made.width = width
    return made


def printed(made: Screen) -> list[str]:
    assert isinstance(made.stream, io.StringIO)
    return made.stream.getvalue().splitlines()


@pytest.mark.parametrize(("width", "segments", "expected"), LINES.values(), ids=LINES)
def test_a_line_is_broken_between_words(width: int, segments: list[str], expected: list[str]) -> None:
    made = screen(width)
    made.line(*segments)
    assert printed(made) == expected


def test_what_goes_on_below_hangs_as_it_is_told_to() -> None:
    made = screen(12)
    made.line("one two three four", hang=2)
    assert printed(made) == ["one two", "  three four"]


def test_a_line_that_is_copied_is_not_broken() -> None:
    made = screen(12)
    made.whole("one two three four")
    assert printed(made) == ["one two three four"]


ROWS = [["moonshot-cn", "kimi-k2.7-code", "https://api.moonshot.cn/anthropic"], ["x", "y", "z"]]


def test_a_table_is_as_wide_as_it_has_to_be() -> None:
    made = screen(None)
    made.table(["NAME", "MODEL", "ENDPOINT"], ROWS)
    assert printed(made) == [
        "NAME         MODEL           ENDPOINT",
        "moonshot-cn  kimi-k2.7-code  https://api.moonshot.cn/anthropic",
        "x            y               z",
    ]


def test_cells_that_do_not_fit_stand_below() -> None:
    made = screen(40)
    made.table(["NAME", "MODEL", "ENDPOINT"], ROWS)
    assert printed(made) == [
        "NAME         MODEL           ENDPOINT",
        "moonshot-cn  kimi-k2.7-code",
        "      https://api.moonshot.cn/anthropic",
        "x            y               z",
    ]


def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost() -> None:
    rng = random.Random(7)
    for width in [*range(2, 90, 3), 120]:
        rows = [
            ["".join(rng.choices("abc 漢é", k=rng.randint(0, 30))).strip() for _ in range(4)]
            for _ in range(20)
        ]
        made = screen(width)
        made.table(["A", "B", "C", "D"], rows)
        for row in rows:
            made.line("  ", *row)
        assert max(map(display_width, printed(made))) <= width
        letters = "".join(printed(made)).replace(" ", "")
        assert letters == ("ABCD" + "".join(map("".join, rows)) * 2).replace(" ", "")


def test_controls_are_written_as_escapes() -> None:
    made = screen(40)
    made.line("a\x1b[2Jb")
    made.table(["A"], [["c\nd"]])
    assert printed(made) == [r"a\x1b[2Jb", "A", r"c\nd"]


def test_an_empty_cell_needs_no_line_of_its_own() -> None:
    made = screen(20)
    made.table(["NAME", "ENDPOINT", "DESCRIPTION"], [["a", "https://b.example", ""], ["c", "d", ""]])
    assert "" not in printed(made)
