"""Where every file lives: ours, and Claude Code's for each scope. Nothing here is created or written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kimi_profiles.errors import UsageError
from kimi_profiles.route import absolute, real_folder
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal, TypeAlias

__all__ = ["Places", "Scope", "ScopeName", "find_places", "find_scope"]

_APP = "kimi-profiles"

ScopeName: TypeAlias = 'Literal["user", "project", "local", "path"]'

# Below a home that is named explicitly: (config, state, cache). platformdirs knows only the home of the
# user who runs us, and reads variables (XDG_…) that speak of that user, not of the home that was named.
_BELOW_HOME = {
    "linux": (".config", ".local/state", ".cache"),
    "darwin": ("Library/Application Support", "Library/Application Support", "Library/Caches"),
    "win32": ("AppData/Local", "AppData/Local", "AppData/Local"),
}

_XDG = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")

# https://code.claude.com/docs/en/settings#settings-files; on Linux measured.
_MANAGED = {
    "linux": "/etc/claude-code",
    "darwin": "/Library/Application Support/ClaudeCode",
    "win32": r"C:\Program Files\ClaudeCode",
}


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one user.

    Attributes:
        home: What ``~`` means.
        config: Holds ``profiles.toml``.
        state: Holds the ledger, the lock and the backups; mode 0700.
        cache: May be deleted at any time.
        claude: Claude Code's configuration folder.
        claude_json: Claude Code's state file: ``~/.claude.json`` unless one of its rules says otherwise.
        managed: Where an administrator's settings are, for all users of the machine.
    """

    home: Path
    config: Path
    state: Path
    cache: Path
    claude: Path
    claude_json: Path
    managed: Path

    @property
    def store(self) -> Path:
        """The TOML file with the profiles."""
        return self.config / "profiles.toml"


@dataclass(frozen=True, slots=True)
class Scope:
    """The files that one ``apply`` is about.

    Attributes:
        name: ``path`` for a settings file that was named by itself.
        settings: The settings file.
        claude_json: Claude Code's state file, or ``None`` where it is to be left alone.
    """

    name: ScopeName
    settings: Path
    claude_json: Path | None


def find_places(
    env: Mapping[str, str] | None = None, *, home: Path | None = None, platform: str = sys.platform
) -> Places:
    """The folders of the user, or of ``home`` if it is given.

    Args:
        env: The process environment; ``os.environ`` if left out. Of it only ``CLAUDE_CONFIG_DIR`` is read
            here: it moves all of Claude Code's files; an empty one moves its settings to the working
            directory and leaves the rest at home. A ``home`` that is given makes it count for nothing.
        home: The home of another user, or a throw-away one.
        platform: As ``sys.platform``; counts for a ``home`` that is given, and for managed settings.

    Raises:
        UsageError: ``home`` is left out, and neither the environment nor the system knows one.

    Source:
        Measured on Claude Code 2.1.39 and 2.1.329, docs/claude-code.md "Folders".
    """
    env = os.environ if env is None else env
    if home is None:
        home, (config, state, cache) = _own_home(), _own_folders(platform)
        override = env.get("CLAUDE_CONFIG_DIR")
    else:
        home = absolute(home)
        parts = _BELOW_HOME.get(platform, _BELOW_HOME["linux"])
        config, state, cache = (home / part / _APP for part in parts)
        override = None
    claude = home / ".claude" if override is None else absolute(Path(override))
    legacy = claude / ".config.json"
    state_file = (
        legacy
        if os.path.isfile(legacy)  # noqa: PTH113 - where it may not be looked at, it is not
        else (absolute(Path(override)) if override else home) / ".claude.json"
    )
    if state == config:
        state /= "state"
    if cache == config:
        cache /= "cache"
    return Places(
        home, config, state, cache, claude, state_file, Path(_MANAGED.get(platform, _MANAGED["linux"]))
    )


def find_scope(
    name: str, places: Places, *, project: Path | None = None, settings: Path | None = None
) -> Scope:
    """The files of a scope.

    Args:
        name: ``user``, ``project`` or ``local``; not looked at where ``settings`` is given.
        places: From :func:`find_places`.
        project: The project's folder for ``project`` and ``local``; the working directory if left out.
        settings: Any settings file as the only target.

    Raises:
        UsageError: No scope of this name.
    """
    user = places.claude / "settings.json"
    if settings is not None:
        named = absolute(settings)
        return Scope("path", real_folder(named.parent) / named.name, None)
    if name == "user":
        return Scope("user", user, places.claude_json)
    root = real_folder(project or Path())  # by whatever name it was reached
    shared = root / ".claude" / "settings.json"
    if name == "project":
        return Scope("project", shared, places.claude_json)
    if name == "local":
        local = root / ".claude" / "settings.local.json"
        return Scope("local", local, places.claude_json)
    raise UsageError(f"no scope is called {name!r}", hint="choose user, project or local")


def _own_home() -> Path:
    try:
        return absolute(Path.home())
    except RuntimeError:  # no HOME, and no such user: containers with an arbitrary user id
        raise UsageError("this user has no home folder", hint="set HOME, or use --home") from None


def _own_folders(platform: str) -> tuple[Path, Path, Path]:
    """Configuration, state and cache of the user who runs us."""
    home = os.environ.get("HOME", "")
    if platform == "linux" and home.startswith("/") and "ANDROID_DATA" not in os.environ:
        # What platformdirs says in this case; its import alone takes longer than Python's own start.
        named = (os.environ.get(variable, "") for variable in _XDG)
        usual = (Path(home, part) for part in _BELOW_HOME["linux"])
        config, state, cache = (
            Path(name if name.startswith("/") else folder, _APP)
            for name, folder in zip(named, usual, strict=True)
        )
        return config, state, cache
    from platformdirs import PlatformDirs

    folders = PlatformDirs(_APP, appauthor=False)
    return folders.user_config_path, folders.user_state_path, folders.user_cache_path
