"""The three-way merge: what a file holds now, what we recorded, what is wanted → what it shall hold. Pure.

One rule for every key, and for every member of a list:

=========  =====  ==================  ====================================================
wanted     ours?  now                 do
=========  =====  ==================  ====================================================
a state    no     already so          nothing, and do not own it
a state    no     else                before := now; write
a state    yes    what we wrote       keep ``before``; write if different
a state    yes    else: drift         before := now, tell; write
nothing    yes    what we wrote       put ``before`` back
nothing    yes    else: drift         leave it, tell, forget it
nothing    no                         nothing
=========  =====  ==================  ====================================================

Apply, switch, unapply and recovery after a crash are this rule with other wants.
"""

from __future__ import annotations

from kimi_profiles.change import Action
from kimi_profiles.drift import Drift, address_of
from kimi_profiles.errors import TargetInvalidError
from kimi_profiles.jsontext import Address, Found, canonical
from kimi_profiles.jsontext.document import Blocked, Document, is_hollow
from kimi_profiles.ledger import ABSENT, Owned, Record, union
from kimi_profiles.values import Generic, dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Literal, TypeVar

    from kimi_profiles.change import Change
    from kimi_profiles.jsontext.address import Wanted

    _Text = TypeVar("_Text", bound=str | bytes)

__all__ = ["TextPlan", "decoded", "document_of", "plan_document", "plan_text"]


@dataclass(frozen=True, slots=True)
class TextPlan(Generic["_Text"]):
    """What shall become of one file, as text or as the bytes of it.

    Attributes:
        now: Its text; ``None`` where there is none.
        text: The text to be; ``None`` for no file.
        base: Its text without any part of ours; ``None`` for no file. Meaningless where ``keeps_base``.
        keeps_base: Whether the base on record still is the base.
        record: What to record when it is done. Its ``base`` is still the old id where a new base is due.
        actions: Differences, in the order of the changes.
        drift: What somebody else changed.
    """

    now: _Text | None = field(repr=False)
    text: _Text | None = field(repr=False)
    base: _Text | None = field(repr=False)
    keeps_base: bool
    record: Record
    actions: tuple[Action, ...]
    drift: tuple[Drift, ...]

    @property
    def is_changed(self) -> bool:
        """Whether the file has to be written."""
        return self.text != self.now


@dataclass(frozen=True, slots=True)
class _Sides:
    """The three sides of one key."""

    address: Address
    owned: Owned | None
    change: Change | None
    now: Found | None
    base: Found | None
    is_drift: bool


def plan_text(text: str | None, record: Record, changes: Sequence[Change], *, holder: str) -> TextPlan[str]:
    """As :func:`plan_document`, for text; ``None`` where there is none."""
    plan = plan_document(document_of(text), record, changes, holder=holder)
    return TextPlan(
        now=text,
        text=decoded(plan.text),
        base=decoded(plan.base),
        keeps_base=plan.keeps_base,
        record=plan.record,
        actions=plan.actions,
        drift=plan.drift,
    )


def plan_document(
    known: Document[bytes] | None, record: Record, changes: Sequence[Change], *, holder: str
) -> TextPlan[bytes]:
    """Merge ``changes`` into a file and take out what ``holder`` wanted before and wants no longer.

    Args:
        known: The file now; ``None`` where there is none.
        record: What we know about it.
        changes: What ``holder`` wants; none to take it all out.
        holder: On whose behalf: the path of a settings file. What other holders want stays.

    Raises:
        TargetInvalidError: A wanted key lies below something that is not an object, or not a list.
    """
    document = Document(b"") if known is None else known
    data = None if known is None else known.text
    sides = _three_sides(document, record, changes)
    _check_reachable(document, changes)
    if record.made:
        record = replace(record, made=_still_made(document, record))
    finals: list[tuple[_Sides, Wanted, Owned | None]] = []
    bases = {side.address.pointer: side.base for side in sides if side.address.member is None}
    for side in sides:
        change = side.change
        if change is not None and _gives_way(change, bases, document):
            change = None
        final, owned = _decide(side, change, record, holder)
        finals.append((side, final, owned))
    wanted = {side.address: final for side, final, _ in finals if not _is_same(side.now, final)}
    filled = [address for address, state in wanted.items() if state is not None]
    made = union(record.made, document.missing_containers(filled))
    keeps_base = record.knows(data)
    edits = [wanted] if keeps_base else [wanted, _without_us(sides)]
    new, *rest = document.edits(*edits, prune=record.made)
    base = rest[0] if rest else None
    owned_next = tuple(owned for _, _, owned in finals if owned is not None)
    made = _made_next(made, new, finals)
    result: bytes | None = new
    if not owned_next and (record.was_created or record.base == ABSENT) and is_hollow(new):
        result = None
    if data is None and not wanted:
        result = None
    if not keeps_base and result == data and owned_next != record.owned:
        # No write renews the base, and with other things owned the old one must not come back as a whole.
        record = replace(record, base=None, texts=())
    return TextPlan(
        now=data,
        text=result,
        base=None if data is None and base is not None and is_hollow(base) else base,
        keeps_base=keeps_base,
        record=replace(
            record,
            owned=owned_next,
            made=made,
            was_created=record.was_created or data is None,
        ),
        actions=tuple(_action(side, final) for side, final, _ in finals if side.address in wanted),
        drift=tuple(_drift(side, final) for side, final, _ in finals if side.is_drift),
    )


def document_of(text: str | None) -> Document[bytes] | None:
    """What :func:`plan_document` takes, of a text."""
    return None if text is None else Document(text.encode("utf-8", "surrogatepass"))


def decoded(data: bytes | None) -> str | None:
    """The inverse: what it gives, as text."""
    return None if data is None else data.decode("utf-8", "surrogatepass")


