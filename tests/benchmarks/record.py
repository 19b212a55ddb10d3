"""The measured seconds as a suite of pyperf, whose ``compare_to`` tells two runs apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.measure import Result


def write_values(path: Path, results: Mapping[str, Sequence[Result]]) -> None:
    """Write seconds of processor time of every job that worked.

    Args:
        path: Replaced if it is there.
        results: By group, or by tool.
    """
    import pyperf  # of the group `bench`; the tests do without it

    suite = [
        pyperf.Benchmark([pyperf.Run(result.jobs_s, metadata={"name": f"{group}: {result.name}"})])
        for group, members in results.items()
        for result in members
        if result.jobs_s
    ]
    if suite:
        path.parent.mkdir(parents=True, exist_ok=True)
        pyperf.BenchmarkSuite(suite).dump(str(path), replace=True)
