"""The TOML file with the profiles: read, and each profile resolved on demand."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.errors import NotFoundError, ProfileInvalidError
from kimi_profiles.files import read_file
from kimi_profiles.paths import find_places

if TYPE_CHECKING:
    from pathlib import Path

    from kimi_profiles.profile import Profile

__all__ = ["ProfileStore"]

MAX_SIZE_BYTES = 1 << 20
_MAX_DOTTED_PARTS = 32

# tomllib takes time and memory quadratic in the parts of a dotted key: 50,000 parts took 37 s and 9.5 GB.
_DOTTED = re.compile(
    r"(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"
    rf"{{{_MAX_DOTTED_PARTS}}}"
)
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


class ProfileStore(Mapping[str, "Profile"]):
    """Profiles by name: those of one TOML file, and every provider of the catalogue as one of its own.

    Looking a name up resolves and checks that profile and those it inherits from, no others. Iterating gives
    the names in the file, in its order; providers can be looked up, but are not listed.

    Attributes:
        path: The TOML file; it need not exist.
        text: What it holds; empty where it does not exist.
    """

    def __init__(self, path: Path, text: str = "") -> None:
        self.path = path
        self.text = text
        self._document = _parse(text, path)
        self._tables = self._table("profiles")
        self._defaults = self._table("defaults")

    @classmethod
    def open(cls, path: Path | None = None, *, home: Path | None = None) -> ProfileStore:
        """Read the file.

        Args:
            path: The file; it must exist. Left out, the user's own file, which need not.
            home: Whose own file; the user who runs this if left out.

        Raises:
            NotFoundError: ``path`` was given and is not there.
            ProfileInvalidError: It is no UTF-8, no TOML, larger than 1 MiB, or has a top-level key other than
                ``profiles`` and ``defaults``.
        """
        file = find_places(home=home).store if path is None else path
        data = read_file(file, limit_bytes=MAX_SIZE_BYTES)
        if data is None:
            if path is not None:
                raise NotFoundError("there is no such file", path=file, hint="see: kimi-profiles init")
            return cls(file)
        try:
            return cls(file, data.decode("utf-8"))
        except UnicodeDecodeError as error:
            before = data[: error.start]
            raise ProfileInvalidError(
                "this is not UTF-8",
                path=file,
                line=before.count(b"\n") + 1,
                column=error.start - (before.rfind(b"\n") + 1) + 1,
            ) from None

    def __getitem__(self, name: str) -> Profile:
        """The profile ``name``, resolved.

        Raises:
            ProfileNotFoundError: Neither a profile nor a provider has this name; also a ``KeyError``.
            ProfileInvalidError: It is wrong; file, line and column say where.
        """
        from kimi_profiles.declaration import resolve_profile

        try:
            return resolve_profile(name, self._tables, defaults=self._defaults, catalogue=read_catalogue())
        except ProfileInvalidError as error:
            raise self._placed(error) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def __contains__(self, name: object) -> bool:
        return name in self._tables or name in read_catalogue().providers

    def check(self) -> list[ProfileInvalidError]:
        """Resolve every profile of the file; what is wrong, at most one fault for each profile."""
        faults: dict[tuple[object, ...], ProfileInvalidError] = {}
        for name in self:
            try:
                self[name]
            except ProfileInvalidError as error:
                faults.setdefault((error.line, error.column, error.message), error)
        return list(faults.values())

    def _table(self, key: str) -> dict[str, Any]:
        value = self._document.get(key, {})
        if not isinstance(value, dict):
            raise self._placed(_at((key,), f"{key} must be a table"))
        return value

    def _placed(self, error: ProfileInvalidError) -> ProfileInvalidError:
        error.at(self.path)
        place = _locate(self.text, error.where) if error.where and error.line is None else None
        if place:
            error.line, error.column = place
        return error


def _at(where: tuple[str, ...], message: str, hint: str | None = None) -> ProfileInvalidError:
    error = ProfileInvalidError(message, hint=hint)
    error.where = where
    return error


def _parse(text: str, path: Path) -> dict[str, Any]:
    deep = _DOTTED.search(text)
    if deep is not None:
        line, column = _place(text, deep.start())
        raise ProfileInvalidError(
            f"a key of more than {_MAX_DOTTED_PARTS} dotted parts", path=path, line=line, column=column
        )
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(error, text, path) from None
    except RecursionError:
        raise ProfileInvalidError("the values are nested too deeply", path=path) from None
    for key in document:
        if key not in {"profiles", "defaults"}:
            place = _locate(text, (key,)) or (1, 1)
            raise ProfileInvalidError(
                f"unknown key {key!a:.80}",
                hint="the file holds [profiles.NAME] tables and one [defaults]",
                path=path,
                line=place[0],
                column=place[1],
            )
    return document


def _not_toml(error: tomllib.TOMLDecodeError, text: str, path: Path) -> ProfileInvalidError:
    message = str(error)
    match = _POSITION.search(message)
    reason = message[: match.start()] if match else message
    line, column = _place(text, len(text.rstrip()))
    if match and match[1]:
        line, column = int(match[1]), int(match[2])
    return ProfileInvalidError(
        f"this is not TOML: {reason[:1].lower()}{reason[1:]}",
        hint="see https://toml.io",
        path=path,
        line=line,
        column=column,
    )


def _place(text: str, position: int) -> tuple[int, int]:
    start = text.rfind("\n", 0, position) + 1
    return text.count("\n", 0, position) + 1, position - start + 1


def _locate(text: str, where: tuple[str, ...]) -> tuple[int, int] | None:
    """Line and column of the key that ``where`` leads to, or of the nearest table around it.

    tomllib tells no positions. So every spelling of the last key is a candidate, and renaming one half of the
    candidates shows which half holds the key that counts: after log₂ n parses one is left.
    """
    for depth in range(len(where), 0, -1):
        *parents, key = where[:depth]
        found = _search(text, parents, key)
        if found is not None:
            return _place(text, found)
    return None


def _search(text: str, parents: list[str], key: str) -> int | None:
    marker = "located"
    while marker in text:
        marker += "-"
    pattern = rf"(?<![A-Za-z0-9_-]){re.escape(key)}(?![A-Za-z0-9_-])"
    candidates = [match.start() for match in re.finditer(pattern, text)]

    def renamed(positions: list[int]) -> str:
        pieces: list[str] = []
        here = 0
        for position in positions:
            pieces += text[here:position], marker
            here = position + len(key)
        return "".join([*pieces, text[here:]])

    def holds(positions: list[int]) -> bool:
        try:
            table: Any = tomllib.loads(renamed(positions))
        except (tomllib.TOMLDecodeError, RecursionError):
            return False
        for parent in parents:
            table = table.get(parent, {}) if isinstance(table, dict) else {}
        return isinstance(table, dict) and marker in table

    if not holds(candidates):
        return None
    while len(candidates) > 1:
        half = len(candidates) // 2
        first = candidates[:half]
        candidates = first if holds(first) else candidates[half:]
    return candidates[0]
