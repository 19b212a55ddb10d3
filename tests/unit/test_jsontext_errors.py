"""What is not strict JSON is refused, with line, column and a reason that every Python gives alike."""

from __future__ import annotations

import contextlib
import json
import pickle
import random
import sys

import pytest

from kimi_profiles.errors import TargetInvalidError
from kimi_profiles.jsontext import Address, JsonTextError, canonical, loads
from kimi_profiles.jsontext.document import Document

COMMENT = "comments are not JSON"
COMMA = "a comma behind the last member is not JSON"
QUOTES = "strings take double quotes in JSON"
NO_KEY = "expected a key in double quotes"
NO_COLON = "expected ':' behind the key"
NO_COMMA = "expected ',' or the closing bracket"
NO_VALUE = "expected a value"
NOT_CLOSED = "this string is not closed"
CONTROL = "line breaks and control characters stand in a string only as escapes"
HEX = "'\\u' takes four hexadecimal digits"
ESCAPE = "no such escape; a backslash itself is written '\\\\'"
ENDS = "the text ends in the middle of a list or an object"
MORE = "there is more text behind the end of the JSON value"
DEEP = "lists and objects are nested more than 64 deep"

# A fault one level down is found by another scanner than one among the document's own members.
REFUSED = {
    "// comment first": ("// x\n{}", 1, 1, COMMENT),
    "/* comment */ first": ("\n /* x */ {}", 2, 2, COMMENT),
    "// comment before a key": ('{\n  // x\n  "a": 1\n}', 2, 3, COMMENT),
    "// comment behind a comma": ('{"a": 1, // x\n"b": 2}', 1, 10, COMMENT),
    "// comment behind the last value": ('{"a": 1 // x\n}', 1, 9, COMMENT),
    "# comment": ('{\n# x\n"a": 1}', 2, 1, COMMENT),
    "comment behind a key": ('{"a" /* x */: 1}', 1, 6, COMMENT),
    "comment before a value": ('{"a": /* x */ 1}', 1, 7, COMMENT),
    "comment in an inner object": ('{"e": {\n  // x\n  "a": 1}}', 2, 3, COMMENT),
    "comment in an inner object behind a comma": ('{"e": {"a": 1, // x\n"b": 2}}', 1, 16, COMMENT),
    "comment in an inner list": ('{"e": [1 // x\n]}', 1, 10, COMMENT),
    "comment behind the end": ('{"a": 1}\n// x', 2, 1, COMMENT),
    "comment before the closing bracket behind a comma": ('{"a": 1, // x\n}', 1, 10, COMMENT),
    "trailing comma in the object": ('{"a": 1,}', 1, 8, COMMA),
    "trailing comma and lines": ('{\n  "a": 1,\n}\n', 2, 9, COMMA),
    "trailing comma in an inner object": ('{"e": {"a": 1 ,\n }}', 1, 15, COMMA),
    "trailing comma in an inner list": ('{"e": [1,\n2,\n]}', 2, 2, COMMA),
    "trailing comma in the list": ("[1, ]", 1, 3, COMMA),
    "only a comma": ("{,}", 1, 2, NO_KEY),
    "only a comma in a list": ('{"l": [,]}', 1, 8, NO_VALUE),
    "two commas": ('{"a": 1,,"b": 2}', 1, 9, NO_KEY),
    "two commas in a list": ('{"l": [1,,2]}', 1, 10, NO_VALUE),
    "single quotes around a key": ("{'a': 1}", 1, 2, QUOTES),
    "single quotes around a value": ("{\"a\": 'b'}", 1, 7, QUOTES),
    "single quotes in an inner object": ("{\"e\": {'a': 1}}", 1, 8, QUOTES),
    "single quotes in an inner list": ("{\"e\": ['a']}", 1, 8, QUOTES),
    "no quotes around a key": ("{a: 1}", 1, 2, NO_KEY),
    "no quotes around an inner key": ('{"e": {a: 1}}', 1, 8, NO_KEY),
    "a number as key": ("{1: 2}", 1, 2, NO_KEY),
    "no colon": ('{"a" 1}', 1, 6, NO_COLON),
    "no colon behind a key with escapes": ('{"\\u0061" 1}', 1, 11, NO_COLON),
    "no inner colon": ('{"e": {"a" 1}}', 1, 12, NO_COLON),
    "an equals sign": ('{"a" = 1}', 1, 6, NO_COLON),
    "no comma": ('{"a": 1\n "b": 2}', 2, 2, NO_COMMA),
    "no inner comma": ('{"e": {"a": 1\n "b": 2}}', 2, 2, NO_COMMA),
    "no comma in a list": ('{"l": [1 2]}', 1, 10, NO_COMMA),
    "the wrong bracket": ('{"l": [1}', 1, 9, NO_COMMA),
    "a bracket that closes nothing": ("}", 1, 1, NO_VALUE),
    "a bracket that closes nothing before a comma": ("},", 1, 1, NO_VALUE),
    "the other wrong bracket": ('{"a": 1]', 1, 8, NO_COMMA),
    "no value": ('{"a": }', 1, 7, NO_VALUE),
    "no inner value": ('{"e": {"a":, "b": 1}}', 1, 12, NO_VALUE),
    "a word": ('{"a": yes}', 1, 7, NO_VALUE),
    "True": ('{"a": True}', 1, 7, NO_VALUE),
    "undefined": ("undefined", 1, 1, NO_VALUE),
    "NaN": ('{"a": NaN}', 1, 7, "NaN is not JSON"),
    "NaN alone": (" NaN", 1, 2, "NaN is not JSON"),
    "NaN among strings that name it": ('{"a": ["NaN", "\\"NaN",\nNaN]}', 2, 1, "NaN is not JSON"),
    "Infinity": ('{"a": {"b": Infinity}}', 1, 13, "Infinity is not JSON"),
    "-Infinity": ('{"a": [1, -Infinity]}', 1, 11, "-Infinity is not JSON"),
    "leading zero": ('{"a": 01}', 1, 8, NO_COMMA),
    "leading plus": ('{"a": +1}', 1, 7, NO_VALUE),
    "no digit before the point": ('{"a": .5}', 1, 7, NO_VALUE),
    "no digit behind the point": ('{"a": 1.}', 1, 8, NO_COMMA),
    "hexadecimal": ('{"a": 0x1F}', 1, 8, NO_COMMA),
    "digits of another script": ('{"a": \u0661}', 1, 7, NO_VALUE),
    "no-break space": ('{"a":\u00a01}', 1, 6, NO_VALUE),
    "no-break space behind a value": ('{"a": 1\u00a0}', 1, 8, NO_COMMA),
    "form feed": ('{\f"a": 1}', 1, 2, NO_KEY),
    "NUL": ("\0", 1, 1, NO_VALUE),
    "NUL behind the end": ("{}\0", 1, 3, MORE),
    "a string that is not closed": ('{"a": "b}', 1, 7, NOT_CLOSED),
    "a key that is not closed": ('{"a: 1}', 1, 2, NOT_CLOSED),
    "a string not closed behind a backslash": ('{"a": "b\\', 1, 7, NOT_CLOSED),
    "a line break in a string": ('{"a": "b\nc"}', 1, 9, CONTROL),
    "a line break in a key": ('{"a\n": 1}', 1, 4, CONTROL),
    "a tab in an inner string": ('{"e": ["\t"]}', 1, 9, CONTROL),
    "a line break before what looks like a bracket": ('{"a": ["x,\n]"]}', 1, 11, CONTROL),
    "a line break before what looks like quotes": ('{"a": "x\n\'y\'"}', 1, 9, CONTROL),
    "a line break at the end of a string not closed": ('{"a": "x\n', 1, 9, CONTROL),
    "an unknown escape": ('{"a": "\\x"}', 1, 8, ESCAPE),
    "a Windows path": ('{"e": {"p": "C:\\Users"}}', 1, 16, ESCAPE),
    "an unknown escape in a key": ('{"\\a": 1}', 1, 3, ESCAPE),
    "\\u with a letter too many": ('{"a": "\\u12G4"}', 1, 9, HEX),
    "\\u cut short": ('{"a": "\\u12"}', 1, 9, HEX),
    "text behind the end": ('{"a": 1} {"b": 2}', 1, 10, MORE),
    "a bracket behind the end": ('{"a": 1}\n}', 2, 1, MORE),
    "a scalar behind a scalar": ("1 2", 1, 3, MORE),
    "a second byte order mark": ("\ufeff\ufeff{}", 1, 1, NO_VALUE),
    "a byte order mark behind the end": ("{}\ufeff", 1, 3, MORE),
    "ends behind the bracket": ("{", 1, 2, ENDS),
    "ends behind a key": ('{"a"', 1, 5, ENDS),
    "ends behind a colon": ('{"a":', 1, 6, ENDS),
    "ends behind a value": ('{"a": 1', 1, 8, ENDS),
    "ends behind a comma": ('{"a": 1,\n\n', 1, 9, ENDS),
    "ends in an inner object": ('{"e": {"a": 1', 1, 14, ENDS),
    "ends behind an inner key": ('{"e": {"a"', 1, 11, ENDS),
    "ends behind an inner comma": ('{\n"e": [1,\n', 2, 9, ENDS),
    "ends in the list": ("[\n", 1, 2, ENDS),
    "ends in a word": ('{"a": tru', 1, 7, NO_VALUE),
    "the column counts characters": ('{"é😀": "é😀", x}', 1, 14, NO_KEY),
    "the column does not count the byte order mark": ("\ufeff{x}", 1, 2, NO_KEY),
    "the byte order mark matters only in line 1": ("\ufeff{\nx}", 2, 1, NO_KEY),
    "CRLF is one line end": ('{\r\n"a": 1,\r\n x}', 3, 2, NO_KEY),
    "65 lists": ("[" * 65 + "]" * 65, 1, 65, DEEP),
    "65 objects": ('{"a":' * 65 + "1" + "}" * 65, 1, 5 * 64 + 1, DEEP),
    "too deep behind a member that is not": ("[[],\n" + "[" * 64 + "]" * 65, 2, 64, DEEP),
    "too deep in a duplicate": ('{"a":' + "[" * 64 + "]" * 64 + ',"a":1}', 1, 69, DEEP),
    "too deep for the oldest Python": ("[" * 1500 + "]" * 1500, 1, 65, DEEP),
    "too deep for every Python": ("[" * 200_000 + "]" * 200_000, 1, 65, DEEP),
    "too deep and never closed": ('{"a":[' * 100_000, 1, 6 * 32 + 1, DEEP),
    "too deep and broken behind it": ("[" * 1500 + "x", 1, 65, DEEP),
    "too deep and NaN behind it": ("[" * 70 + "NaN" + "]" * 70, 1, 65, DEEP),
    "NaN before too deep": ("[NaN," + "[" * 70 + "]" * 71, 1, 2, "NaN is not JSON"),
    "broken before too deep": ("[x," + "[" * 70 + "]" * 71, 1, 2, NO_VALUE),
}


