"""Plant the faults of ``planted.toml``, one at a time, and see whether the tests named there catch each.

``python tests/faults/plant.py`` plants all; see ``--help``. Nothing is changed in this checkout: package and
tests are copied, and each fault goes into the copy. A fault is caught if every test that its entry names is
red with it; all of them have to be green without.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import functools
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("planted.toml")
COPIED = (
    "kimi_profiles",
    "tests",
    "docs",
    "examples",
    ".ci",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "pyproject.toml",
)
TIMEOUT_S = 120

# Sees to it that the copy is what is tested, here and in child processes, and notes what became of each test.
PLUGIN = """\
import json, os, subprocess, sys
from pathlib import Path
import kimi_profiles

HERE = Path(__file__).parent / "kimi_profiles"
ask = [sys.executable, "-c", "import kimi_profiles; print(kimi_profiles.__file__)"]
child = subprocess.run(ask, capture_output=True, text=True, cwd="/").stdout.strip()
for file in (kimi_profiles.__file__, child):
    assert Path(file).parent == HERE, f"{file} is tested, not the copy in {HERE}"
outcomes = {}

def pytest_runtest_logreport(report):
    if report.when == "call" or not report.passed:
        outcomes[report.nodeid] = report.outcome

def pytest_sessionfinish():
    Path(os.environ["PLANTED_OUTCOMES"]).write_text(json.dumps(outcomes))
"""


@dataclass(frozen=True)
class Fault:
    """One entry of ``planted.toml``.

    Attributes:
        name: What is wrong with it, in words.
        file: Where, from ``kimi_profiles/``.
        old: The text that is replaced; it occurs exactly once.
        new: What is put there.
        tests: pytest node ids, each of which is red with the fault.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def planted(self) -> str:
        """The text of the file with the fault in it.

        Raises:
            LookupError: The old text is not there exactly once.
        """
        text = (ROOT / "kimi_profiles" / self.file).read_text(encoding="utf-8")
        count = text.count(self.old)
        if count != 1:
            raise LookupError(f"its text occurs {count} times in {self.file}")
        return text.replace(self.old, self.new)


def read_faults() -> list[Fault]:
    """All that are listed."""
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))["fault"]
    return [
        Fault(entry["name"], entry["file"], entry["old"], entry["new"], tuple(entry["tests"]))
        for entry in entries
    ]


def missing_tests(fault: Fault) -> list[str]:
    """Those of its tests of which there is no such function."""
    return [test for test in fault.tests if not _is_there(test)]


def _is_there(test: str) -> bool:
    path, _, name = test.partition("::")
    return name.partition("[")[0].rpartition("::")[2] in _functions(ROOT / path)


@functools.cache
def _functions(file: Path) -> frozenset[str]:
    """Their names; none where there is no file."""
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


