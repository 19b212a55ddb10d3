"""The ledger: what we wrote into each file and what was there before. Values, and their form on disk."""

from __future__ import annotations

import contextlib
import json
import os

from kimi_profiles.digests import sha256
from kimi_profiles.entries import Entries, seal, unseal
from kimi_profiles.errors import LedgerInvalidError, ProfilesError, TargetBusyError
from kimi_profiles.jsontext import Found, canonical, join_pointer, split_pointer
from kimi_profiles.patterns import pattern
from kimi_profiles.values import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any, TypeVar

    from kimi_profiles.archive import Archive
    from kimi_profiles.files import Snapshot

    T = TypeVar("T")

__all__ = [
    "ABSENT",
    "Application",
    "Ledger",
    "Owned",
    "Record",
    "needed_backups",
    "read_ledger",
    "readable_applications",
    "sweep_archives",
    "union",
    "write_ledger",
]

SCHEMA = 1
_SCHEMA_IN_PARTS = 2  # of a ledger with an archive, which the first version of this program does not know
ABSENT = "absent"
"""For ``Record.base``: before us there was no such file."""

_MAX_SIZE_BYTES = 64 << 20
_MAX_RECENT_BYTES = 256 << 10  # some 40 settings files; more goes to the archive
_ARCHIVE = pattern(r"ledger-([0-9a-f]{32})\.json")
_TEMPORARY = ".tmp"
_ONE_WORD = pattern(r"[!-~]{8,}")


@dataclass(frozen=True, slots=True)
class Owned:
    """One thing that we took over in a file.

    Attributes:
        pointer: Where.
        member: For a member of a list its salted digest, as :meth:`Record.digest` makes it; else ``None``.
        before: What was there before us, as it stood there; ``None`` for nothing.
        wrote: Salted digests of what we wrote; more than one while a run is under way or was cut short.
        is_present: Whether what we wrote last is something rather than nothing.
        is_secret: Whether its values are never shown.
        holders: Settings files of the scopes that want it so.
    """

    pointer: str
    member: str | None
    before: Found | None
    wrote: tuple[str, ...]
    is_present: bool
    is_secret: bool
    holders: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str | None]:
        """What it is found by in a :class:`Record`."""
        return self.pointer, self.member

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        before = self.before
        return {
            "pointer": self.pointer,
            "member": self.member,
            "before": None if before is None else {"raw": before.raw, "after": before.after},
            "wrote": self.wrote,
            "is_present": self.is_present,
            "is_secret": self.is_secret,
            "holders": self.holders,
        }


