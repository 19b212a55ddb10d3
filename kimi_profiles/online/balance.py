"""What is left on an account, asked of its provider.

Promised: no model is called; only the key is sent, as a bearer token, and only to the host that the catalogue
names for the endpoint. An answer that is not as documented is no balance.
"""

from __future__ import annotations

import re
import time

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.online.answer import key_in
from kimi_profiles.online.proxy import NoReplyError
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from kimi_profiles.catalogue import BalanceEndpoint

__all__ = ["Balance", "ask_balance"]

_OK = 200
_AMOUNT = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,20})?(?:[eE]-?[0-9]{1,2})?")
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left on the account, as its provider reports it.

    Attributes:
        amounts: Currency (ISO 4217) to amount; empty if it could not be had.
        why_not: One sentence without secret, where ``amounts`` is empty.
    """

    amounts: Mapping[str, Decimal]
    why_not: str | None = None


def ask_balance(
    url: str, *, headers: Mapping[str, str], timeout_s: float, env: Mapping[str, str]
) -> Balance | None:
    """Ask the provider at ``url`` what is left on the account.

    Args:
        url: As for ``ask``, as are the others.
        headers: The key is taken from ``authorization`` or else from ``x-api-key``.
        timeout_s: Seconds for everything.
        env: For proxies and certificates.

    Returns:
        ``None`` where no source says how this provider is asked.
    """
    from kimi_profiles.online.exchange import exchange

    provider = read_catalogue().provider_at(url)
    if provider is None or provider.balance is None:
        return None
    key = key_in(headers)
    if not key:
        return Balance({}, "there is no key to ask with")
    sent = {"authorization": f"Bearer {key}"}
    try:
        reply = exchange("GET", provider.balance.url, sent, deadline=time.monotonic() + timeout_s, env=env)
    except NoReplyError as why:
        return Balance({}, str(why))
    if reply.status != _OK:
        return Balance({}, f"{reply.host} does not tell this key the balance (HTTP {reply.status})")
    amounts = _amounts(reply.document(), provider.balance)
    if not amounts:
        return Balance({}, f"{reply.host} answered, but not with a balance as it is documented")
    return Balance(amounts)


def _amounts(document: object, balance: BalanceEndpoint) -> dict[str, Decimal]:
    """The amounts that ``document`` reports; none at all if one of them cannot be read."""
    from decimal import Decimal

    entries = [document] if balance.entries is None else _at(document, balance.entries)
    amounts: dict[str, Decimal] = {}
    for entry in entries if isinstance(entries, list) else []:
        amount = _at(entry, balance.amount)
        currency = _at(entry, balance.currency) if balance.currency.startswith("/") else balance.currency
        if not isinstance(amount, str) or not isinstance(currency, str):
            return {}
        if _AMOUNT.fullmatch(amount) is None or _CURRENCY.fullmatch(currency) is None:
            return {}
        amounts[currency] = Decimal(amount) / balance.divisor
    return amounts


def _at(document: object, pointer: str) -> object:
    for key in pointer.split("/")[1:]:
        document = document.get(key) if isinstance(document, dict) else None
    return document
