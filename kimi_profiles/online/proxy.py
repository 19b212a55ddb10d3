"""Where a URL leads, and which proxy Claude Code would use on the way. Nothing is sent or looked up."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NoReplyError", "Place", "place_of", "proxy_for", "proxy_of"]

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"[\x21-\x7e]+")
# What the name of a host and the check of a certificate can be given without an error of their own.
_HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?|[0-9a-z.%]*:[0-9a-z:.%]*")

# Measured on Claude Code 2.1.329: the first that is not empty counts, whatever the scheme of the URL.
# 2.1.39 does not know the last two.
_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


class NoReplyError(Exception):
    """Why no reply came, in one sentence without secret.

    It is raised ``from None``: what the libraries raise may quote what was sent.

    Attributes:
        name: As in ``Answer``.
        remedy: What to do about it, or ``None``.
    """

    def __init__(self, name: str, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.remedy = remedy


class Place(NamedTuple):
    """An endpoint or a proxy, as its URL has it; ``user`` is ``name:password``."""

    scheme: str
    host: str
    port: int
    target: str
    user: str | None

    @property
    def authority(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        """Host and port, as the header of that name has them."""
        return self.authority.removesuffix(f":{_PORTS[self.scheme]}")


def place_of(url: str) -> Place:
    """Where the endpoint at ``url`` is.

    Raises:
        NoReplyError: It is no URL of a form that Claude Code could ask, or it holds a user name.
    """
    place = _parse(url)
    if place is None or place.user is not None:
        hint = "let ANTHROPIC_BASE_URL be of the form https://host/path"
        raise NoReplyError("url-invalid", "the URL of the endpoint cannot be asked", hint)
    return place


def proxy_for(url: str, env: Mapping[str, str]) -> str | None:
    """``host:port`` of the proxy that Claude Code would send a request for ``url`` to; ``None`` without one.

    Source:
        Measured on Claude Code 2.1.329. 2.1.39 knows no ``ALL_PROXY``, prefers ``NO_PROXY`` to ``no_proxy``,
        and takes a name in it for the hosts below only where it begins with a dot, then for those alone.
    """
    try:
        proxy = proxy_of(place_of(url), env)
    except NoReplyError:
        return None
    return proxy and proxy.authority


def proxy_of(place: Place, env: Mapping[str, str]) -> Place | None:
    """The proxy on the way to ``place``, if any; rules and source: see ``proxy_for``.

    Raises:
        NoReplyError: A variable is to name one, and does not.
    """
    variable = next((name for name in _VARIABLES if env.get(name)), None)
    if variable is None or _is_exempt(place, env.get("no_proxy") or env.get("NO_PROXY") or ""):
        return None
    value = env[variable].strip()
    url = value if "://" in value else f"http://{value}"
    if variable.lower() == "all_proxy" and url.partition(":")[0].lower() not in _PORTS:
        return None  # a SOCKS proxy there is passed over
    proxy = _parse(url)
    if proxy is None:
        raise NoReplyError(
            "proxy-invalid",
            f"{variable} does not name a proxy that Claude Code can use",
            f"set {variable} to a URL of the form http://host:port; SOCKS is not supported",
        )
    return proxy


def _parse(url: str) -> Place | None:
    """``None`` where ``url`` is none, or could not be asked."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme, parts.hostname or ""
    if _URL.fullmatch(url) is None or scheme not in _PORTS or _HOST.fullmatch(host) is None:
        return None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    user = None
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Place(scheme, host, port or _PORTS[scheme], target, user)


def _is_exempt(place: Place, listed: str) -> bool:
    host = place.host.rstrip(".")
    return any(_exempts(entry, host, place.port) for entry in re.split(r"[,\s]+", listed.lower()) if entry)


def _exempts(entry: str, host: str, port: int) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass  # one of the two is a name
    match = re.fullmatch(r"(.*?):(\d{1,5})", entry)
    if match and int(match[2]) != port:
        return False
    name = (match[1] if match else entry).removeprefix("*.").strip("[].")
    return name in {"*", host} or (name != "" and host.endswith(f".{name}"))
