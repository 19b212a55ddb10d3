"""The ledger on disk: what is written is read again, what makes no sense is refused, all private."""

from __future__ import annotations

import json
import os
import pickle
import random
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import stamp_of

from kimi_profiles import files
from kimi_profiles import ledger as ledger_module
from kimi_profiles.archive import pack
from kimi_profiles.entries import seal, unseal
from kimi_profiles.errors import LedgerInvalidError, NotPermittedError, WriteFailedError
from kimi_profiles.jsontext import Found
from kimi_profiles.ledger import (
    ABSENT,
    Application,
    Ledger,
    Owned,
    Record,
    needed_backups,
    read_ledger,
    sweep_archives,
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
    place="inode 7",
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
    before = stamp_of(file)
    write_ledger(file, LEDGERS["full"])

    assert stamp_of(file) == before


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
    "a place is a number": damaged({"records": {"/a": {**RECORD_JSON, "place": 7}}}),
    "a mode is endless": damaged({"records": {"/a": {**RECORD_JSON, "mode_before": float("-inf")}}}),
    "an earlier value is a number": damaged(
        {"records": {"/a": {**RECORD_JSON, "owned": [{**OWNED_JSON, "before": {"raw": 1, "after": None}}]}}}
    ),
    "digests are numbers": damaged(
        {"records": {"/a": {**RECORD_JSON, "owned": [{**OWNED_JSON, "wrote": [1]}]}}}
    ),
    "a holder has a NUL character": damaged(
        {"records": {"/a": {**RECORD_JSON, "owned": [{**OWNED_JSON, "holders": ["/a", "/b\0"]}]}}}
    ),
    "a folder is a lone surrogate": damaged({"records": {"/a": {**RECORD_JSON, "folders": ["/\ud800"]}}}),
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


@pytest.mark.parametrize("schema", [0, 3, 99, "1", None, [1]])
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


def test_a_record_of_an_earlier_version_has_no_place(file: Path) -> None:
    older = {name: value for name, value in RECORD_JSON.items() if name != "place"}
    file.write_text(damaged({"records": {"/a": older}}))

    assert read_ledger(file).record(Path("/a")) == replace(RECORD, place=None)


def test_what_is_known_last_of_a_place_is_kept() -> None:
    moved, unknown = replace(RECORD, place="inode 8"), replace(RECORD, place=None)

    assert RECORD.joined(moved).place == "inode 8"
    assert RECORD.joined(unknown).place == "inode 7"


# ---- in parts


def many(count: int) -> dict[str, Record]:
    return {f"/{n}": replace(RECORD, owned=(replace(MEMBER, holders=(f"/h{n}",)),)) for n in range(count)}


def archives(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir() if path.name.startswith("ledger-"))


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "_MAX_RECENT_BYTES", 0)


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("ledger", LEDGERS.values(), ids=LEDGERS)
def test_what_is_written_in_parts_is_read_again(ledger: Ledger, file: Path) -> None:
    ledger = replace(ledger, pending=())
    for _ in range(2):
        write_ledger(file, ledger)
        assert read_ledger(file) == ledger
    assert len(archives(file)) == (1 if ledger.records else 0)
    assert {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()} == {0o600}


def test_a_large_ledger_is_not_written_again_for_a_change_in_it(file: Path) -> None:
    write_ledger(file, Ledger({"/h": APPLICATION}, many(1000)))
    (archive,) = archives(file)
    before = stamp_of(file.parent / archive)
    assert file.stat().st_size < 1000 < (file.parent / archive).stat().st_size

    known = read_ledger(file)
    changed = known.with_records({"/7": RECORD, "/8": Record(), "/new": RECORD}, pending=["/7"])
    changed = changed.with_application("/h", None).with_application("/x", APPLICATION)
    write_ledger(file, changed)

    wanted = {**many(1000), "/7": RECORD, "/new": RECORD}
    del wanted["/8"]
    again = read_ledger(file)
    assert dict(again.records) == wanted
    assert dict(again.applications) == {"/x": APPLICATION}
    assert (len(again.records), len(again.applications), again.pending) == (1000, 1, ("/7",))
    assert ("/8" in again.records, "/h" in again.applications, "/9" in again.records) == (False, False, True)
    assert again.record(Path("/8")).owned == ()
    assert dict(again.held_by("/h9")) == {"/9": wanted["/9"]}
    assert dict(again.held_by("/h8")) == dict(again.held_by("/h7")) == {}
    assert set(dict(again.held_by(RECORD.owned[0].holders[0]))) == {"/7", "/new"}
    assert archives(file) == [archive]
    assert stamp_of(file.parent / archive) == before

    back = again.with_records({"/8": RECORD, "/7": Record()})
    assert ("/8" in back.records, "/7" in back.records, len(back.records)) == (True, False, 1000)
    assert back.record(Path("/8")) == RECORD


