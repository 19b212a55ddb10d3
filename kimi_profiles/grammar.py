"""Plain command lines, read without argparse, which takes as long to load and set up as most commands run.

A command says what it takes to the methods of an ``argparse.ArgumentParser``. ``Grammar`` has the same ones
and makes notes. A line in which everything is just as was said is read from the notes. Any other, one that is
wrong, abbreviated, bundled or asking for help, is not read here: then argparse decides. So nothing is read
that argparse would read otherwise.
"""

from __future__ import annotations

from types import SimpleNamespace

from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from typing import Any

__all__ = ["Grammar", "HelpShown"]


class HelpShown(Exception):  # noqa: N818 - not an error
    """Help or version was asked for, and is printed."""


@dataclass(frozen=True, slots=True)
class _Argument:
    """What was said of one argument.

    Attributes:
        name: Of the attribute that holds its value.
        is_flag: Whether it is an option without a value.
        may_lack: Whether it is a place that may be empty.
        group: Equal for options of which a line has at most one.
        is_plain: Whether it is understood here.
    """

    name: str
    is_flag: bool
    may_lack: bool
    group: object
    is_plain: bool
    choices: Container[str] | None
    convert: Callable[[str], Any] | None


class Grammar:
    """What a command takes. To be filled as an ``argparse.ArgumentParser`` is, whose methods these are."""

    def __init__(self) -> None:
        self._options: dict[str, _Argument] = {}
        self._places: list[_Argument] = []
        self._defaults: dict[str, Any] = {}

    def add_argument(self, *names: str, group: object = None, **facts: Any) -> None:
        """Note an argument."""
        is_option = names[0].startswith("-")
        longest = next((name for name in names if name.startswith("--")), names[0])
        action, nargs = facts.get("action", "store"), facts.get("nargs")
        argument = _Argument(
            name=facts.get("dest", longest.lstrip("-").replace("-", "_")),
            is_flag=action == "store_true",
            may_lack=nargs == "?",
            group=object() if group is None else group,
            is_plain=action in {"store", "store_true"} and nargs in ({None} if is_option else {None, "?"}),
            choices=facts.get("choices"),
            convert=facts.get("type"),
        )
        if action != "version":
            self._defaults[argument.name] = facts.get("default", False if argument.is_flag else None)
        if is_option:
            self._options |= dict.fromkeys(names, argument)
        else:
            self._places.append(argument)

    def add_argument_group(self, *_: object, **__: object) -> Grammar:
        """A group of arguments; how help shows them does not matter here."""
        return self

    def add_mutually_exclusive_group(self) -> _Group:
        """A group of options of which a line has at most one."""
        return _Group(self)

    def read(self, line: Sequence[str], defaults: Mapping[str, Any]) -> SimpleNamespace | None:
        """The value of each argument; ``None`` where argparse has to look at the line.

        Args:
            line: The arguments of the command.
            defaults: For arguments that the line lacks; stronger than what was noted.
        """
        try:
            return SimpleNamespace(**{**self._defaults, **defaults, **self._values(line)})
        except _NotPlainError:
            return None

    def _values(self, line: Sequence[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        groups: dict[object, _Argument] = {}
        words: list[tuple[int, str]] = []
        rest = iter(enumerate(line))
        for position, word in rest:
            if not word.startswith("-"):
                words.append((position, word))
                continue
            name, equals, value = word.partition("=")
            argument = self._options.get(name)
            if argument is None or groups.setdefault(argument.group, argument) is not argument:
                raise _NotPlainError
            if argument.is_flag and not equals:
                found[argument.name] = True
            elif argument.is_flag:
                raise _NotPlainError
            else:
                found[argument.name] = _value(argument, value if equals else next(rest, (0, "-"))[1], equals)
        return found | self._in_places(words)

    def _in_places(self, words: Sequence[tuple[int, str]]) -> dict[str, Any]:
        least = sum(not place.may_lack for place in self._places)
        if not least <= len(words) <= len(self._places):
            raise _NotPlainError
        # With options between them argparse gives them to places that may be empty in its own way.
        if least < len(self._places) and words and words[-1][0] - words[0][0] >= len(words):
            raise _NotPlainError
        return {
            place.name: _value(place, word) for place, (_, word) in zip(self._places, words, strict=False)
        }


class _Group:
    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar

    def add_argument(self, *names: str, **facts: Any) -> None:
        self._grammar.add_argument(*names, group=self, **facts)


class _NotPlainError(Exception):
    pass


def _value(argument: _Argument, text: str, equals: str = "") -> Any:
    if not argument.is_plain or (text.startswith("-") and not equals):
        raise _NotPlainError
    try:
        value = text if argument.convert is None else argument.convert(text)
    except Exception:  # noqa: BLE001 - argparse tells of it
        raise _NotPlainError from None
    if argument.choices is not None and value not in argument.choices:
        raise _NotPlainError
    return value
