"""Every error this package raises: its name for scripts, its exit code, its place and its hint.

The names and exit codes are a promise to scripts (docs/reference: "Exit codes"). No message may hold a
secret; a caller that quotes a file quotes only keys, never values.
"""

from __future__ import annotations

import os

from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

__all__ = [
    "DurabilityUnconfirmedError",
    "EndpointError",
    "InterruptedRunError",
    "InvalidError",
    "LedgerInvalidError",
    "LockTimeoutError",
    "NotFoundError",
    "NotPermittedError",
    "Notice",
    "ProfileInvalidError",
    "ProfileNotFoundError",
    "ProfilesError",
    "TargetBusyError",
    "TargetInvalidError",
    "TargetTrackedError",
    "TokenUnavailableError",
    "UsageError",
    "WriteFailedError",
]


class ProfilesError(Exception):
    """Root of the tree.

    Attributes:
        message: One sentence without place and without secret.
        hint: What the reader can do about it, or ``None``.
        path: The file it is about, or ``None``.
        line: 1-based, or ``None``.
        column: 1-based, in characters, or ``None``.
        pointer: JSON Pointer (RFC 6901) of the value it is about, or ``None``.
        name: Stable identifier for scripts.
        exit_code: What the command line exits with.
    """

    name: ClassVar[str] = "unexpected"
    exit_code: int = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        path: str | os.PathLike[str] | None = None,
        line: int | None = None,
        column: int | None = None,
        pointer: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = None if path is None else os.fspath(path)
        self.line = line
        self.column = column
        self.pointer = pointer

    def __str__(self) -> str:
        place = [str(part) for part in (self.path, self.line, self.column) if part is not None]
        return ":".join([*place, f" {self.message}"]) if place else self.message

    def __reduce__(self) -> tuple[object, ...]:
        facts = (self.hint, self.path, self.line, self.column, self.pointer)
        return _rebuild, (type(self), self.message, facts)

    def at(self, path: str | os.PathLike[str]) -> ProfilesError:
        """The same error, now knowing its file; an error that knows one keeps it."""
        if self.path is None:
            self.path = os.fspath(path)
        return self


def _rebuild(
    kind: type[ProfilesError],
    message: str,
    facts: tuple[str | None, str | None, int | None, int | None, str | None],
) -> ProfilesError:
    hint, path, line, column, pointer = facts
    return kind(message, hint=hint, path=path, line=line, column=column, pointer=pointer)


class UsageError(ProfilesError, ValueError):
    """The command line, or a call of the library, asks for something that does not exist."""

    name = "usage"
    exit_code = 2


class DurabilityUnconfirmedError(ProfilesError, OSError):
    """The new bytes are in place, but the disk did not confirm that they would survive a power cut."""

    name = "durability-unconfirmed"
    exit_code = 5


class WriteFailedError(ProfilesError, OSError):
    """The disk is full or failed; the old bytes are in place."""

    name = "write-failed"


class NotFoundError(ProfilesError):
    """A file that was named does not exist."""

    name = "not-found"
    exit_code = 66


class ProfileNotFoundError(NotFoundError, KeyError):
    """No profile of this name, in the file or in the catalogue."""

    name = "profile-not-found"

    __str__ = ProfilesError.__str__


class LockTimeoutError(ProfilesError, TimeoutError):
    """Another process holds the lock for longer than the caller would wait."""

    name = "lock-timeout"
    exit_code = 75


class TargetBusyError(ProfilesError):
    """Another program keeps changing the file while we prepare to replace it."""

    name = "target-busy"
    exit_code = 75


class NotPermittedError(ProfilesError):
    """The file system, or a safety rule of ours, does not allow it."""

    name = "not-permitted"
    exit_code = 77


class TargetTrackedError(NotPermittedError):
    """A token would be written into a file that git tracks, or that is meant to be committed."""

    name = "target-tracked"


class InvalidError(ProfilesError, ValueError):
    """Something that was read is not what it has to be."""

    name = "invalid"
    exit_code = 78


class ProfileInvalidError(InvalidError):
    """The TOML file, or one profile in it, is wrong.

    Attributes:
        where: The keys that lead to the fault, while its line is not yet known; empty if none do.
    """

    name = "profile-invalid"
    where: tuple[str, ...] = ()


class EndpointError(ProfileInvalidError):
    """A base URL, or the pair of base URL and token, cannot work."""

    name = "endpoint-invalid"


class TokenUnavailableError(InvalidError):
    """The token reference leads nowhere: variable unset, file missing, command failed, no such entry."""

    name = "token-unavailable"


class TargetInvalidError(InvalidError):
    """A file of Claude Code's that we would edit is not strict JSON of the expected shape."""

    name = "target-unreadable"


class LedgerInvalidError(InvalidError):
    """Our own ledger cannot be read; nothing is written until it can."""

    name = "ledger-unreadable"


class InterruptedRunError(ProfilesError):
    """A signal ended the run; files are whole, and the next command carries on."""

    name = "interrupted"

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted; the files are whole, and the next command carries on")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number  # as shells count

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.signal_number,)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth knowing that stops nothing.

    Attributes:
        name: Stable identifier for scripts.
        message: One sentence, without secret.
        hint: What to do about it, or ``None``.
    """

    name: str
    message: str
    hint: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """As in the ``warnings`` of every ``--json`` answer."""
        return {"name": self.name, "message": self.message, "hint": self.hint}
