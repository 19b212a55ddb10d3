"""Laws of reading and editing JSON text, on oddly written documents.

Documents come from Hypothesis, which shrinks the one that fails, and from a generator of our own that writes
larger and stranger ones. The models share no code with the package. A failure names its seed; to run that
case alone: ``KIMI_PROFILES_SEED=<seed> pytest tests/property/test_jsontext.py``.
"""

from __future__ import annotations

import copy
import json
import os
import random
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimi_profiles.jsontext import Address, Found, JsonTextError, canonical, join_pointer, scan
from kimi_profiles.jsontext.document import Blocked, Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Read here, because the tests themselves run without such variables.
SEED = os.environ.get("KIMI_PROFILES_SEED")
IS_CI = os.environ.get("KIMI_PROFILES_CI") == "1"
CHUNKS = 4

BOM = "\ufeff"
SPACE = " \t\n\r"
KEYS = ["a", "b", "c", "env", "allow", "", "/", "~1", "\0", "é", "😀", "\ud83d", "a b", '"', "\\", "\n"]
NUMBERS = ["0", "-0", "0.0", "1", "1.0", "1E0", "10e-1", "-1", "0.1", "1e+02", "100", "1e400", "-1e-400"]
LONG_NUMBERS = ["123456789012345678901234567890", "9" * 5000, "0." + "1" * 5000, "1e99999"]
SCALARS = ["true", "false", "null", '"1"', '""', '"true"', '"{"', '"],"', '"//"', '"\\\\"', '"NaN"']

laws = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

Keys = tuple[str, ...]


# ---- documents of our own


def spell_string(rng: random.Random, text: str) -> str:
    """``text`` as JSON, each character as itself or in one of its escapes."""
    pieces = []
    for char in text:
        unit = char.encode("utf-16-be", "surrogatepass").hex()
        escaped = "".join("\\u" + unit[i : i + 4] for i in range(0, len(unit), 4))
        if rng.random() < 0.3:
            pieces.append(escaped if rng.random() < 0.5 else escaped.upper().replace("\\U", "\\u"))
        elif char == "/" and rng.random() < 0.5:
            pieces.append("\\/")
        elif char in '"\\':
            pieces.append("\\" + char)
        elif char < " " or "\ud800" <= char <= "\udfff":
            pieces.append(escaped)
        else:
            pieces.append(char)
    return '"' + "".join(pieces) + '"'


@dataclass
class Writer:
    """Writes random JSON in one manner: in lines, on one line, or with any space anywhere."""

    rng: random.Random
    manner: str = ""
    newline: str = "\n"
    unit: str = ""
    colon: str = ""

    def __post_init__(self) -> None:
        self.manner = self.rng.choice(["lines", "one line", "compact", "chaos", "chaos"])
        self.newline = self.rng.choice(["\n", "\n", "\r\n", "\r"])
        self.unit = self.rng.choice(["  ", "    ", "\t", " ", ""])
        self.colon = self.rng.choice([": ", ":", " : ", ":\t"])

    def space(self) -> str:
        if self.manner != "chaos" or self.rng.random() < 0.6:
            return ""
        return "".join(self.rng.choices([" ", "\t", "\n", "\r\n", "\r"], k=self.rng.randint(1, 4)))

    def document(self) -> str:
        mark = BOM if self.rng.random() < 0.2 else ""
        tail = self.rng.choice(["", "\n", "\r\n", " \n\n"])
        return mark + self.space() + self.container("{", 0) + self.space() + tail

    def value(self, depth: int) -> str:
        chance = self.rng.random()
        if depth < 4 and chance < 0.4:
            return self.container(self.rng.choice("{["), depth)
        if chance < 0.6:
            return self.rng.choice(NUMBERS)
        if chance < 0.605:
            return self.rng.choice(LONG_NUMBERS)
        if chance < 0.8:
            return self.rng.choice(SCALARS)
        return spell_string(self.rng, self.rng.choice(KEYS) + self.rng.choice(KEYS))

    def container(self, kind: str, depth: int) -> str:
        closing = "}" if kind == "{" else "]"
        count = self.rng.choice([0, 1, 1, 2, 3, 4, 6])
        if not count:
            return kind + self.space() + closing
        opening, gap, end = self.space(), " " if self.manner == "one line" else "", self.space()
        if self.manner == "lines":
            opening = gap = self.newline + self.unit * (depth + 1)
            end = self.newline + self.unit * depth
        members = []
        for _ in range(count):
            head = ""
            if kind == "{":
                colon = self.space() + ":" + self.space() if self.manner == "chaos" else self.colon
                head = spell_string(self.rng, self.rng.choice(KEYS)) + colon
            members.append(head + self.value(depth + 1))
        text = members[0]
        for member in members[1:]:
            text += f"{self.space()},{gap}{self.space()}{member}"
        return kind + opening + text + end + closing


