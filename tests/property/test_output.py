"""Whatever a name or a value is made of: nothing printed steers a terminal, and no name becomes a path.

Every string of a corpus of attacks goes to a place from which the program prints: profile names,
descriptions, URLs, models, variables, the settings file's own keys and values,
command-line arguments.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest
from support import amount

from kimi_profiles.cli import main
from kimi_profiles.errors import ProfilesError
from kimi_profiles.profile import check_profile_name
from kimi_profiles.screen import visible

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

TOKEN = "sk-canary-0123456789abcdefghij"
SHARES = 4
_SEED = os.environ.get("KIMI_PROFILES_SEED")  # read here: no test sees the user's variables

# What a terminal obeys, or what turns the direction of a line. The line end is ours.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
OURS = re.compile(r"\x1b\[(?:0|1|2|3[0-9]|9[0-7])(?:;(?:0|1|2|3[0-9]|9[0-7]))*m")

CONTROLS = [chr(n) for n in (*range(0x20), 0x7F, *range(0x80, 0xA0))]
BIDI = [chr(n) for n in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]
UNSEEN = [
    "\u200b",
    "\u200d",
    "\u2028",
    "\u2029",
    "\u2060",
    "\ufeff",
    "\ufff9",
    "\U000e0041",
    "\ue000",
    "\xad",
]
SEQUENCES = [
    "\x1b[2J",
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1bP$q\x1b\\",
    "\x1b[6n",
    "\x1b[201~",
    "\x9b2J",
    "\x9d0;x\x9c",
    "\x90x\x9c",
    "\r\x1b[Kkimi-profiles: fine",
    "\x08\x08\x08",
    "\x0e\x0f",
    "\x1bc",
    "\x1b%G",
]
SHELL = [
    "$(id)",
    "`id`",
    "; id",
    "| id",
    "&& id",
    "$HOME",
    "~",
    "*",
    "!!",
    "%PATH%",
    "'",
    '"',
    "\\",
    "a b",
    "\n",
    "\r\n",
]
NAMES = [
    "../x",
    "/",
    "//",
    "/etc/passwd",
    ".",
    "..",
    "...",
    "-",
    "--help",
    "-x",
    "--json",
    "CON",
    "con.txt",
    "NUL",
    "LPT1",
]
LOOKALIKES = [
    "w\u043erk",
    "\uff57\uff4f\uff52\uff4b",
    "work\u0301",
    "\u1e9eork",
    "WORK ",
    "w\u200bork",
    "\U0001f600",
    "\u6f22",
]
LONG = ["x" * 65, "x" * 255, "x" * 256, "x" * 5000, "\u6f22" * 300, "../" * 100]
ATTACKS = [*CONTROLS, *BIDI, *UNSEEN, *SEQUENCES, *SHELL, *NAMES, *LOOKALIKES, *LONG]


def corpus(rng: random.Random, size: int) -> list[str]:
    """Each attack alone, then attacks put together, with plain text between."""
    made = ["".join(rng.choices([*ATTACKS, "work", "x", "=", "/"], k=rng.randint(2, 5))) for _ in range(size)]
    return [*ATTACKS, *(f"work{attack}x" for attack in ATTACKS), *made][:size]


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> str:
    chosen = _SEED or str(pytestconfig.getoption("hypothesis_seed"))
    print(f"repeat with KIMI_PROFILES_SEED={chosen}")
    return chosen


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", TOKEN)
    monkeypatch.setenv("MOONSHOT_API_KEY", TOKEN)


def said(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(list(arguments))
    return status, out.getvalue(), err.getvalue()


def check(arguments: tuple[str, ...], home: Path) -> int:
    """Plain, with colour, and as JSON; the exit status of the first."""
    where = ("--home", str(home), "--lock-timeout", "0")
    status, out, err = said(*arguments, *where)
    what = (arguments, out, err)
    assert not FORBIDDEN.search(out + err), what
    assert "should not" not in err, what
    assert "Traceback" not in err, what
    if status not in {0, 4}:
        assert err.count("\n") <= (4 if arguments[0] == "validate" else 2), what
    _, out, err = said(*arguments, "--color", "always", *where)
    colored = OURS.sub("", out + err)
    assert not FORBIDDEN.search(colored), (arguments, out, err)
    if "--names" not in arguments:
        _, out, err = said(*arguments, "--json", *where)
        assert (out.isascii(), err) == (True, ""), (arguments, out, err)
        answer = json.loads(out)
        assert isinstance(answer, dict)
        assert answer["schema"] == 1
    return status


def toml(text: str) -> str:
    """``text`` as a TOML string."""
    escaped = "".join(
        f"\\U{ord(char):08x}" if not char.isalnum() or not char.isascii() else char for char in text
    )
    return f'"{escaped}"'


def everything(path: Path) -> list[str]:
    """All below ``path``, but for what can be made again."""
    return sorted(str(each) for each in path.rglob("*") if ".cache" not in each.parts)


def furnish(home: Path, store: str, settings: Any) -> None:
    for folder in (".claude", ".config/kimi-profiles"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / ".config/kimi-profiles/profiles.toml").write_text(store, encoding="utf-8")
    (home / ".claude/settings.json").write_text(json.dumps(settings), encoding="utf-8")


GOOD = '[profiles.work]\nbase_url = "https://a.example/anthropic"\nauth.token.env = "CANARY"\n'
# Where in the file a string goes.
PLACES = {
    "a name": "{good}[profiles.{text}]\nbase_url = 'https://a.example'\nauth.token.env = 'CANARY'\n",
    "a description": "{good}description = {text}\n",
    "a URL": "{good}[profiles.x]\nbase_url = {text}\n",
    "the end of a URL": "{good}[profiles.x]\nbase_url = {url}\n",
    "a model": "{good}models.default = {text}\n",
    "the name of a variable": "{good}env.{text} = 'x'\n",
    "a variable": "{good}env.NOTE = {text}\n",
    "a setting": "{good}settings.statusLine = {text}\n",
    "the key of a setting": "{good}settings.{text} = 1\n",
    "a member of a list": "{good}settings.permissions.allow = [{text}]\n",
    "an unknown key": "{good}{text} = 1\n",
    "a top-level key": "{text} = 1\n{good}",
    "extends": "{good}extends = {text}\n",
    "a provider": "{good}[profiles.x]\nprovider = {text}\n",
    "a token's variable": "{good}[profiles.x]\nextends = 'work'\nauth.token = {{ env = {text} }}\n",
    "a token file": "{good}[profiles.x]\nextends = 'work'\nauth.token = {{ file = {text} }}\n",
    "a token command": "{good}[profiles.x]\nextends = 'work'\nauth.token = {{ command = [{text}] }}\n",
    "an entry of a keyring": "{good}[profiles.x]\nextends = 'work'\nauth.token = {{ keyring = {text} }}\n",
    "not TOML": "{good}{raw}\n",
}
LINES = (
    ("validate",),
    ("list",),
    ("list", "--names"),
    ("show", "work"),
    ("show", "x"),
    ("plan", "work"),
    ("plan", "x"),
)


@pytest.mark.parametrize("share", range(SHARES))
def test_what_is_in_the_profile_file_is_shown_harmlessly(share: int, seed: str, tmp_path: Path) -> None:
    rng = random.Random(f"{seed}/toml/{share}")
    texts = corpus(rng, amount(1_000, 20_000))[share::SHARES]
    statuses = set()
    for text in texts:
        where = rng.choice([*PLACES])
        store = PLACES[where].format(
            good=GOOD, text=toml(text), url=toml(f"https://a.example/{text}"), raw=text.replace("\ud800", "")
        )
        furnish(tmp_path, store, {})
        statuses |= {check(line, tmp_path) for line in rng.sample(LINES, 1)}
    assert {0, 66, 78} <= statuses
    assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize("share", range(SHARES))
def test_what_is_in_the_settings_is_shown_harmlessly(share: int, seed: str, tmp_path: Path) -> None:
    rng = random.Random(f"{seed}/settings/{share}")
    texts = corpus(rng, amount(1_000, 20_000))[share::SHARES]
    store = (
        GOOD
        + "settings = { statusLine = 'x', permissions = { allow = ['Read'] } }\nmodels.default = 'kimi'\n"
    )
    statuses = set()
    for number, text in enumerate(texts):
        settings = {
            text: text,
            "env": {
                "ANTHROPIC_BASE_URL": text,
                "ANTHROPIC_MODEL": text,
                "ANTHROPIC_API_KEY": text,
                text: text,
            },
            "statusLine": {text: text},
            "permissions": rng.choice(({"allow": [text]}, text, {text: []}, {"allow": text})),
        }
        furnish(tmp_path, store, settings)
        statuses.add(check(rng.choice((("plan", "work"), ("apply", "work", "--dry-run"))), tmp_path))
        if number % 10 == 0 and isinstance(settings["permissions"], dict):
            statuses.add(check(("apply", "work"), tmp_path))
            file = tmp_path / ".claude/settings.json"
            file.write_text(file.read_text().replace("kimi", "other"))
            statuses |= {check(line, tmp_path) for line in (("status",), ("status", "--check"), ("unapply",))}
    assert {0, 4, 78} <= statuses


@pytest.mark.parametrize("share", range(SHARES))
def test_what_is_on_the_command_line_is_shown_harmlessly_and_is_no_path(
    share: int, seed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    furnish(home, GOOD, {})
    monkeypatch.chdir(here)
    before = everything(tmp_path)
    rng = random.Random(f"{seed}/line/{share}")
    for text in corpus(rng, amount(1_000, 20_000))[share::SHARES]:
        given = text.replace("\0", "")
        line = rng.choice(
            (
                ("apply", given),
                ("plan", given),
                ("show", given),
                ("token", given),
                (given,),
                ("status", given),
                ("plan", "work", "--scope", given),
                ("plan", "work", "--lock-timeout", given),
                ("models", "--provider", given),
                ("plan", "work", f"--project={given}"),
                ("validate", given),
                ("list", f"--store={given}"),
            )
        )
        status, out, err = said(*line, "--home", str(home))
        assert not FORBIDDEN.search(out + err), (line, out, err)
        assert "should not" not in err, (line, err)
        if line[0] in {"apply", "show", "token"} and not given.startswith("-"):
            assert status in {2, 66, 78}, (line, status, out, err)
        status, out, err = said("--json", *line, "--home", str(home))
        if status != 0 or out.startswith("{"):
            assert out.isascii(), (line, out)
            assert isinstance(json.loads(out), dict)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("text", [*ATTACKS], ids=ascii)
def test_no_attack_is_the_name_of_a_profile(text: str) -> None:
    is_good = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", text, re.ASCII) is not None
    if is_good and not re.match(r"(?i)(con|nul|lpt1)(\.|$)", text):
        return
    with pytest.raises(ProfilesError):
        check_profile_name(text)


@pytest.mark.parametrize("text", CONTROLS + BIDI + UNSEEN, ids=ascii)
def test_what_cannot_be_seen_is_written_as_an_escape(text: str) -> None:
    assert visible(text).isascii()
    assert visible(text).isprintable()
    assert len(visible(text)) > 1
