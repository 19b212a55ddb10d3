"""`backups`: list, show, restore, prune."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from commands.conftest import TOKEN, Run, tree

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = '{"n": 1.0, "env": {"OWN_TOKEN": "sk-own-0123456789abcdef"}}'


@pytest.fixture
def settings(home: Path) -> Path:
    path = home / ".claude" / "settings.json"
    path.write_text(SETTINGS, encoding="utf-8")
    path.chmod(0o644)
    return path


def backups(run: Run) -> list[dict[str, object]]:
    return run("backups --json").json["backups"]


def test_before_the_first_apply_there_are_none(run: Run) -> None:
    assert run("backups").out == "no backups yet; the first apply makes one\n"
    assert run("backups list --json").json["backups"] == []
    assert run("backups prune").out == "0 copies forgotten\n"


def test_the_list_names_each_copy(run: Run, settings: Path) -> None:
    run("apply work")

    state, copy = backups(run)

    assert (state["path"], state["pristine"], state["mode"], state["size_bytes"]) == (
        str(settings.parent.parent / ".claude.json"),
        True,
        None,
        None,
    )
    assert (copy["path"], copy["pristine"], copy["needed"]) == (str(settings), True, True)
    assert (copy["mode"], copy["size_bytes"]) == ("0644", len(SETTINGS))
    told = run("backups")
    assert told.out.splitlines()[0].split() == ["ID", "MADE", "SIZE", "NOTE", "FILE"]
    assert str(copy["id"]) in told.out
    assert "pristine, in use" in told.out
    assert "pristine, no file" in told.out


def test_apply_names_the_copy_it_made(run: Run, settings: Path) -> None:
    made = [target["backup"] for target in run("apply work --json").json["targets"]]

    assert {copy["copy"] for copy in backups(run)} == set(made)
    run("unapply")
    settings.write_text("{}")
    assert run(f"backups restore '{made[1]}'").status == 0
    assert settings.read_text() == SETTINGS


def test_show_tells_what_would_change_and_masks_what_is_secret(run: Run, home: Path, settings: Path) -> None:
    run("apply work")
    run("unapply")
    settings.write_text('{"n": 2, "env": {"OWN_TOKEN": "sk-own-9876543210abcdef"}}')
    copy = next(copy for copy in backups(run) if copy["path"] == str(settings))
    before = tree(home)

    told = run(f"backups show {copy['id']}")

    assert "~ /n" in told.out
    assert "2 → 1.0" in told.out
    assert "/env/OWN_TOKEN" in told.out
    assert "sk-own" not in told.out
    assert str(copy["copy"]) in told.out
    answer = run(f"backups show {copy['id']} --json")
    assert "sk-own" not in answer.out
    assert answer.json["backups"] == [copy]
    assert [change["pointer"] for change in answer.json["targets"][0]["changes"]] == ["/n", "/env/OWN_TOKEN"]
    assert tree(home) == before


def test_restore_gives_the_first_bytes_back(run: Run, settings: Path) -> None:
    run("apply work")
    run("apply home")
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "later": True}))

    told = run("backups restore pristine")

    assert told.status == 0
    assert told.out.startswith("put back  user scope\n")
    assert settings.read_text() == SETTINGS
    assert settings.stat().st_mode & 0o777 == 0o644
    assert "no profile is applied" in run("status").out
    saved = backups(run)[-1]
    assert f"held until now is backup {saved['id']}" in told.out
    assert run(f"backups restore {saved['id']}").status == 0
    assert json.loads(settings.read_text()) == {**json.loads(SETTINGS), "later": True}


def test_restore_answers_scripts(run: Run, settings: Path) -> None:
    run("apply work")

    dry = run("backups restore pristine --dry-run --json").json
    answer = run("backups restore pristine --json").json

    assert (answer["command"], answer["action"], answer["profile"]) == ("backups", "restore", "work")
    assert (dry["dry_run"], answer["dry_run"], answer["changed"]) == (True, False, True)
    assert dry["targets"] == answer["targets"]
    assert {target["path"] for target in answer["targets"] if target["removed"]} == {
        str(settings.parent.parent / ".claude.json")
    }
    assert TOKEN not in str(answer)
    assert run("backups restore pristine --json").json["changed"] is False


def test_a_broken_file_can_be_restored(run: Run, settings: Path) -> None:
    run("apply work")
    settings.write_text(settings.read_text()[:-1])
    assert run("unapply").status == 78

    assert run("backups restore pristine").status == 0
    assert settings.read_text() == SETTINGS
    assert run("unapply").status == 0


def test_prune_forgets_the_middle(run: Run, settings: Path) -> None:
    for number in range(4):
        settings.write_text(f'{{"n": {number}}}')
        run("apply work")
        run("unapply")
    known = [copy["id"] for copy in backups(run) if copy["path"] == str(settings)]
    assert len(known) == 4

    told = run("backups prune --keep 1 --json")

    assert [copy["id"] for copy in told.json["removed"]] == known[1:3]
    assert told.json["changed"] is True
    assert [copy["id"] for copy in backups(run) if copy["path"] == str(settings)] == [known[0], known[3]]
    assert run("backups prune --keep 1").out == "0 copies forgotten\n"


# id → what is asked, exit code, and what the error says
WRONG = {
    "show without an id": ("backups show", 2, "wants one ID"),
    "restore without an id": ("backups restore", 2, "wants one ID"),
    "list with an id": ("backups list 1a2b", 2, "takes no ID"),
    "two ids": ("backups restore 1a2b 3c4d", 2, "unrecognized arguments"),
    "no such action": ("backups delete", 2, "invalid choice"),
    "no such id": ("backups restore 1a2b3c4d", 66, "no backup '1a2b3c4d'"),
    "pristine of nothing": ("backups restore pristine", 66, "no backup of"),
    "a negative number": ("backups prune --keep=-1", 2, "whole number"),
    "no number": ("backups prune --keep ten", 2, "whole number"),
    "a number of another script": ("backups prune --keep ٣", 2, "whole number"),
    "keep elsewhere": ("backups list --keep 3", 2, "takes no --keep"),
    "a dry run elsewhere": ("backups prune --dry-run", 2, "takes no --dry-run"),
}


@pytest.mark.parametrize(("line", "status", "message"), WRONG.values(), ids=WRONG)
def test_what_is_asked_wrongly_is_told(run: Run, line: str, status: int, message: str) -> None:
    told = run(line)
    assert told.status == status
    assert message in told.err
    assert run(f"{line} --json").json["exit_code"] == status
