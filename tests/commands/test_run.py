"""``run``: a program gets a profile, no file of the user's changes, and nothing of it is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from commands.conftest import TOKEN, Run, tree
from support import amount, require_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs as POSIX has them")

# Stands in for Claude Code: notes what it was given, and what the helper says.
CLAUDE = f"""\
#!{sys.executable} -IS
import json, os, subprocess, sys
flag = sys.argv[2] if sys.argv[1:2] == ["--settings"] else None
seen = {{"program": sys.argv[0], "arguments": sys.argv[1:], "env": dict(os.environ), "flag": flag}}
if flag:
    folder = os.path.dirname(flag)
    seen["settings"] = json.load(open(flag))
    paths = {{name: os.path.join(folder, name) for name in os.listdir(folder)}}
    seen["modes"] = {{name: os.stat(path).st_mode & 0o777 for name, path in paths.items()}}
    seen["mode"] = os.stat(folder).st_mode & 0o777
    helper = seen["settings"].get("apiKeyHelper")
    if helper:
        seen["helped"] = subprocess.run(helper, shell=True, capture_output=True, text=True, cwd="/").stdout
with open(os.environ["SEEN"], "w") as file:
    json.dump(seen, file)
sys.exit(int(os.environ.get("STATUS", "0")))
"""


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the PATH, with a ``claude`` in it."""
    folder = tmp_path / "a bin"
    folder.mkdir()
    make_program(folder / "claude", CLAUDE)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    return folder


@pytest.fixture
def seen(bin_folder: Path, tmp_path: Path) -> Callable[[], Any]:
    """What the stand-in was given."""
    return lambda: json.loads((tmp_path / "seen").read_text())


@pytest.fixture
def kept(home: Path) -> Path:
    """Where the private files are."""
    return home / ".local" / "state" / "kimi-profiles" / "run"


def make_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def state_of(home: Path) -> Path:
    return home / ".claude.json"


# what is typed behind `run home` → what the program gets
HANDED_ON: dict[str, tuple[str, list[str]]] = {
    "nothing": ("", []),
    "options": ("-p hi", ["-p", "hi"]),
    "options behind --": ("-- -p hi", ["-p", "hi"]),
    "a second --": ("-- --", ["--"]),
    "-- in the middle": ("-p -- hi", ["-p", "--", "hi"]),
    "what would be options of ours": (
        "--json -q --help --store x --version --exec y",
        ["--json", "-q", "--help", "--store", "x", "--version", "--exec", "y"],
    ),
    "blanks and quotes": ("-- 'a  b' '' '\"' '$x' '*'", ["a  b", "", '"', "$x", "*"]),
}


@pytest.mark.parametrize(("line", "arguments"), HANDED_ON.values(), ids=HANDED_ON)
def test_everything_behind_the_name_is_the_programs(
    run: Run, seen: Callable[[], Any], line: str, arguments: list[str]
) -> None:
    told = run(f"run home {line}")
    assert (told.status, told.out, told.err) == (0, "", "")
    assert seen()["arguments"][2:] == arguments


