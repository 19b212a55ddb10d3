"""The three-way rule row by row; members of lists; scopes that share a file; what gives way or is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from kimi_profiles.change import Change
from kimi_profiles.drift import Drift, find_drift
from kimi_profiles.errors import TargetInvalidError
from kimi_profiles.jsontext import JsonTextError
from kimi_profiles.ledger import Record
from kimi_profiles.plan import plan_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimi_profiles.plan import TextPlan

A, B = "a/settings.json", "b/settings.json"


def put(pointer: str, value: object, **more: object) -> Change:
    return Change(pointer, json.dumps(value), **more)  # type: ignore[arg-type]


def remove(pointer: str) -> Change:
    return Change(pointer, None)


def include(pointer: str, member: object) -> Change:
    raw = json.dumps(member)
    return Change(pointer, raw, member=raw)


def exclude(pointer: str, member: object) -> Change:
    return Change(pointer, None, member=json.dumps(member))


def after(text: str | None, *steps: Sequence[Change], holder: str = A) -> tuple[str | None, Record]:
    """Text and record after each of ``steps``."""
    record = Record()
    for changes in steps:
        plan = plan_text(text, record, changes, holder=holder)
        text, record = plan.text, plan.record
    return text, record


def owned(plan: TextPlan) -> dict[str, str | None]:
    """What is owned, and the text that it had before."""
    return {entry.pointer: entry.before.raw if entry.before else None for entry in plan.record.owned}


@dataclass(frozen=True)
class Case:
    """``earlier`` is applied to ``text``, somebody leaves ``found`` behind, then ``changes`` are planned."""

    text: str | None
    found: str | None
    changes: list[Change]
    expected: str | None
    owned: dict[str, str | None]
    earlier: list[Change] | None = None
    drift: tuple[Drift, ...] = ()
    actions: tuple[str, ...] = ()


WANT = [put("/m", "w")]
OTHER = [put("/m", "x")]
GONE = [remove("/m")]
LIST = [include("/l", "w")]
NOT_IN = [exclude("/l", "w")]

ROWS = {
    # a state is wanted, and the key is not ours
    "already so: nothing, and not owned": Case('{"m":"w"}', None, WANT, '{"m":"w"}', {}),
    "already so in other words": Case('{"m":"\\u0077"}', None, WANT, '{"m":"\\u0077"}', {}),
    "already so as a number of another spelling": Case('{"m":1.0}', None, [put("/m", 1)], '{"m":1.0}', {}),
    "true is not 1": Case(
        '{"m":true}', None, [put("/m", 1)], '{"m":1}', {"/m": "true"}, actions=("replace",)
    ),
    "already absent": Case('{"n":1}', None, GONE, '{"n":1}', {}),
    "another value: taken over": Case(
        '{"m":"b"}', None, WANT, '{"m":"w"}', {"/m": '"b"'}, actions=("replace",)
    ),
    "absent: added": Case('{"n":1}', None, WANT, '{"n":1,"m":"w"}', {"/m": None}, actions=("add",)),
    "null is a value": Case('{"m":null}', None, WANT, '{"m":"w"}', {"/m": "null"}, actions=("replace",)),
    "present and unwanted: removed": Case('{"m":"b"}', None, GONE, "{}", {"/m": '"b"'}, actions=("remove",)),
    "no file: made": Case(None, None, WANT, '{\n  "m": "w"\n}\n', {"/m": None}, actions=("add",)),
    "no file and nothing to write: none": Case(None, None, GONE, None, {}),
    "an empty file and nothing to write": Case("", None, GONE, "", {}),
    # a state is wanted, and the key holds what we wrote
    "the same again: nothing": Case('{"m":"b"}', '{"m":"w"}', WANT, '{"m":"w"}', {"/m": '"b"'}, WANT),
    "the same in a rewritten file": Case(
        '{"m":"b"}', '{\n"m" : "\\u0077"}', WANT, '{\n"m" : "\\u0077"}', {"/m": '"b"'}, WANT
    ),
    "another value: before stays": Case(
        '{"m":"b"}', '{"m":"w"}', OTHER, '{"m":"x"}', {"/m": '"b"'}, WANT, actions=("replace",)
    ),
    "removed later: before stays": Case(
        '{"m":"b"}', '{"m":"w"}', GONE, "{}", {"/m": '"b"'}, WANT, actions=("remove",)
    ),
    "set after removal: before stays": Case(
        '{"m":"b","n":1}', '{"n":1}', WANT, '{"n":1,"m":"w"}', {"/m": '"b"'}, GONE, actions=("add",)
    ),
    "what is wanted is what was there: given back, not owned": Case(
        '{"m":"b"}', '{"m":"w"}', [put("/m", "b")], '{"m":"b"}', {}, WANT, actions=("replace",)
    ),
    # a state is wanted, and the key drifted
    "drift: their value is the new before": Case(
        '{"m":"b"}',
        '{"m":"theirs"}',
        WANT,
        '{"m":"w"}',
        {"/m": '"theirs"'},
        WANT,
        (Drift("/m", is_kept=False),),
        ("replace",),
    ),
    "drift to just what is wanted now: theirs": Case(
        '{"m":"b"}', '{"m":"x"}', OTHER, '{"m":"x"}', {}, WANT, (Drift("/m", is_kept=True),)
    ),
    "removed by somebody: before is nothing": Case(
        '{"m":"b","n":1}',
        '{"n":1}',
        WANT,
        '{"n":1,"m":"w"}',
        {"/m": None},
        WANT,
        (Drift("/m", is_kept=False),),
        ("add",),
    ),
    "put back as it was is no drift": Case(
        '{"m":"b"}', '{"m":"b"}', WANT, '{"m":"w"}', {"/m": '"b"'}, WANT, actions=("replace",)
    ),
    "set where we removed": Case(
        '{"m":"b"}', '{"m":"n"}', GONE, "{}", {"/m": '"n"'}, GONE, (Drift("/m", is_kept=False),), ("remove",)
    ),
    # nothing is wanted
    "unapply: before comes back": Case(
        '{"m":"b"}', '{"m":"w"}', [], '{"m":"b"}', {}, WANT, actions=("replace",)
    ),
    "unapply: before comes back as it was written": Case(
        '{"m":[1.0 ,"\\u0061"]}', '{"m":"w"}', [], '{"m":[1.0 ,"\\u0061"]}', {}, WANT, actions=("replace",)
    ),
    "unapply: what was absent goes": Case(
        '{"n":1}', '{"n":1,"m":"w"}', [], '{"n":1}', {}, WANT, (), ("remove",)
    ),
    "unapply: what we removed comes back to its place": Case(
        '{"a":1,"m":"b","c":2}', '{"a":1,"c":2}', [], '{"a":1,"m":"b","c":2}', {}, GONE, (), ("add",)
    ),
    "unapply: drift stays": Case(
        '{"m":"b"}', '{"m":"theirs"}', [], '{"m":"theirs"}', {}, WANT, (Drift("/m", is_kept=True),)
    ),
    "unapply: what somebody removed stays away": Case(
        '{"m":"b"}', "{}", [], "{}", {}, WANT, (Drift("/m", is_kept=True),)
    ),
    "unapply: somebody put the old value back": Case('{"m":"b"}', '{"m":"b"}', [], '{"m":"b"}', {}, WANT),
    "not ours and not wanted: nothing": Case('{"m":"b","n":[]}', None, [], '{"m":"b","n":[]}', {}),
    "a switch: old keys go, new ones come": Case(
        '{"m":"b"}',
        '{"m":"w"}',
        [put("/n", 1)],
        '{"m":"b","n":1}',
        {"/n": None},
        WANT,
        (),
        ("add", "replace"),
    ),
    # members of lists
    "a member already in": Case('{"l":["w"]}', None, LIST, '{"l":["w"]}', {}),
    "a member joins": Case('{"l":["u"]}', None, LIST, '{"l":["u","w"]}', {"/l": None}, actions=("include",)),
    "a member not to be in, and not in": Case('{"l":["u"]}', None, NOT_IN, '{"l":["u"]}', {}),
    "a member goes": Case(
        '{"l":["w","u"]}', None, NOT_IN, '{"l":["u"]}', {"/l": '"w"'}, actions=("exclude",)
    ),
    "unapply: our member goes, theirs stay": Case(
        '{"l":["u"]}', '{"l":["u","w","v"]}', [], '{"l":["u","v"]}', {}, LIST, actions=("exclude",)
    ),
    "unapply: their member comes back to its place": Case(
        '{"l":["u","w","v"]}', '{"l":["u","v"]}', [], '{"l":["u","w","v"]}', {}, NOT_IN, actions=("include",)
    ),
    "unapply: somebody removed our member": Case('{"l":["u"]}', '{"l":["u"]}', [], '{"l":["u"]}', {}, LIST),
    "apply: somebody removed our member": Case(
        '{"l":["u"]}', '{"l":["u"]}', LIST, '{"l":["u","w"]}', {"/l": None}, LIST, actions=("include",)
    ),
    "unapply: somebody put in what we took out": Case(
        '{"l":["w"]}', '{"l":["w"]}', [], '{"l":["w"]}', {}, NOT_IN
    ),
    "an object as a member, in another order of its keys": Case(
        '{"l":[{"b":1,"a":2}]}', None, [include("/l", {"a": 2, "b": 1.0})], '{"l":[{"b":1,"a":2}]}', {}
    ),
    # duplicates: the last one counts for every reader
    "duplicates: the last is set": Case(
        '{"m":1,"m":"b"}', None, WANT, '{"m":1,"m":"w"}', {"/m": '"b"'}, actions=("replace",)
    ),
    "duplicates: the last is already so": Case('{"m":1,"m":"w"}', None, WANT, '{"m":1,"m":"w"}', {}),
    "duplicates: all are removed": Case(
        '{"m":1,"n":0,"m":2}', None, GONE, '{"n":0}', {"/m": "2"}, actions=("remove",)
    ),
    "duplicate containers: the last is entered": Case(
        '{"e":{"m":1},"e":{}}',
        None,
        [put("/e/m", 2)],
        '{"e":{"m":1},"e":{"m":2}}',
        {"/e/m": None},
        None,
        (),
        ("add",),
    ),
    "duplicate members: both go": Case(
        '{"l":["w","w"]}', None, NOT_IN, '{"l":[]}', {"/l": '"w"'}, actions=("exclude",)
    ),
}


@pytest.mark.parametrize("case", ROWS.values(), ids=ROWS)
def test_row(case: Case) -> None:
    text, record = after(case.text, *([] if case.earlier is None else [case.earlier]))
    found = text if case.earlier is None else case.found
    plan = plan_text(found, record, case.changes, holder=A)
    assert plan.text == case.expected
    assert owned(plan) == case.owned
    assert plan.drift == case.drift
    assert tuple(action.action for action in plan.actions) == case.actions
    assert plan.is_changed == (case.expected != found)


@pytest.mark.parametrize("case", ROWS.values(), ids=ROWS)
def test_a_second_time_changes_nothing(case: Case) -> None:
    _, record = after(case.text, *([] if case.earlier is None else [case.earlier]))
    first = plan_text(case.text if case.earlier is None else case.found, record, case.changes, holder=A)
    again = plan_text(first.text, first.record, case.changes, holder=A)
    assert not again.is_changed
    assert not again.actions
    assert not again.drift
    assert again.record.owned == first.record.owned


@pytest.mark.parametrize("found", ['{"m":"w"}', '{"m":"b"}'], ids=["after the write", "before the write"])
def test_a_run_cut_short_is_carried_on(found: str) -> None:
    """The ledger written ahead is true of the file before and after it is replaced."""
    plan = plan_text('{"m":"b"}', Record(), WANT, holder=A)
    ahead = Record(salt=plan.record.salt).joined(plan.record)
    assert plan_text(found, ahead, [], holder=A).text == '{"m":"b"}'
    assert plan_text(found, ahead, WANT, holder=A).text == '{"m":"w"}'


@pytest.mark.parametrize("found", ['{"m":"w"}', '{"m":"x"}'])
def test_while_a_switch_is_under_way_both_values_are_ours(found: str) -> None:
    text, record = after('{"m":"b"}', WANT)
    ahead = record.joined(plan_text(text, record, OTHER, holder=A).record)
    plan = plan_text(found, ahead, [], holder=A)
    assert plan.text == '{"m":"b"}'
    assert not plan.drift


# ---- the value of their own that comes back is the last one


def test_the_value_given_back_is_the_last_one_that_was_not_ours() -> None:
    text, record = after('{"m":"first"}', WANT)
    plan = plan_text('{"m":"second"}', record, WANT, holder=A)
    assert plan.text == text
    assert plan_text(plan.text, plan.record, [], holder=A).text == '{"m":"second"}'


def test_the_text_without_us_is_the_base() -> None:
    _, record = after('{"m":"b"}', [*WANT, put("/e/n", 1)])
    plan = plan_text('{"m":"w","e":{"n":1},"theirs":2}', record, OTHER, holder=A)
    assert plan.base == '{"m":"b","theirs":2}'
    assert not plan.keeps_base


def test_a_base_is_forgotten_where_less_is_ours_and_nothing_is_written() -> None:
    """Else the text that we once left, put back by hand, would count as ours to the last character."""
    text, record = after('{"m":"b"}', [*WANT, put("/n", 1)])
    record = replace(record, base="id", texts=("base", record.digest_text(text)))
    seen = plan_text('{"m":"theirs","n":1}', record, [put("/n", 1)], holder=A)
    assert not seen.is_changed
    assert not seen.record.knows(text)
    assert plan_text('{"m":"theirs","n": 1}', record, [*WANT, put("/n", 1)], holder=A).record.knows(text)


def test_where_the_file_is_gone_the_base_is_what_was_set_aside() -> None:
    _, record = after('{"m":"b"}', GONE)
    plan = plan_text(None, record, [*GONE, put("/n", 1)], holder=A)
    assert json.loads(plan.base or "") == {"m": "b"}


def test_where_nothing_was_set_aside_a_missing_file_has_no_base() -> None:
    assert plan_text(None, Record(), WANT, holder=A).base is None


# ---- containers


CONTAINERS = {
    "made here, empty again: gone": ('{"a":1}', [put("/e/f/m", 1)], None, '{"a":1}'),
    "theirs, empty before: stays": ('{"e":{}}', [put("/e/m", 1)], None, '{"e":{}}'),
    "made here, somebody added to it: stays": (
        '{"a":1}',
        [put("/e/m", 1)],
        '{"a":1,"e":{"m": 1,"x":2}}',
        '{"a":1,"e":{"x":2}}',
    ),
    "a list made here goes, and its parent": ("{}", [include("/p/l", "w")], None, "{}"),
    "a list made here stays with their member": (
        "{}",
        [include("/p/l", "w")],
        '{"p":{"l":["w","u"]}}',
        '{"p":{"l":["u"]}}',
    ),
    "the inner one goes, the outer one was theirs": ('{"p":{}}', [include("/p/l", "w")], None, '{"p":{}}'),
    "replaced by something of another kind: theirs": (
        "{}",
        [put("/e/m", 1)],
        '{"e":[]}',
        '{"e":[]}',
    ),
    "a list replaced by an object: theirs": (
        "{}",
        [include("/p/l", "w")],
        '{"p":{"l":{}}}',
        '{"p":{"l":{}}}',
    ),
    "what we removed from a container that is none now": (
        '{"e":{"m":1}}',
        [remove("/e/m")],
        '{"e":5}',
        '{"e":5}',
    ),
}


@pytest.mark.parametrize(("text", "changes", "found", "expected"), CONTAINERS.values(), ids=CONTAINERS)
def test_container(text: str, changes: list[Change], found: str | None, expected: str) -> None:
    applied, record = after(text, changes)
    plan = plan_text(found or applied, record, [], holder=A)
    assert plan.text == expected
    assert not plan.record.owned
    assert not plan.record.made


def test_a_container_of_ours_that_went_is_theirs_when_they_make_it() -> None:
    _, record = after("{}", [put("/e/m", 1)], WANT)
    plan = plan_text('{"m":"w","e":{}}', record, [], holder=A)
    assert plan.text == '{"e":{}}'


def test_a_file_of_ours_goes_when_nothing_else_is_in_it() -> None:
    text, record = after(None, WANT)
    assert plan_text(text, record, [], holder=A).text is None


def test_a_file_of_ours_stays_with_what_somebody_added() -> None:
    _, record = after(None, WANT)
    plan = plan_text('{"m":"w","theirs":1}', record, [], holder=A)
    assert json.loads(plan.text or "") == {"theirs": 1}


# ---- two scopes, one file

SHARED = [put("/done", value=True), include("/l", "k"), remove("/p")]
SHARED_TEXT = '{"p":"key","l":[]}'


def test_what_two_scopes_want_stays_until_the_last_is_taken_out() -> None:
    text, record = after(SHARED_TEXT, SHARED)
    second = plan_text(text, record, SHARED, holder=B)
    assert not second.is_changed
    assert {entry.holders for entry in second.record.owned} == {(A, B)}
    first_out = plan_text(second.text, second.record, [], holder=A)
    assert first_out.text == text
    assert {entry.holders for entry in first_out.record.owned} == {(B,)}
    assert plan_text(first_out.text, first_out.record, [], holder=B).text == SHARED_TEXT


def test_another_scope_takes_out_only_its_own() -> None:
    text, record = after(SHARED_TEXT, SHARED)
    second = plan_text(text, record, [*SHARED[:1], put("/mine", 1)], holder=B)
    out = plan_text(second.text, second.record, [], holder=B)
    assert out.text == text
    assert out.record.owned == record.owned


def test_where_somebody_wrote_no_scope_has_anything_any_more() -> None:
    _, record = after('{"m":"b"}', WANT)
    plan = plan_text('{"m":"theirs"}', record, [], holder=B)
    assert (plan.text, plan.record.owned) == ('{"m":"theirs"}', ())


@pytest.mark.parametrize("found", ['{"m":"b"}', "{}"], ids=["put back", "removed"])
def test_a_value_they_set_later_is_theirs_though_it_is_what_we_wrote(found: str) -> None:
    _, record = after('{"m":"b"}', WANT)
    seen = plan_text(found, record, [], holder=B)
    assert plan_text('{"m":"w"}', seen.record, [], holder=A).text == '{"m":"w"}'


# ---- what gives way

OWN = [put("/e/d", "0", unless=("/e/d",))]
PAIR = [put("/e/x", "9", unless=("/e/x", "/e/y")), put("/e/y", "9", unless=("/e/x", "/e/y"))]

UNLESS = {
    "they have nothing": ('{"e":{}}', OWN, {"d": "0"}),
    "they have a value": ('{"e":{"d":"1"}}', OWN, {"d": "1"}),
    "they have an empty one": ('{"e":{"d":""}}', OWN, {"d": ""}),
    "they have null": ('{"e":{"d":null}}', OWN, {"d": None}),
    "a pair, and they have neither": ('{"e":{}}', PAIR, {"x": "9", "y": "9"}),
    "a pair, and they have the first": ('{"e":{"x":"1"}}', PAIR, {"x": "1"}),
    "a pair, and they have the second": ('{"e":{"y":"1"}}', PAIR, {"y": "1"}),
    "a pair, and they have both": ('{"e":{"x":"1","y":"2"}}', PAIR, {"x": "1", "y": "2"}),
    "theirs is taken over by another change": ('{"e":{"y":"1"}}', [*PAIR[:1], remove("/e/y")], {}),
}


@pytest.mark.parametrize(("text", "changes", "expected"), UNLESS.values(), ids=UNLESS)
def test_unless(text: str, changes: list[Change], expected: dict[str, object]) -> None:
    applied, record = after(text, changes)
    assert json.loads(applied or "")["e"] == expected
    again = plan_text(applied, record, changes, holder=A)
    assert not again.is_changed
    assert plan_text(applied, record, [], holder=A).text == text


def test_our_own_value_is_no_reason_to_give_way() -> None:
    text, record = after('{"e":{}}', PAIR)
    more = [replace(change, want='"8"') for change in PAIR]
    assert json.loads(plan_text(text, record, more, holder=A).text or "")["e"] == {"x": "8", "y": "8"}


def test_a_pair_gives_way_once_they_set_one_of_it() -> None:
    _, record = after('{"e":{}}', PAIR)
    plan = plan_text('{"e":{"x":"mine","y":"9"}}', record, PAIR, holder=A)
    assert json.loads(plan.text or "")["e"] == {"x": "mine"}
    assert not plan.record.owned


# ---- what is refused

REFUSED = {
    "a list for an object": ('{\n  "a": 1,\n  "env": []\n}', put("/env/m", 1), 3, 10, "/env"),
    "null for an object": ('{"env":null}', put("/env/m", 1), 1, 8, "/env"),
    "a list for the document": ("\n  []", put("/m", 1), 2, 3, ""),
    "a string for the document": ('"x"', remove("/m"), 1, 1, ""),
    "an object for a list": (
        '{"permissions": {"allow": {}}}',
        include("/permissions/allow", "w"),
        1,
        27,
        "/permissions/allow",
    ),
    "a string for a list": ('{"l":"w"}', exclude("/l", "w"), 1, 6, "/l"),
    "a list for the parent of a list": ('{"p":[]}', include("/p/l", "w"), 1, 6, "/p"),
    "the last of duplicates counts": ('{"env":{},"env":7}', put("/env/m", 1), 1, 17, "/env"),
    "a byte order mark is no column": ('\ufeff{"env":7}', put("/env/m", 1), 1, 8, "/env"),
    "also where nothing is to be there": ('{"env":7}', remove("/env/m"), 1, 8, "/env"),
    "also where the change would give way": ('{"env":7}', put("/env/m", 1, unless=("/x",)), 1, 8, "/env"),
}


@pytest.mark.parametrize(("text", "change", "line", "column", "pointer"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, change: Change, line: int, column: int, pointer: str) -> None:
    with pytest.raises(TargetInvalidError) as caught:
        plan_text(text, Record(), [put("/other", 1), change], holder=A)
    error = caught.value
    assert (error.line, error.column, error.pointer) == (line, column, pointer)
    assert error.exit_code == 78


@pytest.mark.parametrize("text", ['{"m":1,}', "{", '{"m":1} x', "// {}", '{"m":NaN}'])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(JsonTextError) as caught:
        plan_text(text, Record(), WANT, holder=A)
    assert caught.value.line == 1


@pytest.mark.parametrize("found", ["[]", '{"e":7}', '{"e":[]}', '{"e":null}'])
def test_taking_out_never_refuses(found: str) -> None:
    _, record = after('{"e":{"old":1}}', [put("/e/m", 1), remove("/e/old")])
    plan = plan_text(found, record, [], holder=A)
    assert plan.text == found
    assert plan.drift == (Drift("/e/m", is_kept=True), Drift("/e/old", is_kept=True))


# ---- drift on its own

DRIFTS = {
    "as we left it": ('{"m":"w","l":["w"]}', ()),
    "reformatted": ('{ "l" : [ "\\u0077" ], "m" : "w" }', ()),
    "another value": ('{"m":"x","l":["w"]}', ("/m",)),
    "removed": ('{"l":["w"]}', ("/m",)),
    "the member is gone": ('{"m":"w","l":[]}', ("/l",)),
    "the list is gone": ('{"m":"w"}', ("/l",)),
    "the document is a list": ("[]", ("/m", "/l")),
    "the file is gone": (None, ("/m", "/l")),
}


@pytest.mark.parametrize(("found", "expected"), DRIFTS.values(), ids=DRIFTS)
def test_find_drift(found: str | None, expected: tuple[str, ...]) -> None:
    _, record = after('{"l":[]}', [*WANT, *LIST])
    assert tuple(owned.pointer for owned, _ in find_drift(found, record, holder=A)) == expected
    assert find_drift(found, record, holder=B) == ()


# ---- secrets

TOKEN = "sk-very-secret-token"
OLD = "sk-old-secret-key"


def test_no_repr_shows_a_value() -> None:
    changes = [
        put("/env/T", TOKEN, is_secret=True),
        Change("/l", json.dumps(TOKEN), member=json.dumps(TOKEN), is_secret=True),
        Change("/p", None, is_secret=True),
    ]
    text = json.dumps({"p": OLD, "env": {"T": OLD}, "l": [OLD]})
    plan = plan_text(text, Record(), changes, holder=A)
    again = plan_text(plan.text, plan.record, [], holder=A)
    things = [*changes, *plan.actions, plan, *plan.record.owned, plan.record, again, *again.actions]
    for thing in things:
        assert TOKEN not in repr(thing)
        assert OLD not in repr(thing)
    assert all(action.is_secret for action in (*plan.actions, *again.actions))


def test_the_record_holds_no_token() -> None:
    """What was there before us has to be in it; what we wrote has not."""
    plan = plan_text("{}", Record(), [put("/env/T", TOKEN), include("/l", TOKEN)], holder=A)
    assert TOKEN not in json.dumps(plan.record.to_json())
