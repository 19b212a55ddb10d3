"""The TOML file with the profiles: read, and each profile resolved on demand."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping

from kimi_profiles.compiled import CompiledProfiles
from kimi_profiles.errors import NotFoundError, ProfileInvalidError
from kimi_profiles.files import read_file
from kimi_profiles.paths import find_places
from kimi_profiles.patterns import pattern
from kimi_profiles.route import absolute
from kimi_profiles.secrets import without_tokens
from kimi_profiles.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    import tomllib
    from pathlib import Path
    from typing import Any

    from kimi_profiles.profile import Profile

__all__ = ["ProfileStore"]

MAX_SIZE_BYTES = 2 << 20
_MAX_MARKS = 150_000
_MAX_HEADERS = 40_000
_MAX_DIGITS = 10_000
_MAX_PROFILES = 10_000

_MANY_DIGITS = pattern(f"[0-9a-fA-F_]{{{_MAX_DIGITS}}}")
_POSITION = pattern(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


class ProfileStore(Mapping[str, "Profile"]):
    """Profiles by name: those of one TOML file, and every provider of the catalogue as one of its own.

    Looking a name up resolves and checks that profile and those it inherits from, no others. Iterating gives
    the names in the file, in its order; providers can be looked up, but are not listed.

    Attributes:
        path: The TOML file; it need not exist.
        text: What it holds; empty where it does not exist.
    """

    def __init__(self, path: Path, text: str = "", *, compiled: CompiledProfiles | None = None) -> None:
        self.path = path
        self.text = text
        self._compiled = compiled
        names = None if compiled is None else compiled.names()
        if names is None:
            names = list(self._document.profiles)
            if compiled is not None:
                compiled.keep_names(names)
        self._names = dict.fromkeys(names)

    @classmethod
    def open(cls, path: Path | None = None, *, home: Path | None = None) -> ProfileStore:
        """Read the file.

        Args:
            path: The file; it must exist. Left out, the user's own file, which need not.
            home: Whose own file; the user who runs this if left out.

        Raises:
            NotFoundError: ``path`` was given and is not there.
            NotPermittedError: It may not be read, is no regular file, or is larger than 2 MiB.
            ProfileInvalidError: It is no UTF-8, no TOML, or has a top-level key other than ``profiles`` and
                ``defaults``.
        """
        places = find_places(home=home)
        file = places.store if path is None else absolute(path)
        data = read_file(file, limit_bytes=MAX_SIZE_BYTES)
        if data is None and path is not None:
            raise NotFoundError("there is no such file", path=file, hint="see: kimi-profiles init")
        text = _decode(file, data or b"")
        return cls(file, text, compiled=CompiledProfiles(places.cache / "profiles", text))

    @classmethod
    def read(cls, path: Path, data: bytes) -> ProfileStore:
        """The same for the bytes of a file, which are at hand.

        Raises:
            ProfileInvalidError: As for :meth:`open`.
        """
        return cls(path, _decode(path, data))

    def __getitem__(self, name: str) -> Profile:
        """The profile ``name``, resolved.

        Raises:
            ProfileNotFoundError: Neither a profile nor a provider has this name; also a ``KeyError``.
            ProfileInvalidError: It is wrong; file, line and column say where.
        """
        profile = None if self._compiled is None else self._compiled.profile(name)
        if profile is None:
            profile = self._resolve(name)
            if self._compiled is not None:
                self._compiled.keep(profile)
        return replace(profile, source=str(self.path)) if name in self._names else profile

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        from kimi_profiles.catalogue import read_catalogue

        return name in self._names or name in read_catalogue().providers

    def check(self) -> list[ProfileInvalidError]:
        """Resolve every profile of the file; what is wrong, at most one fault for each profile."""
        faults: dict[tuple[object, ...], ProfileInvalidError] = {}
        for name in self:
            try:
                self[name]
            except ProfileInvalidError as error:
                faults.setdefault((error.line, error.column, error.message), error)
        return list(faults.values())

    def _resolve(self, name: str) -> Profile:
        from kimi_profiles.catalogue import read_catalogue
        from kimi_profiles.inheritance import resolve_profile

        document = self._document
        try:
            return resolve_profile(
                name, document.profiles, defaults=document.defaults, catalogue=read_catalogue()
            )
        except ProfileInvalidError as error:
            raise self._placed(error) from None

    @functools.cached_property
    def _document(self) -> _Document:
        """What the text says, as far as that can be told without looking into the profiles."""
        document = _parse(self.text, self.path)
        for key in document:
            if key not in {"profiles", "defaults"}:
                hint = "the file holds [profiles.NAME] tables and one [defaults]"
                raise self._placed(_at((key,), f"unknown key {key!a:.80}", hint))
        found = _Document(self._table(document, "profiles"), self._table(document, "defaults"))
        if len(found.profiles) > _MAX_PROFILES:  # to resolve one takes a quarter of a millisecond
            raise self._placed(_at(("profiles",), f"more than {_MAX_PROFILES:,} profiles"))
        return found

    def _table(self, document: dict[str, Any], key: str) -> dict[str, Any]:
        value = document.get(key, {})
        if not isinstance(value, dict):
            raise self._placed(_at((key,), f"{key} must be a table"))
        return value

    @functools.cached_property
    def _places(self) -> dict[tuple[str, ...], int]:
        from kimi_profiles.tomltext import key_places

        places: dict[tuple[str, ...], int] = {}
        for key, offset in key_places(self.text):
            places.setdefault(key, offset)
        return places

    def _placed(self, error: ProfileInvalidError) -> ProfileInvalidError:
        """``error`` with the place of the key it is about, or of the nearest table around that."""
        error.at(self.path)
        for length in range(len(error.where), 0, -1):
            offset = self._places.get(error.where[:length])
            if offset is not None:
                error.line, error.column = _place(self.text, offset)
                break
        return error


@dataclass(frozen=True, slots=True)
class _Document:
    profiles: dict[str, Any]
    defaults: dict[str, Any]


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        raise _unreadable("this is not UTF-8", path, _place(before, len(before))) from None


def _at(where: tuple[str, ...], message: str, hint: str | None = None) -> ProfileInvalidError:
    error = ProfileInvalidError(without_tokens(message), hint=hint)
    error.where = where
    return error


def _parse(text: str, path: Path) -> dict[str, Any]:
    from kimi_profiles.tomltext import MAX_DOTTED_PARTS, TOKEN

    if text.startswith("\ufeff"):
        raise _unreadable("a byte order mark is not TOML", path, (1, 1), "save the file as UTF-8 without one")
    # tomllib takes time and memory quadratic in the parts of a dotted key: 50,000 parts took 37 s and 9.5 GB.
    if any(line.count(".") >= MAX_DOTTED_PARTS for line in text.split("\n")):
        for token in TOKEN.finditer(text):
            if token.lastgroup == "deep":
                message = f"a key of more than {MAX_DOTTED_PARTS} dotted parts"
                raise _unreadable(message, path, _place(text, token.start()))
    _check_amounts(text, path)
    import tomllib  # what was read before need not be parsed again

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(error, text, path) from None
    except ValueError:  # Python's own limit for int(): 4300 digits, unless it is set otherwise
        words = (token for token in TOKEN.finditer(text) if token.lastgroup == "word")
        longest = max(words, key=lambda token: len(token[0]))
        message = f"a number of {len(longest[0])} digits"
        raise _unreadable(message, path, _place(text, longest.start())) from None
    except RecursionError:
        raise _unreadable("the values are nested too deeply", path, _deepest(text)) from None


def _check_amounts(text: str, path: Path) -> None:
    """Refuse what costs tomllib seconds and hundreds of megabytes."""
    from kimi_profiles.tomltext import TOKEN

    if _MANY_DIGITS.search(text):  # its pattern for a number takes 130 bytes a digit
        for token in TOKEN.finditer(text):
            if token.lastgroup == "word" and len(token[0]) > _MAX_DIGITS and token[0][0] in "+-0123456789":
                raise _unreadable(f"a number of {len(token[0])} digits", path, _place(text, token.start()))
    if text.count("\n[") > _MAX_HEADERS:  # 60,000 took 2 s
        headers = (token for token in TOKEN.finditer(text) if text[token.start() - 1 : token.end()] == "\n[")
        _refuse_beyond(headers, _MAX_HEADERS, "headers of tables", text, path)
    if sum(map(text.count, ".,=")) > _MAX_MARKS:  # 8,000 keys of 30 parts took 3.4 s and 268 MB
        marks = (token for token in TOKEN.finditer(text) if token[0] in {".", ",", "="})
        _refuse_beyond(marks, _MAX_MARKS, "parts of keys, and values", text, path)


def _refuse_beyond(tokens: Iterator[re.Match[str]], most: int, what: str, text: str, path: Path) -> None:
    beyond = next(itertools.islice(tokens, most, None), None)
    if beyond is not None:
        raise _unreadable(f"more than {most:,} {what}", path, _place(text, beyond.start()))


def _unreadable(
    message: str, path: Path, place: tuple[int, int], hint: str | None = None
) -> ProfileInvalidError:
    return ProfileInvalidError(without_tokens(message), hint=hint, path=path, line=place[0], column=place[1])


def _deepest(text: str) -> tuple[int, int]:
    from kimi_profiles.tomltext import TOKEN

    depth = greatest = offset = 0
    for token in TOKEN.finditer(text):
        if token.lastgroup == "mark":
            depth += (token[0] in "[{") - (token[0] in "]}")
            if depth > greatest:
                greatest, offset = depth, token.start()
    return _place(text, offset)


def _not_toml(error: tomllib.TOMLDecodeError, text: str, path: Path) -> ProfileInvalidError:
    message = str(error)
    match = _POSITION.search(message)
    reason = message[: match.start()] if match else message
    line, column = _place(text, len(text.rstrip()))
    if match and match[1]:
        line, column = int(match[1]), int(match[2])
    message = f"this is not TOML: {reason[:1].lower()}{reason[1:]}"
    return _unreadable(message, path, (line, column), "see https://toml.io")


def _place(text: str, position: int) -> tuple[int, int]:
    start = text.rfind("\n", 0, position) + 1
    return text.count("\n", 0, position) + 1, position - start + 1
