"""Regular expressions that are compiled when they are first used.

Compiled when a module is loaded, those of a few modules together take as long as half of Python's own start.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import compile as pattern
    from typing import Any

__all__ = ["pattern"]

_METHODS = ("findall", "finditer", "fullmatch", "match", "search", "split", "sub", "subn")


class _Pattern:
    """Has the methods of a compiled pattern; the first that is called for compiles it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(name)
        import re

        compiled = re.compile(self._text)
        for method in _METHODS:
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


if not TYPE_CHECKING:
    pattern = _Pattern
