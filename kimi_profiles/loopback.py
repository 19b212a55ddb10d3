"""Is a host this machine? Pure: no name is looked up."""

from __future__ import annotations

import ipaddress

__all__ = ["is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, is this machine.

    Source:
        RFC 6761 §6.3: every name under ``localhost.`` is; RFC 4007 §11: behind ``%`` is the interface.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = host.partition("%")[0]
    if ":" not in address and not address[-1:].isdigit():  # a name; what knows addresses need not be loaded
        return False
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
