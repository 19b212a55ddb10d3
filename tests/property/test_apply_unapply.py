"""Laws of apply and unapply, on random documents, profiles, and edits by other programs in between.

The oracle knows nothing of ledgers, digests or text. It keeps the document that the user would have if we had
never been there: it starts as what the file said, and takes each edit of another program as the difference
between the file as we left it and the file as we find it. Then at every moment

    the file  =  the user's document, with what is applied laid over it,

so with nothing applied the file is the user's document. All values compare as JSON; the text of every member
that we never wanted must stay, character for character, and without edits in between the whole text comes
back.

``KIMI_PROFILES_SEED`` repeats a run; a failure names the seed, the sequence and its steps.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support import amount

from kimi_profiles import ClaudeCode, ledger, merge_text, unmerge_text
from kimi_profiles.change import Change
from kimi_profiles.claude import Surroundings, claude_json_changes, settings_changes
from kimi_profiles.errors import TargetInvalidError
from kimi_profiles.ledger import ABSENT, Record
from kimi_profiles.plan import plan_text
from kimi_profiles.profile import Profile, TokenRef
from kimi_profiles.secrets import Secret
from kimi_profiles.supplied import supplied_by_target

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from kimi_profiles.plan import TextPlan

pytestmark = pytest.mark.once

SHARES = amount(20, 100)
SEQUENCES = 1_000  # in each share
FILE_SHARES = amount(4, 100)
FILE_SEQUENCES = 50
_SEED = os.environ.get("KIMI_PROFILES_SEED")  # read here: no test sees the user's variables


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> str:
    chosen = _SEED or str(pytestconfig.getoption("hypothesis_seed"))
    print(f"repeat with KIMI_PROFILES_SEED={chosen}")
    return chosen


# ---- the oracle: JSON as plain values

Path_ = tuple[str, ...]
LISTS = {
    ("permissions", "allow"),
    ("permissions", "deny"),
    ("customApiKeyResponses", "approved"),
    ("customApiKeyResponses", "rejected"),
}
_IS_LIST = "\0list"  # such a list is a set of members here: the dict {member: value} with this mark
_MISSING: Any = object()


def _number(literal: str) -> tuple[str, Decimal]:
    return "number", Decimal(literal)  # so that 1 is not True


_DECODER = json.JSONDecoder(parse_int=_number, parse_float=_number)


@lru_cache(maxsize=64)
def meaning(text: str | None) -> Any:
    """The value of ``text``, exact; nothing at all counts as an object without members."""
    bare = (text or "").removeprefix("\ufeff").strip(" \t\r\n")
    return _with_sets(_DECODER.decode(bare), ()) if bare else {}


def _with_sets(value: Any, path: Path_) -> Any:
    if isinstance(value, dict):
        return {key: _with_sets(each, (*path, key)) for key, each in value.items()}
    if isinstance(value, list) and path in LISTS:
        return {_IS_LIST: True} | {name_of(member): True for member in value}
    return value


def name_of(member: Any) -> str:
    return json.dumps(member, sort_keys=True, default=str)


@cache
def _name_of_text(raw: str) -> str:
    return name_of(_DECODER.decode(raw))


def is_like(one: Any, other: Any) -> bool:
    """Whether both are objects, or both are sets."""
    return isinstance(one, dict) and isinstance(other, dict) and (_IS_LIST in one) == (_IS_LIST in other)


def absorb(user: Any, old: Any, new: Any, ours: Collection[Path_] = (), path: Path_ = ()) -> Any:
    """``user`` with the difference between ``old`` and ``new``; at ``ours`` we set values as a whole."""
    if old == new:
        return user
    is_gone = new is _MISSING and is_like(user, old)
    if is_gone:
        new = {}  # what we took out of it was not there to be removed
    elif old is _MISSING and is_like(user, new) and path not in ours:
        old = {_IS_LIST: True} if _IS_LIST in new else {}  # nor to be replaced
    elif not is_like(old, new):
        return new
    result = dict(user) if is_like(user, old) else {}
    for key in {**old, **new}:
        three = (side.get(key, _MISSING) for side in (result, old, new))
        value = absorb(*three, ours, (*path, key))
        result.pop(key, None)
        if value is not _MISSING:
            result[key] = value
    if _IS_LIST in {**old, **new}:
        result[_IS_LIST] = True
    if not _content(result) and (user is _MISSING or is_gone):
        return _MISSING  # nothing but ours changed in a container of ours; or it is gone
    return result


def containers(value: Any, path: Path_ = ()) -> dict[Path_, bool]:
    """Path of every container, and whether it is empty."""
    if not isinstance(value, dict):
        return {}
    found = {path: not value.keys() - {_IS_LIST}}
    for key, each in value.items():
        found |= containers(each, (*path, key))
    return found


def keeps_containers(old: Any, new: Any) -> bool:
    """Whether no container of ``old`` is gone, and none is empty that was not."""
    before, after = containers(old), containers(new)
    return before.keys() <= after.keys() and all(
        not is_empty or before.get(path, False) for path, is_empty in after.items()
    )


def without_hollows(value: Any, which: Collection[Path_] | None, path: Path_ = ()) -> Any:
    """``value`` without containers that hold nothing: all, or those at ``which``."""
    if not isinstance(value, dict):
        return value
    kept = {key: without_hollows(each, which, (*path, key)) for key, each in value.items()}
    return {
        key: each
        for key, each in kept.items()
        if not isinstance(each, dict) or _content(each) or (which is not None and (*path, key) not in which)
    }


def _content(value: dict[str, Any]) -> bool:
    return bool(value.keys() - {_IS_LIST})


def place_of(change: Change) -> Path_:
    return _place(change.pointer, change.member)


@cache
def _place(pointer: str, member: str | None) -> Path_:
    keys = tuple(key.replace("~1", "/").replace("~0", "~") for key in pointer[1:].split("/"))
    return keys if member is None else (*keys, name_of(_DECODER.decode(member)))


def get(value: Any, path: Path_) -> Any:
    for key in path:
        if not isinstance(value, dict):
            return _MISSING
        value = value.get(key, _MISSING)
    return value


@dataclass
class Oracle:
    """What the file has to say; see the top of this module."""

    user: Any
    left: Any  # the file as we left it
    applied: dict[str, dict[Path_, Change]] = field(default_factory=dict)
    filled: set[Path_] = field(default_factory=set)  # containers that we made and others put something into
    is_exact: bool = True  # whether nobody else emptied, removed or replaced a container

    def look(self, now: Any, holder: str, changes: Sequence[Change]) -> None:
        """``holder`` finds the file saying ``now``, and will apply ``changes``."""
        if now != self.left:
            ours = {place for changes in self.applied.values() for place in changes}
            user = absorb(self.user, self.left, now, ours)
            self.is_exact = self.is_exact and keeps_containers(self.left, now)
            self.is_exact = self.is_exact and keeps_containers(self.user, user)
            self.filled |= containers(self.left).keys() & (containers(user).keys() - containers(self.user))
            self._give_up(now, holder, {place_of(change) for change in changes})
            self.user = user
            self.left = now
        self.applied[holder] = {place_of(change): change for change in changes}

    def _give_up(self, now: Any, holder: str, wanted: set[Path_]) -> None:
        """Where somebody wrote, other scopes have nothing any more, unless this one takes it over again."""
        for other, changes in self.applied.items():
            for place in list(changes):
                there = get(self.left, place)
                is_owned = get(self.user, place) != there
                if other != holder and there != get(now, place) and not (is_owned and place in wanted):
                    del changes[place]

    def expected(self) -> Any:
        result = self.user
        for changes in self.applied.values():
            for place, change in changes.items():
                others = (tuple(pointer[1:].split("/")) for pointer in change.unless)
                if any(get(self.user, other) is not _MISSING for other in others):
                    continue
                result = _put(result, place, change)
        return result

    def refuses(self, now: Any, changes: Sequence[Change]) -> bool:
        """Whether something that is no object, or no list, is in the way."""
        for change in changes:
            place = place_of(change)
            for depth in range(len(place)):
                there = get(now, place[:depth])
                needs_list = change.member is not None and depth == len(place) - 1
                if there is _MISSING:
                    break
                if not isinstance(there, dict) or (_IS_LIST in there) != needs_list:
                    return True
        return False

    def agrees(self, now: Any) -> bool:
        expected = self.expected()
        which = self.filled if self.is_exact else None
        return bool(now == expected or without_hollows(now, which) == without_hollows(expected, which))


def _put(value: Any, place: Path_, change: Change) -> Any:
    """``value`` with ``change`` carried out at ``place``; containers are made as needed."""
    key, *rest = place
    if change.want is None and not isinstance(value, dict):
        return value
    result = {} if value is _MISSING else dict(value)
    if not rest:
        result.pop(key, None)
        if change.want is not None:
            result[key] = True if change.member is not None else _DECODER.decode(change.want)
            if change.member is not None:
                result[_IS_LIST] = True
        return result
    if change.want is None and key not in result:
        return value
    inner = _put(result.get(key, _MISSING), tuple(rest), change)
    return result | {key: inner}


# ---- another program's hand: text edits with a scanner of their own

_RAW = json.JSONDecoder().raw_decode
_SPACE = re.compile("[ \t\r\n]*").match


class Slot(NamedTuple):
    key: str
    start: int
    value: int
    end: int


def _skip(text: str, here: int) -> int:
    return _SPACE(text, here).end()  # type: ignore[union-attr]


@lru_cache(maxsize=64)  # each text is looked at as what we leave and as what we find
def slots(text: str, start: int) -> list[Slot]:
    """The members of the object or list that begins at ``start``."""
    is_object = text[start] == "{"
    found = []
    here = _skip(text, start + 1)
    while text[here] not in "]}":
        key, value = "", here
        if is_object:
            key, end = _RAW(text, here)
            value = _skip(text, _skip(text, end) + 1)
        _, end = _RAW(text, value)
        found.append(Slot(key, here, value, end))
        here = _skip(text, end)
        if text[here] == ",":
            here = _skip(text, here + 1)
    return found


def root_of(text: str | None) -> int | None:
    """Where the object begins that is the document."""
    if text is None:
        return None
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    return start if text[start : start + 1] == "{" else None


def foreign_members(text: str | None, ours: set[Path_]) -> list[tuple[Path_, str]]:
    """Path and text of every member outside of ``ours``, in order, as deep as ``ours`` reaches."""
    start = root_of(text)
    return [] if text is None or start is None else list(_foreign(text, start, (), ours))


def _foreign(text: str, start: int, path: Path_, ours: set[Path_]) -> Iterator[tuple[Path_, str]]:
    for slot in slots(text, start):
        raw = text[slot.value : slot.end]
        here = (*path, slot.key if text[start] == "{" else _name_of_text(raw))
        if here in ours:
            continue
        if raw[0] in "{[" and any(place[: len(here)] == here for place in ours):
            yield from _foreign(text, slot.value, here, ours)
        else:
            yield here, text[slot.start : slot.end]


def set_member(text: str, path: Path_, raw: str) -> str:
    """Set the value at ``path`` by hand; ``text`` is an object."""
    start = root_of(text)
    assert start is not None
    for depth, key in enumerate(path):
        members = slots(text, start)
        there = next((slot for slot in reversed(members) if slot.key == key), None)
        is_last = depth == len(path) - 1
        if there is not None and (is_last or text[there.value] != "{"):
            new = raw if is_last else _nested(path[depth + 1 :], raw)
            return text[: there.value] + new + text[there.end :]
        if there is None:
            new = f"{json.dumps(key)}:{_nested(path[depth + 1 :], raw)}{',' if members else ''}"
            return text[: start + 1] + new + text[start + 1 :]
        start = there.value
    raise AssertionError


def _nested(path: Path_, raw: str) -> str:
    for key in reversed(path):
        raw = f"{{{json.dumps(key)}: {raw}}}"
    return raw


def find_value(text: str, path: Path_) -> int | None:
    start = root_of(text)
    for key in path:
        if start is None or text[start] != "{":
            return None
        start = next((slot.value for slot in reversed(slots(text, start)) if slot.key == key), None)
    return start


def drop_member(text: str, container: Path_, index: int) -> str:
    start = find_value(text, container)
    assert start is not None
    members = slots(text, start)
    if index:
        return text[: members[index - 1].end] + text[members[index].end :]
    stop = members[1].start if len(members) > 1 else members[0].end
    return text[: members[0].start] + text[stop:]


# ---- random documents

ENV_NAMES = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "CLAUDE_CODE_ATTRIBUTION_HEADER",
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS",
    "CLAUDE_CODE_AUTO_COMPACT_WINDOW",
    "MINE",
    "a/b~c",
    "é",
)
TOP_NAMES = ("model", "apiKeyHelper", "hooks", "theme", "numStartups", "x", "ü", "primaryApiKey", "cleanup")
TEXTS = ('"0"', '"mine"', '""', '"\\u00e9\\/"', '"é"', '"kimi-k2.7-code"', '"{}"', '" "')
RAWS = (
    *TEXTS,
    "1.0",
    "-0.0",
    "1e2",
    "123456789012345678901234567890",
    "5",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    '[1, {"k" :[ ]}]',
    '{"a":1.50,"a": 2,"b":{ }}',
    '[{"matcher":"Bash"}\n]',
)
MEMBERS = ('"Bash(ls)"', '"Bash(git diff:*)"', '"Read"', '"WebFetch"', '"\\u0052ead(x)"')
SPECIAL = (
    None,
    "",
    " ",
    "\n\n",
    "\ufeff",
    "\ufeff\r\n",
    "{}",
    "{ }",
    "{\r\n}\r\n",
    "\ufeff{}",
    '{"env":{}}',
    '{"env": {"X": 5}}',
    '{"env":{"ANTHROPIC_BASE_URL":"https://mine.example"}}',
    '{"env":{"ANTHROPIC_MODEL":1,"ANTHROPIC_MODEL":"b"},"env":{"ANTHROPIC_MODEL":"c"}}',
    '{"permissions":{"allow":[],"deny":[ ]}}',
    '{"env": []}',
    '{"env": null}',
    '{"permissions": {"allow": {}}}',
    "[]",
    "7",
    "null",
)

_GAPS: tuple[tuple[str, str, str], ...] = (
    ("", "", ""),  # unit, line end, behind the colon
    ("  ", "\n", " "),
    ("    ", "\n", " "),
    ("\t", "\n", " "),
    ("  ", "\r\n", " "),
    ("\t", "\r\n", ""),
    ("", "\n", "\t"),
    (" ", "\r", " "),
)


def random_document(rng: random.Random) -> str | None:
    if rng.random() < 0.2:
        return rng.choice(SPECIAL)
    write = partial(_write_wild, rng) if rng.random() < 0.3 else partial(_write, *rng.choice(_GAPS))
    members = [(name, rng.choice(RAWS)) for name in rng.choices(TOP_NAMES, k=rng.randrange(4))]
    for _ in range(rng.choice((0, 1, 1, 1, 2)) if rng.random() < 0.3 else rng.randrange(2)):
        names = rng.choices(ENV_NAMES, k=rng.randrange(6))  # with duplicates, now and then
        members.append(("env", write([(name, rng.choice(RAWS)) for name in names], depth=1)))
    if rng.random() < 0.4:
        inner = [(key, _write_list(rng)) for key in rng.sample(("allow", "deny"), k=rng.randrange(3))]
        members.append(("permissions", write([*inner, *_some(rng, ("defaultMode", '"plan"'))], depth=1)))
    rng.shuffle(members)
    text = write(members, depth=0)
    ends = ("", "\n", "\n", "\r\n", " ", "\n\n")
    return ("\ufeff" if rng.random() < 0.1 else "") + text + rng.choice(ends)


def _some(rng: random.Random, *things: Any) -> list[Any]:
    return [thing for thing in things if rng.random() < 0.5]


def _write_list(rng: random.Random) -> str:
    members = rng.sample(MEMBERS, k=rng.randrange(4))
    gap = rng.choice(("", " ", "\n      "))
    return f"[{gap}{f',{gap}'.join(members)}{gap}]" if members else rng.choice(("[]", "[ ]"))


def _key(rng: random.Random | None, name: str) -> str:
    if rng is not None and rng.random() < 0.2:
        return '"' + "".join(f"\\u{ord(letter):04x}" for letter in name) + '"'
    return json.dumps(name, ensure_ascii=False)


def _write(unit: str, newline: str, colon: str, members: Sequence[tuple[str, str]], *, depth: int) -> str:
    if not members:
        return "{}"
    gap = newline + unit * (depth + 1)
    inside = f",{gap}".join(f"{_key(None, name)}:{colon}{raw}" for name, raw in members)
    return f"{{{gap}{inside}{newline}{unit * depth}}}"


def _write_wild(rng: random.Random, members: Sequence[tuple[str, str]], *, depth: int) -> str:
    def space() -> str:
        return rng.choice(("", "", " ", "  ", "\t", "\n", "\r\n", " \n\t "))

    inside = ",".join(f"{space()}{_key(rng, name)}{space()}:{space()}{raw}{space()}" for name, raw in members)
    return f"{{{inside or space()}}}"


# ---- random wishes: changes made up here, and those of profiles

WANT_NAMES = ENV_NAMES[:10]
WANT_TEXTS = ('"https://one.example"', '"https://two.example"', '"tok-1234567890"', '""', '"0"', None, None)
WANT_TOP = ("model", "apiKeyHelper", "theme", "primaryApiKey")
_PAIR = ("CLAUDE_CODE_MAX_CONTEXT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW")
_DEFAULTS = ("CLAUDE_CODE_ATTRIBUTION_HEADER", "MINE")


def _made_up(rng: random.Random) -> list[Change]:
    names = rng.sample(WANT_NAMES[:6], k=rng.randrange(1, 4))
    changes = [Change(f"/env/{name}", rng.choice(WANT_TEXTS), is_secret="TOKEN" in name) for name in names]
    pair = tuple(f"/env/{name}" for name in _PAIR)
    if rng.random() < 0.4:
        number = rng.choice(('"200000"', '"262144"'))
        changes += [Change(pointer, number, unless=pair) for pointer in pair]
    for name in _DEFAULTS:
        if rng.random() < 0.3:
            changes.append(Change(f"/env/{name}", '"0"', unless=(f"/env/{name}",)))
    for name in WANT_TOP:
        if rng.random() < 0.25:
            changes.append(Change(f"/{name}", rng.choice((*TEXTS, "true", "[1, 2]", None, None))))
    for pointer in ("/permissions/allow", "/permissions/deny"):
        for member in rng.sample(MEMBERS, k=rng.choice((0, 0, 1, 2))):
            changes.append(Change(pointer, rng.choice((member, member, None)), member=member))
    if rng.random() < 0.1:
        changes.append(Change("/a~1b/c~0d/deep", "1.5"))
    rng.shuffle(changes)
    return changes


def _shared(rng: random.Random) -> list[Change]:
    """Two scopes want the same wherever both want something, as in ``.claude.json``."""
    names = rng.sample((*WANT_NAMES[:4], "MINE"), k=rng.randrange(1, 4))
    changes = [Change(f"/env/{name}", None if len(name) % 3 == 0 else f'"{name}"') for name in names]
    changes += _some(rng, Change("/primaryApiKey", None), Change("/theme", "true"))
    for key, is_in in (("allow", True), ("deny", False)):
        for member in rng.sample(MEMBERS, k=rng.randrange(2)):
            changes.append(Change(f"/permissions/{key}", member if is_in else None, member=member))
    return changes


MODELS = {"default": "kimi-k2.7-code", "haiku": "kimi-k2.7-code-highspeed", "opus": "kimi-k2.7-code"}
ALLOW = {"permissions": {"allow": ["Bash(ls)", "Skill(x)"], "defaultMode": "acceptEdits"}}
PROFILES = {
    "plain": Profile("plain", "https://llm.example/anthropic"),
    "models": Profile("models", "https://api.moonshot.ai/anthropic", models=MODELS),
    "unpinned": Profile("unpinned", "https://llm.example/x", models=MODELS, pin_model=False),
    "key": Profile("key", "https://llm.example/coding/", auth_variable="ANTHROPIC_API_KEY", context_tokens=9),
    "helper": Profile("helper", "https://llm.example/", delivery="helper"),
    "settings": Profile("settings", "https://llm.example/b", settings=ALLOW, env={"MINE": "ours"}),
    "odd": Profile(
        "odd",
        "https://llm.example/c",
        env={"é": "é", "ANTHROPIC_MODEL": "m"},
        extras={"ENABLE_TOOL_SEARCH": "false"},
        settings={"a/b": {"c~d": 1.5}, "theme": "dark", "hooks": {}},
        onboarding=False,
        detach_login=False,
    ),
    "first": Profile("first", "https://api.anthropic.com", auth_variable="ANTHROPIC_API_KEY"),
}
TOKENS = ("sk-1234567890abcdefghijklmnop", "sk-short")
Wish = tuple[str, "Callable[[Record, str | None], Sequence[Change]]"]


def random_wish(rng: random.Random, kind: str) -> Wish:
    if kind == "profiles":
        profile, token = rng.choice(list(PROFILES.values())), Secret(rng.choice(TOKENS))
        supplied = frozenset(rng.sample(ENV_NAMES, k=rng.randrange(3)))
        if rng.random() < 0.1:
            return f"state of {profile.name}", lambda _, __: claude_json_changes(profile, token)
        return profile.name, lambda record, text: settings_changes(
            profile, token, Surroundings(supplied | supplied_by_target(record, text), "helper x")
        )
    changes = _shared(rng) if kind == "two scopes" else _made_up(rng)
    words = ", ".join(f"{change.address}={change.want}" for change in changes)
    return words, lambda _, __: changes


def _nothing(_: Record, __: str | None) -> Sequence[Change]:
    return ()


# ---- the file and the ledger in memory


@dataclass
class Memory:
    """What ``transaction`` does to one file, without files, locks and crashes.

    The same in both: a text that we did not leave behind gets a new base, which is its text without us; the
    record knows the digest of the base and that of the last text we wrote; where the text still is one of
    those and nothing stays owned, the base comes back as it is; a record that owns nothing is forgotten.
    """

    text: str | None
    record: Record = field(default_factory=Record)
    bases: list[str | None] = field(default_factory=list)

    def carry_out(self, changes: Sequence[Change], holder: str) -> TextPlan:
        known = self.record
        plan = plan_text(self.text, known, changes, holder=holder)
        text, record = plan.text, plan.record
        if known.owned and not record.owned and plan.keeps_base:
            text = self.base
        if text != self.text:
            if not plan.keeps_base:
                record = self._rebased(plan)
            record = replace(record, texts=(*record.texts[:1], record.digest_text(text)))
        self.text, self.record = text, record if record.owned else Record()
        return plan

    @property
    def base(self) -> str | None:
        base = self.record.base
        return None if base is None or base == ABSENT else self.bases[int(base)]

    def _rebased(self, plan: TextPlan) -> Record:
        if not plan.record.owned:
            return replace(plan.record, base=None, texts=())
        self.bases.append(plan.base)
        base = ABSENT if plan.base is None else str(len(self.bases) - 1)
        return replace(plan.record, base=base, texts=(plan.record.digest_text(plan.base),))


# ---- edits by others


class Stranger:
    """Another program, or a person with an editor."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.seen: list[str | None] = []

    def edit(self, text: str | None) -> tuple[str, str | None]:
        """What was done, and the text after it."""
        self.seen.append(text)
        rng = self.rng
        start = root_of(text)
        if text is None or start is None:
            return "wrote a new file", rng.choice(('{"x": 1}', "{}", '{"env":{"MINE":"q"}}\n', text))
        members = slots(text, start)
        edits: list[tuple[int, Callable[[str], tuple[str, str | None]]]] = [
            (6, self._set),
            (3, self._client),
            (2, self._reformat),
            (2, self._append),
            (1, self._take_back),
        ]
        if members:
            edits += [(3, self._drop), (1, self._break)]
        action = rng.choices([edit for _, edit in edits], [weight for weight, _ in edits])[0]
        return action(text)

    def _place(self) -> Path_:
        rng = self.rng
        if rng.random() < 0.7:
            return "env", rng.choice(ENV_NAMES)
        return rng.choice(((rng.choice(TOP_NAMES),), ("permissions", "defaultMode"), ("new",)))

    def _set(self, text: str) -> tuple[str, str]:
        path, raw = self._place(), self.rng.choice(RAWS)
        return f"set {path} to {raw}", set_member(text, path, raw)

    def _append(self, text: str) -> tuple[str, str]:
        path = ("permissions", self.rng.choice(("allow", "deny")))
        member = self.rng.choice(MEMBERS)
        start = find_value(text, path)
        if start is None or text[start] != "[":
            return f"set {path}", set_member(text, path, f"[{member}]")
        members = slots(text, start)
        if json.loads(member) in [json.loads(text[slot.value : slot.end]) for slot in members]:
            return "looked at the list", text
        end = members[-1].end if members else start + 1
        return f"appended {member} to {path}", f"{text[:end]}{', ' if members else ''}{member}{text[end:]}"

    def _drop(self, text: str) -> tuple[str, str]:
        rng = self.rng
        path = rng.choice(((), ("env",), ("env",), ("permissions",), ("permissions", "allow")))
        start = find_value(text, path)
        members = slots(text, start) if start is not None and text[start] in "{[" else []
        if not members:
            path, members = (), slots(text, root_of(text) or 0)
        index = rng.randrange(len(members))
        return f"removed {path} {members[index].key}", drop_member(text, path, index)

    def _break(self, text: str) -> tuple[str, str | None]:
        rng = self.rng
        if rng.random() < 0.3:
            return "removed the file", None
        path = rng.choice((("env",), ("permissions",), ("permissions", "allow")))
        raw = rng.choice(("[]", "5", "{}", "null", '{"MINE": "q"}'))
        return f"set {path} to {raw}", set_member(text, path, raw)

    def _client(self, text: str) -> tuple[str, str]:
        """As Claude Code writes: all of it anew, in its own format."""
        edited = text
        words = []
        for _ in range(self.rng.randrange(3)):
            word, edited = self.rng.choice((self._set, self._append))(edited)
            words.append(word)
        _, edited = self._reformat(edited)
        return f"rewrote the file: {words}", edited

    def _reformat(self, text: str) -> tuple[str, str]:
        document = json.loads(text.removeprefix("\ufeff"))
        return "reformatted the file", json.dumps(document, indent=2, ensure_ascii=False)

    def _take_back(self, _: str) -> tuple[str, str | None]:
        return "put an earlier text back", self.rng.choice(self.seen)


