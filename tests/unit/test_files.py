"""One file: read whole, replaced whole, and everything about it that is not its bytes stays."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from support import unavailable

from kimi_profiles import files, linux
from kimi_profiles.errors import (
    DurabilityUnconfirmedError,
    NotPermittedError,
    ProfilesError,
    WriteFailedError,
)
from kimi_profiles.files import (
    FileChangedError,
    create_file,
    make_folder,
    missing_folders,
    remove_file,
    remove_leftover,
    replace_file,
    scan_folder,
    set_mode,
    take_snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, modes and owners as POSIX has them")

SPARE = ".file.temporary"


def replace(path: Path, data: bytes, *, mode: int | None = None) -> None:
    snapshot = take_snapshot(path)
    replace_file(snapshot, data, mode=mode or snapshot.mode or 0o600, temporary=SPARE)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def is_root() -> bool:
    return os.geteuid() == 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_bytes(b"old")
    path.chmod(0o644)
    return path


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=["umask 000", "umask 022", "umask 077"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    earlier = os.umask(request.param)
    yield request.param
    os.umask(earlier)


def test_a_snapshot_holds_the_bytes_and_the_mode(file: Path) -> None:
    snapshot = take_snapshot(file)

    assert (snapshot.data, snapshot.mode, snapshot.real) == (b"old", 0o644, file)


def test_a_snapshot_of_nothing_says_so(tmp_path: Path) -> None:
    snapshot = take_snapshot(tmp_path / "no" / "such" / "file")

    assert (snapshot.data, snapshot.mode) == (None, None)


def test_a_snapshot_does_not_print_what_it_read(file: Path) -> None:
    file.write_bytes(b"sk-canary")

    assert "sk-canary" not in repr(take_snapshot(file))


def test_a_reader_that_opened_the_old_file_keeps_it(file: Path) -> None:
    inode = file.stat().st_ino
    with file.open("rb") as reader:
        replace(file, b"new and longer")

        assert reader.read() == b"old"
    assert file.read_bytes() == b"new and longer"
    assert file.stat().st_ino != inode


def test_the_temporary_file_lies_beside_the_real_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    rename = files._rename

    def look(temporary: str, route: Any) -> None:
        seen.append(sorted(path.name for path in file.parent.iterdir()))
        rename(temporary, route)

    monkeypatch.setattr(files, "_rename", look)
    link = file.parent.parent / "link"
    link.symlink_to(file)

    replace(link, b"new")

    assert seen == [sorted([SPARE, file.name])]


# id → path of the link below the test's folder, what it points to
LINKS = {
    "absolute": {"link": "{root}/folder/file"},
    "relative": {"link": "folder/file"},
    "up and down": {"folder/link": "../folder/./file"},
    "a chain": {"link": "folder/second", "folder/second": "third", "folder/third": "file"},
    "through a linked folder": {"link": "other/file", "other": "folder"},
}


@pytest.mark.parametrize("links", LINKS.values(), ids=LINKS)
def test_links_stay_and_the_file_behind_them_is_replaced(links: dict[str, str], file: Path) -> None:
    root = file.parent.parent
    targets = {root / name: target.format(root=root) for name, target in links.items()}
    for link, target in targets.items():
        link.symlink_to(target)
    first = next(iter(targets))

    replace(first, b"new")

    assert {link: link.readlink() for link in targets} == {link: Path(to) for link, to in targets.items()}
    assert (file.read_bytes(), file.is_symlink()) == (b"new", False)
    assert sorted(path.name for path in file.parent.iterdir() if not path.is_symlink()) == ["file"]


def test_a_file_is_made_in_a_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    replace(tmp_path / "link" / "file", b"new")

    assert (tmp_path / "real" / "file").read_bytes() == b"new"


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket ends at 108 characters
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def make_device(path: Path) -> None:
    path.symlink_to(os.devnull)


def make_loop(path: Path) -> None:
    path.symlink_to("second")
    path.with_name("second").symlink_to(path.name)


def make_child_of_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_bytes(b"")


def make_loop_above(path: Path) -> None:
    path.parent.rmdir()
    path.parent.symlink_to(path.parent.name)


def make_dangling_above(path: Path) -> None:
    path.parent.rmdir()
    path.parent.symlink_to("nowhere")


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (make_fifo, "a pipe"),
    "socket": (make_socket, "cannot read this"),
    "device": (make_device, "a device"),
    "folder": (Path.mkdir, "a folder"),
    "dangling link": (lambda path: path.symlink_to("nowhere"), "leads nowhere"),
    "dangling chain": (
        lambda path: (path.symlink_to("second"), path.with_name("second").symlink_to("nowhere")),
        "leads nowhere",
    ),
    "folder that dangles": (make_dangling_above, "leads nowhere"),
    "looping link": (make_loop, "in a circle"),
    "link to itself": (lambda path: path.symlink_to(path.name), "in a circle"),
    "looping folder": (make_loop_above, "in a circle"),
    "below a file": (make_child_of_a_file, "Not a directory"),
}


def test_a_name_that_no_file_can_have_is_named_and_refused(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 300)

    with pytest.raises(NotPermittedError, match="File name too long") as caught:
        take_snapshot(path)

    assert (caught.value.path, caught.value.exit_code) == (str(path), 77)


@pytest.mark.parametrize(("make", "reason"), ODD.values(), ids=ODD)
def test_what_is_not_a_file_is_named_and_refused(
    make: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "folder" / "odd"
    path.parent.mkdir()
    make(path)

    with pytest.raises(NotPermittedError, match=reason) as caught:
        take_snapshot(path)

    assert (caught.value.path, caught.value.exit_code) == (str(path), 77)


def test_a_second_hard_link_is_not_cut_off(file: Path) -> None:
    os.link(file, file.with_name("second"))

    with pytest.raises(NotPermittedError, match="2 hard links") as caught:
        replace(file, b"new")

    assert caught.value.exit_code == 77
    assert (file.read_bytes(), file.with_name("second").read_bytes()) == (b"old", b"old")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400, 0o444, 0o755, 0o2750])
def test_the_mode_is_the_one_that_was_asked_for_whatever_the_umask(mode: int, umask: int, file: Path) -> None:
    replace(file, b"new", mode=mode)

    assert mode_of(file) == mode


def test_the_temporary_file_is_private_from_its_first_moment(
    umask: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    write = files._write_all
    monkeypatch.setattr(
        files,
        "_write_all",
        lambda descriptor, data: (
            seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode)),
            write(descriptor, data),
        ),
    )

    replace(file, b"new", mode=0o644)

    assert seen == [0o600]


def test_new_files_and_folders_are_private_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    made = make_folder(folder)
    create_file(folder / "file", b"x")

    assert made == (tmp_path / "a", folder)
    assert [mode_of(path) for path in (*made, folder / "file")] == [0o700, 0o700, 0o600]


def test_make_folder_leaves_folders_alone_that_are_there(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    assert (make_folder(tmp_path), missing_folders(tmp_path)) == ((), ())
    assert mode_of(tmp_path) == 0o755


def test_a_folder_that_goes_away_while_it_is_read_is_empty(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux reads a folder to its end that was removed while it was open; elsewhere it is not there."""
    assert list(scan_folder(file.parent)) == ["file"]

    def gone(folder: int) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(os, "scandir", gone)
    assert scan_folder(file.parent) == {}


