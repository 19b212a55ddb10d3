"""Strict JSON text and edits to it that leave every other character alone.

``Document`` scans only the containers on the way to an address, ``Document.read`` says what stands there,
``Document.edit`` returns the new text. ``dumps`` and ``canonical`` turn values into text and text into
something comparable. Nothing here touches a file.
"""

from __future__ import annotations

from kimi_profiles.jsontext.address import Address, Found, join_pointer, split_pointer
from kimi_profiles.jsontext.document import Blocked, Document, State, is_hollow
from kimi_profiles.jsontext.strict import JsonTextError
from kimi_profiles.jsontext.values import canonical, dumps, loads

__all__ = [
    "Address",
    "Blocked",
    "Document",
    "Found",
    "JsonTextError",
    "State",
    "canonical",
    "dumps",
    "is_hollow",
    "join_pointer",
    "loads",
    "split_pointer",
]
