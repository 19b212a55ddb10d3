"""Variables as text: what each shell is told, and what it is not."""

from __future__ import annotations

import json
import re

import pytest

from kimi_profiles.errors import InvalidError, UsageError
from kimi_profiles.shells import SHELLS, guess_shell, render, render_unset

TEXTS = {
    "sh: nothing in single quotes means anything": ("sh", 'a $b `c` \\ "d" !e\n', "'a $b `c` \\ \"d\" !e\n'"),
    "sh: a single quote ends the word and is escaped": ("sh", "it's", "'it'\\''s'"),
    "bash as sh": ("bash", "it's", "'it'\\''s'"),
    "zsh as sh": ("zsh", "it's", "'it'\\''s'"),
    "sh: empty": ("sh", "", "''"),
    "fish: a quote and a backslash are escaped": ("fish", "it's \\ $x", "'it\\'s \\\\ $x'"),
    "powershell: a quote is doubled": ("powershell", "it's $x `n", "'it''s $x `n'"),
    "powershell: line ends are code units": (
        "powershell",
        "a\r\nb",
        "'a' + [char]0x000D + [char]0x000A + 'b'",
    ),
    "powershell: its other quotes too": ("powershell", "\u2019", "'' + [char]0x2019"),
    "powershell: beyond 16 bits": ("powershell", "x\U0001f600", "'x' + [char]0xD83D + [char]0xDE00"),
    "cmd: inside quotes these are text": ("cmd", "a & b | <c> ^ (d) 'e'", "a & b | <c> ^ (d) 'e'"),
    "setx: blanks": ("setx", "a b", '"a b"'),
    "setx: a backslash before the end is doubled": ("setx", "C:\\a b\\\\", '"C:\\a b\\\\\\\\"'),
    "dotenv: as it is": ("dotenv", "https://x.example/a?b=c,k3[1m]", "https://x.example/a?b=c,k3[1m]"),
    "dotenv: empty": ("dotenv", "", ""),
}
FORMS = {
    "sh": "export A={}\n",
    "bash": "export A={}\n",
    "zsh": "export A={}\n",
    "fish": "set -gx A {}\n",
    "powershell": "$Env:A = {}\n",
    "cmd": 'set "A={}"\n',
    "setx": "setx A {}\n",
    "dotenv": "A={}\n",
}
REFUSED = {
    **{f"{shell}: NUL": (shell, "a\0b", "NUL") for shell in SHELLS},
    **{f"{shell}: half a character": (shell, "a\ud800", "Unicode|ASCII|differently") for shell in SHELLS},
    **{
        f"{shell}: {char!a}": (shell, f"a{char}b", "line end")
        for shell in ("cmd", "setx")
        for char in '\n\r\t\x1b%"!é'
    },
    "powershell: empty, which takes the variable away": ("powershell", "", "not to set it"),
    "cmd: empty": ("cmd", "", "not to set it"),
    "setx: empty": ("setx", "", "not to set it"),
    **{
        f"{shell}: longer than Linux starts a program with": (shell, "é" * 65_532 + "xx", "131072")
        for shell in ("sh", "bash", "zsh", "fish")
    },
    "dotenv: longer than that": ("dotenv", "x" * 131_065, "131072"),
    "powershell: longer than Windows knows": ("powershell", "\U0001f600" * 16_380, "32767"),
    "cmd: longer than a line": ("cmd", "x" * 8184, "8191"),
    "setx: longer than it keeps": ("setx", "x" * 1025, "1024"),
    "setx: like an option": ("setx", "/M", "option"),
    "setx: like an option, with a dash": ("setx", "-m", "option"),
    "dotenv: = at the beginning, which zsh looks up": ("dotenv", "=ls", "differently"),
    "dotenv: = behind a colon, the same": ("dotenv", "a:=ls", "differently"),
    **{f"dotenv: {char!a}": ("dotenv", f"a{char}b", "differently") for char in " \n\t'\"\\$`#~;&|<>()!é"},
}
ACCEPTED = {
    "cmd": "x" * 8183,
    "setx": "x" * 1024,
    "sh": "x" * 131_069,
    "fish": "x" * 131_069,
    "dotenv": "x" * 131_069,
    "powershell": "x" * 32_764,
    "json": "x" * 200_000,
}


@pytest.mark.parametrize(("shell", "value", "word"), TEXTS.values(), ids=TEXTS)
def test_a_value_is_written_as_the_shell_reads_it(shell: str, value: str, word: str) -> None:
    assert render({"A": value}, shell) == FORMS[shell].format(word)