def test_extended_attributes_stay(file: Path) -> None:
    try:
        os.setxattr(file, "user.origin", b"dotfiles")
    except (AttributeError, OSError):
        unavailable("this file system has no extended attributes")

    replace(file, b"new")

    assert (file.read_bytes(), os.getxattr(file, "user.origin")) == (b"new", b"dotfiles")


def test_the_owner_stays(file: Path) -> None:
    if not is_root():
        unavailable("only root can give files away")
    os.chown(file, 65534, 65533)
    file.chmod(0o640)

    replace(file, b"new")

    status = file.stat()
    assert (status.st_uid, status.st_gid, mode_of(file)) == (65534, 65533, 0o640)


def test_a_large_file_is_refused_before_it_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)
    monkeypatch.setattr(files, "_read_all", lambda *_: pytest.fail("it was read"))

    with pytest.raises(NotPermittedError, match="larger than 64 MiB"):
        take_snapshot(file)


def test_a_file_that_grows_while_it_is_read_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result((stat.S_IFREG | 0o600, *[0] * 9)))
    file.write_bytes(b"x" * 101)

    with pytest.raises(NotPermittedError, match="larger than"):
        take_snapshot(file, limit_bytes=100)


def test_a_file_of_just_the_limit_is_read(file: Path) -> None:
    file.write_bytes(b"x" * 100)

    assert take_snapshot(file, limit_bytes=100).data == b"x" * 100


