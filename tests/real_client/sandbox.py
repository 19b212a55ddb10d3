"""Run the real Claude Code where only a stub of the Messages API can hear it.

``run_client`` starts ``stub.py`` in a new network namespace that has nothing but loopback; it serves there,
runs one client command against itself and records every request that arrived. A request to any other place
fails inside the namespace, so a fake credential cannot leave the machine either.

Not promised: what the client tried to send elsewhere (there is no name resolution, so it is not seen), and
macOS or Windows, which have no network namespaces. Standard library only, so that it says the same about the
client whatever this project does.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from real_client.stub import is_messages

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENTS = ("2.1.39", "2.1.329")
CREDENTIAL_HEADERS = ("authorization", "x-api-key", "proxy-authorization", "cookie")

_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "claude"
_STUB = Path(__file__).resolve().with_name("stub.py")
# Lays a new folder over /etc, in a mount namespace of its own, and puts the one that is $0 into it.
_WITH_MANAGED = """
set -e
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir -p /mnt/etc/claude-code
cp -R "$0"/. /mnt/etc/claude-code
mount -t overlay -o lowerdir=/mnt/etc:/etc overlay /etc
exec "$@"
"""
_GRACE_S = 20  # for Python to start inside the namespace and to write its record


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the stub received it.

    Attributes:
        method: As sent, upper case.
        path: The request target with its query; a whole URL when the client took the stub for a proxy.
        headers: Names lower-cased; values of a repeated header are joined by ``", "``.
        body: The parsed JSON body, ``None`` where there is none or it is not JSON.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def credentials(self) -> tuple[tuple[str, str], ...]:
        """Every credential header that is present, even if empty, in the order of CREDENTIAL_HEADERS."""
        return tuple((name, self.headers[name]) for name in CREDENTIAL_HEADERS if name in self.headers)

    @property
    def model(self) -> str | None:
        """The model the body asks for."""
        return self.body.get("model") if isinstance(self.body, dict) else None


@dataclass(frozen=True, slots=True)
class ClientRun:
    """What one client command did.

    Attributes:
        exit_code: As the shell would see it, but negative for a signal: ``-9`` when it ran out of time.
        stdout: What it printed; bytes that are not UTF-8 are replaced.
        stderr: The same for the other stream.
        requests: Everything the stub received, in order of arrival.
    """

    exit_code: int
    stdout: str
    stderr: str
    requests: tuple[Request, ...]

    @property
    def messages(self) -> tuple[Request, ...]:
        """The requests that ask a model for an answer; counting tokens is not one of them."""
        return tuple(r for r in self.requests if r.method == "POST" and is_messages(r.path))


def client_path(version: str) -> Path | None:
    """Say where client ``version`` is installed in this checkout, if it is."""
    path = _CACHE / version / "node_modules" / ".bin" / "claude"
    return path if path.exists() else None


def missing_reason(*versions: str) -> str | None:
    """Say why ``run_client`` cannot work here for ``versions`` (default: all of CLIENTS), or ``None``."""
    for version in versions or CLIENTS:
        path = client_path(version)
        if path is None:
            return f"Claude Code {version} is not installed under {_CACHE / version}"
        if not os.access(path, os.X_OK):
            return f"{path} is not executable"
        if _is_node_script(path) and shutil.which("node") is None:
            return f"Claude Code {version} needs node, which is not on PATH"
    return _unshare_or_reason()[1]


def run_client(
    version: str,
    *,
    home: Path,
    cwd: Path,
    args: list[str],
    env: dict[str, str] | None = None,
    managed: Path | None = None,
    port: int = 8181,
    timeout_s: float = 90,
) -> ClientRun:
    """Run ``claude ARGS`` in a network of its own, with the stub on ``http://127.0.0.1:PORT``.

    Args:
        version: One of CLIENTS.
        home: The client's HOME. Its ``.tmp`` is created (0700) and becomes TMPDIR.
        cwd: The directory the client starts in.
        args: Its arguments; stdin is ``/dev/null``.
        env: Added to the few variables that the client inherits, HOME among them; may replace those.
        managed: A folder of managed settings; the client finds it as ``/etc/claude-code``, which needs root.
        port: Free in the new namespace, whatever runs outside: parallel runs may share a number.
        timeout_s: After this the client's whole process group is killed and what arrived is returned.

    Raises:
        RuntimeError: ``missing_reason(version)`` has the reason, or the sandbox itself failed.
    """
    reason = missing_reason(version)
    unshare = _unshare_or_reason()[0]
    client = client_path(version)
    if reason is not None or client is None:
        raise RuntimeError(reason)
    if managed is not None:
        unshare = (*unshare, "--mount", "sh", "-c", _WITH_MANAGED, str(managed))
    private = home / ".tmp"
    private.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="claude-sandbox-") as scratch:
        # Files, not pipes: what the client leaves running may hold its streams open for longer than we wait.
        out, err, record = (Path(scratch, name) for name in ("out", "err", "record"))
        with out.open("wb") as out_file, err.open("wb") as err_file, record.open("wb") as record_file:
            fd = record_file.fileno()
            inner = [sys.executable, "-I", str(_STUB), f"--port={port}"]
            with subprocess.Popen(
                [*unshare, *inner, f"--record={fd}", f"--timeout={timeout_s}", "--", str(client), *args],
                cwd=cwd,
                env=_clean_environment(home, private) | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                pass_fds=[fd],
            ) as process:
                try:
                    process.wait(timeout_s + _GRACE_S)
                except BaseException:
                    process.terminate()  # the inner process turns this into an end of the client's group
                    raise
        stdout, stderr = (path.read_text(encoding="utf-8", errors="replace") for path in (out, err))
        recorded = record.read_text(encoding="utf-8")
    if not recorded:
        raise RuntimeError(f"the sandbox left no record (exit {process.returncode}): {stderr.strip()}")
    result = json.loads(recorded)
    return ClientRun(
        result["exit_code"], stdout, stderr, tuple(Request(**each) for each in result["requests"])
    )


def _clean_environment(home: Path, private: Path) -> dict[str, str]:
    node = shutil.which("node")
    places = ([str(Path(node).parent)] if node else []) + ["/usr/local/bin", "/usr/bin", "/bin"]
    return {
        "HOME": str(home),
        "PATH": os.pathsep.join(dict.fromkeys(places)),
        "TMPDIR": str(private),
        "LANG": "C.UTF-8",
        "RES_OPTIONS": "timeout:1 attempts:1",  # there is nobody to ask for a name
        "NODE_OPTIONS": "--max-semi-space-size=64",  # a sixth of the time of its start is spent tidying
    }


def _is_node_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.readline(64).startswith(b"#!") and path.resolve().suffix == ".js"


@functools.cache
def _unshare_or_reason() -> tuple[tuple[str, ...], str | None]:
    """Find the command prefix that gives a new network namespace by trying it."""
    program = shutil.which("unshare")
    if program is None:
        return (), "there is no `unshare` to make a network namespace with"
    prefixes = ((program, "--net"), (program, "--map-root-user", "--net"))
    for prefix in prefixes:
        trial = subprocess.run([*prefix, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if trial.returncode == 0:
            return prefix, None
    return (), f"no network namespace is permitted here: {trial.stderr.decode(errors='replace').strip()}"
