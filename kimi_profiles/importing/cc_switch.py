"""The providers that cc-switch keeps. The file is read by us, and SQLite sees nothing but its bytes.

Source: github.com/farion1231/cc-switch, below ``src-tauri/src``: the table in
``database/schema.rs`` at 0133d00, its order in ``database/dao/providers.rs`` at 01be237, a provider and
``meta`` in ``provider.rs`` at 00346c1, the older ``config.json`` in ``app_config.rs`` at 016c7a0, the folder
in ``config.rs`` at 0300f70.
"""

from __future__ import annotations

from kimi_profiles.errors import InvalidError, NotFoundError
from kimi_profiles.files import read_file
from kimi_profiles.importing.found import Found, LeftOut, cut, from_settings
from kimi_profiles.jsontext import JsonTextError, loads
from kimi_profiles.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

__all__ = ["read_cc_switch", "read_config", "read_database"]

_MAX_SIZE_BYTES = 256 << 20  # it also logs every request
_MAX_JSON_BYTES = 16 << 20
_MAX_TEXT = 256 << 10  # of a row; as many of these as there are providers are sorted in memory
_MAX_TEXTS = 8 << 20  # of all rows
_MAX_PROVIDERS = 200
_MAX_STEPS = 5_000  # thousands of SQLite's instructions
_STEP = 1_000
_UNSAVED = "cc-switch is at work, and what is in this file is not read; close it to have all"
_MAGIC = b"SQLite format 3\0"
_JOURNAL_MODES = slice(18, 20)
_QUERY = """\
SELECT name, settings_config, meta, is_current FROM providers WHERE app_type = 'claude'
ORDER BY COALESCE(sort_index, 999999), created_at, id LIMIT ?"""


def read_cc_switch(path: Path) -> list[Found]:
    """Its providers for Claude Code.

    Args:
        path: Its folder, its database, or the ``config.json`` of versions before 3.8.

    Raises:
        NotFoundError: There is nothing of the kind.
        InvalidError: It is damaged, or something else.
        NotPermittedError: It may not be read, or is too large.
    """
    if path.is_dir():
        path = next((path / name for name in ("cc-switch.db", "config.json") if (path / name).exists()), path)
        if path.is_dir():
            raise NotFoundError("there is neither cc-switch.db nor config.json here", path=path)
    data = read_file(path, limit_bytes=_MAX_SIZE_BYTES)
    if data is None:
        raise NotFoundError("there is no such file", hint="name the folder of cc-switch", path=path)
    journals = [path.with_name(path.name + end) for end in ("-wal", "-journal")]
    unsaved = [LeftOut(file.name, _UNSAVED) for file in journals if _size(file)]
    try:
        found = read_database(data, str(path)) if data.startswith(_MAGIC) else read_config(data, str(path))
    except InvalidError as error:
        raise error.at(path) from None
    return [replace(one, left_out=(*one.left_out, *unsaved)) for one in found]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def read_database(data: bytes, origin: str) -> list[Found]:
    """The providers in the bytes of a database.

    Raises:
        InvalidError: They are none of cc-switch's.
    """
    import sqlite3

    if data[_JOURNAL_MODES] != b"\1\1":  # a write-ahead log is a second file, which memory does not have
        data = data[:18] + b"\1\1" + data[20:]
    steps = 0

    def is_enough() -> bool:
        nonlocal steps
        steps += 1
        return steps > _MAX_STEPS

    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(data)
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_TEXT)
        connection.set_progress_handler(is_enough, _STEP)  # a hostile file can hold a query without an end
        connection.execute("PRAGMA trusted_schema = OFF")
        kind = connection.execute("SELECT type FROM sqlite_master WHERE name = 'providers'").fetchone()
        if kind != ("table",):
            raise InvalidError("this database has no table of providers")
        return list(_of_rows(connection.execute(_QUERY, (_MAX_PROVIDERS,)), origin))
    except (sqlite3.Error, UnicodeDecodeError, OverflowError, MemoryError) as error:
        raise InvalidError(
            f"this is no database of cc-switch's: {type(error).__name__}",
            hint="close cc-switch, and try again",
        ) from None
    finally:
        connection.close()


def _of_rows(rows: Iterable[tuple[Any, ...]], origin: str) -> Iterator[Found]:
    size = 0
    for name, config, meta, is_current in rows:  # a generated column is large, and takes no room in the file
        size += sum(len(text) for text in (name, config, meta) if isinstance(text, str | bytes))
        if size > _MAX_TEXTS:
            raise InvalidError("there is more in this database than cc-switch writes")
        yield _provider(str(name), _parsed(config), _parsed(meta), origin, is_current=is_current == 1)


def read_config(data: bytes, origin: str) -> list[Found]:
    """The providers in the ``config.json`` of older versions.

    Raises:
        InvalidError: It is none.
    """
    if len(data) > _MAX_JSON_BYTES:
        raise InvalidError("this file is too large for a config.json of cc-switch's")
    try:
        document = loads(data.decode("utf-8-sig"))
    except JsonTextError as error:
        raise InvalidError(error.message, line=error.line, column=error.column) from None
    except (ValueError, RecursionError):
        raise InvalidError("this is not JSON") from None
    manager = document.get("claude", document) if isinstance(document, dict) else None
    providers = manager.get("providers") if isinstance(manager, dict) else None
    if not isinstance(providers, dict):
        raise InvalidError("this is no config.json of cc-switch's: it has no providers for Claude Code")
    return list(_of_config(providers, manager.get("current") if isinstance(manager, dict) else None, origin))


def _of_config(providers: Mapping[str, Any], current: object, origin: str) -> Iterator[Found]:
    for key, provider in list(providers.items())[:_MAX_PROVIDERS]:
        if isinstance(provider, dict):
            name, meta = str(provider.get("name") or key), provider.get("meta")
            yield _provider(name, provider.get("settingsConfig"), meta, origin, is_current=key == current)


def _parsed(text: object) -> Any:
    try:
        return loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _provider(name: str, config: Any, meta: Any, origin: str, *, is_current: bool) -> Found:
    name = cut(name)
    origin = f"{origin}, {name}"
    if not isinstance(config, dict):
        return Found(name=name, is_current=is_current, problem="its settings cannot be read")
    variables, settings = from_settings(config, origin)
    spoken = meta.get("apiFormat") if isinstance(meta, dict) else None
    problem = None
    if "ANTHROPIC_BASE_URL" not in variables:
        problem = "it has no endpoint of its own"
    elif spoken not in {None, "", "anthropic"}:
        problem = "its endpoint does not speak Anthropic's protocol; cc-switch translates for it"
    return Found(variables, settings, origin, name=name, is_current=is_current, problem=problem)
