"""Secret values that cannot be printed by accident, and which values count as secret."""

from __future__ import annotations

from kimi_profiles.digests import sha256
from kimi_profiles.errors import TokenUnavailableError
from kimi_profiles.patterns import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["Secret", "fingerprint", "holds_token", "is_secret_name", "stand_in", "without_tokens"]

_FINGERPRINT_DIGITS = 8
_MAX_LENGTH = 8192
_WHOSE = ("", "api", "auth", "access", "private", "client")
_SECRET_WORDS = {
    *("auth", "authorization", "bearer", "cookie", "credential", "credentials", "headers"),
    *("pass", "passphrase", "passwd", "password", "pwd", "secrets"),
    *(f"{whose}{what}" for whose in _WHOSE for what in ("token", "key", "secret")),
}
_BETWEEN_WORDS = pattern(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Settings of Claude Code that hold a command; what it prints is the secret.
_COMMANDS = {"apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "gcpAuthRefresh", "otelHeadersHelper"}

# "key-" and the like also begin ordinary words; a token has a digit in it.
_LOOKS_LIKE_A_TOKEN = pattern(
    r"(?<![A-Za-z0-9])(?:sk-|(?:pk|ak|key)-(?=[A-Za-z_-]{0,64}\d))[A-Za-z0-9_-]{12,}"
)


def fingerprint(value: str) -> str:
    """The first 8 hexadecimal digits of the SHA-256 of ``value`` as UTF-8: enough to tell two keys apart."""
    return sha256(value.encode("utf-8", "surrogatepass"))[:_FINGERPRINT_DIGITS]


def is_secret_name(name: str) -> bool:
    """Whether what is called so may well hold a secret: ``…_TOKEN``, ``x-api-key``, ``clientSecret``."""
    return name not in _COMMANDS and not _SECRET_WORDS.isdisjoint(_words(name))


def _words(name: str) -> list[str]:
    """In lower case, without the digits at their ends."""
    if name == name.upper():  # as that of a variable; then there is no need for the pattern
        return "".join(char if "A" <= char <= "Z" else " " for char in name).lower().split()
    return [word.rstrip("0123456789").lower() for word in _BETWEEN_WORDS.split(name)]


def holds_token(text: str) -> bool:
    """Whether something in ``text`` looks like a token (``sk-…``). Not promised: that every token does."""
    return _has_mark(text) and _LOOKS_LIKE_A_TOKEN.search(text) is not None


def without_tokens(text: str) -> str:
    """``text`` with ``…`` for all that looks like a token: for messages that quote what somebody wrote."""
    return _LOOKS_LIKE_A_TOKEN.sub("…", text) if _has_mark(text) else text


def _has_mark(text: str) -> bool:
    """Whether the pattern, which takes a while to compile, may find anything."""
    return "k-" in text or "key-" in text


class Secret:
    """A token. Only :meth:`reveal` gives it away; printing, logging, formatting and pickling do not.

    Args:
        value: 1 to 8192 printable ASCII characters without blanks: anything else could not travel in an HTTP
            header, or would carry a second header with it.
        source: Where it came from, in words, for the error.

    Raises:
        TokenUnavailableError: ``value`` is empty, too long, or holds another character.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str, *, source: str = "the token") -> None:
        if not value:
            raise TokenUnavailableError(f"{source} is empty")
        if len(value) > _MAX_LENGTH:
            raise TokenUnavailableError(f"{source} is longer than {_MAX_LENGTH} characters")
        if not value.isascii() or not value.isprintable() or " " in value:
            raise TokenUnavailableError(
                f"{source} holds a blank, a line end or a character outside ASCII",
                hint="a token is one word; look for quotation marks or a second line that came with it",
            )
        self._value = value

    def reveal(self) -> str:
        """The token itself."""
        return self._value

    @property
    def fingerprint(self) -> str:
        """See :func:`fingerprint`."""
        return fingerprint(self._value)

    def __repr__(self) -> str:
        return f"Secret({self.fingerprint})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        import hmac

        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> NoReturn:
        msg = "a secret is not pickled"
        raise TypeError(msg)


def stand_in() -> Secret:
    """Stands where a token would, for what does not depend on which one it is."""
    return Secret("no-token-is-needed-for-this")
