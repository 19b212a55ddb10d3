"""Copies: whole, private, never written over; the first one stays for good."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from kimi_profiles import backups, linux
from kimi_profiles.backups import (
    backup_path,
    list_backups,
    load_backup,
    prune_backups,
    save_backup,
    sweep_backups,
)
from kimi_profiles.errors import NotFoundError, WriteFailedError
from kimi_profiles.files import temporary_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = {
    "text": b'{"a": 1}\n',
    "empty": b"",
    "not a text": b"\x00\xff\xfe",
    "no file": None,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".claude.json"


def copies(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*/*") if path.name != "target")


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_what_is_saved_can_be_loaded(data: bytes | None, folder: Path, target: Path) -> None:
    backup = save_backup(folder, target, data, mode=0o644)

    assert load_backup(folder, backup) == data


def test_a_copy_says_when_with_which_mode_and_of_what(folder: Path, target: Path) -> None:
    backup = save_backup(folder, target, b"x", mode=0o644)

    name, copy = backup.split("/")
    assert name.startswith("claude.json-")
    assert copy.split("-")[1:] == ["0644", "2d711642b726b044"]
    assert (folder / name / "target").read_text() == str(target)
    assert backup_path(folder, backup).read_bytes() == b"x"


def test_copies_and_their_folders_are_private_whatever_the_umask(folder: Path, target: Path) -> None:
    earlier = os.umask(0)
    try:
        backup = save_backup(folder, target, b"x", mode=0o644)
    finally:
        os.umask(earlier)

    copy = backup_path(folder, backup)
    paths = (copy, copy.with_name("target"), copy.parent, folder)
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600, 0o700, 0o700]


def test_the_same_state_is_not_kept_twice(folder: Path, target: Path) -> None:
    first = save_backup(folder, target, b"x", mode=0o644)

    assert save_backup(folder, target, b"x", mode=0o644) == first
    assert len(copies(folder)) == 1


# id → the bytes and mode of a second copy
OTHERS = {
    "other bytes": (b"y", 0o644),
    "another mode": (b"x", 0o600),
    "no file": (None, None),
}


@pytest.mark.parametrize(("data", "mode"), OTHERS.values(), ids=OTHERS)
def test_another_state_is_another_copy(
    data: bytes | None, mode: int | None, folder: Path, target: Path
) -> None:
    first = save_backup(folder, target, b"x", mode=0o644)
    second = save_backup(folder, target, data, mode=mode)

    assert first != second
    assert (load_backup(folder, first), load_backup(folder, second)) == (b"x", data)


def test_a_state_that_comes_back_is_the_newest_copy(folder: Path, target: Path) -> None:
    ids = [save_backup(folder, target, data, mode=0o644) for data in (b"x", b"y", b"x")]

    assert ids == sorted(set(ids))


def test_a_copy_is_never_written_over(folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups.time, "time_ns", lambda: 7)
    ids = [save_backup(folder, target, data, mode=0o644) for data in (b"x", b"y", b"x", b"y", b"x")]

    assert len(set(ids)) == 5
    assert [load_backup(folder, backup) for backup in ids] == [b"x", b"y", b"x", b"y", b"x"]


def test_files_of_one_name_do_not_share_copies(folder: Path, tmp_path: Path) -> None:
    one = save_backup(folder, tmp_path / "a" / "settings.json", b"x", mode=0o644)
    two = save_backup(folder, tmp_path / "b" / "settings.json", b"x", mode=0o644)

    assert one.split("/")[0] != two.split("/")[0]


def test_a_long_name_fits(folder: Path, tmp_path: Path) -> None:
    backup = save_backup(folder, tmp_path / ("x" * 255), b"x", mode=0o644)

    assert load_backup(folder, backup) == b"x"


def test_pruning_keeps_the_first_the_newest_ten_and_what_is_needed(folder: Path, target: Path) -> None:
    ids = [save_backup(folder, target, str(n).encode(), mode=0o644) for n in range(20)]

    gone = prune_backups(folder, needed={ids[4]})

    assert [backup.key for backup in gone] == [*ids[1:4], *ids[5:10]]
    assert copies(folder) == [backup.split("/")[1] for backup in (ids[0], ids[4], *ids[-10:])]


@pytest.mark.parametrize(
    ("kept", "left"), [(0, [0]), (1, [0, 4]), (4, [0, 1, 2, 3, 4]), (99, [0, 1, 2, 3, 4])]
)
def test_pruning_keeps_the_first_and_as_many_as_are_wanted(
    folder: Path, target: Path, kept: int, left: list[int]
) -> None:
    ids = [save_backup(folder, target, str(n).encode(), mode=0o644) for n in range(5)]

    prune_backups(folder, needed=(), kept=kept)

    assert copies(folder) == [ids[n].split("/")[1] for n in left]


def test_pruning_counts_each_file_by_itself(folder: Path, target: Path) -> None:
    other = target.with_name("settings.json")
    for n in range(3):
        save_backup(folder, target, str(n).encode(), mode=0o644)
        save_backup(folder, other, str(n).encode(), mode=0o644)

    prune_backups(folder, needed=(), kept=1)

    assert [backup.path for backup in list_backups(folder)] == [target, target, other, other]


def test_a_clock_that_was_set_back_makes_no_other_copy_the_first(
    folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = save_backup(folder, target, b"pristine", mode=0o644)
    monkeypatch.setattr(backups.time, "time_ns", lambda: 7)
    second = save_backup(folder, target, b"later", mode=0o644)

    prune_backups(folder, needed=(), kept=0)

    assert copies(folder) == [first.split("/")[1]]
    assert first < second


def test_the_list_tells_all_about_each_copy(folder: Path, target: Path) -> None:
    other = target.with_name("a name\nof two lines")
    keys = [
        save_backup(folder, target, b"one", mode=0o640),
        save_backup(folder, target, None, mode=None),
        save_backup(folder, other, b"", mode=0o600),
    ]

    listed = list_backups(folder, needed={keys[1]})

    assert [backup.key for backup in listed] == keys
    assert [backup.path for backup in listed] == [target, target, other]
    assert [(backup.mode, backup.size_bytes) for backup in listed] == [(0o640, 3), (None, 0), (0o600, 0)]
    assert [backup.is_pristine for backup in listed] == [True, False, True]
    assert [backup.is_needed for backup in listed] == [False, True, False]
    assert [backup.is_absent for backup in listed] == [False, True, False]
    assert [backup.copy.read_bytes() for backup in listed] == [b"one", b"", b""]
    assert len({backup.id for backup in listed}) == 3


def test_what_is_no_copy_is_neither_listed_nor_pruned(folder: Path, target: Path) -> None:
    backup_path(folder, save_backup(folder, target, b"x", mode=0o644)).with_name("notes").write_text("mine")
    (folder / "notes").write_text("mine")
    (folder / "other").mkdir()
    (folder / "other" / "target").write_text("/of/another/digest")

    prune_backups(folder, needed=(), kept=0)

    assert [backup.path for backup in list_backups(folder)] == [target]
    assert len(list(folder.rglob("notes"))) == 2


def test_without_a_folder_there_are_none(folder: Path) -> None:
    assert list_backups(folder) == []


def test_pruning_again_changes_nothing(folder: Path, target: Path) -> None:
    for n in range(20):
        save_backup(folder, target, str(n).encode(), mode=0o644)
    prune_backups(folder, needed=())
    once = copies(folder)
    prune_backups(folder, needed=())

    assert copies(folder) == once


def test_a_copy_that_is_gone_is_told(folder: Path, target: Path) -> None:
    backup = save_backup(folder, target, b"x", mode=0o644)
    backup_path(folder, backup).unlink()

    with pytest.raises(NotFoundError, match="gone"):
        load_backup(folder, backup)


def test_a_copy_that_is_damaged_is_told(folder: Path, target: Path) -> None:
    backup = save_backup(folder, target, b"x", mode=0o644)
    backup_path(folder, backup).write_bytes(b"y")

    with pytest.raises(NotFoundError, match="damaged") as caught:
        load_backup(folder, backup)
    assert caught.value.path == str(backup_path(folder, backup))


def test_a_damaged_newest_copy_is_not_taken_for_the_same_state(folder: Path, target: Path) -> None:
    first = save_backup(folder, target, b"x", mode=0o644)
    backup_path(folder, first).write_bytes(b"y")

    second = save_backup(folder, target, b"x", mode=0o644)

    assert load_backup(folder, second) == b"x"


def test_a_full_disk_leaves_no_half_copy(folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_backup(folder, target, b"first", mode=0o644)
    before = copies(folder)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(WriteFailedError):
        save_backup(folder, target, b"second", mode=0o644)

    assert copies(folder) == before


def test_half_a_copy_of_a_killed_run_is_neither_listed_nor_left(
    folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("kimi_profiles.files._move", kill)
        patch.setattr("kimi_profiles.files._unlink", lambda *_: None)  # nothing is cleared away either
        with pytest.raises(Killed):
            save_backup(folder, target, b"x", mode=0o644)
    (half,) = (path for path in folder.rglob("*") if path.is_file())
    assert half.parent == folder, "it is found without a look into the folder of each file"
    assert list_backups(folder) == []

    sweep_backups(folder)
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert load_backup(folder, save_backup(folder, target, b"x", mode=0o644)) == b"x"


# id → what is done with all backups, and with those of one file
LOOKS: dict[str, Callable[[Path, Path], object]] = {
    "list": lambda folder, _: list_backups(folder),
    "list one": lambda folder, target: list_backups(folder, of=[target]),
    "prune": lambda folder, _: prune_backups(folder, needed=(), kept=0),
    "sweep": lambda folder, _: sweep_backups(folder),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("gone", ["all", "those of one file"])
def test_folders_may_go_away_at_any_moment(
    gone: str, look: Callable[[Path, Path], object], folder: Path, target: Path, walk: str
) -> None:
    away = target.parents[1] / "away"
    for n in range(3):
        key = save_backup(folder, target, str(n).encode(), mode=0o644)
    own = folder / key.split("/")[0]
    doomed = folder if gone == "all" else own
    for number in itertools.count():
        (folder / temporary_name(folder, folder / "copy")).touch()
        calls = 0

        def counted(call: Callable[..., Any], number: int = number) -> Callable[..., Any]:
            def wrapped(*args: Any, **kwargs: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == number + 1:
                    doomed.rename(away)
                return call(*args, **kwargs)

            return wrapped

        with pytest.MonkeyPatch.context() as patch:
            for name in ("open", "lstat", "scandir", "unlink"):
                patch.setattr(os, name, counted(getattr(os, name)))
            patch.setattr(linux, "open_without_links", counted(linux.open_without_links))
            look(folder, target)
        if not away.exists():
            break
        away.rename(doomed)
    assert number > (1 if walk == "at once" else 5)


def test_a_link_or_a_pipe_is_no_copy_and_no_name_of_a_file(folder: Path, target: Path) -> None:
    copy = backup_path(folder, save_backup(folder, target, b"x", mode=0o644))
    (folder / "linked").symlink_to(copy.parent)
    (folder / "piped").mkdir()
    os.mkfifo(folder / "piped" / "target")

    assert [backup.copy for backup in list_backups(folder)] == [copy]


def test_only_the_copies_of_some_files_are_listed_and_pruned(folder: Path, target: Path) -> None:
    other = target.with_name("settings.json")
    for n in range(3):
        save_backup(folder, target, str(n).encode(), mode=0o644)
        save_backup(folder, other, str(n).encode(), mode=0o644)

    assert {backup.path for backup in list_backups(folder, of=[other])} == {other}
    assert [backup.path for backup in prune_backups(folder, needed=(), kept=1, of=[other])] == [other]
    assert list_backups(folder, of=[target.with_name("none")]) == []
