"""What is applied, and whether the files still say so."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from kimi_profiles.drift import find_drift
from kimi_profiles.errors import TargetInvalidError
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from kimi_profiles.change import Change
    from kimi_profiles.errors import Notice
    from kimi_profiles.known import KnownFiles
    from kimi_profiles.ledger import Application, Ledger
    from kimi_profiles.paths import Scope

__all__ = ["Drifted", "Status", "read_status"]


@dataclass(frozen=True, slots=True)
class Drifted:
    """A key of ours that no longer holds what we wrote.

    Attributes:
        path: The file.
        pointer: Where in it.
        now: JSON text of what it holds; ``None`` for nothing.
        wanted: JSON text of what the profile wants there, if it is declared and wants something; never of a
            secret.
        is_secret: Whether ``now`` is not to be shown.
    """

    path: Path
    pointer: str
    now: str | None = field(repr=False)
    wanted: str | None
    is_secret: bool


@dataclass(frozen=True, slots=True)
class Status:
    """What is applied, and whether the files still say so.

    Attributes:
        applied: ``None`` where nothing is.
        in_sync: Whether a profile is applied and every key still holds what we wrote.
        drift: Each key that does not.
        is_interrupted: Whether a run was cut short; the next ``apply`` or ``unapply`` carries on.
        elsewhere: What is applied in other scopes; of thousands, each is read when it is looked at.
    """

    scope: str
    settings: Path
    applied: Application | None
    in_sync: bool
    drift: tuple[Drifted, ...]
    is_interrupted: bool
    warnings: tuple[Notice, ...]
    elsewhere: Sequence[Application] = ()


class _Elsewhere(Sequence["Application"]):
    """For everybody else a tuple."""

    def __init__(self, applications: Mapping[str, Application], here: str) -> None:
        self._applications = applications
        self._here = here

    def __len__(self) -> int:
        return len(self._applications) - (self._here in self._applications)

    def __iter__(self) -> Iterator[Application]:
        return map(self._applications.__getitem__, self._names())

    def __getitem__(self, index: Any) -> Any:
        places: Any = range(len(self))[index]
        if not isinstance(index, slice):
            return self[places : places + 1][0]
        names = list(islice(self._names(), max(places, default=-1) + 1))
        return tuple(self._applications[names[place]] for place in places)

    def _names(self) -> Iterator[str]:
        return (name for name in self._applications if name != self._here)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, _Elsewhere) else other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)


def read_status(
    scope: Scope,
    ledger: Ledger,
    *,
    wanted: Callable[[Path], Sequence[Change]],
    warnings: Sequence[Notice],
    known: KnownFiles,
) -> Status:
    """The status of ``scope``. No file of anybody is written.

    Args:
        scope: The files.
        ledger: What is on record.
        wanted: What the applied profile wants in a file.
        warnings: To be told with it.
        known: What need not be read again.

    Raises:
        TargetInvalidError: A file that is ours is no longer JSON.
        LedgerInvalidError: The ledger is damaged.
    """
    holder = str(scope.settings)
    applied = ledger.applications.get(holder)
    drift = tuple(_drift(ledger, holder, wanted, known))
    return Status(
        scope=scope.name,
        settings=scope.settings,
        applied=applied,
        in_sync=applied is not None and not drift and not ledger.pending,
        drift=drift,
        is_interrupted=bool(ledger.pending),
        warnings=tuple(warnings),
        elsewhere=_Elsewhere(ledger.applications, holder),
    )


def _drift(
    ledger: Ledger, holder: str, wanted: Callable[[Path], Sequence[Change]], known: KnownFiles
) -> Iterator[Drifted]:
    for name, record in ledger.held_by(holder):
        path = Path(name)
        look = known.look(path, f"holds what is recorded in {record.fingerprint} for {holder}")
        if look.is_known:
            continue
        text = None if look.data is None else look.data.decode("utf-8", "replace")
        try:
            found = find_drift(text, record, holder=holder)
        except TargetInvalidError as error:
            raise error.at(path) from None
        if not found:
            look.keep()
        wants = {change.pointer: change for change in wanted(path) if change.member is None} if found else {}
        for owned, now in found:
            want = wants.get(owned.pointer)
            raw = None if want is None or want.is_secret or owned.is_secret else want.want
            yield Drifted(path, owned.pointer, now, raw, owned.is_secret)
