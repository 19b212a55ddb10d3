"""Edits to the profile file as text: what changes, and that nothing else does."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable

import pytest

from kimi_profiles.editing.profiles import (
    DEFAULTS,
    HEADER,
    add_profile,
    copy_profile,
    profile_key,
    remove_profile,
    rename_profile,
    set_value,
    table_key,
    unset_value,
)
from kimi_profiles.errors import NotPermittedError, ProfileInvalidError, ProfileNotFoundError, UsageError

Edit = Callable[[str], str]


def setting(key: str, value: object, name: str = "w") -> Edit:
    base = DEFAULTS if name == "defaults" else profile_key(name)
    return lambda text: set_value(text, base, tuple(key.split(".")), value)


def unsetting(key: str, name: str = "w") -> Edit:
    base = DEFAULTS if name == "defaults" else profile_key(name)
    return lambda text: unset_value(text, base, tuple(key.split(".")))


def renaming(old: str, new: str) -> Edit:
    return lambda text: rename_profile(text, old, new)


def copying(old: str, new: str) -> Edit:
    return lambda text: copy_profile(text, old, new)


def removing(name: str) -> Edit:
    return lambda text: remove_profile(text, name)


CASES: dict[str, tuple[Edit, str, str]] = {
    # ---- unset at the end
    "lines at the very end go, which has no line end": (
        unsetting("settings"),
        "[profiles.w]\nbase_url = 'x'\nsettings.a = 1\nsettings.b = 2",
        "[profiles.w]\nbase_url = 'x'",
    ),
    # ---- set
    "a value is replaced, and its comment and odd blanks stay": (
        setting("provider", "zai"),
        "[profiles.w]\n  provider   =  'x'   # c\n",
        '[profiles.w]\n  provider   =  "zai"   # c\n',
    ),
    "a list over lines becomes one": (
        setting("auth.token.command", ["b"]),
        '[profiles.w]\nauth.token.command = [ # c\n  "a",\n] # d\nx = 1\n',
        '[profiles.w]\nauth.token.command = ["b"] # d\nx = 1\n',
    ),
    "a new key goes behind the last one of its section, with its indent": (
        setting("description", "d"),
        '# top\n\n[profiles.w]\n\tprovider = "x" # c\n\n# of v\n[profiles.v]\n',
        '# top\n\n[profiles.w]\n\tprovider = "x" # c\n\tdescription = "d"\n\n# of v\n[profiles.v]\n',
    ),
    "a section without keys": (
        setting("description", "d"),
        "[profiles.w] # c\n\n[profiles.v]\n",
        '[profiles.w] # c\ndescription = "d"\n\n[profiles.v]\n',
    ),
    "a sub-table gets it": (
        setting("models.haiku", "h"),
        '[profiles.w]\n[profiles.w.models]\ndefault = "m"\n[profiles.v]\n',
        '[profiles.w]\n[profiles.w.models]\ndefault = "m"\nhaiku = "h"\n[profiles.v]\n',
    ),
    "a table out of order gets it": (
        setting("models.haiku", "h"),
        "[profiles.w.models]\n[profiles.v]\n[profiles.w]\na = 1\n",
        '[profiles.w.models]\nhaiku = "h"\n[profiles.v]\n[profiles.w]\na = 1\n',
    ),
    "dotted keys get a neighbour": (
        setting("auth.variable", "V"),
        '[profiles.w]\nauth.token = { env = "X" }\nextends = "v"\n',
        '[profiles.w]\nauth.token = { env = "X" }\nauth.variable = "V"\nextends = "v"\n',
    ),
    "an inline table gets a member": (
        setting("auth.variable", "V"),
        '[profiles.w]\nauth = { token = { env = "X" } } # c\n',
        '[profiles.w]\nauth = { token = { env = "X" }, variable = "V" } # c\n',
    ),
    "an empty inline table gets one": (
        setting("env.A", "1"),
        "[profiles.w]\nenv = {}\n",
        '[profiles.w]\nenv = { A = "1" }\n',
    ),
    "profiles that are one inline table": (
        setting("models.default", "m"),
        'profiles = { w = { provider = "x" }, v = {} }\n',
        'profiles = { w = { provider = "x", models.default = "m" }, v = {} }\n',
    ),
    "dotted keys from the top": (
        setting("description", "d"),
        'profiles.w.provider = "x"\nprofiles.v.provider = "y"\n',
        'profiles.w.provider = "x"\nprofiles.w.description = "d"\nprofiles.v.provider = "y"\n',
    ),
    "inline profiles under one header": (
        setting("description", "d"),
        '[profiles]\nw = { provider = "x" }\nv = { provider = "y" }\n',
        '[profiles]\nw = { provider = "x", description = "d" }\nv = { provider = "y" }\n',
    ),
    "a profile of which only a sub-table is there": (
        setting("description", "d"),
        '[profiles.w.models]\ndefault = "m"\n\n[profiles.v]\n',
        '[profiles.w.models]\ndefault = "m"\n\n[profiles.w]\ndescription = "d"\n\n[profiles.v]\n',
    ),
    "CRLF is copied": (
        setting("description", "d"),
        '[profiles.w]\r\nprovider = "x"\r\n',
        '[profiles.w]\r\nprovider = "x"\r\ndescription = "d"\r\n',
    ),
    "a last line without an end": (
        setting("description", "d"),
        '[profiles.w]\nprovider = "x"',
        '[profiles.w]\nprovider = "x"\ndescription = "d"',
    ),
    "a key that has to be quoted": (
        lambda text: set_value(text, profile_key("w"), ("settings", "a.b", "c"), [True]),
        "[profiles.w]\n",
        '[profiles.w]\nsettings."a.b".c = [true]\n',
    ),
    "a name that has to be quoted": (
        setting("description", "d", "a.b"),
        '[profiles."a.b"]\n',
        '[profiles."a.b"]\ndescription = "d"\n',
    ),
    "another kind of token reference replaces an inline one": (
        setting("auth.token.file", "f"),
        '[profiles.w]\nauth.token = { env = "X" } # c\n',
        '[profiles.w]\nauth.token = { file = "f" } # c\n',
    ),
    "and one in a table of its own": (
        setting("auth.token.file", "f"),
        '[profiles.w.auth.token]\nkeyring = "k" # c\nusername = "u"\n',
        '[profiles.w.auth.token]\nfile = "f"\n',
    ),
    "and a dotted one": (
        setting("auth.token.env", "X"),
        '[profiles.w]\nauth.token.file = "f"\na = 1\n',
        '[profiles.w]\nauth.token.env = "X"\na = 1\n',
    ),
    "a user name stays with its keyring": (
        setting("auth.token.keyring", "new"),
        '[profiles.w]\nauth.token = { keyring = "k", username = "u" }\n',
        '[profiles.w]\nauth.token = { keyring = "new", username = "u" }\n',
    ),
    "the first token reference is written as in the examples": (
        setting("auth.token.env", "X"),
        "[profiles.w]\n",
        '[profiles.w]\nauth.token = { env = "X" }\n',
    ),
    "a whole table in several places becomes one": (
        setting("models", {"default": "n"}),
        '[profiles.w]\nprovider = "x"\n\n[profiles.w.models] # c\ndefault = "m"\n',
        '[profiles.w]\nprovider = "x"\nmodels = { default = "n" }\n',
    ),
    "defaults that are there": (
        setting("env.B", "2", "defaults"),
        "[defaults.env]\nA = 1 # c\n\n[profiles.w]\n",
        '[defaults.env]\nA = 1 # c\nB = "2"\n\n[profiles.w]\n',
    ),
    "defaults that are not there come first": (
        setting("env.B", "2", "defaults"),
        "# top\n\n# of w\n[profiles.w]\n",
        '# top\n\n[defaults.env]\nB = "2"\n\n# of w\n[profiles.w]\n',
    ),
    "defaults of a file without tables": (
        setting("env.B", "2", "defaults"),
        "# top\n",
        '# top\n\n[defaults.env]\nB = "2"\n',
    ),
    # ---- unset
    "a line goes, with the comment behind it": (
        unsetting("description"),
        '[profiles.w]\n# above\ndescription = "d" # behind\nprovider = "x"\n',
        '[profiles.w]\n# above\nprovider = "x"\n',
    ),
    "the last line goes, and its end with it": (
        unsetting("description"),
        '[profiles.w]\r\nprovider = "x"\r\ndescription = "d"',
        '[profiles.w]\r\nprovider = "x"',
    ),
    "a first member": (
        unsetting("auth.token"),
        '[profiles.w]\nauth = { token = { env = "X" } ,  variable = "V" }\n',
        '[profiles.w]\nauth = { variable = "V" }\n',
    ),
    "a last member": (
        unsetting("auth.variable"),
        '[profiles.w]\nauth = { token = { env = "X" }, variable = "V" }\n',
        '[profiles.w]\nauth = { token = { env = "X" } }\n',
    ),
    "the only member": (
        unsetting("env.A"),
        '[profiles.w]\nenv = { A = "1" } # c\n',
        "[profiles.w]\nenv = {} # c\n",
    ),
    "dotted members around another": (
        unsetting("env"),
        'profiles.w = { env.A = "1", description = "d", env.B = "2", env.C = "3" }\n',
        'profiles.w = { description = "d" }\n',
    ),
    "a table under its header, and what is below it": (
        unsetting("settings"),
        (
            "[profiles.w]\na = 1\n\n# of settings\n[profiles.w.settings]\nb = 1\n\n"
            "[[profiles.w.settings.c]]\nd = 1\n\n[[profiles.w.settings.c]]\nd = 2\n\n# of v\n[profiles.v]\n"
        ),
        "[profiles.w]\na = 1\n\n# of v\n[profiles.v]\n",
    ),
    "dotted keys of a table": (
        unsetting("models"),
        '[profiles.w]\nmodels.default = "m"\nextends = "v"\nmodels.haiku = "h"\n',
        '[profiles.w]\nextends = "v"\n',
    ),
    "the only way to a token takes the reference with it": (
        unsetting("auth.token.keyring"),
        '[profiles.w]\nprovider = "x"\nauth.token = { keyring = "k", username = "u" }\n',
        '[profiles.w]\nprovider = "x"\n',
    ),
    "the header of an emptied profile stays": (
        unsetting("provider"),
        '[profiles.w]\nprovider = "x"\n',
        "[profiles.w]\n",
    ),
    "a default": (
        unsetting("env.A", "defaults"),
        "defaults.env.A = 1\nprofiles.w.a = 1\n",
        "profiles.w.a = 1\n",
    ),
    # ---- rename
    "headers, sub-tables and heirs follow, each in its own quotation marks": (
        renaming("w", "new"),
        (
            "# w\n[profiles.w] # w\na = 1\n[profiles.'w'.models]\n[[profiles.w.settings.x]]\n"
            "[profiles.v]\nextends = 'w' # w\n"
            '[profiles.u]\nextends = """w"""\n[profiles.t]\nextends = "x"\ndescription = "w"\n'
        ),
        (
            "# w\n[profiles.new] # w\na = 1\n[profiles.'new'.models]\n[[profiles.new.settings.x]]\n"
            "[profiles.v]\nextends = 'new' # w\n"
            '[profiles.u]\nextends = "new"\n[profiles.t]\nextends = "x"\ndescription = "w"\n'
        ),
    ),
    "a name that has to be quoted, and dotted keys": (
        renaming("w", "a.b"),
        '[profiles]\nw.provider = "x"\nw.models.default = "w"\nv = { extends = "w" }\n',
        '[profiles]\n"a.b".provider = "x"\n"a.b".models.default = "w"\nv = { extends = "a.b" }\n',
    ),
    "a name that no profile should have": (
        renaming("a\nb", "w"),
        '[profiles."a\\nb"]\n[profiles.v]\nextends = "a\\nb"\n',
        '[profiles."w"]\n[profiles.v]\nextends = "w"\n',
    ),
    "a profile that extends itself": (
        renaming("w", "new"),
        '[profiles.w]\nextends = "w"\n',
        '[profiles.new]\nextends = "new"\n',
    ),
    # ---- copy
    "a copy comes right behind, comments included": (
        copying("w", "new"),
        "# top\n\n# of w\n[profiles.w] # x\na = 1 # y\n# z\n\n[profiles.w.models]\n\n# of v\n[profiles.v]\n",
        (
            "# top\n\n# of w\n[profiles.w] # x\na = 1 # y\n# z\n\n[profiles.w.models]\n\n"
            "# of w\n[profiles.new] # x\na = 1 # y\n# z\n\n[profiles.new.models]\n\n# of v\n[profiles.v]\n"
        ),
    ),
    "sections in several places come together": (
        copying("w", "new"),
        "[profiles.w]\na = 1\n[profiles.v]\n[profiles.w.env]\nB = 1",
        (
            "[profiles.w]\na = 1\n[profiles.v]\n[profiles.w.env]\nB = 1\n\n"
            "[profiles.new]\na = 1\n\n[profiles.new.env]\nB = 1"
        ),
    ),
    "dotted keys": (
        copying("w", "new"),
        '[profiles]\nw.provider = "x"\nw.models.default = "m" # c\nv.provider = "y"\n',
        (
            '[profiles]\nw.provider = "x"\nw.models.default = "m" # c\n'
            'new.provider = "x"\nnew.models.default = "m" # c\nv.provider = "y"\n'
        ),
    ),
    "an inline profile": (
        copying("w", "new"),
        "profiles = { w = { a = 1 }, v = {} }\n",
        "profiles = { w = { a = 1 }, new = { a = 1 }, v = {} }\n",
    ),
    "with CRLF": (
        copying("w", "new"),
        "[profiles.w]\r\na = 1\r\n",
        "[profiles.w]\r\na = 1\r\n\r\n[profiles.new]\r\na = 1\r\n",
    ),
    "a copy of a provider names it": (
        copying("zai", "new"),
        "[profiles.w]\n",
        '[profiles.w]\n\n[profiles.new]\nprovider = "zai"\n',
    ),
    # ---- remove
    "a profile goes with the comment above it, and one blank line": (
        removing("w"),
        "# top\n\n[profiles.v]\n\n# of w\n[profiles.w]\na = 1\n\n[profiles.w.env]\n\n# of u\n[profiles.u]\n",
        "# top\n\n[profiles.v]\n\n# of u\n[profiles.u]\n",
    ),
    "the last one": (
        removing("w"),
        "[profiles.v]\n\n[profiles.w]\na = 1\n",
        "[profiles.v]\n",
    ),
    "the only one, under the comment of the file": (
        removing("w"),
        "#:schema ./profiles.schema.json\n[profiles.w]\na = 1\n",
        "#:schema ./profiles.schema.json\n",
    ),
    "a comment that stands apart stays": (
        removing("w"),
        "# top\n\n[profiles.w]\na = 1\n\n# note\n\n[profiles.w.models]\n\n[profiles.v]\n",
        "# top\n\n# note\n\n[profiles.v]\n",
    ),
    "without blank lines": (
        removing("w"),
        "[profiles.v]\n[profiles.w]\na = 1\n[profiles.u]\n",
        "[profiles.v]\n[profiles.u]\n",
    ),
    "without a blank line, the comment of the next one stays": (
        removing("w"),
        "[profiles.w]\na = 1\n# of v\n[profiles.v]\n",
        "# of v\n[profiles.v]\n",
    ),
    "one that is no table": (removing("w"), "[profiles]\nw = 1 # c\nv = {}\n", "[profiles]\nv = {}\n"),
    "one of an inline table": (
        removing("w"),
        "profiles = { v = {}, w = { a = 1 } } # c\n",
        "profiles = { v = {} } # c\n",
    ),
}


@pytest.mark.parametrize(("edit", "before", "after"), CASES.values(), ids=CASES)
def test_an_edit(edit: Edit, before: str, after: str) -> None:
    tomllib.loads(after)
    assert edit(before) == after


REFUSED: dict[str, tuple[Edit, str, type[Exception], str]] = {
    "set: no such profile": (setting("a", 1), "[profiles.v]\n", ProfileNotFoundError, "no profile 'w'"),
    "set: a provider only": (setting("a", 1, "zai"), "", ProfileNotFoundError, "no profile 'zai'"),
    "set: a table would be lost": (
        setting("models", "x"),
        '[profiles.w]\nmodels.default = "m"\n',
        UsageError,
        "models is a table",
    ),
    "set: a value would be lost": (
        setting("settings.a.b", 1),
        "[profiles.w]\nsettings.a = 1\n",
        UsageError,
        "settings.a is no table",
    ),
    "set: into a list of tables": (
        setting("settings.a.b", 1),
        "[profiles.w]\n[[profiles.w.settings.a]]\nb = 2\n",
        UsageError,
        "settings.a is no table",
    ),
    "set: the profile is no table": (
        setting("description", "d"),
        "profiles.w = 1\n",
        UsageError,
        "profiles.w is no table",
    ),
    "unset: the profile is no table": (
        unsetting("description"),
        "profiles.w = [1]\n",
        UsageError,
        "profile w does not say 'description'",
    ),
    "unset: no such key": (
        unsetting("models.haiku"),
        '[profiles.w]\nmodels.opus = "x"\n',
        UsageError,
        "does not say 'models.haiku'",
    ),
    "unset: the profile would be gone": (
        unsetting("provider"),
        'profiles.w.provider = "x"\n',
        ProfileInvalidError,
        "layout",
    ),
    "rename: no such profile": (renaming("w", "x"), "", ProfileNotFoundError, "no profile 'w'"),
    "rename: taken": (renaming("w", "v"), "[profiles.w]\n[profiles.v]\n", UsageError, "v already"),
    "rename: no name": (renaming("w", "a b"), "[profiles.w]\n", UsageError, "cannot name a profile"),
    "rename: to what another one extends as a provider": (
        renaming("w", "zai"),
        '[profiles.w]\n[profiles.v]\nextends = "zai"\n',
        UsageError,
        "profile v extends the provider zai",
    ),
    "copy: taken": (copying("w", "v"), "[profiles.w]\n[profiles.v]\n", UsageError, "v already"),
    "copy: onto itself": (copying("w", "w"), "[profiles.w]\n", UsageError, "w already"),
    "copy: nothing of that name": (copying("w", "v"), "", ProfileNotFoundError, "no profile 'w'"),
    "remove: others extend it": (
        removing("w"),
        '[profiles.w]\n[profiles.v]\nextends = "w"\n[profiles.u]\nextends = "w"\n',
        NotPermittedError,
        "extended by v, u",
    ),
    "remove: nothing of that name": (removing("zai"), "", ProfileNotFoundError, "no profile 'zai'"),
    "add: taken": (
        lambda text: add_profile(text, "w", {"provider": "zai"}),
        "[profiles.w]\n",
        UsageError,
        "w already",
    ),
    "add: no name": (lambda text: add_profile(text, "-w", {}), "", UsageError, "cannot name a profile"),
}


@pytest.mark.parametrize(("edit", "text", "kind", "message"), REFUSED.values(), ids=REFUSED)
def test_an_edit_that_is_refused(edit: Edit, text: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        edit(text)
    assert message in str(caught.value)


def test_a_profile_is_added_in_the_layout_of_the_examples() -> None:
    table = {
        "models": {"default": "k"},
        "env": {"A": "1"},
        "settings": {"permissions": {"allow": ["a"]}, "model": "x", "empty": {}},
        "auth": {"token": {"env": "X"}, "variable": "V"},
        "provider": "zai",
        "pin_model": False,
        "description": 'a "b"',
    }
    text = add_profile(HEADER, "w", table)
    assert text == (
        HEADER
        + """
