"""The completion scripts in the real shells: the same line offers the same words in each of them."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from support import ROOT, require_tool

from kimi_profiles.arguments import COMMANDS
from kimi_profiles.cli import main
from kimi_profiles.completion import SCRIPTS, Command, CommandLine, Option, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.once

_TIMEOUT_S = 60
SHELLS = ("bash", "zsh", "fish")
STORE = """\
[profiles.work]
provider = "zai"
[profiles.home]
provider = "zai"
"""
# None of them may be a profile's name. Somebody else's file holds them all the same.
HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "w;touch pwned",
    "w|touch pwned",
    "w$(touch${IFS}pwned)",
    "a b",
    "w'",
    'w"',
    "w\\",
    "w\ntouch pwned",
    "w\x1b[2J",
    "-x",
    "*",
    "~",
    "w=(touch pwned)",
    "wé",
    "[w]",
    "{w,x}",
    "!!",
    "#w",
    "",
]


def quoted(name: str) -> str:
    return "".join(char if char.isalnum() and char.isascii() else f"\\U{ord(char):08x}" for char in name)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with two profiles, stores with a third, and the program on PATH; its calls are logged."""
    folder = tmp_path / "a home"
    for place, names in {"": ["work", "home"], "other": ["third"]}.items():
        config = folder / place / ".config" / "kimi-profiles"
        config.mkdir(parents=True)
        text = "".join(f'[profiles.{name}]\nprovider = "zai"\n' for name in names)
        (config / "profiles.toml").write_text(text, encoding="utf-8")
    for name in ("other.toml", "a b.toml", "it's.toml"):
        (folder / name).write_text('[profiles.third]\nprovider = "zai"\n', encoding="utf-8")
    (folder / "bin").mkdir()
    program = folder / "bin" / "kimi-profiles"
    program.write_text(
        f'#!/bin/sh\necho "$*" >>{shlex.quote(str(folder))}/calls\n'
        f'exec {shlex.quote(sys.executable)} -m kimi_profiles "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    (folder / "work").mkdir()
    monkeypatch.chdir(folder / "work")
    return folder


def environment(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "SCRIPT": str(home / "script"),
        "OTHER": str(home / "other.toml"),
    }


def write_script(shell: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["completion", shell]) == 0
    (home / "script").write_text(capsys.readouterr().out, encoding="utf-8")


# ---- what a shell offers for a line with the cursor at its end

_BASH = """\
source "$SCRIPT"
offer() {
    COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=("${@:2}")
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
    _kimi_profiles
    printf '%s\\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"} --end--
}
"""
_BASH_WORDS = re.compile(r"""(?:'[^']*'|"[^"]*"|\\.|\$\([^)]*\)|[^\s=:'"\\])+|[=:]""")


def by_bash(home: Path, lines: Sequence[str], *, before: str = "set -u") -> tuple[list[list[str]], str]:
    calls = []
    for line in lines:
        words = _BASH_WORDS.findall(line) + ([""] if line[-1] == " " else [])
        calls.append(f"offer {shlex.join([line, *words])}\n")
    run = subprocess.run(
        [require_tool("bash"), "--norc", "--noprofile", "-c", f"{before}\n{_BASH}{''.join(calls)}"],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return [block.split("\n")[:-1] for block in run.stdout.split("--end--\n")[:-1]], run.stderr


def by_fish(home: Path, lines: Sequence[str]) -> tuple[list[list[str]], str]:
    calls = "".join(f"complete -C {_fish(line)}\necho -- --end--\n" for line in lines)
    run = subprocess.run(
        [require_tool("fish"), "--no-config", "-c", f"source $SCRIPT\n{calls}"],
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    blocks = [block.split("\n")[:-1] for block in run.stdout.split("--end--\n")[:-1]]
    return [[entry.partition("\t")[0] for entry in block] for block in blocks], run.stderr


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# What is handed to the builtin compadd as a match is written down; its uses with -O, -A and -D only sort.
_ZSH = """\
PS1='ready> '
@before@
autoload -Uz compinit
compinit -u -D
source "$SCRIPT"
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
    local -a hits
    builtin compadd -A hits "$@"
    ((${#hits})) && print -rl -- "${hits[@]}" >>"$SCRIPT.hits"
    builtin compadd "$@"
}
offer() { _main_complete; compstate[list]= compstate[insert]=; : >"$SCRIPT.done" }
zle -C offer complete-word offer
bindkey '^I' offer
print -r -- loaded
"""


def by_zsh(
    home: Path, lines: Sequence[str], *, before: str = "setopt nounset"
) -> tuple[list[list[str]], str]:
    hits, done = home / "script.hits", home / "script.done"
    setup = home / "setup.zsh"
    setup.write_text(_ZSH.replace("@before@", before), encoding="utf-8")
    offered = []
    with terminal([require_tool("zsh"), "-f", "-i"], environment(home)) as shown:
        shown.until("# ")
        shown.type(f"source {shlex.quote(str(setup))}\n")
        shown.until("loaded")
        shown.until("ready> ")
        for line in lines:
            for file in (hits, done):
                file.unlink(missing_ok=True)
            shown.type("\x15" + line + "\t")
            deadline = time.monotonic() + _TIMEOUT_S
            while not done.exists():
                assert time.monotonic() < deadline, shown.text[-500:]
                shown.read(0.02)
            offered.append(hits.read_text("utf-8").split("\n")[:-1] if hits.exists() else [])
        return offered, "".join(
            re.findall(r"(?:_kimi_profiles\S*|kimi-profiles|command|zsh): .*", shown.text)
        )


class Terminal:
    """A program on a terminal of its own, and what it has shown so far."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.text = ""
        self._seen = 0

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def read(self, seconds: float) -> None:
        if select.select([self._descriptor], [], [], seconds)[0]:
            with contextlib.suppress(OSError):
                self.text += os.read(self._descriptor, 1 << 16).decode(errors="replace")

    def until(self, text: str) -> str:
        """What it shows until and with ``text``, from where the last call ended."""
        deadline = time.monotonic() + _TIMEOUT_S
        while (found := self.text.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, f"no {text!r} in {self.text[self._seen :]!r}"
            self.read(0.1)
        start, self._seen = self._seen, found + len(text)
        return self.text[start : self._seen]


# Not `pty.fork`: a process with threads, as those of pytest-xdist are, had better not fork.
_ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextlib.contextmanager
def terminal(command: Sequence[str], environment: dict[str, str]) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _ON_TERMINAL, *command],
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(ours)
        finally:
            process.kill()
            os.close(ours)


BY = {"bash": by_bash, "zsh": by_zsh, "fish": by_fish}


def offers(shell: str, home: Path, lines: Sequence[str]) -> list[set[str]]:
    """What the shell offers for each line, without the part that stands there already and is no value."""
    found, complaints = BY[shell](home, lines)
    assert complaints == ""
    assert len(found) == len(lines)
    values = [{word.rpartition("=")[2].rstrip(" ") for word in words if word} for words in found]
    # zsh offers options too where no argument is left.
    return [
        {word for word in words if not (line.endswith(" ") and word.startswith("-"))}
        for line, words in zip(lines, values, strict=True)
    ]


# ---- the same in every shell

CASES: dict[str, set[str]] = {
    "kimi-profiles app": {"apply"},
    "kimi-profiles ": set(COMMANDS),
    "kimi-profiles --scope project doc": {"doctor"},
    "kimi-profiles --scope p": {"project"},
    "kimi-profiles --color=al": {"always"},
    "kimi-profiles apply --color n": {"never"},
    "kimi-profiles apply --dr": {"--dry-run"},
    "kimi-profiles unapply --tok": set(),
    "kimi-profiles apply w": {"work"},
    "kimi-profiles apply --dry-run moonshot-c": {"moonshot-cn"},
    "kimi-profiles remove ": {"work", "home"},
    "kimi-profiles apply work ": set(),
    "kimi-profiles add ": set(),
    "kimi-profiles nonsense ": set(),
    "kimi-profiles set work models.h": {"models.haiku"},
    "kimi-profiles models --provider moonshot-": {"moonshot-cn", "moonshot-intl"},
    "kimi-profiles completion f": {"fish"},
    "kimi-profiles run --ex": {"--exec"},
    "kimi-profiles run work --ex": set(),
    "kimi-profiles run --exec kimi-prof": {"kimi-profiles"},
    "kimi-profiles --store ../other.toml remove ": {"third"},
    "kimi-profiles --store=../other.toml remove ": {"third"},
    "kimi-profiles remove --store '../a b.toml' ": {"third"},
    "kimi-profiles remove --store ../a\\ b.toml ": {"third"},
    'kimi-profiles remove --store "../it\'s.toml" ': {"third"},
    "kimi-profiles remove --store ~/other.toml ": {"third"},
    "kimi-profiles remove --home ~/other ": {"third"},
    "kimi-profiles remove --home ../none ": set(),
    "kimi-profiles remove --store $(touch${IFS}pwned) ": set(),
    "kimi-profiles remove --store `touch${IFS}pwned` ": set(),
    "kimi-profiles remove --store $OTHER ": set(),  # only the shell knows what it is, at Enter
}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_line_offers(shell: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_script(shell, home, capsys)
    found = offers(shell, home, list(CASES))
    assert dict(zip(CASES, found, strict=True)) == CASES
    assert list((home / "work").iterdir()) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_hostile_store_has_no_effect(shell: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_script(shell, home, capsys)
    store = home / ".config" / "kimi-profiles" / "profiles.toml"
    store.write_text(STORE + "".join(f'[profiles."{quoted(name)}"]\n' for name in HOSTILE), encoding="utf-8")
    lines = [
        "kimi-profiles remove ",
        "kimi-profiles remove w",
        "kimi-profiles remove \\$",
        "kimi-profiles remove -",
    ]
    everything, some, *strange = offers(shell, home, lines)
    assert (everything, some) == ({"work", "home"}, {"work"})
    assert all(word.startswith("-") for words in strange for word in words)
    assert list((home / "work").iterdir()) == []


BROKEN = {
    "no file": None,
    "an empty file": b"",
    "no TOML": b"[profiles.work",
    "no UTF-8": b"[profiles.\xff]",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_where_nothing_is_nothing_is_said(shell: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_script(shell, home, capsys)
    lines = []
    for number, data in enumerate(BROKEN.values()):
        lines.append(f"kimi-profiles --store ../{number}.toml remove ")
        if data is not None:
            (home / f"{number}.toml").write_bytes(data)
    assert offers(shell, home, lines) == [set()] * len(BROKEN)
    (home / "bin" / "kimi-profiles").unlink()
    assert offers(shell, home, ["kimi-profiles remove ", "kimi-profiles app"]) == [set(), {"apply"}]


@pytest.mark.parametrize("shell", SHELLS)
def test_python_starts_for_names_only(shell: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_script(shell, home, capsys)
    lines = ["kimi-profiles ", "kimi-profiles apply -", "kimi-profiles apply --dr", "kimi-profiles --scope "]
    lines += ["kimi-profiles set work ", "kimi-profiles models --provider ", "kimi-profiles run work -"]
    offers(shell, home, [*lines, "kimi-profiles apply w"])
    assert (home / "calls").read_text().splitlines() == ["list --names --all"]


BASH_OPTIONS = ["set -eu", "set -f -o pipefail", "shopt -s failglob nocasematch", "set -o posix", "IFS=/a"]


@pytest.mark.parametrize("before", BASH_OPTIONS)
def test_bash_in_whatever_mode(before: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_script("bash", home, capsys)
    lines = ["kimi-profiles apply w", "kimi-profiles --color ", "kimi-profiles nonsense "]
    found, complaints = by_bash(home, lines, before=before)
    assert (found, complaints) == ([["work"], ["auto", "always", "never"], []], "")


def test_zsh_in_whatever_mode(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_script("zsh", home, capsys)
    before = "setopt nounset ksharrays shwordsplit noglob"
    lines = ["kimi-profiles apply w", "kimi-profiles --color ", "kimi-profiles nonsense "]
    found, complaints = by_zsh(home, lines, before=before)
    assert [set(words) for words in found] == [{"work"}, {"auto", "always", "never"}, set()]
    assert complaints == ""


# ---- with the Tab key


def test_bash_with_the_tab_key(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_script("bash", home, capsys)
    (home / "work" / "some profiles.toml").touch()
    (home / "work" / "a-folder").mkdir()
    (home / "work" / "a-file").touch()
    start = [require_tool("bash"), "--norc", "--noprofile", "-i"]
    with terminal(start, {**environment(home), "PS1": "ready> "}) as shown:
        shown.until("ready> ")
        shown.type("bind 'set bell-style none'; set -u; source \"$SCRIPT\"\n")
        shown.until("ready> ")
        for typed, line in {
            "kimi-profiles appl\t": "kimi-profiles apply ",
            "kimi-profiles apply w\t": "kimi-profiles apply work ",
            "kimi-profiles --color=al\t": "kimi-profiles --color=always ",
            "kimi-profiles validate some\t": "kimi-profiles validate some\\ profiles.toml ",
            "kimi-profiles --project a-\t": "kimi-profiles --project a-folder/",
            "kimi-profiles --store=../other.toml show t\t": "kimi-profiles --store=../other.toml show third ",
        }.items():
            shown.type(typed)  # and nothing behind it: readline does not show what it will soon overwrite
            shown.until(line)
            shown.type("\x15\n")
            shown.until("ready> ")


def test_zsh_finds_it_in_fpath(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_script("zsh", home, capsys)
    (home / "functions").mkdir()
    (home / "script").rename(home / "functions" / "_kimi-profiles")
    with terminal([require_tool("zsh"), "-f", "-i"], environment(home)) as shown:
        shown.until("# ")
        shown.type("PS1='ready> '; fpath=(~/functions $fpath)\n")
        shown.until("ready> ")
        shown.type("autoload -Uz compinit; compinit -u -D; echo load''ed\n")
        shown.until("loaded")
        shown.until("ready> ")
        shown.type("kimi-profiles appl\t")
        shown.until("kimi-profiles apply ")
        shown.type("w\t")
        shown.until("work")


def test_zsh_says_when_it_comes_too_early(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_script("zsh", home, capsys)
    run = subprocess.run(
        [require_tool("zsh"), "-f", "-c", 'setopt nounset; source "$SCRIPT"'],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (run.stdout, run.stderr) == ("", "kimi-profiles: its completion comes after compinit\n")


# ---- words of other people in the script itself

NASTY = 'it\'s "[a]" $(touch pwned) `touch pwned` ; \\ ] : | * %s ${HOME} \u2019touch pwned\u2019 #'
NASTY_LINE = CommandLine(
    (Option(("-q", "--quiet"), NASTY), Option(("--store",), NASTY, Value("file", "fi:le]"))),
    (
        Command("one", NASTY, (Option(("--way",), NASTY, Value("words", "wa:y", ("a", "b"))),)),
        Command("two", "", (), (Value("own", NASTY), Value("text", NASTY)), repeats=True),
    ),
)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_description_is_never_code(shell: str, home: Path) -> None:
    (home / "script").write_text(SCRIPTS[shell](NASTY_LINE), encoding="utf-8")
    lines = ["kimi-profiles ", "kimi-profiles one --w", "kimi-profiles one --way ", "kimi-profiles two w"]
    assert offers(shell, home, lines) == [{"one", "two"}, {"--way"}, {"a", "b"}, {"work"}]
    assert list((home / "work").iterdir()) == []


def test_fish_shows_a_description(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_script("fish", home, capsys)
    run = subprocess.run(
        [require_tool("fish"), "--no-config", "-c", "source $SCRIPT; complete -C 'kimi-profiles unapp'"],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout == f"unapply\t{COMMANDS['unapply']}\n"


def test_powershell(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pwsh = shutil.which("pwsh")
    if pwsh is None:
        pytest.skip("this machine has no pwsh")
    write_script("powershell", home, capsys)
    (home / "script").rename(home / "script.ps1")
    # Where nothing is offered PowerShell offers files; a backslash is no quotation mark there.
    cases = {line: words for line, words in CASES.items() if words and "\\" not in line}
    calls = "".join(
        f"$line = {_powershell(line)}; (TabExpansion2 $line $line.Length).CompletionMatches | "
        "ForEach-Object { $_.CompletionText }; '--end--'\n"
        for line in cases
    )
    run = subprocess.run(
        [pwsh, "-NoProfile", "-NonInteractive", "-Command", "-"],
        input=f"Set-StrictMode -Version Latest\n. ../script.ps1\n{calls}",
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    blocks = [block.split("\n")[:-1] for block in run.stdout.split("--end--\n")[:-1]]
    found = [{word.rpartition("=")[2] for word in block} for block in blocks]
    assert dict(zip(cases, found, strict=True)) == cases
    assert run.stderr == ""
    assert list((home / "work").iterdir()) == []


def _powershell(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
