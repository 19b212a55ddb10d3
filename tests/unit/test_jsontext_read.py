"""Reading JSON text by address: named cases of text, address and what stands there."""

from __future__ import annotations

import contextlib

import pytest

from kimi_profiles.jsontext import Address, Found, JsonTextError, join_pointer, split_pointer
from kimi_profiles.jsontext.document import Blocked, Document, State
from kimi_profiles.jsontext.scan import MAX_ITEMS

HUGE = "9" * 5000

READ = {
    "the first key": ('{"a":1,"b":2}', Address("/a"), Found("1", None)),
    "a later key": ('{"a":1,"b":2}', Address("/b"), Found("2", "a")),
    "nothing": ('{"a":1}', Address("/b"), None),
    "nothing below nothing": ('{"a":1}', Address("/b/c"), None),
    "the whole document": ('\ufeff {"a":1} \n', Address(""), Found('{"a":1}', None)),
    "a whole document that is a scalar": (" 12 ", Address(""), Found("12", None)),
    "the text as it is written": ('{"a" : [ 1.0,\t-0 ] }', Address("/a"), Found("[ 1.0,\t-0 ]", None)),
    "a 5,000-digit integer": (f'{{"a":{HUGE}}}', Address("/a"), Found(HUGE, None)),
    "numbers that no float holds": ('{"a":1e400}', Address("/a"), Found("1e400", None)),
    "a nested key": ('{"a":{"x":0,"b":{"c":1}}}', Address("/a/b/c"), Found("1", None)),
    "a nested key and its sibling": ('{"a":{"x":0,"b":{"c":1}}}', Address("/a/b"), Found('{"c":1}', "x")),
    "the last duplicate": ('{"m":1,"m":2}', Address("/m"), Found("2", None)),
    "a duplicate stands where its first stands": (
        '{"a":1,"m":2,"b":3,"m":4}',
        Address("/m"),
        Found("4", "a"),
    ),
    "behind a duplicate": ('{"a":1,"b":2,"a":3,"m":4}', Address("/m"), Found("4", "b")),
    "inside the last duplicate": ('{"e":{"A":1},"e":{"B":2}}', Address("/e/A"), None),
    "a key with escapes": ('{"x":0,"\\u006d\\n":1}', Address("/m\n"), Found("1", "x")),
    "a key with a surrogate pair": ('{"\\ud83d\\ude00":1}', Address("/😀"), Found("1", None)),
    "a key that is a lone surrogate": ('{"\\ud83d":1}', Address("/\ud83d"), Found("1", None)),
    "a sibling with escapes": ('{"\\u0061":0,"b":1}', Address("/b"), Found("1", "a")),
    "the empty key": ('{"":1}', Address("/"), Found("1", None)),
    "two empty keys": ('{"":{"":1}}', Address("//"), Found("1", None)),
    "slash and tilde": ('{"a/b~1":1}', Address("/a~1b~01"), Found("1", None)),
    "null is a value": ('{"a":null}', Address("/a"), Found("null", None)),
    "below a scalar": ('{"a":1}', Address("/a/b/c"), Blocked("/a", "object")),
    "below null": ('{"a":null}', Address("/a/b"), Blocked("/a", "object")),
    "lists are not entered": ('{"a":{"l":[1]}}', Address("/a/l/0"), Blocked("/a/l", "object")),
    "below a document that is a list": ("[1]", Address("/a"), Blocked("", "object")),
    "below a document that is a scalar": ("null", Address("/a"), Blocked("", "object")),
    "in an empty text": ("", Address("/a"), None),
    "an empty text as a whole": ("", Address(""), None),
    "in a byte order mark": ("\ufeff\n", Address("/a/b"), None),
    "a list member": ('{"l":["a","b"]}', Address("/l", '"b"'), Found('"b"', '"a"')),
    "the first list member": ('{"l":["a","b"]}', Address("/l", '"a"'), Found('"a"', None)),
    "no such list member": ('{"l":["a","b"]}', Address("/l", '"c"'), None),
    "a list member in another spelling": ('{"l":[ 1.0 ,10e-1]}', Address("/l", "1"), Found("1.0", None)),
    "a list member that is an object": (
        '{"l":[0,{"b":1, "a":2}]}',
        Address("/l", '{"a":2,"b":1}'),
        Found('{"b":1, "a":2}', "0"),
    ),
    "true in a list is not 1": ('{"l":[1]}', Address("/l", "true"), None),
    "1 in a list is not true": ('{"l":[true]}', Address("/l", "1"), None),
    "a member of no list": ('{"m":1}', Address("/l", '"a"'), None),
    "a member of what is an object": ('{"l":{}}', Address("/l", '"a"'), Blocked("/l", "list")),
    "a member of a scalar": ('{"l":"a"}', Address("/l", '"a"'), Blocked("/l", "list")),
    "a member below a scalar": ('{"p":1}', Address("/p/l", '"a"'), Blocked("/p", "object")),
    "a member of a document that is a list": ("[1,2]", Address("", "2"), Found("2", "1")),
    "a member of an empty text": ("", Address("/l", '"a"'), None),
}


