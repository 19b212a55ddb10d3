"""A token is only where the profile delivers it: in no output, error, object, child process or other file.

The token of these tests is a canary: every command, every way to hand a token in and every error path is
walked with it, and then it is looked for everywhere, whole and in pieces, plain and encoded.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import logging
import os
import pickle
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from filelock import FileLock
from support import require_tool, run_with_secret_service

from kimi_profiles import ClaudeCode, ProfileStore, cli, intents, targets
from kimi_profiles.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kimi_profiles.errors import ProfilesError

CANARY = "sk-canary-Zq7XvT2mKp9LwR4sNb8YcH3jDf6G"
SHAPES = {
    "usual": CANARY,
    "no prefix": "canaryZq7XvT2mKp9LwR4sNb8YcH3jDf6G",
    "characters of JSON": 'sk-canary-"Zq7\\XvT2mKp"9LwR4\\\\sNb8{Yc}H3jDf6G',
    "characters of a shell": "sk-canary-$(Zq7)`XvT2mKp`;9LwR4|s&Nb8'YcH3>jDf*6G!~#%41",
}
# What the user had before us; as secret as our own.
OWN = {
    "token": "sk-own-Wm5tQz8RkV3nJx6PbL9dGy2C",
    "login": "sk-own-Hs4fTc7YpN2vKw9MzD6bXr3Q",
    "key": "own-Bj8gFq5LtS3hRn6VxK9cPw2Z",
}
SETTINGS = {
    "hooks": {"Stop": []},
    "apiKeyHelper": f"echo {OWN['key']}",
    "env": {"ANTHROPIC_AUTH_TOKEN": OWN["token"], "ANTHROPIC_API_KEY": OWN["key"], "EDITOR": "vi"},
}
STORE = """\
[profiles.work]
description = "the one with the canary"
base_url = "https://gateway.example/anthropic"
auth = {{ variable = "{variable}", delivery = "{delivery}"{token} }}
models.default = "some-model"
env.API_TIMEOUT_MS = 600000
settings.permissions.allow = ["Read"]

[profiles.helped]
base_url = "https://helped.example/anthropic"
auth = {{ delivery = "helper", token = {{ env = "OTHER_KEY" }} }}

[profiles.other]
base_url = "https://other.example/anthropic"
auth.token = {{ env = "OTHER_KEY" }}
"""
WAYS = {
    "a variable": ', token = {{ env = "WORK_KEY" }}',
    "a file": ', token = {{ file = "{home}/kept/token" }}',
    "a command": ', token = {{ command = ["cat", "{home}/kept/token"] }}',
    "standard input": "",
}
LEDGER = ".local/state/kimi-profiles/ledger.json"


def forms(token: str) -> set[bytes]:
    """How ``token``, or ten characters of it, would look if somebody let it out."""
    cores = {token[start : start + 10] for start in range(len(token) - 9)}
    texts = cores | {quote(token, safe=""), shlex.quote(token), token.encode().hex()}
    texts |= {json.dumps(core)[1:-1] for core in cores}
    # Where base64 of a longer text would have it: at any of three offsets, without what its ends share.
    texts |= {base64.b64encode(b"\0" * shift + token.encode()).decode()[4:-4] for shift in range(3)}
    # Unsalted, a digest tells whether a guess is right.
    texts |= {hashlib.sha256(text.encode()).hexdigest() for text in (token, json.dumps(token))}
    return {text.encode() for text in texts}


def holds(data: bytes | str, token: str) -> bool:
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    return any(form in raw for form in forms(token))


@dataclass(frozen=True)
class Told:
    """What a command said."""

    status: int
    out: str
    err: str


@dataclass
class House:
    """A throw-away home of somebody who had keys of his own before us."""

    home: Path
    canary: str
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    @property
    def settings(self) -> Path:
        return self.home / ".claude" / "settings.json"

    def declare(
        self, way: str = "a variable", *, variable: str = "ANTHROPIC_AUTH_TOKEN", delivery: str = "inline"
    ) -> None:
        """The profile ``work``, with its token handed in one ``way``."""
        token = WAYS[way].format(home=self.home)
        store = self.home / ".config" / "kimi-profiles" / "profiles.toml"
        store.parent.mkdir(parents=True, exist_ok=True)
        store.write_text(STORE.format(variable=variable, delivery=delivery, token=token), encoding="utf-8")
        self.patch.delenv("WORK_KEY", raising=False)
        if way == "a variable":
            self.patch.setenv("WORK_KEY", self.canary)
        elif way != "standard input":
            self.keep(self.canary)

    def keep(self, token: str) -> None:
        """Put ``token`` into the file that two of the ways read."""
        place = self.home / "kept" / "token"
        place.parent.mkdir(exist_ok=True)
        place.touch(0o600)
        place.write_text(token, encoding="utf-8")

    def run(self, line: str, *, stdin: str = "") -> Told:
        self.capture.readouterr()
        self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        status = cli.main(shlex.split(line))
        return Told(status, *self.capture.readouterr())

    def say(self, line: str, *, stdin: str = "") -> Told:
        """Run ``line``; nothing of anybody's token is in what it says, and that is no traceback."""
        told = self.run(line, stdin=stdin)
        for token in (self.canary, *OWN.values()):
            assert not holds(told.out + told.err, token), line
        assert "Traceback" not in told.err
        return told

    def holders(self, token: str) -> set[str]:
        """Every file, link and name below the home that holds ``token``; each is private."""
        found = set()
        for path in self.home.rglob("*"):
            name = str(path.relative_to(self.home))
            assert not holds(name, token), name
            if path.is_symlink():
                assert not holds(str(path.readlink()), token), name
            elif path.is_file() and holds(path.read_bytes(), token):
                found.add(name)
                assert path.stat().st_mode & 0o777 == 0o600, name
        return found


