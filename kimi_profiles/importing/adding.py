"""The profile file with what was found added to it. Pure."""

from __future__ import annotations

import tomllib

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.editing.layout import profile_text
from kimi_profiles.editing.profiles import add_profile, profile_key
from kimi_profiles.editing.splicing import appended
from kimi_profiles.errors import Notice
from kimi_profiles.inheritance import resolve_profile
from kimi_profiles.store import ProfileStore
from kimi_profiles.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kimi_profiles.importing.recognize import Proposal

__all__ = ["with_defaults_told", "with_profiles"]


def with_profiles(text: str, proposals: Iterable[Proposal]) -> str:
    """``text`` with ``proposals`` at its end. Errors as :func:`.add_profile`."""
    left = list(proposals)
    while left:
        first, *left = left
        text = add_profile(text, first.name, first.table)
        whole = _with_all(text, left) if left else None
        if whole is not None:
            return whole
    return text


def _with_all(text: str, proposals: Sequence[Proposal]) -> str | None:
    """The same at one go, as each edit reads the whole text; ``None`` where that says anything else."""
    tables = {one.name: dict(one.table) for one in proposals}
    sections = [profile_text(profile_key(name), table) for name, table in tables.items()]
    whole = appended(text, "\n".join(sections))
    before = tomllib.loads(text)
    try:
        after = tomllib.loads(whole)
    except tomllib.TOMLDecodeError:  # a name that is there by now, or a layout that has no room for sections
        return None
    return whole if after == before | {"profiles": before["profiles"] | tables} else None


def with_defaults_told(proposals: Sequence[Proposal], path: Path, text: str) -> list[Proposal]:
    """``proposals``, each with a notice where ``[defaults]`` make something else of it than what was found.

    Args:
        proposals: The profiles.
        path: The profile file.
        text: What it would hold, with those profiles.
    """
    store = ProfileStore(path, text)
    return [replace(one, notices=(*one.notices, *_defaults_notices(one, store))) for one in proposals]


def _defaults_notices(proposal: Proposal, store: ProfileStore) -> Iterator[Notice]:
    tables = {proposal.name: proposal.table}
    alone = resolve_profile(proposal.name, tables, defaults={}, catalogue=read_catalogue())
    if replace(store[proposal.name], extras={}) != replace(alone, extras={}):
        yield Notice(
            "defaults-apply",
            f"[defaults] of your file add to profile {proposal.name}, so it is not just what was found",
            f"kimi-profiles show {proposal.name}",
        )
