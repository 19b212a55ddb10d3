"""The endpoints that are known. Each is a profile by itself: `kimi-profiles apply NAME`."""

from __future__ import annotations

from kimi_profiles._version import SCHEMA
from kimi_profiles.catalogue import read_catalogue

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call
    from kimi_profiles.catalogue import Provider
    from kimi_profiles.screen import Segment


_WIDE = 110


def add_arguments(_: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(call: Call) -> int:
    """Print the providers."""
    catalogue = read_catalogue()
    providers = list(catalogue.providers.values())
    call.answer(
        {
            "schema": SCHEMA,
            "ok": True,
            "command": "providers",
            "as_of": catalogue.as_of.isoformat(),
            "providers": [_json(provider) for provider in providers],
        }
    )
    if call.is_json or call.is_quiet:
        return 0
    header = ["NAME", "KEY VARIABLE", "MODEL", "ENDPOINT"]
    # Where they would only stand below, they are left out.
    columns = len(header) - (call.out.width is not None and call.out.width < _WIDE)
    call.out.table(header[:columns], [_cells(provider)[:columns] for provider in providers])
    note = "" if columns == len(header) else "; a wider terminal, or show NAME, also shows the endpoints"
    call.say((f"as of {catalogue.as_of}{note}", "dim"))
    return 0


def _json(provider: Provider) -> dict[str, object]:
    return {
        "name": provider.id,
        "label": provider.label,
        "base_url": provider.base_url,
        "auth_variable": provider.auth_variable,
        "key_variable": provider.key_variable,
        "key_prefix": provider.key_prefix,
        "console": provider.console,
        "region_twin": provider.region_twin,
        "models": dict(provider.models),
        "env": dict(provider.env),
        "note": provider.note,
        "sources": list(provider.sources),
    }


def _cells(provider: Provider) -> list[Segment | str]:
    key = provider.key_variable or ("none needed" if provider.fixed_token else "-")
    return [(provider.id, "strong"), key, provider.models.get("default", "-"), provider.base_url]