# ---- documents of Hypothesis

spaces = st.text(SPACE, max_size=2)
strings = st.one_of(st.sampled_from(KEYS), st.text(max_size=3)).map(json.dumps)
leaves = st.one_of(st.sampled_from([*NUMBERS, *SCALARS]), strings)


def lists_of(raws: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    spaced = st.tuples(spaces, raws, spaces).map("".join)
    return st.lists(spaced, max_size=4).map(lambda members: "[" + ",".join(members) + "]")


def objects_of(raws: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    member = st.tuples(spaces, strings, spaces, st.just(":"), spaces, raws, spaces).map("".join)
    return st.lists(member, max_size=4).map(lambda members: "{" + ",".join(members) + "}")


values = st.recursive(leaves, lambda raws: lists_of(raws) | objects_of(raws), max_leaves=12)
documents = st.tuples(st.sampled_from(["", BOM]), spaces, objects_of(values), spaces).map("".join)
choices = st.randoms(use_true_random=False)


# ---- an independent reading


class Number(NamedTuple):
    """A number, exactly; unlike a plain one it does not equal ``True``."""

    value: Decimal


def refuse(name: str) -> NoReturn:
    raise ValueError(name)


def number(literal: str) -> Number:
    return Number(Decimal(literal))


def value_of(text: str) -> Any:
    """The value as every reader sees it."""
    return json.loads(text.removeprefix(BOM), parse_int=number, parse_float=number, parse_constant=refuse)


def in_order(value: Any) -> Any:
    """The same with the order of keys."""
    if isinstance(value, dict):
        return {"keys": [(key, in_order(member)) for key, member in value.items()]}
    return [in_order(member) for member in value] if isinstance(value, list) else value


def respell(rng: random.Random, value: Any) -> str:
    """JSON text of ``value``, spelled anew."""
    if isinstance(value, dict):
        keys = rng.sample(list(value), len(value))
        members = [f"{spell_string(rng, key)} :{respell(rng, value[key])}" for key in keys]
        if keys and rng.random() < 0.3:
            members.insert(0, f"{spell_string(rng, rng.choice(keys))}:null")
        return "{" + " ,".join(members) + "}"
    if isinstance(value, list):
        return "[ " + ",\n".join(respell(rng, member) for member in value) + "]"
    if isinstance(value, Number):
        sign, digits, exponent = value.value.as_tuple()
        assert isinstance(exponent, int)
        zeros = rng.randrange(3)
        whole = "".join(map(str, digits)) + "0" * zeros
        minus = "-" if sign else ""
        return (
            f"{minus}{whole.lstrip('0') or '0'}{rng.choice(['', '.0'])}{rng.choice('eE')}{exponent - zeros}"
        )
    return spell_string(rng, value) if isinstance(value, str) else json.dumps(value)


TOKEN = re.compile(r'[ \t\n\r]*("(?:[^"\\]|\\.)*"|[][{},:]|[^][{},:" \t\n\r]+)', re.DOTALL)


@dataclass
class Part:
    """One value's place in the text; a member is its key, where it begins, and its value's part."""

    start: int
    end: int = 0
    kind: str = ""
    members: list[tuple[str, int, Part]] = field(default_factory=list)

    def last(self, key: str) -> Part | None:
        return next((part for name, _, part in reversed(self.members) if name == key), None)


def part_of(text: str) -> Part:
    tokens = TOKEN.finditer(text, 1 if text.startswith(BOM) else 0)
    return read_part(tokens, next(tokens))


def read_part(tokens: Iterator[re.Match[str]], token: re.Match[str]) -> Part:
    part = Part(token.start(1), token.end(1))
    if token[1] not in {"{", "["}:
        return part
    part.kind = token[1]
    token = next(tokens)
    while token[1] not in {"}", "]"}:
        key, start = "", token.start(1)
        if part.kind == "{":
            key = json.loads(token[1])
            assert next(tokens)[1] == ":"
            token = next(tokens)
        part.members.append((key, start, read_part(tokens, token)))
        token = next(tokens)
        if token[1] == ",":
            token = next(tokens)
    part.end = token.end(1)
    return part


# ---- an independent edit


class Change(NamedTuple):
    """``raw`` shall stand at ``keys``; or, with ``member``, the member shall be in the list there."""

    keys: Keys
    raw: str | None
    member: str | None = None

    @property
    def address(self) -> Address:
        return Address(join_pointer(*self.keys), self.member)


class NotReachedError(Exception):
    """A change has no place."""


def containers(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every object and list that a pointer reaches."""
    if isinstance(value, dict | list):
        yield keys, value
    if isinstance(value, dict):
        for key, member in value.items():
            yield from containers(member, (*keys, key))


def choose_changes(rng: random.Random, text: str, most: int = 4) -> list[Change]:
    """Changes of which none lies inside another; some may have no place."""
    reached = list(containers(value_of(text)))
    changes: list[Change] = []
    for _ in range(rng.randint(1, most)):
        keys, value = rng.choice(reached)
        writer = Writer(rng)
        if isinstance(value, list) and rng.random() < 0.9:
            member = respell(rng, rng.choice(value)) if value and rng.random() < 0.5 else writer.value(3)
            change = Change(keys, None if rng.random() < 0.5 else respell(rng, value_of(member)), member)
        else:
            old = list(value) if isinstance(value, dict) else []
            key = rng.choice(old) if old and rng.random() < 0.6 else rng.choice(KEYS)
            below = tuple(rng.choices(KEYS, k=rng.choice([0, 0, 0, 1, 2])))
            is_list = rng.random() < 0.1
            member = writer.value(3) if is_list else None
            raw = member or writer.value(2)
            change = Change((*keys, key, *below), None if rng.random() < 0.4 else raw, member)
        if change.keys and not any(collide(change, other) for other in changes):
            changes.append(change)
    return changes


def collide(one: Change, other: Change) -> bool:
    if one.keys == other.keys and one.member is not None and other.member is not None:
        return bool(value_of(one.member) == value_of(other.member))
    shorter = min(len(one.keys), len(other.keys))
    return one.keys[:shorter] == other.keys[:shorter]


def edit_value(value: Any, changes: Sequence[Change], prune: Sequence[Keys]) -> Any:
    """What readers shall see afterwards, but for the order of new keys.

    Raises:
        NotReachedError: A change has no place.
    """
    value = copy.deepcopy(value)
    for keys, raw, member in changes:
        parent = reach(value, keys[:-1], create=raw is not None)
        if not isinstance(parent, dict):
            if raw is not None:
                raise NotReachedError
        elif member is not None:
            if raw is not None:
                parent.setdefault(keys[-1], [])
            members = parent.get(keys[-1])
            if isinstance(members, list):
                same = value_of(member)
                if raw is None:
                    members[:] = [other for other in members if other != same]
                elif same not in members:
                    members.append(same)
            elif raw is not None:
                raise NotReachedError
        elif raw is not None:
            parent[keys[-1]] = value_of(raw)
        else:
            parent.pop(keys[-1], None)
    wholes = [change.keys for change in changes if change.member is None]
    for keys in sorted(prune, key=len, reverse=True):
        parent = reach(value, keys[:-1], create=False)
        is_set = any(keys[: len(whole)] == whole for whole in wholes)
        if isinstance(parent, dict) and parent.get(keys[-1]) in ({}, []) and not is_set:
            del parent[keys[-1]]
    return value


def reach(value: Any, keys: Keys, *, create: bool) -> Any:
    for key in keys:
        if not isinstance(value, dict):
            return None
        if key not in value and not create:
            return None
        value = value.setdefault(key, {})
    return value


def is_doubled(part: Part | None, keys: Keys) -> bool:
    """Whether the last of ``keys`` is in its object more than once."""
    for key in keys[:-1]:
        part = part.last(key) if part else None
    return part is not None and [name for name, _, _ in part.members].count(keys[-1]) > 1


# ---- the laws


def edit(text: str, changes: Sequence[Change], prune: Sequence[Keys] = ()) -> str:
    wanted = {change.address: change.raw for change in changes}
    return Document(text).edit(wanted, prune=[join_pointer(*keys) for keys in prune])


def check_read(text: str) -> None:
    """Each pointer finds the text of the value that readers see, and the sibling before it."""
    document = Document(text)
    for keys, value in containers(value_of(text)):
        names = list(value) if isinstance(value, dict) else []
        for before, name in zip([None, *names], names, strict=False):
            address = Address(join_pointer(*keys, name))
            state = document.read([address])[address]
            assert isinstance(state, Found)
            assert value_of(state.raw) == value[name]
            assert state.after == before
        for member in value if isinstance(value, list) else []:
            address = Address(join_pointer(*keys), respell(random.Random(0), member))
            state = document.read([address])[address]
            assert isinstance(state, Found)
            assert value_of(state.raw) == member
            assert state.raw in document.elements(address.pointer)


def check_edit(rng: random.Random, text: str) -> None:
    """The edited text means what the model says, and everything else in it is as it was."""
    changes = choose_changes(rng, text)
    reached = [keys for keys, _ in containers(value_of(text)) if keys]
    prune = rng.sample(reached, rng.randint(0, len(reached))) if rng.random() < 0.5 else []
    try:
        pruned = [keys for keys in prune if not is_doubled(part_of(text), keys)]
        expected = edit_value(value_of(text), changes, pruned)
    except NotReachedError:
        states = Document(text).read([change.address for change in changes if change.raw is not None])
        assert any(isinstance(state, Blocked) for state in states.values())
        with pytest.raises(ValueError):
            edit(text, changes, prune)
        return
    after = edit(text, changes, prune)
    assert value_of(after) == expected
    wholes = {change.keys for change in changes if change.member is None}
    kept = surviving(value_of(text), value_of(after), wholes)
    assert kept == surviving(value_of(after), value_of(text), wholes)
    old, new = part_of(text), part_of(after)
    assert after[: new.start] == text[: old.start]
    assert after[new.end :] == text[old.end :]
    if not prune:
        assert list(foreign(after, new, changes)) == list(foreign(text, old, changes))
        if len(changes) == 1:
            check_one_stretch(text, after, changes[0])
    assert value_of(edit(after, changes, prune)) == expected
    assert Document(after).missing_containers([c.address for c in changes if c.raw is not None]) == ()


def surviving(value: Any, other: Any, wholes: set[Keys], keys: Keys = ()) -> list[Keys]:
    """Pointers in ``value`` that are also in ``other``, in their order; nothing inside what was replaced."""
    if keys in wholes or not isinstance(value, dict) or not isinstance(other, dict):
        return []
    return [
        pointer
        for key in value
        if key in other
        for path in [(*keys, key)]
        for pointer in [path, *surviving(value[key], other[key], wholes, path)]
    ]


def foreign(text: str, part: Part, changes: Sequence[Change], keys: Keys = ()) -> Iterator[tuple[Keys, str]]:
    """The text of every member that ``changes`` do not touch, key included."""
    gone = [value_of(member) for path, _, member in changes if path == keys and member is not None]
    for key, start, value in part.members:
        path = (*keys, key) if part.kind == "{" else keys
        if part.kind == "[":
            if value_of(text[start : value.end]) not in gone:
                yield path, text[start : value.end]
            continue
        if any(change.keys == path and change.member is None for change in changes):
            continue
        is_above = any(change.keys[: len(path)] == path for change in changes)
        if is_above and value.kind and part.last(key) is value:
            yield from foreign(text, value, changes, path)
        else:
            yield path, text[start : value.end]


def check_one_stretch(text: str, after: str, change: Change) -> None:
    """A single change leaves all characters before and behind its place."""
    part, keys = part_of(text), change.keys
    while (inner := part.last(keys[0]) if keys and part.kind == "{" else None) is not None:
        if len(keys) == 1 and change.member is None:
            break
        part, keys = inner, keys[1:]
    inside = part.start + 1, part.end - 1
    names = [name for name, _, _ in part.members]
    if change.raw is None:
        if not keys or names.count(keys[0]) != 1:
            return
        index = names.index(keys[0])
        start = part.members[index - 1][2].end if index else inside[0]
        end = part.members[index + 1][1] if index + 1 < len(names) else inside[1]
    elif inner is not None:
        start, end = inner.start, inner.end
    elif part.members:
        start = end = part.members[-1][2].end
    else:
        start, end = inside
    assert after[:start] == text[:start]
    assert after[len(after) - len(text) + end :] == text[end:]
    assert len(after) >= start + len(text) - end


def check_put_back(rng: random.Random, text: str) -> None:
    """What is taken out comes back as it was, where it was, in whichever order it is asked for."""
    document = Document(text)
    places = [
        Change((*keys, key), None)
        for keys, value in containers(value_of(text))
        if isinstance(value, dict)
        for key in value
    ] + [
        Change(keys, None, respell(rng, member))
        for keys, value in containers(value_of(text))
        if isinstance(value, list) and keys and all(value.count(member) == 1 for member in value)
        for member in value
    ]
    chosen: list[Change] = []
    for change in rng.sample(places, min(len(places), rng.choice([1, 2, 3, 8]))):
        if not any(collide(change, other) for other in chosen):
            chosen.append(change)
    found = document.read([change.address for change in chosen])
    without = edit(text, chosen)
    rng.shuffle(chosen)
    back = Document(without).edit({c.address: found[c.address] for c in chosen})  # type: ignore[misc]
    assert in_order(value_of(back)) == in_order(value_of(text))
    assert Document(back).read(found) == found


def check_insert_and_remove(rng: random.Random, text: str) -> None:
    """What was put in can be taken out again, with the parents that had to be made for it."""
    new = [
        change._replace(raw=change.raw or change.member or "1")
        for change in choose_changes(rng, text)
        if Document(text).read([change.address])[change.address] is None
    ]
    document = Document(text)
    made = document.missing_containers([change.address for change in new])
    after = edit(text, new)
    back = Document(after).edit(dict.fromkeys(change.address for change in new), prune=made)
    assert in_order(value_of(back)) == in_order(value_of(text))
    assert list(foreign(back, part_of(back), new)) == list(foreign(text, part_of(text), new))


def check_nothing_wanted(rng: random.Random, text: str) -> None:
    """No change, or one to what is so already, is no edit."""
    document = Document(text)
    assert document.edit({}) == text
    absent = [
        change
        for change in choose_changes(rng, text)
        if not isinstance(document.read([change.address])[change.address], Found)
    ]
    assert document.edit({change.address: None for change in absent}) == text
    present = {
        address: state
        for keys, value in containers(value_of(text))
        if isinstance(value, dict)
        for key in value
        if not isinstance(value[key], dict | list)
        for address, state in document.read([Address(join_pointer(*keys, key))]).items()
        if isinstance(state, Found)
    }
    assert document.edit(present) == text


def check_canonical(rng: random.Random, text: str) -> None:
    """Equal for what is equal, different for what is not."""
    raws = [text[part.start : part.end] for part in all_parts(part_of(text))]
    raws += [respell(rng, value_of(raw)) for raw in raws]
    raws += [*NUMBERS, *SCALARS, "[]", "{}", "[1]", "[true]", '["1"]', "[1.0]", '{"a":1}', '{"a":true}']
    forms = [(canonical(raw), value_of(raw)) for raw in rng.sample(raws, min(len(raws), 40))]
    for form, value in forms:
        for other_form, other in forms:
            assert (form == other_form) == (value == other)


def all_parts(part: Part) -> Iterator[Part]:
    yield part
    for _, _, value in part.members:
        yield from all_parts(value)


LAWS: dict[str, Callable[[random.Random, str], None]] = {
    "reading finds what readers see": lambda _, text: check_read(text),
    "an edit does what the model does and no more": check_edit,
    "what is taken out comes back": check_put_back,
    "what is put in comes out": check_insert_and_remove,
    "nothing wanted, nothing changed": check_nothing_wanted,
    "canonical is equal exactly for equal values": check_canonical,
}
every_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


@every_law
@laws
@given(rng=choices, text=documents)
def test_hypothesis(law: Callable[[random.Random, str], None], rng: random.Random, text: str) -> None:
    law(rng, text)


@every_law
def test_odd_documents(law: Callable[[random.Random, str], None]) -> None:
    def check(rng: random.Random) -> None:
        law(rng, Writer(rng).document())

    run_cases(check, 3000 if IS_CI else 600)


def run_cases(check: Callable[[random.Random], None], count: int, chunk: int = 0) -> None:
    """Run ``check`` on ``count`` seeds; the one that fails is named."""
    # The session's seed is the same for each chunk.
    source = random.Random(f"{random.random()} {chunk}")
    for seed in [SEED] if SEED else (str(source.getrandbits(48)) for _ in range(count)):
        try:
            check(random.Random(seed))
        except BaseException as error:
            error.add_note(f"repeat with KIMI_PROFILES_SEED={seed}")
            raise


@laws
@given(
    rng=choices,
    raw=objects_of(values).filter(lambda raw: part_of(raw).members),
    unit=st.sampled_from(["  ", "\t", "    ", None]),
    newline=st.sampled_from(["\n", "\r\n"]),
    colon=st.sampled_from([": ", ":"]),
)
def test_an_edit_keeps_a_layout_that_is_the_same_throughout(
    rng: random.Random, raw: str, unit: str | None, newline: str, colon: str
) -> None:
    def write(value: Any) -> str:
        comma = "," if unit is not None else ", " if colon == ": " else ","
        text = json.dumps(value, ensure_ascii=False, indent=unit, separators=(comma, colon))
        text = re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)
        return text.replace("\n", newline) + newline

    value = plain(value_of(raw))
    changes = []
    for keys, wanted, member in choose_changes(rng, write(value)):
        if wanted is not None:
            text = json.dumps(plain(value_of(wanted)), ensure_ascii=False)
            changes.append(Change(keys, text, None if member is None else text))
    try:
        expected = write(edit_value(value, changes, ()))
    except NotReachedError:
        return
    assert edit(write(value), changes) == expected


def plain(value: Any) -> Any:
    """``value`` with strings for its numbers, which have more than one spelling."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return f"#{hash(value.value)}" if isinstance(value, Number) else value


# ---- what is not JSON

JUNK = [
    *"{}[],:\"\\'-+.eE0123/#*",
    *SPACE,
    *(
        "//",
        "/* */",
        "NaN",
        "Infinity",
        "-Infinity",
        "true",
        "nul",
        "None",
        "undefined",
        "\\u",
        "\\ud83d",
        "\\x",
    ),
    *(
        "\r\n",
        "\0",
        "\x1f",
        "\x7f",
        "\u00a0",
        "\u2028",
        "é",
        "😀",
        BOM,
        '""',
        "1e5",
        "[[[[",
        ",}",
        ",]",
        '"a":',
    ),
]


def mutate(rng: random.Random, text: str) -> str:
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randint(0, len(text))
        size = rng.choice([0, 0, 1, 1, 2, 8])
        kind = rng.random()
        if kind < 0.5:
            text = text[:at] + rng.choice(JUNK) + text[at + size :]
        elif kind < 0.75:
            text = text[:at] + text[at + size + 1 :]
        elif kind < 0.85:
            text = text[:at] + text[at : at + size] + text[at:]
        elif kind < 0.95:
            other = rng.randint(0, len(text))
            text = text[:at] + text[other : other + size + 1] + text[at:]
        else:
            text = text[:at]
    return text


def is_strict(text: str) -> bool:
    body = text.removeprefix(BOM)
    if not body.strip(SPACE):
        return True
    try:
        json.loads(body, parse_int=str, parse_float=str, parse_constant=refuse)
    except ValueError:
        return False
    return True


def check_mutation(text: str) -> None:
    """Taken exactly where a strict reader takes it, else refused with a place in the text."""
    if is_strict(text):
        assert Document(text).edit({}) == text
        return
    with pytest.raises(JsonTextError) as caught:
        Document(text)
    line, column = caught.value.line or 0, caught.value.column or 0
    lines = text.removeprefix(BOM).split("\n")
    assert 1 <= line <= len(lines)
    assert 1 <= column <= len(lines[line - 1]) + 1
    assert caught.value.message


@every_law
def test_odd_documents_of_which_little_is_noted(
    law: Callable[[random.Random, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an object of very many members, whose small ones are only looked at when they matter."""
    monkeypatch.setattr(scan, "_MANY", 1)
    monkeypatch.setattr(scan, "_RUN_CHARS", 30)

    def check(rng: random.Random) -> None:
        law(rng, Writer(rng).document())

    run_cases(check, 1500 if IS_CI else 300)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_mutations(chunk: int) -> None:
    each = 20

    def check(rng: random.Random) -> None:
        text = Writer(rng).document()
        for _ in range(each):
            check_mutation(mutate(rng, text))

    run_cases(check, (200_000 if IS_CI else 40_000) // CHUNKS // each, chunk)


def test_mutations_where_little_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_MANY", 1)

    def check(rng: random.Random) -> None:
        writer = Writer(rng)
        members = [f'"{number}":{writer.container(rng.choice("[{"), 4)}' for number in range(3)]
        text = "{" + ",".join(['"":0', *members, '"end":0']) + "}"
        for _ in range(20):
            check_mutation(mutate(rng, text))

    run_cases(check, (40_000 if IS_CI else 10_000) // 20)


@laws
@given(rng=choices, text=documents)
def test_mutations_of_hypothesis(rng: random.Random, text: str) -> None:
    check_mutation(mutate(rng, text))


@laws
@given(text=st.text(st.sampled_from(sorted({char for junk in JUNK for char in junk}))))
def test_any_text(text: str) -> None:
    check_mutation(text)
