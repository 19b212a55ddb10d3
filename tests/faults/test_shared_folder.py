"""Root works where somebody else may write: whatever they swap meanwhile, nothing outside is touched.

The attacker (user 65534) owns a folder in a shared temporary folder, and exchanges each name in it that the
program uses for a link into a vault of root's, where files of the same names lie. He does it before, at
any system call, and in a process of his own, as fast as he can.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import mmap
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import amount, require_tool, unavailable

from kimi_profiles import ClaudeCode, Profile, linux
from kimi_profiles.cli import main
from kimi_profiles.errors import NotPermittedError, ProfilesError
from kimi_profiles.ledger import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOBODY = 65534
TOKEN = "sk-canary-0123456789abcdefghij"
ROOTS = b'{"env": {"PRIVATE": "only-root-knows"}}'
PROFILE = Profile("work", "https://a.example/anthropic")
_SEED = os.environ.get("KIMI_PROFILES_SEED")  # read here: no test sees the user's variables
_AT_FDCWD, _EXCHANGE = -100, 2

# What the attacker puts links in the place of → what in the vault they lead to.
SETTINGS_NAMES = {
    "x": "",
    "x/settings.json": "settings.json",
}
HOME_NAMES = {
    "x": "",
    "x/.claude": ".claude",
    "x/.claude/settings.json": "settings.json",
    "x/.claude.json": ".claude.json",
    "x/.claude.json.lock": ".claude.json.lock",
    "x/.local": ".local",
    "x/.local/state": ".local/state",
    "x/.local/state/kimi-profiles": ".local/state/kimi-profiles",
    "x/.local/state/kimi-profiles/lock": "settings.json",
    "x/.local/state/kimi-profiles/ledger.json": "settings.json",
    "x/.local/state/kimi-profiles/backups": ".claude",
}


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; whether both were there."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "renameat2"):
        unavailable("the C library here has no renameat2")
    return libc.renameat2(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _EXCHANGE) == 0


class Ground:
    """A shared folder with the attacker's ``x`` in it, and the vault."""

    def __init__(self, folder: Path) -> None:
        self.shared, self.vault = folder / "shared", folder / "vault"
        self.shared.mkdir()
        self.shared.chmod(0o1777)
        for name in (".claude", ".local/state/kimi-profiles"):
            (self.vault / name).mkdir(parents=True)
        for name in ("settings.json", ".claude/settings.json", ".claude.json", "lock", "ledger.json"):
            self.vault.joinpath(name).write_bytes(ROOTS)
            self.vault.joinpath(name).chmod(0o640)
        for name in ("lock", "ledger.json"):
            (self.vault / ".local/state/kimi-profiles" / name).write_bytes(b"")
        self.before = self.look()

    def prepare(self, data: bytes = b"{}\n") -> Path:
        """The attacker's folder anew, with all that the program would use."""
        folder = self.shared / "x"
        if folder.is_symlink():
            folder.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        for evil in self.shared.glob("*.evil"):
            evil.unlink() if evil.is_symlink() else shutil.rmtree(evil)
        for name in (".claude", ".local/state/kimi-profiles"):
            (folder / name).mkdir(parents=True)
        for name in ("settings.json", ".claude/settings.json", ".claude.json"):
            (folder / name).write_bytes(data)
        self.give(folder)
        return folder

    def give(self, folder: Path) -> None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def lay(self, name: str, target: str) -> Path:
        """A link of the attacker's beside ``name``."""
        evil = self.shared / f"{name}.evil"
        if not evil.is_symlink() and evil.parent.is_dir():
            evil.symlink_to(self.vault / target)
            os.chown(evil, NOBODY, NOBODY, follow_symlinks=False)
        return evil

    def look(self) -> dict[str, tuple[object, ...]]:
        """All that is in the vault; also the time of each folder, which tells what was there for a moment."""
        found = {}
        for path in (self.vault, *self.vault.rglob("*")):
            status = path.lstat()
            data = path.read_bytes() if path.is_file() else None
            facts = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_ino)
            found[str(path)] = (*facts, data)
        return found

    def check(self, word: object) -> None:
        """Nothing outside was touched, and nobody can read what only root may."""
        assert self.look() == self.before, word
        for path in self.shared.rglob("*"):
            status = path.lstat()
            is_theirs = status.st_uid == NOBODY or status.st_mode & 0o004
            if is_theirs and path.is_file() and not path.is_symlink():
                assert b"only-root-knows" not in path.read_bytes(), (word, path)


