"""Whether the endpoint knows the models, and Claude Code their windows."""

from __future__ import annotations

import re

from kimi_profiles.catalogue import nearest, read_catalogue
from kimi_profiles.claude import context_tokens
from kimi_profiles.doctor.endpoint import client_environment
from kimi_profiles.doctor.finding import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kimi_profiles.catalogue import Model
    from kimi_profiles.doctor.finding import Severity
    from kimi_profiles.doctor.patient import Patient

__all__ = ["CHECKS"]

_SMALL, _HAIKU = "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL"
_OPUS = "ANTHROPIC_DEFAULT_OPUS_MODEL"
_CHOSEN = ("ANTHROPIC_MODEL", "model", "ANTHROPIC_DEFAULT_MODEL")
_MAPPED = (
    _OPUS,
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    _HAIKU,
    "ANTHROPIC_DEFAULT_FABLE_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
)
_MOST, _COMPACT = "CLAUDE_CODE_MAX_CONTEXT_TOKENS", "CLAUDE_CODE_AUTO_COMPACT_WINDOW"
_ATTRIBUTION = "CLAUDE_CODE_ATTRIBUTION_HEADER"
_LONG = 1_000_000
_ASSUMED = {True: _LONG, False: 200_000}  # of a model that Claude Code does not know: newer, older
_LONG_SUFFIX = re.compile(r"\[1m\]\Z", re.IGNORECASE)
_OWN = "claude-"


def models(patient: Patient) -> Iterator[Finding]:
    """Models that are gone, old, somebody else's or unknown."""
    if not patient.goes_elsewhere:
        return
    asked: dict[str, str] = {}
    for model in (patient.request.model, *patient.survey.tiers.values()):
        if model.id is not None and model.names and not model.id.startswith(_OWN):
            asked.setdefault(model.id, model.names[-1])
    if patient.text(_SMALL):
        asked.setdefault(patient.text(_SMALL), _SMALL)
    for model_id, name in asked.items():
        yield from _model(patient, model_id, name)


def _model(patient: Patient, model_id: str, name: str) -> Iterator[Finding]:
    here, known = patient.provider, read_catalogue().model(model_id)
    place = patient.place(name)
    if known is None or known.status == "unknown":
        yield from _unknown_model(patient, model_id, name, known)
        return
    instead = f"; use {known.successor}" if known.successor else ""
    if known.status == "retired":
        since = f" since {known.retired_on}" if known.retired_on else ""
        severity: Severity = "error" if model_id == patient.request.model.id else "warning"
        yield Finding("model-retired", severity, f"{model_id} is retired{since}{instead}", place)
    elif here is not None and known.providers and here.id not in known.providers:
        message = f"{model_id} is a model of {' and '.join(known.providers)}, not of {here.id}"
        yield Finding("model-elsewhere", "warning", message, place)
    elif known.status == "legacy":
        message = f"{model_id} is no longer listed by its provider{instead}"
        yield Finding("model-legacy", "warning", message, place)


def _unknown_model(patient: Patient, model_id: str, name: str, known: Model | None) -> Iterator[Finding]:
    """Told only where the models of the endpoint are known, so that it says something."""
    here = patient.provider
    listed = [m.id for m in read_catalogue().models.values() if here is not None and here.id in m.providers]
    if here is None or not listed:
        return
    like = known.successor if known is not None else nearest(model_id, listed)
    instead = f"; is {like} meant?" if like else ""
    message = f"{model_id} is not among the models of {here.id} that are known{instead}"
    yield Finding("model-unknown", "info", message, patient.place(name))


def tiers(patient: Patient) -> Iterator[Finding]:
    """Tiers for which Claude Code asks the endpoint for a model of Anthropic's."""
    here = patient.provider
    if not patient.goes_elsewhere or (here is not None and not here.models):
        return  # an endpoint that serves many makers' models may serve these
    asked = {"default": patient.request.model, **patient.survey.tiers}
    unmapped = [
        tier
        for tier, model in asked.items()
        if (model.id is None and tier != "subagent") or (model.id or "").startswith(_OWN)
    ]
    if unmapped:
        severity: Severity = "info" if here is None else "warning"
        names = [name for tier in unmapped for name in asked[tier].names]
        message = f"{patient.host} is asked for models of Anthropic's: {', '.join(unmapped)}"
        place = patient.place(names[-1] if names else "ANTHROPIC_BASE_URL")
        remedy = patient.undo(names[-1]) if names else patient.apply_again
        yield Finding("tiers-unmapped", severity, message, place, remedy)


