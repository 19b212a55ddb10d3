"""What of ours is measured. Each group makes its homes as it goes, and a case is measured before the next."""

from __future__ import annotations

import itertools
import shutil
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.measure import KEY, Case, DidNotWorkError, Job, nothing, spend
from benchmarks.samples import MB, lay_out, many_profiles, write, write_chats, write_flat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORK = "https://api.moonshot.cn/anthropic"
READS, WRITES, COLD = 3, 6, 13  # times `python -c pass`, at most: what we aim at

_LOADS = """\
import json, sys
for _ in range(int(sys.argv[2])):
    json.loads(open(sys.argv[1], "rb").read())
"""
_EDIT = """\
import sys
from kimi_profiles.jsontext import Address
from kimi_profiles.jsontext.document import Document
for _ in range(int(sys.argv[2])):
    document = Document(open(sys.argv[1], "rb").read())
    document.edit({Address("/env/ANTHROPIC_BASE_URL"): '"https://new.example/anthropic"'})
"""
_MERGE = f"""\
import sys
from kimi_profiles import ProfileStore, merge_text
profile = ProfileStore.open()["work"]
for _ in range(int(sys.argv[2])):
    merge_text(open(sys.argv[1], "rb").read().decode(), profile, token="{KEY}")
"""
_HOMES = """\
import sys
from pathlib import Path
from kimi_profiles import ClaudeCode, ProfileStore
profile = ProfileStore.open()["work"]
for home in Path(sys.argv[1]).iterdir():
    ClaudeCode.user(home=home).apply(profile)
"""
# What is left of an `apply` if nothing is read, looked at, decided or locked, whoever else writes.
_BARE_CALLS = """\
import os, sys
def sync(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
def make_folder(path):
    os.mkdir(path, 0o700)
    sync(os.path.dirname(path))
def put(folder, name, size):
    descriptor = os.open(f"{folder}/new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, b"x" * size)
    os.fsync(descriptor)
    os.close(descriptor)
    os.rename(f"{folder}/new", f"{folder}/{name}")
    sync(folder)
for name in os.listdir(sys.argv[1]):
    home = f"{sys.argv[1]}/{name}"
    state = f"{home}/.local/state/kimi-profiles"
    for folder in (f"{home}/.local", f"{home}/.local/state", state, f"{state}/backups"):
        make_folder(folder)
    for file in ("claude.json", "settings.json"):
        own = f"{state}/backups/{file}"
        make_folder(own)
        put(own, "target", 40)
        put(own, "copy", 3)
    put(state, "ledger.json", 4_700)
    put(home, ".claude.json", 40)
    put(f"{home}/.claude", "settings.json", 700)
    put(state, "ledger.json", 4_700)
"""
_TARGETS = """\
import sys
from pathlib import Path
from kimi_profiles import ClaudeCode, ProfileStore
profile = ProfileStore.open()["work"]
for number in range(int(sys.argv[1])):
    project = Path.home() / "projects" / str(number)
    project.mkdir(parents=True)
    ClaudeCode.local(project).apply(profile)
"""
_BACKUPS = """\
import sys
from pathlib import Path
from kimi_profiles import ClaudeCode, ProfileStore
profile, claude = ProfileStore.open()["work"], ClaudeCode.user()
for number in range(int(sys.argv[1])):
    (Path.home() / ".claude" / "settings.json").write_text(f'{{"cleanupPeriodDays": {number + 1}}}')
    claude.apply(profile)
    claude.unapply()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large everything is.

    Attributes:
        sizes_mb: Of state files.
        work_mb: A small one is edited again and again until it makes so much, lest Python's start drowns it.
        whole_mb: From this size on the whole command is timed too; beside less, its start is too large.
        large_mb: Of the one with characters that Python keeps in four bytes, and of one that commands meet.
        members: Of the flat object.
        profiles: In one file.
        homes: Applied to by one process.
        targets: In one ledger.
        backups: Of one file.
        settled_s: How long a file lies there before it counts as one that does not change just now.
    """

    sizes_mb: tuple[float, ...]
    work_mb: float
    whole_mb: float
    large_mb: float
    members: int
    profiles: int
    homes: int
    targets: int
    backups: int
    settled_s: float


FULL = Scale(
    sizes_mb=(1, 4, 16, 20, 64),
    work_mb=16,
    whole_mb=10,
    large_mb=20,
    members=450_000,
    profiles=10_000,
    homes=1_000,
    targets=1_000,
    backups=100,
    settled_s=3.5,
)
SMALL = Scale(
    sizes_mb=(0.03,),
    work_mb=0.03,
    whole_mb=0,
    large_mb=0.03,
    members=100,
    profiles=20,
    homes=3,
    targets=3,
    backups=3,
    settled_s=0,
)


