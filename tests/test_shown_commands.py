"""Every command line that a page shows is carried out, in a home where it makes sense."""

from __future__ import annotations

import io
import re
import shlex
from typing import TYPE_CHECKING

import pages
import pytest

from kimi_profiles.arguments import COMMANDS
from kimi_profiles.cli import main

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

STORE = "".join(
    f'[profiles.{name}]\ndescription = "d"\nprovider = "moonshot-cn"\nmodels.haiku = "kimi-k2.7-code"\n\n'
    for name in ("work", "home", "abroad", "fast", "quick", "old", "job")
)
SETTINGS = (
    '{"env": {"ANTHROPIC_BASE_URL": "https://api.moonshot.cn/anthropic", '
    '"ANTHROPIC_AUTH_TOKEN": "sk-test-a-1"}}'
)
CC_SWITCH = f"""\
{{"version": 2, "claude": {{"providers": {{"1": {{"id": "1", "name": "Kimi", "settingsConfig": {SETTINGS}}}}},
"current": "1"}}}}
"""
GUIDE = (
    "export ANTHROPIC_BASE_URL=https://api.moonshot.cn/anthropic\nexport ANTHROPIC_AUTH_TOKEN=YOUR_API_KEY\n"
)
FILES = {
    ".config/kimi-profiles/profiles.toml": STORE,
    "dotfiles/profiles.toml": STORE,
    "profiles.toml": '[profiles.team]\nprovider = "moonshot-cn"\n',
    ".claude/settings.json": SETTINGS,
    "guide.txt": GUIDE,
    ".cc-switch/config.json": CC_SWITCH,
    "t.py": "print('ran')\n",
}
# Not lines to type but names of commands, or what would talk to somebody.
NAMES = {
    "kimi-profiles",
    "python -m kimi_profiles",
    *(f"kimi-profiles {name}" for name in ("merge", "unmerge", "token")),
}
ONLINE = {"kimi-profiles doctor --online"}
_PLACEHOLDER = re.compile(r"(?<![A-Z_])[A-Z]{2,}(?![A-Z_])|…|\[|<")
# What has to be so before: by the command, with what is behind it.
BEFORE = {
    "add": "remove {0} --force --quiet",
    "copy": "remove {1} --force --quiet",
    "rename": "remove {1} --force --quiet",
    "import": "remove {0} --force --quiet",
    "unset": "set {0} {1} helper --quiet",
    "backups": "apply work --quiet",
    "status": "apply work --quiet",
    "unapply": "apply work --quiet",
}
INPUT = {"merge": "{}\n", "unmerge": "{}\n", "apply": f"{pages.KEY}\n"}
FOUND = {"plan", "doctor", "status"}


def lines() -> dict[str, str]:
    """Each line that is shown and has no placeholder → a page that shows it."""
    found: dict[str, str] = {}
    for page in pages.DOCS:
        for line in pages.commands(page):
            if line not in NAMES | ONLINE and not _PLACEHOLDER.search(line):
                found.setdefault(line, page.name)
    return found


LINES = lines()


def test_there_are_lines() -> None:
    assert len(LINES) > 80


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_is_shown_works(
    line: str, tmp_path: Path, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = isolated_environment
    for path, text in FILES.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, encoding="utf-8")
    (home / "homes.txt").write_text(f"{home}\n", encoding="utf-8")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("claude", "python", "true"):
        (programs / name).write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.chdir(home)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.setenv("MOONSHOT_API_KEY", pages.KEY)
    monkeypatch.setenv("KIMI_API_KEY", "sk-kimi-0123456789abcdefghij")
    words = shlex.split(line)[1:]
    place = next(place for place, word in enumerate(words) if word in COMMANDS)
    command, arguments = words[place], words[place + 1 :]
    before = BEFORE.get(command)
    if before is not None and "--all" not in arguments:
        main([*words[:place], *shlex.split(before.format(*arguments))])

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(INPUT.get(command, "").encode())))
    status = main(words)
    assert status in ({0, 4} if command in FOUND else {0})
