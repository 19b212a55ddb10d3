"""Add a profile to your file, which is made if it is not there yet.

With --provider, or with a provider's name as NAME, everything else is known; options say what is to be
different. With --base-url it also has to be said where the token is. On a terminal, without any of these, the
providers are offered; otherwise nothing is asked.

  kimi-profiles add job --provider moonshot-cn
  kimi-profiles add lab --base-url https://llm.lab.example --token-env LAB_KEY
"""

from __future__ import annotations

import sys

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.commands.set import add_dry_run, change_store, finish
from kimi_profiles.credentials import read_token
from kimi_profiles.editing.profiles import add_profile
from kimi_profiles.errors import Notice, ProfilesError, TokenUnavailableError, UsageError
from kimi_profiles.profile import check_profile_name
from kimi_profiles.secrets import holds_token
from kimi_profiles.store import ProfileStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from types import SimpleNamespace
    from typing import Any

    from kimi_profiles.call import Call
    from kimi_profiles.profile import Profile

USAGE = "NAME "
_MAX_ANSWER = 200
_TOKEN_OPTIONS = "--token-env, --token-file, --token-command or --token-keyring"  # noqa: S105 - names of options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", help="the name of the new profile")
    parser.add_argument("--provider", metavar="ID", help="see: kimi-profiles providers")
    parser.add_argument("--base-url", metavar="URL", help="the endpoint, if it is not the provider's")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token-env", metavar="VARIABLE", help="the variable that holds the token")
    token.add_argument("--token-file", metavar="FILE", help="the file that holds it")
    token.add_argument(
        "--token-command", metavar="LINE", help="the command that prints it, in quotation marks"
    )
    token.add_argument("--token-keyring", metavar="SERVICE", help="the keyring's service that holds it")
    parser.add_argument("--model", metavar="ID", help="the default model")
    parser.add_argument("--description", metavar="TEXT", help="for list and show")
    parser.add_argument("--extends", metavar="PARENT", help="the profile it builds on")
    add_dry_run(parser)


def run(call: Call) -> int:
    """Add the profile."""
    name = check_profile_name(call.args.name)
    table = _table(call)
    if not table.keys() & {"provider", "base_url", "extends"}:
        table = {"provider": _provider_for(call, name), **table}
    revision = change_store(call, lambda text: add_profile(text, name, table))
    profile = ProfileStore(revision.path, revision.after)[name]
    said = (("added ", "good"), (name, "strong"), f", {profile.base_url}")
    facts = {"provider": profile.provider, "base_url": profile.base_url}
    finish(call, "add", revision, profile=name, said=said, notices=_token_notices(call, profile), **facts)
    if not call.args.dry_run:
        call.say(("use it with: ", "dim"), f"kimi-profiles apply {name}")
    return 0


def _table(call: Call) -> dict[str, Any]:
    """What the options say, as the table of a profile."""
    args = call.args
    options = {
        "description": args.description,
        "extends": args.extends,
        "provider": args.provider,
        "base_url": args.base_url,
    }
    table: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if args.base_url is not None and args.provider is None and args.extends is None:
        _recognize(table, args.base_url)
    token = _token(args)
    if token:
        table["auth"] = {"token": token}
    elif "base_url" in table and not table.keys() & {"provider", "extends"}:
        raise UsageError(f"say where the token is, with {_TOKEN_OPTIONS}")
    if args.model is not None:
        table["models"] = {"default": args.model}
    return table


def _recognize(table: dict[str, Any], base_url: str) -> None:
    """An address that is just a provider's needs no second telling."""
    provider = read_catalogue().provider_at(base_url)
    if provider is not None and provider.base_url.rstrip("/") == base_url.rstrip("/"):
        del table["base_url"]
        table["provider"] = provider.id


def _token(args: SimpleNamespace) -> dict[str, Any]:
    from kimi_profiles.editing.keys import as_command

    given = {
        "env": args.token_env,
        "file": args.token_file,
        "command": args.token_command,
        "keyring": args.token_keyring,
    }
    for kind, value in given.items():
        if value is not None and holds_token(value):
            hint = "export it, and name the variable: --token-env VARIABLE"
            raise UsageError(f"--token-{kind} takes no token, only where it is", hint=hint)
    return {
        kind: as_command(value) if kind == "command" else value
        for kind, value in given.items()
        if value is not None
    }


def _provider_for(call: Call, name: str) -> str:
    """The provider of that name; else the one that a person at a terminal chooses.

    Raises:
        UsageError: There is no such person, or no such choice.
    """
    providers = read_catalogue().providers
    if name in providers:
        return name
    if call.is_json or call.is_quiet or sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "say which endpoint: --provider ID, --base-url URL or --extends PARENT",
            hint="see: kimi-profiles providers",
        )
    for number, provider in enumerate(providers.values(), 1):
        call.err.line((f"{number:>3} ", "dim"), (f"{provider.id:<20} ", "strong"), provider.label)
    sys.stderr.write("provider, by number or name: ")
    sys.stderr.flush()
    return _chosen(sys.stdin.readline(_MAX_ANSWER).strip(), providers)


def _chosen(answer: str, providers: Mapping[str, object]) -> str:
    numbered = dict(enumerate(providers, 1))
    if answer.isascii() and answer.isdigit() and int(answer) in numbered:
        return numbered[int(answer)]
    if answer in providers:
        return answer
    message = f"there is no provider {answer!a:.80}" if answer else "no provider was chosen"
    raise UsageError(message, hint="see: kimi-profiles providers")


def _token_notices(call: Call, profile: Profile) -> list[Notice]:
    """Whether the token is there. Commands and keyrings are left alone: they may ask for something."""
    if profile.token is None:
        return [Notice("token-unavailable", f"profile {profile.name} does not say where its token is", None)]
    if profile.token.kind not in {"env", "file"}:
        return []
    try:
        read_token(profile, home=call.home)
    except TokenUnavailableError as error:
        return [Notice("token-unavailable", str(error), error.hint)]
    except ProfilesError:
        return []
    return []
