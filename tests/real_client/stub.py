"""Inside the sandbox: serve the Messages API on loopback, run one command, record what it asked.

``sandbox.run_client`` starts this file in a network namespace of its own; it is not meant to be run by hand.
Standard library only, and nothing from this project: it is started without the project on its path.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_IFF_UP = 0x1
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFREQ = struct.Struct("16sh22x")  # struct ifreq of linux/if.h: name, flags, rest of the union


def is_messages(path: str) -> bool:
    """Say whether a request target asks a model for an answer; counting tokens is another one."""
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
    if method == "POST" and is_messages(path) and isinstance(body, dict):
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


def _run(port: int, command: list[str], *, record: int, timeout_s: float) -> None:
    """Serve, run the client, write what happened to the descriptor ``record``."""
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
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", type=int, required=True, metavar="FD")
    parser.add_argument("--timeout", type=float, required=True, metavar="SECONDS")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    _run(options.port, options.command, record=options.record, timeout_s=options.timeout)


if __name__ == "__main__":
    _main()
