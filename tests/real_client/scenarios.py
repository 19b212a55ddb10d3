"""Homes, environments and arguments for Claude Code, made from factors so that every pair of levels occurs.

A scenario is written to disk as a user would have it. What the client then sends is not known here: the test
asks the program and the real client, and compares.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from real_client.sandbox import CLIENTS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

PORT = 8181
CANDIDATES = 40
ORIGIN = f"http://127.0.0.1:{PORT}"
SETTINGS_LAYERS = ("managed", "drop-in", "flag", "local", "project", "user")
LAYERS = (*SETTINGS_LAYERS, "claude.json", "process")

NOTHING = object()
MAPPED = {
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "mapped-opus",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "mapped-sonnet",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "mapped-haiku",
    "ANTHROPIC_DEFAULT_FABLE_MODEL": "mapped-fable",
}

# factor → level → what it means
URLS: dict[str, Any] = {
    "plain": ORIGIN,
    "path": f"{ORIGIN}/anthropic",
    "path and slash": f"{ORIGIN}/anthropic/",
    "path and slashes": f"{ORIGIN}/anthropic//",
    "version": f"{ORIGIN}/v1",
    "blanks": f"  {ORIGIN}/a b ",
    "dots": f"{ORIGIN}/x/../y/./z",
    "letters": f"HTTP://127.0.0.1:{PORT}/é",
}
TOKENS: dict[str, Any] = {
    "none": NOTHING,
    "set": "sk-test-token-0123456789",
    "empty": "",
    "null": None,
    "number": 12345678901234567890,
    "blanks": "  sk-test-token-blanks ",
    "blank": " ",
}
KEYS: dict[str, Any] = {
    "none": NOTHING,
    "set": "sk-test-key-0123456789abcdef",
    "empty": "",
    "false": False,
    "blanks": " sk-test-key-blanks ",
}
HELPERS: dict[str, Any] = {"none": NOTHING, "set": "echo sk-test-helper", "empty": ""}
HEADERS: dict[str, Any] = {
    "none": NOTHING,
    "key": "X-Api-Key: sk-test-header",
    "bearer": "authorization: Bearer sk-test-header",
    "cookie": "Cookie: a=b\nX-Other: 1",
    "nonsense": "nonsense",
    "empty": "",
}
PRIMARY: dict[str, Any] = {"none": NOTHING, "set": "sk-test-primary", "empty": "", "number": 7}
OAUTH: dict[str, Any] = {"none": NOTHING, "set": "sk-ant-oat01-test-variable", "empty": ""}
# Where a login does not say what it pays for, 2.1.329 asks for that, for some 20 s where nobody answers.
LOGINS: dict[str, Any] = {
    "none": None,
    "pro": {"subscriptionType": "pro", "rateLimitTier": "default_claude_ai"},
    "max": {"subscriptionType": "max", "rateLimitTier": "default_claude_max_5x"},
    "team": {"subscriptionType": "team", "rateLimitTier": "default_raven"},
    "large team": {"subscriptionType": "team", "rateLimitTier": "default_claude_max_5x"},
    "enterprise": {"subscriptionType": "enterprise", "rateLimitTier": "default_claude_max_5x"},
    "free": {"subscriptionType": "free", "rateLimitTier": "default_claude_ai"},
}
MODELS: dict[str, Any] = {
    "none": NOTHING,
    "set": "some-model",
    "empty": "",
    "alias": "Sonnet",
    "alias[1m]": "opus[1m]",
    "set[1m]": "some-model[1m]",
    "newer alias": "fable",
    "best": "best",
    "old": "claude-opus-4-1",
}
TOP_MODELS: dict[str, Any] = {
    name: MODELS[name] for name in ("none", "set", "empty", "alias", "set[1m]", "old")
}
MAPPINGS: dict[str, dict[str, Any]] = {
    "none": {},
    "all": MAPPED,
    "sonnet": {"ANTHROPIC_DEFAULT_SONNET_MODEL": "mapped[1m]"},
    "empty": dict.fromkeys(MAPPED, ""),
    "alias": {"ANTHROPIC_DEFAULT_OPUS_MODEL": "sonnet", "ANTHROPIC_DEFAULT_SONNET_MODEL": "haiku"},
    "newer": {"ANTHROPIC_DEFAULT_MODEL": "default-model"},
    "newer alias": {**MAPPED, "ANTHROPIC_DEFAULT_MODEL": "haiku[1m]"},
    "no remap": {**MAPPED, "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1"},
    "body": {"CLAUDE_CODE_EXTRA_BODY": '{"model": "body-model"}'},
}
FAULTS = ("none", "comment", "wrong env", "wrong model", "wrong hooks", "large", "list", "utf-16")
CONFIG_DIRS = ("unset", "set", "relative", "empty")
PROCESSES: dict[str, dict[str, str]] = {
    "plain": {},
    "remote": {"CLAUDE_CODE_REMOTE": "1"},
    "host": {"CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1"},
    "off": {"CLAUDE_CODE_USE_BEDROCK": "0", "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "false"},
    "bedrock": {"CLAUDE_CODE_USE_BEDROCK": "1"},
    "plan": {
        "CLAUDE_CODE_SUBSCRIPTION_TYPE": "team",
        "CLAUDE_CODE_RATE_LIMIT_TIER": "default_claude_max_5x",
    },
}

FACTORS: dict[str, Sequence[str]] = {
    "version": CLIENTS,
    "url": tuple(URLS),
    "url layer": LAYERS,
    "url below": ("none", "managed", "project", "claude.json", "process"),
    "token": tuple(TOKENS),
    "token layer": LAYERS,
    "key": tuple(KEYS),
    "key layer": LAYERS,
    "helper": tuple(HELPERS),
    "helper layer": ("managed", "local", "user"),
    "headers": tuple(HEADERS),
    "primary": tuple(PRIMARY),
    "oauth": tuple(OAUTH),
    "oauth layer": ("drop-in", "project", "user", "process"),
    "login": tuple(LOGINS),
    "model": tuple(MODELS),
    "model layer": LAYERS,
    "model below": ("none", "drop-in", "local", "user", "process"),
    "top model": tuple(TOP_MODELS),
    "top model layer": ("flag", "project", "user"),
    "mapping": tuple(MAPPINGS),
    "mapping layer": ("managed", "local", "user", "claude.json", "process"),
    "fault": FAULTS,
    "fault layer": ("project", "user", "flag"),
    "config dir": CONFIG_DIRS,
    "legacy": ("no", "yes"),
    "process": tuple(PROCESSES),
}
# What most people have: a level that is drawn more often than the others when a scenario is made at random.
USUAL = {
    "url below": "none",
    "helper": "none",
    "headers": "none",
    "primary": "none",
    "oauth": "none",
    "login": "none",
    "fault": "none",
    "process": "plain",
    "legacy": "no",
    "config dir": "unset",
}

Levels = dict[str, str]


@dataclass
class Scenario:
    """What is on disk and in the environment.

    Attributes:
        levels: The level of each factor.
        settings: Text of each settings layer.
        state: Text of ``.claude.json``.
        env: Variables of the process.
    """

    levels: Levels
    settings: dict[str, bytes] = field(default_factory=dict)
    state: bytes = b"{}"
    env: dict[str, str] = field(default_factory=dict)

    def write(self, home: Path, work: Path, managed: Path) -> None:
        """Put it all where the client looks for it."""
        claude, state = self.folders(home, work)
        places = {
            "managed": managed / "managed-settings.json",
            "drop-in": managed / "managed-settings.d" / "10-more.json",
            "flag": home / "flag.json",
            "local": work / ".claude" / "settings.local.json",
            "project": work / ".claude" / "settings.json",
            "user": claude / "settings.json",
        }
        for layer, data in self.settings.items():
            _write(places[layer], data)
        legacy = self.levels["legacy"] == "yes"
        _write(claude / ".config.json" if legacy else state / ".claude.json", self.state)
        if legacy:
            _write(state / ".claude.json", b'{"primaryApiKey": "sk-test-not-this-one"}')
        plan = LOGINS[self.levels["login"]]
        if plan is not None:
            login = {
                "accessToken": "sk-ant-oat01-test-login",
                "refreshToken": "x",
                "expiresAt": 9999999999999,
                "scopes": ["user:inference", "user:profile"],
                **plan,
            }
            _write(claude / ".credentials.json", _dumps({"claudeAiOauth": login}))

    def folders(self, home: Path, work: Path) -> tuple[Path, Path]:
        """Claude Code's folder, and that of ``.claude.json``."""
        level = self.levels["config dir"]
        if level == "unset":
            return home / ".claude", home
        if level == "empty":
            return work, home
        folder = work / "config" if level == "relative" else home / "config"
        return folder, folder

    def environment(self, home: Path) -> dict[str, str]:
        """Variables for the process, beside ``HOME`` and its like."""
        override = {"set": str(home / "config"), "relative": "config", "empty": ""}
        level = self.levels["config dir"]
        return self.env | ({"CLAUDE_CONFIG_DIR": override[level]} if level in override else {})

    @property
    def has_flag(self) -> bool:
        """Whether the client is to be given ``--settings``."""
        return "flag" in self.settings

    @property
    def has_managed(self) -> bool:
        """Whether there are managed settings."""
        return bool({"managed", "drop-in"} & self.settings.keys())


