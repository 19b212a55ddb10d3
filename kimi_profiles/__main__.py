"""``python -m kimi_profiles`` and the console script are the same program."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["main"]

_FEWER_COLLECTIONS = 100_000  # what is loaded stays, and to look at it again and again takes a while


def main() -> NoReturn:
    """Run the command line and leave with its exit status."""
    gc.set_threshold(_FEWER_COLLECTIONS)
    _open_standard_streams()
    try:
        from kimi_profiles.cli import main as run_cli
    except KeyboardInterrupt:  # before there is anybody to handle it well
        sys.exit(130)
    _leave(run_cli())


def _open_standard_streams() -> None:
    """Whoever closed one of them must not get our output into the next file that is opened."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            mode = os.O_RDONLY if number == 0 else os.O_WRONLY
            os.open(os.devnull, mode)  # the lowest number that is free
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8"))


def _leave(status: int) -> NoReturn:
    """End the process; to take apart what was loaded would take 0.4 times as long as Python's own start."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # what could not be written was told, and is in the exit status
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
