"""Provider profiles for Claude Code: merged into its JSON files and taken out again, byte for byte.

>>> from kimi_profiles import ClaudeCode, ProfileStore
>>> store = ProfileStore.open()
>>> claude = ClaudeCode.user()
>>> print(claude.plan(store["work"]))   # the difference; nothing is written
>>> claude.apply(store["work"])
>>> claude.unapply()

Each public name is imported when it is first used, so importing the package costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kimi_profiles._version import __version__
    from kimi_profiles.api import ClaudeCode, Plan, Result
    from kimi_profiles.backups import Backup
    from kimi_profiles.catalogue import read_catalogue
    from kimi_profiles.errors import Notice, ProfilesError
    from kimi_profiles.ledger import Record
    from kimi_profiles.merge import MergedText, merge_text, unmerge_text
    from kimi_profiles.profile import Profile
    from kimi_profiles.status import Drifted, Status
    from kimi_profiles.store import ProfileStore
    from kimi_profiles.survey import Survey

__all__ = [
    "Backup",
    "ClaudeCode",
    "Drifted",
    "MergedText",
    "Notice",
    "Plan",
    "Profile",
    "ProfileStore",
    "ProfilesError",
    "Record",
    "Result",
    "Status",
    "Survey",
    "__version__",
    "merge_text",
    "read_catalogue",
    "unmerge_text",
]

_HOME = {
    "__version__": "_version",
    "Backup": "backups",
    "Drifted": "status",
    "MergedText": "merge",
    "Notice": "errors",
    "Profile": "profile",
    "ProfileStore": "store",
    "ProfilesError": "errors",
    "Record": "ledger",
    "Status": "status",
    "Survey": "survey",
    "merge_text": "merge",
    "read_catalogue": "catalogue",
    "unmerge_text": "merge",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOME.get(name, 'api')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
