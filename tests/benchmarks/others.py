"""Other tools that switch providers, side by side with ours: how to install, set up and use each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from support import ROOT

from benchmarks.cases import Ours
from benchmarks.measure import Case, DidNotWorkError, Job, spend
from benchmarks.samples import SETTINGS, STATE, write
from benchmarks.traits import Traits, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

FIRST, SECOND = PROVIDERS = ("first", "second")
MODEL = "kimi-k2.7-code"

_INSTALL_S = 300


def url(provider: str) -> str:
    """Where a provider is said to be."""
    return f"https://{provider}.example/anthropic"


def key(provider: str) -> str:
    """Its fake key."""
    return f"sk-test-of-the-{provider}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """How one tool is used.

    Attributes:
        name: In its registry.
        version: The one that is installed; empty for ours, which is what is here.
        registry: ``PyPI`` or ``npm``.
        program: Name of its command.
        set_up: Called with the command and a home; makes both providers known.
        switch: Arguments that switch; NAME stands for the provider.
        listing: Arguments that list the providers.
        target: The file to which the address goes, from the home.
        pause_s: Waited before each switch, where one right after another fails.
        remark: What has to be known about it.
    """

    name: str
    version: str = ""
    registry: str = "PyPI"
    program: str
    set_up: Callable[[Sequence[str], Path], None]
    switch: tuple[str, ...]
    listing: tuple[str, ...]
    target: str = ".claude/settings.json"
    pause_s: float = 0
    remark: str = ""

    def switch_to(self, provider: str) -> list[str]:
        """Arguments for a switch to ``provider``."""
        return [provider if word == "NAME" else word for word in self.switch]


def _ours(command: Sequence[str], home: Path) -> None:
    profiles = ""
    for name in PROVIDERS:
        write(home / f"{name}.key", key(name))
        (home / f"{name}.key").chmod(0o600)
        profiles += (
            f'[profiles.{name}]\nbase_url = "{url(name)}"\nmodels.default = "{MODEL}"\n'
            f'auth.token.file = "~/{name}.key"\n\n'
        )
    write(home / ".config" / "kimi-profiles" / "profiles.toml", profiles)


def _claude_provider_switcher(command: Sequence[str], home: Path) -> None:
    for name in PROVIDERS:
        options = ["--base-url", url(name), "--model", MODEL, "--auth-kind", "auth_token", "--key-stdin"]
        spend([*command, "profile", "add", name, *options], home, stdin=key(name) + "\n")


def _ccpkit(command: Sequence[str], home: Path) -> None:
    for name in PROVIDERS:
        options = ["--claude-base", url(name), "--claude-key", key(name), "--claude-model", MODEL]
        spend([*command, "add", name, "--yes", *options], home)


def _ai_switch(command: Sequence[str], home: Path) -> None:
    settings = home / ".claude" / "settings.json"
    for name in PROVIDERS:
        now = json.loads(SETTINGS)
        now["env"] |= {"ANTHROPIC_BASE_URL": url(name), "ANTHROPIC_AUTH_TOKEN": key(name)}
        write(settings, json.dumps(now, indent=2))
        spend([*command, "init", name], home)
    write(settings, SETTINGS)


def _agentkeyswitch(command: Sequence[str], home: Path) -> None:
    for name in PROVIDERS:
        options = ["--claude-token", key(name), "--claude-base-url", url(name), "--claude-model", MODEL]
        spend([*command, "add", name, "--agent", "claude", *options], home)


def _claude_switch(command: Sequence[str], home: Path) -> None:
    configs = {
        name: {
            "base_url": url(name),
            "api_keys": [],
            "auth_tokens": [key(name)],
            "note": "",
            "active_auth": 0,
            "active_key": -1,
            "models": {"opus": MODEL},
            "env": {},
        }
        for name in PROVIDERS
    }
    whole = {"version": "2.0", "configs": configs, "active": FIRST}
    write(home / ".claude-switch" / "config.json", json.dumps(whole, indent=2))
    (home / ".claude-switch" / "config.json").chmod(0o600)


def _ccs(command: Sequence[str], home: Path) -> None:
    for name in PROVIDERS:
        options = ["--base-url", url(name), "--api-key", key(name), "--model", MODEL, "--yes"]
        spend([*command, "api", "create", name, *options], home)


def _zcf(command: Sequence[str], home: Path) -> None:
    profiles = "".join(
        f'\n[claudeCode.profiles.{name}]\nname = "{name}"\nauthType = "auth_token"\n'
        f'apiKey = "{key(name)}"\nbaseUrl = "{url(name)}"\nprimaryModel = "{MODEL}"\n'
        for name in PROVIDERS
    )
    head = (
        'version = "1.0.0"\n\n[general]\npreferredLang = "en"\ncurrentTool = "claude-code"\n\n'
        '[claudeCode]\nenabled = true\noutputStyles = []\ninstallType = "global"\ncurrentProfile = ""\n'
    )
    write(home / ".ufomiao" / "zcf" / "config.toml", head + profiles)
    (home / ".ufomiao" / "zcf" / "config.toml").chmod(0o600)


OURS = Tool(
    name="kimi-profiles",
    program="kimi-profiles",
    set_up=_ours,
    switch=("apply", "NAME"),
    listing=("list",),
)
OTHERS = (
    Tool(
        name="claude-provider-switcher",
        version="0.1.6",
        program="ccs",
        set_up=_claude_provider_switcher,
        switch=("use", "NAME"),
        listing=("profile", "list"),
        remark="writes an `apiKeyHelper`, so the key stays in its own file",
    ),
    Tool(
        name="ccpkit",
        version="0.3.0",
        program="ccpkit",
        set_up=_ccpkit,
        switch=("use", "NAME", "--client", "claude"),
        listing=("list",),
    ),
    Tool(
        name="ai-switch-cli",
        version="0.5.0",
        program="ai-switch",
        set_up=_ai_switch,
        switch=("use", "NAME"),
        listing=("list",),
        remark="a profile is made of the settings as they are; another way to add one needs a terminal",
    ),
    Tool(
        name="agentkeyswitch",
        version="0.4.0",
        program="agswitch",
        set_up=_agentkeyswitch,
        switch=("use", "claude", "NAME"),
        listing=("list",),
    ),
    Tool(
        name="claude-switch",
        version="1.5.3",
        program="claude-switch",
        set_up=_claude_switch,
        switch=("use", "NAME"),
        listing=("list",),
        target=".claude-switch/env.sh",
        remark="address and key go to a file that shells read when they start, only models to the settings; "
        "providers are added at a terminal (here its file was written instead)",
    ),
    Tool(
        name="@kaitranntt/ccs",
        version="7.79.1",
        registry="npm",
        program="ccs",
        set_up=_ccs,
        switch=("persist", "NAME", "--yes"),
        listing=("api", "list"),
        pause_s=1,
        remark="two switches within one second: the second fails, because its backup has the same name "
        "(here a second was waited)",
    ),
    Tool(
        name="zcf",
        version="3.7.3",
        registry="npm",
        program="zcf",
        set_up=_zcf,
        switch=("config-switch", "NAME"),
        listing=("config-switch", "--list"),
        remark="providers are added at a terminal or with a whole set-up (here its file was written instead)",
    ),
)


def install_ours(folder: Path) -> Ours:
    """Install what is here, as it would be from a registry, into an environment of its own."""
    python = folder / "kimi-profiles" / "bin" / "python"
    _environment(python)
    _run(python, "-m", "pip", "install", "--quiet", "--no-input", ROOT)
    return Ours(python)


def install(tool: Tool, folder: Path) -> Path:
    """Install another tool, unless it is; no code of it runs for that.

    Returns:
        Its command.

    Raises:
        DidNotWorkError: It could not be installed.
    """
    where = folder / f"{tool.name.rpartition('/')[2]}-{tool.version}"
    if tool.registry == "npm":
        command = where / "node_modules" / ".bin" / tool.program
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", where]
        installing = ["npm", "install", *options, f"{tool.name}@{tool.version}"]
    else:
        command = where / "bin" / tool.program
        options = ["--quiet", "--no-input", "--only-binary=:all:"]
        installing = [
            where / "bin" / "python",
            "-m",
            "pip",
            "install",
            *options,
            f"{tool.name}=={tool.version}",
        ]
    if not command.exists():
        where.mkdir(parents=True, exist_ok=True)
        if tool.registry == "PyPI":
            _environment(where / "bin" / "python")
        _run(*installing)
    return command


def _environment(python: Path) -> None:
    if not python.exists():
        _run(sys.executable, "-m", "venv", python.parent.parent)


def _run(*argv: object) -> None:
    words = [str(word) for word in argv]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # leads to our tests
    try:
        done = subprocess.run(
            words,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DidNotWorkError(f"not installed: {error}") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason was given"]
        raise DidNotWorkError(f"not installed: {lines[-1]}")


def home_for(tool: Tool, command: Sequence[str], folder: Path) -> Path:
    """A home in which the tool knows both providers, and is at the second."""
    home = folder / tool.program
    shutil.rmtree(home, ignore_errors=True)
    write(home / ".claude" / "settings.json", SETTINGS)
    write(home / ".claude.json", STATE)
    tool.set_up(command, home)
    spend([*command, *tool.switch_to(SECOND)], home)
    expect(tool, home, SECOND)
    return home


def expect(tool: Tool, home: Path, provider: str) -> None:
    """Look whether the tool is at ``provider``.

    Raises:
        DidNotWorkError: It is not.
    """
    text = (home / tool.target).read_text(encoding="utf-8")
    if url(provider) not in text:
        raise DidNotWorkError(f"the command succeeded, and {tool.target} does not name {url(provider)}")


def cases(tool: Tool, command: Sequence[str], start: Sequence[str], folder: Path) -> Iterator[Case]:
    """The job: switch to a provider, switch back, list them.

    Args:
        tool: Which one.
        command: Its command, as a list.
        start: The start of its interpreter alone.
        folder: For its home.
    """
    home = home_for(tool, command, folder)
    against = Job(argv=start, home=home)
    for name, from_, to in (("switch", SECOND, FIRST), ("switch back", FIRST, SECOND)):
        before = partial(_be_at, tool, from_, command, home)
        check = partial(expect, tool, home, to)
        job = Job(argv=[*command, *tool.switch_to(to)], home=home, before=before, check=check)
        yield Case(name=name, job=job, against=against)
    yield Case(name="list", job=Job(argv=[*command, *tool.listing], home=home), against=against)


def _be_at(tool: Tool, provider: str, command: Sequence[str], home: Path) -> None:
    time.sleep(tool.pause_s)
    spend([*command, *tool.switch_to(provider)], home)
    time.sleep(tool.pause_s)


ACTIONS = ("switch", "switch back", "list")


def traits(tool: Tool, command: Sequence[str], folder: Path) -> Traits:
    """What a first switch does, in a home where nothing was switched yet."""
    home = folder / f"{tool.program}-traced"
    shutil.rmtree(home, ignore_errors=True)
    write(home / ".claude" / "settings.json", SETTINGS)
    write(home / ".claude.json", STATE)
    tool.set_up(command, home)
    return watch([*command, *tool.switch_to(FIRST)], home, target=home / tool.target, key=key(FIRST))
