"""Claude Code itself: which one, how far it is set up, and what still runs with old values."""

from __future__ import annotations

import contextlib
from datetime import datetime

from kimi_profiles.client import NEWER, OLDER
from kimi_profiles.doctor.finding import Finding, file_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kimi_profiles.doctor.finding import Severity
    from kimi_profiles.doctor.patient import Patient

__all__ = ["CHECKS"]

_KEY = "ANTHROPIC_API_KEY"
_TAIL = 20
_MEASURED = {OLDER.version, NEWER.version}
_LISTED = 5


def version(patient: Patient) -> Iterator[Finding]:
    """By which rules all this was found out."""
    client, rules = patient.survey.client, patient.survey.rules
    if client is None:
        message = f"no Claude Code was found; all this goes by the rules of {rules.version}"
        yield Finding("client-missing", "info", message)
    elif client.version not in _MEASURED:
        what = f"Claude Code {client.version}" if client.version else "this Claude Code"
        message = f"{what} was not measured; all this goes by the rules of {rules.version}"
        yield Finding("client-not-measured", "info", message, file_place(client.path))


def inside_client(patient: Patient) -> Iterator[Finding]:
    """What Claude Code starts has the variables of its settings in its environment."""
    names = ("ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", _KEY, "ANTHROPIC_MODEL")
    if patient.env.get("CLAUDECODE") and any(map(patient.env.get, names)):
        message = "this runs inside Claude Code, which puts its settings into the environment: ask in a shell"
        yield Finding("inside-claude-code", "info", message, "$CLAUDECODE")


def onboarding(patient: Patient) -> Iterator[Finding]:
    """Without the mark of a first start, an interactive one asks, or does not get to the token at all."""
    is_wanted = patient.goes_elsewhere or patient.applied is not None
    if not is_wanted or patient.state is None or patient.state.is_onboarded:
        return
    is_newer = patient.survey.rules.is_newer
    severity: Severity = "warning" if is_newer else "error"
    what = "asks for a theme first" if is_newer else "asks for a login, and ignores the token"
    message = f"hasCompletedOnboarding is missing: an interactive start {what}"
    place = file_place(patient.claude.places.claude_json)
    is_ours = patient.profile is None or patient.profile.onboarding
    yield Finding("onboarding-missing", severity, message, place, patient.apply_again if is_ours else None)


def key_approval(patient: Patient) -> Iterator[Finding]:
    """An interactive start uses a key only once the user has approved of it."""
    sent = next((c for c in patient.request.credentials if c.source == _KEY and c.value), None)
    state, path = patient.state, patient.claude.places.claude_json
    tail = "" if sent is None else (sent.value or "")[-_TAIL:]
    if sent is None or state is None or tail in state.approved:
        return
    remedy = patient.apply_again if str(sent.path) == patient.holder else None
    if tail in state.rejected:
        message = f"the value of {_KEY} was rejected once: interactive sessions do not use it"
        place = file_place(path, state.rejected_line)
        yield Finding("key-rejected", "error", message, place, remedy)
    else:
        message = f"the value of {_KEY} is not approved: an interactive start asks, and No is the default"
        yield Finding("key-not-approved", "warning", message, file_place(path), remedy)


def sessions(patient: Patient) -> Iterator[Finding]:
    """A session keeps what it read when it started, above all what was removed since."""
    path = _latest_settings(patient)
    if path is None:
        return
    changed = _changed_at(patient, path)
    old = [session.pid for session in patient.sessions if session.started < changed]
    if old:
        listed = ", ".join(map(str, old[:_LISTED])) + (", …" if len(old) > _LISTED else "")
        what = "sessions of Claude Code are" if len(old) > 1 else "session of Claude Code is"
        message = f"{len(old)} {what} older than these settings, and may keep old values; restart: {listed}"
        yield Finding("session-outdated", "warning", message, file_place(path))


def _latest_settings(patient: Patient) -> Path | None:
    """The settings file that was changed last, of those that bear on requests."""
    names = set(patient.effective.names())
    files = [
        layer.path
        for layer in patient.effective.layers
        if layer.path is not None
        and layer.path in patient.stats
        and layer.name != "claude.json"
        and (names.intersection(layer.values) or str(layer.path) == patient.holder)
    ]
    return max(files, key=lambda path: _changed_at(patient, path), default=None)


def _changed_at(patient: Patient, path: Path) -> float:
    """When the file got what it says, in seconds since 1970.

    Claude Code writes there too, and a session is not older than what it wrote itself: where the profile
    still stands as it was applied, that moment counts.
    """
    applied, status = patient.applied, patient.status
    is_drifted = status is None or any(each.path == path for each in status.drift)
    if applied is not None and str(path) == patient.holder and not is_drifted:
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(applied.at).timestamp()
    return patient.stats[path].st_mtime


CHECKS = (version, inside_client, onboarding, key_approval, sessions)
