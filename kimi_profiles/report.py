"""Plans and results as JSON for scripts and as lines for people; the one place that masks secrets."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from kimi_profiles._version import SCHEMA
from kimi_profiles.errors import NotPermittedError, ProfilesError, WriteFailedError
from kimi_profiles.files import read_file
from kimi_profiles.jsontext import dumps, loads, split_pointer
from kimi_profiles.patterns import pattern
from kimi_profiles.screen import visible
from kimi_profiles.secrets import fingerprint, is_secret_name, without_tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from kimi_profiles.api import Plan, Result
    from kimi_profiles.change import Action
    from kimi_profiles.drift import Drift
    from kimi_profiles.layers import Effective
    from kimi_profiles.request import Credential
    from kimi_profiles.screen import Screen, Segment
    from kimi_profiles.status import Drifted, Status
    from kimi_profiles.survey import Survey
    from kimi_profiles.targets import TargetPlan

__all__ = [
    "changes_json",
    "diff_lines",
    "diff_segments",
    "drift_segments",
    "drifted_segments",
    "error_json",
    "plan_json",
    "result_json",
    "settings_json",
    "short_path",
    "shown",
    "shown_variable",
    "status_json",
    "survey_json",
    "system_error",
    "tell_error",
]

PROGRAM = "kimi-profiles"
# Without a query too, so that no part of a long text is looked at twice.
_URL = pattern(r"(://[^\s\"?]+)(\?[^\s\"]+)?")
_USER_IN_URL = pattern(r"(://)[^/@\s\"]+@")
_MARKS = {"add": "+", "include": "+", "replace": "~", "remove": "-", "exclude": "-"}


def plan_json(plan: Plan) -> dict[str, Any]:
    """The contract's object for ``plan`` and every dry run."""
    targets = [_target_json(target, backup=None) for target in plan.targets]
    return _answer(plan, targets, changed=plan.changed, is_dry_run=True)


def result_json(result: Result) -> dict[str, Any]:
    """The contract's object for ``apply`` and ``unapply``."""
    targets = [_target_json(target.plan, backup=target.backup) for target in result.targets]
    return _answer(result, targets, changed=result.changed, is_dry_run=False)


def error_json(error: ProfilesError, command: str | None) -> dict[str, Any]:
    """The contract's object for what went wrong."""
    facts = ("name", "message", "hint", "path", "line", "column", "pointer")
    return {
        "schema": SCHEMA,
        "ok": False,
        "command": _masked(command),
        "error": {fact: _masked(getattr(error, fact)) for fact in facts},
        "exit_code": error.exit_code,
    }


def _masked(fact: object) -> object:
    """Somebody may have given a key where a name belongs; a log has no use for it."""
    return without_tokens(fact) if isinstance(fact, str) else fact


def changes_json(actions: Iterable[Action], drift: Iterable[Drift]) -> dict[str, Any]:
    """What differs in one text, and what somebody else changed there, as in the contract's ``targets``."""
    return {
        "changes": [
            {
                "pointer": action.pointer,
                "action": action.action,
                "before": shown(action.before, is_secret=_is_secret(action)),
                "after": shown(action.after, is_secret=_is_secret(action)),
            }
            for action in actions
        ],
        "drift": [{"pointer": change.pointer, "kept": change.is_kept} for change in drift],
    }


def settings_json(actions: Iterable[Action]) -> dict[str, Any]:
    """The settings that ``actions`` make out of nothing, with secrets masked."""
    settings: dict[str, Any] = {}
    for action in actions:
        *parents, last = split_pointer(action.pointer)
        place = settings
        for key in parents:
            place = place.setdefault(key, {})
        value = shown(action.after, is_secret=_is_secret(action))
        if action.action == "include":
            place.setdefault(last, []).append(value)
        else:
            place[last] = value
    return settings


def status_json(status: Status, survey: Survey) -> dict[str, Any]:
    """The contract's object for ``status``."""
    applied = status.applied
    return {
        "schema": SCHEMA,
        "ok": True,
        "command": "status",
        "scope": status.scope,
        "applied": None if applied is None else {"profile": applied.profile, "at": applied.at},
        "in_sync": status.in_sync,
        "drift": [_drifted_json(drifted) for drifted in status.drift],
        "interrupted": status.is_interrupted,
        "elsewhere": [
            {"profile": other.profile, "scope": other.scope, "at": other.at, "targets": list(other.targets)}
            for other in status.elsewhere
        ],
        **survey_json(survey),
        "warnings": [notice.to_json() for notice in status.warnings],
    }


