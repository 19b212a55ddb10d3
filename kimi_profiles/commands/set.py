"""Set one key of a profile in your file. Comments, order and layout of the file stay.

KEY is as in the file: models.haiku, auth.token.env, context_tokens, env.API_TIMEOUT_MS, settings.model; a
part with dots in it is quoted: settings."a.b". VALUE is text, true or false, or a number, as the key takes
it; under settings a value in TOML if it is one, else text. auth.token takes env=NAME, file=PATH, command=LINE
or keyring=SERVICE, never a token.

A provider that is no profile of yours yet becomes one. NAME may be defaults, for [defaults], which lie under
every profile.

  kimi-profiles set work models.haiku kimi-k2.7-code-highspeed
  kimi-profiles set work auth.token command="pass show kimi"
  kimi-profiles set defaults env.API_TIMEOUT_MS 600000
"""

from __future__ import annotations

import contextlib
import re
import shlex
import tomllib

from kimi_profiles._version import SCHEMA
from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.editing.diff import difference_segments, difference_text
from kimi_profiles.editing.file import edit_store, plan_edit
from kimi_profiles.editing.profiles import add_profile, profile_key, set_value, table_key, value_at
from kimi_profiles.editing.values import written, written_key
from kimi_profiles.errors import Notice, ProfilesError
from kimi_profiles.ledger import ledger_file, read_ledger
from kimi_profiles.paths import find_places
from kimi_profiles.report import short_path
from kimi_profiles.secrets import fingerprint, is_secret_name, without_tokens
from kimi_profiles.store import ProfileStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable
    from typing import Any

    from kimi_profiles.call import Call
    from kimi_profiles.editing.file import Revision
    from kimi_profiles.editing.splicing import Key
    from kimi_profiles.ledger import Application, Ledger

USAGE = "NAME KEY VALUE "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", help="a profile of yours, a provider, or defaults")
    parser.add_argument("key", metavar="KEY", help="such as models.haiku")
    parser.add_argument("value", metavar="VALUE", help="what it becomes; behind -- if it begins with -")
    add_dry_run(parser)


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """What every command that changes the profile file has."""
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and write nothing")


def run(call: Call) -> int:
    """Set the key."""
    from kimi_profiles.editing.keys import TokenGivenError, read_assignment, read_key

    name = call.args.name
    try:
        key, value = read_assignment(read_key(call.args.key), call.args.value)
    except TokenGivenError as error:
        raise TokenGivenError(error.message, hint=_advice(call, name)) from None

    def change(text: str) -> str:
        text = _with_provider(text, name)
        return set_value(text, table_key(text, name), key, value)

    revision = change_store(call, change)
    said = ((name, "strong"), f"  {written_key(*key)} = {_shown(key, value)}")
    finish(call, "set", revision, profile=name, said=said, notices=apply_notices(call, revision, name))
    return 0


def change_store(
    call: Call, change: Callable[[str], str], *, records: Callable[[Ledger], Ledger] | None = None
) -> Revision:
    """Change the profile file, or with ``--dry-run`` see what that would do."""
    path = call.own_store_path()
    if call.args.dry_run:
        return plan_edit(path, change)
    timeout_s = call.args.lock_timeout
    with call.busy("changing the profile file"):
        return edit_store(path, change, timeout_s=timeout_s, home=call.home, records=records)


def finish(
    call: Call,
    command: str,
    revision: Revision,
    *,
    profile: str | None,
    said: Iterable[Any],
    notices: Iterable[Notice] = (),
    **facts: Any,
) -> None:
    """Answer and tell what became of the profile file.

    Args:
        call: The call.
        command: Its name.
        revision: What was done, or with ``--dry-run`` what would be.
        profile: The profile it is about.
        said: Segments of the line for people, if something was done.
        notices: What is odd.
        facts: Further keys of the answer.
    """
    is_dry_run, notices = call.args.dry_run, list(notices)
    before = revision.before or ""
    diff = {"diff": difference_text(before, revision.after)} if is_dry_run and call.is_json else {}
    head = {"schema": SCHEMA, "ok": True, "command": command, "profile": profile, "path": str(revision.path)}
    tail = {"changed": revision.changed, "dry_run": is_dry_run, **diff, **facts}
    call.answer({**head, **tail, "warnings": [notice.to_json() for notice in notices]})
    if not revision.changed:
        call.say("nothing to do")
    elif is_dry_run:
        call.say(
            (short_path(revision.path), "strong"), ("" if revision.before is not None else "  (new)", "dim")
        )
        for segment in difference_segments(before, revision.after):
            call.say(segment)
    else:
        call.say(*said, (f"  {short_path(revision.path)}", "dim"))
    call.warn(notices)


def applications_of(call: Call, name: str, text: str) -> dict[str, Application]:
    """Where profile ``name`` of this file is applied: settings file → what is on record.

    The record does not say from which file a profile was. With ``--store``, one that the user's own file
    declares under the same name is taken for that one, unless what was applied is what is declared here.

    Args:
        call: The call.
        name: Of the profile.
        text: What the file holds, or held before the change.
    """
    places = find_places(home=call.home)
    known = read_ledger(ledger_file(places.state)).applications
    named = {settings: application for settings, application in known.items() if application.profile == name}
    if not named or call.args.store is None or call.own_store_path() == places.store:
        return named
    own = ProfileStore.open(home=call.home)
    if name not in set(own):
        return named
    with contextlib.suppress(ProfilesError):  # a profile that is wrong has no digest
        digest = ProfileStore(call.own_store_path(), text)[name].digest
        return {settings: each for settings, each in named.items() if each.declared == digest}
    return {}


def scope_option(settings: str, application: Application) -> str:
    """What to add to a command so that it means the scope of ``application``."""
    if application.scope == "user":
        return ""
    if application.scope == "path":
        return f" --settings {shlex.quote(settings)}"
    return f" --scope {application.scope}, in its project"


def apply_notices(call: Call, revision: Revision, name: str) -> list[Notice]:
    """That the profile is applied, and so Claude Code's files still say what it said before."""
    applied: dict[str, Application] = {}
    if revision.changed and not call.args.dry_run:
        with contextlib.suppress(ProfilesError):  # it is done; this is only said about it
            applied = applications_of(call, name, revision.before or "")
    return [
        Notice(
            "profile-changed",
            f"profile {name} is declared differently than when it was applied",
            f"kimi-profiles apply {name}{scope_option(settings, application)}",
        )
        for settings, application in applied.items()
    ]


def _with_provider(text: str, name: str) -> str:
    """``text``, with a profile of the provider ``name`` if there is no profile of that name."""
    if name not in read_catalogue().providers or value_at(tomllib.loads(text), profile_key(name)) is not None:
        return text
    return add_profile(text, name, {"provider": name})


def _shown(key: Key, value: object) -> str:
    if key[0] == "env" and is_secret_name(key[-1]):
        return f"secret {fingerprint(str(value))}"
    return without_tokens(written(value))


def _advice(call: Call, name: str) -> str:
    """What to do with a token instead of writing it down."""
    try:
        token = call.store()[name].token
    except ProfilesError:
        token = None
    variable = re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_API_KEY"
    if token is not None and token.kind == "env":
        variable = token.value
    return f"export {variable}=…, and: kimi-profiles set {name} auth.token.env {variable}"
