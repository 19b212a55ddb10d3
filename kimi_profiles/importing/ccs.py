"""The profiles that ccs keeps: a list of names, and a settings file for each.

Source: github.com/kaitranntt/ccs: ``src/config/schemas/auth.ts`` at 7e3fc3d, ``unified-config.ts``
beside it and ``src/config/loader/yaml-serializer.ts`` at 206eaf4 (how ``config.yaml`` is written),
``config/base-glm.settings.json`` at 7e98dd6; for the older ``config.json`` and for ``settings_file``
docs.ccs.kaitran.ca/getting-started/configuration.
"""

from __future__ import annotations

import json
import re

from kimi_profiles.errors import InvalidError, NotFoundError, ProfilesError
from kimi_profiles.files import read_file, scan_folder
from kimi_profiles.importing.found import Found, cut, from_settings
from kimi_profiles.jsontext import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["listed_in_json", "listed_in_yaml", "read_ccs"]

_MAX_SIZE_BYTES = 1 << 20
_MAX_PROFILES = 200
_SUFFIX = ".settings.json"
_SCALAR = r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'#{}\[\],&*!|>%@`][^#]*?)"""
_KEY = re.compile(rf"( *){_SCALAR}\s*:(?:\s+{_SCALAR})?\s*(?:\s#.*)?")


def read_ccs(path: Path, *, home: Path) -> list[Found]:
    """Its profiles that are a settings file.

    Args:
        path: Its folder, or one of its settings files.
        home: What ``~`` means in its list.

    Raises:
        NotFoundError: There is nothing of the kind.
        NotPermittedError: The list may not be read, or is too large.
        InvalidError: The list is damaged.
    """
    if not path.is_dir():
        if not path.exists():
            raise NotFoundError("there is no such folder", hint="name the folder of ccs", path=path)
        return [_profile(path.name.removesuffix(_SUFFIX), path)]
    files = {name: _absolute(text, path, home) for name, text in _listed(path)}
    for file in (path / name for name in sorted(scan_folder(path)) if name.endswith(_SUFFIX)):
        if file not in files.values():
            files.setdefault(file.name.removesuffix(_SUFFIX), file)
    if not files:
        raise NotFoundError("there are no profiles here", path=path)
    return [_profile(name, file) for name, file in list(files.items())[:_MAX_PROFILES]]


def listed_in_json(text: str) -> dict[str, str]:
    """Name → settings file, of the older ``config.json``.

    Raises:
        InvalidError: It is not JSON.
    """
    try:
        document = loads(text)
    except (ValueError, RecursionError):
        raise InvalidError("this is not JSON") from None
    profiles = document.get("profiles") if isinstance(document, dict) else None
    named = profiles.items() if isinstance(profiles, dict) else ()
    return {name: file for name, file in named if isinstance(file, str)}


def listed_in_yaml(text: str) -> dict[str, str]:
    """Name → settings file, of ``config.yaml``.

    Of YAML just the block that ccs writes is understood: ``profiles``, below it the names, and below each
    name ``settings``, or ``settings_file`` as its documentation has it.
    """
    found: dict[str, str] = {}
    is_inside, name, depth = False, "", 0
    for line in text.splitlines():
        key = _KEY.fullmatch(line.rstrip())
        if key is None:
            continue
        indent, word, value = len(key[1]), _scalar(key[2]), key[3]
        if indent == 0:
            is_inside, name, depth = word == "profiles", "", 0
        elif is_inside and value is None and (not name or indent <= depth):
            name, depth = word, indent
        elif is_inside and value is not None and word in {"settings", "settings_file"} and indent > depth > 0:
            found.setdefault(name, _scalar(value))
    return found


def _scalar(raw: str) -> str:
    if raw.startswith('"'):
        try:
            return str(json.loads(raw))
        except ValueError:  # YAML knows more escapes
            return raw[1:-1]
    return raw[1:-1].replace("''", "'") if raw.startswith("'") else raw.strip()


def _listed(folder: Path) -> Iterator[tuple[str, str]]:
    for name, read in (("config.yaml", listed_in_yaml), ("config.json", listed_in_json)):
        data = read_file(folder / name, limit_bytes=_MAX_SIZE_BYTES)
        if data is not None:
            try:
                yield from read(data.decode("utf-8-sig", "replace")).items()
            except InvalidError as error:
                raise error.at(folder / name) from None
            return


def _absolute(text: str, folder: Path, home: Path) -> Path:
    return home / text[2:] if text.startswith(("~/", "~\\")) else folder / text


def _profile(name: str, file: Path) -> Found:
    name = cut(name)
    try:
        data = read_file(file, limit_bytes=_MAX_SIZE_BYTES)
        document = None if data is None else loads(data.decode("utf-8-sig"))
    except (ProfilesError, ValueError, RecursionError):
        return Found(name=name, problem="its settings cannot be read")
    if not isinstance(document, dict):
        return Found(
            name=name, problem="it has no settings file" if data is None else "its settings cannot be read"
        )
    variables, settings = from_settings(document, str(file))
    problem = None if "ANTHROPIC_BASE_URL" in variables else "it has no endpoint of its own"
    return Found(variables, settings, str(file), name=name, problem=problem)
