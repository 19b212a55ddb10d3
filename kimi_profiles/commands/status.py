"""What is applied, and what Claude Code will really send: where to, with which credential, for which model.

With --check the exit status is 4 unless a profile is applied and every key still holds what was written.

  kimi-profiles status
  kimi-profiles status --check --quiet
"""

from __future__ import annotations

import contextlib
from itertools import groupby
from pathlib import Path

from kimi_profiles.errors import Notice, ProfilesError
from kimi_profiles.report import drifted_segments, short_path, shown_variable, status_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from kimi_profiles.call import Call
    from kimi_profiles.ledger import Application
    from kimi_profiles.profile import Profile
    from kimi_profiles.screen import Segment
    from kimi_profiles.status import Status
    from kimi_profiles.survey import Survey

_FOUND = 4
_MOST_NAMED = 5
_OWN_CHOICE = "Claude Code's own choice"
Row = tuple[str, str, str]
"""What it is, what it says, and who says so."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--check", action="store_true", help="exit 4 unless applied and in sync")
    parser.add_argument(
        "--flag-settings", metavar="FILE", help="what if Claude Code were started with --settings FILE"
    )


def run(call: Call) -> int:
    """Show the status."""
    claude = call.claude()
    profile: Profile | None = None

    def declared(name: str) -> Profile | None:
        nonlocal profile
        with contextlib.suppress(ProfilesError):  # a broken declaration is no reason not to answer
            profile = call.store()[name]
        return profile

    status = claude.status(profile=declared)
    survey = claude.survey(flag_settings=call.path("--flag-settings", call.args.flag_settings))
    if call.is_json:
        call.answer(status_json(status, survey))
    _show_applied(call, status, profile)
    _show_sent(call, survey)
    _show_hidden(call, status, survey)
    _show_drift(call, status)
    tell_elsewhere(call, status)
    call.warn(status.warnings)
    return _FOUND if call.args.check and not status.in_sync else 0


def _show_applied(call: Call, status: Status, profile: Profile | None) -> None:
    applied = status.applied
    if applied is None:
        call.say("no profile is applied", (f"  {status.scope} scope, {short_path(status.settings)}", "dim"))
        return
    word: Segment = ("in sync", "good") if status.in_sync else ("changed since", "bad")
    call.say((applied.profile, "strong"), "  ", word)
    since = applied.at.replace("T", " ").replace("Z", " UTC")
    rows = [("scope", f"{status.scope}, since {since}", "")]
    rows += [
        ("file" if number == 0 else "", short_path(path), "") for number, path in enumerate(_files(applied))
    ]
    if profile is not None:
        rows.append(("token", f"from {profile.token}" if profile.token else "given at apply", ""))
    _show_rows(call, rows)


def _files(applied: Application) -> list[Path]:
    return [Path(name) for name in reversed(applied.targets)]


def _show_sent(call: Call, survey: Survey) -> None:
    version = survey.client.version if survey.client else None
    note = "" if version == survey.rules.version else f"  by the rules of {survey.rules.version}"
    name = f"Claude Code {version}" if version else "Claude Code"
    request = survey.request
    if request.obstacle is not None:
        call.say(
            (name, "strong"), " will send nothing to the base URL: ", (request.obstacle, "bad"), (note, "dim")
        )
    else:
        call.say((name, "strong"), " will send", (note, "dim"))
    _show_rows(call, list(_sent_rows(survey)))
    for layer in survey.effective.layers:
        if layer.ignored is not None and layer.path is not None:
            place = ":".join(map(str, filter(None, (short_path(layer.path), layer.ignored.line))))
            call.say(("  ! ", "change"), f"{place} is ignored as a whole: {layer.ignored.reason}")


def _sent_rows(survey: Survey) -> Iterator[Row]:
    """What is sent, each with the layer and line that it comes from, and then which file each layer is."""
    request, effective = survey.request, survey.effective
    names = []
    if request.url is not None:
        names.append("ANTHROPIC_BASE_URL")
        yield "to", _shown(request.url), _origin(survey, "ANTHROPIC_BASE_URL")
    for credential in request.credentials:
        value = "" if credential.value is None else _fingerprint(credential.value)
        names.append(credential.source)
        yield credential.header, f"{credential.source} {value}".rstrip(), _origin(survey, credential.source)
    for head, model in {
        "model": request.model,
        **{f"  {tier}": model for tier, model in survey.tiers.items()},
    }.items():
        if model.id is not None or head == "model":
            names += model.names[-1:]
            origin = _origin(survey, model.names[-1]) if model.names else ""
            yield head, _OWN_CHOICE if model.id is None else _shown(model.id), origin
    winners = {id(layer) for name in names for layer in effective.suppliers(name)[:1]}
    files = [
        (layer.name, layer.path) for layer in survey.effective.layers if id(layer) in winners and layer.path
    ]
    width = max((len(name) for name, _ in files), default=0)
    for number, (name, path) in enumerate(files):
        yield "" if number else "from", f"{name:<{width}}  {short_path(path)}", ""


def _origin(survey: Survey, name: str) -> str:
    """Layer and line, such as ``user:3``."""
    winner = next(iter(survey.effective.suppliers(name)), None)
    if winner is None:
        return "by default" if name == "ANTHROPIC_BASE_URL" else ""
    return ":".join(map(str, filter(None, (winner.name, winner.line(name)))))


def _shown(text: str) -> str:
    """A URL or a model, which may hold a key all the same."""
    return str(shown_variable("ANTHROPIC_MODEL", text))


def _fingerprint(value: str) -> str:
    shown = shown_variable("ANTHROPIC_API_KEY", value)
    return shown["fingerprint"] if shown else "(empty)"


def _place(path: Path | None, line: int | None) -> str:
    return "" if path is None else ":".join(map(str, filter(None, (short_path(path), line))))


def _show_rows(call: Call, rows: list[Row]) -> None:
    heads = max((len(head) for head, _, _ in rows), default=0)
    values = max((len(value) for _, value, origin in rows if origin), default=0)
    for head, value, origin in rows:
        padded = f"{value:<{values}}  " if origin else value
        call.say((f"  {head:<{max(heads, 10)}}  ", "dim"), padded, (origin, "dim"))


def _show_hidden(call: Call, status: Status, survey: Survey) -> None:
    """Values of the scope's own file that a stronger layer hides, and how to undo that."""
    from kimi_profiles.survey import how_to_undo

    for name, winner in survey.effective.hidden(status.settings):
        place = _place(winner.path, winner.line(name))
        call.say(("  ! ", "change"), f"{name} of this scope is hidden by {winner.name}: {place}")
        call.say(("    hint: ", "dim"), how_to_undo(name, winner, status.elsewhere))


def _show_drift(call: Call, status: Status) -> None:
    for path, drift in groupby(status.drift, key=lambda entry: entry.path):
        call.say(("  ! ", "change"), short_path(path), ("  no longer holds what was written at", "dim"))
        for drifted in drift:
            call.say("  ", *drifted_segments(drifted))
    if status.is_interrupted:
        call.say(("  ! ", "change"), "a run was cut short; run apply or unapply again and it carries on")


def tell_elsewhere(call: Call, status: Status) -> None:
    """Name what is applied in other scopes, with its settings file."""
    try:
        named = status.elsewhere[:_MOST_NAMED]
    except ProfilesError as error:  # what this scope holds is right all the same
        call.warn([Notice("ledger-unreadable", f"what else is applied cannot be told: {error}", error.hint)])
        return
    for other in named:
        where = short_path(Path(other.targets[-1]))
        call.say((f"  also applied: {other.profile}, {other.scope} scope, {where}", "dim"))
    if len(status.elsewhere) > _MOST_NAMED:
        call.say((f"  and {len(status.elsewhere) - _MOST_NAMED} more", "dim"))
