"""``python -m kimi_profiles`` and the console script are the same program."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from _thread import RLock  # threading would take a while to load
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

__all__ = ["main"]

_FEWER_COLLECTIONS = 100_000  # what is loaded stays, and to look at it again and again takes a while
# The standard library loads these for what this program seldom asks of it. They take 0.2 times as long as
# Python's own start.
_SELDOM_USED = ("fnmatch", "ipaddress", "ntpath", "warnings")
_MODELS = "kimi_profiles.declaration"
_ONE_AT_A_TIME = RLock()


def main() -> NoReturn:
    """Run the command line and leave with its exit status."""
    gc.set_threshold(_FEWER_COLLECTIONS)
    for name in _SELDOM_USED:
        sys.modules.setdefault(name, _Deferred(name))
    sys.modules.setdefault(_MODELS, _Models(_MODELS))
    _open_standard_streams()
    try:
        from kimi_profiles.cli import main as run_cli
    except KeyboardInterrupt:  # before there is anybody to handle it well
        sys.exit(130)
    _leave(run_cli())


class _Deferred(ModuleType):
    """A module that is loaded when something of it is looked at, or changed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._load(), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._load(), name, value)

    def _load(self) -> ModuleType:
        with _ONE_AT_A_TIME:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        __import__(self.__name__)
        return sys.modules[self.__name__]


class _Models(_Deferred):
    """What profiles are checked with. Plugins of pydantic neither see it nor are looked for.

    What they are for is to look on, and nobody who installs one means our profiles. Only to load what the
    search is done with would take as long as Python's own start.
    """

    def _load(self) -> ModuleType:
        with _without_plugins():
            module = super()._load()
            module.ProfileTable.model_rebuild()  # else that, and the search with it, comes with its first use
        return module


class _Metadata(_Deferred):
    """``importlib.metadata``, of which pydantic imports a function at once, even if it never calls it."""

    __path__: list[str] = []  # noqa: RUF012 - as packages have it

    def entry_points(self, **wanted: str) -> Any:
        return self._load().entry_points(**wanted)


@contextlib.contextmanager
def _without_plugins() -> Iterator[None]:
    """What is made meanwhile has no plugins. Then all is as before; no program is started meanwhile."""
    import importlib

    name, before = "importlib.metadata", os.environ.get("PYDANTIC_DISABLE_PLUGINS")
    deferred = _Metadata(name)
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    if name not in sys.modules:
        sys.modules[name] = importlib.metadata = deferred
    try:
        yield
    finally:
        if sys.modules.get(name) is deferred:
            del sys.modules[name], importlib.metadata
        del os.environ["PYDANTIC_DISABLE_PLUGINS"]
        if before is not None:
            os.environ["PYDANTIC_DISABLE_PLUGINS"] = before


def _open_standard_streams() -> None:
    """Whoever closed one of them must not get our output into the next file that is opened."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            mode = os.O_RDONLY if number == 0 else os.O_WRONLY
            os.open(os.devnull, mode)  # the lowest number that is free
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8"))


def _leave(status: int) -> NoReturn:
    """End the process; to take apart what was loaded would take 0.4 times as long as Python's own start."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # what could not be written was told, and is in the exit status
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
