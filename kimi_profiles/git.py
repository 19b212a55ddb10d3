"""Ask git whether it tracks a file."""

from __future__ import annotations

import os

from kimi_profiles.route import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["is_tracked"]

_TIMEOUT_S = 10.0


def is_tracked(path: Path) -> bool:
    """Whether a repository around the real file knows it.

    Git is only started where a ``.git`` lies in a folder above. Where it does, but git cannot be asked, the
    answer is ``True``: better to ask the user once too often than to publish a token.
    """
    real = resolve(path)
    if not any((folder / ".git").exists() for folder in real.parents):
        return False
    import subprocess

    folder = next(folder for folder in real.parents if folder.is_dir())
    # A repository may come from anywhere. Its configuration may name programs to run (core.fsmonitor, a
    # remote helper to fetch what is missing), and GIT_* variables may point to another repository. One that
    # belongs to another user git refuses, and that counts as tracked.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
    env["LC_ALL"] = "C"  # its answer is told from a failure by its words
    command = ["git", "--literal-pathspecs", "-c", "core.fsmonitor=false"]
    try:
        run = subprocess.run(
            [*command, "ls-files", "--error-unmatch", "--", os.path.relpath(real, folder)],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return True
    return run.returncode == 0 or b"did not match" not in run.stderr
