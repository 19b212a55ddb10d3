"""A crowd in one home: members of ours, programs that write their own keys beside us, and readers.

``test_crowds.py`` starts this file once for each crowd. It has everything imported before it forks, so that a
hundred processes cost no hundred starts of Python. It prints one JSON object: what became of everybody.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kimi_profiles
from kimi_profiles import ClaudeCode, Profile
from kimi_profiles.errors import LockTimeoutError, TargetBusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TOKEN = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz"
PROFILES = {
    "a": Profile(
        "a",
        "https://a.example/anthropic",
        auth_variable="ANTHROPIC_API_KEY",
        settings={"permissions": {"allow": ["Bash(git diff:*)"]}},
    ),
    "b": Profile("b", "https://b.example/anthropic", env={"LANG": "C"}),
}
SCOPES = ("user", "user", "user", "local one", "project two", "local three")
PROJECTS = ("one", "two", "three")
STEPS = ("a", "b", "unapply")
PAUSE_S = 0.001
BESIDE_PAUSE_S = 0.3
STALE_S = 10
READERS = 2


def claude_of(home: Path, scope: str, *, timeout_s: float = 60) -> ClaudeCode:
    kind, _, project = scope.partition(" ")
    root = home / project if project else None
    return ClaudeCode.of(kind, project=root, home=home, timeout_s=timeout_s)


def carry_out(claude: ClaudeCode, step: str) -> bool:
    """Whether it replaced the settings file."""
    if step == "unapply":
        done = claude.unapply()
    else:
        done = claude.apply(PROFILES[step], token=TOKEN, allow_tracked=True)
    return any(target.plan.is_changed for target in done.targets if target.plan.path == claude.scope.settings)


def member(number: int, home: Path, turns: Iterable[int]) -> dict[str, Any]:
    """Apply, switch, unapply; how each of them ended, and how long the slowest took."""
    claude = claude_of(home, SCOPES[number % len(SCOPES)])
    ends: Counter[str] = Counter()
    replaced, slowest = 0, 0.0
    for turn in turns:
        began = time.monotonic()
        try:
            is_replaced = carry_out(claude, STEPS[(number + turn) % len(STEPS)])
            replaced += is_replaced and claude.scope.name == "user"
            ends["0"] += 1
        except (LockTimeoutError, TargetBusyError) as error:
            ends[str(error.exit_code)] += 1
        slowest = max(slowest, time.monotonic() - began)
    return {"ends": ends, "replaced": replaced, "slowest_s": slowest}


def until(stop: Path, pause_s: float) -> Iterator[int]:
    """0, 1, … with a pause after each, until the file ``stop`` is there."""
    for turn in itertools.count():
        if stop.exists():
            return
        yield turn
        time.sleep(pause_s)


def exchange(first: Path, second: Path) -> None:
    """Swap two files at once, so that a writer sees what its rename replaced."""
    at_cwd, swap = -100, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at_cwd, os.fsencode(first), at_cwd, os.fsencode(second), swap) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def command(home: Path, scratch: Path, members: int, *rounds: int) -> list[str]:
    """What starts a crowd with the package that is tested."""
    package = str(Path(kimi_profiles.__file__).parent.parent)
    code = "import sys; sys.path[:0] = sys.argv[1:3]; from faults import crowd; crowd.main(sys.argv[3:])"
    tests = str(Path(__file__).parent.parent)
    arguments = [package, tests, str(home), str(scratch), *map(str, (members, *rounds))]
    return [sys.executable, "-P", "-c", code, *arguments]


class Neighbour:
    """A program that counts in a key of its own, adds keys now and then, and remembers what it wrote.

    It knows what we overwrote: the next time it reads, its count has gone back. It overwrites nothing of
    ours: what it swapped out and had not read goes back in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spare = path.with_name(f"{path.name}.neighbour")
        self.own: dict[str, Any] = {"count": 0}
        self.found = {"written": 0, "overwritten": 0, "lost": 0, "put back": 0}

    def read(self) -> tuple[bytes, dict[str, Any]]:
        data = self.path.read_bytes()
        document = json.loads(data)
        seen = document.get("theirs", {"count": 0})
        lost = self.own["count"] - seen["count"]
        self.found["lost"] += lost
        self.found["overwritten"] += lost > 0
        assert lost > 0 or seen == self.own
        return data, document

    def write(self) -> None:
        data, document = self.read()
        count = self.own["count"] + 1
        own = {**self.own, "count": count}
        if count % 50 == 0:
            own[f"key {count}"] = {"since": count}
        document["theirs"] = own
        self.spare.write_text(json.dumps(document, indent=2), encoding="utf-8")
        mine = self.spare.read_bytes()
        self.swap_in()
        while (out := self.spare.read_bytes()) != data:
            self.found["put back"] += 1
            self.swap_in()
            data, mine = mine, out
        self.spare.unlink()
        self.found["written"] += 1
        if json.loads(mine).get("theirs") == own:
            self.own = own

    def swap_in(self) -> None:
        exchange(self.spare, self.path)


