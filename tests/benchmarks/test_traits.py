"""What is seen of a switch: by system calls, and by files before and after."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from support import require_tool

from benchmarks import others
from benchmarks.cases import Ours
from benchmarks.measure import DidNotWorkError
from benchmarks.samples import SETTINGS, write
from benchmarks.traits import Traits, calls_of, keeps_lines, watch, what_calls_do

TARGET = Path("/h/.claude/settings.json")
CALLS = {
    "nothing": ("", ((), False, ())),
    "a lock file": (
        'openat(AT_FDCWD</h>, "/h/.x.lock", O_CREAT|O_EXCL, 0600) = 3</h/.x.lock>',
        (("lock file",),),
    ),
    "a file of its own that is no lock": ('openat(AT_FDCWD</h>, "/h/.tmp", O_CREAT|O_EXCL, 0600) = 3', ((),)),
    "a lock that somebody else has": (
        'openat(AT_FDCWD</h>, "/h/x.lock", O_CREAT|O_EXCL) = -1 EEXIST (x)',
        ((),),
    ),
    "a lock folder": ('mkdir("/h/.claude.lock", 0777) = 0', (("lock folder",),)),
    "a folder for locks is none": ('mkdir("/h/.locks/a", 0777) = 0', ((),)),
    "flock on a file that it made": (
        'openat(5</h>, "lock", O_CREAT|O_EXCL) = 3</h/lock>\nflock(3</h/lock>, LOCK_EX) = 0',
        (("flock",),),
    ),
    "the same, seen the other way round because another thread made it": (
        'flock(3</h/lock>, LOCK_EX) = 0\nopenat(5</h>, "lock", O_CREAT|O_EXCL) = 3</h/lock>',
        (("flock",),),
    ),
    "fcntl": ("fcntl(3</h/x>, F_SETLK, {l_type=F_WRLCK}) = 0", (("fcntl",),)),
    "fcntl for something else": ("fcntl(3</h/x>, F_GETFL) = 0x8002", ((),)),
    "renamed": ('rename("/h/.claude/.x", "/h/.claude/settings.json") = 0', ((), True)),
    "exchanged, by open folders": (
        'renameat2(4</h/.claude>, "settings.json", 4</h/.claude>, ".x", RENAME_EXCHANGE) = 0',
        ((), True),
    ),
    "something else renamed": ('rename("/h/.x/.y", "/h/.x/settings.json") = 0', ((), False)),
    "the file synced": ("fsync(3</h/.claude/.x>) = 0", ((), False, ("file",))),
    "both synced": (
        "fdatasync(3</h/.claude/.x>) = 0\nfsync(4</h/.claude>) = 0",
        ((), False, ("file", "folder")),
    ),
    "only a backup synced": ("fsync(3</h/.backups/x>) = 0", ((), False, ())),
}


@pytest.mark.parametrize(("trace", "expected"), CALLS.values(), ids=CALLS)
def test_what_system_calls_say(trace: str, expected: tuple[Any, ...]) -> None:
    assert what_calls_do(calls_of(trace), TARGET)[: len(expected)] == expected


LINES = {
    "nothing changed": ("a\nb", "a\nb", True),
    "a line and a comma more": ('{\n\t"a": 1\n}', '{\n\t"a": 1,\n\t"b": 2\n}', True),
    "another indentation": ('{\n\t"a": 1\n}', '{\n  "a": 1\n}', False),
    "another order": ("a\nb", "b\na", False),
    "a line less": ("a\nb", "a", False),
    "a number rewritten": ('"a": 1.0', '"a": 1', False),
}


@pytest.mark.parametrize(("before", "after", "expected"), LINES.values(), ids=LINES)
def test_layout_is_kept(before: str, after: str, *, expected: bool) -> None:
    assert keeps_lines(before, after) == expected


REWRITES = """
import json, sys
from pathlib import Path
path = Path.home() / ".claude" / "settings.json"
settings = json.loads(path.read_text(), parse_float=lambda digits: int(float(digits)))
settings["env"]["TOKEN"] = sys.argv[1]
path.write_text(json.dumps(settings, indent=2))
"""
SEEN = {
    "all is written anew": (REWRITES, True),
    "what it does not know is dropped": (REWRITES.replace('["env"]["TOKEN"]', '["env"]'), False),
}


@pytest.mark.once
@pytest.mark.parametrize(("code", "keeps_values"), SEEN.values(), ids=SEEN)
def test_a_careless_tool_is_seen_as_one(tmp_path: Path, code: str, *, keeps_values: bool) -> None:
    require_tool("strace")
    target = tmp_path / ".claude" / "settings.json"
    write(target, SETTINGS)
    target.chmod(0o644)
    seen = watch([sys.executable, "-c", code, "sk-test-x"], tmp_path, target=target, key="sk-test-x")
    assert seen == Traits((), False, (), keeps_values, False, False, (".claude/settings.json",))
    assert not (tmp_path / "traces").exists()


@pytest.mark.once
def test_ours_is_seen_as_it_is_meant(tmp_path: Path) -> None:
    require_tool("strace")
    command = Ours(Path(sys.executable)).command()
    seen = others.traits(others.OURS, command, tmp_path)
    assert seen == Traits(("flock", "lock folder"), True, ("file", "folder"), True, True, True, ())


@pytest.mark.once
def test_a_tool_is_at_a_provider_or_it_did_not_work(tmp_path: Path) -> None:
    command = Ours(Path(sys.executable)).command()
    home = others.home_for(others.OURS, command, tmp_path)
    others.expect(others.OURS, home, others.SECOND)
    with pytest.raises(DidNotWorkError):
        others.expect(others.OURS, home, others.FIRST)
