"""Processes that hold our lock and are killed, one after another; how long the next had to wait.

``test_locks_held.py`` starts this. Every fourth time the next one is already waiting.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from kimi_profiles.locks import hold_lock

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S = 0.1
TRIES = 3


def start_holder(path: Path) -> int:
    """A child that holds the lock until it is killed."""
    ready, write = os.pipe()
    child = os.fork()
    if child == 0:
        with hold_lock(path, timeout_s=5):
            os.write(write, b"!")
            signal.pause()
        os._exit(1)
    os.close(write)
    assert os.read(ready, 1) == b"!"
    os.close(ready)
    return child


def kill(child: int, killed_at: list[float]) -> None:
    killed_at.append(time.monotonic())
    os.kill(child, signal.SIGKILL)


def wait_s(path: Path, *, is_waiting: bool) -> float:
    """From the kill to the moment at which the next one holds the lock."""
    child = start_holder(path)
    killed_at: list[float] = []
    timer = threading.Timer(0.003, kill, [child, killed_at])
    if is_waiting:
        timer.start()
    else:
        kill(child, killed_at)
    with hold_lock(path, timeout_s=5):
        held_at = time.monotonic()
    if is_waiting:
        timer.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    return held_at - killed_at[0]


def best_wait_s(path: Path, *, is_waiting: bool) -> list[float]:
    """The waits until one is short enough: on a busy machine the killed one itself may be late to die."""
    waits: list[float] = []
    while len(waits) < TRIES and (not waits or waits[-1] > LIMIT_S):
        waits.append(wait_s(path, is_waiting=is_waiting))
    return waits


def main(path: Path, count: int) -> None:
    tries: list[list[float]] = []
    while len(tries) < count and not any(waits[-1] > LIMIT_S for waits in tries[-1:]):
        tries.append(best_wait_s(path, is_waiting=len(tries) % 4 == 0))
    print(json.dumps(tries))
