"""Can this base URL work, and does this token belong there? Answered offline, before anything is written."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.errors import EndpointError, Notice
from kimi_profiles.loopback import is_loopback
from kimi_profiles.patterns import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kimi_profiles.catalogue import Catalogue, Model, Provider
    from kimi_profiles.profile import Profile
    from kimi_profiles.secrets import Secret

__all__ = ["check_base_url", "check_token", "profile_notices"]

_URL = pattern(r"[\x21-\x7e]+")
_NETLOC = pattern(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d*)?")
_VERSION_SUFFIX = pattern(r"/v\d+(/(messages|chat/completions))?/*\Z")
_FIRST_PARTY_PREFIX = "sk-ant-"
_ANYBODYS_PREFIX = "sk-"  # begins the keys of many providers, so it tells nothing about whose key it is


def check_base_url(url: str) -> None:
    """Refuse a base URL that cannot work with Claude Code, or that would send the token in clear.

    Raises:
        EndpointError: Not an https URL (http is for this machine only); a user, query or fragment in it;
            ``/v1`` at its end, which the client adds by itself; or a known host without the path that speaks
            Anthropic's protocol.
    """
    parts = _split(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise EndpointError(
            "the base URL would send the token unencrypted",
            hint="use https; http is accepted for this machine only (localhost, 127.0.0.1, [::1])",
        )
    suffix = _VERSION_SUFFIX.search(parts.path)
    catalogue = read_catalogue()
    known = catalogue.providers_of_host(url)
    urls = " or ".join(dict.fromkeys(provider.base_url for provider in known))
    if suffix:
        shorter = url.rstrip("/")[: -len(suffix[0].rstrip("/"))]
        raise EndpointError(
            f"Claude Code itself adds /v1/messages to the base URL: {suffix[0]!r} at its end leads nowhere",
            hint=f"use {urls or shorter}",
        )
    if known and catalogue.provider_at(url) is None:
        raise EndpointError(
            f"{parts.hostname} does not speak Anthropic's protocol at this path", hint=f"use {urls}"
        )


def check_token(base_url: str, token: Secret) -> None:
    """Refuse a token that visibly belongs to somebody else than the endpoint.

    Raises:
        EndpointError: A known endpoint whose keys begin differently, or a known key prefix of another one.
    """
    catalogue = read_catalogue()
    provider = catalogue.provider_at(base_url)
    value = token.reveal()
    host = (urlsplit(base_url).hostname or "").removesuffix(".")
    if is_loopback(host):
        return
    if value.startswith(_FIRST_PARTY_PREFIX) and not f".{host}".endswith(".anthropic.com"):
        raise EndpointError(
            f"the token is a key of Anthropic's ({_FIRST_PARTY_PREFIX}…) and does not belong at {host}",
            hint="let auth.token name the variable that holds this provider's key",
        )
    prefix = catalogue.longest_prefix(value)
    if provider is None or prefix == provider.key_prefix:
        return
    owners = sorted(p.base_url for p in catalogue.providers.values() if p.key_prefix == prefix)
    if prefix not in {None, _ANYBODYS_PREFIX}:
        raise EndpointError(
            f"the token begins with {prefix!r}: it is a key for {' or '.join(owners)}, not for {host}",
            hint="choose the provider whose key this is, or give this one its own key",
        )
    if provider.key_prefix is not None and not value.startswith(provider.key_prefix):
        raise EndpointError(
            f"keys for {host} begin with {provider.key_prefix!r}, and this token does not",
            hint=f"keys are made at {provider.console}" if provider.console else None,
        )


def profile_notices(profile: Profile) -> list[Notice]:
    """What is odd about a profile without being wrong: regions, retired or foreign models, unmapped tiers."""
    catalogue = read_catalogue()
    return [*_region_notices(profile, catalogue), *_model_notices(profile, catalogue)]


def _region_notices(profile: Profile, catalogue: Catalogue) -> list[Notice]:
    named = catalogue.providers.get(profile.provider or "")
    there = catalogue.provider_at(profile.base_url)
    if named is None or there is None or named.id == there.id:
        return []
    return [
        Notice(
            "endpoint-of-other-provider",
            f"profile {profile.name} names provider {named.id}, but its base URL is that of {there.id}; "
            "a key of the one is not accepted by the other",
            f'set provider = "{there.id}", and give it a key of its own',
        )
    ]


def _model_notices(profile: Profile, catalogue: Catalogue) -> list[Notice]:
    here = catalogue.provider_at(profile.base_url)
    if not profile.models:
        return [
            Notice(
                "models-unmapped",
                f"profile {profile.name} maps no models: Claude Code will ask the endpoint for its own names",
                "set models.default",
            )
        ]
    notices = []
    for model_id in dict.fromkeys(profile.models.values()):
        model = catalogue.model(model_id)
        if model is not None:
            notices += _model_notice(model_id, model, here)
    return notices


def _model_notice(model_id: str, model: Model, here: Provider | None) -> list[Notice]:
    instead = f"use {model.successor}" if model.successor else None
    if model.status == "retired":
        since = f" since {model.retired_on}" if model.retired_on else ""
        return [Notice("model-retired", f"{model_id} is retired{since}", instead)]
    if here is not None and here.id not in model.providers:
        offered = " and ".join(model.providers)
        return [Notice("model-elsewhere", f"{model_id} is a model of {offered}, not of {here.id}", None)]
    if model.status == "legacy":
        return [Notice("model-legacy", f"{model_id} is no longer listed by its provider", instead)]
    return []


def _split(url: str) -> SplitResult:
    if _URL.fullmatch(url) is None:
        raise EndpointError("the base URL holds a blank, a control character or a character outside ASCII")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise EndpointError("the base URL is not a URL") from None
    if parts.scheme not in {"https", "http"} or not parts.hostname or _NETLOC.fullmatch(parts.netloc) is None:
        if "@" in parts.netloc:
            raise EndpointError(
                "the base URL holds a user name or password", hint="a token belongs into auth.token"
            )
        raise EndpointError("the base URL must be of the form https://host/path")
    if "?" in url or "#" in url:
        raise EndpointError(
            "the base URL holds a query or a fragment, which the client turns into a wrong path"
        )
    return parts
