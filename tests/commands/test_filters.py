"""The filters ``merge``, ``unmerge`` and ``render``: bytes in, bytes out, and no file is touched."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from commands.conftest import TOKEN, tree
from support import require_tool

from kimi_profiles.cli import main
from kimi_profiles.ledger import Record

MINE = b'{\r\n\t"model": "opus",\r\n\t"env": { "EDITOR": "vi", "ANTHROPIC_API_KEY": "mine" }\r\n}'
HELPED = '\n[profiles.helped]\nextends = "work"\nauth.delivery = "helper"\n'


@dataclass(frozen=True)
class Told:
    """What a filter said; its output is bytes."""

    status: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Filter = Callable[..., Told]


@pytest.fixture
def store(home: Path) -> Path:
    """The profiles where they are found without being named, so that a helper need not name them."""
    usual = home / ".config" / "kimi-profiles" / "profiles.toml"
    usual.parent.mkdir(parents=True)
    (home / "profiles.toml").rename(usual)
    usual.write_text(usual.read_text() + HELPED)
    return usual


@pytest.fixture
def run(
    home: Path, store: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Filter:
    """Run one command line with bytes on its standard input; the token never shows on standard error."""
    monkeypatch.setenv("WORK_KEY", TOKEN)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")

    def told(line: str, stdin: bytes = b"") -> Told:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="ascii"))
        status = main(["--home", str(home), *shlex.split(line)])
        out, err = capfdbinary.readouterr()
        assert TOKEN.encode() not in err
        assert b"Traceback" not in err
        return Told(status, out, err.decode())

    return told


@pytest.fixture
def process(home: Path, store: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """The same as a process of its own, with real streams."""

    def ran(line: str, **streams: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "kimi_profiles", "--home", str(home), *shlex.split(line)],
            env={**os.environ, "WORK_KEY": TOKEN},
            **({"stdout": subprocess.PIPE} | streams),
            stderr=subprocess.PIPE,
            check=False,
        )

    return ran


# ---- bytes

TEXTS = {
    "CRLF and a value of the user's": MINE,
    "nothing": b"",
    "an empty object": b"{}",
    "a byte order mark": b'\xef\xbb\xbf{"a": "\xc3\xa9\\u00e9"}\n',
    "duplicates": b'{"a":1,"a":2,"env":{"X":1},"env":{"ANTHROPIC_MODEL":"x","ANTHROPIC_MODEL":"y"}}',
    "odd numbers": b'{"n": [1.0, 1E400, -0, 123456789012345678901234567890]}   ',
    "an emptied object": b'{"env": {  }}',
    "an emptied list": b'{"permissions": {"allow": [  ]}}',
}
PROFILES = ("work", "home")  # one with a token, one with a key


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_merge_prints_what_apply_would_write(text: bytes, name: str, run: Filter, home: Path) -> None:
    file = home / "some.json"
    if text:
        file.write_bytes(text)
    merged = run(f"merge {name}", text)
    assert (merged.status, merged.err) == (0, "")
    assert run(f"apply {name} --settings '{file}'").status == 0
    assert merged.out == file.read_bytes()
    assert run(f"merge {name}", merged.out).out == merged.out


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_with_a_record_every_byte_comes_back(text: bytes, name: str, run: Filter, home: Path) -> None:
    merged = run(f"merge {name} --record '{home}/kept'", text)
    back = run(f"unmerge {name} --record '{home}/kept'", merged.out)
    assert (back.status, back.out, back.err) == (0, text, "")


def test_without_a_record_what_was_added_goes_again(run: Filter) -> None:
    text = b'\xef\xbb\xbf{\r\n\t"model": "opus",\r\n\t"env": { "EDITOR": "vi" } }'
    back = run("unmerge work", run("merge work", text).out)
    assert (back.status, back.out, back.err) == (0, text, "")


def test_the_streams_of_a_process_carry_bytes(process: Callable[..., Any]) -> None:
    text = MINE.replace(b', "ANTHROPIC_API_KEY": "mine"', b"") + b"\xef\xbb\xbf"[:0] + b"\r\n\n"
    merged = process("merge work", input=text)
    assert merged.stdout.startswith(b'{\r\n\t"model": "opus",\r\n\t"env": { "EDITOR": "vi", "ANTHROPIC_B')
    assert merged.stdout.endswith(b"\r\n}\r\n\n")
    assert process("unmerge work", input=merged.stdout).stdout == text


@pytest.mark.once
def test_a_text_of_20_megabytes_is_no_trouble(run: Filter) -> None:
    entry = b'    "a hook that somebody wrote, and wrote again \\u00e9"'
    text = b'{\n  "hooks": [\n' + b",\n".join([entry] * 350_000) + b"\n  ]\n}\n"
    assert len(text) > 20_000_000
    merged = run("merge work", text)
    assert len(text) < len(merged.out) < len(text) + 3_000
    back = run("unmerge work", merged.out).out
    assert hashlib.sha256(back).digest() == hashlib.sha256(text).digest()


# ---- nothing is touched

LINES = [
    "merge work",
    "merge helped",
    "merge work --json",
    "merge work --json --record '{home}/none'",
    "merge work --record '{home}/kept'",
    "unmerge work",
    "unmerge work --json",
    "unmerge work --record '{home}/kept'",
    "render work",
    "render helped --json",
    "render work --helper",
    "merge --help",
    "unmerge --help",
    "render --help",
]


@pytest.mark.parametrize("line", LINES)
def test_no_file_is_touched(line: str, run: Filter, home: Path) -> None:
    merged = run(f"merge work --record '{home}/kept'", MINE).out
    run("apply home -q")
    before = tree(home)
    assert run(line.format(home=home), merged).status == 0
    assert tree(home) == before


# ---- input that is no settings

REFUSED = {
    "not UTF-8": (b'{"a":\n "\xe9"}', "<stdin>:2:3: this is not UTF-8", 78),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "<stdin>:1:1: this is UTF-16", 78),
    "a comment": (b'{\n  "a": 1 // why\n}', "<stdin>:2:10: comments are not JSON", 78),
    "a trailing comma": (b'{"a": 1,}', "<stdin>:1:8: a comma behind the last member is not JSON", 78),
    "no object": (b"[]", "<stdin>:1:1: the whole document is not an object", 78),
    "no place": (b'{\n "env": 7}', "<stdin>:2:9: /env is not an object", 78),
    "a surrogate": (b'{"a": 1}\xed\xa0\x80', "<stdin>:1:9: this is not UTF-8", 78),
    "too deep": (b"[" * 100_000, "<stdin>:1:65: lists and objects are nested more than 64 deep", 78),
    "no end": (b'{"a', "<stdin>:1:2: this string is not closed", 78),
}


@pytest.mark.parametrize(("text", "reason", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_settings_is_refused_by_name(text: bytes, reason: str, status: int, run: Filter) -> None:
    told = run("merge work", text)
    assert (told.status, told.out) == (status, b"")
    assert told.err.startswith(f"kimi-profiles: {reason}")
    error = run("merge work --json", text).json["error"]
    assert (error["path"], error["name"]) == ("<stdin>", "target-unreadable")
    if "place" not in reason and "object" not in reason:
        assert run("unmerge work", text).err.startswith(f"kimi-profiles: {reason}")


@pytest.mark.once
def test_input_without_an_end_is_refused(process: Callable[..., Any]) -> None:
    with Path("/dev/zero").open("rb") as endless:
        told = process("merge work", stdin=endless)
    assert (told.returncode, told.stdout) == (77, b"")
    assert b"<stdin>: the input is larger than 64 MiB" in told.stderr


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("command", ["merge", "unmerge"])
def test_a_terminal_is_not_waited_for(command: str, process: Callable[..., Any]) -> None:
    ours, theirs = os.openpty()
    try:
        told = process(f"{command} work", stdin=theirs, timeout=30)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (told.returncode, told.stdout) == (2, b"")
    assert f"kimi-profiles {command} NAME < settings.json > settings.new".encode() in told.stderr


@pytest.mark.parametrize("command", ["merge", "unmerge"])
def test_a_file_is_not_filtered_into_itself(command: str, process: Callable[..., Any], home: Path) -> None:
    file = home / "settings.json"
    file.write_bytes(MINE)
    with file.open("rb") as source, file.open("ab") as target:
        told = process(f"{command} work", stdin=source, stdout=target)
    assert told.returncode == 2
    assert b"are the same file" in told.stderr
    assert file.read_bytes() == MINE


# ---- the token

FAILS: dict[str, tuple[str, str | None, int, str]] = {
    "no such profile": ("nobody", TOKEN, 66, "nobody"),
    "no name for a profile": ("'a\x1b[31m\nb'", TOKEN, 66, "\\x1b[31m\\n"),
    "no token": ("work", None, 78, "the variable WORK_KEY is not set"),
    "an empty token": ("work", "", 78, "the variable WORK_KEY is empty"),
    "a key of another provider's": ("work", "sk-ant-1234567890", 78, "does not belong at api.moonshot.cn"),
    "two words": ("work", "sk-test one", 78, "blank"),
}


@pytest.mark.parametrize("command", ["merge", "render"])
@pytest.mark.parametrize("failure", FAILS.values(), ids=FAILS)
def test_without_its_token_nothing_comes_out(
    command: str, failure: tuple[str, str | None, int, str], run: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, token, status, reason = failure
    monkeypatch.setenv("WORK_KEY", token or "")
    if token is None:
        monkeypatch.delenv("WORK_KEY")
    told = run(f"{command} {name}", b"{}")
    assert (told.status, told.out) == (status, b"")
    assert reason in told.err
    assert "\x1b" not in told.err


@pytest.mark.parametrize("line", ["merge work", "unmerge work", "render work"])
def test_json_says_what_would_change_and_masks_the_token(line: str, run: Filter) -> None:
    text = b"{}" if line.startswith("merge") else run("merge work").out
    told = run(f"{line} --json", text)
    assert TOKEN.encode() not in told.out
    answer = told.json
    assert {key: answer[key] for key in ("schema", "ok", "command", "profile")} == {
        "schema": 1,
        "ok": True,
        "command": line.partition(" ")[0],
        "profile": "work",
    }
    masked = {"secret": True, "fingerprint": hashlib.sha256(TOKEN.encode()).hexdigest()[:8]}
    if line == "render work":
        assert answer["settings"]["env"]["ANTHROPIC_AUTH_TOKEN"] == masked
        assert answer["settings"]["env"]["CLAUDE_CODE_OAUTH_TOKEN"] == ""
        return
    assert answer["changed"] is True
    assert answer["drift"] == []
    changes = {change["pointer"]: change for change in answer["changes"]}
    before, after, action = (None, masked, "add") if line == "merge work" else (masked, None, "remove")
    assert changes["/env/ANTHROPIC_AUTH_TOKEN"] == {
        "pointer": "/env/ANTHROPIC_AUTH_TOKEN",
        "action": action,
        "before": before,
        "after": after,
    }


def test_json_says_that_nothing_changes(run: Filter) -> None:
    answer = run("merge work --json", run("merge work").out).json
    assert (answer["changed"], answer["changes"]) == (False, [])


@pytest.mark.skipif(os.name == "nt", reason="there are no modes")
@pytest.mark.parametrize(
    ("line", "mode", "is_told"),
    [
        ("merge work", 0o644, True),
        ("render work", 0o640, True),
        ("merge work", 0o600, False),
        ("merge work --quiet", 0o644, False),
        ("merge helped", 0o644, False),
    ],
)
def test_a_token_in_a_file_that_others_can_read_is_told(
    line: str, mode: int, process: Callable[..., Any], home: Path, *, is_told: bool
) -> None:
    file = home / "out.json"
    file.touch()
    file.chmod(mode)
    with file.open("wb") as target:
        told = process(line, input=b"", stdout=target)
    assert told.returncode == 0
    assert (f"a file that others can read (mode {mode:04o})".encode() in told.stderr) is is_told
    assert (TOKEN.encode() in file.read_bytes()) is ("helped" not in line)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error(process: Callable[..., Any]) -> None:
    with Path("/dev/full").open("wb") as full:
        told = process("merge work", input=b"", stdout=full)
    assert told.returncode == 1
    assert b"No space left" in told.stderr


# ---- the helper


@pytest.mark.parametrize("line", ["merge helped", "merge work --helper", "render work --helper"])
def test_a_helper_needs_no_token_and_writes_none(
    line: str, run: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORK_KEY")
    told = run(line)
    settings = told.json
    name = "helped" if "helped" in line else "work"
    assert (told.status, told.err) == (0, "")
    assert settings["apiKeyHelper"] == f"kimi-profiles token {name} --for https://api.moonshot.cn/anthropic"
    assert settings["env"]["ANTHROPIC_AUTH_TOKEN"] == settings["env"]["ANTHROPIC_API_KEY"] == ""


def test_a_helper_that_is_not_on_the_path_is_told(run: Filter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert "not on the PATH" in run("merge helped").err
    assert run("merge work").err == ""


@pytest.mark.parametrize("is_named", [False, True], ids=["usual store", "named store"])
def test_the_helper_works_in_a_shell(
    process: Callable[..., Any], home: Path, store: Path, *, is_named: bool
) -> None:
    line = "merge helped"
    if is_named:
        other = home / "it's a store.toml"
        store.rename(other)
        line = f"merge helped --store {shlex.quote(str(other))}"
    helper = json.loads(process(line, input=b"").stdout)["apiKeyHelper"]
    folder = Path(sys.executable).parent
    if not (folder / "kimi-profiles").exists():
        pytest.skip("the command is not installed beside this Python")
    env = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "WORK_KEY": TOKEN}
    done = subprocess.run(
        [require_tool("sh"), "-c", helper], env=env, cwd="/", capture_output=True, check=True
    )
    assert done.stdout == f"{TOKEN}\n".encode()


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_helper_whose_path_is_not_text_is_refused(
    run: Filter, home: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(os.fsdecode(os.fsencode(home) + b"/\xff.toml"))
    shutil.copy(store, other)
    monkeypatch.setenv("KIMI_PROFILES_STORE", str(other))
    told = run("merge helped")
    assert (told.status, told.out) == (2, b"")
    assert "not UTF-8" in told.err


# ---- without a record


def test_switching_is_a_pipeline(run: Filter) -> None:
    old = run("merge home", b'{"model": "opus"}').out
    new = run("merge work", run("unmerge home", old).out)
    assert new.out == run("merge work", b'{"model": "opus"}').out


def test_switching_is_one_call_too_and_no_broken_input_gets_lost_in_it(run: Filter) -> None:
    old = run("merge home", b'{"model": "opus"}').out
    new = run("merge work", b'{"model": "opus"}').out
    assert run("merge work --without home --without helped", old).out == new
    assert run("merge work --without work", new).out == new
    assert run("merge work --without home", b'{"model":}').status == 78
    assert run("merge work --without nobody", old).status == 66
    assert run("merge work --without home --record kept", old).status == 2


def test_json_masks_what_the_user_had(run: Filter) -> None:
    text = b'{"env": {"ANTHROPIC_AUTH_TOKEN": "the-users"}, "apiKeyHelper": "echo the-users"}'
    told = run("merge work --json", text)
    assert b"the-users" not in told.out
    changes = {change["pointer"]: change for change in told.json["changes"]}
    assert changes["/env/ANTHROPIC_AUTH_TOKEN"]["before"]["secret"] is True
    assert changes["/apiKeyHelper"]["before"]["secret"] is True


def test_what_somebody_changed_stays_and_is_told(run: Filter) -> None:
    merged = run("merge work").out.replace(
        b'"ANTHROPIC_MODEL": "kimi-k2.7-code"', b'"ANTHROPIC_MODEL": "mine"'
    )
    back = run("unmerge work", merged)
    assert back.json == {"env": {"ANTHROPIC_MODEL": "mine"}}
    assert back.err == "  ! /env/ANTHROPIC_MODEL was changed since by somebody else: left as it is\n"
    assert run("unmerge work --quiet", merged).err == ""
    assert run("unmerge work --json", merged).json["drift"] == [
        {"pointer": "/env/ANTHROPIC_MODEL", "kept": True}
    ]


def test_no_token_is_needed_to_take_one_out(run: Filter, monkeypatch: pytest.MonkeyPatch) -> None:
    merged = run("merge work").out
    monkeypatch.delenv("WORK_KEY")
    back = run("unmerge work", merged)
    assert (back.status, back.out, back.err) == (0, b"", "")


def test_a_credential_that_is_not_the_profiles_is_told(run: Filter) -> None:
    merged = run("merge work").out.replace(b'"ANTHROPIC_API_KEY": ""', b'"ANTHROPIC_API_KEY": "sk-beside"')
    told = run("unmerge work", merged)
    assert told.out == b""
    assert told.err.startswith("warning: /env/ANTHROPIC_API_KEY is not what profile work writes there")
    assert "sk-beside" not in told.err
    assert run("unmerge work --json", merged).json["warnings"][0]["name"] == "credential-taken-out"


# ---- with a record


def test_a_record_is_private_and_left_alone_if_it_says_all(run: Filter, home: Path) -> None:
    record = home / "kept"
    merged = run(f"merge work --record '{record}'", MINE)
    assert merged.status == 0
    if os.name != "nt":
        assert record.stat().st_mode & 0o777 == 0o600
    assert TOKEN not in record.read_text()
    before = tree(home)
    assert run(f"merge work --record '{record}'", merged.out).out == merged.out
    assert tree(home) == before
    record.chmod(0o644)
    run(f"merge work --record '{record}'", merged.out)
    if os.name != "nt":
        assert record.stat().st_mode & 0o777 == 0o600


def test_a_switch_with_a_record_takes_the_old_profile_out(run: Filter, home: Path) -> None:
    line = f"merge {{}} --record '{home}/kept'"
    old = run(line.format("home"), MINE).out
    new = run(line.format("work"), old).out
    assert new == run("merge work", MINE).out
    assert run(f"unmerge work --record '{home}/kept'", new).out == MINE


def test_output_that_nobody_kept_does_no_harm(run: Filter, home: Path) -> None:
    line = f"merge {{}} --record '{home}/kept'"
    old = run(line.format("home"), MINE).out
    run(line.format("work"), old)  # as a dry run does
    assert run(f"unmerge home --record '{home}/kept'", old).out == MINE
    new = run(line.format("work"), old)
    assert new.err == ""
    assert run(f"unmerge work --record '{home}/kept'", new.out).out == MINE


def test_the_way_back_needs_no_profile_any_more(run: Filter, home: Path, store: Path) -> None:
    merged = run(f"merge work --record '{home}/kept'", MINE).out
    store.unlink()
    assert run("unmerge work", merged).status == 66
    assert run(f"unmerge work --record '{home}/kept'", merged).out == MINE


def test_an_edit_since_is_kept_and_told_by_both(run: Filter, home: Path) -> None:
    kept = f"--record '{home}/kept'"
    merged = run(f"merge work {kept}", MINE).out
    edited = merged.replace(b'"ANTHROPIC_API_KEY": ""', b'"ANTHROPIC_API_KEY": "newer"')
    told = run(f"unmerge work {kept}", edited)
    assert told.json["env"] == {"EDITOR": "vi", "ANTHROPIC_API_KEY": "newer"}
    assert "/env/ANTHROPIC_API_KEY was changed since by somebody else: left as it is" in told.err
    again = run(f"merge work {kept}", edited)
    assert "replaced; their value comes back at unmerge" in again.err
    assert run(f"unmerge work {kept}", again.out).json["env"]["ANTHROPIC_API_KEY"] == "newer"


BROKEN = {
    "settings": '{"env": {}}',
    "no JSON": "{",
    "no object": "[]",
    "another schema": '{"schema": 2, "record": {}, "base": null}',
    "no record": '{"schema": 1, "record": {}, "base": null}',
    "a base that is no text": '{"schema": 1, "record": {}, "base": 7}',
    "a base that cannot be printed": '{"schema": 1, "record": {}, "base": "\\ud800"}',
    "too deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("command", ["merge", "unmerge"])
def test_what_is_no_record_is_refused_and_not_overwritten(
    command: str, text: str, run: Filter, home: Path
) -> None:
    record = home / "kept"
    record.write_text(text)
    told = run(f"{command} work --record '{record}'", b"{}")
    assert (told.status, told.out) == (78, b"")
    assert str(record) in told.err
    assert record.read_text() == text


CONTRADICTIONS = {
    "the whole document": [""],
    "one inside the other": ["/env", "/env/EDITOR"],
    "the same twice over": ["/env/EDITOR/x/y", "/env", "/env/EDITOR"],
}


@pytest.mark.parametrize("pointers", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
@pytest.mark.parametrize("command", ["merge", "unmerge"])
def test_a_record_that_somebody_made_up_is_refused(
    command: str, pointers: list[str], run: Filter, home: Path
) -> None:
    file = home / "kept"
    text = run(f"merge work --record '{file}'", MINE).out
    document = json.loads(file.read_text())
    entry = document["record"]["owned"][0] | {"before": {"raw": "1", "after": None}}
    known = Record.from_json(document["record"])
    settings = json.loads(text)
    values = {"": settings, "/env": settings["env"], "/env/EDITOR": "vi"}
    document["record"]["owned"] = [
        entry | {"pointer": pointer, "wrote": [known.digest(pointer, json.dumps(values.get(pointer)))]}
        for pointer in pointers
    ]
    document["record"]["texts"] = []
    file.write_text(json.dumps(document))
    told = run(f"{command} work --record '{file}'", text)
    assert (told.status, told.out) == (78, b"")
    assert f"{file}: the record contradicts itself" in told.err


def test_a_record_that_is_not_there(run: Filter, home: Path) -> None:
    told = run(f"unmerge work --record '{home}/none'", b"{}")
    assert (told.status, told.out) == (66, b"")
    assert run("merge work --record ''", b"{}").status == 2
    told = run(f"merge work --record '{home}/no/folder'", b"{}")
    assert (told.status, told.out) == (66, b"")
    assert f"{home}/no: there is no such folder" in told.err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_record_that_is_no_file_is_refused(run: Filter, home: Path) -> None:
    os.mkfifo(home / "pipe")
    (home / "link").symlink_to("nowhere/at/all")
    for name in ("pipe", ".claude", "link"):
        told = run(f"merge work --record '{home}/{name}'", b"{}")
        assert (told.status, told.out) == (77, b"")


def test_a_record_behind_a_link_keeps_the_link(run: Filter, home: Path) -> None:
    (home / "folder").mkdir()
    merged = run(f"merge home --record '{home}/folder/real'", MINE)
    (home / "kept").symlink_to("folder/real")
    merged = run(f"merge work --record '{home}/kept'", merged.out)
    assert (home / "kept").readlink() == Path("folder/real")
    (home / "kept").unlink()
    assert run(f"unmerge work --record '{home}/folder/real'", merged.out).out == MINE


@pytest.mark.once
def test_a_record_that_git_tracks_is_refused(run: Filter, home: Path) -> None:
    git = require_tool("git")
    record = home / "kept"
    record.write_text("")
    for command in (["init", "-q"], ["add", "kept"]):
        subprocess.run([git, "-C", str(home), *command], check=True, capture_output=True)
    record.unlink()
    told = run(f"merge work --record '{record}'", MINE)
    assert (told.status, told.out) == (77, b"")
    assert "git tracks this file" in told.err
    assert not record.exists()


# ---- render


def test_render_prints_settings_for_the_strongest_layer(run: Filter) -> None:
    told = run("render work")
    settings = told.json
    assert told.status == 0
    assert told.out == run("merge work").out
    assert settings["env"]["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    masks = {name for name, value in settings["env"].items() if value == ""}
    assert masks >= {"ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS"}
    assert settings["apiKeyHelper"] == ""


def test_render_says_that_the_text_holds_a_token(run: Filter) -> None:
    assert run("render work").err.startswith("warning: this text holds the token\n")
    assert run("render work --quiet").err == ""
    assert run("render helped").err == ""
    assert run("render work --json").json["warnings"] == []


def test_render_needs_no_input(process: Callable[..., Any]) -> None:
    assert process("render work", stdin=subprocess.DEVNULL).returncode == 0
