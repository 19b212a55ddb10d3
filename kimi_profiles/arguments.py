"""The command line's grammar: its commands and options, and how ``--help`` tells of them."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from kimi_profiles._version import __version__
from kimi_profiles.call import Parsers
from kimi_profiles.errors import UsageError
from kimi_profiles.grammar import Grammar, HelpShown
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Collection, Sequence
    from types import ModuleType

    from kimi_profiles.help import Parser

__all__ = ["COMMANDS", "GROUPS", "HelpShown", "Line", "all_parsers", "parse", "take_apart"]

PROGRAM = "kimi-profiles"
_VERSION = f"{PROGRAM} {__version__}"

GROUPS = {
    "use a profile": {
        "apply": "merge a profile into Claude Code's files",
        "unapply": "take it out again; what was there before comes back",
        "run": "start Claude Code with a profile for this one process",
        "env": "a profile as variables, for any shell; its token is in the output",
    },
    "see what is": {
        "plan": "show what apply would change",
        "status": "what is applied, and what Claude Code will really send",
        "doctor": "what is wrong, where, and what to type against it",
        "backups": "copies of the files as they were; put one back",
    },
    "your profiles": {
        "list": "the profiles",
        "show": "one profile, with the origin of each value",
        "import": "make a profile of what Claude Code, a shell or another tool has",
        "init": "create the file for your own profiles",
        "add": "add a profile to it",
        "set": "set one key of a profile",
        "unset": "take one key out of a profile",
        "rename": "give a profile another name",
        "copy": "copy a profile under a new name",
        "remove": "take a profile out of the file",
        "edit": "open the file in your editor; what is invalid is not installed",
        "validate": "check the file with the profiles",
    },
    "what is known": {
        "providers": "endpoints; each is a profile by itself",
        "models": "models, with windows and prices",
    },
    "for scripts, dotfiles and editors": {
        "merge": "a filter: settings in, the same with a profile out",
        "unmerge": "a filter: the same settings without it",
        "render": "a profile as settings of its own, for managed settings or Nix",
        "token": "print a profile's token, for Claude Code's apiKeyHelper",
        "schema": "print the JSON Schema of the profiles file, for your editor",
        "completion": "print the completion script for your shell",
    },
}
"""What for → command → what it does."""

COMMANDS = {name: summary for group in GROUPS.values() for name, summary in group.items()}

_DESCRIPTION = f"""\
Points Claude Code at Kimi, or at any other provider that speaks its protocol: a profile is merged into Claude
Code's own files, and taken out again, byte for byte.

start with:
  export MOONSHOT_API_KEY=…            a key from your provider's console
  {PROGRAM} plan moonshot-cn       see what would change
  {PROGRAM} apply moonshot-cn      do it; claude now talks to Kimi
  {PROGRAM} unapply                back to where you were
