"""Keys and values as TOML writes them, by tomlkit."""

from __future__ import annotations

from kimi_profiles.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["written", "written_key"]


def written_key(*parts: str) -> str:
    """A key as TOML, quoted where it has to be."""
    from tomlkit import key

    return ".".join(key(_unicode(part)).as_string() for part in parts)


def written(value: object) -> str:
    """``value`` as TOML on one line, tables inline.

    Raises:
        ValueError: TOML has no such value; a :class:`UsageError` for text that is not Unicode.
    """
    if isinstance(value, dict):
        return _inline(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(written, value)) + "]"
    from tomlkit import item

    return item(_unicode(value) if isinstance(value, str) else value).as_string()


def _inline(table: Mapping[str, Any]) -> str:
    """With a blank inside the braces, as people write it and tomlkit does not."""
    inner = ", ".join(f"{written_key(key)} = {written(value)}" for key, value in table.items())
    return f"{{ {inner} }}" if inner else "{}"


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("TOML is UTF-8, and a text that is to be written is not") from None
    return text
