"""What stands where a token belongs: a token, the name of a variable, or words that stand for one."""

from __future__ import annotations

import re

__all__ = ["is_placeholder", "named_variable"]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_NAMED = re.compile(
    rf"""\$({_NAME}) | \$\{{({_NAME})(?::?[-=?][^{{}}]*)?\}} | \$(?:\{{env:({_NAME})\}}|env:({_NAME}))
    | %({_NAME})% | \{{env:({_NAME})\}}""",
    re.VERBOSE | re.IGNORECASE,
)
_BRACKETED = re.compile(r"<.*>|\[.*\]|\{\{.*\}\}|\{.*\}|【.*】|「.*」", re.DOTALL)
_FILLED = re.compile(r"(?i)([a-z0-9]{1,6}[-_])*([x*.•·…_-]{3,}|x+|…)[x*.•·…]*")
_SAID = re.compile(
    r"(?i)(?:^|[-_ ])"
    r"(?:your|my|insert|enter|paste|replace|put|changeme|change[-_ ]me|todo|placeholder|example)"
    r"(?:[-_ ]|$)"
    r"|^(?:api[-_ ]?|auth[-_ ]?|access[-_ ]?|secret[-_ ]?)?(?:key|token)s?(?:[-_ ]here)?$|[-_ ]here$"
)
_STANDS_IN = re.compile(r"(?i)(?:your|insert|enter|paste|replace|put|changeme|placeholder|example)_|.*_here")
_LONGEST = 200  # characters; whatever stands for something else is shorter


def named_variable(text: str) -> str | None:
    """The variable that ``text`` names and is nothing beside: ``$A``, ``${A}``, ``$env:A``, ``%A%``.

    Names such as ``YOUR_API_KEY`` are not among them: guides write them, and nobody has a variable of them.
    """
    found = _NAMED.fullmatch(text.strip()[: _LONGEST + 1])
    name = next(filter(None, found.groups()), None) if found else None
    return None if name is None or _STANDS_IN.match(name) else name


def is_placeholder(text: str) -> bool:
    """Whether ``text`` only shows where a token goes: ``YOUR_API_KEY``, ``<key>``, ``sk-xxx``, ``sk-…``."""
    text = text.strip()
    if len(text) > _LONGEST:
        return False
    if not text.isascii() or "..." in text:  # no token has a character that an HTTP header cannot carry
        return True
    if _NAMED.fullmatch(text):
        return named_variable(text) is None
    return any(pattern.fullmatch(text) for pattern in (_BRACKETED, _FILLED)) or bool(_SAID.search(text))
