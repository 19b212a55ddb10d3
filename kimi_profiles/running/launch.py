"""Start Claude Code, or another program, with a profile for one process; no file of the user's changes."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
from pathlib import Path

from kimi_profiles.client import find_program
from kimi_profiles.credentials import read_token, token_notices
from kimi_profiles.endpoint import check_token, profile_notices
from kimi_profiles.environment import environment_with
from kimi_profiles.errors import NotFoundError, Notice, NotPermittedError, ProfilesError, UsageError
from kimi_profiles.files import take_snapshot
from kimi_profiles.ledger import ledger_file, read_ledger
from kimi_profiles.route import real_folder
from kimi_profiles.running.child import held_signals, run_child
from kimi_profiles.running.flag import (
    client_environment,
    flag_text,
    is_inline_json,
    needs_helper,
    take_flag,
    without_applied,
)
from kimi_profiles.running.handover import SETTINGS, TOKEN, handover, sweep_folders
from kimi_profiles.supplied import has_login
from kimi_profiles.survey import take_survey
from kimi_profiles.targets import decode
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kimi_profiles.api import ClaudeCode
    from kimi_profiles.ledger import Record
    from kimi_profiles.profile import Profile
    from kimi_profiles.running.child import Signals
    from kimi_profiles.running.handover import Handover
    from kimi_profiles.secrets import Secret

__all__ = ["Launch", "plan_launch", "start"]

# What speaks of the home of the user who runs this, where another home was named.
_OF_OWN_HOME = (
    "CLAUDE_CONFIG_DIR",
    *(f"XDG_{kind}_HOME" for kind in ("CONFIG", "STATE", "CACHE", "DATA")),
)
# A `claude` on the PATH that starts this command again would do so without end.
_DEPTH = "KIMI_PROFILES_RUN_DEPTH"
_MAX_DEPTH = 8
_INSTALL = "install Claude Code, or put the folder that holds it on the PATH"


@dataclass(frozen=True, slots=True)
class Launch:
    """What is about to be started; holds secrets.

    Attributes:
        program: Its path.
        arguments: Without its name, and without the settings.
        env: Its whole environment.
        profile: What it is to use.
        token: For the settings or the helper; ``None`` where the profile has a helper of its own.
        helper: The profile's own helper command, if it has one.
        is_by_helper: Whether a helper hands the token over.
        settings: The user's own settings for this process; ``None`` for a program that takes none.
        elsewhere: Variables of another profile that is applied, as they would be without it.
        warnings: What is odd about it.
    """

    program: str
    arguments: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    profile: Profile
    token: Secret | None = None
    helper: str | None = None
    is_by_helper: bool = False
    settings: str | None = field(default=None, repr=False)
    elsewhere: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[Notice, ...] = ()


def plan_launch(
    claude: ClaudeCode,
    profile: Profile,
    arguments: tuple[str, ...],
    *,
    program: str | None = None,
    keep_login: bool = False,
) -> Launch:
    """What :func:`start` shall start. The token is read; nothing is written.

    Args:
        claude: In the user's scope.
        profile: Resolved.
        arguments: For the program.
        program: A name, looked for on the PATH, or a path; Claude Code if left out. What is called
            ``claude`` is Claude Code, wherever it lies.
        keep_login: Do not mind a stored Console login, although its key is sent too.

    Raises:
        NotFoundError: There is no such program, or no such file behind the client's own ``--settings``.
        TokenUnavailableError: The token is not to be had.
        ProfilesError: See :mod:`kimi_profiles.errors`.
    """
    path = _find(program or "claude", claude.env)
    warnings = [*profile_notices(profile), *token_notices(profile, home=claude.places.home)]
    env = _environment(claude, path)
    if Path(path).stem.lower() != "claude":
        if profile.settings:
            message = f"this program gets the variables of {profile.name}, its settings are for Claude Code"
            warnings.append(Notice("settings-left-out", message))
        clean = environment_with(env, profile, _token(claude, profile))
        return Launch(path, arguments, clean, profile, warnings=tuple(warnings))
    if profile.delivery == "helper" and profile.token is None:
        read_token(profile)  # says what is missing
    helper = claude.helper_command(profile)
    token = None if helper is not None else _token(claude, profile)
    is_by_helper = helper is not None
    if token is not None:
        state = claude.state_text()
        is_by_helper = needs_helper(profile, token, state, keep_login=keep_login)
        if has_login(state) and not is_by_helper and profile.auth_variable == "ANTHROPIC_AUTH_TOKEN":
            warnings.append(_login_notice(claude, profile))
    flag, rest = take_flag(arguments)
    launch = Launch(
        path,
        rest,
        client_environment(env, profile, None if is_by_helper else token),
        profile,
        token=token,
        helper=helper,
        is_by_helper=is_by_helper,
        settings="" if flag is None else _read_flag(flag),
        elsewhere=without_applied(_records(claude), client_environment(env, profile, None)),
        warnings=tuple(warnings),
    )
    _text(launch, helper)  # what is wrong with it is told before anything is made
    return launch


def start(
    launch: Launch, claude: ClaudeCode, *, tell: Callable[[Iterable[Notice]], None], ignored: Signals
) -> int:
    """Start it and wait until it has ended.

    Args:
        launch: From :func:`plan_launch`.
        claude: The same as there.
        tell: What to do with what is odd; called before the program starts.
        ignored: Signals that we were started with as ignored.

    Returns:
        Its exit status, or the signal that ended it, negative.

    Raises:
        NotPermittedError: It cannot be started.
        ProfilesError: The private files cannot be made.
    """
    parent = claude.places.state / "run"
    with held_signals(ignored) as held:
        sweep_folders(parent)
        tell(launch.warnings)
        if launch.settings is None:
            return _run(launch, launch.arguments, held, None)
        with handover(parent) as lent:
            path = _write(launch, lent)
            tell(_hidden_notices(claude, launch, path))
            return _run(launch, ("--settings", str(path), *launch.arguments), held, lent.lock)


def _find(program: str, env: Mapping[str, str]) -> str:
    if os.path.dirname(program):  # noqa: PTH120 - "./x" is no name
        if not Path(program).is_file():
            raise NotFoundError("there is no such program", path=program)
        return os.path.abspath(program)  # noqa: PTH100 - links are kept: some programs go by their name
    found = find_program(program, env)
    if found is None:
        hint = _INSTALL if program == "claude" else "give its path, or put its folder on the PATH"
        raise NotFoundError(f"there is no program {program!a:.80} on the PATH", hint=hint)
    return found


def _environment(claude: ClaudeCode, path: str) -> dict[str, str]:
    env = dict(claude.env)
    said = env.get(_DEPTH, "")
    depth = int(said) if said.isascii() and said.isdigit() and len(said) == 1 else 0
    if depth >= _MAX_DEPTH:
        raise UsageError(
            "this is a run in a run, many times over: does the program start this command again?",
            hint="name the program itself: run --exec /path/to/claude NAME",
            path=path,
        )
    env[_DEPTH] = str(depth + 1)
    if not claude.is_own_home:
        for name in _OF_OWN_HOME:
            env.pop(name, None)
        home = str(claude.places.home)
        env |= {"HOME": home, **({"USERPROFILE": home} if os.name == "nt" else {})}
    return env


def _token(claude: ClaudeCode, profile: Profile) -> Secret:
    token = read_token(profile, env=claude.env, home=claude.places.home)
    check_token(profile.base_url, token)
    return token


def _read_flag(value: str) -> str:
    """The settings behind the user's own ``--settings``."""
    if is_inline_json(value):
        return value
    snapshot = take_snapshot(Path(value))
    text = decode(snapshot)
    if text is None:
        raise NotFoundError("there is no such settings file", path=snapshot.path)
    return text


