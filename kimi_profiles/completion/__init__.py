"""The command line, described → a completion script for each shell. Pure.

A script knows commands, options and fixed values by itself. Names of profiles it asks of
``kimi-profiles list --names``, with the ``--store`` and ``--home`` of the line; of those it offers only names
that a profile may have, so that nothing in a profile file can become part of a command line. It evaluates
nothing that stands on the line, and calls only the ``kimi-profiles`` that ``PATH`` leads to.
"""

from __future__ import annotations

from kimi_profiles.completion.bash import bash_script
from kimi_profiles.completion.fish import fish_script
from kimi_profiles.completion.line import Command, CommandLine, Option, Value, describe
from kimi_profiles.completion.powershell import powershell_script
from kimi_profiles.completion.zsh import zsh_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SCRIPTS", "Command", "CommandLine", "Option", "Value", "describe"]

SCRIPTS: dict[str, Callable[[CommandLine], str]] = {
    "bash": bash_script,
    "zsh": zsh_script,
    "fish": fish_script,
    "powershell": powershell_script,
}
"""Shell → what makes its script."""
