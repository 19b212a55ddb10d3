"""A change: one place in a file, and what shall stand there; an action: what that does to it. Plain data."""

from __future__ import annotations

from kimi_profiles.jsontext import Address
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

__all__ = ["Action", "Change"]


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


@dataclass(frozen=True, slots=True)
class Action:
    """One difference between the file now and the file to be.

    Attributes:
        action: ``include`` and ``exclude`` are for members of lists.
        before: JSON text now; ``None`` for nothing.
        after: JSON text to be; ``None`` for nothing.
    """

    pointer: str
    action: Literal["add", "replace", "remove", "include", "exclude"]
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)
    is_secret: bool