def context_window(patient: Patient) -> Iterator[Finding]:
    """Claude Code does not know the window of a foreign model, and has to be told by a pair of variables."""
    main = patient.request.model.id
    if not patient.goes_elsewhere or main is None or main.startswith(_OWN):
        return
    known = _window(patient, main)
    given = [name for name in (_MOST, _COMPACT) if patient.text(name)]
    rules = patient.survey.rules
    if len(given) == 1:
        other = _COMPACT if given == [_MOST] else _MOST
        message = f"{given[0]} is set without {other}; Claude Code needs both"
        yield Finding(
            "context-window-half", "warning", message, patient.place(given[0]), patient.undo(given[0])
        )
    elif given and known is not None and _number(patient.text(_MOST)) > known:
        message = f"{_MOST} is more than the {known:,} tokens of {main}"
        yield Finding("context-window-too-large", "warning", message, patient.place(_MOST))
    elif not given and known is not None and known < _assumed(patient):
        message = f"Claude Code takes {main} to have {_assumed(patient):,} tokens; it has {known:,}"
        if rules.is_newer:
            message += f": set {_MOST} and {_COMPACT}"
        place = patient.place(patient.request.model.names[-1])
        yield Finding("context-window-missing", "warning", message, place, patient.apply_again)


def _window(patient: Patient, model_id: str) -> int | None:
    model = read_catalogue().model(model_id)
    if model is not None:
        return model.context_tokens
    is_ours = patient.profile is not None and model_id == patient.profile.models.get("default")
    return context_tokens(patient.profile) if is_ours and patient.profile is not None else None


def _assumed(patient: Patient) -> int:
    is_limited = client_environment(patient).get("CLAUDE_CODE_DISABLE_1M_CONTEXT", "") not in {
        "",
        "0",
        "false",
    }
    return _ASSUMED[patient.survey.rules.is_newer and not is_limited]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(_LONG**2)) else 0


def prompt_cache(patient: Patient) -> Iterator[Finding]:
    """A block in the prompt that is new in each request keeps every cache of a third party from hitting."""
    if patient.goes_elsewhere and client_environment(patient).get(_ATTRIBUTION) != "0":
        message = f"without {_ATTRIBUTION}=0 no prompt cache of {patient.host} ever hits"
        yield Finding(
            "prompt-cache-defeated", "info", message, patient.place("ANTHROPIC_BASE_URL"), patient.apply_again
        )


def small_fast_model(patient: Patient) -> Iterator[Finding]:
    """The old name of the model for background requests beats the new one."""
    small, haiku = patient.text(_SMALL), patient.text(_HAIKU)
    if small and haiku and small != haiku:
        message = f"background requests go to {small}: {_SMALL} beats {_HAIKU}"
        yield Finding("small-fast-model", "warning", message, patient.place(_SMALL), patient.undo(_SMALL))


def long_context(patient: Patient) -> Iterator[Finding]:
    """A million tokens are asked for of a model that has fewer."""
    if not patient.goes_elsewhere:
        return
    for name in (*_CHOSEN, *_MAPPED):
        window = _short_window(patient.text(name)) if _LONG_SUFFIX.search(patient.text(name)) else None
        if window is not None:
            message = f"[1m] at the end of {name} asks for a million tokens; the model has {window:,}"
            yield Finding("long-context-suffix", "warning", message, patient.place(name), patient.undo(name))
    window = _short_window(patient.text(_OPUS))
    if patient.survey.rules.is_newer and window is not None and not any(map(patient.text, _CHOSEN)):
        message = (
            f"with no model chosen, Claude Code asks for {_OPUS} with a million tokens; it has {window:,}"
        )
        remedy = patient.apply_again if patient.profile and patient.profile.pin_model else None
        yield Finding("long-context-suffix", "warning", message, patient.place(_OPUS), remedy)


def _short_window(value: str) -> int | None:
    model = read_catalogue().model(value)
    window = None if model is None else model.context_tokens
    return window if window is not None and window < _LONG else None


CHECKS = (models, tiers, context_window, prompt_cache, small_fast_model, long_context)
