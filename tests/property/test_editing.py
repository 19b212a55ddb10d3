"""Laws of editing the profile file: only what is meant changes, and comments survive.

The files are made of pieces that write the same things in different ways: headers, dotted keys, inline
tables, out of order, with odd blanks and comments, and with either line end. Each comment is another one.
"""

from __future__ import annotations

import copy
import random
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from support import amount

from kimi_profiles.editing.profiles import (
    DEFAULTS,
    add_profile,
    copy_profile,
    profile_key,
    remove_profile,
    rename_profile,
    set_value,
    unset_value,
)
from kimi_profiles.editing.values import written, written_key
from kimi_profiles.errors import ProfileInvalidError, ProfilesError

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ["work", "home", "a.b", "x-1", "_"]
VALUES: list[Any] = [
    "m",
    "a # b",
    "]",
    'q"',
    1,
    True,
    1.5,
    ["x", "y, z"],
    [],
    {"in": {"side": 1}},
    [{"a": 1}],
]
KEYS = [
    ("description",),
    ("extends",),
    ("auth", "token"),
    ("auth", "token", "env"),
    ("auth", "variable"),
    ("models", "default"),
    ("models", "haiku"),
    ("env", "A"),
    ("settings", "a.b", "c"),
    ("settings", "permissions", "allow"),
]


