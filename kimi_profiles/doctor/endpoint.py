"""Whether requests arrive where they should: the base URL, the way there, and what takes its place."""

from __future__ import annotations

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.claude import environment_notices
from kimi_profiles.doctor.finding import Finding, file_place
from kimi_profiles.endpoint import check_base_url, profile_notices
from kimi_profiles.errors import EndpointError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kimi_profiles.doctor.finding import Severity
    from kimi_profiles.doctor.patient import Patient

__all__ = ["CHECKS", "client_environment"]

_URL = "ANTHROPIC_BASE_URL"
_TLS = "NODE_TLS_REJECT_UNAUTHORIZED"
_CLOUD = "CLAUDE_CODE_USE_"
_OFF = {"", "0", "false", "no", "off"}
_NOT_IN_ENVIRONMENT = {"model", "apiKeyHelper", "primaryApiKey"}


def base_url(patient: Patient) -> Iterator[Finding]:
    """A base URL that cannot work with Claude Code, or that sends the key unencrypted."""
    if not patient.base_url:
        return
    try:
        check_base_url(patient.base_url)
    except EndpointError as error:
        # A hint may have the rest of the URL in it, and some gateways have the key in their path.
        is_said = error.hint and (
            "://" not in error.hint or read_catalogue().providers_of_host(patient.base_url)
        )
        message = f"{error.message}; {error.hint}" if is_said else error.message
        yield Finding("base-url-invalid", "error", message, patient.place(_URL), patient.undo(_URL))


def region(patient: Patient) -> Iterator[Finding]:
    """The applied profile names the provider of one region and the endpoint of the other."""
    for notice in profile_notices(patient.profile) if patient.profile else ():
        if notice.name == "endpoint-of-other-provider":
            place = None if patient.store is None else file_place(patient.store)
            yield Finding("region-mixed", "warning", f"{notice.message}; {notice.hint}", place)


def nothing_sent(patient: Patient) -> Iterator[Finding]:
    """Something keeps requests from the endpoint that somebody wants them to go to."""
    is_told = any(layer.ignored and layer.ignored.is_fatal for layer in patient.survey.effective.layers)
    if patient.request.obstacle is None or is_told or patient.wanted_host is None:
        return
    cloud = next((name for name in _clouds(patient) if patient.text(name).lower() not in _OFF), None)
    message = f"nothing is sent to {patient.wanted_host}: {patient.request.obstacle}"
    if patient.platform == "darwin" and not patient.request.credentials:
        message += "; a claude.ai login in the keychain, which is not looked at, would be sent there"
    place = patient.place(cloud or _URL)
    yield Finding(
        "nothing-sent", "error", message, place, patient.undo(cloud) if cloud else patient.apply_again
    )


def _clouds(patient: Patient) -> list[str]:
    return [name for name in patient.effective.names() if name.startswith(_CLOUD)]


def environment_wins(patient: Patient) -> Iterator[Finding]:
    """Variables of the process against which no settings file helps."""
    for notice in environment_notices(patient.env):
        name = notice.message.partition(" ")[0]
        severity: Severity = "warning" if patient.wanted_host is None else "error"
        place = patient.export_place(name)
        yield Finding("environment-wins", severity, notice.message, place, patient.unset(name))


def client_environment(patient: Patient) -> Mapping[str, str]:
    """The environment as Claude Code has it once it has read its settings."""
    env = dict(patient.env)
    for layer in reversed(patient.effective.layers):
        if layer.path is not None:
            env |= {name: value for name, value in layer.values.items() if name not in _NOT_IN_ENVIRONMENT}
    return env


def proxy(patient: Patient) -> Iterator[Finding]:
    """A proxy between here and the endpoint; for one on this machine it is always wrong."""
    from kimi_profiles.online import proxy_for

    url, env = patient.request.url, client_environment(patient)
    found = None if url is None else proxy_for(url, env)
    if url is None or found is None:
        return
    rest = {name: env[name] for name in ("no_proxy", "NO_PROXY") if name in env}
    name = next(name for name in env if proxy_for(url, {**rest, name: env[name]}) == found)
    host = patient.host.partition(":")[0]
    place = _env_place(patient, name)
    if url.startswith("http:"):
        message = f"{name} sends what is meant for {host}, key and all, to the proxy {found}"
        remedy = f'export NO_PROXY="${{NO_PROXY:+$NO_PROXY,}}{host}"'
        yield Finding("proxy-catches-endpoint", "error", message, place, remedy)
    else:
        message = f"requests to {host} go through the proxy {found}, which sees where to, and not what"
        yield Finding("proxy-in-between", "info", message, place)


def unverified_tls(patient: Patient) -> Iterator[Finding]:
    """With certificates unchecked, whoever sits on the way reads the key."""
    if client_environment(patient).get(_TLS) == "0":
        message = f"{_TLS}=0: anybody on the way to {patient.host} can read the key"
        layer = patient.winner(_TLS)
        remedy = patient.unset(_TLS) if layer is None or layer.path is None else None
        yield Finding("tls-not-verified", "error", message, _env_place(patient, _TLS), remedy)


def _env_place(patient: Patient, name: str) -> str:
    """Of a variable that may be none of Claude Code's own."""
    layer = patient.winner(name)
    return patient.export_place(name) if layer is None else patient.place(name) or f"${name}"


CHECKS = (base_url, region, nothing_sent, environment_wins, proxy, unverified_tls)
