"""The command in a clean process: as another user, with another umask, with less memory, and measured.

A server that has everything imported forks one child for each call, so a child is as large as the program and
not as pytest, and a user who may not read this checkout can run it.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import ROOT

import kimi_profiles

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
TOKEN = "sk-canary-0123456789abcdefghij"
STORE = """\
[profiles.work]
base_url = "https://a.example/anthropic"
auth.token.env = "CANARY"
"""
_SERVER = """
import sys
sys.path[:0] = sys.argv[1:3]
from faults import spawn
spawn.serve(sys.argv[3])
"""


@dataclass(frozen=True)
class Ran:
    """What came of a call.

    Attributes:
        status: Exit status, or the signal that ended it, negative.
        seconds: How much time of the processor it took.
        size_mb: The most memory it had, in MB.
    """

    status: int
    out: str
    err: str
    seconds: float
    size_mb: float

    @property
    def words(self) -> str:
        """What it said."""
        return self.out + self.err

    def check_words(self) -> None:
        """An error is a line and perhaps a hint; it is no surprise, and shows no token."""
        assert TOKEN not in self.words, self
        assert "Traceback" not in self.words, self
        assert "should not" not in self.words, self
        lines = [line for line in self.err.splitlines() if not line.startswith(("warning: ", "   hint: "))]
        if self.status not in {0, 4}:
            assert lines, self
            assert lines[0].startswith("kimi-profiles: "), self
            assert all(line.startswith("hint: ") for line in lines[1:]), self


class Server:
    """Runs calls in children."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process, self.folder = process, folder

    def run(self, *arguments: str, **order: Any) -> Ran:
        """One call; ``order`` may have ``user``, ``umask``, ``limit_mb``, ``stdin`` (text)."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"arguments": arguments, **order}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        texts = ((self.folder / str(n)).read_bytes().decode("utf-8", "surrogateescape") for n in (1, 2))
        return Ran(answer["status"], *texts, seconds=answer["seconds"], size_mb=answer["size_mb"])


@contextlib.contextmanager
def started_server(folder: Path) -> Iterator[Server]:
    """A server that keeps what its children say in ``folder``."""
    package = str(Path(kimi_profiles.__file__).parent.parent)
    command = [sys.executable, "-P", "-c", _SERVER, package, str(ROOT / "tests"), str(folder)]
    environment = {**os.environ, "CANARY": TOKEN}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True) as process:
        try:
            yield Server(process, folder)
        finally:
            process.kill()


def serve(folder: str) -> None:
    """What the server does: an order a line, one child for each, its fate for an answer."""
    answers = os.fdopen(os.dup(1), "w")
    _warm(folder)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            status = 99
            try:
                status = _child(folder, order)
            finally:
                os._exit(status)
        _, status, usage = os.wait4(child, 0)
        fate = {
            "status": os.waitstatus_to_exitcode(status),
            "seconds": usage.ru_utime + usage.ru_stime,
            "size_mb": usage.ru_maxrss / 1024,
        }
        answers.write(json.dumps(fate) + "\n")
        answers.flush()


def _warm(folder: str) -> None:
    """Import all that a command may need."""
    from kimi_profiles.cli import COMMANDS, main

    with tempfile.TemporaryDirectory() as home:
        store = Path(home) / "profiles.toml"
        store.write_text(STORE, encoding="utf-8")
        for number in (1, 2):
            os.dup2(os.open(Path(folder) / str(number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        for name in COMMANDS:
            main([name, "--help"])
        for line in ("apply work", "status --json", "show work", "list", "validate", "apply no", "unapply"):
            main([*line.split(), "--home", home, "--store", str(store)])


def _child(folder: str, order: dict[str, Any]) -> int:
    from kimi_profiles.cli import main

    for number in (1, 2):
        os.dup2(os.open(Path(folder) / str(number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if "limit_mb" in order:
        limit = order["limit_mb"] << 20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.alarm(30)  # for one that waits
    os.umask(order.get("umask", 0o022))
    if order.get("user"):
        os.setgroups([])
        os.setgid(order["user"])
        os.setuid(order["user"])
    arguments = [os.fsdecode(argument.encode("utf-8", "surrogateescape")) for argument in order["arguments"]]
    status = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    return status
