"""Which values of a text are a profile's, where nobody recorded who put them there. Pure.

A value is the profile's if the text says just what the profile wants. Some keys are decided together:

* base URL and credential, never one without the other: beside the profile's base URL a credential was sent
  there, so it counts as the profile's without a look at the token. Not so a key of Anthropic's at another
  host, which is where what stays is sent; nor a helper that is no call of this program, unless the profile
  has a helper;
* masks (``""``) protect that endpoint, so they are the profile's only beside its base URL;
* values that give way to the user's: all that give way to the same keys, or none.
"""

from __future__ import annotations

import re

from kimi_profiles.claude import MASKABLE, Surroundings, settings_changes
from kimi_profiles.endpoint import check_token
from kimi_profiles.errors import EndpointError, TokenUnavailableError
from kimi_profiles.jsontext import Address, Found, canonical, dumps, join_pointer, loads, split_pointer
from kimi_profiles.jsontext.document import Document
from kimi_profiles.ledger import Owned, Record, union
from kimi_profiles.secrets import Secret, stand_in
from kimi_profiles.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from kimi_profiles.change import Action, Change
    from kimi_profiles.profile import Profile

__all__ = ["presumed_record", "strange_credentials"]

_BASE_URL = "/env/ANTHROPIC_BASE_URL"
_HELPER = "/apiKeyHelper"
_CREDENTIALS = {"/env/ANTHROPIC_AUTH_TOKEN", "/env/ANTHROPIC_API_KEY", _HELPER}

_ANTHROPICS = "sk-ant-"
_OUR_HELPER = re.compile(r"\bkimi[-_]profiles['\"]? token\b")


def presumed_record(text: str, profile: Profile, *, holder: str) -> Record:
    """The record that there would be, had ``profile`` been put into a text that said nothing at its keys.

    Args:
        text: The settings; may be empty.
        profile: Its token is not needed.
        holder: On whose behalf; as for :func:`~kimi_profiles.plan.plan_text`.

    Raises:
        JsonTextError: ``text`` is not strict JSON.
    """
    document = Document(text)
    changes = _every_change(profile)
    is_endpoint = _says(document, _BASE_URL, dumps(profile.base_url))
    wants = {change.pointer: change.want for change in changes}
    record = Record(was_created=True)
    owned, made = [], []
    for change in changes:
        now, wrote = _raw(document, change.address), change.want
        if now is None:
            continue
        if change.pointer in _CREDENTIALS or wrote == '""':
            if not is_endpoint:
                continue
            if change.pointer in _CREDENTIALS and _belongs(change.pointer, now, profile):
                wrote = now
        if not all(_says(document, pointer, wants.get(pointer)) for pointer in change.unless):
            continue
        owned.append(_owned(record, change, wrote, holder))
        made += _parents(change)
    return replace(record, owned=tuple(owned), made=union(tuple(made), ()))


def strange_credentials(actions: Iterable[Action], profile: Profile) -> list[str]:
    """Pointers of the credentials that go, and that the profile by itself would not have put there."""
    own = _HELPER if profile.delivery == "helper" else f"/env/{profile.auth_variable}"
    return [
        action.pointer
        for action in actions
        if action.pointer in _CREDENTIALS - {own}
        and action.before not in {None, '""'}
        and not _OUR_HELPER.search(action.before or "")
    ]


def _every_change(profile: Profile) -> list[Change]:
    """What the profile may have written, with every mask that it may have needed."""
    inline = replace(profile, delivery="inline")
    return settings_changes(inline, stand_in(), Surroundings(MASKABLE))


def _raw(document: Document[str], address: Address) -> str | None:
    state = document.read([address])[address]
    return state.raw if isinstance(state, Found) else None


def _says(document: Document[str], pointer: str, want: str | None) -> bool:
    """Whether the value at ``pointer`` is ``want``."""
    raw = _raw(document, Address(pointer))
    return raw is not None and want is not None and canonical(raw) == canonical(want)


def _belongs(pointer: str, raw: str, profile: Profile) -> bool:
    """Whether the credential ``raw`` is one for the profile's endpoint, as far as can be told."""
    value = loads(raw)
    if not isinstance(value, str) or not value:
        return True
    if pointer == _HELPER:
        return profile.delivery == "helper" or _OUR_HELPER.search(value) is not None
    try:
        check_token(profile.base_url, Secret(value))
    except TokenUnavailableError:  # no token at all
        return True
    except EndpointError:
        return not value.startswith(_ANTHROPICS)
    return True


def _owned(record: Record, change: Change, wrote: str | None, holder: str) -> Owned:
    return Owned(
        pointer=change.pointer,
        member=None if change.member is None else record.digest(change.pointer, change.member),
        before=None,
        wrote=(record.digest(change.pointer, wrote),),
        is_present=True,
        is_secret=change.is_secret,
        holders=(holder,),
    )


def _parents(change: Change) -> list[str]:
    """The containers that the value lies in, outer ones first."""
    keys = split_pointer(change.pointer)
    return [join_pointer(*keys[:depth]) for depth in range(1, len(keys) + (change.member is not None))]
