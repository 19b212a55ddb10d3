"""The transaction: all files or none, whoever writes beside us and wherever it is cut short."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import require_tool, unavailable

from kimi_profiles import ClaudeCode, Profile, files, ledger, linux, targets, transaction
from kimi_profiles.backups import save_backup
from kimi_profiles.cli import main
from kimi_profiles.errors import (
    DurabilityUnconfirmedError,
    InterruptedRunError,
    LockTimeoutError,
    NotPermittedError,
    ProfilesError,
    TargetBusyError,
    TargetInvalidError,
    TargetTrackedError,
    WriteFailedError,
)
from kimi_profiles.ledger import Ledger, read_ledger
from kimi_profiles.route import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(os.name == "nt", reason="modes, links and inodes as POSIX has them"),
]

TOKEN = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz"
MODELS = dict.fromkeys(("default", "opus", "sonnet", "haiku", "subagent", "fable"), "model-a")
A = Profile(
    "a",
    "https://a.example/anthropic",
    auth_variable="ANTHROPIC_API_KEY",
    models=MODELS,
    settings={"permissions": {"allow": ["Bash(git diff:*)"]}},
)
B = Profile("b", "https://b.example/anthropic", models=dict.fromkeys(MODELS, "model-b"), env={"LANG": "C"})
SETTINGS = b'{\r\n\t"permissions": {"allow": ["Read"]},\r\n\t"n": 1.0, "env" : { "LANG":"de" }\r\n}'
STATE = b'{"primaryApiKey": "sk-login", "numStartups": 123456789012345678901234567890}\n'


class Place:
    """One home with Claude Code's files in it."""

    def __init__(self, home: Path, *, timeout_s: float = 0.3) -> None:
        self.home = home
        self.claude = ClaudeCode.user(home=home, timeout_s=timeout_s)
        self.settings = self.claude.scope.settings
        self.claude_json = self.claude.places.claude_json
        self.state = self.claude.places.state

    def fill(self, *, mode: int = 0o644) -> Place:
        self.settings.parent.mkdir(parents=True)
        self.settings.write_bytes(SETTINGS)
        self.claude_json.write_bytes(STATE)
        for path in (self.settings, self.claude_json):
            path.chmod(mode)
        return self

    def apply(self, profile: Profile = A, **options: Any) -> Any:
        return self.claude.apply(profile, token=TOKEN, **options)

    def unapply(self) -> Any:
        return self.claude.unapply()

    def targets(self) -> dict[str, tuple[bytes, int] | None]:
        """Bytes and mode of Claude Code's files, and whether their folder is there."""
        found: dict[str, tuple[bytes, int] | None] = {}
        for path in (self.settings, self.claude_json):
            is_there = path.exists()
            found[path.name] = (path.read_bytes(), mode_of(path)) if is_there else None
        found["folder"] = (b"", mode_of(self.settings.parent)) if self.settings.parent.exists() else None
        return found

    def leftovers(self) -> list[str]:
        """Whatever no run may leave, anywhere below the home."""
        return [
            str(path)
            for path in self.home.rglob("*")
            if path.name.endswith((".kimi-profiles", ".tmp", ".json.lock"))
        ]

    def age_client_lock(self) -> None:
        """What ten seconds do to the lock of a run that was killed."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.claude_json.with_name(".claude.json.lock"), (0, 0))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def tree(root: Path) -> dict[str, Any]:
    """Everything below ``root``, but for what can be made again: bytes, inode, mode, times of writing."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.relative_to(root).parts[0] == ".cache":
            continue
        status = path.lstat()
        content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        times = (status.st_mtime_ns, status.st_ctime_ns)
        found[str(path)] = (content, status.st_ino, status.st_mode, times)
    return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "home").fill()


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    (tmp_path / "empty").mkdir()
    return Place(tmp_path / "empty")


def test_apply_and_unapply_give_bytes_and_modes_back(place: Place) -> None:
    before = place.targets()
    place.apply()
    assert place.targets() != before
    place.unapply()

    assert (place.targets(), place.leftovers()) == (before, [])


def test_files_and_folders_that_were_made_go_again(empty: Place) -> None:
    earlier = os.umask(0)
    try:
        empty.apply()
    finally:
        os.umask(earlier)
    assert [mode_of(path) for path in (empty.settings, empty.claude_json)] == [0o600, 0o600]
    assert mode_of(empty.settings.parent) == 0o700

    empty.unapply()
    assert empty.targets() == {"settings.json": None, ".claude.json": None, "folder": None}


def test_a_folder_that_was_made_and_is_used_stays(empty: Place) -> None:
    empty.apply()
    (empty.settings.parent / "commands").mkdir()
    empty.unapply()

    assert [path.name for path in empty.settings.parent.iterdir()] == ["commands"]


def test_the_state_folder_is_private(place: Place) -> None:
    earlier = os.umask(0)
    try:
        place.apply()
    finally:
        os.umask(earlier)

    modes = {mode_of(path) for path in place.state.rglob("*") if path.is_file()}
    folders = {mode_of(path) for path in (place.state, *place.state.rglob("*")) if path.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})


# id → mode before, mode while a token is in the file
MODES = {
    "0644": (0o644, 0o600),
    "0640": (0o640, 0o600),
    "0664": (0o664, 0o600),
    "0755": (0o755, 0o600),
    "0600": (0o600, 0o600),
    "0400": (0o400, 0o400),
    "0440": (0o440, 0o400),
    "0444": (0o444, 0o400),
    "0700": (0o700, 0o700),
}


@pytest.mark.parametrize("umask", [0o000, 0o077], ids=["umask 000", "umask 077"])
@pytest.mark.parametrize(("before", "during"), MODES.values(), ids=MODES)
def test_a_mode_is_narrowed_for_a_token_never_widened_and_comes_back(
    before: int, during: int, umask: int, place: Place
) -> None:
    place.settings.chmod(before)
    earlier = os.umask(umask)
    try:
        place.apply()
        assert mode_of(place.settings) == during
        place.apply(B)
        assert mode_of(place.settings) == during
        place.unapply()
    finally:
        os.umask(earlier)

    assert (mode_of(place.settings), place.settings.read_bytes()) == (before, SETTINGS)


