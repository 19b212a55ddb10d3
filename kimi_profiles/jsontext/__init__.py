"""Strict JSON text and edits to it that leave every other character alone.

``document.Document`` scans only the containers on the way to an address, ``Document.read`` says what stands
there, ``Document.edit`` returns the new text. ``dumps`` and ``canonical`` turn values into text and text into
something comparable; they and addresses are all that is offered here, because they do without the scanner.
Nothing here touches a file.
"""

from __future__ import annotations

from kimi_profiles.jsontext.address import Address, Found, join_pointer, split_pointer
from kimi_profiles.jsontext.strict import JsonTextError
from kimi_profiles.jsontext.values import canonical, dumps, loads

__all__ = [
    "Address",
    "Found",
    "JsonTextError",
    "canonical",
    "dumps",
    "join_pointer",
    "loads",
    "split_pointer",
]
