"""``--help``: paragraphs are filled, examples stay."""

from __future__ import annotations

import argparse

import pytest

from kimi_profiles.help import HelpFormatter

DESCRIPTION = """\
One sentence that is long enough to be broken somewhere, and
a second one.

for example:
  kimi-profiles apply work --settings "a very long file name that is not broken at all by anybody.json"
"""


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_paragraphs_are_filled_and_examples_stay(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    parser = argparse.ArgumentParser(prog="p", description=DESCRIPTION, formatter_class=HelpFormatter)
    parser.add_argument("--option", help="an option with a long text that has to be broken on most terminals")
    lines = parser.format_help().splitlines()
    example = next(line for line in DESCRIPTION.splitlines() if line.startswith("  "))
    assert example in lines
    assert "for example:" in lines
    assert max(len(line) for line in lines if line != example) <= min(columns, 100)
    assert "One sentence that is long enough to be broken somewhere, and a second one." in " ".join(lines)
