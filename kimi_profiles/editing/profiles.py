"""Edits to the text of the profile file: text in, text out. Every character not meant stays as it is.

An edit finds the keys by position and splices. Then the new text is read again: it must say what the old
one said, with just the difference that was meant. Where no way of writing it does that, the edit is refused.

The texts must be ones that :class:`kimi_profiles.store.ProfileStore` accepts: its limits keep this fast.
"""

from __future__ import annotations

import copy
import tomllib
from itertools import chain

from kimi_profiles.catalogue import nearest, read_catalogue
from kimi_profiles.editing.layout import profile_text
from kimi_profiles.editing.splicing import appended, copied, inserted, removed, renamed, replaced
from kimi_profiles.editing.values import written
from kimi_profiles.errors import NotPermittedError, ProfileInvalidError, ProfileNotFoundError, UsageError
from kimi_profiles.profile import check_profile_name
from kimi_profiles.tomltext import read_entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from kimi_profiles.editing.splicing import Key

__all__ = [
    "DEFAULTS",
    "HEADER",
    "add_profile",
    "copy_profile",
    "profile_key",
    "remove_profile",
    "rename_profile",
    "set_value",
    "table_key",
    "unset_value",
    "value_at",
]

HEADER = """\
# Profiles for Claude Code. This file holds no token, only where a token is: it may be published.
# Check it with: kimi-profiles validate
"""
"""How a new file begins."""

DEFAULTS: Key = ("defaults",)
"""The key of the table that lies under every profile."""

_TOKEN: Key = ("auth", "token")


def profile_key(name: str) -> Key:
    """The key of the table of profile ``name``."""
    return "profiles", name


def table_key(text: str, name: str) -> Key:
    """The key of the table ``name``; ``defaults`` is ``[defaults]`` unless a profile has that name."""
    if name == DEFAULTS[0] and name not in tomllib.loads(text).get("profiles", {}):
        return DEFAULTS
    return profile_key(name)


def add_profile(text: str, name: str, table: Mapping[str, Any]) -> str:
    """``text`` with a new profile at its end, in the layout of the file that ``init`` makes.

    Args:
        text: The profile file; may be empty.
        name: See :func:`kimi_profiles.profile.check_profile_name`.
        table: What the profile says, as ``tomllib`` would give it: ``auth`` becomes dotted keys, ``models``,
            ``env`` and ``settings`` become tables of their own. Whether it is valid is not looked at.

    Returns:
        The new text.

    Raises:
        UsageError: ``name`` may not name a profile, or there is such a profile already.
        ProfileInvalidError: The layout of ``text`` does not allow it.
    """
    document = tomllib.loads(text)
    _check_free(document, name)
    key = profile_key(name)
    wanted = _with_value(document, key, dict(table))
    return _first_faithful(
        chain(
            [appended(text, profile_text(key, table))],
            inserted(text, key, written(dict(table)), base=key[:1]),
        ),
        wanted,
    )


def set_value(text: str, base: Key, key: Key, value: object) -> str:
    """``text`` with one key of one table set.

    A key that is there keeps its place and the comment behind it. A new one goes behind its next of kin.
    Where ``key`` is one way to get at the token (``auth.token.env`` …), every other way goes.

    Args:
        text: The profile file.
        base: :func:`profile_key` of a profile in it, or :data:`DEFAULTS`, which need not be there.
        key: Its parts below ``base``, at least one.
        value: What ``tomllib`` could give.

    Raises:
        ProfileNotFoundError: There is no such profile in ``text``; providers do not count.
        UsageError: A table would be lost for a value, or a value for a table.
        ProfileInvalidError: The layout of ``text`` does not allow it.
    """
    document = tomllib.loads(text)
    if base != DEFAULTS:
        _check_there(document, base[1])
    is_way = key[:2] == _TOKEN and key[2:3] not in {(), ("username",)}
    if is_way and not _token_table(document, base):
        key, value = _TOKEN, {key[2]: value}
    path = (*base, *key)
    _check_shape(document, path, value)
    wanted = _with_value(document, path, value)
    result = _set(text, base, path, value, wanted, is_there=value_at(document, path) is not None)
    if is_way and key != _TOKEN:
        kept = {key[2], "username"} if key[2] == "keyring" else {key[2]}
        for other in _token_table(wanted, base).keys() - kept:
            result = _unset(result, (*base, *_TOKEN, other), depth=len(base))
    return result