@pytest.mark.parametrize(("text", "address", "state"), READ.values(), ids=READ)
def test_read(text: str, address: Address, state: State) -> None:
    assert Document(text).read([address]) == {address: state}


def test_read_keeps_the_order_of_the_addresses() -> None:
    addresses = [Address("/b"), Address("/a"), Address("/c")]
    assert list(Document('{"a":1,"b":2}').read(addresses)) == addresses


MISSING = {
    "none for a key of the document": ("{}", [Address("/a")], ()),
    "the parent": ("{}", [Address("/a/b")], ("/a",)),
    "outer ones first": ("{}", [Address("/a/b/c"), Address("/d/e")], ("/a", "/a/b", "/d")),
    "each once": ("{}", [Address("/a/b"), Address("/a/c")], ("/a",)),
    "only what is not there": ('{"a":{}}', [Address("/a/b/c")], ("/a/b",)),
    "none in the way of something else": ('{"a":1}', [Address("/a/b/c")], ()),
    "the list of a member": ('{"p":{}}', [Address("/p/l", '"x"')], ("/p/l",)),
    "no list that is there": ('{"p":{"l":[]}}', [Address("/p/l", '"x"')], ()),
    "in an empty text": ("", [Address("/a/b")], ("/a",)),
}


@pytest.mark.parametrize(("text", "addresses", "pointers"), MISSING.values(), ids=MISSING)
def test_missing_containers(text: str, addresses: list[Address], pointers: tuple[str, ...]) -> None:
    assert Document(text).missing_containers(addresses) == pointers


ELEMENTS = {
    "as they are written": ('{"l":[ 1.0 , "\\u0061",[2] ]}', "/l", ("1.0", '"\\u0061"', "[2]")),
    "of an empty list": ('{"l":[ ]}', "/l", ()),
    "of nothing": ('{"l":[1]}', "/m", ()),
    "of an object": ('{"l":{"a":1}}', "/l", ()),
    "below a scalar": ('{"l":1}', "/l/m", ()),
    "of an empty text": ("", "/l", ()),
}


@pytest.mark.parametrize(("text", "pointer", "raws"), ELEMENTS.values(), ids=ELEMENTS)
def test_elements(text: str, pointer: str, raws: tuple[str, ...]) -> None:
    assert Document(text).elements(pointer) == raws


PLACES = {
    "the document": ('{"a":1}', "", (1, 1)),
    "behind a byte order mark": ('\ufeff {"a":1}', "", (1, 2)),
    "a value": ('{\n  "a": 1,\r\n\t"b":\t2\n}', "/b", (3, 7)),
    "a value behind astral characters": ('{"😀":"😀","b":2}', "/b", (1, 14)),
    "the parent of nothing": ('{\n"a": {}}', "/a/b/c", (2, 6)),
    "what is in the way": ('{\n"a": [1]}', "/a/0", (2, 6)),
    "an empty text": ("", "/a", (1, 1)),
}