def survey_json(survey: Survey) -> dict[str, Any]:
    """What Claude Code takes for its endpoint, credential and model, and what it would send."""
    request, client = survey.request, survey.client
    return {
        "effective": {name: _effective_json(survey.effective, name) for name in survey.effective.names()},
        "request": {
            "url": None if request.url is None else _without_secrets(request.url),
            "model": None if request.model.id is None else _without_secrets(request.model.id),
            "credentials": [_credential_json(credential) for credential in request.credentials],
            "obstacle": request.obstacle,
        },
        "models": {
            tier: None if model.id is None else _without_secrets(model.id)
            for tier, model in survey.tiers.items()
        },
        "ignored": [
            {
                "path": str(layer.path),
                "layer": layer.name,
                "reason": layer.ignored.reason,
                "line": layer.ignored.line,
                "column": layer.ignored.column,
            }
            for layer in survey.effective.layers
            if layer.ignored is not None
        ],
        "client": {
            "path": None if client is None else str(client.path),
            "version": None if client is None else client.version,
            "rules": survey.rules.version,
        },
    }


def shown_variable(name: str, value: str) -> Any:
    """The value of a variable or a setting of Claude Code as it may be printed."""
    is_secret = is_secret_name(name) or name in {"apiKeyHelper", "primaryApiKey"}
    return shown(dumps(value), is_secret=is_secret)


def _effective_json(effective: Effective, name: str) -> dict[str, Any]:
    winner, *shadowed = (
        {
            "value": shown_variable(name, layer.values[name]),
            "layer": layer.name,
            "path": None if layer.path is None else str(layer.path),
            "line": layer.line(name),
        }
        for layer in effective.suppliers(name)
    )
    return {**winner, "shadowed": shadowed}


def _credential_json(credential: Credential) -> dict[str, Any]:
    return {
        "header": credential.header,
        "source": credential.source,
        "layer": credential.layer,
        "path": None if credential.path is None else str(credential.path),
        "fingerprint": fingerprint(credential.value) if credential.value else None,
    }


def _drifted_json(drifted: Drifted) -> dict[str, Any]:
    return {
        "path": str(drifted.path),
        "pointer": drifted.pointer,
        "now": shown(drifted.now, is_secret=drifted.is_secret or drifted.pointer == "/apiKeyHelper"),
        "wanted": shown(drifted.wanted, is_secret=drifted.pointer == "/apiKeyHelper"),
    }


def drift_segments(result: Result) -> Iterator[list[Segment]]:
    """A line for each key that somebody else changed, and what became of it."""
    for target in result.targets:
        for drift in target.plan.text.drift:
            fate = "left as it is" if drift.is_kept else "replaced; their value comes back at unapply"
            yield [("  ! ", "change"), (f"{drift.pointer} was changed since by somebody else: {fate}", "")]


def drifted_segments(drifted: Drifted) -> list[Segment]:
    """One key that somebody changed: what is wanted there, and what there is."""
    hides = drifted.is_secret or drifted.pointer == "/apiKeyHelper"
    now = _word(drifted.now, is_secret=hides) or "nothing"
    before = "" if drifted.wanted is None else _word(drifted.wanted, is_secret=hides)
    value: list[Segment] = [(f"{before} → ", "dim")] if before else []
    return [("  ~ ", "change"), (f"{drifted.pointer}  ", ""), *value, (now, "")]


def shown(raw: str | None, *, is_secret: bool) -> Any:
    """A JSON text as a value that may be printed; ``None`` for nothing.

    A secret becomes ``{"secret": true, "fingerprint": …}``; an empty one hides nothing and stays empty.
    """
    if raw is None:
        return None
    if is_secret and raw != '""':
        return {"secret": True, "fingerprint": _fingerprint(raw)}
    try:
        return loads(_without_secrets(raw))
    except ValueError:  # more digits than Python converts
        return raw


def diff_lines(targets: Iterable[TargetPlan]) -> Iterator[str]:
    """The plan as text, a line for each change under its file."""
    for segments in diff_segments(targets):
        yield "".join(visible(text) for text, _ in segments)


def diff_segments(targets: Iterable[TargetPlan]) -> Iterator[list[Segment]]:
    """The plan as styled lines."""
    for target in targets:
        if not target.is_changed:
            continue
        yield [(short_path(target.path), "strong"), (_file_note(target), "dim")]
        actions = target.text.actions
        width = max((len(_place(action)) for action in actions), default=0)
        for action in actions:
            yield from _action_segments(action, width)
        for drift in target.text.drift:
            what = "somebody changed it since; it stays" if drift.is_kept else "somebody changed it since"
            yield [("  ! ", "change"), (f"{drift.pointer:<{width}}", ""), (f"  {what}", "dim")]


