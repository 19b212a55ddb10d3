"""Text with one character for each byte of its UTF-8 form.

Everything that JSON is built of is ASCII, so such a text can be scanned like any other. It takes no more
memory than the file, where one emoji would else make every character of the file four bytes wide.
"""

from __future__ import annotations

__all__ = ["narrow", "widen"]


def narrow(text: str) -> str:
    """``text`` with its UTF-8 bytes for characters; a lone surrogate becomes three."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")


def widen(text: str) -> str:
    """The inverse of :func:`narrow`."""
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "surrogatepass")