@pytest.mark.parametrize(("text", "pointer", "place"), PLACES.values(), ids=PLACES)
def test_place(text: str, pointer: str, place: tuple[int, int]) -> None:
    assert Document(text).place(pointer) == place


POINTERS = {
    "the document": ("", ()),
    "the empty key": ("/", ("",)),
    "two keys": ("/a/b", ("a", "b")),
    "slash": ("/a~1b", ("a/b",)),
    "tilde": ("/a~0b", ("a~b",)),
    "tilde and one": ("/~01", ("~1",)),
    "a number is a key": ("/0", ("0",)),
    "the last key is empty": ("/a/", ("a", "")),
}


@pytest.mark.parametrize(("pointer", "keys"), POINTERS.values(), ids=POINTERS)
def test_pointer(pointer: str, keys: tuple[str, ...]) -> None:
    assert split_pointer(pointer) == keys
    assert join_pointer(*keys) == pointer


@pytest.mark.parametrize("pointer", ["a", "a/b", " /a", "#/a", "/~", "/~2", "/a~", "/~~0"])
def test_no_pointer(pointer: str) -> None:
    with pytest.raises(ValueError, match="not a JSON Pointer"):
        split_pointer(pointer)


@pytest.mark.parametrize("count", [MAX_ITEMS, MAX_ITEMS + 1])
def test_a_list_that_is_walked_has_a_limit(count: int) -> None:
    document = Document('{"a":[' + ",".join(["1"] * count) + "]}")

    with contextlib.nullcontext() if count == MAX_ITEMS else pytest.raises(JsonTextError, match="50,000"):
        document.read([Address("/a", "2")])


def test_no_list_grows_beyond_that_limit() -> None:
    document = Document('{"a":[' + ",".join(["1"] * MAX_ITEMS) + "]}")

    with pytest.raises(JsonTextError, match="50,000"):
        document.edit({Address("/a", "2"): "2"})


AMONG_MANY = {
    "the first": ("k0", Found("0", None)),
    "one that is noted by itself": ("k999", Found("999", "k998")),
    "the first that is not": ("k1000", Found("1000", "k999")),
    "the first of another run": ("k2000", Found("2000", "k1999")),
    "one with an escape": ("é", Found("0", "k2999")),
    "behind that one": ("k3000", Found("3000", "é")),
    "a duplicate in another run": ("twice", Found("2", "k1499")),
    "behind duplicates": ("late", Found("1", "k4499")),
    "the last": ("k4999", Found("4999", "late")),
    "none that is a value": ("v", None),
    "none inside": ("x", None),
}


@pytest.mark.parametrize("value", ["{}", '"\\n"'], ids=["runs", "small members"])
@pytest.mark.parametrize(("key", "state"), AMONG_MANY.values(), ids=AMONG_MANY)
def test_a_key_among_many(key: str, state: State, value: str) -> None:
    members = [f'"k{number}" :{number}' for number in range(5_000)]
    members[4_999:4_999] = ['"late":1']
    members[4_500:4_999] = ['"k1":1', '"k1400":1400', '"twice": 2', *members[4_999:]]
    members[3_000:3_000] = ['"\\u00e9":0']
    members[1_500:1_500] = ['"twice":1']
    members[1_200:1_200] = [f'"n{number}":{value}' for number in range(300)] + ['"y":"v"', '"y":{"x":1}']
    text = "{" + ",\n".join(members) + "}"
    address = Address(join_pointer(key))

    for document in (Document(text), Document(text.encode())):
        assert document.read([address])[address] == state


def test_an_address_does_not_print_its_member() -> None:
    assert str(Address("/customApiKeyResponses/approved", '"key"')) == "/customApiKeyResponses/approved[]"
    assert str(Address("/env/A")) == "/env/A"
