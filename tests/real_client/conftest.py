"""Fixtures for tests that run the real client; they skip where it cannot run, but never in CI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from real_client.sandbox import CLIENTS, missing_reason

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    """The version to give to ``run_client``, once for each of CLIENTS."""
    reason = missing_reason(request.param)
    if reason is None:
        return request.param
    if os.environ.get("KIMI_PROFILES_CI") == "1":
        pytest.fail(f"the real client must run in CI: {reason}")
    pytest.skip(f"the real client cannot run here: {reason}")


@pytest.fixture
def sandbox_home(tmp_path: Path) -> Path:
    """An empty home with ``.claude/``, and ``work/`` to start the client in."""
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    (home / "work").mkdir()
    return home
