"""What is read from texts, files and other tools, and what profile is made of it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import time
import tracemalloc
from pathlib import Path
from typing import Any

import keyring
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from support import amount, require_tool

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.claude import context_tokens
from kimi_profiles.credentials import keep_in_keyring
from kimi_profiles.editing.profiles import add_profile
from kimi_profiles.endpoint import check_base_url
from kimi_profiles.environment import profile_variables
from kimi_profiles.errors import (
    EndpointError,
    InvalidError,
    NotFoundError,
    ProfilesError,
    TokenUnavailableError,
    UsageError,
)
from kimi_profiles.importing.adding import with_defaults_told, with_profiles
from kimi_profiles.importing.cc_switch import read_cc_switch, read_config, read_database
from kimi_profiles.importing.ccs import listed_in_json, listed_in_yaml, read_ccs
from kimi_profiles.importing.credential import is_placeholder, named_variable
from kimi_profiles.importing.found import Found, Value
from kimi_profiles.importing.names import clean_name
from kimi_profiles.importing.pasted import read_pasted
from kimi_profiles.importing.recognize import Proposal, recognize
from kimi_profiles.importing.showing import export_line, proposal_json
from kimi_profiles.inheritance import resolve_profile
from kimi_profiles.profile import TIERS, Profile, check_profile_name
from kimi_profiles.secrets import Secret
from kimi_profiles.shellrc import read_assignments

TOKEN = "sk-test-0123456789abcdefghij"
OTHER = "sk-test-zyxwvutsrqponmlkjihg9"
CN = "https://api.moonshot.cn/anthropic"
URL = "ANTHROPIC_BASE_URL"
AUTH = "ANTHROPIC_AUTH_TOKEN"
KEY = "ANTHROPIC_API_KEY"

# ---- pasted texts

PASTED = {
    "settings": (
        '{"env": {"ANTHROPIC_BASE_URL": "u", "API_TIMEOUT_MS": 6e2, "A": 6}}',
        {URL: "u", "API_TIMEOUT_MS": "600", "A": "6"},
    ),
    "an env object alone": ('{"ANTHROPIC_BASE_URL": "u", "X": true}', {URL: "u", "X": "true"}),
    "lines of an object": (
        '  "ANTHROPIC_BASE_URL": "u",\n  "ANTHROPIC_MODEL": "m"',
        {URL: "u", "ANTHROPIC_MODEL": "m"},
    ),
    "VS Code": (
        '{"claudeCode.environmentVariables": [{"name": "ANTHROPIC_BASE_URL", "value": "u"}, 1, {"name": 2}]}',
        {URL: "u"},
    ),
    "model and helper": (
        '{"env": {"ANTHROPIC_BASE_URL": "u"}, "model": "m", "apiKeyHelper": "h"}',
        {URL: "u", "model": "m", "apiKeyHelper": "h"},
    ),
    "the last duplicate": ('{"env": {"ANTHROPIC_BASE_URL": "a", "ANTHROPIC_BASE_URL": "b"}}', {URL: "b"}),
    "prose around JSON": (
        'Edit the file:\n{\n "env": {"ANTHROPIC_BASE_URL": "u"}\n}\nand restart.',
        {URL: "u"},
    ),
    "sh": (
        "export ANTHROPIC_BASE_URL=\"u\" B='b c'; export ANTHROPIC_MODEL=m",
        {URL: "u", "B": "b c", "ANTHROPIC_MODEL": "m"},
    ),
    "for one command": (
        "ANTHROPIC_BASE_URL=u ANTHROPIC_MODEL=m claude -p hi",
        {URL: "u", "ANTHROPIC_MODEL": "m"},
    ),
    "over several lines": (
        "ANTHROPIC_BASE_URL=u \\\n  ANTHROPIC_MODEL=m \\\n  claude",
        {URL: "u", "ANTHROPIC_MODEL": "m"},
    ),
    "by env": ("env ANTHROPIC_BASE_URL=u claude", {URL: "u"}),
    "dotenv": (
        "ANTHROPIC_BASE_URL=u\n# ANTHROPIC_MODEL=x\n\nANTHROPIC_MODEL='m' # why",
        {URL: "u", "ANTHROPIC_MODEL": "m"},
    ),
    "fish": ('set -gx ANTHROPIC_BASE_URL "u"\nset --export A b', {URL: "u", "A": "b"}),
    "csh": ("setenv ANTHROPIC_BASE_URL u", {URL: "u"}),
    "PowerShell": (
        "$env:ANTHROPIC_BASE_URL = \"u\";\n$Env:B='it''s'\n${env:C} = \"c\"",
        {URL: "u", "B": "it's", "C": "c"},
    ),
    ".NET": (
        (
            '[System.Environment]::SetEnvironmentVariable("ANTHROPIC_BASE_URL","u","User")\n'
            '[Environment]::SetEnvironmentVariable("B", "b", "User")'
        ),
        {URL: "u", "B": "b"},
    ),
    "cmd": (
        'set ANTHROPIC_BASE_URL=u\nset "B=b c"\r\nSET C=c & set D=d',
        {URL: "u", "B": "b c", "C": "c", "D": "d"},
    ),
    "setx": ('setx ANTHROPIC_BASE_URL "u"\nsetx B b /M\nREM setx C c', {URL: "u", "B": "b"}),
    "echo into a start-up file": (
        "echo 'export ANTHROPIC_BASE_URL=\"u\"' >> ~/.zshrc\necho '# export A=b' >> ~/.zshrc",
        {URL: "u"},
    ),
    "prompts": (
        (
            "$ export A=1\n% export B=2\nPS C:\\Users\\me> $env:C = '3'\nC:\\> set D=4\n"
            "\u276f export E=5\n> export F=6"
        ),
        {"A": "1", "B": "2", "C": "3", "D": "4", "E": "5", "F": "6"},
    ),
    "list marks and code spans": ("- `ANTHROPIC_BASE_URL=u`\n2. export A=b", {URL: "u", "A": "b"}),
    "fences": (
        "Text\n```bash\nexport ANTHROPIC_BASE_URL=u\n```\nit's done\n~~~\nset A=b\n~~~",
        {URL: "u", "A": "b"},
    ),
    "curly quotation marks": ("export ANTHROPIC_BASE_URL=“u”", {URL: "u"}),
    "a byte order mark and CRLF": (
        "\ufeffexport ANTHROPIC_BASE_URL=u\r\nexport A=b\r\n",
        {URL: "u", "A": "b"},
    ),
    "the same twice": ("export ANTHROPIC_BASE_URL=u/\n$env:ANTHROPIC_BASE_URL='u'", {URL: "u/"}),
    "a token beside words for one": (
        f"export {KEY}=sk-xxx\nexport {KEY}={TOKEN}\nset {KEY}=你的key",
        {KEY: TOKEN},
    ),
    "JSON of something else": ('{\n "models": [{"apiKey": "x"}]\n}\nexport A=b', {"A": "b"}),
    "broken JSON of something else": ("{\n  env: { A: 1 },\n}\nexport A=b", {"A": "b"}),
    "prose alone": ("- set up your key: `ANTHROPIC_BASE_URL` is the address\n| a | b |\n$ claude", {}),
    "another variable": ("export ANTHROPIC_AUTH_TOKEN=$MOONSHOT_API_KEY", {AUTH: "$MOONSHOT_API_KEY"}),
}


@pytest.mark.parametrize(("text", "expected"), PASTED.values(), ids=PASTED)
def test_a_pasted_text(text: str, expected: dict[str, str]) -> None:
    found = read_pasted(text, "t")
    assert {name: value.text for name, value in found.variables.items()} == expected


@pytest.mark.parametrize(
    "text",
    [
        "export ANTHROPIC_BASE_URL=$(pass url)",
        'ANTHROPIC_BASE_URL="`cat x`"',
        "$env:ANTHROPIC_BASE_URL = Get-It x",
    ],
)
def test_nothing_is_run_to_get_a_value(text: str) -> None:
    found = read_pasted(text, "t")
    assert URL not in found.variables
    assert [left.name for left in found.left_out] == [URL]


QUOTED = {
    "bash": (
        "export",
        "=",
        [r"a", r"'a b'", r'"a b"', r"a\ b", r"'it'\''s'", r'"q\"x\\y"', r"""a"b"'c'd""", r'"it\'s"'],
    ),
    "fish": (
        "set -gx",
        " ",
        [r"a", r"'a b'", r'"a b"', r"a\ b", r"'it\'s \\ \n'", r'"q\"x\\y\$z"', r"""a"b"'c'd"""],
    ),
}
QUOTED |= {"dash": QUOTED["bash"], "zsh": QUOTED["bash"]}


@pytest.mark.once
@pytest.mark.parametrize("shell", QUOTED)
def test_a_shell_reads_the_same_values(shell: str, tmp_path: Path) -> None:
    program, (verb, sign, texts) = require_tool(shell), QUOTED[shell]
    script = "".join(f"{verb} V{number}{sign}{text}\n" for number, text in enumerate(texts))
    command = [program, *([] if shell == "fish" else ["-f"] if shell == "zsh" else []), "-c", f"{script}env"]
    ran = subprocess.run(
        command,
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    told = dict(line.partition("=")[::2] for line in ran.stdout.splitlines())
    read = {one.name: one.text for one in read_assignments(script, {"dash": "sh"}.get(shell, shell))}
    assert read == {name: text for name, text in told.items() if name.startswith("V")}
    assert len(read) == len(texts)


def test_a_value_with_escapes_is_not_guessed() -> None:
    assert [one.text for one in read_assignments("export A=$'x\\ty' B=$(x) C=`x` D=<(x)", "bash")] == [
        None
    ] * 4
    assert [one.text for one in read_assignments("set -gx A (x)\nset -gx B '(x)'", "fish")] == [None, "(x)"]


WRONG = {
    "a bare variable in JSON": ('{\n  "env": {\n    "ANTHROPIC_AUTH_TOKEN": $YOUR_KEY,\n', 3, 29),
    "behind prose and a fence": ('# Kimi\n```json\n{ "env": {\n "ANTHROPIC_MODEL": kimi }\n}\n```\n', 4, 21),
    "a comma too many": ('{"ANTHROPIC_BASE_URL": "u",}', 1, 27),
    "an indented object": ('  {"ANTHROPIC_BASE_URL": u}', 1, 26),
    "a line of an object": ('text\n  "ANTHROPIC_AUTH_TOKEN": <key>,', 2, 27),
    "two addresses": ("export ANTHROPIC_BASE_URL=a\n\n$ export ANTHROPIC_BASE_URL=b", 3, 3),
    "two tokens": (f"set {KEY}={TOKEN}\nsetx {KEY} {OTHER}", 2, 1),
    "too deep": ('{"ANTHROPIC_BASE_URL": ' + "[" * 5_000, 1, None),
}


@pytest.mark.parametrize(("text", "line", "column"), WRONG.values(), ids=WRONG)
def test_a_text_that_is_refused_says_where(text: str, line: int, column: int | None) -> None:
    with pytest.raises(InvalidError) as caught:
        read_pasted(text, "guide.md")
    assert (caught.value.path, caught.value.line) == ("guide.md", line)
    assert column is None or caught.value.column == column
    assert TOKEN not in str(caught.value) + str(caught.value.hint)


def test_many_objects_in_braces_that_are_no_json() -> None:
    text = "{ echo a\n}\n" * 1_000
    assert read_pasted(f"{text}export A=b", "t").variables["A"].source == "t:2001"
    with pytest.raises(InvalidError) as caught:
        read_pasted(f"{text}{text}", "t")
    assert caught.value.line == 2001


def test_each_value_says_where_it_stood() -> None:
    text = '\n\n{\n  "env": {\n    "ANTHROPIC_BASE_URL": "u"\n  }\n}\n\nexport A=b\n'
    sources = {name: value.source for name, value in read_pasted(text, "x.md").variables.items()}
    assert sources == {URL: "x.md:5", "A": "x.md:9"}


def test_what_is_no_variable_is_seen_and_left() -> None:
    assert [left.name for left in read_pasted('{"customApiUrl": "u", "telemetry": false}', "t").left_out] == [
        "customApiUrl"
    ]
    assert read_pasted(
        '{"env": {"ANTHROPIC_BASE_URL": "u"}, "hooks": {"a": 1}, "$schema": "s"}', "t"
    ).settings == {"hooks": {"a": 1}}


SLOW = {
    "opening braces": "{\n" * 200_000,
    "braces and a name": '{\n"ANTHROPIC_MODEL"' * 20_000,
    "commas": '"ANTHROPIC_MODEL": ' + "," * 500_000 + "x",
    "blanks": "set A=" + " " * 500_000 + "x",
    "quotes": "echo '" + "' " * 250_000,
    "a long word": "export A=" + "x" * 500_000 + "-",
    "dollars": '$env:A = "' + "$" * 300_000,
    "many lines": "export A=b\n" * 20_000,
    "small objects": "{}\n" * 300_000,
    "small objects that are none": "{x\n}\n" * 200_000,
    "objects in objects without an end": '{"a":{\n},"b":\n' * 60_000,
    "objects between fences": "{}\n```\n" * 100_000,
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
@pytest.mark.once
def test_no_text_takes_long(text: str) -> None:
    start = time.process_time()
    try:
        found = read_pasted(text, "t")
        for value in found.variables.values():
            is_placeholder(value.text)
    except ProfilesError:
        pass
    assert time.process_time() - start < 8


@settings(max_examples=amount(150, 5_000), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [text for text, _ in PASTED.values()]
                + [text for text, *_ in WRONG.values() if len(text) < 200]
            ),
            st.text(st.sampled_from("ANTHROPIC_BASE_URL=:{}[]\"'$`\\;&%<> \n#,exports"), max_size=60),
            st.text(max_size=20),
        ),
        max_size=4,
    )
)
def test_any_text_is_read_or_refused(parts: list[str]) -> None:
    try:
        draft = recognize(read_pasted("\n".join(parts), "t"), "x", env={}, with_settings=True)
    except ProfilesError:
        return
    assert resolve_profile("x", {"x": draft.table}, defaults={}, catalogue=read_catalogue())


# ---- tokens and what stands for them

STANDS_FOR = (
    "YOUR_API_KEY", "your-api-key", "your_glm_api_key", "YOUR_GLM_API_KEY_HERE", "sk-xxx",
    "sk-kimi-xxxxxxxxxxxxxxxx", "sk-...", "sk-…", "sk-***", "xxx", "<key>", "<YOUR KEY>", "[api key]",
    "{{token}}", "你的sk-...", "api_key", "api-key", "${YOUR_MOONSHOT_API_KEY}", "$YOUR_KEY",
    "%YOUR_API_KEY%", "key_here", "my-api-key", "********",
)  # fmt: skip
NAMES = {
    "$MOONSHOT_API_KEY": "MOONSHOT_API_KEY",
    "${K}": "K",
    "${K:-none}": "K",
    "$env:K": "K",
    "${env:K}": "K",
    "{env:K}": "K",
    "%K%": "K",
    " $K ": "K",
    "$API_KEY": "API_KEY",
}
TOKENS = (
    TOKEN,
    "sk-ant-api03-AbCd0123",
    "0123abcdef.secretPart",
    "ollama",
    "k",
    "eyJhbGciOi.J9.xxx1",
    "x" * 201,
    "a$b",
    "$a$b",
)


def test_words_for_a_token() -> None:
    assert [text for text in STANDS_FOR if not is_placeholder(text)] == []
    assert [text for text in STANDS_FOR if named_variable(text)] == []
    assert {text: named_variable(text) for text in NAMES} == NAMES
    assert [text for text in NAMES if is_placeholder(text)] == []
    assert [text for text in TOKENS if is_placeholder(text) or named_variable(text)] == []


# ---- recognised


def made(
    variables: dict[str, str], *, env: dict[str, str] | None = None, name: str = "work", **more: Any
) -> Proposal:
    values = {key: Value(text, f"f:{number}") for number, (key, text) in enumerate(variables.items(), 1)}
    with_settings = more.pop("with_settings", False)
    return recognize(Found(values, **more), name, env=env or {}, with_settings=with_settings)


MOONSHOT = {"token": {"env": "MOONSHOT_API_KEY"}}
AT_CN = {"provider": "moonshot-cn", "auth": MOONSHOT}
HERE = {URL: CN, AUTH: TOKEN}
WINDOW = ("CLAUDE_CODE_MAX_CONTEXT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW")
TABLES = {
    "a provider": (HERE, AT_CN),
    "with a slash": ({URL: f"{CN}/", AUTH: TOKEN}, AT_CN),
    "with a version": ({URL: f"{CN}/v1/", AUTH: TOKEN}, AT_CN),
    "in capitals": ({URL: "HTTPS://API.Moonshot.CN/anthropic", AUTH: TOKEN}, AT_CN),
    "a key, not a token": (
        {URL: CN, KEY: TOKEN},
        {"provider": "moonshot-cn", "auth": {"variable": KEY, **MOONSHOT}},
    ),
    "a key where that is usual": (
        {URL: "https://api.kimi.com/coding", KEY: "sk-kimi-test-0123456789"},
        {"provider": "kimi-code-com", "auth": {"token": {"env": "KIMI_API_KEY"}}},
    ),
    "an unknown address": (
        {URL: "https://llm.example.com/x", AUTH: TOKEN},
        {"base_url": "https://llm.example.com/x", "auth": {"token": {"env": "WORK_API_KEY"}}},
    ),
    "beyond a provider's path": (
        {URL: f"{CN}/eu", AUTH: TOKEN},
        {"base_url": f"{CN}/eu", "auth": {"token": {"env": "WORK_API_KEY"}}},
    ),
    "this machine": ({URL: "http://localhost:11434", AUTH: "ollama"}, {"provider": "ollama"}),
    "the provider's models": (
        {**HERE, "ANTHROPIC_MODEL": "kimi-k2.7-code",
         "ANTHROPIC_DEFAULT_HAIKU_MODEL": "kimi-k2.7-code-highspeed"},
        AT_CN,
    ),
    "models of its own": (
        {**HERE, "ANTHROPIC_MODEL": "kimi-k3", "ANTHROPIC_DEFAULT_OPUS_MODEL": "kimi-k3",
         "ANTHROPIC_SMALL_FAST_MODEL": "kimi-k2.6", "CLAUDE_CODE_SUBAGENT_MODEL": "kimi-k2.7-code"},
        {**AT_CN,
         "models": {"default": "kimi-k3", "haiku": "kimi-k2.6", "subagent": "kimi-k2.7-code"}},
    ),
    "tiers without a default": (
        {**HERE, "ANTHROPIC_DEFAULT_OPUS_MODEL": "a", "ANTHROPIC_DEFAULT_SONNET_MODEL": "b",
         "CLAUDE_CODE_SUBAGENT_MODEL": "b", "ANTHROPIC_DEFAULT_HAIKU_MODEL": "c"},
        {**AT_CN, "pin_model": False,
         "models": {"default": "b", "opus": "a", "haiku": "c"}},
    ),
    "a model of the settings": (
        {**HERE, "model": "kimi-k3"},
        {**AT_CN, "models": {"default": "kimi-k3"}},
    ),
    "a name of Claude Code's own": (
        {**HERE, "ANTHROPIC_MODEL": "opus[1m]", "ANTHROPIC_DEFAULT_OPUS_MODEL": "kimi-k3"},
        {**AT_CN, "models": {"default": "kimi-k3"}},
    ),
    "a window": (
        {**HERE, **dict.fromkeys(WINDOW, "200000")},
        {**AT_CN, "context_tokens": 200_000},
    ),
    "the known window": (
        {**HERE, **dict.fromkeys(WINDOW, "262144")},
        AT_CN,
    ),
    "half a window": (
        {**HERE, "CLAUDE_CODE_AUTO_COMPACT_WINDOW": "200000"},
        {**AT_CN, "env": {"CLAUDE_CODE_AUTO_COMPACT_WINDOW": "200000"}},
    ),
    "variables of the endpoint": (
        {**HERE, "API_TIMEOUT_MS": "600000", "CLAUDE_CODE_ATTRIBUTION_HEADER": "0", "FOO": "1"},
        {**AT_CN, "env": {"API_TIMEOUT_MS": "600000"}},
    ),
    "another value than usual": (
        {**HERE, "CLAUDE_CODE_ATTRIBUTION_HEADER": "1"},
        {**AT_CN, "env": {"CLAUDE_CODE_ATTRIBUTION_HEADER": "1"}},
    ),
    "what the provider sets": (
        {URL: "https://api.z.ai/api/anthropic", AUTH: "0123abc.def", "API_TIMEOUT_MS": "3000000"},
        {"provider": "zai", "auth": {"token": {"env": "ZHIPU_API_KEY"}}},
    ),
    "a reference": ({URL: CN, AUTH: "$MY_KIMI"}, {**AT_CN, "auth": {"token": {"env": "MY_KIMI"}}}),
    "words for a token": ({URL: CN, AUTH: "<your key>"}, AT_CN),
    "no token": ({URL: CN}, AT_CN),
    "a switched-off key": ({**HERE, KEY: ""}, AT_CN),
    "a helper": (
        {URL: CN, "apiKeyHelper": "op read op://vault/kimi/key"},
        {"provider": "moonshot-cn", "auth": {"token": {"command": ["op", "read", "op://vault/kimi/key"]}}},
    ),
    "a helper that takes a shell": ({URL: CN, "apiKeyHelper": "cat ~/k | head -1"}, AT_CN),
    "a helper that prints a variable": (
        {URL: CN, "apiKeyHelper": "echo $MY_KIMI"},
        {"provider": "moonshot-cn", "auth": {"token": {"env": "MY_KIMI"}}},
    ),
    "a helper that prints words for a token": ({URL: CN, "apiKeyHelper": "echo YOUR_API_KEY"}, AT_CN),
    "two credentials": (
        {URL: "https://api.kimi.com/coding/", AUTH: TOKEN, KEY: "sk-kimi-test-0123456789"},
        {"provider": "kimi-code-com", "auth": {"token": {"env": "KIMI_API_KEY"}}},
    ),
    "a reference to what Claude Code reads": ({URL: CN, AUTH: "$ANTHROPIC_API_KEY"}, AT_CN),
}  # fmt: skip


@pytest.mark.parametrize(("variables", "table"), TABLES.values(), ids=TABLES)
def test_only_what_differs_from_the_provider_is_written(
    variables: dict[str, str], table: dict[str, Any]
) -> None:
    draft = made(variables)
    assert draft.table == table
    assert resolve_profile("work", {"work": draft.table}, defaults={}, catalogue=read_catalogue())
    assert set(draft.taken) == set(leaves(table))
    told = set(draft.implied) | {left.name for left in draft.left_out}
    sources = set(draft.taken.values())
    for number, (name, text) in enumerate(variables.items(), 1):
        assert not text or name in told or any(f"f:{number}" in source for source in sources), (
            f"nothing is said of {name}"
        )


def leaves(table: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in table.items():
        is_table = isinstance(value, dict) and key != "token"
        found += leaves(value, f"{prefix}{key}.") if is_table else [f"{prefix}{key}"]
    return found


LITERAL = "0123456789abcdef0123456789abcdef.AbCdEfGh12345678"
PRINTED = (
    f"echo {LITERAL}", f"/bin/echo -n {LITERAL}", f"echo '{LITERAL}'", f'printf "{LITERAL}"',
    f"printf %s {LITERAL}", f"printf '%s' '{LITERAL}'", f"printf '%s\\n' {LITERAL}",
    f"  printf -- %s  {LITERAL} ",
)  # fmt: skip
NO_HELPERS = (
    f"env KIMI={LITERAL} print-it", f"print-it --key={LITERAL}", f"print-it {LITERAL}",
    f"print-it a/{LITERAL}", f"echo {LITERAL} again", f"echo {LITERAL};", f"echo {LITERAL}|cat",
    f"print-it {TOKEN}", "print-it 0a1b2c3d-0000-4000-8000-0123456789ab", "print-it ABCDEFGH12345678",
    "curl https://me:hunter2@vault.example/key", "echo $(pass kimi)", "echo `pass kimi`", "a " * 2_500,
)  # fmt: skip
HELPERS = (
    "op read op://Private/0123456789abcdef0123456789/credential", "pass show kimi/work-2026",
    "/nix/store/0c9xk2v7a1b2c3d4e5f6g7h8i9j0k1l2-pass/bin/pass kimi",
    "/opt/0123456789abcdef0123/bin/print-it kimi",
    "security find-generic-password -w -s kimi-code-api-key-2026", "print-it --count 1234567890123456789",
    "gopass show some-long-name-of-an-entry",
)  # fmt: skip


@pytest.mark.parametrize("helper", PRINTED)
def test_a_helper_that_prints_a_token_is_that_token(helper: str) -> None:
    draft = made({URL: CN, "apiKeyHelper": helper})
    assert (draft.table, draft.token, draft.export) == (AT_CN, Secret(LITERAL), "MOONSHOT_API_KEY")
    assert draft.token_source == "f:2"
    assert LITERAL not in str(proposal_json(draft)) + str(export_line(draft))


@pytest.mark.parametrize("helper", NO_HELPERS)
def test_a_helper_in_which_a_key_may_be_is_left_out(helper: str) -> None:
    draft = made({URL: CN, "apiKeyHelper": helper})
    assert (draft.table, draft.token) == (AT_CN, None)
    assert [left.name for left in draft.left_out] == ["apiKeyHelper"]
    assert LITERAL not in str(proposal_json(draft))


@pytest.mark.parametrize("helper", HELPERS)
def test_a_helper_that_only_names_things_is_taken(helper: str) -> None:
    assert made({URL: CN, "apiKeyHelper": helper}).table["auth"]["token"] == {"command": helper.split()}


def test_a_long_helper_is_told_quickly() -> None:
    start = time.process_time()
    for helper in (
        "a" * 500_000,
        "echo " + "a" * 500_000 + "|",
        "/" * 500_000,
        "a b" * 100_000,
        "://" * 100_000,
    ):
        assert made({URL: CN, "apiKeyHelper": helper}).table == AT_CN
    assert time.process_time() - start < 4


LAYERS = {
    "all of one project": ("project", "project", TOKEN, False),
    "a project's address, my token": ("project", "user", TOKEN, True),
    "a project's address, the token beside it": ("local", "project", TOKEN, True),
    "a project's address, the token of the environment": ("local", "process", TOKEN, True),
    "a project names a variable of mine": ("project", "project", "$MY_KIMI", True),
    "a project's address, no token": ("project", "user", "YOUR_API_KEY", False),
    "my address, a project's token": ("user", "project", TOKEN, False),
    "my own": ("user", "process", TOKEN, False),
}


@pytest.mark.parametrize("name", [AUTH, "apiKeyHelper"])
@pytest.mark.parametrize(("address", "credential", "text", "is_told"), LAYERS.values(), ids=LAYERS)
def test_a_project_that_sends_a_token_elsewhere_is_told(
    name: str, address: str, credential: str, text: str, *, is_told: bool
) -> None:
    helper = "pass kimi" if text == TOKEN else f"echo {text}"
    there = Value(text if name == AUTH else helper, "g:2", credential)
    draft = recognize(Found({URL: Value(CN, "f:1", address), name: there}), "work", env={})
    assert ("endpoint-of-other-file" in {notice.name for notice in draft.notices}) is is_told


LEFT = {
    "a secret": ("MY_SECRET", "x", "may hold a secret"),
    "custom headers": ("ANTHROPIC_CUSTOM_HEADERS", "X-Team: a", "may hold a secret"),
    "an OAuth token": ("CLAUDE_CODE_OAUTH_TOKEN", "x", "may hold a secret"),
    "what is no endpoint's": ("FOO", "1", "--with-settings"),
    "what leads elsewhere": ("CLAUDE_CODE_USE_BEDROCK", "1", "--with-settings"),
    "a token in a value": ("CLAUDE_CODE_EXTRA_BODY", f'{{"k": "{TOKEN}"}}', "token"),
    "another variable's name": ("API_TIMEOUT_MS", "$TIMEOUT", "names another variable"),
    "a Console login": ("primaryApiKey", "x", "Console login"),
    "a model that cannot be": ("ANTHROPIC_MODEL", "two words", "model id"),
    "an unmapped name": ("ANTHROPIC_MODEL", "sonnet", "nothing maps it"),
    "half a character": ("API_TIMEOUT_MS", "6\ud800", "Unicode"),
    "a bad variable name": ("A-B", "1", "--with-settings"),
}


@pytest.mark.parametrize(("name", "text", "reason"), LEFT.values(), ids=LEFT)
def test_what_is_left_out_and_why(name: str, text: str, reason: str) -> None:
    draft = made({**HERE, name: text})
    assert reason in {left.name: left.reason for left in draft.left_out}[name]
    assert draft.table == AT_CN


def test_settings_are_taken_on_request_and_never_a_secret() -> None:
    others = {
        "hooks": {"Stop": [{"command": "beep"}]},
        "statusLine": {"apiKey": "x"},
        "deep": [[{"PASSWORD": "x"}]],
        "odd": {"a": None},
        "half": {"a\ud800": 1},
        "model ids": {"x": TOKEN},
        "camel": {"mcp": [{"apiToken": "x"}]},
        "clientSecret": "x",
        "hyphens": {"x-api-key": "x"},
        "url": {"args": ["--dsn", "postgres://me:hunter2@db.example/x"]},
    }
    variables = {
        URL: CN, AUTH: "abcdefgh12", "FOO": "1", "BAR": "abcdefgh12", "CLAUDE_CODE_USE_BEDROCK": "1",
        "HTTPS_PROXY": "http://me:hunter2@proxy.example:8080", "GIT": "https://ghp0123@git.example/x",
        "HTTP_PROXY": "http://proxy.example:8080", "REMOTE": "ssh://git@git.example/x@1:y",
    }  # fmt: skip
    draft = made(variables, settings=others, settings_source="a.json", with_settings=True)
    assert draft.taken["settings.hooks"] == "a.json"
    assert draft.table["settings"] == {"hooks": {"Stop": [{"command": "beep"}]}}
    plain = {"FOO": "1", "HTTP_PROXY": variables["HTTP_PROXY"], "REMOTE": variables["REMOTE"]}
    assert draft.table["env"] == plain
    assert {left.name for left in draft.left_out} == {
        "statusLine", "deep", "odd", "half", "model ids", "BAR", "CLAUDE_CODE_USE_BEDROCK",
        "camel", "clientSecret", "hyphens", "url", "HTTPS_PROXY", "GIT",
    }  # fmt: skip
    reasons = {left.name: left.reason for left in draft.left_out}
    assert reasons["HTTPS_PROXY"] == reasons["url"] == "it holds a password"
    assert "hunter2" not in str(proposal_json(draft))
    assert {left.name for left in made(variables, settings=others).left_out} >= {"hooks", "FOO"}


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("", InvalidError),
        ("$KIMI_URL", InvalidError),
        ("<url>", InvalidError),
        ("http://api.moonshot.cn/anthropic", EndpointError),
        ("https://user:pw@x.example", EndpointError),
        ("https://api.moonshot.cn/v1", EndpointError),
        ("https://x.example/v1/chat/completions", EndpointError),
        ("not a url", EndpointError),
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        made({URL: url, AUTH: TOKEN})
    assert "pw" not in str(caught.value)


ENVIRONMENTS = {
    "nowhere yet": ({}, {"env": "MOONSHOT_API_KEY"}, "MOONSHOT_API_KEY"),
    "in the usual variable": ({"MOONSHOT_API_KEY": TOKEN}, {"env": "MOONSHOT_API_KEY"}, None),
    "in another variable": ({"KIMI_KEY": TOKEN, "A": "b"}, {"env": "KIMI_KEY"}, None),
    "where Claude Code reads it": ({AUTH: TOKEN}, {"env": "MOONSHOT_API_KEY"}, "MOONSHOT_API_KEY"),
    "the usual one holds another": ({"MOONSHOT_API_KEY": OTHER}, {"env": "WORK_API_KEY"}, "WORK_API_KEY"),
    "in a variable of an odd name": (
        {"BASH_FUNC_x%%": TOKEN},
        {"env": "MOONSHOT_API_KEY"},
        "MOONSHOT_API_KEY",
    ),
}


@pytest.mark.parametrize(("env", "reference", "export"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_token_becomes_a_reference(
    env: dict[str, str], reference: dict[str, str], export: str | None
) -> None:
    draft = made(HERE, env=env)
    assert (draft.table["auth"]["token"], draft.export) == (reference, export)
    assert draft.token == Secret(TOKEN)
    assert TOKEN not in repr(draft) + str(proposal_json(draft)) + str(export_line(draft))


def test_a_variable_that_the_text_itself_sets() -> None:
    draft = made({URL: CN, AUTH: "${KIMI}", "KIMI": TOKEN})
    assert (draft.table["auth"], draft.export, draft.token) == (
        {"token": {"env": "KIMI"}},
        "KIMI",
        Secret(TOKEN),
    )
    assert draft.left_out == ()
    draft = made({URL: CN, AUTH: "${KIMI}"}, env={"KIMI": TOKEN})
    assert (draft.export, draft.token) == (None, None)


def test_a_variable_is_named_for_the_profile() -> None:
    draft = made({URL: "https://x.example", AUTH: TOKEN}, name="2nd.home-kimi")
    assert draft.export == "_2ND_HOME_KIMI_API_KEY"


def test_a_token_of_another_provider_is_told() -> None:
    draft = made({URL: CN, AUTH: "sk-kimi-test-0123456789"})
    assert "token-of-other-provider" in {notice.name for notice in draft.notices}
    assert "token-unusable" in {notice.name for notice in made({URL: CN, AUTH: "two words1"}).notices}
    assert "version-suffix" in {notice.name for notice in made({URL: f"{CN}/v1"}).notices}
    assert "model-retired" in {
        n.name for n in made({URL: CN, "ANTHROPIC_MODEL": "kimi-k2-thinking-turbo"}).notices
    }


def test_the_line_that_exports() -> None:
    draft = made(HERE)
    assert export_line(draft, platform="posix") == "export MOONSHOT_API_KEY=…"
    assert export_line(draft, platform="nt") == "$env:MOONSHOT_API_KEY = '…'"
    values = {URL: Value(CN, "f"), AUTH: Value(TOKEN, "the environment")}
    draft = recognize(Found(values), "work", env={AUTH: TOKEN})
    assert export_line(draft, platform="posix") == 'export MOONSHOT_API_KEY="$ANTHROPIC_AUTH_TOKEN"'
    assert export_line(draft, platform="nt") == "$env:MOONSHOT_API_KEY = $env:ANTHROPIC_AUTH_TOKEN"
    assert export_line(made(HERE, env={"K": TOKEN})) is None


class Memory(KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        super().__init__()

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


def test_no_token_in_the_keyring_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    monkeypatch.setattr(keyring, "get_keyring", lambda: memory)
    monkeypatch.setattr(keyring, "get_credential", memory.get_credential)
    monkeypatch.setattr(keyring, "set_password", memory.set_password)
    assert keep_in_keyring("service", "work", Secret(TOKEN)) is True
    assert keep_in_keyring("service", "work", Secret(TOKEN)) is False
    with pytest.raises(TokenUnavailableError) as caught:
        keep_in_keyring("service", "work", Secret(OTHER))
    assert memory.entries == {("service", "work"): TOKEN}
    assert OTHER not in str(caught.value)


# ---- there and back

MODELS = st.sampled_from(
    ["kimi-k2.7-code", "kimi-k2.7-code-highspeed", "kimi-k3", "my-model", "glm-5.3", "k3[1m]"]
)


EXTRAS = ["API_TIMEOUT_MS", "CLAUDE_CODE_ATTRIBUTION_HEADER", "ENABLE_TOOL_SEARCH", WINDOW[1]]


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """Profiles whose every endpoint value may be said, or be left to the provider."""
    provider = draw(st.sampled_from([None, *read_catalogue().providers]))
    table: dict[str, Any] = {"provider": provider} if provider else {"base_url": "https://llm.example/api"}
    auth: dict[str, Any] = {"token": {"env": "MY_KEY"}}
    if draw(st.booleans()):
        auth["variable"] = draw(st.sampled_from([AUTH, KEY]))
    table["auth"] = auth
    models = draw(st.dictionaries(st.sampled_from(["default", *TIERS]), MODELS))
    if models:
        table["models"] = models
    if draw(st.booleans()):
        table["context_tokens"] = draw(st.sampled_from([131_072, 262_144, 1_048_576]))
    if draw(st.booleans()):
        table["pin_model"] = False
    env = draw(st.dictionaries(st.sampled_from(EXTRAS), st.sampled_from(["0", "600000"])))
    if env:
        table["env"] = env
    return table


def resolved(table: object) -> Profile:
    return resolve_profile("p", {"p": table}, defaults={}, catalogue=read_catalogue())


FORMS = {
    "settings": lambda variables: json.dumps({"env": variables}, indent=2),
    "export": lambda variables: "".join(f"export {name}='{value}'\n" for name, value in variables.items()),
    "PowerShell": lambda variables: "".join(
        f'$env:{name} = "{value}"\n' for name, value in variables.items()
    ),
    "setx": lambda variables: "".join(f'setx {name} "{value}"\n' for name, value in variables.items()),
    "fish": lambda variables: "".join(f"set -gx {name} '{value}'\n" for name, value in variables.items()),
}


@settings(max_examples=amount(100, 5_000), deadline=None)
@given(tables(), st.sampled_from(sorted(FORMS)))
def test_what_a_profile_says_imports_as_that_profile(table: dict[str, Any], form: str) -> None:
    profile, token = resolved(table), Secret(TOKEN)
    said = {name: value for name, value in profile_variables(profile, token).items() if value is not None}
    found = read_pasted(FORMS[form](said), "t")
    again = resolved(recognize(found, "p", env={}).table)
    assert (again.base_url, again.auth_variable) == (profile.base_url, profile.auth_variable)
    variables = profile_variables(again, token)
    # A model that nothing names is one of Claude Code's, which no provider has; an import maps it.
    assert {name: variables.get(name) for name in said} == said
    if profile.models.get("default") and profile.pin_model:
        assert again.models == profile.models
        assert variables == profile_variables(profile, token)
        if context_tokens(profile) is not None and "CLAUDE_CODE_AUTO_COMPACT_WINDOW" not in profile.env:
            assert context_tokens(again) == context_tokens(profile)


# ---- added to a file

LAYOUTS = {
    "nothing": "",
    "a comment": "# mine",
    "a section": "[profiles.a]\nprovider = 'zai'",
    "dotted keys": "profiles.a.provider = 'zai'\n",
    "an inline table": "profiles = { a = { provider = 'zai' } }\n",
    "inline profiles": "[profiles]\na = { provider = 'zai' }\n",
    "CRLF": "[profiles.a]\r\nprovider = 'zai'\r\n",
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_several_profiles_are_added_as_one_by_one(text: str) -> None:
    table = {"provider": "moonshot-cn", "auth": MOONSHOT, "env": {"A": "1"}, "settings": {"b": [1, True]}}
    drafts = [Proposal(name, table, {}) for name in ("p-1", "p-2", "p-3")]
    expected = text
    for draft in drafts:
        expected = add_profile(expected, draft.name, draft.table)
    assert with_profiles(text, drafts) == expected
    assert with_profiles(text, []) == text
    with pytest.raises(UsageError):
        with_profiles(expected, [Proposal("p-4", table, {}), *drafts])


@pytest.mark.once
def test_many_profiles_are_added_quickly() -> None:
    table = {"provider": "moonshot-cn", "auth": MOONSHOT, "models": {"default": "kimi-k3"}}
    drafts = [Proposal(f"p-{number}", table, {}) for number in range(300)]
    start = time.process_time()
    text = with_profiles("[defaults.env]\nA = '1'\n", drafts)
    told = with_defaults_told(drafts, Path("p.toml"), text)
    assert time.process_time() - start < 3
    assert {notice.name for draft in told for notice in draft.notices} == {"defaults-apply"}


# ---- names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Kimi For Coding (国内)", "kimi-for-coding"),
        ("GLM 4.6", "glm-4.6"),
        ("..hidden", "hidden"),
        ("-x-", "x"),
        ("国内", "provider"),
        ("", "provider"),
        ("con", "provider-con"),
        ("Ünïcode", "unicode"),
        ("a\nb\x1b[31m/../c", "a-b-31m-..-c"),
        ("x" * 100, "x" * 48),
        ("work", "work-2"),
    ],
)
def test_a_name_is_cleaned(text: str, name: str) -> None:
    assert check_profile_name(clean_name(text, {"work"})) == name


# ---- cc-switch

SCHEMA = """CREATE TABLE providers (
  id TEXT NOT NULL, app_type TEXT NOT NULL, name TEXT NOT NULL, settings_config TEXT NOT NULL,
  website_url TEXT, category TEXT, created_at INTEGER, sort_index INTEGER, notes TEXT, icon TEXT,
  icon_color TEXT,  meta TEXT NOT NULL DEFAULT '{}', is_current BOOLEAN NOT NULL DEFAULT 0,
  in_failover_queue BOOLEAN NOT NULL DEFAULT 0, PRIMARY KEY (id, app_type))"""


def database(
    folder: Path, rows: list[tuple[str, str, Any, str, int, int]], *, schema: str = SCHEMA, wal: bool = False
) -> bytes:
    """Bytes of a database with rows of app, name, settings, meta, place and whether it is current."""
    file = folder / "cc-switch.db"
    file.unlink(missing_ok=True)
    connection = sqlite3.connect(file)
    if wal:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(schema)
    for number, (app, name, config, meta, place, current) in enumerate(rows):
        connection.execute(
            "INSERT INTO providers (id, app_type, name, settings_config, meta, sort_index, is_current)"
            " VALUES (?,?,?,?,?,?,?)",
            (
                str(number),
                app,
                name,
                config if isinstance(config, str | bytes) else json.dumps(config),
                meta,
                place,
                current,
            ),
        )
    connection.commit()
    connection.close()
    return file.read_bytes()


def kimi(token: str = TOKEN, **env: str) -> dict[str, Any]:
    return {"env": {URL: CN, AUTH: token, **env}}


@pytest.mark.parametrize("wal", [False, True], ids=["journal", "write-ahead log"])
def test_the_database_of_cc_switch(tmp_path: Path, *, wal: bool) -> None:
    rows = [
        ("claude", "Second", kimi(), "{}", 2, 0),
        ("claude", "First", kimi(ANTHROPIC_MODEL="m"), '{"apiFormat":"anthropic"}', 1, 1),
        ("codex", "Codex", {"auth": {}}, "{}", 0, 1),
        ("claude", "Official", {"env": {}}, "{}", 3, 0),
        ("claude", "OpenAI", kimi(), '{"apiFormat":"openai_chat"}', 4, 0),
        ("claude", "Broken", "{nope", "{nope", 5, 0),
        ("claude", "Bytes", b"\xff\xfe", "{}", 6, 0),
    ]
    found = read_database(database(tmp_path, rows, wal=wal), "db")
    assert [one.name for one in found] == ["First", "Second", "Official", "OpenAI", "Broken", "Bytes"]
    assert [one.is_current for one in found] == [True, False, False, False, False, False]
    assert [bool(one.problem) for one in found] == [False, False, True, True, True, True]
    assert found[0].variables["ANTHROPIC_MODEL"] == Value("m", "db, First")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cc-switch.db"]
    assert read_cc_switch(tmp_path) == read_database(
        (tmp_path / "cc-switch.db").read_bytes(), str(tmp_path / "cc-switch.db")
    )


def test_what_cc_switch_has_not_saved_is_told(tmp_path: Path) -> None:
    database(tmp_path, [("claude", "One", kimi(), "{}", 1, 0)])
    assert read_cc_switch(tmp_path)[0].left_out == ()
    (tmp_path / "cc-switch.db-wal").write_bytes(b"")
    assert read_cc_switch(tmp_path)[0].left_out == ()
    (tmp_path / "cc-switch.db-wal").write_bytes(b"x")
    assert [left.name for left in read_cc_switch(tmp_path / "cc-switch.db")[0].left_out] == [
        "cc-switch.db-wal"
    ]


HOSTILE_SCHEMAS = {
    "a view without an end": (
        "CREATE VIEW providers AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c)"
        " SELECT x AS name, x AS settings_config, x AS meta, 0 AS is_current, 'claude' AS app_type,"
        " 0 AS sort_index, 0 AS created_at, x AS id FROM c"
    ),
    "a view over rows": SCHEMA.replace("TABLE providers", "TABLE behind")
    + """; INSERT INTO behind (id, app_type, name, settings_config) VALUES ('1', 'claude', 'n', '{}');
    CREATE VIEW providers AS SELECT * FROM behind""",
    "rows without number": SCHEMA
    + """; INSERT INTO providers (id, app_type, name, settings_config)
    WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 400000)
    SELECT x, 'claude', 'n', '' FROM c""",
    "a virtual table": "CREATE TABLE sqlite_fake(x)",
    "other columns": "CREATE TABLE providers (id TEXT)",
    "no such table": "CREATE TABLE other (id TEXT)",
}


@pytest.mark.parametrize("schema", HOSTILE_SCHEMAS.values(), ids=HOSTILE_SCHEMAS)
def test_another_database_is_refused_quickly(tmp_path: Path, schema: str) -> None:
    if "sqlite_fake" in schema:
        data = b"SQLite format 3\0" + bytes(84) + b"\xff" * 4_000
    else:
        data = database(tmp_path, [], schema=schema)
    start = time.process_time()
    with pytest.raises(InvalidError):
        read_database(data, "db")
    assert time.process_time() - start < 5


def test_a_generated_column_does_not_hold_us_up(tmp_path: Path) -> None:
    slow = "replace(hex(zeroblob(400000)), '0', hex(zeroblob(2)))"
    schema = SCHEMA.replace(
        "meta TEXT NOT NULL DEFAULT '{}'", f"raw TEXT, meta TEXT GENERATED ALWAYS AS ({slow} || raw)"
    )
    file = tmp_path / "x.db"
    connection = sqlite3.connect(file)
    connection.execute(schema)
    rows = [(str(n), "claude", "n", "{}", "r") for n in range(200)]
    connection.executemany(
        "INSERT INTO providers (id, app_type, name, settings_config, raw) VALUES (?,?,?,?,?)", rows
    )
    connection.commit()
    connection.close()
    start = time.process_time()
    with pytest.raises(InvalidError, match="DataError"):
        read_database(file.read_bytes(), "db")
    assert time.process_time() - start < 5


def test_many_large_texts_take_little_memory(tmp_path: Path) -> None:
    schema = SCHEMA.replace(
        "meta TEXT NOT NULL DEFAULT '{}'", "meta TEXT GENERATED ALWAYS AS (hex(zeroblob(100000)))"
    )
    file = tmp_path / "x.db"
    connection = sqlite3.connect(file)
    connection.execute(schema)
    rows = [(str(n), "claude", "n", "{}") for n in range(1_000)]
    connection.executemany(
        "INSERT INTO providers (id, app_type, name, settings_config) VALUES (?,?,?,?)", rows
    )
    connection.commit()
    connection.close()
    tracemalloc.start()
    with pytest.raises(InvalidError, match="more in this database"):
        read_database(file.read_bytes(), "db")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 << 20


def test_a_long_name_is_cut(tmp_path: Path) -> None:
    name = "Kimi " * 10_000
    found = read_database(database(tmp_path, [("claude", name, kimi(), "{}", 1, 0)]), "db")
    assert found[0].name == f"{name[:79]}…"
    assert found[0].variables[URL].source == f"db, {found[0].name}"
    document = {"claude": {"providers": {"1": {"name": name, "settingsConfig": kimi()}}}}
    assert read_config(json.dumps(document).encode(), "f")[0].name == f"{name[:79]}…"
    (tmp_path / "config.yaml").write_text(f"profiles:\n  '{name}':\n    settings: x.json\n")
    assert read_ccs(tmp_path, home=tmp_path)[0].name == f"{name[:79]}…"


def test_no_more_than_200_providers(tmp_path: Path) -> None:
    rows = [("claude", f"P{n}", kimi(), "{}", n, 0) for n in range(201)]
    assert len(read_database(database(tmp_path, rows), "db")) == 200


def test_a_damaged_database_is_read_or_refused(tmp_path: Path) -> None:
    whole = database(tmp_path, [("claude", f"P{n}", kimi(), "{}", n, 0) for n in range(20)])
    for _ in range(amount(150, 5_000)):
        data = bytearray(whole[: random.choice([len(whole), random.randrange(len(whole))])])
        for _ in range(random.randrange(1, 30)):
            if len(data) > 16:
                data[random.randrange(16, len(data))] = random.randrange(256)
        with contextlib.suppress(InvalidError):
            read_database(bytes(data), "db")


OLD_CONFIG = {
    "version": 2,
    "claude": {
        "providers": {
            "1": {"id": "1", "name": "Kimi", "settingsConfig": kimi()},
            "2": {"id": "2", "name": "Official", "settingsConfig": {"env": {}}},
            "3": "odd",
            "4": {"settingsConfig": ["odd"]},
        },
        "current": "2",
    },
    "codex": {"providers": {}, "current": ""},
}


def test_the_older_file_of_cc_switch(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(OLD_CONFIG))
    found = read_cc_switch(tmp_path)
    assert [(one.name, one.is_current, bool(one.problem)) for one in found] == [
        ("Kimi", False, False),
        ("Official", True, True),
        ("4", False, True),
    ]
    assert [one.name for one in read_config(json.dumps(OLD_CONFIG["claude"]).encode(), "v1")] == [
        "Kimi",
        "Official",
        "4",
    ]


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff", b'{"claude": 1}', b'{"providers": []}', b"[" * 100_000, b"\0" * 50]
)
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidError):
        read_config(data, "f")


def test_a_tool_that_is_not_there(tmp_path: Path) -> None:
    for read in (read_cc_switch, lambda path: read_ccs(path, home=tmp_path)):
        with pytest.raises(NotFoundError):
            read(tmp_path)
        with pytest.raises(NotFoundError):
            read(tmp_path / "nothing")


# ---- ccs

YAML = """\
# CCS Unified Configuration
version: 13
default: "glm"

