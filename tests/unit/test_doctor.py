"""Each finding is there where it should be, with place and remedy, and gone once its cause is."""

from __future__ import annotations

import ast
import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import require_tool

from kimi_profiles import ClaudeCode, ProfileStore, doctor, linux, paths
from kimi_profiles.cli import main
from kimi_profiles.doctor import Finding, examine, read_patient, sessions, settled
from kimi_profiles.doctor.endpoint import client_environment
from kimi_profiles.files import FileChangedError
from kimi_profiles.transaction import _Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from kimi_profiles.doctor.patient import Patient

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes, links and rc files as POSIX has them")

TOKEN, OTHER = "sk-test-0123456789abcdefghij", "sk-test-zyxwvutsrqponmlkjihg"
CN, INTL = "https://api.moonshot.cn/anthropic", "https://api.moonshot.ai/anthropic"
SETTINGS, LOCAL, PROJECT = (
    "~/.claude/settings.json",
    "~/proj/.claude/settings.local.json",
    "~/proj/.claude/settings.json",
)
STATE = "~/.claude.json"
STORE = """\
[profiles.work]
provider = "moonshot-cn"
auth.token = { env = "WORK_KEY" }

[profiles.key]
base_url = "http://127.0.0.1:9/anthropic"
auth = { variable = "ANTHROPIC_API_KEY", token = { env = "WORK_KEY" } }
models.default = "kimi-k2.7-code"

[profiles.helped]
provider = "moonshot-cn"
auth = { delivery = "helper", token = { env = "WORK_KEY" } }

[profiles.filed]
provider = "moonshot-cn"
auth.token = { file = "~/token" }

[profiles.free]
extends = "work"
pin_model = false
"""
# What somebody sets up by hand, and nothing is wrong with.
WHOLE = {
    "ANTHROPIC_BASE_URL": CN,
    "ANTHROPIC_AUTH_TOKEN": TOKEN,
    "ANTHROPIC_API_KEY": "",
    "ANTHROPIC_MODEL": "kimi-k2.7-code",
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "kimi-k2.7-code",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "kimi-k2.7-code",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "kimi-k2.7-code-highspeed",
    "ANTHROPIC_DEFAULT_FABLE_MODEL": "kimi-k2.7-code",
    "CLAUDE_CODE_MAX_CONTEXT_TOKENS": "262144",
    "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "262144",
    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
}


class World:
    """A throw-away home with a project, a Claude Code and nothing wrong."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.patch = home, monkeypatch
        self.managed, self.proc = home / "managed", home / "proc"
        for name in ("proj/.claude", ".claude", ".config/kimi-profiles", "bin", "managed", "proc"):
            (home / name).mkdir(parents=True)
        self.write("~/.config/kimi-profiles/profiles.toml", STORE)
        self.state({"hasCompletedOnboarding": True})
        self.client("2.1.329")
        monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("WORK_KEY", TOKEN)
        monkeypatch.chdir(home / "proj")
        monkeypatch.setitem(paths._MANAGED, "linux", str(self.managed))
        monkeypatch.setattr(sessions, "PROC", self.proc)

    def path(self, name: str) -> Path:
        return self.home / name.removeprefix("~/")

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
        path.chmod(mode)
        return path

    def settings(self, document: Any, name: str = SETTINGS) -> None:
        self.write(name, json.dumps(document, indent=1))

    def env(self, name: str = SETTINGS, /, **changes: Any) -> None:
        """Settings by hand; ``None`` leaves a variable out."""
        variables = {**(WHOLE if name == SETTINGS else {}), **changes}
        self.settings({"env": {key: value for key, value in variables.items() if value is not None}}, name)

    def state(self, document: Any) -> None:
        self.settings(document, STATE)

    def shell(self, **variables: str | None) -> None:
        for name, value in variables.items():
            self.patch.delenv(name, raising=False) if value is None else self.patch.setenv(name, value)

    def client(self, version: str | None) -> None:
        """Install that version of Claude Code, or none."""
        link = self.path("bin/claude")
        link.unlink(missing_ok=True)
        if version is not None:
            program = self.write(f"~/versions/{version}", "#!/bin/sh\nexit 1\n", 0o755)
            link.symlink_to(program)

    def remove(self, name: str) -> None:
        path = self.path(name)
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def claude(self, scope: str = "user") -> ClaudeCode:
        return ClaudeCode.of(scope, project=None if scope == "user" else self.path("proj"))

    def apply(self, name: str = "work", scope: str = "user", *, allow_tracked: bool = False) -> None:
        self.claude(scope).apply(ProfileStore.open()[name], allow_tracked=allow_tracked)

    def patient(self, scope: str = "user", **options: Any) -> Patient:
        return read_patient(self.claude(scope), ProfileStore.open, **options)

    def findings(self, scope: str = "user") -> list[Finding]:
        return examine(self.patient(scope))

    def session(self, pid: int, *, age_s: float, **changes: Any) -> None:
        """Let the system tell of a process."""
        folder = self.proc / str(pid)
        folder.mkdir()
        facts = {"exe": "/home/me/.local/share/claude/versions/2.1.329", "cmdline": "claude", "parent": 1}
        facts |= {"home": str(self.home)} | changes
        ticks = (time.clock_gettime(time.CLOCK_BOOTTIME) - age_s) * os.sysconf("SC_CLK_TCK")
        (folder / "exe").symlink_to(facts["exe"])
        (folder / "cwd").symlink_to(self.home)
        (folder / "cmdline").write_bytes(facts["cmdline"].replace(" ", "\0").encode() + b"\0\0\0")
        (folder / "environ").write_bytes(f"A=1\0HOME={facts['home']}\0{facts.get('environ', '')}".encode())
        (folder / "stat").write_text(f"{pid} (a ) b) S {facts['parent']} {'0 ' * 17}{int(ticks)} 0\n")


@pytest.fixture
def world(isolated_environment: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(isolated_environment, monkeypatch)


Step = "Callable[[World], object]"


@dataclass(frozen=True)
class Case:
    """One way to get a finding.

    Attributes:
        name: Of the finding.
        arrange: What makes it wrong.
        cure: What makes it right again.
        severity: Of the finding.
        place: Of the finding; ``~`` stands for the home.
        remedy: Of the finding; ``{home}`` stands for the home.
        words: What the message has to say.
    """

    name: str
    arrange: Step
    cure: Step
    severity: str
    place: str | None = None
    remedy: str | None = None
    words: str | tuple[str, ...] = ()


def steps(*each: Callable[[World], object]) -> Callable[[World], None]:
    def run(world: World) -> None:
        for step in each:
            step(world)

    return run


def env(name: str = SETTINGS, /, **changes: Any) -> Callable[[World], None]:
    return lambda world: world.env(name, **changes)


def shell(**variables: str | None) -> Callable[[World], None]:
    return lambda world: world.shell(**variables)


def write(name: str, text: str | bytes, mode: int = 0o600) -> Callable[[World], object]:
    return lambda world: world.write(name, text, mode)


def remove(name: str) -> Callable[[World], None]:
    return lambda world: world.remove(name)


def apply(name: str = "work", scope: str = "user") -> Callable[[World], None]:
    return lambda world: world.apply(name, scope)


def state(**keys: Any) -> Callable[[World], None]:
    return lambda world: world.state({"hasCompletedOnboarding": True, **keys})


def client(version: str | None) -> Callable[[World], None]:
    return lambda world: world.client(version)


def mode(name: str, bits: int) -> Callable[[World], None]:
    return lambda world: world.path(name).chmod(bits)


def age(name: str, seconds: float) -> Callable[[World], None]:
    def set_back(world: World) -> None:
        then = time.time() - seconds
        os.utime(world.path(name), (then, then))

    return set_back


def edit(name: str, old: str, new: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        path = world.path(name)
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    return change


def rc(line: str, name: str = "~/.zshrc") -> Callable[[World], object]:
    return write(name, f"# mine\n\n{line}\n")


def git(*arguments: str) -> Callable[[World], None]:
    def run(world: World) -> None:
        name = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        command = [require_tool("git"), *name, "-C", str(world.home / "proj"), *arguments]
        subprocess.run(command, check=True, capture_output=True)

    return run


def managed(**variables: str) -> Callable[[World], None]:
    return lambda world: world.settings({"env": variables}, "~/managed/managed-settings.json")


def login(world: World) -> None:
    stored = {"claudeAiOauth": {"accessToken": "sk-ant-oat-test-1", "scopes": ["user:inference"]}}
    world.settings(stored, "~/.claude/.credentials.json")


def cut_short(world: World) -> None:
    """A run that was stopped between its files, and could not put things back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Run, "_settle", _raise)
        patch.setattr(_Run, "_put_back", _raise)
        with pytest.raises(FileChangedError):
            world.apply()


