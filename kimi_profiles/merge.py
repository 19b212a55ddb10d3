"""A profile in the text of a settings file, and out of it again. Pure: no file, no lock, no environment."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kimi_profiles.claude import Surroundings, settings_changes
from kimi_profiles.errors import TokenUnavailableError
from kimi_profiles.ledger import Record
from kimi_profiles.plan import plan_text
from kimi_profiles.secrets import Secret

if TYPE_CHECKING:
    from kimi_profiles.profile import Profile

__all__ = ["MergedText", "merge_text", "unmerge_text"]

_TEXT_HOLDER = "text"


@dataclass(frozen=True, slots=True)
class MergedText:
    """A text with a profile in it, and the record by which :func:`unmerge_text` takes it out again."""

    text: str = field(repr=False)
    record: Record = field(repr=False)


def merge_text(
    text: str,
    profile: Profile,
    *,
    token: str | None = None,
    record: Record | None = None,
    supplied: frozenset[str] = frozenset(),
) -> MergedText:
    """Merge ``profile`` into the text of a settings file. Pure: no file, no lock, no environment.

    Args:
        text: The settings; may be empty.
        profile: What to merge.
        token: Its token; needed for inline delivery.
        record: From an earlier call, if ``text`` already holds a profile.
        supplied: Names of variables that a weaker layer sets; they are masked where they would interfere.

    Returns:
        The new text and a new record. The record holds no token, but earlier values of the user's.

    Raises:
        JsonTextError: ``text`` is not strict JSON.
        TargetInvalidError: Something that is no object is in the way.
    """
    known = Record() if record is None else record
    secret = None if token is None else Secret(token)
    if profile.delivery == "inline" and secret is None:
        raise TokenUnavailableError("a profile with inline delivery cannot be merged without its token")
    command = shlex.join(["kimi-profiles", "token", profile.name]) if profile.delivery == "helper" else None
    surroundings = Surroundings(supplied, helper_command=command)
    changes = settings_changes(profile, secret, record=known, text=text, surroundings=surroundings)
    plan = plan_text(text, known, changes, holder=_TEXT_HOLDER)
    return MergedText(plan.text or "", plan.record)


def unmerge_text(text: str, record: Record) -> MergedText:
    """Take out of ``text`` what :func:`merge_text` put in; what somebody changed since stays.

    Returns:
        The text without the profile, and a record that owns nothing.

    Raises:
        JsonTextError: ``text`` is not strict JSON.
    """
    plan = plan_text(text, record, (), holder=_TEXT_HOLDER)
    return MergedText(plan.text or "", plan.record)