@pytest.mark.parametrize(("text", "line", "column", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(JsonTextError) as caught:
        Document(text)
    assert (caught.value.line, caught.value.column, caught.value.message) == (line, column, reason)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 64 + "]" * 64,
        '{"a":' * 64 + "1" + "}" * 64,
        "[" + "[]," * 500 + "[]]",
        '["' + "[" * 500 + '"]',
        '{"a":"\\"' + "{" * 500 + '"}',
        "[" + "9" * 5000 + ",-1e99999,1E+0,-0.0]",
        '["\\u0000\\ud83d\\u2028\u2028\x7f"]',
        " \t\r\n{ } \t\r\n",
        "null",
        '"text"',
        "",
    ],
    ids=lambda text: text[:12],
)
def test_taken(text: str) -> None:
    assert Document(text).text == text


SIBLINGS: list[object] = [[], {}, [[]], {"a": {}}, [{}, {}], [{}, True], [True, {}], True, None, 1, "x", [1]]


def test_how_deep_a_text_is_does_not_depend_on_what_else_is_in_it() -> None:
    rng = random.Random(8)
    for _ in range(400):
        value: object = rng.choice([[[[]]], {"a": {"a": {}}}])  # deeper than what is beside it
        depth = rng.choice([63, 64, 65, 66])
        for _ in range(depth - 3):
            before, behind = ([rng.choice(SIBLINGS)] * rng.randrange(3) for _ in range(2))
            inside = [*before, value, *behind]
            value = inside if rng.random() < 0.5 else dict(enumerate(inside))
        with contextlib.nullcontext() if depth <= 64 else pytest.raises(JsonTextError, match=DEEP):
            Document(json.dumps(value))


