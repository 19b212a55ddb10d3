"""A profile in the text of a settings file, and out of it again. Pure: no file, no lock, no environment."""

from __future__ import annotations

from kimi_profiles.claude import Surroundings, helper_line, settings_changes
from kimi_profiles.drift import Drift, find_drift
from kimi_profiles.errors import LedgerInvalidError, ProfilesError, TokenUnavailableError
from kimi_profiles.ledger import Record, union
from kimi_profiles.plan import decoded, document_of, plan_document
from kimi_profiles.presumed import presumed_record
from kimi_profiles.secrets import Secret
from kimi_profiles.supplied import supplied_by_target
from kimi_profiles.values import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimi_profiles.change import Action, Change
    from kimi_profiles.jsontext.document import Document
    from kimi_profiles.plan import TextPlan
    from kimi_profiles.profile import Profile

__all__ = [
    "MergedText",
    "helper_command",
    "merge_text",
    "record_ahead",
    "unmerge_profile",
    "unmerge_text",
]

_TEXT = "text"


@dataclass(frozen=True, slots=True)
class MergedText:
    """A text with a profile in it, and what it takes to take it out again.

    Attributes:
        text: The settings to be; empty where they say nothing.
        record: What was written, and what was there before.
        base: The whole text without any profile, by which the way back is exact to the character; ``None``
            if it is not known. As private as the settings themselves.
        actions: What differs from the text before, key by key.
        drift: What somebody else changed.
    """

    text: str = field(repr=False)
    record: Record = field(repr=False)
    base: str | None = field(default=None, repr=False)
    actions: tuple[Action, ...] = ()
    drift: tuple[Drift, ...] = ()


def merge_text(
    text: str,
    profile: Profile,
    *,
    token: str | None = None,
    record: Record | None = None,
    supplied: frozenset[str] = frozenset(),
    base: str | None = None,
    helper: str | None = None,
) -> MergedText:
    """Merge ``profile`` into the text of a settings file. Pure: no file, no lock, no environment.

    Args:
        text: The settings; may be empty.
        profile: What to merge.
        token: Its token; needed for inline delivery.
        record: From an earlier call, if ``text`` already holds a profile.
        supplied: Names of variables that a weaker layer sets; they are masked where they would interfere.
        base: From the same earlier call.
        helper: Command line that prints the token, for delivery by a helper; :func:`helper_command` if left
            out.

    Returns:
        The new text and a new record. The record holds no token, but earlier values of the user's.

    Raises:
        JsonTextError: ``text`` is not strict JSON.
        TargetInvalidError: Something that is no object is in the way.
        LedgerInvalidError: ``record`` is not as this function makes it.
    """
    known = Record() if record is None else record
    secret = None if token is None else Secret(token)
    if profile.delivery == "inline" and secret is None:
        raise TokenUnavailableError("a profile with inline delivery cannot be merged without its token")
    if profile.delivery == "helper" and helper is None:
        helper = helper_command(profile)
    document = document_of(text or None)
    surroundings = Surroundings(supplied | supplied_by_target(known, document), helper)
    changes = settings_changes(profile, secret, surroundings)
    plan = _planned(document, known, changes)
    data, merged = plan.now or b"", plan.text or b""
    without: str | bytes | None
    if plan.keeps_base:
        without = way_back = base if _is_base(base, known) else None
    else:
        without = plan.base or b""
        way_back = text if without is data else decoded(without)
    record = replace(plan.record, base=None, texts=())
    if without is not None:
        # They may be large, and the first two are mostly one.
        texts = (data, merged) if without is data else (without, data, merged)
        record = replace(record, base=_TEXT, texts=union(tuple(map(record.digest_text, texts)), ()))
    return MergedText(decoded(merged) or "", record, way_back, plan.actions, plan.drift)


def unmerge_text(text: str, record: Record, *, base: str | None = None) -> MergedText:
    """Take out of ``text`` what :func:`merge_text` put in; what somebody changed since stays.

    Args:
        text: The settings; may be empty.
        record: From :func:`merge_text`.
        base: From there too; what nobody changed since then comes back to the character.

    Returns:
        The text without the profile, and a record that owns nothing.

    Raises:
        JsonTextError: ``text`` is not strict JSON.
        LedgerInvalidError: ``record`` is not as :func:`merge_text` makes it.
    """
    plan = _planned(document_of(text or None), record, ())
    without = (
        base if base is not None and plan.keeps_base and _is_base(base, record) else decoded(plan.text) or ""
    )
    return MergedText(without, plan.record, None, plan.actions, plan.drift)


def unmerge_profile(text: str, profile: Profile) -> MergedText:
    """Take ``profile`` out of a text without a record: what the text says just as the profile does.

    Base URL and credential go together or not at all; :mod:`kimi_profiles.presumed` has the rule.

    Not promised: that a value of the user's own stays which is the same as the profile's; that an empty
    object which the profile was put into comes back. A text that says nothing any more is empty.

    Raises:
        JsonTextError: ``text`` is not strict JSON.
    """
    plan = _planned(document_of(text or None), presumed_record(text, profile, holder=_TEXT), ())
    return MergedText(decoded(plan.text) or "", plan.record, None, plan.actions, plan.drift)


def record_ahead(text: str, earlier: Record | None, merged: MergedText) -> Record:
    """A record that is true of ``text`` and of ``merged``: nobody knows yet which of them will be kept.

    Args:
        text: What was merged into.
        earlier: What was known about it.
        merged: What came out.
    """
    if earlier is None:
        return merged.record
    each = [replace(owned, wrote=(digest,)) for owned in earlier.owned for digest in owned.wrote]
    gone = {id(owned) for owned, _ in find_drift(text, replace(earlier, owned=tuple(each)), holder=_TEXT)}
    in_effect = tuple(owned for owned in each if id(owned) not in gone)
    return replace(earlier, owned=in_effect).joined(merged.record)


def helper_command(profile: Profile, *, store: str | None = None) -> str:
    """The command line by which Claude Code gets the token on any machine that has this program.

    Args:
        profile: Whose token.
        store: The TOML file, where it is not the one in the user's configuration.

    Raises:
        TokenUnavailableError: The profile does not say where its token is.
        UsageError: ``store`` is not UTF-8, as JSON must be.
    """
    if profile.token is None:
        raise TokenUnavailableError(
            f"profile {profile.name} does not say where its token is",
            hint='set auth.token, for example to { env = "MY_API_KEY" }',
        )
    command = ["kimi-profiles", "token", profile.name, "--for", profile.base_url]
    command += ["--store", store] if store else []
    return helper_line(profile, command)


def _planned(known: Document[bytes] | None, record: Record, changes: Sequence[Change]) -> TextPlan[bytes]:
    try:
        return plan_document(known, record, changes, holder=_TEXT)
    except ProfilesError:
        raise
    except ValueError:  # keys that lie inside one another, values that are none: nobody wrote such a record
        if not record.owned:
            raise
        raise LedgerInvalidError("the record contradicts itself") from None


def _is_base(base: str | None, record: Record) -> bool:
    """Whether ``base`` is the text that ``record`` was made with, and not one that was mixed up with it."""
    return base is not None and record.texts[:1] == (record.digest_text(base),)
