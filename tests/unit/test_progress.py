"""What takes long is told on a terminal, and only there; nothing of it is left."""

from __future__ import annotations

import io
import threading
import time

import pytest

from kimi_profiles import progress
from kimi_profiles.progress import show_progress
from kimi_profiles.screen import Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.02)
    monkeypatch.setenv("TERM", "xterm-256color")
    import rich.status  # noqa: F401 - so that importing it takes no time of the tests


def until_told(stream: io.StringIO, what: str = "reading") -> None:
    deadline = time.monotonic() + 20
    while what not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_what_takes_long_is_told_and_the_line_is_gone_after_it() -> None:
    stream = Terminal()
    with show_progress("reading", Screen(stream, color="never")):
        until_told(stream)
    assert "reading …" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K")  # the line is cleared


def test_the_line_says_how_far_it_is() -> None:
    stream = Terminal()
    with show_progress("reading", Screen(stream, color="never")) as say:
        say("reading, 1 done")
        until_told(stream)
        say("reading, 2 done")
        until_told(stream, "2 done")
    assert "reading, 1 done …" in stream.getvalue()
    assert "reading, 2 done …" in stream.getvalue()


def test_what_is_done_soon_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.3)
    stream = Terminal()
    with show_progress("reading", Screen(stream)):
        pass
    time.sleep(0.5)
    assert stream.getvalue() == ""
    assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate())


def test_nothing_is_told_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with show_progress("reading", Screen(stream)):
        time.sleep(0.3)
    assert stream.getvalue() == ""


def test_the_line_is_gone_after_an_error_too() -> None:
    stream = Terminal()

    def fail() -> None:
        with show_progress("reading", Screen(stream, color="never")):
            until_told(stream)
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        fail()
    assert stream.getvalue().endswith("\x1b[2K")
