"""Copies put back: to the byte, with nothing lost and nothing of ours left."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from kimi_profiles import ClaudeCode, Profile
from kimi_profiles.errors import (
    LedgerInvalidError,
    LockTimeoutError,
    NotFoundError,
    NotPermittedError,
    TargetBusyError,
    UsageError,
)
from kimi_profiles.locks import hold_lock

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes and links as POSIX has them")

TOKEN = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz"
PROFILE = Profile("a", "https://a.example/anthropic", auth_variable="ANTHROPIC_API_KEY")
SETTINGS = b'{\r\n\t"n": 1.0, "env" : { "LANG":"de" }\r\n}'
STATE = b'{"primaryApiKey": "sk-login", "numStartups": 3}\n'


@pytest.fixture
def claude(tmp_path: Path) -> ClaudeCode:
    claude = ClaudeCode.user(home=tmp_path, timeout_s=0.3)
    claude.scope.settings.parent.mkdir()
    claude.scope.settings.write_bytes(SETTINGS)
    claude.scope.settings.chmod(0o644)
    claude.places.claude_json.write_bytes(STATE)
    return claude


def apply(claude: ClaudeCode, profile: Profile = PROFILE) -> Any:
    return claude.apply(profile, token=TOKEN)


def edit(path: Path, **values: Any) -> bytes:
    """What another program writes: the file with other values, in its own layout."""
    data = json.dumps({**json.loads(path.read_bytes()), **values}, indent=3).encode()
    path.write_bytes(data)
    return data


def copies(claude: ClaudeCode, path: Path) -> list[bytes]:
    return [backup.copy.read_bytes() for backup in claude.backups() if backup.path == path]


def test_pristine_gives_the_very_first_bytes_back(claude: ClaudeCode) -> None:
    for number in range(15):
        apply(claude)
        edit(claude.scope.settings, theirs=number)
        edit(claude.places.claude_json, theirs=number)
        claude.unapply()
        edit(claude.scope.settings, more=number)
    apply(claude)

    result = claude.restore("pristine")

    assert result.changed
    assert claude.scope.settings.read_bytes() == SETTINGS
    assert claude.scope.settings.stat().st_mode & 0o777 == 0o644
    assert claude.places.claude_json.read_bytes() == STATE
    assert claude.status().applied is None
    assert not claude.unapply().changed


def test_what_the_file_held_is_copied_before_without_our_part(claude: ClaudeCode) -> None:
    apply(claude)
    edit(claude.scope.settings, theirs="kept")

    result = claude.restore("pristine")

    saved = [target.backup for target in result.targets if target.plan.path == claude.scope.settings]
    held = json.loads(saved[0].read_bytes())
    assert held == {"n": 1.0, "env": {"LANG": "de"}, "theirs": "kept"}
    assert saved[0].stat().st_mode & 0o777 == 0o600


def test_a_restore_can_be_taken_back(claude: ClaudeCode) -> None:
    apply(claude)
    claude.unapply()
    theirs = edit(claude.scope.settings, theirs="kept")
    pristine = next(each for each in claude.backups() if each.path == claude.scope.settings)

    saved = claude.restore(pristine.id).targets[0].backup
    assert claude.scope.settings.read_bytes() == SETTINGS
    claude.restore(str(saved))

    assert claude.scope.settings.read_bytes() == theirs


def test_one_copy_restores_one_file_and_takes_the_profile_out_of_the_other(claude: ClaudeCode) -> None:
    apply(claude)
    edit(claude.scope.settings, theirs=1)
    edit(claude.places.claude_json, theirs=1)
    pristine = next(each for each in claude.backups() if each.path == claude.scope.settings)

    claude.restore(pristine.id[:4].upper())

    assert claude.scope.settings.read_bytes() == SETTINGS
    assert json.loads(claude.places.claude_json.read_bytes()) == {**json.loads(STATE), "theirs": 1}
    assert claude.status().applied is None


def test_the_same_twice_changes_nothing(claude: ClaudeCode) -> None:
    apply(claude)
    claude.restore("pristine")
    before = [(path, path.stat().st_mtime_ns) for path in claude.places.home.rglob("*") if path.is_file()]

    assert not claude.restore("pristine").changed
    assert before == [
        (path, path.stat().st_mtime_ns) for path in claude.places.home.rglob("*") if path.is_file()
    ]


def test_a_plan_says_the_same_and_writes_nothing(claude: ClaudeCode) -> None:
    apply(claude)
    before = {path: path.read_bytes() for path in claude.places.home.rglob("*") if path.is_file()}

    plan = claude.plan_restore("pristine")

    assert {path: path.read_bytes() for path in claude.places.home.rglob("*") if path.is_file()} == before
    assert (plan.command, plan.profile, plan.changed) == ("restore", "a", True)
    assert "- /env/ANTHROPIC_BASE_URL" in str(plan)
    assert TOKEN not in str(plan)
    assert "sk-login" not in str(plan)


def test_what_was_no_file_is_no_file_again(tmp_path: Path) -> None:
    claude = ClaudeCode.user(home=tmp_path)
    apply(claude)
    edit(claude.scope.settings, theirs=1)

    claude.restore("pristine")

    assert not claude.scope.settings.exists()
    assert not claude.places.claude_json.exists()
    assert not claude.scope.settings.parent.exists()
    assert [json.loads(data) for data in copies(claude, claude.scope.settings)[1:]] == [{"theirs": 1}]


def test_a_link_stays_and_its_file_is_restored(claude: ClaudeCode, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    claude.scope.settings.rename(real)
    claude.scope.settings.symlink_to(real)
    apply(claude)

    claude.restore("pristine")

    assert claude.scope.settings.is_symlink()
    assert real.read_bytes() == SETTINGS


# id → what another program makes of the file
BREAKS = {
    "torn": lambda data: data[:-3],
    "a comment": lambda data: b"// mine\n" + data,
    "our token in a comment": lambda data: data + b"\n// was " + TOKEN.encode() + b"!\n",
    "a trailing comma": lambda data: data[:-1] + b",}",
    "a quotation mark less": lambda data: data.replace(b'"LANG"', b'LANG"', 1),
    "NUL bytes": lambda data: data + b"\0" * 20,
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_a_broken_file_is_kept_without_our_token_and_restored(broken: Any, claude: ClaudeCode) -> None:
    apply(claude)
    held = broken(claude.scope.settings.read_bytes())
    claude.scope.settings.write_bytes(held)

    claude.restore("pristine")

    assert claude.scope.settings.read_bytes() == SETTINGS
    assert copies(claude, claude.scope.settings)[-1] == held.replace(TOKEN.encode(), b"")
    assert claude.places.claude_json.read_bytes() == STATE
    assert claude.status().applied is None


def test_bytes_that_are_not_utf8_are_kept_as_they_are(claude: ClaudeCode) -> None:
    apply(claude)
    held = claude.scope.settings.read_bytes()
    claude.scope.settings.write_bytes(held.replace(b'"de"', b'"d\xe9"'))

    claude.restore("pristine")

    assert copies(claude, claude.scope.settings)[-1] == SETTINGS.replace(b'"de"', b'"d\xe9"')


@pytest.mark.parametrize(
    "broken",
    [
        lambda data: data.decode().encode("utf-16"),
        lambda data: data[: data.index(TOKEN.encode()) + 20],
        lambda data: b"\0" * len(data),
        lambda _: b"",
    ],
    ids=["UTF-16", "torn in the token", "all NUL", "emptied"],
)
def test_a_broken_file_in_which_our_token_is_not_found_is_for_the_user_to_move(
    broken: Any, claude: ClaudeCode
) -> None:
    apply(claude)
    held = broken(claude.scope.settings.read_bytes())
    claude.scope.settings.write_bytes(held)

    if held:
        with pytest.raises(NotPermittedError, match="cannot be told from the rest"):
            claude.restore("pristine")
        assert claude.scope.settings.read_bytes() == held
        claude.scope.settings.rename(claude.scope.settings.with_name("aside"))
    claude.restore("pristine")

    assert claude.scope.settings.read_bytes() == SETTINGS
    for data in copies(claude, claude.scope.settings):
        assert TOKEN[:12].encode() not in data


def test_a_broken_file_without_a_profile_is_kept_as_it_is(claude: ClaudeCode) -> None:
    apply(claude)
    claude.unapply()
    claude.scope.settings.write_bytes(b'\xff\xfe{"torn')

    claude.restore("pristine")

    assert claude.scope.settings.read_bytes() == SETTINGS
    assert copies(claude, claude.scope.settings)[-1] == b'\xff\xfe{"torn'


def test_what_another_scope_holds_in_the_file_counts_as_changed_by_the_user(
    claude: ClaudeCode, tmp_path: Path
) -> None:
    local = ClaudeCode.local(tmp_path, home=tmp_path)
    apply(claude)
    apply(local)

    claude.restore("pristine")

    assert claude.places.claude_json.read_bytes() == STATE
    status = local.status()
    assert status.applied is not None
    assert {drifted.path for drifted in status.drift} == {claude.places.claude_json}
    apply(local)
    assert local.status().in_sync
    local.unapply()
    assert json.loads(claude.places.claude_json.read_bytes()) == json.loads(STATE)


def test_another_scope_leaves_the_users_state_file_alone(claude: ClaudeCode, tmp_path: Path) -> None:
    local = ClaudeCode.local(tmp_path, home=tmp_path)
    apply(local)
    edit(claude.places.claude_json, theirs=1)

    local.restore("pristine")

    assert not local.scope.settings.exists()
    assert json.loads(claude.places.claude_json.read_bytes()) == {**json.loads(STATE), "theirs": 1}


def test_a_project_can_be_restored_from_anywhere_by_its_id(claude: ClaudeCode, tmp_path: Path) -> None:
    root = tmp_path / "project"
    local = ClaudeCode.local(root, home=tmp_path)
    local.scope.settings.parent.mkdir(parents=True)
    local.scope.settings.write_bytes(SETTINGS)
    apply(claude)
    apply(local)
    edit(local.scope.settings, theirs=1)
    pristine = next(each for each in claude.backups() if each.path == local.scope.settings)

    claude.restore(pristine.id)

    assert local.scope.settings.read_bytes() == SETTINGS
    assert local.status().applied is None
    assert claude.status().in_sync


# id → what is asked for, and the error
UNKNOWN = {
    "no such id": ("00000000", NotFoundError),
    "too few digits": ("0", NotFoundError),
    "nothing": ("", NotFoundError),
    "a path that is no copy": ("/etc/passwd", NotFoundError),
    "a way out": ("../../settings.json", NotFoundError),
}


@pytest.mark.parametrize(("name", "error"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_no_backup_is_told(name: str, error: type[Exception], claude: ClaudeCode) -> None:
    apply(claude)
    with pytest.raises(error):
        claude.restore(name)


def test_without_any_apply_there_is_nothing_to_restore(claude: ClaudeCode) -> None:
    with pytest.raises(NotFoundError, match="no backup"):
        claude.restore("pristine")
    assert claude.backups() == []
    assert not claude.places.state.exists()


def test_digits_that_begin_several_ids_are_told(claude: ClaudeCode, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(claude)
    monkeypatch.setattr("kimi_profiles.backups.Backup.id", "0123abcd")
    with pytest.raises(UsageError, match="2 backups begin with 0123"):
        claude.restore("0123")


def test_a_damaged_copy_is_not_restored(claude: ClaudeCode) -> None:
    apply(claude)
    before = claude.scope.settings.read_bytes()
    for backup in claude.backups():
        backup.copy.write_bytes(b"{}")

    with pytest.raises(NotFoundError, match="damaged"):
        claude.restore("pristine")
    assert claude.scope.settings.read_bytes() == before


def test_a_file_that_keeps_changing_is_given_up(claude: ClaudeCode, monkeypatch: pytest.MonkeyPatch) -> None:
    from kimi_profiles import transaction

    apply(claude)
    real, count = transaction.take_snapshot, iter(range(1000))

    def busy(path: Path, **options: Any) -> Any:
        if path == claude.scope.settings:
            edit(path, theirs=next(count))
        return real(path, **options)

    monkeypatch.setattr(transaction, "take_snapshot", busy)
    with pytest.raises(TargetBusyError):
        claude.restore("pristine")
    monkeypatch.undo()
    assert "theirs" in json.loads(claude.scope.settings.read_bytes())


def test_a_damaged_ledger_hides_no_backup_and_stops_everything_else(claude: ClaudeCode) -> None:
    apply(claude)
    (claude.places.state / "ledger.json").write_text("{")

    assert len(claude.backups()) == 2
    for call in (lambda: claude.restore("pristine"), claude.prune_backups):
        with pytest.raises(LedgerInvalidError):
            call()
    assert len(claude.backups()) == 2


def test_pruning_keeps_what_unapply_needs(claude: ClaudeCode) -> None:
    for number in range(5):
        apply(claude)
        claude.unapply()
        edit(claude.scope.settings, theirs=number)
    before = claude.scope.settings.read_bytes()
    apply(claude)

    gone = claude.prune_backups(kept=0)

    assert len(gone) > 2
    assert {each.is_pristine or each.is_needed for each in claude.backups()} == {True}
    claude.unapply()
    assert claude.scope.settings.read_bytes() == before


def test_pruning_waits_for_the_lock(claude: ClaudeCode) -> None:
    assert claude.prune_backups() == []
    apply(claude)
    with hold_lock(claude.places.state / "lock", timeout_s=1), pytest.raises(LockTimeoutError):
        claude.prune_backups()
