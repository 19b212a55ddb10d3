"""What is kept of profiles is what they would come to again; what is not quite that counts as not there."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from kimi_profiles import kept
from kimi_profiles.compiled import CompiledProfiles
from kimi_profiles.errors import ProfileInvalidError, WriteFailedError
from kimi_profiles.store import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = """
[defaults]
pin_model = false

[profiles.work]
provider = "moonshot-cn"
description = "Für die Arbeit"
context_tokens = 128000
env.API_TIMEOUT_MS = 600000
models.haiku = "small"
[profiles.work.settings]
permissions = { allow = ["Bash(ls:*)"], depth = 1.5, big = 9223372036854775807 }

[profiles.child]
extends = "work"
auth.token = { command = ["pass", "show", "kimi"] }
auth.delivery = "helper"

[profiles.ring]
provider = "deepseek"
auth.token = { keyring = "deepseek", username = "me" }
"""
NAMES = ("work", "child", "ring", "moonshot-intl", "ollama")


@pytest.fixture
def folder(isolated_environment: Path) -> Path:
    return isolated_environment / ".cache" / "kimi-profiles" / "profiles"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "p.toml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the profiles that had to be resolved."""
    names: list[str] = []
    resolve = ProfileStore._resolve

    def note(self: ProfileStore, name: str) -> object:
        names.append(name)
        return resolve(self, name)

    monkeypatch.setattr(ProfileStore, "_resolve", note)
    return names


def test_what_is_kept_is_what_was_resolved(file: Path, resolved: list[str]) -> None:
    for name in NAMES:
        first, second = (ProfileStore.open(file)[name] for _ in range(2))
        assert first == second
        assert (first.source, first.origins, first.digest) == (second.source, second.origins, second.digest)
        assert repr(first) == repr(second)
    assert resolved == list(NAMES)


