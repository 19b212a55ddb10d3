"""What README and docs say is tried: commands are run, links lead somewhere, tables name what there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT, require_tool
from test_architecture import FLOORS

from kimi_profiles import ProfileStore, __all__, errors
from kimi_profiles.cli import COMMANDS
from kimi_profiles.declaration import AuthTable, ModelsTable, ProfileTable, TokenTable

README = ROOT / "README.md"
DOCS = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")), *ROOT.glob("examples/**/*.md")]
KEY = "sk-test-0123456789abcdef"

# The home of the picture in the README.
SETTINGS = """\
{
  "model": "opus",
  "permissions": { "allow": ["Bash(git diff:*)"] },
  "hooks": { "PostToolUse": [] },
  "env": { "ANTHROPIC_API_KEY": "sk-test-a-key-of-another-provider" }
}
"""
STATE = '{\n  "numStartups": 212,\n  "primaryApiKey": "sk-test-a-console-login"\n}'


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The contents of the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def code(text: str) -> list[str]:
    """Everything that is set as code: fenced blocks, indented ones, spans."""
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```\w*\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*fenced, *re.findall(r"^    .*$", prose, re.MULTILINE), *re.findall(r"`([^`]+)`", prose)]


def shell(script: str) -> str:
    """Run a script with `kimi-profiles` and Python on the PATH; its standard output."""
    done = subprocess.run(
        [require_tool("sh"), "-eu", "-c", script],
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONUTF8": "1"},
        cwd=Path.home(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def lived_in_home() -> dict[Path, bytes]:
    """Files of the home of the README's picture, and their bytes."""
    home = Path.home()
    files = {home / ".claude" / "settings.json": SETTINGS, home / ".claude.json": STATE}
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    (home / ".claude" / "settings.json").chmod(0o644)
    (home / ".claude.json").chmod(0o600)
    return {path: path.read_bytes() for path in files}


# The first screen of the README


def first_screen() -> str:
    return read(README).split("\n## ")[0]


def first_commands() -> list[str]:
    lines = "".join(blocks(first_screen(), "sh")).splitlines()
    return [line.replace("sk-…", KEY) for line in lines if not line.startswith("pip install")]


def test_the_first_screen_installs_exports_applies_and_unapplies() -> None:
    assert "pip install kimi-profiles" in first_screen()
    words = [" ".join(line.split("#")[0].split()) for line in first_commands()]
    assert words == [
        f"export MOONSHOT_API_KEY={KEY}",
        "kimi-profiles plan moonshot-cn",
        "kimi-profiles apply moonshot-cn",
        "kimi-profiles unapply",
    ]


def test_the_commands_of_the_first_screen_apply_and_give_everything_back(
    lived_in_home: dict[Path, bytes],
) -> None:
    *before, last = first_commands()

    shell("\n".join(before))
    settings = json.loads((Path.home() / ".claude" / "settings.json").read_text())
    assert settings["env"]["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert settings["permissions"] == {"allow": ["Bash(git diff:*)"]}

    shell(last)
    assert {path: path.read_bytes() for path in lived_in_home} == lived_in_home


@pytest.mark.usefixtures("lived_in_home")
def test_the_picture_is_what_the_program_prints() -> None:
    (picture,) = blocks(first_screen(), "text")
    command, _, shown = picture.partition("\n")
    assert command.startswith("$ ")

    assert shell(f"export MOONSHOT_API_KEY={KEY}\n{command[2:]}") == shown
    assert KEY not in shown


@pytest.mark.usefixtures("lived_in_home")
def test_the_picture_of_status_is_what_the_program_prints(tmp_path: Path) -> None:
    (picture,) = blocks(read(README).partition("\n## What will really be sent")[2], "text")
    command, _, shown = picture.partition("\n")
    client = tmp_path / "2.1.329"  # is named for its version, so nobody starts it
    client.touch(mode=0o755)
    (tmp_path / "claude").symlink_to(client.name)
    script = (
        f'export MOONSHOT_API_KEY={KEY} PATH="{tmp_path}:$PATH"\nkimi-profiles apply moonshot-cn --quiet\n'
    )

    said = shell(script + command.removeprefix("$ "))
    since = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert re.sub(since, "", said) == re.sub(since, "", shown)


def test_the_profiles_in_the_readme_are_valid(tmp_path: Path) -> None:
    (text,) = blocks(read(README), "toml")
    file = tmp_path / "profiles.toml"
    file.write_text(text, encoding="utf-8")
    assert ProfileStore.open(file).check() == []


def test_the_python_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, lived_in_home: dict[Path, bytes]
) -> None:
    (text,) = blocks(read(README), "python")
    monkeypatch.setenv("MOONSHOT_API_KEY", KEY)
    text = text.replace("claude.status().in_sync ", "assert claude.status().in_sync ")
    assert "assert" in text
    exec(compile(text.replace('store["work"]', 'store["moonshot-cn"]'), "README.md", "exec"), {})
    assert {path: path.read_bytes() for path in lived_in_home} == lived_in_home