def touch_later(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def swap(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


FOREIGN: dict[str, Callable[[Path], Any]] = {
    "other bytes": lambda path: path.write_bytes(b"foreign"),
    "removed": Path.unlink,
    "same bytes, later": touch_later,
    "same bytes, another file": swap,
    "same bytes, another mode": lambda path: path.chmod(0o604),
}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_a_file_that_changed_since_is_left_alone(change: Callable[[Path], Any], file: Path) -> None:
    snapshot = take_snapshot(file)
    change(file)
    foreign = take_snapshot(file)

    with pytest.raises(FileChangedError):
        replace_file(snapshot, b"new", mode=0o600, temporary=SPARE)
    with pytest.raises(FileChangedError):
        remove_file(snapshot)

    assert take_snapshot(file).is_same_file(foreign)
    assert not file.with_name(SPARE).exists()


def test_a_file_that_appeared_since_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    snapshot = take_snapshot(path)
    path.write_bytes(b"foreign")

    with pytest.raises(FileChangedError):
        replace_file(snapshot, b"new", mode=0o600, temporary=SPARE)

    assert path.read_bytes() == b"foreign"


def test_a_link_that_leads_elsewhere_since_is_left_alone(file: Path) -> None:
    link, other = file.with_name("link"), file.with_name("other")
    other.write_bytes(b"old")
    link.symlink_to("file")
    snapshot = take_snapshot(link)
    link.unlink()
    link.symlink_to("other")

    with pytest.raises(FileChangedError):
        replace_file(snapshot, b"new", mode=0o600, temporary=SPARE)

    assert (file.read_bytes(), other.read_bytes()) == (b"old", b"old")


def test_a_leftover_of_the_same_name_is_in_nobodys_way(file: Path) -> None:
    file.with_name(SPARE).write_bytes(b"half a")
    file.with_name(SPARE).chmod(0o444)

    replace(file, b"new")

    assert (file.read_bytes(), file.with_name(SPARE).exists()) == (b"new", False)


def test_a_link_in_place_of_the_temporary_file_is_not_followed(file: Path) -> None:
    victim = file.with_name("victim")
    victim.write_bytes(b"precious")
    file.with_name(SPARE).symlink_to(victim)

    replace(file, b"new")

    assert (file.read_bytes(), victim.read_bytes()) == (b"new", b"precious")


# id → the call that fails, its error, what it becomes
FAILURES = {
    "disk full": ("write", errno.ENOSPC, WriteFailedError, 1),
    "quota": ("write", errno.EDQUOT, WriteFailedError, 1),
    "disk broken": ("write", errno.EIO, WriteFailedError, 1),
    "sync fails": ("fsync", errno.EIO, WriteFailedError, 1),
    "mode not permitted": ("fchmod", errno.EPERM, NotPermittedError, 77),
    "read-only": ("open", errno.EROFS, NotPermittedError, 77),
    "rename across": ("replace", errno.EXDEV, WriteFailedError, 1),
    "rename not permitted": ("replace", errno.EACCES, NotPermittedError, 77),
    "rename fails": ("replace", errno.EIO, WriteFailedError, 1),
}


@pytest.mark.parametrize(("call", "number", "kind", "exit_code"), FAILURES.values(), ids=FAILURES)
def test_a_failure_leaves_the_old_bytes_and_no_temporary_file(
    call: str,
    number: int,
    kind: type[ProfilesError],
    *,
    exit_code: int,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    snapshot = take_snapshot(file)
    real, fired = getattr(os, call), []

    def fail(*args: Any, **kwargs: Any) -> Any:
        if call == "open" and not args[1] & os.O_CREAT:
            return real(*args, **kwargs)
        fired.append(args)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "_exchange", lambda *_: False)
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(kind) as caught:
        replace_file(snapshot, b"new", mode=0o644, temporary=SPARE)

    assert fired
    assert (caught.value.exit_code, caught.value.path) == (exit_code, str(file))
    assert os.strerror(number) in str(caught.value)
    assert (file.read_bytes(), [path.name for path in file.parent.iterdir()]) == (b"old", ["file"])


def test_a_write_that_is_cut_short_is_continued(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))

    replace(file, b"0123456789")

    assert file.read_bytes() == b"0123456789"


def test_an_interrupt_leaves_no_temporary_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_copy_identity", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        replace(file, b"new")

    assert [path.name for path in file.parent.iterdir()] == ["file"]


def fail_on_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def fail(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "broken")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)


