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
HEAD_BYTES = PACKED.index(archive._END) + len(archive._END)
PAGES = [
    (HEAD_BYTES + start, length)
    for tables in json.loads(PACKED)["index"].values()
    for table in tables
    for _, _, (start, length, _) in table
]


def test_what_is_packed_comes_back() -> None:
    assert unpack(DIGEST, parts_of(PACKED)) == SECTIONS
    assert {name: len(texts) for name, texts in unpack(DIGEST, parts_of(PACKED)).items()} == {
        "first": 3,
        "none": 0,
        "second": 4,
    }
    assert "/b" not in unpack(DIGEST, parts_of(PACKED))["first"]
    assert 1 not in unpack(DIGEST, parts_of(PACKED))["first"]


def test_all_of_it_can_be_looked_at() -> None:
    sections = unpack(DIGEST, parts_of(PACKED))
    for texts in sections.values():
        texts.check()
    asked: list[bytes] = []
    whole = parts_of(PACKED)

    def read(start: int, length: int) -> bytes:
        asked.append(whole(start, length))
        return asked[-1]

    for texts in unpack(DIGEST, read).values():
        texts.check()
    assert {*asked[1:]} == {*PACKED[HEAD_BYTES:].removesuffix(b"\n]}\n").split(b",\n")}


def test_the_file_is_json_in_which_nothing_is_missing() -> None:
    document = json.loads(PACKED)
    assert document["index"].keys() == SECTIONS.keys()
    for texts in SECTIONS.values():
        for text in texts.values():
            assert json.loads(text) in document["texts"]


def test_a_section_may_be_empty() -> None:
    digest, packed = pack({"a": {}}, words)
    found = unpack(digest, parts_of(packed))
    assert (found, len(found["a"]), found["a"].mentioning("x")) == ({"a": {}}, 0, [])
    assert json.loads(packed) == {"index": {"a": [[], []]}, "texts": []}


def test_a_look_for_one_text_reads_one_page_and_the_text() -> None:
    names = [f"/{number:04}" for number in range(1_000)]
    texts = {name: json.dumps([name, f"w{name}"]).encode() for name in names}
    digest, packed = pack({"a": texts}, words)
    asked: list[int] = []
    whole = parts_of(packed)

    def read(start: int, length: int) -> bytes:
        asked.append(length)
        return whole(start, length)

    found = unpack(digest, read)["a"]
    assert len(found) == 1_000
    assert len(asked) == 1

    for name in names:
        asked.clear()
        found = unpack(digest, read)["a"]
        assert found[name] == texts[name]
        assert found.mentioning(f"w{name}") == [name]
        assert len(asked) <= 5, "the index, a page of places, the text, a page of words, where it would be"
        assert sum(asked[1:]) < 16_384
    assert [*found] == names
    assert "/1000" not in found
    assert "" not in found


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
        except LedgerInvalidError:
            assert any(start <= place < start + length for start, length in PAGES)
        except ValueError:
            assert place < HEAD_BYTES
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
    assert list(unpack(DIGEST, parts_of(PACKED))[section].mentioning(word)) == sorted(names)


def test_they_are_found_as_a_look_at_each_would_find_them(monkeypatch: pytest.MonkeyPatch) -> None:
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
        monkeypatch.setattr(archive, "_ON_PAGE", rng.choice((1, 2, 3, 64)))
        digest, packed = pack(sections, words)
        found = unpack(digest, parts_of(packed))
        assert found == sections
        word = "".join(rng.choices('ab"\\', k=rng.randrange(3)))
        for section, texts in sections.items():
            expected = sorted(name for name, text in texts.items() if word in {name, *words(section, text)})
            assert found[section].mentioning(word) == expected
            assert [*found[section]] == sorted(texts)


def test_a_large_index_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_CHUNK_BYTES", 7)
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


def sealed(index: bytes, lines: bytes = b"") -> tuple[str, bytes]:
    """What :func:`pack` would have made, had this been what it made; and its digest."""
    head = archive._BEGINNING + index + archive._END
    return archive._digest(head), head + lines


