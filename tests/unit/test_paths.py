"""Where files are, for each platform, home and scope, and for every way to set CLAUDE_CONFIG_DIR."""

from __future__ import annotations

import os
from dataclasses import astuple
from pathlib import Path

import pytest
from platformdirs import PlatformDirs
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from kimi_profiles.errors import UsageError
from kimi_profiles.paths import find_places, find_scope

XDG = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")

not_on_windows = pytest.mark.skipif(os.name == "nt", reason="the folders of POSIX systems")


@pytest.fixture
def home(isolated_environment: Path) -> Path:
    return isolated_environment


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---- our own folders

BELOW = {
    "linux": (".config/kimi-profiles", ".local/state/kimi-profiles", ".cache/kimi-profiles"),
    "freebsd14": (".config/kimi-profiles", ".local/state/kimi-profiles", ".cache/kimi-profiles"),
    "darwin": (
        "Library/Application Support/kimi-profiles",
        "Library/Application Support/kimi-profiles/state",
        "Library/Caches/kimi-profiles",
    ),
    "win32": (
        "AppData/Local/kimi-profiles",
        "AppData/Local/kimi-profiles/state",
        "AppData/Local/kimi-profiles/cache",
    ),
}


@pytest.mark.parametrize(("platform", "expected"), BELOW.items(), ids=BELOW)
def test_folders_below_a_home_that_is_named(
    platform: str, expected: tuple[str, str, str], tmp_path: Path
) -> None:
    places = find_places({}, home=tmp_path, platform=platform)
    assert (places.config, places.state, places.cache) == tuple(tmp_path / part for part in expected)
    assert places.store == places.config / "profiles.toml"
    assert len({places.config, places.state, places.cache}) == 3


SAME_AS_PLATFORMDIRS = {"linux": Unix, "darwin": MacOS, "win32": Windows}


