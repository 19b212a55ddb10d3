"""A profile for one process of Claude Code: what is behind its ``--settings``, and its environment. Pure.

Settings that are named on the command line outrank every file of the user's and of the project, and these
outrank the environment, so the environment alone would not do. Source: docs/claude-code.md "Precedence".
That a helper needs no approval and takes the place of a stored Console login is measured on Claude Code
2.1.39 and 2.1.329, with ``-p`` and without, by ``tests/real_client/test_run.py``.
"""

from __future__ import annotations

from kimi_profiles.change import Change
from kimi_profiles.claude import MASKABLE, Surroundings, settings_changes
from kimi_profiles.environment import environment_with
from kimi_profiles.jsontext import dumps, join_pointer, loads, split_pointer
from kimi_profiles.ledger import Record
from kimi_profiles.plan import plan_text
from kimi_profiles.secrets import is_secret_name, stand_in
from kimi_profiles.supplied import has_login, is_approved, supplied_by_target
from kimi_profiles.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kimi_profiles.profile import Profile
    from kimi_profiles.secrets import Secret

__all__ = [
    "client_environment",
    "flag_text",
    "is_inline_json",
    "needs_helper",
    "take_flag",
    "without_applied",
]

_FLAG = "--settings"
_CREDENTIALS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")


def take_flag(arguments: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Arguments for Claude Code, without its ``--settings``.

    Returns:
        The value of the last one, which is the one that 2.1.329 obeys, or ``None``; and the other arguments.
        One without a value is left for it to complain of; behind ``--`` there are no options. Not promised:
        that the word is let alone where it is the value of another option.
    """
    value: str | None = None
    kept: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            kept += [argument, *rest]
            break
        if argument == _FLAG and rest:
            value = rest.pop(0)
        elif argument.startswith(f"{_FLAG}="):
            value = argument.removeprefix(f"{_FLAG}=")
        else:
            kept.append(argument)
    return value, tuple(kept)


def is_inline_json(value: str) -> bool:
    """Whether Claude Code takes the value of ``--settings`` for the settings themselves, not for a path."""
    return value.strip().startswith("{") and value.strip().endswith("}")


def needs_helper(profile: Profile, token: Secret, state: str, *, keep_login: bool) -> bool:
    """Whether the token has to come by a helper, because ``.claude.json`` stays as it is.

    A stored Console login is sent beside a token in a variable, and not beside a helper's answer. A key in a
    variable that was not approved is asked about at an interactive start, and not used if it was rejected.

    Args:
        profile: With inline delivery.
        token: Its token.
        state: The text of ``.claude.json``.
        keep_login: Whether the login is wanted although it is sent too.
    """
    if profile.auth_variable == "ANTHROPIC_API_KEY":
        return not is_approved(state, token)
    return has_login(state) and profile.detach_login and not keep_login


def without_applied(records: Iterable[Record], env: Mapping[str, str]) -> dict[str, str]:
    """What variables that a profile has set in settings files would be without it.

    Of a key that the one profile sets and the other leaves alone, a process would else find the wrong one's.

    Args:
        records: Of the settings files that the process reads, from strong to weak.
        env: Its environment.

    Returns:
        Variable → value; empty where nothing says anything.
    """
    found: dict[str, str] = {}
    for record in records:
        for owned in record.owned:
            keys = split_pointer(owned.pointer)
            if len(keys) == 2 and keys[0] == "env" and owned.is_present:  # noqa: PLR2004 - /env/NAME
                before = None if owned.before is None else loads(owned.before.raw)
                found.setdefault(keys[1], before if isinstance(before, str) else env.get(keys[1], ""))
    return found


def flag_text(
    profile: Profile,
    token: Secret | None,
    text: str,
    *,
    helper_command: str | None,
    elsewhere: Mapping[str, str],
) -> str:
    """The settings for one process.

    Whatever a weaker layer may say against the profile is masked, whether it says it now or not.

    Args:
        profile: Resolved.
        token: Needed without a helper.
        text: Settings of the user's for this process; may be empty.
        helper_command: Command line that prints the token, if it is to come by a helper.
        elsewhere: Variables of another profile that is applied, as they would be without it.

    Raises:
        JsonTextError: ``text`` is not strict JSON.
        TargetInvalidError: Something that is no object is in the way.
    """
    delivered = replace(profile, delivery="inline" if helper_command is None else "helper")
    supplied = MASKABLE | supplied_by_target(Record(), text)
    changes = settings_changes(delivered, token, Surroundings(supplied, helper_command))
    said = {change.pointer for change in changes}
    for name, value in elsewhere.items():
        pointer = join_pointer("env", name)
        if pointer not in said:
            changes.append(Change(pointer, dumps(value), is_secret=is_secret_name(name), unless=(pointer,)))
    return plan_text(text, Record(), changes, holder=_FLAG).text or ""


def client_environment(env: Mapping[str, str], profile: Profile, token: Secret | None) -> dict[str, str]:
    """The environment for one process of Claude Code.

    Without ``hasCompletedOnboarding`` 2.1.39 looks for endpoint and credential here, before any settings.

    Args:
        env: What it would inherit.
        profile: Resolved.
        token: ``None`` if it comes by a helper: 2.1.39 would ask about a key that it finds here.
    """
    clean = environment_with(env, profile, token or stand_in())
    if token is None:
        for name in _CREDENTIALS:
            clean.pop(name, None)
    return clean
