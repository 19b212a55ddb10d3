"""Which credentials go where, and whether they belong there."""

from __future__ import annotations

import re

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.doctor.finding import Finding, file_place, value_place
from kimi_profiles.doctor.patient import host_of
from kimi_profiles.endpoint import check_token
from kimi_profiles.errors import EndpointError, TokenUnavailableError
from kimi_profiles.secrets import Secret, holds_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kimi_profiles.doctor.finding import Severity
    from kimi_profiles.doctor.patient import Patient
    from kimi_profiles.request import Credential
    from kimi_profiles.shellrc import Setting

__all__ = ["CHECKS"]

_KEY, _TOKEN, _URL = "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"
_OAUTH, _CUSTOM, _LOGIN = "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS", "claude.ai login"
_EXPORTED = {
    _KEY: "shell-api-key",
    _TOKEN: "shell-auth-token",
    _URL: "shell-base-url",
    "ANTHROPIC_MODEL": "shell-model",
}
_UNSET = {"fish": "set -e {}", "csh": "unsetenv {}", "powershell": "Remove-Item Env:{}"}
_NOT_EXPANDED = re.compile(r"\$(?:\{\w+\}|\w+)")
_NOT_TEXT = {"null", "undefined", "[object Object]"}


def exported_variables(patient: Patient) -> Iterator[Finding]:
    """A variable from the shell reaches every program, and only settings keep Claude Code from it."""
    for name, finding in _EXPORTED.items():
        found = [line for line in patient.exports if line.name == name]
        lines = [line for line in found if line.is_exported and not line.is_empty]
        is_here = bool(patient.env.get(name, "").strip())
        what = _exported_meaning(patient, name, is_here=is_here)
        severity = _exported_severity(patient, name)
        for line in lines:
            where = f"{name} is exported here{what}"
            yield Finding(
                finding, severity, where, file_place(line.path, line.line), _unset(patient, name, line)
            )
        if is_here and not lines:
            where = f"{name} is set in this environment, by no start-up file of a shell that is known{what}"
            yield Finding(finding, severity, where, f"${name}", patient.unset(name))


def _exported_severity(patient: Patient, name: str) -> Severity:
    layer = patient.winner(name)
    if (layer is not None and layer.name != "process") or _is_set_up_in_shell(patient):
        return "info"
    rides_along = name in {_KEY, _TOKEN} and len(_distinct(patient)) > 1
    breaks = patient.applied is not None and name != "ANTHROPIC_MODEL"
    return "error" if rides_along or breaks else "warning"


def _is_set_up_in_shell(patient: Patient) -> bool:
    """Whether the user goes by variables alone, and they agree with each other."""
    layers = {layer.name for name in _EXPORTED if (layer := patient.winner(name)) is not None}
    return patient.applied is None and layers <= {"process"} and len(_distinct(patient)) <= 1


def _exported_meaning(patient: Patient, name: str, *, is_here: bool) -> str:
    layer = patient.winner(name)
    if layer is not None and layer.name != "process":
        return f"; Claude Code goes by {value_place(layer, name)} instead"
    is_meant = _is_set_up_in_shell(patient)
    if not is_here:
        advice = "" if is_meant else "; remove the line"
        return f", though not in this shell yet: a new one has it, and Claude Code obeys{advice}"
    if is_meant:
        return ", and Claude Code goes by it"
    if name in {credential.source for credential in patient.request.credentials}:
        return f", and Claude Code sends it to {patient.host}; remove the line that does it"
    return ", and Claude Code obeys it; remove the line that does it"


def _unset(patient: Patient, name: str, line: Setting) -> str:
    if line.path.name == "fish_variables":
        return f"set -eU {name}"
    return _UNSET[line.shell].format(name) if line.shell in _UNSET else patient.unset(name)


def _distinct(patient: Patient) -> dict[str, Credential]:
    """One credential for each value, without headers of the user's own."""
    return {
        credential.source if credential.value is None else credential.value: credential
        for credential in patient.request.credentials
        if credential.source != _CUSTOM
    }


