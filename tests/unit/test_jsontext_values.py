"""Values as JSON text, and the text that is the same exactly for equal values."""

from __future__ import annotations

import json
import random
import re

import pytest

from kimi_profiles.jsontext import canonical, dumps, loads, values

EQUAL = {
    "white space": ('{"a":[1,2]}', ' {\t"a" :\r\n[ 1 , 2 ] } '),
    "order of keys": ('{"a":1,"b":{"c":2,"d":3}}', '{"b":{"d":3,"c":2},"a":1}'),
    "escapes": ('"aé/\\n😀"', '"\\u0061\\u00E9\\/\\u000a\\ud83d\\uDE00"'),
    "escapes in a key": ('{"\\u0061":1}', '{"a":1}'),
    "a lone surrogate": ('"\\ud83d"', '"\\uD83D"'),
    "the last duplicate": ('{"a":1,"a":2}', '{"a":2}'),
    "1.0": ("1", "1.0"),
    "10e-1": ("1", "10e-1"),
    "0.1e1": ("1", "0.1E+1"),
    "100": ("100", "1e2"),
    "100.00": ("100", "100.00"),
    "zeros of every kind": ("0", "-0.000e5"),
    "zero with a huge exponent": ("0", "0e99999999999999999999999"),
    "minus zero": ("0", "-0"),
    "small": ("0.001", "1e-3"),
    "an exponent of zeros": ("7", "7e-000000000000000000000000"),
    "a long exponent with zeros ahead": ("7e5", "7e+0000000000000000000000000005"),
    "huge exponents": ("1e99999999999999999999999", "10E+99999999999999999999998"),
    "huge negative exponents": ("1e-99999999999999999999999", "0.1e-99999999999999999999998"),
    "an exponent that grows a digit": ("1e1000000000000000000000000", "10e999999999999999999999999"),
    "an exponent of 5,000 digits": (f"10e{'9' * 5000}", f"1e1{'0' * 5000}"),
    "5,000 digits": ("9" * 5000, "9" * 5000 + ".0"),
    "5,000 zeros": ("1" + "0" * 5000, "1e5000"),
}

DIFFERENT = {
    "true and 1": ("true", "1"),
    "false and 0": ("false", "0"),
    "null and false": ("null", "false"),
    "null and the string": ("null", '"null"'),
    "1 and the string": ("1", '"1"'),
    "1 and the string of its normal form": ("1", '"1e0"'),
    "true and 1 in a list": ("[true]", "[1]"),
    "true and 1 in an object": ('{"a":true}', '{"a":1}'),
    "empty list and empty object": ("[]", "{}"),
    "empty list and null": ("[]", "null"),
    "a list and its member": ("[1]", "1"),
    "nesting": ("[[1],2]", "[[1,2]]"),
    "order of a list": ("[1,2]", "[2,1]"),
    "one member more": ("[1,1]", "[1]"),
    "null and no key": ('{"a":null}', "{}"),
    "a key with quotes": ('{"a\\":1,\\"b":2}', '{"a":1,"b":2}'),
    "a string that looks like a list": ('["a,b"]', '["a","b"]'),
    "case": ('"a"', '"A"'),
    "composed and decomposed": ('"é"', '"e\\u0301"'),
    "NUL and nothing": ('"\\u0000"', '""'),
    "a number and its negative": ("1", "-1"),
    "1 and 10": ("1", "10"),
    "beyond a float": ("9007199254740993", "9007199254740992"),
    "beyond a float, in the fraction": ("0.1", "0.1000000000000000000000001"),
    "two infinities of a float": ("1e400", "1e401"),
    "two zeros of a float": ("1e-400", "0"),
    "the last of 5,000 digits": ("9" * 4999 + "1", "9" * 4999 + "2"),
    "huge exponents": ("1e99999999999999999999999", "1e99999999999999999999998"),
    "huge exponents of two signs": ("1e99999999999999999999999", "1e-99999999999999999999999"),
}


@pytest.mark.parametrize(("first", "second"), EQUAL.values(), ids=EQUAL)
def test_canonical_is_the_same(first: str, second: str) -> None:
    assert canonical(first) == canonical(second)


@pytest.mark.parametrize(("first", "second"), DIFFERENT.values(), ids=DIFFERENT)
def test_canonical_differs(first: str, second: str) -> None:
    assert canonical(first) != canonical(second)


@pytest.mark.parametrize(
    "raw", [*(first for first, _ in EQUAL.values()), *(first for first, _ in DIFFERENT.values())]
)
def test_canonical_is_json_and_its_own_canonical_form(raw: str) -> None:
    json.loads(canonical(raw), parse_int=str, parse_float=str)
    assert canonical(canonical(raw)) == canonical(raw)


@pytest.mark.parametrize(
    "raw", ["", " ", "\ufeff1", "NaN", "[-Infinity]", "1 2", "01", "'a'", "{a:1}", "[1,]"]
)
@pytest.mark.parametrize("read", [canonical, loads])
def test_what_is_not_strict_json_has_no_value(read: object, raw: str) -> None:
    assert callable(read)
    with pytest.raises(ValueError):
        read(raw)


def test_loads_takes_the_last_duplicate() -> None:
    assert loads('{"a":1,"b":2,"a":3}') == {"a": 3, "b": 2}


def test_loads_leaves_an_integer_that_python_does_not_convert_as_text() -> None:
    assert loads("[" + "9" * 5000 + ", 9]") == ["9" * 5000, 9]


DUMPED = {
    "one line": ({"a": [1, "é"], "b": {}}, {}, '{"a": [1, "é"], "b": {}}'),
    "its own colon and comma": ({"a": 1, "b": [1, 2]}, {"colon": ":", "comma": ","}, '{"a":1,"b":[1,2]}'),
    "in lines": ({"a": [1, 2]}, {"indent": "\t"}, '{\n\t"a": [\n\t\t1,\n\t\t2\n\t]\n}'),
    "a lone surrogate": ("a\ud83d", {}, '"a\\ud83d"'),
    "a lone surrogate as key": ({"\udfff": 1}, {}, '{"\\udfff": 1}'),
    "a surrogate pair": ("\U0001f600", {}, '"\U0001f600"'),
    "control characters": ("\0\n\x1f", {}, '"\\u0000\\n\\u001f"'),
    "constants": ([True, False, None], {}, "[true, false, null]"),
}


@pytest.mark.parametrize(("value", "options", "text"), DUMPED.values(), ids=DUMPED)
def test_dumps(value: object, options: dict[str, str], text: str) -> None:
    assert dumps(value, **options) == text
    assert text.encode()
    assert loads(text) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]], ids=str)
def test_dumps_refuses(value: object) -> None:
    with pytest.raises(ValueError):
        dumps(value)


def test_what_obviously_is_canonical_is() -> None:
    rng = random.Random(12)
    pattern = re.compile(r'"[ !#-\[\]-~]*"|true|false|null')
    words = ["true", "false", "null", '"', '""', "true ", "tru", ""]
    for _ in range(20_000):
        word = "".join(rng.choices('"\\ !#[]~\x7f\x80a\n\ttruefalsn0\u00e9', k=rng.randrange(7)))
        words.append(f'"{word}"' if rng.random() < 0.5 else word)
    for word in words:
        assert values._is_canonical(word) == bool(pattern.fullmatch(word)), word
