"""The command line: which command, its options, and the one place where errors become exit codes."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import io
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from kimi_profiles._version import __version__
from kimi_profiles.call import Call
from kimi_profiles.errors import (
    InterruptedRunError,
    NotPermittedError,
    ProfilesError,
    UsageError,
    WriteFailedError,
)
from kimi_profiles.screen import Screen
from kimi_profiles.secrets import without_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType, ModuleType

__all__ = ["COMMANDS", "main"]

PROGRAM = "kimi-profiles"

COMMANDS = {
    "apply": "merge a profile into Claude Code's files",
    "unapply": "take it out again; what was there before comes back",
    "plan": "show what apply would change",
    "status": "what is applied, and whether the files still say so",
    "doctor": "what is wrong, where, and what to type against it",
    "backups": "copies of the files as they were; put one back",
    "list": "the profiles",
    "show": "one profile, with the origin of each value",
    "init": "create the file for your own profiles",
    "validate": "check the file with the profiles",
    "providers": "endpoints that are known; each is a profile by itself",
    "models": "models that are known, with windows and prices",
    "token": "print a profile's token, for Claude Code's apiKeyHelper",
}

_EPILOG = """\
start with:
  export MOONSHOT_API_KEY=…              a key from your provider's console
  kimi-profiles plan moonshot-cn         see what would change
  kimi-profiles apply moonshot-cn        do it; claude now talks to Kimi
  kimi-profiles unapply                  back to where you were, byte for byte

`kimi-profiles COMMAND --help` explains each command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; those of the process if left out.

    Returns:
        The exit status.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that the terminal lacks is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    is_json = "--json" in arguments[: arguments.index("--") if "--" in arguments else None]
    position = _command_position(arguments)
    name = None if position is None else arguments.pop(position)
    try:
        with _signals():
            status = _run(name, arguments)
            sys.stdout.flush()
    except ProfilesError as error:
        status = _tell(error, name, is_json=is_json)
    except _Interrupted as signaled:
        status = _tell(InterruptedRunError(signaled.number), name, is_json=is_json)
    except BrokenPipeError:
        # The reader has seen enough; keep the interpreter from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
    except OSError as error:
        status = _tell(_from_system(error), name, is_json=is_json)
    except Exception as error:
        # A traceback may show a secret, and helps nobody at a prompt.
        if os.environ.get("KIMI_PROFILES_TRACEBACK"):
            raise
        status = _tell(_unexpected(error), name, is_json=is_json)
    return status


class _HelpShown(Exception):  # noqa: N818 - not an error
    pass