def make(levels: Levels) -> Scenario:
    """The scenario of these levels."""
    documents: dict[str, dict[str, Any]] = {}
    env: dict[str, str] = {}

    def put(layer: str, name: str, value: Any, *, is_setting: bool = False) -> None:
        if value is NOTHING:
            return
        if layer == "process":
            env[name] = _as_variable(value)
        elif is_setting:
            documents.setdefault(layer, {})[name] = value
        else:
            documents.setdefault(layer, {}).setdefault("env", {})[name] = value

    for name, layer in (("ANTHROPIC_BASE_URL", "url"), ("ANTHROPIC_MODEL", "model")):
        below = levels[f"{layer} below"]
        if below != "none":
            put(below, name, f"{ORIGIN}/below" if layer == "url" else "model-below")
    put(levels["url layer"], "ANTHROPIC_BASE_URL", URLS[levels["url"]])
    put(levels["token layer"], "ANTHROPIC_AUTH_TOKEN", TOKENS[levels["token"]])
    put(levels["key layer"], "ANTHROPIC_API_KEY", KEYS[levels["key"]])
    put(levels["oauth layer"], "CLAUDE_CODE_OAUTH_TOKEN", OAUTH[levels["oauth"]])
    put(levels["mapping layer"], "ANTHROPIC_CUSTOM_HEADERS", HEADERS[levels["headers"]])
    put(levels["model layer"], "ANTHROPIC_MODEL", MODELS[levels["model"]])
    for name, value in MAPPINGS[levels["mapping"]].items():
        put(levels["mapping layer"], name, value)
    put(levels["helper layer"], "apiKeyHelper", HELPERS[levels["helper"]], is_setting=True)
    put(levels["top model layer"], "model", TOP_MODELS[levels["top model"]], is_setting=True)
    put("claude.json", "primaryApiKey", PRIMARY[levels["primary"]], is_setting=True)
    state = documents.pop("claude.json", {})
    settings = {layer: _dumps(document) for layer, document in documents.items()}
    where = levels["fault layer"]
    if levels["fault"] != "none":
        settings[where] = _with_fault(levels["fault"], documents.get(where, {}))
    return Scenario(levels, settings, _dumps(state), env | PROCESSES[levels["process"]])


