"""Every example is run, as a reader would run it, and has to do what it says."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, require_tool

EXAMPLES = ROOT / "examples"
KEY = "sk-test-0123456789abcdefghij"
KIMI_CODE_KEY = "sk-kimi-test-0123456789abcdefghij"


def run(*command: str | Path, status: int = 0, **env: str) -> str:
    """Run a command in the throw-away home; its standard output."""
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | {"PYTHONUTF8": "1"} | env,
        cwd=Path.home(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def kimi_profiles(*arguments: str | Path, status: int = 0, **env: str) -> str:
    return run(sys.executable, "-P", "-m", "kimi_profiles", *arguments, status=status, **env)


def files_below(folder: Path) -> set[Path]:
    """All but what can be made again."""
    return {path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts}


# The demo


def test_the_demo_gives_the_bytes_back_and_shows_no_key() -> None:
    shown = run(sys.executable, EXAMPLES / "demo.py")

    titles = re.findall(r"^\$ kimi-profiles (.*)$", shown, re.MULTILINE)
    assert titles == [
        "plan moonshot-cn",
        "apply moonshot-cn",
        "status",
        "apply moonshot-cn",
        "unapply",
    ]
    assert shown.count("nothing to do") == 1
    assert "~/.claude/settings.json: identical, " in shown
    assert "~/.claude.json: identical, " in shown
    assert '"ANTHROPIC_AUTH_TOKEN": "sk-test-********"' in shown
    demo = runpy.run_path(str(EXAMPLES / "demo.py"))
    assert demo["KEY"] not in shown
    assert "the-key-before" not in shown


def test_the_demo_touches_nothing_in_the_real_home(tmp_path: Path) -> None:
    settings = Path.home() / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"model": "opus"}')

    run(sys.executable, EXAMPLES / "demo.py", CLAUDE_CONFIG_DIR=str(tmp_path))

    assert files_below(Path.home()) == {settings}
    assert settings.read_text() == '{"model": "opus"}'
    assert files_below(tmp_path) == set()


def test_the_demo_fails_if_a_file_is_not_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    demo = runpy.run_path(str(EXAMPLES / "demo.py"))
    real_run = demo["run"]

    def forgetful(home: Path, *command: str) -> None:
        if command != ("unapply",):
            real_run(home, *command)

    demo["step"].__globals__["run"] = forgetful

    assert demo["main"]() == 1
    assert "settings.json: DIFFERENT" in capsys.readouterr().out


# The library


def test_the_import_example_plans_applies_and_takes_out_again(tmp_path: Path) -> None:
    shown = run(sys.executable, EXAMPLES / "import_the_library.py", tmp_path, MOONSHOT_API_KEY=KEY)

    assert "plan: 2 files, changes" in shown
    assert "apply again: nothing to do" in shown
    assert "status: moonshot-cn, in sync" in shown
    assert "status: nothing applied" in shown
    assert "unmerge_text: True" in shown
    assert KEY not in shown
    assert not (tmp_path / ".claude").exists()
    assert not (tmp_path / ".claude.json").exists()
    assert files_below(Path.home()) == set()


def test_the_import_example_ends_with_the_exit_code_of_the_error(tmp_path: Path) -> None:
    run(sys.executable, EXAMPLES / "import_the_library.py", tmp_path, status=78)
    run(sys.executable, EXAMPLES / "import_the_library.py", tmp_path, "no-such-profile", status=66)
    assert files_below(tmp_path) == set()


# The profiles

PROFILES = {
    "moonshot-cn.toml": ("https://api.moonshot.cn/anthropic", "ANTHROPIC_AUTH_TOKEN"),
    "moonshot-intl.toml": ("https://api.moonshot.ai/anthropic", "ANTHROPIC_AUTH_TOKEN"),
    "kimi-code.toml": ("https://api.kimi.com/coding/", "ANTHROPIC_API_KEY"),
}


def planned(file: Path, name: str) -> dict[str, Any]:
    """Pointer → value to be, for the settings file."""
    keys = {"MOONSHOT_API_KEY": KEY, "KIMI_API_KEY": KIMI_CODE_KEY}
    answer = json.loads(kimi_profiles("--store", file, "plan", name, "--json", **keys))
    assert answer["ok"]
    assert answer["warnings"] == []
    (settings,) = [target for target in answer["targets"] if target["path"].endswith("settings.json")]
    return {change["pointer"]: change["after"] for change in settings["changes"]}


def test_every_profile_file_is_known_to_these_tests() -> None:
    assert {path.name for path in (EXAMPLES / "profiles").iterdir()} == set(PROFILES)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_file_is_valid_and_plans_its_endpoint(name: str) -> None:
    file = EXAMPLES / "profiles" / name
    base_url, variable = PROFILES[name]

    checked = json.loads(kimi_profiles("validate", file, "--json"))
    assert (checked["ok"], checked["errors"], checked["warnings"]) == (True, [], [])

    for profile in kimi_profiles("--store", file, "list", "--names").split():
        values = planned(file, profile)
        assert values["/env/ANTHROPIC_BASE_URL"] == base_url
        assert values[f"/env/{variable}"]["secret"]
        assert values["/env/API_TIMEOUT_MS"] == "600000"
        assert values["/env/CLAUDE_CODE_MAX_CONTEXT_TOKENS"] == "262144"
        assert {f"/env/ANTHROPIC_DEFAULT_{tier}_MODEL" for tier in ("OPUS", "SONNET", "HAIKU")} <= set(values)
    assert files_below(Path.home()) == set()


@pytest.mark.parametrize("name", PROFILES)
def test_the_token_references_in_the_comments_are_valid_too(name: str, tmp_path: Path) -> None:
    text = (EXAMPLES / "profiles" / name).read_text(encoding="utf-8")
    references = re.findall(r"^#   (auth\.token = \{.*\})", text, re.MULTILINE)
    assert [reference.split()[3] for reference in references] == ["file", "command", "keyring"]
    for reference in references:
        file = tmp_path / "profiles.toml"
        file.write_text(re.sub(r"^auth\.token = .*$", lambda _, r=reference: r, text, flags=re.MULTILINE))
        kimi_profiles("validate", file)


def test_the_profile_without_a_pin_leaves_the_model_open() -> None:
    file = EXAMPLES / "profiles" / "moonshot-intl.toml"
    assert "/env/ANTHROPIC_MODEL" in planned(file, "kimi-intl")
    assert "/env/ANTHROPIC_MODEL" not in planned(file, "kimi-intl-free-choice")


# The dotfiles


@pytest.fixture
def dotfiles(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example as a git repository in the throw-away home; `kimi-profiles` is on the PATH."""
    require_tool("sh")
    git = require_tool("git")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    repository = Path.home() / "dotfiles"
    shutil.copytree(EXAMPLES / "dotfiles", repository)
    run(git, "-C", repository, "init", "--quiet")
    run(git, "-C", repository, "add", "--all")
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")
    run(git, "-C", repository, *who, "commit", "--quiet", "--message", "Dotfiles")
    return repository