@pytest.mark.parametrize(("shell", "value", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_said_is_refused_and_not_shown(shell: str, value: str, reason: str) -> None:
    with pytest.raises(InvalidError, match=reason) as caught:
        render({"A_NAME": value}, shell)
    assert "A_NAME" in str(caught.value)
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize("shell", ACCEPTED)
def test_the_longest_value_is_accepted(shell: str) -> None:
    assert ACCEPTED[shell] in render({"A": ACCEPTED[shell]}, shell)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", ["", "A B", "A=B", "1A", "A;id", "A\nB", "Ä", "$(id)", "A\0", "A-B"])
def test_what_is_no_name_is_refused(shell: str, name: str) -> None:
    for value in ("x", None):
        with pytest.raises(InvalidError, match="not the name of a variable"):
            render({name: value}, shell)


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish", "dotenv"])
@pytest.mark.parametrize("name", ["OPTIND", "IFS", "UID", "status", "path"])
def test_a_variable_of_the_shells_own_is_refused(shell: str, name: str) -> None:
    with pytest.raises(InvalidError, match="shell's own"):
        render({name: "x"}, shell)


UNSET = {
    "sh": "unset -v A B\n",
    "bash": "unset -v A B\n",
    "zsh": "unset -v A B\n",
    "fish": "set -eg A B\nset -qU A; and set -gx A ''\nset -qU B; and set -gx B ''\ntrue\n",
    "powershell": "Remove-Item Env:\\A -ErrorAction SilentlyContinue\n"
    "Remove-Item Env:\\B -ErrorAction SilentlyContinue\n",
    "cmd": 'set "A="\nset "B="\n',
    "setx": "reg delete HKCU\\Environment /v A /f >nul 2>nul\n"
    "reg delete HKCU\\Environment /v B /f >nul 2>nul\n",
    "dotenv": "A=\nB=\n",
    "json": '{\n  "A": null,\n  "B": null\n}\n',
    "vscode": '{\n  "claudeCode.environmentVariables": []\n}\n',
}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_way_back(shell: str) -> None:
    assert render_unset(["A", "B"], shell) == UNSET[shell]


@pytest.mark.parametrize("shell", SHELLS)
def test_what_must_not_be_set_goes_before_anything_is_set(shell: str) -> None:
    text = render({"KEPT": "v", "GONE": None}, shell)
    assert set(re.findall("KEPT|GONE", text)) == {"KEPT", "GONE"}
    if shell not in {"json", "vscode", "dotenv"}:
        assert text.index("GONE") < text.index("KEPT")


def test_nothing_is_nothing() -> None:
    assert {shell: render({}, shell) for shell in SHELLS if shell not in {"json", "vscode"}} == dict.fromkeys(
        (shell for shell in SHELLS if shell not in {"json", "vscode"}), ""
    )


HOSTILE = {"A": 'it\'s\n"é" \u2028 \x1b[0m </script>', "B": "", "C": None}


def test_json_is_the_mapping() -> None:
    text = render(HOSTILE, "json")
    assert json.loads(text) == HOSTILE
    assert text.isascii()


def test_vs_code_masks_by_an_empty_value() -> None:
    (entries,) = json.loads(render(HOSTILE, "vscode")).values()
    assert entries == [{"name": name, "value": value or ""} for name, value in HOSTILE.items()]


@pytest.mark.parametrize("shell", ["powershell", "cmd", "setx"])
def test_no_code_page_can_harm_it(shell: str) -> None:
    value = "é\u2019\U0001f600" if shell == "powershell" else "x"
    text = render({"A": value, "B": None}, shell)
    assert text.isascii()
    assert text.count("\n") == 2


@pytest.mark.parametrize("value", ["a b", "a\\", "a\\\\", "\\\\a\\b c\\", "'"])
def test_setx_gets_one_argument_by_the_rules_of_the_c_runtime(value: str) -> None:
    word = render({"A": value}, "setx").removeprefix("setx A ").rstrip("\n")
    assert _c_argument(word) == value


def _c_argument(word: str) -> str:
    """One quoted argument, read as Microsoft's "Parsing C command-line arguments" says."""
    assert word[0] == '"'
    out, position = "", 1
    while position < len(word):
        run = re.match(r"\\*", word[position:])
        assert run is not None
        slashes, position = len(run[0]), position + len(run[0])
        if position < len(word) and word[position] == '"':
            out += "\\" * (slashes // 2)
            if slashes % 2 == 0:
                assert position == len(word) - 1
                return out
            out += '"'
        else:
            out += "\\" * slashes + word[position : position + 1]
        position += 1
    pytest.fail("the quotation mark is not closed")


GUESSES = {
    "bash": ({"SHELL": "/bin/bash"}, False, "bash"),
    "zsh": ({"SHELL": "/usr/local/bin/zsh"}, False, "zsh"),
    "fish": ({"SHELL": "/opt/fish"}, False, "fish"),
    "dash is sh": ({"SHELL": "/bin/dash"}, False, "sh"),
    "none is sh": ({}, False, "sh"),
    "PowerShell on Linux": ({"SHELL": "/bin/bash", "PSModulePath": "/opt"}, False, "powershell"),
    "Windows": ({"PSModulePath": "C:\\x"}, True, "powershell"),
    "Git Bash": ({"SHELL": "C:\\Git\\usr\\bin\\bash.exe", "PSModulePath": "C:\\x"}, True, "bash"),
}


@pytest.mark.parametrize(("env", "is_windows", "expected"), GUESSES.values(), ids=GUESSES)
def test_the_shell_is_guessed(env: dict[str, str], *, is_windows: bool, expected: str) -> None:
    assert guess_shell("make", env, is_windows=is_windows) == expected


@pytest.mark.parametrize(
    ("parent", "expected"), [("fish", "fish"), ("bash", "bash"), ("dash", "sh"), ("pwsh", "powershell")]
)
def test_the_shell_that_started_us_counts_before_the_login_shell(parent: str, expected: str) -> None:
    assert guess_shell(parent, {"SHELL": "/bin/zsh"}, is_windows=False) == expected


@pytest.mark.parametrize("shell", ["tcsh", "nu", "elvish"])
def test_no_shell_gets_the_words_of_another(shell: str) -> None:
    with pytest.raises(UsageError, match=shell):
        guess_shell("", {"SHELL": f"/bin/{shell}"}, is_windows=False)


def test_an_unknown_shell_is_refused() -> None:
    with pytest.raises(UsageError, match="ksh"):
        render({}, "ksh")