@pytest.fixture
def house(
    isolated_environment: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> House:
    home = isolated_environment
    (home / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("OTHER_KEY", "sk-other-0123456789abcdefghij")
    monkeypatch.chdir(home)
    (home / ".claude").mkdir()
    house = House(home, CANARY, capfd, monkeypatch)
    house.settings.write_text(json.dumps(SETTINGS, indent=2), encoding="utf-8")
    (home / ".claude.json").write_text(json.dumps({"primaryApiKey": OWN["login"]}), encoding="utf-8")
    house.declare()
    return house


# ---- every command

SWITCHES = ("", "--json", "--quiet", "--color always")
LINES = {
    "apply": ["apply work --dry-run", "apply work", "apply work", "apply other", "apply work --keep-login"],
    "unapply": ["unapply --dry-run", "unapply", "unapply"],
    "plan": ["plan work", "plan other --exit-code", "plan work --keep-login", "plan helped"],
    "status": ["status", "status --check"],
    "doctor": ["doctor"],
    "list": ["list", "list --all", "list --names"],
    "show": ["show work", "show moonshot-cn"],
    "init": ["init"],
    "validate": ["validate"],
    "providers": ["providers"],
    "models": ["models"],
    "token": ["token work --json"],
    "merge": ["merge work --json", "merge helped"],
    "unmerge": ["unmerge work", "unmerge work --json"],
    "render": ["render work --json", "render helped"],
    "backups": [
        "backups",
        "backups show pristine",
        "backups restore pristine --dry-run",
        "backups restore pristine",
        "backups prune --keep 0",
    ],
    "run": ["run --exec echo work", "run --exec echo other"],
    "env": ["env work --json", "env work --unset", "env work --by-reference", "env work --snippet"],
    "import": ["import fresh --dry-run", "import fresh --from-files", "import fresh --yes"],
    "add": ["add fresh --provider moonshot-cn --dry-run", "add fresh --provider moonshot-cn"],
    "set": ["set work description new --dry-run", "set work description new"],
    "unset": ["unset work description --dry-run", "unset work description"],
    "rename": ["rename other elsewhere --dry-run", "rename other elsewhere"],
    "copy": ["copy work again --dry-run", "copy work again"],
    "remove": ["remove other --dry-run", "remove other --force"],
    "edit": ["edit", "edit work"],
    "schema": ["schema"],
    "completion": ["completion bash", "completion zsh", "completion fish", "completion powershell"],
}
# What the second try, or one in another state, ends with.
ALSO = {
    "backups": {66},
    "import": {2, 78},
    "add": {2},
    "unset": {2, 66},
    "rename": {2, 66},
    "copy": {2},
    "remove": {66, 77},
}
BEFORE: dict[str, Callable[[House], object]] = {
    "nothing applied": lambda _: None,
    "applied": lambda house: house.run("apply work"),
    "another applied": lambda house: house.run("apply other"),
    "changed since": lambda house: (
        house.run("apply work"),
        house.settings.write_text(house.settings.read_text().replace(CANARY, CANARY[:20])),
    ),
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("command", cli.COMMANDS)
def test_no_command_shows_a_token(command: str, before: Callable[[House], object], house: House) -> None:
    house.patch.setenv("MOONSHOT_API_KEY", CANARY)
    house.patch.setenv("EDITOR", "cat")
    before(house)
    said = [house.say(f"{line} {switch}") for line in LINES[command] for switch in SWITCHES]
    assert any(told.out for told in said)
    assert {told.status for told in said} <= {0, 4, *ALSO.get(command, ())}
    assert command == "import" or any(told.status in {0, 4} for told in said)


def test_only_token_prints_it_and_nothing_else(house: House) -> None:
    assert house.run("token work") == Told(0, f"{CANARY}\n", "")
    assert house.run("token work --quiet --color always") == Told(0, f"{CANARY}\n", "")
    assert house.say("token work --json").status == 0


# ---- every way in, every shape, every way to deliver

DELIVERIES = {
    "token": ("ANTHROPIC_AUTH_TOKEN", "inline", {".claude/settings.json"}),
    # The end of an approved key is how Claude Code knows it again.
    "key": ("ANTHROPIC_API_KEY", "inline", {".claude/settings.json", ".claude.json"}),
    "helper": ("ANTHROPIC_AUTH_TOKEN", "helper", set()),
}


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_token_is_where_the_profile_delivers_it_and_nowhere_else(
    shape: str, way: str, delivery: str, house: House
) -> None:
    if delivery == "helper" and way == "standard input":
        return
    variable, how, places = DELIVERIES[delivery]
    house.canary = SHAPES[shape]
    house.declare(way, variable=variable, delivery=how)
    source = {"kept/token"} if way in {"a file", "a command"} else set()
    more, stdin = ("--token-stdin", house.canary + "\n") if way == "standard input" else ("", "")

    assert house.say(f"plan work {more}", stdin=stdin).status == 0
    assert house.holders(house.canary) == source
    assert house.say(f"apply work --json {more}", stdin=stdin).status == 0
    assert house.holders(house.canary) == source | places
    if how == "inline":
        assert json.loads(house.settings.read_text())["env"][variable] == house.canary
    assert house.say("status").status == 0
    assert house.say("apply other").status == 0
    assert house.holders(house.canary) == source
    assert house.say(f"apply work {more}", stdin=stdin).status == 0
    assert house.say("unapply").status == 0
    assert house.holders(house.canary) == source


def test_what_the_user_had_is_kept_in_private_files_alone(house: House) -> None:
    house.settings.chmod(0o600)
    (house.home / ".claude.json").chmod(0o600)
    assert house.say("apply work").status == 0
    state = house.home / ".local/state/kimi-profiles"
    copies = {str(path.relative_to(house.home)) for path in (state / "backups").rglob("*-0600-*")}
    settings, login = (
        {copy for copy in copies if f"/{name}-" in copy} for name in ("settings.json", "claude.json")
    )
    assert len(settings) == len(login) == 1
    assert house.holders(OWN["token"]) == {LEDGER, *settings}
    assert house.holders(OWN["key"]) == {LEDGER, *settings}
    assert house.holders(OWN["login"]) == {LEDGER, *login}
    assert {path.stat().st_mode & 0o777 for path in (state, *state.rglob("*")) if path.is_dir()} == {0o700}

    assert house.say("unapply").status == 0
    assert house.holders(OWN["token"]) == {".claude/settings.json", *settings}
    assert house.holders(OWN["login"]) == {".claude.json", *login}


KEYRING = f"""
import os, sys
from pathlib import Path
import keyring
from kimi_profiles.cli import main
keyring.set_password("kimi", "me", {CANARY!r})
Path("profiles.toml").write_text('''
[profiles.work]
base_url = "https://gateway.example/anthropic"
auth.token = {{ keyring = "kimi", username = "me" }}
[profiles.wrong]
base_url = "https://api.moonshot.cn/anthropic"
auth.token = {{ keyring = "other" }}
''')
for line in ("plan work", "apply work --json", "status", "apply wrong", "token work --json"):
    print(line, main([*line.split(), "--store", "profiles.toml"]), flush=True)
"""


def test_a_token_of_the_keyring_is_in_the_settings_alone(house: House) -> None:
    done = run_with_secret_service(KEYRING, house.home)
    statuses = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines() if re.search(r" \d+\Z", line))
    assert {"plan work": "0", "apply work --json": "0", "status": "0", "apply wrong": "78"}.items() <= (
        statuses.items()
    ), done.stderr
    assert not holds(done.stdout + done.stderr, CANARY)
    assert house.holders(CANARY) == {".claude/settings.json"}


# ---- every error


def break_file(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")


def declare_command(house: House, script: str) -> None:
    """The profile's token command is a shell script in which ``TOKEN`` stands for the file with the token."""
    house.declare("a command")
    store = house.home / ".config" / "kimi-profiles" / "profiles.toml"
    text = script.replace("TOKEN", str(house.home / "kept" / "token"))
    words = json.dumps(["sh", "-c", text])
    store.write_text(re.sub(r"command = \[.*?\]", lambda _: f"command = {words}", store.read_text()))


def declare_moonshot(house: House, key: str) -> None:
    house.canary = key
    house.patch.setenv("MOONSHOT_API_KEY", key)


def break_ledger(house: House) -> None:
    house.run("apply work")
    ledger = house.home / LEDGER
    assert holds(ledger.read_bytes(), OWN["token"])
    ledger.write_bytes(ledger.read_bytes()[:-200])


def break_value_in_ledger(house: House) -> None:
    house.run("apply work")
    ledger = house.home / LEDGER
    whole = json.dumps(json.dumps(OWN["token"]))[1:-1]
    text = ledger.read_text()
    assert whole in text
    ledger.write_text(text.replace(whole, whole[:-2]))


def track(house: House) -> None:
    for words in (["init", "-q"], ["add", "-f", ".claude/settings.json"]):
        subprocess.run([require_tool("git"), *words], cwd=house.home, check=True)


def hold_lock(house: House) -> None:
    house.run("apply other")
    lock = FileLock(house.home / ".local/state/kimi-profiles/lock")
    lock.acquire()
    house.patch.setattr(house, "lock", lock, raising=False)  # kept until the test is over


def fail(house: House, name: str, error: BaseException | type[BaseException]) -> None:
    """Let ``kimi_profiles.NAME`` fail, with the token among its words."""

    def failing(*_: object, **__: object) -> None:
        raise error

    house.patch.setattr(f"kimi_profiles.{name}", failing)


def end_in_the_middle(house: House) -> None:
    """The signal comes when the new settings are written, and not yet in their place."""
    fsync = os.fsync

    def ending(descriptor: int) -> None:
        if any(holds(path.read_bytes(), CANARY) for path in house.settings.parent.glob(".settings.json.*")):
            os.kill(os.getpid(), signal.SIGTERM)
        fsync(descriptor)

    house.patch.setattr(os, "fsync", ending)


SECRET_ERROR = f"could not send {CANARY}"

# name → (what is wrong, the command line, its exit status)
ERRORS: dict[str, tuple[Callable[[House], object], str, int]] = {
    "the token command fails after it printed": (
        lambda house: declare_command(house, "cat TOKEN; exit 3"),
        "apply work",
        78,
    ),
    "the token command prints two words": (
        lambda house: declare_command(house, "cat TOKEN; echo; cat TOKEN"),
        "apply work",
        78,
    ),
    "the token command prints what is no UTF-8": (
        lambda house: declare_command(house, r"cat TOKEN; printf '\377'"),
        "token work",
        78,
    ),
    "a token with a blank": (lambda house: house.patch.setenv("WORK_KEY", CANARY + " x"), "apply work", 78),
    "a token file with two lines": (
        lambda house: (house.declare("a file"), house.keep(f"{CANARY}\nx")),
        "plan work",
        78,
    ),
    "a token file that is no UTF-8": (
        lambda house: (
            house.declare("a file"),
            (house.home / "kept/token").write_bytes(b"\xff" + CANARY.encode()),
        ),
        "token work",
        78,
    ),
    "a token file that is a folder of that name": (
        lambda house: (house.declare("a file"), (house.home / "kept/token").rename(house.home / "kept/t")),
        "apply work",
        78,
    ),
    "a key of Anthropic's": (
        lambda house: declare_moonshot(house, "sk-ant-canary-Zq7XvT2mKp9LwR4sNb8YcH3jDf6G"),
        "apply moonshot-cn",
        78,
    ),
    "a key of another provider": (
        lambda house: declare_moonshot(house, "sk-kimi-canary-Zq7XvT2mKp9LwR4sNb8YcH3jDf6G"),
        "apply moonshot-cn",
        78,
    ),
    "a key without the prefix": (
        lambda house: declare_moonshot(house, SHAPES["no prefix"]),
        "token moonshot-cn",
        78,
    ),
    "broken settings that hold it": (
        lambda house: (
            house.run("apply work"),
            break_file(house.settings, house.settings.read_text().replace('"vi"', "vi")),
        ),
        "apply work",
        78,
    ),
    "settings cut off in the token": (
        lambda house: (
            house.run("apply work"),
            break_file(house.settings, house.settings.read_text().partition(CANARY[20:])[0]),
        ),
        "unapply",
        78,
    ),
    "settings cut off in the token, looked at": (
        lambda house: (
            house.run("apply work"),
            break_file(house.settings, house.settings.read_text().partition(CANARY[20:])[0]),
        ),
        "status",
        78,
    ),
    "a token in the place of an object": (
        lambda house: break_file(house.settings, json.dumps({"env": CANARY})),
        "apply work",
        78,
    ),
    "a token as a key without value": (
        lambda house: break_file(house.settings, f'{{"{CANARY}"}}'),
        "apply work",
        78,
    ),
    "a token where JSON has none": (lambda house: break_file(house.settings, CANARY), "apply work", 78),
    "a broken state file": (
        lambda house: break_file(house.home / ".claude.json", f'{{"primaryApiKey": "{OWN["login"]}",}}'),
        "apply work",
        78,
    ),
    "a broken ledger": (break_ledger, "apply work", 78),
    "a ledger with half a value": (break_value_in_ledger, "unapply", 78),
    "a tracked file": (track, "apply work", 77),
    "a shared file": (lambda _: None, "apply work --scope project", 77),
    "a second hard link": (
        lambda house: (house.home / "second").hardlink_to(house.settings),
        "apply work",
        77,
    ),
    "a lock that is held": (hold_lock, "apply work --lock-timeout 0", 75),
    "Claude Code's lock": (
        lambda house: (house.home / ".claude.json.lock").mkdir(),
        "apply work --lock-timeout 0",
        75,
    ),
    "something unexpected in the plan": (
        lambda house: fail(house, "targets.plan_document", RuntimeError(SECRET_ERROR)),
        "plan work",
        1,
    ),
    "something unexpected under the lock": (
        lambda house: fail(house, "transaction.save_backup", KeyError(SECRET_ERROR)),
        "apply work",
        1,
    ),
    "something unexpected where the token is read": (
        lambda house: fail(house, "commands.token.check_token", UnicodeError(SECRET_ERROR)),
        "token work",
        1,
    ),
    "a signal in the middle": (end_in_the_middle, "apply work", 143),
    "a helper that is handed a token": (
        lambda house: house.declare(delivery="helper"),
        "apply work --token-stdin",
        2,
    ),
    "no token on standard input": (lambda house: house.declare("standard input"), "apply work", 78),
    "two words on standard input": (
        lambda house: setattr(house, "canary", CANARY),
        "plan other --token-stdin",
        78,
    ),
}


@pytest.mark.parametrize("switch", ["", "--json", "--quiet --color always"])
@pytest.mark.parametrize(("arrange", "line", "status"), ERRORS.values(), ids=ERRORS)
def test_no_error_shows_a_token(
    arrange: Callable[[House], object], line: str, status: int, switch: str, house: House
) -> None:
    errors: list[ProfilesError] = []
    tell = cli._tell
    house.patch.setattr(cli, "_tell", lambda error, *a, **k: (errors.append(error), tell(error, *a, **k))[1])
    arrange(house)
    errors.clear()

    told = house.say(f"{line} {switch}", stdin=f"{CANARY} {CANARY}\n")
    assert told.status == status
    assert (told.out if switch == "--json" else told.err).strip()
    assert len(errors) == 1
    for text in error_texts(errors[0]):
        assert not any(holds(text, token) for token in (house.canary, *OWN.values())), text
    assert house.holders(house.canary) <= {"kept/token", "kept/t", ".claude/settings.json"}


def error_texts(error: BaseException) -> Iterator[bytes | str]:
    """All that a program which got ``error`` could log of it, but the locals of its frames."""
    yield from (repr(error), str(error), repr(error.args), repr(vars(error)), pickle.dumps(error))
    if not isinstance(error.__context__, (RuntimeError, KeyError, UnicodeError)):
        yield "".join(traceback.format_exception(error))


def test_what_the_token_command_says_on_standard_error_is_its_own(house: House) -> None:
    """It goes to the terminal as it is, so that it can ask for a password; we add nothing to it."""
    declare_command(house, "cat TOKEN >&2; exit 1")
    for switch in ("", "--json"):
        told = house.run(f"apply work {switch}")
        assert told.status == 78
        assert told.err.startswith(CANARY)
        assert not holds(told.out + told.err.removeprefix(CANARY), CANARY)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_token_file_that_others_can_read_is_told_without_the_token(mode: int, house: House) -> None:
    house.declare("a file")
    (house.home / "kept" / "token").chmod(mode)
    assert "can be read by others" in house.say("apply work").err
    assert "token-file-readable" in house.say("plan work --json").out


# ---- a token where none belongs: in the file of profiles, on the command line

LITERALS = [
    'auth.token = "CANARY"',
    'auth.token = { env = "CANARY" }',
    'auth.token = { file = "CANARY" }',
    'auth.token = { command = ["echo", "CANARY"] }',
    'auth.token = { command = ["CANARY"] }',
    'auth.token = { keyring = "CANARY" }',
    'auth.token = { keyring = "kimi", username = "CANARY" }',
    'auth.token = { CANARY = "x" }',
    'auth.variable = "CANARY"',
    'auth.CANARY = "x"',
    'CANARY = "x"',
    'description = "my key is CANARY"',
    'extends = "CANARY"',
    'provider = "CANARY"',
    'models.default = "CANARY"',
    'models.CANARY = "x"',
    'env.ANTHROPIC_AUTH_TOKEN = "CANARY"',
    'env.ANTHROPIC_CUSTOM_HEADERS = "x-api-key: CANARY"',
    'env.HARMLESS = "CANARY"',
    'env."CANARY" = 1.5',
    'settings.apiKeyHelper = "echo CANARY"',
    'settings.list = ["CANARY"]',
    'settings."CANARY" = nan',
    "auth.token = CANARY",
    'auth.token = "CANARY',
    "CANARY",
]  # fmt: skip
URLS = ["https://CANARY@gateway.example", "https://u:CANARY@gateway.example/", "https://x.example/?k=CANARY"]


@pytest.mark.parametrize("line", [*LITERALS, *(f'base_url = "{url}"' for url in URLS)])
def test_a_token_in_the_file_of_profiles_is_refused_without_showing_it(line: str, house: House) -> None:
    head = "" if line.startswith("base_url") else 'base_url = "https://gateway.example/anthropic"\n'
    text = f"[profiles.work]\n{head}{line}\n".replace("CANARY", CANARY)
    store = house.home / ".config" / "kimi-profiles" / "profiles.toml"
    store.write_text(text, encoding="utf-8")
    before = house.settings.read_bytes()
    for command in ("validate", "show work", "plan work --token-stdin", "apply work --token-stdin"):
        for switch in ("", "--json"):
            assert house.say(f"{command} {switch}", stdin="x").status in {66, 78}, command
    for command in ("list", "list --all", "list --json", "status"):
        house.say(command)
    assert house.settings.read_bytes() == before


ARGUMENTS = [
    "CANARY",
    "apply CANARY",
    "apply work CANARY",
    "apply work --token CANARY",
    "apply work --token=CANARY",
    "apply work --token-stdin=CANARY",
    "plan CANARY",
    "show CANARY",
    "token CANARY",
    "unapply CANARY",
    "list CANARY",
    "models CANARY",
    "--scope CANARY apply work",
    "--color CANARY status",
    "--lock-timeout CANARY apply work",
    "--CANARY",
]


@pytest.mark.parametrize("line", ARGUMENTS)
def test_a_token_on_the_command_line_is_not_repeated(line: str, house: House) -> None:
    for switch in ("", "--json"):
        assert house.say(f"{line.replace('CANARY', CANARY)} {switch}").status in {2, 66}


# ---- processes


def test_no_child_process_gets_the_token(house: House) -> None:
    git(house.home, "init", "-q")
    house.declare("a command")
    log = house.home.parent / f"{house.home.name}.strace"
    trace = [
        require_tool("strace"),
        "-f",
        "-v",
        "-s",
        "100000",
        "-e",
        "trace=execve,execveat",
        "-o",
        str(log),
    ]
    program = [sys.executable, "-m", "kimi_profiles"]
    for words, stdin, children in (
        (["apply", "work", "--json"], "", {"git", "cat"}),
        (["apply", "other", "--token-stdin"], CANARY, {"git"}),
    ):
        done = subprocess.run(
            [*trace, *program, *words], input=stdin, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert not holds(done.stdout + done.stderr, CANARY)
        calls = log.read_text()
        assert children == set(re.findall(r'execve\("[^"]*/(git|cat)", .* = 0', calls))
        assert not holds(calls, CANARY)
        assert house.holders(CANARY) == {"kept/token", ".claude/settings.json"}


def test_git_is_asked_without_the_token(house: House) -> None:
    track(house)
    house.declare("a file")
    seen: list[Any] = []
    run = subprocess.run
    house.patch.setattr(subprocess, "run", lambda *a, **k: (seen.append((a, k)), run(*a, **k))[1])
    assert house.say("apply work").status == 77
    assert any("ls-files" in words[0][0] for words in seen)
    assert not holds(repr(seen), CANARY)


DISK_FULL = """
import os, resource, signal, sys
from kimi_profiles.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
write = os.write
def short(descriptor, data):
    if b"%s" in bytes(data):
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    return write(descriptor, data)
os.write = short
sys.exit(main(["apply", "work", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("switch", [[], ["--json"]])
def test_a_full_disk_leaves_no_token_behind(switch: list[str], house: House) -> None:
    code = DISK_FULL % CANARY
    done = subprocess.run([sys.executable, "-c", code, *switch], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "File too large" in done.stdout + done.stderr
    assert not holds(done.stdout + done.stderr, CANARY)
    assert house.holders(CANARY) == set()


KILLED = """
import os, signal, sys
from kimi_profiles.cli import main
fsync, left = os.fsync, [int(sys.argv[1])]
def killing(descriptor):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(descriptor)
os.fsync = killing
sys.exit(main(["apply", "work"]))
"""


def test_a_killed_run_leaves_the_token_in_private_files_alone(house: House) -> None:
    """Killed before each sync; the next command takes away what was left."""
    house.declare(variable="ANTHROPIC_API_KEY")
    expected = {".claude/settings.json", ".claude.json"}
    assert [house.say(line).status for line in ("apply work", "unapply")] == [0, 0]  # the backups are made
    killed = leftovers = 0
    for number in range(1, 100):
        done = subprocess.run([sys.executable, "-c", KILLED, str(number)], capture_output=True, check=False)
        found = house.holders(CANARY) - expected
        assert all(re.fullmatch(r"(\.claude/)?\.[\w.]+\.kimi-profiles", name) for name in found), found
        leftovers += len(found)
        killed += done.returncode == -signal.SIGKILL
        with contextlib.suppress(FileNotFoundError):
            (house.home / ".claude.json.lock").rmdir()
        assert house.say("unapply").status == 0
        assert house.holders(CANARY) == set()
        if done.returncode == 0:
            break
    assert killed == 8  # file and folder: the ledger, both targets, the ledger again
    assert leftovers == 2


# ---- git


def git(folder: Path, *words: str) -> None:
    identity = [
        "-c",
        "user.name=test",
        "-c",
        "user.email=t@example.invalid",
        "-c",
        "protocol.file.allow=always",
    ]
    subprocess.run([require_tool("git"), *identity, *words], cwd=folder, check=True, capture_output=True)


def dotfiles(house: House, place: str = "dotfiles") -> Path:
    """A repository that tracks ``claude/settings.json``."""
    folder = house.home / place
    (folder / "claude").mkdir(parents=True)
    (folder / "claude" / "settings.json").write_text("{}\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "x")
    return folder


def link_settings(house: House, target: Path) -> None:
    house.settings.unlink()
    house.settings.symlink_to(target)


def linked_file(house: House) -> Path:
    link_settings(house, dotfiles(house) / "claude" / "settings.json")
    return house.settings


def linked_twice(house: House) -> Path:
    (house.home / "between").symlink_to(dotfiles(house) / "claude")
    link_settings(house, house.home / "between" / "settings.json")
    return house.settings


def linked_folder(house: House) -> Path:
    house.settings.unlink()
    (house.home / ".claude").rmdir()
    (house.home / ".claude").symlink_to(dotfiles(house) / "claude")
    return house.settings


def worktree(house: House) -> Path:
    git(dotfiles(house), "worktree", "add", "-q", str(house.home / "tree"))
    link_settings(house, house.home / "tree" / "claude" / "settings.json")
    return house.settings


def submodule(house: House) -> Path:
    dotfiles(house, "inner")
    outer = dotfiles(house, "outer")
    git(outer, "submodule", "add", "-q", str(house.home / "inner"), "sub")
    link_settings(house, outer / "sub" / "claude" / "settings.json")
    return house.settings


def other_git_dir(house: House) -> Path:
    house.patch.setenv("GIT_DIR", str(dotfiles(house, "decoy") / ".git"))
    house.patch.delenv("GIT_DIR")
    path = linked_file(house)
    house.patch.setenv("GIT_DIR", str(house.home / "decoy" / ".git"))
    return path


def other_index(house: House) -> Path:
    path = linked_file(house)
    house.patch.setenv("GIT_INDEX_FILE", str(house.home / "empty-index"))
    return path


def only_staged(house: House) -> Path:
    track(house)
    return house.settings


def removed_from_disk(house: House) -> Path:
    track(house)
    house.settings.unlink()
    return house.settings


def broken_index(house: House) -> Path:
    track(house)
    (house.home / ".git" / "index").write_bytes(b"rubbish")
    return house.settings


TRACKED = {
    "a link to a file": linked_file,
    "a link through a link": linked_twice,
    "a linked folder": linked_folder,
    "a worktree": worktree,
    "a submodule": submodule,
    "GIT_DIR says another": other_git_dir,
    "GIT_INDEX_FILE says another": other_index,
    "only staged": only_staged,
    "tracked, not on disk": removed_from_disk,
    "a repository that is broken": broken_index,
}


@pytest.mark.parametrize("arrange", TRACKED.values(), ids=TRACKED)
def test_a_token_gets_into_no_tracked_file_unless_one_insists(
    arrange: Callable[[House], Path], house: House
) -> None:
    path = arrange(house)
    before = path.read_bytes() if path.exists() else None
    for line in ("apply work", "apply work --json", "apply work --dry-run", "plan work"):
        assert house.say(line).status == 77
        assert (path.read_bytes() if path.exists() else None) == before
        assert house.holders(CANARY) == set()
    assert house.say("apply work --allow-tracked").status == 0
    assert house.holders(CANARY) == {str(Path(os.path.realpath(path)).relative_to(house.home))}
    assert house.say("unapply").status == 0
    assert (path.read_bytes() if path.exists() else None) == before


# ---- what would be sent beside the profile's credential

# name → (the variable, who supplies it, options)
SUPPLIED: dict[str, tuple[str, Callable[[House, str], object], str]] = {
    "the shell": (
        "CLAUDE_CODE_OAUTH_TOKEN",
        lambda house, name: house.patch.setenv(name, OWN["token"]),
        "",
    ),
    "a header of the shell": (
        "ANTHROPIC_CUSTOM_HEADERS",
        lambda house, name: house.patch.setenv(name, f"x-api-key: {OWN['token']}"),
        "",
    ),
    "the state file": (
        "CLAUDE_CODE_OAUTH_TOKEN",
        lambda house, name: break_file(
            house.home / ".claude.json", json.dumps({"env": {name: OWN["token"]}})
        ),
        "",
    ),
    "these settings": (
        "ANTHROPIC_CUSTOM_HEADERS",
        lambda house, name: break_file(
            house.settings, json.dumps({"env": {name: f"x-api-key: {OWN['token']}"}})
        ),
        "",
    ),
    "the user's settings, later": ("ANTHROPIC_CUSTOM_HEADERS", lambda *_: None, "--scope local"),
    "any key": ("ANTHROPIC_API_KEY", lambda *_: None, ""),
}


@pytest.mark.parametrize(("name", "supply", "options"), SUPPLIED.values(), ids=SUPPLIED)
def test_what_another_layer_supplies_is_masked(
    name: str, supply: Callable[[House, str], object], options: str, house: House
) -> None:
    supply(house, name)
    assert house.say(f"apply work {options}").status == 0
    file = "settings.local.json" if options else "settings.json"
    assert json.loads((house.home / ".claude" / file).read_text())["env"][name] == ""


@pytest.mark.parametrize("way", ["a variable", "a file", "a command"])
def test_no_base_url_is_written_without_a_credential(way: str, house: House) -> None:
    house.declare(way)
    house.patch.delenv("WORK_KEY", raising=False)
    house.keep("")
    before = house.settings.read_bytes()
    assert house.say("apply work").status == 78
    assert house.settings.read_bytes() == before


def test_at_no_moment_is_a_login_beside_a_foreign_base_url(house: House) -> None:
    fsync, seen = os.fsync, set()

    def looking(descriptor: int) -> None:
        fsync(descriptor)
        has_login = OWN["login"] in (house.home / ".claude.json").read_text()
        is_foreign = "https://gateway.example" in house.settings.read_text()
        seen.add((has_login, is_foreign))

    house.patch.setattr(os, "fsync", looking)
    assert [house.say(line).status for line in ("apply work", "unapply")] == [0, 0]
    assert seen == {(True, False), (False, False), (False, True)}


@pytest.mark.parametrize(
    "name", ["profiles.toml", ".kimi-profiles.toml", "kimi-profiles/profiles.toml", ".claude/profiles.toml"]
)
def test_a_profile_of_the_folder_we_are_in_is_not_known(name: str, house: House) -> None:
    """Whoever wrote a project could have the user's key sent to his own server."""
    project = house.home / "project"
    store = project / name
    store.parent.mkdir(parents=True, exist_ok=True)
    trap = '[profiles.NAME]\nbase_url = "https://evil.example"\nauth.token.env = "WORK_KEY"\n'
    store.write_text("".join(trap.replace("NAME", each) for each in ("evil", "work", "moonshot-cn")))
    for folder in (project, store.parent):
        house.patch.chdir(folder)
        assert house.say("apply evil").status == 66
        assert house.say("apply work").status == 0
        assert "evil.example" not in house.settings.read_text()
        assert "evil" not in house.say("list --all").out


def test_no_value_of_a_profile_steers_the_terminal(house: House) -> None:
    store = house.home / ".config" / "kimi-profiles" / "profiles.toml"
    store.write_text(store.read_text() + 'env.X = "a\\u001b]52;c;ZWNobw==\\u0007b\\u202e\\u009b2Jc"\n')
    for line in ("show other", "plan other", "apply other", "list", "status", "unapply"):
        told = house.say(line)
        assert told.status == 0
        assert not set(told.out + told.err) & set("\x1b\x07\x9b\u202e")
        assert ("ZWNobw" in told.out) == (line in {"show other", "plan other"})


# ---- objects of the library


def parts(thing: object) -> Iterator[object]:
    """``thing``, and all that its fields hold."""
    yield thing
    if is_dataclass(thing) and not isinstance(thing, type):
        for field in fields(thing):
            if field.name != "env":  # the environment is as it is
                yield from parts(getattr(thing, field.name))
    elif isinstance(thing, tuple | list):
        for each in thing:
            yield from parts(each)


def is_text_of_a_file(thing: object) -> bool:
    """The bytes and texts themselves; whoever asks a plan for them gets them."""
    return isinstance(thing, str | bytes)


def test_no_object_shows_a_token_when_it_is_printed_or_logged(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    claude, profile = ClaudeCode.user(), ProfileStore.open()["work"]
    things = [
        claude,
        profile,
        claude.plan(profile),
        claude.apply(profile),
        claude.status(profile=profile),
        claude.plan_unapply(),
        claude.unapply(),
        Secret(CANARY),
        targets.plan_targets(intents.unapply_intent(claude), state=claude.places.state),
    ]
    caplog.set_level(logging.DEBUG)
    kinds = set()
    for thing in parts(things):
        if is_text_of_a_file(thing):
            continue
        kinds.add(type(thing).__name__)
        logging.getLogger("any").debug("%s %r", thing, thing)
        for text in (str(thing), repr(thing), f"{thing}"):
            assert not any(holds(text, token) for token in (CANARY, *OWN.values())), type(thing)
    assert {"Plan", "Result", "Status", "TargetPlan", "TargetResult", "Snapshot", "Action"} <= kinds
    assert {"TextPlan", "Record", "Secret", "TargetIntent", "Profile", "Application"} <= kinds
    assert not any(holds(caplog.text, token) for token in (CANARY, *OWN.values()))


def test_plans_and_results_are_not_pickled_with_the_token(house: House) -> None:
    claude, profile = ClaudeCode.user(), ProfileStore.open()["work"]
    for thing in (claude.plan(profile), claude.apply(profile), Secret(CANARY)):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(thing)
    assert not holds(pickle.dumps(claude.status(profile=profile)), CANARY)
    assert not holds(pickle.dumps(profile), CANARY)