@dataclass(frozen=True, slots=True)
class Record:
    """All that we know about one file.

    Attributes:
        salt: Random; makes digests of short or known values useless to a reader of the ledger.
        owned: What we took over.
        made: Pointers of objects and lists that we had to make.
        texts: Digests of whole texts that become ``base`` when our part is taken out; the first is that of
            ``base`` itself.
        base: Key of the backup that holds the file without us, or :data:`ABSENT`; ``None`` until the first
            write.
        was_created: Whether the file is there because of us.
        folders: Folders that we had to make for it, outer ones first.
        mode_before: Its permission bits before us, where we changed them.
        place: What the folder that the file is in is known by, whatever it is called; from
            :func:`~kimi_profiles.files.folder_mark`.
    """

    salt: str = field(default_factory=lambda: os.urandom(16).hex(), repr=False)
    owned: tuple[Owned, ...] = ()
    made: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    base: str | None = None
    was_created: bool = False
    folders: tuple[str, ...] = ()
    mode_before: int | None = None
    place: str | None = None

    def digest(self, pointer: str, raw: str | None) -> str:
        """A salted digest of the JSON value ``raw`` at ``pointer``; equal for equal values."""
        return self._hash(pointer, None if raw is None else canonical(raw))

    def digest_text(self, text: str | bytes | None) -> str:
        """A salted digest of a whole text, which may be given as UTF-8; ``None`` is no file."""
        return self._hash("text", text)

    def knows(self, text: str | bytes | None) -> bool:
        """Whether ``text`` without our part is just ``base``, to the byte."""
        return self.base is not None and self.digest_text(text) in self.texts

    def is_held_by(self, holder: str) -> bool:
        """Whether ``holder`` wants anything of what is owned."""
        return any(holder in owned.holders for owned in self.owned)

    @property
    def fingerprint(self) -> str:
        """Another one for every other record. It tells nothing, because the salt is in it."""
        return sha256(_line(self))

    @property
    def holds_secret(self) -> bool:
        """Whether we put a secret into the file that is not just an empty string."""
        return any(map(self._is_filled_secret, self.owned))

    def without(self, holder: str) -> Record:
        """The same with nothing that ``holder`` wants."""
        rest = (
            replace(owned, holders=tuple(name for name in owned.holders if name != holder))
            for owned in self.owned
        )
        return replace(self, owned=tuple(owned for owned in rest if owned.holders))

    def without_secrets(self, text: str) -> str | None:
        """``text``, which need not be JSON, without the secrets of ours; ``None`` if one is not found.

        They are known by their digests: what stands between two quotation marks is tried. What is found
        is taken out wherever it stands.
        """
        missing = {owned.key: owned for owned in self.owned if self._is_filled_secret(owned)}
        found: dict[tuple[str, str | None], set[str]] = {}
        for piece in set(text.split('"')[1:-1]):
            for owned in missing.values() if _ONE_WORD.fullmatch(piece) else ():
                if self._digest_of_word(owned.pointer, piece) in owned.wrote:
                    found.setdefault(owned.key, set()).update((piece, json.loads(f'"{piece}"')))
        if found.keys() != missing.keys():
            return None
        for word in sorted(set().union(*found.values()), key=len, reverse=True):
            text = text.replace(word, "")
        return text

    def _is_filled_secret(self, owned: Owned) -> bool:
        is_empty = self.digest(owned.pointer, '""') in owned.wrote[-1:]
        return owned.is_secret and owned.is_present and not is_empty

    def _digest_of_word(self, pointer: str, word: str) -> str | None:
        try:
            return self.digest(pointer, f'"{word}"')
        except ValueError:  # a broken escape
            return None

    def _hash(self, kind: str, text: str | bytes | None) -> str:
        head = f"{self.salt}\0{kind}\0{'-' if text is None else '+'}"
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text or b""
        return sha256(head.encode("utf-8", "surrogatepass"), data)

    def joined(self, other: Record) -> Record:
        """Both at once: what to write ahead, true before and after the file is replaced.

        ``other`` is the later one and decides; from this one comes what it may still find in the file.
        """
        later = {owned.key: owned for owned in other.owned}
        owned = []
        for earlier in self.owned:
            also = later.pop(earlier.key, None)
            if also is None:
                owned.append(earlier)
            else:
                owned.append(replace(also, wrote=union(earlier.wrote, also.wrote)))
        return replace(
            other,
            owned=(*owned, *later.values()),
            made=union(self.made, other.made),
            folders=union(self.folders, other.folders),
            was_created=self.was_created or other.was_created,
            mode_before=other.mode_before if other.mode_before is not None else self.mode_before,
            place=other.place or self.place,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` makes an equal record."""
        return {
            "salt": self.salt,
            "owned": [owned.to_json() for owned in self.owned],
            "made": self.made,
            "texts": self.texts,
            "base": self.base,
            "was_created": self.was_created,
            "folders": self.folders,
            "mode_before": self.mode_before,
            "place": self.place,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """The inverse of :meth:`to_json`.

        Raises:
            LedgerInvalidError: ``data`` is not such an object.
        """
        try:
            owned = tuple(_owned(entry) for entry in data["owned"])
            return cls(
                salt=_text(data["salt"]),
                owned=owned,
                made=tuple(map(_pointer, _texts(data["made"]))),
                texts=_texts(data["texts"]),
                base=None if data["base"] is None else _text(data["base"]),
                was_created=bool(data["was_created"]),
                folders=_paths(data["folders"]),
                mode_before=None if data["mode_before"] is None else _mode(data["mode_before"]),
                place=None if data.get("place") is None else _text(data["place"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerInvalidError(f"a record lacks or mistypes {error}") from None


@dataclass(frozen=True, slots=True)
class Application:
    """One scope to which a profile is applied; its key in the ledger is the path of the settings file.

    Attributes:
        profile: Its name.
        scope: ``user``, ``project``, ``local`` or ``path``.
        at: UTC, ISO 8601 with ``Z``, seconds.
        declared: Digest of the resolved profile, to see whether it changed since.
        targets: The files it wrote to.
    """

    profile: str
    scope: str
    at: str
    declared: str
    targets: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` makes an equal application."""
        return {
            "profile": self.profile,
            "scope": self.scope,
            "at": self.at,
            "declared": self.declared,
            "targets": self.targets,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Application:
        """The inverse of :meth:`to_json`; else a ``KeyError``, ``TypeError`` or ``ValueError``."""
        profile, scope, at, declared = (_text(data[name]) for name in ("profile", "scope", "at", "declared"))
        return cls(profile, scope, at, declared, tuple(map(_file, _texts(data["targets"]))))


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything: applications by settings file, records by file.

    Attributes:
        pending: Files that a run was about to replace; empty unless one is under way or was cut short.
        lender: Whose it is, if neither ours nor root's.
        archive: Name of the file that holds what has not changed for long.
    """

    applications: Mapping[str, Application] = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)
    pending: tuple[str, ...] = ()
    lender: int | None = None
    archive: str | None = field(default=None, compare=False)

    def record(self, path: Path) -> Record:
        """The record of ``path``; a new one if there is none."""
        found = self.records.get(str(path))
        return Record() if found is None else found

    def held_by(self, holder: str) -> Iterator[tuple[str, Record]]:
        """The records, by file, of those files in which ``holder`` wants anything."""
        records = _entries(self.records)
        for path in records.mentioning(holder):
            if records[path].is_held_by(holder):
                yield path, records[path]

    def in_place(self, place: str | None) -> list[str]:
        """The files on record that are, or were, in the folder that is known by ``place``."""
        if place is None:
            return []
        records = _entries(self.records)
        return [path for path in records.mentioning(place) if records[path].place == place]

    def check(self) -> None:
        """Look at all of it.

        Raises:
            LedgerInvalidError: A part is damaged.
        """
        _entries(self.applications).check()
        _entries(self.records).check()

    def with_records(self, records: Mapping[str, Record], *, pending: Iterable[str] = ()) -> Ledger:
        """The same with some records replaced; a record that owns nothing is forgotten."""
        kept = {path: record if record.owned else None for path, record in records.items()}
        known = _entries(self.records)
        return replace(self, records=known.changed(kept), pending=tuple(pending))

    def with_application(self, settings: str, application: Application | None) -> Ledger:
        """The same with one application replaced, or forgotten."""
        return replace(self, applications=_entries(self.applications).changed({settings: application}))