# ---- the sequences


class Story:
    """One random sequence, its oracle, and the story of it for people."""

    def __init__(self, seed: str, number: int) -> None:
        self.name = f"KIMI_PROFILES_SEED={seed}, sequence {number}"
        self.rng = rng = random.Random(f"{seed}/{number}")
        self.kind = rng.choice(("made up", "made up", "profiles", "two scopes"))
        self.holders = ("A", "B") if self.kind == "two scopes" else ("A",)
        self.is_alone = rng.random() < 0.3
        self.memory = Memory(random_document(rng))
        self.first = self.memory.text
        self.oracle = Oracle(meaning(self.first), meaning(self.first))
        self.stranger = Stranger(rng)
        self.ours: set[Path_] = set()
        self.story = [f"{self.kind}: {self.first!r}"]

    def run(self) -> None:
        rng = self.rng
        for _ in range(min(rng.randint(1, 12), rng.randint(1, 12), rng.randint(1, 12))):
            chance = rng.random()
            if chance < 0.45 and not self.is_alone:
                word, self.memory.text = self.stranger.edit(self.memory.text)
                self.story.append(f"somebody {word}: {self.memory.text!r}")
            elif chance < 0.88:
                self.step(rng.choice(self.holders), *random_wish(rng, self.kind))
            else:
                self.step(rng.choice(self.holders), "nothing", _nothing)
        for holder in self.holders:
            self.step(holder, "nothing", _nothing)
        self.check(not self.memory.record.owned, "something is still owned")
        if self.is_alone:
            self.check(self.memory.text == self.first, "the first text is not back")

    def step(self, holder: str, word: str, wish: Callable[[Record, str | None], Sequence[Change]]) -> None:
        memory, oracle = self.memory, self.oracle
        before, known = memory.text, memory.record
        changes = wish(known, before)
        now = meaning(before)
        self.story.append(f"{holder} applies {word}")
        if oracle.refuses(now, changes):
            try:
                memory.carry_out(changes, holder)
            except TargetInvalidError:
                self.check(memory.text == before and memory.record == known, "an error changed something")
            else:
                self.check(False, "it was not refused")
            return
        oracle.look(now, holder, changes)
        memory.carry_out(changes, holder)
        self.story[-1] += f": {memory.text!r}"
        after = meaning(memory.text)
        self.check(oracle.agrees(after), f"the file should say {oracle.expected()}")
        oracle.left = after
        self.ours.update(map(place_of, changes))
        self.check(
            foreign_members(before, self.ours) == foreign_members(memory.text, self.ours),
            "a member that is not ours changed",
        )
        if self.rng.random() < 0.2:
            text, record = memory.text, memory.record
            memory.carry_out(wish(record, text), holder)
            is_same = memory.text == text and memory.record.owned == record.owned
            self.check(is_same, f"the second time is not like the first: {memory.text!r}")

    def check(self, is_right: bool, words: str) -> None:  # noqa: FBT001
        if not is_right:
            pytest.fail("\n".join([f"{self.name}: {words}", *self.story]), pytrace=False)


