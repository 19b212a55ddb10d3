"""Profiles as they came out once, kept in the cache folder, so that pydantic need not be loaded for them.

What decides what comes out is the text, the profile's name, this program and its catalogue. There is no
secret in a profile.
"""

from __future__ import annotations

import functools

from kimi_profiles.digests import sha256
from kimi_profiles.kept import Kept, program
from kimi_profiles.profile import Profile, TokenRef
from kimi_profiles.values import asdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

__all__ = ["CompiledProfiles"]

_MOST_WRITTEN = 8  # by one process: who looks at more profiles has loaded pydantic anyway
_NAMES = ""  # no profile is called so
# What makes a profile of a table.
_MAKERS = ("catalogue.json", "declaration.py", "endpoint.py", "inheritance.py", "profile.py", "store.py")


class CompiledProfiles:
    """What is kept for one TOML text.

    Args:
        folder: Where.
        text: The TOML text.
    """

    def __init__(self, folder: Path, text: str) -> None:
        self._kept = Kept(folder)
        self._text = text
        self._written = 0
        self._is_useful = True

    def names(self) -> list[str] | None:
        """The names of the profiles in the text, in its order; ``None`` where that is not known.

        Where they are, the text is known to be TOML of the right shape.
        """
        found = self._read(_NAMES)
        is_names = isinstance(found, list) and all(isinstance(name, str) for name in found)
        return found if is_names else None

    def keep_names(self, names: Iterable[str]) -> None:
        """Keep the names of a text that was found to be right."""
        self._write(_NAMES, list(names))

    def profile(self, name: str) -> Profile | None:
        """The profile as it was kept; ``None`` where it is not known.

        After the first that is not, none is looked for: what makes the others is loaded now.
        """
        profile = _profile(self._read(name)) if self._is_useful else None
        self._is_useful = profile is not None
        return profile

    def keep(self, profile: Profile) -> None:
        """Keep a profile of the text, or of the catalogue."""
        facts = asdict(profile)
        del facts["source"]
        self._write(profile.name, facts)

    @functools.cached_property
    def _digest(self) -> str:
        return sha256(f"{program(*_MAKERS)}\0{self._text}".encode())

    def _key(self, name: str) -> str:
        return sha256(f"{self._digest} {name}".encode())

    def _read(self, name: str) -> Any:
        return self._kept.read(self._key(name))

    def _write(self, name: str, value: object) -> None:
        if self._written < _MOST_WRITTEN:
            self._written += 1
            self._kept.write(self._key(name), value)


def _profile(facts: Any) -> Profile | None:
    try:
        token = facts["token"]
        if token is not None:
            token = TokenRef(token["kind"], token["value"], tuple(token["arguments"]))
        return Profile(**{**facts, "token": token})
    except (TypeError, KeyError):  # ``None`` among others
        return None