def test_the_profile_is_in_private_settings_and_in_the_environment(
    run: Run, home: Path, kept: Path, seen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_OF_TOMORROW", "CLAUDE_CODE_USE_VERTEX"):
        monkeypatch.setenv(name, "sk-test-of-the-shell-0123456789")
    assert run("run work").status == 0
    given = seen()
    env = given["settings"]["env"]
    for found in (env, given["env"]):
        assert found["ANTHROPIC_BASE_URL"] == "https://api.moonshot.cn/anthropic"
        assert found["ANTHROPIC_AUTH_TOKEN"] == TOKEN
        assert found["ANTHROPIC_MODEL"] == "kimi-k2.7-code"
    assert (env["ANTHROPIC_API_KEY"], env["CLAUDE_CODE_USE_VERTEX"]) == ("", "")
    assert "sk-test-of-the-shell-0123456789" not in given["env"].values()
    assert (given["modes"], given["mode"]) == ({"lock": 0o600, "settings.json": 0o600}, 0o700)
    assert Path(given["flag"]).parent.parent == kept
    assert TOKEN not in " ".join(given["arguments"])


@pytest.mark.parametrize("name", ["work", "home"])
@pytest.mark.parametrize("is_applied", [False, True], ids=["nothing applied", "applied"])
def test_no_file_of_the_users_changes_and_nothing_is_left(
    run: Run, home: Path, kept: Path, seen: Callable[[], Any], name: str, *, is_applied: bool
) -> None:
    state_of(home).write_text('{"primaryApiKey": "sk-test-login-0123456789"}')
    if is_applied:
        run("apply work -q")
    run(f"run {name}")  # makes the state folder, if there is none
    before = tree(home)
    assert run(f"run {name} -- -p hi").status == 0
    after = tree(home)
    del before[str(kept.relative_to(home))], after[str(kept.relative_to(home))]  # whose time it changes
    assert after == before
    assert list(kept.iterdir()) == []


def test_a_key_that_was_never_approved_comes_by_a_helper(
    run: Run, home: Path, seen: Callable[[], Any]
) -> None:
    assert run("run home").status == 0
    given = seen()
    assert given["helped"] == f"{TOKEN}\n"
    assert given["modes"] == {"lock": 0o600, "settings.json": 0o600, "token": 0o600}
    assert TOKEN not in json.dumps([given["settings"], given["env"].get("ANTHROPIC_API_KEY")])
    assert given["env"]["WORK_KEY"] == TOKEN  # the shell's own

    state_of(home).write_text(json.dumps({"customApiKeyResponses": {"approved": [TOKEN[-20:]]}}))
    assert run("run home").status == 0
    assert seen()["settings"]["env"]["ANTHROPIC_API_KEY"] == TOKEN
    assert seen()["settings"]["apiKeyHelper"] == ""


def test_beside_a_console_login_a_token_comes_by_a_helper(
    run: Run, home: Path, seen: Callable[[], Any]
) -> None:
    state_of(home).write_text('{"primaryApiKey": "sk-test-login-0123456789"}')
    assert run("run work").err == ""
    assert seen()["helped"] == f"{TOKEN}\n"

    told = run("run --keep-login work")
    assert "holds a Console login, whose key goes to" in told.err
    assert seen()["settings"]["env"]["ANTHROPIC_AUTH_TOKEN"] == TOKEN


def test_a_profile_with_a_helper_keeps_its_own(run: Run, home: Path, seen: Callable[[], Any]) -> None:
    store = home / "profiles.toml"
    store.write_text(f'{store.read_text()}\n[profiles.helped]\nextends = "work"\nauth.delivery = "helper"\n')
    assert run("run helped").status == 0
    given = seen()
    assert "token helped" in given["settings"]["apiKeyHelper"]
    assert given["helped"] == f"{TOKEN}\n"
    assert "token" not in given["modes"]
    assert "ANTHROPIC_AUTH_TOKEN" not in given["env"]


# the client's own --settings
OWN = {
    "words": "--settings '{file}' -p",
    "one word": "-p '--settings={file}'",
    "json": "-p --settings '{text}'",
}


@pytest.mark.parametrize("line", OWN.values(), ids=OWN)
def test_the_users_own_settings_are_merged(
    run: Run, tmp_path: Path, seen: Callable[[], Any], line: str
) -> None:
    text = '{"hooks": {"Stop": []}, "env": {"ANTHROPIC_BASE_URL": "https://other.example", "A": "b"}}'
    file = tmp_path / "my settings.json"
    file.write_text(text)
    assert run(f"run work {line.format(file=file, text=text)}").status == 0
    given = seen()
    assert given["arguments"][2:] == ["-p"]
    assert given["settings"]["hooks"] == {"Stop": []}
    assert given["settings"]["env"]["A"] == "b"
    assert given["settings"]["env"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.cn/anthropic"
    assert file.read_text() == text


# command line → exit status, what it says
REFUSED: dict[str, tuple[str, int, str]] = {
    "no name": ("run", 2, "NAME"),
    "no such profile": ("run nobody", 66, "nobody"),
    "json": ("run --json work", 2, "JSON"),
    "our own --settings": ("run --settings f work", 2, "run work --settings FILE"),
    "our own --settings before run": ("--settings f run work", 2, "run work --settings FILE"),
    "a scope": ("--scope local run work", 2, "no scope"),
    "a project": ("run --project / work", 2, "no scope"),
    "no such program": ("run --exec nobody work", 66, "no program 'nobody' on the PATH"),
    "no such path": ("run --exec ./nobody work", 66, "nobody: there is no such program"),
    "a folder": ("run --exec / work", 66, "there is no such program"),
    "an empty program": ("run --exec '' work", 2, "--exec is empty"),
    "settings that are not there": ("run work --settings nowhere.json", 66, "nowhere.json"),
    "settings that are broken": ("run work --settings '{,}'", 78, "1:2"),
    "an unknown option": ("run --nothing work", 2, "--nothing"),
}


@pytest.mark.usefixtures("bin_folder")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(run: Run, home: Path, tmp_path: Path, name: str) -> None:
    line, status, words = REFUSED[name]
    before = tree(home)
    told = run(line)
    assert told.status == status
    assert words in told.out + told.err
    assert not (tmp_path / "seen").exists()
    assert tree(home) == before


def test_settings_that_are_a_pipe_are_refused_and_not_waited_for(
    run: Run, bin_folder: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    told = run(f"run work --settings '{tmp_path}/pipe'")
    assert told.status == 77
    assert "this is a pipe" in told.err


def test_a_token_that_is_not_there_starts_nothing(
    run: Run, seen: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("run home").status == 0
    (tmp_path / "seen").unlink()
    monkeypatch.setenv("WORK_KEY", "")
    assert run("run work").status == 78
    monkeypatch.setenv("WORK_KEY", "sk-ant-test-0123456789")  # belongs elsewhere
    assert run("run work").status == 78
    assert not (tmp_path / "seen").exists()


def test_without_claude_code_it_says_how_to_get_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    told = run("run work")
    assert told.status == 66
    assert "install Claude Code" in told.err


def test_a_claude_in_the_working_directory_is_not_run(
    run: Run, bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bin_folder)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.pathsep}/nowhere")
    assert run("run work").status == 66
    assert run("run --exec ./claude work").status == 0
    assert (tmp_path / "seen").exists()


def test_another_program_gets_variables_and_no_settings(
    run: Run, bin_folder: Path, kept: Path, seen: Callable[[], Any], home: Path
) -> None:
    make_program(bin_folder / "other", CLAUDE)
    assert run("run --exec other home -p --settings x").status == 0
    given = seen()
    assert given["arguments"] == ["-p", "--settings", "x"]
    assert given["env"]["ANTHROPIC_API_KEY"] == TOKEN
    assert given["env"]["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:9/anthropic"
    assert not kept.exists()


@pytest.mark.parametrize("program", ["claude", "{}/claude"], ids=["name", "path"])
def test_a_program_called_claude_is_claude_code(
    run: Run, bin_folder: Path, seen: Callable[[], Any], program: str
) -> None:
    assert run(f"run --exec '{program.format(bin_folder)}' work x").status == 0
    assert seen()["arguments"][2:] == ["x"]
    assert seen()["settings"]["env"]["ANTHROPIC_AUTH_TOKEN"] == TOKEN


def test_a_link_is_started_by_its_own_name(run: Run, bin_folder: Path, seen: Callable[[], Any]) -> None:
    (bin_folder / "claude").rename(bin_folder / "shim")
    (bin_folder / "claude").symlink_to("shim")
    assert run("run work").status == 0
    assert seen()["program"] == str(bin_folder / "claude")


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_the_exit_status_is_that_of_the_program(
    run: Run, bin_folder: Path, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATUS", str(status))
    assert run("run work").status == status


def test_what_cannot_be_started_leaves_nothing(run: Run, bin_folder: Path, kept: Path) -> None:
    for text, status in (("no program", 77), ("#!/no/such/interpreter\n", 66)):
        make_program(bin_folder / "claude", text)
        assert run("run work").status == status
        assert list(kept.iterdir()) == []


def test_a_home_that_was_named_is_the_programs_home(
    run: Run, home: Path, seen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "/elsewhere")
    monkeypatch.setenv("XDG_STATE_HOME", "/elsewhere")
    assert run("run work").status == 0
    env = seen()["env"]
    assert env["HOME"] == str(home)
    assert "/elsewhere" not in env.values()


def test_a_program_that_starts_the_run_again_does_not_do_so_for_ever(
    run: Run, home: Path, bin_folder: Path, seen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("run work").status == 0
    name = "KIMI_PROFILES_RUN_DEPTH"
    assert seen()["env"][name] == "1"
    for said, status in (("1", 0), ("junk", 0), ("7", 0), ("8", 2)):
        monkeypatch.setenv(name, said)
        told = run("run work")
        assert told.status == status
    assert "does the program start this command again?" in told.err


def test_the_settings_of_a_profile_are_no_variables(run: Run, home: Path, bin_folder: Path) -> None:
    store = home / "profiles.toml"
    store.write_text(f'{store.read_text()}\n[profiles.own]\nextends = "work"\nsettings.theme = "dark"\n')
    assert "its settings are for Claude Code" in run("run --exec true own").err
    assert run("-q run --exec true own").err == ""


def test_what_managed_settings_say_otherwise_is_told(
    run: Run, bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kimi_profiles import paths

    monkeypatch.setattr(paths, "_MANAGED", {sys.platform: str(tmp_path / "managed")})
    (tmp_path / "managed").mkdir()
    managed = tmp_path / "managed" / "managed-settings.json"
    managed.write_text('{"env": {\n"ANTHROPIC_BASE_URL": "https://of-the-house.example"}}')
    told = run("run work")
    assert told.status == 0
    assert (
        f"ANTHROPIC_BASE_URL of work has no effect: managed settings say otherwise, in {managed}:2"
        in told.err
    )
    assert told.err.count("warning: ") == 1


def test_what_the_applied_profile_says_alone_is_not_used(
    run: Run, home: Path, seen: Callable[[], Any]
) -> None:
    store = home / "profiles.toml"
    store.write_text(
        f'{store.read_text()}\n[profiles.plain]\nbase_url = "http://127.0.0.1:9/plain"\n'
        'auth.token.env = "WORK_KEY"\n'
    )
    (home / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_MODEL": "mine"}}')
    run("apply work")
    run("run plain")
    env = seen()["settings"]["env"]
    assert env["ANTHROPIC_MODEL"] == "mine"
    assert (env["ANTHROPIC_DEFAULT_OPUS_MODEL"], env["CLAUDE_CODE_MAX_CONTEXT_TOKENS"]) == ("", "")


def test_the_model_of_the_shell_does_not_come_back_through_the_applied_profile(
    run: Run, home: Path, seen: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = home / "profiles.toml"
    store.write_text(
        f'{store.read_text()}\n[profiles.plain]\nbase_url = "http://127.0.0.1:9/plain"\n'
        'auth.token.env = "WORK_KEY"\n'
    )
    monkeypatch.setenv("ANTHROPIC_MODEL", "of-the-shell")
    run("apply work")
    run("run plain")
    assert seen()["settings"]["env"]["ANTHROPIC_MODEL"] == ""


def test_no_path_breaks_the_helpers_quoting(
    home: Path, seen: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kimi_profiles.cli import main

    odd = tmp_path / "a 'b' $(touch pwned) \"c\" \n d"
    home.rename(odd)
    monkeypatch.setenv("WORK_KEY", TOKEN)
    assert main(["--home", str(odd), "--store", str(odd / "profiles.toml"), "run", "home"]) == 0
    assert seen()["helped"] == f"{TOKEN}\n"


def test_a_path_that_claude_code_cannot_read_is_refused(
    home: Path, bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from kimi_profiles.cli import main

    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    home.rename(odd)
    monkeypatch.setenv("WORK_KEY", TOKEN)
    assert main(["--home", str(odd), "--store", str(odd / "profiles.toml"), "run", "work"]) == 2
    assert "is not UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "seen").exists()
    assert list((odd / ".local" / "state" / "kimi-profiles" / "run").iterdir()) == []


# As a process: what a supervisor sees.


@contextlib.contextmanager
def start(home: Path, *arguments: str, is_ignoring: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A run as a process, in a group of its own, of which nothing is left after the block."""
    words = [sys.executable, "-m", "kimi_profiles", "--home", home, "--store", home / "profiles.toml"]
    before = [require_tool("sh"), "-c", "trap '' INT; exec \"$@\"", "sh"] if is_ignoring else []
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*map(str, [*before, *words]), *arguments],
        env={**os.environ, "WORK_KEY": TOKEN},
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


WAITS = '#!/bin/sh\ntrap "echo told; exit 7" TERM\necho "$$ $2"\nwhile :; do sleep 0.02; done\n'
READS = '#!/bin/sh\necho "$$ $2"\nexec cat\n'


def first_line(process: subprocess.Popen[str]) -> tuple[int, Path]:
    """The number of the program, and its settings file."""
    assert process.stdout is not None
    number, path = process.stdout.readline().rstrip("\n").split(" ", 1)
    return int(number), Path(path)


def sweep(home: Path, name: str = "work") -> None:
    """The next run, of a program that ends at once."""
    with start(home, "run", "--exec", "true", name) as process:
        assert process.wait(20) == 0


def test_sigterm_goes_on_to_the_program_and_its_answer_comes_back(
    home: Path, bin_folder: Path, kept: Path
) -> None:
    make_program(bin_folder / "claude", WAITS)
    with start(home, "run", "work") as process:
        _, path = first_line(process)
        assert path.exists()
        process.terminate()
        assert (process.wait(20), process.stdout and process.stdout.read()) == (7, "told\n")
    assert list(kept.iterdir()) == []


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGINT"])
def test_a_program_that_is_killed_leaves_nothing_and_we_end_alike(
    home: Path, bin_folder: Path, kept: Path, name: str
) -> None:
    make_program(bin_folder / "claude", READS)
    with start(home, "run", "work") as process:
        number, path = first_line(process)
        assert path.exists()
        os.kill(number, getattr(signal, name))
        assert process.wait(20) == -getattr(signal, name)
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert list(kept.iterdir()) == []


def test_the_program_reads_and_writes_our_streams(home: Path, bin_folder: Path) -> None:
    make_program(bin_folder / "claude", "#!/bin/sh\ncat\necho error >&2\n")
    with start(home, "run", "work") as process:
        assert process.communicate("words", timeout=20) == ("words", "error\n")


@pytest.mark.parametrize("is_ignored", [False, True])
def test_the_program_ignores_sigint_if_we_were_told_to(home: Path, *, is_ignored: bool) -> None:
    line = ("run", "--exec", require_tool("grep"), "work", "SigIgn", "/proc/self/status")
    with start(home, *line, is_ignoring=is_ignored) as process:
        out, _ = process.communicate(timeout=20)
    assert bool(int(out.split()[1], 16) & 1 << signal.SIGINT - 1) is is_ignored


def test_after_a_kill_the_next_run_sweeps_but_not_before_the_program_has_ended(
    home: Path, bin_folder: Path, kept: Path
) -> None:
    make_program(bin_folder / "claude", READS)
    with start(home, "run", "work") as process:
        _, path = first_line(process)
        process.kill()
        process.wait(20)
        text = path.read_text()
        assert TOKEN in text
        sweep(home)
        assert path.read_text() == text
        assert process.stdin is not None
        process.stdin.close()  # so the program ends
        deadline = time.monotonic() + 20
        while path.exists() and time.monotonic() < deadline:
            sweep(home)
    assert list(kept.iterdir()) == []


# Runs of one process each, all forked from one that has everything imported, so that they really meet.
CROWD = """
import os, sys
from kimi_profiles.cli import main
home, told, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
start = ["--home", home, "--store", home + "/profiles.toml", "run"]
main([*start, "--exec", "true", "p0"])
for number in range(count):
    if os.fork() == 0:
        os.dup2(os.open(f"{told}/{number}", os.O_WRONLY | os.O_CREAT), 1)
        os._exit(main([*start, f"p{number}"]))
statuses = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(count)]
print(*sorted(statuses))
"""
STAYS = '#!/bin/sh\necho "$PPID $2"\nwhile [ ! -e "$GO" ]; do sleep 0.05; done\ncat "$2"\n'


def test_many_at_once_keep_their_own(home: Path, bin_folder: Path, kept: Path, tmp_path: Path) -> None:
    count, told, go = amount(20, 100), tmp_path / "told", tmp_path / "go"
    told.mkdir()
    make_program(bin_folder / "claude", STAYS)
    tables = (
        f'[profiles.p{number}]\nbase_url = "http://127.0.0.1:9/{number}/x"\nmodels.default = "m"\n'
        'auth.token.env = "WORK_KEY"\n'
        for number in range(count)
    )
    (home / "profiles.toml").write_text("".join(tables))
    command = [sys.executable, "-c", CROWD, home, told, str(count)]
    environment = {**os.environ, "WORK_KEY": TOKEN, "GO": str(go)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as crowd:
        try:
            wait_until(lambda: len(list(told.glob("*"))) == count and all(map(holds_line, told.iterdir())))
            lines = [(told / str(number)).read_text().splitlines()[0] for number in range(count)]
            victims = [int(line.split()[0]) for line in lines[::5]]
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            sweep(home, "p0")
        finally:
            go.touch()
        assert crowd.stdout is not None
        statuses = crowd.stdout.read().split()
    assert len({line.split(" ", 1)[1] for line in lines}) == count
    assert statuses == ["-9"] * len(victims) + ["0"] * (count - len(victims))
    wait_until(lambda: all((told / str(n)).read_text().endswith("}\n") for n in range(count)))
    for number in range(count):
        assert f"http://127.0.0.1:9/{number}/x" in (told / str(number)).read_text()
    wait_until(lambda: sweep(home, "p0") or list(kept.iterdir()) == [])  # once the last program has ended


def holds_line(path: Path) -> bool:
    return "\n" in path.read_text()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, "it is not so after 30 seconds"
        time.sleep(0.02)