def _three_sides(document: Document[bytes], record: Record, changes: Sequence[Change]) -> list[_Sides]:
    """Every key that is wanted or owned; the wanted ones first, in their order."""
    owned = {entry.key: entry for entry in record.owned}
    sides = []
    for change in changes:
        member = None if change.member is None else record.digest(change.pointer, change.member)
        entry = owned.pop((change.pointer, member), None)
        sides.append(_side(document, record, change.address, entry, change))
    for rest in owned.values():
        address = address_of(rest, document, record)
        if address is not None:
            sides.append(_side(document, record, address, rest, None))
    return sides


def _side(
    document: Document[bytes], record: Record, address: Address, owned: Owned | None, change: Change | None
) -> _Sides:
    state = document.state(address)
    now = state if isinstance(state, Found) else None
    if owned is None:
        return _Sides(address, None, change, now, now, is_drift=False)
    if isinstance(state, Blocked):  # nothing stands there, but not because we removed it
        return _Sides(address, owned, change, None, None, is_drift=True)
    if record.digest(owned.pointer, None if now is None else now.raw) in owned.wrote:
        return _Sides(address, owned, change, now, owned.before, is_drift=False)
    return _Sides(address, owned, change, now, now, is_drift=not _is_same(now, owned.before))


def _check_reachable(document: Document[bytes], changes: Iterable[Change]) -> None:
    for address, state in document.read([change.address for change in changes]).items():
        if isinstance(state, Blocked):
            kind = {"object": "an object", "list": "a list"}[state.expected]
            line, column = document.place(state.pointer)
            raise TargetInvalidError(
                f"{state.pointer or 'the whole document'} is not {kind}, so {address} has no place",
                hint="repair the file by hand; nothing was written",
                line=line,
                column=column,
                pointer=state.pointer,
            )


def _gives_way(change: Change, bases: dict[str, Found | None], document: Document[bytes]) -> bool:
    for pointer in change.unless:
        if pointer in bases:
            if bases[pointer] is not None:
                return True
        elif isinstance(document.state(Address(pointer)), Found):
            return True
    return False


def _decide(side: _Sides, change: Change | None, record: Record, holder: str) -> tuple[Wanted, Owned | None]:
    """The state to be, and what to own of it."""
    others = tuple(h for h in side.owned.holders if h != holder) if side.owned else ()
    if change is None:
        if side.owned is not None and others and _is_what_we_wrote(side, record):
            return side.now, replace(side.owned, holders=others)
        return side.base, None
    if _is_same(side.base, change.want):
        return side.base, None
    wrote = (record.digest(change.pointer, change.want),)
    member = None if change.member is None else record.digest(change.pointer, change.member)
    owned = Owned(
        pointer=change.pointer,
        member=member,
        before=side.base,
        wrote=wrote,
        is_present=change.want is not None,
        is_secret=change.is_secret,
        holders=tuple(sorted({*others, holder})),
    )
    return (side.now if _is_same(side.now, change.want) else change.want), owned


def _is_what_we_wrote(side: _Sides, record: Record) -> bool:
    raw = None if side.now is None else side.now.raw
    owned = side.owned
    return owned is not None and not side.is_drift and record.digest(owned.pointer, raw) in owned.wrote


def _still_made(document: Document[bytes], record: Record) -> tuple[str, ...]:
    """Containers that we made and nobody replaced by something of another kind."""
    inside = [Address(owned.pointer, None if owned.member is None else "null") for owned in record.owned]
    replaced = {state.pointer for state in document.read(inside).values() if isinstance(state, Blocked)}
    return tuple(pointer for pointer in record.made if pointer not in replaced)


def _made_next(
    made: tuple[str, ...], data: bytes, finals: Sequence[tuple[_Sides, Wanted, Owned | None]]
) -> tuple[str, ...]:
    """Those that are still there, with something of ours in them; any other is the user's from now on."""
    ours = [(f"{owned.pointer}/", final) for _, final, owned in finals if owned is not None]
    filled = {
        pointer: [final is not None for place, final in ours if place.startswith(f"{pointer}/")]
        for pointer in made
    }
    # What holds something is there; only where we took all of ours out does the text have to be read again.
    unsure = [Address(pointer) for pointer, are_there in filled.items() if are_there and not any(are_there)]
    there = Document(data).read(unsure) if unsure else {}
    return tuple(
        pointer
        for pointer, are_there in filled.items()
        if any(are_there) or there.get(Address(pointer)) is not None
    )


def _without_us(sides: Iterable[_Sides]) -> Mapping[Address, Wanted]:
    return {side.address: side.base for side in sides if not _is_same(side.now, side.base)}


def _is_same(now: Found | None, other: Wanted) -> bool:
    """Whether both mean the same JSON value, or both mean nothing."""
    if now is None or other is None:
        return now is None and other is None
    raw = other.raw if isinstance(other, Found) else other
    return now.raw == raw or canonical(now.raw) == canonical(raw)


def _action(side: _Sides, final: Wanted) -> Action:
    before = None if side.now is None else side.now.raw
    after = final.raw if isinstance(final, Found) else final
    kind: Literal["add", "replace", "remove", "include", "exclude"]
    if side.address.member is not None:
        kind = "exclude" if after is None else "include"
    elif before is None:
        kind = "add"
    else:
        kind = "remove" if after is None else "replace"
    is_secret = any(source.is_secret for source in (side.change, side.owned) if source is not None)
    return Action(side.address.pointer, kind, before, after, is_secret)


def _drift(side: _Sides, final: Wanted) -> Drift:
    return Drift(side.address.pointer, is_kept=_is_same(side.now, final))
