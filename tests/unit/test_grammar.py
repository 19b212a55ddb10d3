"""What is read without argparse is what argparse reads; the rest is left to it."""

from __future__ import annotations

import argparse
import os
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from support import amount

from kimi_profiles.arguments import _DEFAULTS, COMMANDS, _add_common_options, _load, all_parsers
from kimi_profiles.errors import UsageError
from kimi_profiles.grammar import Grammar, HelpShown

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEED = os.environ.get("KIMI_PROFILES_SEED")  # read here: no test sees the user's variables
PARSERS = all_parsers().commands


@pytest.fixture
def rng() -> random.Random:
    seed = int(_SEED) if _SEED else random.randrange(1 << 32)
    print(f"repeat with KIMI_PROFILES_SEED={seed}")
    return random.Random(seed)


def grammar_of(command: str) -> Grammar:
    grammar = Grammar()
    _add_common_options(grammar)
    grammar.add_argument("--version", action="version")
    _load(command).add_arguments(grammar)
    return grammar


def read_by_argparse(command: str, line: list[str]) -> dict[str, Any] | None:
    """What argparse makes of it; ``None`` where it refuses."""
    try:
        return vars(PARSERS[command][1].parse_args(line, argparse.Namespace(**_DEFAULTS)))
    except (UsageError, HelpShown):
        return None


def words_of(command: str) -> list[str]:
    """What a line of this command may be made of, and what comes close to it."""
    words = ["work", "a b", "", "-", "--", "--help", "-h", "-x", "--nothing", "-1", "3", "é", "--=", "a=b"]
    for action in PARSERS[command][1]._actions:
        words += [*map(str, action.choices or ())]
        for option in action.option_strings:
            words += [option, option, f"{option}=", f"{option}=x", f"{option}=3", option[:-1], f"{option}y"]
    return words


def lines(command: str, rng: random.Random) -> Iterator[list[str]]:
    words = words_of(command)
    places = [action for action in PARSERS[command][1]._actions if not action.option_strings]
    plain = ["work", "a b", "é", *(str(choice) for place in places for choice in place.choices or ())]
    for _ in range(amount(300, 20_000)):
        yield rng.choices(words, k=rng.randrange(4)) + rng.choices(plain, k=rng.randrange(4))


@pytest.mark.parametrize("command", COMMANDS)
def test_what_it_reads_argparse_reads_the_same(
    command: str, rng: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    grammar, read = grammar_of(command), 0
    for line in lines(command, rng):
        plain = grammar.read(line, _DEFAULTS)
        if plain is not None:
            assert vars(plain) == read_by_argparse(command, line), line
            read += 1
    capsys.readouterr()
    assert read


PLAIN = {
    "status": [[], ["--json"], ["-q", "--check"], ["--scope", "local"], ["--scope=project", "--home=/x"]],
    "token": [["work"], ["work", "--for", "https://x.example"], ["--store", "/a b", "work"]],
    "env": [["work"], ["work", "--shell", "fish"], ["--unset", "work"], ["work", "--lock-timeout", "3"]],
    "apply": [["work"], ["work", "--dry-run", "--json"], ["--lock-timeout=0.5", "work"]],
    "list": [["--names"], ["--all", "--json"]],
    "set": [["work", "models.haiku", "x"], ["work", "models.haiku", "--json", "x"]],
    "backups": [[], ["list"], ["restore", "pristine", "--dry-run"], ["--json", "restore", "pristine"]],
}


@pytest.mark.parametrize(
    ("command", "line"), [(command, line) for command, all_of in PLAIN.items() for line in all_of]
)
def test_what_people_type_is_plain(command: str, line: list[str]) -> None:
    plain = grammar_of(command).read(line, _DEFAULTS)
    assert plain is not None
    assert vars(plain) == read_by_argparse(command, line)


NOT_PLAIN = {
    "help": ("status", ["--help"]),
    "the version": ("status", ["--version"]),
    "an unknown option": ("status", ["--jsn"]),
    "a part of an option": ("status", ["--jso"]),
    "an option that lacks its value": ("status", ["--home"]),
    "an option in the place of a value": ("status", ["--home", "--json"]),
    "a flag with a value": ("status", ["--json=1"]),
    "no such choice": ("status", ["--scope", "world"]),
    "no such number": ("status", ["--lock-timeout", "soon"]),
    "bundled flags": ("status", ["-qq"]),
    "two dashes": ("token", ["--", "work"]),
    "a word too many": ("token", ["work", "home"]),
    "a word too few": ("token", []),
    "two that exclude each other": ("env", ["work", "--unset", "--snippet"]),
    "an option between places that may be empty": ("backups", ["restore", "--dry-run", "pristine"]),
    "several values": ("merge", ["work", "--without", "home"]),
    "a value that may be left out": ("import", ["--from-ccs", "x"]),
}


@pytest.mark.parametrize(("command", "line"), NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_the_rest_is_left_to_argparse(command: str, line: list[str]) -> None:
    assert grammar_of(command).read(line, _DEFAULTS) is None


def test_defaults_are_those_that_were_said() -> None:
    grammar = Grammar()
    grammar.add_argument("--one", default=1)
    grammar.add_argument("--two-three", "-t", action="store_true")
    grammar.add_argument("--four", dest="five")
    grammar.add_argument("place", nargs="?", default="here")
    assert grammar.read([], {"one": 2}) == SimpleNamespace(one=2, two_three=False, five=None, place="here")
    assert grammar.read(["-t", "there"], {}) == SimpleNamespace(
        one=1, two_three=True, five=None, place="there"
    )