@dataclass(frozen=True, slots=True)
class Ours:
    """This program as it is installed in some environment.

    Attributes:
        python: The interpreter of that environment.
    """

    python: Path

    def command(self, *arguments: str) -> list[str]:
        """The command."""
        return [str(self.python.with_name("kimi-profiles")), *arguments]

    def script(self, code: str, *arguments: str) -> list[str]:
        """A program in Python."""
        return [str(self.python), "-c", code, *arguments]

    def put_in(self, home: Path) -> None:
        """See to it, without timing it, that the profile is applied; nothing is run if it is."""
        if not is_applied(home, WORK):
            spend(self.command("apply", "work", "--quiet"), home)

    def take_out(self, home: Path) -> None:
        """See to it, without timing it, that nothing is applied; nothing is run if it is so."""
        if is_applied(home):
            spend(self.command("unapply", "--quiet"), home)

    def start(self, home: Path) -> Job:
        """The start of Python alone."""
        return Job(argv=self.script("pass"), home=home)


def is_applied(home: Path, url: str = "") -> bool:
    """Whether a profile is in the settings, and this one if an address is given."""
    settings = (home / ".claude" / "settings.json").read_text(encoding="utf-8")
    return f'"ANTHROPIC_BASE_URL": "{url}' in settings


def expect(home: Path, *, applied: bool) -> None:
    """Look whether a profile is in the settings.

    Raises:
        DidNotWorkError: It is not so.
    """
    if is_applied(home) != applied:
        raise DidNotWorkError(
            f"it succeeded, and there is {'no' if applied else 'a'} profile in the settings"
        )


def startup(ours: Ours, folder: Path, scale: Scale) -> Iterator[Case]:
    """Each command against the start of Python."""
    home = folder / "startup"
    lay_out(home)
    put_in, take_out = partial(ours.put_in, home), partial(ours.take_out, home)
    is_in, is_out = partial(expect, home, applied=True), partial(expect, home, applied=False)

    def anew() -> None:
        shutil.rmtree(home)
        lay_out(home)

    def case(
        name: str,
        aim: float | None,
        *words: str,
        before: Callable[[], object] = nothing,
        check: Callable[[], object] = nothing,
    ) -> Case:
        job = Job(argv=ours.command(*words), home=home, before=before, check=check)
        return Case(name=name, job=job, against=ours.start(home), aim=aim)

    yield case("`--version`", READS, "--version")
    yield case("`list --names`", READS, "list", "--names")
    yield case("`token work`", READS, "token", "work")
    yield case("`completion bash`", READS, "completion", "bash")
    yield case("`env work`", READS, "env", "work")
    yield case("`env work`, first use", COLD, "env", "work", before=anew)
    yield case("`status`, nothing applied", READS, "status")
    yield case("`plan work`", WRITES, "plan", "work")
    yield case("`plan work`, first use", COLD, "plan", "work", before=anew, check=is_out)
    yield case("`apply work`, first use", COLD, "apply", "work", before=anew, check=is_in)
    yield case("`apply work`", WRITES, "apply", "work", before=take_out, check=is_in)
    yield case("`apply work`, applied already", WRITES, "apply", "work", before=put_in, check=is_in)
    yield case("`status`", READS, "status", before=put_in)
    yield case("`doctor`", None, "doctor", before=put_in)
    yield case("`apply other`, a switch", WRITES, "apply", "other", before=put_in, check=is_in)
    yield case("`unapply`", WRITES, "unapply", before=put_in, check=is_out)


def large(ours: Ours, folder: Path, scale: Scale) -> Iterator[Case]:
    """Edits of a large state file against ``json.loads`` of it."""
    home, small = folder / "large", folder / "small"
    state, tiny = home / ".claude.json", small / ".claude.json"
    lay_out(home)
    lay_out(small)

    def times(count: int, code: str, file: Path) -> Job:
        floor = Job(argv=ours.script(code, str(tiny), str(count)), home=home)
        return Job(argv=ours.script(code, str(file), str(count)), home=home, floor=floor)

    def again(code: str) -> Job:
        count = max(1, round(scale.work_mb * MB / state.stat().st_size))
        return replace(times(count, code, state), count=count)

    def apply(home: Path, floor: Job | None = None) -> Job:
        return Job(
            argv=ours.command("apply", "work", "--quiet"),
            home=home,
            before=partial(ours.take_out, home),
            check=partial(expect, home, applied=True),
            floor=floor,
        )

    def cases(what: str, aim: float | None) -> Iterator[Case]:
        size, against = state.stat().st_size, again(_LOADS)
        yield Case(name=f"{what}: one edit", job=again(_EDIT), against=against, aim=aim, size_bytes=size)
        yield Case(name=f"{what}: `merge_text`", job=again(_MERGE), against=against, size_bytes=size)
        if size >= scale.whole_mb * MB:
            whole = apply(home, apply(small))
            yield Case(name=f"{what}: `apply`", job=whole, against=against, size_bytes=size)
        ours.take_out(home)

    for size_mb in scale.sizes_mb:
        write_chats(state, int(size_mb * MB))
        yield from cases(f"{size_mb} MB", 0.8 if size_mb == scale.large_mb else None)
    least, most = scale.sizes_mb[0], scale.sizes_mb[-1]
    count, part = round(most / least), folder / "part.json"
    write_chats(part, int(least * MB))
    for what, code, aim in (("one edit", _EDIT, 1.5), ("`json.loads`", _LOADS, None)):
        name = f"{most} MB: {what}, to {count} times {least} MB"
        yield Case(name=name, job=times(1, code, state), against=times(count, code, part), aim=aim)
    write_chats(state, int(scale.large_mb * MB), has_emoji=True)
    yield from cases(f"{scale.large_mb} MB with emoji", 0.8)
    write_flat(state, scale.members)
    yield from cases(f"one object of {scale.members:,} members", 2)