def ledger_file(state: Path) -> Path:
    """Where the ledger is, in the folder of our state."""
    return state / "ledger.json"


def read_ledger(path: Path) -> Ledger:
    """The ledger in the file ``path``; an empty one where there is no file.

    What is not as :func:`write_ledger` left it is checked as a whole; what is, as far as it is asked for, and
    then asking may raise the same.

    Raises:
        LedgerInvalidError: The file is damaged, or a newer version of this program wrote it.
    """
    from kimi_profiles.files import take_snapshot

    while True:
        snapshot = take_snapshot(path, limit_bytes=_MAX_SIZE_BYTES)
        try:
            return _ledger(snapshot)
        except _NoArchiveError:  # who does not hold the lock may read a ledger that is just being replaced
            if take_snapshot(path, limit_bytes=_MAX_SIZE_BYTES).data == snapshot.data:
                raise


def readable_applications(state: Path) -> tuple[Application, ...]:
    """What is applied by the ledger in the folder of our state; of a damaged one, nothing: for hints only."""
    with contextlib.suppress(ProfilesError):
        return tuple(read_ledger(ledger_file(state)).applications.values())
    return ()


class _NoArchiveError(LedgerInvalidError):
    """The archive is not there."""


def _ledger(snapshot: Snapshot) -> Ledger:
    """What the file says."""
    from kimi_profiles.files import lender_of

    path, data = snapshot.path, snapshot.data
    if data is None:
        return Ledger()
    with _checked(path):
        sealed = unseal(data)
        sections, others = ({}, json.loads(data)) if sealed is None else sealed
        if others["schema"] not in (SCHEMA, _SCHEMA_IN_PARTS):
            raise LedgerInvalidError(
                f"the ledger has another schema than {SCHEMA} or {_SCHEMA_IN_PARTS}",
                hint="use the newer version of kimi-profiles that wrote it",
            )
        if sealed is None:
            for name in ("applications", "records"):
                sections[name] = {key: json.dumps(entry).encode() for key, entry in others[name].items()}
        lender, archive = lender_of(snapshot), others.get("archive")
        older = {} if archive is None else _read_archive(path.with_name(_text(archive)), lender)
        applications = _read(sections["applications"], Application.from_json, path, older.get("applications"))
        records = _read(sections["records"], Record.from_json, path, older.get("records"))
        if sealed is None:
            _ = *applications.values(), *records.values()
        pending = tuple(map(_file, _texts(others["pending"])))
        return Ledger(applications, records, pending, lender, archive)


