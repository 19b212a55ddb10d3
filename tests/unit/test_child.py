"""A program that we start gets every signal once, and we end as it does; with real programs and terminals."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import require_tool

from kimi_profiles.running.child import end_like, held_signals, run_child

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.once, pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")]

LAUNCHER = """
import os, sys
from kimi_profiles.running.child import end_like, held_signals, run_child
with held_signals() as held:
    ended = run_child(sys.argv[1], sys.argv[2:], dict(os.environ), held=held, kept_open=None)
sys.exit(end_like(ended))
"""
# Says what it gets, as often as it gets it; SIGTERM ends it.
LISTENER = """
import signal, sys
def told(number, _):
    print(signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM:
        sys.exit(9)
for name in "HUP INT QUIT TERM USR1 USR2 WINCH CONT".split():
    signal.signal(getattr(signal, "SIG" + name), told)
print("ready", flush=True)
while True:
    signal.pause()
"""


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", LAUNCHER, *words]


@contextlib.contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        try:
            yield run
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)


def line(run: subprocess.Popen[str]) -> str:
    assert run.stdout is not None
    ready, _, _ = select.select([run.stdout], [], [], 20)
    assert ready, "the program said nothing for 20 seconds"
    return run.stdout.readline().strip()


def shell(script: str) -> tuple[str, str, str]:
    return require_tool("sh"), "-c", script


@pytest.mark.parametrize("status", [0, 1, 3, 130, 255])
def test_the_exit_status_is_that_of_the_program(status: int) -> None:
    with held_signals() as held:
        ended = run_child(
            require_tool("sh"), ["-c", f"exit {status}"], dict(os.environ), held=held, kept_open=None
        )
    assert end_like(ended) == status


def test_signals_go_on_to_the_program() -> None:
    with started(sys.executable, "-S", "-c", LISTENER) as run:
        assert line(run) == "ready"
        for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGTERM"):
            run.send_signal(getattr(signal, name))
            assert line(run) == name
        assert run.wait(20) == 9
        assert run.stdout is not None
        assert run.stdout.read() == ""


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM", "SIGUSR1", "SIGKILL", "SIGSEGV"])
def test_we_die_by_the_signal_by_which_the_program_died(name: str) -> None:
    number = int(getattr(signal, name))
    assert subprocess.run(command(*shell(f"kill -{number} $$")), check=False).returncode == -number


def test_our_memory_is_not_dumped(tmp_path: Path) -> None:
    if Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").startswith("|"):
        pytest.skip("a program gets the core dumps of this machine")
    script = 'ulimit -c unlimited 2>/dev/null; exec "$@"'
    words = command(*shell("ulimit -c 0; kill -QUIT $$"))
    child = subprocess.Popen([*shell(script), "sh", *words], cwd=tmp_path)
    _, status = os.waitpid(child.pid, 0)
    child.returncode = 0
    assert os.WTERMSIG(status) == signal.SIGQUIT
    assert not os.WCOREDUMP(status)


def test_the_program_finds_signals_as_we_were_given_them() -> None:
    grep = require_tool("grep")
    words = command(grep, "-E", "Sig(Blk|Ign)", "/proc/self/status")
    ignoring = [*shell("trap '' HUP; exec \"$@\""), "sh"]
    told = [
        subprocess.run([*before, *words], capture_output=True, text=True, check=True).stdout.split()
        for before in ([], ignoring)
    ]
    plain, with_hup = (dict(zip(words[::2], words[1::2], strict=True)) for words in told)
    assert int(plain["SigBlk:"], 16) == 0
    assert int(with_hup["SigBlk:"], 16) == 0
    pipe, hup = 1 << signal.SIGPIPE - 1, 1 << signal.SIGHUP - 1
    assert int(plain["SigIgn:"], 16) & pipe == 0
    assert int(with_hup["SigIgn:"], 16) & hup == hup


def test_we_stop_when_the_program_stops_and_it_goes_on_when_we_do() -> None:
    with started(*shell("kill -STOP $$; exit 5")) as run:
        deadline = time.monotonic() + 20
        found = status = 0
        while found == 0 and time.monotonic() < deadline:
            found, status = os.waitpid(run.pid, os.WUNTRACED | os.WNOHANG)
            time.sleep(0.01)
        assert found == run.pid
        assert os.WIFSTOPPED(status)
        run.send_signal(signal.SIGCONT)
        assert run.wait(20) == 5


def test_signals_wait_while_nothing_is_started_and_are_dropped_at_the_end() -> None:
    script = """
import os, signal
from kimi_profiles.running.child import held_signals
with held_signals():
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    print("held", flush=True)
print("alive", signal.pthread_sigmask(signal.SIG_BLOCK, set()), signal.sigpending(), flush=True)
os.kill(os.getpid(), signal.SIGTERM)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("held\nalive set() set()\n", -signal.SIGTERM)


EARLY = """
import os, signal, sys
from kimi_profiles.running.child import end_like, held_signals, run_child
number, is_ignored = int(sys.argv[1]), sys.argv[2] == "True"
spawn = os.posix_spawn
# Whoever is started all the same may get the signal before it can say so.
os.posix_spawn = lambda *words, **options: (print("starting", flush=True), spawn(*words, **options))[1]
with held_signals(frozenset({number} if is_ignored else ())) as held:
    os.kill(os.getpid(), number)
    ended = run_child("/bin/sh", ["-c", "echo started"], dict(os.environ), held=held, kept_open=None)
sys.exit(end_like(ended))
"""


@pytest.mark.parametrize("is_ignored", [False, True])
@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"])
def test_what_came_before_the_start_ends_us_unless_we_ignore_it(name: str, *, is_ignored: bool) -> None:
    number = int(getattr(signal, name))
    words = [sys.executable, "-c", EARLY, str(number), str(is_ignored)]
    run = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    assert (run.stdout, run.returncode, run.stderr) == (
        ("starting\nstarted\n", 0, "") if is_ignored else ("", -number, "")
    )


def test_a_resize_before_the_start_ends_nothing() -> None:
    words = [sys.executable, "-c", EARLY, str(int(signal.SIGWINCH)), "False"]
    run = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    assert (run.stdout, run.returncode) == ("starting\nstarted\n", 0)


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with held_signals() as held, pytest.raises(PermissionError):
        run_child(str(file), [], {}, held=held, kept_open=None)


class Terminal:
    """A session with a terminal of its own."""

    def __init__(self, *words: str) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execv(words[0], words)
        self.text = ""

    def type(self, text: str) -> None:
        self.text = ""
        os.write(self.terminal, text.encode())

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in self.text:
            ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {text!r} in {self.text!r}"
            try:
                self.text += os.read(self.terminal, 4096).decode("utf-8", "replace")
            except OSError:
                pytest.fail(f"no {text!r} in {self.text!r}")

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    made = Terminal(*request.param)
    try:
        yield made
    finally:
        made.end()


LISTENING = command(sys.executable, "-S", "-c", LISTENER)


@pytest.mark.parametrize("terminal", [LISTENING], indirect=True, ids=[""])
def test_what_the_terminal_sends_comes_once(terminal: Terminal) -> None:
    terminal.wait_for("ready")
    for key, name, other in (("\x03", "SIGINT", signal.SIGUSR1), ("\x1c", "SIGQUIT", signal.SIGUSR2)):
        terminal.type(key)
        terminal.wait_for(name)
        os.kill(terminal.pid, other)  # what would come twice has come when the next one has
        terminal.wait_for(other.name)
        assert terminal.text.count(name) == 1


def test_a_terminal_that_closes_ends_both() -> None:
    terminal = Terminal(*command(*shell("echo up $$ .; exec sleep 60")))
    try:
        terminal.wait_for(" .")
        program = int(terminal.text.split()[1])
    finally:
        os.close(terminal.terminal)
    try:
        deadline, found, status = time.monotonic() + 5, 0, 0
        while found == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
            found, status = os.waitpid(terminal.pid, os.WNOHANG)
        assert found == terminal.pid, "we go on without a terminal"
        assert os.waitstatus_to_exitcode(status) == -signal.SIGHUP
        with pytest.raises(ProcessLookupError):
            os.kill(program, 0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(program, signal.SIGKILL)
        if found == 0:
            os.waitpid(terminal.pid, 0)


def test_ctrl_z_gives_the_terminal_back_to_the_shell(tmp_path: Path) -> None:
    (tmp_path / "launcher.py").write_text(LAUNCHER)
    words = [sys.executable, str(tmp_path / "launcher.py"), *shell("echo up; exec cat")]
    terminal = Terminal(require_tool("bash"), "--norc", "--noprofile", "-i")
    try:
        terminal.wait_for("# " if os.geteuid() == 0 else "$ ")
        terminal.type(shlex.join(words) + "\n")
        terminal.wait_for("\nup")
        terminal.type("\x1a")
        terminal.wait_for("Stopped")
        terminal.type("fg\n")
        terminal.wait_for("exec cat'\r\n")
        terminal.type("again\n")
        terminal.wait_for("again\r\nagain")
        terminal.type("\x04")
        terminal.wait_for("# " if os.geteuid() == 0 else "$ ")
        terminal.type("echo so $?\n")
        terminal.wait_for("so 0")
    finally:
        terminal.end()


THREADED = """
import os, sys, threading, time
from kimi_profiles.running.child import held_signals, run_child

def spawn(*arguments, _spawn=os.posix_spawn, **options):
    child = _spawn(*arguments, **options)
    time.sleep(0.3)  # it has ended before anybody waits for it
    return child

os.posix_spawn = spawn
threading.Thread(target=time.sleep, args=(30,), daemon=True).start()  # holds no signals, so it may get ours
with held_signals() as held:
    sys.exit(run_child("/bin/sh", ["-c", "exit 3"], dict(os.environ), held=held, kept_open=None))
"""


def test_the_end_is_noticed_beside_another_thread() -> None:
    assert subprocess.run([sys.executable, "-c", THREADED], timeout=20, check=False).returncode == 3
