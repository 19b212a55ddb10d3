"""The profile file as JSON Schema, for an editor's TOML language server: hover texts, completion, red lines.

It is made from the models that check the file (``declaration``), and of their validators it says what a
schema can say. One law holds between the two: what the schema refuses, we refuse (in ``[defaults]``, as soon
as a profile makes use of it). Not promised is the reverse: which profiles and ancestors there are, whether a
profile has an endpoint at all, and the finer points of URLs, tokens and numbers are left to
``kimi-profiles validate``.

Source: JSON Schema draft-07. Of it only what taplo 0.9 and tombi 1.9 both know, and no ``$ref``: taplo
overlooks what stands beside one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kimi_profiles.catalogue import read_catalogue
from kimi_profiles.declaration import NOT_UNDER_ENV, ProfileTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kimi_profiles.catalogue import Catalogue

__all__ = ["profile_schema"]

_Schema = dict[str, Any]

# Regular expressions as every engine has them: no look-around, no flags, no \d.
_CONTROL = "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]"
_TOKEN = "(^|[^A-Za-z0-9])sk-[A-Za-z0-9_-]{12}"  # noqa: S105 - how one begins
_NAME = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$"
_VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"
_MODEL = "^[!-~]{1,200}$"
_HOST = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
_THIS_MACHINE = r"(([A-Za-z0-9._-]+\.)?[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]|127\.[0-9.]+|\[[0-9A-Fa-f:.]+\])"
_SCHEME = "[Hh][Tt][Tt][Pp]"
_URL = rf'^({_SCHEME}[Ss]://{_HOST}|{_SCHEME}://{_THIS_MACHINE})(:[0-9]*)?(/[!"$->@-~]*)?$'
_VERSION_SUFFIX = "^[^/]*//[^/]+(/.*)?/v[0-9]+(/(messages|chat/completions))?/*$"

_WAYS = {"env": (), "file": (), "command": (), "keyring": ("username",)}
"""Each way to a token, with what may stand beside it."""


def profile_schema() -> _Schema:
    """The schema of ``profiles.toml``.

    Returns:
        A JSON value of its own: the caller may change it. All its text can be published.
    """
    defaults, profile = _table(), _table()
    del defaults["properties"]["extends"]
    defaults["description"] = "What lies under every profile of this file."
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Profiles for Claude Code",
        "description": "The file `profiles.toml` of kimi-profiles. It holds no token, only where one is.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "defaults": defaults,
            "profiles": {
                "description": "The profiles by name.",
                "type": "object",
                "propertyNames": {"pattern": _NAME, "not": {"pattern": _devices()}},
                "additionalProperties": profile,
            },
        },
    }


def _table() -> _Schema:
    """One profile's table, with the rules that its model cannot tell pydantic."""
    model = ProfileTable.model_json_schema()
    table = _plain(model, model["$defs"])
    keys = table["properties"]
    catalogue = read_catalogue()
    keys["description"]["not"] = {"pattern": _either(_CONTROL, _TOKEN)}
    keys["extends"]["pattern"] = _NAME
    keys["provider"] |= _providers(catalogue)
    keys["base_url"] |= {"pattern": _URL, "not": {"pattern": _either(_VERSION_SUFFIX, _TOKEN)}}
    known = [name for name, entry in catalogue.models.items() if entry.status in {"current", "legacy"}]
    for model_id in keys["models"]["properties"].values():
        model_id |= {"anyOf": [{"enum": known}, {"pattern": _MODEL}], "not": {"pattern": _TOKEN}}
    token = keys["auth"]["properties"]["token"]
    keys["auth"]["properties"]["token"] = _one_way(token)
    keys["env"]["propertyNames"] = {"pattern": _VARIABLE, "not": {"enum": list(NOT_UNDER_ENV)}}
    # Not one `type` of two names: a number fits every pattern, so `not` would refuse it.
    text = {"type": "string", "not": {"pattern": _either("\\u0000", _TOKEN)}}
    keys["env"]["additionalProperties"] = {"anyOf": [text, {"type": "integer"}]}
    keys["settings"]["propertyNames"] = {"not": {"enum": ["env", "apiKeyHelper"]}}
    return table


def _plain(node: _Schema, models: Mapping[str, _Schema]) -> _Schema:
    """Without ``$ref``, without titles made of names, without ``null``, which TOML does not have."""
    if "$ref" in node:
        node = {**models[node["$ref"].rpartition("/")[2]], **node}
    plain = {key: value for key, value in node.items() if key not in {"$ref", "$defs", "title", "anyOf"}}
    for branch in node.get("anyOf", ()):
        if branch.get("type") != "null":
            plain |= {**_plain(branch, models), **plain}
    if not isinstance(plain.get("default"), bool):
        plain.pop("default", None)
    if "properties" in plain:
        plain["properties"] = {key: _plain(below, models) for key, below in plain["properties"].items()}
    return plain


def _one_way(token: _Schema) -> _Schema:
    """``auth.token``: the table of each way is closed, so that exactly one of them can fit."""
    keys = token["properties"]
    keys["env"]["pattern"] = _VARIABLE
    unfit = {"not": {"pattern": _either(_CONTROL, _TOKEN)}}
    for key in ("file", "keyring", "username"):
        keys[key] |= unfit
    keys["command"]["items"] |= unfit
    branches = [
        {
            "type": "object",
            "properties": {key: keys[key] for key in (way, *beside)},
            "required": [way],
            "additionalProperties": False,
        }
        for way, beside in _WAYS.items()
    ]
    return {"description": token["description"], "oneOf": branches}


def _providers(catalogue: Catalogue) -> _Schema:
    labels = [f"{entry.label}: {entry.base_url}" for entry in catalogue.providers.values()]
    return {"enum": list(catalogue.providers), "x-taplo": {"docs": {"enumValues": labels}}}


def _devices() -> str:
    names = _any_case(["con", "prn", "aux", "nul", "com#", "lpt#"]).replace("#", "[0-9]")
    return names.removesuffix("$") + "(\\..*)?$"


def _any_case(words: Iterable[str]) -> str:
    """A regular expression for the whole of any of ``words``, without regard to letter case."""
    letters = ("".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in word) for word in words)
    return f"^({'|'.join(letters)})$"


def _either(*patterns: str) -> str:
    return "|".join(f"({pattern})" for pattern in patterns)
