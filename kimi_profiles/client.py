"""Which Claude Code is installed, and by which measured rules it goes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from kimi_profiles.patterns import pattern
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Client", "Rules", "find_client", "find_program", "rules_for"]

_VERSION = pattern(r"\d+\.\d+\.\d+")
_ANSWER = pattern(r"(?as)(\d{1,9}\.\d{1,9}\.\d{1,9}).*Claude Code")
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Rules:
    """In what the measured versions of Claude Code differ. The older and the newer one are measured.

    Attributes:
        version: The version on which these were measured.
        is_newer: Whether it is the newer one. The reader of a rule finds both sides of it there.
    """

    version: str
    is_newer: bool


OLDER = Rules("2.1.39", is_newer=False)
NEWER = Rules("2.1.329", is_newer=True)


@dataclass(frozen=True, slots=True)
class Client:
    """An installed Claude Code.

    Attributes:
        path: The command, links resolved.
        version: Such as ``2.1.329``; ``None`` if it would not say.
    """

    path: Path
    version: str | None


def rules_for(version: str | None) -> Rules:
    """The rules of the measured version that is the nearest; without a version, those of the newer one."""
    if version is not None and _number(version) <= _number(OLDER.version):
        return OLDER
    return NEWER


def find_client(env: Mapping[str, str] | None = None) -> Client | None:
    """The ``claude`` that a shell would start; ``None`` if there is none.

    Its version is read from what lies around it (a native installation is named for it, a package says it in
    its ``package.json``), so that it need not be started; where that does not tell, it is asked.

    Args:
        env: The process environment; ``os.environ`` if left out. Of it ``PATH`` is looked at, as
            :func:`find_program` does.
    """
    found = find_program("claude", os.environ if env is None else env)
    if found is None:
        return None
    path = Path(os.path.realpath(found))
    return Client(path, _version_around(path) or _ask(path))


def find_program(name: str, env: Mapping[str, str]) -> str | None:
    """The path of what a shell would start as ``name``, links kept; ``None`` if there is nothing.

    Folders of ``PATH`` that are not absolute are left out: whatever lies in the working directory is not run.
    """
    folders = [folder for folder in env.get("PATH", "").split(os.pathsep) if os.path.isabs(folder)]  # noqa: PTH117
    if os.name == "nt":  # there names have endings that need not be said
        import shutil

        return shutil.which(name, path=os.pathsep.join(folders)) if folders else None
    paths = (os.path.join(folder, name) for folder in folders)  # noqa: PTH118 - a text, for a path as PATH has it
    return next((path for path in paths if os.access(path, os.X_OK) and not os.path.isdir(path)), None)  # noqa: PTH112


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _version_around(path: Path) -> str | None:
    if _VERSION.fullmatch(path.name):
        return path.name
    for folder in list(path.parents)[:3]:
        try:
            package = json.loads((folder / "package.json").read_bytes())
            if package["name"] == "@anthropic-ai/claude-code" and _VERSION.fullmatch(package["version"]):
                return str(package["version"])
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            continue
    return None


def _ask(path: Path) -> str | None:
    import subprocess

    try:
        run = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _ANSWER.match(run.stdout.decode("utf-8", "replace"))
    return match[1] if match else None
