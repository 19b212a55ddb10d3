"""What may stand where on the command line, read from the parsers that parse it."""

from __future__ import annotations

import argparse
import re

from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import Literal, TypeAlias

__all__ = ["Command", "CommandLine", "Kind", "Option", "Value", "describe"]

Kind: TypeAlias = 'Literal["words", "file", "folder", "profile", "own", "program", "text"]'
"""``profile``: also a provider. ``own``: a profile of the file. ``text``: nothing can be offered."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FLAG = re.compile(r"-[A-Za-z0-9]|--[A-Za-z0-9][A-Za-z0-9-]*")
_TO_BE_MADE = re.compile(r"\bnew\b|what to call")
_KINDS: dict[str, Kind] = {
    "FILE": "file",
    "PATH": "file",
    "ARGS": "file",
    "DIR": "folder",
    "NAME": "profile",
    "PARENT": "profile",
    "OLD": "profile",
    "PROGRAM": "program",
}


@dataclass(frozen=True, slots=True)
class Value:
    """One argument, or what follows an option.

    Attributes:
        kind: See :data:`Kind`.
        label: What to call it, for people.
        words: All that it can be; of ASCII letters, digits, ``.``, ``_`` and ``-`` only.
    """

    kind: Kind
    label: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its spellings, what it is for in one line, what follows it."""

    flags: tuple[str, ...]
    help: str
    value: Value | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: As it is typed.
        summary: What it is for, in one line.
        options: Its own.
        values: Its arguments, in order.
        repeats: Whether the last of ``values`` may stand there any number of times.
        passes_on: Whether what stands there is for another program, options and all.
    """

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    values: tuple[Value, ...] = ()
    repeats: bool = False
    passes_on: bool = False


@dataclass(frozen=True, slots=True)
class CommandLine:
    """All of it; ``options`` may stand before and behind the command."""

    options: tuple[Option, ...]
    commands: tuple[Command, ...]

    def all_options(self) -> Iterator[tuple[str, Option]]:
        """Every option with its command; with ``""`` for those of every command."""
        for option in self.options:
            yield "", option
        for command in self.commands:
            for option in command.options:
                yield command.name, option


def describe(
    common: argparse.ArgumentParser,
    commands: Mapping[str, tuple[str, argparse.ArgumentParser]],
    *,
    hands_on: Collection[str],
    providers: Iterable[str],
    keys: Iterable[str],
) -> CommandLine:
    """What the parsers accept.

    What an argument is, its metavar tells: ``FILE``, ``DIR``, ``PROGRAM``, ``KEY``. ``NAME`` and ``OLD`` are
    a profile or a provider, unless the help says "a profile of yours" and nothing of providers, or calls it
    "new", so that nothing can be offered. Every other metavar is free text.

    Args:
        common: With the options of every command.
        commands: Name → its summary and its parser, which has the common options too.
        hands_on: Commands that hand on to another program what is behind their arguments.
        providers: What ``--provider`` may be.
        keys: What ``KEY`` may be.

    Raises:
        ValueError: A flag, a command or a choice is not of plain characters: no shell would take it as it is.
    """
    words = {"provider": _plain(providers), "KEY": _plain(keys)}
    shared = {flag for action in common._actions for flag in action.option_strings}  # noqa: SLF001
    described = []
    for name, (summary, parser) in commands.items():
        own = [option for option in _options(parser, words) if not shared.intersection(option.flags)]
        values = tuple(_values(parser, words))
        is_last_many = bool(values) and _arguments(parser)[-1].nargs in {"*", "+"}
        if name in hands_on:
            values = (*values, Value("file", "arguments"))
        _plain([name])
        described.append(
            Command(name, summary, tuple(own), values, is_last_many or name in hands_on, name in hands_on)
        )
    return CommandLine(tuple(_options(common, words)), tuple(described))


def _values(parser: argparse.ArgumentParser, words: Mapping[str, tuple[str, ...]]) -> Iterator[Value]:
    for action in _arguments(parser):
        yield from [_value(action, words)] * (action.nargs if isinstance(action.nargs, int) else 1)


def _arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    # argparse has no public way to ask a parser what it takes; this one has been the same since Python 2.7.
    return [action for action in parser._actions if not action.option_strings]  # noqa: SLF001


def _options(parser: argparse.ArgumentParser, words: Mapping[str, tuple[str, ...]]) -> Iterator[Option]:
    for action in parser._actions:  # noqa: SLF001
        if action.option_strings and action.help != argparse.SUPPRESS:
            flags = tuple(action.option_strings)
            if not all(map(_FLAG.fullmatch, flags)):
                raise ValueError(f"no plain option: {flags!a:.80}")
            value = None if action.nargs == 0 else _value(action, words)
            yield Option(flags, _one_line(action.help), value)


def _value(action: argparse.Action, words: Mapping[str, tuple[str, ...]]) -> Value:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    label = metavar.lower()
    if action.choices is not None:
        return Value("words", label, _plain(map(str, action.choices)))
    known = words.get(action.dest) or words.get(metavar)
    if known:
        return Value("words", label, known)
    kind = _KINDS.get(metavar, "text")
    text = _one_line(action.help)
    if kind == "profile" and _TO_BE_MADE.search(text):
        kind = "text"
    elif kind == "profile" and "of yours" in text and "provider" not in text:
        kind = "own"
    return Value(kind, label)


def _plain(words: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(words))
    for word in found:
        if _PLAIN.fullmatch(word) is None:
            raise ValueError(f"no plain word: {word!a:.80}")
    return found


def _one_line(text: str | None) -> str:
    return " ".join((text or "").replace("%%", "%").split())
