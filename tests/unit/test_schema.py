"""The JSON Schema says of a profile file what we say, as far as it can, and never more.

taplo and tombi, the two language servers for TOML, are the judges: each lints the same files as we do.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from language_server import server_path, without_network
from support import ROOT, amount
from unit.test_declaration import GATEWAY, RIGHT, TOKEN, WRONG

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.commands.init import TEMPLATE
from kimi_profiles.declaration import AuthTable, ModelsTable, ProfileTable, TokenTable
from kimi_profiles.endpoint import check_base_url
from kimi_profiles.errors import EndpointError, ProfilesError, UsageError
from kimi_profiles.profile import check_profile_name
from kimi_profiles.schema import profile_schema
from kimi_profiles.store import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMA = profile_schema()
PROFILE = SCHEMA["properties"]["profiles"]["additionalProperties"]
HEAD = "#:schema ./profiles.schema.json\n\n"
RANDOM = amount(150, 5000)

# What we refuse and a schema cannot tell, or could tell only by a regular expression that nobody can read.
LEFT_TO_US = {
    "a date",
    "a time",
    "nan",
    "inf in a list",
    "a fraction that is too large",
    "too deep",
    "in lower case",
    "another cloud, lower case",
    "a credential header",
    "a token in settings",
    "another kind of token",
}
# taplo knows the values only as JSON, where 9000.0 is an integer and a large one has no end.
LEFT_TO_US_BY = {
    "taplo": {
        *LEFT_TO_US,
        "a fraction for a number",
        "a number of 65 bits in env",
        "an endless number",
        "an endless number in env",
    },
    "tombi": LEFT_TO_US,
}


COMMANDS = {
    "taplo": ["lint", "--no-auto-config", "--colors", "never"],
    "tombi": ["lint", "--offline", "--quiet", "--diagnostics-format", "json-lines"],
}


def refused_by(linter: str, folder: Path, texts: Mapping[str, str]) -> set[str]:
    """Those of ``texts`` that ``linter`` marks as wrong."""
    (folder / "profiles.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    files = {f"{number:05}.toml": name for number, name in enumerate(texts)}
    for file, name in files.items():
        (folder / file).write_bytes((HEAD + texts[name]).encode())
    command = [*without_network(), server_path(linter), *COMMANDS[linter]]
    command += ["--diagnostics-file", "/dev/stdout"] if linter == "tombi" else []
    run = subprocess.run(
        [*command, *files],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "TOMBI_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = run.stdout + run.stderr
    if linter == "taplo":
        # Not by its last lines: taplo leaves without waiting for its log.
        wrong = set(re.findall(r"┌─ .*?([0-9]+\.toml):", said))
    else:
        found = [json.loads(line) for line in run.stdout.splitlines()]
        wrong = {
            entry["path"] for entry in found if entry["level"] == "error"
        }  # a warning is about its style
    assert (run.returncode != 0) == bool(wrong), said[-1000:]
    return {files[file] for file in wrong}


def is_refused(text: str) -> bool:
    try:
        return bool(ProfileStore(Path("profiles.toml"), text).check())
    except ProfilesError:
        return True


TABLE = {
    name: f"[profiles.p]\n{'' if line.startswith(('provider', 'base_url')) else GATEWAY}{line}\n"
    for name, (line, *_) in {**WRONG, **RIGHT}.items()
}
FILES = {
    "an empty file": "",
    "the template": TEMPLATE,
    "no tables": "profiles = {}\ndefaults = {}\n",
    "a key of the wrong name at the top": "profile = {}\n",
    "profiles that are no table": "profiles = 1\n",
    "defaults that extend": f'[defaults]\nextends = "zai"\n[profiles.p]\n{GATEWAY}',
    "defaults with a token": f'[defaults]\ndescription = "{TOKEN}"\n[profiles.p]\n{GATEWAY}',
    "a name with a blank": f'[profiles."a b"]\n{GATEWAY}',
    "a name of a device": f"[profiles.Con]\n{GATEWAY}",
    "a device with an extension": f'[profiles."lpt1.x"]\n{GATEWAY}',
    "a name that is too long": f"[profiles.{'a' * 65}]\n{GATEWAY}",
    "a name with every character": f'[profiles."a.Z_-9"]\n{GATEWAY}',
    "a profile that is no table": "[profiles]\np = 1\n",
    **{
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "examples").rglob("*.toml"))
    },
}


@pytest.mark.once
@pytest.mark.parametrize("linter", LEFT_TO_US_BY)
def test_a_language_server_refuses_what_we_refuse(linter: str, tmp_path: Path) -> None:
    texts = {**TABLE, **FILES}
    ours = {name for name, text in texts.items() if is_refused(text)}
    theirs = refused_by(linter, tmp_path, texts)
    assert theirs - ours == set()
    assert ours - theirs == LEFT_TO_US_BY[linter]


VALUES = {
    "description": ['"a"', '"\\t\\n é"', '"\\u0007"', "1", f'"{TOKEN}"', '"x' + "y" * 16384 + '"'],
    "extends": ['"zai"', '"q"', '""', '"a b"', "[]"],
    "provider": ['"zai"', '"moonshot-cn"', '"ZAI"', '""'],
    "base_url": [
        *(
            '"https://x.example"',
            '"HTTPS://X.example:8443/a/v1beta"',
            '"http://127.0.0.1:9/v1/x"',
            '"https://v1"',
        ),
        *('"http://[::1]"', '"http://a.localhost:1/"', '"http://x.example"', '"https://x.example/v1/"'),
        *('"https://x.example/a/v2/messages"', '"https://u:p@x.example"', '"https://x.example/?a"', '"x"'),
        *(
            '"https://"',
            '"https://x.example/ä"',
            '"https://x.example/a b"',
            '"https://x:/"',
            '"http://[::7]/"',
        ),
    ],
    "auth": [
        *("{}", '{token = {env = "A"}}', '{token = {file = "~/a"}}', '{token = {command = ["a", ""]}}'),
        *(
            '{token = {keyring = "k", username = "u"}}',
            '{token = {env = "A", username = "u"}}',
            "{token = {}}",
        ),
        *(
            '{token = {env = "A", file = "b"}}',
            '{token = "x"}',
            '{variable = "ANTHROPIC_API_KEY"}',
            "{x = 1}",
        ),
        *(
            '{delivery = "helper"}',
            '{delivery = "Inline"}',
            '{token = {env = "A-B"}}',
            "{token = {command = []}}",
        ),
        *(f'{{token = {{command = ["{TOKEN}"]}}}}', '{token = {file = ""}}', "1"),
    ],
    "models": [
        '{default = "m"}',
        '{haiku = "k3[1m]"}',
        '{opus = "a b"}',
        f'{{opus = "{TOKEN}"}}',
        "{Opus = 1}",
    ],
    "context_tokens": ["1000", "999", "100_000_000", "100_000_001", '"1000"'],
    "env": [
        *('{A = "b"}', "{A = 1}", "{A = -9223372036854775808}", "{A = true}", "{A = 1.5}", '{"A-B" = "x"}'),
        *(
            '{ANTHROPIC_MODEL = "x"}',
            f'{{A = "{TOKEN}"}}',
            '{A = "a\\u0000"}',
            '{A = ""}',
            "[]",
            '{"" = "x"}',
        ),
    ],
    "settings": ["{}", "{a = {env = 1}}", "{env = {}}", '{apiKeyHelper = "x"}', "{a = [1, {b = 1.5}]}", "1"],
    "pin_model": ["true", "false", '"true"', "0"],
    "onboarding": ["true", "1"],
    "detach_login": ["false", "{}"],
    "basurl": ["1"],
}


def random_text(chance: random.Random) -> str:
    lines = ["[profiles.q]", 'provider = "deepseek"']
    for header in chance.sample(
        ["[defaults]", "[profiles.p]", '[profiles."nul.x"]'], chance.choice([1, 1, 2])
    ):
        lines.append(header)
        for key in chance.sample(list(VALUES), chance.randrange(4)):
            value = chance.choice([VALUES[key][0], chance.choice(VALUES[key])])
            # A wrong provider of [defaults] is looked up only where no profile names another one.
            lines.append(
                f"{key} = {VALUES[key][0] if (header, key) == ('[defaults]', 'provider') else value}"
            )
    return "\n".join(lines) + "\n"


@pytest.mark.once
@pytest.mark.parametrize("linter", LEFT_TO_US_BY)
def test_nothing_that_we_accept_is_marked(linter: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    chance = random.Random(str(pytestconfig.getoption("hypothesis_seed")))
    texts = {text: text for text in (random_text(chance) for _ in range(RANDOM))}
    right = {text for text in texts if not is_refused(text)}
    assert len(right) > len(texts) / 20
    assert right & refused_by(linter, tmp_path, texts) == set()


# ---- the rules that are written twice, by Python's own regular expressions


def fits(value: str, rule: Mapping[str, Any]) -> bool:
    unfit = rule.get("not", {})
    return re.search(rule["pattern"], value) is not None and not (
        "pattern" in unfit and re.search(unfit["pattern"], value)
    )


NAMES = [
    "a",
    "_",
    "9",
    ".a",
    "-a",
    "a.b-c_d",
    "con",
    "CON.x",
    "cons",
    "com1",
    "com",
    "lpt9.",
    "nul-",
    "é",
    "a" * 64,
    "b" * 65,
]


@pytest.mark.parametrize("name", NAMES)
def test_the_rule_for_names(name: str) -> None:
    try:
        check_profile_name(name)
    except UsageError:
        assert not fits(name, SCHEMA["properties"]["profiles"]["propertyNames"])
    else:
        assert fits(name, SCHEMA["properties"]["profiles"]["propertyNames"])


def test_a_url_that_the_schema_refuses_is_refused() -> None:
    chance = random.Random(20261121)
    parts = [
        "http",
        "https",
        "HTTPS",
        "://",
        "localhost",
        "x.localhost",
        "127.0.0.1",
        "[::1]",
        "a-b.example",
        "v1",
        ":1",
    ]
    parts += [
        "/",
        "/v1",
        "/v12/messages",
        "/v1/chat/completions",
        "?",
        "#",
        "@",
        " ",
        "ä",
        "~!$&'()*+,;=%41",
        "\\",
    ]
    accepted = 0
    for _ in range(amount(20_000, 500_000)):
        url = chance.choice(["https://", "http://", ""]) + "".join(
            chance.choices(parts, k=chance.randint(1, 4))
        )
        try:
            check_base_url(url)
        except EndpointError:
            continue
        accepted += 1
        assert fits(url, PROFILE["properties"]["base_url"]), url
    assert accepted > 1000


# ---- what editors show


def tables(node: dict[str, Any], where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key with its schema."""
    for branch in (node, *node.get("oneOf", ())):
        for key, below in branch.get("properties", {}).items():
            yield f"{where}{key}", below
            yield from tables(below, f"{where}{key}.")
    if isinstance(node.get("additionalProperties"), dict):
        yield from tables(node["additionalProperties"], f"{where}*.")