def unset_value(text: str, base: Key, key: Key) -> str:
    """``text`` without one key of one table, or without a whole table in it; arguments as :func:`set_value`.

    With its only way ``auth.token`` goes as a whole.

    Raises:
        ProfileNotFoundError: There is no such profile in ``text``.
        UsageError: The key is not there; the hint names the nearest one.
        ProfileInvalidError: The layout of ``text`` does not allow it.
    """
    document = tomllib.loads(text)
    if base != DEFAULTS:
        _check_there(document, base[1])
    if value_at(document, (*base, *key)) is None:
        known = nearest(".".join(key), (".".join(leaf) for leaf in _leaves(value_at(document, base))))
        subject = "[defaults]" if base == DEFAULTS else f"profile {base[1]}"
        hint = f"did you mean {known}?" if known else None
        raise UsageError(f"{subject} does not say {'.'.join(key)!a:.200}", hint=hint)
    if key[:2] == _TOKEN and key[2:] and not _token_table(document, base).keys() - {key[2], "username"}:
        key = _TOKEN
    return _unset(text, (*base, *key), depth=len(base) - (base == DEFAULTS))


def rename_profile(text: str, old: str, new: str) -> str:
    """``text`` with profile ``old`` called ``new``, also where another profile extends it.

    Raises:
        ProfileNotFoundError: There is no profile ``old`` in ``text``.
        UsageError: ``new`` may not name a profile, is taken, or is what another one extends as a provider.
        ProfileInvalidError: The layout of ``text`` does not allow it.
    """
    document = tomllib.loads(text)
    _check_there(document, old)
    _check_free(document, new)
    if heirs := _heirs(document, new):
        raise UsageError(
            f"profile {heirs[0]} extends the provider {new}, and would extend this profile then",
            hint="choose another name",
        )
    wanted: dict[str, Any] = copy.deepcopy(document)
    wanted["profiles"] = {new if name == old else name: table for name, table in wanted["profiles"].items()}
    heirs = _heirs(document, old)
    for heir in heirs:
        wanted["profiles"][new if heir == old else heir]["extends"] = new
    values = {(*profile_key(heir), "extends"): new for heir in heirs}
    return _first_faithful([renamed(text, profile_key(old), new, values)], wanted)


def copy_profile(text: str, old: str, new: str) -> str:
    """``text`` with a copy of profile ``old``, called ``new``, right behind it, comments included.

    Args:
        text: The profile file.
        old: A profile in it; or a provider, for which the copy is a profile that names it.
        new: See :func:`kimi_profiles.profile.check_profile_name`.

    Raises:
        ProfileNotFoundError: There is neither a profile nor a provider ``old``.
        UsageError: ``new`` may not name a profile, or is taken.
        ProfileInvalidError: The layout of ``text`` does not allow it.
    """
    document = tomllib.loads(text)
    if old not in document.get("profiles", {}) and old in read_catalogue().providers:
        return add_profile(text, new, {"provider": old})
    _check_there(document, old)
    _check_free(document, new)
    table = document["profiles"][old]
    wanted = _with_value(document, profile_key(new), copy.deepcopy(table))
    return _first_faithful([copied(text, profile_key(old), new)], wanted)


def remove_profile(text: str, name: str) -> str:
    """``text`` without profile ``name`` and the comment right above it.

    Raises:
        ProfileNotFoundError: There is no such profile in ``text``.
        NotPermittedError: Another profile extends it.
        ProfileInvalidError: The layout of ``text`` does not allow it.
    """
    document = tomllib.loads(text)
    _check_there(document, name)
    if heirs := [heir for heir in _heirs(document, name) if heir != name]:
        others = ", ".join(heirs[:5]) + (" and others" if heirs[5:] else "")
        raise NotPermittedError(
            f"profile {name} is extended by {others}",
            hint=f"kimi-profiles remove {heirs[0]}, or let it extend another one",
        )
    return _unset(text, profile_key(name), depth=0)


def _token_table(document: Mapping[str, Any], base: Key) -> dict[str, Any]:
    """The table ``auth.token`` below ``base``; empty where it is none."""
    found = value_at(document, (*base, *_TOKEN))
    return found if isinstance(found, dict) else {}


