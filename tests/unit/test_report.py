"""What a person wrote where no secret is expected is shown, but for the secrets in it."""

from __future__ import annotations

import json
import time

import pytest

from kimi_profiles.report import shown

# what is written → what is shown
TEXTS = {
    "a plain URL": ("https://host/x", "https://host/x"),
    "a user": ("https://me:hunter2@host/x", "https://…@host/x"),
    "a query": ("https://host/x?key=hunter2 y", "https://host/x?… y"),
    "a user and a query": ("https://me@host/x?hunter2", "https://…@host/x?…"),
    "an empty query": ("https://host/x? y", "https://host/x? y"),
    "two questions": ("https://host/x?hunter2?hunter2", "https://host/x?…"),
    "a query behind a long path": (f"https://host/{'x' * 9_000}?hunter2", f"https://host/{'x' * 9_000}?…"),
    "a URL in a URL": ("https://host/http://other?hunter2", "https://host/http://other?…"),
    "two URLs": ("http://a?hunter2 http://b?hunter2", "http://a?… http://b?…"),
    "no URL": ("what? me@host", "what? me@host"),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_secrets_in_urls_are_left_out(text: str, expected: str) -> None:
    assert shown(json.dumps(text), is_secret=False) == expected


@pytest.mark.parametrize("part", ["://a", "://", "://a@", "://a?", "://?"])
@pytest.mark.parametrize("end", ["", "?", "@"])
def test_a_text_full_of_starts_of_urls_takes_no_time(part: str, end: str) -> None:
    start = time.process_time()
    shown(json.dumps(part * 20_000 + end), is_secret=False)
    assert time.process_time() - start < 0.5
