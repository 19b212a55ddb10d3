"""From a profile and a scope to what is wanted of each file; and what is odd about it."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from kimi_profiles.claude import (
    MASKABLE,
    Surroundings,
    claude_json_changes,
    environment_notices,
    helper_line,
    settings_changes,
)
from kimi_profiles.credentials import read_token, token_notices
from kimi_profiles.endpoint import check_token, profile_notices
from kimi_profiles.errors import (
    Notice,
    NotPermittedError,
    ProfilesError,
    TokenUnavailableError,
    UsageError,
)
from kimi_profiles.files import read_file
from kimi_profiles.ledger import Application, Record, readable_applications
from kimi_profiles.restore import find_backups
from kimi_profiles.restore import restore_intent as restoring
from kimi_profiles.route import real_folder
from kimi_profiles.secrets import Secret, stand_in
from kimi_profiles.supplied import has_login, supplied_by_env, supplied_by_settings, supplied_by_target
from kimi_profiles.targets import Intent, TargetIntent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimi_profiles.api import ClaudeCode
    from kimi_profiles.change import Change
    from kimi_profiles.jsontext.document import Document
    from kimi_profiles.profile import Profile

__all__ = [
    "apply_intent",
    "data_or_empty",
    "helper_command",
    "hidden_notices",
    "restore_intent",
    "unapply_intent",
    "wanted_changes",
]


def apply_intent(
    claude: ClaudeCode,
    profile: Profile,
    *,
    token: str | None,
    allow_tracked: bool,
    keep_login: bool,
) -> tuple[Intent, list[Notice]]:
    """What ``apply`` wants, and what is odd about it. Arguments and errors as there."""
    secret = _token(claude, profile, token)
    if secret is not None:
        check_token(profile.base_url, secret)
    warnings = [
        *profile_notices(profile),
        *token_notices(profile, home=claude.places.home),
        *_helper_notices(claude, profile),
        *_login_notices(claude, profile, keep_login=keep_login),
        *(environment_notices(claude.env) if claude.is_own_home else ()),
    ]
    supplied = set(_supplied(claude))
    helper = helper_command(claude, profile)

    def settings(record: Record, document: Document[bytes] | None) -> Sequence[Change]:
        here = supplied_by_target(record, document)
        return settings_changes(profile, secret, Surroundings(here | supplied, helper))

    def claude_json(_: Record, document: Document[bytes] | None) -> Sequence[Change]:
        # It comes before the settings, and what it supplies counts there; it is too large to read twice.
        supplied.update(supplied_by_settings(b"" if document is None else document))
        changes = claude_json_changes(profile, secret)
        return [change for change in changes if not (keep_login and change.pointer == "/primaryApiKey")]

    targets = [TargetIntent(claude.scope.settings, settings, is_shared=claude.scope.name == "project")]
    if claude.scope.claude_json is not None:
        # Before the settings: a login has to be gone when the base URL changes, not a moment later.
        targets.insert(0, TargetIntent(claude.scope.claude_json, claude_json, has_client_lock=True))
    application = Application(
        profile=profile.name,
        scope=claude.scope.name,
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        declared=profile.digest,
        targets=tuple(str(target.path) for target in targets),
    )
    return Intent(claude.scope.settings, application, tuple(targets), _taken_out, allow_tracked), warnings


def unapply_intent(claude: ClaudeCode) -> Intent:
    """Nothing more is wanted."""
    return Intent(claude.scope.settings, None, (_taken_out(claude.scope.settings),), _taken_out)


def restore_intent(claude: ClaudeCode, backup: str) -> Intent:
    """A copy in the place of its file, and nothing else. Errors as for ``restore``."""
    found = find_backups(claude.places.state, backup, claude.scope)
    return restoring(found, claude.scope, taken_out=_taken_out)


def wanted_changes(claude: ClaudeCode, profile: Profile, path: Path) -> Sequence[Change]:
    """What ``profile`` wants in a file, as far as that can be told without its token."""
    if path == claude.scope.settings:
        supplied = _supplied(claude) | supplied_by_settings(data_or_empty(claude.places.claude_json))
        supplied |= supplied_by_target(Record(), data_or_empty(path))
        return settings_changes(profile, stand_in(), Surroundings(supplied, helper_command(claude, profile)))
    return claude_json_changes(profile, stand_in())


def helper_command(claude: ClaudeCode, profile: Profile) -> str | None:
    """See ``ClaudeCode.helper_command``."""
    if profile.delivery != "helper":
        return None
    command = [
        sys.executable,
        "-P",
        "-m",
        "kimi_profiles",
        "token",
        profile.name,
        "--for",
        profile.base_url,
    ]
    if profile.source is not None and Path(profile.source) != claude.places.store:
        command += ["--store", profile.source]
    if not claude.is_own_home:
        command += ["--home", str(claude.places.home)]
    return helper_line(profile, command)


def hidden_notices(claude: ClaudeCode) -> list[Notice]:
    """What was applied, and has no effect in this project because a stronger layer says otherwise."""
    from kimi_profiles.survey import find_hidden, how_to_undo

    with contextlib.suppress(ProfilesError, OSError):  # all is written; this is only told if it can be
        hidden = find_hidden(
            claude.places, project=real_folder(claude.root or Path()), settings=claude.scope.settings
        )
        elsewhere = readable_applications(claude.places.state) if hidden else ()
        return [
            Notice(
                "hidden",
                f"{name} has no effect here: {winner.name} settings say otherwise, "
                f"in {winner.path}:{winner.line(name) or 1}",
                how_to_undo(name, winner, elsewhere),
            )
            for name, winner in hidden
        ]
    return []


def _token(claude: ClaudeCode, profile: Profile, token: str | None) -> Secret | None:
    if profile.delivery == "helper":
        if token is not None:
            raise UsageError(
                f"profile {profile.name} delivers its token by a helper, which cannot be handed one",
                hint="leave the token out, or apply a profile with inline delivery",
            )
        if profile.token is None:
            raise TokenUnavailableError(
                f"profile {profile.name} does not say where its token is",
                hint='set auth.token, for example to { env = "MY_API_KEY" }',
            )
        return None
    if token is not None:
        return Secret(token.strip())
    return read_token(profile, env=claude.env, home=claude.places.home)


def _helper_notices(claude: ClaudeCode, profile: Profile) -> list[Notice]:
    """With a helper the token is only needed later; still, say it now if it is not there or cannot fit.

    Commands and keyrings are left alone: they may ask the user for something.
    """
    if profile.delivery != "helper" or profile.token is None or profile.token.kind not in {"env", "file"}:
        return []
    try:
        token = read_token(profile, env=claude.env, home=claude.places.home)
    except TokenUnavailableError as error:
        return [Notice("token-unavailable", f"the helper has no token to give yet: {error}", error.hint)]
    check_token(profile.base_url, token)
    return []


def _supplied(claude: ClaudeCode) -> frozenset[str]:
    """What weaker layers than the settings supply, but for ``.claude.json``."""
    names = supplied_by_env(claude.env) if claude.is_own_home else frozenset()
    # Weaker settings may change at any time, by another apply among others.
    return names if claude.scope.name == "user" else names | MASKABLE


def _login_notices(claude: ClaudeCode, profile: Profile, *, keep_login: bool) -> list[Notice]:
    is_kept = keep_login or not profile.detach_login or claude.scope.claude_json is None
    if not is_kept or not has_login(data_or_empty(claude.places.claude_json)):
        return []
    message = f"{claude.places.claude_json} holds a Console login, whose key goes to {profile.base_url} too"
    return [Notice("login-key-sent", message, "log out with /logout, or let the profile detach the login")]


# Claude Code takes a lock for these, and for none of its other files.
_CLIENT_LOCKED = {".claude.json", ".config.json"}


def _taken_out(path: Path) -> TargetIntent:
    """Nothing more is wanted of this file."""
    return TargetIntent(path, lambda _, __: (), has_client_lock=path.name in _CLIENT_LOCKED)


def data_or_empty(path: Path) -> bytes:
    """For files that are only looked at: one that cannot be read supplies nothing."""
    try:
        return read_file(path) or b""
    except NotPermittedError:
        return b""
