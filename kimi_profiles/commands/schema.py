"""Print the JSON Schema of the profile file, for an editor's TOML language server.

Put it beside your file, and say so in the file's first line:

  kimi-profiles schema > ~/.config/kimi-profiles/profiles.schema.json
  #:schema ./profiles.schema.json

Editors with taplo ("Even Better TOML") or tombi then explain keys, complete them, and mark what is wrong.
`kimi-profiles validate` has the last word: it knows more than a schema can say.
"""

from __future__ import annotations

import json
import sys

from kimi_profiles._version import SCHEMA

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call


def add_arguments(_: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def run(call: Call) -> int:
    """Print the schema."""
    from kimi_profiles.schema import profile_schema

    schema = profile_schema()
    call.answer({"schema": SCHEMA, "ok": True, "command": "schema", "json_schema": schema})
    if not call.is_json:
        # ASCII, so that a shell that redirects in another encoding does no harm.
        sys.stdout.write(json.dumps(schema, indent=2) + "\n")
    return 0