def both_credentials(patient: Patient) -> Iterator[Finding]:
    """Two different credentials in one request: one of them is not for this endpoint."""
    sent = list(_distinct(patient).values())
    if len(sent) <= 1:
        return
    url = patient.winner(_URL)
    home = patient.holder if patient.applied else str(url.path if url else None)
    strangers = [credential for credential in sent if str(credential.path) != home]
    stranger = (strangers or sent)[-1]
    named = " and ".join(f"{credential.source} as {credential.header}" for credential in sent)
    yield Finding(
        "both-credentials",
        "error" if patient.goes_elsewhere else "warning",
        f"Claude Code sends {len(sent)} different credentials to {patient.host}: {named}",
        patient.credential_place(stranger),
        patient.undo(stranger.source),
    )


def console_login(patient: Patient) -> Iterator[Finding]:
    """The key that a Console login left is sent beside a token."""
    sources = {credential.source for credential in patient.request.credentials}
    if "primaryApiKey" in sources and patient.goes_elsewhere:
        message = f"the key of the login at Anthropic's Console is sent to {patient.host}"
        remedy = patient.apply_again or patient.undo("primaryApiKey")
        if patient.profile is not None and not patient.profile.detach_login:
            remedy = "claude /logout"
        yield Finding("console-login", "error", message, patient.place("primaryApiKey"), remedy)


def login_token(patient: Patient) -> Iterator[Finding]:
    """Without a credential of its own, a foreign endpoint gets the token of the claude.ai login."""
    for credential in patient.request.credentials:
        is_login = credential.source == _LOGIN
        is_token = credential.source == _OAUTH and (credential.value or "").startswith("sk-ant-")
        if not patient.goes_elsewhere or not (is_login or is_token):
            continue
        place, remedy = patient.credential_place(credential), "claude /logout"
        if is_token or patient.env.get("CLAUDE_CODE_REMOTE"):
            name = "CLAUDE_CODE_REMOTE" if is_login else _OAUTH
            place, remedy = patient.place(name), patient.undo(name) or remedy
        elif patient.apply_again is not None:
            remedy = patient.apply_again
        message = f"the token of the claude.ai login is sent to {patient.host}, which is not Anthropic"
        yield Finding("login-token-sent", "error", message, place, remedy)


def custom_headers(patient: Patient) -> Iterator[Finding]:
    """A header with a credential that another place adds than the one that names the endpoint."""
    url = patient.winner(_URL)
    for credential in patient.request.credentials:
        if credential.source == _CUSTOM and patient.goes_elsewhere and url and credential.path != url.path:
            message = f"{_CUSTOM} adds the header {credential.header} to what is sent to {patient.host}"
            yield Finding(
                "custom-header-credential", "error", message, patient.place(_CUSTOM), patient.undo(_CUSTOM)
            )


def foreign_key(patient: Patient) -> Iterator[Finding]:
    """A key that visibly belongs to another endpoint, or is no key at all."""
    for credential in patient.request.credentials:
        if credential.value is None or credential.source in {_LOGIN, _OAUTH, "primaryApiKey"}:
            continue
        if not _is_literal(credential.value):
            continue  # told by values_not_meant
        place = patient.credential_place(credential)
        try:
            secret = Secret(credential.value, source=credential.source)
            if patient.base_url and host_of(patient.base_url) is not None:
                check_token(patient.base_url, secret)
        except TokenUnavailableError as error:
            yield Finding("key-malformed", "error", error.message, place, patient.undo(credential.source))
        except EndpointError as error:
            hint = f"; {error.hint}" if error.hint else ""
            message, remedy = f"{credential.source}: {error.message}{hint}", patient.undo(credential.source)
            yield Finding("key-elsewhere", "error", message, place, remedy)


