"""What another tool calls its configurations: one of them picked, and a profile's name made of it. Pure."""

from __future__ import annotations

import re
import unicodedata

from kimi_profiles.errors import UsageError
from kimi_profiles.profile import check_profile_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from kimi_profiles.importing.found import Found

__all__ = ["clean_name", "pick"]

_LONGEST = 48  # of 64 characters, so that a number can follow
_OTHERS = re.compile(r"[^a-z0-9._-]+")
_FALLBACK = "provider"
_MOST_LISTED = 30


def clean_name(text: str, taken: Container[str]) -> str:
    """``text`` as the name of a profile, another one than those that are ``taken``.

    ``Kimi For Coding (国内)`` becomes ``kimi-for-coding``, and of a name of which nothing is left
    ``provider`` is made. What is taken gets a number.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    name = _OTHERS.sub("-", plain).lstrip(".-")[:_LONGEST].rstrip(".-") or _FALLBACK
    try:
        check_profile_name(name)
    except UsageError:  # what Windows keeps for its devices
        name = f"{_FALLBACK}-{name}"
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def pick(found: Sequence[Found], wanted: str | None) -> Found:
    """The one that is called ``wanted``, or has that number.

    Args:
        found: All of them; numbers count from 1.
        wanted: A name, in which letter case does not matter, or a number; ``None`` if nobody said.

    Raises:
        UsageError: None or several are called so; the message lists what there is.
    """
    named = [one for one in found if wanted is not None and one.name.casefold() == wanted.casefold()]
    if len(named) == 1:
        return named[0]
    number = int(wanted) if wanted and not named and re.fullmatch("[1-9][0-9]{0,5}", wanted) else 0
    if 0 < number <= len(found):
        return found[number - 1]
    what = "several have that name" if named else f"there is none called {wanted!a:.80}"
    listed = ", ".join(f"{place} {one.name}" for place, one in enumerate(found[:_MOST_LISTED], 1))
    more = f", and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
    raise UsageError(
        f"{'which one' if wanted is None else what}: {listed}{more}",
        hint="--provider-name with a name or a number, or --all",
    )