accounts:
  work:
    created: '2026-01-01'
    settings: not-this
# ----------------------------------------------------------------------------
# Profiles: API-based providers (GLM, Kimi, custom endpoints)
profiles:
  glm:
    type: api
    settings: ~/.ccs/glm.settings.json
  'it''s':
    type: api
    settings: "~/.ccs/it's.settings.json"  # why
  km:
    settings_file: ~/.ccs/km.settings.json
    target: claude

cliproxy:
  variants:
    x:
      settings: ~/.ccs/x.settings.json
"""


def test_the_list_of_ccs() -> None:
    assert listed_in_yaml(YAML) == {
        "glm": "~/.ccs/glm.settings.json",
        "it's": "~/.ccs/it's.settings.json",
        "km": "~/.ccs/km.settings.json",
    }
    assert listed_in_yaml("profiles: {}\ncliproxy:\n  a:\n    settings: b\n") == {}
    assert listed_in_json('{"profiles": {"glm": "~/x.json", "odd": 1}}') == {"glm": "~/x.json"}
    with pytest.raises(InvalidError):
        listed_in_json("{")


def test_the_profiles_of_ccs(tmp_path: Path) -> None:
    folder = tmp_path / ".ccs"
    folder.mkdir()
    (folder / "config.yaml").write_text(YAML)
    (folder / "glm.settings.json").write_text(json.dumps(kimi()))
    (folder / "it's.settings.json").write_text("{nope")
    (folder / "unlisted.settings.json").write_text(json.dumps({"env": {}}))
    found = {one.name: one for one in read_ccs(folder, home=tmp_path)}
    assert {name: bool(one.problem) for name, one in found.items()} == {
        "glm": False, "it's": True, "km": True, "unlisted": True,
    }  # fmt: skip
    assert found["glm"].variables[AUTH].text == TOKEN
    assert [one.name for one in read_ccs(folder / "glm.settings.json", home=tmp_path)] == ["glm"]
    (folder / "config.yaml").unlink()
    (folder / "config.json").write_text('{"profiles": {"mine": "~/.ccs/glm.settings.json"}}')
    assert [one.name for one in read_ccs(folder, home=tmp_path)] == ["mine", "it's", "unlisted"]


@settings(max_examples=amount(100, 3_000), deadline=None)
@given(st.text(st.sampled_from("profiles: \n'\"\\#settings\t-{}[]&*!|x"), max_size=200))
def test_any_list_is_read(text: str) -> None:
    assert isinstance(listed_in_yaml(text), dict)


@pytest.mark.once
def test_a_long_list_is_read_quickly() -> None:
    start = time.process_time()
    for text in (
        "profiles:\n" + "  a:\n    settings: b\n" * 20_000,
        "profiles:\n  " + "a " * 200_000,
        "'" * 200_000,
    ):
        listed_in_yaml(text)
    assert time.process_time() - start < 5


def test_every_provider_is_recognised_by_its_own_address() -> None:
    for provider in read_catalogue().providers.values():
        check_base_url(provider.base_url)
        assert (
            made({URL: provider.base_url, provider.auth_variable: "0123abcd.ef"}).table["provider"]
            == provider.id
        )