class Copy:
    """A copy of package and tests, for one fault at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        (folder / ".cache").symlink_to(ROOT / ".cache")  # the real client
        (folder / "planted_plugin.py").write_text(PLUGIN, encoding="utf-8")

    @contextlib.contextmanager
    def holding(self, fault: Fault, text: str) -> Iterator[None]:
        """``text`` in the place of the file of ``fault`` while the block runs."""
        path = self.folder / "kimi_profiles" / fault.file
        sound = path.read_text(encoding="utf-8")
        path.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(sound, encoding="utf-8")

    def run(self, tests: Sequence[str], *, timeout_s: float = TIMEOUT_S) -> dict[str, str]:
        """The outcome of each test that ran.

        Raises:
            RuntimeError: pytest could not run them, or they took too long.
        """
        outcomes = self.folder / "outcomes.json"
        outcomes.unlink(missing_ok=True)
        command = [sys.executable, "-P", "-m", "pytest", "-q", "--tb=short", "--hypothesis-seed=0"]
        command += ["-p", "no:cacheprovider", "-p", "planted_plugin"]
        try:
            done = subprocess.run(
                [*command, *tests],
                cwd=self.folder,
                env=self._environment() | {"PLANTED_OUTCOMES": str(outcomes)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"its tests took more than {timeout_s:.0f} s") from None
        if done.returncode not in {0, 1} or not outcomes.exists():
            raise RuntimeError(
                f"pytest left with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        found: dict[str, str] = json.loads(outcomes.read_text())
        return found

    def _environment(self) -> dict[str, str]:
        own = ("PYTEST_", "KIMI_PROFILES_LONG", "KIMI_PROFILES_CI")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        # No .pyc: one that was made within the same second as a fault would be taken for the fault.
        return {**kept, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}


def is_one_of(node: str, test: str) -> bool:
    """Whether the node id ``node`` is that of ``test``, or one of its cases."""
    return node == test or node.startswith((f"{test}[", f"{test}::"))


def why_not_caught(fault: Fault, copy: Copy) -> str | None:
    """``None`` if every test of ``fault`` is red with it; else what is wrong."""
    try:
        text = fault.planted()
        if fault.file.endswith(".py"):
            compile(text, fault.file, "exec")
        with copy.holding(fault, text):
            outcomes = copy.run(fault.tests)
    except LookupError as error:
        return f"does not apply any more: {error}"
    except (RuntimeError, SyntaxError) as error:
        return f"NOT CAUGHT: {error}"
    red = {node for node, outcome in outcomes.items() if outcome == "failed"}
    green = [test for test in fault.tests if not any(is_one_of(node, test) for node in red)]
    return f"NOT CAUGHT by {', '.join(green)}" if green else None


def not_green(tests: Sequence[str], copy: Copy) -> list[str]:
    """Those of ``tests`` that say something else than yes where no fault is planted."""
    try:
        outcomes = copy.run(tests, timeout_s=10 * TIMEOUT_S)
    except RuntimeError as error:
        return [str(error)]
    wrong = [f"{node} {outcome}" for node, outcome in outcomes.items() if outcome != "passed"]
    silent = [test for test in tests if not any(is_one_of(node, test) for node in outcomes)]
    return [*wrong, *(f"{test} did not run" for test in silent)]


def plant(faults: Sequence[Fault], *, jobs: int = 1) -> dict[str, str]:
    """Plant each, and say as it goes what became of it.

    Returns:
        The faults that were not caught, with the reason; and what is red without any fault.
    """
    wrong: dict[str, str] = {}
    tests = list(dict.fromkeys(test for fault in faults for test in fault.tests))
    shares = [share for share in (tests[n::jobs] for n in range(jobs)) if share]
    with tempfile.TemporaryDirectory(prefix="planted-") as folder, ThreadPoolExecutor(jobs) as pool:
        copies: queue.Queue[Copy] = queue.Queue()
        for number in range(jobs):
            (Path(folder) / str(number)).mkdir()
            copies.put(Copy(Path(folder) / str(number)))

        def with_copy(work: Callable[..., Any], *arguments: object) -> Any:
            copy = copies.get()
            try:
                return work(*arguments, copy)
            finally:
                copies.put(copy)

        for red in pool.map(lambda share: with_copy(not_green, share), shares):
            wrong |= dict.fromkeys(red, "not green without any fault")
        for name, reason in wrong.items():
            print(f"{name}: {reason}", flush=True)
        pending = {pool.submit(with_copy, why_not_caught, fault): fault for fault in faults}
        for future in as_completed(pending):
            fault, reason = pending[future], future.result()
            print(f"{reason or 'caught'}: {fault.file}: {fault.name}", flush=True)
            if reason is not None:
                wrong[fault.name] = reason
    return wrong


def show(faults: Sequence[Fault]) -> None:
    """Print the list as a table."""
    file = ""
    for fault in faults:
        if fault.file != file:
            file = fault.file
            print(f"\n{file}")
        print(f"  {fault.name}")
        for test in fault.tests:
            print(f"      {test.removeprefix('tests/')}")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults to plant, or files (default: all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--list", action="store_true", help="show them, and plant nothing")
    options = parser.parse_args()
    every = read_faults()
    known = {name for fault in every for name in (fault.name, fault.file)}
    for name in options.names:
        if name not in known:
            parser.error(f"there is no such fault: {name}")
    faults = [fault for fault in every if not options.names or {fault.name, fault.file} & set(options.names)]
    if options.list:
        show(faults)
        return 0
    wrong = plant(faults, jobs=options.jobs)
    caught = sum(fault.name not in wrong for fault in faults)
    print(f"{caught} of {len(faults)} caught ({100 * caught // len(faults)} %)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
