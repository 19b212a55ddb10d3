"""A run that is killed at a system call: each file is old or new, and the next command carries on.

A server that has everything imported forks one child for each fault. ``strace`` is attached while the child
waits, so its counts begin with the run and not with Python's own start. A fault is a system call and which of
its kind; a run without any tells which there are. To extend: ``CALLS`` takes any system call (``all``
would do), ``SAMPLE`` says how many faults to try in each run, and ``Server.run`` takes whatever
``strace --inject`` understands (``error=EIO`` in place of ``signal=KILL``).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import ROOT, require_tool

from kimi_profiles import ClaudeCode, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS = (
    "openat,write,fsync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,fchmod,chmod,fchmodat,"
    "fchown,flock"
)
SAMPLE = 50
TOKEN = "sk-canary-0123456789abcdefghijklmnopqrstuvwxyz"
PROFILES = {
    "a": Profile("a", "https://a.example/anthropic", auth_variable="ANTHROPIC_API_KEY"),
    "b": Profile("b", "https://b.example/anthropic", env={"LANG": "C"}),
}
SETTINGS = b'{\r\n\t"permissions": {"allow": ["Read"]},\r\n\t"n": 1.0, "env" : { "LANG":"de" }\r\n}'
STATE = b'{"primaryApiKey": "sk-login", "numStartups": 123456789012345678901234567890}\n'

SERVER = """
import ctypes, json, os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import test_kill

PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)
warm = Path(sys.argv[2])
warm.mkdir()
for step in ("a", "b", "unapply"):
    test_kill.carry_out(step, warm)
for line in sys.stdin.buffer.raw:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
        os.write(1, f"{os.getpid()}\\n".encode())
        os.read(0, 1)
        test_kill.carry_out(order["step"], Path(order["home"]))
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(1, f"{status}\\n".encode())
"""


def carry_out(step: str, home: Path) -> Any:
    """Apply one of the profiles, or unapply."""
    claude = ClaudeCode.user(home=home, timeout_s=2)
    return claude.unapply() if step == "unapply" else claude.apply(PROFILES[step], token=TOKEN)


class Server:
    """Runs steps in children, under ``strace``."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log, self.strace = process, log, require_tool("strace")

    def run(self, step: str, home: Path, *options: str) -> int:
        """Exit code of the child, negative for the signal that ended it; what it did is in ``log``."""
        self._tell(json.dumps({"step": step, "home": str(home)}) + "\n")
        child = self._answer()
        self.log.unlink(missing_ok=True)
        command = [self.strace, "-q", "-o", str(self.log), *options, "-p", str(child)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as tracer:
            try:
                self._wait_for_tracer(child, tracer)
                self._tell("!")
                status = self._answer()
                tracer.wait(10)
            finally:
                tracer.kill()
        return status

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    require_tool("strace")
    folder = tmp_path_factory.mktemp("server")
    command = [sys.executable, "-c", SERVER, str(Path(__file__).parent), str(folder / "warm")]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as process:
        try:
            yield Server(process, folder / "log")
        finally:
            process.kill()


@pytest.fixture
def home() -> Iterator[Path]:
    """In memory where that can be: a power cut is not what is tried here."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder) / "home"


def reset(home: Path, start: dict[str, tuple[bytes | None, int]]) -> None:
    for path in sorted(home.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for name, (data, mode) in sorted(start.items()):
        path = home / name
        path.mkdir(parents=True) if data is None else path.write_bytes(data)
        path.chmod(mode)


def look(home: Path) -> dict[str, tuple[bytes | None, int]]:
    """Bytes and mode of everything below ``home``."""
    return {
        str(path.relative_to(home)): (
            path.read_bytes() if path.is_file() else None,
            path.stat().st_mode & 0o7777,
        )
        for path in home.rglob("*")
    }


def targets(home: Path) -> dict[str, tuple[bytes | None, int] | None]:
    everything = look(home)
    return {name: everything.get(name) for name in (".claude", ".claude.json", ".claude/settings.json")}


def leftovers(home: Path) -> list[str]:
    return [name for name in look(home) if name.endswith((".kimi-profiles", ".tmp", ".json.lock"))]


def faults(log: str) -> list[tuple[str, int]]:
    """Each call in the log of a run, and which of its kind it is, from 1."""
    seen: dict[str, int] = {}
    found = []
    for call in re.findall(r"^(?:\d+ +)?(\w+)\(", log, re.MULTILINE):
        seen[call] = seen.get(call, 0) + 1
        found.append((call, seen[call]))
    return found


def sample(points: list[tuple[str, int]], size: int) -> list[tuple[str, int]]:
    """``size`` of them, evenly spread, the first and the last among them."""
    if len(points) <= size:
        return points
    return [points[round(n * (len(points) - 1) / (size - 1))] for n in range(size)]


# id → whether files are there, steps before, the step that is killed
RUNS = {
    "apply": (True, [], "a"),
    "apply where nothing is": (False, [], "a"),
    "switch": (True, ["a"], "b"),
    "unapply": (True, ["a"], "unapply"),
    "unapply to nothing": (False, ["b"], "unapply"),
}


@pytest.mark.parametrize("case", RUNS.values(), ids=RUNS)
def test_killed_at_a_system_call(case: tuple[bool, list[str], str], server: Server, home: Path) -> None:
    is_filled, steps, killed = case
    home.mkdir()
    if is_filled:
        reset(home, {".claude": (None, 0o755), ".claude/settings.json": (SETTINGS, 0o644)})
        (home / ".claude.json").write_bytes(STATE)
    original = targets(home)
    for step in steps:
        carry_out(step, home)
    start = look(home)
    old = targets(home)
    assert server.run(killed, home, "-e", f"trace={CALLS}") == 0
    new = targets(home)
    points = faults(server.log.read_text())
    assert len(points) > 20
    assert old != new

    for number, (call, count) in enumerate(sample(points, SAMPLE)):
        reset(home, start)
        fault = f"inject={call}:signal=KILL:when={count}"
        assert server.run(killed, home, "-e", f"trace={call}", "-e", fault) == -signal.SIGKILL, fault
        for name, state in targets(home).items():
            assert state in (old[name], new[name]), (fault, name)

        with contextlib.suppress(FileNotFoundError):  # ten seconds pass
            os.utime(home / ".claude.json.lock", (0, 0))
        if number % 2:
            carry_out(killed, home)
            assert targets(home) == new, fault
        carry_out("unapply", home)
        assert targets(home) == original, fault
        assert leftovers(home) == [], fault
