"""The profile file before and after a change, as lines of a unified difference that shows no secret."""

from __future__ import annotations

import difflib
import tomllib

from kimi_profiles.jsontext.splices import Splice, splice
from kimi_profiles.secrets import fingerprint, is_secret_name, without_tokens
from kimi_profiles.tomltext import read_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kimi_profiles.screen import Segment, Style

__all__ = ["difference_segments", "difference_text"]

_STYLES: dict[str, Style] = {"+": "add", "-": "remove", "@": "dim"}


def difference_text(before: str, after: str) -> str:
    """The difference; empty where there is none.

    Args:
        before: A text that :class:`kimi_profiles.store.ProfileStore` accepts.
        after: Another one.
    """
    return "".join(f"{line}\n" for line in _lines(before, after))


def difference_segments(before: str, after: str) -> Iterator[Segment]:
    """The same as styled lines."""
    for line in _lines(before, after):
        yield line, _STYLES.get(line[:1], "")


def _lines(before: str, after: str) -> Iterator[str]:
    old, new = (_masked(text).splitlines() for text in (before, after))
    yield from list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]  # without the names of the files


def _masked(text: str) -> str:
    """``text`` without the values of variables that are named like secrets, and without other tokens."""
    splices: list[Splice] = []
    for entry in read_entries(text):
        is_inside = bool(splices) and entry.start < splices[-1].end
        if entry.value is None or is_inside or entry.path[-2:-1] != ("env",):
            continue
        if is_secret_name(entry.path[-1]):
            value = tomllib.loads(f"value = {text[entry.value : entry.end]}")["value"]
            splices.append(Splice(entry.value, entry.end, f'"secret {fingerprint(str(value))}"'))
    return without_tokens(splice(text, splices))
