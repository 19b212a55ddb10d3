"""JSON values as text, and as a text that is the same for equal values."""

from __future__ import annotations

import json
import re
from typing import Any

from kimi_profiles.jsontext.scan import refuse_constant

__all__ = ["canonical", "dumps", "loads"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,18}))?")


class _Number(str):
    """A number literal in normal form; a class of its own so that it is no JSON string."""

    __slots__ = ()


def dumps(value: object, *, indent: str | None = None, colon: str = ": ", comma: str = ", ") -> str:
    """``value`` as JSON text, non-ASCII characters as themselves.

    Args:
        value: Any JSON value of Python's ``json``; NaN and infinities are refused.
        indent: White space for each level, or ``None`` for one line.
        colon: What stands between a key and its value.
        comma: What stands between two members on one line.

    Raises:
        ValueError: A number is not finite.
    """
    text = json.dumps(
        value,
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        separators=("," if indent is not None else comma, colon),
    )
    # A lone surrogate has no UTF-8 form; as an escape every reader gets it back.
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def loads(raw: str) -> Any:
    """The value of ``raw``; the last of duplicate keys wins, as for every reader of these files.

    Raises:
        ValueError: ``raw`` is not strict JSON, or holds an integer of more digits than Python converts.
    """
    return json.loads(raw, parse_constant=refuse_constant)


def canonical(raw: str) -> str:
    """A text that is equal for two JSON texts exactly if they mean the same value.

    Order of keys, white space, escapes and the spelling of numbers (``1.0``, ``1``, ``10e-1``) make no
    difference; numbers are compared exactly, at any length.

    Raises:
        ValueError: ``raw`` is not strict JSON.
    """
    value = json.loads(
        raw, parse_int=_normal_number, parse_float=_normal_number, parse_constant=refuse_constant
    )
    return _canonical(value)


def _canonical(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    return json.dumps(value)


def _normal_number(literal: str) -> _Number:
    match = _NUMBER.fullmatch(literal)
    if match is None:  # an exponent of more than 18 digits: equal only to itself
        return _Number(literal.lower())
    sign, whole, fraction, exponent = match.group(1), match.group(2), match.group(3) or "", match.group(4)
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return _Number("0")
    significant = digits.rstrip("0")
    power = int(exponent or "0") - len(fraction) + len(digits) - len(significant)
    return _Number(f"{sign}{significant}e{power}")
