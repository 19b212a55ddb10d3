"""From a token reference to the token; nothing that goes wrong on the way shows it."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import time
import traceback
import types
from typing import TYPE_CHECKING, Any

import pytest
from support import run_with_secret_service

from kimi_profiles import credentials
from kimi_profiles.credentials import read_token, token_notices
from kimi_profiles.errors import NotPermittedError, ProfilesError, TokenUnavailableError
from kimi_profiles.profile import Profile, TokenRef

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "sk-kimi-" + "Zq9" * 12
on_posix = pytest.mark.skipif(os.name == "nt", reason="files have no mode on Windows")


def profile(reference: TokenRef | None, folder: Path | None = None) -> Profile:
    source = None if folder is None else str(folder / "profiles.toml")
    return Profile("work", "https://gateway.example", token=reference, source=source)


def failure(reference: TokenRef | None, folder: Path | None = None, **where: Any) -> ProfilesError:
    with pytest.raises(ProfilesError) as caught:
        read_token(profile(reference, folder), **where)
    shown = "".join(traceback.format_exception(caught.value)) + (caught.value.hint or "")
    assert "Zq9" not in shown
    return caught.value


def command(code: str, *arguments: str) -> TokenRef:
    words = (sys.executable, "-c", code, *arguments)
    return TokenRef("command", words[0], words)


def test_no_reference() -> None:
    error = failure(None)
    assert str(error) == "profile work does not say where its token is"
    assert error.exit_code == 78


def test_fixed() -> None:
    assert read_token(profile(TokenRef("fixed", "ollama")), env={}).reveal() == "ollama"


# ---- environment

ENV = {"as it is": TOKEN, "with blanks around": f" {TOKEN}\t", "with a line end": f"{TOKEN}\r\n"}


@pytest.mark.parametrize("value", ENV.values(), ids=ENV)
def test_env(value: str) -> None:
    assert read_token(profile(TokenRef("env", "MY_KEY")), env={"MY_KEY": value}).reveal() == TOKEN


def test_env_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", TOKEN)
    assert read_token(profile(TokenRef("env", "MY_KEY"))).reveal() == TOKEN
    failure(TokenRef("env", "MY_KEY"), env={})


BAD_ENV = {
    "not set": ({}, "the variable MY_KEY is not set"),
    "another case": ({"my_key": TOKEN}, "the variable MY_KEY is not set"),
    "empty": ({"MY_KEY": ""}, "the variable MY_KEY is empty"),
    "blank": ({"MY_KEY": " \n"}, "the variable MY_KEY is empty"),
    "two words": ({"MY_KEY": f"Bearer {TOKEN}"}, "the value of MY_KEY holds a blank"),
    "two lines": ({"MY_KEY": f"{TOKEN}\r\nx-api-key: {TOKEN}"}, "the value of MY_KEY holds a blank"),
    "too long": ({"MY_KEY": TOKEN * 200}, "the value of MY_KEY is longer than 8192"),
    "not UTF-8": ({"MY_KEY": TOKEN + "\udcff"}, "the value of MY_KEY holds"),
}


@pytest.mark.parametrize(("env", "message"), BAD_ENV.values(), ids=BAD_ENV)
def test_env_leads_nowhere(env: dict[str, str], message: str) -> None:
    error = failure(TokenRef("env", "MY_KEY"), env=env)
    assert str(error).startswith(message)
    assert isinstance(error, TokenUnavailableError)


# ---- file

CONTENT = {
    "as it is": TOKEN.encode(),
    "final newline": f"{TOKEN}\n".encode(),
    "CRLF": f"{TOKEN}\r\n".encode(),
    "byte order mark": f"\ufeff{TOKEN}\r\n".encode(),
    "blank lines around": f"\n {TOKEN}\n\n".encode(),
}


@pytest.mark.parametrize("data", CONTENT.values(), ids=CONTENT)
def test_file(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(data)
    assert read_token(profile(TokenRef("file", str(tmp_path / "key")))).reveal() == TOKEN


# text in the TOML → where it is; "home" and "folder" are two folders, the working directory a third
FILES = {
    "~/": ("~/a/key", "home/a/key"),
    "~//": ("~//a/key", "home/a/key"),
    "~\\": ("~\\key", "home/key"),
    "relative": ("a/key", "folder/a/key"),
    "relative, upwards": ("../home/key", "home/key"),
    "a tilde inside": ("a/~/key", "folder/a/~/key"),
    "another user's tilde is a name": ("~root/key", "folder/~root/key"),
    "a variable is a name": ("$HOME/key", "folder/$HOME/key"),
}


@pytest.mark.parametrize(("text", "place"), FILES.values(), ids=FILES)
def test_where_the_file_is(text: str, place: str, tmp_path: Path) -> None:
    for name in ("home", "folder", "cwd"):
        (tmp_path / name).mkdir()
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TOKEN)
    reference = TokenRef("file", text)
    folder, home = tmp_path / "folder", tmp_path / "home"
    assert read_token(profile(reference, folder), home=home).reveal() == TOKEN
    path.unlink()
    assert failure(reference, folder, home=home).message == "there is no such token file"


def test_without_a_folder_it_is_the_working_directory(
    isolated_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text(TOKEN)
    (isolated_environment / "own").write_text(TOKEN)
    assert read_token(profile(TokenRef("file", "key"))).reveal() == TOKEN
    assert read_token(profile(TokenRef("file", "~/own"))).reveal() == TOKEN


BAD_CONTENT = {
    "empty": (b"", "the content of the token file is empty"),
    "blank": (b" \n", "the content of the token file is empty"),
    "two lines": (f"{TOKEN}\n{TOKEN}\n".encode(), "the content of the token file holds a blank"),
    "two words": (f"KEY = {TOKEN}".encode(), "the content of the token file holds a blank"),
    "UTF-16": (f"\ufeff{TOKEN}".encode("utf-16-le"), "the token file is not UTF-8"),
    "NUL": (f"{TOKEN}\0".encode(), "the content of the token file holds"),
    "too long": (b"a" * 8193, "the content of the token file is longer than 8192"),
    "far too long": (b"a" * (65 << 10), "the file is larger than 64 KiB"),
}


@pytest.mark.parametrize(("data", "message"), BAD_CONTENT.values(), ids=BAD_CONTENT)
def test_the_file_holds_no_token(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    error = failure(TokenRef("file", str(path)))
    assert error.message.startswith(message)
    assert error.path == str(path)


def test_a_folder_is_no_token_file(tmp_path: Path) -> None:
    assert isinstance(failure(TokenRef("file", str(tmp_path))), NotPermittedError)
    assert isinstance(failure(TokenRef("file", "~"), home=tmp_path), NotPermittedError)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key")
    assert failure(TokenRef("file", str(tmp_path / "key"))).message == "this is a pipe, not a file"


@on_posix
@pytest.mark.parametrize(
    ("mode", "is_told"), [(0o600, False), (0o400, False), (0o700, False), (0o640, True), (0o604, True)]
)
def test_a_file_that_others_can_read_is_told(mode: int, tmp_path: Path, *, is_told: bool) -> None:
    path = tmp_path / "my key"
    path.write_text(TOKEN)
    path.chmod(mode)
    notices = token_notices(profile(TokenRef("file", "my key"), tmp_path))
    assert [notice.name for notice in notices] == ["token-file-readable"] * is_told
    for notice in notices:
        assert f"mode {mode:04o}" in notice.message
        assert notice.hint == f"chmod 600 '{path}'"
        assert TOKEN not in notice.message


SILENT = {
    "no reference": None,
    "env": TokenRef("env", "A"),
    "command": TokenRef("command", "true", ("true",)),
    "no such file": TokenRef("file", "absent"),
}


@pytest.mark.parametrize("reference", SILENT.values(), ids=SILENT)
def test_nothing_to_tell(reference: TokenRef | None, tmp_path: Path) -> None:
    assert token_notices(profile(reference, tmp_path)) == []


# ---- command

OUTPUT = {
    "as it is": f"print({TOKEN!r}, end='')",
    "final newline": f"print({TOKEN!r})",
    "CRLF": f"print({TOKEN!r}, end='\\r\\n')",
    "noise goes elsewhere": f"import sys; print('Password: ', file=sys.stderr); print({TOKEN!r})",
}


@pytest.mark.parametrize("code", OUTPUT.values(), ids=OUTPUT)
def test_command(code: str) -> None:
    assert read_token(profile(command(code))).reveal() == TOKEN


def test_the_command_s_errors_are_not_swallowed(capfd: pytest.CaptureFixture[str]) -> None:
    read_token(profile(command("import sys; sys.stderr.write('touch the key'); print('abc')")))
    assert capfd.readouterr() == ("", "touch the key")


@pytest.mark.parametrize("argument", ["$HOME", "a b", "`id`", "$(id)", ";id", "*", "~", "'", "%PATH%", "a&b"])
def test_no_shell_reads_the_command(argument: str) -> None:
    code = "import sys; print(sys.argv[1].encode().hex())"
    assert read_token(profile(command(code, argument))).reveal() == argument.encode().hex()


def test_the_command_has_no_standard_input_to_wait_for() -> None:
    assert read_token(profile(command("import sys; print(len(sys.stdin.read()))"))).reveal() == "0"


@pytest.mark.parametrize("stdin", [None, "closed"])
def test_nor_where_we_have_none(stdin: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = (tmp_path / "in").open("w")
    file.close()
    monkeypatch.setattr(sys, "stdin", None if stdin is None else file)
    assert read_token(profile(command("print('abc')"))).reveal() == "abc"


BAD_COMMANDS = {
    "it fails": (command(f"print({TOKEN!r}); raise SystemExit(3)"), "failed with exit status 3"),
    "no output": (command(""), "is empty"),
    "two lines": (command(f"print({TOKEN!r}); print({TOKEN!r})"), "holds a blank, a line end"),
    "not UTF-8": (command(f"import os; os.write(1, {TOKEN.encode()!r} + b'\\xff')"), "outside ASCII"),
    "colours": (command(f"print('\\x1b[31m' + {TOKEN!r})"), "outside ASCII"),
    "too long": (command("print('a' * 8193)"), "is longer than 8192"),
    "not installed": (TokenRef("command", "no-such-op", ("no-such-op", "read")), "is not installed"),
    "no such path": (TokenRef("command", "/no/such/op", ("/no/such/op",)), "is not installed"),
    "a command line is one word": (TokenRef("command", "echo abc", ("echo abc",)), "is not installed"),
    "a folder": (TokenRef("command", os.sep, (os.sep,)), "cannot be started"),
    "empty": (TokenRef("command", "", ("",)), "the token command"),
}


@pytest.mark.parametrize(("reference", "message"), BAD_COMMANDS.values(), ids=BAD_COMMANDS)
def test_the_command_gives_no_token(reference: TokenRef, message: str) -> None:
    error = failure(reference)
    assert isinstance(error, TokenUnavailableError)
    assert message in error.message
    assert ascii(reference.value) in error.message


@on_posix
def test_the_command_is_killed() -> None:
    assert "failed with signal 9" in failure(command("import os; os.kill(os.getpid(), 9)")).message


@on_posix
def test_the_command_may_not_be_run(tmp_path: Path) -> None:
    path = tmp_path / "op"
    path.write_text("#!/bin/sh\necho abc\n")
    assert (
        "cannot be started: Permission denied"
        in failure(TokenRef("command", str(path), (str(path),))).message
    )


def test_a_slow_command_is_given_up_and_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(credentials, "_COMMAND_TIMEOUT_S", 1.0)
    started = []
    original = subprocess.Popen

    def popen(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        started.append(original(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    start = time.monotonic()
    error = failure(command(f"import time; print({TOKEN!r}, flush=True); time.sleep(60)"))
    assert time.monotonic() - start < 20
    assert "did not answer in 1 s" in error.message
    assert started[0].poll() is not None


# ---- keyring

NOTHING_WITHOUT = (
    "keyring set 'other service' USERNAME, and set auth.token.username: some keyrings find nothing without it"
)
STORE = f"import keyring; keyring.set_password('kimi', 'me', {TOKEN!r})\n"
SETUP = """
from kimi_profiles.credentials import read_token
from kimi_profiles.errors import TokenUnavailableError
from kimi_profiles.profile import Profile, TokenRef
def read(*reference):
    try:
        profile = Profile("work", "https://gateway.example", token=TokenRef("keyring", *reference))
        print("found", read_token(profile).reveal())
    except TokenUnavailableError as error:
        print("error", error, "|", error.hint)
