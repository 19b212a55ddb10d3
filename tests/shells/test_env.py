"""What the real shells make of our text: every variable arrives byte for byte, and nothing else happens."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from support import ROOT, amount, require_tool

from kimi_profiles import startup
from kimi_profiles.cli import main
from kimi_profiles.errors import InvalidError, TokenUnavailableError
from kimi_profiles.secrets import Secret
from kimi_profiles.shells import fish_quote, posix_quote, render, render_unset
from kimi_profiles.startup import snippet as make_snippet

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

TOKEN = "sk-test-0123456789abcdefghij"
COMMANDS = {
    "sh": ("dash",),
    "bash": ("bash", "--norc", "--noprofile"),
    "zsh": ("zsh", "-f"),
    "fish": ("fish", "--no-config"),
}
SHELLS = tuple(COMMANDS)
# Ways to read a text that change what quotation marks or errors mean.
MODES = {
    "sh -eu": ("sh", "set -eu\n"),
    "bash -eu": ("bash", "set -eu -o pipefail\n"),
    "bash as POSIX": ("bash", "set -o posix\n"),
    "bash with history": ("bash", "set -o history -o histexpand\n"),
    "zsh -eu": ("zsh", "set -eu\n"),
    "zsh with other quotes": ("zsh", "setopt rc_quotes ksh_arrays sh_word_split glob_subst\n"),
    "zsh that warns": ("zsh", "setopt warn_create_global err_return no_clobber no_global_export\n"),
    "zsh as sh": ("zsh", "emulate sh\n"),
}


@dataclass(frozen=True)
class Ran:
    """What a shell did: the environment of a program at its end, and what it said."""

    env: dict[str, bytes]
    err: str
    status: int


def run(
    shell: str, script: str, home: Path, *, env: dict[str, str] | None = None, path: str | None = None
) -> Ran:
    """Run ``script``, and then a program that says what its environment is."""
    require_tool(COMMANDS[shell][0])
    file = home / f"script of {shell} {threading.get_ident()} {time.monotonic_ns()}"
    file.write_bytes((script + "\n/usr/bin/env -0\n").encode("utf-8", "surrogateescape"))
    done = subprocess.run(
        [*COMMANDS[shell], file],
        env={"HOME": str(home), "PATH": path or os.environ["PATH"], "LC_ALL": "C.UTF-8", **(env or {})},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    file.unlink()
    entries = (entry.partition(b"=") for entry in done.stdout.split(b"\0") if b"=" in entry)
    found = {os.fsdecode(name): value for name, _, value in entries}
    return Ran(found, done.stderr.decode("utf-8", "replace"), done.returncode)


HOSTILE = {
    "single quotes": "it's 'a' '' '\\'' '",
    "double quotes": 'say "x" "',
    "a variable": "$HOME ${HOME} $(touch pwned) $((1+1))",
    "backticks": "`touch pwned`",
    "history": "!! !touch ^a^b !$",
    "backslashes": "\\ \\\\ \\n \\' \\\" \\",
    "line ends": "\na\n\nb\r\nc\n\n",
    "blanks": " \t a  b \t ",
    "non-ASCII": "é 漢字 \U0001f600 \u2019 \u2028 \u00a0 \ufeff",
    "bytes that dash uses itself": "\x81\x82\x83\x84\x85\x86\x87\x88 \u0081\u0088",
    "control characters": "".join(map(chr, range(1, 32))) + "\x7f\x9f",
    "globs and braces": "* ? [a-z] {a,b} ~ ~root #c",
    "an option": "-n",
    "an operator": "; touch pwned & | < > ( ) && ||",
    "an assignment": "A=b",
    "empty": "",
    "as long as Linux takes it": "x'" * 65_530 + "x",
    "a PATH": "a::b:",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_value_arrives_byte_for_byte(shell: str, tmp_path: Path) -> None:
    variables = {f"V{number}_PATH": value for number, value in enumerate(HOSTILE.values())}
    ran = run(shell, render(variables, shell), tmp_path)
    assert {name: ran.env[name] for name in variables} == {n: v.encode() for n, v in variables.items()}
    assert (ran.err, ran.status) == ("", 0)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(("shell", "mode"), MODES.values(), ids=MODES)
def test_options_of_the_shell_change_nothing(shell: str, mode: str, tmp_path: Path) -> None:
    variables: dict[str, str | None] = {f"V{n}": value for n, value in enumerate(HOSTILE.values())}
    ran = run(
        shell, mode + render({"GONE": None, "NEVER": None} | variables, shell), tmp_path, env={"GONE": "x"}
    )
    assert {name: ran.env[name].decode() for name in variables} == variables
    assert ("GONE" in ran.env, ran.err, ran.status) == (False, "", 0)
    assert not (tmp_path / "pwned").exists()


def test_one_byte_more_and_no_program_starts(tmp_path: Path) -> None:
    """What is refused for its length would break every command in that shell."""
    if sys.platform != "linux":
        pytest.skip("other systems have other limits")
    with pytest.raises(InvalidError, match="131072"):
        render({"V": "x" * 131_070}, "sh")
    assert run("sh", f"export V='{'x' * 131_069}'", tmp_path).env["V"] == b"x" * 131_069
    assert run("sh", f"export V='{'x' * 131_070}'", tmp_path).env == {}


EVALUATIONS = {"sh": 'eval "$({})"', "bash": 'eval "$({})"', "zsh": 'eval "$({})"', "fish": "{} | source"}


@pytest.mark.parametrize("shell", SHELLS)
def test_random_values_arrive_by_the_documented_command(shell: str, tmp_path: Path) -> None:
    marks = [*"'\"\\$`!#~*?[]{}();&|<>=-^%@,. \n\t\rab", "é", "\u0081", "\x88", "漢", "\U0001f600"]
    variables = {
        f"V{number}": "".join(random.choices(marks, k=random.randint(0, 12)))
        for number in range(amount(300, 20000))
    }
    text = tmp_path / "the text"
    text.write_bytes(render(variables, shell).encode())
    quote = fish_quote if shell == "fish" else posix_quote
    ran = run(shell, EVALUATIONS[shell].format(f"cat {quote(str(text))}"), tmp_path)
    assert {name: ran.env[name] for name in variables} == {n: v.encode() for n, v in variables.items()}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_way_back(shell: str, tmp_path: Path) -> None:
    text = render({"A": "it's", "B": "b"}, shell) + render_unset(["A", "B", "NEVER_SET"], shell)
    ran = run(shell, text, tmp_path, env={"A": "inherited"})
    assert not {"A", "B", "NEVER_SET"} & set(ran.env)


def test_a_universal_variable_of_fish_does_not_ride_along(tmp_path: Path) -> None:
    with_config = ("fish",)
    script = "set -Ux KEY universal; exec fish -c $argv[1]"
    require_tool("fish")
    done = subprocess.run(
        [*with_config, "-c", script, render({"KEY": None}, "fish") + "env; set -U"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "KEY=\n" in done.stdout
    assert "KEY universal" in done.stdout  # it stays the user's


NAMES = {
    "sh": "set",
    "bash": "compgen -v",
    "zsh": "zmodload zsh/parameter zsh/terminfo zsh/datetime; print -l ${(k)parameters}",
    "fish": "set -n",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_variable_that_the_shell_knows_arrives_or_is_refused(shell: str, tmp_path: Path) -> None:
    require_tool(COMMANDS[shell][0])
    known = subprocess.run(
        [*COMMANDS[shell], "-c", NAMES[shell]], capture_output=True, text=True, cwd=tmp_path, check=True
    ).stdout
    names = {line.partition("=")[0] for line in known.splitlines()} | {"OPTIND", "IFS"}
    value = "x[$(touch pwned)]:'b"
    wrong, refused = [], 0
    for name in sorted(name for name in names if name.isidentifier() and name.isascii()):
        try:
            text = render({name: value}, shell)
        except InvalidError:
            refused += 1
            continue
        if run(shell, text, tmp_path).env.get(name) != value.encode():
            wrong.append(name)
    assert wrong == []
    assert refused > 0
    assert not (tmp_path / "pwned").exists()


def test_a_dotenv_file_is_read_alike(tmp_path: Path) -> None:
    """Python-dotenv, Docker 28 (``create --env-file``) and these agreed on about 4,000 values by hand."""
    marks = "ABz09_./:@%+=,^*?[]{}-"
    values = ["", marks, *(a + b + "x" for a in marks for b in marks if a != "=" and a + b != ":=")]
    values[1] = values[1].replace(":=", "=:")
    variables = {f"V{number}": value for number, value in enumerate(values)}
    file = tmp_path / "v.env"
    file.write_text(render(variables, "dotenv"))
    for shell in ("sh", "bash", "zsh"):
        ran = run(shell, f"set -a\n. {posix_quote(str(file))}", tmp_path)
        assert {name: ran.env[name].decode() for name in variables} == variables
    node = [require_tool("node"), f"--env-file={file}", "-p", "JSON.stringify(process.env)"]
    done = subprocess.run(node, env={"PATH": os.environ["PATH"]}, capture_output=True, check=True, timeout=60)
    assert {name: json.loads(done.stdout)[name] for name in variables} == variables


def test_powershell(tmp_path: Path) -> None:
    powershell = shutil.which("pwsh") or shutil.which("powershell")
    if powershell is None:
        pytest.skip("this machine has no PowerShell")
    variables: dict[str, str | None] = {f"V{n}": value for n, value in enumerate(HOSTILE.values()) if value}
    text = render({"GONE": None, "NEVER": None} | variables, "powershell")
    (tmp_path / "text").write_text(text)
    code = f"Get-Content text | Invoke-Expression; & '{sys.executable}' dump.py"
    (tmp_path / "dump.py").write_text("import json, os; print(json.dumps(dict(os.environ)))")
    done = subprocess.run(
        [powershell, "-NoProfile", "-NonInteractive", "-Command", code],
        cwd=tmp_path,
        env=os.environ | {"GONE": "x"},
        capture_output=True,
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout)
    assert {name: found.get(name) for name in variables} == variables
    assert "GONE" not in found


# ---- by reference, and kept


STORE = """\
[profiles.work]
provider = "moonshot-cn"
auth.token = {reference}
env.ODD = {odd}
"""
ODD = 'it\'s $HOME `touch pwned` \\ "x" ! é\n'


@dataclass(frozen=True)
class Machine:
    """A home whose name is hostile, with a profile, and a program that notes each of its starts."""

    home: Path
    folder: Path

    @property
    def store(self) -> Path:
        return self.home / ".config/kimi-profiles/profiles.toml"

    @property
    def program(self) -> Path:
        return self.folder / "kimi-profiles"

    @property
    def path(self) -> str:
        return f"{self.folder}{os.pathsep}{os.environ['PATH']}"

    def declare(self, reference: str, *, odd: str = ODD, is_old: bool = True) -> None:
        """Write the store; an old one was there before anything else."""
        self.store.parent.mkdir(parents=True, exist_ok=True)
        self.store.write_text(STORE.format(reference=reference, odd=json.dumps(odd)), encoding="utf-8")
        if is_old:
            os.utime(self.store, (1e9, 1e9))

    def starts(self) -> int:
        """How often the program was started since the last question."""
        log = self.folder / "log"
        count = len(log.read_text().splitlines()) if log.exists() else 0
        log.unlink(missing_ok=True)
        return count

    def text(self, line: str | list[str]) -> str:
        """What ``kimi-profiles LINE`` prints."""
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
                patch.delenv(name)
            patch.setenv("HOME", str(self.home))
            patch.setenv("PATH", self.path)
            patch.setattr(sys, "stdout", out)
            assert main(line.split() if isinstance(line, str) else line) == 0
        return out.buffer.getvalue().decode("utf-8", "surrogateescape")  # type: ignore[attr-defined]

    def snippet(self, shell: str) -> str:
        """The snippet; and the program becomes one that has the answer ready, which takes no time."""
        called: list[str] = []

        def noted(*args: str, arguments: list[str], **options: str) -> str:
            called.extend(arguments)
            return make_snippet(*args, arguments=arguments, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(startup, "snippet", noted)
            text = self.text(f"env work --snippet --shell {shell}")
        (self.folder / "answer").write_text(self.text(called[1:]), encoding="utf-8")
        self.become(f"cat {posix_quote(str(self.folder / 'answer'))}")
        return text

    def become(self, script: str) -> None:
        """Let the program do something else, without being newer."""
        log = posix_quote(str(self.folder / "log"))
        self.program.write_text(f"#!/bin/sh\necho start >>{log}\n{script}\n", encoding="utf-8")
        self.program.chmod(0o755)
        os.utime(self.program, (1e9, 1e9))

    def load(self, shell: str, script: str, *, mode: str = "", **env: str) -> Ran:
        return run(shell, mode + script, self.home, env=env, path=self.path)

    def kept(self) -> list[Path]:
        """Every text that was kept."""
        return [path for path in (self.home / ".cache/kimi-profiles/env").rglob("*") if path.is_file()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    home, folder = tmp_path / 'it\'s a "home"\n$(touch pwned) é', tmp_path / "bin"
    home.mkdir()
    folder.mkdir()
    made = Machine(home, folder)
    made.become(f'PYTHONPATH={ROOT} exec {sys.executable} -m kimi_profiles "$@"')
    made.declare('{ env = "WORK_KEY" }')
    return made


def is_loaded(ran: Ran) -> bool:
    """Whether all of the profile is there; if not, none of it may be."""
    names = {"ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_MODEL", "ODD"} & set(ran.env)
    if not names:
        return False
    assert ran.env["ANTHROPIC_BASE_URL"] == b"https://api.moonshot.cn/anthropic"
    assert ran.env["ANTHROPIC_AUTH_TOKEN"] == TOKEN.encode()
    assert ran.env["ODD"] == ODD.encode()
    return True


MODE = {
    "sh": "set -eu\n",
    "bash": "set -eu -o pipefail\n",
    "zsh": "set -eu\nsetopt warn_create_global\n",
    "fish": "",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_python_starts_only_when_something_changed(shell: str, machine: Machine) -> None:
    snippet = machine.text(f"env work --snippet --shell {shell}")

    def load() -> int:
        mode, other = MODE[shell], "/another/store"
        ran = machine.load(shell, snippet, mode=mode, WORK_KEY=TOKEN, KIMI_PROFILES_STORE=other)
        assert is_loaded(ran), ran.err
        assert (ran.err, ran.status) == ("", 0)
        return machine.starts()

    assert (load(), load(), load()) == (1, 0, 0)
    (kept,) = machine.kept()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert TOKEN.encode() not in kept.read_bytes()
    os.utime(machine.store)
    assert (load(), load()) == (1, 0)
    os.utime(machine.program)
    assert (load(), load()) == (1, 0)
    assert machine.kept() == [kept]
    assert not list(machine.home.glob("pwned"))


@pytest.mark.parametrize("shell", ["sh", "fish"])
def test_a_link_that_leads_to_another_older_file_is_a_change(shell: str, machine: Machine) -> None:
    """As Nix does it: every file is of 1970."""
    real = machine.store.rename(machine.store.with_name("1.toml"))
    machine.store.symlink_to(real)
    snippet = machine.text(f"env work --snippet --shell {shell}")
    assert is_loaded(machine.load(shell, snippet, WORK_KEY=TOKEN))
    other = machine.store.with_name("2.toml")
    other.write_text(real.read_text().replace("WORK_KEY", "OTHER_KEY"))
    os.utime(other, (1, 1))
    machine.store.unlink()
    machine.store.symlink_to(other)
    assert is_loaded(machine.load(shell, snippet, OTHER_KEY=TOKEN))


@pytest.mark.parametrize("shell", SHELLS)
def test_a_date_in_the_future_keeps_nobody_from_loading(shell: str, machine: Machine) -> None:
    snippet = machine.snippet(shell)
    os.utime(machine.store, (time.time() + 1e6,) * 2)
    for _ in range(2):
        assert is_loaded(machine.load(shell, snippet, WORK_KEY=TOKEN))
        assert machine.starts() == 1


@pytest.mark.parametrize("shell", ["sh", "fish"])
def test_what_changes_while_the_text_is_made_is_newer(shell: str, machine: Machine) -> None:
    snippet = machine.snippet(shell)
    answer, store = (posix_quote(str(path)) for path in (machine.folder / "answer", machine.store))
    machine.become(f"touch {store}; sleep 0.05; cat {answer}")
    for _ in range(2):
        assert is_loaded(machine.load(shell, snippet, WORK_KEY=TOKEN))
        assert machine.starts() == 1


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_of_its_own_stays_behind(shell: str, machine: Machine) -> None:
    snippet = machine.snippet(shell)
    words = {
        "sh": "set",
        "bash": "compgen -v; compgen -A function; set +o; shopt; trap",
        "zsh": "print -l ${(k)parameters} ${(k)functions}; setopt; trap",
        "fish": "set -n; functions -an",
    }[shell]
    block = "begin; {}; end >{}\n" if shell == "fish" else "{{ {}; }} >{}\n"
    script = block.format(words, "before") + snippet + block.format(words, "after")
    ran = machine.load(shell, script, WORK_KEY=TOKEN)
    assert is_loaded(ran)
    before, after = (set((machine.home / name).read_text().splitlines()) for name in ("before", "after"))
    new = {line.partition("=")[0] for line in after - before}
    ours = {"ODD", "_", "OPTIND", "PIPESTATUS", "BASH_LINENO", "REPLY"}  # the last ones are the shell's
    if shell != "zsh":  # there it is always known
        ours -= {"REPLY"}
    left = {name for name in new - ours if not name.startswith(("ANTHROPIC_", "CLAUDE_CODE_"))}
    assert {name for name in left if "kimi" in name.lower() or name.isidentifier()} == set()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("is_kept", [False, True], ids=["first", "kept"])
def test_an_empty_variable_leaves_nothing_set_and_says_so(
    shell: str, machine: Machine, *, is_kept: bool
) -> None:
    snippet = machine.snippet(shell)
    if is_kept:
        machine.load(shell, snippet, WORK_KEY=TOKEN)
    for key in ({"WORK_KEY": ""}, {}, {"WORK_KEY": " \t"}, {"WORK_KEY": "two words"}):
        inherited = {
            "ANTHROPIC_BASE_URL": "https://old.example",
            "ANTHROPIC_AUTH_TOKEN": "sk-test-old",
            "ODD": "o",
        }
        ran = machine.load(shell, snippet, mode=MODE[shell], **inherited, **key)
        assert not is_loaded(ran)
        assert ran.err == (
            "kimi-profiles: profile work is not loaded: the variable WORK_KEY gives no token\n"
        )
        assert ran.status == 0


MISSING = {
    "the command": "is not installed",
    "the profile": "there is no profile",
    "the cache": "cannot be written",
    "the store is broken": "not TOML",
}


@pytest.mark.parametrize(
    ("what", "shell"),
    [
        (what, shell)
        for what in MISSING
        for shell in SHELLS
        if what != "the profile" or shell in {"sh", "fish"}
    ],
)
def test_what_is_missing_does_not_break_the_start(what: str, shell: str, machine: Machine) -> None:
    snippet = machine.text(f"env work --snippet --shell {shell}")
    if what == "the command":
        machine.program.unlink()
    elif what == "the profile":
        machine.store.unlink()
    elif what == "the store is broken":
        machine.store.write_text("[profiles")
    else:
        shutil.rmtree(machine.home / ".cache")
        (machine.home / ".cache").write_text("no folder")
    path = f"{machine.folder}:/usr/bin:/bin"
    ran = run(shell, MODE[shell] + snippet, machine.home, path=path)
    assert not is_loaded(ran)
    assert (ran.status, "HOME" in ran.env) == (0, True)  # it went on
    first, *rest = ran.err.splitlines()
    assert first.startswith("kimi-profiles: ")
    assert MISSING[what] in first
    assert all(line.startswith("hint: ") for line in rest)
    assert len(rest) <= 1


@pytest.mark.parametrize("shell", ["sh", "fish"])
def test_a_deleted_store_is_a_change(shell: str, machine: Machine) -> None:
    snippet = machine.text(f"env work --snippet --shell {shell}")
    assert is_loaded(machine.load(shell, snippet, WORK_KEY=TOKEN))
    text = machine.store.read_text()
    machine.store.unlink()
    assert not is_loaded(machine.load(shell, snippet, WORK_KEY=TOKEN))
    machine.store.write_text(text)
    assert is_loaded(machine.load(shell, snippet, WORK_KEY=TOKEN))


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_provider_needs_no_store(shell: str, machine: Machine) -> None:
    machine.store.unlink()
    snippet = machine.text(f"env moonshot-cn --snippet --shell {shell}")
    machine.starts()
    counts = []
    for _ in range(2):
        ran = machine.load(shell, snippet, MOONSHOT_API_KEY=TOKEN)
        assert ran.env["ANTHROPIC_AUTH_TOKEN"] == TOKEN.encode()
        counts.append(machine.starts())
    assert counts == [1, 0]
    machine.declare('{ env = "WORK_KEY" }')
    machine.load(shell, snippet, MOONSHOT_API_KEY=TOKEN)
    assert machine.starts() == 1


@pytest.mark.parametrize("shell", SHELLS)
def test_a_home_whose_name_is_no_text(shell: str, tmp_path: Path) -> None:
    home = tmp_path / os.fsdecode(b"\xff\xc3")
    try:
        home.mkdir()
    except OSError:
        pytest.skip("this file system wants text")
    machine = Machine(home, tmp_path)
    machine.declare('{ file = "~/key" }')
    (home / "key").write_text(TOKEN)
    text = machine.text(f"env work --snippet --shell {shell}")
    machine.become(f'PYTHONPATH={ROOT} exec {sys.executable} -m kimi_profiles "$@"')
    for count in (1, 0):
        ran = machine.load(shell, text)
        assert is_loaded(ran), ran.err
        assert machine.starts() == count


def test_many_shells_at_once(machine: Machine) -> None:
    snippet = machine.snippet("sh")
    machine.become(f"sleep 0.1; cat {posix_quote(str(machine.folder / 'answer'))}")
    results: list[Ran] = []
    threads = [
        threading.Thread(target=lambda: results.append(machine.load("sh", snippet, WORK_KEY=TOKEN)))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [is_loaded(ran) for ran in results] == [True] * 12
    assert len(machine.kept()) == 1


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_of_another_user_is_not_run(shell: str, machine: Machine) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    snippet = machine.snippet(shell)
    machine.load(shell, snippet, WORK_KEY=TOKEN)
    (kept,) = machine.kept()
    kept.write_text("touch pwned\n")
    os.chown(kept, 12345, 12345)
    machine.starts()
    assert is_loaded(machine.load(shell, snippet, WORK_KEY=TOKEN))
    assert machine.starts() == 1
    assert not (machine.home / "pwned").exists()


CONTENTS = {
    "a line": f"{TOKEN}\n",
    "no line end": TOKEN,
    "blanks around": f" \t\r\n\n {TOKEN} \r\n\n",
    "a byte order mark": f"\ufeff{TOKEN}\r\n",
    "all that a token may hold": "".join(map(chr, range(0x21, 0x7F))) + "\n",
    "backslashes": "\\a\\\\n\\\n",
    "empty": "",
    "blank": " \n \n",
    "two words": "sk-test one\n",
    "two lines": f"{TOKEN}\n{TOKEN}\n",
    "non-ASCII": f"{TOKEN}é\n",
    "a control character": f"{TOKEN}\x07\n",
    "an escape": f"\x1b[31m{TOKEN}\n",
    "delete": f"{TOKEN}\x7f\n",
}


def token_in(content: str) -> bytes | None:
    """What Python takes for the token."""
    with contextlib.suppress(TokenUnavailableError):
        return Secret(content.removeprefix("\ufeff").strip()).reveal().encode()
    return None


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_token_file_is_read_as_python_reads_it(shell: str, locale: str, machine: Machine) -> None:
    file = machine.home / "key '$(touch pwned)\n"
    machine.declare(f"{{ file = {json.dumps(str(file))} }}")
    text = machine.text(f"env work --by-reference --shell {shell}")
    wrong = []
    for case, content in CONTENTS.items():
        file.write_bytes(content.encode())
        ran = machine.load(shell, text, mode=MODE[shell], LC_ALL=locale)
        expected = token_in(content)
        found = ran.env.get("ANTHROPIC_AUTH_TOKEN")
        is_silent = ran.err == ""
        if (found, "ANTHROPIC_BASE_URL" in ran.env, is_silent) != (expected, bool(expected), bool(expected)):
            wrong.append((case, found, ran.err))
    assert wrong == []
    file.unlink()
    ran = machine.load(shell, text, mode=MODE[shell])
    assert ("ANTHROPIC_BASE_URL" in ran.env, ran.status, ran.err.count("\n")) == (False, 0, 1)
    assert list(machine.home.glob("pwned")) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_no_program_is_started_for_a_token_file(shell: str, machine: Machine) -> None:
    file = machine.home / "key"
    file.write_text(TOKEN)
    machine.declare('{ file = "~/key" }')
    text = machine.text(f"env work --by-reference --shell {shell}")
    ran = run(
        shell, f"set -e PATH; set -gx PATH\n{text}" if shell == "fish" else f"PATH=\n{text}", machine.home
    )
    assert is_loaded(ran), ran.err


@pytest.mark.parametrize("shell", SHELLS)
def test_a_token_command_gets_its_arguments_and_no_function_takes_its_place(
    shell: str, machine: Machine
) -> None:
    program = machine.folder / "my op"
    program.write_text(f'#!/bin/sh\n[ "$2" = "a \'b\' \\$c" ] && [ $# = 3 ] && echo && echo " {TOKEN} "\n')
    program.chmod(0o755)
    machine.declare('{ command = ["my op", "read", "a \'b\' $c", ""] }')
    text = machine.text(f"env work --by-reference --shell {shell}")
    function = "function 'my op'; echo sk-test-wrong; end\n" if shell == "fish" else ""
    assert is_loaded(machine.load(shell, function + text, mode=MODE[shell]))
    program.write_text("#!/bin/sh\nexit 1\n")
    ran = machine.load(shell, text, mode=MODE[shell])
    assert (is_loaded(ran), ran.status) == (False, 0)
    assert ran.err == "kimi-profiles: profile work is not loaded: the token command gives no token\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_keyring_is_asked_by_our_own_command(shell: str, machine: Machine) -> None:
    machine.declare('{ keyring = "it\'s", username = "me" }')
    snippet = machine.snippet(shell)
    machine.load(shell, snippet, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    (kept,) = machine.kept()
    machine.become(f'[ "$*" = "token work --store $STORE" ] && echo {TOKEN}')
    ran = machine.load(
        shell, snippet, mode=MODE[shell], STORE=str(machine.store), KIMI_PROFILES_STORE="/other"
    )
    assert is_loaded(ran), ran.err
    assert TOKEN not in kept.read_text()


@pytest.mark.parametrize("unset", ["", "--unset"])
def test_what_follows_in_fish_is_run(unset: str, tmp_path: Path) -> None:
    text = render_unset(["A"], "fish") if unset else render({"A": None, "B": "b"}, "fish")
    run = subprocess.run(
        [require_tool("fish"), "-N", "-c", "false; source; and echo on"],
        input=f"{text}echo $status\n",
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path)},
    )
    assert run.stdout.splitlines() == ["0", "on"]
