"""What README and docs say is tried: commands are run, links lead somewhere, tables name what there is."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from pages import DOCS, KEY, README, Block, blocks, code, commands, read, shell
from support import ROOT
from test_architecture import FLOORS

from kimi_profiles import ProfileStore, errors
from kimi_profiles.arguments import COMMANDS, HelpShown, all_parsers, parse, take_apart
from kimi_profiles.declaration import AuthTable, ModelsTable, ProfileTable, TokenTable

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


# The README


def blocks_of_readme(language: str) -> list[str]:
    return [block.text for block in blocks(README) if block.language == language]


def first_commands() -> list[str]:
    screen = len(re.findall(r"^```sh$", read(README).split("\n## ")[0], re.MULTILINE))
    lines = "".join(blocks_of_readme("sh")[:screen]).splitlines()
    return [line.replace("sk-…", KEY) for line in lines if not line.startswith("pip install")]


def test_the_first_screen_installs_exports_applies_and_unapplies() -> None:
    assert "pip install kimi-profiles" in read(README).split("\n## ")[0]
    words = [" ".join(line.split("#")[0].split()) for line in first_commands()]
    assert words == [
        f"export MOONSHOT_API_KEY={KEY}",
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


EVERY_DAY = [
    line
    for text in blocks_of_readme("sh")
    for line in text.splitlines()
    if "kimi-profiles" in line and line not in first_commands() and not line.startswith("pip install")
]


@pytest.mark.once
@pytest.mark.parametrize("line", EVERY_DAY, ids=lambda line: " ".join(line.split("#")[0].split()))
def test_a_command_for_every_day_works(tmp_path: Path, line: str) -> None:
    store = Path.home() / "profiles.toml"
    if " add " not in line:
        store.write_text(
            '[profiles.work]\nprovider = "moonshot-cn"\n[profiles.home]\nprovider = "moonshot-intl"\n'
        )
    (tmp_path / "claude").write_text("#!/bin/sh\n")
    (tmp_path / "claude").chmod(0o755)
    now = {
        "ANTHROPIC_BASE_URL": "https://api.moonshot.ai/anthropic",
        "ANTHROPIC_AUTH_TOKEN": "sk-test-by-hand",
    }
    (Path.home() / ".claude").mkdir()
    (Path.home() / ".claude" / "settings.json").write_text(json.dumps({"env": now}))

    said = shell(
        f"export MOONSHOT_API_KEY={KEY} KIMI_PROFILES_STORE={store} EDITOR=true\n{line}", path=tmp_path
    )

    assert KEY not in said
    assert ProfileStore.open(store).check() == []


def test_the_python_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, lived_in_home: dict[Path, bytes]
) -> None:
    (text,) = blocks_of_readme("python")
    monkeypatch.setenv("MOONSHOT_API_KEY", KEY)
    text = text.replace("claude.status().in_sync ", "assert claude.status().in_sync ")
    assert "assert" in text
    exec(compile(text.replace('store["work"]', 'store["moonshot-cn"]'), "README.md", "exec"), {})
    assert {path: path.read_bytes() for path in lived_in_home} == lived_in_home


# Blocks

# Page and language → which test tries such a block, or why none does. What is not here has to be TOML that
# the store accepts, or JSON.
TRIED = {
    (
        "README.md",
        "sh",
    ): "here: the first screen, and what is for every day; `make demo` in tests/test_examples.py",
    ("README.md", "python"): "here",
    ("docs/guide.md", "sh"): "tests/test_guide.py",
    ("docs/guide.md", "console"): "tests/test_guide.py",
    ("docs/guide.md", "fish"): "tests/test_guide.py",
    ("docs/guide.md", "powershell"): "tests/shells/test_env.py, where there is a PowerShell",
    ("docs/troubleshooting.md", "sh"): "tests/test_troubleshooting.py",
    ("docs/troubleshooting.md", "text"): "messages of others",
    ("docs/python.md", "pycon"): "tests/test_python_page.py",
    ("docs/commands.md", "text"): "made by docs/generate.py; every command line in it is parsed",
    ("docs/api.md", "text"): "made by docs/generate.py",
    ("docs/filters.md", "sh"): "here",
    ("docs/shells.md", "sh"): "here",
}
ALL_BLOCKS = [block for page in DOCS for block in blocks(page)]
TRANSLATIONS = sorted((ROOT / "docs").glob("*/*.md"))


def original(page: str) -> str:
    """The page that this one is a translation of; itself if it is none."""
    translated = re.fullmatch(r"docs/[^/]+/(.*)", page)
    return (
        page
        if translated is None
        else "README.md"
        if translated[1] == "README.md"
        else f"docs/{translated[1]}"
    )


@pytest.mark.parametrize("block", ALL_BLOCKS, ids=str)
def test_no_block_is_passed_over(tmp_path: Path, block: Block) -> None:
    if block.language == "toml":
        file = tmp_path / "profiles.toml"
        file.write_text(block.text, encoding="utf-8")
        assert ProfileStore.open(file).check() == []
    elif block.language == "json":
        json.loads(block.text)
    else:
        assert (original(block.page), block.language) in TRIED


def test_what_tries_a_block_is_there() -> None:
    assert {(block.page, block.language) for block in ALL_BLOCKS} >= TRIED.keys()
    named = {name for reason in TRIED.values() for name in re.findall(r"tests/[\w/]+\.py", reason)}
    assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", TRANSLATIONS, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_translation_has_the_same_blocks(page: Path) -> None:
    def contents(of: Path) -> list[tuple[str, str]]:
        remark = re.compile(r"(^| +)#.*$", re.MULTILINE)
        return [(block.language, remark.sub("", block.text)) for block in blocks(of)]

    assert contents(page) == contents(ROOT / original(page.relative_to(ROOT).as_posix()))


@pytest.mark.once
def test_the_filters_do_what_the_page_says() -> None:
    (text,) = [
        block.text for block in ALL_BLOCKS if (block.page, block.language) == ("docs/filters.md", "sh")
    ]
    (Path.home() / "profiles.toml").write_text(
        '[profiles.work]\nprovider = "moonshot-cn"\n[profiles.home]\nprovider = "moonshot-intl"\n'
    )
    (Path.home() / "settings.json").write_text(SETTINGS)
    merged: list[dict[str, Any]] = []
    for line in text.splitlines():
        if "--without home" in line:
            shell(
                f"export MOONSHOT_API_KEY={KEY} KIMI_PROFILES_STORE=~/profiles.toml\n"
                "kimi-profiles merge home < settings.json > with.json; mv with.json settings.json"
            )
        shell(f"export MOONSHOT_API_KEY={KEY} KIMI_PROFILES_STORE=~/profiles.toml\n{line}")
        merged.append(json.loads((Path.home() / "settings.new").read_text()))
        (Path.home() / "settings.json").write_bytes((Path.home() / "settings.new").read_bytes())
    urls = [document.get("env", {}).get("ANTHROPIC_BASE_URL") for document in merged]
    assert urls == ["https://api.moonshot.cn/anthropic", None, "https://api.moonshot.cn/anthropic"]


def test_the_schema_lands_beside_the_profiles() -> None:
    (text,) = [block.text for block in ALL_BLOCKS if (block.page, block.language) == ("docs/shells.md", "sh")]
    shell(f"mkdir -p ~/.config/kimi-profiles\n{text}")
    schema = json.loads((Path.home() / ".config" / "kimi-profiles" / "profiles.schema.json").read_text())
    assert "profiles" in schema["properties"]


# Commands

PARSERS = all_parsers()
LINES = [(page, line) for page in DOCS for line in commands(page)]
PLACEHOLDERS = {"COMMAND", "…"}


@pytest.mark.parametrize(
    ("page", "line"), LINES, ids=[f"{page.relative_to(ROOT)}: {line}" for page, line in LINES]
)
def test_a_command_line_that_is_shown_is_accepted(page: Path, line: str) -> None:
    words = shlex.split(line, comments=True)
    words = words[3:] if words[0] == "python" else words[1:]
    is_mention = len(words) == 1 and words[0] in COMMANDS
    if not is_mention and not any(word in PLACEHOLDERS or word.startswith("[") for word in words):
        with contextlib.suppress(HelpShown):
            parse(take_apart(words))


def test_there_are_command_lines_to_accept() -> None:
    shown = {word for _, line in LINES for word in line.split()}
    assert len(LINES) > 100
    assert COMMANDS.keys() - shown == set()


RELIABILITY = ROOT / "docs" / "reliability.md"
NAMED_TESTS = sorted(set(re.findall(r"`((?:unit|property|faults|real_client)/test_\w+)`", read(RELIABILITY))))


def test_the_promises_name_their_tests() -> None:
    assert len(NAMED_TESTS) > 10


@pytest.mark.parametrize("name", NAMED_TESTS)
def test_a_test_that_is_named_exists(name: str) -> None:
    assert (ROOT / "tests" / f"{name}.py").is_file()


# Names


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


def test_the_reference_has_every_key_of_a_profile() -> None:
    named = set(re.findall(r"`([\w.]+)`", first_column("The profile file")))
    keys = set(ProfileTable.model_fields) - {"auth", "models"}
    keys |= {f"models.{key}" for key in ModelsTable.model_fields}
    keys |= {f"auth.{key}" for key in AuthTable.model_fields}
    keys |= {f"auth.token.{key}" for key in TokenTable.model_fields}
    assert keys == named


def test_the_reference_has_every_variable_of_ours() -> None:
    source = "\n".join(map(read, sorted((ROOT / "kimi_profiles").rglob("*.py"))))
    named = set(re.findall(r"`(\w+)`", first_column("Environment variables")))
    assert set(re.findall(r"\bKIMI_PROFILES_[A-Z_]+\b", source)) <= named


def test_the_reference_has_every_error_with_its_exit_code() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| [^|]*\| ([^|]*)\|$", read(REFERENCE), re.MULTILINE)
    told = {(name, code) for codes, names in rows for code in codes.split(",") for name in names.split()}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.ProfilesError):
            code = 130 if kind is errors.InterruptedRunError else kind.exit_code
            assert (f"`{kind.name}`", str(code)) in told


def test_the_reference_has_every_warning() -> None:
    source = "\n".join(map(read, sorted((ROOT / "kimi_profiles").rglob("*.py"))))
    told = set(re.findall(r"`([a-z-]+)`", first_column("Warnings")))
    raised = set(re.findall(r'Notice\(\s*"([a-z-]+)"', source))
    assert len(raised) > 20
    assert raised - told == set()
    assert [name for name in told if f'"{name}"' not in source] == []


def test_the_architecture_has_every_module_on_its_floor() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", read(ROOT / "docs" / "architecture.md"), re.MULTILINE)
    told: dict[int, set[str]] = {}
    for floor, module in rows:
        told.setdefault(int(floor), set()).add(module)
    assert tuple(told.values()) == FLOORS
