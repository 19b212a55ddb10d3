"""The way to a file: where the system itself would go, and never where a name is not ours to follow."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import itertools
import os
import sys
from pathlib import Path

import pytest
from support import unavailable

from kimi_profiles import linux
from kimi_profiles.errors import NotPermittedError
from kimi_profiles.files import remove_leftover, take_snapshot
from kimi_profiles.locks import hold_folder_lock, hold_lock
from kimi_profiles.route import absolute, follow, real_folder, resolve

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="links and descriptors of folders as POSIX has them"),
    pytest.mark.usefixtures("walk"),
]

LINKS = {
    "up": "..",
    "here": ".",
    "in and out": "a/b/../..",
    "a folder": "a/b",
    "a folder with a slash": "a/b/",
    "a file": "a/b/file",
    "a link": "a file",
    "two slashes": "//tmp",
    "root": "/",
}
CIRCLES = {"itself": "itself", "one": "another", "another": "one"}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"x")
    for name, target in {**LINKS, **CIRCLES, "nowhere": "no/such"}.items():
        (tmp_path / name).symlink_to(target)
    monkeypatch.chdir(tmp_path)
    return tmp_path


PATHS = [
    *LINKS,
    "a folder/file",
    "up/x",
    "here/new",
    "here/a/b",
    "a/b",
    "new",
    "no/such/thing",
    ".",
    "..",
    "/",
    "//",
    "///",
]
FILES = {"a file", "a link", "a folder/file"}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_leads_where_the_system_says(name: str, tree: Path) -> None:
    assert resolve(Path(name)) == Path(os.path.realpath(tree / name).replace("//", "/"))


@pytest.mark.parametrize("name", [path for path in PATHS if path not in FILES])
def test_a_folder_is_the_one_that_the_system_says(name: str, tree: Path) -> None:
    assert real_folder(Path(name)) == Path(os.path.realpath(tree / name).replace("//", "/"))


@pytest.mark.parametrize("name", [*CIRCLES, "itself/x"])
def test_a_circle_is_refused(name: str, tree: Path) -> None:
    with pytest.raises(NotPermittedError, match="circle"):
        resolve(tree / name)


@pytest.mark.parametrize("name", ["nowhere", "nowhere/x"])
def test_a_link_that_leads_nowhere_is_refused(name: str, tree: Path) -> None:
    with pytest.raises(NotPermittedError, match="leads nowhere"):
        resolve(tree / name)


@pytest.mark.parametrize(
    "name", ["up", "here", "in and out", "a folder", "two slashes", "root", ".", "..", "/"]
)
def test_a_link_to_a_folder_is_no_file(name: str, tree: Path) -> None:
    with pytest.raises(NotPermittedError, match="this is a folder, not a file"):
        take_snapshot(Path(name))
    assert sorted(path.name for path in tree.iterdir()) == sorted(["a", "nowhere", *LINKS, *CIRCLES])


@pytest.mark.parametrize("target", ["a/b/file", "no/such", "_"])
@pytest.mark.parametrize("name", ["_", "lock", ".lock"])
def test_no_name_in_a_folder_leads_out_of_it(name: str, target: str, tree: Path) -> None:
    folder = tree / "a"
    (folder / name).symlink_to(tree / target)

    assert real_folder(folder) == folder
    with follow(folder / name, follow_symlinks=False) as route:
        assert (route.real, route.missing) == (folder / name, ())
    if name == ".lock":
        with pytest.raises(NotPermittedError), hold_lock(folder / name, timeout_s=1):
            pytest.fail("it was held")
    remove_leftover(folder / name)
    assert not os.path.lexists(folder / name)
    assert (tree / "a/b/file").read_bytes() == b"x"


def test_a_link_beside_it_is_in_no_locks_way(tree: Path) -> None:
    (tree / "a/_").symlink_to(tree / "no/such")
    with hold_lock(tree / "a/lock", timeout_s=1), hold_folder_lock(tree / "a/file", timeout_s=1):
        assert sorted(path.name for path in (tree / "a").iterdir()) == ["_", "b", "file.lock", "lock"]


@pytest.mark.parametrize("text", ["/a/b", "//a/b", "///a/b", "/a//b/", "/a/./x/../b", "//../a/b"])
def test_one_file_has_one_name(text: str) -> None:
    assert str(absolute(Path(text))) == "/a/b"


def test_no_descriptor_stays_open(tree: Path) -> None:
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208 - only how many
    for name in (*PATHS, *CIRCLES, "nowhere"):
        for call in (resolve, real_folder):
            try:
                call(tree / name)
            except NotPermittedError:
                continue
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


def test_a_folder_that_cannot_be_closed_is_no_other_folder(
    walk: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tree / "a/b/file"
    close = os.close
    for number in itertools.count(1):
        left = number

        def fail(descriptor: int) -> None:
            nonlocal left
            left -= 1
            close(descriptor)
            if left == 0:
                raise OSError(errno.EDQUOT, "full")

        monkeypatch.setattr(os, "close", fail)
        with contextlib.suppress(OSError), follow(file) as route:
            assert (route.real, route.missing) == (file, ())
        if left > 0:
            break
    assert number >= (len(file.parts) if walk == "step by step" else 2)


def test_no_folder_is_closed_twice(walk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a/b/file"
    file.parent.mkdir(parents=True)
    close = os.close
    for number in range(1, len(file.parts) if walk == "step by step" else 2):
        left = number

        def interrupt(descriptor: int) -> None:
            nonlocal left
            left -= 1
            close(descriptor)  # fails if it was closed before
            if left == 0:
                raise KeyboardInterrupt

        monkeypatch.setattr(os, "close", interrupt)
        with pytest.raises(KeyboardInterrupt), follow(file):
            pass


def entered(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is opened on the way to ``path``."""
    opened: list[str] = []
    real = os.open

    def spy(name: str, *args: int, **kwargs: int) -> int:
        opened.append(name)
        return real(name, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", spy)
        with follow(path):
            return opened


def test_a_path_without_links_takes_one_call(walk: str, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if walk == "at once" and linux.open_without_links("/", os.O_PATH) is None:
        unavailable("this system enters no folder by one call")
    step_by_step = ["/", *tree.parts[1:], "a", "b"]

    assert entered(tree / "a/b/file", monkeypatch) == ([] if walk == "at once" else step_by_step)
    assert entered(tree / "a folder/file", monkeypatch)[0] == "/"


def test_what_takes_one_call_is_loaded_when_it_is_worth_it(
    walk: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(linux, "open_without_links", lambda path, _: asked.append(path))
    monkeypatch.setattr("kimi_profiles.route._WORTH_LOADING", 5)
    monkeypatch.setattr("kimi_profiles.route._walks", itertools.count())
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "ctypes", raising=False)
        for _ in range(7):
            resolve(tree / "a")
    assert asked == [str(tree)] * 2

    monkeypatch.setattr("kimi_profiles.route._walks", itertools.count())
    monkeypatch.setitem(sys.modules, "ctypes", ctypes)  # whoever loaded it
    resolve(tree / "a")
    assert asked == [str(tree)] * 3


@pytest.mark.parametrize("missing", ["ctypes", "libraries", "another machine", "another system", "Android"])
def test_where_there_is_no_such_call_folders_are_entered_step_by_step(
    missing: str, walk: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing == "ctypes":
        monkeypatch.setitem(sys.modules, "ctypes", None)  # as where Python was built without it
    elif missing == "libraries":
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: (_ for _ in ()).throw(OSError("static")))
        assert linux._renameat2.__wrapped__() is None
    elif missing == "Android":
        monkeypatch.setattr(sys, "getandroidapilevel", lambda: 24, raising=False)
    elif missing == "another machine":
        monkeypatch.setattr("kimi_profiles.linux._SO_NUMBERED", set())
    else:
        monkeypatch.setattr(sys, "platform", "freebsd14")
    linux._openat2.cache_clear()
    try:
        assert entered(tree / "a/b/file", monkeypatch)[-1] == "b"
        assert resolve(tree / "a/b/file") == tree / "a/b/file"
    finally:
        linux._openat2.cache_clear()


def test_a_path_does_not_end_where_c_would_end_it(tree: Path) -> None:
    with pytest.raises(ValueError, match="null"), follow(tree / "a\0b/file"):
        pytest.fail("another folder was entered")
