"""An archive: what is packed comes back, what was changed does not, and each text is looked at by itself."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from kimi_profiles import archive
from kimi_profiles.archive import Archive, pack, unpack
from kimi_profiles.errors import LedgerInvalidError

SECTIONS = {
    "first": {"/a": b'{"n":"x"}', '/"\\\n\u00e9\udcff': b'["y"]', "": b"null"},
    "none": {},
    "second": {"]}": b'{"]}":"x"}', "/a": b'"y"', "last": b'["x","x"]'},
}
DIGEST, PACKED = pack(SECTIONS)


def test_what_is_packed_comes_back() -> None:
    assert unpack(DIGEST, PACKED) == SECTIONS
    assert {name: len(texts) for name, texts in unpack(DIGEST, PACKED).items()} == {
        "first": 3,
        "none": 0,
        "second": 3,
    }


def test_the_file_is_json_in_which_nothing_is_missing() -> None:
    document = json.loads(PACKED)
    names = [(section, name) for section, places in document["index"].items() for name in places]
    assert dict(zip(names, document["texts"], strict=True)) == {
        (section, name): json.loads(text)
        for section, texts in SECTIONS.items()
        for name, text in texts.items()
    }


def test_nothing_at_all_can_be_packed() -> None:
    assert unpack(*pack({})) == {}
    assert unpack(*pack({"a": {}})) == {"a": {}}
    assert list(Archive().mentioning(b"x")) == []


def test_of_a_file_that_was_changed_no_text_comes_back_that_was_not_in_it() -> None:
    for place in range(len(PACKED)):
        changed = PACKED[:place] + bytes([PACKED[place] ^ 1]) + PACKED[place + 1 :]
        found = 0
        try:
            for section, texts in unpack(DIGEST, changed).items():
                for name in texts:
                    try:
                        assert texts[name] == SECTIONS[section][name]
                        found += 1
                    except LedgerInvalidError:
                        pass
        except ValueError:
            assert place <= PACKED.index(b"\n")
        else:
            assert found >= 5


def test_the_error_names_the_file() -> None:
    texts = unpack(DIGEST, PACKED.replace(b'"n":"x"', b'"n":"z"'), path=Path("/state/ledger-1.json"))
    with pytest.raises(LedgerInvalidError, match="changed") as caught:
        texts["first"]["/a"]
    assert caught.value.path == "/state/ledger-1.json"
    assert texts["second"]["/a"] == b'"y"'
    with pytest.raises(KeyError):
        texts["second"]["/b"]


@pytest.mark.parametrize(
    ("section", "piece", "names"),
    [
        ("first", b'"x"', ["/a"]),
        ("first", b'"y"', ['/"\\\n\u00e9\udcff']),
        ("first", b"null", [""]),
        ("first", b'"last"', []),
        ("first", b"first", []),
        ("none", b'"x"', []),
        ("second", b'"x"', ["]}", "last"]),
        ("second", b'"y"', ["/a"]),
        ("second", b'"n"', []),
        ("second", b"\n]}", []),
        ("second", b",\n", []),
    ],
)
def test_texts_are_found_by_what_is_in_them(section: str, piece: bytes, names: list[str]) -> None:
    assert list(unpack(DIGEST, PACKED)[section].mentioning(piece)) == names


def test_they_are_found_as_a_search_in_each_would_find_them() -> None:
    rng = random.Random(7)
    for _ in range(300):
        sections = {
            section: {
                str(number): json.dumps("".join(rng.choices("ab", k=rng.randrange(6)))).encode()
                for number in range(rng.randrange(8))
            }
            for section in ("one", "two", "three")
        }
        found = unpack(*pack(sections))
        for section, texts in sections.items():
            piece = "".join(rng.choices('ab"', k=rng.randrange(1, 4))).encode()
            expected = [name for name, text in texts.items() if piece in text]
            assert list(found[section].mentioning(piece)) == expected


# What somebody makes a digest for.
FORGED: dict[str, Any] = {
    "no line": b"{}",
    "no JSON": b"x\n",
    "no index": b"{\n",
    "an index that is a list": b'{"index": [1], "texts": [\n',
    "a section that is a list": b'{"index": {"first": [1]}, "texts": [\n',
    "a place that is a number": b'{"index": {"first": {"/a": 1}}, "texts": [\n',
    "a place that is short": b'{"index": {"first": {"/a": [1, 2]}}, "texts": [\n',
    "a place that is endless": b'{"index": {"first": {"/a": [Infinity, 1, "x"]}}, "texts": [\n',
    "a place that is none": b'{"index": {"first": {"/a": [0, NaN, "x"]}}, "texts": [\n',
    "a place that is a text": b'{"index": {"first": {"/a": ["a", "b", "c"]}}, "texts": [\n',
}


@pytest.mark.parametrize("head", FORGED.values(), ids=FORGED)
def test_who_makes_a_digest_of_nonsense_gains_nothing(head: bytes) -> None:
    with pytest.raises((ValueError, TypeError, LookupError, AttributeError)):
        unpack(archive._digest(head), head)


@pytest.mark.parametrize("place", [[-5, 3, ""], [0, -1, ""], [10**9, 5, ""], [0, 10**9, ""]])
def test_a_place_outside_the_file_has_no_text(place: list[Any]) -> None:
    head = b'{"index": {"first": {"/a": %s}}, "texts": [\n' % json.dumps(place).encode()
    texts = unpack(archive._digest(head), head + b"1\n]}\n")["first"]
    with pytest.raises(LedgerInvalidError):
        texts["/a"]
    assert list(texts.mentioning(b'"x"')) == []