"""
_EPILOG = f"`{PROGRAM} COMMAND --help` explains each command."

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
# Commands that hand on whatever is behind their first argument, and which of their own options take a value.
_HANDS_ON = {"run": {"--exec"}}
_LONGEST_WAIT_S = 3600


@dataclass(frozen=True, slots=True)
class Line:
    """A command line, taken apart.

    Attributes:
        command: Its name; ``None`` where there is none.
        own: What is for us, without the command's name.
        rest: What the command hands on.
    """

    command: str | None
    own: list[str]
    rest: tuple[str, ...]

    @property
    def is_json(self) -> bool:
        """Whether one JSON object is asked for, also where the line is wrong otherwise."""
        return "--json" in self.own[: self.own.index("--") if "--" in self.own else None]


def take_apart(arguments: Sequence[str]) -> Line:
    """Which of ``arguments`` is the command, and which are not for us at all."""
    own = list(arguments)
    position = _first_word(own)
    if position is None:
        return Line(None, own, ())
    name = own.pop(position)
    if name not in _HANDS_ON:
        return Line(name, own, ())
    position = _first_word(own, _TAKES_VALUE | _HANDS_ON[name])
    if position is None:
        return Line(name, own, ())
    rest = own[position + 1 :]
    return Line(name, own[: position + 1], tuple(rest[1:] if rest[:1] == ["--"] else rest))


def parse(line: Line) -> tuple[ModuleType, SimpleNamespace]:
    """The command's module, and its arguments with the common ones.

    Raises:
        UsageError: There is no such command, or the arguments are not its.
        HelpShown: Nothing is left to do.
    """
    if line.command is None:
        _read_top(line.own)
        raise HelpShown
    module = _load(line.command)
    grammar = Grammar()
    _add_common_options(grammar)
    grammar.add_argument("--version", action="version")
    module.add_arguments(grammar)
    plain = grammar.read(line.own, _DEFAULTS)
    if plain is not None:
        return module, plain
    return module, _parser(line.command, module).parse_args(line.own, SimpleNamespace(**_DEFAULTS))


def _read_top(line: Sequence[str]) -> None:
    """A line without a command: show what it asks for."""
    if line == ["--version"]:
        sys.stdout.write(_VERSION + "\n")
        return
    parser = _top_parser()
    parser.parse_args(line)
    parser.print_help()


def all_parsers() -> Parsers:
    """All there are; each command's file is imported for that."""
    commands = {name: (summary, _parser(name, _load(name))) for name, summary in COMMANDS.items()}
    return Parsers(_top_parser(), commands, frozenset(_HANDS_ON))


def _top_parser() -> Parser:
    """What may stand before the command's name."""
    from kimi_profiles.help import HelpFormatter, Parser

    parser = Parser(
        prog=PROGRAM,
        description=_DESCRIPTION + "".join(f"\n{title}:\n{_table(group)}" for title, group in GROUPS.items()),
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
        parents=[_common_options()],
        usage="%(prog)s [options] COMMAND [arguments]",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=_VERSION)
    return parser


def _table(commands: dict[str, str]) -> str:
    return "".join(f"  {name:<12}{summary}\n" for name, summary in commands.items())


def _load(name: str) -> ModuleType:
    """The module of one command; the others are not imported."""
    if name not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"see: {PROGRAM} --help"
        raise UsageError(f"there is no command {name!a:.80}", hint=hint)
    home = f"kimi_profiles.commands.{name}"
    __import__(home)  # importlib, which would do the same, takes a twentieth of Python's own start
    return sys.modules[home]


def _parser(name: str, module: ModuleType) -> Parser:
    from kimi_profiles.help import HelpFormatter, Parser

    parser = Parser(
        prog=f"{PROGRAM} {name}",
        usage=f"{PROGRAM} {name} {getattr(module, 'USAGE', '')}{'' if name in _HANDS_ON else '[options]'}",
        description=module.__doc__,
        formatter_class=HelpFormatter,
        parents=[_common_options()],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=_VERSION)
    module.add_arguments(parser)
    return parser


def _common_options() -> ArgumentParser:
    """Accepted before and after the command's name; absent ones leave the default alone."""
    from argparse import SUPPRESS, ArgumentParser

    common = ArgumentParser(add_help=False, argument_default=SUPPRESS, allow_abbrev=False)
    _add_common_options(common)
    return common


def _add_common_options(parser: ArgumentParser | Grammar) -> None:
    group = parser.add_argument_group("options of every command")
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


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _LONGEST_WAIT_S:
        from argparse import ArgumentTypeError

        raise ArgumentTypeError(f"give 0 to {_LONGEST_WAIT_S} seconds")
    return value


def _first_word(arguments: Sequence[str], takes_value: Collection[str] = _TAKES_VALUE) -> int | None:
    """Where the first argument is that is neither an option nor the value of one."""
    is_value = False
    for position, argument in enumerate(arguments):
        if is_value:
            is_value = False
        elif not argument.startswith("-"):
            return position
        else:
            is_value = argument in takes_value
    return None