def test_a_folder_that_cannot_be_synced_is_told_apart(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_on_folders(monkeypatch)

    with pytest.raises(DurabilityUnconfirmedError) as caught:
        replace(file, b"new")

    assert (caught.value.exit_code, file.read_bytes()) == (5, b"new")


def test_file_and_folder_are_synced_in_their_order(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, files._rename

    def record_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("fsync folder" if is_folder else f"fsync {os.fstat(descriptor).st_size} bytes")
        fsync(descriptor)

    def record_rename(*args: Any) -> None:
        events.append("rename")
        rename(*args)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(files, "_rename", record_rename)
    replace(file, b"12345")

    assert events == ["fsync 5 bytes", "rename", "fsync folder"]


def test_create_file_never_writes_over_a_file(file: Path) -> None:
    assert create_file(file, b"new") is False
    assert file.read_bytes() == b"old"


def test_create_file_takes_nothing_else_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("folder", "a folder"), ("pipe", "a pipe")):
        with pytest.raises(NotPermittedError, match=f"this is {kind}, not a file"):
            create_file(tmp_path / name, b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


def test_create_file_makes_it_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_move", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))

    with pytest.raises(WriteFailedError):
        create_file(tmp_path / "file", b"new")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["renameat2", None])
def test_create_file_never_writes_over_a_file_that_comes_meanwhile(
    call: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, fsync = tmp_path / "file", os.fsync

    def somebody_is_quicker(descriptor: int) -> None:
        file.write_bytes(b"theirs")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", somebody_is_quicker)
    if call is None:
        monkeypatch.setattr(linux, "_renameat2", lambda: None)

    assert create_file(file, b"ours") is False
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"theirs"}


def test_until_it_is_whole_a_new_file_may_be_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, spare = tmp_path / "own", tmp_path / "spare"
    own.mkdir()
    spare.write_bytes(b"half of an earlier one")
    seen, move = [], files._move
    monkeypatch.setattr(files, "_move", lambda *routes: (seen.append([*own.iterdir()]), move(*routes))[1])

    assert create_file(own / "file", b"new", temporary=spare)

    assert seen == [[]]
    assert (own / "file").read_bytes() == b"new"
    assert not spare.exists()


def test_a_new_file_is_not_made_where_a_link_of_somebody_else_leads(tmp_path: Path) -> None:
    if not is_root():
        unavailable("only root can make a link of another user")
    (tmp_path / "ours").mkdir()
    link = tmp_path / "theirs"
    link.symlink_to("ours")
    os.lchown(link, 65534, 65534)

    with pytest.raises(NotPermittedError):
        create_file(tmp_path / "file", b"new", temporary=link / "spare")

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["ours", "theirs"]


def test_a_new_file_does_not_come_from_another_file_system(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    with TemporaryDirectory(dir=other) as folder:
        with pytest.raises(WriteFailedError):
            create_file(tmp_path / "file", b"new", temporary=Path(folder, "spare"))
        assert (list(tmp_path.iterdir()), list(Path(folder).iterdir())) == ([], [])


def test_remove_file_removes_it(file: Path) -> None:
    remove_file(take_snapshot(file))

    assert not file.exists()


def test_a_leftover_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    remove_leftover(tmp_path / "none")


def test_set_mode_changes_the_mode(file: Path) -> None:
    set_mode(take_snapshot(file), 0o600)

    assert mode_of(file) == 0o600


def test_set_mode_changes_no_other_file(file: Path) -> None:
    snapshot = take_snapshot(file)
    file.rename(file.with_name("moved"))
    file.write_bytes(b"another")
    file.chmod(0o644)

    with pytest.raises(FileChangedError):
        set_mode(snapshot, 0o600)
    assert mode_of(file) == 0o644


# id → what a program that takes no lock does just before we rename, as (path, spare) → what it wrote
WRITERS: dict[str, Callable[[Path], bytes]] = {
    "by rename": lambda path: written_by_rename(path, b"theirs"),
    "in place": lambda path: written_in_place(path, b"theirs"),
    "in place, of the same length": lambda path: written_in_place(path, b"odl"),
}


def written_by_rename(path: Path, data: bytes) -> bytes:
    spare = path.with_name("theirs")
    spare.write_bytes(data)
    spare.replace(path)
    return data


def written_in_place(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    return data


def just_before_the_rename(monkeypatch: pytest.MonkeyPatch, *works: Callable[[], object]) -> list[str]:
    """Do one of ``works`` at each exchange, as somebody would in the last moment; what came of it."""
    real, rest, done = files._exchange, list(works), []

    def exchange(temporary: str, route: Any) -> bool:
        if rest:
            rest.pop(0)()
            done.append(temporary)
        return real(temporary, route)

    monkeypatch.setattr(files, "_exchange", exchange)
    return done


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two names")
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_is_written_in_the_last_moment_is_not_lost(
    write: Callable[[Path], bytes], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = just_before_the_rename(monkeypatch, lambda: write(file))

    with pytest.raises(FileChangedError):
        replace(file, b"ours")

    assert done
    assert file.read_bytes() in {b"theirs", b"odl"}
    assert SPARE not in [path.name for path in file.parent.iterdir()]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two names")
@pytest.mark.parametrize(
    ("where", "is_written"), [("_check_replaced", True), ("_check_replaced", False), ("_read_all", False)]
)
@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "x"), KeyboardInterrupt()], ids=["error", "signal"])
def test_what_stops_us_after_the_exchange_loses_nothing(
    error: BaseException, where: str, file: Path, monkeypatch: pytest.MonkeyPatch, *, is_written: bool
) -> None:
    def fail(*_: object) -> None:
        raise error

    def work() -> None:
        if is_written:
            written_by_rename(file, b"theirs")
        monkeypatch.setattr(files, where, fail)

    done = just_before_the_rename(monkeypatch, work)
    with pytest.raises((WriteFailedError, KeyboardInterrupt)):
        replace(file, b"ours")

    assert done
    assert file.read_bytes() == (b"theirs" if is_written else b"old")
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two names")
def test_of_two_writes_in_the_last_moments_the_later_one_stays(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = just_before_the_rename(
        monkeypatch,
        lambda: written_by_rename(file, b"theirs"),
        lambda: written_by_rename(file, b"later"),
        lambda: written_by_rename(file, b"latest"),
    )

    with pytest.raises(FileChangedError):
        replace(file, b"ours")

    assert len(done) == 3
    assert file.read_bytes() == b"latest"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two names")
def test_a_file_that_appears_in_the_last_moment_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    done = just_before_the_rename(monkeypatch, lambda: file.write_bytes(b"theirs"))

    with pytest.raises(FileChangedError):
        replace(file, b"ours")

    assert done
    assert file.read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two names")
def test_a_file_that_disappears_in_the_last_moment_is_written(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = just_before_the_rename(monkeypatch, file.unlink)

    replace(file, b"ours")

    assert done
    assert file.read_bytes() == b"ours"


def test_where_names_cannot_be_exchanged_the_file_is_replaced_all_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)  # as where Python was built without it
    linux._renameat2.cache_clear()
    try:
        assert linux._renameat2() is None
    finally:
        monkeypatch.undo()
        linux._renameat2.cache_clear()
    monkeypatch.setattr(linux, "_renameat2", lambda: None)

    replace(file, b"ours")
    assert create_file(file.with_name("new"), b"new")

    assert (file.read_bytes(), file.with_name("new").read_bytes()) == (b"ours", b"new")


def as_nobody(work: Callable[[], None]) -> str:
    """Run ``work`` as a user without rights; what it raised, in words."""
    if not is_root():
        unavailable("only root can become another user")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            work()
            answer = "done"
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent is told
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as file:
        answer = file.read()
    os.waitpid(child, 0)
    return answer


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(0o755)
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    (folder / "file").write_bytes(b"old")
    yield folder
    folder.chmod(0o700)


# id → mode of the folder, mode of the file, what is tried
DENIED: dict[str, tuple[int, int, Callable[[Path], object]]] = {
    "unreadable file": (0o777, 0o600, lambda folder: take_snapshot(folder / "file")),
    "unreachable file": (0o700, 0o644, lambda folder: take_snapshot(folder / "file")),
    "unreachable folder": (0o700, 0o644, lambda folder: make_folder(folder / "a" / "b")),
    "no place for a folder": (0o755, 0o644, lambda folder: make_folder(folder / "a" / "b")),
    "no place for the temporary file": (0o755, 0o666, lambda folder: replace(folder / "file", b"new")),
    "not removable": (0o755, 0o666, lambda folder: remove_file(take_snapshot(folder / "file"))),
    "owner cannot be kept": (0o777, 0o666, lambda folder: replace(folder / "file", b"new")),
}


@pytest.mark.parametrize(("folder_mode", "file_mode", "work"), DENIED.values(), ids=DENIED)
def test_what_is_not_permitted_is_told_in_one_kind_of_error(
    folder_mode: int, file_mode: int, work: Callable[[Path], object], closed: Path
) -> None:
    (closed / "file").chmod(file_mode)
    closed.chmod(folder_mode)

    answer = as_nobody(lambda: work(closed))

    assert answer.startswith("NotPermittedError: "), answer
    assert "not permitted" in answer
    assert [path.name for path in closed.iterdir()] == ["file"]
    assert (closed / "file").read_bytes() == b"old"