[profiles.w]
description = "a \\"b\\""
provider = "zai"
auth.token = { env = "X" }
auth.variable = "V"
pin_model = false

[profiles.w.models]
default = "k"

[profiles.w.env]
A = "1"

[profiles.w.settings]
model = "x"

[profiles.w.settings.permissions]
allow = ["a"]

[profiles.w.settings.empty]
"""
    )
    assert tomllib.loads(text) == {"profiles": {"w": table}}
    assert remove_profile(text, "w") == HEADER


ADDED = {
    "to nothing": ("", '[profiles.w]\nprovider = "zai"\n'),
    "behind a blank line": ("[profiles.v]\n", '[profiles.v]\n\n[profiles.w]\nprovider = "zai"\n'),
    "behind one that is there": ("[profiles.v]\n\n", '[profiles.v]\n\n[profiles.w]\nprovider = "zai"\n'),
    "behind a line without an end": ("[profiles.v]", '[profiles.v]\n\n[profiles.w]\nprovider = "zai"\n'),
    "with CRLF": ("[profiles.v]\r\n", '[profiles.v]\r\n\r\n[profiles.w]\r\nprovider = "zai"\r\n'),
    "to an inline table": (
        "profiles = { v = {} } # c\n",
        'profiles = { v = {}, w = { provider = "zai" } } # c\n',
    ),
    "to an empty one": ("profiles = {}", 'profiles = { w = { provider = "zai" } }'),
    "below dotted keys": (
        "profiles.v.a = 1\n",
        'profiles.v.a = 1\n\n[profiles.w]\nprovider = "zai"\n',
    ),
}


@pytest.mark.parametrize(("before", "after"), ADDED.values(), ids=ADDED)
def test_where_a_profile_is_added(before: str, after: str) -> None:
    assert add_profile(before, "w", {"provider": "zai"}) == after
    tomllib.loads(after)


def test_defaults_is_a_profile_where_one_has_that_name() -> None:
    assert table_key("", "defaults") == DEFAULTS
    assert table_key("[profiles.defaults]\n", "defaults") == ("profiles", "defaults")
    assert table_key("", "w") == ("profiles", "w")


def test_what_cannot_be_done_faithfully_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof is made on the text, whatever the editor did to it."""
    text = '[profiles.w]\nprovider = "x"\n[profiles.v]\ncontext_tokens = 1\n'
    right = set_value(text, profile_key("w"), ("description",), "d")
    damaged = {
        "another type": right.replace("= 1", "= 1.0"),
        "a lost profile": right.replace("[profiles.v]\n", ""),
        "a new one": right + "[profiles.u]\n",
        "no TOML": right + "a",
        "nothing done": text,
    }
    for name, wrong in damaged.items():
        assert wrong != right, name
        monkeypatch.setattr("kimi_profiles.editing.profiles.inserted", lambda *_, wrong=wrong, **__: [wrong])
        with pytest.raises(ProfileInvalidError, match="layout"):
            set_value(text, profile_key("w"), ("description",), "d")
    ways = [*damaged.values(), right]
    monkeypatch.setattr("kimi_profiles.editing.profiles.inserted", lambda *_, **__: ways)
    assert set_value(text, profile_key("w"), ("description",), "d") == right


LARGE = {
    "many profiles": "".join(f"# c\n[profiles.p{i}]\nprovider = 'x'\n\n" for i in range(600))
    + "[profiles.w]\n",
    "many lines": "[profiles]\n" + "".join(f"w.env.A{i} = 1\n" for i in range(7000)),
    "many members": "profiles.w = { " + ", ".join(f"env.A{i} = 1" for i in range(1500)) + " }\n",
    "many sections": "[profiles.w]\n" + "".join(f"[profiles.w.settings.a{i}]\n" for i in range(1500)),
    "many lists": "[profiles.w]\n" + "# c\n[[profiles.w.settings.a]]\n" * 1500,
    "many comments": "[profiles.w]\n" + "#\n" * 15_000,
    "many blank lines": "[profiles.w]\n" + "\n" * 30_000,
}


@pytest.mark.once
@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_large_files_take_time_linear_in_their_size(text: str) -> None:
    start = time.process_time()
    text = set_value(text, profile_key("w"), ("description",), "d")
    copied = copy_profile(text, "w", "new")
    assert tomllib.loads(remove_profile(copied, "new")) == tomllib.loads(text)
    assert time.process_time() - start < 3
