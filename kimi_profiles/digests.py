"""SHA-256 as hexadecimal digits."""

from __future__ import annotations

__all__ = ["sha256"]

_SMALL_BYTES = 1 << 16


def sha256(data: bytes) -> str:
    """The 64 hexadecimal digits of the SHA-256 of ``data``."""
    return (_own_sha256 if len(data) <= _SMALL_BYTES else _fast_sha256)(data)


def _fast_sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


# hashlib loads OpenSSL, which takes a quarter of Python's own start and is worth it for much data only. The
# standard library itself does this, in ``random``; what is built in goes by other names in other Pythons.
try:
    from _sha2 import sha256 as _built_in  # type: ignore[import-not-found]
except ImportError:
    try:
        from _sha256 import sha256 as _built_in  # type: ignore[import-not-found]
    except ImportError:
        _built_in = None


def _own_sha256(data: bytes) -> str:
    return _fast_sha256(data) if _built_in is None else _built_in(data).hexdigest()
