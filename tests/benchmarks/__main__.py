"""``make bench``: measure, print ratios, write ``docs/performance.md``.

All that has to be installed comes first; then this starts itself anew in a network namespace that reaches
nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from language_server import without_network
from support import ROOT

from benchmarks import others
from benchmarks.cases import FULL, GROUPS, Ours
from benchmarks.measure import Case, DidNotWorkError, Job, Result, measure
from benchmarks.page import Report, Trial, describe_machine, page, results_table, traits_table, trials_table
from benchmarks.record import write_values

if TYPE_CHECKING:
    from collections.abc import Sequence

BUILD = ROOT / "build" / "benchmarks"
PAGE = ROOT / "docs" / "performance.md"

_ALONE = "--no-network"  # of ours to ourselves: we are in the namespace
_ROUNDS = 21
_BUDGETS_S = {"startup": 6, "large": 14, "many": 10, "others": 10}  # for a case
_START = time.monotonic()


def main(arguments: Sequence[str]) -> int:
    """Run the groups that are named, or all; the exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(_BUDGETS_S)}; all if none is named")
    parser.add_argument(_ALONE, action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if unknown := set(given.groups) - _BUDGETS_S.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    groups = given.groups or list(_BUDGETS_S)
    if not given.no_network:
        install(groups)
        prefix = without_network()
        if not prefix and "others" in groups:
            parser.error("no network namespace is permitted here, and other tools are run in nothing else")
        command = [*prefix, sys.executable, "-m", "benchmarks", _ALONE, *groups]
        os.execvp(command[0], command)
    run(groups)
    return 0


def install(groups: Sequence[str]) -> None:
    """Install ours, and the other tools if they are to be measured."""
    say("installing kimi-profiles")
    others.install_ours(BUILD)
    for tool in others.OTHERS if "others" in groups else ():
        say(f"installing {tool.name} {tool.version}")
        try:
            others.install(tool, BUILD)
        except DidNotWorkError as error:
            say(f"{tool.name}: {error}")


def run(groups: Sequence[str]) -> None:
    """Measure, print, and write the page if nothing is left out."""
    # On one core: turns may else fall on two of different speed, each on its own.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    ours = Ours(BUILD / "kimi-profiles" / "bin" / "python")
    results: dict[str, list[Result]] = {}
    trials: list[Trial] = []
    node = None
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
        for group in groups:
            folder = Path(scratch, group)
            folder.mkdir()
            if group == "others":
                node = node_start(ours, folder)
                trials = [trial(tool, ours, folder) for tool in (others.OURS, *others.OTHERS)]
                print(f"\n{trials_table(trials)}\n\n{traits_table(trials)}\n", flush=True)
            else:
                cases = GROUPS[group](ours, folder, FULL)
                results[group] = [one(group, case) for case in cases]
                print(f"\n{results_table(group, results[group])}\n", flush=True)
    if set(groups) == _BUDGETS_S.keys():
        PAGE.write_text(page(Report(describe_machine(), results, trials, node)), encoding="utf-8")
        say(f"wrote {PAGE.name}")
    write_values(BUILD / "values.json", results | {each.tool.name: each.results for each in trials})


def one(group: str, case: Case, label: str = "") -> Result:
    """Measure one case, and say so."""
    result = measure(case, rounds=_ROUNDS, budget_s=_BUDGETS_S[group])
    ratio = f"{result.ratio.median:.2f}, {len(result.jobs_s)} rounds" if result.ratio else result.failure
    say(f"{label or group}: {case.name}: {ratio}")
    return result


def node_start(ours: Ours, folder: Path) -> Result | None:
    """The start of Node.js against that of Python; None if there is no Node.js."""
    job = Job(argv=["node", "-e", "0"], home=folder)
    result = one("others", Case(name="`node -e 0`", job=job, against=ours.start(folder)))
    return result if result.ratio else None


def trial(tool: others.Tool, ours: Ours, folder: Path) -> Trial:
    """All that can be found out about one tool."""
    try:
        command, start = start_of(tool, ours)
        seen = others.traits(tool, command, folder)
        cases = others.cases(tool, command, start, folder)
        return Trial(tool, [one("others", case, tool.name) for case in cases], seen)
    except DidNotWorkError as error:
        say(f"{tool.name}: {error}")
        return Trial(tool, failure=str(error))


def start_of(tool: others.Tool, ours: Ours) -> tuple[list[str], list[str]]:
    """The command of a tool, and the start of its interpreter alone.

    Raises:
        DidNotWorkError: It is not installed, and cannot be: there is no network any more.
    """
    if tool is others.OURS:
        return ours.command(), ours.script("pass")
    command = others.install(tool, BUILD)
    if tool.registry == "npm":
        return [str(command)], ["node", "-e", "0"]
    return [str(command)], [str(command.with_name("python")), "-c", "pass"]


def say(line: str) -> None:
    """Show where we are."""
    print(f"{time.monotonic() - _START:4.0f} s  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
