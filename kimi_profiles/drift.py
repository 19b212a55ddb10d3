"""What is ours in a file, and where somebody else has changed it since. Pure."""

from __future__ import annotations

from kimi_profiles.jsontext import Address, Found
from kimi_profiles.jsontext.document import Document
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kimi_profiles.ledger import Owned, Record

__all__ = ["Drift", "address_of", "find_drift"]


@dataclass(frozen=True, slots=True)
class Drift:
    """An owned key that somebody changed since we wrote it; ``is_kept`` says whether their value stays."""

    pointer: str
    is_kept: bool


def find_drift(
    text: str | bytes | None, record: Record, *, holder: str
) -> tuple[tuple[Owned, str | None], ...]:
    """What ``holder`` wanted and the file does not hold, each with what it does hold, in order of the record.

    Raises:
        JsonTextError: ``text`` is not strict JSON.
    """
    document: Document[Any] = Document(text or b"")
    drift = []
    for owned in record.owned:
        if holder not in owned.holders:
            continue
        address = address_of(owned, document, record)
        state = document.state(address) if address is not None else None
        raw = state.raw if isinstance(state, Found) else None
        if record.digest(owned.pointer, raw) not in owned.wrote[-1:]:
            drift.append((owned, raw))
    return tuple(drift)


def address_of(owned: Owned, document: Document[Any], record: Record) -> Address | None:
    """Where ``owned`` is; ``None`` for a member that nobody finds in its list any more.

    A member is found by its digest: the ledger does not hold the text of what we wrote.
    """
    if owned.member is None:
        return Address(owned.pointer)
    if owned.before is not None:
        return Address(owned.pointer, owned.before.raw)
    for raw in document.elements(owned.pointer):
        if record.digest(owned.pointer, raw) == owned.member:
            return Address(owned.pointer, raw)
    return None
