"""A pasted text, as guides and chats have it: settings JSON, a part of one, or lines for any shell.

Nothing is evaluated. Prose, fences, prompts, list marks and comments around it are passed over.
"""

from __future__ import annotations

import bisect
import itertools
import json
import re
from typing import NamedTuple

from kimi_profiles.errors import InvalidError
from kimi_profiles.importing.credential import is_placeholder
from kimi_profiles.importing.found import Found, LeftOut, Value, as_text, from_settings
from kimi_profiles.jsontext import JsonTextError, join_pointer
from kimi_profiles.jsontext.document import Document
from kimi_profiles.secrets import is_secret_name
from kimi_profiles.shellrc import read_assignments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

__all__ = ["read_pasted"]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE = r"[A-Z][A-Z0-9_]*"
_OURS = re.compile(r"ANTHROPIC_[A-Z]|CLAUDE_CODE_[A-Z]")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_LEAD = re.compile(
    r"\s*(?:>\s+)?(?:[-*+]\s+|\d{1,3}[.)]\s+)?"
    r"(?:PS[^>\n]{0,200}>\s*|[A-Za-z]:\\[^>\n]{0,200}>\s*|(?:[➜\u276f]|[$%])(?:\s+~)?\s+)?"
)
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "\u2018": "'", "\u2019": "'", "\u00a0": " "})
_ECHO = re.compile(r"echo\s+(['\"])(.*)\1\s*>>?\s*\S+\s*")
_FRAGMENT = re.compile(rf'(\s*"({_VARIABLE})"\s*:\s*)(.*)')
_LANGUAGES = {
    "powershell": re.compile(
        r"(?i)\$(?:\{env:|env:)|(?:\[void\]\s*)?\[(?:System\.)?Environment\]::|(?:Set-Item|New-Item|Set-Content)\s"
    ),
    "cmd": re.compile(rf'(?i)@?set\s+"?{_NAME}=|@?setx\s'),
    "fish": re.compile(rf"set\s+(?:-{{1,2}}[a-zA-Z]|{_VARIABLE}\s)|setenv\s"),
    "bash": re.compile(rf"(?:export|declare|typeset|readonly)\s|(?:env\s+)?{_VARIABLE}="),
}
_CONTINUES = {"powershell": "`", "cmd": "^", "fish": "\\", "bash": "\\"}
_CMD = (
    re.compile(rf'(?i)@?set\s+"({_NAME})=([^"]*)"\s*'),
    re.compile(rf"(?i)@?set\s+({_NAME})=(.*)"),
    re.compile(rf'(?i)@?setx\s+(?:/m\s+)?({_NAME})\s+("[^"]*"|\S+)(?:\s+/m)?\s*'),
)
_NOT_READ = {"customApiUrl": "Claude Code reads no such key"}
_QUOTE_IT = 'in JSON a text stands in quotation marks: "…"'
_MOST_BROKEN = 1_000  # objects; to find the end of one takes time
_MOST_PLACES = 100  # in one object; to find one takes time
_RUNS = "only running it could tell its value"


class _Said(NamedTuple):
    """A variable that a text sets.

    Attributes:
        name: The variable.
        text: Its value; ``None`` where it cannot be told.
        line: From 1.
        column: From 1.
    """

    name: str
    text: str | None
    line: int
    column: int


def read_pasted(text: str, origin: str) -> Found:
    """What ``text`` says.

    Args:
        text: Any text. The same variable may be set more than once, to the same value.
        origin: The file, or what to call it, for the sources and for errors.

    Raises:
        InvalidError: JSON with variables of Claude Code in it is not JSON, or a variable is set to two
            different values; line and column say where.
    """
    lines = [line.rstrip("\r") for line in text.removeprefix("\ufeff").split("\n")]
    settings: dict[str, Any] = {}
    left_out: list[LeftOut] = []
    said: dict[str, _Said] = {}
    for one in _said(lines, origin, settings, left_out):
        if one.text is None:
            left_out.append(LeftOut(one.name, _RUNS))
        elif one.name not in said or _is_better(one, said[one.name]):
            said[one.name] = one
        elif _differs(one, said[one.name]):
            raise InvalidError(
                f"{one.name} is something else here than in line {said[one.name].line}",
                hint="take only the part of the text that you want",
                path=origin,
                line=one.line,
                column=one.column,
            )
    variables = {
        one.name: Value(one.text, f"{origin}:{one.line}") for one in said.values() if one.text is not None
    }
    return Found(variables, settings, origin, tuple(left_out))


def _is_better(one: _Said, other: _Said) -> bool:
    """A token is better than words that stand for one."""
    return (
        is_secret_name(one.name) and is_placeholder(other.text or "") and not is_placeholder(one.text or "")
    )


def _differs(one: _Said, other: _Said) -> bool:
    if is_secret_name(one.name) and is_placeholder(one.text or ""):
        return False
    return (one.text or "").rstrip("/") != (other.text or "").rstrip("/")


def _said(
    lines: list[str], origin: str, settings: dict[str, Any], left_out: list[LeftOut]
) -> Iterator[_Said]:
    objects, at = _Objects(lines, origin), 0
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith("{"):
            count, document = objects.read(at)
            yield from _from_object(document, at, lines[at : at + count], settings, left_out)
            at += count
            continue
        fragment = _FRAGMENT.fullmatch(line)
        if fragment:
            yield _from_fragment(fragment, at + 1, origin)
            at += 1
            continue
        count = _statement_length(lines, at)
        yield from _from_statement("\n".join(lines[at : at + count]), at + 1)
        at += count


# ---- JSON


