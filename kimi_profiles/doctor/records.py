"""What is on record, and whether files and profiles still agree with it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from kimi_profiles.doctor.finding import Finding, command, file_place
from kimi_profiles.errors import ProfileNotFoundError
from kimi_profiles.jsontext import split_pointer
from kimi_profiles.ledger import ledger_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kimi_profiles.doctor.finding import Severity
    from kimi_profiles.doctor.patient import Patient
    from kimi_profiles.errors import ProfilesError

__all__ = ["CHECKS"]

_DECISIVE = {
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_API_KEY",
    "apiKeyHelper",
    "primaryApiKey",
    "ANTHROPIC_CUSTOM_HEADERS",
}


def ledger(patient: Patient) -> Iterator[Finding]:
    """The ledger can be read, is ours, and no run was cut short."""
    path = ledger_file(patient.claude.places.state)
    error, known = patient.ledger_error, patient.ledger
    if error is not None:
        remedy = command("kimi-profiles", "backups", "list", *patient.home_options())
        message = f"nothing can be applied or taken out: {_reason(error)}"
        yield Finding("ledger-unreadable", "error", message, file_place(Path(error.path or path)), remedy)
        return
    if known is None:
        return
    if known.lender is not None:
        message = f"the ledger belongs to another user (id {known.lender}); run this as that user"
        yield Finding("ledger-foreign", "warning", message, file_place(path))
    if known.pending:
        files = ", ".join(file_place(Path(name)) for name in known.pending)
        message = f"a run was cut short, or is under way, at {files}; the next one carries on"
        words = ["kimi-profiles", "unapply", *patient.home_options()]
        yield Finding(
            "run-interrupted", "error", message, file_place(path), patient.apply_again or command(*words)
        )


def lost_files(patient: Patient) -> Iterator[Finding]:
    """A profile is on record as applied to a file that is gone."""
    for holder, application in patient.ledger.applications.items() if patient.ledger else ():
        if holder not in patient.missing:
            continue
        message = (
            f"profile {application.profile} is on record as applied in the {application.scope} scope, "
            "but its file is gone"
        )
        remedy = command(
            "kimi-profiles", "unapply", "--settings", holder, *patient.home_options()
        )  # which needs no folder
        severity: Severity = "error" if holder == patient.holder else "warning"
        if holder == patient.holder:
            remedy = patient.apply_again
        yield Finding("applied-file-gone", severity, message, file_place(Path(holder)), remedy)


def lost_backups(patient: Patient) -> Iterator[Finding]:
    """Without its copy a file gets its values back, and not its very bytes."""
    for path in patient.lost_backups:
        message = "this copy is gone: unapply gives all values back, but not the very bytes"
        yield Finding("backup-gone", "warning", message, file_place(path))


def drift(patient: Patient) -> Iterator[Finding]:
    """Somebody changed what the profile wrote."""
    for path, drifted in groupby(patient.status.drift if patient.status else (), lambda each: each.path):
        if str(path) in patient.missing:
            continue  # told by lost_files
        names = [split_pointer(each.pointer)[-1] for each in drifted]
        severity: Severity = "error" if _DECISIVE.intersection(names) else "warning"
        message = f"somebody changed what the profile wrote here: {', '.join(dict.fromkeys(names))}"
        line = next((layer.line(names[0]) for layer in patient.effective.layers if layer.path == path), None)
        yield Finding("drift", severity, message, file_place(path, line), patient.apply_again)


def profile(patient: Patient) -> Iterator[Finding]:
    """The applied profile is still declared, and as it was."""
    error, applied = patient.profile_error, patient.applied
    if error is not None and error is not patient.store_error and applied is not None:
        unapply = patient.own("unapply", applied)
        if isinstance(error, ProfileNotFoundError):
            message = f"profile {applied.profile} is applied, and no longer declared"
            yield Finding("profile-gone", "warning", message, _error_place(error), unapply)
        else:
            message = f"profile {applied.profile} is applied, and its declaration is wrong: {_reason(error)}"
            yield Finding("profile-invalid", "error", message, _error_place(error))
    for notice in patient.status.warnings if patient.status else ():
        if notice.name == "profile-changed":
            place = None if patient.store is None else file_place(patient.store)
            yield Finding("profile-changed", "warning", notice.message, place, patient.apply_again)


def store(patient: Patient) -> Iterator[Finding]:
    """The profiles file can be read."""
    error = patient.store_error
    if error is not None:
        severity: Severity = "error" if patient.applied is not None else "warning"
        message = f"the profiles cannot be read: {_reason(error)}"
        yield Finding("store-unreadable", severity, message, _error_place(error))


def _reason(error: ProfilesError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _error_place(error: ProfilesError) -> str | None:
    return None if error.path is None else file_place(Path(error.path), error.line)


CHECKS = (ledger, lost_files, lost_backups, drift, profile, store)