def test_names_are_kept_in_their_order(file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(ProfileStore.open(file)) == ["work", "child", "ring"]
    monkeypatch.setattr("kimi_profiles.store._parse", lambda *_: pytest.fail("it was parsed again"))
    store = ProfileStore.open(file)
    assert (list(store), len(store), "work" in store, "kimi" in store) == (
        ["work", "child", "ring"],
        3,
        True,
        False,
    )
    assert len(list(folder.iterdir())) == 1


def test_without_a_file_providers_are_kept(resolved: list[str]) -> None:
    assert [ProfileStore.open()["ollama"].name for _ in range(2)] == ["ollama"] * 2
    assert resolved == ["ollama"]


def change_file(patch: pytest.MonkeyPatch, name: str) -> None:
    stamp = kept._stamp
    patch.setattr(kept, "_stamp", lambda path: "another" if path.name == name else stamp(path))


CHANGES: dict[str, Callable[[pytest.MonkeyPatch, Path], object]] = {
    "the text": lambda _, file: file.write_text(TEXT + "# more\n", encoding="utf-8"),
    "the version": lambda patch, _: patch.setattr(kept, "__version__", "99"),
    "the catalogue": lambda patch, _: change_file(patch, "catalogue.json"),
    "the program": lambda patch, _: change_file(patch, "declaration.py"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_decides_makes_it_new(
    change: Callable[[pytest.MonkeyPatch, Path], object],
    file: Path,
    resolved: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _ = ProfileStore.open(file)["work"]
    change(monkeypatch, file)
    _ = ProfileStore.open(file)["work"]
    assert resolved == ["work", "work"]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def reseal(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(kept._seal(path.stem, data) + b"\n" + data)

    return write


def link(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


FAULTS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b" "),
    "one bit": flip,
    "no JSON": lambda path: path.write_bytes(b"\xff\xfe[" * 1000),
    "another shape": reseal(b"[1, 2]"),
    "another shape, an object": reseal(b'{"token": {"kind": "env"}}'),
    "another shape, a key more": reseal(b'{"token": null, "name": "work", "base_url": "u", "x": 1}'),
    "text": reseal(b'"work"'),
    "too deep": reseal(b"[" * 100_000),
    "writable for the group": lambda path: path.chmod(0o620),
    "writable for all": lambda path: path.chmod(0o602),
    "a link": link,
    "a pipe": pipe,
    "a folder": make_folder,
}


@pytest.mark.skipif(os.name == "nt", reason="modes, links and pipes of POSIX systems")
@pytest.mark.parametrize("spoil", FAULTS.values(), ids=FAULTS)
def test_a_file_that_is_not_ours_as_we_wrote_it_is_not_there(
    spoil: Callable[[Path], object], file: Path, folder: Path, resolved: list[str]
) -> None:
    wanted = ProfileStore.open(file)["work"]
    for path in list(folder.iterdir()):
        spoil(path)
    store = ProfileStore.open(file)
    assert (list(store), store["work"]) == (["work", "child", "ring"], wanted)
    assert resolved == ["work", "work"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners of POSIX systems")
def test_what_belongs_to_somebody_else_is_neither_read_nor_written(
    file: Path, folder: Path, resolved: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = ProfileStore.open(file)["work"]
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr(kept, "_own_id", lambda status: status.st_uid + 1)
    _ = ProfileStore.open(file)["work"]
    _ = ProfileStore.open(file)["child"]
    assert resolved == ["work", "work", "child"]
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_file_under_the_name_of_another_is_not_there(file: Path, folder: Path, resolved: list[str]) -> None:
    for name in ("work", "ring"):
        _ = ProfileStore.open(file)[name]
    profiles = CompiledProfiles(folder, TEXT)
    (folder / f"{profiles._key('ring')}.json").replace(folder / f"{profiles._key('work')}.json")
    assert ProfileStore.open(file)["work"].provider == "moonshot-cn"
    assert resolved == ["work", "ring", "work"]


def test_a_spoilt_file_is_made_anew(file: Path, folder: Path, resolved: list[str]) -> None:
    _ = ProfileStore.open(file)["work"]
    for path in folder.iterdir():
        path.write_bytes(b"spoilt")
    for _ in range(2):
        assert ProfileStore.open(file)["work"].name == "work"
    assert resolved == ["work", "work"]


@pytest.mark.parametrize("text", ["profiles = 1", "[profiles.a", "x = 1", "[profiles.work]\nbasurl = 1"])
def test_what_is_wrong_is_said_every_time(text: str, file: Path) -> None:
    file.write_text(text)
    said = []
    for _ in range(2):
        with pytest.raises(ProfileInvalidError) as caught:
            _ = ProfileStore.open(file)["work"]
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX systems")
def test_it_is_private_whatever_the_umask(file: Path, folder: Path) -> None:
    before = os.umask(0)
    try:
        _ = ProfileStore.open(file)["work"]
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)} == {0o700}


def test_who_looks_at_all_profiles_keeps_but_a_few(file: Path, folder: Path) -> None:
    file.write_text("".join(f'[profiles.p{number}]\nprovider = "ollama"\n' for number in range(30)))
    store = ProfileStore.open(file)
    assert {store[name].base_url for name in store} == {"http://localhost:11434"}
    assert len(list(folder.iterdir())) == 8
    assert store.check() == []


def test_the_whole_program_is_all_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    files = [package / "kept.py", package / "catalogue.json", package / "commands" / "add.py"]
    files[2].parent.mkdir(parents=True)
    for file in files:
        file.touch()
    monkeypatch.setattr(kept, "__file__", str(files[0]))
    seen = {kept.whole_program()}
    for file in files:
        os.utime(file, ns=(0, len(seen)))
        assert kept.whole_program() not in seen
        seen.add(kept.whole_program())
    (package / "commands" / "add.cpython-311.pyc").touch()
    assert kept.whole_program() in seen


def test_old_files_make_room(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(200):
        (folder / f"{number}.json").write_text("")
        os.utime(folder / f"{number}.json", (number, number))
    _ = ProfileStore.open(file)["work"]
    left = {path.name for path in folder.iterdir()}
    assert len(left) == 102
    assert "99.json" not in left
    assert "100.json" in left


def test_where_nothing_can_be_kept_nothing_is_missing(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WriteFailedError("the disk is full")

    monkeypatch.setattr(kept, "replace_file", fail)
    assert ProfileStore.open(file)["work"].name == "work"
    assert list(folder.iterdir()) == []


def test_where_the_folder_goes_away_nothing_is_put_beside_it(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = ProfileStore.open(file)["work"]
    monkeypatch.setattr(kept, "make_folder", lambda *_, **__: shutil.rmtree(folder))
    monkeypatch.setattr(kept, "_make_room", lambda _: None)
    assert ProfileStore.open(file)["child"].name == "child"
    assert list(folder.parent.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_harms_nobody(file: Path, folder: Path) -> None:
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    folder.parent.write_text("")
    assert ProfileStore.open(file)["work"].name == "work"


def test_it_lies_below_the_home_that_is_named(file: Path, tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "h"
    home.mkdir()
    _ = ProfileStore.open(file, home=home)["work"]
    assert len(list((home / ".cache" / "kimi-profiles" / "profiles").iterdir())) == 2
    assert not folder.exists()
