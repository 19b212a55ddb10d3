"""SHA-256 as hexadecimal digits."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["sha256"]

_SMALL_BYTES = 1 << 19  # to load OpenSSL takes as long as it saves for so many


def sha256(*parts: bytes | memoryview) -> str:
    """The 64 hexadecimal digits of the SHA-256 of all ``parts``, one behind the other."""
    digest = _fast_sha256() if _built_in is None or sum(map(len, parts)) > _SMALL_BYTES else _built_in()
    for part in parts:
        digest.update(part)
    return str(digest.hexdigest())


def _fast_sha256() -> Any:
    import hashlib

    return hashlib.sha256()


# hashlib loads OpenSSL, which takes a quarter of Python's own start and is worth it for much data only. The
# standard library itself does this, in ``random``; what is built in goes by other names in other Pythons.
try:
    if sys.version_info >= (3, 12):
        from _sha2 import sha256 as _built_in
    else:
        from _sha256 import sha256 as _built_in  # type: ignore[import-not-found]
except ImportError:
    _built_in = None
