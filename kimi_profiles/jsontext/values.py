"""JSON values as text, and as a text that is the same for equal values."""

from __future__ import annotations

import json

from kimi_profiles.jsontext.strict import MAX_DEPTH, refuse_constant
from kimi_profiles.patterns import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    _T = TypeVar("_T")

__all__ = ["canonical", "dumps", "escape_surrogates", "loads"]

_LONE_SURROGATE = pattern("[\ud800-\udfff]")
_INT_DIGITS = 20
_WORDS = {"true", "false", "null"}
_NUMBER = pattern(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?)0*(\d+))?")


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
        ValueError: A number is not finite, or an integer has more digits than Python converts.
    """
    return escape_surrogates(
        json.dumps(
            value,
            ensure_ascii=False,
            allow_nan=False,
            indent=indent,
            separators=("," if indent is not None else comma, colon),
        )
    )


def escape_surrogates(text: str) -> str:
    """JSON ``text`` that can be encoded: a lone surrogate has no UTF-8 form, its escape means the same."""
    return text if text.isascii() else _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def loads(raw: str) -> Any:
    """The value of ``raw``; the last of duplicate keys wins, as for every reader of these files.

    An integer of more digits than Python converts (4,300) stays text.

    Raises:
        ValueError: ``raw`` is not strict JSON; a ``JsonTextError`` says where.
    """
    return _read(_load, raw)


def _integer(literal: str) -> int | str:
    try:
        return int(literal)
    except ValueError:
        return literal


def canonical(raw: str) -> str:
    """A text that is equal for two JSON texts exactly if they mean the same value.

    Order of keys, white space, escapes and the spelling of numbers (``1.0``, ``1``, ``10e-1``) make no
    difference; numbers are compared exactly, at any length. The text is itself JSON.

    Raises:
        ValueError: ``raw`` is not strict JSON; a ``JsonTextError`` says where.
    """
    return raw if _is_canonical(raw) else _read(_canonical_text, raw)


def _is_canonical(raw: str) -> bool:
    """Whether it obviously is, as most values are: a word, or a string of plain characters."""
    is_plain = raw.isascii() and raw.isprintable() and "\\" not in raw
    return raw in _WORDS or (raw[:1] == '"' == raw[-1:] and raw.count('"') == 2 and is_plain)  # noqa: PLR2004


def _read(read: Callable[[str], _T], raw: str) -> _T:
    if raw.count("[") + raw.count("{") > MAX_DEPTH:
        _check(raw)  # Python versions give up at different depths
    try:
        return read(raw)
    except ValueError as error:
        reason = error
    _check(raw)  # says what is wrong, and where
    raise reason


def _check(raw: str) -> None:
    from kimi_profiles.jsontext.narrow import narrow
    from kimi_profiles.jsontext.scan import scan_root

    scan_root(narrow(raw))


def _canonical_text(raw: str) -> str:
    return _canonical(_load_exactly(raw))


def _canonical(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    return json.dumps(value)


def _normal_number(literal: str) -> _Number:
    sign, whole, fraction, direction, exponent = _NUMBER.findall(literal)[0]
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return _Number("0")
    significant = digits.rstrip("0")
    power = _add(f"{direction}{exponent or 0}", len(digits) - len(significant) - len(fraction))
    return _Number(f"{sign}{significant}e{power}")


def _add(literal: str, summand: int) -> str:
    """The sum in decimal digits, at any length: ``int`` refuses to convert more than a few thousand."""
    if len(literal) <= _INT_DIGITS:
        return str(int(literal) + summand)
    from decimal import MAX_EMAX, Context, Decimal

    return str(Context(prec=len(literal) + 1, Emax=MAX_EMAX).add(Decimal(literal), summand))


_load = json.JSONDecoder(parse_int=_integer, parse_constant=refuse_constant).decode
_load_exactly = json.JSONDecoder(
    parse_int=_normal_number, parse_float=_normal_number, parse_constant=refuse_constant
).decode
