"""A change: one place in a file, and what shall stand there. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from kimi_profiles.jsontext import Address

__all__ = ["Change"]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a profile wants in a file.

    Attributes:
        pointer: Where.
        want: JSON text of the wanted value; ``None`` for nothing there.
        member: For a member of the list at ``pointer`` its JSON text; ``want`` then is the same text for
            "in the list", or ``None`` for "not in the list".
        is_secret: Whether its values are never shown.
        unless: Pointers; where the user has a value of his own at one of them, the change gives way.
    """

    pointer: str
    want: str | None = field(repr=False)
    member: str | None = field(default=None, repr=False)
    is_secret: bool = False
    unless: tuple[str, ...] = ()

    @property
    def address(self) -> Address:
        """Where in the document."""
        return Address(self.pointer, self.member)
