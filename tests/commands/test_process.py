"""The program as a process: what its caller did to the standard streams."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from commands.conftest import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

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