def write_ledger(path: Path, ledger: Ledger) -> str | None:
    """Replace the file ``path`` durably; mode 0600. The caller holds the lock.

    What makes it large goes to an archive beside it, so that it is not written again every time. The archive
    that ``ledger`` was read with stays, in case that it has to be written once more.

    Returns:
        Name of the archive that the file speaks of now; for :func:`sweep_archives`.
    """
    from kimi_profiles.files import FileChangedError

    applications, records = _entries(ledger.applications), _entries(ledger.records)
    archive = ledger.archive
    data = _sealed(applications.texts, records.texts, ledger.pending, archive)
    if not applications and not records:
        archive = None
        data = _sealed({}, {}, ledger.pending, archive)
    elif len(data) > _MAX_RECENT_BYTES and not ledger.pending:
        with contextlib.suppress(ProfilesError, FileChangedError):  # where there is no room, it stays large
            archive = _write_archive(path, applications.all_texts(), records.all_texts(), ledger.lender)
            data = _sealed({}, {}, (), archive)
    _replace(path, data)
    return archive


def sweep_archives(path: Path, *, but: str | None) -> None:
    """Remove the archives beside the file ``path`` that it does not speak of any more; the lock is held."""
    from kimi_profiles.files import remove_leftover, scan_folder

    for name in scan_folder(path.parent):
        if _ARCHIVE.fullmatch(name.removesuffix(_TEMPORARY)) and name != but:
            remove_leftover(path.with_name(name))


def _sealed(
    applications: Mapping[str, bytes],
    records: Mapping[str, bytes],
    pending: tuple[str, ...],
    archive: str | None,
) -> bytes:
    sections = {"applications": applications, "records": records}
    if archive is None:
        return seal(sections, {"schema": SCHEMA, "pending": pending})
    return seal(sections, {"schema": _SCHEMA_IN_PARTS, "archive": archive, "pending": pending})


def _replace(path: Path, data: bytes) -> None:
    from kimi_profiles.files import PRIVATE, FileChangedError, replace_file, take_snapshot

    snapshot = take_snapshot(path, limit_bytes=_MAX_SIZE_BYTES)
    if snapshot.data != data:
        try:
            replace_file(snapshot, data, mode=PRIVATE, temporary=path.name + _TEMPORARY)
        except FileChangedError:
            raise TargetBusyError("another program changes our ledger", path=path) from None


def _read_archive(path: Path, lender: int | None) -> dict[str, Archive]:
    """The archive in the file ``path``, which has to be of the same owner as the ledger that names it."""
    from kimi_profiles.archive import LOST, OpenParts, unpack
    from kimi_profiles.files import lender_of, open_file

    match = _ARCHIVE.fullmatch(path.name)
    if match is None:
        raise ValueError("the name of an archive")
    with open_file(path, limit_bytes=_MAX_SIZE_BYTES) as file:
        if file.descriptor is None:
            raise _NoArchiveError("a part of the ledger is gone", hint=LOST, path=path)
        if lender_of(file) != lender:
            raise LedgerInvalidError(
                "a part of the ledger belongs to another user than the rest",
                hint="see to it with chown",
                path=path,
            )
        try:
            return unpack(match[1], OpenParts(file.descriptor), path=path)
        except (TypeError, ValueError, RecursionError):
            raise LedgerInvalidError("a part of the ledger is damaged", hint=LOST, path=path) from None


