"""On a terminal no line is wider than it, at 80 and at 120 columns, with colour and without."""

from __future__ import annotations

import io
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from kimi_profiles.cli import COMMANDS, main
from kimi_profiles.screen import display_width

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "sk-test-0123456789abcdefghij"
LONG = "a-profile-with-quite-a-long-name"
STORE = f"""\
[profiles.work]
description = "Kimi at work, with a description that says more than a person would care to read in a list"
provider = "moonshot-cn"

[profiles.{LONG}]
base_url = "https://gateway.with-a-long-name.department.example.com/some/longer/path/to/anthropic"
auth.token = {{ env = "A_VARIABLE_WITH_QUITE_A_LONG_NAME_OF_ITS_OWN" }}
models.default = "organisation/some-model-with-a-very-long-name-and-a-date-20261121"
description = "漢字で書かれたとても長い説明はどの端末でも折り返される必要があります。"
"""
SETTINGS = '{"env": {"ANTHROPIC_API_KEY": "sk-test-before", "ANTHROPIC_MODEL": "opus"}, "hooks": {}}'
TABLES = {"list", "models", "providers", "show", "backups"}
# What people copy is left to the terminal to break: the place and the remedy of a finding.
COPIED = re.compile(r"^ {9}\S*(/|kimi-profiles |unset |chmod |export )")

LINES = [
    "providers",
    "models",
    "list",
    "list --all",
    "show work",
    f"show {LONG}",
    "validate",
    "status",
    "plan work",
    "doctor",
    "apply work",
    "apply work",
    "status",
    f"plan {LONG}",
    f"apply {LONG}",
    "list",
    "status",
    "doctor",
    "backups list",
    "backups show pristine",
    "unapply --dry-run",
    "unapply",
    "status",
    "init --dry-run",
    f"add {LONG}-again --provider moonshot-cn --dry-run",
    f"add {LONG}-again --provider moonshot-cn",
    f"set {LONG}-again settings.a.very.long.key 'a value that is longer than a terminal is wide' --dry-run",
    f"set {LONG}-again env.API_TIMEOUT_MS 600000",
    f"unset {LONG}-again env.API_TIMEOUT_MS --dry-run",
    f"copy {LONG} {LONG}-a-third-time",
    f"rename {LONG}-a-third-time {LONG}-and-a-fourth-time",
    f"remove {LONG}-and-a-fourth-time --dry-run",
    f"remove {LONG}-and-a-fourth-time",
    "import what-was-here-before --dry-run",
    "set work nonsense 1",
    "remove nobody",
    "apply no-such-profile-at-all",
    "apply",
    "nonsense",
    "backups restore ffffffff",
    "--help",
    *(f"{name} --help" for name in COMMANDS),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("color", ["always", "never"])
@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal(
    columns: int, color: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    (home / ".claude" / "settings.json").write_text(SETTINGS, encoding="utf-8")
    (home / "profiles.toml").write_text(STORE, encoding="utf-8")
    for name in ("MOONSHOT_API_KEY", "A_VARIABLE_WITH_QUITE_A_LONG_NAME_OF_ITS_OWN"):
        monkeypatch.setenv(name, TOKEN)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.chdir(home)
    wide = []
    for line in LINES:
        out, err = Terminal(), Terminal()
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", out)
            patch.setattr("sys.stderr", err)
            main(["--home", str(home), "--store", "profiles.toml", f"--color={color}", *shlex.split(line)])
        said = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue() + err.getvalue())
        assert said, line
        is_table = line.split()[0] in TABLES and not line.endswith("--help")
        assert not is_table or "" not in said.splitlines(), line
        wide += [
            (line, each)
            for each in said.splitlines()
            if display_width(each) > columns and not (line == "doctor" and COPIED.match(each))
        ]
    assert wide == []