@pytest.fixture
def ground() -> Iterator[Ground]:
    if os.geteuid() != 0:
        unavailable("only root can be told from the attacker here")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Ground(Path(folder))


@pytest.fixture
def rng(pytestconfig: pytest.Config) -> random.Random:
    seed = _SEED or str(pytestconfig.getoption("hypothesis_seed"))
    print(f"repeat with KIMI_PROFILES_SEED={seed}")
    return random.Random(seed)


def in_settings(ground: Ground) -> ClaudeCode:
    return ClaudeCode.at(ground.shared / "x/settings.json", timeout_s=0.2)


def in_home(ground: Ground) -> ClaudeCode:
    return ClaudeCode.user(home=ground.shared / "x", timeout_s=0.2)


def in_project(ground: Ground) -> ClaudeCode:
    return ClaudeCode.local(ground.shared / "x", timeout_s=0.2)


Way = tuple["Callable[[Ground], ClaudeCode]", dict[str, str]]
WAYS: dict[str, Way] = {
    "--settings": (in_settings, SETTINGS_NAMES),
    "--home": (in_home, HOME_NAMES),
    "--project": (
        in_project,
        {"x": "", "x/.claude": ".claude", "x/.claude/settings.local.json": "settings.json"},
    ),
}


def work(ground: Ground, open_scope: Callable[[Ground], ClaudeCode], step: str) -> str:
    """``apply`` or ``unapply``; what came of it, in a word."""
    try:
        scope = open_scope(ground)
        scope.apply(PROFILE, token=TOKEN) if step == "apply" else scope.unapply()
    except ProfilesError as error:
        return type(error).__name__
    return "done"


# ---- before


