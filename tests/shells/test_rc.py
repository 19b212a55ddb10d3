"""What we read in start-up files is what the real shells do with them.

A file is written into a home, the shell is started there, and a program that it starts says what KEY is.
"""

from __future__ import annotations

import itertools
import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support import amount, require_tool

from kimi_profiles.shellrc import find_settings
from shells.cases import ALL, Case, written
from shells.random_rc import random_rc

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.once
MARK = "-- KEY:"
RANDOM = amount(50, 3000)
SCRIPTS = amount(30, 5000)


class Start(NamedTuple):
    """A way to start a shell: its name, its command, and the file of a home that it reads then."""

    shell: str
    command: tuple[str, ...]
    rc: str


STARTS = {
    "bash -i": Start("bash", ("bash", "-i"), ".bashrc"),
    "bash -l": Start("bash", ("bash", "-l"), ".bash_profile"),
    "sh -l": Start("sh", ("sh", "-l"), ".profile"),
    "zsh -i": Start("zsh", ("zsh", "-i"), ".zshrc"),
    "zsh": Start("zsh", ("zsh",), ".zshenv"),
    "fish": Start("fish", ("fish",), ".config/fish/config.fish"),
    "tcsh": Start("csh", ("tcsh",), ".tcshrc"),
}
SECOND = (STARTS["bash -l"], STARTS["zsh -i"])  # the same language: it is about their files


@pytest.fixture
def chance(pytestconfig: pytest.Config) -> random.Random:
    seed = str(pytestconfig.getoption("hypothesis_seed"))
    print(f"repeat with --hypothesis-seed={seed}")
    return random.Random(seed)


def fill(home: Path, start: Start, case: Case) -> None:
    others = {".bash_profile": ""} if start.shell == "sh" else {}  # else bash reads the same file
    for name, text in {**others, start.rc: case.text, **case.others}.items():
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(written(text, "rc" if name == start.rc else name).encode())


def shown_by(home: Path, start: Start) -> str | None:
    """What a program gets as KEY from a shell that starts in this home; ``None`` if it gets none."""
    run = subprocess.run(
        [*start.command, "-c", f"echo; echo '{MARK}'; printenv KEY"],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "TERM": "dumb"},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    _, _, shown = run.stdout.decode(errors="replace").rpartition(f"\n{MARK}\n")
    return shown.removesuffix("\n").removesuffix("\r") if shown else None


def found_by_us(home: Path, start: Start) -> tuple[str, str | None]:
    """The places that export KEY, and what the shell has to show if we are right."""
    settings = find_settings(["KEY"], home=home, env={}, root=home / "no-root")
    found = [one for one in settings if one.is_exported and one.shell == start.shell]
    if not found:
        return "", None
    names = [one.path.relative_to(home).as_posix() for one in found]
    places = [
        f"{'rc' if name == start.rc else name}:{one.line}" for name, one in zip(names, found, strict=True)
    ]
    return " ".join(places), "" if found[-1].is_empty else places[-1]


def compare(home: Path, start: Start, cases: Mapping[str, Case]) -> tuple[list[str], int]:
    """Where the shell, and the case where it says so, differ from us; and how many shells had KEY at all."""
    homes = [home / str(number) for number in range(len(cases))]
    for folder, case in zip(homes, cases.values(), strict=True):
        fill(folder, start, case)
    with ThreadPoolExecutor(2) as pool:
        shown = list(pool.map(lambda folder: shown_by(folder, start), homes))
    wrong = []
    for folder, (name, case), truth in zip(homes, cases.items(), shown, strict=True):
        places, expected = found_by_us(folder, start)
        if truth != expected or places != (places if case.places == "?" else case.places):
            wrong.append(
                f"{name}\n  shown {truth!r}, found {places!r}, in the table {case.places!r}\n{case.text}"
            )
    return wrong, sum(truth is not None for truth in shown)


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_program_gets_what_we_found(start: Start, tmp_path: Path) -> None:
    require_tool(start.command[0])
    cases = {name: case for name, case in ALL.items() if start.shell in case.shells.split()}
    if start in SECOND:
        cases = dict(itertools.islice(cases.items(), 0, None, amount(6, 1)))
    wrong, count = compare(tmp_path, start, cases)
    assert not wrong, "\n".join(wrong)
    assert 0 < count < len(cases)


@pytest.mark.parametrize("name", ["bash -i", "sh -l", "zsh", "fish"])
def test_a_program_gets_what_we_found_in_a_random_file(
    name: str, tmp_path: Path, chance: random.Random
) -> None:
    start = STARTS[name]
    require_tool(start.command[0])
    cases = {str(number): Case(start.shell, random_rc(chance, start.shell), "?") for number in range(RANDOM)}
    wrong, count = compare(tmp_path, start, cases)
    assert not wrong, "\n".join(wrong)
    assert count > RANDOM / 5


# ---- scripts that people wrote: in an `if`, so that an `exit` may or may not be the end

SH = ("if true; then", "export KEY=x\nfi")
WRITTEN = {
    "bash -i": ("/usr/bin", "*", SH),
    "zsh -i": ("/usr/share/zsh", "functions/**/*", SH),
    "fish": ("/usr/share/fish", "**/*.fish", ("if true", "set -gx KEY x\nend")),
}


def is_script(path: Path, shell: str) -> bool:
    if not path.is_file() or path.suffix == ".zwc" or path.stat().st_size > 500_000:
        return False
    first = path.read_bytes().partition(b"\n")[0]
    return shell != "bash" or first.endswith((b"/sh", b"/bash", b"/sh -e"))


@pytest.mark.parametrize("name", WRITTEN)
def test_what_follows_a_script_is_still_found(name: str, tmp_path: Path, chance: random.Random) -> None:
    start, (folder, pattern, (before, after)) = STARTS[name], WRITTEN[name]
    tool = require_tool(start.command[0])
    scripts = [path for path in sorted(Path(folder).glob(pattern)) if is_script(path, start.shell)]
    assert len(scripts) >= 10
    lost = []
    for path in chance.sample(scripts, min(SCRIPTS, len(scripts))):
        text = b"%b\n%b\n%b\n" % (before.encode(), path.read_bytes(), after.encode())
        file = tmp_path / start.rc
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text)
        is_whole = subprocess.run([tool, "-n", str(file)], capture_output=True, check=False).returncode == 0
        found = find_settings(["KEY"], home=tmp_path, env={}, root=tmp_path / "no-root")
        if is_whole and (text.count(b"\n") - 1, True) not in [(one.line, one.is_exported) for one in found]:
            lost.append(path)
    assert lost == []
