"""The credential of a configuration as the table ``auth`` of a profile, which never holds a token. Pure."""

from __future__ import annotations

import re

from kimi_profiles.endpoint import check_token
from kimi_profiles.errors import EndpointError, Notice, TokenUnavailableError
from kimi_profiles.importing.credential import is_placeholder, named_variable
from kimi_profiles.importing.found import PROCESS, LeftOut, holds_password
from kimi_profiles.secrets import Secret, holds_token
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kimi_profiles.catalogue import Provider
    from kimi_profiles.importing.found import Value

__all__ = ["CREDENTIALS", "Credential", "find_credential"]

_TOKEN, _KEY = "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"
_HELPER, _LOGIN = "apiKeyHelper", "primaryApiKey"
CREDENTIALS = (_TOKEN, _KEY, _HELPER, _LOGIN)
"""Whatever brings a credential of Claude Code's own; the first two are variables."""

_LONGEST = 4_000  # characters of a command
_WORDS = re.compile(r"[\w./@:=+,-]+(?: +[\w./@:=+,-]+)*", re.ASCII)
_PRINTS = re.compile(
    r"(?:\S*/)?(?:echo(?: +-[neE]+)*|printf(?: +--)?(?: +(['\"]?)%s(?:\\n)?\1)?) +(\S+)", re.ASCII
)
_QUOTED = re.compile(r"(['\"]?)([\w./@:=+,-]+|\$\w+|\$\{\w+\})\1", re.ASCII)
# A file or a URI only leads to a key; names are words, and seldom have so many letters and digits in a row.
_LEADS = re.compile(r"[~.]*/|[a-z][a-z0-9+-]*://")
_LIKE_A_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{16,}|(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
# What Claude Code itself reads would be sent beside the profile's own, so a key is kept elsewhere.
_OWN_VARIABLE = re.compile(r"(?!ANTHROPIC_|CLAUDE_)[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class Credential:
    """What was found.

    Attributes:
        table: The profile's ``auth``.
        sources: Key of the table → where its value stood.
        left_out: Second credentials, and what cannot be taken.
        notices: What is odd about the token.
        used: Other variables that were looked at.
        layers: Of whatever the token comes from.
        export: The variable that has to hold the token, where it does not yet.
        token: The token itself, if there is one.
        token_name: The variable in which it was found.
    """

    table: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    layers: set[str] = field(default_factory=set)
    export: str | None = None
    token: Secret | None = field(default=None, repr=False)
    token_name: str | None = None


def find_credential(
    values: Mapping[str, Value],
    name: str,
    provider: Provider | None,
    base_url: str,
    *,
    env: Mapping[str, str],
    owners: Mapping[str, str],
) -> Credential:
    """The credential among ``values``.

    Args:
        values: Variables that are not empty, ``apiKeyHelper`` and ``primaryApiKey``.
        name: Of the profile; a variable is named for it where the provider has none of its own.
        provider: The one that answers at ``base_url``, if it is known.
        base_url: Where the token will be sent.
        env: Variables in which the token may be already.
        owners: Variable → the profile that has its token in it.
    """
    return _Finder(values, name, provider, base_url, env=env, owners=owners).find()


class _Finder:
    def __init__(
        self,
        values: Mapping[str, Value],
        name: str,
        provider: Provider | None,
        base_url: str,
        *,
        env: Mapping[str, str],
        owners: Mapping[str, str],
    ) -> None:
        self.values = values
        self.name = name
        self.provider = provider
        self.base_url = base_url
        self.env = env
        self.owners = owners
        self.found = Credential()

    def find(self) -> Credential:
        usual = self.provider.auth_variable if self.provider else _TOKEN
        if _LOGIN in self.values:
            self._leave(_LOGIN, "it is the key of a Console login; apply sets it aside")
        variable = self._variable(usual)
        printed = self._printed() if variable is None else None
        command = self._helper(is_needed=variable is None) if printed is None else None
        if variable is not None and variable != usual:
            self._say("variable", variable, self.values[variable].source)
        if variable is not None:
            text = self.values[variable].text.strip()
            self._say("token", self._reference(variable, text), self.values[variable].source)
        elif printed is not None:
            self._say("token", self._reference(_HELPER, printed), self.values[_HELPER].source)
        elif command is not None:
            self.found.layers.add(self.values[_HELPER].layer)
            self._say("token", {"command": command}, self.values[_HELPER].source)
        elif not self._needs_none:
            self._say("token", self._key_variable(None), "no token is there; this is the usual variable")
        return self.found

    @property
    def _needs_none(self) -> bool:
        return self.provider is not None and self.provider.fixed_token is not None

    def _say(self, key: str, value: Any, source: str) -> None:
        if value is not None:
            self.found.table[key] = value
            self.found.sources[key] = source

    def _leave(self, name: str, reason: str) -> None:
        self.found.left_out.append(LeftOut(name, reason))

    def _variable(self, usual: str) -> str | None:
        """Of two credentials the one that belongs there, else the usual one."""
        named = [name for name in (_TOKEN, _KEY) if name in self.values]
        if len(named) < 2:  # noqa: PLR2004 - both
            return next(iter(named), None)
        fits = [name for name in named if self._fits(self.values[name].text)]
        chosen = fits[0] if len(fits) == 1 else usual
        other = _KEY if chosen == _TOKEN else _TOKEN
        is_same = self.values[other].text.strip() == self.values[chosen].text.strip()
        why = f"the same as {chosen}" if is_same else f"a second credential, sent beside {chosen}"
        self._leave(other, why)
        return chosen

    def _fits(self, text: str) -> bool:
        if named_variable(text) or is_placeholder(text):
            return False
        try:
            check_token(self.base_url, Secret(text.strip()))
        except (EndpointError, TokenUnavailableError):
            return False
        return True

    def _printed(self) -> str | None:
        """The token of a helper that does nothing but print it."""
        found = _PRINTS.fullmatch(self.values[_HELPER].text.strip()) if _HELPER in self.values else None
        word = _QUOTED.fullmatch(found[2]) if found else None
        return word[2] if word else None

    def _helper(self, *, is_needed: bool) -> list[str] | None:
        """The command that prints the token, if it takes no shell to run it."""
        if _HELPER not in self.values:
            return None
        text = self.values[_HELPER].text.strip()
        if not is_needed:
            self._leave(_HELPER, "the token is in a variable")
        elif len(text) > _LONGEST or _WORDS.fullmatch(text) is None or any(map(_may_be_key, text.split())):
            self._leave(_HELPER, "set auth.token.command to a command that prints the token")
        else:
            return text.split()
        return None

    def _reference(self, name: str, text: str) -> dict[str, Any] | None:
        """Where the token ``text``, which ``name`` has, is to be; ``None`` for a server that takes any."""
        elsewhere = named_variable(text)
        if elsewhere is not None and _OWN_VARIABLE.fullmatch(elsewhere):
            return self._named(elsewhere)
        if self._needs_none:
            self._leave(name, "the server there takes any token")
            return None
        if elsewhere is not None or is_placeholder(text):
            return self._key_variable(None)
        self._keep(name, text)
        return self._key_variable(self.found.token)

    def _named(self, name: str) -> dict[str, Any]:
        """A variable that the configuration itself names, and perhaps sets."""
        self.found.used.add(name)
        text = self.values[name].text.strip() if name in self.values else ""
        if text and not is_placeholder(text) and named_variable(text) is None:
            self._keep(name, text)
        else:
            self.found.layers.add(PROCESS)
        if not self.env.get(name, "").strip():
            self.found.export = name
        return {"env": name}

    def _keep(self, name: str, text: str) -> None:
        self.found.layers.add(self.values[name].layer)
        try:
            self.found.token, self.found.token_name = Secret(text), name
            check_token(self.base_url, self.found.token)
        except TokenUnavailableError as error:
            self.found.notices.append(Notice("token-unusable", f"{name}: {error.message}", error.hint))
        except EndpointError as error:
            self.found.notices.append(Notice("token-of-other-provider", error.message, error.hint))

    def _key_variable(self, token: Secret | None) -> dict[str, Any]:
        """The variable that holds the token, or that shall hold it."""
        own = re.sub(r"[^A-Z0-9]", "_", self.name.upper()) + "_API_KEY"
        own = f"_{own}" if own[0].isdigit() else own
        usual = self.provider.key_variable if self.provider else None
        if token is not None:
            holding = [name for name, text in self.env.items() if text.strip() == token.reveal()]
            holding = [name for name in holding if _OWN_VARIABLE.fullmatch(name)]
            if holding:
                return {"env": usual if usual in holding else min(holding)}
            if usual and (usual in self.owners or self.env.get(usual, "").strip()):
                owner = self.owners.get(usual)
                why = f"is the variable of profile {owner}" if owner else "is set here, and to something else"
                message = f"{usual} {why}; {own} is used instead"
                self.found.notices.append(Notice("key-variable-taken", message))
                usual = None
        variable = usual or own
        if token is not None or not self.env.get(variable, "").strip():
            self.found.export = variable
        return {"env": variable}


def _may_be_key(word: str) -> bool:
    """Whether a word of a command may be the key itself. Not promised: that every key is seen."""
    is_like_one = _LEADS.match(word) is None and _LIKE_A_KEY.search(word) is not None
    return is_like_one or holds_token(word) or holds_password(word)
