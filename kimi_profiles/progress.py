"""On a terminal, a line that says what takes so long; nowhere else, and not within the first second."""

from __future__ import annotations

import contextlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from rich.status import Status

    from kimi_profiles.screen import Screen

__all__ = ["Say", "say_nothing", "show_progress"]

Say: TypeAlias = "Callable[[str], None]"
"""Says what is being done now, in a few words of our own."""

_PATIENCE_S = 1.0


def say_nothing(_: str) -> None:
    """A :data:`Say` where nobody looks."""


@contextlib.contextmanager
def show_progress(what: str, screen: Screen) -> Iterator[Say]:
    """While the block runs, and once it has run for a second, show what is being done, with a moving mark.

    Args:
        what: The words to begin with; the block may say others.
        screen: Where; nothing is shown where it is no terminal. The line is gone when the block ends.
    """
    if not screen.is_terminal:
        yield say_nothing
        return
    import threading  # where nobody looks, it would only take time

    with contextlib.ExitStack() as shown:
        is_over = threading.Lock()
        status: Status | None = None

        def show() -> None:
            nonlocal status
            from rich.console import Console
            from rich.status import Status

            console = Console(file=screen.stream, no_color=not screen.has_color)
            if is_over.acquire(blocking=False):
                try:
                    status = shown.enter_context(Status(f"{what} …", console=console))
                finally:
                    is_over.release()

        def say(now: str) -> None:
            nonlocal what
            what = now
            if status is not None:
                status.update(f"{what} …")

        timer = threading.Timer(_PATIENCE_S, show)
        timer.daemon = True
        timer.start()
        try:
            yield say
        finally:
            timer.cancel()
            is_over.acquire()  # it does not begin any more, and if it is beginning it is done with that
