"""SHA-256, whichever implementation is at hand."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from kimi_profiles import digests


@pytest.mark.parametrize("size", [0, 1, 64, 65_535, 65_536, 65_537, 1 << 20])
@pytest.mark.parametrize("built_in", [digests._built_in, None], ids=["built in", "OpenSSL's"])
def test_it_is_sha256(size: int, built_in: object, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(number % 251 for number in range(size))
    monkeypatch.setattr(digests, "_built_in", built_in)
    assert digests.sha256(data) == hashlib.sha256(data).hexdigest()
    assert digests.sha256(data[:7], b"", data[7:]) == digests.sha256(data)


def test_little_data_does_not_load_openssl() -> None:
    code = (
        "import sys\nfrom kimi_profiles.digests import sha256\nsha256(b'x')\nprint('_hashlib' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
