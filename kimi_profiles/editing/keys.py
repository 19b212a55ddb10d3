"""Which keys a profile can have, and what a word of the command line means as the value of one."""

from __future__ import annotations

import datetime as dt
import re
import shlex
import tomllib
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from kimi_profiles.catalogue import nearest
from kimi_profiles.declaration import AuthTable, ModelsTable, ProfileTable, TokenTable
from kimi_profiles.errors import UsageError
from kimi_profiles.secrets import holds_token
from kimi_profiles.tomltext import parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from kimi_profiles.editing.splicing import Key

__all__ = ["TokenGivenError", "as_command", "known_keys", "read_assignment", "read_key"]

_MAX_CHARACTERS = 16384
_TABLES: dict[str, type[BaseModel]] = {"auth": AuthTable, "models": ModelsTable, "auth.token": TokenTable}
_NUMBER = re.compile(r"[0-9](_?[0-9]){0,18}")
_REFERENCE = re.compile(r"(env|file|command|keyring)=(.+)", re.DOTALL)
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_MUST_BE = {bool: "true or false", int: "a whole number"}


class TokenGivenError(UsageError):
    """A token was given where only a reference to one belongs: other users see command lines."""


def known_keys() -> Iterator[str]:
    """Every key of a profile, dotted; of ``env`` and ``settings``, whose keys are free, these two."""
    for name in ProfileTable.model_fields:
        yield name
        if name in _TABLES:
            yield from (f"{name}.{below}" for below in _TABLES[name].model_fields)
    yield from (f"auth.token.{below}" for below in TokenTable.model_fields)


def read_key(text: str) -> Key:
    """The parts of a dotted key such as ``models.haiku``, ``env.NAME`` or ``settings."a.b"``.

    Raises:
        UsageError: It is none, or a profile has no such key; the hint names the nearest one.
    """
    if holds_token(text):
        raise TokenGivenError("a token was given in the place of a key")
    key = parse_key(text)
    if key is None:
        hint = 'a key is words between dots, like models.haiku; others are quoted: settings."a.b"'
        raise UsageError(f"{text!a:.80} is not a key", hint=hint)
    if key[0] in {"env", "settings"}:
        if key[0] == "env" and len(key) > 2:  # noqa: PLR2004 - env.NAME
            raise UsageError(f"{text!a:.80}: a variable holds text and has no keys", hint="env.NAME")
        return key
    if ".".join(key) not in set(known_keys()):
        raise UsageError(f"a profile has no key {text!a:.80}", hint=_hint(key))
    return key


def read_assignment(key: Key, text: str) -> tuple[Key, Any]:
    """What setting ``key`` to ``text`` means.

    Args:
        key: As :func:`read_key` gives it.
        text: Text as it is, ``true`` and ``false``, digits, or for a command a list in TOML or a line as for
            a shell, whichever ``key`` takes. For ``settings`` a value in TOML if it is one, else text. For a
            whole table a table in TOML; for ``auth.token`` also ``env=NAME``, ``file=PATH``,
            ``command=LINE`` or ``keyring=SERVICE``.

    Returns:
        The key, in the last case a longer one, and the value. Whether the profile is valid with it is not
        looked at.

    Raises:
        TokenGivenError: ``text`` is, or holds, a token.
        UsageError: It is no value for this key.
    """
    if holds_token(text):
        raise TokenGivenError("this value looks like a token, which does not belong in the file")
    if len(text) > _MAX_CHARACTERS:
        raise UsageError(f"{'.'.join(key)} takes at most {_MAX_CHARACTERS:,} characters")
    kind = _kind(key)
    if key == ("auth", "token"):
        match = _REFERENCE.fullmatch(text)
        if match is not None:
            return read_assignment((*key, match[1]), match[2])
        if not text.lstrip().startswith("{"):
            raise TokenGivenError("a token itself does not belong in the file, only where it is")
    if kind is Any:
        value = _toml(text)
        return key, text if value is None else value
    return key, _value(key, kind, text)


def as_command(text: str) -> list[str]:
    """A program and its arguments, from a list in TOML or a line as for a shell.

    Raises:
        UsageError: It is neither.
    """
    value = _toml(text) if text.lstrip().startswith("[") else None
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return value
    try:
        return shlex.split(text)
    except ValueError:
        raise UsageError("a quotation mark in the command is not closed") from None


def _value(key: Key, kind: object, text: str) -> Any:
    name = ".".join(key)
    if kind is str:
        return text
    if kind is list:
        return as_command(text)
    if kind is bool and text in {"true", "false"}:
        return text == "true"
    if kind is int and _NUMBER.fullmatch(text):
        return int(text)
    if kind in _MUST_BE:
        raise UsageError(f"{name} takes {_MUST_BE[kind]}")
    value = _toml(text)
    if isinstance(value, dict):
        return value
    below = nearest(name, (known for known in known_keys() if known.startswith(f"{name}.")))
    raise UsageError(f"{name} is a table", hint=f"set a key of it, such as {below or f'{name}.NAME'}")


def _kind(key: Key) -> object:
    """``str``, ``bool``, ``int`` or ``list``; ``dict`` for a table, ``Any`` where everything may stand."""
    if key[0] == "env":
        return str if key[1:] else dict
    if key[0] == "settings":
        return Any if key[1:] else dict
    table: type[BaseModel] = _TABLES.get(".".join(key[:-1]), ProfileTable)
    return _leaf(table.model_fields[key[-1]].annotation)


def _leaf(annotation: Any) -> object:
    """The first type in ``annotation`` that is one of ours."""
    origin = get_origin(annotation)
    if origin is Literal:
        return str
    if origin in {list, dict}:
        return origin
    if origin is Annotated:
        return _leaf(get_args(annotation)[0])
    if origin is not None:
        return next(_leaf(each) for each in get_args(annotation) if each is not NoneType)
    return annotation if annotation in {str, bool, int} else dict


def _toml(text: str) -> Any:
    """``text`` as a value of TOML; ``None`` if it is none that JSON can have too."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return None
    is_date = isinstance(document["value"], dt.date | dt.time)
    return None if is_date or document.keys() != {"value"} else document["value"]


def _hint(key: Key) -> str:
    named = ".".join(key)
    if _VARIABLE.fullmatch(key[-1]):
        return f"did you mean env.{key[-1]}?"
    by_end = [known for known in known_keys() if known.rpartition(".")[2] == key[-1]]
    near = by_end[0] if by_end else nearest(named, known_keys())
    if near:
        return f"did you mean {near}?"
    return "keys: " + ", ".join(ProfileTable.model_fields) + "; what is Claude Code's goes under settings"
