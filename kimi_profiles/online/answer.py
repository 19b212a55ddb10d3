"""What became of a request: replies in the styles of many providers, explained.

Promised: what the server wrote is quoted short, without what was sent to it and without anything that could
steer a terminal; what cannot be told apart is told by its status alone.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.screen import visible
from kimi_profiles.secrets import without_tokens
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kimi_profiles.catalogue import Catalogue, Provider
    from kimi_profiles.online.exchange import Reply

__all__ = ["Answer", "explain", "key_in"]

_MOST_QUOTED = 200
_MOST_EXAMINED = 1000  # so that looking for a credential stays cheap
_MOST_WAIT_S = 31 * 24 * 3600.0
_KNOWN_BY = 8  # characters of either end by which a credential is known even if the rest is missing
_SECONDS = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?")

# What a type or code in an error means, where the status alone does not say it as well. Sources:
#   Anthropic   platform.claude.com/docs/en/api/$shared
#   Moonshot    platform.kimi.ai/docs/api/errors, platform.kimi.com/docs/api/errors; 429 for an empty account:
#               github.com/anomalyco/opencode/issues/24462
#   Kimi Code   github.com/MoonshotAI/kimi-code/issues/636
#   Z.ai, GLM   docs.z.ai/api-reference/api-code; as types at the Anthropic endpoint:
#               github.com/anthropics/claude-code/issues/9201 (429, 1113) and 10730 (401, 1000)
#   MiniMax     platform.minimax.io/docs/api-reference/errorcode.md
#   DashScope   help.aliyun.com/en/model-studio/error-code-start
_MEANINGS = {
    kind: name
    for name, kinds in {
        "key-rejected": "authentication_error invalid_authentication_error incorrect_api_key_error "
        "InvalidApiKey 1000 1001 1002 1003 1004 base_resp-1004",
        "balance-used-up": "billing_error exceeded_current_quota_error Arrearage 1113 base_resp-1008",
        "not-permitted": "permission_error permission_denied_error access_terminated_error",
        "model-unknown": "resource_not_found_error ModelNotFound 1211",
        "rate-limited": "rate_limit_error rate_limit_reached_error base_resp-1002",
        "overloaded": "overloaded_error engine_overloaded_error",
    }.items()
    for kind in kinds.split()
}
# What only the words tell. Sources:
#   400, credit balance           github.com/anthropics/claude-code/issues/4208
#   500, insufficient balance     github.com/MiniMax-AI/MiniMax-M2/issues/62
#   429, in Chinese               github.com/continuedev/continue/issues/11823 (GLM)
#   402, insufficient credits     openrouter.ai/docs/api/reference/errors-and-debugging
#   403 and 429, usage limit      www.kimi.com/code/docs/en/kimi-code/error-reference.html
_PHRASES = {
    "balance-used-up": r"insufficient (?:balance|credits?)|credit balance is too low|余额不足",
    "usage-limit-reached": r"reached (?:your|kimi) (?:monthly )?usage limit",
}
# 402, 503: api-docs.deepseek.com/quick_start/error_codes; 529: Anthropic.
_STATUSES = {
    401: "key-rejected",
    402: "balance-used-up",
    403: "not-permitted",
    404: "path-unknown",
    405: "path-unknown",
    429: "rate-limited",
    503: "overloaded",
    529: "overloaded",
}
_CLASSES = {1: "not-anthropic", 2: "not-anthropic", 4: "request-refused"}  # by the first digit
_LATER = "try again later"
_PATH_HINT = "check ANTHROPIC_BASE_URL, to which Claude Code adds /v1/messages"
_SAYS: dict[str, tuple[str, str | None]] = {
    "key-rejected": ("rejected the key", "check the key"),
    "balance-used-up": ("says that balance, credits or membership are used up", "pay in at the provider"),
    "usage-limit-reached": ("says that the limit of the plan is reached", "wait, or use another profile"),
    "not-permitted": ("does not permit this", None),
    "model-unknown": ("does not serve the model {model} to this key", "check the name of the model"),
    "path-unknown": ("has no Messages API at this path", _PATH_HINT),
    "rate-limited": ("takes no more requests for now", _LATER),
    "overloaded": ("is overloaded or out of service for now", _LATER),
    "endpoint-failed": ("failed on its own side", _LATER),
    "request-refused": ("refused the request", None),
    "not-anthropic": ("answered, but not as the Messages API does", _PATH_HINT),
}
_PASSING = {"usage-limit-reached", "rate-limited", "overloaded", "endpoint-failed"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the request.

    Attributes:
        status: HTTP status that the endpoint answered with; ``None`` if it did not, or was not asked.
        name: Stable identifier for scripts: ``fine``, ``key-rejected``, ``balance-used-up``,
            ``usage-limit-reached``, ``not-permitted``, ``model-unknown``, ``path-unknown``, ``rate-limited``,
            ``overloaded``, ``endpoint-failed``, ``request-refused``, ``redirected``, ``not-anthropic``,
            ``cut-off``, ``timed-out``. Without a status: ``timed-out``, ``name-unknown``, ``refused``,
            ``unreachable``, ``tls-failed``, ``closed``, ``not-http``, ``too-long``, ``proxy-failed``. Where
            nothing was sent: ``url-invalid``, ``header-invalid``, ``insecure``, ``proxy-invalid``,
            ``proxied-in-clear``.
        message: One sentence, without secret and without anything that could steer a terminal.
        remedy: What to do about it, or ``None``.
        seconds: How long it took.
        wait_s: How long the endpoint says to wait, at most 31 days; ``None`` if it does not say.
    """

    status: int | None
    name: str
    message: str
    remedy: str | None
    seconds: float
    wait_s: float | None = None

    @property
    def is_reachable(self) -> bool:
        """Whether the endpoint answered at all, be it with an error."""
        return self.status is not None

    @property
    def is_passing(self) -> bool:
        """Whether the same request may be answered later."""
        return self.name in _PASSING


