"""Servers on loopback for the tests of one request: they answer by script and keep what they were asked."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from support import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Script = bytes | Callable[[socket.socket], None]


NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Asked:
    """One request that arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """Answers every connection with ``script``: these bytes, or what a function does with the connection."""

    script: Script
    tls: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    raw: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/anthropic/v1/messages"
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        # A test that expects nothing to come back hangs up first: that is no fault of the server.
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            if self.tls is not None:
                with self.tls.wrap_socket(connection, server_side=True) as encrypted:
                    self._answer(encrypted)
            else:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        request = read_request(connection)
        if request is None:
            return
        self.asked.append(request)
        if isinstance(self.script, bytes):
            connection.sendall(self.script)
        else:
            self.script(connection)

    def drip(self, first: bytes, again: bytes, *, pause_s: float = 0.02, times: int = 150) -> None:
        """Make it send ``first`` and then ``again`` and again, for longer than anybody may wait."""

        def script(connection: socket.socket) -> None:
            connection.sendall(first)
            for _ in range(times):
                if self._stopping.wait(pause_s):
                    return
                connection.sendall(again)

        self.script = script

    def keep_silent(self) -> None:
        """Make it answer nothing and keep the connection."""
        self.script = lambda _: (self._stopping.wait(5), None)[1]


class Proxy(Server):
    """Opens a way to ``port`` here, whatever host it is asked for; ``asked`` are the CONNECT requests."""

    port_behind: int

    def _answer(self, connection: socket.socket) -> None:
        request = read_request(connection)
        if request is None:
            return
        self.asked.append(request)
        if self.script != b"tunnel":
            connection.sendall(self.script) if isinstance(self.script, bytes) else self.script(connection)
            return
        with socket.create_connection(("127.0.0.1", self.port_behind)) as behind:
            connection.sendall(b"HTTP/1.1 200 Connection Established\r\n\r\n")
            _relay(connection, behind, self.raw)


def _relay(connection: socket.socket, behind: socket.socket, kept: list[bytes]) -> None:
    """Both ways in one thread: two of them may not use one TLS connection at once."""
    ends = [connection, behind]
    with contextlib.suppress(OSError):
        while ends:
            waiting = [end for end in ends if getattr(end, "pending", int)()]
            for source in waiting or select.select(ends, [], [], 5)[0]:
                sink = behind if source is connection else connection
                data = source.recv(65536)
                if data and source is connection:
                    kept.append(data)
                if data:
                    sink.sendall(data)
                else:
                    ends.remove(source)
                    with contextlib.suppress(OSError):
                        sink.shutdown(socket.SHUT_WR)


def read_request(connection: socket.socket) -> Asked | None:
    """One whole request; ``None`` if the other side said nothing."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines[1:]]
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(pairs), "a header was sent twice"
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    method, target, version = lines[0].split(" ")
    assert version == "HTTP/1.1"
    return Asked(method, target, headers, body)


def reply(status: int, document: object = None, *, body: bytes | None = None, **headers: str) -> bytes:
    """An answer with ``document`` as JSON, or with ``body``; an underscore in a header's name is a hyphen."""
    if body is None:
        body = b"" if document is None else json.dumps(document).encode()
    lines = {"content-length": str(len(body)), "content-type": "application/json"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = [f"HTTP/1.1 {status} Some Reason", *(f"{name}: {value}" for name, value in lines.items()), "", ""]
    return "\r\n".join(head).encode("latin-1") + body


@dataclass(frozen=True)
class Authority:
    """A throw-away certificate authority."""

    folder: Path

    @property
    def file(self) -> str:
        return str(self.folder / "ca.pem")

    def server(self, *names: str, days: int = 30, is_signed_by_itself: bool = False) -> ssl.SSLContext:
        """What a server for ``names`` needs; below zero ``days`` its certificate has expired."""
        stem = f"{names[0]},{days},{is_signed_by_itself}"
        kinds = ("key", "pem", "csr", "ext")
        key, certificate, request, extension = (self.folder / f"{stem}.{kind}" for kind in kinds)
        if not certificate.exists():
            extension.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names))
            files = ["-keyout", str(key), "-out", str(request)]
            openssl("req", "-new", *NEW_KEY, *files, "-subj", "/CN=x")
            signer = ["-signkey", str(key)]
            if not is_signed_by_itself:
                signer = ["-CA", self.file, "-CAkey", str(self.folder / "ca.key"), "-CAcreateserial"]
            asked = ["-in", str(request), "-extfile", str(extension), "-days", str(days)]
            openssl("x509", "-req", *asked, *signer, "-out", str(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context


def openssl(*arguments: str) -> None:
    subprocess.run([require_tool("openssl"), *arguments], check=True, capture_output=True)


def make_authority(folder: Path) -> Authority:
    files = ["-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")]
    openssl("req", "-x509", *NEW_KEY, *files, "-days", "30", "-subj", "/CN=throw-away authority")
    return Authority(folder)