def short_path(path: Path) -> str:
    """``path`` with ``~`` for the home of the user."""
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):
        return str(path)


def _action_segments(action: Action, width: int) -> Iterator[list[Segment]]:
    style = {"+": "add", "-": "remove", "~": "change"}[_MARKS[action.action]]
    before, after = (_word(raw, is_secret=_is_secret(action)) for raw in (action.before, action.after))
    value: list[Segment] = [(after or before, "")]
    if action.action == "replace":
        value = [(before, "dim"), (" → ", "dim"), (after, "")]
    yield [(f"  {_MARKS[action.action]} ", style), (f"{_place(action):<{width}}  ", ""), *value]  # type: ignore[list-item]


def _is_secret(action: Action) -> bool:
    """A user's own helper may hold a key in its command line, so no helper is ever shown."""
    return action.is_secret or action.pointer == "/apiKeyHelper"


def _place(action: Action) -> str:
    return action.pointer + ("[]" if action.action in {"include", "exclude"} else "")


def _word(raw: str | None, *, is_secret: bool) -> str:
    if raw is None:
        return ""
    if is_secret and raw != '""':
        return f"secret {_fingerprint(raw)}"
    return _without_secrets(" ".join(raw.split()))


def _without_secrets(raw: str) -> str:
    """For what a person wrote at a place where no secret is expected: a key in a URL or in a command."""
    if "@" in raw:
        raw = _USER_IN_URL.sub(r"\1…@", raw)
    if "?" in raw:
        raw = _URL.sub(lambda url: f"{url[1]}?…" if url[2] else url[1], raw)
    return without_tokens(raw)


def _fingerprint(raw: str) -> str:
    try:
        value = loads(raw)
    except ValueError:
        value = raw
    return fingerprint(value if isinstance(value, str) else raw)


def _file_note(target: TargetPlan) -> str:
    now, mode = target.snapshot.mode, target.mode
    if mode is None:
        return "  (removed)"
    if now is None:
        return f"  (new, mode {mode:04o})"
    return f"  (mode {now:04o} → {mode:04o})" if now != mode else ""


def _answer(
    plan: Plan | Result, targets: list[dict[str, Any]], *, changed: bool, is_dry_run: bool
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "ok": True,
        "command": plan.command,
        "profile": plan.profile,
        "scope": plan.scope,
        "changed": changed,
        "dry_run": is_dry_run,
        "targets": targets,
        "warnings": [notice.to_json() for notice in plan.warnings],
    }


def _target_json(target: TargetPlan, *, backup: Path | None) -> dict[str, Any]:
    return {
        "path": str(target.path),
        "changed": target.is_changed,
        "created": target.is_changed and target.snapshot.data is None,
        "removed": target.is_changed and target.mode is None,
        "backup": None if backup is None else str(backup),
        **changes_json(target.text.actions, target.text.drift),
    }


def system_error(error: OSError) -> ProfilesError:
    """What the operating system refused where nobody expected it to."""
    is_denied = error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
    reason = f"the system says: {os.strerror(error.errno or 0)}"
    return (NotPermittedError if is_denied else WriteFailedError)(reason, path=error.filename)


def tell_error(screen: Screen, error: ProfilesError) -> None:
    """The one line of an error and its hint; on a terminal the line of the file between them, with a mark."""
    screen.line((f"{PROGRAM}: ", "bad"), without_tokens(str(error)), hang=2)
    with contextlib.suppress(
        ProfilesError, OSError
    ):  # the file has gone, or cannot be read: that is the error
        for line, style in _excerpt(screen, error):
            screen.whole("  ", (line, style))
    if error.hint:
        screen.line(("hint: ", "dim"), without_tokens(error.hint), hang=6)


def _excerpt(screen: Screen, error: ProfilesError) -> Iterator[Segment]:
    if screen.width is None or error.path is None or error.line is None or error.column is None:
        return
    if not Path(error.path).is_absolute():  # "<stdin>"
        return
    from kimi_profiles.excerpt import make_excerpt

    text = (read_file(Path(error.path)) or b"").decode("utf-8-sig", "replace")
    excerpt = make_excerpt(text, error.line, error.column, width=screen.width - 2)
    if excerpt is not None:
        yield excerpt[0], ""
        yield excerpt[1], "bad"
