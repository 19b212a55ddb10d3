"""The build around the code: which Pythons it picks, and what the Makefile says of itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT, require_tool

# Fails to run, as a pyenv shim of a version that is not selected does.
BROKEN = "#!/bin/sh\nexit 127\n"


def pretender(path: Path, version: tuple[int, int], level: str = "final") -> str:
    """A program that answers as the Python at ``path`` of that version would."""
    lie = f"sys.version_info = {(*version, 0, level, 0)}; sys._base_executable = {str(path)!r}"
    return f'#!/bin/sh\n[ "$2" = -c ] || exit 2\nexec "{sys.executable}" -I -c "import sys; {lie}; $3"\n'


def pythons(path: Path, pyenv_root: Path) -> subprocess.CompletedProcess[str]:
    require_tool("sh")
    # The places of sh, awk and sort hold the machine's own python3 too: name them here, away from it.
    tools = path.parent / "tools"
    tools.mkdir()
    for name in ("sh", "awk", "cut", "grep", "sort"):
        (tools / name).symlink_to(require_tool(name))
    return subprocess.run(
        [ROOT / ".ci" / "pythons"],
        env={"PATH": f"{path}:{tools}", "PYENV_ROOT": str(pyenv_root)},
        capture_output=True,
        text=True,
        check=False,
    )


# id → the programs on PATH, those in pyenv, the ones printed. A program is its version; None fails to run.
CASES = {
    "oldest first": (
        {"python3.14": (3, 14), "python3.11": (3, 11), "python3": (3, 12)},
        {},
        ["python3.11", "python3", "python3.14"],
    ),
    "one for each version": ({"python3": (3, 12), "python3.12": (3, 12)}, {}, ["python3"]),
    "too old": ({"python3": (3, 10), "python3.11": (3, 11)}, {}, ["python3.11"]),
    "a shim that fails": (
        {"python3.13": None, "python3.12": (3, 12)},
        {"3.13.0": (3, 13)},
        ["python3.12", "versions/3.13.0/bin/python3"],
    ),
    "a prerelease": ({"python3.14": (3, 14, "candidate"), "python3.12": (3, 12)}, {}, ["python3.12"]),
    "only a prerelease": ({"python3.15": (3, 15, "alpha")}, {}, ["python3.15"]),
    "a release after its prerelease": (
        {"python3.14": (3, 14, "beta")},
        {"3.14.0": (3, 14)},
        ["versions/3.14.0/bin/python3"],
    ),
}


@pytest.mark.parametrize(("on_path", "in_pyenv", "printed"), CASES.values(), ids=CASES)
def test_pythons_chooses(on_path: dict, in_pyenv: dict, printed: list[str], tmp_path: Path) -> None:
    path, pyenv_root = tmp_path / "bin", tmp_path / "pyenv"
    programs = {path / name: version for name, version in on_path.items()}
    programs |= {pyenv_root / f"versions/{name}/bin/python3": version for name, version in in_pyenv.items()}
    for program, version in programs.items():
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(BROKEN if version is None else pretender(program, version[:2], *version[2:]))
        program.chmod(0o755)

    result = pythons(path, pyenv_root)

    expected = [str((pyenv_root if "/" in name else path) / name) for name in printed]
    assert (result.stdout.splitlines(), result.stderr, result.returncode) == (expected, "", 0)


def test_pythons_says_what_is_missing_when_there_is_none(tmp_path: Path) -> None:
    result = pythons(tmp_path / "nothing", tmp_path / "nothing")

    assert (result.stdout, result.returncode) == ("", 1)
    assert "python3-venv" in result.stderr


def test_pythons_of_this_machine_run_and_are_new_enough() -> None:
    require_tool("sh")
    # A throw-away home hides ~/.pyenv; the Python of this test is on PATH whatever else is.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    printed = subprocess.run(
        [ROOT / ".ci" / "pythons"], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    code = "import sys; print(*sys.version_info[:2])"
    versions = [
        tuple(map(int, subprocess.check_output([python, "-c", code], text=True).split()))
        for python in printed
    ]

    assert versions
    assert versions[0] >= (3, 11)
    assert versions == sorted(set(versions))


def test_make_help_lists_every_target() -> None:
    make = require_tool("make")
    targets = set(re.findall(r"^([.a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    output = subprocess.check_output([make, "--no-print-directory", "-C", ROOT, "help"], text=True)

    described = dict(re.findall(r"^make (\S+) +(\S.*)$", output, re.MULTILINE))
    assert set(described) == targets
    assert {"help", ".venv", "demo", "test", "test-fast", "lint", "format", "clean"} <= targets


def test_every_script_can_be_run() -> None:
    scripts = sorted((ROOT / ".ci").iterdir())

    assert scripts
    assert [script.name for script in scripts if not os.access(script, os.X_OK)] == []
