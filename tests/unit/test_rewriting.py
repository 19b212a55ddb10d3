"""The profile file changed on disk: what is put in its place, and what never is."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import amount, stamp_of

from kimi_profiles import files
from kimi_profiles.editing.file import edit_store, install_store, plan_edit, rename_application
from kimi_profiles.editing.profiles import HEADER
from kimi_profiles.errors import (
    DurabilityUnconfirmedError,
    LockTimeoutError,
    NotPermittedError,
    ProfileInvalidError,
    TargetBusyError,
    UsageError,
    WriteFailedError,
)
from kimi_profiles.ledger import Application, Ledger, read_ledger, write_ledger
from kimi_profiles.locks import hold_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD = '[profiles.w]\nprovider = "zai"\n'
NEW = '[profiles.w]\nprovider = "zai"\ndescription = "d"\n'
posix = pytest.mark.skipif(os.name == "nt", reason="modes and links as POSIX has them")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "files" / "profiles.toml"
    path.parent.mkdir()
    path.write_bytes(OLD.encode())
    return path


def to(text: str) -> Callable[[str], str]:
    return lambda _: text


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != "profiles.toml"]


def state_of(home: Path) -> Path:
    return next(home.rglob("lock")).parent


def test_the_new_text_takes_the_place_of_the_old(store: Path, home: Path) -> None:
    revision = edit_store(store, to(NEW), timeout_s=1, home=home)
    assert (revision.path, revision.before, revision.after, revision.changed) == (store, OLD, NEW, True)
    assert store.read_bytes() == NEW.encode()
    assert leftovers(store.parent) == []


def test_nothing_to_do_writes_nothing(store: Path, home: Path) -> None:
    before = stamp_of(store)
    assert not edit_store(store, lambda text: text, timeout_s=1, home=home).changed
    assert stamp_of(store) == before


def test_a_plan_writes_nothing(store: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert plan_edit(store, to(NEW)).changed
    assert sorted(tmp_path.rglob("*")) == before
    assert store.read_text() == OLD


@posix
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_the_mode_stays(store: Path, home: Path, mode: int) -> None:
    store.chmod(mode)
    edit_store(store, to(NEW), timeout_s=1, home=home)
    assert store.stat().st_mode & 0o777 == mode


@posix
def test_a_new_file_is_private_and_begins_with_the_header(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "no" / "such" / "profiles.toml"
    revision = edit_store(path, lambda text: f"{text}\n{OLD}", timeout_s=1, home=home)
    assert path.read_text() == f"{HEADER}\n{OLD}"
    assert revision.before is None
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@posix
def test_a_link_stays_one(store: Path, home: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(store)
    edit_store(link, to(NEW), timeout_s=1, home=home)
    assert link.is_symlink()
    assert store.read_text() == NEW


@posix
def test_a_link_that_leads_nowhere_is_refused(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(tmp_path / "none.toml")
    with pytest.raises(NotPermittedError) as caught:
        edit_store(link, to(NEW), timeout_s=1, home=home)
    assert caught.value.path == str(link)
    assert not (tmp_path / "none.toml").exists()


REFUSED = {
    "no TOML": ("[profiles.w", "this is not TOML"),
    "no profile file": ("[other]\n", "unknown key 'other'"),
    "a profile that is wrong now": (
        OLD.replace("zai", "nowhere"),
        "profiles.w.provider: there is no provider",
    ),
    "another one that is wrong": (OLD + "[profiles.v]\n", "profiles.v: profile v has neither"),
    "an heir that is wrong by it": (OLD + '[profiles.v]\nextends = "u"\n', "profiles.v.extends: extends 'u'"),
    "a token": (OLD + 'auth.token = "sk-test-0123456789abcdefghij"\n', "a token itself does not belong"),
    "too large": (OLD + "#" * (2 << 20), "larger than 2 MiB"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_a_text_that_is_wrong_is_not_installed(store: Path, home: Path, text: str, message: str) -> None:
    with pytest.raises(ProfileInvalidError) as caught:
        edit_store(store, to(text), timeout_s=1, home=home)
    assert message in str(caught.value)
    assert "sk-test" not in str(caught.value)
    assert (caught.value.path, caught.value.line) == (str(store), None)
    assert store.read_text() == OLD
    assert leftovers(store.parent) == []


def test_faults_are_mended_one_at_a_time(store: Path, home: Path) -> None:
    """What was wrong before and is not touched does not stand in the way; what is touched must be right."""
    broken = '[profiles.bad]\nprovider = "nowhere"\ncontext_tokens = 1\n'
    store.write_text(OLD + broken)
    edit_store(store, to(NEW + broken), timeout_s=1, home=home)
    half = broken.replace("= 1", "= 2000")
    edit_store(store, to(NEW + half), timeout_s=1, home=home)
    with pytest.raises(ProfileInvalidError, match="no provider 'elsewhere'"):
        edit_store(store, to(NEW + half.replace("nowhere", "elsewhere")), timeout_s=1, home=home)
    assert store.read_text() == NEW + half


def test_a_file_that_is_broken_is_not_edited(store: Path, home: Path) -> None:
    for data in (b"[profiles", b"\xff", b"x = 1\n"):
        store.write_bytes(data)
        with pytest.raises(ProfileInvalidError):
            edit_store(store, to(NEW), timeout_s=1, home=home)
        assert store.read_bytes() == data


def test_what_the_change_refuses_writes_nothing(store: Path, home: Path) -> None:
    def refuse(_: str) -> str:
        raise UsageError("no")

    with pytest.raises(UsageError):
        edit_store(store, refuse, timeout_s=1, home=home)
    assert store.read_text() == OLD


def test_what_somebody_else_writes_meanwhile_is_kept(store: Path, home: Path) -> None:
    """They take no lock; the change is made again, on what they wrote."""
    seen = []

    def change(text: str) -> str:
        seen.append(text)
        if len(seen) < 3:
            store.write_text(text + f"# theirs {len(seen)}\n")
        return text + "# ours\n"

    edit_store(store, change, timeout_s=1, home=home)
    assert store.read_text() == OLD + "# theirs 1\n# theirs 2\n# ours\n"


def test_somebody_who_never_stops_is_not_waited_for(store: Path, home: Path) -> None:
    def change(text: str) -> str:
        store.write_text(text + "#\n")
        return text + "# ours\n"

    with pytest.raises(TargetBusyError):
        edit_store(store, change, timeout_s=1, home=home)
    assert "ours" not in store.read_text()


def test_the_lock_is_waited_for(store: Path, home: Path) -> None:
    edit_store(store, lambda text: text, timeout_s=1, home=home)
    with hold_lock(state_of(home) / "lock", timeout_s=1), pytest.raises(LockTimeoutError):
        edit_store(store, to(NEW), timeout_s=0.1, home=home)
    assert store.read_text() == OLD


@posix
@pytest.mark.skipif(os.name != "nt" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to(store: Path, home: Path) -> None:
    store.parent.chmod(0o500)
    with pytest.raises(NotPermittedError):
        edit_store(store, to(NEW), timeout_s=1, home=home)
    store.parent.chmod(0o700)
    assert store.read_text() == OLD


def test_what_the_system_forbids_is_named(store: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_write_all", _raiser(PermissionError(13, "denied")))
    with pytest.raises(NotPermittedError) as caught:
        edit_store(store, to(NEW), timeout_s=1, home=home)
    assert caught.value.path == str(store)
    assert store.read_text() == OLD
    assert leftovers(store.parent) == []


# ---- the ledger


def application(name: str, declared: str = "d1") -> Application:
    return Application(name, "user", "2026-11-21T09:00:00Z", declared, ("/x/settings.json",))


LEDGER = Ledger({"/x/settings.json": application("w"), "/y/settings.json": application("v")})


def test_an_application_is_renamed_and_nothing_else() -> None:
    renamed = rename_application(LEDGER, "new", settings=["/x/settings.json"], declared={"d1": "d2"})
    assert renamed.applications == {
        "/x/settings.json": application("new", "d2"),
        "/y/settings.json": application("v"),
    }
    kept = rename_application(LEDGER, "new", settings=["/x/settings.json"], declared={"other": "d2"})
    assert kept.applications["/x/settings.json"] == application("new", "d1")


def rename(ledger: Ledger) -> Ledger:
    return rename_application(ledger, "new", settings=["/x/settings.json"], declared={})


@pytest.fixture
def ledger(store: Path, home: Path) -> Path:
    edit_store(store, lambda text: text, timeout_s=1, home=home)
    path = state_of(home) / "ledger.json"
    write_ledger(path, LEDGER)
    return path


def test_the_ledger_follows(store: Path, home: Path, ledger: Path) -> None:
    edit_store(store, to(NEW), timeout_s=1, home=home, records=rename)
    assert read_ledger(ledger).applications["/x/settings.json"].profile == "new"
    assert store.read_text() == NEW


FAILURES = {
    "the disk is full": (OSError(28, "full"), WriteFailedError),
    "a signal": (KeyboardInterrupt(), KeyboardInterrupt),
}


@pytest.mark.parametrize(("failure", "seen"), FAILURES.values(), ids=FAILURES)
def test_the_ledger_is_as_before_if_the_file_is(
    ledger: Path,
    store: Path,
    failure: BaseException,
    seen: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = store.parent.parent / "home"
    write_all = files._write_all
    is_due = [True]

    def fail(descriptor: int, data: bytes) -> None:
        if data == NEW.encode() and is_due.pop():
            raise failure
        write_all(descriptor, data)

    monkeypatch.setattr(files, "_write_all", fail)
    with pytest.raises(seen):
        edit_store(store, to(NEW), timeout_s=1, home=home, records=rename)
    assert is_due == []
    assert read_ledger(ledger).applications == LEDGER.applications
    assert store.read_text() == OLD


def test_the_ledger_stays_new_if_the_file_is_only_unconfirmed(
    store: Path, home: Path, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_sync_folder", _raiser(DurabilityUnconfirmedError("not confirmed")))
    with pytest.raises(DurabilityUnconfirmedError):
        edit_store(store, to(NEW), timeout_s=1, home=home, records=rename)
    assert store.read_text() == NEW
    assert read_ledger(ledger).applications["/x/settings.json"].profile == "new"


def _raiser(error: Exception) -> Callable[..., None]:
    def raise_it(*_: object) -> None:
        raise error

    return raise_it


# ---- a whole file


def test_a_broken_file_can_be_replaced_if_it_is_the_expected_one(store: Path, home: Path) -> None:
    store.write_bytes(b"[broken")
    with pytest.raises(TargetBusyError):
        install_store(store, NEW.encode(), expected=b"[other", timeout_s=1, home=home)
    with pytest.raises(TargetBusyError):
        install_store(store, NEW.encode(), expected=None, timeout_s=1, home=home)
    assert store.read_bytes() == b"[broken"
    install_store(store, NEW.encode(), expected=b"[broken", timeout_s=1, home=home)
    assert store.read_text() == NEW


# ---- real processes, forked by one that has everything imported

FORKS = """
import os, sys, time
from pathlib import Path
from kimi_profiles.editing.profiles import profile_key, set_value
from kimi_profiles.editing.file import edit_store

