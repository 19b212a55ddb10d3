"""Runs of the product under ``strace``, one after another, each on a home of its own.

A server that has everything imported forks one child for each run. ``strace`` is attached while the child
waits, so its counts begin with the run and not with Python's own start. To extend: a step is a name and what
it does to a home, in ``STEPS``, or a command line that begins with ``kimi-profiles``; ``Server.run`` takes
whatever options ``strace`` understands.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support import ROOT, amount, require_tool

import kimi_profiles
from kimi_profiles import ClaudeCode, Profile, ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz"
PROFILES = {
    "a": Profile("a", "https://a.example/anthropic", auth_variable="ANTHROPIC_API_KEY"),
    "b": Profile("b", "https://b.example/anthropic", env={"LANG": "C"}),
}
LEDGER = ".local/state/kimi-profiles/ledger.json"
STORE = ".config/kimi-profiles/profiles.toml"
DECLARED = b"""\
[profiles.a]
base_url = "https://a.example/anthropic"
auth = { variable = "ANTHROPIC_API_KEY", token = { env = "CANARY" } }
[profiles.b]
base_url = "https://b.example/anthropic"
auth.token.env = "CANARY"
env.LANG = "C"
"""
SETTINGS = b'{\r\n\t"permissions": {"allow": ["Read"]},\r\n\t"n": 1.0, "env" : { "LANG":"de" }\r\n}'
STATE = b'{"primaryApiKey": "sk-login", "numStartups": 123456789012345678901234567890}\n'

# What a home is made of: name → bytes (None for a folder) and mode.
State = dict[str, tuple[bytes | None, int]]
# The same of what the user sees; None for what is not there.
Targets = dict[str, tuple[bytes | None, int] | None]
BARE: State = {
    ".config": (None, 0o755),
    ".config/kimi-profiles": (None, 0o755),
    STORE: (DECLARED, 0o644),
}
FILLED: State = {
    **BARE,
    ".claude": (None, 0o755),
    ".claude/settings.json": (SETTINGS, 0o644),
    ".claude.json": (STATE, 0o600),
}
TARGETS = (".claude", ".claude.json", ".claude/settings.json")


def _write_by_hand(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"n": 1.0', b'"n": 2.0'))


def _claude(home: Path) -> ClaudeCode:
    return ClaudeCode.user(home=home, timeout_s=2)


STEPS: dict[str, Callable[[Path], object]] = {
    "a": lambda home: _claude(home).apply(PROFILES["a"], token=TOKEN),
    "b": lambda home: _claude(home).apply(PROFILES["b"], token=TOKEN),
    "unapply": lambda home: _claude(home).unapply(),
    "restore": lambda home: _claude(home).restore("pristine"),
    "by hand": lambda home: _write_by_hand(home / ".claude/settings.json"),
}
# The same as command lines.
COMMANDS = {
    "a": "kimi-profiles apply a --quiet",
    "b": "kimi-profiles apply b --quiet",
    "unapply": "kimi-profiles unapply --quiet",
    "restore": "kimi-profiles backups restore pristine --quiet",
}
IN_PARTS = ", in parts"
COMMANDS |= {name + IN_PARTS: line + IN_PARTS for name, line in COMMANDS.items()}


class Run(NamedTuple):
    """A step to disturb: what there is at first, the steps before, the step, and one that goes back."""

    first: State
    before: list[str]
    step: str
    opposite: str


RUNS = {
    "apply": Run(FILLED, [], "a", "unapply"),
    "apply where nothing is": Run(BARE, [], "a", "unapply"),
    "switch": Run(FILLED, ["a"], "b", "a"),
    "unapply": Run(FILLED, ["a"], "unapply", "a"),
    "unapply to nothing": Run(BARE, ["b"], "unapply", "b"),
    "restore": Run(FILLED, ["a", "by hand"], "restore", "a"),
    "restore to nothing": Run(BARE, ["b"], "restore", "b"),
}
ALL_RUNS = RUNS | {
    "switch, in parts": Run(FILLED, [f"a{IN_PARTS}"], f"b{IN_PARTS}", f"a{IN_PARTS}"),
    **(
        {"unapply, in parts": Run(FILLED, [f"a{IN_PARTS}"], f"unapply{IN_PARTS}", "a")}
        if amount(0, 1)
        else {}
    ),
}

_SERVER = """
import sys
sys.path[:0] = sys.argv[1:3]
from faults import traced
traced.serve(sys.argv[3])
"""


def carry_out(step: str, home: Path) -> int:
    """One of ``STEPS``, or a command line; the exit status.

    With ``, in parts`` behind it, all that is on record goes to the archive, as if it were very much.
    """
    step, in_parts, _ = step.partition(IN_PARTS)
    if in_parts:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ledger, "_MAX_RECENT_BYTES", 0)
            return carry_out(step, home)
    if not step.startswith("kimi-profiles "):
        STEPS[step](home)
        return 0
    from kimi_profiles.cli import main

    status = main([*step.split()[1:], "--home", str(home), "--lock-timeout", "2"])
    sys.stderr.flush()
    return status


def serve(folder: str) -> None:
    """What the server does: an order a line, a child for each; answers are its process id and its status."""
    import ctypes

    ptracer, anybody = 0x59616D61, ctypes.c_ulong(-1)
    warm = Path(folder) / "warm"
    reset(warm, FILLED)
    for step in ("a", "unapply", "kimi-profiles apply b --quiet", "kimi-profiles unapply --quiet"):
        carry_out(step, warm)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    for line in sys.stdin.buffer.raw:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).prctl(ptracer, anybody, 0, 0, 0)
            os.write(1, f"{os.getpid()}\n".encode())
            for number in (1, 2):
                os.dup2(os.open(Path(folder) / str(number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            signal.sigwait([signal.SIGUSR1])
            # A tracer that has seized us may not have stopped us yet; a signal does, until it is ready.
            os.kill(os.getpid(), signal.SIGCONT)
            os._exit(carry_out(order["step"], Path(order["home"])))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(1, f"{status}\n".encode())


class Server:
    """Runs steps in children, under ``strace``."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process, self.folder, self.strace = process, folder, require_tool("strace")

    def run(self, step: str, home: Path, *options: str) -> int:
        """Exit status of the child, negative for the signal that ended it; what it did is in ``log``."""
        self._tell(json.dumps({"step": step, "home": str(home)}) + "\n")
        child = self._answer()
        log = self.folder / "log"
        log.unlink(missing_ok=True)
        command = [self.strace, "-q", "-o", str(log), *options, "-p", str(child)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as tracer:
            try:
                self._wait_for_tracer(child, tracer)
                os.kill(child, signal.SIGUSR1)
                status = self._answer()
                tracer.wait(10)
            finally:
                tracer.kill()
        return status

    @property
    def log(self) -> str:
        """What ``strace`` wrote about the last run."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def out(self) -> str:
        """What the last run wrote to standard output."""
        return (self.folder / "1").read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        """What the last run wrote to standard error."""
        return (self.folder / "2").read_text(encoding="utf-8")

    def _tell(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def _answer(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    @staticmethod
    def _wait_for_tracer(child: int, tracer: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + 10
        while "TracerPid:\t0\n" in Path(f"/proc/{child}/status").read_text(encoding="ascii"):
            if tracer.poll() is not None or time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                assert tracer.stderr is not None
                pytest.fail(f"strace could not be attached: {tracer.stderr.read()}")
            time.sleep(0.001)


@contextlib.contextmanager
def started_server(folder: Path) -> Iterator[Server]:
    """A server that keeps its logs in ``folder``."""
    require_tool("strace")
    # The very package that is tested, and not one in the working directory.
    package = str(Path(kimi_profiles.__file__).parent.parent)
    command = [sys.executable, "-P", "-c", _SERVER, package, str(ROOT / "tests"), str(folder)]
    environment = {**os.environ, "CANARY": TOKEN}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as process:
        try:
            yield Server(process, folder)
        finally:
            process.kill()


def reset(home: Path, start: State) -> None:
    """Make ``home`` what ``start`` says."""
    for path in sorted(home.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    put(home, start)


def put(home: Path, start: State) -> None:
    """Write what ``start`` says into ``home``, where nothing of it is."""
    home.mkdir(parents=True, exist_ok=True)
    for name, (data, mode) in sorted(start.items()):
        path = home / name
        path.mkdir(parents=True, exist_ok=True) if data is None else path.write_bytes(data)
        path.chmod(mode)


def look(home: Path) -> State:
    """Bytes and mode of everything below ``home``, but for what can be made again."""
    return {
        str(path.relative_to(home)): (
            path.read_bytes() if path.is_file() else None,
            path.stat().st_mode & 0o7777,
        )
        for path in home.rglob("*")
        if path.relative_to(home).parts[0] != ".cache"
    }


def targets(home: Path) -> Targets:
    """The files of Claude Code's that a step writes, and their folder."""
    everything = look(home)
    return {name: everything.get(name) for name in TARGETS}


def leftovers(home: Path) -> list[str]:
    """Temporary files and locks."""
    return [name for name in look(home) if name.endswith((".kimi-profiles", ".tmp", ".json.lock"))]


def age_client_lock(home: Path) -> None:
    """Ten seconds pass."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(home / ".claude.json.lock", (0, 0))


def assert_nothing_left(home: Path, why: object) -> None:
    """Nothing is applied: no temporary file, and nothing on record."""
    assert leftovers(home) == [], why
    if (home / LEDGER).exists():
        left = ledger.read_ledger(home / LEDGER)
        assert (dict(left.records), dict(left.applications), left.pending) == ({}, {}, ()), why


class Call(NamedTuple):
    """A system call of a run: which of its kind it is, from 1, and what ``strace`` wrote about it."""

    name: str
    number: int
    line: str

    @property
    def changes_something(self) -> bool:
        """Whether it may change what others see, or what is left after a power cut."""
        return bool(_CHANGING.match(self.line))


_CHANGING = re.compile(
    r"(open|openat)\(.*O_(WRONLY|RDWR|CREAT|TRUNC)"
    r"|(p?write|f(data)?sync|rename|unlink|mkdir|rmdir|f?chmod|[fl]?chown|[fl]?setxattr|f?truncate|flock|link|symlink|"
    r"fallocate|utime)\w*\("
)


def prepare(home: Path, run: Run) -> State:
    """Make ``home`` what it is before the step."""
    reset(home, run.first)
    for step in run.before:
        carry_out(step, home)
    return look(home)


def calls(log: str) -> list[Call]:
    """What a run did, from the log that ``strace`` wrote."""
    seen: dict[str, int] = {}
    found = []
    for line, name in re.findall(r"^(?:\d+ +)?((\w+)\(.*)", log, re.MULTILINE):
        if name == "rt_sigtimedwait":  # the child waits for its tracer
            continue
        seen[name] = seen.get(name, 0) + 1
        found.append(Call(name, seen[name], line))
    return found


def from_first_touch(found: list[Call], home: Path) -> list[Call]:
    """The calls from the first on that names our files; to start a program with their name is none."""
    touches = (n for n, call in enumerate(found) if str(home) in call.line and call.name != "execve")
    return found[next(touches) :]


def spread(points: list[Call], size: int) -> list[Call]:
    """``size`` of them, evenly spread, the first and the last among them."""
    if len(points) <= size:
        return points
    return [points[round(n * (len(points) - 1) / (size - 1))] for n in range(size)]
