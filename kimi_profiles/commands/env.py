"""Print a profile as environment variables, for a shell or a file. The output holds the token.

  eval "$(kimi-profiles env work)"               sh, bash, zsh
  kimi-profiles env work | source                fish
  kimi-profiles env work | Invoke-Expression     PowerShell
  kimi-profiles env work --shell cmd >work.cmd   cmd: call work.cmd; delete it
  kimi-profiles env work --snippet >>~/.bashrc   new shells; token in no file

Variables that would bring a second credential are unset. What cannot be said exactly is refused (exit 78).
With --json the token is masked; --shell json prints it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from kimi_profiles._version import SCHEMA
from kimi_profiles.claude import UNMASKABLE
from kimi_profiles.credentials import read_token, token_file, token_notices
from kimi_profiles.endpoint import check_token, profile_notices
from kimi_profiles.environment import profile_variables
from kimi_profiles.errors import Notice, ProfilesError, TokenUnavailableError, UsageError
from kimi_profiles.paths import find_places
from kimi_profiles.secrets import stand_in
from kimi_profiles.shells import SHELLS, guess_shell, render, render_unset

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from typing import Any

    from kimi_profiles.call import Call
    from kimi_profiles.layers import Layer
    from kimi_profiles.ledger import Application
    from kimi_profiles.profile import Profile
    from kimi_profiles.secrets import Secret
    from kimi_profiles.startup import Kept
    from kimi_profiles.survey import Survey

USAGE = "NAME "

_PROGRAM = "kimi-profiles"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", help="a profile of yours, or a provider")
    parser.add_argument("--shell", choices=SHELLS, help="(default: the one this is started from)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--unset", action="store_true", help="take away again what the profile sets")
    way.add_argument(
        "--by-reference",
        action="store_true",
        help="say where the token is, not the token; sh, bash, zsh, fish",
    )
    way.add_argument(
        "--snippet", action="store_true", help="code for a start-up file that runs Python only after a change"
    )
    parser.add_argument(
        "--kept-in", metavar="FILE", help="with --by-reference: where --snippet keeps the text"
    )


def run(call: Call) -> int:
    """Print the variables."""
    args = call.args
    if args.kept_in and not args.by_reference:
        raise UsageError("--kept-in goes with --by-reference")
    shell = args.shell or guess_shell(_parent(), os.environ, is_windows=os.name == "nt")
    profile = call.store()[args.name]
    answer = {"schema": SCHEMA, "ok": True, "command": "env", "profile": profile.name, "shell": shell}
    if args.unset:
        names = [name for name, value in _variables(profile).items() if value is not None]
        _tell(call, answer | {"variables": dict.fromkeys(names)}, render_unset(names, shell), [])
    elif args.snippet:
        text = _snippet(call, profile, shell)
        _tell(call, answer | {"snippet": text}, text, [])
    elif args.by_reference:
        _check_token_if_there(call, profile)
        variables = _variables(profile)
        text = _by_reference(call, profile, variables, shell)
        shown = {**_shown(call, variables), profile.auth_variable: {"reference": str(profile.token)}}
        _tell(call, answer | {"variables": shown}, text, _notices(call, profile, variables))
    else:
        token = read_token(profile, home=call.home)
        check_token(profile.base_url, token)
        variables = _variables(profile, token)
        text = render(variables, shell)
        notices = [*_notices(call, profile, variables), *_shell_notices(shell)]
        _tell(call, answer | {"variables": _shown(call, variables)}, text, notices)
    return 0


def _tell(call: Call, answer: dict[str, Any], text: str, notices: list[Notice]) -> None:
    if call.is_json:
        call.answer({**answer, "warnings": [notice.to_json() for notice in notices]})
        return
    call.warn(notices)
    # As bytes: the terminal's encoding may lack a character, or end the lines otherwise.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))


def _variables(profile: Profile, token: Secret | None = None) -> dict[str, str | None]:
    """With what no settings file can mask, but a process can simply be started without."""
    return dict.fromkeys(UNMASKABLE) | profile_variables(profile, token or stand_in())


def _shown(call: Call, variables: Mapping[str, str | None]) -> dict[str, Any]:
    """For an answer in JSON; to find out what is secret takes a while."""
    if not call.is_json:
        return {}
    from kimi_profiles.report import shown_variable

    return {name: None if value is None else shown_variable(name, value) for name, value in variables.items()}


def _check_token_if_there(call: Call, profile: Profile) -> None:
    """Commands and keyrings are left alone: they may ask the user for something."""
    if profile.token is not None and profile.token.kind in {"env", "file"}:
        with contextlib.suppress(TokenUnavailableError):
            check_token(profile.base_url, read_token(profile, home=call.home))


# ---- by reference


def _by_reference(call: Call, profile: Profile, variables: Mapping[str, str | None], shell: str) -> str:
    from kimi_profiles.startup import by_reference

    reference = profile.token
    path = None
    if reference is not None and reference.kind == "file":
        path = os.path.abspath(token_file(reference, profile, home=call.home))  # noqa: PTH100 - links stay
    command = [_PROGRAM, "token", profile.name]
    if profile.source is not None:  # whatever KIMI_PROFILES_STORE says then
        command += ["--store", profile.source]
    if call.home is not None:
        command += ["--home", os.path.abspath(call.home)]  # noqa: PTH100
    kept = _kept(call) if call.args.kept_in else None
    return by_reference(profile, variables, shell, token_file=path, token_command=command, kept=kept)


def _kept(call: Call) -> Kept:
    """The text changes with the store and with this program."""
    import shutil

    from kimi_profiles.startup import Kept

    store, program = str(call.own_store_path()), shutil.which(_PROGRAM)
    watched = [store, *([program] if program and os.path.isabs(program) else [])]  # noqa: PTH117
    present = {path: os.path.realpath(path) for path in watched if os.path.exists(path)}  # noqa: PTH110
    return Kept(present, tuple(path for path in watched if path not in present))


def _snippet(call: Call, profile: Profile, shell: str) -> str:
    from kimi_profiles.startup import kept_name, snippet

    _by_reference(call, profile, _variables(profile), shell)  # what cannot be said is told now
    options = ["--store", str(call.store_path)] if call.store_path else []
    if call.home is not None:
        options += ["--home", os.path.abspath(call.home)]  # noqa: PTH100
    arguments = [_PROGRAM, "env", profile.name, "--shell", shell, "--by-reference", "--quiet", *options]
    folder = find_places(home=call.home).cache / "env"
    kept_in = str(folder / kept_name(profile.name, arguments))
    return snippet(profile.name, shell, kept_in=kept_in, arguments=[*arguments, "--kept-in", kept_in])


# ---- what is odd


def _parent() -> str:
    """The name of the program that started us; empty where the system does not tell."""
    try:
        return Path(f"/proc/{os.getppid()}/comm").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _notices(call: Call, profile: Profile, variables: Mapping[str, str | None]) -> list[Notice]:
    if call.is_quiet and not call.is_json:
        return []
    notices = [*profile_notices(profile), *token_notices(profile, home=call.home)]
    if profile.settings:
        message = f"what profile {profile.name} lists under settings is not in the environment"
        notices.append(Notice("settings-left-out", message, f"{_PROGRAM} apply {profile.name}"))
    with contextlib.suppress(ProfilesError, OSError):  # only told if it can be
        notices += _file_notices(call, profile, variables)
    return notices


def _file_notices(call: Call, profile: Profile, variables: Mapping[str, str | None]) -> Iterator[Notice]:
    """Claude Code's files are stronger than the environment, and may hold a credential of their own."""
    from kimi_profiles.known import KnownFiles
    from kimi_profiles.route import real_folder
    from kimi_profiles.survey import how_to_undo, take_survey

    places = find_places(home=call.home)
    project = real_folder(Path(call.args.project) if call.args.project else Path())
    env = {name: value for name, value in variables.items() if value is not None}
    known = KnownFiles(places.cache)
    survey = take_survey(places, project=project, env=env, client=None, known=known)
    winners = _winners(survey, variables)
    applications: tuple[Application, ...] = ()
    if winners:
        from kimi_profiles.ledger import readable_applications

        applications = readable_applications(places.state)
    for winner, pairs in groupby(winners, key=itemgetter(1)):
        first, *rest = (name for name, _ in pairs)
        more = f" and {len(rest)} more have" if rest else " has"
        yield Notice(
            "hidden",
            f"{first}{more} no effect here: {winner.name} settings say otherwise, "
            f"in {winner.path}:{winner.line(first) or 1}",
            how_to_undo(first, winner, applications),
        )
    for credential in survey.request.credentials:
        if credential.layer != "process" and credential.source not in variables:
            where = f" in {credential.path}" if credential.path else ""
            yield Notice(
                "second-credential",
                f"{credential.source}{where} is sent too, as {credential.header}",
                f"{_PROGRAM} apply {profile.name}, which takes care of it until unapply",
            )


def _winners(survey: Survey, variables: Mapping[str, str | None]) -> list[tuple[str, Layer]]:
    """What a stronger layer says otherwise, those of one layer together."""
    layers = {id(layer): place for place, layer in enumerate(survey.effective.layers)}
    return sorted(_hidden(survey, variables), key=lambda pair: layers[id(pair[1])])


def _hidden(survey: Survey, variables: Mapping[str, str | None]) -> Iterator[tuple[str, Layer]]:
    no_token = stand_in().reveal()
    for name, value in variables.items():
        if value == no_token:
            continue
        winner = next(iter(survey.effective.suppliers(name)), None)
        if winner is not None and winner.name != "process" and winner.values[name] != (value or ""):
            yield name, winner


def _shell_notices(shell: str) -> Iterator[Notice]:
    if shell == "setx":
        message = "setx keeps the token in the registry, for every program of yours"
        yield Notice("token-kept", message, f"{_PROGRAM} env NAME --shell setx --unset takes it out")
    if shell == "vscode":
        message = "VS Code may copy its settings, and the token in them, to your other machines"
        yield Notice(
            "token-synced", message, 'list "claudeCode.environmentVariables" in settingsSync.ignoredSettings'
        )
