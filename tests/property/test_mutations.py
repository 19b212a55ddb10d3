"""Damaged files: whatever a random change made of one, it is merged right or refused, and soon.

Realistic files are changed at random places: bytes flipped, pieces deleted, doubled, swapped, spliced in, the
end cut off. ``KIMI_PROFILES_SEED`` repeats a run; a failure names seed, number and text.
"""

from __future__ import annotations

import io
import json
import os
import random
import time
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest
from support import amount

from kimi_profiles import ClaudeCode, Profile, merge_text, unmerge_text
from kimi_profiles.claude import Surroundings, claude_json_changes, settings_changes
from kimi_profiles.cli import main
from kimi_profiles.drift import find_drift
from kimi_profiles.errors import ProfilesError, TargetInvalidError, TokenUnavailableError
from kimi_profiles.ledger import Ledger, Record, read_ledger
from kimi_profiles.plan import plan_text
from kimi_profiles.secrets import Secret
from kimi_profiles.store import ProfileStore
from kimi_profiles.supplied import supplied_by_target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

pytestmark = pytest.mark.once

SHARES = 10
SLOW_S = 2.0
TOKEN = "sk-canary-0123456789abcdefghij"
PROFILE = Profile(
    "work",
    "https://a.example/anthropic",
    models={"default": "kimi-k2", "haiku": "kimi-fast"},
    env={"LANG": "C"},
    settings={"permissions": {"allow": ["Bash(git diff:*)"]}},
)
_SEED = os.environ.get("KIMI_PROFILES_SEED")  # read here: no test sees the user's variables

# ruff: noqa: E501, PT017
SETTINGS = """\
{
  "$schema": "https://json.schemastore.org/claude-code-settings.json",
  "env": {"ANTHROPIC_BASE_URL": "https://b.example", "ANTHROPIC_API_KEY": "sk-ant-old", "LANG": "de_DE.UTF-8"},
  "permissions": {
    "allow": ["Bash(npm run test:*)", "Read(~/.zshrc)", "Bash(git diff:*)"],
    "deny": ["WebFetch"], "defaultMode": "acceptEdits"
  },
  "hooks": {"PostToolUse": [{"matcher": "Edit|Write", "hooks": [{"type": "command", "command": "echo \\"\\u00fc\\""}]}]},
  "model": "opus", "cleanupPeriodDays": 30, "ratio": 1.50e-2, "big": 123456789012345678901234567890,
  "apiKeyHelper": "/bin/key.sh", "includeCoAuthoredBy": false, "nothing": null
}
"""
STATE = (
    '{\r\n\t"numStartups": 184,\r\n\t"userID": "0f3c",\r\n\t"primaryApiKey": "sk-ant-api03-login",\r\n'
    '\t"customApiKeyResponses": {"approved": ["abcdefghijklmnopqrst"], "rejected": []},\r\n'
    '\t"projects": {"/home/me/a \\u00e9\U0001f600": {"allowedTools": [], "history": [{"display": "fix \\ud83d\\ude00"}],'
    ' "lastCost": 0.25}},\r\n\t"oauthAccount": {"emailAddress": "me@example.org"}, "hasCompletedOnboarding": false\r\n}'
)
STORE = """\
# mine
[defaults.env]
API_TIMEOUT_MS = 600000

[profiles.work]
description = "Kimi, China \\u00e9"
provider = "moonshot-cn"
auth.token = { env = "CANARY" }

[profiles.work.models]
default = "kimi-k2.7-code"
haiku   = 'kimi-k2.7-code-highspeed'

[profiles.away]
extends  = "work"
base_url = "https://api.moonshot.ai/anthropic"
auth = { variable = "ANTHROPIC_API_KEY", token = { command = ["false", "x"] } }
settings = { permissions = { allow = ["Read", 1.5, [true, { a.b = -1 }]] } }
env.NOTE = \"\"\"two
lines\"\"\"
"""
PIECES = [
    *"{}[]:,\"'\\#=./\n\r\t \0\x7f",
    '"env"',
    '"env":{}',
    '"permissions":[]',
    '"ANTHROPIC_BASE_URL":null',
    '{"a":',
    "[[[[[[[[[",
    "]]",
    "}}",
    '""',
    '"""',
    "'''",
    "[[",
    "//",
    "/*",
    "null",
    "true",
    "NaN",
    "-Infinity",
    "1e999",
    "-0",
    "00",
    "0x",
    "9" * 50,
    "9" * 5000,
    "1." + "0" * 400,
    "1e-" + "9" * 30,
    "\\u0000",
    "\\ud800",
    "\\udc00\\ud800",
    "\\x",
    "\\u12",
    "\ufeff",
    "\u2028",
    "\u202e",
    "\x1b[2J",
    "\x85",
    "\xe9",
    "\U0001f600",
    "[" * 200,
    '{"a":' * 70,
    "a." * 40,
    "extends = 'away'",
    "[profiles.work]",
    "owned",
    "/",
    "~2",
    "absent",
    "../",
    '"before":{"raw":"{","after":null}',
]


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> str:
    chosen = _SEED or str(pytestconfig.getoption("hypothesis_seed"))
    print(f"repeat with KIMI_PROFILES_SEED={chosen}")
    return chosen


