"""Files that were made to hurt: each is read or refused, soon and in little memory, with no traceback."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faults.spawn import STORE, TOKEN, Server, started_server
from kimi_profiles.files import MAX_SIZE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT_S = 2.0
LIMIT_MB = 150
ADDRESS_SPACE_MB = 512

MEGA = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def home() -> Iterator[Path]:
    """In memory where that can be: it is not the disk that is measured."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        home = Path(folder)
        (home / ".claude").mkdir()
        (home / ".config/kimi-profiles").mkdir(parents=True)
        (home / ".config/kimi-profiles/profiles.toml").write_text(STORE, encoding="utf-8")
        (home / ".claude/settings.json").write_bytes(b"{}\n")
        (home / ".claude.json").write_bytes(b"{}\n")
        yield home


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + closing * depth).encode()


def members(count: int, raw: str = "1") -> bytes:
    return ("{" + ",".join(f'"{n}":{raw}' for n in range(count)) + "}").encode()


def odd_keys(count: int) -> bytes:
    return b"{" + b",".join(b'"\\u0061%d":"\\n"' % n for n in range(count)) + b"}"


def in_env(text: bytes) -> bytes:
    return b'{"env": ' + text + b"}"


def projects(size_bytes: int) -> bytes:
    """What ``.claude.json`` looks like after years: many projects with a history each."""
    one = {
        "allowedTools": [],
        "history": [{"display": "fix the test \\ \u00e9 " * 20, "n": 1.5}] * 20,
        "cost": 1,
    }
    text = json.dumps(one, indent=2)
    return (
        '{"projects": {' + ",\n".join(f'"/p/{n}": {text}' for n in range(size_bytes // len(text))) + "}}"
    ).encode()


OPEN = b'{"a":'
# Where each of these stands in the place of both files: accepted or refused, as said.
JSON: dict[str, tuple[Callable[[], bytes], set[int]]] = {
    "deep lists": (lambda: nested(100_000), {78}),
    "deep lists, open": (lambda: b"[" * 1_000_000, {78}),
    "deep objects": (lambda: nested(100_000, '{"a":', "}"), {78}),
    "deep objects, open": (lambda: OPEN * 1_000_000, {78}),
    "just deep enough": (lambda: b'{"a":' + nested(62) + b"}", {0}),
    "one too deep": (lambda: b'{"a":' + nested(64) + b"}", {78}),
    "deep in env": (lambda: in_env(nested(100_000)), {78}),
    "a long integer": (lambda: b'{"n": ' + b"9" * 5_000 + b"}", {0}),
    "a very long integer": (lambda: b'{"n": ' + b"9" * MEGA + b"}", {0}),
    "a long integer in env": (lambda: in_env(b'{"ANTHROPIC_MODEL": ' + b"9" * MEGA + b"}"), {0}),
    "a long fraction": (lambda: b'{"n": 1.' + b"9" * MEGA + b"}", {0}),
    "a long fraction in env": (lambda: in_env(b'{"ANTHROPIC_MODEL": 1.' + b"9" * MEGA + b"}"), {0}),
    "a large float": (lambda: b'{"n": 1e400, "m": -1e400}', {0}),
    "a large float in env": (lambda: in_env(b'{"ANTHROPIC_MODEL": 1e400}'), {0}),
    "a long exponent in env": (lambda: in_env(b'{"ANTHROPIC_MODEL": 1e' + b"9" * MEGA + b"}"), {0}),
    "a negative long exponent in env": (
        lambda: in_env(b'{"ANTHROPIC_MODEL": 1e-' + b"9" * 100_000 + b"}"),
        {0},
    ),
    "duplicate keys": (lambda: b"{" + b",".join([b'"env":{}'] * 40_000) + b"}", {0}),
    "duplicate keys below": (
        lambda: in_env(b"{" + b",".join([b'"ANTHROPIC_MODEL":"x"'] * 40_000) + b"}"),
        {0},
    ),
    "many members": (lambda: members(1_000_000), {0}),
    "many members below": (lambda: b'{"a": ' + members(300_000) + b"}", {0}),
    "many members in env": (lambda: in_env(members(40_000, '"x"')), {0}),
    "very many members in env": (lambda: in_env(members(200_000, '"x"')), {0}),
    "many keys with escapes": (lambda: odd_keys(40_000), {0}),
    "too many keys with escapes": (lambda: odd_keys(300_000), {78}),
    "many values with escapes": (lambda: members(300_000, '"\\n"'), {0}),
    "many members that are objects": (lambda: members(400_000, "{}"), {0}),
    "many members, each twice": (lambda: members(200_000)[:-1] + b"," + members(200_000)[1:], {0}),
    "many list items": (lambda: b'{"a": [' + b",".join([b"1"] * 1_000_000) + b"]}", {0}),
    "many empty lists": (lambda: b'{"a": [' + b",".join([b"[]"] * 500_000) + b"]}", {0}),
    "many empty objects": (lambda: b'{"a": [' + b",".join([b"{}"] * 500_000) + b"]}", {0}),
    "one long string": (lambda: b'{"a": "' + b"x" * (15 * MEGA) + b'"}', {0}),
    "one long string of another alphabet": (
        lambda: b'{"a": "' + "\u6f22".encode() * (3 * MEGA) + b'"}',
        {0},
    ),
    "one character beyond the others": (
        lambda: b'{"a": "' + b"x" * (5 * MEGA) + "\U0001f600".encode() + b'"}',
        {0},
    ),
    "a long key": (lambda: b'{"' + b"k" * (4 * MEGA) + b'": 1}', {0}),
    "long keys in env": (lambda: in_env(b'{"' + b"k" * (4 * MEGA) + b'": "1"}'), {0}),
    "backslashes": (lambda: b'{"a": "' + b"\\\\" * (4 * MEGA) + b'"}', {0}),
    "backslashes, open": (lambda: b'{"a": "' + b"\\" * (4 * MEGA + 1), {78}),
    "backslashes in a key": (lambda: b'{"' + b"\\\\" * MEGA + b'": 1}', {0}),
    "quotation marks": (lambda: b'"' * (4 * MEGA), {78}),
    "escaped quotation marks, open": (lambda: b'{"a": "' + b'\\"' * (2 * MEGA), {78}),
    "deep behind backslashes": (
        lambda: b'{"a": "' + b"\\\\" * MEGA + b'", "b": ' + nested(100_000) + b"}",
        {78},
    ),
    "colons": (lambda: b"{" + b":" * (4 * MEGA), {78}),
    "commas": (lambda: b"[" + b"," * (4 * MEGA), {78}),
    "white space": (lambda: b" \n\t\r" * (2 * MEGA), {0}),
    "white space behind the value": (lambda: b"{}" + b" " * (8 * MEGA), {0}),
    "white space, then more": (lambda: b"{}" + b" " * (8 * MEGA) + b"x", {78}),
    "white space before commas": (lambda: b'{"a": 1' + b" " * (4 * MEGA) + b"}", {0}),
    "line ends": (lambda: b"{" + b"\n" * (8 * MEGA) + b"}", {0}),
    "NUL bytes": (lambda: b"\0" * MEGA, {78}),
    "NUL in a string": (lambda: b'{"a": "\0"}', {78}),
    "an escaped NUL": (lambda: b'{"a\\u0000": "\\u0000"}', {0}),
    "a raw surrogate": (lambda: b'{"a": "\xed\xa0\x80"}', {78}),
    "an escaped surrogate": (lambda: b'{"\\ud800": "\\udfff"}', {0}),
    "escaped surrogates in env": (lambda: in_env(b'{"ANTHROPIC_MODEL": "\\ud800", "\\udc00": "x"}'), {0}),
    "invalid UTF-8": (lambda: b'{"a": "' + b"\xff" * MEGA + b'"}', {78}),
    "UTF-16": (lambda: '{"a": 1}'.encode("utf-16"), {78}),
    "UTF-16 without a mark": (lambda: '{"a": 1}'.encode("utf-16-be"), {78}),
    "UTF-32": (lambda: '{"a": 1}'.encode("utf-32"), {78}),
    "a byte order mark": (lambda: b"\xef\xbb\xbf{}", {0}),
    "a byte order mark alone": (lambda: b"\xef\xbb\xbf", {0}),
    "two byte order marks": (lambda: b"\xef\xbb\xbf\xef\xbb\xbf{}", {78}),
    "a byte order mark inside": (lambda: b'{\xef\xbb\xbf"a": 1}', {78}),
    "a list": (lambda: b"[]", {78}),
    "a string": (lambda: b'"x"', {78}),
    "null": (lambda: b"null", {78}),
    "NaN": (lambda: b'{"a": NaN}', {78}),
    "a comment": (lambda: b'{} // "x"', {78}),
    "many comments": (lambda: b"{" + b"/**/" * MEGA + b"}", {78}),
    "a trailing comma": (lambda: b'{"a": 1,}', {78}),
    "env a list": (lambda: in_env(b"[]"), {78}),
    "env null": (lambda: in_env(b"null"), {78}),
    "years of projects": (lambda: projects(15 * MEGA), {0}),
    "terminal escapes": (lambda: b'{"a\x1b[2J": 1}', {78}),
}


def check(home: Path, server: Server, statuses: set[int], *words: str) -> None:
    before = {path: path.read_bytes() for path in home.rglob("*.json") if path.is_file()}
    ran = server.run(*words, "--home", str(home), limit_mb=ADDRESS_SPACE_MB)

    print(f"{ran.seconds:.2f} s, {ran.size_mb:.0f} MB, status {ran.status}: {ran.err[:200]}")
    ran.check_words()
    assert ran.status in statuses, ran.err[:500]
    assert ran.seconds < LIMIT_S
    assert ran.size_mb < LIMIT_MB
    assert len(ran.err) < 2_000
    if ran.status:
        assert all(path.read_bytes() == data for path, data in before.items())


@pytest.mark.parametrize("name", [".claude/settings.json", ".claude.json"])
@pytest.mark.parametrize(("make", "statuses"), JSON.values(), ids=JSON)
def test_a_settings_file(
    make: Callable[[], bytes], statuses: set[int], name: str, home: Path, server: Server
) -> None:
    data = make()
    (home / name).write_bytes(data)
    if name == ".claude.json" and statuses == {78} and data.startswith(b'{"env"'):
        statuses = {0, 78}  # `env` means nothing there

    check(home, server, statuses, "apply", "work", "--quiet")
    if (home / ".local/state/kimi-profiles/ledger.json").exists():
        check(home, server, {0}, "unapply", "--quiet")
    assert (home / name).read_bytes() == data


def dotted(parts: int) -> str:
    return ".".join("a" for _ in range(parts))


SIZE = 2_000_000
DOTTED = dotted(SIZE // 2)
QUOTED = ".".join(['"a"'] * (SIZE // 4))
WORK = STORE + "\n"
# What stands behind a good profile.
TOML: dict[str, Callable[[], str]] = {
    "a dotted key": lambda: f"{DOTTED} = 1",
    "a dotted key in a table": lambda: f"[profiles.x.settings]\n{DOTTED} = 1",
    "a dotted header": lambda: f"[{DOTTED}]",
    "a dotted list header": lambda: f"[[{DOTTED}]]",
    "a dotted key in an inline table": lambda: f"[profiles.x]\nsettings = {{ {DOTTED} = 1 }}",
    "a dotted key in a list of inline tables": lambda: f"[profiles.x]\nsettings.a = [{{ {DOTTED} = 1 }}]",
    "a dotted key of quoted parts": lambda: f"{QUOTED} = 1",
    "a dotted header of quoted parts": lambda: f"[{QUOTED}]",
    "a dotted key with blanks": lambda: f"{dotted(SIZE // 4).replace('.', ' . ')} = 1",
    "a dotted key of single quotes": lambda: f"{QUOTED.replace(chr(34), chr(39))} = 1",
    "a dotted key larger than the file may be": lambda: f"{dotted(1_500_000)} = 1",
    "many dotted keys": lambda: "".join(f"[profiles.p{n}.{dotted(29)}]\n" for n in range(SIZE // 75)),
    "dots in a string": lambda: f'[profiles.x]\ndescription = "{"." * SIZE}"',
    "dots in a comment": lambda: f"# {'.' * SIZE}",
    "deep lists": lambda: f"[profiles.x]\nsettings.a = {'[' * (SIZE // 2)}{']' * (SIZE // 2)}",
    "deep lists, open": lambda: f"[profiles.x]\nsettings.a = {'[' * SIZE}",
    "deep inline tables": lambda: f"[profiles.x]\nsettings = {'{a=' * 250_000}1{'}' * 250_000}",
    "deep enough for Python": lambda: f"[profiles.x]\nsettings.a = {'[' * 150}{']' * 150}",
    "many tables": lambda: "".join(f"[profiles.p{n}]\n" for n in range(SIZE // 17)),
    "many lists of tables": lambda: "[[profiles.x.settings.a]]\n" * (SIZE // 26),
    "many keys": lambda: "[profiles.x.env]\n" + "".join(f"K{n}=1\n" for n in range(SIZE // 9)),
    "many list items": lambda: f"[profiles.x]\nsettings.a = [{'1,' * (SIZE // 2)}]",
    "a long integer": lambda: f"[profiles.x]\ncontext_tokens = {'9' * 5_000}",
    "a very long integer": lambda: f"[profiles.x]\ncontext_tokens = {'9' * SIZE}",
    "an integer larger than the file may be": lambda: f"[profiles.x]\ncontext_tokens = {'9' * 2 * MEGA}",
    "a long hexadecimal integer": lambda: f"[profiles.x]\ncontext_tokens = 0x{'f' * SIZE}",
    "a long fraction": lambda: f"[profiles.x]\nsettings.a = 1.{'9' * SIZE}",
    "a large float": lambda: "[profiles.x]\nsettings.a = 1e400",
    "a long exponent": lambda: f"[profiles.x]\nsettings.a = 1e{'9' * SIZE}",
    "a long string": lambda: f'[profiles.x]\ndescription = "{"x" * SIZE}"',
    "a long name": lambda: f"[profiles.{'x' * SIZE}]",
    "a long value in env": lambda: f'[profiles.x.env]\nA = "{"x" * SIZE}"',
    "backslashes": lambda: f'[profiles.x]\ndescription = "{chr(92) * SIZE}"',
    "backslashes, open": lambda: f'[profiles.x]\ndescription = "{chr(92) * SIZE}',
    "quotation marks": lambda: '"' * SIZE,
    "single quotation marks": lambda: "'" * (SIZE - 1),
    "three quotation marks, open": lambda: 'a = """' + '""\\"' * (SIZE // 4),
    "open brackets of headers": lambda: "[" * SIZE,
    "dots": lambda: "." * SIZE,
    "dots and quotes": lambda: '"".' * (SIZE // 3),
    "equal signs": lambda: "=" * SIZE,
    "a key without an end": lambda: "a" * SIZE,
    "words without an end": lambda: "a " * (SIZE // 2),
    "blanks": lambda: " " * SIZE,
    "blanks before dots": lambda: ("a" + " " * 10_000 + ".") * 90 + "a=1",
    "duplicate keys": lambda: "a = 1\n" * (SIZE // 6),
    "a NUL": lambda: "a = '\0'",
    "a lone surrogate": lambda: '[profiles.x]\ndescription = "\\ud800"',
    "a circle": lambda: "[profiles.work2]\nextends = 'x'\n[profiles.x]\nextends = 'work2'",
    "a long chain": lambda: "".join(f"[profiles.p{n}]\nextends='p{n + 1}'\n" for n in range(SIZE // 35)),
    "a chain longer than the file may be": lambda: "".join(
        f"[profiles.p{n}]\nextends='p{n + 1}'\n" for n in range(100_000)
    ),
    "dates": lambda: "[profiles.x]\nsettings.a = [" + "1979-05-27T07:32:00Z," * (SIZE // 21) + "]",
}
LINES = {
    "validate": ["validate"],
    "list": ["list", "--json"],
    "apply": ["apply", "x", "--quiet"],
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
@pytest.mark.parametrize("make", TOML.values(), ids=TOML)
def test_a_profile_file(make: Callable[[], str], line: list[str], home: Path, server: Server) -> None:
    text = WORK + make()
    (home / ".config/kimi-profiles/profiles.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    ran = server.run(*line, "--home", str(home), limit_mb=ADDRESS_SPACE_MB)

    print(f"{ran.seconds:.2f} s, {ran.size_mb:.0f} MB, status {ran.status}: {ran.err[:200]}")
    assert "should not" not in ran.words
    assert "Traceback" not in ran.words
    assert ran.status in {0, 66, 77, 78}, ran.words[:500]
    assert ran.seconds < LIMIT_S
    assert ran.size_mb < LIMIT_MB


LEDGER = {
    "deep lists": lambda: nested(100_000),
    "deep objects": lambda: nested(100_000, '{"schema":', "}"),
    "a long schema": lambda: b'{"schema": ' + b"9" * 100_000 + b"}",
    "many records": lambda: (
        b'{"schema": 1, "applications": {}, "pending": [], "records": ' + members(300_000) + b"}"
    ),
    "a list": lambda: b"[]",
    "UTF-16": lambda: '{"schema": 1}'.encode("utf-16"),
    "NUL bytes": lambda: b"\0" * MEGA,
    "one long string": lambda: b'"' + b"x" * (15 * MEGA) + b'"',
    "NaN": lambda: b'{"schema": NaN}',
    "deep in a record": lambda: (
        b'{"schema": 1, "applications": {}, "pending": [], "records": {"/x": {"owned": [{"pointer": "/a",'
        b' "member": null, "before": {"raw": "' + nested(100_000) + b'", "after": null}}]}}}'
    ),
    "a long pointer": lambda: (
        b'{"schema": 1, "applications": {}, "pending": [], "records": {"/x": {"owned": [{"pointer": "'
        + b"/a" * 500_000
        + b'", "member": null}]}}}'
    ),
    "a name with a NUL": lambda: (
        b'{"schema": 1, "applications": {}, "records": {}, "pending": ["/x\\u0000y"]}'
    ),
    "a name of surrogates": lambda: (
        b'{"schema": 1, "applications": {}, "records": {}, "pending": ["/x\\ud800y"]}'
    ),
}


@pytest.mark.parametrize("line", ["apply work", "unapply", "status"])
@pytest.mark.parametrize("make", LEDGER.values(), ids=LEDGER)
def test_a_ledger(make: Callable[[], bytes], line: str, home: Path, server: Server) -> None:
    state = home / ".local/state/kimi-profiles"
    state.mkdir(parents=True)
    (state / "ledger.json").write_bytes(make())

    check(home, server, {0, 77, 78}, *line.split())


TOKENS = {
    "empty": b"",
    "white space": b" \n" * 10_000,
    "long": b"x" * 60_000,
    "NUL": b"sk-a\0b",
    "two lines": b"sk-a\nsk-b",
    "UTF-16": "sk-a".encode("utf-16"),
    "not UTF-8": b"\xff\xfe\xfd",
    "an escape": b"sk-\x1b[2J",
    "more than is allowed": b"x" * (1 << 20),
}


@pytest.mark.parametrize("data", TOKENS.values(), ids=TOKENS)
def test_a_token_file(data: bytes, home: Path, server: Server) -> None:
    (home / "token").write_bytes(data)
    text = STORE.replace('auth.token.env = "CANARY"', 'auth.token.file = "~/token"')
    (home / ".config/kimi-profiles/profiles.toml").write_text(text, encoding="utf-8")

    check(home, server, {77, 78}, "apply", "work")


HUGE = [
    ".claude/settings.json",
    ".claude.json",
    ".config/kimi-profiles/profiles.toml",
    ".local/state/kimi-profiles/ledger.json",
    "token",
]


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_file_is_refused_before_it_is_read(name: str, home: Path, server: Server) -> None:
    text = STORE.replace('auth.token.env = "CANARY"', 'auth.token.file = "~/token"')
    (home / ".config/kimi-profiles/profiles.toml").write_text(text, encoding="utf-8")
    (home / "token").write_text(TOKEN, encoding="utf-8")
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    with (home / name).open("wb") as sparse:
        sparse.truncate(1 << 30)

    ran = server.run("apply", "work", "--home", str(home), limit_mb=ADDRESS_SPACE_MB)

    ran.check_words()
    assert ran.status == 77
    assert "larger than" in ran.err
    assert ran.seconds < 0.5
    assert ran.size_mb < 50


def test_a_large_file_of_the_usual_kind(home: Path, server: Server) -> None:
    data = projects(16 * MEGA)
    (home / ".claude.json").write_bytes(data)

    check(home, server, {0}, "apply", "work", "--quiet")
    check(home, server, {0}, "unapply", "--quiet")
    assert (home / ".claude.json").read_bytes() == data


def test_a_file_of_just_the_limit_costs_what_its_size_says(home: Path, server: Server) -> None:
    data = projects(MAX_SIZE_BYTES * 3 // 4)
    data += b" " * (MAX_SIZE_BYTES - 1_000 - len(data))
    (home / ".claude.json").write_bytes(data)

    for words in (["apply", "work"], ["unapply"]):
        ran = server.run(*words, "--quiet", "--home", str(home), limit_mb=2_048)
        print(f"{ran.seconds:.2f} s, {ran.size_mb:.0f} MB")
        assert ran.status == 0
        assert ran.seconds < LIMIT_S * MAX_SIZE_BYTES / (16 * MEGA)
        assert ran.size_mb < 9 * MAX_SIZE_BYTES / MEGA
    assert (home / ".claude.json").read_bytes() == data
