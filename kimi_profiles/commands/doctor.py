"""What is wrong, where, and what to type against it. Nothing is changed, and no helper is run.

Exit status 4 if any finding is an error. With --online one small request goes to the endpoint, with the
credential that Claude Code would send; the exit status is 69 if it cannot be reached.

  kimi-profiles doctor
  kimi-profiles doctor --scope local
"""

from __future__ import annotations

from kimi_profiles.doctor import Finding, examine, read_patient, settled
from kimi_profiles.doctor.finding import masked
from kimi_profiles.screen import display_width, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from kimi_profiles.call import Call
    from kimi_profiles.doctor.asking import Asked
    from kimi_profiles.doctor.patient import Patient
    from kimi_profiles.screen import Segment, Style

_FOUND, _UNREACHABLE = 4, 69
_STYLES: dict[str, Style] = {"error": "bad", "warning": "change", "info": "dim"}
_INDENT = " " * 9
_FINE = "nothing wrong"
# Of these the last line tells.
_ABOUT_CLIENT = {"client-missing", "client-not-measured"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--online", action="store_true", help="also ask the endpoint, once")
    parser.add_argument(
        "--flag-settings", metavar="FILE", help="what if Claude Code were started with --settings FILE"
    )


def run(call: Call) -> int:
    """Examine, and tell."""
    flag_settings = call.path("--flag-settings", call.args.flag_settings)
    with call.busy("looking at everything"):
        patient = read_patient(call.claude(), call.store, flag_settings=flag_settings)
        findings = examine(patient)
    asked = None
    if call.args.online:
        from kimi_profiles.doctor.asking import ask_endpoint

        with call.busy(f"asking {patient.host}"):
            asked = ask_endpoint(patient, findings)
        findings = settled(patient, [*findings, *asked.findings])
    status = _status(findings, asked)
    call.answer(_answer(patient, findings, asked, status))
    _show(call, patient, findings)
    return status


def _status(findings: list[Finding], asked: Asked | None) -> int:
    if asked is not None and asked.is_unreachable:
        return _UNREACHABLE
    return _FOUND if any(finding.severity == "error" for finding in findings) else 0


def _answer(patient: Patient, findings: list[Finding], asked: Asked | None, status: int) -> dict[str, Any]:
    applied, client = patient.applied, patient.survey.client
    answer: dict[str, Any] = {
        "schema": 1,
        "ok": status != _UNREACHABLE,
        "command": "doctor",
        "scope": patient.claude.scope.name,
        "profile": None if applied is None else applied.profile,
        "findings": [finding.to_json() for finding in findings],
        "client": {
            "path": None if client is None else str(client.path),
            "version": None if client is None else client.version,
            "rules": patient.survey.rules.version,
        },
        "online": None if asked is None else asked.facts,
        "exit_code": status,
    }
    if asked is not None and asked.is_unreachable:
        message = next(found.message for found in findings if found.name == f"online-{_name(asked)}")
        facts = dict.fromkeys(("hint", "path", "line", "column", "pointer"))
        answer["error"] = {"name": "endpoint-unreachable", "message": message, **facts}
    return answer


def _name(asked: Asked) -> str:
    return "" if asked.facts is None else str(asked.facts["name"])


def _show(call: Call, patient: Patient, findings: list[Finding]) -> None:
    is_fine = all(finding.name in _ABOUT_CLIENT for finding in findings)
    if is_fine:
        _show_in_order(call, f"{_what_is_sent(patient)}{_by_which_rules(patient)}")
        return
    for finding in findings:
        _show_finding(call, finding)
        call.say("")
    counts = [(name, sum(each.severity == name for each in findings)) for name in ("error", "warning")]
    words = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts if count]
    if words:
        call.say((", ".join(words), "strong"))
    else:
        _show_in_order(call, _what_is_sent(patient))


def _show_in_order(call: Call, what_is_sent: str) -> None:
    call.say((_FINE, "good"), f": {what_is_sent}", hang=0)


def _show_finding(call: Call, finding: Finding) -> None:
    width = call.out.width
    head, place = f"{finding.severity:<{len(_INDENT)}}{finding.name}", visible(finding.place or "")
    is_beside = width is None or display_width(f"{head}  {place}") <= width
    style = _STYLES[finding.severity]
    beside: list[Segment] = [(f"  {place}", "dim")] if place and is_beside else []
    call.say((head[: len(_INDENT)], style), (finding.name, "strong"), *beside)
    if place and not is_beside:
        call.say_whole(_INDENT, (place, "dim"))
    call.say(_INDENT, finding.message, hang=len(_INDENT))
    if finding.remedy is not None:
        call.say_whole(_INDENT, (finding.remedy, "add"))


def _what_is_sent(patient: Patient) -> str:
    request = patient.request
    if request.obstacle is not None:
        return f"no profile is applied, and {request.obstacle}"
    sources = {credential.source: patient.credential_place(credential) for credential in request.credentials}
    model = "Claude Code's own choice of model" if request.model.id is None else request.model.id
    keys = " and ".join(f"{source} from {place}" if place else source for source, place in sources.items())
    return masked(f"{model} at {patient.host}, with {keys}", patient.secrets)


def _by_which_rules(patient: Patient) -> str:
    client, rules = patient.survey.client, patient.survey.rules
    if client is None:
        return f" (by the rules of Claude Code {rules.version}; none was found here)"
    return "" if client.version == rules.version else f" (by the rules of Claude Code {rules.version})"
