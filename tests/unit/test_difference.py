"""What differs between two texts, told value by value."""

from __future__ import annotations

import pytest

from kimi_profiles.difference import difference

# id → the two texts, and (pointer, action, before, after) of each difference
CASES = {
    "nothing": ('{"a": 1}', '{"a": 1}', []),
    "layout is no difference": ('{"a":1,"b":[1,2]}', '{\n "a": 1, "b": [1, 2]}\n', []),
    "order of members is no difference": ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', []),
    "a value": ('{"a": 1}', '{"a": "1"}', [("/a", "replace", "1", '"1"')]),
    "a member more": ('{"a": 1}', '{"a": 1, "b": null}', [("/b", "add", None, "null")]),
    "a member less": ('{"a": 1, "b": 2}', '{"a": 1}', [("/b", "remove", "2", None)]),
    "deep": ('{"a": {"b": {"c": 1}}}', '{"a": {"b": {"c": 2}}}', [("/a/b/c", "replace", "1", "2")]),
    "an object more is told by its members": (
        "{}",
        '{"env": {"A": "1", "B": {}}}',
        [("/env/A", "add", None, '"1"'), ("/env/B", "add", None, "{}")],
    ),
    "members of a list": (
        '{"l": [1, {"a": 1}]}',
        '{"l": [{"a": 1}, 2]}',
        [("/l", "exclude", "1", None), ("/l", "include", None, "2")],
    ),
    "another order in a list": ('{"l": [1, 2]}', '{"l": [2, 1]}', [("/l", "replace", "[1, 2]", "[2, 1]")]),
    "one of two same members": ('{"l": [1, 1]}', '{"l": [1]}', [("/l", "replace", "[1, 1]", "[1]")]),
    "another kind": ('{"a": [1]}', '{"a": {"b": 1}}', [("/a", "replace", "[1]", '{"b": 1}')]),
    "true is not 1": ('{"a": true}', '{"a": 1}', [("/a", "replace", "true", "1")]),
    "a key that needs escaping": ("{}", '{"a/b~c": 1}', [("/a~1b~0c", "add", None, "1")]),
    "no file before": (None, '{"a": 1}', [("/a", "add", None, "1")]),
    "no file after": ('{"a": 1}', None, [("/a", "remove", "1", None)]),
    "no file at all": (None, None, []),
    "an empty file": ("", '{"a": 1}', [("/a", "add", None, "1")]),
    "a byte order mark": ('\ufeff{"a": 1}', '{"a": 1}', []),
    "not JSON": ('{"a": 1', '{"a": 1}', []),
    "a number beyond all floats": ('{"a": 1e999}', '{"a": 1}', []),
    "too deep": ("[" * 200_000, "{}", []),
}


@pytest.mark.parametrize(("now", "then", "expected"), CASES.values(), ids=CASES)
def test_difference(now: str | None, then: str | None, expected: list[tuple[str, str, str, str]]) -> None:
    found = difference(now, then)

    assert [(each.pointer, each.action, each.before, each.after) for each in found] == expected


SECRET = [
    '{"env": {"MY_TOKEN": "x"}}',
    '{"primaryApiKey": "x"}',
    '{"customApiKeyResponses": {"approved": ["x"]}}',
]
SECRET += ['{"servers": [{"headers": {"Authorization": "x"}}]}', '{"apiKey": {"value": "x"}}']


@pytest.mark.parametrize("text", SECRET)
def test_what_is_named_like_a_secret_is_one(text: str) -> None:
    assert [each.is_secret for each in (*difference("{}", text), *difference(text, "{}"))] == [True, True]


def test_what_is_not_named_so_is_none() -> None:
    assert not any(each.is_secret for each in difference("{}", '{"model": "x", "monkey": 1, "tokens": [2]}'))
