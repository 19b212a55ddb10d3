"""Two calls of Linux that Python has no name for. Where one is not to be had, whoever asks does without.

They are renameat2(2) and openat2(2). What calls them, ``ctypes``, costs some 2 ms to load.
"""

from __future__ import annotations

import errno
import functools
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["open_without_links", "rename"]

_NO_REPLACE, _EXCHANGE = 1, 2  # linux/fs.h
_FROM_HERE, _NO_LINKS = -100, 4  # linux/fcntl.h, linux/openat2.h
_OPENAT2 = 437  # asm/unistd.h; the C library may have no function for it
_SO_NUMBERED = {"aarch64", "loongarch64", "ppc64le", "riscv64", "s390x", "x86_64"}


def rename(folder: int | None, name: str, new_folder: int | None, new_name: str, *, is_exchange: bool) -> int:
    """Let a file have another name, which must be free; or let two files change their names.

    Args:
        folder: Descriptor of the folder that ``name`` is in.
        name: What the file is called.
        new_folder: The same for ``new_name``.
        new_name: What it is to be called.
        is_exchange: Whether there is a file of that name, which is to be called ``name``.

    Returns:
        0, or the number of the error; ``ENOSYS`` where the system cannot do that at all.
    """
    call = _renameat2()
    if call is None:
        return errno.ENOSYS
    import ctypes

    names = folder, os.fsencode(name), new_folder, os.fsencode(new_name)
    return 0 if call(*names, _EXCHANGE if is_exchange else _NO_REPLACE) == 0 else ctypes.get_errno()


def open_without_links(path: str, flags: int) -> int | None:
    """Open ``path``, from the root on, if there is no link on the way nor at its end.

    Returns:
        A descriptor; ``None`` where that fails for whatever reason.
    """
    call = _openat2(flags)
    if call is None or "\0" in path:  # where C would take the path to end
        return None
    descriptor = call(os.fsencode(path))
    return None if descriptor == -1 else descriptor


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    function: Callable[..., int] | None = getattr(_library(), "renameat2", None)
    return function  # musl has none


@functools.cache
def _openat2(flags: int) -> Callable[[bytes], int] | None:
    call = getattr(_library(), "syscall", None)
    if call is None or os.uname().machine not in _SO_NUMBERED:
        return None
    if hasattr(sys, "getandroidapilevel"):  # it ends a program that asks for a call unknown to it
        return None
    import ctypes
    import struct

    call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_long]
    call.restype = ctypes.c_long
    how = struct.pack("QQQ", flags, 0, _NO_LINKS)
    return lambda path: call(_OPENAT2, _FROM_HERE, path, how, len(how))


def _library() -> Any:
    """The C library; ``None`` on another system, and in a Python that can load none."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True)
    except (ImportError, OSError):
        return None
