"""On a terminal, a line that says what takes so long; nowhere else, and not within the first second."""

from __future__ import annotations

import contextlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kimi_profiles.screen import Screen

__all__ = ["show_progress"]

_PATIENCE_S = 1.0


@contextlib.contextmanager
def show_progress(what: str, screen: Screen) -> Iterator[None]:
    """While the block runs, and once it has run for a second, show ``what`` with a moving mark.

    Args:
        what: What is being done, in a few words of our own.
        screen: Where; nothing is shown where it is no terminal. The line is gone when the block ends.
    """
    if not screen.is_terminal:
        yield
        return
    import threading  # where nobody looks, it would only take time

    with contextlib.ExitStack() as shown:
        is_over = threading.Lock()

        def show() -> None:
            from rich.console import Console
            from rich.status import Status

            console = Console(file=screen.stream, no_color=not screen.has_color)
            if is_over.acquire(blocking=False):
                try:
                    shown.enter_context(Status(f"{what} …", console=console))
                finally:
                    is_over.release()

        timer = threading.Timer(_PATIENCE_S, show)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            is_over.acquire()  # it does not begin any more, and if it is beginning it is done with that
