"""The profile file with what was found added to it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.editing.profiles import add_profile
from kimi_profiles.errors import Notice
from kimi_profiles.inheritance import resolve_profile
from kimi_profiles.store import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kimi_profiles.importing.recognize import Proposal

__all__ = ["defaults_notices", "with_profiles"]


def with_profiles(text: str, proposals: Iterable[Proposal]) -> str:
    """``text`` with ``proposals`` at its end. Errors as :func:`.add_profile`."""
    for proposal in proposals:
        text = add_profile(text, proposal.name, proposal.table)
    return text


def defaults_notices(proposal: Proposal, path: Path, text: str) -> list[Notice]:
    """Whether ``[defaults]`` make something else of the profile than what was found.

    Args:
        proposal: The profile.
        path: The profile file.
        text: What it would hold, with that profile.
    """
    tables = {proposal.name: proposal.table}
    alone = resolve_profile(proposal.name, tables, defaults={}, catalogue=read_catalogue())
    there = ProfileStore(path, text)[proposal.name]
    if replace(there, extras={}) == replace(alone, extras={}):
        return []
    return [
        Notice(
            "defaults-apply",
            f"[defaults] of your file add to profile {proposal.name}, so it is not just what was found",
            f"kimi-profiles show {proposal.name}",
        )
    ]