def explain(reply: Reply, url: str, given: Mapping[str, str], model: str, *, seconds: float) -> Answer:
    """What ``reply`` means.

    Args:
        reply: To a request for the Messages API.
        url: That was asked.
        given: The headers that were sent, credentials among them, by their names in small letters.
        model: That was asked for.
        seconds: How long it took.
    """
    wait_s = _wait_s(reply.headers)
    document = reply.document()
    is_fine = isinstance(document, dict) and document.get("type") == "message"
    if reply.status in range(300, 400):
        remedy = "if you trust that place, name it in ANTHROPIC_BASE_URL"
        name, message = "redirected", _redirect(reply, url, given)
    elif reply.status in range(200, 300) and is_fine:
        name, message, remedy = "fine", f"{reply.host} answered as the Messages API does", None
    elif reply.status in range(200, 300) and reply.broken_by is not None:
        what = f"began to answer (HTTP {reply.status}) and did not finish"
        name, message, remedy = reply.broken_by, f"{reply.host} {what}", _LATER
    else:
        kinds, words = _error_in(document)
        name = _name(reply.status, kinds, words)
        more, remedy = _advice(name, url, given, model)
        says = _SAYS[name][0].format(model=_quoted(model, given))
        quote = f': "{_quoted(words, given)}"' if words else ""
        message = f"{reply.host} {says} (HTTP {reply.status}){more}{quote}"
    if wait_s is not None and name in _PASSING:
        remedy = f"try again in {_duration(wait_s)}"
    return Answer(reply.status, name, message, remedy, seconds, wait_s)


def key_in(headers: Mapping[str, str]) -> str:
    """The key that ``headers`` hold, as a bearer token or else as ``x-api-key``; empty if none."""
    given = {name.lower(): value for name, value in headers.items()}
    scheme, _, key = given.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else given.get("x-api-key", "").strip()


def _redirect(reply: Reply, url: str, given: Mapping[str, str]) -> str:
    try:
        target = urlsplit(urljoin(url, reply.headers.get("location", ""))).hostname or ""
    except ValueError:
        target = ""
    where = "another place of its own" if target == reply.host else _quoted(target, given) or "nowhere"
    what = f"redirects to {where} (HTTP {reply.status})"
    return f"{reply.host} {what}; not followed, because the key would go along"


def _error_in(document: object) -> tuple[tuple[str, ...], str]:
    """Types and codes, and the words, of the error in an answer, in the styles that are known."""
    if not isinstance(document, dict):
        return (), ""
    minimax = document.get("base_resp")
    if isinstance(minimax, dict):
        return (f"base_resp-{minimax.get('status_code')}",), str(minimax.get("status_msg") or "")
    error = document.get("error")
    if not isinstance(error, dict):
        # {"error": "words"}, or all at the top, as DashScope has it
        error = {"message": error, **document} if isinstance(error, str) else document
    words = error.get("message") or error.get("msg")
    kinds = tuple(kind for kind in (error.get("type"), error.get("code")) if isinstance(kind, str))
    return kinds, words if isinstance(words, str) else ""


