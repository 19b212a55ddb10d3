"""Run a command line: signals, and the one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys

from kimi_profiles.arguments import COMMANDS, HelpShown, Line, all_parsers, parse, take_apart
from kimi_profiles.call import Call
from kimi_profiles.errors import InterruptedRunError, ProfilesError
from kimi_profiles.screen import Screen

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator, Sequence
    from types import FrameType
    from typing import NoReturn
else:  # the same without enumerations, whose making takes 0.07 times as long as Python's own start
    import _signal as signal

__all__ = ["COMMANDS", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; those of the process if left out.

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal lacks is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    line = take_apart(sys.argv[1:] if argv is None else argv)
    try:
        with _signals() as ignored:
            status = _run(line, ignored)
            sys.stdout.flush()
    except ProfilesError as error:
        status = _tell(error, line)
    except _Interrupted as signaled:
        status = _tell(InterruptedRunError(signaled.number), line)
    except BrokenPipeError:
        # The reader has seen enough; keep the interpreter from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
    except OSError as error:
        from kimi_profiles.report import system_error

        status = _tell(system_error(error), line)
    except Exception as error:
        # A traceback may show a secret, and helps nobody at a prompt.
        if os.environ.get("KIMI_PROFILES_TRACEBACK"):
            raise
        status = _tell(_unexpected(error), line)
    return status


def _run(line: Line, ignored: frozenset[int]) -> int:
    try:
        module, args = parse(line)
    except HelpShown:
        return 0
    out, err = (Screen(stream, color=args.color) for stream in (sys.stdout, sys.stderr))
    call = Call(args, out, err, rest=line.rest, ignored=ignored, parsers=all_parsers)
    return int(module.run(call))


class _Interrupted(BaseException):
    """A signal came. No error: who handles errors on the way must not take it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def _signals() -> Iterator[frozenset[int]]:
    """Let SIGINT and SIGTERM unwind the stack, so that locks and temporary files go; a second one waits.

    Yields:
        Those of them that were ignored before.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)

    def interrupt(number: int, _: FrameType | None) -> NoReturn:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise _Interrupted(number)

    try:
        earlier = [signal.signal(number, interrupt) for number in numbers]
    except ValueError:  # not the main thread: the host program has its own ways
        yield frozenset()
        return
    handled = zip(numbers, earlier, strict=True)
    try:
        yield frozenset(number for number, handler in handled if handler == signal.SIG_IGN)
    finally:
        for number, handler in zip(numbers, earlier, strict=True):
            signal.signal(number, handler)


def _unexpected(error: Exception) -> ProfilesError:
    return ProfilesError(
        f"something went wrong that should not: {type(error).__name__}",
        hint="set KIMI_PROFILES_TRACEBACK=1 to see where; look for secrets before you show it to anybody",
    )


def _tell(error: ProfilesError, line: Line) -> int:
    """Say what went wrong; the exit status for it."""
    from kimi_profiles.report import error_json, tell_error

    with contextlib.suppress(OSError):  # where nothing can be told, the exit status still says it
        if line.is_json:
            with contextlib.suppress(OSError):  # then people can be told
                sys.stdout.write(json.dumps(error_json(error, line.command), indent=2) + "\n")
                sys.stdout.flush()
                return error.exit_code
        tell_error(Screen(sys.stderr), error)
    return error.exit_code
