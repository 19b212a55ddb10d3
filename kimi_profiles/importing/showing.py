"""A profile that could be added, as lines for people and as JSON for scripts. No token is in either."""

from __future__ import annotations

import os
from pathlib import Path

from kimi_profiles.editing.profiles import add_profile
from kimi_profiles.report import short_path
from kimi_profiles.secrets import without_tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kimi_profiles.importing.recognize import Proposal
    from kimi_profiles.screen import Screen, Segment

__all__ = ["export_line", "proposal_json", "show_proposal", "shown_source"]


def show_proposal(screen: Screen, proposal: Proposal) -> None:
    """Print the TOML, where each value of it stood, and what is left out and why."""
    for line in add_profile("", proposal.name, proposal.table).strip().splitlines():
        screen.line(("  + ", "add"), without_tokens(line))
    screen.line()
    taken: list[list[Segment | str]] = [
        [key, (shown_source(source), "dim")] for key, source in proposal.taken.items()
    ]
    screen.table(["TAKEN", "FROM"], taken)
    if proposal.implied:
        who = "the provider has it" if "provider" in proposal.table else "it would be anyway"
        screen.line((f"as {who}: ", "dim"), ", ".join(proposal.implied))
    if proposal.left_out:
        screen.line()
        left: list[list[Segment | str]] = [
            [without_tokens(one.name), (without_tokens(one.reason), "dim")] for one in proposal.left_out
        ]
        screen.table(["LEFT OUT", "WHY"], left)
    screen.line()


def proposal_json(proposal: Proposal) -> dict[str, Any]:
    """The same for scripts."""
    token = proposal.token
    return {
        "table": dict(proposal.table),
        "taken": [{"key": key, "source": without_tokens(source)} for key, source in proposal.taken.items()],
        "implied": list(proposal.implied),
        "left_out": [
            {"name": without_tokens(one.name), "reason": without_tokens(one.reason)}
            for one in proposal.left_out
        ],
        "export": proposal.export,
        "token": None if token is None else {"secret": True, "fingerprint": token.fingerprint},
        "warnings": [notice.to_json() for notice in proposal.notices],
    }


def export_line(proposal: Proposal, *, platform: str = os.name) -> str | None:
    """The line that puts the token into its variable, where one is needed.

    The token is not in it: it names the variable that has it, or leaves a gap.
    """
    if proposal.export is None:
        return None
    name, source = proposal.token_name, proposal.token_source
    holder = name if name and source == "the environment" else None
    if platform == "nt":
        return f"$env:{proposal.export} = " + (f"$env:{holder}" if holder else "'…'")
    return f"export {proposal.export}=" + (f'"${holder}"' if holder else "…")


def shown_source(source: str) -> str:
    """Where something stood, with ``~`` for the home."""
    return without_tokens(short_path(Path(source)))
