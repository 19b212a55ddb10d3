"""Files that the measurements are about: settings as people have them, profiles, large state files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MB = 1_000_000

# A layout, an escape and a number that do not survive being read and written anew.
SETTINGS = """\
{
\t"permissions": { "allow": ["Bash(git diff:*)", "Bash(make test)"], "deny": [] },
\t"hooks": { "Stop": [{ "hooks": [{ "type": "command", "command": "make lint" }] }] },
\t"statusLine": { "type": "command", "command": "caf\\u00e9", "padding": 1.0 },
\t"env": {
\t\t"EDITOR": "vim"
\t}
}"""
STATE = """\
{
  "numStartups": 212,
  "projects": {}
}
"""
PROFILES = """\
[defaults.env]
API_TIMEOUT_MS = "600000"

[profiles.work]
description = "Kimi"
provider = "moonshot-cn"

[profiles.work.models]
default = "kimi-k2.7-code"
haiku = "kimi-k2.7-code-highspeed"

[profiles.other]
extends = "work"
base_url = "https://other.example/anthropic"
auth.token.env = "MOONSHOT_API_KEY"

[profiles.local]
provider = "ollama"
"""

_TURN = (
    "Could you look at why the third test of the parser fails when the input ends in a comma? "
    'The message says "expected a value" and I think that is right, but the column is off by one.\n'
    "    def parse(text):\\n        return Parser(text).value()\n"
)
_EMOJI = "谢谢 \N{PARTY POPPER} "


def lay_out(home: Path, profiles: str = PROFILES) -> None:
    """Make ``home`` one in which Claude Code was used and our profiles are, and nothing of ours was done."""
    write(home / ".claude" / "settings.json", SETTINGS)
    write(home / ".claude.json", STATE)
    write(home / ".config" / "kimi-profiles" / "profiles.toml", profiles)


def write(path: Path, text: str) -> None:
    """Write a file, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def many_profiles(count: int) -> str:
    """So many profiles, with five keys each."""
    return "".join(
        f'[profiles.p{number}]\ndescription = "number {number}"\nprovider = "moonshot-cn"\n'
        f'models.default = "kimi-k2.7-code"\nmodels.haiku = "kimi-k2.7-code-highspeed"\n'
        f'env.NUMBER = "{number}"\n\n'
        for number in range(count)
    )


def write_chats(path: Path, size_bytes: int, *, has_emoji: bool = False) -> None:
    """A state file with projects and what was said in them, as Claude Code lays it out."""
    display = json.dumps(_TURN + _EMOJI * has_emoji, ensure_ascii=False)
    turn = f'        {{\n          "display": {display},\n          "pastedContents": {{}}\n        }}'
    turns = ",\n".join([turn] * 100)
    project = f'{{\n      "allowedTools": [],\n      "history": [\n{turns}\n      ]\n    }}'
    count = max(1, size_bytes // len(project.encode()))
    members = (f'    "/home/somebody/project-{number}": {project}' for number in range(count))
    _write_object(path, '{\n  "numStartups": 212,\n  "projects": {\n', members, "\n  }\n}\n")


def write_flat(path: Path, count: int) -> None:
    """A state file that is one object with so many members, all beside the keys that are ours."""
    members = (f'  "member-{number:07}": {{ "seen": true, "times": {number} }}' for number in range(count))
    _write_object(path, "{\n", members, "\n}\n")


def _write_object(path: Path, head: str, members: Iterable[str], tail: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        for number, member in enumerate(members):
            file.write(",\n" * (number > 0) + member)
        file.write(tail)
