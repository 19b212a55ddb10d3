"""Which sessions of Claude Code are running. Linux alone tells; elsewhere none is found.

Only processes of the same user are looked at, and of their environment only what says where their settings
are, to leave out the sessions of another home. None of it is kept.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from kimi_profiles.doctor.patient import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find_sessions"]

PROC = Path("/proc")

# Measured: the native program of 2.1.329 keeps its path, whether npm or the installer put it there; 2.1.39 is
# run by node, and calls itself "claude".
_NATIVE = re.compile(r"/(?:claude-code(?:-[a-z0-9-]+)?/(?:bin/)?claude(?:\.exe)?|claude/versions/[0-9.]+)\Z")
_RUNTIMES = {"node", "nodejs", "bun"}
_SCRIPT = re.compile(rb"\A[^\0]*\0(?:[^\0]*/)?@anthropic-ai/claude-code/cli\.js\0")
_NAME = b"claude"


def find_sessions(client: Path | None, *, settings: Path) -> tuple[Session, ...]:
    """The sessions of this user and this home.

    Args:
        client: The program of the installed Claude Code, links resolved.
        settings: The folder with the user's settings.
    """
    found = {process.pid: process for process in _processes() if _is_client(process, client)}
    # What a session starts looks like it until it has become another program.
    outer = [process for process in found.values() if process.parent not in found]
    real = os.path.realpath(settings)
    return tuple(Session(each.pid, each.started) for each in outer if _settings_of(each) == real)


class _Process(NamedTuple):
    pid: int
    parent: int
    started: float
    program: str
    line: bytes


def _processes() -> Iterator[_Process]:
    try:
        folders = [Path(entry.path) for entry in os.scandir(PROC) if entry.name.isdigit()]
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, AttributeError):  # no such folder, or no such clock: not Linux
        return
    for folder in folders:
        try:
            if folder.stat().st_uid != os.geteuid():
                continue
            program = str((folder / "exe").readlink()).removesuffix(" (deleted)")
            line = (folder / "cmdline").read_bytes()
            # Behind the name, which may hold blanks and brackets itself: state, parent, ...
            facts = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            started = booted + int(facts[19]) / os.sysconf("SC_CLK_TCK")
            yield _Process(int(folder.name), int(facts[1]), started, program, line)
        except (OSError, ValueError, IndexError):  # it has ended, or is not ours to look at
            continue


def _is_client(process: _Process, client: Path | None) -> bool:
    if process.program == str(client) or _NATIVE.search(process.program):
        return True
    if Path(process.program).name not in _RUNTIMES:
        return False
    script = process.line.split(b"\0")[1:2]
    is_script = client is not None and script == [os.fsencode(client)]
    is_named = process.line.rstrip(b"\0") == _NAME
    return is_named or is_script or _SCRIPT.match(process.line) is not None


def _settings_of(process: _Process) -> str | None:
    """The folder with its settings, links resolved."""
    folder = PROC / str(process.pid)
    try:
        entries = (folder / "environ").read_bytes().split(b"\0")
        named = {
            key: value for key, _, value in (entry.partition(b"=") for entry in entries) if key in _WHERE
        }
        working = os.fsencode((folder / "cwd").readlink())
    except OSError:
        return None
    home, moved = named.get(b"HOME"), named.get(b"CLAUDE_CONFIG_DIR")
    if moved is None and home is None:
        return None
    chosen = moved if moved is not None else os.path.join(home or b"", b".claude")  # noqa: PTH118 - bytes
    return os.fsdecode(os.path.realpath(os.path.join(working, chosen)))  # noqa: PTH118


_WHERE = {b"HOME", b"CLAUDE_CONFIG_DIR"}
