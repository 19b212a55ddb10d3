"""Edits as data: replace what stands from ``start`` to ``end`` by ``text``."""

from __future__ import annotations

from kimi_profiles.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Splice", "splice", "splice_bytes"]


class Splice(NamedTuple):
    """One edit; ``start == end`` inserts. Offsets count characters, or bytes in what is spliced as bytes."""

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
    pieces = _pieces(len(text), splices)
    return "".join(text[piece] if isinstance(piece, slice) else piece for piece in pieces)


def splice_bytes(data: bytes, splices: Sequence[Splice]) -> bytes:
    """The same for a document in UTF-8."""
    whole = memoryview(data)  # a slice of it is no copy
    pieces = _pieces(len(data), splices)
    return b"".join(
        whole[piece] if isinstance(piece, slice) else piece.encode("utf-8", "surrogatepass")
        for piece in pieces
    )


def _pieces(length: int, splices: Sequence[Splice]) -> Iterator[slice | str]:
    """What the new document is made of: stretches of the old one, and new text."""
    here = 0
    for start, end, replacement in splices:
        if not here <= start <= end <= length:
            msg = f"splice {start}:{end} overlaps another or leaves the text"
            raise ValueError(msg)
        yield slice(here, start)
        yield replacement
        here = end
    yield slice(here, length)