class PoliteNeighbour(Neighbour):
    """Takes the lock that Claude Code takes, as that does: by ``mkdir``, over when it is stale."""

    def write(self) -> None:
        lock = self.path.with_name(f"{self.path.name}.lock")
        while True:
            try:
                lock.mkdir()
                break
            except FileExistsError:
                with contextlib.suppress(OSError):
                    if time.time() - lock.stat().st_mtime > STALE_S:
                        lock.rmdir()
                time.sleep(PAUSE_S)
        try:
            super().write()
        finally:
            lock.rmdir()

    def swap_in(self) -> None:
        """A rename: under the lock nobody else writes."""
        data = self.path.read_bytes()
        self.spare.replace(self.path)
        self.spare.write_bytes(data)


def neighbour(kind: type[Neighbour], path: Path, stop: Path) -> dict[str, Any]:
    it = kind(path)
    for _ in until(stop, PAUSE_S):
        it.write()
    it.write()  # everybody else has ended, so this stays
    return {"found": it.found, "own": it.own}


def reader(home: Path, stop: Path) -> dict[str, Any]:
    """Looks at every file all the time: each has to be whole, and ``status`` never fails."""
    files = [home / ".claude.json", home / ".claude" / "settings.json"]
    ledger = home / ".local" / "state" / "kimi-profiles" / "ledger.json"
    claude = claude_of(home, "user")
    looks = 0
    for _ in until(stop, PAUSE_S):
        for path in files:
            json.loads(path.read_bytes())
        if ledger.exists():
            json.loads(ledger.read_bytes())
        claude.status()
        looks += 1
    return {"looks": looks}


def start(work: Callable[[], dict[str, Any]], result: Path) -> int:
    """Run ``work`` in a child that leaves its answer in ``result``."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        result.write_text(json.dumps(work()), encoding="utf-8")
        status = 0
    except BaseException:  # noqa: BLE001 - the parent looks at it
        result.write_text(json.dumps({"died": traceback.format_exc()}), encoding="utf-8")
    finally:
        os._exit(status)


def gather(children: dict[int, Path]) -> list[dict[str, Any]]:
    for child in children:
        os.waitpid(child, 0)
    return [json.loads(path.read_text(encoding="utf-8")) for path in children.values()]


def run(home: Path, scratch: Path, members: int, rounds: int) -> dict[str, Any]:
    stop = scratch / "stop"
    settings, state = home / ".claude" / "settings.json", home / ".claude.json"
    beside = {
        start(lambda: neighbour(Neighbour, settings, stop), scratch / "settings"): scratch / "settings",
        start(lambda: neighbour(PoliteNeighbour, state, stop), scratch / "state"): scratch / "state",
    }
    for number in range(READERS):
        result = scratch / f"reader {number}"
        beside[start(lambda: reader(home, stop), result)] = result
    began = time.monotonic()
    ours = {}
    for number in range(members):
        result = scratch / f"member {number}"
        ours[start(lambda number=number: member(number, home, range(rounds)), result)] = result
    done = gather(ours)
    took_s = time.monotonic() - began
    stop.touch()
    theirs, polite, *readers = gather(beside)
    return {
        "members": done,
        "settings": theirs,
        "state": polite,
        "readers": readers,
        "took_s": took_s,
    }


def run_beside(home: Path, scratch: Path, members: int) -> dict[str, Any]:
    """Members that go on, and one reader, until the file ``scratch/stop`` is there."""
    stop = scratch / "stop"
    children = {start(lambda: reader(home, stop), scratch / "reader"): scratch / "reader"}
    for number in range(members):
        result = scratch / f"member {number}"
        turns = until(stop, BESIDE_PAUSE_S)
        children[start(lambda number=number, turns=turns: member(number, home, turns), result)] = result
    first, *done = gather(children)
    return {"members": done, "readers": [first]}


def everybody(found: dict[str, Any]) -> list[dict[str, Any]]:
    beside = [found[name] for name in ("settings", "state") if name in found]
    return [*found["members"], *beside, *found["readers"]]


def main(arguments: list[str]) -> None:
    """``HOME SCRATCH MEMBERS ROUNDS``; without the rounds until somebody says stop."""
    home, scratch = map(Path, arguments[:2])
    members, *rounds = map(int, arguments[2:])
    print(json.dumps(run(home, scratch, members, *rounds) if rounds else run_beside(home, scratch, members)))
