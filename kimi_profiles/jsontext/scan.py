"""From JSON text to the places of an object's or a list's members.

Only the container asked for is walked in Python. Each member's value is passed over by the C scanner of
``json``, which checks every byte of it but builds nothing, so a document costs less than ``json.loads``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from kimi_profiles.errors import TargetInvalidError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Container", "JsonTextError", "Member", "refuse_constant", "scan_container", "scan_root"]

BOM = "\ufeff"
_TRAILING_COMMA = "a comma behind the last member is not JSON"
_FOREIGN = {
    "/": "comments are not JSON",
    "#": "comments are not JSON",
    "'": "strings take double quotes in JSON",
}
_space = re.compile(r"[ \t\n\r]*").match
_comma = re.compile(r"[ \t\n\r]*,[ \t\n\r]*").match
_plain_head = re.compile(r'"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*').match
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN', re.DOTALL)


class JsonTextError(TargetInvalidError):
    """The text is not strict JSON (RFC 8259); ``line`` and ``column`` say where."""


class Member(NamedTuple):
    """One member of a container; offsets count characters of the whole document.

    In a list, ``key`` is empty and ``start`` equals ``value_start``.
    """

    key: str
    start: int
    key_end: int
    value_start: int
    value_end: int


@dataclass(frozen=True, slots=True)
class Container:
    """An object or a list: ``start`` is its opening bracket, ``end`` lies behind its closing one."""

    kind: str
    start: int
    end: int
    members: tuple[Member, ...]


class _ConstantError(ValueError):
    pass


def refuse_constant(name: str) -> NoReturn:
    """For ``parse_constant``: NaN and the infinities are not JSON."""
    msg = f"{name} is not JSON"
    raise _ConstantError(msg)


_skip_value = json.JSONDecoder(
    object_pairs_hook=len, parse_int=len, parse_float=len, parse_constant=refuse_constant
).raw_decode
_read_string = json.JSONDecoder().raw_decode


def scan_root(text: str) -> tuple[int, Container | None]:
    """Check the whole document; where its one value begins, and its members if it is a container.

    Returns:
        ``(start, container)``; ``start == len(text)`` where the text is empty but for white space and a byte
        order mark.

    Raises:
        JsonTextError: Not strict JSON, or something follows the value.
    """
    start = _skip_space(text, 1 if text.startswith(BOM) else 0)
    if start == len(text):
        return start, None
    container = scan_container(text, start)
    rest = _skip_space(text, container.end if container else _end_of_value(text, start))
    if rest != len(text):
        raise _error(text, rest, "there is more text behind the end of the JSON value")
    return start, container


def scan_container(text: str, start: int) -> Container | None:
    """The container whose opening bracket stands at ``start``, or ``None`` if a scalar stands there.

    Raises:
        JsonTextError: Its text is not strict JSON.
    """
    opening = text[start]
    if opening not in "{[":
        return None
    closing = "}" if opening == "{" else "]"
    scan = _scan_member if opening == "{" else _scan_element
    members: list[Member] = []
    here = _skip_space(text, start + 1)
    if text[here : here + 1] == closing:
        return Container(opening, start, here + 1, ())
    while True:
        member = scan(text, here)
        members.append(member)
        comma = _comma(text, member.value_end)
        if comma is None:
            break
        here = comma.end()
    here = _skip_space(text, members[-1].value_end)
    if text[here : here + 1] != closing:
        raise _error(text, here, f"expected ',' or '{closing}'")
    return Container(opening, start, here + 1, tuple(members))


def _scan_member(text: str, here: int) -> Member:
    head = _plain_head(text, here)
    if head is not None:
        value_start = head.end()
        return Member(head[1], here, head.end(1) + 1, value_start, _end_of_value(text, value_start))
    if text[here : here + 1] != '"':
        raise _error(text, here, "expected a key in double quotes")
    key, key_end = _decode(_read_string, text, here)
    colon = _skip_space(text, key_end)
    if text[colon : colon + 1] != ":":
        raise _error(text, colon, "expected ':' behind the key")
    value_start = _skip_space(text, colon + 1)
    return Member(str(key), here, key_end, value_start, _end_of_value(text, value_start))


def _scan_element(text: str, here: int) -> Member:
    return Member("", here, here, here, _end_of_value(text, here))


def _skip_space(text: str, here: int) -> int:
    match = _space(text, here)
    return match.end() if match else here


def _end_of_value(text: str, start: int) -> int:
    return _decode(_skip_value, text, start)[1]


def _decode(decode: Callable[[str, int], tuple[object, int]], text: str, start: int) -> tuple[object, int]:
    try:
        return decode(text, start)
    except json.JSONDecodeError as error:
        raise _error(text, *_explain(text, error)) from None
    except _ConstantError as error:
        raise _error(text, _find_constant(text, start), str(error)) from None
    except RecursionError:
        raise _error(text, start, "this value is nested too deeply") from None


def _find_constant(text: str, start: int) -> int:
    for match in _TOKEN.finditer(text, start):
        if not match[0].startswith('"'):
            return match.start()
    return start


def _explain(text: str, error: json.JSONDecodeError) -> tuple[int, str]:
    """Position and reason in the words of a person who edits by hand."""
    here = _skip_space(text, error.pos)
    if here >= len(text):
        return here, "the text ends in the middle of a value"
    if text[here] in _FOREIGN:
        return here, _FOREIGN[text[here]]
    if error.msg.startswith("Illegal trailing comma"):  # Python 3.13 points at the comma itself
        return error.pos, _TRAILING_COMMA
    return error.pos, error.msg[:1].lower() + error.msg[1:]


def _error(text: str, position: int, reason: str) -> JsonTextError:
    here = _skip_space(text, position)
    if text[here : here + 1] in {"]", "}"} and text[:here].rstrip().endswith(","):
        position, reason = text.rindex(",", 0, here), _TRAILING_COMMA
    if reason.startswith("expected") and text[here : here + 1] in _FOREIGN:
        position, reason = here, _FOREIGN[text[here]]
    line_start = text.rfind("\n", 0, position) + 1
    offset = 1 if line_start == 0 and text.startswith(BOM) else 0
    return JsonTextError(
        reason,
        hint="Claude Code ignores the whole file while it is not strict JSON; repair it, then run this again",
        line=text.count("\n", 0, position) + 1,
        column=position - line_start + 1 - offset,
    )
