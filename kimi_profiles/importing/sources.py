"""From where a configuration is read: what a person asked for → the reader for it."""

from __future__ import annotations

import os
import sys

from kimi_profiles.client import rules_for
from kimi_profiles.errors import InvalidError, NotFoundError, UsageError
from kimi_profiles.files import read_file
from kimi_profiles.importing.layered import read_environment, read_files, read_shell, read_together
from kimi_profiles.importing.pasted import read_pasted
from kimi_profiles.importing.recognize import ENDPOINT_VARIABLES
from kimi_profiles.layers import read_layer
from kimi_profiles.ledger import ledger_file, read_ledger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from kimi_profiles.api import ClaudeCode
    from kimi_profiles.importing.found import Found

__all__ = ["from_claude", "from_shell", "from_standard_input", "from_text_file"]

_MAX_TEXT_BYTES = 1 << 20
_UTF_16 = {b"\xff\xfe", b"\xfe\xff"}  # as PowerShell writes


def from_claude(claude: ClaudeCode, *, with_environment: bool) -> Found:
    """What Claude Code would use now.

    Args:
        claude: Whose; of a scope that is one settings file only that file counts.
        with_environment: Whether the environment counts as well, as the weakest layer. Ours says nothing
            about the home of somebody else, and is left out there.
    """
    ledger = read_ledger(ledger_file(claude.places.state))
    if claude.scope.name == "path":
        data = read_file(claude.scope.settings)
        if data is None:
            raise NotFoundError("there is no such file", path=claude.scope.settings)
        return read_files([read_layer("flag", claude.scope.settings, data, rules_for(None))], ledger)
    files = read_files(claude.survey(with_texts=True).effective.layers, ledger)
    if not with_environment or not claude.is_own_home:
        return files
    return read_together(files, read_environment(ENDPOINT_VARIABLES, claude.env))


def from_shell(claude: ClaudeCode) -> Found:
    """What a new shell would have: the environment, and below it the start-up files."""
    env = claude.env if claude.is_own_home else {}
    return read_shell(ENDPOINT_VARIABLES, home=claude.places.home, env=env, process=env)


def from_text_file(path: Path) -> Found:
    """What a pasted text in a file says."""
    data = read_file(path, limit_bytes=_MAX_TEXT_BYTES)
    if data is None:
        raise NotFoundError("there is no such file", path=path)
    return _from_bytes(data, str(path))


def from_standard_input() -> Found:
    """What a text on standard input says; on a terminal, what is pasted there."""
    if sys.stdin is None:
        raise UsageError("there is no standard input")
    if sys.stdin.isatty():
        end = "Ctrl-Z and Enter" if os.name == "nt" else "Ctrl-D"
        sys.stderr.write(f"paste the text, then end it with {end} on a line of its own\n")
        sys.stderr.flush()
    data = sys.stdin.buffer.read(_MAX_TEXT_BYTES + 1)
    if len(data) > _MAX_TEXT_BYTES:
        raise InvalidError("the text is larger than 1 MiB", hint="take only the part that you want")
    return _from_bytes(data, "standard input")


def _from_bytes(data: bytes, origin: str) -> Found:
    try:
        text = data.decode("utf-16" if data[:2] in _UTF_16 else "utf-8")
    except UnicodeDecodeError:
        raise InvalidError("this is not UTF-8", path=origin) from None
    return read_pasted(text, origin)
