"""What differs between two JSON texts, value by value. Pure."""

from __future__ import annotations

import re

from kimi_profiles.change import Action
from kimi_profiles.jsontext import dumps, join_pointer, loads
from kimi_profiles.secrets import is_secret_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["difference"]

_NOTHING: Any = object()
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def difference(now: str | None, then: str | None) -> tuple[Action, ...]:
    """What has to be done to the values of ``now`` to get those of ``then``; ``None`` is no file.

    What has the name of a secret, or holds something of such a name, is marked secret. Where one of the
    texts is not JSON there is nothing to tell: the result is empty.
    """
    try:
        return tuple(_differences("", _value(now), _value(then), is_secret=False))
    except (ValueError, RecursionError):
        return ()


def _value(text: str | None) -> Any:
    return _NOTHING if text is None else loads(text.lstrip("\ufeff") or "{}")


def _differences(pointer: str, now: Any, then: Any, *, is_secret: bool) -> Iterator[Action]:
    if now is then or (now is not _NOTHING and then is not _NOTHING and dumps(now) == dumps(then)):
        return
    if all(map(_is_open, (now, then))) and any(isinstance(value, dict) and value for value in (now, then)):
        members, others = (value if isinstance(value, dict) else {} for value in (now, then))
        for key in {**members, **others}:
            sides = members.get(key, _NOTHING), others.get(key, _NOTHING)
            below = is_secret or _names_secret(key)
            yield from _differences(pointer + join_pointer(key), *sides, is_secret=below)
        return
    ours, theirs = (_members(value) if isinstance(value, list) else None for value in (now, then))
    if ours is not None and theirs is not None and ours.keys() != theirs.keys():
        for raw in ours:
            if raw not in theirs:
                yield _action(pointer, "exclude", raw, None, is_secret=is_secret)
        for raw in theirs:
            if raw not in ours:
                yield _action(pointer, "include", None, raw, is_secret=is_secret)
    else:
        before, after = (None if value is _NOTHING else dumps(value) for value in (now, then))
        kind = "add" if before is None else "remove" if after is None else "replace"
        yield _action(pointer, kind, before, after, is_secret=is_secret)


def _is_open(value: Any) -> bool:
    """Whether its members can be told one by one, even if there are none yet."""
    return value is _NOTHING or isinstance(value, dict)


def _members(values: list[Any]) -> dict[str, None]:
    return dict.fromkeys(map(dumps, values))


def _action(pointer: str, kind: Any, before: str | None, after: str | None, *, is_secret: bool) -> Action:
    hides = is_secret or any(raw is not None and _holds_secret(loads(raw)) for raw in (before, after))
    return Action(pointer, kind, before, after, hides)


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_names_secret(key) or _holds_secret(below) for key, below in value.items())
    return isinstance(value, list) and any(map(_holds_secret, value))


def _names_secret(key: str) -> bool:
    """``primaryApiKey`` as well as ``PRIMARY_API_KEY``."""
    return is_secret_name(_HUMP.sub("_", key))
