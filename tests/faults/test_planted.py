"""The list of planted faults is sound, and a sample of it really is caught; all with ``make test-long``."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from real_client.sandbox import missing_reason
from support import amount

from faults import plant

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = plant.read_faults()
HARMLESS = plant.Fault(
    name="a comment",
    file="secrets.py",
    old="_FINGERPRINT_DIGITS = 8\n",
    new="_FINGERPRINT_DIGITS = 8  # digits\n",
    tests=("tests/unit/test_secrets.py::test_a_fingerprint_is_the_start_of_the_sha_256",),
)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_can_be_planted_and_names_tests_that_there_are(fault: plant.Fault) -> None:
    assert fault.old != fault.new
    text = fault.planted()
    if fault.file.endswith(".py"):
        compile(text, fault.file, "exec")
    assert fault.tests
    assert plant.missing_tests(fault) == []


def test_the_cases_that_are_named_are_there(request: pytest.FixtureRequest) -> None:
    """Of those functions that this run collected: a case that has another name by now would catch nothing."""
    cases = {item.nodeid for item in request.session.items}
    functions = {case.partition("[")[0] for case in cases}
    named = {test for fault in FAULTS for test in fault.tests if test.partition("[")[0] in functions}
    assert named - cases - functions == set()


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len(FAULTS) >= 40
    assert [name for name, count in Counter(fault.name for fault in FAULTS).items() if count > 1] == []


def test_planted_faults_are_caught(pytestconfig: pytest.Config) -> None:
    is_possible = missing_reason() is None
    faults = [fault for fault in FAULTS if is_possible or not fault.tests[0].startswith("tests/real_client/")]
    chosen = random.Random(pytestconfig.getoption("hypothesis_seed")).sample(faults, amount(2, len(faults)))
    assert plant.plant(chosen, jobs=2) == {}


def test_a_fault_that_nothing_catches_is_told(tmp_path: Path) -> None:
    copy = plant.Copy(tmp_path)
    harmful = replace(HARMLESS, new="_FINGERPRINT_DIGITS = 9\n")
    assert plant.why_not_caught(harmful, copy) is None
    assert plant.why_not_caught(HARMLESS, copy) == f"NOT CAUGHT by {HARMLESS.tests[0]}"
    assert plant.not_green(HARMLESS.tests, copy) == []


WRONG = {
    "its text is gone": (replace(HARMLESS, old="no such text"), "does not apply any more: its text occurs 0"),
    "its text is twice there": (replace(HARMLESS, old="hashlib"), "does not apply any more: its text occurs"),
    "it is no Python": (replace(HARMLESS, new="(\n"), "NOT CAUGHT: "),
    "no such test": (replace(HARMLESS, tests=("tests/unit/test_secrets.py::test_x",)), "NOT CAUGHT: pytest"),
}


@pytest.mark.parametrize(("fault", "reason"), WRONG.values(), ids=WRONG)
def test_an_entry_that_is_wrong_is_told(fault: plant.Fault, reason: str, tmp_path: Path) -> None:
    assert str(plant.why_not_caught(fault, plant.Copy(tmp_path))).startswith(reason)


def test_a_test_that_is_no_function_is_told() -> None:
    tests = (*HARMLESS.tests, "tests/unit/test_secrets.py::test_x", "tests/unit/test_x.py::test_x")
    assert plant.missing_tests(replace(HARMLESS, tests=tests)) == list(tests[1:])