def put_key(name: str) -> None:
    folder = Path.home() / ".secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / name).write_text(f"{KEY}\n")
    (folder / name).chmod(0o600)


def git_status(repository: Path) -> list[str]:
    return run("git", "-C", repository, "status", "--porcelain").splitlines()


def test_install_links_the_files_and_applies_without_a_key_in_the_repository(dotfiles: Path) -> None:
    put_key("moonshot")

    run(dotfiles / "install.sh")

    settings = Path.home() / ".claude" / "settings.json"
    assert settings.readlink() == dotfiles / "claude" / "settings.json"
    written = json.loads(settings.read_text())
    assert written["env"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.cn/anthropic"
    assert written["env"]["ANTHROPIC_AUTH_TOKEN"] == ""
    assert [hook["matcher"] for hook in written["hooks"]["PostToolUse"]] == ["Edit|Write"]
    assert git_status(dotfiles) == [" M claude/settings.json"]
    assert not any(KEY.encode() in path.read_bytes() for path in files_below(dotfiles))
    # Claude Code hands the helper to a shell, in whatever folder it works.
    assert run("sh", "-c", written["apiKeyHelper"]) == f"{KEY}\n"


def test_after_unapply_git_sees_no_change_and_the_links_are_still_there(dotfiles: Path) -> None:
    put_key("moonshot")
    run(dotfiles / "install.sh")

    kimi_profiles("unapply")

    assert git_status(dotfiles) == []
    assert (Path.home() / ".claude" / "settings.json").is_symlink()


def test_install_can_be_run_again_and_with_another_profile(dotfiles: Path) -> None:
    put_key("moonshot")
    put_key("moonshot-intl")
    run(dotfiles / "install.sh")
    first = (dotfiles / "claude" / "settings.json").read_bytes()

    run(dotfiles / "install.sh")
    assert (dotfiles / "claude" / "settings.json").read_bytes() == first

    run(dotfiles / "install.sh", "travel")
    written = json.loads((dotfiles / "claude" / "settings.json").read_text())
    assert written["env"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.ai/anthropic"


def test_install_replaces_no_file_of_the_users(dotfiles: Path) -> None:
    settings = Path.home() / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"model": "opus"}')

    run(dotfiles / "install.sh", status=1)

    assert settings.read_text() == '{"model": "opus"}'
    assert git_status(dotfiles) == []


def test_without_the_helper_the_tracked_file_would_be_refused(dotfiles: Path) -> None:
    put_key("moonshot")
    store = dotfiles / "profiles.toml"
    store.write_text(store.read_text().replace('auth.delivery = "helper"', 'auth.delivery = "inline"'))

    run(dotfiles / "install.sh", status=77)

    assert git_status(dotfiles) == [" M profiles.toml"]
