"""One command for many homes: their list, and each of them by itself, whatever becomes of the others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kimi_profiles._version import SCHEMA
from kimi_profiles.errors import InvalidError, NotFoundError, NotPermittedError, ProfilesError, UsageError
from kimi_profiles.files import read_file
from kimi_profiles.report import (
    diff_segments,
    drift_segments,
    error_json,
    plan_json,
    result_json,
    system_error,
    tell_error,
)
from kimi_profiles.route import absolute
from kimi_profiles.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from kimi_profiles.api import ClaudeCode, Plan, Result
    from kimi_profiles.call import Call
    from kimi_profiles.errors import Notice

__all__ = ["Outcome", "add_homes_argument", "each_home", "on_homes", "parse_homes", "read_homes"]

_STDIN = "-"
_MAX_SIZE_BYTES = 32 << 20


def add_homes_argument(parser: argparse.ArgumentParser) -> None:
    """For a command that can be done to many homes."""
    parser.add_argument(
        "--homes-from",
        metavar="FILE",
        help="do it to each home that FILE names, a folder a line or ended by NUL (-: standard input)",
    )


def on_homes(
    call: Call,
    command: str,
    make_work: Callable[[Call], Callable[[ClaudeCode], Plan | Result]],
    *,
    is_dry: bool,
) -> tuple[int, bool]:
    """Do a command to each home of the list, and tell what became of it.

    Args:
        call: With ``--homes-from``.
        command: What the answer calls it.
        make_work: What is to be done to each home; called once, and what it raises is the end of all.
        is_dry: Whether that is only to see what would change.

    Returns:
        The exit status of the first home that failed, or 0; and whether any home changed, or would.

    Raises:
        UsageError: Another option says which files to edit.
        ProfilesError: The list cannot be read. No home was touched.
    """
    _check_alone(call)
    homes = read_homes(call.args.homes_from)
    work = make_work(call)
    tally = _Tally()
    # Where each home gets its line on a terminal, these lines are the progress.
    is_told = call.out.is_terminal and not call.is_json
    working = f"working on {len(homes):,} homes"
    with call.busy(working, unless=is_told) as say:
        for outcome in each_home(homes, lambda home: work(call.claude(home))):
            tally.add(outcome)
            say(f"{working}, {tally.count:,} done")
            answer = _tell(call, command, outcome)
            tally.answers += [{"home": str(outcome.home), **answer}] if call.is_json else []
    _tell_all(call, command, tally, what="to change" if is_dry else "changed")
    return tally.status, bool(tally.changed)


class _Tally:
    """What became of all homes so far."""

    def __init__(self) -> None:
        self.count = self.changed = 0
        self.errors: list[ProfilesError] = []
        self.notices: dict[Notice, None] = {}
        self.answers: list[dict[str, Any]] = []

    @property
    def status(self) -> int:
        """The exit status of the first home that failed, or 0."""
        return self.errors[0].exit_code if self.errors else 0

    def add(self, outcome: Outcome) -> None:
        """Count one more home."""
        self.count += 1
        if outcome.done is not None:
            self.changed += outcome.done.changed
            self.notices.update(dict.fromkeys(outcome.done.warnings))
        if outcome.error is not None:
            self.errors.append(outcome.error)


def _check_alone(call: Call) -> None:
    for option in ("home", "settings", "project"):
        if getattr(call.args, option) is not None:
            raise UsageError(f"--homes-from and --{option} do not go together")
    if call.args.scope != "user":
        raise UsageError("--homes-from is for the user scope")
    if call.args.homes_from == _STDIN and getattr(call.args, "token_stdin", False):
        raise UsageError("token and list cannot both come on standard input", hint="put the list into a file")


def _tell_all(call: Call, command: str, tally: _Tally, *, what: str) -> None:
    """Print what became of all homes; ``what`` those did that changed."""
    answer = {
        "schema": SCHEMA,
        "ok": not tally.errors,
        "command": command,
        "changed": bool(tally.changed),
        "homes": tally.answers,
    }
    call.answer(answer | ({"exit_code": tally.status} if tally.errors else {}))
    call.warn(tally.notices)
    for error in tally.errors if not call.is_json else ():
        tell_error(call.err, error)
    homes = f"{tally.count:,} {'home' if tally.count == 1 else 'homes'}"
    call.say(f"{homes}, {tally.changed:,} {what}, {len(tally.errors):,} failed")


def _tell(call: Call, command: str, outcome: Outcome) -> dict[str, Any]:
    """Print one home for people; what scripts get."""
    from kimi_profiles.api import Plan

    home, done, error = outcome
    if done is None:
        call.say((str(home), "strong"), ("  failed", "bad"))
        return {} if error is None else error_json(error, command)
    if isinstance(done, Plan):
        call.say((str(home), "strong"), ("" if done.changed else "  nothing to do", "dim"))
        for segments in diff_segments(done.targets):
            call.say("  ", *segments)
        return plan_json(done) if call.is_json else {}
    count = sum(target.plan.is_changed for target in done.targets)
    said = f"{count} {'file' if count == 1 else 'files'} changed" if count else "nothing to do"
    call.say((str(home), "strong"), (f"  {said}", "dim"))
    for segments in drift_segments(done):
        call.say(*segments)
    return result_json(done) if call.is_json else {}


class Outcome(NamedTuple):
    """What became of one home: either ``done`` or ``error`` is there."""

    home: Path
    done: Plan | Result | None
    error: ProfilesError | None


def read_homes(name: str) -> list[Path]:
    """The homes that a list names.

    Args:
        name: The file; ``-`` is standard input.

    Raises:
        InvalidError: See :func:`parse_homes`.
        NotFoundError: There is no such file.
        NotPermittedError: It may not be read, or is larger than 32 MiB.
    """
    if name != _STDIN:
        path = absolute(Path(name))
        data = read_file(path, limit_bytes=_MAX_SIZE_BYTES)
        if data is None:
            raise NotFoundError("there is no such file", path=path)
        return parse_homes(data, name=str(path))
    data = b"" if sys.stdin is None else sys.stdin.buffer.read(_MAX_SIZE_BYTES + 1)
    if len(data) > _MAX_SIZE_BYTES:
        raise NotPermittedError(f"the list is larger than {_MAX_SIZE_BYTES >> 20} MiB", path="<stdin>")
    return parse_homes(data, name="<stdin>")


def parse_homes(data: bytes, *, name: str) -> list[Path]:
    """The homes that the text of a list names, each once and in order.

    Args:
        data: A folder a line, from the root on; empty lines, and those that begin with ``#``, count for
            nothing. If a NUL character is in it, as ``find -print0`` writes, every folder ends with one
            instead, and may have any other character in its name.
        name: What to call the list in an error.

    Raises:
        InvalidError: A path does not begin at the root; the line is told.
    """
    separator = b"\0" if b"\0" in data else b"\n"
    homes: dict[Path, None] = {}
    for number, entry in enumerate(data.split(separator), 1):
        is_line = separator == b"\n"
        line = entry.removesuffix(b"\r") if is_line else entry
        if not line or (is_line and (line.isspace() or line.startswith(b"#"))):
            continue
        text = os.fsdecode(line)
        if not os.path.isabs(text):  # noqa: PTH117 - a text
            raise InvalidError(
                "a home in a list is a path from the root on",
                hint="write one folder a line, such as /home/ann; nothing was changed",
                path=name,
                line=number if is_line else None,
            )
        homes[absolute(Path(text))] = None
    return list(homes)


def each_home(homes: Iterable[Path], work: Callable[[Path], Plan | Result]) -> Iterator[Outcome]:
    """Do ``work`` for each home, one after the other; an error is the end of its own home only.

    A home that is there under two names is done once, under the first of them.
    """
    seen: set[tuple[int, int]] = set()
    for home in homes:
        try:
            status = home.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
        except OSError:
            pass  # whoever works on it says what is wrong
        try:
            outcome = Outcome(home, work(home), None)
        except ProfilesError as error:
            outcome = Outcome(home, None, error.at(home))
        except OSError as error:
            outcome = Outcome(home, None, system_error(error).at(home))
        yield outcome
