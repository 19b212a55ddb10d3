"""The measuring itself: what is counted, in which order, and what becomes of the figures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.measure import (
    KEY,
    Case,
    DidNotWorkError,
    Job,
    Spent,
    Spread,
    do,
    environment,
    found,
    last_line,
    measure,
    spend,
)

if TYPE_CHECKING:
    from pathlib import Path

BURN = "import time\nwhile time.process_time() < {}: pass"


def python(code: str, home: Path, **more: object) -> Job:
    return Job(argv=[sys.executable, "-I", "-c", code], home=home, **more)  # type: ignore[arg-type]


SPREADS = {
    "of one value": ([3.0], (3, 3, 3)),
    "of two": ([1.0, 3.0], (2, 1.5, 2.5)),
    "one that is far off moves nothing": ([1.0, 2.0, 3.0, 4.0, 1000.0], (3, 2, 4)),
}


@pytest.mark.parametrize(("values", "expected"), SPREADS.values(), ids=SPREADS)
def test_a_spread_is_the_median_and_where_half_of_the_values_are(
    values: list[float], expected: tuple[float, float, float]
) -> None:
    assert Spread.of(values) == Spread(*expected)


def test_a_ratio_is_that_of_each_pair_and_not_of_the_sums(tmp_path: Path) -> None:
    case = Case(name="x", job=python("", tmp_path), against=python("", tmp_path), aim=2, size_bytes=10)
    pairs = [(Spent(1, 5), Spent(2, 30)), (Spent(10, 5), Spent(30, 40)), (Spent(1, 5), Spent(2, 50))]
    result = found(case, pairs)
    assert (result.ratio, result.memory, result.aim) == (Spread(2, 2, 2.5), 4, 2)
    assert (result.jobs_s, result.against_s) == ([2, 30, 2], [1, 10, 1])


def test_the_time_of_a_child_of_the_process_counts(tmp_path: Path) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN.format(0.3)!r}], check=True)"
    assert 0.3 <= spend([sys.executable, "-c", code], tmp_path).cpu_s < 3


def test_memory_is_that_of_the_process(tmp_path: Path) -> None:
    peak = spend([sys.executable, "-c", "bytearray(300_000_000)"], tmp_path).peak_bytes
    assert 300_000_000 < peak < 450_000_000


def test_what_the_process_does_before_the_job_is_taken_off(tmp_path: Path) -> None:
    floor = python(BURN.format(0.3), tmp_path)
    assert 0.02 < do(python(BURN.format(0.5), tmp_path, floor=floor, count=4)).cpu_s < 0.1


def test_memory_is_what_the_job_had_above_that(tmp_path: Path) -> None:
    # More than this process has: what starts another one counts as having been as large as it.
    floor = python("bytearray(700_000_000)", tmp_path)
    peak = do(python("bytearray(900_000_000)", tmp_path, floor=floor)).peak_bytes
    assert 190_000_000 < peak < 210_000_000


def test_a_difference_of_two_runs_is_never_nothing(tmp_path: Path) -> None:
    assert do(python("", tmp_path, floor=python(BURN.format(0.3), tmp_path))).cpu_s > 0


def test_both_jobs_run_by_turns_and_a_first_round_does_not_count(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def job(letter: str) -> Job:
        def write(what: str) -> None:
            with log.open("a") as file:
                file.write(what)

        code = f"open({str(log)!r}, 'a').write({letter!r})"
        return python(code, tmp_path, before=lambda: write("("), check=lambda: write(")"))

    result = measure(Case(name="x", job=job("j"), against=job("a")), rounds=2, budget_s=60)
    assert log.read_text() == "(a)(j)" * 3
    assert len(result.jobs_s) == 2


def test_a_round_that_takes_all_the_time_there_is_counts(tmp_path: Path) -> None:
    result = measure(
        Case(name="x", job=python("", tmp_path), against=python("", tmp_path)), rounds=9, budget_s=0
    )
    assert result.ratio
    assert len(result.jobs_s) == 1


def test_a_case_may_ask_for_more_rounds_than_there_is_time_for(tmp_path: Path) -> None:
    job = python("", tmp_path)
    result = measure(Case(name="x", job=job, against=job, least_rounds=2), rounds=9, budget_s=0)
    assert len(result.jobs_s) == 2


FAILURES = {
    "it fails": (
        "import sys; print('hint: y', file=sys.stderr); sys.exit('no ~/x')",
        "exit status 1: no ~/x",
    ),
    "it is killed": ("import os; os.kill(os.getpid(), 9)", "exit status -9: it said nothing"),
}


@pytest.mark.parametrize(("code", "reason"), FAILURES.values(), ids=FAILURES)
def test_a_job_that_fails_is_told_with_its_reason(tmp_path: Path, code: str, reason: str) -> None:
    case = Case(name="x", job=python(code, tmp_path), against=python("", tmp_path), aim=3)
    result = measure(case, rounds=3, budget_s=60)
    assert (result.ratio, result.failure, result.aim) == (None, reason, 3)


def test_a_program_that_is_not_there_did_not_work(tmp_path: Path) -> None:
    with pytest.raises(DidNotWorkError):
        spend([str(tmp_path / "none")], tmp_path)


def test_the_last_line_is_no_hint_and_no_page() -> None:
    assert last_line("one\n two \n\n  hint: three\n") == "two"
    assert len(last_line("x" * 1000)) == 200
    assert last_line("") == "it said nothing"


def test_a_command_sees_its_home_and_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-of-whoever-runs-this")
    seen = environment(tmp_path)
    assert "ANTHROPIC_API_KEY" not in seen
    assert seen["HOME"] == str(tmp_path)
    assert [value for value in seen.values() if value.startswith("sk-")] == [KEY]
    code = "import os, sys; sys.exit('ANTHROPIC_API_KEY' in os.environ or os.getcwd() != os.environ['HOME'])"
    spend([sys.executable, "-c", code], tmp_path)
