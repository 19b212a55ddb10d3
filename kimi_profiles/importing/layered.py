"""What Claude Code or a shell uses here now: the layers of its configuration, and start-up files."""

from __future__ import annotations

import os

from kimi_profiles.drift import find_drift
from kimi_profiles.errors import ProfilesError
from kimi_profiles.files import read_file
from kimi_profiles.importing.found import PROCESS, Found, LeftOut, Value, from_settings
from kimi_profiles.importing.recognize import ENDPOINT_VARIABLES
from kimi_profiles.jsontext import JsonTextError, join_pointer, loads
from kimi_profiles.jsontext.document import Document
from kimi_profiles.shellrc import find_settings, read_assignments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from kimi_profiles.layers import Layer
    from kimi_profiles.ledger import Ledger
    from kimi_profiles.shellrc import Setting

__all__ = ["read_environment", "read_files", "read_shell", "read_together"]

_SETTINGS = ("model", "apiKeyHelper", "primaryApiKey")
_RUNS = "only running the shell could tell its value"
_MAX_RC_BYTES = 1 << 20
_PROCESS = "the environment"


def read_files(layers: Iterable[Layer], ledger: Ledger) -> Found:
    """What the files of Claude Code say, the stronger first; what we wrote there is nobody's configuration.

    Args:
        layers: From strong to weak; those that are no files are passed over.
        ledger: What we wrote.
    """
    variables: dict[str, Value] = {}
    settings: dict[str, Any] = {}
    sources: dict[str, str] = {}
    left_out: list[LeftOut] = []
    for layer in layers:
        if layer.path is None:
            continue
        if layer.ignored is not None:
            left_out.append(
                LeftOut(str(layer.path), f"Claude Code ignores this file: {layer.ignored.reason}")
            )
            continue
        ours, who = _written_by_us(layer, ledger)
        places = dict(_places(layer))
        for name, text in layer.values.items():
            if _pointer(name) in ours:
                left_out.append(
                    LeftOut(
                        name,
                        f"kimi-profiles wrote it there, for profile {who}; unapply gives back what was there",
                    )
                )
            elif name not in variables:
                variables[name] = Value(text, places.get(name, str(layer.path)), layer.name)
        if layer.name not in {"claude.json", "managed"}:
            for key, value in _others(layer):
                if any(pointer.startswith(join_pointer(key) + "/") for pointer in (f"{p}/" for p in ours)):
                    left_out.append(LeftOut(key, f"kimi-profiles wrote in it, for profile {who}"))
                else:
                    settings.setdefault(key, value)
                    sources.setdefault(key, str(layer.path))
    return Found(variables, settings, sources, tuple(left_out))


def read_environment(names: Iterable[str], process: Mapping[str, str]) -> Found:
    """What an environment says of ``names``."""
    return Found({name: Value(process[name], _PROCESS, PROCESS) for name in names if name in process})


def read_shell(
    names: Collection[str], *, home: Path, env: Mapping[str, str], process: Mapping[str, str]
) -> Found:
    """What the environment says, and below it the start-up files of the user's shell.

    Args:
        names: The variables that are asked for.
        home: Whose start-up files.
        env: For ``SHELL``, and for paths in start-up files; empty for another user's.
        process: The environment; empty to look at files only.
    """
    variables = dict(read_environment(names, process).variables)
    settings = [one for one in find_settings(names, home=home, env=env) if one.is_exported]
    left_out: list[LeftOut] = []
    for setting in _of_one_shell(settings, os.path.basename(env.get("SHELL", ""))):  # noqa: PTH119 - no path
        if setting.name in variables:
            continue
        place = f"{setting.path}:{setting.line}"
        text = _text_of(setting)
        if text is None:
            left_out.append(LeftOut(setting.name, f"{place}: {_RUNS}"))
        else:
            variables[setting.name] = Value(text, place)
    return Found(variables, left_out=tuple(left_out))


def read_together(strong: Found, weak: Found) -> Found:
    """Both: what ``strong`` says, and of other variables what ``weak`` says; the settings of one of them."""
    return Found(
        {**weak.variables, **strong.variables},
        strong.settings or weak.settings,
        strong.settings_source if strong.settings else weak.settings_source,
        (*strong.left_out, *weak.left_out),
    )


def _written_by_us(layer: Layer, ledger: Ledger) -> tuple[frozenset[str], str]:
    """Pointers of what we wrote into the file and is still so, and the profiles it was for."""
    record = ledger.records.get(str(layer.path))
    if record is None:
        return frozenset(), ""
    ours: set[str] = set()
    for holder in {holder for owned in record.owned for holder in owned.holders}:
        try:
            drifted = {owned.key for owned, _ in find_drift(layer.text, record, holder=holder)}
        except JsonTextError:  # Claude Code takes a little more than we do
            drifted = set()
        ours |= {
            owned.pointer
            for owned in record.owned
            if holder in owned.holders and owned.is_present and owned.key not in drifted
        }
    holders = {holder for owned in record.owned for holder in owned.holders}
    known = {ledger.applications[holder].profile for holder in holders if holder in ledger.applications}
    return frozenset(ours), " and ".join(sorted(known)) or "of another scope"


def _places(layer: Layer) -> Iterator[tuple[str, str]]:
    """File and line of what is looked for; a search for every name there is would take minutes."""
    try:
        document = Document(layer.text)
    except JsonTextError:  # Claude Code takes a little more than we do
        return
    for name in (*ENDPOINT_VARIABLES, *_SETTINGS):
        if name in layer.values:
            line, _ = document.place(_pointer(name))
            yield name, f"{layer.path}:{line}"


def _pointer(name: str) -> str:
    return join_pointer(name) if name in _SETTINGS else join_pointer("env", name)


def _others(layer: Layer) -> Iterator[tuple[str, Any]]:
    try:
        document = loads(layer.text)
    except (ValueError, RecursionError):
        return
    if isinstance(document, dict):
        yield from from_settings(document, "")[1].items()


def _of_one_shell(settings: Sequence[Setting], shell: str) -> list[Setting]:
    """The last word of each variable in the user's shell, or in the one that has the most of them."""
    names: dict[str, dict[str, Setting]] = {}
    for setting in settings:
        found = names.setdefault(setting.shell, {})
        found.pop(setting.name, None)
        found[setting.name] = setting
    if not names:
        return []
    chosen = shell if shell in names else max(names, key=lambda one: len(names[one]))
    return [one for one in names[chosen].values() if not one.is_empty]


def _text_of(setting: Setting) -> str | None:
    try:
        data = read_file(setting.path, limit_bytes=_MAX_RC_BYTES) or b""
    except ProfilesError:
        return None
    text = data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8", "replace")
    kind = setting.path.name if setting.path.name == "fish_variables" else setting.shell
    found = [
        one for one in read_assignments(text, kind) if one.name == setting.name and one.line == setting.line
    ]
    return found[-1].text if found else None
