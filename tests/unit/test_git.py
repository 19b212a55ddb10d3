"""Whether git tracks a file: asked of real repositories, some of them hostile."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from support import require_tool

from kimi_profiles.git import is_tracked

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]


def run_git(folder: Path, *arguments: str) -> None:
    subprocess.run([require_tool("git"), *IDENTITY, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that tracks ``kept/settings.json`` and knows nothing of ``kept/other.json``."""
    folder = tmp_path / "dotfiles"
    (folder / "kept").mkdir(parents=True)
    run_git(folder, "init", "-q")
    for name in ("settings.json", "other.json"):
        (folder / "kept" / name).write_text("{}")
    run_git(folder, "add", "kept/settings.json")
    run_git(folder, "commit", "-q", "-m", "x")
    return folder


def test_a_file_that_is_committed_is_tracked(repository: Path) -> None:
    assert is_tracked(repository / "kept" / "settings.json") is True


def test_a_file_that_is_only_staged_is_tracked(repository: Path) -> None:
    run_git(repository, "add", "kept/other.json")

    assert is_tracked(repository / "kept" / "other.json") is True


def test_a_file_that_is_tracked_and_missing_is_tracked(repository: Path) -> None:
    (repository / "kept" / "settings.json").unlink()

    assert is_tracked(repository / "kept" / "settings.json") is True


def test_a_file_that_git_does_not_know_is_not_tracked(repository: Path) -> None:
    assert is_tracked(repository / "kept" / "other.json") is False


def test_a_file_that_is_ignored_is_not_tracked(repository: Path) -> None:
    (repository / ".gitignore").write_text("other.json\n")

    assert is_tracked(repository / "kept" / "other.json") is False


def test_a_file_in_a_folder_that_does_not_exist_yet_is_not_tracked(repository: Path) -> None:
    assert is_tracked(repository / "new" / "deep" / "settings.json") is False


def test_git_is_not_started_where_there_is_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("it was started"))

    assert is_tracked(tmp_path / "settings.json") is False


def test_a_link_into_a_dotfile_repository_is_followed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    link = tmp_path / "home" / "settings.json"
    link.symlink_to(repository / "kept" / "settings.json")

    assert is_tracked(link) is True


def test_a_linked_folder_into_a_dotfile_repository_is_followed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / ".claude").symlink_to(repository / "kept")

    assert is_tracked(tmp_path / ".claude" / "settings.json") is True
    assert is_tracked(tmp_path / ".claude" / "new.json") is False


def test_a_worktree_is_a_repository_too(repository: Path, tmp_path: Path) -> None:
    run_git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))

    assert is_tracked(tmp_path / "tree" / "kept" / "settings.json") is True
    assert is_tracked(tmp_path / "tree" / "kept" / "other.json") is False


# A name that is a pattern, or an instruction, to git.
@pytest.mark.parametrize("name", ["[s]ettings.json", "*.json", ":(top)kept/settings.json", "-z", "é\n.json"])
def test_a_name_means_itself(name: str, repository: Path) -> None:
    path = repository / "kept" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.joinpath(name.partition("/")[0]).mkdir() if "/" in name else None
    path.write_text("{}")
    assert is_tracked(path) is False

    run_git(repository, "--literal-pathspecs", "add", "--", str(path.relative_to(repository)))
    assert is_tracked(path) is True


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"])
def test_variables_that_point_elsewhere_are_ignored(
    variable: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    run_git(other, "init", "-q")
    place = {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index", "GIT_OBJECT_DIRECTORY": ".git/objects"}
    monkeypatch.setenv(variable, str(other / place.get(variable, "")))

    assert is_tracked(repository / "kept" / "settings.json") is True
    assert is_tracked(repository / "kept" / "other.json") is False


def test_the_language_of_git_does_not_matter(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LANG", "LANGUAGE"):
        monkeypatch.setenv(name, "de_DE.UTF-8")
    seen: list[dict[str, str]] = []
    run = subprocess.run
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda *args, **options: (seen.append(options["env"]), run(*args, **options))[1],
    )

    assert is_tracked(repository / "kept" / "other.json") is False
    assert seen[0]["LC_ALL"] == "C"  # translations are not installed everywhere


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
@pytest.mark.parametrize("name", ["core.fsmonitor", "core.pager", "pager.ls-files", "alias.ls-files"])
def test_a_repository_runs_no_program_of_its_own(name: str, repository: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    run_git(repository, "config", name, f"!{trap}" if name.startswith("alias") else str(trap))
    if name == "core.fsmonitor":  # the trap works
        subprocess.run(["git", "ls-files", "-m"], cwd=repository, check=False, capture_output=True)
        assert (tmp_path / "sprung").exists()
        (tmp_path / "sprung").unlink()

    assert is_tracked(repository / "kept" / "settings.json") is True
    assert not (tmp_path / "sprung").exists()


def test_a_repository_of_another_user_counts_as_tracking_everything(repository: Path) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 65534, 65534)

    assert is_tracked(repository / "kept" / "settings.json") is True
    assert is_tracked(repository / "kept" / "other.json") is True


def test_a_repository_cannot_have_missing_objects_fetched(repository: Path, tmp_path: Path) -> None:
    """To expand a sparse index, git fetches a missing tree by whatever means the repository names."""

    def git(*words: str) -> str:
        run = subprocess.run(["git", *words], cwd=repository, check=True, capture_output=True, text=True)
        return run.stdout.strip()

    trap = tmp_path / "sprung"
    (repository / "d").mkdir()
    (repository / "d" / "x").write_text("x")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "x")
    tree = git("rev-parse", "HEAD:d")
    git("sparse-checkout", "set", "--cone", "--sparse-index", "kept")
    (repository / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    git("config", "extensions.partialClone", "origin")
    git("config", "remote.origin.promisor", "true")
    git("config", "remote.origin.url", f"ext::sh -c touch% {trap}")
    git("config", "protocol.ext.allow", "always")
    (repository / "d").mkdir(exist_ok=True)

    is_tracked(repository / "d" / "settings.local.json")

    assert not trap.exists()


def test_without_git_the_answer_is_yes(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert is_tracked(repository / "kept" / "other.json") is True


def test_a_git_that_does_not_answer_means_yes(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **options: float) -> None:
        raise subprocess.TimeoutExpired("git", options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)

    assert is_tracked(repository / "kept" / "other.json") is True


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_a_git_that_is_only_a_notice_means_yes(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a Mac without the developer tools: the program is there, says so, and leaves with 1.
    shim = tmp_path / "bin" / "git"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'no developer tools were found' >&2\nexit 1\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent))

    assert is_tracked(repository / "kept" / "other.json") is True


def test_a_broken_repository_means_yes(repository: Path) -> None:
    (repository / ".git" / "index").write_bytes(b"rubbish")

    assert is_tracked(repository / "kept" / "other.json") is True
