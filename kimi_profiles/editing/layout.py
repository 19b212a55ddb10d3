"""One profile in the layout of the file that ``init`` makes."""

from __future__ import annotations

from kimi_profiles.editing.values import written, written_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from kimi_profiles.editing.splicing import Key

__all__ = ["profile_text"]

_ORDER = (
    "description",
    "extends",
    "provider",
    "base_url",
    "auth",
    "context_tokens",
    "pin_model",
    "onboarding",
    "detach_login",
)
_SUBTABLES = ("models", "env", "settings")


def profile_text(key: Key, table: Mapping[str, Any]) -> str:
    """One profile as TOML.

    Args:
        key: Of its table.
        table: What it says, as ``tomllib`` would give it.

    Returns:
        A header and lines, ``auth`` as dotted keys; ``models``, ``env`` and ``settings``, and the tables in
        the latter, under headers of their own behind a blank line.
    """
    return "".join(_lines(key, table))


def _lines(key: Key, table: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{written_key(*key)}]\n"
    lines = {name: table[name] for name in (*_ORDER, *table) if name in table and name not in _SUBTABLES}
    for name, value in lines.items():
        if name == "auth" and isinstance(value, dict):
            for part, each in value.items():
                yield f"{written_key(name, part)} = {written(each)}\n"
        else:
            yield f"{written_key(name)} = {written(value)}\n"
    for name in _SUBTABLES:
        value = table.get(name, {})
        if isinstance(value, dict):
            yield from _subtable((*key, name), value) if value else ()
        else:
            yield f"{written_key(name)} = {written(value)}\n"


def _subtable(key: Key, table: Mapping[str, Any]) -> Iterator[str]:
    lines = {name: value for name, value in table.items() if not isinstance(value, dict)}
    if lines or not table:
        yield f"\n[{written_key(*key)}]\n"
    for name, value in lines.items():
        yield f"{written_key(name)} = {written(value)}\n"
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _subtable((*key, name), value)