@pytest.mark.parametrize("share", range(SHARES))
def test_the_file_is_the_users_document_with_what_is_applied_laid_over_it(share: int, seed: str) -> None:
    for number in range(share * SEQUENCES, (share + 1) * SEQUENCES):
        Story(seed, number).run()


def test_merging_and_unmerging_a_text_gives_its_characters_back(seed: str) -> None:
    """All of them where we only added; else the members, for there is no copy of the whole text."""
    every = list(map(place_of, _every_change()))
    for number in range(1_000):
        rng = random.Random(f"{seed}/text/{number}")
        text = random_document(rng) or ""
        names = rng.choices([name for name in PROFILES if name != "helper"], k=rng.randint(1, 4))
        merged, record = text, None
        try:
            for name in names:
                result = merge_text(merged, PROFILES[name], token=rng.choice(TOKENS), record=record)
                merged, record = result.text, result.record
        except TargetInvalidError:
            assert text in SPECIAL
            continue
        assert record is not None
        back = unmerge_text(merged, record)
        words = f"KIMI_PROFILES_SEED={seed}, text {number}: {text!r} with {names}: {merged!r}"
        assert not back.record.owned, words
        assert meaning(back.text) == meaning(text), f"{words}, without: {back.text!r}"
        is_addition = all(get(meaning(text), place) is _MISSING for place in every)
        if is_addition and not any(containers(meaning(text)).values()):
            assert back.text == text, words


