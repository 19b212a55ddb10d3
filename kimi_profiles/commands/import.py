"""Make a profile from a configuration that is there already. What is taken is shown first.

Without --from-… it is what Claude Code would use here now: its files, and the environment. A token never
gets into the profile: it becomes a reference, and you are told which variable to export, unless --keyring or
--token-file keeps the token. Nothing that is read is changed. Where there is no terminal to ask on, nothing
is added without --yes.

  kimi-profiles import old
  kimi-profiles import old --from-text guide.txt --yes
  kimi-profiles import --from-cc-switch --all --yes
"""
# ruff: noqa: N999 - a command is called what people type

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from kimi_profiles._version import SCHEMA
from kimi_profiles.errors import (
    DurabilityUnconfirmedError,
    InvalidError,
    NotFoundError,
    NotPermittedError,
    ProfilesError,
    UsageError,
)
from kimi_profiles.paths import find_places
from kimi_profiles.report import short_path
from kimi_profiles.route import absolute
from kimi_profiles.secrets import without_tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

    from kimi_profiles.call import Call
    from kimi_profiles.importing.found import Found
    from kimi_profiles.importing.recognize import Proposal

USAGE = "[NAME] "
_SERVICE = "kimi-profiles"
_STDIN = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="what to call the profile")
    sources = parser.add_argument_group("what to read").add_mutually_exclusive_group()
    sources.add_argument("--from-files", action="store_true", help="Claude Code's files alone")
    sources.add_argument(
        "--from-shell", action="store_true", help="the environment, and the start-up files of your shell"
    )
    sources.add_argument(
        "--from-text",
        metavar="FILE",
        nargs="?",
        const=_STDIN,
        help="a snippet of a guide: JSON, export, set, setx, $env: (default: standard input)",
    )
    sources.add_argument(
        "--from-cc-switch", metavar="PATH", nargs="?", const="", help="cc-switch (default: ~/.cc-switch)"
    )
    sources.add_argument("--from-ccs", metavar="PATH", nargs="?", const="", help="ccs (default: ~/.ccs)")
    parser.add_argument("--provider-name", metavar="X", help="which one, where the tool has several")
    parser.add_argument("--all", action="store_true", help="all of them, each under its own name")
    parser.add_argument(
        "--with-settings",
        action="store_true",
        help="also what says nothing about an endpoint: hooks, permissions, …",
    )
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument(
        "--keyring",
        metavar="SERVICE",
        nargs="?",
        const=_SERVICE,
        help="keep the token in the system's keyring",
    )
    kept.add_argument("--token-file", metavar="FILE", help="keep the token in a new file of mode 0600")
    parser.add_argument("--yes", "-y", action="store_true", help="add it without asking")
    parser.add_argument("--dry-run", action="store_true", help="show it, and add nothing")


def run(call: Call) -> int:
    """Read, show, ask, add."""
    _check_options(call)
    path = call.own_store_path()
    drafts, skipped = _drafts(call, path)
    if not drafts:
        raise InvalidError(
            "there is nothing to import", hint="; ".join(f"{n}: {why}" for n, why in skipped[:5]) or None
        )
    from kimi_profiles.editing.file import plan_edit
    from kimi_profiles.importing.adding import with_defaults_told, with_profiles
    from kimi_profiles.importing.showing import show_proposal

    after = plan_edit(path, lambda text: with_profiles(text, drafts)).after
    drafts = with_defaults_told(drafts, path, after)
    if not call.is_json and not call.is_quiet:
        for draft in drafts:
            show_proposal(call.out, draft)
    for name, why in skipped:
        call.say(("skipped ", "change"), without_tokens(name), (f"  {why}", "dim"))
    for draft in drafts:
        call.warn(draft.notices)
    if call.args.yes and not call.args.dry_run:
        _check_places(drafts)
    is_meant = not call.args.dry_run and (call.args.yes or _agrees(call, len(drafts)))
    if is_meant:
        _add(call, drafts, path)
        _tell(call, drafts, path)
    else:
        call.say(("nothing written", "change"), "; add --yes" if _may_not_ask(call) else "")
    call.answer(_answer(call, drafts, skipped, path, is_done=is_meant))
    return 0