def key_for_other_endpoint(patient: Patient) -> Iterator[Finding]:
    """A credential whose own file, or shell, names another endpoint than the one that it goes to."""
    catalogue = read_catalogue()
    for credential in patient.request.credentials:
        layer = patient.winner(credential.source)
        meant = "" if layer is None else layer.values.get(_URL, "").strip()
        if not meant or host_of(meant) == host_of(patient.base_url):
            continue
        here, there = patient.provider, catalogue.provider_at(meant)
        is_twin = here is not None and there is not None and here.region_twin == there.id
        message = (
            f"{credential.source} goes to {patient.host}, but it comes with {host_of(meant)}"
            + ("; the keys of one region are not accepted in the other" if is_twin else "")
            + f". What decides the endpoint is {patient.place(_URL)}"
        )
        name = "region-mixed" if is_twin else "key-for-other-endpoint"
        yield Finding(name, "error", message, patient.credential_place(credential), patient.undo(_URL))


def key_to_anthropic(patient: Patient) -> Iterator[Finding]:
    """The older version reports to Anthropic with whatever key it has."""
    is_sent = any(credential.source == _KEY for credential in patient.request.credentials)
    if is_sent and patient.goes_elsewhere and not patient.survey.rules.is_newer:
        version = patient.survey.rules.version
        message = (
            f"Claude Code {version} sends the value of {_KEY} to api.anthropic.com too, with its metrics"
        )
        yield Finding("key-to-anthropic", "warning", message, patient.place(_KEY), "claude update")


def project_endpoint(patient: Patient) -> Iterator[Finding]:
    """A project that anybody may have written decides where the user's own credential goes."""
    url = patient.winner(_URL)
    if patient.applied is not None or url is None or url.name != "project" or not patient.goes_elsewhere:
        return
    for credential in patient.request.credentials:
        if credential.path != url.path:
            message = f"this project's settings send {credential.source} to {patient.host}"
            yield Finding("endpoint-from-project", "warning", message, patient.place(_URL))


def values_not_meant(patient: Patient) -> Iterator[Finding]:
    """Claude Code expands no variables, and null is the word null."""
    for name in (_URL, _TOKEN, _KEY, "ANTHROPIC_MODEL", "model"):
        value = patient.text(name)
        if value and not _is_literal(value):
            what = "the word that JSON's null becomes" if value in _NOT_TEXT else "a reference to a variable"
            message = f"the value of {name} is {what}; Claude Code sends it as it stands"
            yield Finding("value-not-meant", "error", message, patient.place(name), patient.undo(name))


def _is_literal(value: str) -> bool:
    return value not in _NOT_TEXT and _NOT_EXPANDED.fullmatch(value) is None


def helper_token(patient: Patient) -> Iterator[Finding]:
    """Our own helper has a token to give, and it is one for this endpoint."""
    token, profile = patient.helper_token, patient.profile
    if token is None or profile is None:
        return
    place = None if patient.store is None else file_place(patient.store)
    if not isinstance(token, Secret):
        message = f"the helper of profile {profile.name} has no token to give: {token.message}"
        yield Finding("token-unavailable", "error", message, place)
        return
    try:
        check_token(profile.base_url, token)
    except EndpointError as error:
        yield Finding("key-elsewhere", "error", f"profile {profile.name}: {error.message}", place)


def helper_command(patient: Patient) -> Iterator[Finding]:
    """The helper can be run, by nobody else's will, and does not show its key to every process."""
    place, layer = patient.place("apiKeyHelper"), patient.winner("apiKeyHelper")
    if layer is not None and layer.name == "project" and str(layer.path) != patient.holder:
        message = "this project's settings decide which program is run to get a key"
        yield Finding("helper-from-project", "warning", message, place)
    if patient.helper is not None and patient.helper.path is None:
        message = "the program of apiKeyHelper is not there, or may not be run"
        yield Finding("helper-missing", "error", message, place, patient.undo("apiKeyHelper"))
    if holds_token(patient.text("apiKeyHelper")):
        message = "there is a key in the command line of apiKeyHelper, where every process can read it"
        yield Finding("helper-shows-key", "warning", message, place)


CHECKS = (
    exported_variables,
    both_credentials,
    console_login,
    login_token,
    custom_headers,
    foreign_key,
    key_for_other_endpoint,
    key_to_anthropic,
    project_endpoint,
    values_not_meant,
    helper_token,
    helper_command,
)
