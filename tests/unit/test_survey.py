"""Which files are read, for each layer, in their order; whatever is in their place."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kimi_profiles import ClaudeCode
from kimi_profiles.client import Client
from kimi_profiles.errors import NotFoundError
from kimi_profiles.paths import find_places
from kimi_profiles.survey import Survey, take_survey

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes and modes as POSIX has them")

NAME = "ANTHROPIC_MODEL"


class Ground:
    """A home, a project and a folder of managed settings."""

    def __init__(self, root: Path) -> None:
        self.places = replace(find_places({}, home=root / "home"), managed=root / "managed")
        self.project = root / "project"
        self.flag = root / "flag.json"
        managed = self.places.managed
        self.files = {
            "drop-in 20": managed / "managed-settings.d" / "20.json",
            "drop-in 10": managed / "managed-settings.d" / "10.json",
            "managed": managed / "managed-settings.json",
            "flag": self.flag,
            "local": self.project / ".claude" / "settings.local.json",
            "project": self.project / ".claude" / "settings.json",
            "user": self.places.claude / "settings.json",
            "claude.json": self.places.claude_json,
        }
        for path in self.files.values():
            path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, document: Any) -> None:
        self.files[name].write_text(json.dumps(document), encoding="utf-8")

    def survey(self, *, env: dict[str, str] | None = None, version: str = "2.1.329") -> Survey:
        return take_survey(
            self.places,
            project=self.project,
            flag_settings=self.flag if self.flag.exists() else None,
            env=env or {},
            client=Client(Path("claude"), version),
        )


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


@pytest.mark.parametrize("version", ["2.1.39", "2.1.329"])
def test_from_strong_to_weak(version: str, ground: Ground) -> None:
    names = [name for name in ground.files if version == "2.1.329" or not name.startswith("drop-in")]
    for name in ground.files:
        ground.write(name, {"env": {NAME: name}})
    for name in names:
        survey = ground.survey(env={NAME: "process"}, version=version)
        assert survey.effective.value(NAME) == name
        assert survey.effective.suppliers(NAME)[0].path == ground.files[name]
        ground.write(name, {})
    assert ground.survey(env={NAME: "process"}, version=version).effective.value(NAME) == "process"


def test_other_names_are_no_drop_ins(ground: Ground) -> None:
    for name in (".hidden.json", "readme.txt", "30.json.bak"):
        (ground.files["drop-in 10"].parent / name).write_text(json.dumps({"env": {NAME: name}}))
    assert ground.survey().effective.value(NAME) is None


def test_in_the_home_the_users_settings_are_the_users(ground: Ground) -> None:
    ground.write("user", {"env": {NAME: "user"}})
    ground.project = ground.places.home
    assert [layer.name for layer in ground.survey().effective.suppliers(NAME)] == ["user"]


def test_folders_above_are_not_looked_at(ground: Ground) -> None:
    (ground.project / ".git").mkdir()
    ground.write("project", {"env": {NAME: "above"}})
    ground.project /= "below"
    ground.project.mkdir()
    assert ground.survey().effective.value(NAME) is None


ODD: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a link in a circle": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("make", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ["managed", "local", "user", "claude.json"])
def test_what_is_no_file_supplies_nothing_and_is_told(
    name: str, make: Callable[[Path], object], ground: Ground
) -> None:
    make(ground.files[name])
    (layer,) = [layer for layer in ground.survey().effective.layers if layer.ignored is not None]
    assert layer.path == ground.files[name]


GOOD = {"accessToken": "sk-test-login", "scopes": ["user:inference"]}
# id → (what the file of the login holds, whether it may be used)
LOGINS: dict[str, tuple[Any, bool]] = {
    "good": ({"claudeAiOauth": GOOD}, True),
    "expired": ({"claudeAiOauth": {**GOOD, "expiresAt": 1}}, True),
    "without the right": ({"claudeAiOauth": {**GOOD, "scopes": ["user:profile"]}}, False),
    "without scopes": ({"claudeAiOauth": {"accessToken": "x"}}, False),
    "without a token": ({"claudeAiOauth": {**GOOD, "accessToken": ""}}, False),
    "a token that is a number": ({"claudeAiOauth": {**GOOD, "accessToken": 7}}, False),
    "of something else": ({"mcpOAuth": {}}, False),
    "a list": ([], False),
    "null": (None, False),
}


@pytest.mark.parametrize(("document", "is_usable"), LOGINS.values(), ids=LOGINS)
def test_the_login(document: Any, is_usable: bool, ground: Ground) -> None:  # noqa: FBT001
    (ground.places.claude / ".credentials.json").write_text(json.dumps(document))
    survey = ground.survey()
    assert (survey.login is not None) == is_usable
    assert len(survey.request.credentials) == is_usable


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_login_that_cannot_be_read_is_none(data: bytes, ground: Ground) -> None:
    (ground.places.claude / ".credentials.json").write_bytes(data)
    assert ground.survey().login is None


def test_a_survey_keeps_its_secrets(ground: Ground) -> None:
    ground.write("user", {"env": {"ANTHROPIC_AUTH_TOKEN": "sk-canary"}, "apiKeyHelper": "echo sk-canary"})
    (ground.places.claude / ".credentials.json").write_text(
        json.dumps({"claudeAiOauth": {**GOOD, "accessToken": "sk-canary"}})
    )
    survey = ground.survey(env={"ANTHROPIC_API_KEY": "sk-canary"})
    assert survey.effective.value("ANTHROPIC_AUTH_TOKEN") == "sk-canary"
    assert "sk-canary" not in repr(survey)
    with pytest.raises(TypeError, match="secrets"):
        pickle.dumps(survey)


def test_the_library_asks_for_a_project(ground: Ground) -> None:
    ground.write("local", {"env": {NAME: "local"}})
    home = ground.places.home
    for claude in (
        ClaudeCode.of("user", project=ground.project, home=home),
        ClaudeCode.local(ground.project, home=home),
    ):
        assert claude.survey().effective.value(NAME) == "local"
    assert ClaudeCode.user(home=home).survey().effective.value(NAME) is None
    ground.write("flag", {"env": {NAME: "flag"}})
    claude = ClaudeCode.user(home=home)
    assert claude.survey(flag_settings=ground.flag).effective.value(NAME) == "flag"
    with pytest.raises(NotFoundError):
        claude.survey(flag_settings=ground.project / "none")