# ---- mutations


def mutate(text: str, rng: random.Random) -> bytes:
    """``text`` with one to five changes; the bytes may be no UTF-8."""
    data = text.encode("utf-8", "surrogatepass")
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        data = rng.choice(CHANGES)(data, rng)
    return data


def _cut(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 16, 100)))


def flip(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return data
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def delete(data: bytes, rng: random.Random) -> bytes:
    start, end = _cut(data, rng)
    return data[:start] + data[end:]


def double(data: bytes, rng: random.Random) -> bytes:
    start, end = _cut(data, rng)
    return data[:end] + data[start:end] * rng.choice((1, 1, 3, 50)) + data[end:]


def insert(data: bytes, rng: random.Random) -> bytes:
    start, end = _cut(data, rng)
    piece = rng.choice(PIECES).encode("utf-8", "surrogatepass")
    return data[:start] + piece + data[rng.choice((start, end)) :]


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def swap(data: bytes, rng: random.Random) -> bytes:
    one, two = sorted((_cut(data, rng), _cut(data, rng)))
    if one[1] > two[0]:
        return data
    return (
        data[: one[0]]
        + data[two[0] : two[1]]
        + data[one[1] : two[0]]
        + data[one[0] : one[1]]
        + data[two[1] :]
    )


def replace_word(data: bytes, rng: random.Random) -> bytes:
    """Put a piece in the place of what stands between two marks."""
    marks = [index for index, byte in enumerate(data) if byte in b'{}[],:"=\n']
    if len(marks) < 2:
        return data
    number = rng.randrange(len(marks) - 1)
    piece = rng.choice(PIECES).encode("utf-8", "surrogatepass")
    return data[: marks[number] + 1] + piece + data[marks[number + 1] :]


CHANGES: list[Callable[[bytes, random.Random], bytes]] = [
    flip,
    delete,
    double,
    insert,
    truncate,
    swap,
    replace_word,
]


# ---- what is done with each


def meaning(text: str) -> Any:
    bare = text.removeprefix("\ufeff").strip(" \t\r\n")
    return json.loads(bare, parse_float=str, parse_int=str) if bare else {}


def without(value: Any, places: set[tuple[str, ...]], path: tuple[str, ...] = ()) -> Any:
    """``value`` without what stands at ``places`` and without containers that end up empty."""
    if not isinstance(value, dict):
        return value
    kept = {k: without(v, places, (*path, k)) for k, v in value.items() if (*path, k) not in places}
    return {key: each for key, each in kept.items() if each not in ({}, [])}


SECRET = Secret(TOKEN)


def settings_wish(record: Record, text: str | None) -> Sequence[Any]:
    supplied = {"ANTHROPIC_API_KEY"} | supplied_by_target(record, text)
    return settings_changes(PROFILE, SECRET, Surroundings(supplied))


def state_wish(record: Record, text: str | None) -> Sequence[Any]:
    return claude_json_changes(PROFILE, SECRET)


def ours(changes: Sequence[Any]) -> set[tuple[str, ...]]:
    return {tuple(change.pointer[1:].split("/")) for change in changes}


def through_plan(data: bytes, wish: Callable[[Record, str | None], Sequence[Any]]) -> bool:
    """Merged and unmerged, and checked against ``json``; whether it was accepted."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    try:
        changes = wish(Record(), text)
        plan = plan_text(text, Record(), changes, holder="A")
    except TargetInvalidError:
        return False
    assert plan.text is not None
    before, after, places = meaning(text), meaning(plan.text), ours(changes)
    assert isinstance(after, dict)
    assert without(before, places) == without(after, places)
    assert find_drift(plan.text, plan.record, holder="A") == ()
    back = plan_text(plan.text, plan.record, (), holder="A")
    assert not back.record.owned
    if back.text is not None:
        assert meaning(back.text) == before
    again = plan_text(plan.text, plan.record, wish(plan.record, plan.text), holder="A")
    assert again.text == plan.text
    return True


def through_settings(data: bytes, _: Path) -> bool:
    return through_plan(data, settings_wish)


def through_state(data: bytes, _: Path) -> bool:
    return through_plan(data, state_wish)


def through_merge(data: bytes, _: Path) -> bool:
    try:
        merged = merge_text(data.decode("utf-8", "replace"), PROFILE, token=TOKEN)
        unmerge_text(merged.text, Record.from_json(json.loads(json.dumps(merged.record.to_json()))))
    except ProfilesError:
        return False
    return True


def through_store(data: bytes, folder: Path) -> bool:
    file = folder / "profiles.toml"
    file.write_bytes(data)
    try:
        store = ProfileStore.open(file)
    except ProfilesError as error:
        assert error.path == str(file)
        assert "\n" not in error.message
        return False
    store.check()
    for name in store:
        try:
            assert store[name].name == name
        except ProfilesError:
            return False
    return True


def through_ledger(data: bytes, folder: Path) -> bool:
    file = folder / "ledger.json"
    file.write_bytes(data)
    try:
        ledger = read_ledger(file)
    except ProfilesError as error:
        assert error.path == str(file)
        return False
    assert isinstance(ledger, Ledger)
    for record in ledger.records.values():
        for holder in ("A", "/home/me/.claude/settings.json"):
            try:
                plan_text(SETTINGS, record, (), holder=holder)
            except ProfilesError:
                return False
    return True


def through_token(data: bytes, _: Path) -> bool:
    try:
        secret = Secret(data.decode("utf-8", "replace").strip())
    except TokenUnavailableError:
        return False
    assert secret.reveal().isascii()
    assert secret.reveal().isprintable()
    assert " " not in secret.reveal()
    return True


def ledger_text(folder: Path) -> str:
    """A ledger as it is with the profile applied to the realistic files."""
    home = folder / "made"
    (home / ".claude").mkdir(parents=True)
    (home / ".claude/settings.json").write_text(SETTINGS, encoding="utf-8")
    (home / ".claude.json").write_text(STATE, encoding="utf-8")
    ClaudeCode.user(home=home).apply(PROFILE, token=TOKEN)
    return (home / ".local/state/kimi-profiles/ledger.json").read_text(encoding="utf-8")


# what → its text, what is done, how many of 200,000, how many at least are accepted and refused, in percent
KINDS: dict[str, tuple[str, Callable[[bytes, Path], bool], int]] = {
    "settings.json": (SETTINGS, through_settings, 60_000),
    ".claude.json": (STATE, through_state, 50_000),
    "settings.json, as text": (SETTINGS, through_merge, 10_000),
    "profiles.toml": (STORE, through_store, 20_000),
    "ledger.json": ("", through_ledger, 40_000),
    "token": (TOKEN, through_token, 20_000),
}


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_right_or_refused(kind: str, share: int, seed: str, tmp_path: Path) -> None:
    text, work, count = KINDS[kind]
    text = text or ledger_text(tmp_path)
    accepted = 0
    size = amount(count // 2, count * 10) // SHARES
    slowest = 0.0
    for number in range(share * size, (share + 1) * size):
        data = mutate(text, random.Random(f"{seed}/{kind}/{number}"))
        started = time.process_time()
        try:
            accepted += work(data, tmp_path)
        except Exception as error:  # noqa: BLE001 - whatever it is, it comes with its input
            pytest.fail(f"KIMI_PROFILES_SEED={seed}, {kind} {number}: {error!r}\n{data!r}")
        slowest = max(slowest, time.process_time() - started)
    print(f"{accepted} of {size} accepted, the slowest took {slowest:.3f} s")
    assert size // 100 < accepted < size * 99 // 100
    assert slowest < SLOW_S


COMMANDS = (["apply", "work"], ["status"], ["unapply"], ["plan", "work", "--json"], ["validate"], ["list"])


@pytest.mark.parametrize("share", range(SHARES // 2))
def test_a_command_with_damaged_files_ends_with_a_line(
    share: int, seed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", TOKEN)
    monkeypatch.setenv("KIMI_PROFILES_TRACEBACK", "1")
    ledger = ledger_text(tmp_path).replace(str(tmp_path / "made"), str(tmp_path / "home"))
    names = {
        ".claude/settings.json": SETTINGS,
        ".claude.json": STATE,
        ".config/kimi-profiles/profiles.toml": STORE,
        ".local/state/kimi-profiles/ledger.json": ledger,
    }
    home = tmp_path / "home"
    statuses = set()
    size = amount(200, 4_000)
    for number in range(share * size, (share + 1) * size):
        rng = random.Random(f"{seed}/commands/{number}")
        damaged = rng.choice([*names])
        inputs = {}
        for name, text in names.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            inputs[name] = mutate(text, rng) if name == damaged else text.encode()
            (home / name).write_bytes(inputs[name])
        if damaged != ".local/state/kimi-profiles/ledger.json":
            (home / ".local/state/kimi-profiles/ledger.json").unlink()
        words = rng.choice(COMMANDS)
        out, err = io.StringIO(), io.StringIO()
        try:
            with redirect_stdout(out), redirect_stderr(err):
                status = main([*words, "--home", str(home)])
        except Exception as error:  # noqa: BLE001 - whatever it is, it comes with its input
            pytest.fail(
                f"KIMI_PROFILES_SEED={seed}, {words} {number}: {error!r}\n{damaged}: {inputs[damaged]!r}"
            )
        statuses.add(status)
        assert status in {0, 4, 66, 77, 78}, (seed, number, err.getvalue())
        assert TOKEN not in out.getvalue() + err.getvalue()
        if status and words[0] in {"apply", "unapply"}:
            for name, data in inputs.items():
                if not name.endswith("ledger.json"):
                    assert (home / name).read_bytes() == data, (seed, number)
    assert {0, 78} <= statuses
