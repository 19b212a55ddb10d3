"""A ledger in parts, of which one was damaged: whoever needs it is told, and nobody passes over it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands.conftest import Run, tree
from support import parts_of

from kimi_profiles import ledger
from kimi_profiles.archive import unpack

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes as POSIX has them")


@pytest.fixture
def archive(run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What holds all that is on record: a profile for the user, and one for a project."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project").mkdir()
    monkeypatch.setattr(ledger, "_MAX_RECENT_BYTES", 0)
    assert run("apply work").status == 0
    assert run(f"apply work --scope local --project {tmp_path / 'project'}").status == 0
    (found,) = home.rglob("ledger-*.json")
    return Path(found)


@pytest.fixture
def damage(archive: Path) -> Callable[[str, str], None]:
    """Overwrite what the archive says of a file."""

    def zero(section: str, name: str) -> None:
        data = archive.read_bytes()
        places = unpack(archive.stem.removeprefix("ledger-"), parts_of(data))[section]
        (text,) = (places[path] for path in places if path.endswith(name))
        archive.write_bytes(data.replace(text, b"0" * len(text)))

    return zero


def test_what_is_in_parts_is_applied_told_and_taken_out(archive: Path, run: Run, home: Path) -> None:
    assert "also applied: work, local scope" in run("status").out
    assert run("status --check").status == 0
    assert run("apply home").status == 0
    assert not archive.exists()
    assert run("unapply").status == 0
    assert run("status --check").status == 4


@pytest.mark.parametrize("name", [".claude.json", "a home/.claude/settings.json"])
def test_unapply_passes_over_no_record_that_was_damaged(
    name: str, damage: Callable[[str, str], None], archive: Path, run: Run, home: Path
) -> None:
    damage("records", name)
    before = tree(home)
    for line in ("unapply", "apply home", "plan home"):
        told = run(line)
        assert told.status == 78
        assert str(archive) in re.sub(r"\n +", " ", told.err)
        assert tree(home) == before


def test_status_passes_over_no_record_that_was_damaged(damage: Callable[[str, str], None], run: Run) -> None:
    damage("records", "a home/.claude/settings.json")
    assert run("status").status == 78


def test_what_is_damaged_of_another_project_is_told_beside_the_status(
    damage: Callable[[str, str], None], run: Run
) -> None:
    damage("applications", "settings.local.json")
    told = run("status --check")
    assert told.status == 0
    assert "what else is applied cannot be told" in told.err
    assert run("unapply").status == 0


def test_doctor_goes_on_and_names_the_archive(
    damage: Callable[[str, str], None], archive: Path, run: Run
) -> None:
    damage("records", "settings.local.json")
    told = run("doctor")
    assert "ledger-unreadable" in told.out
    assert archive.name in told.out


def test_doctor_looks_at_all_of_it(archive: Path, run: Run) -> None:
    whole = archive.read_bytes()
    lines = whole.index(b'"texts": [\n') + len(b'"texts": [\n'), len(whole) - len(b"\n]}\n")
    for place in range(*lines, 23):
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        is_between = whole[place : place + 1] in b",\n" and b",\n" in whole[place - 1 : place + 2]
        assert ("ledger-unreadable" in run("doctor").out) != is_between, place


def test_doctor_looks_at_its_mode(archive: Path, run: Run) -> None:
    archive.chmod(0o666)
    told = run("doctor")
    assert "writable-by-others" in told.out
    assert archive.name in told.out
