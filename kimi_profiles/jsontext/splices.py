"""Edits as data: replace the characters from ``start`` to ``end`` by ``text``."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Splice", "splice"]


class Splice(NamedTuple):
    """One edit; ``start == end`` inserts. Offsets count characters."""

    start: int
    end: int
    text: str


def splice(text: str, splices: Sequence[Splice]) -> str:
    """Apply ``splices`` to ``text`` in one pass.

    Args:
        text: The whole document.
        splices: Sorted by ``start``, not overlapping; may be empty.

    Returns:
        The new document. Characters outside every splice are unchanged.

    Raises:
        ValueError: Two splices overlap, or one ends past ``len(text)``.
    """
    pieces: list[str] = []
    here = 0
    for start, end, replacement in splices:
        if not here <= start <= end <= len(text):
            msg = f"splice {start}:{end} overlaps another or leaves the text"
            raise ValueError(msg)
        pieces += text[here:start], replacement
        here = end
    pieces.append(text[here:])
    return "".join(pieces)
