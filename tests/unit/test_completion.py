"""What the parsers take is what the scripts know; they hold plain words only, and evaluate nothing."""

from __future__ import annotations

import argparse
import re

import pytest

from kimi_profiles.arguments import COMMANDS, all_parsers
from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.completion import SCRIPTS, Command, CommandLine, Option, Value, describe
from kimi_profiles.editing.keys import known_keys

# Nothing can be offered for these. Whoever invents another name decides whether it belongs here.
FREE = {
    *(
        "ID",
        "N",
        "X",
        "SECONDS",
        "VALUE",
        "NEW",
        "VAR",
        "VARIABLE",
        "URL",
        "MODEL",
        "TEXT",
        "SERVICE",
        "COMMAND",
    ),
    *("ENTRY", "LINE"),
}


def real_line() -> CommandLine:
    parsers = all_parsers()
    return describe(
        parsers.common,
        parsers.commands,
        hands_on=parsers.hands_on,
        providers=read_catalogue().providers,
        keys=known_keys(),
    )


LINE = real_line()
ALL = {command.name: command for command in LINE.commands}


def one(*arguments: object, **options: object) -> Command:
    """A command whose parser takes one argument."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(*arguments, **options)  # type: ignore[arg-type]
    common = argparse.ArgumentParser(add_help=False)
    line = describe(common, {"go": ("goes", parser)}, hands_on=(), providers=["a", "b"], keys=["x.y"])
    (command,) = line.commands
    return command


ARGUMENTS: dict[str, tuple[dict[str, object], Value]] = {
    "a profile": ({"metavar": "NAME", "help": "a profile of yours, or a provider"}, Value("profile", "name")),
    "one of one's own": ({"metavar": "OLD", "help": "a profile of yours"}, Value("own", "old")),
    "one to be made": ({"metavar": "NAME", "help": "the name of the new profile"}, Value("text", "name")),
    "a file": ({"metavar": "FILE"}, Value("file", "file")),
    "a folder": ({"metavar": "DIR"}, Value("folder", "dir")),
    "a key": ({"metavar": "KEY"}, Value("words", "key", ("x.y",))),
    "a choice": ({"metavar": "NAME", "choices": ["a-b", "c.d"]}, Value("words", "name", ("a-b", "c.d"))),
    "numbers to choose from": ({"choices": [1, 2]}, Value("words", "thing", ("1", "2"))),
    "free text": ({"metavar": "VALUE"}, Value("text", "value")),
    "no metavar": ({}, Value("text", "thing")),
}


@pytest.mark.parametrize(("options", "value"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_an_argument(options: dict[str, object], value: Value) -> None:
    assert one("thing", **options) == Command("go", "goes", (), (value,))


OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, object], Option]] = {
    "a flag": (
        ("--yes", "-y"),
        {"action": "store_true", "help": "100%% of\n it"},
        Option(("--yes", "-y"), "100% of it"),
    ),
    "with a value": (("--way",), {"metavar": "FILE"}, Option(("--way",), "", Value("file", "file"))),
    "a provider": (
        ("--provider",),
        {"metavar": "NAME"},
        Option(("--provider",), "", Value("words", "name", ("a", "b"))),
    ),
    "a parent": (
        ("--extends",),
        {"metavar": "PARENT"},
        Option(("--extends",), "", Value("profile", "parent")),
    ),
    "a value that may be left out": (
        ("--way",),
        {"nargs": "?", "metavar": "DIR"},
        Option(("--way",), "", Value("folder", "dir")),
    ),
}


@pytest.mark.parametrize(("flags", "options", "expected"), OPTIONS.values(), ids=OPTIONS)
def test_an_option(flags: tuple[str, ...], options: dict[str, object], expected: Option) -> None:
    assert one(*flags, **options) == Command("go", "goes", (expected,))


def test_a_hidden_option_stays_hidden() -> None:
    assert one("--secret", help=argparse.SUPPRESS).options == ()


@pytest.mark.parametrize(
    ("count", "number", "repeats"), [("*", 1, True), ("+", 1, True), (2, 2, False), ("?", 1, False)]
)
def test_how_many(count: str | int, number: int, *, repeats: bool) -> None:
    command = one("files", metavar="FILE", nargs=count)
    assert (len(command.values), command.repeats, command.passes_on) == (number, repeats, False)


NOT_PLAIN = [
    "$(touch pwned)",
    "a b",
    "",
    "-x",
    "a'b",
    "a`b",
    "a;b",
    "é",
    "a\nb",
    "*",
    "~",
    "{a,b}",
    "a|b",
    "a:b",
]


@pytest.mark.parametrize("word", NOT_PLAIN)
def test_a_word_that_a_shell_would_not_take_as_it_is(word: str) -> None:
    parser = argparse.ArgumentParser(add_help=False)
    rest = {"hands_on": (), "providers": [], "keys": []}
    with pytest.raises(ValueError, match="no plain word"):
        one("thing", choices=[word])
    with pytest.raises(ValueError, match="no plain word"):
        describe(parser, {word: ("", parser)}, **rest)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no plain word"):
        describe(parser, {}, **{**rest, "providers": [word]})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no plain option"):
        one(f"--{word}!", action="store_true")


# ---- the real parsers


def test_every_command_is_there_with_its_options() -> None:
    assert list(ALL) == list(COMMANDS)
    assert [command.summary for command in LINE.commands] == list(COMMANDS.values())
    assert ("--dry-run",) in {option.flags for option in ALL["apply"].options}
    common = {flag for option in LINE.options for flag in option.flags}
    assert {"--store", "--home", "--json", "-q", "--help", "--version"} <= common
    for command in LINE.commands:
        assert common.isdisjoint(flag for option in command.options for flag in option.flags)


def test_what_the_arguments_of_commands_are() -> None:
    assert ALL["apply"].values == (Value("profile", "name"),)
    assert [value.kind for value in ALL["rename"].values] == ["own", "text"]
    assert [value.kind for value in ALL["set"].values] == ["profile", "words", "text"]
    assert ALL["add"].values[0].kind == "text"
    assert ALL["validate"].values == (Value("file", "file"),)
    assert ALL["completion"].values[0].words == tuple(SCRIPTS)
    assert "restore" in ALL["backups"].values[0].words
    assert (ALL["run"].passes_on, ALL["run"].repeats, len(ALL["run"].values)) == (True, True, 2)
    assert [command.name for command in LINE.commands if command.passes_on] == ["run"]


def test_every_argument_has_a_kind() -> None:
    values = [value for command in LINE.commands for value in command.values]
    values += [option.value for _, option in LINE.all_options() if option.value is not None]
    free = {value.label.upper() for value in values if value.kind == "text"}
    assert free - {"NAME"} <= FREE


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_knows_all_of_it(shell: str) -> None:
    script = SCRIPTS[shell](LINE)
    assert not re.search(r"@[a-z]+@", script)
    assert script.endswith("\n")
    for command in LINE.commands:
        assert re.search(rf"\b{command.name}\b", script)
    for _, option in LINE.all_options():
        for flag in option.flags:
            spelled = f"-l {flag[2:]}" if shell == "fish" and flag.startswith("--") else flag[1:]
            assert spelled in script


@pytest.mark.parametrize("shell", SCRIPTS)
def test_a_script_evaluates_nothing(shell: str) -> None:
    script = SCRIPTS[shell](LINE)
    code = "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("#"))
    assert not re.search(r"\beval\b|compgen -W|Invoke-Expression|\biex\b|\$\{\(e\)", code)


def literals(script: str) -> tuple[list[str], str]:
    """The single-quoted strings of a PowerShell script, and what is left without them and its comments."""
    pattern = re.compile(r"'((?:[^']|'')*)'|(\"[^\"]*\")|(#[^\n]*)")
    return [found[1] for found in pattern.finditer(script) if found[1] is not None], pattern.sub("''", script)


def test_the_script_for_powershell_is_ascii_and_balanced() -> None:
    script = SCRIPTS["powershell"](LINE)
    assert script.isascii()
    _, code = literals(script)
    opened = []
    for char in code:
        if char in "({[":
            opened.append(char)
        elif char in ")}]":
            assert opened.pop() + char in {"()", "{}", "[]"}
    assert opened == []


def test_a_description_for_powershell_stays_a_string() -> None:
    nasty = "it's \u2019 \u2018a\u201b … → $(calc) `n"
    line = CommandLine((Option(("--way",), nasty),), (Command("go", nasty),))
    strings, _ = literals(SCRIPTS["powershell"](line))
    assert strings.count("it''s ? ?a? ... -> $(calc) `n") == 2