def many(ours: Ours, folder: Path, scale: Scale) -> Iterator[Case]:
    """Many profiles, homes, targets and backups."""
    usual, full = folder / "usual", folder / "full"
    lay_out(usual, many_profiles(3))
    lay_out(full, many_profiles(scale.profiles))
    last, profiles = f"p{scale.profiles - 1}", f"{scale.profiles:,} profiles"

    def one(home: Path, *words: str) -> Job:
        before = partial(ours.take_out, home) if words[0] == "apply" else nothing
        return Job(argv=ours.command(*words), home=home, before=before)

    def case(name: str, job: Job, against: Job, aim: float | None = None, least_rounds: int = 0) -> Case:
        return Case(name=name, job=job, against=against, aim=aim, least_rounds=least_rounds)

    start = ours.start(usual)
    yield case(f"{profiles}: `list --names`, to a start", one(full, "list", "--names"), start)
    yield case(f"{profiles}: `apply`, to a start", one(full, "apply", last), start)
    yield case(f"{profiles}: `apply`, to one with 3", one(full, "apply", last), one(usual, "apply", "p2"))

    homes, alone, used = folder / "homes", folder / "alone", folder / "used"
    used.mkdir()
    numbers = itertools.count()

    def make_homes(parent: Path, count: int) -> None:
        # Not removed yet: ext4 passes by each inode that was removed lately when it looks for a free one,
        # and nobody who applies a profile to a thousand homes has just removed as many.
        if parent.exists():
            parent.rename(used / str(next(numbers)))
        for number in range(count):
            write(parent / str(number) / ".claude" / "settings.json", "{}\n")

    def all_applied() -> None:
        for home in homes.iterdir():
            expect(home, applied=True)

    script = ours.script(_HOMES, str(homes))
    lay_out(folder / "homeowner")
    job = Job(
        argv=script,
        home=folder / "homeowner",
        before=partial(make_homes, homes, scale.homes),
        check=all_applied,
        count=scale.homes,
    )
    name = f"each of {scale.homes:,} homes in one process"
    yield case(f"{name}, to a start", job, start, 1 / 5, 3)
    store = folder / "homeowner" / ".config" / "kimi-profiles" / "profiles.toml"
    single = Job(
        argv=ours.command("apply", "work", "--home", str(alone / "0"), "--store", str(store)),
        home=folder / "homeowner",
        before=partial(make_homes, alone, 1),
        check=partial(expect, alone / "0", applied=True),
    )
    yield case(f"{name}, to `apply --home` in a process of its own", job, single, 1 / 5, 3)

    bare = folder / "bare"
    job = Job(
        argv=ours.script(_BARE_CALLS, str(bare)),
        home=folder / "homeowner",
        before=partial(make_homes, bare, scale.homes),
        count=scale.homes,
    )
    yield case(f"the bare system calls for each of {scale.homes:,} homes, to a start", job, start, None, 3)

    heavy, size_mb = folder / "heavy", scale.large_mb
    lay_out(heavy, many_profiles(3))
    write_chats(heavy / ".claude.json", int(size_mb * MB))
    time.sleep(scale.settled_s)
    for words in (("env", "p2"), ("status",)):
        spend(ours.command(*words), heavy)  # reads the file, for once
        name = f"a state file of {size_mb:g} MB: `{words[0]}`, to one with a small one"
        yield case(name, one(heavy, *words), one(usual, *words), 1.1)

    for name, code, count in (
        (f"a ledger of {scale.targets:,} targets", _TARGETS, scale.targets),
        (f"{scale.backups} backups of the file", _BACKUPS, scale.backups),
    ):
        home, plain = folder / "laden", folder / "plain"
        for each in (home, plain):
            shutil.rmtree(each, ignore_errors=True)
            lay_out(each)
        spend(ours.script(code, str(count)), home)
        for words in (("apply", "work"), ("status",)):
            yield case(f"{name}: `{words[0]}`, to one without", one(home, *words), one(plain, *words), 1.1)


GROUPS = {"startup": startup, "large": large, "many": many}
