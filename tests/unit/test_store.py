"""The TOML file: what it may be, and that every fault in it is found at its line and column."""

from __future__ import annotations

import os
import time
import tomllib
import traceback
from typing import TYPE_CHECKING

import pytest

from kimi_profiles.errors import (
    NotFoundError,
    NotPermittedError,
    ProfileInvalidError,
    ProfileNotFoundError,
    ProfilesError,
)
from kimi_profiles.store import ProfileStore

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "sk-kimi-" + "Zq9" * 12
GOOD = '[profiles.work]\nprovider = "moonshot-cn"\n'
SLOW_S = 2.0


def fault(text: str | bytes, tmp_path: Path) -> ProfilesError:
    """The first error that opening the file and checking all of it gives."""
    path = tmp_path / "profiles.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    try:
        found, *_ = ProfileStore.open(path).check()
    except ProfilesError as error:
        found = error
    assert found.path == str(path)
    shown = "".join(traceback.format_exception(found)) + (found.hint or "")
    assert "Zq9" not in shown
    assert found.message.isprintable()
    return found


# ---- line and column: ‸ stands before the character that is meant, and is not in the file

PLACES = {
    # unknown keys, at each level
    "at the top": ("‸profile = 1\n", "unknown key 'profile'"),
    "a table at the top": (f"{GOOD}[‸providers.x]\na = 1", "unknown key 'providers'"),
    "dotted, at the top": ("‸work.base_url = 1", "unknown key 'work'"),
    "in defaults": ("[defaults]\n‸envv = 1\n[profiles.work]", "unknown key 'envv'"),
    "in a profile": (f"{GOOD}\n  ‸basurl = 1", "unknown key 'basurl'"),
    "in a table of a profile": (f"{GOOD}[profiles.work.models]\n‸sonet = 'm'", "unknown key 'sonet'"),
    "a table of a profile": (f"{GOOD}[ profiles . work . ‸model ]\nopus = 'm'", "unknown key 'model'"),
    "below a table": (f"{GOOD}[profiles.work.auth.token]\n‸envv = 'A'", "unknown key 'envv'"),
    # inline tables
    "inline": (f"{GOOD}models = {{ opus = 'm', ‸sonet = 'm' }}", "unknown key 'sonet'"),
    "inline in inline": (
        f"{GOOD}auth = {{ token = {{ env = 'A', ‸usernam = 'b' }} }}",
        "unknown key 'usernam'",
    ),
    "after an inline table": (f"{GOOD}auth = {{ token = {{ env = 'A' }}, ‸tokn = 1 }}", "unknown key 'tokn'"),
    "all inline": ("profiles = { work = { provider = 'zai', ‸basurl = 1 } }", "unknown key 'basurl'"),
    "after an empty one": (f"{GOOD}models = {{}}\n‸basurl = 1", "unknown key 'basurl'"),
    # dotted keys
    "dotted": (f"{GOOD}auth.token.‸envv = 'A'", "unknown key 'envv'"),
    "dotted, with blanks": (f"{GOOD}auth\t.  token . ‸envv = 'A'", "unknown key 'envv'"),
    "dotted from the top": (
        "profiles.work.provider = 'zai'\nprofiles.work.‸basurl = 1",
        "unknown key 'basurl'",
    ),
    "dotted, the middle": (f"{GOOD}‸auht.token.env = 'A'", "unknown key 'auht'"),
    # quoted keys
    "quoted": (f'{GOOD}‸"basurl" = 1', "unknown key 'basurl'"),
    "quoted, literally": (f"{GOOD}‸'basurl' = 1", "unknown key 'basurl'"),
    "quoted, with a blank": (f'{GOOD}‸"bas url" = 1', "unknown key 'bas url'"),
    "quoted, with dots": (f'{GOOD}‸"auth.token" = 1', "unknown key 'auth.token'"),
    "quoted, with a quotation mark": (f'{GOOD}‸"a\\"=[b" = 1', "unknown key 'a\"=[b'"),
    "quoted, escaped": (f'{GOOD}‸"bas\\u0075rl" = 1', "unknown key 'basurl'"),
    "quoted, empty": (f'{GOOD}‸"" = 1', "unknown key ''"),
    "quoted, not ASCII": (f'{GOOD}‸"cl\xe9" = 1', "unknown key 'cl\\xe9'"),
    "quoted, in a dotted one": (f"{GOOD}\"auth\" . 'token' . ‸\"envv\" = 'A'", "unknown key 'envv'"),
    "quoted, in a header": (f'{GOOD}["profiles".\'work\'.‸"model"]', "unknown key 'model'"),
    # the word also stands elsewhere
    "in a comment before": (f"{GOOD}# basurl = 1\n‸basurl = 1 # basurl", "unknown key 'basurl'"),
    "in a string before": (f'{GOOD}description = "basurl = 1"\n‸basurl = 1', "unknown key 'basurl'"),
    "in a string of lines before": (
        f'{GOOD}env.A = """\n[profiles.work]\nbasurl = 1\n\\""" ""\n"""\n‸basurl = 1',
        "unknown key 'basurl'",
    ),
    "in literal lines before": (
        f"{GOOD}env.A = '''\n\\\nbasurl = 1 ''\n'''''\n‸basurl = 1",
        "unknown key 'basurl'",
    ),
    "in an array before": (
        f"{GOOD}settings.a = [ # ]\n  'basurl', [\"]\", {{ basurl = 1 }}],\n]\n‸basurl = 1",
        "unknown key 'basurl'",
    ),
    "in tables in an array before": (
        f"[[profiles.work.settings.a]]\nbasurl = 1\n[[profiles.work.settings.a]]\n{GOOD}‸basurl = 1",
        "unknown key 'basurl'",
    ),
    "in another profile before": (
        "[profiles.a]\nprovider = 'zai'\nsettings.basurl = 1\n" + f"{GOOD}‸basurl = 1",
        "unknown key 'basurl'",
    ),
    "its profile has its name": ("[profiles.basurl]\nprovider = 'zai'\n‸basurl = 1", "unknown key 'basurl'"),
    "its profile and its table have its name": (
        "[profiles.models]\nprovider = 'zai'\n[profiles.models.models]\n‸models = 1",
        "unknown key 'models'",
    ),
    "it is also a value": (f"{GOOD}pin_model = true\n‸true = 1", "unknown key 'true'"),
    "it is also a number": (f"{GOOD}context_tokens = 10000\n‸10000 = 1", "unknown key '10000'"),
    "it is also part of a number": (f"{GOOD}settings.a = 1.5\n‸5 = 1", "unknown key '5'"),
    # a token that stands where a key is
    "a token for a key": (f"{GOOD}‸{TOKEN} = 1", "unknown key '…'"),
    "a token for a key at the top": (f"‸{TOKEN} = 1", "unknown key '…'"),
    "a token for a key twice": (
        f"{GOOD}env = {{ {TOKEN} = 1, {TOKEN} = 2‸ }}",
        "this is not TOML: duplicate inline",
    ),
    "a token for a name": (f"[profiles.‸{TOKEN}]", "profile … has neither"),
    "a token for a parent": (f"{GOOD}‸extends = '{TOKEN}'", "this value looks like a token"),
    # other faults
    "wrong type": (f"{GOOD}‸description = 1", "description must be text, in quotation marks"),
    "wrong type, inline": (f"{GOOD}models = {{ ‸opus = 1 }}", "models.opus must be text, in quotation marks"),
    "wrong type of a profile": ("profiles.‸work = 1", "profiles.work must be a table"),
    "wrong type of all profiles": ("‸profiles = 1", "profiles must be a table"),
    "profiles are an array": ("[[‸profiles]]\na = 1", "profiles must be a table"),
    "defaults are no table": (f"‸defaults = 1\n{GOOD}", "defaults must be a table"),
    "a variable": (
        f"{GOOD}[profiles.work.env]\nA = ''\n‸ANTHROPIC_MODEL = ''",
        "ANTHROPIC_MODEL does not belong",
    ),
    "a setting": (f"{GOOD}[profiles.work.settings]\na = 1\nb.‸c = nan", "JSON has no nan"),
    "a setting in an array": (f"{GOOD}settings = {{ ‸a = [1, nan] }}", "JSON has no nan"),
    "a token": (f"{GOOD}auth.‸token = '{TOKEN}'", "a token itself"),
    "a token, inline": (f"{GOOD}auth = {{ ‸token = '{TOKEN}' }}", "a token itself"),
    "a token as a variable": (f"{GOOD}env.‸A = '{TOKEN}'", "A looks like a token"),
    "two ways to the token": (
        f"{GOOD}auth.‸token = {{ env = 'A', file = 'b' }}",
        "auth.token takes exactly one",
    ),
    "base URL": ("[profiles.work]\n\n‸base_url = 'https://x.example/v1'", "Claude Code itself adds"),
    "provider": ("[profiles.work]\n‸provider = 'moonsho'", "there is no provider 'moonsho'"),
    "provider of the parent": (
        "[profiles.work]\nextends = 'a'\n[profiles.a]\n‸provider = 'moonsho'",
        "there is no provider 'moonsho'",
    ),
    "parent": (f"{GOOD}‸extends = 'a'", "extends 'a', and there is no such"),
    "circle": (f"{GOOD}‸extends = 'work'", "profiles extend each other: work → work"),
    "no endpoint": ("\n[profiles.‸work]\n", "profile work has neither"),
    "name": ("[profiles.‸\"a b\"]\nprovider = 'zai'", "'a b' cannot name a profile"),
    "name, escaped": ("[profiles.‸\"\\u001b[2J\"]\nprovider = 'zai'", "'\\x1b[2J' cannot name a profile"),
    # what is no TOML
    "no value": (f"{GOOD}a = ‸\n", "this is not TOML: invalid value"),
    "no equals sign": (f"{GOOD}basurl‸\n", "this is not TOML: expected '='"),
    "an open string": (f"{GOOD}a = '{TOKEN}‸\n", "this is not TOML"),
    "an open table": ("[profiles.work‸\n", "this is not TOML"),
    "an open array": (f"{GOOD}a = [1,\n2‸", "this is not TOML: unclosed array"),
    "a key twice": (f"{GOOD}provider = '{TOKEN}'‸", "this is not TOML: cannot overwrite a value"),
    "a table twice": (f"{GOOD}[profiles.work‸]", "this is not TOML: cannot declare"),
    "a key twice, inline": (
        f"{GOOD}env = {{ A = '', A = '{TOKEN}'‸ }}",
        "this is not TOML: duplicate inline",
    ),
    "a control character": ("a = '‸\x01'", "this is not TOML: found invalid character '\\x01'"),
    "nothing but a word": (f"{TOKEN}‸", "this is not TOML: expected '='"),
    "a date that is none": (f"{GOOD}a = 2026‸-13-01", "this is not TOML"),
    "a byte order mark": (f"‸\ufeff{GOOD}", "a byte order mark is not TOML"),
    # too much
    "33 parts": (f"{GOOD}‸{'a.' * 32}a = 1", "a key of more than 32 dotted parts"),
    "33 parts, quoted": (f"{GOOD}x = 1\n‸" + "'a' . " * 32 + "a = 1", "a key of more than 32"),
    "33 parts, escaped": (f"{GOOD}‸" + '"\\"".' * 32 + "a = 1", "a key of more than 32 dotted parts"),
    "33 parts in a header": (f"{GOOD}[‸{'a.' * 32}a]", "a key of more than 32 dotted parts"),
    "33 parts, inline": (f"{GOOD}a = {{ ‸{'a.' * 32}a = 1 }}", "a key of more than 32 dotted parts"),
    "a number without end": (f"{GOOD}context_tokens = ‸{'9' * 5000}", "a number of 5000 digits"),
    "brackets without end": (f"{GOOD}a = {'[' * 99999}‸[", "the values are nested too deeply"),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(("marked", "message"), PLACES.values(), ids=PLACES)
def test_a_fault_is_found_at_its_place(marked: str, message: str, end: str, tmp_path: Path) -> None:
    before, after = marked.split("‸")
    error = fault((before + after).replace("\n", end), tmp_path)
    assert error.message.startswith(message)
    assert (error.line, error.column) == (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    assert error.exit_code == 78


NOT_UTF_8 = {
    "Latin-1": (b"# a\n[profiles.work]\ndescription = 'caf\xe9'", 3, 19),
    "after what is UTF-8": ("a = 'é".encode() + b"\xff'", 1, 7),
    "UTF-16": ("\ufeff" + GOOD).encode("utf-16-le"),
    "an encoded surrogate": (b"# \xed\xa0\x80", 1, 3),
    "cut off": (b"# \xe2\x82", 1, 3),
}


@pytest.mark.parametrize("case", NOT_UTF_8.values(), ids=NOT_UTF_8)
def test_what_is_not_utf_8_is_found_at_its_place(case: object, tmp_path: Path) -> None:
    data, line, column = case if isinstance(case, tuple) else (case, 1, 1)
    error = fault(data, tmp_path)
    assert (error.message, error.line, error.column) == ("this is not UTF-8", line, column)


HARMLESS = {
    "33 parts in a string": f'{GOOD}description = "{"a." * 40}"',
    "33 parts in a comment": f"{GOOD}# {'a.' * 40}a",
    "33 parts in literal lines": f"{GOOD}env.A = '''\n{'a.' * 40}\n'''",
    "33 parts in lines": f'{GOOD}env.A = """\n\\"{"a." * 40}\n"""',
    "32 parts": f"{GOOD}{'settings.' + 'a.' * 30}a = 1",
    "many keys on a line": f"{GOOD}settings.a = {{ {', '.join(f'k{n}.a = 1.5' for n in range(40))} }}",
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_no_fault(text: str, tmp_path: Path) -> None:
    tomllib.loads(text)
    assert ProfileStore(tmp_path / "p.toml", text).check() == []


# ---- time: what takes a naive reader minutes


HOSTILE = {
    "dotted parts": "a." * 500_000 + "a = 1",
    "dotted parts with blanks": "a . " * 250_000 + "a = 1",
    "dotted parts, quoted": '"a".' * 250_000 + "a = 1",
    "dotted parts, escaped quotes": '"\\"".' * 200_000 + "a = 1",
    "dotted parts, line separators": '"\u2028".' * 30_000 + "a = 1",
    "dotted parts after lines": "a = '''\n" + "." * 40 + "\n'''\n" + '"\\"".' * 100_000 + "a = 1",
    "dotted parts in a header": "[" + "a." * 500_000 + "a]",
    "open quotes": "." * 40 + "\n" + '"\\' * 500_000,
    "open quotes after parts": "a." * 31 + '"\\' * 500_000,
    "single quotes": "." * 40 + "\na = " + "'" * 1_000_000,
    "double quotes": "." * 40 + "\na = " + '"' * 1_000_000,
    "a word": "a" * 1_000_000,
    "blanks": "a" + " " * 1_000_000,
    "words and blanks": "." * 40 + "\n" + "a  " * 300_000,
    "brackets": "a = " + "[" * 1_000_000,
    "braces": "a = " + "{a=" * 300_000,
    "digits": "a = " + "9" * 1_000_000,
    "hexadecimal digits": "profiles.a.env.X = 0x" + "f" * 1_000_000,
    "line ends": "\r\n" * 500_000 + "x = 1",
    "an unknown key after many values": "profiles.a.settings.x = [" + "1," * 450_000 + "]\nx = 1",
    "an unknown key after many keys": "".join(f"profiles.a.env.k{n} = ''\n" for n in range(30_000)) + "x = 1",
    "ancestors": "".join(f'[profiles.p{n}]\nextends = "p{n + 1}"\n' for n in range(2_000)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_soon(text: str, tmp_path: Path) -> None:
    assert len(text.encode()) <= 1 << 20
    start = time.process_time()
    error = fault(text, tmp_path)
    assert time.process_time() - start < 3 * SLOW_S
    assert error.line is not None


def test_a_long_hexadecimal_number_is_not_read(tmp_path: Path) -> None:
    error = fault("profiles.a.env.X = 0x" + "f" * 10_000, tmp_path)
    assert (error.message, error.line, error.column) == ("a number of 10002 digits", 1, 20)
    assert list(ProfileStore(tmp_path / "p.toml", f"[profiles.{'f' * 10_002}]")) == ["f" * 10_002]


def test_10000_profiles_are_read_and_more_are_not(tmp_path: Path) -> None:
    one = """[profiles.p{}]
description = "one of many"
provider = "moonshot-cn"
auth.token = {{ env = "WORK_KEY" }}
models.default = "kimi-k2.7-code"
env.A = "a"
"""
    store = ProfileStore(tmp_path / "p.toml", "".join(map(one.format, range(10_000))))
    assert len(store) == 10_000
    assert store["p9999"].env["A"] == "a"
    assert "more than 10,000 profiles" in str(
        fault("".join(f"[profiles.p{n}]\n" for n in range(10_001)), tmp_path)
    )


MANY = "".join(
    f'[profiles.p{n}]\nprovider = "moonshot-cn"\nmodels = {{ opus = "kimi-k3" }}\nenv.A = "basurl"\n'
    for n in range(2_000)
)


def test_one_fault_in_2000_profiles_is_found_soon(tmp_path: Path) -> None:
    text = MANY.replace("[profiles.p1234]\n", "[profiles.p1234]\nbasurl = 1\n")
    start = time.process_time()
    store = ProfileStore(tmp_path / "p.toml", text)
    with pytest.raises(ProfileInvalidError) as caught:
        store["p1234"]
    assert time.process_time() - start < SLOW_S
    assert (caught.value.line, caught.value.column) == (1234 * 4 + 2, 1)
    assert store["p1233"].provider == "moonshot-cn"


def test_2000_faults_are_found_soon(tmp_path: Path) -> None:
    start = time.process_time()
    faults = ProfileStore(tmp_path / "p.toml", MANY.replace("env.A", "basurl")).check()
    assert time.process_time() - start < 2 * SLOW_S
    assert [error.line for error in faults] == [4 * n + 4 for n in range(2_000)]


# ---- the file


def test_the_file_may_be_absent_where_it_is_the_user_s_own(tmp_path: Path) -> None:
    store = ProfileStore.open(home=tmp_path)
    assert (list(store), len(store), store.text) == ([], 0, "")
    assert store["moonshot-cn"].provider == "moonshot-cn"
    assert not store.path.exists()


def test_the_user_s_own_file_is_read(tmp_path: Path) -> None:
    path = ProfileStore.open(home=tmp_path).path
    path.parent.mkdir(parents=True)
    path.write_text(GOOD)
    assert list(ProfileStore.open(home=tmp_path)) == ["work"]


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        ProfileStore.open(tmp_path / "no.toml")
    assert str(caught.value) == f"{tmp_path / 'no.toml'}: there is no such file"
    assert (caught.value.hint, caught.value.exit_code) == ("see: kimi-profiles init", 66)


def test_a_file_of_2_mib_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(GOOD + "#" * ((2 << 20) - len(GOOD)))
    assert list(ProfileStore.open(path)) == ["work"]
    path.write_text(GOOD + "#" * ((2 << 20) - len(GOOD) + 1))
    with pytest.raises(NotPermittedError, match="larger than 2 MiB"):
        ProfileStore.open(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.toml")
    with pytest.raises(NotPermittedError, match="this is a pipe"):
        ProfileStore.open(tmp_path / "p.toml")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotPermittedError):
        ProfileStore.open(tmp_path)


# ---- the mapping


def test_names_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "[profiles.b]\n[profiles.a]\n[profiles.c.env]\n"
    assert list(ProfileStore(tmp_path / "p.toml", text)) == ["b", "a", "c"]


def test_providers_are_there_and_not_listed(tmp_path: Path) -> None:
    store = ProfileStore(tmp_path / "p.toml", GOOD)
    assert "moonshot-cn" in store
    assert "work" in store
    assert "other" not in store
    assert store.get("other") is None
    assert list(store) == ["work"]


def test_a_fault_in_one_profile_does_not_spoil_another(tmp_path: Path) -> None:
    store = ProfileStore(tmp_path / "p.toml", f"{GOOD}[profiles.bad]\nbasurl = 1")
    assert store["work"].base_url == "https://api.moonshot.cn/anthropic"
    assert [str(error) for error in store.check()] == [f"{tmp_path / 'p.toml'}:4:1: unknown key 'basurl'"]


def test_a_name_that_is_not_there_is_a_key_error(tmp_path: Path) -> None:
    with pytest.raises(ProfileNotFoundError) as caught:
        ProfileStore(tmp_path / "p.toml", GOOD)["wrok"]
    assert isinstance(caught.value, KeyError)
    assert caught.value.hint == "did you mean work?"


def test_a_fault_that_several_profiles_inherit_is_reported_once(tmp_path: Path) -> None:
    text = "[defaults]\nenvv = 1\n[profiles.a]\n[profiles.b]\n"
    (error,) = ProfileStore(tmp_path / "p.toml", text).check()
    assert error.line == 2


def test_more_headers_than_may_be_are_told_with_their_place(tmp_path: Path) -> None:
    text = "".join(f"[profiles.p{number}]\n" for number in range(40_002))
    with pytest.raises(ProfileInvalidError, match="more than 40,000 headers of tables") as caught:
        ProfileStore(tmp_path / "p.toml", text)
    assert (caught.value.line, caught.value.column) == (40_002, 1)


def test_what_looks_like_a_header_inside_a_text_is_none(tmp_path: Path) -> None:
    text = 'profiles.a.settings.x = """' + "\n[" * 40_002 + '"""\nprofiles.a.provider = "ollama"\n'
    assert list(ProfileStore(tmp_path / "p.toml", text)) == ["a"]