@pytest.mark.parametrize("size_bytes", [0, 1 << 20])
def test_what_is_in_a_place_is_found_in_an_archive_too(
    size_bytes: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_MAX_RECENT_BYTES", size_bytes)
    other = replace(RECORD, owned=(replace(OWNED, holders=("inode 7",)),), place="inode 77")
    write_ledger(file, Ledger({}, {"/a": RECORD, "/b": other, "/c": replace(RECORD, place=None)}))
    assert len(archives(file)) == (size_bytes == 0)
    known = read_ledger(file)

    assert known.in_place("inode 7") == ["/a"]
    assert known.with_records({"/a": other, "/d": RECORD}).in_place("inode 7") == ["/d"]
    assert known.in_place(None) == []


@pytest.mark.usefixtures("in_parts")
def test_any_changes_come_to_the_same_in_parts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    records: dict[str, Record] = {}
    for _ in range(300):
        monkeypatch.setattr(ledger_module, "_MAX_RECENT_BYTES", rng.choice([0, 2_000, 10_000]))
        changes = {f"/{rng.randrange(12)}": rng.choice([RECORD, Record()]) for _ in range(rng.randrange(4))}
        records.update(changes)
        records = {name: record for name, record in records.items() if record.owned}
        known = read_ledger(file)
        write_ledger(file, known.with_records(changes, pending=["/1"] * rng.randrange(2)))
        if rng.random() < 0.5:
            sweep_archives(file, but=read_ledger(file).archive)
        found = read_ledger(file)
        assert dict(found.records) == records
        assert (len(found.records), set(found.records)) == (len(records), records.keys())
        assert {name for name, _ in found.held_by(RECORD.owned[0].holders[0])} == records.keys()


def test_nothing_goes_to_an_archive_while_a_run_is_under_way(file: Path) -> None:
    write_ledger(file, Ledger({}, many(1000), ("/1",)))
    assert archives(file) == []
    assert read_ledger(file) == Ledger({}, many(1000), ("/1",))


@pytest.mark.usefixtures("in_parts")
def test_an_archive_stays_as_long_as_somebody_may_go_back_to_it(file: Path) -> None:
    write_ledger(file, Ledger({}, many(3)))
    known = read_ledger(file)
    write_ledger(file, known.with_records({"/new": RECORD}))
    assert len(archives(file)) == 2
    write_ledger(file, replace(known, pending=("/1",)))  # as a run that is undone
    again = read_ledger(file)
    assert (again, again.archive) == (replace(known, pending=("/1",)), known.archive)

    (file.parent / f"ledger-{'0' * 32}.json.tmp").write_bytes(b"")
    (file.parent / "ledger-mine.json").write_bytes(b"")
    sweep_archives(file, but=again.archive)
    assert archives(file) == sorted([str(known.archive), "ledger-mine.json"])
    assert read_ledger(file) == again


@pytest.mark.usefixtures("in_parts")
def test_where_nothing_is_left_nothing_is_in_parts(file: Path) -> None:
    write_ledger(file, Ledger({}, many(3)))
    known = read_ledger(file)
    write_ledger(file, known.with_records(dict.fromkeys(known.records, Record())))
    assert read_ledger(file) == Ledger()
    assert read_ledger(file).archive is None
    assert json.loads(file.read_bytes())["schema"] == 1
    sweep_archives(file, but=None)
    assert archives(file) == []


@pytest.mark.usefixtures("in_parts")
def test_a_program_that_knows_no_parts_is_told_by_the_schema(file: Path) -> None:
    write_ledger(file, Ledger({}, many(3)))
    assert json.loads(file.read_bytes())["schema"] == 2


@pytest.mark.usefixtures("in_parts")
def test_where_there_is_no_room_for_an_archive_the_ledger_stays_large(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise WriteFailedError("the disk is full")

    monkeypatch.setattr(ledger_module, "_write_archive", fail)
    write_ledger(file, Ledger({}, many(3)))
    assert (read_ledger(file), archives(file)) == (Ledger({}, many(3)), [])


def test_parts_in_which_white_space_stands_otherwise_are_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "_MAX_RECENT_BYTES", 0)
    write_ledger(file, Ledger({}, many(3)))
    monkeypatch.undo()
    write_ledger(file, read_ledger(file).with_records({"/1": Record(), "/new": RECORD}))
    wanted = read_ledger(file)
    document = json.loads(file.read_bytes())
    del document["digest"]
    file.write_text(json.dumps(document, indent=1))
    assert read_ledger(file) == wanted
    assert set(read_ledger(file).records) == {"/0", "/2", "/new"}


def test_a_record_that_cannot_be_packed_keeps_the_ledger_as_it_is(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ledger(file, Ledger({}, many(3)))
    sections, others = unseal(file.read_bytes()) or ({}, {})
    for forged in (
        b'{"owned": 5}',
        b"{}",
        b'{"owned": [{"holders": [[]]}]}',
        b'{"owned": [{"holders": [1, "a"]}]}',
    ):
        sections["records"]["/1"] = forged
        file.write_bytes(seal(sections, others))
        monkeypatch.setattr(ledger_module, "_MAX_RECENT_BYTES", 0)
        known = read_ledger(file)
        write_ledger(file, known.with_records({"/new": RECORD}))
        assert archives(file) == []
        assert set(read_ledger(file).records) == {"/0", "/1", "/2", "/new"}


# id → what is done to the archive
LOST: dict[str, Any] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "another": lambda path: path.write_bytes(pack({"records": {}}, lambda *_: ())[1]),
    "its index": lambda path: path.write_bytes(path.read_bytes().replace(b'"records"', b'"recorts"', 1)),
}


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("lose", LOST.values(), ids=LOST)
def test_a_ledger_without_its_archive_is_refused(lose: Any, file: Path) -> None:
    write_ledger(file, Ledger({}, many(3)))
    (archive,) = archives(file)
    lose(file.parent / archive)
    with pytest.raises(LedgerInvalidError) as caught:
        read_ledger(file)
    assert caught.value.path == str(file.parent / archive)


@pytest.mark.usefixtures("in_parts")
def test_a_record_that_was_changed_in_the_archive_is_refused_and_carried_along(file: Path) -> None:
    write_ledger(file, Ledger({}, many(3)))
    (archive,) = archives(file)
    path = file.parent / archive
    path.write_bytes(path.read_bytes().replace(b'["/h1"]', b'["/h7"]'))
    known = read_ledger(file)
    assert known.records["/0"] == many(3)["/0"]
    with pytest.raises(LedgerInvalidError):
        _ = known.records["/1"]
    with pytest.raises(LedgerInvalidError):
        dict(known.held_by("/h1"))
    write_ledger(file, known.with_records({"/new": RECORD}))  # it cannot be put into another archive
    assert archives(file) == [archive]
    again = read_ledger(file)
    assert again.records["/new"] == RECORD
    with pytest.raises(LedgerInvalidError):
        _ = again.records["/1"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners of POSIX systems")
@pytest.mark.usefixtures("in_parts")
def test_an_archive_of_somebody_else_is_not_the_ledgers(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ledger(file, Ledger({}, many(3)))
    monkeypatch.setattr(files, "lender_of", lambda snapshot: 1 if "-" in snapshot.path.name else None)
    with pytest.raises(LedgerInvalidError, match="another user"):
        read_ledger(file)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners of POSIX systems")
@pytest.mark.usefixtures("in_parts")
def test_an_archive_that_could_not_be_read_is_not_used(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "lender_of", lambda snapshot: 1 if "-" in snapshot.path.name else None)
    write_ledger(file, Ledger({}, many(3)))
    assert (read_ledger(file), read_ledger(file).archive) == (Ledger({}, many(3)), None)


@pytest.mark.parametrize("name", ["../x.json", "x.json", "ledger.json", "ledger-1.json", 3, "", "ledger-\0"])
def test_an_archive_has_a_name_of_ours(name: object, file: Path) -> None:
    file.write_text(damaged({"schema": 2, "archive": name}))
    (file.parent / "x.json").write_bytes(pack({"records": {}}, lambda *_: ())[1])
    with pytest.raises(LedgerInvalidError, match="damaged"):
        read_ledger(file)


@pytest.mark.usefixtures("in_parts")
def test_who_reads_while_it_is_replaced_reads_the_new_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ledger(file, Ledger({}, many(3)))
    real = ledger_module._read_archive
    times = 0

    def read(path: Path, lender: int | None) -> Any:
        nonlocal times
        times += 1
        if times == 1:  # others were at work since the ledger was read
            monkeypatch.setattr(ledger_module, "_read_archive", real)
            archive = write_ledger(file, read_ledger(file).with_records({"/new": RECORD}))
            sweep_archives(file, but=archive)
        return real(path, lender)

    monkeypatch.setattr(ledger_module, "_read_archive", read)
    assert read_ledger(file) == Ledger({}, {**many(3), "/new": RECORD})
