"""Results → tables, and the page of the documentation that has them all."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from benchmarks.others import ACTIONS, OURS
from kimi_profiles import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.measure import Result
    from benchmarks.others import Tool
    from benchmarks.traits import Traits

TEMPLATE = Path(__file__).with_name("page.md")

_VERBS = dict(zip(ACTIONS, ("switches", "switches back", "lists"), strict=True))


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found out about one tool.

    Attributes:
        tool: Which one.
        results: One for each of its actions; none if it could not be installed or set up.
        traits: What else a switch does; None if it could not be seen.
        failure: Why there are no results, or no traits.
    """

    tool: Tool
    results: Sequence[Result] = ()
    traits: Traits | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One whole run.

    Attributes:
        machine: What it ran on.
        groups: Results of ours, by group.
        trials: Of all tools; ours first.
        node: `node -e 0` against `python -c pass`; None without a node.
    """

    machine: str
    groups: Mapping[str, Sequence[Result]]
    trials: Sequence[Trial]
    node: Result | None


def describe_machine() -> str:
    """Processor, cores, system and versions; nothing by which one machine could be told from another."""
    node = shutil.which("node")
    versions = [f"{platform.python_implementation()} {platform.python_version()}"]
    if node:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
        versions.append(f"Node.js {done.stdout.strip().removeprefix('v')}")
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, {', '.join(versions)}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.machine())


def page(report: Report) -> str:
    """The page, as Markdown."""
    starts = [result.against_s for result in report.groups["startup"]]
    node = report.node.ratio if report.node else None
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        pass_ms=f"{statistics.median(time for times in starts for time in times) * 1000:.1f}",
        node_unit=f", which takes {number(node.median)} times that" if node else "",
        machine=report.machine,
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        version=__version__,
        startup=results_table("command", report.groups["startup"]),
        large=results_table("file", report.groups["large"]),
        many=results_table("what", report.groups["many"]),
        others=trials_table(report.trials),
        traits=traits_table(report.trials),
        remarks=remarks(report.trials),
        faster=faster(report.trials, node.median if node else 1),
    )


def results_table(what: str, results: Iterable[Result]) -> str:
    """A row for each result; a column of memory if any has it."""
    results = list(results)
    has_memory = any(result.memory is not None for result in results)
    rows = [[what, "times", "aim", *["memory, times the file"] * has_memory]]
    for result in results:
        memory = [number(result.memory) if result.memory is not None else ""] * has_memory
        rows.append([result.name, cell(result), aim(result), *memory])
    return table(rows)


def trials_table(trials: Iterable[Trial]) -> str:
    """What each tool takes for each action."""
    rows = [["tool", "against", *ACTIONS]]
    for trial in trials:
        unit = "`node -e 0`" if trial.tool.registry == "npm" else "`python -c pass`"
        cells = [cell(result) for result in trial.results] or [
            f"did not work: {plain(trial.failure)}",
            "",
            "",
        ]
        rows.append([title(trial.tool), unit, *cells])
    return table(rows)


def traits_table(trials: Iterable[Trial]) -> str:
    """What else each tool does when it switches."""
    rows = [
        [
            "tool",
            "lock",
            "new file renamed over the old",
            "synced",
            "other values kept",
            "numbers kept as written",
            "layout kept",
            "key in files that others may read",
        ]
    ]
    for trial in trials:
        seen = trial.traits
        if seen is None:
            rows.append([title(trial.tool), f"not seen: {plain(trial.failure)}", *[""] * 6])
            continue
        kept = [seen.replaces, seen.keeps_values, seen.keeps_numbers, seen.keeps_layout]
        replaces, *keeps = ["yes" if fact else "**no**" for fact in kept]
        locks, syncs = (", ".join(facts) or "**none**" for facts in (seen.locks, seen.syncs))
        leaks = ", ".join(f"`~/{path}`" for path in seen.leaks)
        rows.append([title(trial.tool), locks, replaces, syncs, *keeps, leaks or "none"])
    return table(rows)


def remarks(trials: Iterable[Trial]) -> str:
    """What has to be known about single tools."""
    return "\n".join(f"* {trial.tool.name}: {trial.tool.remark}." for trial in trials if trial.tool.remark)


def faster(trials: Sequence[Trial], node: float) -> str:
    """A line for each tool that takes less than ours for something, and what it leaves out.

    Args:
        trials: Ours first.
        node: What the start of Node.js is in starts of Python.
    """
    ours = costs(trials[0], node)
    lines = []
    for trial in trials[1:]:
        theirs = costs(trial, node)
        less = [action for action in ACTIONS if theirs.get(action, float("inf")) < ours.get(action, 0)]
        if less:
            figures = [f"{_VERBS[name]} at {number(theirs[name])} ({number(ours[name])})" for name in less]
            left_out = omissions(trial.traits) if {"switch", "switch back"} & set(less) else []
            why = f" Its switch {listed(left_out)}." if left_out else ""
            lines.append(f"* {trial.tool.name} {listed(figures)}.{why}")
    head = "In starts of Python, for tools of either language; in parentheses what kimi-profiles takes.\n\n"
    return head + "\n".join(lines) if lines else "None was, at none of the three."


def costs(trial: Trial, node: float) -> dict[str, float]:
    """What each action takes, in starts of Python."""
    unit = node if trial.tool.registry == "npm" else 1
    return {result.name: result.ratio.median * unit for result in trial.results if result.ratio}


def omissions(seen: Traits | None) -> list[str]:
    """What a switch was seen to leave out."""
    if seen is None:
        return []
    facts = {
        "takes no lock": not seen.locks,
        "writes the file in place": not seen.replaces,
        "syncs nothing": not seen.syncs,
        "does not sync the folder": seen.syncs == ("file",),
        "does not keep the layout": not seen.keeps_layout,
        "leaves the key in a file that others may read": bool(seen.leaks),
    }
    return [words for words, is_so in facts.items() if is_so]


def title(tool: Tool) -> str:
    """Name and version, for a row."""
    return f"**{tool.name}**" if tool is OURS else f"{tool.name} {tool.version} ({tool.registry})"


def cell(result: Result) -> str:
    """The ratio of a result, or why there is none."""
    if not result.ratio:
        return f"did not work: {plain(result.failure)}"
    low, high = number(result.ratio.low), number(result.ratio.high)
    return f"{number(result.ratio.median)} ({'one pair' if len(result.jobs_s) == 1 else f'{low} to {high}'})"


def aim(result: Result) -> str:
    """What is aimed at, and whether it is missed."""
    if result.aim is None:
        return ""
    is_missed = result.ratio is None or result.ratio.median > result.aim
    return f"≤ {result.aim:g}{', missed' * is_missed}"


def number(value: float) -> str:
    """Two digits that count, and no more than there are."""
    return f"{value:.0f}" if value >= 99.5 else f"{value:.2g}" if value < 9.95 else f"{value:.1f}"


def plain(text: str) -> str:
    """Somebody's message, made harmless for a cell of a table."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"`{words.replace('`', '').replace('|', '/')}`"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last


def table(rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first row is the head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])