"""


def test_a_real_secret_service(tmp_path: Path) -> None:
    reads = "read('kimi'); read('kimi', ('me',)); read('kimi', ('you',)); read('other service')\n"
    first = run_with_secret_service(STORE + SETUP + reads, tmp_path)
    assert (first.stdout.splitlines(), first.stderr) == (
        [
            f"found {TOKEN}",
            f"found {TOKEN}",
            "error the keyring has no entry 'kimi' for 'you' | keyring set kimi you",
            f"error the keyring has no entry 'other service' | {NOTHING_WITHOUT}",
        ],
        "",
    )
    again = run_with_secret_service(SETUP + "read('kimi', ('me',))", tmp_path)
    assert again.stdout == f"found {TOKEN}\n"


def test_there_is_no_keyring() -> None:
    error = failure(TokenRef("keyring", "kimi"))
    assert error.message == "there is no keyring here"
    assert error.hint == "choose another kind of token reference"
    assert failure(TokenRef("keyring", "kimi", ("me",))).message == "there is no keyring here"


def test_a_backend_that_does_not_exist() -> None:
    code = SETUP + "read('kimi')"
    env = {**os.environ, "PYTHON_KEYRING_BACKEND": "no.such.Keyring"}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert run.stdout.startswith("error the keyring cannot be used: ModuleNotFoundError")


CREDENTIALS = {
    "as it is": (TOKEN, TOKEN),
    "with a line end": (f"{TOKEN}\n", TOKEN),
    "two lines": (f"{TOKEN}\n{TOKEN}", "the keyring entry 'kimi' holds a blank"),
    "blank": (" ", "the keyring entry 'kimi' is empty"),
    "empty": ("", "the keyring has no entry 'kimi'"),
}


@pytest.mark.parametrize(("password", "expected"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_what_the_keyring_holds(password: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    found = types.SimpleNamespace(username="me", password=password)
    monkeypatch.setattr(keyring, "get_keyring", object)
    monkeypatch.setattr(keyring, "get_credential", lambda service, username: found)
    if expected == TOKEN:
        assert read_token(profile(TokenRef("keyring", "kimi"))).reveal() == TOKEN
    else:
        assert failure(TokenRef("keyring", "kimi")).message.startswith(expected)


def test_a_backend_s_own_error_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(service: str, username: str | None) -> None:
        raise RuntimeError(TOKEN)

    keyring = pytest.importorskip("keyring")
    monkeypatch.setattr(keyring, "get_keyring", object)
    monkeypatch.setattr(keyring, "get_credential", fail)
    assert failure(TokenRef("keyring", "kimi")).message == "the keyring cannot be used: RuntimeError"


def test_the_keyring_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_keyring(name: str, *args: Any) -> Any:
        if name.partition(".")[0] == "keyring":
            raise ImportError(name)
        return original(name, *args)

    monkeypatch.setattr(builtins, "__import__", without_keyring)
    error = failure(TokenRef("keyring", "kimi"))
    assert error.message == "the keyring package is not installed"
    assert error.hint == "pip install 'kimi-profiles[keyring]'"
