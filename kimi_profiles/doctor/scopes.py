"""Which layer decides, what is ignored as a whole, and where Claude Code looks for its files at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kimi_profiles.doctor.finding import Finding, command, file_place, value_place
from kimi_profiles.jsontext import split_pointer
from kimi_profiles.layers import BEARING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kimi_profiles.doctor.finding import Severity
    from kimi_profiles.doctor.patient import Patient
    from kimi_profiles.layers import Layer

__all__ = ["CHECKS"]

_FOLDER = "CLAUDE_CONFIG_DIR"


def stronger_layers(patient: Patient) -> Iterator[Finding]:
    """What the applied profile wrote is hidden by a file that counts for more."""
    for layer, names in _hidden(patient):
        if layer.name == "managed":
            continue
        how = "; start Claude Code without --settings" if layer.name == "flag" else ""
        message = f"what the applied profile says of {_listed(names)} is hidden by what stands here{how}"
        severity: Severity = "warning" if all(map(_is_about_models, names)) else "error"
        yield Finding(
            "stronger-layer", severity, message, value_place(layer, names[0]), patient.overrule(layer)
        )


def _hidden(patient: Patient) -> list[tuple[Layer, list[str]]]:
    """Each layer that hides something of the profile, with the names."""
    mine, ledger = patient.layer, patient.ledger
    record = ledger.records.get(patient.holder) if ledger else None
    if mine is None or mine.path is None or record is None or patient.applied is None:
        return []
    owned = {split_pointer(entry.pointer)[-1] for entry in record.owned if patient.holder in entry.holders}
    hidden = [each for each in patient.effective.hidden(mine.path) if each[0] in owned]
    return [
        (layer, [name for name, winner in hidden if winner is layer])
        for layer in patient.effective.layers
        if any(winner is layer for _, winner in hidden)
    ]


def _is_about_models(name: str) -> bool:
    return "MODEL" in name.upper() or "CONTEXT" in name or "COMPACT" in name


def _listed(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last


def managed_settings(patient: Patient) -> Iterator[Finding]:
    """The administrator's settings beat everybody's."""
    hidden = [layer.path for layer, _ in _hidden(patient)]
    for layer in patient.effective.layers:
        names = [name for name in BEARING if name in layer.values and patient.winner(name) is layer]
        if layer.name == "managed" and names:
            message = f"the administrator of this machine decides {_listed(names)}; only they can change it"
            severity: Severity = "error" if layer.path in hidden else "info"
            yield Finding("managed-settings", severity, message, value_place(layer, names[0]))


def ignored_files(patient: Patient) -> Iterator[Finding]:
    """A file of which Claude Code takes nothing at all, be it hooks, permissions or the profile."""
    for layer in patient.survey.effective.layers:
        if layer.ignored is None or layer.path is None:
            continue
        place = file_place(layer.path, layer.ignored.line)
        if layer.ignored.is_fatal:
            message = f"Claude Code does not start, because of this file: {layer.ignored.reason}"
            yield Finding("file-stops-client", "error", message, place)
        else:
            message = f"Claude Code ignores this whole file: {layer.ignored.reason}"
            yield Finding("file-ignored", "error", message, place)


def config_folder(patient: Patient) -> Iterator[Finding]:
    """``CLAUDE_CONFIG_DIR`` in a form that does not mean what it looks like."""
    value = patient.env.get(_FOLDER)
    if value is None or not patient.claude.is_own_home or os.path.isabs(value):  # noqa: PTH117
        return
    place, unset = patient.export_place(_FOLDER), patient.unset(_FOLDER)
    if not value:
        message = f"{_FOLDER} is set, but empty: settings are read from the working folder, and not from home"
        yield Finding("config-dir-empty", "error", message, place, unset)
    elif value.startswith("~"):
        message = f"Claude Code does not expand the ~ of {_FOLDER}: it makes a folder of that name"
        yield Finding("config-dir-tilde", "error", message, place, unset)
    else:
        message = f"{_FOLDER} is relative, so every working folder has settings and logins of its own"
        remedy = command("export", f"{_FOLDER}={patient.claude.places.claude}")
        yield Finding("config-dir-relative", "error", message, place, remedy)


def config_folder_in_settings(patient: Patient) -> Iterator[Finding]:
    """In a settings file that variable is half obeyed."""
    for layer in patient.survey.effective.layers:
        if layer.path is not None and _FOLDER in layer.values:
            message = f"{_FOLDER} in a settings file splits Claude Code's state over two folders; remove it"
            yield Finding("config-dir-in-settings", "error", message, value_place(layer, _FOLDER))


def legacy_state(patient: Patient) -> Iterator[Finding]:
    """An old state file takes the place of the one that everybody knows."""
    legacy = patient.claude.places.claude_json
    if legacy.name != ".config.json":
        return
    usual = [
        path
        for path, found in patient.stats.items()
        if path.name == ".claude.json" and stat.S_ISREG(found.st_mode)
    ]
    beside = f", and {file_place(usual[0])} is not read" if usual else ""
    severity: Severity = "warning" if usual else "info"
    message = f"Claude Code keeps logins and approvals in this file of old{beside}"
    yield Finding("legacy-state-file", severity, message, file_place(Path(legacy)))


CHECKS = (
    stronger_layers,
    managed_settings,
    ignored_files,
    config_folder,
    config_folder_in_settings,
    legacy_state,
)
