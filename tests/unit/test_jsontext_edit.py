"""Editing JSON text: named cases of text, changes and the text that must come out."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import pytest

from kimi_profiles.jsontext import Address, Found, dumps
from kimi_profiles.jsontext.document import Document
from kimi_profiles.jsontext.splices import Splice, splice, splice_bytes

GONE = object()
"""As a wanted value: nothing shall stand there."""

HUGE = "9" * 5000


class Raw(NamedTuple):
    """JSON text as it is given to ``Document.edit``."""

    text: str


class In(NamedTuple):
    """A member that shall be in the list, or not in it."""

    member: object
    wanted: object = True


def edit(text: str, changes: dict[str, object], *, prune: tuple[str, ...] = ()) -> str:
    """``text`` after ``changes``: pointer → value, ``Raw``, ``Found`` or ``GONE``; or → tuple of ``In``."""
    wanted = {}
    for pointer, value in changes.items():
        if isinstance(value, tuple) and not isinstance(value, Raw):
            for member, state in value:
                raw = member.text if isinstance(member, Raw) else dumps(member)
                wanted[Address(pointer, raw)] = _wanted(Raw(raw) if state is True else state)
        else:
            wanted[Address(pointer)] = _wanted(value)
    return Document(text).edit(wanted, prune=prune)


def _wanted(value: object) -> Found | str | None:
    if value is GONE:
        return None
    if isinstance(value, Found):
        return value
    return value.text if isinstance(value, Raw) else dumps(value)


SET = {
    "nothing wanted, nothing changed": ('{ "m":1 ,"n" :2}', {}, '{ "m":1 ,"n" :2}'),
    "a value is replaced where it stands": ('{"m":"a","n":1}', {"/m": "b"}, '{"m":"b","n":1}'),
    "the space around a value stays": ('{ "m"  :  1  , "n":2 }', {"/m": 3}, '{ "m"  :  3  , "n":2 }'),
    "the last duplicate wins": ('{"m":"a","m":"b"}', {"/m": "c"}, '{"m":"a","m":"c"}'),
    "the last duplicate object is entered": (
        '{"env":{"A":1},"env":{"B":2}}',
        {"/env/A": 3},
        '{"env":{"A":1},"env":{"B":2,"A":3}}',
    ),
    "a key written with escapes": ('{"\\u006d":1}', {"/m": 2}, '{"\\u006d":2}'),
    "a key and its escaped twin are one": ('{"m":1,"\\u006d":2}', {"/m": 3}, '{"m":1,"\\u006d":3}'),
    "the empty key": ('{"":1,"m":2}', {"/": 3}, '{"":3,"m":2}'),
    "slash and tilde in a key": ('{"a/b":1,"c~d":2}', {"/a~1b": 3, "/c~0d": 4}, '{"a/b":3,"c~d":4}'),
    "~01 is no slash": ('{"~1":1}', {"/~01": 2}, '{"~1":2}'),
    "a nested value": ('{"a":{"b":{"c":1}}}', {"/a/b/c": 2}, '{"a":{"b":{"c":2}}}'),
    "a list as a whole": ('{"a":[1,2],"b":0}', {"/a": [3]}, '{"a":[3],"b":0}'),
    "an object as a whole": ('{"a":{"x":1},"b":0}', {"/a": {"y": 2}}, '{"a":{"y":2},"b":0}'),
    "a scalar becomes an object": ('{"a": 1}', {"/a": {"y": 2}}, '{"a": {"y": 2}}'),
    "two values, later one named first": ('{"a":1,"b":2}', {"/b": 4, "/a": 3}, '{"a":3,"b":4}'),
    "a new key goes last": ('{"b":1}', {"/a": 2}, '{"b":1,"a":2}'),
    "new keys keep their order": ('{"m":0}', {"/z": 1, "/a": 2}, '{"m":0,"z":1,"a":2}'),
    "a NUL key is no place": ('{"\\u0000":1,"b":2}', {"/c": 3}, '{"\\u0000":1,"b":2,"c":3}'),
    "parents are made": ('{"m":0}', {"/a/b/c": 1}, '{"m":0,"a":{"b":{"c":1}}}'),
    "one new parent for two": ('{"m":0}', {"/a/b": 1, "/a/c": 2}, '{"m":0,"a":{"b":1,"c":2}}'),
    "beside numbers that no float holds": (
        '{"n":1.0,"e":1E+2,"big":123456789012345678901234567890,"m":1}',
        {"/m": 2},
        '{"n":1.0,"e":1E+2,"big":123456789012345678901234567890,"m":2}',
    ),
    "a 5,000-digit integer beside it": (f'{{"n":{HUGE},"m":1}}', {"/m": 2}, f'{{"n":{HUGE},"m":2}}'),
    "a 5,000-digit integer is set": ('{"m":1}', {"/m": Raw(HUGE)}, f'{{"m":{HUGE}}}'),
    "a 5,000-digit integer inside a list is set": (
        '{"m":1}',
        {"/m": Raw(f"[{HUGE}, -{HUGE}.{HUGE}]")},
        f'{{"m":[{HUGE},-{HUGE}.{HUGE}]}}',
    ),
    "numbers inside a value keep their spelling": (
        '{"m":1}',
        {"/m": Raw("[1e400, 1.10, -0, 1E+2, 12345678901234567890.123]")},
        '{"m":[1e400,1.10,-0,1E+2,12345678901234567890.123]}',
    ),
    "strings inside a value keep their spelling": (
        '{"m":1}',
        {"/m": Raw('{"\\u0061\\/": "\\u00e9é\\n, : [ {"}')},
        '{"m":{"\\u0061\\/":"\\u00e9é\\n, : [ {"}}',
    ),
    "duplicate keys inside a value stay": ('{"m":1}', {"/m": Raw('{"a":1,"a":2}')}, '{"m":{"a":1,"a":2}}'),
    "white space around a value goes": ('{"m":1}', {"/m": Raw("\n 2\t")}, '{"m":2}'),
    "non-ASCII text is written as itself": ('{"m":1}', {"/m": "é😀"}, '{"m":"é😀"}'),
    "lone surrogate in a value": ('{"m":1}', {"/m": "a\ud83d"}, '{"m":"a\\ud83d"}'),
    "lone surrogate in a nested value": ('{"m":1}', {"/m": Raw('["\udc00"]')}, '{"m":["\\udc00"]}'),
    "lone surrogate in a new key": ('{"m":1}', {"/\ud83d": 2}, '{"m":1,"\\ud83d":2}'),
    "a byte order mark stays": ('\ufeff{"m":1}', {"/m": 2}, '\ufeff{"m":2}'),
    "space around the document stays": (' \n{"m":1} \r\n\t', {"/m": 2}, ' \n{"m":2} \r\n\t'),
    "a missing final newline stays missing": ('{\n  "m": 1\n}', {"/m": 2}, '{\n  "m": 2\n}'),
}

REMOVE = {
    "the only key": ('{"m":1}', {"/m": GONE}, "{}"),
    "the first key": ('{"a":1, "b":2}', {"/a": GONE}, '{"b":2}'),
    "a key between others": ('{"a":1, "b":2,  "c":3}', {"/b": GONE}, '{"a":1,  "c":3}'),
    "the last key": ('{"a":1, "b":2 }', {"/b": GONE}, '{"a":1 }'),
    "all duplicates": ('{"m":1,"a":2,"m":3,"b":4,"\\u006d":5}', {"/m": GONE}, '{"a":2,"b":4}'),
    "a key that is not there": ('{"a":1}', {"/m": GONE}, '{"a":1}'),
    "below a parent that is not there": ('{"a":1}', {"/x/y": GONE}, '{"a":1}'),
    "below a scalar": ('{"a":1}', {"/a/b/c": GONE}, '{"a":1}'),
    "below a list": ('{"a":[1]}', {"/a/0": GONE}, '{"a":[1]}'),
    "anything in a document that is no object": ("[1]", {"/a": GONE}, "[1]"),
    "anything in an empty text": ("", {"/a": GONE, "/b/c": GONE}, ""),
    "the emptied object closes up": ('{\n  "m": 1\n}\n', {"/m": GONE}, "{}\n"),
    "the emptied inner object stays": ('{"a":{\n"m":1\n},"b":2}', {"/a/m": GONE}, '{"a":{},"b":2}'),
    "neighbours in one go": ('{"a":1,"b":2,"c":3,"d":4}', {"/c": GONE, "/b": GONE}, '{"a":1,"d":4}'),
    "every second": ('{"a":1,"b":2,"c":3,"d":4}', {"/a": GONE, "/c": GONE}, '{"b":2,"d":4}'),
    "in lines": (
        '{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}',
        {"/a": GONE, "/c": GONE},
        '{\n  "b": 2\n}',
    ),
    "a removal and a new key": ('{"a":1,"b":2}', {"/b": GONE, "/c": 3}, '{"a":1,"c":3}'),
    "a new key named before the removal": ('{"a":1,"b":2}', {"/c": 3, "/b": GONE}, '{"a":1,"c":3}'),
    "all removed, one new": ('{ "a":1, "b":2 }', {"/a": GONE, "/b": GONE, "/c": 3}, '{ "c":3 }'),
    "remove, change and add around each other": (
        '{"a":1,"b":2,"c":3}',
        {"/a": GONE, "/b": 4, "/c": GONE, "/d": 5},
        '{"b":4,"d":5}',
    ),
    "spaces before commas": ('{"a":1 , "b":2 , "c":3}', {"/b": GONE}, '{"a":1 , "c":3}'),
}

PRUNE = {
    "an emptied parent goes": ('{"a":1,"env":{"X":2}}', {"/env/X": GONE}, ("/env",), '{"a":1}'),
    "a parent with another member stays": (
        '{"env":{"X":2,"Y":3}}',
        {"/env/X": GONE},
        ("/env",),
        '{"env":{"Y":3}}',
    ),
    "a parent that was not named stays": ('{"env":{"X":2}}', {"/env/X": GONE}, (), '{"env":{}}'),
    "parent and grandparent": ('{"a":{"b":{"c":1}}}', {"/a/b/c": GONE}, ("/a", "/a/b"), "{}"),
    "an emptied list": ('{"l":["x"],"m":1}', {"/l": (In("x", GONE),)}, ("/l",), '{"m":1}'),
    "an object that was empty before": ('{"env":{},"m":1}', {}, ("/env",), '{"m":1}'),
    "a scalar is no empty container": ('{"env":null}', {}, ("/env",), '{"env":null}'),
    "a parent that is not there": ('{"m":1}', {}, ("/env", "/x/y"), '{"m":1}'),
    "not one of several: another would come to light": (
        '{"env":{"U":1},"m":2,"env":{"X":3}}',
        {"/env/X": GONE},
        ("/env",),
        '{"env":{"U":1},"m":2,"env":{}}',
    ),
    "below what goes as a whole": ('{"env":{"x":{}},"m":1}', {"/env": GONE}, ("/env/x",), '{"m":1}'),
    "not what is set as a whole": ('{"env":{"x":1}}', {"/env": {}}, ("/env",), '{"env":{}}'),
    "emptied and filled again": (
        '{"env":{"X":2}}',
        {"/env/X": GONE, "/env/Y": 3},
        ("/env",),
        '{"env":{"Y":3}}',
    ),
}

LISTS = {
    "a member is appended": ('{"l":["a"]}', {"/l": (In("b"),)}, '{"l":["a","b"]}'),
    "a member that is there stays alone": ('{"l":["a"]}', {"/l": (In("a"),)}, '{"l":["a"]}'),
    "the same member in another spelling": (
        '{"l":["\\u0061",1.0]}',
        {"/l": (In("a"), In(1))},
        '{"l":["\\u0061",1.0]}',
    ),
    "true is not 1": ('{"l":[1]}', {"/l": (In(member=True),)}, '{"l":[1,true]}'),
    "false is not 0 and not null": ('{"l":[0,null]}', {"/l": (In(member=False),)}, '{"l":[0,null,false]}'),
    "1 is not the string": ('{"l":["1"]}', {"/l": (In(1),)}, '{"l":["1",1]}'),
    "an object is a member": (
        '{"l":[{"b":1,"a":2}]}',
        {"/l": (In({"a": 2, "b": 1}),)},
        '{"l":[{"b":1,"a":2}]}',
    ),
    "two at once, in order": ('{"l":[]}', {"/l": (In("b"), In("a"))}, '{"l":["b","a"]}'),
    "a member is taken out": ('{"l":["a", "b",  "c"]}', {"/l": (In("b", GONE),)}, '{"l":["a",  "c"]}'),
    "all its duplicates are taken out": (
        '{"l":["a","b","\\u0061","a"]}',
        {"/l": (In("a", GONE),)},
        '{"l":["b"]}',
    ),
    "the only member": ('{"l":[ "a" ]}', {"/l": (In("a", GONE),)}, '{"l":[]}'),
    "a member that is not there": ('{"l":["a"]}', {"/l": (In("b", GONE),)}, '{"l":["a"]}'),
    "out of a list that is not there": ('{"m":1}', {"/x/l": (In("b", GONE),)}, '{"m":1}'),
    "out of what is no list": ('{"l":{}}', {"/l": (In("b", GONE),)}, '{"l":{}}'),
    "out and in": ('{"l":["a","b"]}', {"/l": (In("a", GONE), In("c"))}, '{"l":["b","c"]}'),
    "in and out": ('{"l":["a","b"]}', {"/l": (In("c"), In("a", GONE))}, '{"l":["b","c"]}'),
    "one out, another into the empty place": (
        '{"l":[ "a" ]}',
        {"/l": (In("a", GONE), In("b"))},
        '{"l":[ "b" ]}',
    ),
    "into a list that has to be made": ('{"m":1}', {"/p/allow": (In("x"),)}, '{"m":1,"p":{"allow":["x"]}}'),
    "into one document, list and object": (
        '{"l":["a"],"o":{"k":1}}',
        {"/l": (In("b"),), "/o/k": 2},
        '{"l":["a","b"],"o":{"k":2}}',
    ),
    "the last duplicate list": ('{"l":["a"],"l":[]}', {"/l": (In("a"),)}, '{"l":["a"],"l":["a"]}'),
    "beside a 5,000-digit integer": (
        f'{{"l":[{HUGE},1e99999999999999999999]}}',
        {"/l": (In("a"),)},
        f'{{"l":[{HUGE},1e99999999999999999999,"a"]}}',
    ),
    "lone surrogate": ('{"l":[]}', {"/l": (In("\ud83d"),)}, '{"l":["\\ud83d"]}'),
}

PUT_BACK = {
    "in the middle": ('{"a":1,"c":3}', {"/b": Found("2", "a")}, '{"a":1,"b":2,"c":3}'),
    "at the beginning": ('{"b":2}', {"/a": Found("1", None)}, '{"a":1,"b":2}'),
    "at the end": ('{"a":1}', {"/b": Found("2", "a")}, '{"a":1,"b":2}'),
    "into the emptied object": ("{}", {"/a": Found('"x"', "gone")}, '{\n  "a": "x"\n}'),
    "its text as it was": ('{"a":1}', {"/b": Found("[ 1.0,\n2 ]", "a")}, '{"a":1,"b":[ 1.0,\n2 ]}'),
    "at the end where the sibling went": ('{"a":1,"c":3}', {"/b": Found("2", "gone")}, '{"a":1,"c":3,"b":2}'),
    "over a value that is there": ('{"a":1,"b":9}', {"/a": Found("1.0", "b")}, '{"a":1.0,"b":9}'),
    "one behind the other": (
        '{"a":1,"d":4}',
        {"/c": Found("3", "b"), "/b": Found("2", "a")},
        '{"a":1,"b":2,"c":3,"d":4}',
    ),
    "two that followed the same": (
        '{"a":1,"d":4}',
        {"/b": Found("2", "a"), "/c": Found("3", "a")},
        '{"a":1,"b":2,"c":3,"d":4}',
    ),
    "each with those that follow it": (
        '{"a":1}',
        {"/b": Found("2", "a"), "/x": Found("0", "a"), "/c": Found("3", "b")},
        '{"a":1,"b":2,"c":3,"x":0}',
    ),
    "two that follow each other": (
        '{"a":1}',
        {"/b": Found("2", "c"), "/c": Found("3", "b")},
        '{"a":1,"c":3,"b":2}',
    ),
    "before a new one": ('{"a":1}', {"/z": 0, "/b": Found("2", "a")}, '{"a":1,"b":2,"z":0}'),
    "behind the first of duplicates": (
        '{"a":1,"c":3,"a":4}',
        {"/b": Found("2", "a")},
        '{"a":1,"b":2,"c":3,"a":4}',
    ),
    "behind a key named NUL": ('{"\\u0000":1,"b":2}', {"/a": Found("0", "\0")}, '{"\\u0000":1,"a":0,"b":2}'),
    "while the sibling leaves": ('{"a":1,"c":3}', {"/a": GONE, "/b": Found("2", "a")}, '{"c":3,"b":2}'),
    "into a parent that has to be made again": (
        '{"m":0}',
        {"/env/B": Found("2", "A"), "/env/A": Found("1")},
        '{"m":0,"env":{"A":1,"B":2}}',
    ),
    "a list member in the middle": (
        '{"l":["a","c"]}',
        {"/l": (In("b", Found('"b"', '"a"')),)},
        '{"l":["a","b","c"]}',
    ),
    "a list member at the beginning": ('{"l":["b"]}', {"/l": (In("a", Found('"a"')),)}, '{"l":["a","b"]}'),
    "a list member behind one spelled otherwise": (
        '{"l":[1.0,"c"]}',
        {"/l": (In("b", Found('"\\u0062"', "1")),)},
        '{"l":[1.0,"\\u0062","c"]}',
    ),
    "list members into a list that has to be made again": (
        '{"m":0}',
        {"/l": (In("b", Found('"b"', '"a"')), In("a", Found('"a"')))},
        '{"m":0,"l":["a","b"]}',
    ),
}

LAYOUT = {
    "two spaces are copied": ('{\n  "m": 1\n}', {"/n": 2}, '{\n  "m": 1,\n  "n": 2\n}'),
    "four spaces are copied": ('{\n    "m": 1\n}', {"/n": 2}, '{\n    "m": 1,\n    "n": 2\n}'),
    "tabs are copied": ('{\n\t"m": 1\n}', {"/n": 2}, '{\n\t"m": 1,\n\t"n": 2\n}'),
    "CRLF is copied": ('{\r\n  "m": 1\r\n}\r\n', {"/n": 2}, '{\r\n  "m": 1,\r\n  "n": 2\r\n}\r\n'),
    "lone CR is copied": ('{\r "m": 1\r}', {"/n": 2}, '{\r "m": 1,\r "n": 2\r}'),
    "CRLF of the document for what is new in it": (
        '{"m": 1}\r\n',
        {"/n": {"x": [1]}},
        '{"m": 1, "n": {"x": [1]}}\r\n',
    ),
    "no indent is copied": ('{\n"a": 1,\n"b": 2\n}', {"/c": 3}, '{\n"a": 1,\n"b": 2,\n"c": 3\n}'),
    "the gap of the last two is copied": (
        '{\n  "a": 1,\n\n      "b": 2\n}',
        {"/c": 3},
        '{\n  "a": 1,\n\n      "b": 2,\n      "c": 3\n}',
    ),
    "two members on the last line": (
        '{\n  "a": 1, "b": 2\n}',
        {"/c": {"x": [1, 2]}},
        '{\n  "a": 1, "b": 2, "c": {"x": [1, 2]}\n}',
    ),
    "no space after the colon": ('{\n "m":1\n}', {"/n": {"x": 1}}, '{\n "m":1,\n "n":{\n  "x":1\n }\n}'),
    "space before the colon": ('{"m" : 1}', {"/n": {"x": 1}}, '{"m" : 1, "n" : {"x" : 1}}'),
    "the colon of the last member": ('{"a":1,"b": 2}', {"/c": 3}, '{"a":1,"b": 2,"c": 3}'),
    "a colon with a line break is not copied": ('{"m":\n1}', {"/n": 2}, '{"m":\n1, "n": 2}'),
    "one line stays one line": ('{"m": 1}', {"/n": {"x": [1, {}]}}, '{"m": 1, "n": {"x": [1, {}]}}'),
    "one line without spaces": ('{"m":1}', {"/n": {"x": [1, 2]}}, '{"m":1,"n":{"x":[1,2]}}'),
    "one line with inner spaces": ('{ "m": 1 }', {"/n/x": 2}, '{ "m": 1, "n": { "x": 2 } }'),
    "one line over a replaced value": ('{"m": [\n1\n], "n": 2}', {"/m": [3, 4]}, '{"m": [3, 4], "n": 2}'),
    "a value is laid out in lines": (
        '{\n  "m": 1\n}',
        {"/n": {"x": [{"y": []}], "z": {}}},
        '{\n  "m": 1,\n  "n": {\n    "x": [\n      {\n        "y": []\n      }\n    ],\n    "z": {}\n  }\n}',
    ),
    "a new object takes the parent's unit": (
        '{\n\t"m": 1\n}',
        {"/env/X": "y"},
        '{\n\t"m": 1,\n\t"env": {\n\t\t"X": "y"\n\t}\n}',
    ),
    "a new object with CRLF": (
        '{\r\n  "m": 1\r\n}',
        {"/env/X": 2},
        '{\r\n  "m": 1,\r\n  "env": {\r\n    "X": 2\r\n  }\r\n}',
    ),
    "an empty object opens": (
        '{\n  "env": {}\n}',
        {"/env/X": 1},
        '{\n  "env": {\n    "X": 1\n  }\n}',
    ),
    "an empty object with space inside opens": (
        '{"a": 1, "env": { }}',
        {"/env/X": 1},
        '{"a": 1, "env": {"X": 1}}',
    ),
    "an empty root opens in lines": ("{}\n", {"/m": 1}, '{\n  "m": 1\n}\n'),
    "an empty root opens in CRLF lines": ("{}\r\n", {"/m": 1}, '{\r\n  "m": 1\r\n}\r\n'),
    "an inner object on one line in a document in lines": (
        '{\n  "env": {"X": 1}\n}',
        {"/env/Y": 2},
        '{\n  "env": {"X": 1, "Y": 2}\n}',
    ),
    "an inner object deeper than it should be": (
        '{\n  "env": {\n          "X": 1\n  }\n}',
        {"/env/Y": {"z": 2}},
        '{\n  "env": {\n          "X": 1,\n          "Y": {\n                  "z": 2\n          }\n  }\n}',
    ),
    "a list in lines": (
        '{\n  "l": [\n    "a"\n  ]\n}',
        {"/l": (In("b"),)},
        '{\n  "l": [\n    "a",\n    "b"\n  ]\n}',
    ),
    "a list on one line": ('{\n  "l": ["a"]\n}', {"/l": (In("b"),)}, '{\n  "l": ["a", "b"]\n}'),
    "a list without spaces": ('{\n  "l": ["a","b"]\n}', {"/l": (In("c"),)}, '{\n  "l": ["a","b","c"]\n}'),
    "a new list in lines": (
        '{\n  "m": 1\n}',
        {"/p/allow": (In("x"), In("y"))},
        '{\n  "m": 1,\n  "p": {\n    "allow": [\n      "x",\n      "y"\n    ]\n  }\n}',
    ),
    "put back at the beginning, in lines": (
        '{\n  "b": 2\n}',
        {"/a": Found("1")},
        '{\n  "a": 1,\n  "b": 2\n}',
    ),
    "put back in the middle, in lines": (
        '{\n  "a": 1,\n  "c": 3\n}',
        {"/b": Found("2", "a")},
        '{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}',
    ),
    "all removed and new ones, in lines": (
        '{\n\t"a": 1,\n\t"b": 2\n}',
        {"/a": GONE, "/b": GONE, "/c": 3, "/d": 4},
        '{\n\t"c": 3,\n\t"d": 4\n}',
    ),
    "no text at all": ("", {"/env/X": 1}, '{\n  "env": {\n    "X": 1\n  }\n}\n'),
    "nothing but a newline": ("\n", {"/m": 1}, '{\n  "m": 1\n}\n'),
    "nothing but a byte order mark": ("\ufeff", {"/m": 1}, '\ufeff{\n  "m": 1\n}\n'),
    "nothing but a byte order mark and CRLF": ("\ufeff\r\n", {"/m": 1}, '\ufeff{\r\n  "m": 1\r\n}\r\n'),
}

CASES = {
    f"{table}: {name}": (before, changes, (), after)
    for table, cases in {
        "set": SET,
        "remove": REMOVE,
        "list": LISTS,
        "back": PUT_BACK,
        "layout": LAYOUT,
    }.items()
    for name, (before, changes, after) in cases.items()
} | {f"prune: {name}": case for name, case in PRUNE.items()}


@pytest.mark.parametrize(("before", "changes", "prune", "after"), CASES.values(), ids=CASES)
def test_edit(before: str, changes: dict[str, object], prune: tuple[str, ...], after: str) -> None:
    assert edit(before, changes, prune=prune) == after


REFUSED = {
    "below a scalar": ('{"a":1}', {"/a/b": 1}, "/a is not an object"),
    "below null": ('{"a":null}', {"/a/b": 1}, "/a is not an object"),
    "below a list": ('{"a":{"l":[]}}', {"/a/l/0": 1}, "/a/l is not an object"),
    "into what is no list": ('{"l":{}}', {"/l": (In("a"),)}, "/l is not a list"),
    "in a document that is a list": ("[]", {"/a": 1}, "the document is not an object"),
    "in a document that is a scalar": ("null", {"/a": 1}, "the document is not an object"),
    "the whole document": ("{}", {"": {}}, "'' is the whole document"),
    "the document as a list": ("{}", {"": (In("a"),)}, "'' is the whole document"),
    "inside another, outer first": ("{}", {"/a": {}, "/a/b": 1}, "'/a/b' lies inside another change"),
    "inside another, inner first": ("{}", {"/a/b": 1, "/a": {}}, "another change lies inside"),
    "a key below a list of members": ("{}", {"/a": (In("x"),), "/a/b": 1}, "'/a/b' lies inside another"),
    "a list of members above a key": ("{}", {"/a/b": 1, "/a": (In("x"),)}, "another change lies inside"),
    "one member in and out": (
        '{"l":[]}',
        {"/l": (In("a"), In(Raw('"\\u0061"'), GONE))},
        "shall be two things",
    ),
    "one member as another": ('{"l":[]}', {"/l": (In("a", Raw('"b"')),)}, "shall be two things"),
    "NaN": ("{}", {"/a": Raw("NaN")}, "NaN is not JSON"),
    "two values": ("{}", {"/a": Raw('1, "b": 2')}, "more text behind the end"),
    "no text": ("{}", {"/a": Raw("")}, ""),
    "a value with a byte order mark": ("{}", {"/a": Raw("\ufeff1")}, ""),
    "a broken value put back": ("{}", {"/a": Found("[1")}, "the text ends"),
    "no pointer": ("{}", {"a": 1}, "not a JSON Pointer"),
    "a pointer with a stray tilde": ("{}", {"/a~": 1}, "not a JSON Pointer"),
}


@pytest.mark.parametrize(("before", "changes", "reason"), REFUSED.values(), ids=REFUSED)
def test_edit_refuses(before: str, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        edit(before, changes)
    assert reason in str(caught.value)


def test_a_document_can_be_edited_twice() -> None:
    document = Document('{"a": {"b": 1}}')
    assert document.edit({Address("/a/b"): "2"}) == '{"a": {"b": 2}}'
    assert document.edit({Address("/a/b"): None}) == '{"a": {}}'
    assert document.text == '{"a": {"b": 1}}'


def test_an_edit_takes_nothing_from_what_a_document_tells() -> None:
    address, member = Address("/a/b"), Address("/a/c", "1")
    document = Document('{"x": 1,\n "a": {"b": 1, "c": [1, 2]}}')
    told = document.read([address]), document.elements("/a/c"), document.place("/a/b"), document.narrow
    document.edit({address: "2"})
    assert document.read([member])[member] == Found("1", None)  # asked for the first time
    assert (
        document.read([address]),
        document.elements("/a/c"),
        document.place("/a/b"),
        document.narrow,
    ) == told


@pytest.mark.parametrize("text", ["", "\ufeff", " \n", "1", "[]", "{}"])
def test_of_a_text_with_nothing_in_it_the_same_is_told_after_an_edit(text: str) -> None:
    document = Document(text)
    told = (
        document.elements(""),
        document.elements("/a"),
        document.place("/a/b"),
        document.state(Address("/a")),
    )
    with contextlib.suppress(ValueError):
        document.edit({Address("/a"): "2"})
    again = Address("/a/b")
    assert told == (
        document.elements(""),
        document.elements("/a"),
        document.place("/a/b"),
        document.state(Address("/a")),
    )
    assert document.state(again) == Document(text).state(again)


def test_several_edits_are_each_of_the_same_text() -> None:
    document = Document(b'{"a": 1}')
    assert document.edits({Address("/a"): "2"}, {}, {Address("/b"): "3"}) == [
        b'{"a": 2}',
        b'{"a": 1}',
        b'{"a": 1, "b": 3}',
    ]
    assert document.edits() == []


def test_many_members_come_back_one_behind_the_other() -> None:
    keys = [f"k{number}" for number in range(3000)]
    wanted = {Address(f"/{key}"): Found("1", before) for key, before in zip(keys[1:], keys, strict=False)}
    after = Document('{"k0":1,"z":2}').edit(dict(reversed(wanted.items())))
    assert after == "{" + ",".join(f'"{key}":1' for key in keys) + ',"z":2}'


SPLICES = {
    "none": ([], "abcdef"),
    "replace": ([Splice(1, 3, "X")], "aXdef"),
    "insert": ([Splice(2, 2, "X")], "abXcdef"),
    "delete": ([Splice(0, 6, "")], ""),
    "touching": ([Splice(1, 3, "X"), Splice(3, 3, "Y"), Splice(3, 4, "Z")], "aXYZef"),
    "at the end": ([Splice(6, 6, "X")], "abcdefX"),
}


@pytest.mark.parametrize(("splices", "after"), SPLICES.values(), ids=SPLICES)
def test_splice(splices: list[Splice], after: str) -> None:
    assert splice("abcdef", splices) == after
    assert splice_bytes(b"abcdef", splices) == after.encode()


@pytest.mark.parametrize(
    "splices",
    [
        [Splice(1, 3, ""), Splice(2, 4, "")],
        [Splice(3, 4, ""), Splice(1, 2, "")],
        [Splice(5, 7, "")],
        [Splice(3, 2, "")],
    ],
    ids=["overlapping", "out of order", "past the end", "backwards"],
)
def test_splice_refuses(splices: list[Splice]) -> None:
    with pytest.raises(ValueError, match="overlaps another or leaves the text"):
        splice("abcdef", splices)