def _check_places(drafts: Sequence[Proposal]) -> None:
    """Refuse what only a person who has read the warning may agree to."""
    from kimi_profiles.importing.recognize import ELSEWHERE

    notices = (notice for draft in drafts for notice in draft.notices)
    notice = next((one for one in notices if one.name == ELSEWHERE), None)
    if notice is not None:
        raise NotPermittedError(notice.message, hint=notice.hint)


def _check_options(call: Call) -> None:
    args = call.args
    has_several = args.from_cc_switch is not None or args.from_ccs is not None
    if args.all and (args.name is not None or args.provider_name is not None):
        raise UsageError("--all gives each its own name", hint="leave NAME and --provider-name out")
    if not args.all and args.name is None:
        raise UsageError("NAME is missing", hint="say what to call the profile, or --all")
    if (args.all or args.provider_name is not None) and not has_several:
        raise UsageError("--all and --provider-name go with --from-cc-switch or --from-ccs")
    if args.all and args.token_file is not None:
        raise UsageError("--token-file holds one token", hint="use --keyring, or import one after the other")
    if args.name is not None:
        from kimi_profiles.profile import check_profile_name

        check_profile_name(args.name)


# ---- read


def _drafts(call: Call, path: Path) -> tuple[list[Proposal], list[tuple[str, str]]]:
    """What could be added, and what could not, with the reason."""
    from kimi_profiles.importing.names import clean_name
    from kimi_profiles.importing.recognize import recognize

    found = _found(call)
    taken, owners = _store_names(path)
    more = call.args.with_settings
    if not call.args.all:
        chosen = found[0] if len(found) == 1 and call.args.provider_name is None else _choose(call, found)
        draft = recognize(chosen, call.args.name, env=os.environ, owners=owners, with_settings=more)
        return [_with_token_kept(call, draft)], []
    known: dict[str, str] = dict(os.environ)
    drafts: list[Proposal] = []
    skipped: list[tuple[str, str]] = []
    for one in found:
        name = clean_name(one.name, taken)
        try:
            draft = recognize(one, name, env=known, owners=owners, with_settings=more)
        except ProfilesError as error:
            skipped.append((one.name, error.message))
            continue
        if draft.export is not None and draft.token is not None:
            known[draft.export], owners[draft.export] = draft.token.reveal(), name
        taken.add(name)
        drafts.append(_with_token_kept(call, draft))
    return drafts, skipped


def _store_names(path: Path) -> tuple[set[str], dict[str, str]]:
    """The names of the profiles that there are, and for each variable the one that has its token in it."""
    from kimi_profiles.store import ProfileStore

    try:
        store = ProfileStore.open(path)
    except NotFoundError:
        return set(), {}
    owners: dict[str, str] = {}
    for name in store:
        with contextlib.suppress(ProfilesError):  # one that is wrong has no token
            token = store[name].token
            if token is not None and token.kind == "env":
                owners.setdefault(token.value, name)
    return set(store), owners


def _found(call: Call) -> list[Found]:
    from kimi_profiles.importing import sources

    args, home = call.args, find_places(home=call.home).home
    if args.from_text is not None:
        if args.from_text == _STDIN:
            return [sources.from_standard_input()]
        return [sources.from_text_file(call.path("--from-text", args.from_text) or Path())]
    if args.from_cc_switch is not None:
        from kimi_profiles.importing.cc_switch import read_cc_switch

        return read_cc_switch(Path(args.from_cc_switch) if args.from_cc_switch else home / ".cc-switch")
    if args.from_ccs is not None:
        from kimi_profiles.importing.ccs import read_ccs

        return read_ccs(Path(args.from_ccs) if args.from_ccs else home / ".ccs", home=home)
    if args.from_shell:
        return [sources.from_shell(call.claude())]
    return [sources.from_claude(call.claude(), with_environment=not args.from_files)]


