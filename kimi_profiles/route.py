"""From a path to its file, one folder at a time, so that nobody can lead us elsewhere on the way.

Promised on Linux and macOS: what is done with a :class:`Route` happens in the very folder that was checked,
whatever becomes of its name meanwhile. A link that belongs to somebody else than us or root only leads to
what belongs to that somebody: it can lend us nothing that is not theirs. Windows has neither owners nor
descriptors of folders in this sense; there a route is just the resolved path.

Where Linux can be told to follow no link, a path without one takes one call; every other is walked, folder by
folder. What Linux calls a folder that is open (``/proc/self/fd``) would save as much and proves nothing: a
folder in the mounts of another process may be called the same.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import sys
from pathlib import Path

from kimi_profiles.errors import NotPermittedError
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["STAY", "Route", "absolute", "follow", "real_folder", "resolve"]

_IS_WINDOWS = os.name == "nt"
_MAX_LINKS = 40
STAY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
"""How all is opened on the way and at its end: no link is followed, and no program that we start gets it."""
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | STAY
_READABLE_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | STAY
_WORTH_LOADING = 80
"""So many walks step by step cost as much as to load what enters a folder in one call."""
_walks = itertools.count()


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads.

    Attributes:
        path: The path.
        real: The file itself, links resolved; also where it does not exist yet.
        name: What to call it, for a call that also takes ``dir_fd=folder``.
        folder: Descriptor of the deepest folder on the way that exists; ``None`` on Windows.
        missing: Names of the folders that do not.
        lenders: Who else than us and root owns a link on the way.
    """

    path: Path
    real: Path
    name: str
    folder: int | None
    missing: tuple[str, ...]
    lenders: frozenset[int]

    def at(self, name: str) -> str:
        """What to call another ``name`` in the folder."""
        return str(self.real.with_name(name)) if self.folder is None else name

    def check(self, file: os.stat_result | None) -> None:
        """Whether what was found may be used; ``None`` where there is no file.

        Raises:
            NotPermittedError: Somebody else put it, or a link to it, where we found it.
        """
        if self.folder is None:
            return
        folder = os.fstat(self.folder)
        found = folder if file is None else file
        if self.lenders - {found.st_uid}:
            raise NotPermittedError(
                "a link on the way belongs to another user, and what it leads to does not",
                hint="name the file itself, if it is the one you mean",
                path=self.path,
            )
        if file is not None and folder.st_mode & stat.S_IWOTH and file.st_uid not in _trusted():
            raise NotPermittedError(
                "this file belongs to another user, in a folder where anybody may put one",
                hint="check who made it; then move it, or take it over with chown",
                path=self.path,
            )

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor of the folder by which it can be read and synced; not on Windows."""
        descriptor = os.open(".", _READABLE_FOLDER, dir_fd=self.folder)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def sync(self) -> None:
        """Sync the folder."""
        with self.opened() as descriptor:
            os.fsync(descriptor)


def absolute(path: Path) -> Path:
    """``path`` from the root on. Links are not looked at: the name of one is what we know its file by."""
    if not _IS_WINDOWS and path.anchor == "/" and ".." not in path.parts:
        return path
    text = os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps "..", resolve follows links
    return Path(text if _IS_WINDOWS or not text.startswith("//") else text[1:])


@contextlib.contextmanager
def follow(path: Path, *, follow_symlinks: bool = True) -> Iterator[Route]:
    """The route to ``path``; its folder is held open while the block runs.

    Args:
        path: Where to.
        follow_symlinks: Whether a link at the very end is followed too.

    Raises:
        NotPermittedError: A link leads nowhere or in a circle.
        OSError: A folder cannot be entered.
    """
    path = absolute(path)
    if _IS_WINDOWS:
        real = _resolve(path) if follow_symlinks else _resolve(path.parent) / path.name
        yield Route(path, real, str(real), None, (), frozenset())
        return
    walk = _Walk(path, follow_symlinks=follow_symlinks)
    try:
        yield walk.go()
    finally:
        walk.close()


def resolve(path: Path) -> Path:
    """``path`` with all links resolved; what is missing at its end stays as it is.

    Raises:
        NotPermittedError: As :meth:`Route.check` and :func:`follow`.
    """
    try:
        with follow(path) as route:
            return route.real
    except OSError:
        return absolute(path)  # whoever opens it will say what is wrong


def real_folder(path: Path) -> Path:
    """The same for a folder, which must not be lent to us."""
    try:
        with follow(path / "_", follow_symlinks=False) as route:
            route.check(None)
            return route.real.parent
    except OSError:
        return absolute(path)  # whoever opens it will say what is wrong


def _trusted() -> set[int]:
    return {0, os.geteuid()}


def _opened_at_once(path: Path) -> int | None:
    """A descriptor of the folder that ``path`` is in, if the system gets there in one call."""
    if "ctypes" not in sys.modules and next(_walks) < _WORTH_LOADING:
        return None
    from kimi_profiles.linux import open_without_links

    return open_without_links(str(path).rpartition("/")[0] or "/", _FOLDER)


class _Walk:
    def __init__(self, path: Path, *, follow_symlinks: bool) -> None:
        self.path = path
        self.follow_symlinks = follow_symlinks
        names = path.parts[1:]
        folder = _opened_at_once(path)
        self.folder = os.open("/", _FOLDER) if folder is None else folder
        steps = 0 if folder is None else max(0, len(names) - 1)
        self.here = list(names[:steps])  # names of the folders that we are in
        self.rest = list(reversed(names[steps:]))
        self.lenders: set[int] = set()
        self.links = 0
        self.link: Path | None = None  # the outermost that we are in
        self.behind = 0  # how many of the rest lie behind it

    def close(self) -> None:
        os.close(self.folder)

    def go(self) -> Route:
        while self.rest:
            part = self.rest.pop()
            if len(self.rest) < self.behind:
                self.link, self.behind = None, 0
            if part == "..":
                self._open(part)
                del self.here[-1:]
                continue
            if not self.rest and not self.follow_symlinks:
                return self._route(part)
            if self.rest and self._entered(part):
                continue
            try:
                status = os.lstat(part, dir_fd=self.folder)
            except FileNotFoundError:
                return self._end(part)
            if stat.S_ISLNK(status.st_mode):
                self._follow(part, status)
            elif self.rest:
                self._enter(part)
            else:
                return self._route(part)
        return Route(self.path, Path("/", *self.here), ".", self.folder, (), frozenset(self.lenders))

    def _entered(self, part: str) -> bool:
        """Whether ``part`` is a folder, and then we are in it; most are, so it is not asked first."""
        before = self.folder
        try:
            self.folder = os.open(part, _FOLDER, dir_fd=before)
        except OSError:
            return False
        self.here.append(part)
        os.close(before)  # if this fails, we are in it all the same
        return True

    def _enter(self, part: str) -> None:
        self._open(part)
        self.here.append(part)

    def _open(self, part: str) -> None:
        # Never closed twice: a signal may raise as soon as it is closed.
        before, self.folder = self.folder, os.open(part, _FOLDER, dir_fd=self.folder)
        os.close(before)

    def _follow(self, part: str, status: os.stat_result) -> None:
        self.links += 1
        if self.links > _MAX_LINKS:
            raise NotPermittedError("the link leads in a circle", path=self.path)
        try:
            target = os.readlink(part, dir_fd=self.folder)
            again = os.lstat(part, dir_fd=self.folder)
        except OSError:
            again = None
        if again is None or (again.st_ino, again.st_ctime_ns) != (status.st_ino, status.st_ctime_ns):
            raise NotPermittedError("the link changes while it is followed", path=self.path)
        if status.st_uid not in _trusted():
            self.lenders.add(status.st_uid)
        if self.link is None:
            self.link, self.behind = Path("/", *self.here, part), len(self.rest)
        if target.startswith("/"):
            self._open("/")
            self.here = []
        self.rest += reversed([step for step in target.split("/") if step not in {"", "."}])

    def _end(self, part: str) -> Route:
        if self.link is not None:
            raise NotPermittedError(
                f"the link {self.link} leads nowhere",
                hint="create what it points to, or remove the link",
                path=self.path,
            )
        return self._route(part, *reversed(self.rest))

    def _route(self, *parts: str) -> Route:
        """The route to what is called ``parts`` from here; all but the last of them are missing."""
        real = Path("/", *self.here, *parts) if self.links else self.path
        return Route(self.path, real, parts[-1], self.folder, parts[:-1], frozenset(self.lenders))


def _resolve(path: Path) -> Path:
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError:
        return Path(os.path.realpath(path.parent)) / path.name