class _Parser(argparse.ArgumentParser):
    """Raises instead of exiting, so that ``--json`` holds for usage errors too."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"see: {self.prog} --help")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002 - argparse's
        if message:
            sys.stdout.write(message)
        raise _HelpShown


def _run(name: str | None, arguments: list[str]) -> int:
    try:
        if name is None:
            _show_help(arguments)
            return 0
        module = _load(name)
        args = _parse(name, module, arguments)
    except _HelpShown:
        return 0
    call = Call(args, Screen(sys.stdout, color=args.color), Screen(sys.stderr, color=args.color))
    return int(module.run(call))


def _show_help(arguments: list[str]) -> None:
    parser = _Parser(
        prog=PROGRAM,
        description="Provider profiles for Claude Code, merged into its files and taken out again.",
        epilog=_command_table() + "\n" + _EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common_options()],
        usage="%(prog)s [options] COMMAND [arguments]",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.parse_args(arguments)
    parser.print_help()


def _load(name: str) -> ModuleType:
    """The module of one command; the others are not imported."""
    if name not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"see: {PROGRAM} --help"
        raise UsageError(f"there is no command {name!a:.80}", hint=hint)
    return importlib.import_module(f"kimi_profiles.commands.{name}")


def _parse(name: str, module: ModuleType, arguments: list[str]) -> argparse.Namespace:
    """The common options, before or behind the command's name, and the command's own."""
    parser = _Parser(
        prog=f"{PROGRAM} {name}",
        usage=f"{PROGRAM} {name} {getattr(module, 'USAGE', '')}[options]",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_common_options()],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    module.add_arguments(parser)
    return parser.parse_args(arguments, argparse.Namespace(**_DEFAULTS))


_DEFAULTS = {
    "store": None,
    "home": None,
    "scope": "user",
    "project": None,
    "settings": None,
    "json": False,
    "quiet": False,
    "lock_timeout": 10.0,
    "color": "auto",
}
_TAKES_VALUE = {"--store", "--home", "--scope", "--project", "--settings", "--lock-timeout", "--color"}


def _common_options() -> argparse.ArgumentParser:
    """Accepted before and after the command's name; absent ones leave the default alone."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS, allow_abbrev=False)
    group = common.add_argument_group("options of every command")
    group.add_argument("--store", metavar="FILE", help="the TOML file with the profiles")
    group.add_argument("--home", metavar="DIR", help="work on the files of this home")
    group.add_argument("--scope", choices=["user", "project", "local"], help="which settings (default: user)")
    group.add_argument("--project", metavar="DIR", help="the project (default: this folder)")
    group.add_argument("--settings", metavar="FILE", help="this settings file, and no other file")
    group.add_argument("--json", action="store_true", help="answer with one JSON object")
    group.add_argument("--quiet", "-q", action="store_true", help="print errors only")
    group.add_argument("--color", choices=["auto", "always", "never"], help="(default: auto)")
    group.add_argument(
        "--lock-timeout", metavar="SECONDS", type=_seconds, help="how long to wait for a lock (default: 10)"
    )
    return common


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3600:  # noqa: PLR2004 - an hour
        raise argparse.ArgumentTypeError("give 0 to 3600 seconds")
    return value


def _command_position(arguments: Sequence[str]) -> int | None:
    """Where the first argument is that is neither an option nor the value of one."""
    is_value = False
    for position, argument in enumerate(arguments):
        if is_value:
            is_value = False
        elif not argument.startswith("-"):
            return position
        else:
            is_value = argument in _TAKES_VALUE
    return None


def _command_table() -> str:
    return "commands:\n" + "".join(f"  {name:<12}{text}\n" for name, text in COMMANDS.items())


class _Interrupted(BaseException):
    """A signal came. No error: who handles errors on the way must not take it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM unwind the stack, so that locks and temporary files go; a second one waits."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def interrupt(number: int, _: FrameType | None) -> NoReturn:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise _Interrupted(number)

    try:
        earlier = [signal.signal(number, interrupt) for number in numbers]
    except ValueError:  # not the main thread: the host program has its own ways
        yield
        return
    try:
        yield
    finally:
        for number, handler in zip(numbers, earlier, strict=True):
            signal.signal(number, handler)


def _from_system(error: OSError) -> ProfilesError:
    """What the operating system refused where nobody expected it to."""
    is_denied = error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
    reason = f"the system says: {os.strerror(error.errno or 0)}"
    return (NotPermittedError if is_denied else WriteFailedError)(reason, path=error.filename)


def _unexpected(error: Exception) -> ProfilesError:
    return ProfilesError(
        f"something went wrong that should not: {type(error).__name__}",
        hint="set KIMI_PROFILES_TRACEBACK=1 to see where; look for secrets before you show it to anybody",
    )


def _tell(error: ProfilesError, command: str | None, *, is_json: bool) -> int:
    """Say what went wrong; the exit status for it."""
    if is_json:
        facts = ("name", "message", "hint", "path", "line", "column", "pointer")
        answer = {
            "schema": 1,
            "ok": False,
            "command": _masked(command),
            "error": {fact: _masked(getattr(error, fact)) for fact in facts},
            "exit_code": error.exit_code,
        }
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
        sys.stdout.flush()
        return error.exit_code
    screen = Screen(sys.stderr)
    screen.whole((f"{PROGRAM}: ", "bad"), without_tokens(str(error)))
    if error.hint:
        screen.whole(("hint: ", "dim"), without_tokens(error.hint))
    return error.exit_code


def _masked(fact: object) -> object:
    """Somebody may have given a key where a name belongs; a log has no use for it."""
    return without_tokens(fact) if isinstance(fact, str) else fact