def _choose(call: Call, found: Sequence[Found]) -> Found:
    from kimi_profiles.importing.names import pick

    wanted = call.args.provider_name
    if wanted is None and not _may_not_ask(call):
        for number, one in enumerate(found, 1):
            note = one.problem or ("in use" if one.is_current else "")
            call.err.line((f"{number:>3}  ", "strong"), without_tokens(one.name), (f"  {note}", "dim"))
        wanted = _ask("Which one? ")
    return pick(found, wanted)


# ---- ask


def _agrees(call: Call, count: int) -> bool:
    if _may_not_ask(call):
        return False
    return _ask(f"Add {'it' if count == 1 else 'them'}? [y/N] ").casefold() in {"y", "yes"}


def _may_not_ask(call: Call) -> bool:
    return call.is_json or sys.stdin is None or not sys.stdin.isatty()


def _ask(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


# ---- keep and add


def _with_token_kept(call: Call, draft: Proposal) -> Proposal:
    """The draft with a reference to where its token will be."""
    from kimi_profiles.importing.keeping import file_reference, keyring_reference

    args = call.args
    if args.keyring is None and args.token_file is None:
        return draft
    if draft.token is None:
        if args.all:
            return draft
        raise UsageError("no token was found that could be kept", hint="leave --keyring and --token-file out")
    if args.keyring is not None:
        return draft.with_token_at(keyring_reference(args.keyring, draft.name))
    return draft.with_token_at(file_reference(_token_path(call), home=find_places(home=call.home).home))


def _token_path(call: Call) -> Path:
    return absolute(call.path("--token-file", call.args.token_file) or Path())


def _add(call: Call, drafts: Sequence[Proposal], path: Path) -> None:
    """Keep the tokens, then add the profiles; no file with a token stays behind without its profile."""
    from kimi_profiles.editing.file import edit_store
    from kimi_profiles.importing import keeping
    from kimi_profiles.importing.adding import with_profiles

    for draft in drafts:
        if call.args.keyring is not None:
            keeping.keep_in_service(call.args.keyring, draft)
        elif call.args.token_file is not None:
            keeping.keep_in_file(_token_path(call), draft)
    try:
        edit_store(
            path, lambda text: with_profiles(text, drafts), timeout_s=call.args.lock_timeout, home=call.home
        )
    except DurabilityUnconfirmedError:
        raise
    except BaseException:
        if call.args.token_file is not None:
            keeping.forget_file(_token_path(call))
        raise


def _tell(call: Call, drafts: Sequence[Proposal], path: Path) -> None:
    from kimi_profiles.importing.showing import export_line, shown_source

    for draft in drafts:
        call.say(("added ", "good"), (draft.name, "strong"), (f"  {short_path(path)}", "dim"))
        line = export_line(draft)
        if line is not None:
            where = (
                "what you pasted" if call.args.from_text == _STDIN else shown_source(draft.token_source or "")
            )
            where = f"  the token is in {where}" if draft.token_source else ""
            call.say("  first: ", (line, "strong"), (where, "dim"))
        call.say("  then:  ", (f"kimi-profiles plan {draft.name}", "strong"))


# ---- for scripts


def _answer(
    call: Call, drafts: Sequence[Proposal], skipped: Sequence[tuple[str, str]], path: Path, *, is_done: bool
) -> dict[str, Any]:
    from kimi_profiles.importing.showing import proposal_json

    common = {
        "schema": SCHEMA,
        "ok": True,
        "command": "import",
        "profile": None if call.args.all else drafts[0].name,
        "path": str(path),
        "changed": True,
        "dry_run": not is_done,
    }
    if not call.args.all:
        return common | proposal_json(drafts[0])
    return common | {
        "profiles": [{"profile": draft.name, **proposal_json(draft)} for draft in drafts],
        "skipped": [{"name": without_tokens(name), "reason": without_tokens(why)} for name, why in skipped],
        "warnings": [],
    }