def _raise(*_: object) -> None:
    raise FileChangedError


BARE = {"ANTHROPIC_API_KEY": None}
LEDGER = "~/.local/state/kimi-profiles/ledger.json"
PROFILES = "~/.config/kimi-profiles/profiles.toml"
APPLY = "kimi-profiles apply work"
APPLY_LOCAL = "kimi-profiles apply work --scope local --project {home}/proj"
LOCK = "~/.claude.json.lock"

CASES: dict[str, Case] = {
    # ---- keys
    "a key from the shell, sent beside the token": Case(
        "shell-api-key",
        steps(env(**BARE), rc(f"export ANTHROPIC_API_KEY={OTHER}"), shell(ANTHROPIC_API_KEY=OTHER)),
        steps(remove("~/.zshrc"), shell(ANTHROPIC_API_KEY=None)),
        "error",
        "~/.zshrc:3",
        "unset ANTHROPIC_API_KEY",
        "sends it to api.moonshot.cn",
    ),
    "a key from the shell of which no file is known": Case(
        "shell-api-key",
        steps(env(**BARE), shell(ANTHROPIC_API_KEY=OTHER)),
        shell(ANTHROPIC_API_KEY=None),
        "error",
        "$ANTHROPIC_API_KEY",
        "unset ANTHROPIC_API_KEY",
    ),
    "a key in a start-up file that is not in this shell yet": Case(
        "shell-api-key",
        steps(env(**BARE), rc(f"set -gx ANTHROPIC_API_KEY {OTHER}", "~/.config/fish/config.fish")),
        remove("~/.config/fish/config.fish"),
        "warning",
        "~/.config/fish/config.fish:3",
        "set -e ANTHROPIC_API_KEY",
        "a new one has it",
    ),
    "a key from the shell that the profile masks": Case(
        "shell-api-key",
        steps(apply(), rc(f"export ANTHROPIC_API_KEY={OTHER}", "~/.bashrc")),
        rc("ANTHROPIC_API_KEY=", "~/.bashrc"),
        "info",
        "~/.bashrc:3",
        "unset ANTHROPIC_API_KEY",
        f"{SETTINGS}:",
    ),
    "a token from the shell beside the helper": Case(
        "shell-auth-token",
        steps(
            apply("helped"),
            edit(SETTINGS, '"ANTHROPIC_AUTH_TOKEN": "",', ""),
            shell(ANTHROPIC_AUTH_TOKEN=OTHER),
        ),
        shell(ANTHROPIC_AUTH_TOKEN=None),
        "error",
        "$ANTHROPIC_AUTH_TOKEN",
        "unset ANTHROPIC_AUTH_TOKEN",
    ),
    "an endpoint from the shell with a key from the settings": Case(
        "shell-base-url",
        steps(env(ANTHROPIC_BASE_URL=None), shell(ANTHROPIC_BASE_URL=CN)),
        shell(ANTHROPIC_BASE_URL=None),
        "warning",
        "$ANTHROPIC_BASE_URL",
        "unset ANTHROPIC_BASE_URL",
    ),
    "a model from the shell that pins what the profile left open": Case(
        "shell-model",
        steps(apply("free"), shell(ANTHROPIC_MODEL="kimi-k2.6")),
        shell(ANTHROPIC_MODEL=None),
        "warning",
        "$ANTHROPIC_MODEL",
        "unset ANTHROPIC_MODEL",
    ),
    "all from the shell, and in harmony": Case(
        "shell-auth-token",
        shell(ANTHROPIC_BASE_URL=CN, ANTHROPIC_AUTH_TOKEN=TOKEN),
        shell(ANTHROPIC_AUTH_TOKEN=None),
        "info",
        "$ANTHROPIC_AUTH_TOKEN",
        "unset ANTHROPIC_AUTH_TOKEN",
        "Claude Code goes by it",
    ),
    "two credentials": Case(
        "both-credentials",
        env(ANTHROPIC_API_KEY=OTHER),
        env(ANTHROPIC_API_KEY=TOKEN),
        "error",
        f"{SETTINGS}:5",
        None,
        ("ANTHROPIC_AUTH_TOKEN as authorization and ANTHROPIC_API_KEY as x-api-key", "api.moonshot.cn"),
    ),
    "two credentials for Anthropic": Case(
        "both-credentials",
        env(ANTHROPIC_API_KEY=OTHER, ANTHROPIC_BASE_URL=None),
        env(),
        "warning",
        f"{SETTINGS}:4",
        None,
        "api.anthropic.com",
    ),
    "the key of another layer beside the profile's token": Case(
        "both-credentials",
        steps(apply(), env(LOCAL, ANTHROPIC_API_KEY=OTHER)),
        remove(LOCAL),
        "error",
        f"{LOCAL}:3",
        APPLY_LOCAL,
    ),
    "a helper and a token": Case(
        "both-credentials",
        lambda world: world.settings({"env": WHOLE, "apiKeyHelper": "echo x"}),
        env(),
        "error",
        f"{SETTINGS}:15",
    ),
    "a Console login": Case(
        "console-login",
        steps(env(), state(primaryApiKey=OTHER)),
        state(),
        "error",
        f"{STATE}:3",
        "claude /logout",
        "api.moonshot.cn",
    ),
    "a Console login since the profile was applied": Case(
        "console-login", steps(apply(), state(primaryApiKey=OTHER)), apply(), "error", f"{STATE}:3", APPLY
    ),
    "a claude.ai login and no key of the endpoint's own": Case(
        "login-token-sent",
        steps(login, env(ANTHROPIC_AUTH_TOKEN=None)),
        env(),
        "error",
        "~/.claude/.credentials.json",
        "claude /logout",
        "api.moonshot.cn",
    ),
    "a claude.ai login that takes the place of the key": Case(
        "login-token-sent",
        steps(login, apply(), shell(CLAUDE_CODE_REMOTE="1")),
        shell(CLAUDE_CODE_REMOTE=None),
        "error",
        "$CLAUDE_CODE_REMOTE",
        "unset CLAUDE_CODE_REMOTE",
    ),
    "the token of a login in a variable": Case(
        "login-token-sent",
        steps(env(ANTHROPIC_AUTH_TOKEN=None), shell(CLAUDE_CODE_OAUTH_TOKEN="sk-ant-oat-test-1")),
        shell(CLAUDE_CODE_OAUTH_TOKEN=None),
        "error",
        "$CLAUDE_CODE_OAUTH_TOKEN",
        "unset CLAUDE_CODE_OAUTH_TOKEN",
    ),
    "a header from the shell": Case(
        "custom-header-credential",
        steps(env(), shell(ANTHROPIC_CUSTOM_HEADERS="X-Api-Key: own-abcdefgh")),
        env(ANTHROPIC_CUSTOM_HEADERS="X-Api-Key: own-abcdefgh"),
        "error",
        "$ANTHROPIC_CUSTOM_HEADERS",
        "unset ANTHROPIC_CUSTOM_HEADERS",
        "x-api-key",
    ),
    "a key of Anthropic's": Case(
        "key-elsewhere", env(ANTHROPIC_AUTH_TOKEN="sk-ant-test-12345678"), env(), "error", f"{SETTINGS}:4"
    ),
    "a key of another provider's": Case(
        "key-elsewhere", env(ANTHROPIC_AUTH_TOKEN="sk-kimi-test-12345678"), env(), "error", f"{SETTINGS}:4"
    ),
    "a key with a blank in it": Case(
        "key-malformed", env(ANTHROPIC_AUTH_TOKEN="sk-test 12345678"), env(), "error", f"{SETTINGS}:4"
    ),
    "a key for China at the endpoint for the rest": Case(
        "region-mixed",
        steps(env(), env(LOCAL, ANTHROPIC_BASE_URL=INTL)),
        env(LOCAL, ANTHROPIC_BASE_URL=INTL, ANTHROPIC_AUTH_TOKEN=OTHER),
        "error",
        f"{SETTINGS}:4",
        None,
        ("goes to api.moonshot.ai", "comes with api.moonshot.cn", f"{LOCAL}:3"),
    ),
    "a key and the endpoint of another layer": Case(
        "key-for-other-endpoint",
        steps(apply(), env(LOCAL, ANTHROPIC_BASE_URL="https://gateway.example/anthropic")),
        apply("work", "local"),
        "error",
        f"{SETTINGS}:4",
        APPLY_LOCAL,
    ),
    "a profile of one region and the endpoint of the other": Case(
        "region-mixed",
        steps(
            edit(
                PROFILES,
                '"moonshot-cn"\nauth.token = { env',
                f'"moonshot-cn"\nbase_url = "{INTL}"\nauth.token = {{ env',
            ),
            apply(),
        ),
        steps(edit(PROFILES, '"moonshot-cn"\nbase_url', '"moonshot-intl"\nbase_url'), apply()),
        "warning",
        PROFILES,
        None,
        "moonshot-intl",
    ),
    "the older Claude Code and a key in the variable for keys": Case(
        "key-to-anthropic",
        steps(client("2.1.39"), apply("key")),
        client("2.1.329"),
        "warning",
        f"{SETTINGS}:4",
        "claude update",
    ),
    "a project that sends the user's key to an endpoint of its own": Case(
        "endpoint-from-project",
        steps(env(ANTHROPIC_BASE_URL=None), env(PROJECT, ANTHROPIC_BASE_URL=CN)),
        env(PROJECT),
        "warning",
        f"{PROJECT}:3",
    ),
    "a reference that nobody follows": Case(
        "value-not-meant",
        env(ANTHROPIC_AUTH_TOKEN="${WORK_KEY}"),
        env(),
        "error",
        f"{SETTINGS}:4",
        None,
        "reference",
    ),
    "null": Case(
        "value-not-meant",
        lambda world: world.settings({"env": {**WHOLE, "ANTHROPIC_MODEL": None}}),
        env(),
        "error",
        f"{SETTINGS}:6",
        None,
        "null",
    ),
    "a helper whose variable is not set": Case(
        "token-unavailable",
        steps(apply("helped"), shell(WORK_KEY=None)),
        shell(WORK_KEY=TOKEN),
        "error",
        PROFILES,
        None,
        "WORK_KEY",
    ),
    "a helper with a key of another provider's": Case(
        "key-elsewhere",
        steps(apply("helped"), shell(WORK_KEY="sk-ant-test-12345678")),
        shell(WORK_KEY=TOKEN),
        "error",
        PROFILES,
    ),
    "a helper that is not there": Case(
        "helper-missing",
        lambda world: world.settings({"apiKeyHelper": "/opt/none/get-key --now"}),
        lambda world: world.settings({"apiKeyHelper": "/bin/sh -c true"}),
        "error",
        f"{SETTINGS}:2",
    ),
    "a helper that is not on the path": Case(
        "helper-missing",
        lambda world: world.settings({"apiKeyHelper": "get-key-of-nobody"}),
        lambda world: world.settings({"apiKeyHelper": "get-key-of-nobody | head -1"}),
        "error",
        f"{SETTINGS}:2",
    ),
    "a helper with the key in its command line": Case(
        "helper-shows-key",
        lambda world: world.settings({"apiKeyHelper": f"echo {OTHER}"}),
        lambda world: world.settings({"apiKeyHelper": "echo $KEY"}),
        "warning",
        f"{SETTINGS}:2",
    ),
    "a helper that a project brings": Case(
        "helper-from-project",
        lambda world: world.settings({"apiKeyHelper": "/bin/sh ./key"}, PROJECT),
        remove(PROJECT),
        "warning",
        f"{PROJECT}:2",
    ),
    # ---- scopes
    "a stronger file names another endpoint": Case(
        "stronger-layer",
        steps(apply(), env(LOCAL, ANTHROPIC_BASE_URL=INTL)),
        env(LOCAL, ANTHROPIC_BASE_URL=CN),
        "error",
        f"{LOCAL}:3",
        APPLY_LOCAL,
        "ANTHROPIC_BASE_URL",
    ),
    "a stronger file names another model": Case(
        "stronger-layer",
        steps(apply(), env(PROJECT, ANTHROPIC_MODEL="kimi-k2.6")),
        remove(PROJECT),
        "warning",
        f"{PROJECT}:3",
        APPLY_LOCAL,
    ),
    "another profile in a stronger scope": Case(
        "stronger-layer",
        steps(apply(), apply("key", "local")),
        lambda world: world.claude("local").unapply(),
        "error",
        f"{LOCAL}:3",
        "kimi-profiles unapply --scope local --project {home}/proj",
    ),
    "an administrator who decides": Case(
        "managed-settings",
        steps(apply(), managed(ANTHROPIC_BASE_URL=INTL)),
        remove("~/managed/managed-settings.json"),
        "error",
        "~/managed/managed-settings.json:3",
        None,
        "ANTHROPIC_BASE_URL",
    ),
    "an administrator, and no profile": Case(
        "managed-settings",
        managed(ANTHROPIC_BASE_URL=INTL),
        managed(EDITOR="vi"),
        "info",
        "~/managed/managed-settings.json:3",
    ),
    "a comment in the settings": Case(
        "file-ignored", write(SETTINGS, '{\n  // mine\n  "env": {}\n}'), env(), "error", f"{SETTINGS}:2"
    ),
    "a model that is no text": Case(
        "file-ignored",
        write(PROJECT, '{\n\n"model": 7}'),
        remove(PROJECT),
        "error",
        f"{PROJECT}:3",
        None,
        "model has to be",
    ),
    "settings of more than 2 MiB": Case(
        "file-ignored",
        write(SETTINGS, json.dumps({"env": {"X": "x" * (2 << 20)}})),
        client("2.1.39"),
        "error",
        SETTINGS,
        None,
        "2 MiB",
    ),
    "a folder in the place of the settings": Case(
        "file-ignored", lambda world: world.path(SETTINGS).mkdir(), remove(SETTINGS), "error", SETTINGS
    ),
    "a broken state file": Case(
        "file-stops-client",
        write(STATE, '{\n"a": 1,\n}'),
        state(),
        "error",
        f"{STATE}:2",
        None,
        "does not start",
    ),
    "a configuration folder that is relative": Case(
        "config-dir-relative",
        shell(CLAUDE_CONFIG_DIR="own"),
        shell(CLAUDE_CONFIG_DIR="/nowhere/own"),
        "error",
        "$CLAUDE_CONFIG_DIR",
        "export CLAUDE_CONFIG_DIR={home}/proj/own",
    ),
    "a configuration folder with a tilde": Case(
        "config-dir-tilde",
        steps(shell(CLAUDE_CONFIG_DIR="~/own"), rc("export CLAUDE_CONFIG_DIR='~/own'", "~/.bashrc")),
        shell(CLAUDE_CONFIG_DIR=None),
        "error",
        "~/.bashrc:3",
        "unset CLAUDE_CONFIG_DIR",
    ),
    "a configuration folder that is empty": Case(
        "config-dir-empty",
        shell(CLAUDE_CONFIG_DIR=""),
        shell(CLAUDE_CONFIG_DIR=None),
        "error",
        "$CLAUDE_CONFIG_DIR",
        "unset CLAUDE_CONFIG_DIR",
    ),
    "a configuration folder in the settings": Case(
        "config-dir-in-settings",
        env(PROJECT, CLAUDE_CONFIG_DIR="/x"),
        remove(PROJECT),
        "error",
        f"{PROJECT}:3",
    ),
    "a state file of old beside the usual one": Case(
        "legacy-state-file",
        write("~/.claude/.config.json", '{"hasCompletedOnboarding": true}'),
        remove("~/.claude/.config.json"),
        "warning",
        "~/.claude/.config.json",
        None,
        "~/.claude.json is not read",
    ),
    "a state file of old alone": Case(
        "legacy-state-file",
        steps(write("~/.claude/.config.json", "{}"), remove(STATE)),
        remove("~/.claude/.config.json"),
        "info",
        "~/.claude/.config.json",
    ),
    # ---- endpoint
    "a base URL that ends in /v1": Case(
        "base-url-invalid", env(ANTHROPIC_BASE_URL=f"{CN}/v1"), env(), "error", f"{SETTINGS}:3", None, CN
    ),
    "a base URL that is drifted": Case(
        "base-url-invalid",
        steps(apply(), edit(SETTINGS, f'"{CN}"', '"http://gateway.example"')),
        apply(),
        "error",
        f"{SETTINGS}:3",
        APPLY,
        "unencrypted",
    ),
    "the path of the other protocol": Case(
        "base-url-invalid",
        env(ANTHROPIC_BASE_URL="https://api.moonshot.cn/"),
        env(),
        "error",
        f"{SETTINGS}:3",
    ),
    "no base URL at all": Case(
        "base-url-invalid", env(ANTHROPIC_BASE_URL="http://["), env(), "error", f"{SETTINGS}:3"
    ),
    "no credential": Case(
        "nothing-sent",
        env(ANTHROPIC_AUTH_TOKEN=None),
        env(),
        "error",
        f"{SETTINGS}:3",
        None,
        "no credential",
    ),
    "a cloud takes it all": Case(
        "nothing-sent",
        steps(env(), shell(CLAUDE_CODE_USE_BEDROCK="1")),
        shell(CLAUDE_CODE_USE_BEDROCK="0"),
        "error",
        "$CLAUDE_CODE_USE_BEDROCK",
        "unset CLAUDE_CODE_USE_BEDROCK",
        "Amazon Bedrock",
    ),
    "a host program that decides": Case(
        "environment-wins",
        steps(env(), shell(ANTHROPIC_UNIX_SOCKET="/run/x")),
        shell(ANTHROPIC_UNIX_SOCKET=None),
        "error",
        "$ANTHROPIC_UNIX_SOCKET",
        "unset ANTHROPIC_UNIX_SOCKET",
    ),
    "a host program, and nothing to decide": Case(
        "environment-wins",
        shell(CLAUDE_CODE_ENTRYPOINT="claude-desktop"),
        shell(CLAUDE_CODE_ENTRYPOINT="cli"),
        "warning",
        "$CLAUDE_CODE_ENTRYPOINT",
        "unset CLAUDE_CODE_ENTRYPOINT",
    ),
    "a proxy that catches a server on this machine": Case(
        "proxy-catches-endpoint",
        steps(apply("key"), shell(HTTP_PROXY="http://me:own-abcdefgh@proxy.example:3128")),
        shell(NO_PROXY="localhost,127.0.0.1"),
        "error",
        "$HTTP_PROXY",
        'export NO_PROXY="${{NO_PROXY:+$NO_PROXY,}}127.0.0.1"',
        "proxy.example:3128",
    ),
    "a proxy in the settings": Case(
        "proxy-in-between",
        env(HTTPS_PROXY="http://proxy.example:3128"),
        env(HTTPS_PROXY="http://proxy.example:3128", NO_PROXY=".moonshot.cn"),
        "info",
        f"{SETTINGS}:14",
    ),
    "certificates that nobody looks at": Case(
        "tls-not-verified",
        steps(env(), rc("export NODE_TLS_REJECT_UNAUTHORIZED=0"), shell(NODE_TLS_REJECT_UNAUTHORIZED="0")),
        shell(NODE_TLS_REJECT_UNAUTHORIZED="1"),
        "error",
        "~/.zshrc:3",
        "unset NODE_TLS_REJECT_UNAUTHORIZED",
    ),
    # ---- Claude Code
    "no Claude Code": Case("client-missing", client(None), client("2.1.39"), "info", None, None, ("2.1.329")),
    "a Claude Code in between": Case(
        "client-not-measured",
        client("2.1.200"),
        client("2.1.39"),
        "info",
        "~/versions/2.1.200",
        None,
        ("2.1.200", "2.1.329"),
    ),
    "a Claude Code around us": Case(
        "inside-claude-code",
        shell(CLAUDECODE="1", ANTHROPIC_MODEL="x"),
        shell(ANTHROPIC_MODEL=None),
        "info",
        "$CLAUDECODE",
    ),
    "no first start yet": Case(
        "onboarding-missing",
        steps(env(), lambda world: world.state({"hasCompletedOnboarding": False})),
        state(),
        "warning",
        STATE,
        None,
        "hasCompletedOnboarding",
    ),
    "no first start yet of the older one": Case(
        "onboarding-missing",
        steps(apply(), client("2.1.39"), write(STATE, "{}")),
        apply(),
        "error",
        STATE,
        APPLY,
        "login",
    ),
    "a key that nobody approved of": Case(
        "key-not-approved",
        steps(apply("key"), state()),
        apply("key"),
        "warning",
        STATE,
        "kimi-profiles apply key",
        "asks",
    ),
    "a key that was rejected": Case(
        "key-rejected",
        steps(apply("key"), state(customApiKeyResponses={"approved": [], "rejected": ["x", TOKEN[-20:]]})),
        state(customApiKeyResponses={"approved": [TOKEN[-20:]], "rejected": [TOKEN[-20:]]}),
        "error",
        f"{STATE}:5",
        "kimi-profiles apply key",
    ),
    "sessions from before": Case(
        "session-outdated",
        steps(apply(), lambda world: world.session(11, age_s=60), lambda world: world.session(12, age_s=90)),
        steps(remove("~/proc/11"), remove("~/proc/12")),
        "warning",
        SETTINGS,
        None,
        ("2 sessions", "11", "12"),
    ),
    # ---- records
    "a ledger that is damaged": Case(
        "ledger-unreadable",
        steps(apply(), write(LEDGER, "{")),
        remove(LEDGER),
        "error",
        LEDGER,
        "kimi-profiles backups list",
    ),
    "a run that was cut short": Case(
        "run-interrupted", cut_short, apply(), "error", LEDGER, "kimi-profiles unapply"
    ),
    "a settings file that is gone": Case(
        "applied-file-gone", steps(apply(), remove(SETTINGS)), apply(), "error", SETTINGS, APPLY
    ),
    "a project that is gone": Case(
        "applied-file-gone",
        steps(apply("work", "local"), lambda world: world.patch.chdir(world.home), remove("~/proj")),
        lambda world: ClaudeCode.at(world.path(LOCAL)).unapply(),
        "warning",
        LOCAL,
        "kimi-profiles unapply --settings {home}/proj/.claude/settings.local.json",
    ),
    "an endpoint that somebody changed": Case(
        "drift",
        steps(apply(), edit(SETTINGS, f'"{CN}"', f'"{CN}/"')),
        apply(),
        "error",
        f"{SETTINGS}:3",
        APPLY,
        "ANTHROPIC_BASE_URL",
    ),
    "a small thing that somebody changed": Case(
        "drift",
        steps(
            apply(),
            edit(SETTINGS, '"CLAUDE_CODE_ATTRIBUTION_HEADER": "0"', '"CLAUDE_CODE_ATTRIBUTION_HEADER": "1"'),
        ),
        apply(),
        "warning",
        f"{SETTINGS}:12",
        APPLY,
    ),
    "a profile that is no longer declared": Case(
        "profile-gone",
        steps(apply(), write(PROFILES, "")),
        write(PROFILES, STORE),
        "warning",
        None,
        "kimi-profiles unapply",
    ),
    "a profile that is wrong now": Case(
        "profile-invalid",
        steps(apply(), write(PROFILES, '[profiles.work]\nprovider = "nobody"\n')),
        write(PROFILES, STORE),
        "error",
        f"{PROFILES}:2",
    ),
    "a profile that was edited since": Case(
        "profile-changed",
        steps(apply(), write(PROFILES, STORE.replace("moonshot-cn", "moonshot-intl"))),
        write(PROFILES, STORE),
        "warning",
        PROFILES,
        APPLY,
    ),
    "profiles that are no TOML": Case(
        "store-unreadable",
        write(PROFILES, "[profiles.work]\nx = = 1\n"),
        write(PROFILES, STORE),
        "warning",
        f"{PROFILES}:2",
    ),
    "profiles that are no TOML, one of them applied": Case(
        "store-unreadable",
        steps(apply(), write(PROFILES, "[profiles.work]\nx = = 1\n")),
        write(PROFILES, STORE),
        "error",
        f"{PROFILES}:2",
    ),
    # ---- models
    "a model that is retired": Case(
        "model-retired",
        env(ANTHROPIC_MODEL="kimi-k2-0905-preview"),
        env(),
        "error",
        f"{SETTINGS}:6",
        None,
        ("2026-05-25", "use kimi-k2.7-code"),
    ),
    "a tier that is retired": Case(
        "model-retired",
        env(ANTHROPIC_DEFAULT_HAIKU_MODEL="kimi-k2-turbo-preview"),
        env(),
        "warning",
        f"{SETTINGS}:9",
    ),
    "a model that is no longer listed": Case(
        "model-legacy",
        env(ANTHROPIC_MODEL="kimi-k2.5"),
        env(),
        "warning",
        f"{SETTINGS}:6",
        None,
        "kimi-k2.7-code",
    ),
    "a model of another provider's": Case(
        "model-elsewhere",
        env(ANTHROPIC_MODEL="kimi-for-coding"),
        env(),
        "warning",
        f"{SETTINGS}:6",
        None,
        "kimi-code-com",
    ),
    "a model that nobody knows": Case(
        "model-unknown",
        env(ANTHROPIC_MODEL="kimi-k2.7-cod"),
        env(),
        "info",
        f"{SETTINGS}:6",
        None,
        "is kimi-k2.7-code meant",
    ),
    "tiers that nobody mapped": Case(
        "tiers-unmapped",
        env(ANTHROPIC_DEFAULT_SONNET_MODEL=None, ANTHROPIC_DEFAULT_OPUS_MODEL="claude-opus-5-5"),
        env(),
        "warning",
        f"{SETTINGS}:7",
        None,
        "opus, sonnet",
    ),
    "tiers that nobody mapped, at an endpoint that nobody knows": Case(
        "tiers-unmapped",
        env(ANTHROPIC_BASE_URL="https://gateway.example", ANTHROPIC_DEFAULT_OPUS_MODEL=None),
        env(ANTHROPIC_BASE_URL="https://openrouter.ai/api", ANTHROPIC_DEFAULT_OPUS_MODEL=None),
        "info",
        f"{SETTINGS}:3",
    ),
    "half a window": Case(
        "context-window-half",
        env(CLAUDE_CODE_MAX_CONTEXT_TOKENS=None),
        env(),
        "warning",
        f"{SETTINGS}:11",
        None,
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS",
    ),
    "no window": Case(
        "context-window-missing",
        env(CLAUDE_CODE_MAX_CONTEXT_TOKENS=None, CLAUDE_CODE_AUTO_COMPACT_WINDOW=None),
        client("2.1.39"),
        "warning",
        f"{SETTINGS}:6",
        None,
        ("1,000,000", "262,144"),
    ),
    "too large a window": Case(
        "context-window-too-large",
        env(CLAUDE_CODE_MAX_CONTEXT_TOKENS="300000"),
        env(),
        "warning",
        f"{SETTINGS}:11",
        None,
        "262,144",
    ),
    "a cache that never hits": Case(
        "prompt-cache-defeated", env(CLAUDE_CODE_ATTRIBUTION_HEADER=None), env(), "info", f"{SETTINGS}:3"
    ),
    "the old name of the small model": Case(
        "small-fast-model",
        steps(apply(), shell(ANTHROPIC_SMALL_FAST_MODEL="kimi-k2.6")),
        apply(),
        "warning",
        "$ANTHROPIC_SMALL_FAST_MODEL",
        "unset ANTHROPIC_SMALL_FAST_MODEL",
        "kimi-k2.6",
    ),
    "a million tokens of a model that has fewer": Case(
        "long-context-suffix",
        env(ANTHROPIC_MODEL="kimi-k2.7-code[1m]"),
        env(ANTHROPIC_MODEL="kimi-k3[1m]"),
        "warning",
        f"{SETTINGS}:6",
    ),
    "a million tokens that nobody asked for": Case(
        "long-context-suffix",
        env(ANTHROPIC_MODEL=None),
        client("2.1.39"),
        "warning",
        f"{SETTINGS}:6",
        None,
        "no model chosen",
    ),
    # ---- storage
    "a token in a file that git tracks": Case(
        "token-tracked",
        steps(env(LOCAL, ANTHROPIC_AUTH_TOKEN=TOKEN), git("init", "-q"), git("add", "-f", ".")),
        git("rm", "-q", "--cached", "--", ".claude/settings.local.json"),
        "error",
        LOCAL,
        "git -C {home}/proj/.claude rm --cached -- settings.local.json",
    ),
    "a token file that git tracks": Case(
        "token-tracked",
        steps(
            write("~/proj/token", TOKEN),
            lambda world: world.path("token").symlink_to(world.path("proj/token")),
            apply("filed"),
            git("init", "-q"),
            git("add", "-f", "token"),
        ),
        git("rm", "-q", "--cached", "--", "token"),
        "error",
        "~/token",
        "git -C {home}/proj rm --cached -- token",
    ),
    "a token in a file that is meant to be committed": Case(
        "token-in-project",
        lambda world: world.apply("work", "project", allow_tracked=True),
        lambda world: world.claude("project").unapply(),
        "warning",
        PROJECT,
        "kimi-profiles unapply --scope project --project {home}/proj",
    ),
    "a token that everybody can read": Case(
        "readable-by-others",
        steps(env(), mode(SETTINGS, 0o644)),
        mode(SETTINGS, 0o600),
        "error",
        SETTINGS,
        "chmod 600 {home}/.claude/settings.json",
        "0644",
    ),
    "a token file that the group can read": Case(
        "readable-by-others",
        steps(write("~/token", TOKEN), apply("filed"), mode("~/token", 0o640)),
        mode("~/token", 0o600),
        "warning",
        "~/token",
        "chmod 600 {home}/token",
    ),
    "a login that everybody can read": Case(
        "readable-by-others",
        steps(login, mode("~/.claude/.credentials.json", 0o604)),
        mode("~/.claude/.credentials.json", 0o600),
        "error",
        "~/.claude/.credentials.json",
        "chmod 600 {home}/.claude/.credentials.json",
    ),
    "records that everybody can read": Case(
        "readable-by-others",
        steps(apply(), mode("~/.local/state/kimi-profiles", 0o755)),
        mode("~/.local/state/kimi-profiles", 0o700),
        "error",
        "~/.local/state/kimi-profiles",
        "chmod 700 {home}/.local/state/kimi-profiles",
    ),
    "profiles that everybody can change": Case(
        "writable-by-others",
        mode(PROFILES, 0o666),
        mode(PROFILES, 0o644),
        "error",
        PROFILES,
        "chmod o-w {home}/.config/kimi-profiles/profiles.toml",
    ),
    "a helper that everybody can change": Case(
        "writable-by-others",
        steps(
            write("~/bin/key", "#!/bin/sh\n", 0o777),
            lambda world: world.settings({"apiKeyHelper": "~/bin/key"}),
        ),
        mode("~/bin/key", 0o755),
        "error",
        "~/bin/key",
        "chmod o-w {home}/bin/key",
    ),
    "a lock that was left": Case(
        "lock-stale",
        steps(lambda world: world.path(LOCK).mkdir(), age(LOCK, 3600)),
        remove(LOCK),
        "warning",
        LOCK,
        "rmdir {home}/.claude.json.lock",
        " s ago",
    ),
    "a lock that is held": Case(
        "lock-held", lambda world: world.path(LOCK).mkdir(), remove(LOCK), "info", LOCK
    ),
    "a file in the place of the lock": Case(
        "lock-blocked", write(LOCK, ""), remove(LOCK), "warning", LOCK, "rm -- {home}/.claude.json.lock"
    ),
    "a lock with something in it": Case(
        "lock-blocked",
        write(f"{LOCK}/x", ""),
        remove(LOCK),
        "warning",
        LOCK,
        "ls -la {home}/.claude.json.lock",
    ),
    "a temporary file beside the settings": Case(
        "leftover-file",
        write("~/.claude/.settings.json.0123abcd.kimi-profiles", TOKEN),
        remove("~/.claude/.settings.json.0123abcd.kimi-profiles"),
        "warning",
        "~/.claude/.settings.json.0123abcd.kimi-profiles",
        "rm -- {home}/.claude/.settings.json.0123abcd.kimi-profiles",
    ),
    "a temporary file behind a link": Case(
        "leftover-file",
        steps(
            write("~/dotfiles/claude.json", "{}"),
            write("~/dotfiles/.claude.json.0123abcd.kimi-profiles", TOKEN),
            lambda world: world.path(SETTINGS).symlink_to(world.path("dotfiles/claude.json")),
        ),
        remove("~/dotfiles/.claude.json.0123abcd.kimi-profiles"),
        "warning",
        "~/dotfiles/.claude.json.0123abcd.kimi-profiles",
        "rm -- {home}/dotfiles/.claude.json.0123abcd.kimi-profiles",
    ),
    "half a ledger": Case(
        "leftover-file",
        write(f"{LEDGER}.tmp", "{"),
        remove(f"{LEDGER}.tmp"),
        "warning",
        f"{LEDGER}.tmp",
        f"rm -- {{home}}/{LEDGER[2:]}.tmp",
    ),
    "half a backup": Case(
        "leftover-file",
        write("~/.local/state/kimi-profiles/backups/.copy.01234567.kimi-profiles", ""),
        remove("~/.local/state/kimi-profiles/backups/.copy.01234567.kimi-profiles"),
        "warning",
        "~/.local/state/kimi-profiles/backups/.copy.01234567.kimi-profiles",
        "rm -- {home}/.local/state/kimi-profiles/backups/.copy.01234567.kimi-profiles",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_finding_is_there_and_goes_with_its_cause(case: Case, world: World) -> None:
    case.arrange(world)
    finding = only(world.findings(), case.name)
    remedy = None if case.remedy is None else case.remedy.format(home=world.home)
    assert (finding.severity, finding.place, finding.remedy) == (case.severity, case.place, remedy)
    words = (case.words,) if isinstance(case.words, str) else case.words
    assert [word for word in words if word not in finding.message] == []
    case.cure(world)
    assert case.name not in {found.name for found in world.findings()}


def only(findings: list[Finding], name: str) -> Finding:
    found = [finding for finding in findings if finding.name == name]
    assert len(found) == 1, findings
    return found[0]


# Looking is not curing, and these are not ours to run.
NO_CURE = ("claude ", "ls ", "kimi-profiles backups list", "set -e")
CURED = {title: case for title, case in CASES.items() if case.remedy and not case.remedy.startswith(NO_CURE)}


@pytest.mark.parametrize("case", CURED.values(), ids=CURED)
def test_what_is_proposed_helps(case: Case, world: World) -> None:
    case.arrange(world)
    finding = only(world.findings(), case.name)
    paste(str(finding.remedy), world)
    if (finding.place or "").startswith(("~/.zshrc", "~/.bashrc")):
        world.remove(str(finding.place).partition(":")[0])  # what the message says besides
    assert case.name not in {found.name for found in world.findings()}


def paste(line: str, world: World) -> None:
    """Do in this process and its environment what the line would do in a shell."""
    words = shlex.split(line)
    if words[0] == "kimi-profiles":
        assert main(words[1:]) == 0
        return
    shown = subprocess.run(["bash", "-ec", f"{line}\nenv -0"], capture_output=True, check=True).stdout
    after = dict(entry.split("=", 1) for entry in shown.decode().split("\0") if entry)
    for name in {"SHLVL", "_", "PWD", "OLDPWD"} & after.keys():
        del after[name]
    for name in os.environ.keys() - after.keys():
        world.patch.delenv(name)
    for name, value in after.items():
        world.patch.setenv(name, value)


WELL: dict[str, Callable[[World], object]] = {
    "nothing at all": remove(STATE),
    "no profile": lambda _: None,
    "a first start, and a login": login,
    "settings by hand": env(),
    "a profile": apply(),
    "a profile with a key": apply("key"),
    "a profile with a helper": apply("helped"),
    "a profile that leaves the model open": steps(client("2.1.39"), apply("free")),
    "a profile in the local scope": apply("work", "local"),
    "two profiles, of which one is asked about": steps(apply("key", "local"), apply("key")),
    "a profile, and hooks in the project": steps(
        apply(), lambda world: world.settings({"hooks": {}, "model": "opus"}, PROJECT)
    ),
    "the older Claude Code": steps(client("2.1.39"), apply()),
    "a profile that was taken out": steps(apply(), lambda world: world.claude().unapply()),
    "an absolute configuration folder": steps(shell(CLAUDE_CONFIG_DIR="/nowhere/own"), lambda _: None),
    "a proxy for other hosts": steps(apply(), shell(HTTPS_PROXY="http://p.example", NO_PROXY=".moonshot.cn")),
    "an empty variable": steps(apply("key"), shell(ANTHROPIC_AUTH_TOKEN="", ANTHROPIC_API_KEY="")),
    "a key for Anthropic": steps(shell(ANTHROPIC_API_KEY=None), env(ANTHROPIC_BASE_URL=None)),
}


@pytest.mark.parametrize("arrange", WELL.values(), ids=WELL)
def test_a_home_in_order_has_no_findings(arrange: Callable[[World], object], world: World) -> None:
    arrange(world)
    assert world.findings() == []


def test_every_finding_has_a_case() -> None:
    """Whatever has the form of a name in the checks is one of a finding."""
    named = {case.name for case in CASES.values()} | {"ledger-foreign", "backup-gone"}
    folder = Path(doctor.__file__).parent
    written = set()
    for module in ("keys", "scopes", "endpoint", "client", "records", "models", "storage"):
        tree = ast.parse((folder / f"{module}.py").read_text(encoding="utf-8"))
        texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        written |= {
            text for text in texts if isinstance(text, str) and re.fullmatch(r"[a-z]+(-[a-z]+)+", text)
        }
    assert written - named == {"endpoint-of-other-provider", "kimi-profiles", "o-w"}
    assert named <= written | {"drift"}


def test_no_check_is_left_out() -> None:
    folder = Path(doctor.__file__).parent
    modules = {path.stem for path in folder.glob("*.py") if "CHECKS =" in path.read_text(encoding="utf-8")}
    assert modules == {group.__name__.rpartition(".")[2] for group in doctor._GROUPS}
    for group in doctor._GROUPS:
        public = {
            value
            for name, value in vars(group).items()
            if callable(value)
            and getattr(value, "__module__", "") == group.__name__
            and not name.startswith("_")
        }
        assert public - set(group.CHECKS) <= {client_environment}


def test_a_variable_of_the_shell_alone_is_no_export(world: World) -> None:
    """Programs do not get it, and so Claude Code does not."""
    rc(f"ANTHROPIC_API_KEY={OTHER}")(world)
    assert world.findings() == []
    rc("export ANTHROPIC_API_KEY=")(world)
    assert world.findings() == []


def test_a_provider_s_key_in_the_variable_for_logins_is_no_login(world: World) -> None:
    """The newer Claude Code sends what is there; some set it on purpose."""
    world.env(ANTHROPIC_AUTH_TOKEN=None, CLAUDE_CODE_OAUTH_TOKEN=TOKEN)
    assert world.findings() == []


def test_no_more_than_the_host_of_an_endpoint_is_said(world: World) -> None:
    """Some gateways have the key in their path."""
    world.env(ANTHROPIC_BASE_URL="https://gateway.example/own-abcdefgh/v1", ANTHROPIC_API_KEY=OTHER)
    findings = world.findings()
    assert "gateway.example" in only(findings, "both-credentials").message
    assert "own-abcdefgh" not in repr(findings)


def test_worst_comes_first_and_each_once(world: World) -> None:
    rc(f"export ANTHROPIC_API_KEY={OTHER}")(world)
    world.env(ANTHROPIC_MODEL="kimi-k2.5", ANTHROPIC_BASE_URL=f"{CN}/v1")
    findings = world.findings()
    assert [finding.severity for finding in findings] == ["error", "warning", "info"]
    assert settled(world.patient(), [*findings, *findings]) == findings


def test_the_scope_with_a_profile_is_the_one_that_is_looked_at(world: World) -> None:
    world.apply("work", "local")
    assert str(world.patient().claude.scope.settings) == str(world.path(LOCAL))
    world.apply()
    assert str(world.patient().claude.scope.settings) == str(world.path(SETTINGS))
    assert str(world.patient("local").claude.scope.settings) == str(world.path(LOCAL))


def test_a_settings_file_by_itself_counts_as_given_to_claude_code(world: World) -> None:
    path = world.path("own/settings.json")
    ClaudeCode.at(path).apply(ProfileStore.open()["work"])
    patient = read_patient(ClaudeCode.at(path), ProfileStore.open)
    assert (patient.host, examine(patient)) == ("api.moonshot.cn", [])
    assert world.patient().host == "api.anthropic.com"


def test_other_homes_and_stores_are_in_the_remedies(world: World, tmp_path: Path) -> None:
    home, store = tmp_path / "a home", tmp_path / "profiles.toml"
    (home / ".claude").mkdir(parents=True)
    store.write_text(STORE)
    claude = ClaudeCode.user(home=home)
    claude.apply(ProfileStore.open(store)["work"])
    edit(str(home / ".claude/settings.json"), f'"{CN}"', '"https://x.example"')(world)
    findings = examine(read_patient(claude, lambda: ProfileStore.open(store)))
    assert only(findings, "drift").remedy == f"kimi-profiles apply work --home '{home}' --store {store}"


def test_a_login_in_the_keychain_of_a_mac_is_not_seen_and_that_is_said(world: World) -> None:
    world.env(ANTHROPIC_AUTH_TOKEN=None)
    assert "keychain" in only(examine(world.patient(platform="darwin")), "nothing-sent").message
    assert "keychain" not in only(examine(world.patient(platform="linux")), "nothing-sent").message


def test_powershell_unsets_in_its_own_way(world: World) -> None:
    world.env(ANTHROPIC_API_KEY=None)
    world.shell(ANTHROPIC_API_KEY=OTHER)
    finding = only(examine(world.patient(platform="win32")), "shell-api-key")
    assert finding.remedy == "Remove-Item Env:ANTHROPIC_API_KEY"


def test_a_copy_that_unapply_needs(world: World) -> None:
    world.env(EDITOR="vi")
    world.apply()
    assert world.findings() == []
    (copy,) = (
        backup.copy for backup in world.claude().backups() if backup.is_needed and not backup.is_absent
    )
    copy.rename(f"{copy}.away")
    finding = only(world.findings(), "backup-gone")
    assert (finding.severity, finding.remedy) == ("warning", None)
    assert (finding.place or "").endswith(copy.name)


@pytest.mark.skipif(os.geteuid() != 0, reason="files of another user are root's to make")
def test_the_records_of_another_user(world: World) -> None:
    world.apply()
    os.chown(world.path(LEDGER), 4321, -1)
    finding = only(world.findings(), "ledger-foreign")
    assert (finding.severity, finding.place) == ("warning", LEDGER)
    assert "4321" in finding.message


@pytest.mark.skipif(os.geteuid() != 0, reason="files of another user are root's to make")
def test_the_lock_of_another_user(world: World) -> None:
    world.path(LOCK).mkdir()
    os.chown(world.path(LOCK), 4321, -1)
    assert "by another user" in only(world.findings(), "lock-held").message


# ---- running sessions

NODE = "/usr/bin/node"
PROCESSES: dict[str, tuple[dict[str, Any], bool]] = {
    "the native program": ({}, True),
    "the native program, replaced since": ({"exe": "/x/claude/versions/2.1.329 (deleted)"}, True),
    "the native program as npm puts it": (
        {
            "exe": "/x/node_modules/@anthropic-ai/claude-code/bin/claude.exe",
            "cmdline": "/x/.bin/claude -p hi",
        },
        True,
    ),
    "the platform's package": ({"exe": "/x/node_modules/@anthropic-ai/claude-code-linux-x64/claude"}, True),
    "node that calls itself claude": ({"exe": NODE}, True),
    "node that has just begun": (
        {"exe": NODE, "cmdline": "node /x/node_modules/@anthropic-ai/claude-code/cli.js -p"},
        True,
    ),
    "another program of that name": ({"exe": "/usr/bin/claude"}, False),
    "another script": ({"exe": NODE, "cmdline": "node /x/claude/cli.js"}, False),
    "a script that has claude in its arguments": ({"exe": NODE, "cmdline": "node app.js claude"}, False),
    "an editor with our file": ({"exe": "/usr/bin/vi", "cmdline": "claude"}, False),
    "a program beside the client": ({"exe": "/x/@anthropic-ai/claude-code/vendor/ripgrep/rg"}, False),
    "the session of another home": ({"home": "/home/other"}, False),
    "the session with another configuration": ({"environ": "CLAUDE_CONFIG_DIR=/etc/own\0"}, False),
    "the session with this configuration, relative": (
        {"home": "/x", "environ": "CLAUDE_CONFIG_DIR=.claude\0"},
        True,
    ),
}


@pytest.mark.parametrize(("facts", "is_session"), PROCESSES.values(), ids=PROCESSES)
def test_what_is_a_session(facts: dict[str, Any], world: World, *, is_session: bool) -> None:
    world.session(77, age_s=30, **facts)
    found = world.patient().sessions
    assert [session.pid for session in found] == ([77] if is_session else [])
    assert all(abs(time.time() - 30 - session.started) < 2 for session in found)


def test_what_claude_code_writes_itself_makes_no_session_old(world: World) -> None:
    world.apply()
    ledger = json.loads(world.path(LEDGER).read_text())
    ledger["applications"][str(world.path(SETTINGS))]["at"] = "2026-01-01T00:00:00Z"
    world.write(LEDGER, json.dumps(ledger))
    world.session(77, age_s=30)
    document = json.loads(world.path(SETTINGS).read_text())
    world.settings({**document, "permissions": {"allow": ["Read"]}})
    assert world.findings() == []
    document["env"]["ANTHROPIC_DEFAULT_OPUS_MODEL"] = "kimi-k2.6"
    world.settings(document)
    assert "77" in only(world.findings(), "session-outdated").message


def test_a_session_that_is_younger_than_settings_by_hand(world: World) -> None:
    world.env()
    world.session(77, age_s=30)
    assert "77" in only(world.findings(), "session-outdated").message
    age(SETTINGS, 60)(world)
    assert world.findings() == []


def test_what_a_session_starts_is_no_session(world: World) -> None:
    world.session(77, age_s=30)
    world.session(78, age_s=10, parent=77)
    assert [session.pid for session in world.patient().sessions] == [77]


@pytest.mark.skipif(os.geteuid() != 0, reason="processes of another user are root's to make")
def test_sessions_of_other_users_are_left_alone(world: World) -> None:
    world.session(77, age_s=30)
    os.chown(world.proc / "77", 4321, -1)
    assert world.patient().sessions == ()


def test_half_a_process_is_none(world: World) -> None:
    for pid, lost in enumerate(["exe", "cmdline", "environ", "stat", "cwd"], 77):
        world.session(pid, age_s=30)
        (world.proc / str(pid) / lost).unlink()
    world.session(90, age_s=30)
    (world.proc / "90" / "stat").write_text("90 (x) S")
    assert world.patient().sessions == ()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells of processes like this")
def test_the_system_tells_of_a_real_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of ``sleep`` stands for the client; no other process is looked at."""
    program = world.path("claude/versions/2.1.329")
    program.parent.mkdir(parents=True)
    shutil.copy(require_tool("sleep"), program)
    with subprocess.Popen([program, "30"], env={"HOME": str(world.home)}) as process:
        try:
            (world.proc / str(process.pid)).symlink_to(f"/proc/{process.pid}")
            world.env()
            found = world.findings()
        finally:
            process.kill()
    assert str(process.pid) in only(found, "session-outdated").message


# ---- files that are none, and other people's malice

KINDS: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("/nowhere/at/all"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "huge": lambda path: (path.touch(), os.truncate(path, 1 << 30)),
    "not text": lambda path: path.write_bytes(bytes(range(256)) * 50),
    "deep": lambda path: path.write_text("[" * 100_000),
    "wide": lambda path: path.write_text('{"a":{"b":1},' * 20_000),
    "broken": lambda path: path.write_text('{"env": {"ANTHROPIC_AUTH_TOKEN": "sk-test-01234567'),
    "odd": lambda path: path.write_text(
        '{"env": [1], "customApiKeyResponses": 7, "primaryApiKey": {"a": 1}}'
    ),
    "a list": lambda path: path.write_text('[{"env": {}}]'),
    "a lone surrogate": lambda path: path.write_text(
        '{"env": {"ANTHROPIC_MODEL": "\\ud800"}, "model": "\\udfff"}'
    ),
}
PLACES = [
    SETTINGS,
    LOCAL,
    STATE,
    LOCK,
    "~/managed/managed-settings.json",
    "~/managed/managed-settings.d",
    "~/.claude/.credentials.json",
    "~/.claude/.config.json",
    "~/.zshrc",
    "~/token",
    PROFILES,
    LEDGER,
    "~/.local/state/kimi-profiles/backups",
    "~/proc/77",
]


@pytest.mark.parametrize("name", PLACES)
def test_no_file_is_too_odd(name: str, world: World) -> None:
    world.write("~/token", TOKEN)
    world.apply("filed")
    for kind, make in KINDS.items():
        path = world.path(name)
        if path.exists() or path.is_symlink():
            world.remove(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)
        began = time.monotonic()
        findings = world.findings()
        assert time.monotonic() - began < 5, kind
        assert all(isinstance(finding, Finding) for finding in findings)
    world.remove(name)


@pytest.mark.parametrize(
    "name", [SETTINGS, STATE, PROFILES, LEDGER, "~/.claude", "~/.local/state/kimi-profiles"]
)
def test_no_file_is_too_closed(name: str, world: World) -> None:
    """As it is for somebody who may not open it; root, who runs this in CI, may open everything."""
    world.apply()
    really_open, refused = os.open, []

    def closed(path: Any, flags: int, *mode: int, **options: Any) -> int:
        if Path(path).name == world.path(name).name:
            refused.append(path)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return really_open(path, flags, *mode, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", closed)
        patch.setattr(linux, "open_without_links", lambda *_: None)  # folders are entered by open then
        findings = world.findings()
    assert refused
    assert "error" in {finding.severity for finding in findings}


def test_a_name_that_cannot_be_printed_is_in_no_command(world: World) -> None:
    odd = world.home / "a\x1b[31m\u202eb\nc"
    (odd / ".claude").mkdir(parents=True)
    world.patch.chdir(odd)
    ClaudeCode.local(odd).apply(ProfileStore.open()["work"])
    (odd / ".claude" / "settings.local.json").chmod(0o644)
    findings = examine(read_patient(ClaudeCode.local(odd), ProfileStore.open))
    assert only(findings, "readable-by-others").remedy is None


CANARY = "canaryZq7XvT2mKp9LwR4sNb8YcH3jDf6G"


def test_no_secret_is_in_any_finding(world: World) -> None:
    """A canary without a prefix that would give it away, wherever somebody might have put it."""
    world.apply()
    names = [
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_API_KEY",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "ANTHROPIC_CUSTOM_HEADERS",
    ]
    secrets = dict.fromkeys(names, CANARY) | {"ANTHROPIC_CUSTOM_HEADERS": f"X-Api-Key: {CANARY}"}
    url = f"https://me:{CANARY}@gateway.example/{CANARY}/v1?key={CANARY}"
    model = f"{CANARY}[1m]"
    helper = f"/opt/{CANARY}/get --key {CANARY}"
    world.settings({"env": {**secrets, "ANTHROPIC_BASE_URL": url}, "apiKeyHelper": helper}, PROJECT)
    world.settings({"env": secrets, "model": model}, LOCAL)
    world.write("~/managed/managed-settings.json", f'{{"{CANARY}": {CANARY}')
    world.write("~/.zshrc", f"export ANTHROPIC_API_KEY={CANARY}\nexport ANTHROPIC_AUTH_TOKEN={CANARY}\n")
    world.state(
        {"primaryApiKey": CANARY, "customApiKeyResponses": {"approved": [], "rejected": [CANARY[-20:]]}}
    )
    world.shell(ANTHROPIC_API_KEY=CANARY, HTTPS_PROXY=f"http://me:{CANARY}@proxy.example", WORK_KEY=CANARY)
    folder = world.home / f"x-{CANARY}"
    (folder / ".claude").mkdir(parents=True)
    world.write(f"x-{CANARY}/.claude/settings.json", "{")
    world.write(f"~/.claude/.{CANARY}.0123abcd.kimi-profiles", "")
    seen = set()
    for change in (None, PROJECT, "~/managed/managed-settings.json", LOCAL, "~/.zshrc", SETTINGS):
        if change is not None:
            world.remove(change)
        findings = world.findings()
        seen |= {finding.name for finding in findings}
        assert CANARY[:12] not in repr(findings)
        assert CANARY[-12:] not in repr(findings)
        assert CANARY not in repr(world.patient().claude.scope)
    assert len(seen) > 15
