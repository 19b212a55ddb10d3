"""Time of the processor and memory of whole processes, told as ratios."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KEY_VARIABLE = "MOONSHOT_API_KEY"
KEY = "sk-test-0123456789abcdef"

_LEAST_CPU_S = 1e-6  # what the kernel counts in; a difference of two runs may come out at nothing
_LINE = 200


class DidNotWorkError(Exception):
    """A command failed, or did not do what is timed."""


def environment(home: Path) -> dict[str, str]:
    """All that a command gets to see: nothing of whoever runs this."""
    node = shutil.which("node")
    folders = [*([str(Path(node).parent)] if node else []), "/usr/local/bin", "/usr/bin", "/bin"]
    return {
        "HOME": str(home),
        "PATH": os.pathsep.join(dict.fromkeys(folders)),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "SHELL": "/bin/bash",
        KEY_VARIABLE: KEY,
    }


@dataclass(frozen=True, slots=True)
class Spent:
    """What one run took.

    Attributes:
        cpu_s: User and system time of the process and of those that it waited for, in seconds.
        peak_bytes: The most memory that it had at once.
    """

    cpu_s: float
    peak_bytes: int


def nothing() -> None:
    """What is to be done before a run, or looked at after it, where there is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command that is timed.

    Attributes:
        argv: Program and arguments.
        home: Its home and working directory.
        stdin: What it reads.
        before: Done before each run, and not timed.
        check: Called after each run; raises DidNotWorkError if the run did not do its job.
        count: How many jobs of this kind one run does.
        floor: A run that does everything but the job; it is taken off.
    """

    argv: Sequence[str]
    home: Path
    stdin: str = ""
    before: Callable[[], object] = nothing
    check: Callable[[], object] = nothing
    count: int = 1
    floor: Job | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Two jobs that are compared: one row of a table.

    Attributes:
        name: What the row is called.
        job: What is timed.
        against: What it is compared with.
        aim: The ratio that it shall not pass; None if there is no such aim.
        size_bytes: Of the file that it is about, if the memory is to be told as multiples of it.
        least_rounds: So many there are however long they take, beside the one to warm up.
    """

    name: str
    job: Job
    against: Job
    aim: float | None = None
    size_bytes: int = 0
    least_rounds: int = 0


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some values, and where half of them are."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Median and quartiles; of one value, that value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True, slots=True)
class Result:
    """What was found out about a case.

    Attributes:
        name: That of the case.
        aim: That of the case.
        ratio: Time of the job to that of what it is compared with; None if it did not work.
        memory: Peak of the job in multiples of the file, if the case is about one.
        failure: Why it did not work.
        jobs_s: Seconds of processor time of the job, one for each round.
        against_s: The same of what it was compared with.
    """

    name: str
    aim: float | None = None
    ratio: Spread | None = None
    memory: float | None = None
    failure: str = ""
    jobs_s: Sequence[float] = field(default=(), repr=False)
    against_s: Sequence[float] = field(default=(), repr=False)


def spend(argv: Sequence[str], home: Path, *, stdin: str = "", env: Mapping[str, str] | None = None) -> Spent:
    """Run a command to its end.

    Raises:
        DidNotWorkError: It failed; with what it said.
    """
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        told.write(stdin.encode())
        told.seek(0)
        try:
            process = subprocess.Popen(
                [*argv], cwd=home, env=env or environment(home), stdin=told, stdout=said, stderr=said
            )
        except OSError as error:
            raise DidNotWorkError(str(error)) from error
        # What we had in memory when we started it counts as its own, so we have to stay small.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            reason = last_line(said.read().decode("utf-8", "replace"))
            raise DidNotWorkError(f"exit status {process.returncode}: {reason.replace(str(home), '~')}")
    return Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def last_line(output: str) -> str:
    """What a command said last, but for our hints: why it failed."""
    lines = [line.strip() for line in output.splitlines() if not line.strip().startswith("hint:")]
    return next(filter(None, reversed(lines)), "it said nothing")[:_LINE]


def do(job: Job) -> Spent:
    """Run a job once; what one of its count takes."""
    job.before()
    whole = spend(job.argv, job.home, stdin=job.stdin)
    job.check()
    floor = do(job.floor) if job.floor else Spent(0, 0)
    cpu_s = max((whole.cpu_s - floor.cpu_s) / job.count, _LEAST_CPU_S)
    return Spent(cpu_s, whole.peak_bytes - floor.peak_bytes)


def measure(case: Case, *, rounds: int, budget_s: float) -> Result:
    """Do both jobs of a case by turns, so that what slows the machine for a while slows both.

    Args:
        case: What to measure.
        rounds: How often, beside one round to warm up.
        budget_s: After so many seconds there are no more rounds than the least that the case asks for. Where
            there is but the one to warm up, it counts.
    """
    pairs: list[tuple[Spent, Spent]] = []
    start = time.monotonic()
    try:
        for _ in range(1 + rounds):
            pairs.append((do(case.against), do(case.job)))
            if time.monotonic() - start > budget_s and len(pairs) > case.least_rounds:
                break
    except DidNotWorkError as error:
        return Result(case.name, case.aim, failure=str(error))
    return found(case, pairs[1:] or pairs)


def found(case: Case, pairs: Sequence[tuple[Spent, Spent]]) -> Result:
    """What pairs of runs, the one that is compared with first, say about a case."""
    ratios = [job.cpu_s / against.cpu_s for against, job in pairs]
    peak = statistics.median(job.peak_bytes for _, job in pairs)
    return Result(
        case.name,
        case.aim,
        Spread.of(ratios),
        peak / case.size_bytes if case.size_bytes else None,
        jobs_s=[job.cpu_s for _, job in pairs],
        against_s=[against.cpu_s for against, _ in pairs],
    )
