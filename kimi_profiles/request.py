"""What a plain ``claude -p`` would send: the address, every credential header, the model. Pure.

Source of each rule: docs/claude-code.md "Requests and credentials" and "Models", measured on Claude Code
2.1.39 and 2.1.329, and held to both by ``tests/real_client/test_conformance.py``.
"""

from __future__ import annotations

import json
from urllib.parse import quote, urlsplit

from kimi_profiles.layers import BEARING, HOST_ENTRYPOINTS, Layer
from kimi_profiles.patterns import pattern
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from kimi_profiles.client import Rules
    from kimi_profiles.layers import Effective, LayerName

__all__ = [
    "Credential",
    "Login",
    "Model",
    "Request",
    "is_host_managed",
    "messages_url",
    "obeyed",
    "predict_request",
    "tier_models",
    "without_long_context",
]

FIRST_PARTY_URL = "https://api.anthropic.com"
_PATH = "/v1/messages"
_SAFE = "/%:@!$&'()*+,;=~[]|^"
_BEARER = pattern(r"(?i)\ABearer\s*")
_LONG_CONTEXT = "[1m]"
_REMAPPED = {f"claude-opus-4-{version}" for version in ("0", "20250514", "1", "1-20250805")}
_OPUS, _SONNET = "ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL"
_ALIASES = {
    "opus": _OPUS,
    "best": _OPUS,
    "sonnet": _SONNET,
    "opusplan": _SONNET,
    "haiku": "ANTHROPIC_DEFAULT_HAIKU_MODEL",
}
_NEWER_ALIASES = _ALIASES | {"fable": "ANTHROPIC_DEFAULT_FABLE_MODEL"}
_CLOUDS = {
    "CLAUDE_CODE_USE_BEDROCK": "Amazon Bedrock",
    "CLAUDE_CODE_USE_VERTEX": "Google Vertex AI",
    "CLAUDE_CODE_USE_FOUNDRY": "Microsoft Foundry",
}
_NEWER_CLOUDS = _CLOUDS | {
    "CLAUDE_CODE_USE_MANTLE": "Amazon Bedrock",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS": "Amazon Web Services",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD": "Google Cloud",
}
_HEADERS = ("authorization", "x-api-key", "proxy-authorization", "cookie")
_HOST_MANAGED = (
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
    "CLAUDE_CODE_HOST_AUTH_ENV_VAR",
    "ANTHROPIC_UNIX_SOCKET",
)
# What settings may say all the same where a host program decides.
_PROVIDER = frozenset(BEARING) - {
    *("model", "CLAUDE_CODE_EXTRA_BODY", "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP"),
    *("CLAUDE_CODE_MAX_CONTEXT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW"),
}
# Subscriptions that pay for the opus tier, and the rate limits of the largest of them.
_OPUS_PLANS = {"max", "team", "pro"}
_LARGEST_PLANS = {("team", "default_claude_max_5x")}
_PLAN, _LIMITS = "CLAUDE_CODE_SUBSCRIPTION_TYPE", "CLAUDE_CODE_RATE_LIMIT_TIER"
# What 2.1.329 passes over in ANTHROPIC_DEFAULT_MODEL; the aliases with [1m] too.
_NO_DEFAULTS, _NO_DEFAULT_ALIASES = {"default", "inherit"}, {"opusplan", "haiku"}
_OAUTH_NAME = "CLAUDE_CODE_OAUTH_TOKEN"
_BEFORE_LOGIN = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "apiKeyHelper")
_TRUE = {"1", "true", "yes", "on"}


