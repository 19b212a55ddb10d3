"""Every case runs right, once and small, and each has its row."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.cases import GROUPS, SMALL, Ours, expect
from benchmarks.measure import DidNotWorkError, Spent, do, found
from benchmarks.page import results_table
from benchmarks.samples import SETTINGS, lay_out, many_profiles, write_chats, write_flat
from kimi_profiles import ProfileStore

TIMED = {"--version", "completion", "list", "token", "env", "status", "doctor", "plan", "apply", "unapply"}


@pytest.mark.once
@pytest.mark.parametrize("group", GROUPS)
def test_every_case_runs_and_has_a_row(tmp_path: Path, group: str) -> None:
    results = []
    compared: dict[tuple[str, ...], Spent] = {}
    for case in GROUPS[group](Ours(Path(sys.executable)), tmp_path, SMALL):
        argv = tuple(case.against.argv)
        compared[argv] = compared.get(argv) or do(case.against)  # once, where several have the same
        results.append(found(case, [(Spent(1, 1), do(case.job))]))
    rows = [row.split("|")[1].strip() for row in results_table("name", results).splitlines()[2:]]
    assert rows == [result.name for result in results]
    assert len(set(rows)) == len(rows) > 3


@pytest.mark.once
def test_every_command_that_a_shell_or_a_prompt_calls_is_timed(tmp_path: Path) -> None:
    cases = GROUPS["startup"](Ours(Path(sys.executable)), tmp_path, SMALL)
    assert {case.job.argv[1] for case in cases} == TIMED


def test_a_command_that_does_not_do_its_job_is_found_out(tmp_path: Path) -> None:
    lay_out(tmp_path)
    expect(tmp_path, applied=False)
    with pytest.raises(DidNotWorkError):
        expect(tmp_path, applied=True)


def test_the_samples_are_what_they_are_said_to_be(tmp_path: Path) -> None:
    lay_out(tmp_path)
    assert ProfileStore.open(tmp_path / ".config" / "kimi-profiles" / "profiles.toml").check() == []
    assert json.loads(SETTINGS)["statusLine"]["command"] == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"

    store = tmp_path / "many.toml"
    store.write_text(many_profiles(12), encoding="utf-8")
    assert ProfileStore.open(store).check() == []
    assert len(list(ProfileStore.open(store))) == 12

    state = tmp_path / "state.json"
    write_chats(state, 1_000_000)
    assert 900_000 < state.stat().st_size < 1_100_000
    assert state.read_bytes().isascii()
    assert len(json.loads(state.read_bytes())["projects"]) > 10
    write_chats(state, 1_000_000, has_emoji=True)
    assert max(json.dumps(json.loads(state.read_bytes()), ensure_ascii=False)) > "\uffff"
    write_flat(state, 1_234)
    assert len(json.loads(state.read_bytes())) == 1_234
