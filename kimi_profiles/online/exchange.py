"""One request and the reply to it, over one connection, directly or through a proxy.

Promised: what is sent goes encrypted to the host of the URL, or to this machine; a proxy learns host and port
and nothing of the request. A redirect is a reply like any other. No more than 64 KiB of a body are read.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from typing import cast

from kimi_profiles.loopback import is_loopback
from kimi_profiles.online.proxy import NoReplyError, place_of, proxy_of
from kimi_profiles.online.wire import HOST_HINT, connect, encrypt, why_no_reply
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from socket import socket

    from kimi_profiles.online.proxy import Place
    from kimi_profiles.online.wire import Wire

__all__ = ["Reply", "exchange"]

_MOST_BYTES = 64 * 1024
_PROXY_LOGIN = 407
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OWN_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "connection": "close",
    "user-agent": "kimi-profiles",
}
# These say how the message is framed, which is ours to decide.
_FRAMING = {"accept-encoding", "connection", "content-length", "expect", "te", "transfer-encoding", "upgrade"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        host: Who was asked.
        status: HTTP status.
        headers: By their names in small letters.
        body: As much as was wanted of it.
        broken_by: What kept it from being read to its end, ``timed-out`` or ``cut-off``; ``None`` if nothing.
    """

    host: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    broken_by: str | None

    def document(self) -> object:
        """The body as JSON, its numbers as they are written; ``None`` where it is not JSON."""
        try:
            return json.loads(self._unpacked(), parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            return None

    def _unpacked(self) -> bytes:
        """The body, also from a server that packs it unasked."""
        if self.headers.get("content-encoding", "").lower() not in {"gzip", "x-gzip", "deflate"}:
            return self.body
        with suppress(zlib.error):
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(self.body, _MOST_BYTES)
        return b""


def exchange(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    deadline: float,
    env: Mapping[str, str],
) -> Reply:
    """Send one request and read what comes back.

    Args:
        method: ``GET`` or ``POST``.
        url: Where to.
        headers: By their names in small letters; those that frame the message are passed over.
        body: To be sent.
        deadline: On the clock of ``time.monotonic``, for everything.
        env: For proxies and certificates.

    Raises:
        NoReplyError: Nothing could be sent, or nothing came.
    """
    place = place_of(url)
    proxy = proxy_of(place, env)
    sent = _OWN_HEADERS | {name: value for name, value in headers.items() if name not in _FRAMING}
    if body:
        sent["content-length"] = str(len(body))
    _check_confidential(place, proxy)
    _check_headers(sent)
    with ExitStack() as sockets:
        with _failures_explained(place, env):
            wire = _open(place, proxy, deadline, env, sockets)
            response = _request(wire, f"{method} {place.target}", place.host_header, sent, body)
        return _read_reply(place.host, response)


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if _HEADER_NAME.fullmatch(name) is None or _HEADER_VALUE.fullmatch(value) is None:
            raise NoReplyError(
                "header-invalid",
                "nothing was asked: a header holds a character that cannot be sent",
                "look for a line end or an odd character in the key and in ANTHROPIC_CUSTOM_HEADERS",
            )


def _check_confidential(place: Place, proxy: Place | None) -> None:
    if place.scheme == "https":
        return
    if not is_loopback(place.host):
        raise NoReplyError(
            "insecure",
            f"{place.host} was not asked, because the key would travel unencrypted",
            "use https; http is for this machine only",
        )
    if proxy is not None:
        raise NoReplyError(
            "proxied-in-clear",
            f"{place.host} was not asked, because Claude Code sends what is meant for it, key and all, "
            f"to the proxy {proxy.authority}",
            f"add {place.host} to NO_PROXY",
        )


@contextmanager
def _failures_explained(place: Place, env: Mapping[str, str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise why_no_reply(error, place.authority, env) from None
    except HTTPException:
        raise NoReplyError("not-http", f"{place.authority} does not answer with HTTP", HOST_HINT) from None


def _open(
    place: Place, proxy: Place | None, deadline: float, env: Mapping[str, str], sockets: ExitStack
) -> Wire:
    """A connection to ``place``, through ``proxy`` if there is one, encrypted if the URL says so."""
    if proxy is None:
        wire = connect(place, deadline, sockets)
    else:
        wire = _tunnel(place, proxy, deadline, env, sockets)
    return encrypt(wire, place.host, env) if place.scheme == "https" else wire


def _tunnel(place: Place, proxy: Place, deadline: float, env: Mapping[str, str], sockets: ExitStack) -> Wire:
    """A connection to ``proxy`` that it has led on to ``place``."""
    hint = "check HTTPS_PROXY and NO_PROXY"
    headers = {}
    if proxy.user is not None:
        headers["proxy-authorization"] = f"Basic {base64.b64encode(proxy.user.encode()).decode()}"
    try:
        with _failures_explained(proxy, env):
            wire = _open(proxy, None, deadline, env, sockets)
            status = _request(wire, f"CONNECT {place.authority}", place.authority, headers).status
    except NoReplyError as failure:
        raise NoReplyError("proxy-failed", f"the proxy cannot be used: {failure}", hint) from None
    if status not in range(200, 300):
        what = f"opens no way to {place.authority}"
        if status == _PROXY_LOGIN:
            what = "wants a user name and password"
        raise NoReplyError("proxy-failed", f"the proxy {proxy.authority} {what} (HTTP {status})", hint)
    return wire


def _request(wire: Wire, line: str, host: str, headers: Mapping[str, str], body: bytes = b"") -> HTTPResponse:
    """Send it, and read the head of what comes back."""
    head = [f"{line} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    wire.send("\r\n".join([*head, "", ""]).encode("latin-1") + body)
    response = HTTPResponse(cast("socket", wire))
    response.begin()
    return response


def _read_reply(host: str, response: HTTPResponse) -> Reply:
    body, broken_by = b"", None
    expected = response.length
    wanted = min(expected or _MOST_BYTES, _MOST_BYTES)
    try:
        while len(body) < wanted and (piece := response.read1(wanted - len(body))):
            body += piece
        if expected and len(body) < wanted:
            broken_by = "cut-off"
    except TimeoutError:
        broken_by = "timed-out"
    except (OSError, HTTPException, NoReplyError):
        broken_by = "cut-off"
    headers = {name.lower(): value.strip() for name, value in response.getheaders()}
    return Reply(host, response.status, headers, body, broken_by)
