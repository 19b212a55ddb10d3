"""Run the real Claude Code where only a stub of the Messages API can hear it.

``run_client`` re-executes this file in a new network namespace that has nothing but loopback, starts the
stub there, runs one client command against it and returns every request that arrived. A request to any
other place fails inside the namespace, so a fake credential cannot leave the machine either.

Not promised: what the client tried to send elsewhere (there is no name resolution, so it is not seen), and
macOS or Windows, which have no network namespaces. Standard library only, so that it says the same about the
client whatever this project does.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENTS = ("2.1.39", "2.1.329")
CREDENTIAL_HEADERS = ("authorization", "x-api-key", "proxy-authorization", "cookie")

_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "claude"
_GRACE_S = 20  # for Python to start inside the namespace and to write its record
_IFF_UP = 0x1
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFREQ = struct.Struct("16sh22x")  # struct ifreq of linux/if.h: name, flags, rest of the union


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
        return tuple(r for r in self.requests if r.method == "POST" and _is_messages(r.path))


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
    port: int = 8181,
    timeout_s: float = 90,
) -> ClientRun:
    """Run ``claude ARGS`` in a network of its own, with the stub on ``http://127.0.0.1:PORT``.

    Args:
        version: One of CLIENTS.
        home: The client's HOME. Its ``.tmp`` is created (0700) and becomes TMPDIR.
        cwd: The directory the client starts in.
        args: Its arguments; stdin is ``/dev/null``.
        env: Added to HOME, PATH, TMPDIR and LANG, which is all the client inherits; may replace those.
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
    private = home / ".tmp"
    private.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="claude-sandbox-") as scratch:
        # Files, not pipes: what the client leaves running may hold its streams open for longer than we wait.
        out, err, record = (Path(scratch, name) for name in ("out", "err", "record"))
        with out.open("wb") as out_file, err.open("wb") as err_file, record.open("wb") as record_file:
            fd = record_file.fileno()
            inner = [sys.executable, "-I", str(Path(__file__).resolve()), "--inner", str(port)]
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


def _is_messages(path: str) -> bool:
    return path.partition("?")[0].endswith("/messages")


class _Stub(ThreadingHTTPServer):
    """The Messages API on loopback; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._lock = threading.Lock()
        self._requests: list[dict[str, object]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a client hang up without a traceback on its own stderr; a fault of the stub still shows."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def keep_request(self, request: dict[str, object]) -> None:
        with self._lock:
            self._requests.append(request)

    def kept(self) -> list[dict[str, object]]:
        with self._lock:
            return list(self._requests)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Stub

    def answer(self) -> None:
        raw = self._read_body()
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        self.server.keep_request(
            {"method": self.command, "path": self.path, "headers": headers, "body": body},
        )
        status, content_type, content = _reply(self.command, self.path, body)
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    # The names that http.server looks for.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer  # noqa: N815
    do_DELETE = do_OPTIONS = do_CONNECT = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Stay silent: stderr is the client's."""

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers, up to the empty line
            pass
        return b"".join(chunks)


def _reply(method: str, path: str, body: object) -> tuple[int, str, bytes]:
    if method == "POST" and path.partition("?")[0].endswith("/count_tokens"):
        return 200, "application/json", b'{"input_tokens":1}'
    if method == "POST" and _is_messages(path) and isinstance(body, dict):
        if body.get("stream"):
            return 200, "text/event-stream", _stream(body.get("model"))
        text = {"type": "text", "text": "hello"}
        message = _message(body.get("model")) | {"content": [text], "stop_reason": "end_turn"}
        return 200, "application/json", json.dumps(message).encode()
    error = {"type": "error", "error": {"type": "not_found_error", "message": "the stub has no such page"}}
    return 404, "application/json", json.dumps(error).encode()


def _message(model: object) -> dict[str, object]:
    return {
        "id": "msg_stub",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def _stream(model: object) -> bytes:
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": _message(model)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
    return "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events).encode()


def _raise_loopback() -> None:
    """Set ``lo`` up: a new namespace has it, but down. What ``ip link set lo up`` does, without iproute2."""
    import fcntl  # absent on Windows, where this file is still imported
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        _, flags = _IFREQ.unpack(fcntl.ioctl(handle, _SIOCGIFFLAGS, _IFREQ.pack(b"lo", 0)))
        fcntl.ioctl(handle, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", flags | _IFF_UP))


def _run_inner(port: int, command: list[str], *, record: int, timeout_s: float) -> None:
    """Inside the namespace: serve, run the client, write what happened to the descriptor ``record``."""
    _raise_loopback()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the `finally` below runs
    with _Stub(port) as stub, os.fdopen(record, "w", encoding="utf-8") as file:
        threading.Thread(target=stub.serve_forever, daemon=True).start()
        client = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            client.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(client.pid, signal.SIGKILL)  # also what the client left running
            exit_code = client.wait()
        stub.shutdown()
        json.dump({"exit_code": exit_code, "requests": stub.kept()}, file)


def _main() -> None:
    parser = argparse.ArgumentParser(description="The inner half of run_client; not meant to be run by hand.")
    parser.add_argument("--inner", type=int, required=True, metavar="PORT")
    parser.add_argument("--record", type=int, required=True, metavar="FD")
    parser.add_argument("--timeout", type=float, required=True, metavar="SECONDS")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    _run_inner(options.inner, options.command, record=options.record, timeout_s=options.timeout)


if __name__ == "__main__":
    _main()
