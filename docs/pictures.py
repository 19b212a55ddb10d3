"""Pictures of real runs for the documents: `python docs/pictures.py` writes them to docs/pictures.

Each command runs in a terminal of 88 columns, in a throw-away home with a key that is none; rich draws what
arrives there.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

FOLDER = Path(__file__).parent / "pictures"
COLUMNS, LINES = 88, 50
KEY = "sk-test-7d1f3b5a9c0e2468ace013579bdf"
SETTINGS = """\
{
  "hooks": {"PostToolUse": [{"matcher": "Edit", "hooks": [{"type": "command", "command": "ruff format"}]}]},
  "env": {"ANTHROPIC_API_KEY": "sk-test-the-key-before"}
}
"""
STATE = '{\n  "numStartups": 212,\n  "primaryApiKey": "sk-test-a-console-login"\n}\n'
STORE = """\
[profiles.work]
description = "Kimi at work"
provider = "moonshot-cn"

[profiles.work.models]
haiku = "kimi-k2.7-code-highspeed"

[profiles.home]
extends = "work"
provider = "kimi-code-com"
description = "Kimi Code membership"
"""
RC = "export PATH=$HOME/bin:$PATH\nexport ANTHROPIC_API_KEY=sk-test-the-key-before\n"
PROJECT = '{"env": {"ANTHROPIC_MODEL": "kimi-k2-0905-preview"}}\n'
BROKEN = STORE.replace("provider = ", "provder = ", 1)

# Name of the picture → the commands in it, one after another in one home.
PICTURES = {
    "plan": ["plan moonshot-cn"],
    "apply": ["apply moonshot-cn", "unapply"],
    "status": ["apply work --quiet", "status"],
    "doctor": ["apply work --quiet", "doctor --project app"],
    "list": ["apply work --quiet", "list"],
    "error": ["validate"],
}
HIDDEN = " --quiet"

_BLANK = "&#160;"
_COLUMN = 12.2  # how wide rich draws a column
_INDENTED = re.compile(
    rf'(<text [^>]*?x=")([\d.]+)("[^>]*?textLength=")([\d.]+)"[^>]*?>((?:{_BLANK})+)(?=[^<])'
)


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name in PICTURES:
        (FOLDER / f"{name}.svg").write_text(draw(name), encoding="utf-8")


def draw(name: str) -> str:
    """The picture as SVG."""
    console = Console(
        width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for command, output in run(name):
        console.print(Text.assemble(("$ ", "dim"), (f"kimi-profiles {command}", "bold")))
        console.print(Text.from_ansi(output))
    svg = console.export_svg(title="kimi-profiles", theme=DIMMED_MONOKAI, unique_id=f"picture-{name}")
    # A picture asks no other host for a font.
    svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    return _INDENTED.sub(_moved, svg)


def _moved(text: re.Match[str]) -> str:
    """The same text without the blanks at its beginning, at its place: some programs drop them."""
    before, x, between, length, blanks = text.groups()
    moved = len(blanks) // len(_BLANK) * _COLUMN
    return f'{before}{float(x) + moved:g}{between}{float(length) - moved:g}">'


def run(name: str) -> list[tuple[str, str]]:
    """The commands of a picture that are shown, each with what a terminal gets from it."""
    with tempfile.TemporaryDirectory(prefix="kimi-profiles-") as folder:
        home = Path(folder)
        store = home / ".config" / "kimi-profiles" / "profiles.toml"
        client = home / "bin" / "claude"
        for path in (home / ".claude", store.parent, client.parent):
            path.mkdir(parents=True)
        (home / ".claude" / "settings.json").write_text(SETTINGS, encoding="utf-8")
        (home / ".claude.json").write_text(STATE, encoding="utf-8")
        store.write_text(BROKEN if name == "error" else STORE, encoding="utf-8")
        if name == "doctor":
            (home / ".bashrc").write_text(RC, encoding="utf-8")
            (home / "app" / ".claude").mkdir(parents=True)
            (home / "app" / ".claude" / "settings.json").write_text(PROJECT, encoding="utf-8")
        client.write_text("#!/bin/sh\n", encoding="utf-8")
        client.chmod(0o755)
        package = {"name": "@anthropic-ai/claude-code", "version": "2.1.329"}
        (client.parent / "package.json").write_text(json.dumps(package), encoding="utf-8")
        outputs = [(command, in_terminal(home, command)) for command in PICTURES[name]]
    return [(command, output) for command, output in outputs if not command.endswith(HIDDEN)]


def in_terminal(home: Path, command: str) -> str:
    """What one command writes to a terminal."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {
        "HOME": str(home),
        "PATH": str(home / "bin"),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "SHELL": "/bin/bash",
        "MOONSHOT_API_KEY": KEY,
        "PYTHONPATH": str(FOLDER.parents[1]),
    }
    arguments = [sys.executable, "-m", "kimi_profiles", *command.split()]
    with subprocess.Popen(arguments, stdin=its, stdout=its, stderr=its, env=environment, cwd=home):
        os.close(its)
        written = b""
        while chunk := _read(ours):
            written += chunk
    os.close(ours)
    return written.decode().replace("\r\n", "\n").replace(str(home), "/home/me").rstrip("\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when nobody has the other end any more
        return b""


if __name__ == "__main__":
    main()
