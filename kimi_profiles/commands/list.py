"""The profiles in your file; with --all also those that every known provider is by itself.

for example:

  kimi-profiles list
  kimi-profiles list --all
  kimi-profiles list --names
"""

from __future__ import annotations

from kimi_profiles._version import SCHEMA
from kimi_profiles.errors import ProfileInvalidError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from kimi_profiles.call import Call
    from kimi_profiles.screen import Segment
    from kimi_profiles.store import ProfileStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("--all", action="store_true", help="also the providers")
    parser.add_argument("--names", action="store_true", help="names only, one a line")


def run(call: Call) -> int:
    """Print the list."""
    store = call.store()
    names = list(store)
    if call.args.all:
        from kimi_profiles.catalogue import read_catalogue

        names += [name for name in read_catalogue().providers if name not in set(names)]
    if call.args.names and not call.is_json:
        for name in names:
            call.out.line(name)
        return 0
    applied = call.claude().applied()
    rows = [_row(store, name, is_applied=applied is not None and applied.profile == name) for name in names]
    call.answer({"schema": SCHEMA, "ok": True, "command": "list", "store": str(store.path), "profiles": rows})
    if call.is_json or call.is_quiet:
        return 0
    if not rows:
        from kimi_profiles.report import short_path

        call.say(f"no profiles in {short_path(store.path)}")
        call.say(
            ("make the file with: kimi-profiles init; or apply a provider: kimi-profiles providers", "dim")
        )
        return 0
    call.out.table(["", "NAME", "MODEL", "ENDPOINT", "DESCRIPTION"], [_cells(row) for row in rows])
    return 0


def _row(store: ProfileStore, name: str, *, is_applied: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "applied": is_applied}
    try:
        profile = store[name]
    except ProfileInvalidError as error:
        return {**row, "error": str(error)}
    return {
        **row,
        "provider": profile.provider,
        "base_url": profile.base_url,
        "model": profile.models.get("default"),
        "description": profile.description,
    }


def _cells(row: dict[str, Any]) -> list[Segment | str]:
    mark: Segment = ("*", "good") if row["applied"] else (" ", "")
    if "error" in row:
        return [mark, (row["name"], "bad"), "", "", (row["error"], "bad")]
    return [mark, (row["name"], "strong"), row["model"] or "-", row["base_url"], row["description"] or ""]
