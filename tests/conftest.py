"""Every test runs in a throw-away home and a clean environment; the header says how to repeat a run."""

from __future__ import annotations

import os
import platform
import random
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOMES = {
    "HOME": ".",
    "USERPROFILE": ".",
    "XDG_CONFIG_HOME": ".config",
    "XDG_STATE_HOME": ".local/state",
    "XDG_CACHE_HOME": ".cache",
    "XDG_DATA_HOME": ".local/share",
    "APPDATA": "AppData/Roaming",
    "LOCALAPPDATA": "AppData/Local",
}

# What Claude Code, a provider or this program reads; what git tells its hooks of the real repository.
SHARES_EVERYWHERE = 4  # of a random test that comes in shares; the others run on one Python only
REMOVED_PREFIXES = ("ANTHROPIC_", "CLAUDE", "MOONSHOT_", "KIMI_", "GIT_")
REMOVED = {
    # The way to the user's own keyring.
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
    # What rich takes for the user's wish.
    "NO_COLOR",
    "FORCE_COLOR",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "COLUMNS",
    "LINES",
}
KEPT = {"KIMI_PROFILES_CI", "KIMI_PROFILES_LONG"}


def isolate(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Make ``home`` the home of everything that looks for one, and forget what the user has configured."""
    for name in list(os.environ):
        if name not in KEPT and (name in REMOVED or name.startswith(REMOVED_PREFIXES)):
            monkeypatch.delenv(name)
    for name, place in HOMES.items():
        monkeypatch.setenv(name, str(home / place))
    monkeypatch.setenv("TERM", "dumb")
    # macOS and Windows find the user's keyring without any of the variables above.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


@pytest.fixture(scope="session", autouse=True)
def isolated_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fixtures wider than one test see no real home either."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        isolate(monkeypatch, tmp_path_factory.mktemp("home"))
        yield


# A MonkeyPatch of its own: a test that calls `monkeypatch.undo()` must not get the real home back.
@pytest.fixture(autouse=True)
def isolated_environment(
    isolated_session: None, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Path]:
    """Each test starts in an empty home; gives its path."""
    home = tmp_path_factory.mktemp("home")
    random.seed(pytestconfig.getoption("hypothesis_seed"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        isolate(monkeypatch, home)
        yield home


@pytest.fixture(params=["at once", "step by step"])
def walk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the folders of a path are entered: by one call, where Linux has it, or one after the other."""
    if request.param == "step by step":
        monkeypatch.setattr("kimi_profiles.linux.open_without_links", lambda *_: None)
    monkeypatch.setattr("kimi_profiles.route._WORTH_LOADING", 0)
    return str(request.param)


# Before Hypothesis reads its option.
@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.option.hypothesis_seed is None:
        from_controller = getattr(config, "workerinput", {}).get("seed")
        config.option.hypothesis_seed = from_controller or str(random.SystemRandom().randrange(2**32))


# The workers of pytest-xdist parse the command line anew, so the seed drawn here has to be handed to them.
@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["seed"] = node.config.option.hypothesis_seed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        parameters = getattr(item, "callspec", None)
        share = parameters.params.get("share", 0) if parameters is not None else 0
        if {"real_client", "faults"} & set(item.path.parts) or share >= SHARES_EVERYWHERE:
            item.add_marker(pytest.mark.once)


def pytest_report_header(config: pytest.Config) -> list[str]:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return [
        f"python: {python}",
        f"random seed: repeat with --hypothesis-seed={config.option.hypothesis_seed}",
    ]
