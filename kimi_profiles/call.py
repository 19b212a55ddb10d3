"""One call of the command line: its options, and what they mean as store, scope and output."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import sys
from pathlib import Path

from kimi_profiles.errors import NotFoundError, UsageError
from kimi_profiles.paths import find_places
from kimi_profiles.route import absolute
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping
    from types import SimpleNamespace
    from typing import Any

    from kimi_profiles.api import ClaudeCode
    from kimi_profiles.errors import Notice
    from kimi_profiles.progress import Say
    from kimi_profiles.screen import Screen
    from kimi_profiles.store import ProfileStore

__all__ = ["Call", "Parsers"]

_NO_SUCH = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}


@dataclass(frozen=True, slots=True)
class Parsers:
    """What the command line consists of.

    Attributes:
        common: The parser of what may stand before a command.
        commands: Name of a command → what it does, in a line, and its parser.
        hands_on: Commands that hand on what is behind their arguments.
    """

    common: argparse.ArgumentParser
    commands: Mapping[str, tuple[str, argparse.ArgumentParser]]
    hands_on: frozenset[str]


@dataclass(frozen=True, slots=True)
class Call:
    """What a command gets to work with.

    Attributes:
        args: The parsed arguments: the common ones, and the command's own.
        out: Results for people; silent with ``--quiet`` and ``--json``.
        err: Everything else.
        parsers: Those of all commands; asking for them imports every command.
        rest: What is behind the arguments and not for us, for a command that hands it on.
        ignored: Signals among those that :mod:`kimi_profiles.cli` handles that our caller had us ignore.
    """

    args: SimpleNamespace
    out: Screen
    err: Screen
    parsers: Callable[[], Parsers]
    rest: tuple[str, ...] = ()
    ignored: frozenset[int] = frozenset()

    @property
    def is_json(self) -> bool:
        """Whether the answer is one JSON object."""
        return bool(self.args.json)

    @property
    def is_quiet(self) -> bool:
        """Whether people want to see nothing but errors."""
        return bool(self.args.quiet)

    @property
    def store_path(self) -> Path | None:
        """The TOML file that was named, by option or by ``KIMI_PROFILES_STORE``; absolute."""
        named = self.args.store or os.environ.get("KIMI_PROFILES_STORE")
        return absolute(Path(named)) if named else None

    @property
    def home(self) -> Path | None:
        """The home that was named."""
        return _folder("--home", self.args.home)

    def store(self) -> ProfileStore:
        """The profiles."""
        from kimi_profiles.store import ProfileStore

        return ProfileStore.open(self.store_path, home=self.home)

    def own_store_path(self) -> Path:
        """The TOML file, named or not."""
        return self.store_path or find_places(home=self.home).store

    def claude(self, home: Path | None = None) -> ClaudeCode:
        """The scope that the options name; the user's own of ``home``, if it is given."""
        from kimi_profiles.api import ClaudeCode

        if home is not None:
            found = _folder("--homes-from", str(home))
            return ClaudeCode.user(home=found, timeout_s=self.args.lock_timeout)

        return ClaudeCode.of(
            self.args.scope,
            project=_folder("--project", self.args.project),
            settings=_path("--settings", self.args.settings),
            home=self.home,
            timeout_s=self.args.lock_timeout,
        )

    def path(self, option: str, value: str | None) -> Path | None:
        """The path behind an option, if it was given."""
        return _path(option, value)

    def answer(self, data: dict[str, Any]) -> None:
        """With ``--json``, print the one object."""
        if self.is_json:
            json.dump(data, sys.stdout, ensure_ascii=True, indent=2)
            sys.stdout.write("\n")

    def say(self, *segments: Any, hang: int | None = None) -> None:
        """Print a line of the result for people; see :meth:`Screen.line`."""
        if not self.is_json and not self.is_quiet:
            self.out.line(*segments, hang=hang)

    def say_whole(self, *segments: Any) -> None:
        """The same for a line that people copy; see :meth:`Screen.whole`."""
        if not self.is_json and not self.is_quiet:
            self.out.whole(*segments)

    def busy(self, what: str, *, unless: bool = False) -> contextlib.AbstractContextManager[Say]:
        """While the block runs, tell people on a terminal what takes so long, if it takes long.

        Args:
            what: The words to begin with; the block may say how far it is.
            unless: Whether something else is shown meanwhile, which a moving line would write over.
        """
        from kimi_profiles.progress import say_nothing, show_progress

        is_hidden = unless or self.is_quiet
        return contextlib.nullcontext(say_nothing) if is_hidden else show_progress(what, self.err)

    def warn(self, notices: Iterable[Notice]) -> None:
        """Print what is odd, to standard error."""
        if self.is_json or self.is_quiet:
            return
        for notice in notices:
            self.err.line(("warning: ", "change"), notice.message)
            if notice.hint:
                self.err.line(("   hint: ", "dim"), notice.hint)


def _path(option: str, value: str | None) -> Path | None:
    """The path behind an option; an empty one is a variable that was not set, never the working directory."""
    if value == "":
        raise UsageError(f"{option} is empty")
    return None if value is None else Path(value)


def _folder(option: str, value: str | None) -> Path | None:
    path = _path(option, value)
    if path is None:
        return None
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        if error.errno not in _NO_SUCH:
            raise  # told as what the system says
        is_folder = False
    if not is_folder:
        raise NotFoundError(f"{option}: there is no such folder", path=path)
    return path