path, home, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def fork(run):
    process = os.fork()
    if process == 0:
        status = 1
        try:
            run()
            status = 0
        finally:
            os._exit(status)
    return process

def edit(change):
    edit_store(path, change, timeout_s=60, home=home)

def add(number):
    edit(lambda text: set_value(text, profile_key("w"), ("env", f"N{number}"), "x"))

def undo():
    edit(lambda text: text.replace('env.N0 = "x"\\n', ""))

add(0)  # so that all is imported
undo()
"""
CROWD = """
crowd = [fork(lambda number=number: add(number)) for number in range(count)]
sys.exit(any(os.waitpid(process, 0)[1] for process in crowd))
"""
KILLED = """
begun, begin = os.pipe()

def run():
    while True:
        add(0)
        os.write(begin, b"x")
        undo()

for moment in range(count):
    process = fork(run)
    os.read(begun, 1 << 16)
    time.sleep(moment % 40 * 0.00037)
    os.kill(process, 9)
    os.waitpid(process, 0)
    print(len(path.read_bytes()))
"""


def forks(script: str, store: Path, home: Path, count: int) -> str:
    command = [sys.executable, "-c", FORKS + script, str(store), str(home), str(count)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout


@pytest.mark.once
@posix
def test_a_crowd_loses_nothing(store: Path, home: Path) -> None:
    forks(CROWD, store, home, 20)
    lines = store.read_text().splitlines()
    assert sorted(lines[2:]) == sorted(f'env.N{number} = "x"' for number in range(20))
    assert leftovers(store.parent) == []


@pytest.mark.once
@posix
def test_killed_at_any_moment_the_file_is_the_old_one_or_the_new_one(store: Path, home: Path) -> None:
    sizes = forks(KILLED, store, home, amount(40, 1000)).split()
    whole = {len(OLD), len(OLD + 'env.N0 = "x"\n')}
    assert {int(size) for size in sizes} == whole
    edit_store(store, to(NEW), timeout_s=1, home=home)
    assert leftovers(store.parent) == []
