"""What tests of several kinds share: the outside tools they need, and a secret service to talk to."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
IS_LONG = os.environ.get("KIMI_PROFILES_LONG") == "1"


def unavailable(reason: str) -> NoReturn:
    """Skip the calling test; fail it where ``KIMI_PROFILES_CI=1`` says that nothing may be missing."""
    if os.environ.get("KIMI_PROFILES_CI") == "1":
        pytest.fail(f"{reason}; KIMI_PROFILES_CI=1 lets no test be skipped for that", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def amount(usual: int, long: int) -> int:
    """How many of something to try: ``long`` with ``make test-long``, which sets ``KIMI_PROFILES_LONG=1``."""
    return long if IS_LONG else usual


def stamp_of(path: Path) -> tuple[int, int]:
    """Another one after whatever is done to the file but reading it."""
    status = path.stat()
    return status.st_ino, status.st_ctime_ns


def require_tool(name: str) -> str:
    """Return the path of the program ``name``; without it the calling test is skipped, or fails in CI."""
    return shutil.which(name) or unavailable(f"this machine has no {name}")


# No service directory: only the daemon started below can answer on this bus, so a call that would raise a
# password prompt fails at once instead of waiting for somebody to type.
_BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={directory}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def run_with_secret_service(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run Python ``code`` where the freedesktop secret service is a real, unlocked GNOME Keyring.

    The bus and the service are private to the call and gone after it. The keyring files stay under ``home``:
    a second call with the same ``home`` reads what the first one stored.

    Args:
        code: Run by this interpreter with ``home`` as home and working directory, in a clean environment.
        home: Made when missing.

    Returns:
        The exit status and the output of ``code`` alone.

    Raises:
        subprocess.TimeoutExpired: ``code`` ran for more than 60 seconds.
    """
    bus_daemon, keyring_daemon = require_tool("dbus-daemon"), require_tool("gnome-keyring-daemon")
    home.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        # Not below `home`: the address of a Unix socket ends at 108 characters.
        runtime = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bus-", dir="/tmp")))
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "XDG_DATA_HOME": str(home / ".local" / "share"),
            "XDG_STATE_HOME": str(home / ".local" / "state"),
            "XDG_RUNTIME_DIR": str(runtime),
        }
        (runtime / "bus.conf").write_text(_BUS.format(directory=runtime), encoding="utf-8")
        bus = [bus_daemon, f"--config-file={runtime / 'bus.conf'}", "--nofork", "--print-address"]
        started = stack.enter_context(_daemon(bus, environment))
        environment["DBUS_SESSION_BUS_ADDRESS"] = started.stdout.readline().strip()
        keyring = [keyring_daemon, "--foreground", "--unlock", "--components=secrets"]
        started = stack.enter_context(_daemon(keyring, environment))
        started.stdin.write("a throw-away password")
        started.stdin.close()
        _wait_for_secret_service(environment)
        return subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@contextlib.contextmanager
def _daemon(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run ``command``, a program that stays in the foreground, as long as the block."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait_for_secret_service(environment: dict[str, str]) -> None:
    """Return when the secret service is on the bus of ``environment``; fail the test after 20 seconds."""
    question = [require_tool("dbus-send"), "--session", "--print-reply", "--reply-timeout=1000"]
    question += ["--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner"]
    question += ["string:org.freedesktop.secrets"]
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = subprocess.run(question, env=environment, capture_output=True, text=True, check=False)
        if "boolean true" in answer.stdout:
            return
        time.sleep(0.05)
    pytest.fail(f"the secret service did not start: {answer.stderr or answer.stdout}", pytrace=False)


def parts_of(data: bytes) -> Callable[[int, int], bytes]:
    """What reads parts of a file that holds this; as ``kimi_profiles.archive.OpenParts``."""

    def read(start: int, length: int) -> bytes:
        if start < 0 or length < 0:
            raise OSError
        return data[start : start + length]

    return read
