"""The sessions of docs/python.md are what Python says."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING

from pages import KEY, blocks
from support import ROOT

if TYPE_CHECKING:
    import pytest

PAGE = ROOT / "docs" / "python.md"


def test_the_sessions_go_as_they_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", KEY)
    sessions = blocks(PAGE)
    assert {block.language for block in sessions} == {"pycon"}
    parser, told = doctest.DocTestParser(), []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    names: dict[str, object] = {}
    for block in sessions:
        test = parser.get_doctest(block.text, names, str(block), block.page, block.line - 1)
        runner.run(test, out=told.append, clear_globs=False)
        names = test.globs
    assert runner.summarize(verbose=False).failed == 0, "".join(told)
    assert runner.tries > 30