@dataclass(frozen=True, slots=True)
class Login:
    """A stored claude.ai login that may be used for requests.

    Attributes:
        path: The file that holds it.
        token: Its access token.
        plan: The subscription, such as ``max``; ``None`` where the file does not say.
        limits: The name of its rate limits, such as ``default_claude_max_5x``; ``None`` likewise.
    """

    path: Path
    token: str = field(repr=False)
    plan: str | None = None
    limits: str | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """One header that carries a credential.

    Attributes:
        header: Its name, lower case.
        source: What it comes from: a variable, ``apiKeyHelper``, ``primaryApiKey`` or ``claude.ai login``.
        layer: Which layer won; ``user`` for a login.
        path: The file; ``None`` for the process.
        value: What is sent, without ``Bearer``; empty where an empty header is sent; ``None`` where only the
            helper knows.
    """

    header: str
    source: str
    layer: LayerName
    path: Path | None
    value: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Model:
    """Which model is asked for.

    Attributes:
        id: As the body of the request names it; ``None`` where the client's own default decides.
        names: The names that decided: a variable or ``model``, and the mapping that an alias led to.
    """

    id: str | None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What would be sent.

    Attributes:
        url: Where to, without query; ``None`` where nothing is sent, or not by this protocol.
        model: Which model.
        credentials: Every credential header; empty where nothing would be sent at all.
        obstacle: Why nothing is sent, or why it goes elsewhere; ``None`` where it just is sent.
    """

    url: str | None
    model: Model
    credentials: tuple[Credential, ...] = ()
    obstacle: str | None = None


def predict_request(effective: Effective, login: Login | None, rules: Rules) -> Request:
    """What a plain ``claude -p`` with these layers would send."""
    if is_host_managed(effective, rules):
        effective, login = obeyed(effective, rules), None
    model = _model(effective, login, rules)
    obstacle = _obstacle(effective, rules)
    url = messages_url(_text(effective, "ANTHROPIC_BASE_URL").strip() or FIRST_PARTY_URL)
    credentials = tuple(_credentials(effective, login, rules))
    if url is None:
        obstacle = obstacle or "ANTHROPIC_BASE_URL is not a URL"
    if not credentials:
        obstacle = obstacle or "there is no credential: Claude Code asks to log in"
    return Request(None, model, obstacle=obstacle) if obstacle else Request(url, model, credentials)


def _obstacle(effective: Effective, rules: Rules) -> str | None:
    """What keeps the client from sending anything to the base URL."""
    for layer in effective.layers:
        if layer.ignored is not None and layer.ignored.is_fatal:
            return f"Claude Code does not start, because of {layer.path}"
    cloud = _cloud(effective, rules)
    if cloud is not None:
        return f"requests go to {cloud[1]}, because {cloud[0]} is set"
    entrypoint = _from_process(effective, "CLAUDE_CODE_ENTRYPOINT")
    if rules.is_newer and entrypoint in HOST_ENTRYPOINTS:
        return f"the program decides that set CLAUDE_CODE_ENTRYPOINT={entrypoint}"
    if rules.is_newer and _from_process(effective, "ANTHROPIC_UNIX_SOCKET"):
        return "requests go to the socket that ANTHROPIC_UNIX_SOCKET names"
    return None


def messages_url(base_url: str) -> str | None:
    """Where messages go to, as the client writes it; ``None`` if ``base_url`` is not a URL."""
    try:
        parts = urlsplit(base_url.replace("\\", "/").removesuffix("/") + _PATH)
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    path = "/".join(_without_dots(parts.path.split("/")))
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc.lower()}{quote(path, safe=_SAFE)}{query}"


def is_host_managed(effective: Effective, rules: Rules) -> bool:
    """Whether the client takes endpoint and credential from the process only, whatever the settings say."""
    managed, auth, socket = (_from_process(effective, name) for name in _HOST_MANAGED)
    return rules.is_newer and (_is_true(managed) or bool(auth) or bool(socket))


def obeyed(effective: Effective, rules: Rules) -> Effective:
    """The layers as far as the client obeys them: no settings file has a say where a host program decides."""
    if not is_host_managed(effective, rules):
        return effective
    alone = effective.without(_PROVIDER, from_all_but="process")
    if not _text(effective, "apiKeyHelper"):
        return alone
    # It is not asked, and all the same in the way of an OAuth token.
    return alone.without({_OAUTH_NAME}, from_all_but="managed")


def tier_models(effective: Effective, rules: Rules) -> dict[str, Model]:
    """The model of each tier: of the aliases that this version knows, and of subagents."""
    aliases = _NEWER_ALIASES if rules.is_newer else _ALIASES
    tiers: dict[str, Model] = {
        tier: _mapped(effective, aliases[tier], rules)
        for tier in ("opus", "sonnet", "haiku", "fable")
        if tier in aliases
    }
    subagent = _text(effective, "CLAUDE_CODE_SUBAGENT_MODEL").strip()
    tiers["subagent"] = Model(
        without_long_context(subagent) or None, ("CLAUDE_CODE_SUBAGENT_MODEL",) if subagent else ()
    )
    return tiers


def _credentials(effective: Effective, login: Login | None, rules: Rules) -> Iterator[Credential]:
    token = _Source(effective, "ANTHROPIC_AUTH_TOKEN", rules)
    key = _Source(effective, "ANTHROPIC_API_KEY", rules)
    helper = _Source(effective, "apiKeyHelper", rules)
    primary = _Source(effective, "primaryApiKey", rules)
    custom = _custom_headers(_text(effective, "ANTHROPIC_CUSTOM_HEADERS"))
    oauth = _oauth(effective, login, rules)
    found: dict[str, Credential | None] = dict.fromkeys(_HEADERS)
    if oauth is not None:
        found["authorization"] = oauth
    else:
        if token.counts:
            found["authorization"] = token.sent("authorization", keeps_blanks=not rules.is_newer)
        elif helper.counts:
            found["authorization"] = helper.asked("authorization")
        elif token.layer is not None and not rules.is_newer:
            found["authorization"] = token.sent("authorization")
        source = next((source for source in (key, helper, primary) if source.counts), None)
        if source is not None:
            found["x-api-key"] = source.asked("x-api-key") if source is helper else source.sent("x-api-key")
    for header, value in custom.items():
        is_ours = header == "authorization" and oauth is None and (token.counts or helper.counts)
        if not is_ours:
            found[header] = _Source(effective, "ANTHROPIC_CUSTOM_HEADERS", rules).sent(header, value)
    if found["authorization"] or found["x-api-key"]:
        yield from (credential for credential in found.values() if credential is not None)


class _Source:
    """One name that can supply a credential."""

    def __init__(self, effective: Effective, name: str, rules: Rules) -> None:
        self.name = name
        self.layer = next(iter(effective.suppliers(name)), None)
        self.value = _text(effective, name)
        is_variable = name not in {"apiKeyHelper", "primaryApiKey"}
        self.counts = bool(self.value.strip() if rules.is_newer and is_variable else self.value)

    def sent(self, header: str, value: str | None = None, *, keeps_blanks: bool = False) -> Credential:
        text = self.value if value is None else value
        return self._credential(header, text.rstrip() if keeps_blanks else text.strip())

    def asked(self, header: str) -> Credential:
        return self._credential(header, None)

    def _credential(self, header: str, value: str | None) -> Credential:
        layer = self.layer or Layer("process")
        return Credential(header, self.name, layer.name, layer.path, value)


def _oauth(effective: Effective, login: Login | None, rules: Rules) -> Credential | None:
    """A claude.ai login takes the place of every other credential, where it counts at all."""
    is_needed = not any(_Source(effective, name, rules).counts for name in _BEFORE_LOGIN)
    if not is_needed and not _prefers_login(effective, rules):
        return None
    # The older one reads it before any settings; the newer one lets no project supply it.
    layers = (
        layer
        for layer in effective.suppliers(_OAUTH_NAME)
        if (layer.name not in {"local", "project"} if rules.is_newer else layer.name == "process")
    )
    layer = next(layers, None)
    value = "" if layer is None else layer.values[_OAUTH_NAME]
    if layer is not None and (value.strip() if rules.is_newer else value):
        return Credential("authorization", _OAUTH_NAME, layer.name, layer.path, value.strip())
    if login is not None:
        return Credential("authorization", "claude.ai login", "user", login.path, login.token)
    return None


def _prefers_login(effective: Effective, rules: Rules) -> bool:
    if not rules.is_newer:
        has_token = bool(_text(effective, "ANTHROPIC_AUTH_TOKEN") or _text(effective, "apiKeyHelper"))
        return _is_true(_text(effective, "CLAUDE_CODE_REMOTE")) and not has_token
    return _is_true(_from_process(effective, "CLAUDE_CODE_REMOTE"))


def _custom_headers(text: str) -> Mapping[str, str]:
    """The credential headers among them; of several of a name the last one counts."""
    headers = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip().lower() in _HEADERS and value.strip():
            headers[name.strip().lower()] = value.strip()
    if "authorization" in headers:
        headers["authorization"] = _BEARER.sub("", headers["authorization"])
    return headers


def _model(effective: Effective, login: Login | None, rules: Rules) -> Model:
    body = _extra_body(effective)
    if "model" in body:
        model = body["model"]
        return Model(model if isinstance(model, str) else None, ("CLAUDE_CODE_EXTRA_BODY",))
    name = next((name for name in ("ANTHROPIC_MODEL", "model") if _text(effective, name)), None)
    if name is not None and not _is_denied(effective, login, _text(effective, name), rules):
        return _chosen(effective, name, _text(effective, name), rules)
    name = "ANTHROPIC_DEFAULT_MODEL"
    if rules.is_newer and _is_default(_text(effective, name)):
        return _chosen(effective, name, _text(effective, name), rules)
    name = _default_tier(effective, login, rules)
    mapped = _mapped(effective, name, rules)
    return mapped if mapped.id is None else _chosen(effective, name, mapped.id, rules)


def _default_tier(effective: Effective, login: Login | None, rules: Rules) -> str:
    """Whose mapping counts where no model is chosen: with a subscription, what that pays for."""
    subscription = _subscription(effective, login, rules)
    if subscription is None:
        return _OPUS if rules.is_newer else _SONNET
    plan, limits = subscription
    if not rules.is_newer or plan == "max" or (plan, limits) in _LARGEST_PLANS:
        return _OPUS if plan in _OPUS_PLANS else _SONNET
    is_sonnet_alone = bool(_mapped(effective, _SONNET, rules).id) and not _mapped(effective, _OPUS, rules).id
    return _OPUS if plan in {*_OPUS_PLANS, "enterprise"} and not is_sonnet_alone else _SONNET


def _is_denied(effective: Effective, login: Login | None, model: str, rules: Rules) -> bool:
    """Whether 2.1.39 passes over a model, because the subscription has no opus."""
    subscription = _subscription(effective, login, rules)
    if rules.is_newer or subscription is None or "opus" not in model:
        return False
    return subscription[0] not in {*_OPUS_PLANS, "enterprise", None}


def _subscription(
    effective: Effective, login: Login | None, rules: Rules
) -> tuple[str | None, str | None] | None:
    """Plan and rate limits of the claude.ai login that is used; ``None`` where none is.

    Of a token in a variable only the process can tell them, to the newer client.
    """
    oauth = _oauth(effective, login, rules)
    if oauth is None:
        return None
    if login is not None and oauth.path == login.path:
        return login.plan, login.limits
    if not rules.is_newer:
        return None, None
    return _from_process(effective, _PLAN), _from_process(effective, _LIMITS)


def _is_default(value: str) -> bool:
    name = value.strip().lower()
    return bool(name) and name not in _NO_DEFAULTS and without_long_context(name) not in _NO_DEFAULT_ALIASES


def _chosen(effective: Effective, name: str, value: str, rules: Rules) -> Model:
    """What the client makes of a model that ``name`` names: aliases are looked up once."""
    model = without_long_context(value.strip())
    variable = (_NEWER_ALIASES if rules.is_newer else _ALIASES).get(model.lower())
    if variable is None and rules.is_newer and model.lower() in _REMAPPED:
        is_off = _is_true(_text(effective, "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP"))
        variable = None if is_off else _OPUS
    if variable is None:
        return Model(model, (name,))
    mapped = _mapped(effective, variable, rules)
    return Model(mapped.id, tuple(dict.fromkeys((name, *mapped.names))))


def _mapped(effective: Effective, variable: str, rules: Rules) -> Model:
    value = _text(effective, variable)
    if not (value.strip() if rules.is_newer else value):
        return Model(None)
    return Model(without_long_context(value.strip()), (variable,))


def without_long_context(model: str) -> str:
    """A model id without the ``[1m]`` at its end, which the client takes off before it sends it."""
    return model[: -len(_LONG_CONTEXT)].rstrip() if model.lower().endswith(_LONG_CONTEXT) else model


def _extra_body(effective: Effective) -> Mapping[str, object]:
    try:
        body = json.loads(_text(effective, "CLAUDE_CODE_EXTRA_BODY") or "{}")
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _cloud(effective: Effective, rules: Rules) -> tuple[str, str] | None:
    clouds = _NEWER_CLOUDS if rules.is_newer else _CLOUDS
    return next(((name, cloud) for name, cloud in clouds.items() if _is_true(_text(effective, name))), None)


def _text(effective: Effective, name: str) -> str:
    return effective.value(name) or ""


def _from_process(effective: Effective, name: str) -> str:
    return next((layer.values.get(name, "") for layer in effective.layers if layer.name == "process"), "")


def _is_true(value: str) -> bool:
    return value.strip().lower() in _TRUE


def _without_dots(segments: Iterable[str]) -> list[str]:
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            kept = kept[:-1] if len(kept) > 1 else kept
        elif segment != ".":
            kept.append(segment)
    return kept
