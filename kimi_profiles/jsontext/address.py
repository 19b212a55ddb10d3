"""Where a value stands in a document, and what stands there."""

from __future__ import annotations

from kimi_profiles.patterns import pattern
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["Address", "Found", "Wanted", "join_pointer", "split_pointer"]

# Read as itself, it would give one key two pointers.
_STRAY_TILDE = pattern("~(?![01])")


@dataclass(frozen=True, slots=True)
class Address:
    """One thing that can be owned, changed and given back.

    Attributes:
        pointer: JSON Pointer. Every step is an object key; lists are never entered by index, because an
            index means something else as soon as anybody edits the list.
        member: ``None`` for the value at ``pointer``. Else ``pointer`` names a list and this is the JSON
            text of one member, which is either in the list or not.

    Source:
        RFC 6901 §3 and §4.
    """

    pointer: str
    member: str | None = None

    def __str__(self) -> str:
        return self.pointer if self.member is None else f"{self.pointer}[]"


@dataclass(frozen=True, slots=True)
class Found:
    """A value that stands in the document.

    Attributes:
        raw: Its JSON text, as written there.
        after: The sibling it follows: a key in an object, a member's JSON text in a list; ``None`` where it
            is the first. Of duplicates, only the first takes a place.
    """

    raw: str = field(repr=False)
    after: str | None = field(default=None, repr=False)


Wanted: TypeAlias = "Found | str | None"
"""What shall stand at an address: nothing, JSON text to be laid out like its neighbours, or a ``Found`` that
is put back as it was, behind the sibling it followed."""


def split_pointer(pointer: str) -> tuple[str, ...]:
    """The keys of ``pointer``, unescaped; ``""`` is the whole document and gives ``()``.

    Raises:
        ValueError: ``pointer`` is neither empty nor begins with ``/``, or a ``~`` escapes nothing.
    """
    if not pointer:
        return ()
    has_tilde = "~" in pointer
    if not pointer.startswith("/") or (has_tilde and _STRAY_TILDE.search(pointer)):
        msg = f"not a JSON Pointer: {pointer!r}"
        raise ValueError(msg)
    if not has_tilde:
        return tuple(pointer[1:].split("/"))
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))


def join_pointer(*keys: str) -> str:
    """The JSON Pointer that leads through ``keys``."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