def test_a_mode_that_was_loosened_since_is_narrowed_again_without_a_new_file(place: Place) -> None:
    place.apply()
    place.settings.chmod(0o644)
    inode = place.settings.stat().st_ino

    assert place.apply().changed is True
    assert (mode_of(place.settings), place.settings.stat().st_ino) == (0o600, inode)
    place.unapply()
    assert mode_of(place.settings) == 0o644


def test_a_mode_that_the_user_set_since_is_theirs(place: Place) -> None:
    place.apply()
    place.settings.chmod(0o660)
    place.unapply()

    assert mode_of(place.settings) == 0o660


def test_a_helper_profile_gives_the_mode_back(place: Place) -> None:
    place.apply()
    helper = replace(A, delivery="helper", token=None)
    with contextlib.suppress(ProfilesError):
        place.claude.apply(helper)  # refused: it does not say where its token is
    assert mode_of(place.settings) == 0o600

    from kimi_profiles.profile import TokenRef

    place.claude.apply(replace(helper, token=TokenRef("env", "X")))
    assert mode_of(place.settings) == 0o644


def test_links_stay_through_apply_and_unapply(place: Place) -> None:
    real = place.home / "dotfiles" / "claude.json"
    real.parent.mkdir()
    place.settings.replace(real)
    place.settings.symlink_to("../dotfiles/claude.json")
    place.apply()
    assert TOKEN.encode() in real.read_bytes()
    place.unapply()

    assert (str(place.settings.readlink()), real.read_bytes()) == ("../dotfiles/claude.json", SETTINGS)
    assert place.leftovers() == []


def test_extended_attributes_stay_through_apply_and_unapply(place: Place) -> None:
    try:
        os.setxattr(place.settings, "user.origin", b"dotfiles")
    except (AttributeError, OSError):
        unavailable("this file system has no extended attributes")
    place.apply()
    place.unapply()

    assert os.getxattr(place.settings, "user.origin") == b"dotfiles"


QUIET = {
    "a profile": A,
    "a switch": B,
    "no change in one file": replace(A, onboarding=False, auth_variable="ANTHROPIC_AUTH_TOKEN"),
}


@pytest.mark.parametrize("is_filled", [True, False], ids=["files there", "no files"])
@pytest.mark.parametrize("profile", QUIET.values(), ids=QUIET)
def test_the_second_apply_writes_nothing_at_all(
    profile: Profile, place: Place, empty: Place, *, is_filled: bool
) -> None:
    here = place if is_filled else empty
    if is_filled:
        here.apply(replace(B, name="earlier"))
    here.apply(profile)
    before = tree(here.home)

    result = here.apply(profile)

    assert result.changed is False
    assert [target.backup for target in result.targets] == [None] * len(result.targets)
    assert tree(here.home) == before


