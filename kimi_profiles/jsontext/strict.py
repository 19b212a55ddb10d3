"""What strict JSON is: passing over a value, and in the words of a person what is wrong where.

All text here is narrow. A value is passed over by the C scanner of ``json``, which checks every byte of it
but builds next to nothing.
"""

from __future__ import annotations

import json

from kimi_profiles.errors import TargetInvalidError
from kimi_profiles.jsontext.narrow import narrow, widen
from kimi_profiles.patterns import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

__all__ = [
    "BOM",
    "MAX_DEPTH",
    "NO_COLON",
    "NO_COMMA",
    "NO_KEY",
    "SPACE",
    "JsonTextError",
    "end_of_value",
    "line_and_column",
    "read_string",
    "refuse_constant",
    "skip_space",
    "text_error",
    "unexpected",
]

BOM = narrow("\ufeff")
"""The byte order mark, narrow."""

SPACE = " \t\n\r"
"""What JSON calls white space; ``str.strip`` alone takes off more."""

MAX_DEPTH = 64
"""Python versions give up at different depths, the oldest before 1,000; this limit is the same for all."""

NO_KEY = "expected a key in double quotes"
NO_COLON = "expected ':' behind the key"
NO_COMMA = "expected ',' or the closing bracket"
_TRAILING_COMMA = "a comma behind the last member is not JSON"
_TOO_DEEP = f"lists and objects are nested more than {MAX_DEPTH} deep"

# The scanner's messages, by how they begin; its wording and some of its places differ between versions.
_REASONS = {
    "Unterminated string": "this string is not closed",
    "Invalid control": "line breaks and control characters stand in a string only as escapes",
    "Invalid \\u": "'\\u' takes four hexadecimal digits",
    "Invalid \\": r"no such escape; a backslash itself is written '\\'",
    "Expecting property": NO_KEY,
    "Expecting ':'": NO_COLON,
    "Expecting ','": NO_COMMA,
    "Illegal trailing": _TRAILING_COMMA,
    "Expecting value": "expected a value",
}
_INSIDE_STRING = ("Unterminated", "Invalid")
_FOREIGN = {
    "//": "comments are not JSON",
    "/*": "comments are not JSON",
    "#": "comments are not JSON",
    "'": "strings take double quotes in JSON",
}

_space = pattern(r"[ \t\n\r]*")
# Possessive: a string of millions of escapes would else cost a stack of millions of places to go back to.
_TOKEN = pattern(r'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[][{}]|-?Infinity|NaN')


class JsonTextError(TargetInvalidError):
    """The text is not strict JSON (RFC 8259), or too deep; ``line`` and ``column`` say where."""


class _ConstantError(ValueError):
    pass


def refuse_constant(name: str) -> NoReturn:
    """For ``parse_constant``: NaN and the infinities are not JSON."""
    msg = f"{name} is not JSON"
    raise _ConstantError(msg)


def _object_depth(members: Iterable[tuple[object, object]]) -> int:
    """How deep an object of these members is; of an object in it, ``_skip_value`` left only the depth.

    It runs for every object of the document, so it takes the shortest way.
    """
    if not members:
        return 1
    deepest = 0
    for _, value in members:
        if type(value) is not str:
            if type(value) is int:
                if value > deepest:  # noqa: PLR1730 - `max` takes twice the time
                    deepest = value
            elif type(value) is list:
                depth = _list_depth(value)
                if depth > deepest:  # noqa: PLR1730
                    deepest = depth
    return deepest + 1


def _list_depth(values: list[object]) -> int:
    if not values:
        return 1
    first = values[0]
    if type(first) is int and values.count(first) == len(values):  # most lists are of things that are alike
        return first + 1
    return _object_depth(enumerate(values))


_skip_value = json.JSONDecoder(
    object_pairs_hook=_object_depth, parse_int=str, parse_float=str, parse_constant=refuse_constant
).raw_decode
_read_string = json.JSONDecoder().raw_decode


def skip_space(text: str, here: int) -> int:
    """Where the white space ends that begins ``here``."""
    match = _space.match(text, here)
    return match.end() if match else here


def end_of_value(text: str, start: int) -> int:
    """Where the value ends that begins at ``start``.

    Raises:
        JsonTextError: It is not strict JSON, or nested more than 64 deep.
    """
    return _decode(_skip_value, text, start)[1]


def read_string(text: str, start: int) -> tuple[str, int]:
    """The string whose opening quote stands at ``start``, as it reads, and where it ends.

    Raises:
        JsonTextError: It is not a string of JSON.
    """
    value, end = _decode(_read_string, text, start)
    return str(value), end


def _decode(decode: Callable[[str, int], tuple[object, int]], text: str, start: int) -> tuple[object, int]:
    try:
        value, end = decode(text, start)
        if _object_depth([("", value)]) <= MAX_DEPTH:
            return value, end
        place, reason = end, ""
    except json.JSONDecodeError as error:
        place, reason = error.pos, error.msg
    except _ConstantError:
        place, reason = len(text), ""
    except RecursionError:
        if _refused(text, len(text)) is None:  # it is the caller who has used up the stack
            raise
        place, reason = len(text), ""
    raise _explain(text, place, reason)


def _explain(text: str, place: int, reason: str) -> JsonTextError:
    """The scanner's complaint in the words of a person who edits by hand, the same in every Python."""
    earlier = _refused(text, place)
    if earlier is not None:
        return text_error(text, *earlier)
    words = next(words for beginning, words in _REASONS.items() if reason.startswith(beginning))
    return (
        text_error(text, place, words)
        if reason.startswith(_INSIDE_STRING)
        else unexpected(text, place, words)
    )


def _refused(text: str, stop: int) -> tuple[int, str] | None:
    """Place and reason of what the scanner takes, or refuses without a place, before ``stop``."""
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if token.start() >= stop:
            break
        if mark in {"{", "["}:
            depth += 1
            if depth > MAX_DEPTH:
                return token.start(), _TOO_DEEP
        elif mark in {"}", "]"}:
            depth -= 1
        elif not mark.startswith('"'):
            return token.start(), f"{mark} is not JSON"
    return None


def unexpected(text: str, position: int, reason: str) -> JsonTextError:
    """The error for a position between two tokens, where people write what other formats allow."""
    here = skip_space(text, position)
    before = text[:here].rstrip(SPACE)
    if here == len(text):
        return text_error(text, len(before), "the text ends in the middle of a list or an object")
    if text[here] in "]}" and before.endswith(","):
        return text_error(text, len(before) - 1, _TRAILING_COMMA)
    for sign, words in _FOREIGN.items():
        if text.startswith(sign, here):
            return text_error(text, here, words)
    return text_error(text, here, reason)


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """Where ``position`` is for a person: both from 1, the byte order mark not counted."""
    line_start = text.rfind("\n", 0, position) + 1
    offset = 1 if line_start == 0 and text.startswith(BOM) else 0
    return text.count("\n", 0, position) + 1, len(widen(text[line_start:position])) + 1 - offset


def text_error(text: str, position: int, reason: str) -> JsonTextError:
    """The error for one position."""
    line, column = line_and_column(text, position)
    return JsonTextError(
        reason,
        hint="Claude Code ignores the whole file while it is not strict JSON; repair it, then run this again",
        line=line,
        column=column,
    )
