"""Entries: what is sealed comes back, what is not as it was sealed does not, and nothing is read in vain."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kimi_profiles import entries
from kimi_profiles.entries import Entries, seal, unseal

SECTIONS = {
    "first": {"/a": b'{"n":1}', '/"\\\n\u00e9\udcff': b"[]", "": b"null"},
    "second: {": {},
    "third": {"},": b'{"x":"},"}'},
}
OTHERS = {"schema": 1, "pending": ["/a", "\u00e9"]}
SEALED = seal(SECTIONS, OTHERS)


def test_what_is_sealed_comes_back() -> None:
    assert unseal(SEALED) == (SECTIONS, OTHERS)


def test_a_sealed_file_is_json_in_which_nothing_is_missing() -> None:
    document = json.loads(SEALED)

    assert {name: document[name] for name in OTHERS} == OTHERS
    for name, texts in SECTIONS.items():
        assert document[name] == {key: json.loads(text) for key, text in texts.items()}


def test_a_file_that_was_changed_anywhere_is_not_sealed() -> None:
    for place in range(len(SEALED)):
        for byte in (b" ", b"", b"\n", b'"'):
            changed = SEALED[:place] + byte + SEALED[place + 1 :]
            assert changed == SEALED or unseal(changed) is None, place
        assert unseal(SEALED[:place]) is None
    assert unseal(SEALED + b"\n") is None
    assert unseal(json.dumps(json.loads(SEALED)).encode()) is None


# id → lines that somebody else made a digest for
FORGED = {
    "no line": [],
    "nothing": [b""],
    "no end": [b'"a": {', b'"/a":', b"{}"],
    "a name without a value": [b'"a": {', b'"/a":', b"},", b'"s": 1}'],
    "a name that is a number": [b'"a": {', b"1:", b"{}", b"},", b'"s": 1}'],
    "a name that is no JSON": [b'"a": {', b"x:", b"{}", b"},", b'"s": 1}'],
    "a section without a name": [b": {", b"},", b'"s": 1}'],
    "a section whose name is a list": [b"[]: {", b"},", b'"s": 1}'],
    "very deep": [b'"s": ' + b"[" * 100_000],
}


@pytest.mark.parametrize("lines", FORGED.values(), ids=FORGED)
def test_who_makes_a_digest_of_nonsense_gains_nothing(lines: list[bytes]) -> None:
    assert unseal(entries._head(body := b"\n".join(lines)) + body) is None


def test_a_value_is_read_when_it_is_asked_for_and_once() -> None:
    read = []

    def value(name: str, text: bytes) -> Any:
        read.append(name)
        return json.loads(text)

    known: Entries[Any] = Entries({"a": b'["x"]', "b": b'["\\u00e9"]', "c": b"damaged"}, value, write)
    assert (len(known), list(known), "b" in known, "d" in known) == (3, ["a", "b", "c"], True, False)
    assert read == []
    assert known["b"] == known["b"] == ["\u00e9"]
    assert read == ["b"]
    assert known.mentioning("\u00e9") == ["b"]
    assert known.mentioning("x") == ["a"]
    assert read == ["b"]
    with pytest.raises(ValueError, match="Expecting"):
        known["c"]


def test_a_change_touches_no_other_value() -> None:
    def unread(name: str, _: bytes) -> Any:
        raise AssertionError(name)

    known: Entries[Any] = Entries({"a": b"1", "b": b"2", "c": b"3"}, unread, write)
    changed = known.changed({"b": 7, "c": None, "d": 8, "e": None})

    assert changed.texts == {"a": b"1", "b": b"7", "d": b"8"}
    assert (changed["b"], changed["d"]) == (7, 8)
    assert known.texts == {"a": b"1", "b": b"2", "c": b"3"}


def write(value: Any) -> bytes:
    return json.dumps(value).encode()