# What somebody makes a digest for: not even the index can be told.
FORGED: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"x",
    "a number": b"1",
    "a section that is a number": b'{"a": 1}',
    "a section with one table": b'{"a": [[]]}',
    "a table that is a number": b'{"a": [1, []]}',
    "a page that is short": b'{"a": [[["/a", 1]], []]}',
    "a first name that is a number": b'{"a": [[[1, 1, []]], []]}',
    "a count that is a text": b'{"a": [[["/a", "1", []]], []]}',
    "a count that is a list": b'{"a": [[["/a", [], []]], []]}',
    "a count that is negative": b'{"a": [[["/a", -1, []]], []]}',
    "a count that is large": b'{"a": [[["/a", %d, []]], []]}' % (1 << 70),
    "a count that is a fraction": b'{"a": [[["/a", 1.0, [0, 1, ""]]], []]}',
    "a count that is a truth": b'{"a": [[["/a", true, [0, 1, ""]]], []]}',
    "a count of nothing": b'{"a": [[["/a", 0, [0, 1, ""]]], []]}',
    "too many on a page": b'{"a": [[["/a", 65, [0, 1, ""]]], []]}',
    "a page without a place": b'{"a": [[["/a", 1, []]], []]}',
    "a page inside another": b'{"a": [[["/a", 1, [0, 9, ""]], ["/b", 1, [8, 1, ""]]], []]}',
    "a page before another": b'{"a": [[["/a", 1, [9, 9, ""]], ["/b", 1, [0, 9, ""]]], []]}',
    "pages in no order": b'{"a": [[["/b", 1, [0, 1, ""]], ["/a", 1, [1, 1, ""]]], []]}',
    "a page twice": b'{"a": [[["/a", 1, [0, 1, ""]], ["/a", 1, [1, 1, ""]]], []]}',
    "lists without end": b"[" * 100_000,
}
PLACES = {
    "a number": b"1",
    "a place that is short": b"[1, 2]",
    "a place that is endless": b'[Infinity, 1, "x"]',
    "a place that is none": b'[0, NaN, "x"]',
    "a place that is a text": b'["a", "b", "c"]',
    "a place that is large": b'[%d, 1, "x"]' % (1 << 70),
    "a length that is large": b'[0, %d, "x"]' % (1 << 70),
    "a digest that is a list": b"[0, 1, []]",
    "a place before the file": b'[-500, 3, ""]',
    "a length that is negative": b'[0, -1, ""]',
    "a place behind the file": b'[1000000000, 5, ""]',
}
TEXT = b'"x"'
GOOD = b'[0, 3, "%s"]' % archive._digest(TEXT).encode()
# Only who asks for what is on it is told. The text is there, and the index says of one page how many it has.
FORGED_PAGES: dict[str, tuple[int, bytes]] = {
    "no JSON": (1, b"x"),
    "a list": (1, b'["/a"]'),
    "a list of pairs": (1, b'[["/a", %s]]' % GOOD),
    "nothing": (1, b"{}"),
    "another name": (2, b'{"/": %s, "/a": %s}' % (GOOD, GOOD)),
    "names in no order": (3, b'{"/a": %s, "/c": 1, "/b": 1}' % GOOD),
    "a name of the next page": (2, b'{"/a": %s, "/z": 1}' % GOOD),
    "too many": (1, b'{"/a": %s, "/b": 1}' % GOOD),
    "too few": (2, b'{"/a": %s}' % GOOD),
    "lists without end": (1, b'{"/a": ' + b"[" * 100_000),
    "a place in the index": (1, b'{"/a": [-10, 3, "%s"]}' % archive._digest(archive._END[-10:-7]).encode()),
    "no place": (1, b'{"/a": null}'),
    "no place of another": (2, b'{"/a": %s, "/b": null}' % GOOD),
    **{name: (1, b'{"/a": %s}' % place) for name, place in PLACES.items()},
}


@pytest.mark.parametrize("index", FORGED.values(), ids=FORGED)
def test_who_makes_a_digest_of_nonsense_gains_nothing(index: bytes) -> None:
    digest, packed = sealed(index)
    with pytest.raises((ValueError, TypeError, RecursionError)):
        unpack(digest, parts_of(packed))


def refused(texts: Archive) -> None:
    """Whatever is asked for, it is told that it is damaged, if anything is told at all."""
    with pytest.raises(LedgerInvalidError):
        texts["/a"]
    with pytest.raises(LedgerInvalidError):
        texts.check()
    for ask in (texts.mentioning, texts.__contains__):
        with contextlib.suppress(LedgerInvalidError):
            assert ask("/a") in (["/a"], True)
        with contextlib.suppress(LedgerInvalidError):
            assert ask("/y") in ([], False)
    with contextlib.suppress(LedgerInvalidError):
        assert next(iter(texts)) == "/a"


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_page_at_no_place_is_damage(place: bytes, tmp_path: Path) -> None:
    digest, packed = sealed(b'{"a": [[["/a", 1, %s]], []]}' % place, b"1\n]}\n")
    (tmp_path / "file").write_bytes(packed)
    with (tmp_path / "file").open("rb") as file:
        try:
            texts = unpack(digest, OpenParts(file.fileno()))["a"]
        except (TypeError, ValueError):  # it is seen at once
            return
    refused(texts)


@pytest.mark.parametrize(("count", "page"), FORGED_PAGES.values(), ids=FORGED_PAGES)
def test_a_page_of_nonsense_is_damage(count: int, page: bytes, tmp_path: Path) -> None:
    place = b'[%d, %d, "%s"]' % (len(TEXT) + 2, len(page), archive._digest(page).encode())
    index = b'{"a": [[["/a", %d, %s], ["/z", 1, [%d, 1, ""]]], []]}' % (count, place, 1 << 40)
    digest, packed = sealed(index, b"%s,\n%s\n]}\n" % (TEXT, page))
    (tmp_path / "file").write_bytes(packed)
    with (tmp_path / "file").open("rb") as file:
        refused(unpack(digest, OpenParts(file.fileno()))["a"])


@pytest.mark.parametrize("found", [b"1", b'[["/a"]]', b"[1]", b'{"/a": 1}', b"true"])
def test_words_of_nonsense_name_nothing_that_is_not_there(found: bytes, tmp_path: Path) -> None:
    places, words = b'{"/a": %s}' % GOOD, b'{"x": %s}' % found
    tables, here = [], 0
    for first, line in ((None, TEXT), (b"/a", places), (b"x", words)):
        if first is not None:
            place = (first, here, len(line), archive._digest(line).encode())
            tables.append(b'[["%s", 1, [%d, %d, "%s"]]]' % place)
        here += len(line) + 2
    digest, packed = sealed(b'{"a": [%s]}' % b", ".join(tables), b",\n".join((TEXT, places, words)))
    (tmp_path / "file").write_bytes(packed)
    with (tmp_path / "file").open("rb") as file:
        texts = unpack(digest, OpenParts(file.fileno()))["a"]
    assert texts["/a"] == TEXT
    with contextlib.suppress(LedgerInvalidError):
        assert texts.mentioning("x") in ([], ["/a"])
