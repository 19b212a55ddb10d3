"""One thing that is wrong, or worth knowing: what, how bad, where, and what to type."""

from __future__ import annotations

import shlex

from kimi_profiles.report import short_path
from kimi_profiles.screen import visible
from kimi_profiles.secrets import without_tokens
from kimi_profiles.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from typing import Literal, TypeAlias

    from kimi_profiles.layers import Layer

__all__ = ["Finding", "Severity", "command", "file_place", "masked", "value_place", "without_secrets"]

Severity: TypeAlias = 'Literal["error", "warning", "info"]'


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        name: Stable identifier for scripts.
        severity: ``error`` where the profile does not work or a key leaks, ``warning`` where that may happen,
            ``info`` where it is just worth knowing.
        message: In words, without secret.
        place: ``path:line`` with ``~`` for the user's home, or ``$NAME`` for a variable of the process.
        remedy: A command to paste, where there is one.
    """

    name: str
    severity: Severity
    message: str
    place: str | None = None
    remedy: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """As in the ``findings`` of the ``--json`` answer."""
        return {
            "name": self.name,
            "severity": self.severity,
            "message": self.message,
            "place": self.place,
            "remedy": self.remedy,
        }


def command(*words: str) -> str | None:
    """A command line; ``None`` where a name in it cannot be printed as it is: nobody is to paste another."""
    line = shlex.join(words)
    return line if line == visible(line) and without_tokens(line) == line else None


def file_place(path: Path, line: int | None = None) -> str:
    """``path:line`` for people."""
    return short_path(path) if line is None else f"{short_path(path)}:{line}"


def value_place(layer: Layer, name: str) -> str:
    """Where a layer says ``name``."""
    return f"${name}" if layer.path is None else file_place(layer.path, layer.line(name))


def masked(text: str, secrets: Collection[str]) -> str:
    """``text`` with ``…`` for whatever secret got into it: a path or a model may bear the name of one."""
    for secret in secrets:
        text = text.replace(secret, "…")
    return without_tokens(text)


def without_secrets(finding: Finding, secrets: Collection[str]) -> Finding:
    """The same, masked; a command that would have to be masked is left out."""
    place, remedy = finding.place, finding.remedy
    return replace(
        finding,
        message=masked(finding.message, secrets),
        place=None if place is None else masked(place, secrets),
        remedy=remedy if remedy is not None and masked(remedy, secrets) == remedy else None,
    )