def _set(text: str, base: Key, path: Key, value: object, wanted: dict[str, Any], *, is_there: bool) -> str:
    entry = next((entry for entry in read_entries(text) if entry.path == path and not entry.is_header), None)
    if entry is not None:
        return _first_faithful([replaced(text, entry, written(value))], wanted)
    if is_there:  # a table in several places
        text = removed(text, path)
    return _first_faithful(inserted(text, path, written(value), base=base), wanted)


def _unset(text: str, path: Key, *, depth: int) -> str:
    wanted = tomllib.loads(text)
    del value_at(wanted, path[:-1])[path[-1]]
    return _first_faithful([removed(text, path)], wanted, emptied=path[:-1], depth=depth)


def _first_faithful(
    candidates: Iterable[str], wanted: dict[str, Any], *, emptied: Key = (), depth: int = 1
) -> str:
    """The first text that says just what is wanted.

    Args:
        candidates: Texts, not tried before they are needed.
        wanted: What it shall say.
        emptied: The table from which something was taken out: if nothing is left, it may be there or not.
        depth: How many of its first parts are to be there all the same.
    """
    for text in candidates:
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        if _is_same(_pruned(document, emptied, depth), _pruned(wanted, emptied, depth)):
            return text
    raise ProfileInvalidError(
        "the layout of the file does not allow this change without others", hint="by hand: kimi-profiles edit"
    )


def _pruned(document: dict[str, Any], path: Key, depth: int) -> dict[str, Any]:
    """``document`` without the empty tables on ``path``, those of at most ``depth`` parts aside."""
    for length in range(len(path), depth, -1):
        above, name = value_at(document, path[: length - 1]), path[length - 1]
        if isinstance(above, dict) and above.get(name) == {}:
            del above[name]
    return document


def _is_same(one: object, other: object) -> bool:
    """Whether both are the same TOML: ``1`` is not ``1.0``, and ``nan`` is ``nan``."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)


def _with_value(document: dict[str, Any], path: Key, value: object) -> dict[str, Any]:
    """``document`` with ``value`` at ``path``; tables on the way are made or copied, the others shared."""
    name, *below = path
    if not below:
        return {**document, name: value}
    return {**document, name: _with_value(document.get(name, {}), tuple(below), value)}


def value_at(document: Mapping[str, Any], path: Key) -> Any:
    """What ``document`` has at ``path``; ``None`` for nothing, which TOML has no value for."""
    found: Any = document
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _leaves(value: object, prefix: Key = ()) -> Iterator[Key]:
    for name, below in value.items() if isinstance(value, dict) else ():
        yield (*prefix, name)
        yield from _leaves(below, (*prefix, name))


def _heirs(document: Mapping[str, Any], name: str) -> list[str]:
    """The profiles that extend ``name``."""
    tables = document.get("profiles", {})
    return [
        heir for heir, table in tables.items() if isinstance(table, dict) and table.get("extends") == name
    ]


def _check_there(document: Mapping[str, Any], name: str) -> None:
    tables = document.get("profiles", {})
    if name in tables:
        return
    near = nearest(name, tables)
    if name in read_catalogue().providers:
        hint = f"it is a provider: kimi-profiles add {name} makes a profile of it"
    else:
        hint = f"did you mean {near}?" if near else "see: kimi-profiles list"
    raise ProfileNotFoundError(f"there is no profile {name!a:.80}", hint=hint)


def _check_free(document: Mapping[str, Any], name: str) -> None:
    check_profile_name(name)
    if name in document.get("profiles", {}):
        raise UsageError(
            f"there is a profile {name} already", hint=f"kimi-profiles show {name}, or choose another name"
        )


def _check_shape(document: Mapping[str, Any], path: Key, value: object) -> None:
    """Refuse to lose a table for a value, or a value for a table."""
    for length in range(1, len(path)):
        above = value_at(document, path[:length])
        if above is not None and not isinstance(above, dict):
            named = ".".join(path[2:length]) or ".".join(path[:length])
            raise UsageError(f"{named} is no table in this file", hint="by hand: kimi-profiles edit")
    now = value_at(document, path)
    if isinstance(now, dict) and not isinstance(value, dict):
        raise UsageError(f"{'.'.join(path[2:])} is a table in this file", hint="unset it first")
