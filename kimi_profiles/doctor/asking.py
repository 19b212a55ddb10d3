"""Ask the endpoint, once, with what Claude Code would send; and its provider for the balance."""

from __future__ import annotations

from kimi_profiles.doctor.endpoint import client_environment
from kimi_profiles.doctor.finding import Finding
from kimi_profiles.secrets import Secret
from kimi_profiles.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

    from kimi_profiles.doctor.finding import Severity
    from kimi_profiles.doctor.patient import Patient
    from kimi_profiles.online import Answer, Balance
    from kimi_profiles.request import Credential
    from kimi_profiles.status import Drifted

__all__ = ["Asked", "ask_endpoint"]

_TIMEOUT_S = 20.0
_CUSTOM = "ANTHROPIC_CUSTOM_HEADERS"
_LOGINS = {"claude.ai login", "CLAUDE_CODE_OAUTH_TOKEN"}
# What is asked for where nobody chose a model; measured.
_OWN_CHOICE = {True: "claude-opus-5-5", False: "claude-sonnet-4-5-20250929"}  # newer, older
# Where a credential does not belong, we do not send it either.
_LEAKS = {
    "base-url-invalid",
    "both-credentials",
    "console-login",
    "custom-header-credential",
    "endpoint-from-project",
    "key-elsewhere",
    "key-for-other-endpoint",
    "key-malformed",
    "login-token-sent",
    "tls-not-verified",
    "value-not-meant",
}
# Nobody was asked, because of what is said here and not because of what is there.
_NOT_TRIED = {"url-invalid", "header-invalid", "insecure", "proxy-invalid", "proxied-in-clear"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of it.

    Attributes:
        findings: What to tell.
        is_unreachable: Whether the endpoint was asked and did not answer.
        facts: For scripts; ``None`` where nobody was asked.
    """

    findings: tuple[Finding, ...]
    is_unreachable: bool = False
    facts: dict[str, Any] | None = None


def ask_endpoint(patient: Patient, findings: Collection[Finding]) -> Asked:
    """One request with one token in its answer, and one for the balance where the provider tells it.

    Args:
        patient: What was read.
        findings: What is wrong: where that would give a key away, nobody is asked.
    """
    from kimi_profiles.online import ask, ask_balance

    url = patient.request.url
    reason = _why_not(patient, findings)
    if url is None or reason is not None:
        message = f"{patient.host} was not asked: {reason or patient.request.obstacle}"
        return Asked((Finding("online-not-asked", "warning", message),))
    headers, env = _headers(patient), client_environment(patient)
    model = patient.request.model.id or _OWN_CHOICE[patient.survey.rules.is_newer]
    answer = ask(url, headers=headers, model=model, timeout_s=_TIMEOUT_S, env=env)
    found = [_explained(answer)]
    balance = None
    if answer.is_reachable and answer.name != "key-rejected":
        balance = ask_balance(url, headers=headers, timeout_s=_TIMEOUT_S, env=env)
    if balance is not None:
        found.append(_account(balance))
    is_unreachable = not answer.is_reachable and answer.name not in _NOT_TRIED
    return Asked(tuple(found), is_unreachable, _facts(answer, balance))


def _why_not(patient: Patient, findings: Collection[Finding]) -> str | None:
    leaks = [each.name for each in findings if each.name in _LEAKS]
    if any(each.pointer == "/env/ANTHROPIC_BASE_URL" for each in _drift(patient)):
        leaks.append("drift")
    if leaks:
        return f"that would send a key where it does not belong ({', '.join(dict.fromkeys(leaks))})"
    if patient.request.obstacle is not None:
        return patient.request.obstacle
    for credential in patient.request.credentials:
        if credential.source in _LOGINS:
            return "a claude.ai login works in Claude Code alone"
        if credential.value is None and _value(patient, credential) is None:
            return "the credential comes from a helper, and no helper or token command is run here"
    return None


def _headers(patient: Patient) -> dict[str, str]:
    """The user's own headers, and over them the credentials."""
    headers: dict[str, str] = {}
    for line in patient.text(_CUSTOM).splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers[name.strip().lower()] = value.strip()
    for credential in patient.request.credentials:
        if credential.source != _CUSTOM:
            value = _value(patient, credential) or ""
            is_bearer = credential.header == "authorization"
            headers[credential.header] = f"Bearer {value}" if is_bearer else value
    return headers


def _value(patient: Patient, credential: Credential) -> str | None:
    """What a header holds; of a helper only what our own one gives, while its command line is ours."""
    if credential.value is not None:
        return credential.value
    token = patient.helper_token
    is_ours = str(credential.path) == patient.holder and patient.status is not None
    is_changed = any(each.pointer == "/apiKeyHelper" for each in _drift(patient))
    return token.reveal() if isinstance(token, Secret) and is_ours and not is_changed else None


def _drift(patient: Patient) -> Sequence[Drifted]:
    return patient.status.drift if patient.status else ()


def _explained(answer: Answer) -> Finding:
    severity: Severity = "error"
    if answer.name == "fine":
        severity = "info"
    elif answer.is_passing:
        severity = "warning"
    message = f"{answer.message} ({answer.seconds:.1f} s)"
    if answer.remedy is not None:
        message += f"; {answer.remedy}"
    return Finding(f"online-{answer.name}", severity, message)


def _account(balance: Balance) -> Finding:
    if not balance.amounts:
        return Finding("online-balance", "info", f"the balance is not known: {balance.why_not}")
    amounts = " and ".join(f"{amount:.2f} {currency}" for currency, amount in balance.amounts.items())
    is_empty = all(amount <= 0 for amount in balance.amounts.values())
    return Finding("online-balance", "warning" if is_empty else "info", f"{amounts} left on the account")


def _facts(answer: Answer, balance: Balance | None) -> dict[str, Any]:
    amounts = {} if balance is None else {name: str(amount) for name, amount in balance.amounts.items()}
    return {
        "name": answer.name,
        "status": answer.status,
        "seconds": round(answer.seconds, 3),
        "wait_s": answer.wait_s,
        "balance": amounts or None,
    }
