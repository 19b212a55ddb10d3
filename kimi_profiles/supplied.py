"""What is there beside a profile: names that environment and files supply, logins, approvals.

Pure. Source of each rule: docs/claude-code.md, measured on Claude Code 2.1.39 and 2.1.329.
"""

from __future__ import annotations

from kimi_profiles.claude import APPROVAL_LENGTH, HELPER
from kimi_profiles.jsontext import Address, Found, join_pointer, loads
from kimi_profiles.jsontext.document import Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from kimi_profiles.ledger import Record
    from kimi_profiles.secrets import Secret

__all__ = ["has_login", "is_approved", "supplied_by_env", "supplied_by_settings", "supplied_by_target"]


def supplied_by_env(env: Mapping[str, str]) -> frozenset[str]:
    """Names of the variables that are set to something."""
    return frozenset(name for name, value in env.items() if value)


def supplied_by_settings(text: str | bytes | Document[bytes]) -> frozenset[str]:
    """Names that a settings file, or ``.claude.json``, supplies to the client with a value.

    A file that is not strict JSON supplies nothing: the client ignores it as a whole.
    """
    return frozenset(name for name, value in _named_in_settings(text) if value != "")


def supplied_by_target(record: Record, text: str | bytes | Document[bytes] | None) -> frozenset[str]:
    """Names that running sessions may have from the settings file that is to be changed.

    What a session once got from it lives on until it is set to something else; so this is what the file
    says, be it empty, and what we put there.

    Args:
        record: What we know about that file.
        text: What it holds; ``None`` where there is no file.
    """
    ours = {entry.pointer.rpartition("/")[2] for entry in record.owned if entry.is_present}
    here = {} if text is None else dict(_named_in_settings(text))
    return frozenset({*ours, *here})


def _named_in_settings(text: str | bytes | Document[bytes]) -> Iterator[tuple[str, Any]]:
    """Variables, and ``apiKeyHelper``, with what the file says of them."""
    try:
        document = text if isinstance(text, Document) else Document(text)
    except ValueError:
        return
    env, helper = document.read([Address("/env"), Address(f"/{HELPER}")]).values()
    if isinstance(helper, Found) and helper.raw != "null":
        yield HELPER, loads(helper.raw)
    if isinstance(env, Found) and env.raw.startswith("{"):
        yield from loads(env.raw).items()


def has_login(text: str | bytes) -> bool:
    """Whether ``.claude.json`` holds a Console login, whose key is sent beside a token."""
    try:
        state = Document(text).read([Address("/primaryApiKey")])[Address("/primaryApiKey")]
    except ValueError:
        return False
    return isinstance(state, Found) and state.raw not in {'""', "null"}


def is_approved(text: str, token: Secret) -> bool:
    """Whether ``.claude.json`` says that this key may be used, so that an interactive start does not ask."""
    address = Address(join_pointer("customApiKeyResponses", "approved"))
    try:
        state = Document(text).read([address])[address]
    except ValueError:
        return False
    tails = loads(state.raw) if isinstance(state, Found) else None
    return isinstance(tails, list) and token.reveal()[-APPROVAL_LENGTH:] in tails
