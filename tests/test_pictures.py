"""The pictures in the documents show what the program prints today, and no key."""

from __future__ import annotations

import functools
import html
import importlib.util
import re
from typing import TYPE_CHECKING

import pytest
from support import ROOT

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.once


def load_pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PICTURES = load_pictures()
PICTURES.run = functools.cache(PICTURES.run)  # each command once, whatever is asked of what it printed


def words_of(svg: str) -> list[str]:
    """What the picture says, without the time at which it was drawn and what rich draws around it."""
    texts = (html.unescape(text) for text in re.findall(r"<text[^>]*>(.*?)</text>", svg, flags=re.DOTALL))
    words = " ".join(texts).split()
    return [re.sub(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d", "…", word) for word in words]


def test_there_is_a_file_for_each() -> None:
    assert {path.stem for path in PICTURES.FOLDER.glob("*.svg")} == set(PICTURES.PICTURES)


@pytest.mark.parametrize("name", PICTURES.PICTURES)
def test_it_shows_what_is_printed_today(name: str) -> None:
    drawn = words_of((PICTURES.FOLDER / f"{name}.svg").read_text(encoding="utf-8"))
    assert len(drawn) > 10
    assert drawn == words_of(PICTURES.draw(name)), "run: .venv/bin/python docs/pictures.py"


@pytest.mark.parametrize("name", PICTURES.PICTURES)
def test_no_line_is_wider_than_the_terminal(name: str) -> None:
    for _, output in PICTURES.run(name):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
        assert max(map(len, plain.split("\n"))) <= PICTURES.COLUMNS


@pytest.mark.parametrize("name", PICTURES.PICTURES)
def test_it_shows_no_key_and_asks_no_other_host(name: str) -> None:
    svg = (PICTURES.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert "sk-test" not in svg
    assert "/tmp/" not in svg
    assert "url(" not in svg.replace("url(#", "")
