"""The dotfile repositories among the examples, each with the real tool where there is one to be had."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from support import require_tool
from test_examples import EXAMPLES, KEY, files_below, git_status, kimi_profiles, put_key, run

from kimi_profiles.jsontext.document import Document

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(os.name == "nt", reason="the examples are for a POSIX shell"),
]

SETTINGS = b'{\r\n\t"model": "opus",\r\n\t"env": { "ANTHROPIC_API_KEY": "mine", "EDITOR": "vi" }\r\n}'


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """`kimi-profiles` is on the PATH."""
    require_tool("sh")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)


def home_file(name: str) -> Path:
    return Path.home() / name


def written() -> Any:
    return json.loads(home_file(".claude/settings.json").read_text())


def copied(example: str) -> Path:
    """The example, in the throw-away home."""
    return Path(shutil.copytree(EXAMPLES / example, Path.home() / "dotfiles"))


def committed(folder: Path) -> Path:
    """``folder`` as a git repository."""
    git = require_tool("git")
    run(git, "-C", folder, "init", "--quiet")
    commit(folder, "Dotfiles")
    return folder


def commit(folder: Path, message: str) -> None:
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")
    run("git", "-C", folder, "add", "--all")
    run("git", "-C", folder, *who, "commit", "--quiet", "--message", message)


def assert_no_key_in(folder: Path) -> None:
    """Neither in a file, nor in anything that git keeps."""
    for path in files_below(folder):
        assert KEY.encode() not in path.read_bytes(), path
    if (folder / ".git").exists():
        command = ["git", "-C", folder, "cat-file", "--batch-all-objects", "--batch"]
        objects = subprocess.run(command, capture_output=True, check=True).stdout
        assert KEY.encode() not in objects
        assert objects.count(b" blob ") > 2


# chezmoi


def chezmoi(source: Path, *, status: int = 0) -> None:
    """What ``chezmoi apply`` does with the attributes that the example uses.

    Files are done in the order of their targets. A ``modify_`` script is copied to a temporary file of mode
    0700 whose name ends in the target's, gets the target on standard input (nothing, if there is none), and
    its output replaces the target; no output removes it, a failure ends all and leaves it alone.

    Source:
        chezmoi's ``internal/chezmoi/sourcestate.go``, newModifyTargetStateEntryFunc; and its documentation,
        "Target types" and "Source state attributes".
    """
    ignored = (source / ".chezmoiignore").read_text().split()
    for path in sorted(files_below(source)):
        relative = path.relative_to(source)
        if path.name.startswith(".") or str(relative) in ignored:
            continue
        folder = Path(*(part.replace("dot_", ".", 1) for part in relative.parent.parts))
        target = Path.home() / folder / path.name.removeprefix("modify_").removeprefix("private_")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not path.name.startswith("modify_"):
            target.write_bytes(path.read_bytes())
            continue
        done = modify(source, path, target)
        assert done.returncode == status, done.stderr
        assert KEY.encode() not in done.stderr
        if status:
            return
        if done.stdout:
            target.touch()
            target.chmod(0o600)
            target.write_bytes(done.stdout)
        else:
            target.unlink(missing_ok=True)


def modify(source: Path, script: Path, target: Path) -> subprocess.CompletedProcess[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"123456.{target.name}"
        copy.write_bytes(script.read_bytes())
        copy.chmod(0o700)
        return subprocess.run(
            [copy],
            input=target.read_bytes() if target.exists() else b"",
            env={
                **os.environ,
                "CHEZMOI_SOURCE_DIR": str(source),
                "CHEZMOI_SOURCE_FILE": str(script.relative_to(source)),
            },
            capture_output=True,
            check=False,
        )


def choose(profile: str) -> None:
    chosen = home_file(".config/kimi-profiles/chosen")
    chosen.parent.mkdir(parents=True, exist_ok=True)
    chosen.write_text(profile)


@pytest.mark.parametrize("before", [None, SETTINGS], ids=["no file", "a file"])
def test_chezmoi_puts_a_profile_in_switches_it_and_takes_it_out(before: bytes | None) -> None:
    source, settings = copied("chezmoi"), home_file(".claude/settings.json")
    if before is not None:
        settings.parent.mkdir()
        settings.write_bytes(before)
    put_key("moonshot")

    chezmoi(source)
    assert written()["env"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.cn/anthropic"
    assert run("sh", "-c", written()["apiKeyHelper"]) == f"{KEY}\n"
    assert settings.stat().st_mode & 0o777 == 0o600
    first = settings.read_bytes()
    chezmoi(source)
    assert settings.read_bytes() == first

    choose("travel\n")
    modify(source, source / "dot_claude" / "modify_private_settings.json", settings)  # as `chezmoi diff`
    chezmoi(source)
    assert written()["env"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.ai/anthropic"

    choose("none")
    chezmoi(source)
    assert (settings.read_bytes() if settings.exists() else None) == before
    for folder in (source, home_file(".claude"), home_file(".local")):
        assert_no_key_in(folder)


def test_chezmoi_keeps_what_claude_code_writes_meanwhile() -> None:
    source, settings = copied("chezmoi"), home_file(".claude/settings.json")
    chezmoi(source)
    settings.write_text(json.dumps(written() | {"theme": "dark"}))
    chezmoi(source)
    assert written()["theme"] == "dark"
    choose("none")
    chezmoi(source)
    assert written() == {"theme": "dark"}


def test_chezmoi_leaves_a_broken_file_alone_and_one_without_a_profile_too() -> None:
    source, settings = copied("chezmoi"), home_file(".claude/settings.json")
    settings.parent.mkdir()
    settings.write_bytes(b"{ // mine\n}")
    chezmoi(source, status=78)
    assert settings.read_bytes() == b"{ // mine\n}"
    choose("none")
    chezmoi(source)
    assert settings.read_bytes() == b"{ // mine\n}"
    choose("nobody\n")
    settings.write_bytes(SETTINGS)
    chezmoi(source, status=66)
    assert settings.read_bytes() == SETTINGS


@pytest.mark.skipif(shutil.which("chezmoi") is None, reason="no package of chezmoi is to be had everywhere")
def test_the_real_chezmoi_does_so_too() -> None:
    source, settings = copied("chezmoi"), home_file(".claude/settings.json")
    settings.parent.mkdir()
    settings.write_bytes(SETTINGS)
    put_key("moonshot")
    command = ("chezmoi", "--source", source, "--destination", Path.home(), "--force", "--no-tty")

    shown = run(*command, "diff")
    assert settings.read_bytes() == SETTINGS
    run(*command, "apply")
    assert written()["env"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.cn/anthropic"
    assert run(*command, "status") == ""
    choose("none")
    run(*command, "apply")
    assert settings.read_bytes() == SETTINGS
    assert KEY not in shown


# GNU Stow


@pytest.fixture
def stowed() -> Path:
    """The example as a git repository."""
    require_tool("stow")
    return committed(copied("stow"))


def test_stow_links_apply_keeps_the_link_and_git_sees_no_profile(stowed: Path) -> None:
    put_key("moonshot")
    settings = home_file(".claude/settings.json")

    run(stowed / "install.sh")

    assert not home_file(".claude").is_symlink()
    assert settings.is_symlink()
    assert settings.resolve() == (stowed / "claude/.claude/settings.json").resolve()
    assert written()["env"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.cn/anthropic"
    assert [run("sh", "-c", written()["apiKeyHelper"])] == [f"{KEY}\n"]
    assert git_status(stowed) == []
    run(stowed / "install.sh")
    run("stow", "--dir", stowed, "--no-folding", f"--target={Path.home()}", "--restow", "claude", "profiles")
    assert settings.is_symlink()
    assert_no_key_in(stowed)


def test_what_is_committed_while_a_profile_is_applied_is_the_users_own(stowed: Path) -> None:
    put_key("moonshot")
    run(stowed / "install.sh")
    file = stowed / "claude" / ".claude" / "settings.json"
    before = (EXAMPLES / "stow" / "claude" / ".claude" / "settings.json").read_text()
    file.write_text(file.read_text().replace("Bash(git log:*)", "Bash(git show:*)"))
    assert git_status(stowed) == [" M claude/.claude/settings.json"]

    commit(stowed, "Allow git show")

    there = run("git", "-C", stowed, "show", "HEAD:claude/.claude/settings.json")
    assert there == before.replace("Bash(git log:*)", "Bash(git show:*)")
    assert written()["env"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.cn/anthropic"
    kimi_profiles("unapply")
    assert file.read_text() == there
    assert run("git", "-C", stowed, "diff") == ""
    assert_no_key_in(stowed)


def test_another_profile_and_the_way_back(stowed: Path) -> None:
    put_key("moonshot")
    put_key("moonshot-intl")
    run(stowed / "install.sh")
    run(stowed / "install.sh", "travel")
    assert written()["env"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.ai/anthropic"
    assert git_status(stowed) == []

    kimi_profiles("unapply")

    assert home_file(".claude/settings.json").is_symlink()
    assert run("git", "-C", stowed, "diff") == ""
    run("git", "-C", stowed, "add", "--all")
    assert git_status(stowed) == []
    run("stow", "--dir", stowed, f"--target={Path.home()}", "--delete", "claude", "profiles")
    assert not home_file(".claude/settings.json").is_symlink()


def test_a_commit_without_the_filter_is_refused_and_so_is_a_key(stowed: Path) -> None:
    put_key("moonshot")
    store = stowed / "profiles/.config/kimi-profiles/profiles.toml"
    store.write_text(store.read_text().replace('auth.delivery = "helper"', 'auth.delivery = "inline"'))
    run(stowed / "install.sh", status=77)
    assert git_status(stowed) == [" M profiles/.config/kimi-profiles/profiles.toml"]
    assert_no_key_in(stowed)

    file = stowed / "claude" / ".claude" / "settings.json"
    file.write_text(f'{{"env": {{"ANTHROPIC_AUTH_TOKEN": "{KEY}",}}}}')  # no JSON, so nobody can tell
    run("git", "-C", stowed, "add", "claude", status=128)
    assert KEY not in run("git", "-C", stowed, "show", ":claude/.claude/settings.json")


def test_stow_replaces_no_file_of_the_users(stowed: Path) -> None:
    settings = home_file(".claude/settings.json")
    settings.parent.mkdir()
    settings.write_bytes(SETTINGS)
    assert subprocess.run([stowed / "install.sh"], capture_output=True, check=False).returncode != 0
    assert settings.read_bytes() == SETTINGS
    assert git_status(stowed) == []


# make


def make(folder: Path, target: str, status: int = 0, **env: str) -> str:
    return run(require_tool("make"), "-C", folder, target, status=status, **env)


def test_make_switches_there_and_back_as_often_as_one_likes() -> None:
    folder, settings = copied("makefile"), home_file(".claude/settings.json")
    settings.parent.mkdir()
    settings.write_bytes(SETTINGS)

    make(folder, "check", status=2)
    assert "+ /env/ANTHROPIC_BASE_URL" in make(folder, "diff", MOONSHOT_API_KEY=KEY)
    assert settings.read_bytes() == SETTINGS

    assert "kimi is applied" in make(folder, "kimi", MOONSHOT_API_KEY=KEY)
    assert written()["env"]["ANTHROPIC_AUTH_TOKEN"] == KEY
    first = settings.stat()
    assert "nothing to do" in make(folder, "kimi", MOONSHOT_API_KEY=KEY)
    assert (settings.stat().st_ino, settings.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    make(folder, "check")

    make(folder, "official")
    assert settings.read_bytes() == SETTINGS
    make(folder, "official")
    assert settings.read_bytes() == SETTINGS
    assert_no_key_in(folder)


def test_make_stops_before_anything_is_written() -> None:
    folder = copied("makefile")
    make(folder, "kimi", status=2)  # no key
    make(folder, "kimi", status=2, MOONSHOT_API_KEY="sk-ant-a-key-of-anothers")
    assert not home_file(".claude").exists()


def test_make_tells_what_it_can_do_and_does_it_in_a_folder_with_a_blank() -> None:
    folder = Path(shutil.copytree(EXAMPLES / "makefile", Path.home() / "my dotfiles"))
    for target in ("kimi", "official", "diff", "check"):
        assert f"make {target} " in make(folder, "help")
    make(folder, "kimi", MOONSHOT_API_KEY=KEY)
    assert written()["env"]["ANTHROPIC_AUTH_TOKEN"] == KEY


# A dev container

KNOWN = {"name", "image", "features", "secrets", "remoteEnv", "postCreateCommand"}


def test_the_dev_container_is_described_as_its_format_wants_it() -> None:
    folder = EXAMPLES / "devcontainer"
    text = (folder / ".devcontainer" / "devcontainer.json").read_text()
    Document(text)  # strict JSON, although comments were allowed
    description = json.loads(text)
    assert set(description) == KNOWN
    (name,) = description["secrets"]
    assert set(description["secrets"][name]) == {"description", "documentationUrl"}
    assert description["remoteEnv"] == {name: f"${{localEnv:{name}}}"}
    script = folder / description["postCreateCommand"]
    assert os.access(script, os.X_OK)
    assert f"${name}" in script.read_text()
    assert "sk-" not in text + script.read_text()


def test_the_dev_container_applies_the_key_it_is_given() -> None:
    workspace = committed(copied("devcontainer"))
    script = workspace / ".devcontainer" / "post-create.sh"

    for _ in range(2):  # a rebuilt container with the home of the last one
        shown = run(script, MOONSHOT_API_KEY=KEY)
        assert KEY not in shown
        assert written()["env"]["ANTHROPIC_AUTH_TOKEN"] == KEY
    assert written()["env"]["ANTHROPIC_BASE_URL"] == "https://api.moonshot.ai/anthropic"
    assert home_file(".claude/settings.json").stat().st_mode & 0o777 == 0o600
    assert git_status(workspace) == []
    assert_no_key_in(workspace)


@pytest.mark.parametrize("env", [{}, {"MOONSHOT_API_KEY": ""}], ids=["not set", "empty"])
def test_the_dev_container_is_made_without_a_key_too(env: dict[str, str]) -> None:
    run(copied("devcontainer") / ".devcontainer" / "post-create.sh", **env)
    assert not home_file(".claude").exists()


def test_the_dev_container_does_not_take_a_key_of_anothers() -> None:
    script = copied("devcontainer") / ".devcontainer" / "post-create.sh"
    run(script, status=78, MOONSHOT_API_KEY="sk-ant-a-key-of-anothers")
    assert not home_file(".claude").exists()