def test_every_key_has_a_text_for_hovering() -> None:
    found = dict(tables(SCHEMA))
    assert {"defaults", "profiles", "defaults.auth.token", "profiles.*.auth.token.username"} <= set(found)
    for where, node in found.items():
        assert len(node.get("description", "")) > 10, where
        assert "title" not in node, where


def test_it_has_the_keys_of_the_models() -> None:
    keys = PROFILE["properties"]
    assert set(keys) == set(ProfileTable.model_fields)
    assert set(keys["auth"]["properties"]) == set(AuthTable.model_fields)
    assert set(keys["models"]["properties"]) == set(ModelsTable.model_fields)
    ways = [branch["properties"] for branch in keys["auth"]["properties"]["token"]["oneOf"]]
    assert set().union(*ways) == set(TokenTable.model_fields)
    assert set(SCHEMA["properties"]["defaults"]["properties"]) == set(keys) - {"extends"}


def test_providers_and_models_are_those_of_the_catalogue() -> None:
    provider = PROFILE["properties"]["provider"]
    assert provider["enum"] == list(read_catalogue().providers)
    assert len(provider["x-taplo"]["docs"]["enumValues"]) == len(provider["enum"])
    offered, free = PROFILE["properties"]["models"]["properties"]["haiku"]["anyOf"]
    assert "kimi-k2.7-code" in offered["enum"]
    assert "kimi-k2-0905-preview" not in offered["enum"]  # retired
    assert all(re.search(free["pattern"], model) for model in offered["enum"])


def test_nothing_is_referred_to_and_nothing_is_null() -> None:
    text = json.dumps(SCHEMA)
    assert "$ref" not in text
    assert "null" not in text
    assert "$defs" not in text


def test_what_is_left_out_is_as_the_schema_says() -> None:
    defaults = {key: node["default"] for key, node in PROFILE["properties"].items() if "default" in node}
    assert defaults == {"pin_model": True, "onboarding": True, "detach_login": True}
    assert defaults == {key: getattr(ProfileTable(), key) for key in defaults}