def _write_archive(
    path: Path, applications: Mapping[str, bytes], records: Mapping[str, bytes], lender: int | None
) -> str:
    """Write an archive for the ledger ``path``, durably; its name. One that could not be used is an error."""
    from kimi_profiles.archive import pack

    with _checked(path):
        digest, data = pack({"applications": applications, "records": records}, _words)
    name = f"ledger-{digest}.json"
    _replace(path.with_name(name), data)
    _read_archive(path.with_name(name), lender)
    return name


def _words(section: str, text: bytes) -> list[str]:
    """What a record is looked for by: who wants anything in its file, and where that is."""
    if section != "records":
        return []
    record = json.loads(text)
    words = {holder for entry in record["owned"] for holder in entry["holders"]}
    place = record.get("place")
    return sorted(words if place is None else {*words, place})


def needed_backups(ledger: Ledger, *, of: Iterable[Path] | None = None) -> set[str]:
    """Keys of the backups without which something could not be given back.

    Args:
        ledger: What is on record.
        of: Only of these files; of all if left out.
    """
    records = ledger.records.values() if of is None else map(ledger.record, of)
    return {record.base for record in records if record.base is not None}


def union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Both, in order, each once."""
    return tuple(dict.fromkeys((*first, *second)))


def _entries(known: Mapping[str, T]) -> Entries[T]:
    def read(name: str, _: bytes) -> T:
        return known[name]

    return known if isinstance(known, Entries) else Entries({}, read, _line).changed(known)


def _read(
    texts: Mapping[str, bytes],
    parse: Callable[[Mapping[str, Any]], T],
    path: Path,
    archive: Archive | None,
) -> Entries[T]:
    """Applications or records, by the path of a file; ``path`` is that of the ledger."""

    def read(name: str, text: bytes) -> T:
        with _checked(path):
            _file(name)
            return parse(json.loads(text))

    return Entries(texts, read, _line, archive)


def _line(value: Any) -> bytes:
    return json.dumps(value.to_json(), separators=(",", ":")).encode("ascii")


@contextlib.contextmanager
def _checked(path: Path) -> Iterator[None]:
    """Whatever is wrong with the ledger in ``path`` is one of our errors."""
    try:
        yield
    except LedgerInvalidError as error:
        raise error.at(path) from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        hint = "if nothing is applied, move the file away; else restore it, or restore a backup by hand"
        raise LedgerInvalidError("the ledger is damaged", hint=hint, path=path) from None


def _owned(entry: Mapping[str, Any]) -> Owned:
    before = entry["before"]
    return Owned(
        pointer=_pointer(_text(entry["pointer"])),
        member=None if entry["member"] is None else _text(entry["member"]),
        before=None if before is None else _found(before),
        wrote=_texts(entry["wrote"]),
        is_present=bool(entry["is_present"]),
        is_secret=bool(entry["is_secret"]),
        holders=_paths(entry["holders"]),
    )


def _found(entry: Mapping[str, Any]) -> Found:
    raw, after = _text(entry["raw"]), entry["after"]
    (raw + (after or "")).encode()  # a lone surrogate is an error here, not when the file is written
    canonical(raw)
    return Found(raw, after)


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = "text"
        raise TypeError(msg)
    return value


def _pointer(text: str) -> str:
    return join_pointer(*split_pointer(text))


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        msg = "list"
        raise TypeError(msg)
    if {*map(type, value)} - {str}:  # there may be thousands
        msg = "text"
        raise TypeError(msg)
    return tuple(value)


def _mode(value: object) -> int:
    if not isinstance(value, int):
        msg = "number"
        raise TypeError(msg)
    return value & 0o7777


def _path(value: object) -> str:
    """A text that the system can take for a path."""
    text = _text(value)
    if b"\0" in os.fsencode(text):
        msg = "a path with a NUL character"
        raise ValueError(msg)
    return text


def _file(value: object) -> str:
    """The path of a file that is written: never one that the working directory decides."""
    text = _path(value)
    if not os.path.isabs(text):  # noqa: PTH117 - a text, as the ledger has it
        raise ValueError("a path that is not absolute")
    return text


def _paths(value: object) -> tuple[str, ...]:
    texts = _texts(value)
    _path("".join(texts))  # what is wrong with one is wrong with all in a row
    return texts