def pairs(rng: random.Random) -> Iterator[Levels]:
    """Levels until every pair of levels of any two factors was there; greedy, so nearly as few as can be."""
    names = list(FACTORS)
    open_pairs = {
        frozenset(((one, a), (other, b)))
        for one, other in itertools.combinations(names, 2)
        for a in FACTORS[one]
        for b in FACTORS[other]
    }
    while open_pairs:
        start = dict(rng.choice(sorted(map(sorted, open_pairs))))
        best: Levels = {}
        gain = -1
        for _ in range(CANDIDATES):
            levels = {name: start.get(name) or rng.choice(FACTORS[name]) for name in names}
            found = len(open_pairs.intersection(map(frozenset, itertools.combinations(levels.items(), 2))))
            if found > gain:
                best, gain = levels, found
        open_pairs.difference_update(map(frozenset, itertools.combinations(best.items(), 2)))
        yield best


def likely(rng: random.Random) -> Levels:
    """Levels at random, the usual ones more often."""
    return {
        name: USUAL[name] if name in USUAL and rng.random() < 0.7 else rng.choice(levels)
        for name, levels in FACTORS.items()
    }


def _with_fault(fault: str, document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document)
    wrong = {"wrong env": {"env": []}, "wrong model": {"model": 7}, "wrong hooks": {"hooks": "x"}}
    if fault in wrong:
        return _dumps({**document, **wrong[fault]})
    made = {
        "comment": f"// a comment\n{text}",
        "large": json.dumps({**document, "unknown": "x" * (2 << 20)}),
        "list": "[]",
    }
    return text.encode("utf-16") if fault == "utf-16" else made[fault].encode()


def _as_variable(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
