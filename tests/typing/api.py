"""Only type-checked: how callers use the library."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

from kimi_profiles import (
    Backup,
    ClaudeCode,
    MergedText,
    Plan,
    Profile,
    ProfilesError,
    ProfileStore,
    Record,
    Result,
    Status,
    Survey,
    merge_text,
    unmerge_text,
)


def apply_and_take_out(home: Path) -> None:
    """The main road."""
    store = ProfileStore.open()
    other = ProfileStore.open(home / "profiles.toml", home=home)
    profile = store["work"]
    assert_type(profile, Profile)
    assert_type(list(other), list[str])
    claude = ClaudeCode.user()
    for scope in (
        ClaudeCode.project(home),
        ClaudeCode.local(home),
        ClaudeCode.at(home / "s.json", home=home),
    ):
        assert_type(scope, ClaudeCode)
    plan = claude.plan(profile)
    assert_type(plan, Plan)
    assert_type(str(plan), str)
    result = claude.apply(profile, token="sk-test-0123456789")
    assert_type(result, Result)
    assert_type(result.changed, bool)
    for target in result.targets:
        assert_type(target.backup, Path | None)
    assert_type([warning.message for warning in result.warnings], list[str])
    assert_type(claude.status(), Status)
    assert_type(claude.survey(), Survey)
    assert_type(claude.survey(flag_settings=home / "s.json").request.url, str | None)
    assert_type(claude.unapply(), Result)
    assert_type([backup.id for backup in claude.backups()], list[str])
    assert_type(claude.plan_restore("pristine"), Plan)
    assert_type(claude.restore("pristine"), Result)
    assert_type(claude.prune_backups(kept=3), list[Backup])


def merge_without_files(profile: Profile) -> str:
    """The pure pair."""
    merged = merge_text("{}", profile, token="sk-test-0123456789")
    assert_type(merged, MergedText)
    again = Record.from_json(merged.record.to_json())
    return unmerge_text(merged.text, again).text


def explain(error: ProfilesError) -> tuple[str, int, str | None, int | None]:
    """What an error tells."""
    return error.message, error.exit_code, error.path, error.line
