"""Read everything that the checks look at. Nothing is written, no helper and no token command is run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import sys
import time
from pathlib import Path
from typing import TypeVar

from kimi_profiles.backups import backup_path
from kimi_profiles.credentials import read_token, token_file
from kimi_profiles.doctor.patient import ClientState, Helper, LockFolder, Patient, holds_secret
from kimi_profiles.errors import ProfilesError
from kimi_profiles.files import SPARE
from kimi_profiles.git import is_tracked
from kimi_profiles.jsontext.document import Document
from kimi_profiles.layers import BEARING
from kimi_profiles.ledger import ABSENT, ledger_file, needed_backups, read_ledger
from kimi_profiles.paths import find_scope
from kimi_profiles.request import obeyed
from kimi_profiles.route import resolve
from kimi_profiles.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from kimi_profiles.api import ClaudeCode
    from kimi_profiles.ledger import Ledger
    from kimi_profiles.profile import Profile
    from kimi_profiles.secrets import Secret
    from kimi_profiles.store import ProfileStore
    from kimi_profiles.survey import Survey

__all__ = ["read_patient"]

_T = TypeVar("_T")

_PROXIES = ("https_proxy", "http_proxy", "all_proxy")
_OTHER_NAMES = ("CLAUDE_CONFIG_DIR", "NODE_TLS_REJECT_UNAUTHORIZED", *_PROXIES, *map(str.upper, _PROXIES))
_MOST_ENTRIES = 10_000  # of one folder
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.kimi-profiles")
_SHELL_ONLY = re.compile(r"[|&;<>()$`*?\[\]#=!{}\n]")


def read_patient(
    claude: ClaudeCode,
    open_store: Callable[[], ProfileStore],
    *,
    flag_settings: Path | None = None,
    platform: str = sys.platform,
) -> Patient:
    """Everything that is looked at.

    Args:
        claude: The scope that was asked for.
        open_store: Reads the profiles file.
        flag_settings: What if Claude Code were started with ``--settings`` and this file.
        platform: As ``sys.platform``.

    Raises:
        ProfilesError: ``flag_settings`` or the project cannot be read.
    """
    from kimi_profiles.doctor.sessions import find_sessions
    from kimi_profiles.shellrc import find_settings

    survey = _survey(claude, flag_settings)
    ledger, ledger_error = _attempt(lambda: _whole_ledger(ledger_file(claude.places.state)))
    claude = _attended(claude, survey, ledger)
    store, store_error = _attempt(open_store)
    applied = ledger.applications.get(str(claude.scope.settings)) if ledger else None
    profile, profile_error = None, store_error
    if applied is not None and store is not None:
        profile, profile_error = _attempt(lambda: store[applied.profile])
    status, _ = _attempt(lambda: claude.status(profile=profile))
    token_path, helper = _token_path(profile, claude), _helper(survey, claude)
    more = [] if store is None else [store.path]
    more += [helper.path] if helper is not None and helper.path is not None else []
    if ledger is not None and ledger.archive is not None:
        more.append(claude.places.state / ledger.archive)
    client = survey.client.path if survey.client else None
    return Patient(
        claude=claude,
        survey=survey,
        effective=obeyed(survey.effective, survey.rules),
        platform=platform,
        state=_client_state(survey),
        ledger=ledger,
        ledger_error=ledger_error,
        status=status,
        profile=profile,
        profile_error=profile_error,
        store=None if store is None else store.path,
        store_error=store_error,
        stats=dict(_stats(claude, survey, [*more, *token_path])),
        missing=frozenset(_missing(ledger)),
        lost_backups=tuple(_lost_backups(ledger, claude.places.state / "backups")),
        token_files=tuple(token_path),
        tracked=dict(_tracked(survey, token_path)),
        exports=tuple(
            find_settings(
                {*BEARING, *_OTHER_NAMES},
                home=claude.places.home,
                env=claude.env if claude.is_own_home else {},
                platform=platform,
            )
        ),
        lock=_lock(claude.places.claude_json),
        leftovers=tuple(_leftovers(claude, survey, ledger)),
        sessions=find_sessions(client, settings=claude.places.claude),
        helper=helper,
        helper_token=_helper_token(profile, claude),
    )


def _attempt(read: Callable[[], _T]) -> tuple[_T, None] | tuple[None, ProfilesError]:
    try:
        return read(), None
    except ProfilesError as error:
        return None, error


def _whole_ledger(path: Path) -> Ledger:
    """All of it is looked at, lest a part that is damaged comes up later."""
    ledger = read_ledger(path)
    ledger.check()
    return ledger


def _survey(claude: ClaudeCode, flag_settings: Path | None) -> Survey:
    """A settings file that was named, and is no layer by itself, counts as given with ``--settings``."""
    survey = claude.survey(flag_settings=flag_settings, with_texts=True)
    named = claude.scope.settings
    is_layer = any(layer.path == named for layer in survey.effective.layers)
    if claude.scope.name != "path" or flag_settings is not None or is_layer or not named.exists():
        return survey
    return claude.survey(flag_settings=named, with_texts=True)


def _attended(claude: ClaudeCode, survey: Survey, ledger: Ledger | None) -> ClaudeCode:
    """The scope that was asked for; where nothing is applied there, the strongest one here with a profile."""
    applications = ledger.applications if ledger else {}
    if str(claude.scope.settings) in applications:
        return claude
    for layer in survey.effective.layers:
        known = applications.get(str(layer.path))
        if known is not None and layer.path is not None:
            is_path = known.scope not in {"user", "project", "local"}
            named = layer.path if is_path else None
            return replace(
                claude, scope=find_scope(known.scope, claude.places, project=claude.root, settings=named)
            )
    return claude


def _client_state(survey: Survey) -> ClientState | None:
    layer = next(layer for layer in survey.effective.layers if layer.name == "claude.json")
    if layer.ignored is not None:
        return None
    try:
        document = json.loads(layer.text if layer.text.strip() else "{}", parse_int=float)
        line, _ = Document(layer.text).place("/customApiKeyResponses/rejected")
    except (ValueError, RecursionError):
        return None
    document = document if isinstance(document, dict) else {}
    responses = document.get("customApiKeyResponses")
    responses = responses if isinstance(responses, dict) else {}
    approved, rejected = (_texts(responses.get(name)) for name in ("approved", "rejected"))
    return ClientState(
        is_onboarded=bool(document.get("hasCompletedOnboarding")),
        approved=approved,
        rejected=rejected,
        rejected_line=line,
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _token_path(profile: Profile | None, claude: ClaudeCode) -> list[Path]:
    if profile is None or profile.token is None or profile.token.kind != "file":
        return []
    return [token_file(profile.token, profile, home=claude.places.home)]


def _stats(claude: ClaudeCode, survey: Survey, more: list[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    places = claude.places
    own = [places.config, places.state, ledger_file(places.state), places.state / "backups"]
    theirs = [
        places.claude,
        places.claude / ".credentials.json",
        places.claude / ".config.json",
        *_state_files(claude),
    ]
    layers = [layer.path for layer in survey.effective.layers if layer.path is not None]
    for path in dict.fromkeys([*layers, *theirs, *own, *more]):
        try:
            yield path, path.stat()
        except (OSError, ValueError):
            continue


def _missing(ledger: Ledger | None) -> Iterator[str]:
    for holder in ledger.applications if ledger else ():
        try:
            os.lstat(holder)
        except (FileNotFoundError, NotADirectoryError):
            yield holder
        except OSError:
            continue


def _lost_backups(ledger: Ledger | None, folder: Path) -> Iterator[Path]:
    for key in sorted(needed_backups(ledger) - {ABSENT}) if ledger else ():
        try:
            backup_path(folder, key).lstat()
        except (FileNotFoundError, NotADirectoryError):
            yield backup_path(folder, key)
        except (OSError, ValueError):
            continue


def _state_files(claude: ClaudeCode) -> tuple[Path, ...]:
    """Where the state file may be beside a legacy one."""
    places = claude.places
    return places.home / ".claude.json", places.claude / ".claude.json"


def _tracked(survey: Survey, more: list[Path]) -> Iterator[tuple[Path, Path]]:
    layers = survey.effective.layers
    for path in [*(layer.path for layer in layers if layer.path and holds_secret(layer)), *more]:
        try:
            if is_tracked(path):
                yield path, resolve(path)
        except (ProfilesError, OSError):
            continue


def _lock(claude_json: Path) -> LockFolder | None:
    path = claude_json.with_name(claude_json.name + ".lock")
    try:
        found = path.lstat()
    except OSError:
        return None
    is_folder = stat.S_ISDIR(found.st_mode)
    is_foreign = hasattr(os, "geteuid") and found.st_uid not in {os.geteuid(), 0}
    return LockFolder(
        path, time.time() - found.st_mtime, is_folder, is_folder and not _names(path), is_foreign=is_foreign
    )


def _leftovers(claude: ClaudeCode, survey: Survey, ledger: Ledger | None) -> Iterator[Path]:
    places = claude.places
    files = [layer.path for layer in survey.effective.layers if layer.path is not None]
    files += [Path(name) for name in (ledger.records if ledger else ())]
    folders = [Path(os.path.realpath(path)).parent for path in files]
    folders += [places.config, places.state, places.state / "backups"]
    for folder in dict.fromkeys(folders):
        for name in _names(folder):
            is_ledger = folder == places.state and name.startswith("ledger") and name.endswith(".json.tmp")
            if is_ledger or name == SPARE or _TEMPORARY.fullmatch(name):
                yield folder / name


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry, _ in zip(entries, range(_MOST_ENTRIES), strict=False)]
    except (OSError, ValueError):
        return []


def _helper(survey: Survey, claude: ClaudeCode) -> Helper | None:
    """The program of a helper that is one plain command; a shell's own words are for the shell."""
    line = survey.effective.value("apiKeyHelper") or ""
    if not line.strip() or _SHELL_ONLY.search(line) or os.name == "nt":
        return None
    try:
        word = shlex.split(line)[0]
    except (ValueError, IndexError):
        return None
    if word.startswith("~/"):
        word = str(claude.places.home / word[2:])
    if "/" not in word:
        found = shutil.which(word, path=_search_path(claude.env))
        return None if word in _BUILT_IN else Helper(Path(found) if found else None)
    path = (claude.root or Path()) / word
    is_program = os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113 - may not be looked at
    return Helper(path if is_program else None)


_BUILT_IN = {".", ":", "cd", "command", "echo", "eval", "exec", "export", "printf", "read", "set", "test"}


def _search_path(env: Mapping[str, str]) -> str:
    return env.get("PATH") or os.defpath


def _helper_token(profile: Profile | None, claude: ClaudeCode) -> Secret | ProfilesError | None:
    """What our own helper would answer. Commands and keyrings are left alone: they may ask for something."""
    if profile is None or profile.delivery != "helper" or profile.token is None:
        return None
    if profile.token.kind not in {"env", "file", "fixed"}:
        return None
    token, error = _attempt(lambda: read_token(profile, env=claude.env, home=claude.places.home))
    return error if token is None else token