@not_on_windows
@pytest.mark.parametrize("platform", SAME_AS_PLATFORMDIRS)
def test_a_named_home_has_the_folders_that_its_own_user_has(
    platform: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--home ~` means what leaving it out means, by platformdirs' own class for the system."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    if platform == "win32":
        monkeypatch.setattr("platformdirs.windows.get_win_folder", lambda _: str(home / "AppData" / "Local"))
    monkeypatch.setattr("platformdirs.PlatformDirs", SAME_AS_PLATFORMDIRS[platform])
    own, named = find_places({}, platform=platform), find_places({}, home=home, platform=platform)
    assert [str(part).casefold() for part in astuple(own)] == [
        str(part).casefold() for part in astuple(named)
    ]


@not_on_windows
def test_the_variables_of_the_desktop_standard_count_for_the_own_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platformdirs.PlatformDirs", Unix)
    for name in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    places = find_places({})
    assert (places.config, places.state, places.cache) == tuple(
        tmp_path / name / "kimi-profiles" for name in ("CONFIG", "STATE", "CACHE")
    )


ODD_FOLDERS = {
    "nothing is set": {},
    "all are set": {name: f"/x/{name}" for name in XDG},
    "one is set": {"XDG_STATE_HOME": "/x/state"},
    "empty": dict.fromkeys(XDG, ""),
    "relative": dict.fromkeys(XDG, "a/b"),
    "a tilde": dict.fromkeys(XDG, "~/x"),
    "dots and slashes": {name: f"//x/../{name}/./z//" for name in XDG},
    "the root": {"XDG_CACHE_HOME": "/"},
    "a home with dots": {"HOME": "/h/../g/"},
    "the root as home": {"HOME": "/"},
    "an empty home": {"HOME": ""},
    "a relative home": {"HOME": "h"},
    "no home": {"HOME": None},
    "Android": {"ANDROID_DATA": "/data", "ANDROID_ROOT": "/system"},
}


@not_on_windows
@pytest.mark.parametrize("env", ODD_FOLDERS.values(), ids=ODD_FOLDERS)
def test_on_linux_they_are_what_platformdirs_says(
    env: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in XDG:
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    known = PlatformDirs("kimi-profiles", appauthor=False)
    places = find_places({}, platform="linux")
    assert (places.config, places.state, places.cache) == (
        known.user_config_path,
        known.user_state_path,
        known.user_cache_path,
    )


@not_on_windows
def test_they_do_not_count_for_a_home_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    assert find_places(home=tmp_path / "h", platform="linux").config == tmp_path / "h/.config/kimi-profiles"


def test_without_a_home_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(UsageError, match="no home folder"):
        find_places({})


def test_nothing_is_created(home: Path) -> None:
    find_scope("user", find_places({"CLAUDE_CONFIG_DIR": str(home / "new")}))
    assert list(home.iterdir()) == []


# ---- Claude Code's folders: CLAUDE_CONFIG_DIR → folder, state file; {home} and {cwd} are filled in

CONFIG_DIR = {
    "unset": (None, "{home}/.claude", "{home}/.claude.json"),
    "absolute": ("{home}/D", "{home}/D", "{home}/D/.claude.json"),
    "trailing slash": ("{home}/D/", "{home}/D", "{home}/D/.claude.json"),
    "relative": ("d/e", "{cwd}/d/e", "{cwd}/d/e/.claude.json"),
    "relative with dots": ("../d", "{cwd}/../d", "{cwd}/../d/.claude.json"),
    "a tilde is a folder's name": ("~/D", "{cwd}/~/D", "{cwd}/~/D/.claude.json"),
    "empty: settings here, state at home": ("", "{cwd}", "{home}/.claude.json"),
}


@pytest.mark.parametrize(("value", "claude", "state"), CONFIG_DIR.values(), ids=CONFIG_DIR)
def test_claude_config_dir(value: str | None, claude: str, state: str, home: Path, cwd: Path) -> None:
    def filled(text: str) -> Path:
        return Path(os.path.normpath(text.format(home=home, cwd=cwd)))

    places = find_places({} if value is None else {"CLAUDE_CONFIG_DIR": value.format(home=home)})
    assert (places.claude, places.claude_json) == (filled(claude), filled(state))
    assert find_scope("user", places).settings == filled(claude) / "settings.json"


def test_claude_config_dir_is_read_from_the_process_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / "D"))
    assert find_places().claude == home / "D"


def test_a_named_home_makes_it_count_for_nothing(tmp_path: Path) -> None:
    places = find_places({"CLAUDE_CONFIG_DIR": "/elsewhere"}, home=tmp_path)
    assert (places.home, places.claude, places.claude_json) == (
        tmp_path,
        tmp_path / ".claude",
        tmp_path / ".claude.json",
    )


def test_a_named_home_may_be_relative(cwd: Path) -> None:
    assert find_places({}, home=Path("h")).claude == cwd / "h" / ".claude"


def test_a_link_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    try:
        (tmp_path / "link").symlink_to("real")
    except OSError:
        pytest.skip("this machine allows no symbolic links")
    assert find_places({}, home=tmp_path / "link").claude == tmp_path / "link" / ".claude"


LEGACY = {
    "a file takes the place": ("file", ".claude/.config.json"),
    "a folder does not": ("folder", ".claude.json"),
    "absent": ("", ".claude.json"),
}


@pytest.mark.parametrize(("what", "expected"), LEGACY.values(), ids=LEGACY)
@pytest.mark.parametrize("is_named", [True, False])
def test_the_legacy_state_file(what: str, expected: str, home: Path, *, is_named: bool) -> None:
    legacy = home / ".claude" / ".config.json"
    legacy.parent.mkdir()
    if what == "file":
        legacy.write_text("{}")
    elif what == "folder":
        legacy.mkdir()
    assert find_places({}, home=home if is_named else None).claude_json == home / expected


def test_the_legacy_state_file_moves_with_claude_config_dir(home: Path) -> None:
    (home / "D").mkdir()
    (home / "D" / ".config.json").write_text("{}")
    assert find_places({"CLAUDE_CONFIG_DIR": str(home / "D")}).claude_json == home / "D" / ".config.json"


# ---- scopes: name, settings

SCOPES = {
    "user": "{home}/.claude/settings.json",
    "project": "{root}/.claude/settings.json",
    "local": "{root}/.claude/settings.local.json",
}


@pytest.mark.parametrize(("name", "expected"), SCOPES.items(), ids=SCOPES)
@pytest.mark.parametrize("is_named", [True, False])
def test_scope(name: str, expected: str, tmp_path: Path, cwd: Path, *, is_named: bool) -> None:
    home, root = tmp_path / "home", (tmp_path / "project" if is_named else cwd)
    places = find_places({}, home=home)
    scope = find_scope(name, places, project=root if is_named else None)
    assert scope.name == name
    assert scope.settings == Path(expected.format(home=home, root=root))
    assert scope.claude_json == places.claude_json


@pytest.mark.parametrize("name", ["user", "project", "local", "nonsense"])
def test_a_settings_file_is_the_only_target(name: str, cwd: Path) -> None:
    places = find_places({}, home=cwd / "home")
    scope = find_scope(name, places, settings=Path("x/../s.json"))
    assert (scope.name, scope.settings, scope.claude_json) == ("path", cwd / "s.json", None)


@pytest.mark.parametrize("name", ["", "User", "managed", "path", "user "])
def test_no_such_scope(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_scope(name, find_places({}, home=tmp_path))
    assert repr(name) in str(caught.value)
    assert caught.value.hint == "choose user, project or local"
