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
from kimi_profiles.completion import SCRIPTS, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call

USAGE = "SHELL "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("shell", metavar="SHELL", choices=SCRIPTS, help=" or ".join(SCRIPTS))


def run(call: Call) -> int:
    """Print the script."""
    from kimi_profiles.catalogue import read_catalogue
    from kimi_profiles.editing.keys import known_keys

    parsers = call.parsers()
    line = describe(
        parsers.common,
        parsers.commands,
        hands_on=parsers.hands_on,
        providers=read_catalogue().providers,
        keys=known_keys(),
    )
    script = SCRIPTS[call.args.shell](line)
    call.answer(
        {"schema": SCHEMA, "ok": True, "command": "completion", "shell": call.args.shell, "script": script}
    )
    if not call.is_json:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(newline="\n")  # bash on Windows stumbles over a carriage return
        sys.stdout.write(script)
    return 0