# ---- the same through files, locks, backups and the ledger on disk

EVERYTHING = frozenset(ENV_NAMES) | {"apiKeyHelper"}
REFERENCED = [replace(profile, token=TokenRef("env", "NO_SUCH")) for profile in PROFILES.values()]


def _every_change() -> list[Change]:
    changes: list[Change] = []
    for profile, token in itertools.product(PROFILES.values(), map(Secret, TOKENS)):
        around = Surroundings(EVERYTHING, helper_command="x")
        changes += settings_changes(profile, token, around)
        changes += claude_json_changes(profile, token)
    return changes


class Household:
    """A home with two scopes that share ``.claude.json``, and what each file has to say in the end."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        self.rng, self.home = rng, home
        root = home / "project"
        root.mkdir(parents=True)
        self.scopes = (ClaudeCode.user(home=home), ClaudeCode.local(root, home=home))
        self.files = [home / ".claude.json", *(scope.scope.settings for scope in self.scopes)]
        self.first: list[str | None] = []
        self.strangers = [Stranger(rng) for _ in self.files]
        changes = _every_change()
        self.every = {place_of(change): change for change in changes}
        for file in self.files:
            text = random_document(rng)
            self.first.append(text)
            self._write(file, text)
        self.first_files = self.all_files()
        self.oracles = [Oracle(meaning(text), meaning(text)) for text in self.first]
        self.story: list[str] = [repr(self.first)]

    def _write(self, file: Path, text: str | None) -> None:
        if text is None:
            file.unlink(missing_ok=True)
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(text.encode())

    def read(self, file: Path) -> str | None:
        return file.read_bytes().decode() if file.exists() else None

    def all_files(self) -> dict[str, bytes | None]:
        """Everything below the home but our own state."""
        return {
            str(path.relative_to(self.home)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.home.rglob("*"))
            if ".local" not in path.parts
        }

    def traces(self) -> list[tuple[int, int] | None]:
        status = [file.stat() if file.exists() else None for file in self.files]
        return [None if one is None else (one.st_ino, one.st_mtime_ns) for one in status]

    def state(self) -> list[tuple[str, int]]:
        names = sorted((self.home / ".local").rglob("*"))
        return [(str(path), path.stat().st_mtime_ns) for path in names if path.name != "lock"]

    def disturb(self) -> None:
        index = self.rng.randrange(len(self.files))
        word, text = self.strangers[index].edit(self.read(self.files[index]))
        self.story.append(f"somebody {word} in {self.files[index].name}: {text!r}")
        self._write(self.files[index], text)

    def _look(self) -> None:
        for file, oracle in zip(self.files, self.oracles, strict=True):
            oracle.applied["all"] = self.every  # places that count as set as a whole
            oracle.look(meaning(self.read(file)), "all", list(self.every.values()))

    def _leave(self) -> None:
        for file, oracle in zip(self.files, self.oracles, strict=True):
            oracle.left = meaning(self.read(file))

    def apply(self, scope: ClaudeCode) -> None:
        profile = self.rng.choice(REFERENCED)
        token = None if profile.delivery == "helper" else self.rng.choice(TOKENS)
        self.story.append(f"apply {profile.name} to {scope.scope.name}")
        before = [self.read(file) for file in self.files], self.state()
        try:
            scope.plan(profile, token=token)
        except TargetInvalidError:
            with pytest.raises(TargetInvalidError):
                scope.apply(profile, token=token)
            assert before[0] == [self.read(file) for file in self.files]
            every = list(self.every.values())
            assert any(Oracle({}, {}).refuses(meaning(text), every) for text in before[0])
            return
        assert before == ([self.read(file) for file in self.files], self.state())
        self._look()
        scope.apply(profile, token=token)
        self._leave()
        self.story[-1] += f": {[self.read(file) for file in self.files]!r}"
        assert scope.status().in_sync
        traces, state = self.traces(), self.state()
        again = scope.apply(profile, token=token)
        assert not again.changed
        assert (self.traces(), self.state()) == (traces, state)

    def unapply(self, scope: ClaudeCode) -> None:
        self.story.append(f"unapply {scope.scope.name}")
        self._look()
        scope.unapply()
        self._leave()


@pytest.mark.parametrize("share", range(FILE_SHARES))
def test_the_files_say_what_the_user_wants_in_the_end(share: int, seed: str, tmp_path: Path) -> None:
    for number in range(share * FILE_SEQUENCES, (share + 1) * FILE_SEQUENCES):
        rng = random.Random(f"{seed}/files/{number}")
        house = Household(tmp_path / str(number), rng)
        limits = [ledger._MAX_RECENT_BYTES, 0, 5_000]  # all of it in one file, in two, or as it comes
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ledger, "_MAX_RECENT_BYTES", rng.choice(limits))
                _live(house, rng)
        except Exception as error:  # noqa: BLE001 - whatever it is, it comes with its story
            story = "\n".join(house.story)
            pytest.fail(f"KIMI_PROFILES_SEED={seed}, files {number}: {error!r}\n{story}")


def _live(house: Household, rng: random.Random) -> None:
    is_alone = rng.random() < 0.4
    for _ in range(rng.randint(1, 5)):
        chance = rng.random()
        if chance < 0.4 and not is_alone:
            house.disturb()
        elif chance < 0.85:
            house.apply(rng.choice(house.scopes))
        else:
            house.unapply(rng.choice(house.scopes))
    for scope in house.scopes:
        house.unapply(scope)
    if is_alone:
        assert house.all_files() == house.first_files
    for file, oracle in zip(house.files, house.oracles, strict=True):
        oracle.applied.clear()
        now = meaning(house.read(file))
        assert oracle.agrees(now), f"{file.name} says {now}, and the user's is {oracle.user}"