def test_a_caller_who_has_used_up_the_stack_is_not_told_that_the_text_is_wrong() -> None:
    text = "[" * 60 + "]" * 60

    def descend(depth: int) -> Document:
        return descend(depth - 1) if depth else Document(text)

    for depth in range(sys.getrecursionlimit()):
        try:
            descend(depth)
        except RecursionError:
            return
    pytest.fail("the stack never ended")


def test_the_error_is_a_value_error_and_survives_pickling() -> None:
    with pytest.raises(ValueError) as caught:
        Document("{\n'a': 1}")
    error = caught.value
    assert isinstance(error, TargetInvalidError)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == f"2:1: {QUOTES}"
    assert again.exit_code == error.exit_code
    # The standard library's error holds the whole text, secrets too.
    assert error.__context__ is None


def test_no_reason_quotes_a_value() -> None:
    for text in (
        '{"k": sk-secret}',
        '{"k": "sk-secret',
        '{"k": "sk-secret\n"}',
        '{"k": "sk-secret"} sk-secret',
    ):
        with pytest.raises(JsonTextError) as caught:
            Document(text)
        assert "secret" not in f"{caught.value}{caught.value.hint}{caught.value!r}"


@pytest.mark.parametrize("read", [loads, canonical])
@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ("{'a': 1}", "1:2"),
        ("[NaN]", "1:2"),
        ("[1,\n2,]", "2:2"),
        ("[" * 65 + "]" * 65, "1:65"),
        ("[" * 5000, "1:65"),
    ],
    ids=["quotes", "NaN", "comma", "deep", "deeper"],
)
def test_values_are_refused_alike(read: object, raw: str, place: str) -> None:
    assert callable(read)
    with pytest.raises(JsonTextError) as caught:
        read(raw)
    assert str(caught.value).startswith(place)


def test_a_member_to_look_for_must_be_json() -> None:
    with pytest.raises(JsonTextError):
        Document('{"l":[]}').read([Address("/l", "a")])
