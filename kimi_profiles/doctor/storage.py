"""Who can read or change what is on the disk, and what was left there."""

from __future__ import annotations

import os
import stat

from kimi_profiles.doctor.finding import Finding, command, file_place
from kimi_profiles.doctor.patient import holds_secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kimi_profiles.doctor.finding import Severity
    from kimi_profiles.doctor.patient import Patient

__all__ = ["CHECKS"]

_IS_POSIX = os.name != "nt"
_STALE_S = 10.0  # Claude Code takes over a lock that is older


def tracked_tokens(patient: Patient) -> Iterator[Finding]:
    """A token that a repository knows is published with it."""
    for path, real in patient.tracked.items():
        message = (
            "git tracks this file, or cannot be asked, and it holds a token; "
            "one that was committed is in the history: make a new one"
        )
        remedy = command("git", "-C", str(real.parent), "rm", "--cached", "--", real.name)
        yield Finding("token-tracked", "error", message, file_place(path), remedy)


def shared_tokens(patient: Patient) -> Iterator[Finding]:
    """A project's settings are meant to be committed, tracked already or not."""
    for layer in patient.survey.effective.layers:
        if layer.name != "project" or layer.path is None or layer.path in patient.tracked:
            continue
        known = patient.ledger.applications.get(str(layer.path)) if patient.ledger else None
        if holds_secret(layer):
            message = "this file holds a token, and is meant to be committed; the local scope is not"
            remedy = patient.own("unapply", known, holder=str(layer.path)) if known else None
            yield Finding("token-in-project", "warning", message, file_place(layer.path), remedy)


def readable_tokens(patient: Patient) -> Iterator[Finding]:
    """Other users of this machine can read a token."""
    for path in _private_files(patient) if _IS_POSIX else ():
        found = patient.stats.get(path)
        mode = 0 if found is None else stat.S_IMODE(found.st_mode)
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            message = f"what is in here is secret, and others can read it (mode {mode:04o})"
            severity: Severity = "error" if mode & stat.S_IROTH else "warning"
            bits = "700" if found is not None and stat.S_ISDIR(found.st_mode) else "600"
            yield Finding(
                "readable-by-others", severity, message, file_place(path), command("chmod", bits, str(path))
            )


def _private_files(patient: Patient) -> list[Path]:
    places = patient.claude.places
    layers = patient.survey.effective.layers
    # Managed settings are for all users to read.
    own = [layer for layer in layers if layer.name != "managed" and holds_secret(layer)]
    files = [layer.path for layer in own if layer.path is not None]
    return [*files, places.claude / ".credentials.json", *patient.token_files, places.state]


def writable_files(patient: Patient) -> Iterator[Finding]:
    """Other users can decide where the key goes, or which program is run to get it."""
    for path, found in patient.stats.items() if _IS_POSIX else ():
        mode = stat.S_IMODE(found.st_mode)
        is_shared_folder = stat.S_ISDIR(found.st_mode) and mode & stat.S_ISVTX
        if mode & stat.S_IWOTH and not is_shared_folder:
            message = f"anybody on this machine can change this (mode {mode:04o})"
            remedy = command("chmod", "o-w", str(path))
            yield Finding("writable-by-others", "error", message, file_place(path), remedy)


def client_lock(patient: Patient) -> Iterator[Finding]:
    """The lock of Claude Code's state file, held or left behind."""
    lock = patient.lock
    if lock is None:
        return
    whose = ", by another user" if lock.is_foreign else ""
    place = file_place(lock.path)
    if not lock.is_folder:
        message = f"a file has the name of Claude Code's lock{whose}, so nobody can take that lock"
        yield Finding("lock-blocked", "warning", message, place, command("rm", "--", str(lock.path)))
    elif not lock.is_empty:
        message = f"Claude Code's lock is not empty{whose}, so nobody can take it over; look what is in it"
        yield Finding("lock-blocked", "warning", message, place, command("ls", "-la", str(lock.path)))
    elif lock.age_s > _STALE_S:
        message = f"a lock that was left behind{whose} {lock.age_s:.0f} s ago; the next writer takes it over"
        yield Finding("lock-stale", "warning", message, place, command("rmdir", str(lock.path)))
    else:
        message = f"Claude Code, or a run of ours, is writing its state file now{whose}"
        yield Finding("lock-held", "info", message, place)


def leftovers(patient: Patient) -> Iterator[Finding]:
    """A run that was killed leaves its temporary file, which may hold a token."""
    for path in patient.leftovers:
        message = "a run that was killed left this temporary file, unless one is under way now"
        remedy = command("rm", "--", str(path))
        yield Finding("leftover-file", "warning", message, file_place(path), remedy)


CHECKS = (tracked_tokens, shared_tokens, readable_tokens, writable_files, client_lock, leftovers)