# Links


def anchors(path: Path) -> set[str]:
    """The anchors of a page, as they are made of its headings."""
    headings = re.findall(r"^#+ (.*)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKS = [(page, link) for page in DOCS for link in re.findall(r"\]\(([^)\s]+)\)", read(page))]


def test_every_finding_of_doctor_is_explained() -> None:
    doctor = ROOT / "kimi_profiles" / "doctor"
    code = "\n".join(map(read, sorted(doctor.glob("*.py"))))
    findings = set(re.findall(r'Finding\(\s*"([a-z-]+)"', code)) | set(re.findall(r'"(shell-[a-z-]+)"', code))
    answers = re.search(
        r"Stable identifier for scripts: (.*?)\n    +message:",
        read(ROOT / "kimi_profiles/online/answer.py"),
        re.DOTALL,
    )
    assert answers is not None
    findings |= {f"online-{name}" for name in re.findall(r"``([a-z-]+)``", answers[1])}
    cells = re.findall(r"^\| (`.*?) \|", read(ROOT / "docs" / "doctor.md"), re.MULTILINE)
    told = set(re.findall(r"`([a-z-]+)`", " ".join(cells)))
    assert len(findings) > 60
    assert findings - told == set()
    assert [name for name in told - findings if f'"{name}"' not in code] == []


@pytest.mark.parametrize(
    ("page", "link"), LINKS, ids=[f"{page.relative_to(ROOT)}: {link}" for page, link in LINKS]
)
def test_a_relative_link_leads_somewhere(page: Path, link: str) -> None:
    if link.startswith("https://"):
        return
    target, _, anchor = link.partition("#")
    there = (page.parent / target).resolve() if target else page
    assert there.exists()
    assert there.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(there)


RELIABILITY = ROOT / "docs" / "reliability.md"
NAMED_TESTS = sorted(set(re.findall(r"`((?:unit|property|faults|real_client)/test_\w+)`", read(RELIABILITY))))


def test_the_promises_name_their_tests() -> None:
    assert len(NAMED_TESTS) > 10


@pytest.mark.parametrize("name", NAMED_TESTS)
def test_a_test_that_is_named_exists(name: str) -> None:
    assert (ROOT / "tests" / f"{name}.py").is_file()


# Names


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_that_is_named_exists(page: Path) -> None:
    options = r"(?:--?[\w-]+(?:[ =][A-Z/\w.~-]+)? )*?"
    for text in code(read(page)):
        for name in re.findall(rf"(?:kimi-profiles|-m kimi_profiles) {options}([a-z]+)\b", text):
            assert name in COMMANDS, text


REFERENCE = ROOT / "docs" / "reference.md"


def first_column(heading: str) -> str:
    """The first cells of the tables below a heading of the reference."""
    section = re.search(rf"^##+ {heading}\n(.*?)(?=^## |\Z)", read(REFERENCE), re.MULTILINE | re.DOTALL)
    assert section is not None, heading
    return " ".join(re.findall(r"^\| ([^|]*)", section[1], re.MULTILINE))


def test_the_reference_has_every_command() -> None:
    named = set(re.findall(r"`([a-z]+)[ `]", first_column("Commands")))
    assert set(COMMANDS) <= named


def test_the_reference_has_every_key_of_a_profile() -> None:
    named = set(re.findall(r"`([\w.]+)`", first_column("The profile file")))
    keys = set(ProfileTable.model_fields) - {"auth", "models"}
    keys |= {f"models.{key}" for key in ModelsTable.model_fields}
    keys |= {f"auth.{key}" for key in AuthTable.model_fields}
    keys |= {f"auth.token.{key}" for key in TokenTable.model_fields}
    assert keys == named


def test_the_reference_has_every_public_name() -> None:
    named = first_column("Python")
    assert [name for name in __all__ if f"`{name}" not in named] == []


def test_the_reference_has_every_error_with_its_exit_code() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| [^|]*\| ([^|]*)\|$", read(REFERENCE), re.MULTILINE)
    told = {(name, code) for codes, names in rows for code in codes.split(",") for name in names.split()}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.ProfilesError):
            code = 130 if kind is errors.InterruptedRunError else kind.exit_code
            assert (f"`{kind.name}`", str(code)) in told


def test_the_architecture_has_every_module_on_its_floor() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", read(ROOT / "docs" / "architecture.md"), re.MULTILINE)
    told: dict[int, set[str]] = {}
    for floor, module in rows:
        told.setdefault(int(floor), set()).add(module)
    assert tuple(told.values()) == FLOORS