def _name(status: int, kinds: tuple[str, ...], words: str) -> str:
    words = words[:_MOST_EXAMINED]
    phrases = (name for name, phrase in _PHRASES.items() if re.search(phrase, words, re.IGNORECASE))
    meanings = (_MEANINGS[kind] for kind in kinds if kind in _MEANINGS)
    by_status = _STATUSES.get(status) or _CLASSES.get(status // 100, "endpoint-failed")
    said = next(phrases, None) or next(meanings, None) or by_status
    if said == "path-unknown" and re.search(r"\bmodel\b", words, re.IGNORECASE):
        return "model-unknown"
    return said


def _advice(name: str, url: str, given: Mapping[str, str], model: str) -> tuple[str, str | None]:
    """What the catalogue has to say beside the endpoint's own words, and what to do."""
    catalogue = read_catalogue()
    provider = catalogue.provider_at(url)
    remedy = _SAYS[name][1]
    if name == "key-rejected":
        return _about_key(key_in(given), provider, catalogue)
    if name == "balance-used-up" and provider is not None and provider.console is not None:
        remedy = f"see {provider.console}"
    if name == "path-unknown" and provider is None and catalogue.providers_of_host(url):
        known = dict.fromkeys(entry.base_url for entry in catalogue.providers_of_host(url))
        remedy = f"let ANTHROPIC_BASE_URL be {' or '.join(known)}"
    if name == "model-unknown":
        listed = catalogue.model(model)
        instead = (listed and listed.successor) or (provider and provider.models.get("default"))
        remedy = f"use {instead}" if instead and instead != model else remedy
    return "", remedy


def _about_key(key: str, provider: Provider | None, catalogue: Catalogue) -> tuple[str, str | None]:
    if not key:
        return ", for none was sent", "give the profile a key: auth.token"
    if provider is None:
        return "", "check the key"
    anew = f"make a new key at {provider.console}" if provider.console else "make a new key"
    prefix = catalogue.longest_prefix(key)
    # "sk-" begins the keys of many providers, and so tells nothing.
    if prefix not in {None, "sk-", provider.key_prefix}:
        owners = [owner.id for owner in catalogue.providers.values() if owner.key_prefix == prefix]
        return f"; it begins with {prefix} and is one of {' or '.join(owners)}", anew
    twin = catalogue.providers.get(provider.region_twin or "")
    if twin is None:
        return "", anew
    there = urlsplit(twin.base_url).hostname
    return (
        f"; a key made for {there} is not accepted here, nor the other way round",
        f"if this one was made for {there}, use the provider {twin.id}; else {anew}",
    )


def _quoted(text: str, given: Mapping[str, str]) -> str:
    """What the server, or somebody else, wrote: without what was sent, harmless and short."""
    text = text[:_MOST_EXAMINED]
    parts = {part for value in given.values() for part in (value, *value.split())}
    for part in sorted(parts, key=lambda part: (-len(part), part)):
        start, end = re.escape(part[:_KNOWN_BY]), re.escape(part[-_KNOWN_BY:])
        if len(part) >= 2 * _KNOWN_BY:
            text = re.sub(rf"{start}[^\s\"'<>]*|[^\s\"'<>]*{end}", "…", text, flags=re.IGNORECASE)
        elif len(part) >= _KNOWN_BY // 2 and part.lower() != "bearer":
            text = re.sub(re.escape(part), "…", text, flags=re.IGNORECASE)
    text = visible(" ".join(without_tokens(text).split()))
    return text if len(text) <= _MOST_QUOTED else f"{text[: _MOST_QUOTED - 1]}…"


def _wait_s(headers: Mapping[str, str]) -> float | None:
    """How long to wait, as Anthropic's own library reads it: milliseconds, seconds or a date."""
    from email.utils import parsedate_to_datetime

    in_ms, given = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    if _SECONDS.fullmatch(in_ms):
        seconds = float(in_ms) / 1000
    elif _SECONDS.fullmatch(given):
        seconds = float(given)
    else:
        try:
            until = parsedate_to_datetime(given)
            seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), _MOST_WAIT_S)


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1), ("min", 60), ("h", 3600)):
        if seconds <= 120 * size:
            return f"{math.ceil(seconds / size)} {unit}"
    return f"{math.ceil(seconds / 86400)} days"