class _Objects:
    """The JSON objects in a text, each read where it begins: pasted text may hold very many of them."""

    def __init__(self, lines: list[str], origin: str) -> None:
        self._lines = lines
        self._origin = origin
        self._text = "\n".join(lines)
        self._starts = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))
        self._fences = [number for number, line in enumerate(lines) if _FENCE.match(line)]
        self._broken = 0

    def read(self, at: int) -> tuple[int, Mapping[str, Any]]:
        """How many lines the object takes that begins in line ``at``, and it; an empty one if it is none."""
        line = self._lines[at]
        start = self._starts[at] + len(line) - len(line.lstrip())
        try:
            document, stop = json.JSONDecoder().raw_decode(self._text, start)
        except (ValueError, RecursionError) as error:
            return self._pass_over(at, error), {}
        return self._text.count("\n", start, stop) + 1, document

    def _pass_over(self, at: int, error: ValueError | RecursionError) -> int:
        self._broken += 1
        if self._broken > _MOST_BROKEN:
            raise InvalidError(
                f"more than {_MOST_BROKEN:,} things in braces are not JSON",
                hint="take only the part of the text that you want",
                path=self._origin,
                line=at + 1,
            )
        place = bisect.bisect(self._fences, at)
        end = self._fences[place] if place < len(self._fences) else len(self._lines)
        end = next((n + 1 for n in range(at, end) if self._lines[n].startswith("}")), end)
        _check_foreign("\n".join(self._lines[at:end]), at, self._origin, error)
        return end - at


def _check_foreign(text: str, at: int, origin: str, error: ValueError | RecursionError) -> None:
    """Pass over what is not JSON, unless it speaks of Claude Code."""
    if _OURS.search(text) is None:
        return
    try:
        Document(text)
    except JsonTextError as fault:
        message, line, column = fault.message, fault.line or 1, fault.column
    else:
        message, line, column = (
            "this is not JSON",
            getattr(error, "lineno", at + 1) - at,
            getattr(error, "colno", 1),
        )
    raise InvalidError(
        message,
        hint=_QUOTE_IT if message == "expected a value" else None,
        path=origin,
        line=at + line,
        column=column,
    )


def _from_object(
    document: Mapping[str, Any], at: int, lines: list[str], settings: dict[str, Any], left_out: list[LeftOut]
) -> Iterator[_Said]:
    where: tuple[str, ...] = ("env",)
    listed = document.get("claudeCode.environmentVariables")  # of VS Code's settings
    if isinstance(listed, list):
        pairs = [entry for entry in listed if isinstance(entry, dict)]
        env = {entry["name"]: entry.get("value") for entry in pairs if isinstance(entry.get("name"), str)}
        document, where = {"env": env}, ("claudeCode.environmentVariables",)
    elif not isinstance(document.get("env"), dict):
        left_out += [LeftOut(name, why) for name, why in _NOT_READ.items() if name in document]
        if not any(_OURS.match(name) for name in document):
            return
        document, where = {"env": document}, ()
    variables, others = from_settings(document, "")
    settings.update(others)
    sought = itertools.islice(variables, _MOST_PLACES)
    places = _places("\n".join(lines), [(name, _pointer(name, where)) for name in sought])
    for name, value in variables.items():
        line, column = places.get(name, (1, 1))
        yield _Said(name, value.text, at + line, column)


def _pointer(name: str, where: tuple[str, ...]) -> str:
    if where == ("env",) and name in {"model", "apiKeyHelper"}:
        return join_pointer(name)
    return join_pointer(*where, name) if where in {(), ("env",)} else join_pointer(*where)


def _places(text: str, pointers: Iterable[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    try:
        stop = json.JSONDecoder().raw_decode(text, len(text) - len(text.lstrip()))[1]
        document = Document(text[:stop])
    except ValueError:  # Python's reader takes a little more than ours
        return {}
    return {name: document.place(pointer) for name, pointer in pointers}


def _from_fragment(fragment: re.Match[str], line: int, origin: str) -> _Said:
    name, raw, column = fragment[2], fragment[3].rstrip(" \t,"), len(fragment[1]) + 1
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, str | int | float):
        raise InvalidError(
            f"what follows {name} is no value of JSON's",
            hint=_QUOTE_IT,
            path=origin,
            line=line,
            column=column,
        )
    return _Said(name, as_text(value), line, column)


# ---- lines for a shell


def _statement(line: str) -> tuple[str, int]:
    """A line without what guides put before it, and how many characters that was."""
    found = _LEAD.match(line)
    start = found.end() if found else 0
    text = line[start:].translate(_QUOTES)
    if text.startswith("`") and text.rstrip().endswith("`"):
        return text.strip()[1:-1], start + 1
    return text, start


def _statement_length(lines: list[str], at: int) -> int:
    language = _language(_statement(lines[at])[0])
    count = 1
    while language and lines[at + count - 1].endswith(_CONTINUES[language]) and at + count < len(lines):
        count += 1
    return count


def _language(text: str) -> str | None:
    return next((name for name, begins in _LANGUAGES.items() if begins.match(text)), None)


def _from_statement(text: str, line: int) -> Iterator[_Said]:
    statement, column = _statement(text)
    echoed = _ECHO.fullmatch(statement)
    if echoed:
        statement = echoed[2].replace('\\"', '"')
    language = _language(statement)
    if language == "cmd":
        for part in statement.replace("^\n", " ").split("&"):
            found = next(filter(None, (pattern.fullmatch(part.strip()) for pattern in _CMD)), None)
            if found:
                yield _Said(found[1], found[2].strip().strip('"'), line, column + 1)
    elif language:
        statement = re.sub(r"env\s+(?=[A-Z])", "", statement, count=1) if language == "bash" else statement
        for one in read_assignments(statement, language):
            if one.text != "" or language != "bash":
                yield _Said(one.name, one.text, line + one.line - 1, column + 1)
