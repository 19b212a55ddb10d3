"""A profile as environment variables, for programs that are started with them. Pure.

Process variables are the weakest layer of Claude Code's configuration; what a settings file says beats them.
"""

from __future__ import annotations

from kimi_profiles.claude import MODEL_VARIABLES, RIVALS, UNMASKABLE, Surroundings, settings_changes
from kimi_profiles.jsontext import loads, split_pointer
from kimi_profiles.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kimi_profiles.profile import Profile
    from kimi_profiles.secrets import Secret

__all__ = ["environment_with", "profile_variables"]

_PREFIX = "ANTHROPIC_"


def profile_variables(profile: Profile, token: Secret) -> dict[str, str | None]:
    """What the environment of a program has to say, so that it uses ``profile`` and nothing beside it.

    The token is in a variable whatever the profile's delivery: a helper is a matter of settings files.

    Returns:
        Name → value; ``None`` for a variable that must not be set, because it would add a second credential,
        lead elsewhere or name the models of another profile. What the profile lists under ``settings`` is no
        variable, and left out.
    """
    changes = settings_changes(replace(profile, delivery="inline"), token, Surroundings())
    variables: dict[str, str | None] = {}
    for change in changes:
        keys = split_pointer(change.pointer)
        if len(keys) == 2 and keys[0] == "env":  # noqa: PLR2004 - /env/NAME
            value = None if change.want is None else loads(change.want)
            # An empty value masks in a settings file; a variable can simply not be there.
            variables[keys[1]] = value or (None if keys[1] not in profile.env else value)
    # Those of another profile, which a shell may still have.
    return variables | {name: None for name in MODEL_VARIABLES if name not in variables}


def environment_with(env: Mapping[str, str], profile: Profile, token: Secret) -> dict[str, str]:
    """``env`` for a program that is to use ``profile``.

    Whatever speaks of another endpoint, credential or model is gone: every ``ANTHROPIC_…`` variable, and
    those by which the client is told to go elsewhere.
    """
    gone = {*RIVALS, *UNMASKABLE, *MODEL_VARIABLES, "CLAUDE_CODE_ENTRYPOINT"}
    kept = {name: value for name, value in env.items() if not name.startswith(_PREFIX) and name not in gone}
    if profile.token is not None and profile.token.value in env and profile.token.kind == "env":
        kept[profile.token.value] = env[profile.token.value]  # a helper looks there, whatever it is called
    for name, value in profile_variables(profile, token).items():
        kept.pop(name, None)
        if value is not None:
            kept[name] = value
    return kept
