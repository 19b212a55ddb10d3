"""One connection, plain or with TLS, for one request.

Promised: whatever is done with it ends at its deadline, however slowly the other side goes; no more than
256 KiB are taken from it. TLS verifies certificate and name, and nothing switches that off.
"""

from __future__ import annotations

import io
import os
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from contextlib import suppress

from kimi_profiles.loopback import is_loopback
from kimi_profiles.online.proxy import NoReplyError
from kimi_profiles.screen import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack
    from typing import Any

    from kimi_profiles.online.proxy import Place

__all__ = ["HOST_HINT", "Wire", "connect", "encrypt", "why_no_reply"]

HOST_HINT = "check host and port in ANTHROPIC_BASE_URL"

_MOST_BYTES = 256 * 1024
_MOST_BYTES_READ = 16 * 1024  # at a time; also what one TLS record holds

_AUTHORITY_VARIABLES = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
_CLOCK = "check the clock of this machine"
_AUTHORITY = "if your network opens TLS, let NODE_EXTRA_CA_CERTS name a file with the certificate it uses"
# OpenSSL's numbers: x509_vfy.h.
_CERTIFICATES = {
    9: ("is not valid yet", _CLOCK),
    10: ("has expired", _CLOCK),
    18: ("is signed by itself alone", _AUTHORITY),
    19: ("comes from an authority that is not trusted here", _AUTHORITY),
    20: ("comes from an authority that is not trusted here", _AUTHORITY),
    21: ("comes from an authority that is not trusted here", _AUTHORITY),
    62: ("is for another name", HOST_HINT),
    64: ("is for another address", HOST_HINT),
}


class Wire(io.RawIOBase):
    """A connection to read from and to send over; ``http.client`` takes it for a socket."""

    def readable(self) -> bool:
        """Always."""
        return True

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What comes, to be read."""
        return io.BufferedReader(self)

    def close(self) -> None:
        """Do nothing: another reader may follow, and ``connect`` says what closes the connection."""

    def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        raise NotImplementedError


class _Plain(Wire):
    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._deadline = deadline
        self._received = 0

    def send(self, data: bytes) -> None:
        self._socket.settimeout(_left(self._deadline))
        self._socket.sendall(data)

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(_left(self._deadline))
        size = self._socket.recv_into(buffer)
        self._received += size
        if self._received > _MOST_BYTES:
            raise NoReplyError("too-long", f"the answer is longer than {_MOST_BYTES // 1024} KiB", HOST_HINT)
        return size


class _Tls(Wire):
    """TLS over another wire, which may be TLS too: on the way through an https proxy."""

    def __init__(self, below: Wire, context: ssl.SSLContext, host: str) -> None:
        self._below = below
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host.rstrip("."))
        self._run(self._tls.do_handshake)

    def send(self, data: bytes) -> None:
        for start in range(0, len(data), _MOST_BYTES_READ):
            self._run(self._tls.write, data[start : start + _MOST_BYTES_READ])

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._run(self._tls.read, len(buffer), buffer))
        except ssl.SSLEOFError:  # many servers hang up without a word
            return 0

    def _run(self, step: Callable[..., Any], *arguments: object) -> Any:
        while True:
            try:
                result = step(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                data = self._below.read(_MOST_BYTES_READ)
                self._in.write(data) if data else self._in.write_eof()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._out.pending:
            self._below.send(self._out.read())


def connect(place: Place, deadline: float, sockets: ExitStack) -> Wire:
    """A connection to the first address of ``place`` that takes one.

    Args:
        place: Where to; its scheme does not matter. A name of this machine has to lead to this machine.
        deadline: On the clock of ``time.monotonic``.
        sockets: Closes it.

    Raises:
        OSError: For ``why_no_reply``.
    """
    found = _look_up(place.host, place.port, deadline)
    if is_loopback(place.host):
        found = [entry for entry in found if is_loopback(str(entry[4][0]))]
    failure: OSError = socket.gaierror(socket.EAI_NONAME, "none on this machine")
    for position, (family, kind, number, _, address) in enumerate(found):
        try:
            connection = sockets.enter_context(socket.socket(family, kind, number))
            # An address that does not answer leaves the others their share of the time.
            connection.settimeout(_left(deadline) / (len(found) - position))
            connection.connect(address)
        except OSError as error:
            failure = error
        else:
            return _Plain(connection, deadline)
    raise failure


def encrypt(wire: Wire, host: str, env: Mapping[str, str]) -> Wire:
    """TLS over ``wire``, with the certificate verified to be that of ``host``.

    Raises:
        OSError: For ``why_no_reply``.
    """
    # It verifies certificate and name. Not create_default_context: that writes to SSLKEYLOGFILE, and from
    # Python 3.13 on it is stricter than Claude Code with a company's own authority.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    for name in _AUTHORITY_VARIABLES:
        with suppress(OSError, ValueError):  # Node.js passes over a file that it cannot read, too
            if env.get(name):
                context.load_verify_locations(env[name])
    return _Tls(wire, context, host)


def why_no_reply(error: OSError, name: str, env: Mapping[str, str]) -> NoReplyError:
    """What ``error`` on the way to ``name`` means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _no_trust(error, name, env)
    reason = visible(getattr(error, "reason", None) or error.strerror or "no reason given")
    kinds: list[tuple[type[OSError], str, str, str]] = [
        (ssl.SSLError, "tls-failed", f"makes no TLS connection ({reason})", HOST_HINT),
        (TimeoutError, "timed-out", "did not answer in time", "check network, proxy and firewall"),
        (socket.gaierror, "name-unknown", f"has no address ({reason})", HOST_HINT),
        (ConnectionRefusedError, "refused", "accepts no connections", HOST_HINT),
        (ConnectionError, "closed", "closed the connection without an answer", HOST_HINT),
        (OSError, "unreachable", f"cannot be reached ({reason})", "check the network"),
    ]
    _, kind, what, remedy = next(entry for entry in kinds if isinstance(error, entry[0]))
    return NoReplyError(kind, f"{name} {what}", remedy)


def _no_trust(error: ssl.SSLCertVerificationError, name: str, env: Mapping[str, str]) -> NoReplyError:
    why, remedy = _CERTIFICATES.get(error.verify_code, ("cannot be verified", HOST_HINT))
    unread = [name for name in _AUTHORITY_VARIABLES if env.get(name) and not os.access(env[name], os.R_OK)]
    remedy += "".join(f"; the file that {name} names cannot be read" for name in unread)
    return NoReplyError("tls-failed", f"the certificate of {name} {why}", remedy)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _look_up(host: str, port: int, deadline: float) -> list[Any]:
    """The addresses of ``host``. In a thread, because a resolver that hangs cannot be told to stop."""
    found: Future[list[Any]] = Future()

    def look_up() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except UnicodeError:  # a part that is too long
            found.set_exception(socket.gaierror(socket.EAI_NONAME, "no name"))
        except OSError as error:
            found.set_exception(error)

    threading.Thread(target=look_up, daemon=True).start()
    return found.result(timeout=_left(deadline))