def test_the_folder_of_somebody_else_is_served_and_stays_theirs(ground: Ground) -> None:
    folder = ground.prepare(ROOTS)
    before = {path: path.read_bytes() for path in folder.rglob("*.json")}

    assert work(ground, in_home, "apply") == "done"
    assert {path.stat().st_uid for path in folder.rglob("*")} == {NOBODY}
    assert TOKEN in (folder / ".claude/settings.json").read_text()
    assert work(ground, in_home, "unapply") == "done"
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(("way", "name"), [(way, name) for way in WAYS for name in WAYS[way][1]])
def test_a_link_of_somebody_else_to_what_is_not_theirs_is_refused(
    way: str, name: str, ground: Ground, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ground.prepare()
    monkeypatch.setenv("MOONSHOT_API_KEY", TOKEN)
    where = {
        "--settings": ["--settings", str(folder / "settings.json")],
        "--home": ["--home", str(folder)],
        "--project": ["--scope", "local", "--project", str(folder)],
    }[way]
    evil = ground.lay(name, WAYS[way][1][name])
    target = ground.shared / name
    if not exchange(target, evil):
        evil.rename(target)

    status = main(["apply", "moonshot-cn", "--lock-timeout", "0", *where])

    assert status == (75 if name.endswith(".lock") else 77), capsys.readouterr()
    assert "Traceback" not in capsys.readouterr().err
    ground.check((way, name))


def test_a_link_of_somebody_else_to_their_own_file_is_followed(ground: Ground) -> None:
    folder = ground.prepare()
    (folder / "real.json").write_bytes(b"{}")
    (folder / "settings.json").unlink()
    (folder / "settings.json").symlink_to("real.json")
    ground.give(folder)

    assert work(ground, in_settings, "apply") == "done"
    assert (folder / "settings.json").is_symlink()
    assert (folder / "real.json").stat().st_uid == NOBODY


def test_a_folder_that_is_called_the_same_in_another_namespace_is_refused(ground: Ground) -> None:
    # There the vault is mounted where the link to it lies: what the system calls it tells of no link. (The
    # attacker gets there with a user namespace of his own; that root does it here makes no difference.)
    there = ground.prepare() / "there"
    mount = 'mount -t tmpfs none "$1" && mkdir "$1/there" && mount --rbind "$2" "$1/there" && cd /'
    command = [
        require_tool("unshare"),
        "--mount",
        "sh",
        "-c",
        f"{mount} && echo ready && exec sleep 60",
        "sh",
    ]
    theirs = subprocess.Popen(
        [*command, str(there.parent), str(ground.vault)], stdout=subprocess.PIPE, text=True
    )
    try:
        if theirs.stdout is None or theirs.stdout.readline() != "ready\n":
            unavailable("no file system may be mounted here")
        there.symlink_to(f"/proc/{theirs.pid}/root{there}")
        os.chown(there, NOBODY, NOBODY, follow_symlinks=False)
        assert (there / "settings.json").read_bytes() == ROOTS
        for name in ("settings.json", ".claude/settings.json"):
            with pytest.raises(NotPermittedError, match="the link leads in a circle"):
                ClaudeCode.at(there / name).apply(PROFILE, token=TOKEN)
    finally:
        theirs.kill()
        theirs.communicate()

    ground.check("namespace")


def test_a_file_that_somebody_put_where_anybody_may_is_refused(ground: Ground) -> None:
    file = ground.shared / "settings.json"
    file.write_bytes(b"{}")
    os.chown(file, NOBODY, NOBODY)

    with pytest.raises(NotPermittedError, match="belongs to another user"):
        ClaudeCode.at(file).apply(PROFILE, token=TOKEN)

    assert file.read_bytes() == b"{}"
    os.chown(file, 0, 0)
    ClaudeCode.at(file).apply(PROFILE, token=TOKEN)
    assert (file.stat().st_mode & 0o777, TOKEN in file.read_text()) == (0o600, True)


def test_the_ledger_of_somebody_else_names_none_of_our_files(ground: Ground) -> None:
    folder = ground.prepare()
    work(ground, in_home, "apply")
    ledger = folder / ".local/state/kimi-profiles/ledger.json"
    document = json.loads(ledger.read_text())
    record = document["records"][str(folder / ".claude/settings.json")]
    wrote = Record(salt=record["salt"]).digest("/hooks", None)
    before = {"raw": '"mine"', "after": None}
    forged = {
        **record["owned"][0],
        "pointer": "/hooks",
        "before": before,
        "wrote": [wrote],
        "is_present": False,
    }
    theirs = {**record, "owned": [forged], "made": [], "texts": [], "base": None, "was_created": False}
    document["records"][str(ground.vault / "settings.json")] = theirs
    ledger.write_text(json.dumps(document))
    ground.give(folder)

    assert work(ground, in_home, "unapply") == "NotPermittedError"

    ground.check("ledger")


def test_a_temporary_file_that_was_expected_is_not_written_through(ground: Ground) -> None:
    folder = ground.prepare()
    work(ground, in_settings, "apply")
    names: list[str] = []
    real = os.open

    def spy(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & os.O_CREAT and "kimi-profiles" in Path(path).name:
            names.append(Path(path).name)
        return real(path, flags, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", spy)
        work(ground, in_settings, "unapply")
    name = (
        names[-1]
        if names[-1].startswith(".settings")
        else next(n for n in names if n.startswith(".settings"))
    )
    for make in (os.symlink, os.link):
        ground.prepare()
        trap = folder / name
        make(ground.vault / "settings.json", trap)
        assert work(ground, in_settings, "apply") == "done"
        assert not trap.exists()
        work(ground, in_settings, "unapply")
        if make is os.symlink:
            ground.check("temporary")
    assert (ground.vault / "settings.json").read_bytes() == ROOTS


# ---- at every system call

CALLS = {
    os: (
        "open",
        "lstat",
        "stat",
        "readlink",
        "mkdir",
        "replace",
        "unlink",
        "rmdir",
        "chmod",
        "chown",
        "listxattr",
    ),
    linux: ("open_without_links", "rename"),
}


class Interposer:
    """Counts the calls, and calls ``act`` before and after the one of a number."""

    def __init__(self, number: int, act: Callable[[], object], *, is_brief: bool) -> None:
        self.number, self.act, self.is_brief = number, act, is_brief
        self.count = 0
        self.is_busy = False

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if self.is_busy:
                return call(*args, **kwargs)
            self.count += 1
            if self.count != self.number:
                return call(*args, **kwargs)
            self._act()
            try:
                return call(*args, **kwargs)
            finally:
                if self.is_brief:
                    self._act()

        return wrapped

    def _act(self) -> None:
        self.is_busy = True
        self.act()
        self.is_busy = False


def run_with(
    ground: Ground, way: Way, step: str, name: str, number: int, *, is_brief: bool
) -> tuple[str, int]:
    evil = ground.lay(name, way[1][name])
    interposer = Interposer(number, lambda: exchange(ground.shared / name, evil), is_brief=is_brief)
    with pytest.MonkeyPatch.context() as patch:
        for module, calls in CALLS.items():
            for call in calls:
                patch.setattr(module, call, interposer.wrap(getattr(module, call)))
        answer = work(ground, way[0], step)
    return answer, interposer.count


@pytest.mark.parametrize("step", ["apply", "unapply"])
@pytest.mark.parametrize("way", WAYS)
def test_a_link_that_appears_at_any_system_call_leads_nowhere_else(
    way: str, step: str, ground: Ground, rng: random.Random
) -> None:
    answers: Counter[str] = Counter()
    names = WAYS[way][1]
    places: list[tuple[str, int, bool]] = []
    for name in names:
        ground.prepare()
        if step == "unapply":
            work(ground, WAYS[way][0], "apply")
        _, count = run_with(ground, WAYS[way], step, name, -1, is_brief=False)
        assert count > 50
        places += itertools.product([name], range(1, count + 1), (False, True))
    for name, number, is_brief in rng.sample(places, min(len(places), amount(40, 3000))):
        shutil.rmtree(Path.home() / ".local", ignore_errors=True)
        ground.prepare()
        if step == "unapply":
            work(ground, WAYS[way][0], "apply")
        answer, _ = run_with(ground, WAYS[way], step, name, number, is_brief=is_brief)
        answers[answer] += 1
        ground.check((name, number, is_brief, answer))
    print(answers)
    assert 0 < answers["done"] < answers.total()  # some 25 to 30 of 40


@pytest.mark.parametrize("walk", ["at once", "step by step"])
@pytest.mark.parametrize(("way", "name"), [(way, name) for way in WAYS for name in WAYS[way][1]])
def test_a_link_that_is_there_just_when_a_name_is_opened_is_not_followed(
    way: str, name: str, walk: str, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_scope, names = WAYS[way]
    ground.prepare()
    work(ground, open_scope, "apply")
    evil = ground.lay(name, names[name])
    opened, opened_at_once = os.open, linux.open_without_links
    count = 0

    def swapped(call: Callable[[], Any]) -> Any:
        nonlocal count
        if not exchange(ground.shared / name, evil):
            return call()
        count += 1
        try:
            return call()
        finally:
            exchange(ground.shared / name, evil)

    def open_name(path: Any, *args: Any, **kwargs: Any) -> int:
        call = partial(opened, path, *args, **kwargs)
        return swapped(call) if Path(os.fsdecode(path)).name == Path(name).name else call()

    def open_path(path: str, flags: int) -> int | None:
        call = partial(opened_at_once, path, flags)
        if walk == "step by step":
            return None
        return swapped(call) if Path(path).is_relative_to(ground.shared / name) else call()

    monkeypatch.setattr(os, "open", open_name)
    monkeypatch.setattr(linux, "open_without_links", open_path)
    answers = [work(ground, open_scope, step) for step in ("unapply", "apply")]

    ground.check(answers)
    # Claude Code's lock is never opened, and the backups are there when they are opened for the first time.
    assert count or name.endswith((".lock", "/backups"))
    assert "done" not in answers or not count or name.endswith("/backups")


# ---- by a process of his own


def attack(ground: Ground, names: dict[str, str], seed: str, swapped: mmap.mmap) -> None:
    """Swap whatever is there, until killed."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    rng = random.Random(seed)
    swaps = 0
    while True:
        name = rng.choice([*names])
        target = ground.shared / name
        evil = ground.shared / f"{name}.evil"
        if not os.path.lexists(evil):
            try:
                evil.symlink_to(ground.vault / names[name])
            except OSError:
                continue
        swaps += exchange(target, evil)
        swapped[:] = swaps.to_bytes(8)
        time.sleep(rng.choice((0, 0, 0.0002, 0.001, 0.003)))
        exchange(target, evil)
        time.sleep(rng.choice((0, 0.001, 0.01, 0.03)))


@pytest.mark.parametrize("way", WAYS)
def test_an_attacker_who_swaps_links_all_the_time_gets_nothing(
    way: str, ground: Ground, rng: random.Random
) -> None:
    open_scope, names = WAYS[way]
    ground.prepare()
    answers: Counter[str] = Counter()
    swapped = mmap.mmap(-1, 8)
    child = os.fork()
    if child == 0:
        try:
            attack(ground, names, str(rng.random()), swapped)
        finally:
            os._exit(1)
    try:
        deadline = time.monotonic() + amount(2, 10)
        while time.monotonic() < deadline:
            answers[work(ground, open_scope, rng.choice(("apply", "unapply")))] += 1
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    swaps = int.from_bytes(swapped[:])
    print(answers, swaps)
    ground.check(answers)
    assert swaps > 10
    assert answers["done"] > 0
    assert answers.total() > answers["done"]
