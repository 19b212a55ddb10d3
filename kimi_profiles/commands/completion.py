"""Print the completion script for a shell. It completes commands, options, profiles, providers and files.

Once, in ~/.bashrc; in ~/.zshrc behind compinit; for fish; in PowerShell's $PROFILE:

  eval "$(kimi-profiles completion bash)"
  eval "$(kimi-profiles completion zsh)"
  kimi-profiles completion fish > ~/.config/fish/completions/kimi-profiles.fish
  kimi-profiles completion powershell | Out-String | Invoke-Expression

Write the script to a file and source that, and your shell starts without starting Python.
"""

from __future__ import annotations

import io
import sys

from kimi_profiles._version import SCHEMA
from kimi_profiles.digests import sha256
from kimi_profiles.errors import UsageError
from kimi_profiles.kept import Kept, whole_program
from kimi_profiles.paths import find_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

USAGE = "SHELL "
_SHELLS = ("bash", "zsh", "fish", "powershell")  # of SCRIPTS, which need not be loaded for a kept script


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("shell", metavar="SHELL", choices=_SHELLS, help=" or ".join(_SHELLS))


def run(call: Call) -> int:
    """Print the script."""
    shell = call.args.shell
    script = _kept(call, shell)
    call.answer({"schema": SCHEMA, "ok": True, "command": "completion", "shell": shell, "script": script})
    if not call.is_json:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(newline="\n")  # bash on Windows stumbles over a carriage return
        sys.stdout.write(script)
    return 0


def _kept(call: Call, shell: str) -> str:
    """The script, made once: every command is loaded for it, and shells ask for it when they start."""
    try:
        kept = Kept(find_places(home=call.home).cache / "completion")
    except UsageError:  # nobody's home
        return _make(call, shell)
    key = sha256(f"{shell}\0{whole_program()}".encode())
    script = kept.read(key)
    if not isinstance(script, str):
        script = _make(call, shell)
        kept.write(key, script)
    return script


def _make(call: Call, shell: str) -> str:
    from kimi_profiles.catalogue import read_catalogue
    from kimi_profiles.completion import SCRIPTS, describe
    from kimi_profiles.editing.keys import known_keys

    parsers = call.parsers()
    line = describe(
        parsers.common,
        parsers.commands,
        hands_on=parsers.hands_on,
        providers=read_catalogue().providers,
        keys=known_keys(),
    )
    return SCRIPTS[shell](line)
