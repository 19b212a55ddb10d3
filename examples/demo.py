"""Apply a profile to an untidy home, take it out again, and compare the bytes: in a throw-away home.

Run it with ``make demo``. Every step is the real command line in a process of its own.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

# Not a key: no provider has ever given it to anybody.
KEY = "sk-test-7d1f3b5a9c0e2468ace013579bdf"

# What people's files look like after a year: tabs beside blanks, two line ends, a number written 1.0, one key
# twice, another provider's key, and no line end behind the last brace.
SETTINGS = (
    b"{\r\n"
    b'\t"model": "opus",\r\n'
    b'\t"permissions": { "allow": ["Bash(git diff:*)", "Read(~/notes/**)"],  "deny":["Read(./.env)"] },\r\n'
    b'    "hooks": {\n'
    b'        "PostToolUse": [{"matcher": "Edit|Write", '
    b'"hooks": [{"type": "command", "command": "ruff format"}]}]\n'
    b"    },\r\n"
    b'\t"statusLine": {"type": "command", "command": "~/bin/claude-status"},\r\n'
    b'\t"env": {\r\n'
    b'\t\t"ANTHROPIC_API_KEY": "sk-test-the-key-before",\r\n'
    b'\t\t"API_TIMEOUT_MS": "600000"\r\n'
    b"\t},\r\n"
    b'\t"cleanupPeriodDays": 1.0,\r\n'
    b'\t"model": "sonnet"\r\n'
    b"}"
)
STATE = b'{\n  "numStartups": 212,\n  "projects": {"/srv/app": {"allowedTools": []}}\n}'


def main() -> int:
    """Run the steps; 1 if the files are not the same in the end."""
    with tempfile.TemporaryDirectory(prefix="kimi-profiles-demo-") as folder:
        home = Path(folder)
        files = {home / ".claude" / "settings.json": SETTINGS, home / ".claude.json": STATE}
        for path, data in files.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        settings = next(iter(files))
        print(f"In a throw-away home ({home}), with MOONSHOT_API_KEY set to a key that is none.")

        title(
            "cat -vT ~/.claude/settings.json",
            "what the user has; ^I a tab, ^M a carriage return, keys masked",
        )
        show(settings)
        step(home, "plan", "moonshot-cn")
        step(home, "apply", "moonshot-cn")
        step(home, "status")
        title("cat -vT ~/.claude/settings.json", "the same file, with the profile in it; keys masked")
        show(settings)
        step(home, "apply", "moonshot-cn")
        step(home, "unapply")

        title("cmp", "every byte of both files, before and after")
        return compare(home, files)


def step(home: Path, *command: str) -> None:
    """Run one command of kimi-profiles as a user of ``home`` would, under its title."""
    title(" ".join(["kimi-profiles", *command]))
    sys.stdout.flush()
    run(home, *command)


def run(home: Path, *command: str) -> None:
    """Run one command of kimi-profiles; it must succeed."""
    # Of the environment only what a process needs: no other variable of the real user's reaches the demo.
    needed = ("PATH", "SYSTEMROOT", "TERM", "NO_COLOR")
    kept = {name: os.environ[name] for name in needed if name in os.environ}
    own = {"HOME": str(home), "USERPROFILE": str(home), "PYTHONUTF8": "1", "MOONSHOT_API_KEY": KEY}
    # `-P` keeps Python from importing what happens to lie in the working directory.
    program = [sys.executable, "-P", "-m", "kimi_profiles", "--home", str(home)]
    subprocess.run([*program, *command], env=kept | own, check=True)


def compare(home: Path, files: dict[Path, bytes]) -> int:
    """Say of each file whether it holds the same bytes as in the beginning; 1 if one does not."""
    status = 0
    for path, before in files.items():
        after = path.read_bytes() if path.exists() else b""
        name = f"~/{path.relative_to(home).as_posix()}"
        mode = f"mode {stat.S_IMODE(path.stat().st_mode):04o}" if path.exists() else "gone"
        if after == before:
            print(f"{name}: identical, {len(after)} bytes, {mode}")
        else:
            print(f"{name}: DIFFERENT, {len(before)} bytes before and {len(after)} now, {mode}")
            status = 1
    return status


def show(path: Path) -> None:
    """Print a file as ``cat -vT`` does: its layout is to be seen, the keys in it are not."""
    text = re.sub(r"sk-test-[\w-]+", "sk-test-********", path.read_bytes().decode("utf-8"))
    for line in text.split("\n"):
        print("  " + line.replace("\t", "^I").replace("\r", "^M"))
    if not text.endswith("\n"):
        print(style("2", "  (no line end at the end)"))


def title(command: str, remark: str = "") -> None:
    """Print the heading of a step."""
    print(f"\n{style('1', f'$ {command}')}{style('2', f'   # {remark}') if remark else ''}")


def style(code: str, text: str) -> str:
    """``text`` with an attribute, where that is welcome."""
    is_welcome = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return f"\x1b[{code}m{text}\x1b[0m" if is_welcome else text


if __name__ == "__main__":
    sys.exit(main())