def _login_notice(claude: ClaudeCode, profile: Profile) -> Notice:
    message = f"{claude.places.claude_json} holds a Console login, whose key goes to {profile.base_url} too"
    return Notice("login-key-sent", message, "log out with /logout, or let the profile detach the login")


def _write(launch: Launch, lent: Handover) -> Path:
    helper = launch.helper
    if launch.is_by_helper and launch.token is not None:
        helper = _printing(lent.write(TOKEN, launch.token.reveal() + "\n"), launch.env)
    path = lent.write(SETTINGS, _text(launch, helper))
    _check_utf8(path)
    return path


def _text(launch: Launch, helper: str | None) -> str:
    return flag_text(
        launch.profile,
        launch.token,
        launch.settings or "",
        helper_command=helper,
        elsewhere=launch.elsewhere,
    )


def _records(claude: ClaudeCode) -> list[Record]:
    """Of the settings files that Claude Code reads here, from strong to weak, what we know about them."""
    project = real_folder(Path()) / ".claude"
    files = [
        project / "settings.local.json",
        project / "settings.json",
        claude.places.claude / "settings.json",
    ]
    try:
        known = read_ledger(ledger_file(claude.places.state)).records
    except ProfilesError:  # the next apply will say so
        return []
    return [known[str(file)] for file in files if str(file) in known]


def _printing(path: Path, env: Mapping[str, str]) -> str:
    """The command line that prints a file, for the shell to which Claude Code hands it."""
    _check_utf8(path)
    if os.name == "nt":
        return f"type {subprocess.list2cmdline([str(path)])}"
    return shlex.join([find_program("cat", env) or "cat", str(path)])


def _check_utf8(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(
            "the path of the state folder is not UTF-8, as Claude Code must have it",
            hint="set XDG_STATE_HOME to a folder whose path is",
            path=path,
        ) from None


def _hidden_notices(claude: ClaudeCode, launch: Launch, path: Path) -> list[Notice]:
    """What has no effect because managed settings say otherwise."""
    project = real_folder(Path())
    try:
        survey = take_survey(claude.places, project=project, flag_settings=path, env=launch.env, client=None)
    except (ProfilesError, OSError):  # only told if it can be
        return []
    return [
        Notice(
            "hidden",
            f"{name} of {launch.profile.name} has no effect: "
            f"{winner.name} settings say otherwise, in {winner.path}:{winner.line(name) or 1}",
            "ask whoever administers this machine",
        )
        for name, winner in survey.effective.hidden(path)
    ]


def _run(launch: Launch, arguments: tuple[str, ...], held: Signals, lock: int | None) -> int:
    try:
        return run_child(launch.program, arguments, launch.env, held=held, kept_open=lock)
    except OSError as error:
        if error.errno == errno.ENOENT:  # it went away meanwhile, or what its first line names is not there
            raise NotFoundError(
                "it, or the interpreter that it names, is not there", path=launch.program
            ) from None
        raise NotPermittedError(
            f"it cannot be started: {os.strerror(error.errno or 0)}", path=launch.program
        ) from None
