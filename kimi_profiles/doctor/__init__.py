"""What is wrong with a Claude Code installation and the profile in it.

``read_patient`` reads everything, once. A check is a pure function from that to findings; ``examine`` runs
all checks.
"""

from __future__ import annotations

from kimi_profiles.doctor import client, endpoint, keys, models, records, scopes, storage
from kimi_profiles.doctor.finding import Finding, Severity, without_secrets
from kimi_profiles.doctor.reading import read_patient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kimi_profiles.doctor.patient import Patient

__all__ = ["Finding", "Severity", "examine", "read_patient", "settled"]

_GROUPS = (scopes, keys, endpoint, client, records, models, storage)
_ORDER = {"error": 0, "warning": 1, "info": 2}


def examine(patient: Patient) -> list[Finding]:
    """Everything that is found, worst first."""
    return settled(
        patient, (found for group in _GROUPS for check in group.CHECKS for found in check(patient))
    )


def settled(patient: Patient, findings: Iterable[Finding]) -> list[Finding]:
    """Each finding once, worst first, and without any secret that got into it."""
    secrets = patient.secrets
    clean = dict.fromkeys(without_secrets(finding, secrets) for finding in findings)
    return sorted(clean, key=lambda finding: _ORDER[finding.severity])
