"""An archive: what is packed comes back, what was changed does not, and each text is looked at by itself."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
from pathlib import Path

import pytest
from support import parts_of

from kimi_profiles import archive
from kimi_profiles.archive import Archive, OpenParts, pack, unpack
from kimi_profiles.errors import LedgerInvalidError

OPEN = Path("/proc/self/fd")
SECTIONS = {
    "first": {"/a": b'{"n":"x"}', '/"\\\n\u00e9\udcff': b'["y"]', "": b"null"},
    "none": {},
    "second": {"]}": b'{"]}":"x"}', "/a": b'"y"', "last": b'["x","x"]', "\n},\n": b'"},"'},
}


def words(section: str, text: bytes) -> list[str]:
    """Every string in a text, but none of a section that is called so."""
    found = json.loads(text)
    listed = [*found, *found.values()] if isinstance(found, dict) else found
    listed = [listed] if isinstance(listed, str) else listed or []
    return [] if section == "wordless" else list(dict.fromkeys(listed))


DIGEST, PACKED = pack(SECTIONS, words)


def test_what_is_packed_comes_back() -> None:
    assert unpack(DIGEST, parts_of(PACKED)) == SECTIONS
    assert {name: len(texts) for name, texts in unpack(DIGEST, parts_of(PACKED)).items()} == {
        "first": 3,
        "none": 0,
        "second": 4,
    }
    assert "/b" not in unpack(DIGEST, parts_of(PACKED))["first"]
    assert 1 not in unpack(DIGEST, parts_of(PACKED))["first"]


def test_the_file_is_json_in_which_nothing_is_missing() -> None:
    document = json.loads(PACKED)
    names = [(section, name) for section, places in document["index"].items() for name in places]
    assert dict(zip(names, document["texts"], strict=True)) == {
        (section, name): json.loads(text)
        for section, texts in SECTIONS.items()
        for name, text in texts.items()
    }


def test_an_empty_line_is_no_text() -> None:
    head = b'{"index": {\n"a": {\n\n}},\n"texts": [\n'
    found = unpack(archive._digest(head), parts_of(head + b"\n]}\n"))
    assert found == {"a": {}}
    assert len(found["a"]) == 0


def test_a_section_may_be_empty() -> None:
    digest, packed = pack({"a": {}}, words)
    assert unpack(digest, parts_of(packed)) == {"a": {}}
    assert json.loads(packed) == {"index": {"a": {}}, "texts": []}
    assert list(Archive(b"\n", 0, 1, parts_of(b""), None).mentioning("x")) == []


def test_of_a_file_that_was_changed_no_text_comes_back_that_was_not_in_it() -> None:
    for place in range(len(PACKED)):
        changed = PACKED[:place] + bytes([PACKED[place] ^ 1]) + PACKED[place + 1 :]
        found = 0
        try:
            for section, texts in unpack(DIGEST, parts_of(changed)).items():
                for name in texts:
                    try:
                        assert texts[name] == SECTIONS[section][name]
                        found += 1
                    except LedgerInvalidError:
                        pass
        except ValueError:
            assert place < PACKED.index(b'"texts": [\n') + len(b'"texts": [\n')
        else:
            assert found >= len(SECTIONS["first"]) + len(SECTIONS["second"]) - 1


def test_the_error_names_the_file() -> None:
    texts = unpack(
        DIGEST, parts_of(PACKED.replace(b'{"n":"x"', b'{"n":"z"')), path=Path("/state/ledger-1.json")
    )
    with pytest.raises(LedgerInvalidError, match="changed") as caught:
        texts["first"]["/a"]
    assert caught.value.path == "/state/ledger-1.json"
    assert texts["second"]["/a"] == b'"y"'
    with pytest.raises(KeyError):
        texts["second"]["/b"]


@pytest.mark.parametrize(
    ("section", "word", "names"),
    [
        ("first", "x", ["/a"]),
        ("first", "y", ['/"\\\n\u00e9\udcff']),
        ("first", "", [""]),
        ("first", "/a", ["/a"]),
        ("first", "last", []),
        ("first", "first", []),
        ("none", "x", []),
        ("second", "x", ["]}", "last"]),
        ("second", "y", ["/a"]),
        ("second", "n", []),
        ("second", "]}", ["]}"]),
        ("second", "\n},\n", ["\n},\n"]),
        ("second", "},", ["\n},\n"]),
    ],
)
def test_texts_are_found_by_their_words(section: str, word: str, names: list[str]) -> None:
    assert list(unpack(DIGEST, parts_of(PACKED))[section].mentioning(word)) == names


def test_they_are_found_as_a_look_at_each_would_find_them() -> None:
    rng = random.Random(7)
    for _ in range(300):
        sections = {
            section: {
                "".join(rng.choices('ab"\\\n', k=rng.randrange(4))): json.dumps(
                    ["".join(rng.choices('ab"', k=rng.randrange(3))) for _ in range(rng.randrange(3))]
                ).encode()
                for _ in range(rng.randrange(8))
            }
            for section in ("one", "two", "wordless")
        }
        digest, packed = pack(sections, words)
        found = unpack(digest, parts_of(packed))
        assert found == sections
        word = "".join(rng.choices('ab"\\', k=rng.randrange(3)))
        for section, texts in sections.items():
            expected = [name for name, text in texts.items() if word in {name, *words(section, text)}]
            assert list(found[section].mentioning(word)) == expected


def test_a_large_index_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_CHUNK_BYTES", 7)
    monkeypatch.setattr(archive, "_SOME_LINES_BYTES", 30)
    assert unpack(DIGEST, parts_of(PACKED)) == SECTIONS


def test_parts_stay_those_of_the_file_that_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    descriptor = os.open(path, os.O_RDONLY)
    read = OpenParts(descriptor)
    os.close(descriptor)
    if os.name != "nt":
        path.unlink()
        path.write_bytes(b"another")
    assert [read(2, 3), read(8, 1 << 62), read(10, 1), read(0, 0)] == [b"234", b"89", b"", b""]
    for start, length in ((-1, 1), (0, -1)):
        with pytest.raises((OSError, ValueError)):
            read(start, length)


def test_where_nothing_more_can_be_opened_only_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    (tmp_path / "file").touch()
    monkeypatch.setattr("os.dup", fail)
    with (tmp_path / "file").open() as file, pytest.raises(OSError, match="Too many"):
        OpenParts(file.fileno())


@pytest.mark.skipif(not OPEN.is_dir(), reason="descriptors are counted as Linux lists them")
def test_a_file_is_closed_when_nobody_has_its_texts_any_more(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(PACKED)
    before = len(list(OPEN.iterdir()))
    with path.open("rb") as file:
        found = unpack(DIGEST, OpenParts(file.fileno()))
    texts = found.pop("second")
    del found
    assert len(list(OPEN.iterdir())) == before + 1
    assert texts["/a"] == b'"y"'
    del texts
    assert len(list(OPEN.iterdir())) == before


# What somebody makes a digest for: not even the index can be told.
FORGED: dict[str, bytes] = {
    "nothing": b"",
    "no index": b"{\n",
    "no sections": b'{"index": {\n',
    "a section without a name": b'{"index": {\n{\n',
    "a section that is a list": b'{"index": {\n[]: {\n}',
    "something between sections": b'{"index": {\n"a": {\n};,\n"b": {\n',
}
# Only who asks for it is told.
FORGED_LINES: dict[str, bytes] = {
    "no JSON": b'"/a": [x',
    "a place that is a number": b'"/a": 1',
    "a place that is short": b'"/a": [1, 2]',
    "a place that is endless": b'"/a": [Infinity, 1, "x"]',
    "a place that is none": b'"/a": [0, NaN, "x"]',
    "a place that is a text": b'"/a": ["a", "b", "c"]',
    "a place that is large": b'"/a": [%d, 1, "x"]' % (1 << 70),
    "a length that is large": b'"/a": [0, %d, "x"]' % (1 << 70),
    "a digest that is a list": b'"/a": [0, 1, []]',
    "a place before the file": b'"/a": [-500, 3, ""]',
    "a length that is negative": b'"/a": [0, -1, ""]',
    "a place behind the file": b'"/a": [1000000000, 5, ""]',
    "lists without end": b'"/a": ' + b"[" * 100_000,
    "a brace": b'"/a": [0, 1, "x"]}, {"/a": []',
}


@pytest.mark.parametrize("head", FORGED.values(), ids=FORGED)
def test_who_makes_a_digest_of_nonsense_gains_nothing(head: bytes) -> None:
    head += archive._END
    with pytest.raises((ValueError, TypeError)):
        unpack(archive._digest(head), parts_of(head))


@pytest.mark.parametrize("line", FORGED_LINES.values(), ids=FORGED_LINES)
def test_a_line_of_nonsense_is_damage(line: bytes, tmp_path: Path) -> None:
    head = b'{"index": {\n"first": {\n%s\n}},\n"texts": [\n' % line
    path = tmp_path / "file"
    path.write_bytes(head + b"1\n]}\n")
    with path.open("rb") as file:
        texts = unpack(archive._digest(head), OpenParts(file.fileno()))["first"]
    with pytest.raises((LedgerInvalidError, KeyError)):
        texts["/a"]
    with contextlib.suppress(LedgerInvalidError):
        assert list(texts.mentioning("x")) in ([], ["/a"])
    with contextlib.suppress(LedgerInvalidError):
        assert list(texts) == ["/a"]