class Writer:
    """Writes a random profile file, and counts its comments so that each is another one."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.count = 0

    def comment(self) -> str:
        self.count += 1
        return f"# c{self.count} [x] = 'y' {{"

    def maybe(self, text: str, chance: float = 0.3) -> str:
        return text if self.rng.random() < chance else ""

    def line(self, key: tuple[str, ...], value: object) -> str:
        blank = self.rng.choice([" ", "  ", "", "\t"])
        behind = self.maybe(f"  {self.comment()}")
        above = self.maybe(f"{self.comment()}\n", 0.2)
        return f"{above}{self.maybe('  ')}{self.key(key)}{blank}={blank}{self.value(value)}{behind}\n"

    def key(self, key: tuple[str, ...]) -> str:
        dot = self.rng.choice([".", ".", " . "])
        return dot.join(self.maybe(f"'{part}'", 0.2) or written_key(part) for part in key)

    def value(self, value: object) -> str:
        if isinstance(value, list) and self.rng.random() < 0.4:
            inner = "".join(f"  {written(each)}, {self.maybe(self.comment())}\n" for each in value)
            return f"[\n{inner}]"
        if isinstance(value, str) and "'" not in value and self.rng.random() < 0.3:
            return f"'{value}'"
        return written(value)

    def table(self) -> dict[tuple[str, ...], object]:
        """Keys of which none is below another."""
        keys: list[tuple[str, ...]] = []
        for key in self.rng.sample(KEYS, self.rng.randint(0, 6)):
            if not any(key[: len(other)] == other or other[: len(key)] == key for other in keys):
                keys.append(key)
        return {key: {"env": "X"} if key == ("auth", "token") else self.rng.choice(VALUES) for key in keys}

    def profile(self, base: tuple[str, ...]) -> list[str]:
        """Its pieces, each of which may stand anywhere between others."""
        table = self.table()
        if self.rng.random() < 0.2:
            nested: dict[str, Any] = {}
            for key, value in table.items():
                below = nested
                for part in key[:-1]:
                    below = below.setdefault(part, {})
                below[key[-1]] = value
            return [f"[{self.key(base[:-1])}]\n{self.line(base[-1:], nested)}"] if base[:-1] else []
        own, below = "", {}
        for key, value in table.items():
            if len(key) > 1 and self.rng.random() < 0.5:
                below.setdefault(key[0], {})[key[1:]] = value
            else:
                own += self.line(key, value)
        pieces = [
            f"{self.maybe(self.comment() + chr(10))}[{self.key(base)}]{self.maybe(self.comment())}\n{own}"
        ]
        for part, lines in below.items():
            text = "".join(self.line(key, value) for key, value in lines.items())
            pieces.append(f"{self.maybe(self.comment() + chr(10))}[ {self.key((*base, part))} ]\n{text}")
        self.rng.shuffle(pieces)
        return pieces

    def file(self) -> str:
        """A file that is TOML, or one more try."""
        while True:
            names = self.rng.sample(NAMES, self.rng.randint(1, 4))
            pieces = [piece for name in names for piece in self.profile(("profiles", name))]
            pieces += self.profile(("defaults",)) if self.rng.random() < 0.3 else []
            if self.rng.random() < 0.3:
                self.rng.shuffle(pieces)
            between = self.rng.choice(["", "\n", "\n\n"])
            text = self.maybe(f"{self.comment()}\n\n") + between.join(pieces)
            text = text.replace("\n", "\r\n") if self.rng.random() < 0.3 else text
            text = text.rstrip() if self.rng.random() < 0.2 else text
            try:
                if tomllib.loads(text).get("profiles"):
                    return text
            except tomllib.TOMLDecodeError:  # pieces that cannot stand together
                continue


def comments(text: str) -> list[str]:
    return re.findall(r"# c\d+ \[x\] = 'y' \{", text)


def line_ends(text: str) -> set[str]:
    return set(re.findall(r"\r?\n", text))


def at(document: dict[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = document
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def without_empty(document: Any) -> Any:
    if isinstance(document, dict):
        below = {key: without_empty(value) for key, value in document.items()}
        return {key: value for key, value in below.items() if value != {}}
    return document


def attempt(edit: Callable[[], str], tally: dict[str, int]) -> str | None:
    """What the edit gives; ``None`` if it was refused. How often that was for the layout is counted."""
    try:
        after = edit()
    except ProfileInvalidError:
        tally["layout"] = tally.get("layout", 0) + 1
        return None
    except ProfilesError:
        return None
    tally["done"] = tally.get("done", 0) + 1
    return after


def changed_value(text: str, rng: random.Random, tally: dict[str, int]) -> None:
    """``set``: that key has that value, and nothing else is another."""
    document = tomllib.loads(text)
    name = rng.choice(list(document["profiles"]))
    key, value = rng.choice(KEYS), rng.choice(VALUES)
    if len(key) > 2 and key[0] == "auth":
        return
    base = profile_key(name)
    after = attempt(lambda: set_value(text, base, key, value), tally)
    if after is None:
        return
    was = at(document, (*base, *key))
    wanted = copy.deepcopy(document)
    table = wanted["profiles"][name]
    for part in key[:-1]:
        table = table.setdefault(part, {})
    table[key[-1]] = value
    assert tomllib.loads(after) == wanted
    assert line_ends(after) <= line_ends(text) or not line_ends(text)
    if not isinstance(was, list | dict):  # a comment inside the old value goes with it
        assert comments(after) == comments(text)
    if was is None:
        lines, before = after.splitlines(), text.splitlines()
        if len(lines) <= len(before) + 1 and re.search(r"=\s*\{\s*\}", text) is None:
            tally["back"] = tally.get("back", 0) + 1
            assert unset_value(after, base, key) == text
        if len(lines) == len(before) + 1:
            new = next(index for index, line in enumerate(lines) if line != (*before, None)[index])
            assert lines[:new] + lines[new + 1 :] == before


def removed_value(text: str, rng: random.Random, tally: dict[str, int]) -> None:
    """``unset``: that key is gone, and nothing else is."""
    document = tomllib.loads(text)
    name = rng.choice(list(document["profiles"]))
    key = rng.choice([*KEYS, ("models",), ("env",), ("settings",), ("auth",)])
    base = profile_key(name)
    after = attempt(lambda: unset_value(text, base, key), tally)
    if after is None:
        return
    wanted = copy.deepcopy(document)
    if key == ("auth", "token", "env"):
        key = ("auth", "token")
    del at(wanted, (*base, *key[:-1]))[key[-1]]
    assert without_empty(tomllib.loads(after)) == without_empty(wanted)
    assert name in tomllib.loads(after)["profiles"]
    assert set(comments(after)) <= set(comments(text))
    if not isinstance(at(document, (*base, *key)), dict | list):
        assert len(comments(text)) - len(comments(after)) <= 1  # the one behind the value


def renamed_profile(text: str, rng: random.Random, tally: dict[str, int]) -> None:
    """``rename``: the old name is gone, its heirs follow, and back again gives the same bytes."""
    document = tomllib.loads(text)
    old = rng.choice(list(document["profiles"]))
    after = attempt(lambda: rename_profile(text, old, "new.name"), tally)
    assert after is not None
    wanted = {("new.name" if name == old else name): table for name, table in document["profiles"].items()}
    assert tomllib.loads(after) == {**document, "profiles": wanted}
    assert comments(after) == comments(text)
    back = rename_profile(after, "new.name", old)
    assert tomllib.loads(back) == document
    assert back.replace('"', "").replace("'", "") == text.replace('"', "").replace("'", "")


def copied_profile(text: str, rng: random.Random, tally: dict[str, int]) -> None:
    """``copy``, then ``remove`` of the copy: between them both say the same, after them all is as it was."""
    document = tomllib.loads(text)
    old = rng.choice(list(document["profiles"]))
    after = attempt(lambda: copy_profile(text, old, "new"), tally)
    if after is None:
        return
    tables = document["profiles"]
    assert tomllib.loads(after) == {**document, "profiles": {**tables, "new": tables[old]}}
    assert set(comments(after)) == set(comments(text))
    assert tomllib.loads(remove_profile(after, "new")) == document


def removed_profile(text: str, rng: random.Random, tally: dict[str, int]) -> None:
    """``remove``: that profile is gone, and of the others not a line."""
    document = tomllib.loads(text)
    name = rng.choice(list(document["profiles"]))
    after = attempt(lambda: remove_profile(text, name), tally)
    if after is None:
        return
    wanted = copy.deepcopy(document)
    del wanted["profiles"][name]
    assert without_empty(tomllib.loads(after)) == without_empty(wanted)
    rest = iter(text.splitlines())
    if not re.search(r"profiles'?\s*\]", text):  # there, members of inline tables go without their line
        assert all(line in rest for line in after.splitlines())


def added_profile(text: str, rng: random.Random, tally: dict[str, int]) -> None:
    """``add``, then ``remove``: the same bytes, but for a last line that had no end."""
    document = tomllib.loads(text)
    table = {
        "provider": "zai",
        "auth": {"token": {"env": "X"}},
        "models": {"default": rng.choice(VALUES[:4])},
    }
    after = attempt(lambda: add_profile(text, "new", table), tally)
    assert after is not None
    assert tomllib.loads(after) == {**document, "profiles": {**document["profiles"], "new": table}}
    assert after.startswith(text)
    assert line_ends(after) == line_ends(text) or not line_ends(text)
    assert remove_profile(after, "new").rstrip() == text.rstrip()


def changed_default(text: str, rng: random.Random, tally: dict[str, int]) -> None:
    """``set defaults``, then ``unset``."""
    document = tomllib.loads(text)
    after = attempt(lambda: set_value(text, DEFAULTS, ("env", "NEW"), "x"), tally)
    if after is None:
        return
    assert at(tomllib.loads(after), ("defaults", "env", "NEW")) == "x"
    assert tomllib.loads(after)["profiles"] == document["profiles"]
    assert comments(after) == comments(text)
    back = tomllib.loads(unset_value(after, DEFAULTS, ("env", "NEW")))
    assert without_empty(back) == without_empty(document)


LAWS = [
    changed_value,
    removed_value,
    renamed_profile,
    copied_profile,
    removed_profile,
    added_profile,
    changed_default,
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_law_holds(law: Callable[..., None], pytestconfig: pytest.Config) -> None:
    rng = random.Random(f"{pytestconfig.getoption('hypothesis_seed')} {law.__name__}")
    tally: dict[str, int] = {}
    for _ in range(amount(150, 5000)):
        text = Writer(rng).file()
        law(text, rng, tally)
    assert tally["done"] > 20
    assert tally.get("layout", 0) <= tally["done"] / 20, tally
    assert law is not changed_value or tally["back"] > 20
