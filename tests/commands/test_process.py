"""The program as a process: what its caller did to the standard streams."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands.conftest import TOKEN, Run

from kimi_profiles import kept

pytestmark = pytest.mark.skipif(os.name == "nt", reason="descriptors as POSIX has them")


@pytest.mark.parametrize("closed", [[0], [1], [2], [1, 2], [0, 1, 2]], ids=str)
def test_a_stream_that_was_closed_is_no_fault_and_no_file_gets_the_output(
    closed: list[int], home: Path
) -> None:
    def close() -> None:
        for number in closed:
            os.close(number)

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "kimi_profiles", "--home", str(home), *arguments],
            env={**os.environ, "MOONSHOT_API_KEY": TOKEN},
            preexec_fn=close,
            capture_output=True,
            check=False,
        )

    assert run("apply", "moonshot-cn").returncode == 0
    assert run("apply", "nobody").returncode == 66
    assert run("status", "--check").returncode == 0
    assert run("unapply").returncode == 0
    for path in home.rglob("*"):
        assert not path.is_file() or b"applied" not in path.read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("is_silent", [False, True], ids=["told", "nowhere to tell"])
@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("--version", 1, b"No space left"),
        ("status", 1, b"No space left"),
        ("status --json", 1, b"No space left"),
        ("apply nobody --json", 66, b"no profile 'nobody'"),
        ("apply nobody", 66, b"no profile 'nobody'"),
    ],
)
def test_a_full_disk_behind_the_output_leaves_an_exit_status_and_no_traceback(
    line: str, status: int, said: bytes, home: Path, *, is_silent: bool
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kimi_profiles", "--home", str(home), *line.split()],
            stdout=full,
            stderr=full if is_silent else subprocess.PIPE,
            check=False,
        )
    assert done.returncode == status
    if not is_silent:
        assert said in done.stderr
        assert b"Traceback" not in done.stderr
        assert b"Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("line", ["--version", "--help", "apply --help", "apply --version"])
def test_help_that_cannot_be_written_is_an_error(line: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-u", "-m", "kimi_profiles", *line.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert b"No space left" in done.stderr


HALF = """
import sys
from kimi_profiles import __main__, cli
def fail():
    sys.stdout.write("half a line")
    return 75
cli.main = fail
__main__.main()
"""


def test_what_a_command_printed_before_it_failed_is_there() -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", HALF], env=buffered, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (75, b"half a line", b"")


def test_a_signal_is_not_taken_for_an_error_that_does_no_harm(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What cannot be kept for the next run, whatever the error, is not told.
    monkeypatch.setattr(kept, "replace_file", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    told = run("env work")
    assert (told.status, told.out) == (128 + signal.SIGTERM, "")
    assert "interrupted" in told.err
