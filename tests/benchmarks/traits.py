"""What a tool does beside its job, by what was seen: its system calls, and the files before and after."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from benchmarks.measure import DidNotWorkError, spend

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_CALLS = "fsync,fdatasync,flock,fcntl,open,openat,mkdir,mkdirat,rename,renameat,renameat2"
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+)", re.MULTILINE)
# A name, perhaps below an open folder; or what is open.
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"|\d<([^>]*)>')


@dataclass(frozen=True, slots=True)
class Traits:
    """What was seen of one switch.

    Attributes:
        locks: By what it keeps others out: ``flock``, ``fcntl``, ``lock file``, ``lock folder``; empty if by
            nothing.
        replaces: A new file was renamed over the old one; else it was written in place.
        syncs: What was synced: ``file``, ``folder``.
        keeps_values: Every value that is not a provider's is what it was.
        keeps_numbers: Also numbers are written as they were.
        keeps_layout: Every line that is not a provider's is as it was.
        leaks: Files that hold the key and that others may read, from the home.
    """

    locks: tuple[str, ...]
    replaces: bool
    syncs: tuple[str, ...]
    keeps_values: bool
    keeps_numbers: bool
    keeps_layout: bool
    leaks: tuple[str, ...]


def watch(argv: Sequence[str], home: Path, *, target: Path, key: str) -> Traits:
    """Run a switch under strace.

    Args:
        argv: The switch.
        home: Where it is done.
        target: The file that has to change for it.
        key: What nobody else may read afterwards.

    Raises:
        DidNotWorkError: It failed, or there is no strace.
    """
    strace = shutil.which("strace")
    if strace is None:
        raise DidNotWorkError("there is no strace")
    settings = home / ".claude" / "settings.json"
    before = settings.read_text(encoding="utf-8")
    traces = home / "traces"  # one for each thread, so that no line is cut in two
    traces.mkdir()
    spend(
        [strace, "-ff", "-qq", "-y", "-s", "4096", "-e", f"trace={_CALLS}", "-o", f"{traces}/t", *argv], home
    )
    calls = [
        call for path in sorted(traces.iterdir()) for call in calls_of(path.read_text("utf-8", "replace"))
    ]
    shutil.rmtree(traces)
    after = settings.read_text(encoding="utf-8")
    return Traits(
        *what_calls_do(calls, target),
        keeps_values=_values(before).items() <= _values(after).items(),
        keeps_numbers=_values(before, Decimal).items() <= _values(after, Decimal).items(),
        keeps_layout=keeps_lines(before, after),
        leaks=tuple(_readable(home, key)),
    )


def calls_of(trace: str) -> list[tuple[str, str]]:
    """Name and arguments of the calls of a trace that succeeded."""
    return [(name, arguments) for name, arguments, value in _CALL.findall(trace) if int(value) >= 0]


def what_calls_do(
    calls: Sequence[tuple[str, str]], target: Path
) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """Locks, whether ``target`` is replaced, and what of it is synced."""
    locks: dict[str, str] = {}
    syncs, replaces = set(), False
    for name, arguments in calls:
        paths = [opened or str(PurePath(folder, path)) for folder, path, opened in _PATH.findall(arguments)]
        last = paths[-1] if paths else ""
        has_name = "lock" in last.rpartition("/")[2].lower()
        if name == "flock" or (name == "fcntl" and re.search(r"F_(OFD_)?SETLK", arguments)):
            locks[last] = name
        elif name.startswith("open") and "O_EXCL" in arguments and has_name:
            locks.setdefault(last, "lock file")
        elif name.startswith("mkdir") and has_name:
            locks.setdefault(last, "lock folder")
        elif name.startswith("rename"):
            replaces |= str(target) in paths
        elif name.endswith("sync") and last == str(target.parent):
            syncs.add("folder")
        elif name.endswith("sync") and last.rpartition("/")[0] == str(target.parent):
            syncs.add("file")
    return tuple(sorted(set(locks.values()))), replaces, tuple(sorted(syncs))


def keeps_lines(before: str, after: str) -> bool:
    """Whether all lines of a text are in another one, in their order; a comma at the end does not count."""
    rest = iter([line.rstrip(",") for line in after.splitlines()])
    return all(line.rstrip(",") in rest for line in before.splitlines())


def _values(text: str, number: Any = float) -> dict[str, str]:
    """Each value of a text, by where it is, as text; a Decimal has the digits with which it was written."""

    def leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, dict | list) and value:
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for key, member in pairs:
                yield from leaves(member, f"{place}/{key}")
        else:
            yield place, repr(value)

    return dict(leaves(json.loads(text, parse_float=number, parse_int=number), ""))


def _readable(home: Path, key: str) -> Iterator[str]:
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.stat().st_mode & 0o077 and key.encode() in path.read_bytes():
            yield path.relative_to(home).as_posix()