def test_archives_that_nobody_needs_go(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def archives() -> list[str]:
        return [path.name for path in place.state.iterdir() if path.name.startswith("ledger-")]

    monkeypatch.setattr(ledger, "_MAX_RECENT_BYTES", 0)
    place.apply()
    first = archives()
    (place.state / f"ledger-{'0' * 32}.json.tmp").write_bytes(b"")
    place.apply(B)
    second = archives()
    assert len(first) == len(second) == 1
    assert first != second
    place.unapply()
    assert archives() == []


def test_the_second_unapply_writes_nothing_at_all(place: Place) -> None:
    place.apply()
    place.unapply()
    before = tree(place.home)

    assert place.unapply().changed is False
    assert tree(place.home) == before


def test_unapply_of_nothing_makes_no_state(place: Place) -> None:
    before = tree(place.home)

    assert place.unapply().changed is False
    assert tree(place.home) == before


def test_plans_write_nothing_at_all(place: Place) -> None:
    place.apply()
    before = tree(place.home)
    assert place.claude.plan(B, token=TOKEN).changed
    assert place.claude.plan_unapply().changed

    assert tree(place.home) == before


# id → the bytes, line and column of the fault
BROKEN: dict[str, tuple[bytes, int, int]] = {
    "line comment": (b'{\n  // mine\n  "a": 1\n}', 2, 3),
    "block comment": (b'{"a": /* x */ 1}', 1, 7),
    "trailing comma": (b'{\n  "a": 1,\n}', 2, 9),
    "array": (b"[]", 1, 1),
    "text": (b'"x"', 1, 1),
    "cut short": (b'{"a": ', 1, 6),
    "two documents": (b"{}{}", 1, 3),
    "single quotes": (b"{'a': 1}", 1, 2),
    "NaN": (b'{"a": NaN}', 1, 7),
    "lone surrogate": (b'{"a": "\xed\xa0\x80"}', 1, 8),
    "NUL": (b'{"a": 1}\x00', 1, 9),
    "only NULs": (b"\x00" * 32, 1, 1),
    "UTF-16 with a mark": ('{"a": 1}'.encode("utf-16"), 1, 1),
    "UTF-16 without": ('{"a": 1}'.encode("utf-16-le"), 1, 2),
    "invalid UTF-8": (b'{"a":\n "\xc3\xa4\xff"}', 2, 4),
    "Latin-1": ('{"ä": 1}'.encode("latin-1"), 1, 3),
    "very deep": (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", 1, 70),
}
WRONG_SHAPE: dict[str, tuple[bytes, int, int]] = {
    "env is a list": (b'{\n  "env": []}', 2, 10),
    "env is a text": (b'{"env": "x"}', 1, 9),
    "allow is an object": (b'{"permissions": {"allow": {}}}', 1, 27),
}
BROKEN_FILES = {
    **{f"settings.json, {what}": ("settings.json", *case) for what, case in (BROKEN | WRONG_SHAPE).items()},
    **{f".claude.json, {what}": (".claude.json", *case) for what, case in BROKEN.items()},
}


@pytest.mark.parametrize(("name", "data", "line", "column"), BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_a_broken_file_is_named_and_nothing_is_written(
    name: str, data: bytes, place: Place, *, line: int, column: int
) -> None:
    path = place.settings if name == "settings.json" else place.claude_json
    path.write_bytes(data)
    place.claude.unapply()
    place.state.mkdir(parents=True, mode=0o700)
    (place.state / "lock").touch(mode=0o600)
    before = tree(place.home)

    with pytest.raises(TargetInvalidError) as caught:
        place.apply()

    assert (caught.value.path, caught.value.exit_code) == (str(path), 78)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert tree(place.home) == before


def test_the_command_says_where_and_leaves_with_78(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", TOKEN)
    place.settings.write_bytes(b'{\n  "a": 1,\n}')

    assert main(["apply", "moonshot-cn", "--home", str(place.home)]) == 78
    error = capsys.readouterr().err
    assert error.startswith(f"kimi-profiles: {place.settings}:2:9: ")
    assert "hint: " in error


def test_a_byte_order_mark_is_no_fault(place: Place) -> None:
    data = b"\xef\xbb\xbf" + SETTINGS
    place.settings.write_bytes(data)
    place.apply()
    assert place.settings.read_bytes().startswith(b"\xef\xbb\xbf{")
    place.unapply()

    assert place.settings.read_bytes() == data


ODD: dict[str, Callable[[Path], Any]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/null"),
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "looping link": lambda path: path.symlink_to(path.name),
    "hard link": lambda path: (path.write_bytes(b"{}"), os.link(path, path.with_name("second"))),
    "1 GiB of nothing": lambda path: (path.touch(), os.truncate(path, 1 << 30)),
}


@pytest.mark.parametrize("name", ["settings.json", ".claude.json"])
@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
def test_a_file_that_is_none_stops_everything(make: Callable[[Path], Any], name: str, place: Place) -> None:
    path = place.settings if name == "settings.json" else place.claude_json
    path.unlink()
    make(path)
    other = place.claude_json if name == "settings.json" else place.settings
    before = other.read_bytes()

    with pytest.raises(NotPermittedError) as caught:
        place.apply()

    assert (caught.value.path, caught.value.exit_code) == (str(path), 77)
    assert (other.read_bytes(), read_ledger(place.state / "ledger.json").pending) == (before, ())


def foreign_edit(path: Path, **values: Any) -> None:
    """As Claude Code does it: read, change, replace."""
    document = json.loads(path.read_bytes())
    spare = path.with_name("foreign")
    spare.write_text(json.dumps({**document, **values}, indent=2))
    spare.replace(path)


def before_each_replace(
    monkeypatch: pytest.MonkeyPatch, path: Path, work: Callable[[int], None]
) -> list[int]:
    """Call ``work`` with 0, 1, … just before each replacement of ``path``."""
    calls: list[int] = []
    real = transaction.replace_file

    def hooked(snapshot: files.Snapshot, data: bytes, **options: Any) -> None:
        if snapshot.path == path:
            calls.append(len(calls))
            work(calls[-1])
        real(snapshot, data, **options)

    monkeypatch.setattr(transaction, "replace_file", hooked)
    return calls


@pytest.mark.parametrize("name", ["settings.json", ".claude.json"])
def test_a_change_between_plan_and_replace_is_planned_anew(
    name: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place.settings if name == "settings.json" else place.claude_json
    calls = before_each_replace(monkeypatch, path, lambda n: foreign_edit(path, theirs=1) if n == 0 else None)

    place.apply()

    assert calls == [0, 1]
    document = json.loads(path.read_bytes())
    assert document["theirs"] == 1
    assert document.get("hasCompletedOnboarding") or document["env"]["ANTHROPIC_API_KEY"] == TOKEN
    place.unapply()
    expected = {**json.loads(SETTINGS if name == "settings.json" else STATE), "theirs": 1}
    assert json.loads(path.read_bytes()) == expected
    assert place.leftovers() == []


def test_their_value_of_our_key_between_plan_and_replace_comes_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {"ANTHROPIC_BASE_URL": "https://theirs.example"}
    before_each_replace(
        monkeypatch, place.settings, lambda n: foreign_edit(place.settings, env=theirs) if n == 0 else None
    )
    place.apply()
    assert json.loads(place.settings.read_bytes())["env"]["ANTHROPIC_BASE_URL"] == A.base_url
    place.unapply()

    assert json.loads(place.settings.read_bytes())["env"] == theirs


def test_a_file_that_appears_between_plan_and_replace_is_kept(
    empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_each_replace(
        monkeypatch, empty.settings, lambda n: empty.settings.write_bytes(SETTINGS) if n == 0 else None
    )
    empty.apply()
    assert json.loads(empty.settings.read_bytes())["n"] == 1.0
    empty.unapply()

    assert empty.settings.read_bytes() == SETTINGS


def test_what_they_write_themselves_just_as_we_would_is_no_change_of_ours(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = replace(B, models={}, env={}, onboarding=True, detach_login=False)
    before_each_replace(
        monkeypatch,
        place.claude_json,
        lambda n: foreign_edit(place.claude_json, hasCompletedOnboarding=True) if n == 0 else None,
    )
    result = place.apply(only)

    changed = {target.plan.path.name: target.plan.is_changed for target in result.targets}
    assert changed == {".claude.json": False, "settings.json": True}
    place.unapply()
    assert json.loads(place.claude_json.read_bytes())["hasCompletedOnboarding"] is True


@pytest.mark.parametrize("is_filled", [True, False], ids=["files there", "no files"])
def test_who_overwrites_us_right_after_is_noticed_and_it_is_done_again(
    place: Place, empty: Place, monkeypatch: pytest.MonkeyPatch, *, is_filled: bool
) -> None:
    here = place if is_filled else empty
    old = here.settings.read_bytes() if is_filled else b"{}"
    rename, done = files._rename, []

    def overwritten(temporary: str, route: Any) -> None:
        rename(temporary, route)
        target = route.real
        if target == here.settings and not done:
            done.append(target)
            target.write_bytes(old)
            foreign_edit(target, theirs=1)

    monkeypatch.setattr(files, "_rename", overwritten)
    here.apply()

    assert done
    document = json.loads(here.settings.read_bytes())
    assert (document["theirs"], document["env"]["ANTHROPIC_API_KEY"]) == (1, TOKEN)
    here.unapply()
    assert json.loads(here.settings.read_bytes()) == {**json.loads(old), "theirs": 1}
    assert mode_of(here.settings) & 0o077 == 0o044


def test_who_adds_something_right_after_is_left_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    rename, renames = files._rename, []

    def add(temporary: str, route: Any) -> None:
        rename(temporary, route)
        if route.real == place.settings:
            renames.append(temporary)
            foreign_edit(place.settings, theirs=1)

    monkeypatch.setattr(files, "_rename", add)
    place.apply()

    assert len(renames) == 1
    assert json.loads(place.settings.read_bytes())["theirs"] == 1


def test_half_a_file_right_after_is_waited_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    take, seen = transaction.take_snapshot, []

    def once_torn(path: Path, **options: Any) -> files.Snapshot:
        snapshot = take(path, **options)
        if path == place.settings and TOKEN.encode() in (snapshot.data or b"") and not seen:
            seen.append(path)
            return replace(snapshot, data=(snapshot.data or b"")[:20])
        return snapshot

    monkeypatch.setattr(transaction, "take_snapshot", once_torn)
    place.apply()

    assert seen
    assert place.claude.status().in_sync


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", ["settings.json", ".claude.json"])
def test_a_file_that_keeps_changing_is_given_up_and_the_other_is_put_back(
    name: str, moment: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place.settings if name == "settings.json" else place.claude_json
    other = place.claude_json if name == "settings.json" else place.settings
    original = {path: path.read_bytes(), other: other.read_bytes()}
    rename, count = files._rename, 0

    def busy(temporary: str, route: Any) -> None:
        nonlocal count
        rename(temporary, route)
        if route.real == path and moment == "after":
            count += 1
            path.write_bytes(original[path])
            foreign_edit(path, theirs=count)

    def write(n: int) -> None:
        nonlocal count
        if moment == "before":
            count += 1
            foreign_edit(path, theirs=n)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_rename", busy)
        before_each_replace(patch, path, write)
        with pytest.raises(TargetBusyError) as caught:
            place.apply()

    assert (caught.value.exit_code, caught.value.path, count >= 5) == (75, str(path), True)
    assert other.read_bytes() == original[other]
    assert TOKEN.encode() not in path.read_bytes()
    assert place.claude.status().applied is None
    place.apply()
    place.unapply()
    assert (other.read_bytes(), place.leftovers()) == (original[other], [])
    document = json.loads(path.read_bytes())
    assert isinstance(document.pop("theirs"), int)
    assert document == json.loads(original[path])


def test_a_lock_that_is_held_stops_the_command_with_75(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", TOKEN)
    place.apply()
    code = (
        "import sys, time; from pathlib import Path; from kimi_profiles.locks import hold_lock\n"
        "with hold_lock(Path(sys.argv[1]), timeout_s=5): print(flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, place.state / "lock"], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            before = tree(place.home)
            command = ["apply", "moonshot-cn", "--home", str(place.home), "--lock-timeout", "0.2"]
            assert main(command) == 75
            assert f"process {process.pid}" in capsys.readouterr().err
            assert tree(place.home) == before
        finally:
            process.kill()
        process.wait()
        place.apply(B)  # at once: its own timeout is short


def test_claude_codes_lock_is_held_around_the_replacement_only(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = place.claude_json.with_name(".claude.json.lock"), {}
    rename = files._rename

    def look(source: Path, target: Path) -> None:
        seen.setdefault(target.name, folder.is_dir())
        rename(source, target)

    monkeypatch.setattr(files, "_rename", look)
    place.apply()

    assert (seen[".claude.json"], seen["settings.json"], seen["ledger.json"]) == (True, False, False)
    assert not folder.exists()


@pytest.mark.parametrize("command", ["apply", "unapply"])
def test_claude_codes_fresh_lock_stops_the_command_and_nothing_has_changed(
    command: str, place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", TOKEN)
    arguments = ["--home", str(place.home), "--lock-timeout", "0.2"]
    if command == "unapply":
        assert main(["apply", "moonshot-cn", *arguments]) == 0
    before = place.targets()
    folder = place.claude_json.with_name(".claude.json.lock")
    folder.mkdir()

    assert main([command, *(["moonshot-cn"] if command == "apply" else []), *arguments]) == 75
    assert str(folder) in capsys.readouterr().err
    assert (place.targets(), folder.is_dir()) == (before, True)
    assert not place.claude.status().is_interrupted

    os.utime(folder, (0, 0))
    assert main([command, *(["moonshot-cn"] if command == "apply" else []), *arguments]) == 0
    assert not folder.exists()


def test_two_threads_take_turns(place: Place) -> None:
    import threading

    patient = Place(place.home, timeout_s=20)
    errors: list[Exception] = []

    def work(profile: Profile) -> None:
        try:
            for _ in range(5):
                patient.apply(profile)
        except Exception as error:  # noqa: BLE001 - the other thread looks at it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(profile,)) for profile in (A, B, A, B)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    place.unapply()

    assert (place.settings.read_bytes(), place.claude_json.read_bytes()) == (SETTINGS, STATE)


def run_git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    subprocess.run([require_tool("git"), *identity, *arguments], cwd=folder, check=True, capture_output=True)


def track(folder: Path, file: str) -> None:
    run_git(folder, "init", "-q")
    run_git(folder, "add", file)
    run_git(folder, "commit", "-q", "-m", "x")


def test_a_token_is_not_written_where_git_tracks_the_file(place: Place) -> None:
    track(place.home, ".claude/settings.json")
    before = place.targets()

    with pytest.raises(TargetTrackedError) as caught:
        place.apply()

    assert (caught.value.path, caught.value.exit_code) == (str(place.settings), 77)
    assert place.targets() == before
    assert place.apply(allow_tracked=True).changed
    place.unapply()
    assert place.targets() == before


def test_a_link_into_a_dotfile_repository_is_no_way_around(place: Place) -> None:
    dotfiles = place.home / "dotfiles"
    dotfiles.mkdir()
    place.settings.replace(dotfiles / "settings.json")
    place.settings.symlink_to("../dotfiles/settings.json")
    track(dotfiles, "settings.json")

    with pytest.raises(TargetTrackedError):
        place.apply()
    assert (dotfiles / "settings.json").read_bytes() == SETTINGS


def test_variables_of_git_are_no_way_around(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    track(place.home, ".claude/settings.json")
    other = place.home / "other"
    other.mkdir()
    run_git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))

    with pytest.raises(TargetTrackedError):
        place.apply()


def test_a_profile_without_a_token_may_be_tracked(place: Place) -> None:
    from kimi_profiles.profile import TokenRef

    track(place.home, ".claude/settings.json")
    place.claude.apply(replace(A, delivery="helper", token=TokenRef("env", "X")))
    assert mode_of(place.settings) == 0o644


def test_the_project_scope_is_meant_to_be_committed(place: Place, tmp_path: Path) -> None:
    project = ClaudeCode.project(tmp_path / "project", home=place.home)
    (tmp_path / "project").mkdir()
    before = tree(tmp_path / "project")

    with pytest.raises(TargetTrackedError, match="meant to be committed"):
        project.apply(A, token=TOKEN)
    assert tree(tmp_path / "project") == before

    project.apply(A, token=TOKEN, allow_tracked=True)
    project.unapply()
    assert tree(tmp_path / "project") == before


def test_what_is_tracked_since_can_still_be_taken_out(place: Place, tmp_path: Path) -> None:
    local = ClaudeCode.local(tmp_path, home=place.home)
    place.apply()
    local.apply(A, token=TOKEN)
    track(place.home, ".claude.json")

    local.unapply()
    assert json.loads(place.claude_json.read_bytes())["customApiKeyResponses"]
    place.unapply()
    assert place.claude_json.read_bytes() == STATE


class Killed(BaseException):
    """The process is dead."""


WRITES = (
    "open", "write", "fsync", "replace", "rename", "unlink", "remove", "mkdir", "rmdir", "fchmod", "chmod",
    "fchown", "setxattr", "link",
)  # fmt: skip


class Faults:
    """Fails the ``at``-th call that changes something on disk.

    Args:
        at: Counts from 0; ``None`` only counts.
        error: What it raises.
        lasts: Whether each call after it fails too: a process that was killed does nothing more, and a disk
            that is full stays so.
        half: Whether a write that fails writes half of its bytes first.
    """

    def __init__(self, at: int | None, error: BaseException, *, lasts: bool, half: bool = False) -> None:
        self.at, self.error, self.lasts, self.half = at, error, lasts, half
        self.calls: list[str] = []
        self.fired: list[str] = []

    @contextlib.contextmanager
    def armed(self) -> Iterator[Faults]:
        with pytest.MonkeyPatch.context() as patch:
            for name in WRITES:
                patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
            patch.setattr(files, "_exchange", self._wrapped("exchange", files._exchange))
            yield self

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return real(*args, **kwargs)
            number = len(self.calls)
            self.calls.append(name)
            if self.at is not None and (number == self.at or (self.lasts and number > self.at)):
                self.fired.append(name)
                if self.half and name == "write" and number == self.at:
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                raise self.error
            return real(*args, **kwargs)

        return call


def nothing(_: Place) -> None:
    pass


def drifted(place: Place) -> None:
    place.apply()
    foreign_edit(place.settings, theirs=1, env={"ANTHROPIC_BASE_URL": "https://theirs.example"})


# id → whether files are there, what was done before, what is cut short
RUNS: dict[str, tuple[bool, Callable[[Place], Any], Callable[[Place], Any]]] = {
    "apply": (True, nothing, lambda place: place.apply()),
    "apply where nothing is": (False, nothing, lambda place: place.apply()),
    "switch": (True, lambda place: place.apply(), lambda place: place.apply(B)),
    "switch where nothing was": (False, lambda place: place.apply(B), lambda place: place.apply()),
    "unapply": (True, lambda place: place.apply(), lambda place: place.unapply()),
    "unapply to nothing": (False, lambda place: place.apply(), lambda place: place.unapply()),
    "apply over drift": (True, drifted, lambda place: place.apply()),
    "switch over drift": (True, drifted, lambda place: place.apply(B)),
    "unapply over drift": (True, drifted, lambda place: place.unapply()),
    "restore": (True, lambda place: place.apply(), lambda place: place.claude.restore("pristine")),
    "restore to nothing": (
        False,
        lambda place: place.apply(),
        lambda place: place.claude.restore("pristine"),
    ),
    "mode": (
        True,
        lambda place: (place.apply(), place.settings.chmod(0o644)),
        lambda place: place.apply(),
    ),
}
HEALINGS: dict[str, Callable[[Place], Any]] = {
    "unapply": nothing,
    "the same again": lambda place: place.apply(),
    "another": lambda place: place.apply(B),
}


class Lab:
    """The same start as often as needed, without doing it again."""

    def __init__(self, root: Path, *, is_filled: bool, setup: Callable[[Place], Any]) -> None:
        home = root / "home"
        home.mkdir()
        self.place = Place(home)
        if is_filled:
            self.place.fill()
        setup(self.place)
        self.start = {
            path: (path.read_bytes() if path.is_file() else None, mode_of(path)) for path in home.rglob("*")
        }

    def reset(self) -> Place:
        home = self.place.home
        for path in sorted(home.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        for path, (data, mode) in sorted(self.start.items()):
            path.mkdir() if data is None else path.write_bytes(data)
            path.chmod(mode)
        return self.place

    def outcome(self, *steps: Callable[[Place], Any]) -> dict[str, Any]:
        place = self.reset()
        for step in steps:
            step(place)
        return place.targets()


@pytest.fixture
def fast_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in memory where there is one; what a sync does cannot be seen without a power cut anyway."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


@pytest.mark.parametrize("half", [False, True], ids=["whole calls", "half a write"])
@pytest.mark.parametrize(("is_filled", "setup", "run"), RUNS.values(), ids=RUNS)
def test_a_run_that_is_killed_anywhere_leaves_old_or_new_and_the_next_one_carries_on(
    setup: Callable[[Place], Any],
    run: Callable[[Place], Any],
    fast_path: Path,
    *,
    is_filled: bool,
    half: bool,
) -> None:
    lab = Lab(fast_path, is_filled=is_filled, setup=setup)
    old, new = lab.outcome(), lab.outcome(run)
    healed = {name: lab.outcome(run, heal, Place.unapply) for name, heal in HEALINGS.items()}
    counting = Faults(None, Killed(), lasts=True)
    lab.reset()
    with counting.armed():
        run(lab.place)
    points = [n for n, name in enumerate(counting.calls) if name == "write" or not half]
    assert len(points) > (1 if half else 15)

    for at in points:
        for name in HEALINGS if half else [list(HEALINGS)[at % len(HEALINGS)]]:
            where = (at, counting.calls[at], name)
            place, faults = lab.reset(), Faults(at, Killed(), lasts=True, half=half)
            with faults.armed(), pytest.raises(Killed):
                run(place)
            assert faults.fired, where
            for file, state in place.targets().items():
                assert state in (old[file], new[file]), where
            place.age_client_lock()
            HEALINGS[name](place)
            place.unapply()
            assert place.targets() == healed[name], where
            assert place.leftovers() == [], where
            assert not place.claude.status().is_interrupted, where


@pytest.mark.parametrize(("is_filled", "setup", "run"), RUNS.values(), ids=RUNS)
def test_a_call_that_fails_once_undoes_the_run(
    setup: Callable[[Place], Any], run: Callable[[Place], Any], fast_path: Path, *, is_filled: bool
) -> None:
    lab = Lab(fast_path, is_filled=is_filled, setup=setup)
    old, new = lab.outcome(), lab.outcome(run)
    final = lab.outcome(run, Place.unapply)
    kinds: set[type[BaseException] | None] = set()
    at, fired = 0, True
    while fired:
        place, faults = lab.reset(), Faults(at, OSError(errno.EIO, "broken"), lasts=False)
        kind = None
        with faults.armed():
            try:
                run(place)
            except ProfilesError as error:
                kind = type(error)
        fired, where = bool(faults.fired), (at, faults.fired)
        kinds.add(kind)
        done = kind in {None, DurabilityUnconfirmedError}
        if faults.fired != ["rmdir"]:  # a folder that cannot be removed stays
            assert place.targets() == (new if done else old), where
        lock = [str(place.claude_json) + ".lock"]  # is left only where it could not be removed
        if faults.fired != ["unlink"]:  # what cannot be removed is left to the next run
            assert place.leftovers() == [] or (place.leftovers(), faults.fired) == (lock, ["rmdir"]), where
        if done:
            place.age_client_lock()
            before = tree(place.home)
            assert not place.claude.status().is_interrupted, where
            assert run(place).changed is False, where
            assert tree(place.home) == before or faults.fired == ["unlink"], where
        place.age_client_lock()
        run(place)
        place.unapply()
        if faults.fired != ["rmdir"]:
            assert place.targets() == final, where
        assert place.leftovers() == [] or (place.leftovers(), faults.fired) == (lock, ["rmdir"]), where
        at += 1
    assert {None, WriteFailedError, DurabilityUnconfirmedError} <= kinds


@pytest.mark.parametrize(("is_filled", "setup", "run"), RUNS.values(), ids=RUNS)
def test_a_disk_that_fails_from_some_moment_on_leaves_old_or_new_and_the_next_command_carries_on(
    setup: Callable[[Place], Any], run: Callable[[Place], Any], fast_path: Path, *, is_filled: bool
) -> None:
    lab = Lab(fast_path, is_filled=is_filled, setup=setup)
    old, new = lab.outcome(), lab.outcome(run)
    final = lab.outcome(run, Place.unapply)
    at, fired = 0, True
    while fired:
        place, faults = (
            lab.reset(),
            Faults(at, OSError((errno.ENOSPC, errno.EROFS)[at % 2], "no"), lasts=True),
        )
        with faults.armed(), contextlib.suppress(ProfilesError):
            run(place)
        fired, where = bool(faults.fired), (at, faults.fired[:1])
        for file, state in place.targets().items():
            if file != "folder":  # one that is made for nothing goes with the next command
                assert state in (old[file], new[file]), where
        place.age_client_lock()
        run(place)
        place.unapply()
        assert (place.targets(), place.leftovers()) == (final, []), where
        at += 1


def test_a_signal_in_the_middle_puts_everything_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    before = place.targets()

    def interrupt(_: int) -> None:
        raise InterruptedRunError(15)

    before_each_replace(monkeypatch, place.settings, interrupt)
    with pytest.raises(InterruptedRunError) as caught:
        place.apply()

    assert (caught.value.exit_code, place.targets(), place.leftovers()) == (143, before, [])
    assert not place.claude.status().is_interrupted


def test_a_second_signal_waits_until_everything_is_put_back(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, seen = place.targets(), []
    real = transaction._Run._roll_back

    def roll_back(self: Any, plans: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        seen.append(place.targets())
        real(self, plans)

    monkeypatch.setattr(transaction._Run, "_roll_back", roll_back)
    before_each_replace(monkeypatch, place.settings, lambda _: signal.raise_signal(signal.SIGINT))
    monkeypatch.setenv("MOONSHOT_API_KEY", TOKEN)
    status = main(["apply", "moonshot-cn", "--home", str(place.home), "--quiet"])

    assert status == 130, capsys.readouterr().err
    assert seen
    assert seen[0] != before
    assert (place.targets(), place.leftovers()) == (before, [])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_folder_that_went_comes_back_before_its_file_is_locked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # .claude.json in a folder that we made: it goes at unapply, and comes back as the ledger is not written.
    claude = ClaudeCode.user(home=place.home / "made", timeout_s=0.3)
    claude.apply(A, token=TOKEN)
    tree = sorted(path for path in place.home.rglob("*") if ".local" not in path.parts)
    calls, real = [], transaction.write_ledger

    def write(path: Path, ledger: Any) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise WriteFailedError("the disk is full", path=path)
        real(path, ledger)

    monkeypatch.setattr(transaction, "write_ledger", write)
    with pytest.raises(WriteFailedError):
        claude.unapply()

    assert len(calls) == 3
    assert sorted(path for path in place.home.rglob("*") if ".local" not in path.parts) == tree
    assert not claude.status().is_interrupted


def test_a_second_file_that_cannot_be_written_leaves_the_first_as_it_was(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where settings.json is a link into a read-only store.
    before, seen = place.targets(), []

    def refuse(_: int) -> None:
        seen.append(place.claude_json.read_bytes())
        raise NotPermittedError("read-only")

    before_each_replace(monkeypatch, place.settings, refuse)
    with pytest.raises(NotPermittedError):
        place.apply()

    assert seen[0] != STATE
    assert (place.targets(), place.leftovers()) == (before, [])
    status = place.claude.status()
    assert (status.applied, status.is_interrupted) == (None, False)


def test_what_somebody_wrote_to_the_first_file_meanwhile_is_not_undone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        foreign_edit(place.claude_json, theirs=1)
        raise NotPermittedError("read-only")

    with monkeypatch.context() as patch:
        before_each_replace(patch, place.settings, refuse)
        with pytest.raises(NotPermittedError):
            place.apply()

    assert json.loads(place.claude_json.read_bytes())["theirs"] == 1
    assert place.claude.status().is_interrupted
    place.unapply()
    assert json.loads(place.claude_json.read_bytes()) == {**json.loads(STATE), "theirs": 1}
    assert not place.claude.status().is_interrupted


def test_an_unconfirmed_folder_ends_in_5_and_all_is_done(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", TOKEN)
    command = ["apply", "moonshot-cn", "--home", str(place.home)]
    fsync, fired = os.fsync, []

    def fail(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path == place.settings.parent:
            fired.append(path)
            raise OSError(errno.EIO, "broken")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        assert main(command) == 5
    assert fired
    assert "did not confirm" in capsys.readouterr().err
    assert place.claude.status().in_sync
    before = tree(place.home)
    assert main(command) == 0
    assert tree(place.home) == before


def test_the_ledger_is_written_before_the_files_and_again_after(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    rename, move = files._rename, files._move

    def record(temporary: str, route: Any) -> None:
        rename(temporary, route)
        name = route.real.name
        is_ledger = name == "ledger.json"
        events.append(f"ledger, {len(read_ledger(route.real).pending)} pending" if is_ledger else name)

    def record_copy(spare: Any, route: Any) -> bool:
        events.append("backup")
        return move(spare, route)

    monkeypatch.setattr(files, "_rename", record)
    monkeypatch.setattr(files, "_move", record_copy)
    place.apply()

    assert [event for event, _ in itertools.groupby(events)] == [
        "backup", "ledger, 2 pending", ".claude.json", "settings.json", "ledger, 0 pending",
    ]  # fmt: skip


def test_no_secret_is_in_the_state_folder_but_in_backups_of_what_was_there(place: Place) -> None:
    place.apply()
    place.apply(B)

    for path in place.state.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path


def test_a_ledger_that_cannot_be_read_stops_everything(place: Place) -> None:
    place.apply()
    (place.state / "ledger.json").write_bytes(b"{")
    before = tree(place.home)
    for run in (place.apply, place.unapply, place.claude.status):
        with pytest.raises(ledger.LedgerInvalidError):
            run()

    assert tree(place.home) == before


def test_a_pending_file_that_cannot_be_reached_is_in_nobodys_way(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "volume" / "settings.json"
    other.parent.mkdir()
    scope = ClaudeCode.at(other, home=place.home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transaction._Run, "_settle", lambda *_: (_ for _ in ()).throw(Killed))
        patch.setattr(transaction._Run, "_roll_back", lambda *_: None)
        with pytest.raises(Killed):
            scope.apply(A, token=TOKEN)
    other.unlink()
    other.parent.rmdir()
    other.parent.symlink_to(other.parent.name)

    place.apply()
    place.unapply()
    assert place.settings.read_bytes() == SETTINGS


def test_what_a_killed_run_of_another_scope_left_is_swept(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other" / "settings.json"
    other.parent.mkdir()

    def kill(snapshot: files.Snapshot) -> None:
        if snapshot.path == other:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_check_unchanged", kill)
        patch.setattr(files, "_undo", lambda *_: None)
        patch.setattr(transaction._Run, "_roll_back", lambda *_: None)
        with pytest.raises(Killed):
            ClaudeCode.at(other, home=place.home).apply(A, token=TOKEN)
    assert [path.name.startswith(".settings.json.") for path in other.parent.iterdir()] == [True]

    place.apply()
    assert list(other.parent.iterdir()) == []


def test_a_lock_is_waited_for_once(place: Place) -> None:
    patient = Place(place.home, timeout_s=1)
    place.claude_json.with_name(".claude.json.lock").mkdir()
    began = time.monotonic()
    with pytest.raises(LockTimeoutError):
        patient.apply()
    assert 1 <= time.monotonic() - began < 1.9


def test_backups_of_other_files_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path).fill()
    other = save_backup(place.state / "backups", tmp_path / "other.json", b"{}", mode=0o600).split("/")[0]
    opened: set[str] = set()
    real = os.open

    def spy(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.update(Path(os.fsdecode(path)).parts)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", spy)
    monkeypatch.setattr(linux, "open_without_links", lambda *_: None)  # folders are entered by open then
    assert place.apply().changed
    assert place.unapply().changed

    assert other not in opened
    assert any(name.startswith("settings.json-") for name in opened)


def test_the_folder_of_a_file_is_on_record_by_what_it_is_and_not_by_its_name(tmp_path: Path) -> None:
    def places() -> dict[str, str | None]:
        records = read_ledger(place.state / "ledger.json").records
        return {Path(name).name: record.place for name, record in records.items()}

    def mark(folder: Path) -> str:
        return f"inode {folder.stat().st_ino}"

    place = Place(tmp_path)
    claude, real = tmp_path / ".claude", tmp_path / "dotfiles"
    place.apply()
    assert places() == {".claude.json": mark(tmp_path), "settings.json": mark(claude)}

    claude.rename(real)  # into the dotfiles, and linked
    claude.mkdir()
    place.settings.symlink_to(real / "settings.json")
    assert not place.apply().changed
    assert places() == {".claude.json": mark(tmp_path), "settings.json": mark(real)}


def make_anew(folder: Path) -> None:
    """The same names in another folder."""
    older = folder.rename(folder.with_name(f"{folder.name}, older {folder.stat().st_ino}"))
    shutil.copytree(older, folder)


@pytest.mark.parametrize("folder", ["the same", "made anew"])
def test_one_file_is_not_known_by_two_names(folder: str, tmp_path: Path) -> None:
    real, link = tmp_path / "folder" / "real.json", tmp_path / "link.json"
    real.parent.mkdir()
    real.write_bytes(SETTINGS)
    link.symlink_to(real)
    ClaudeCode.at(real, home=tmp_path).apply(A, token=TOKEN)
    before = real.read_bytes()
    if folder == "made anew":
        make_anew(real.parent)

    with pytest.raises(NotPermittedError, match=r"the same file under the name .*real\.json"):
        ClaudeCode.at(link, home=tmp_path).apply(B, token=TOKEN)

    assert real.read_bytes() == before


def test_two_links_to_one_file_are_two_names_of_it_also_when_its_folder_was_made_anew(tmp_path: Path) -> None:
    real, links = tmp_path / "folder" / "real.json", [tmp_path / "one.json", tmp_path / "two.json"]
    real.parent.mkdir()
    for link in links:
        link.symlink_to(real)
    real.write_bytes(b"{}")
    ClaudeCode.at(links[0], home=tmp_path).apply(A, token=TOKEN)
    real.write_bytes(b"{}")
    make_anew(real.parent)

    with pytest.raises(NotPermittedError, match=r"the same file under the name .*one\.json"):
        ClaudeCode.at(links[1], home=tmp_path).apply(B, token=TOKEN)


def test_what_is_on_record_of_a_link_waits_whatever_becomes_of_the_folder(tmp_path: Path) -> None:
    real, link = tmp_path / "folder" / "real.json", tmp_path / "link.json"
    real.parent.mkdir()
    real.write_bytes(b"{}")
    link.symlink_to(real)
    ClaudeCode.at(link, home=tmp_path).apply(A, token=TOKEN)
    real.write_bytes(b"{}")
    make_anew(real.parent)
    ClaudeCode.at(real, home=tmp_path).apply(A, token=TOKEN)
    make_anew(real.parent)
    before = real.read_bytes()

    with pytest.raises(NotPermittedError, match=r"the same file under the name .*real\.json"):
        ClaudeCode.at(link, home=tmp_path).unapply()

    assert real.read_bytes() == before


def test_a_file_with_our_values_has_no_other_name_also_when_its_folder_was_made_anew(
    tmp_path: Path,
) -> None:
    real, link = tmp_path / "folder" / "real.json", tmp_path / "link.json"
    real.parent.mkdir()
    link.symlink_to(real)
    real.write_bytes(SETTINGS)
    ClaudeCode.at(link, home=tmp_path).apply(A, token=TOKEN)
    make_anew(real.parent)

    with pytest.raises(NotPermittedError, match=r"the same file under the name .*link\.json"):
        ClaudeCode.at(real, home=tmp_path).apply(B, token=TOKEN)


@pytest.fixture
def names(tmp_path: Path) -> list[Path]:
    """A home under its own name, and two links to it."""
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    links = [tmp_path / "one", tmp_path / "two"]
    for link in links:
        link.symlink_to(home)
    return [home, *links]


def test_a_file_of_an_older_name_is_not_taken_over(names: list[Path]) -> None:
    new, old = (ClaudeCode.user(home=name) for name in names[:2])
    old.apply(A, token=TOKEN)
    file = names[0] / ".claude" / "settings.json"
    before = file.read_bytes()

    with pytest.raises(NotPermittedError, match=r"the same file under the name .*one/\.claude"):
        new.apply(B, token=TOKEN)

    assert file.read_bytes() == before
    old.unapply()
    assert not file.exists()
    assert new.apply(B, token=TOKEN).changed


@pytest.mark.parametrize("data", [None, b'{"env": {"EDITOR": "vim"}}'])
def test_what_is_on_record_of_a_folder_that_was_made_anew_waits_until_the_new_one_is_taken_out(
    data: bytes | None, names: list[Path]
) -> None:
    home = names[0]
    new, old = (ClaudeCode.user(home=name) for name in names[:2])
    old.apply(A, token=TOKEN)
    file = home / ".claude" / "settings.json"
    older = home.rename(home.with_name("older"))
    file.parent.mkdir(parents=True)
    (older / ".local").rename(home / ".local")
    if data is not None:
        file.write_bytes(data)
    new.apply(A, token=TOKEN)  # the very values that are on record under the other name
    ours = file.read_bytes()

    commands: list[Callable[[], object]] = [old.unapply, lambda: old.apply(B, token=TOKEN)]
    for command in commands:
        with pytest.raises(NotPermittedError, match=r"the same file under the name .*home/\.claude"):
            command()
    assert (file.read_bytes(), new.status().in_sync) == (ours, True)

    new.unapply()
    old.unapply()
    assert (file.read_bytes() if file.exists() else None) == data
    assert read_ledger(home / ".local/state/kimi-profiles/ledger.json") == Ledger()


@pytest.mark.parametrize("data", [None, b'{"env": {"EDITOR": "vim"}}'])
def test_one_file_that_will_be_made_is_not_known_by_two_names(data: bytes | None, names: list[Path]) -> None:
    new, old = (ClaudeCode.user(home=name) for name in names[:2])
    old.apply(A, token=TOKEN)
    for name in (".claude/settings.json", ".claude.json"):
        (names[0] / name).unlink()
        if data is not None:
            (names[0] / name).write_bytes(data)

    with pytest.raises(NotPermittedError, match=r"the same file under the name .*one/\.claude"):
        new.apply(B, token=TOKEN)

    assert (names[0] / ".claude.json").exists() is (data is not None)


def test_one_file_that_will_be_made_is_not_known_by_two_links(names: list[Path]) -> None:
    old, new = (ClaudeCode.user(home=name) for name in names[1:])
    old.apply(A, token=TOKEN)
    for name in (".claude/settings.json", ".claude.json"):
        (names[0] / name).unlink()

    with pytest.raises(NotPermittedError, match=r"the same file under the name .*one/\.claude"):
        new.apply(B, token=TOKEN)

    assert list((names[0] / ".claude").iterdir()) == []


@pytest.mark.parametrize("data", [None, b'{"env": {"EDITOR": "vim"}}'])
def test_where_nothing_of_a_profile_stands_no_other_folder_is_asked(
    data: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        ClaudeCode.at(tmp_path / name / "settings.json", home=tmp_path).apply(A, token=TOKEN)
    asked: list[str] = []
    inode = targets._inode
    monkeypatch.setattr(targets, "_inode", lambda path: (asked.append(path), inode(path))[1])
    file = tmp_path / "new" / "settings.json"
    file.parent.mkdir()
    if data is not None:
        file.write_bytes(data)

    ClaudeCode.at(file, home=tmp_path).apply(A, token=TOKEN)

    assert asked
    assert {*asked} <= {str(file), str(file.parent)}


def test_of_many_files_no_links_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = Path(".claude", "settings.local.json")
    for number in range(5):
        project = tmp_path / "projects" / f"{number}"
        ClaudeCode.at(project / named, home=tmp_path).apply(A, token=TOKEN)
    for number in (1, 3):
        (tmp_path / "projects" / f"{number}").rename(tmp_path / f"{number}")
    followed: list[Path] = []

    def spy(path: Path) -> Path:
        followed.append(path)
        return resolve(path)

    monkeypatch.setattr(targets, "resolve", spy)
    for project in ("new", "projects/another", "projects/1"):
        file = tmp_path / project / named
        file.parent.mkdir(parents=True)
        file.write_text('{"env": {"ANTHROPIC_BASE_URL": "https://before.example"}}')
        assert ClaudeCode.at(file, home=tmp_path).apply(A, token=TOKEN).changed
    assert followed == []
