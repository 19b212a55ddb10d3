"""The ledger on disk: what is written is read again, what makes no sense is refused, all private."""

from __future__ import annotations

import json
import os
import pickle
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kimi_profiles.entries import seal
from kimi_profiles.errors import LedgerInvalidError, NotPermittedError
from kimi_profiles.jsontext import Found
from kimi_profiles.ledger import (
    ABSENT,
    Application,
    Ledger,
    Owned,
    Record,
    needed_backups,
    read_ledger,
    write_ledger,
)

OWNED = Owned(
    pointer="/env/ANTHROPIC_BASE_URL",
    member=None,
    before=Found('"https://old.example"', "/env/A"),
    wrote=("d1", "d2"),
    is_present=True,
    is_secret=False,
    holders=("/home/u/.claude/settings.json",),
)
MEMBER = Owned("/permissions/allow", "d3", None, ("d3",), is_present=True, is_secret=True, holders=("/h",))
RECORD = Record(
    salt="0" * 32,
    owned=(OWNED, MEMBER),
    made=("/env",),
    texts=("t1", "t2", "t3"),
    base="settings.json-0/1-0644-2",
    was_created=True,
    folders=("/home/u/.claude",),
    mode_before=0o644,
)
APPLICATION = Application("work", "user", "2026-11-21T09:00:00Z", "d", ("/home/u/.claude/settings.json",))
LEDGERS = {
    "empty": Ledger(),
    "full": Ledger({"/h": APPLICATION}, {"/a": RECORD, "/b": Record(owned=(MEMBER,))}, ("/a", "/b")),
    "absent before": Ledger({}, {"/a": Record(owned=(OWNED,), base=ABSENT)}),
    "surrogates in a path": Ledger({}, {"/\udcff": Record(owned=(OWNED,), folders=("/\udcfe",))}),
    "any text": Ledger(
        {}, {"/a": Record(owned=(Owned("/é\n", None, Found('"\\u0000é"', None), (), True, True, ()),))}
    ),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.json"


@pytest.mark.parametrize("ledger", LEDGERS.values(), ids=LEDGERS)
def test_what_is_written_is_read_again(ledger: Ledger, file: Path) -> None:
    write_ledger(file, ledger)

    assert read_ledger(file) == ledger


def test_a_record_can_be_kept_as_json_and_as_a_pickle() -> None:
    assert Record.from_json(json.loads(json.dumps(RECORD.to_json()))) == RECORD
    assert pickle.loads(pickle.dumps(RECORD)) == RECORD


def test_no_file_is_an_empty_ledger(file: Path) -> None:
    assert read_ledger(file) == Ledger()
    assert not file.exists()


def test_the_file_is_private_whatever_the_umask(file: Path) -> None:
    earlier = os.umask(0)
    try:
        write_ledger(file, LEDGERS["full"])
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    file.chmod(0o644)
    write_ledger(file, Ledger())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_same_ledger_is_not_written_twice(file: Path) -> None:
    write_ledger(file, LEDGERS["full"])
    before = file.stat()
    write_ledger(file, LEDGERS["full"])

    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def damaged(change: dict[str, Any]) -> str:
    whole = {"schema": 1, "applications": {}, "records": {}, "pending": []}
    return json.dumps({name: value for name, value in {**whole, **change}.items() if value != "gone"})


RECORD_JSON = RECORD.to_json()
OWNED_JSON = RECORD_JSON["owned"][0]
DAMAGED = {
    "empty file": "",
    "cut short": json.dumps({"schema": 1, "records": {}})[:-5],
    "not an object": "[]",
    "null": "null",
    "not UTF-8": b"\xff{}",
    "NUL bytes": b"\0" * 64,
    "very deep": "[" * 100_000,
    "a number of 5000 digits": "1" * 5000,
    "no schema": damaged({"schema": "gone"}),
    "no applications": damaged({"applications": "gone"}),
    "applications is a list": damaged({"applications": []}),
    "an application is a text": damaged({"applications": {"/h": "x"}}),
    "an application lacks its profile": damaged({"applications": {"/h": {"scope": "user"}}}),
    "records is a list": damaged({"records": []}),
    "a record is null": damaged({"records": {"/a": None}}),
    "a record of a file in whatever folder": damaged({"records": {"settings.json": RECORD_JSON}}),
    "a record made what is no place": damaged({"records": {"/a": {**RECORD_JSON, "made": ["env"]}}}),
    "a record lacks its salt": damaged({"records": {"/a": {**RECORD_JSON, "salt": None}}}),
    "a record owns a text": damaged({"records": {"/a": {**RECORD_JSON, "owned": "xx"}}}),
    "made is a text": damaged({"records": {"/a": {**RECORD_JSON, "made": "xx"}}}),
    "a mode is a text": damaged({"records": {"/a": {**RECORD_JSON, "mode_before": "rw"}}}),
    "a mode is endless": damaged({"records": {"/a": {**RECORD_JSON, "mode_before": float("-inf")}}}),
    "an earlier value is a number": damaged(
        {"records": {"/a": {**RECORD_JSON, "owned": [{**OWNED_JSON, "before": {"raw": 1, "after": None}}]}}}
    ),
    "digests are numbers": damaged(
        {"records": {"/a": {**RECORD_JSON, "owned": [{**OWNED_JSON, "wrote": [1]}]}}}
    ),
    "pending is a text": damaged({"pending": "/a"}),
    "pending is missing": damaged({"pending": "gone"}),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_ledger_is_refused_and_left_alone(text: str | bytes, file: Path) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    file.write_bytes(data)

    with pytest.raises(LedgerInvalidError) as caught:
        read_ledger(file)

    assert (caught.value.exit_code, caught.value.path) == (78, str(file))
    assert file.read_bytes() == data


@pytest.mark.parametrize("schema", [0, 2, 99, "1", None, [1]])
def test_a_ledger_of_another_schema_is_refused_and_says_which(schema: Any, file: Path) -> None:
    file.write_text(damaged({"schema": schema}))

    with pytest.raises(LedgerInvalidError, match="schema") as caught:
        read_ledger(file)

    assert "newer version" in (caught.value.hint or "")


def test_a_ledger_that_is_no_file_is_refused(file: Path) -> None:
    file.mkdir()

    with pytest.raises(NotPermittedError):
        read_ledger(file)


def test_no_value_is_in_the_file_that_was_written(file: Path) -> None:
    record = Record()
    digest = record.digest("/env/ANTHROPIC_AUTH_TOKEN", '"sk-canary"')
    owned = Owned("/env/ANTHROPIC_AUTH_TOKEN", None, None, (digest,), True, True, ("/h",))
    write_ledger(file, Ledger({}, {"/a": Record(salt=record.salt, owned=(owned,))}))

    assert b"sk-canary" not in file.read_bytes()
    assert digest.encode() in file.read_bytes()


def test_equal_values_have_equal_digests_and_others_do_not() -> None:
    record = Record()
    digest = record.digest("/a", '{"b": [1, "é"]}')

    assert record.digest("/a", '{ "b":[1,"\\u00e9"] }') == digest
    others = (record.digest("/b", '{"b": [1, "é"]}'), record.digest("/a", "null"), record.digest("/a", None))
    assert len({digest, *others, Record().digest("/a", '{"b": [1, "é"]}')}) == 5


def test_a_record_that_owns_nothing_is_forgotten() -> None:
    ledger = Ledger({}, {"/a": RECORD})

    assert ledger.with_records({"/a": Record(), "/b": RECORD}).records == {"/b": RECORD}


def test_no_file_and_an_empty_file_are_not_the_same_text() -> None:
    record = Record(base=ABSENT)

    assert record.digest_text(None) != record.digest_text("")


def owned(pointer: str, *, wrote: tuple[str, ...], before: Found | None = None) -> Owned:
    return Owned(pointer, None, before, wrote, is_present=True, is_secret=False, holders=("/h",))


def test_a_joined_record_is_true_before_and_after_the_file_is_replaced() -> None:
    earlier = Record(
        "s",
        owned=(owned("/dropped", wrote=("a",)), owned("/both", wrote=("b",), before=Found("1", None))),
        made=("/env",),
        texts=("t0", "t1"),
        base="b0",
        folders=("/f",),
        mode_before=0o644,
    )
    later = Record(
        "s",
        owned=(owned("/both", wrote=("c",), before=Found("2", None)), owned("/new", wrote=("d",))),
        made=("/list",),
        texts=("t0", "t1", "t2"),
        base="b0",
        was_created=True,
    )

    joined = earlier.joined(later)

    assert {entry.pointer: entry.wrote for entry in joined.owned} == {
        "/dropped": ("a",),
        "/both": ("b", "c"),
        "/new": ("d",),
    }
    assert [entry.before for entry in joined.owned if entry.pointer == "/both"] == [Found("2", None)]
    assert (joined.made, joined.texts, joined.base) == (("/env", "/list"), ("t0", "t1", "t2"), "b0")
    assert (joined.folders, joined.was_created, joined.mode_before) == (("/f",), True, 0o644)


def test_of_many_records_only_what_is_asked_for_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {f"/{n}": replace(RECORD, owned=(replace(MEMBER, holders=(f"/h{n}",)),)) for n in range(100)}
    write_ledger(file, Ledger({"/h": APPLICATION}, {**others, "/b": RECORD}))
    read: list[object] = []
    real = Record.from_json

    def spy(data: Any) -> Record:
        read.append(data["salt"])
        return real(data)

    monkeypatch.setattr(Record, "from_json", spy)
    ledger = read_ledger(file)
    assert dict(ledger.held_by("/home/u/.claude/settings.json")) == {"/b": RECORD}
    assert ledger.record(Path("/b")) == RECORD
    write_ledger(
        file, ledger.with_records({"/7": RECORD}, pending=["/7"]).with_application("/x", APPLICATION)
    )

    assert len(read) == 1
    again = read_ledger(file)
    assert again.records == {**others, "/b": RECORD, "/7": RECORD}
    assert again.applications == {"/h": APPLICATION, "/x": APPLICATION}
    assert again.pending == ("/7",)


def test_a_ledger_in_which_white_space_stands_otherwise_is_read(file: Path) -> None:
    write_ledger(file, LEDGERS["full"])
    document = json.loads(file.read_bytes())
    del document["digest"]
    file.write_text(json.dumps(document, indent=1))

    assert read_ledger(file) == LEDGERS["full"]


# id → what somebody makes a digest for: the records of a ledger
FORGED = {
    "no JSON": {"/a": b"{"},
    "no record": {"/a": b"[]"},
    "a file in whatever folder": {"settings.json": json.dumps(RECORD_JSON).encode()},
    "very deep": {"/a": b"[" * 100_000},
}


@pytest.mark.parametrize("records", FORGED.values(), ids=FORGED)
def test_a_forged_record_is_refused_when_it_is_asked_for(records: dict[str, bytes], file: Path) -> None:
    file.write_bytes(seal({"applications": {}, "records": records}, {"schema": 1, "pending": []}))
    ledger = read_ledger(file)

    with pytest.raises(LedgerInvalidError) as caught:
        ledger.records[next(iter(records))]
    assert caught.value.path == str(file)


@pytest.mark.parametrize("sections", [{}, {"applications": {}}, {"records": {}}])
def test_a_forged_ledger_that_lacks_a_section_is_refused(sections: dict[str, Any], file: Path) -> None:
    file.write_bytes(seal(sections, {"schema": 1, "pending": []}))

    with pytest.raises(LedgerInvalidError):
        read_ledger(file)


def test_of_some_files_only_their_backups_are_needed() -> None:
    ledger = Ledger({}, {"/a": RECORD, "/b": replace(RECORD, base="b")})

    assert needed_backups(ledger) == {RECORD.base, "b"}
    assert needed_backups(ledger, of=[Path("/b"), Path("/c")]) == {"b"}
