"""``--help`` teaches by examples, and every one of them works as it is written."""

from __future__ import annotations

import importlib
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import require_tool

from kimi_profiles.arguments import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.once

KEY = "sk-test-0123456789abcdefghij"
STORE = """\
[profiles.work]
description = "Kimi at work"
provider = "moonshot-cn"
models.haiku = "kimi-k2.7-code"

[profiles.home]
provider = "moonshot-intl"
"""
GUIDE = """\
export ANTHROPIC_BASE_URL=https://api.moonshot.cn/anthropic
export ANTHROPIC_AUTH_TOKEN=YOUR_API_KEY
"""
CC_SWITCH = """\
{"version": 2, "claude": {"providers": {"1": {"id": "1", "name": "Kimi", "settingsConfig": {"env": {
"ANTHROPIC_BASE_URL": "https://api.moonshot.cn/anthropic",
"ANTHROPIC_AUTH_TOKEN": "sk-test-of-cc-switch-0123"}}}},
"current": "1"}}
"""
FILES = {
    ".config/kimi-profiles/profiles.toml": STORE,
    "dotfiles/profiles.toml": STORE,
    ".claude/settings.json": '{"env": {"ANTHROPIC_BASE_URL": "https://api.moonshot.cn/anthropic", '
    '"ANTHROPIC_AUTH_TOKEN": "sk-test-of-the-settings-01"}}\n',
    "settings.json": '{"hooks": {}}\n',
    "guide.txt": GUIDE,
    ".cc-switch/config.json": CC_SWITCH,
    "t.py": "print('ran')\n",
}
PROGRAMS = {
    "kimi-profiles": f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kimi_profiles "$@"\n',
    "claude": "#!/bin/sh\nexit 0\n",
    "python": f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n',
    "source": "#!/bin/sh\ncat >/dev/null\n",
    "Invoke-Expression": "#!/bin/sh\ncat >/dev/null\n",
    "Out-String": "#!/bin/sh\ncat\n",
}
# What needs something to be there first, and what ends with 4 because it found something.
FIRST = {
    "backups": "kimi-profiles apply work -q && kimi-profiles unapply -q",
    "status": "kimi-profiles apply work -q",
    "unmerge": "kimi-profiles merge work <settings.json >settings.new && mv settings.new settings.json",
}
FOUND = {"plan work --exit-code", "doctor", "doctor --scope local", "plan work"}


def examples() -> Iterator[tuple[str, str]]:
    for name in COMMANDS:
        text = importlib.import_module(f"kimi_profiles.commands.{name}").__doc__ or ""
        for line in text.splitlines():
            if line.startswith("  ") and "kimi-profiles " in line:
                yield name, line.strip().partition("   ")[0]


EXAMPLES = list(examples())


def test_every_command_that_takes_a_word_has_an_example() -> None:
    without = {"init", "providers", "models"}
    assert {name for name, _ in EXAMPLES} >= set(COMMANDS) - without


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_an_example_works_as_it_is_written(name: str, line: str, tmp_path: Path) -> None:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "homes.txt").write_text(f"{tmp_path}\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    for program, text in PROGRAMS.items():
        (tmp_path / "bin" / program).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / program).chmod(0o755)
    (tmp_path / ".config" / "fish" / "completions").mkdir(parents=True)
    first = FIRST.get(name, ":")
    bash = [require_tool("bash"), "-c", f"enable -n source\nset -e -o pipefail\n{first}\n{line}"]
    zsh = [require_tool("zsh"), "-fc", f"autoload -U compinit; compinit -D\n{line}"]
    run = subprocess.run(
        zsh if line.endswith('zsh)"') else bash,
        cwd=tmp_path,
        env={
            "HOME": str(tmp_path),
            "PATH": f"{tmp_path / 'bin'}{os.pathsep}/usr/bin:/bin",
            "SHELL": "/bin/bash",
            "EDITOR": "true",
            "MOONSHOT_API_KEY": KEY,
            "PYTHONPATH": str(Path(importlib.import_module("kimi_profiles").__file__ or "").parents[1]),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    words = line.removeprefix("kimi-profiles ")
    assert run.returncode in ({0, 4} if words in FOUND else {0}), run.stderr
    assert "sk-test" not in run.stderr
