"""``rename``, ``copy``, ``remove``: the file after them, and what becomes of what is applied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from commands.conftest import STORE, Run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(home: Path) -> Path:
    return home / "profiles.toml"


def settings(home: Path) -> dict[str, object]:
    return json.loads((home / ".claude" / "settings.json").read_text())


def test_rename_follows_to_the_heirs(run: Run, store: Path) -> None:
    told = run("rename work job")
    assert told.out.startswith("renamed work to job  ")
    renamed = STORE.replace("[profiles.work]", "[profiles.job]").replace('"work"', '"job"')
    assert store.read_text() == renamed
    assert run("show home").status == 0
    answer = run("rename job work --json").json
    assert (answer["profile"], answer["renamed"], answer["changed"]) == ("work", "job", True)
    assert store.read_text() == STORE


def test_the_applied_profile_stays_applied_under_its_new_name(run: Run, home: Path) -> None:
    run("apply work")
    before = (home / ".claude" / "settings.json").read_bytes()
    told = run("rename work job")
    assert (told.status, told.err) == (0, "")
    status = run("status --json --check")
    assert status.status == 0
    assert (status.json["applied"]["profile"], status.json["warnings"]) == ("job", [])
    assert (home / ".claude" / "settings.json").read_bytes() == before
    assert run("list --json").json["profiles"][0]["applied"] is True
    assert run("apply job").out == "job is applied already, nothing to do\n"
    assert run("unapply").out.startswith("job is taken out")
    assert not (home / ".claude" / "settings.json").exists()


def test_in_every_scope(run: Run, home: Path, tmp_path: Path) -> None:
    project, other = tmp_path / "project", tmp_path / "other.json"
    project.mkdir()
    run("apply work")
    run(f"apply work --scope local --project '{project}'")
    run(f"apply home --settings '{other}'")
    run("rename work job")
    assert run("status --json").json["applied"]["profile"] == "job"
    assert run(f"status --json --scope local --project '{project}'").json["applied"]["profile"] == "job"
    assert run(f"status --json --settings '{other}'").json["applied"]["profile"] == "home"
    assert run(f"unapply --scope local --project '{project}'").status == 0


def test_a_profile_that_was_changed_since_stays_so(run: Run) -> None:
    run("apply work")
    run("set work env.A 1")
    run("rename work job")
    status = run("status --json").json
    assert status["applied"]["profile"] == "job"
    assert [warning["name"] for warning in status["warnings"]] == ["profile-changed"]


def test_a_helper_that_names_the_profile_is_told(run: Run, home: Path) -> None:
    run("set work auth.delivery helper")
    run("apply work")
    assert " token work" in str(settings(home)["apiKeyHelper"])
    told = run("rename work job --json")
    (warning,) = told.json["warnings"]
    assert (warning["name"], warning["hint"]) == ("helper-names-profile", "kimi-profiles apply job")
    assert run("token work").status == 66
    assert run("apply job").status == 0
    assert " token job" in str(settings(home)["apiKeyHelper"])
    assert run("status --check").status == 0


def test_a_rename_that_was_cut_short_is_finished_by_the_same_command(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between ledger and file: nothing gets to put the ledger back."""
    run("apply work")

    def killed(*_: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as broken:
        broken.setattr("kimi_profiles.editing.file._replace", killed)
        broken.setattr("kimi_profiles.editing.file.take_snapshot", _as_if_written())
        with pytest.raises(SystemExit):
            run("rename work job")
    assert store.read_text() == STORE
    assert run("rename work job").status == 0
    assert run("status --json --check").json["applied"]["profile"] == "job"


def _as_if_written() -> object:
    """The first look is a true one; the second, after the kill, never came."""
    from kimi_profiles.files import take_snapshot

    looks = iter([take_snapshot])

    def look(path: Path, **options: int) -> object:
        for each in looks:
            return each(path, **options)
        raise SystemExit(9)

    return look


def test_remove_takes_the_profile_out(run: Run, store: Path) -> None:
    told = run("remove home")
    assert told.out.startswith("removed home  ")
    assert store.read_text() == STORE[: STORE.index("\n[profiles.home]")]
    assert run("remove work --json").json["profile"] == "work"
    assert store.read_text() == STORE[: STORE.index("\n[profiles.work]")]


def test_the_applied_profile_is_removed_only_by_force_and_unapply_works_on(
    run: Run, home: Path, store: Path
) -> None:
    mine = '{"env": {"ANTHROPIC_MODEL": "mine"}}'
    (home / ".claude" / "settings.json").write_text(mine)
    run("apply home")
    told = run("remove home")
    assert (told.status, store.read_text()) == (77, STORE)
    assert "hint: kimi-profiles unapply; or --force" in told.err
    told = run("remove home --force --json")
    assert [warning["hint"] for warning in told.json["warnings"]] == ["kimi-profiles unapply"]
    assert run("status --json").json["applied"]["profile"] == "home"
    assert run("unapply").status == 0
    assert (home / ".claude" / "settings.json").read_text() == mine


def test_the_hint_names_the_scope(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    run(f"apply home --settings '{other}'")
    assert f"kimi-profiles unapply --settings {other}; or --force" in run("remove home").err


def test_a_profile_that_others_extend_is_not_removed(run: Run, store: Path) -> None:
    for line in ("remove work", "remove work --force"):
        told = run(line)
        assert told.status == 77
        assert "profile work is extended by home" in told.err
    assert store.read_text() == STORE


def test_copy_makes_a_profile_that_says_the_same(run: Run, store: Path) -> None:
    told = run("copy work twin")
    assert told.out.startswith("copied work to twin  ")
    start = STORE.index("\n[profiles.home]")
    work = STORE[STORE.index("\n[profiles.work]") : start]
    assert store.read_text() == STORE[:start] + work.replace(".work]", ".twin]") + STORE[start:]
    answer = run("copy twin third --json").json
    assert (answer["profile"], answer["copied"]) == ("third", "twin")
    assert run("copy zai mine").status == 0
    assert run("show mine --json").json["values"]["provider"]["value"] == "zai"


REFUSED = {
    "rename: nothing of that name": ("rename nobody x", 66, "no profile 'nobody'"),
    "rename: a slip": ("rename wrok x", 66, "did you mean work?"),
    "rename: a provider": ("rename zai x", 66, "it is a provider"),
    "rename: taken": ("rename work home", 2, "there is a profile home already"),
    "rename: to itself": ("rename work work", 2, "there is a profile work already"),
    "copy: nothing of that name": ("copy nobody x", 66, "no profile 'nobody'"),
    "copy: taken": ("copy work home", 2, "there is a profile home already"),
    "remove: nothing of that name": ("remove nobody", 66, "no profile 'nobody'"),
    "remove: a provider": ("remove zai", 66, "no profile 'zai'"),
}


@pytest.mark.parametrize(("line", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_writes_nothing(run: Run, store: Path, line: str, status: int, message: str) -> None:
    told = run(line)
    assert told.status == status
    assert message in told.err
    assert store.read_text() == STORE


def test_a_helper_that_names_the_old_profile_is_told_by_status(run: Run) -> None:
    run("set work auth.delivery helper")
    run("apply work")
    run("rename work job --quiet")
    told = run("status --json")
    assert [warning["name"] for warning in told.json["warnings"]] == ["profile-changed"]
    run("apply job --quiet")
    assert run("status --json").json["warnings"] == []
