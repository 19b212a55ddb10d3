"""What a file is besides its bytes: it is kept through apply and unapply, or the command is refused whole."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import amount, require_tool, unavailable

import kimi_profiles
from faults.spawn import NOBODY, STORE, TOKEN, Ran, Server, started_server
from kimi_profiles import ClaudeCode, Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTINGS = b'{\r\n\t"permissions": {"allow": ["Read"]},\r\n\t"n": 1.0\r\n}'
STATE = ".local/state/kimi-profiles"
USERS = {"as root": 0, "as a plain user": NOBODY}
ACCESS = "system.posix_acl_access"
_TAGS = {"user_obj": 1, "user": 2, "group_obj": 4, "mask": 16, "other": 32}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(params=USERS.values(), ids=USERS)
def user(request: pytest.FixtureRequest) -> int:
    need_root()
    return int(request.param)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody can reach, on a real file system."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        subprocess.run(["chattr", "-R", "-i", folder], check=False, capture_output=True)


def need_root() -> None:
    if os.geteuid() != 0:
        unavailable("only root can run this as somebody else")


def furnish(place: Path) -> Path:
    home = place / "home"
    (home / ".claude").mkdir(parents=True)
    (home / ".config/kimi-profiles").mkdir(parents=True)
    (home / ".config/kimi-profiles/profiles.toml").write_text(STORE, encoding="utf-8")
    (home / ".claude/settings.json").write_bytes(SETTINGS)
    (home / ".claude.json").write_bytes(b'{"n": 1}\n')
    return home


def give(place: Path, user: int) -> None:
    for path in place.rglob("*"):
        if path.lstat().st_uid == 0 and not path.name.startswith("roots"):
            os.chown(path, user, user, follow_symlinks=False)


def look(place: Path) -> dict[str, tuple[object, ...]]:
    """All that can be told from outside, but for times, our own state and what can be made again."""
    found = {}
    for path in sorted(place.rglob("*")):
        if {"state", ".local", ".cache", "backups"} & {*path.parts} or "elsewhere/kimi-profiles" in str(path):
            continue
        status = path.lstat()
        kept: object = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        names = os.listxattr(path, follow_symlinks=False)
        attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
        found[os.fsdecode(path)] = (status.st_mode, status.st_uid, status.st_gid, kept, attributes)
    return found


def settings_of(home: Path) -> Path:
    return home / ".claude/settings.json"


def move_behind(path: Path, *links: str) -> None:
    """Put ``path`` elsewhere, and a chain of links in its place."""
    real = path.parents[-3] / "elsewhere" / path.name
    real.parent.mkdir(exist_ok=True)
    path.rename(real)
    for number, _ in enumerate(links[1:]):
        (path.parent / f"hop{number}").symlink_to(real if number == 0 else f"hop{number - 1}")
    path.symlink_to(real if len(links) == 1 else f"hop{len(links) - 2}")


def relative(path: Path) -> None:
    real = path.with_name("real.json")
    path.rename(real)
    path.symlink_to("real.json")


def acl(path: Path) -> None:
    """What ``setfacl -m u:1234:r`` sets."""
    entries = [
        ("user_obj", 6, -1),
        ("user", 4, 1234),
        ("group_obj", 4, -1),
        ("mask", 4, -1),
        ("other", 0, -1),
    ]
    packed = b"".join(struct.pack("<HHI", _TAGS[tag], bits, who & 0xFFFFFFFF) for tag, bits, who in entries)
    attribute(path, ACCESS, struct.pack("<I", 2) + packed)


def attribute(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        unavailable(f"this file system has no {name}: {error}")


def as_link_to(path: Path, target: str) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket ends at 108 characters
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def instead(path: Path, make: Callable[[Path], object]) -> None:
    """Something else in the place of ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    make(path)


def state(home: Path) -> Path:
    return home / STATE


def linked_folder(folder: Path) -> None:
    real = folder.parents[-3] / "elsewhere"
    real.mkdir(exist_ok=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_dir():
        folder.rename(real / folder.name)
    else:
        (real / folder.name).mkdir()
    folder.symlink_to(real / folder.name)


# ---- kept

MODES = [0o400, 0o440, 0o444, 0o600, 0o604, 0o640, 0o644, 0o660, 0o664, 0o666, 0o700, 0o755, 0o777]

KEPT: dict[str, Callable[[Path], Any]] = {
    "plain files": lambda _: None,
    **{f"mode {mode:04o}": lambda home, mode=mode: settings_of(home).chmod(mode) for mode in MODES},
    **{
        f".claude.json {mode:04o}": lambda home, mode=mode: (home / ".claude.json").chmod(mode)
        for mode in MODES
    },
    "a link": lambda home: move_behind(settings_of(home), "a"),
    "a chain of links": lambda home: move_behind(settings_of(home), "a", "b", "c", "d"),
    "a relative link": lambda home: relative(settings_of(home)),
    ".claude.json a link": lambda home: move_behind(home / ".claude.json", "a"),
    ".claude a link": lambda home: linked_folder(home / ".claude"),
    "a link in a linked folder": lambda home: (relative(settings_of(home)), linked_folder(home / ".claude")),
    "an attribute": lambda home: attribute(settings_of(home), "user.origin", b"\0dotfiles"),
    "attributes of both": lambda home: [
        attribute(path, "user.a", b"x" * 1000) for path in (settings_of(home), home / ".claude.json")
    ],
    "an access list": lambda home: acl(settings_of(home)),
    "no settings": lambda home: settings_of(home).unlink(),
    "no .claude": lambda home: shutil.rmtree(home / ".claude"),
    "no .claude.json": lambda home: (home / ".claude.json").unlink(),
    "an empty file": lambda home: settings_of(home).write_bytes(b""),
    "a folder of mode 0700": lambda home: (home / ".claude").chmod(0o700),
    "a folder whose group is inherited": lambda home: (home / ".claude").chmod(0o2755),
    "state a link": lambda home: linked_folder(state(home)),
    "state open to all": lambda home: (state(home).mkdir(parents=True), state(home).chmod(0o777)),
    "backups a link": lambda home: linked_folder(state(home) / "backups"),
    "profiles.toml a link": lambda home: move_behind(home / ".config/kimi-profiles/profiles.toml", "a"),
    "profiles.toml read-only": lambda home: (home / ".config/kimi-profiles/profiles.toml").chmod(0o444),
    "a folder that may not be listed": lambda home: (home / ".claude").chmod(0o311),
}


@pytest.mark.parametrize("prepare", KEPT.values(), ids=KEPT)
def test_all_is_as_it_was_after_apply_and_unapply(
    prepare: Callable[[Path], Any], user: int, place: Path, server: Server
) -> None:
    home = furnish(place)
    give(place, user)
    prepare(home)
    give(place, user)
    before = look(place)
    status = {path: path.stat() for path in (settings_of(home), home / ".claude.json") if path.exists()}

    applied = server.run("apply", "work", "--home", str(home), user=user)

    applied.check_words()
    # A folder that its owner may not list cannot be synced either.
    is_listed = user == 0 or not (home / ".claude").is_dir() or (home / ".claude").stat().st_mode & 0o400
    assert applied.status == (0 if is_listed else 5), applied
    assert TOKEN in settings_of(home).read_text()
    now = settings_of(home).stat()
    assert (now.st_uid, now.st_mode & 0o077) == (user, 0)
    if settings_of(home) in status:
        assert now.st_mode & 0o777 & ~status[settings_of(home)].st_mode == 0
    assert server.run("unapply", "--home", str(home), user=user).status in {0, 5}
    assert look(place) == before


@pytest.mark.parametrize(
    "name",
    ["new\nline", "blank name", "caf\xe9", b"\xff\xfe".decode("utf-8", "surrogateescape"), "-x", "$(id)"],
)
def test_a_home_of_any_name(name: str, user: int, place: Path, server: Server) -> None:
    furnish(place).rename(place / name)
    give(place, user)
    before = look(place)
    arguments = ("--home", str(place / name))

    for line in (["apply", "work"], ["status", "--check"], ["unapply"]):
        ran = server.run(*line, *arguments, user=user)
        ran.check_words()
        assert ran.status == 0, ran
        assert "new\nline" not in ran.words
        ran.words.encode()  # bytes that are no UTF-8 are shown as escapes
    assert look(place) == before


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_is_made_is_private_whatever_the_umask(
    umask: int, user: int, place: Path, server: Server
) -> None:
    home = furnish(place)
    shutil.rmtree(home / ".claude")
    (home / ".claude.json").unlink()
    old = set(home.rglob("*"))
    give(place, user)

    ran = server.run("apply", "work", "--home", str(home), user=user, umask=umask)

    assert ran.status == 0, ran
    made = set(home.rglob("*")) - old
    modes = {path: path.stat().st_mode & 0o7777 for path in made}
    assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items()), modes
    assert {path.stat().st_uid for path in made} == {user}
    assert len(made) > 6
    assert server.run("unapply", "--home", str(home), user=user).status == 0
    assert not (home / ".claude").exists()


def test_root_leaves_the_files_of_a_user_to_that_user(place: Path, server: Server) -> None:
    need_root()
    home = furnish(place)
    give(place, NOBODY)
    before = look(place)

    assert server.run("apply", "work", "--home", str(home)).status == 0
    assert {path.stat().st_uid for path in home.rglob("*")} == {NOBODY}
    assert server.run("unapply", "--home", str(home), user=NOBODY).status == 0
    assert look(place) == before


# ---- refused

ODD: dict[str, Callable[[Path], Any]] = {
    "a pipe": os.mkfifo,
    "a socket": make_socket,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to(os.devnull),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "two links in a circle": lambda path: (
        path.symlink_to("other"),
        path.with_name("other").symlink_to(path.name),
    ),
    "a link below a file": lambda path: path.symlink_to(
        f"{path.parent}/../.config/kimi-profiles/profiles.toml/x"
    ),
}
NOT_FOR_ROOT = {"not for root"}

# id → what is prepared, exit status; only for a plain user where root would not feel it
REFUSED: dict[str, tuple[Callable[[Path], Any], int, set[str]]] = {
    **{
        f"settings.json {name}": (lambda home, make=make: instead(settings_of(home), make), 77, set())
        for name, make in ODD.items()
    },
    **{
        f".claude.json {name}": (lambda home, make=make: instead(home / ".claude.json", make), 77, set())
        for name, make in ODD.items()
    },
    **{
        f".claude {name}": (lambda home, make=make: instead(home / ".claude", make), 77, set())
        for name, make in ODD.items()
        if name != "a folder"
    },
    **{
        f"profiles.toml {name}": (
            lambda home, make=make: instead(home / ".config/kimi-profiles/profiles.toml", make),
            77,
            set(),
        )
        for name, make in ODD.items()
        if name != "a link below a file"
    },
    **{
        f"ledger.json {name}": (lambda home, make=make: instead(state(home) / "ledger.json", make), 77, set())
        for name, make in ODD.items()
    },
    **{
        f"the lock {name}": (lambda home, make=make: instead(state(home) / "lock", make), 77, set())
        for name, make in ODD.items()
        if name != "a pipe"
    },
    **{
        f"state {name}": (lambda home, make=make: instead(state(home), make), 77, set())
        for name, make in ODD.items()
        if name != "a folder"
    },
    **{
        f"backups {name}": (lambda home, make=make: instead(state(home) / "backups", make), 77, set())
        for name, make in ODD.items()
        if name != "a folder"
    },
    "a file in the place of .claude": (lambda home: instead(home / ".claude", Path.touch), 77, set()),
    "a file in the place of the state": (lambda home: instead(state(home), Path.touch), 77, set()),
    "a file in the place of the backups": (
        lambda home: instead(state(home) / "backups", Path.touch),
        77,
        set(),
    ),
    "a second name": (lambda home: os.link(settings_of(home), home / "second"), 77, set()),
    "a second name of .claude.json": (
        lambda home: os.link(home / ".claude.json", home / "second"),
        77,
        set(),
    ),
    "no home": (shutil.rmtree, 66, set()),
    "mode 0000": (lambda home: settings_of(home).chmod(0), 77, NOT_FOR_ROOT),
    "a folder of mode 0555": (lambda home: (home / ".claude").chmod(0o555), 77, NOT_FOR_ROOT),
    "a folder of mode 0666": (lambda home: (home / ".claude").chmod(0o666), 77, NOT_FOR_ROOT),
    "a home of mode 0555": (lambda home: home.chmod(0o555), 77, NOT_FOR_ROOT),
    "profiles.toml unreadable": (
        lambda home: (home / ".config/kimi-profiles/profiles.toml").chmod(0),
        77,
        NOT_FOR_ROOT,
    ),
    "a ledger that may not be read": (
        lambda home: (
            instead(state(home) / "ledger.json", Path.touch),
            (state(home) / "ledger.json").chmod(0),
        ),
        77,
        NOT_FOR_ROOT,
    ),
    "a state folder that may not be written": (
        lambda home: (state(home).mkdir(parents=True), state(home).chmod(0o555)),
        77,
        NOT_FOR_ROOT,
    ),
    "an empty ledger": (lambda home: instead(state(home) / "ledger.json", Path.touch), 78, set()),
}


def check_refused(ran: Ran, status: int, before: object, place: Path) -> None:
    ran.check_words()
    assert ran.status == status, ran
    assert look(place) == before


_REFUSED_TO = [
    pytest.param(prepare, status, user, id=f"{who} {name}")
    for name, (prepare, status, marks) in REFUSED.items()
    for who, user in USERS.items()
    if user or not marks
]


@pytest.mark.parametrize(("prepare", "status", "who"), _REFUSED_TO)
def test_what_cannot_be_kept_is_refused_and_nothing_changes(
    prepare: Callable[[Path], Any], status: int, who: int, place: Path, server: Server
) -> None:
    need_root()
    home = furnish(place)
    give(place, who)
    prepare(home)
    give(place, who)
    before = look(place)
    arguments = ("apply", "work", "--home", str(home), "--lock-timeout", "0")

    check_refused(server.run(*arguments, user=who), status, before, place)
    assert server.run(*arguments, "--json", user=who).status == status


def test_a_pipe_in_the_place_of_the_lock_is_no_trap(user: int, place: Path, server: Server) -> None:
    home = furnish(place)
    instead(state(home) / "lock", os.mkfifo)
    give(place, user)

    ran = server.run("apply", "work", "--home", str(home), "--lock-timeout", "0", user=user)

    ran.check_words()
    assert ran.status in {0, 77}


def test_the_file_of_another_user_is_not_taken_from_them(place: Path, server: Server) -> None:
    home = furnish(place)
    settings_of(home).rename(settings_of(home).with_name("roots.json"))
    settings_of(home).symlink_to("roots.json")
    give(place, NOBODY)
    before = look(place)

    ran = server.run("apply", "work", "--home", str(home), user=NOBODY)

    check_refused(ran, 77, before, place)


def test_a_link_into_a_read_only_store_is_refused(place: Path, server: Server) -> None:
    """As home-manager of Nix lays it: the file belongs to root and its folder is closed."""
    home = furnish(place)
    store = place / "roots-store"
    store.mkdir()
    settings_of(home).rename(store / "roots-settings.json")
    (store / "roots-settings.json").chmod(0o444)
    store.chmod(0o555)
    settings_of(home).symlink_to(store / "roots-settings.json")
    give(place, NOBODY)
    before = look(place)

    check_refused(server.run("apply", "work", "--home", str(home), user=NOBODY), 77, before, place)


def test_an_immutable_file_is_refused(user: int, place: Path, server: Server) -> None:
    chattr = require_tool("chattr")
    home = furnish(place)
    give(place, user)
    if subprocess.run([chattr, "+i", str(settings_of(home))], check=False, capture_output=True).returncode:
        unavailable("this file system has no immutable files")
    before = look(place)
    try:
        ran = server.run("apply", "work", "--home", str(home), user=user)
        check_refused(ran, 77, before, place)
    finally:
        subprocess.run([chattr, "-i", str(settings_of(home))], check=True)


def test_a_file_that_is_a_mount_point_is_refused(user: int, place: Path, server: Server) -> None:
    """As containers mount a single file: nothing can be renamed over it."""
    home = furnish(place)
    (place / "outside.json").write_bytes(SETTINGS)
    give(place, user)
    before_mount = look(place)
    mount = ["mount", "--bind", str(place / "outside.json"), str(settings_of(home))]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        unavailable("nothing can be mounted here")
    try:
        ran = server.run("apply", "work", "--home", str(home), user=user)
        ran.check_words()
        assert ran.status == 77
        assert "mount point" in ran.err
    finally:
        subprocess.run(["umount", str(settings_of(home))], check=True)
    assert look(place) == before_mount


# ---- nothing to do

PROFILE = Profile("work", "https://a.example/anthropic")


@pytest.mark.parametrize("share", range(5))
def test_the_second_apply_touches_nothing(share: int, isolated_environment: Path) -> None:
    home = isolated_environment
    claude = ClaudeCode.user(home=home)
    claude.apply(PROFILE, token=TOKEN)
    files = [path for path in home.rglob("*") if path.name != "lock"]

    def traces() -> list[tuple[int, int, int]]:
        return [(s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for s in map(os.stat, files)]

    before = traces()
    for _ in range(amount(300, 10_000)):
        assert not claude.apply(PROFILE, token=TOKEN).changed
        assert traces() == before
    assert claude.unapply().changed


WRITES = (
    "write,pwrite64,rename,renameat,renameat2,fsync,fdatasync,chmod,fchmod,fchmodat,chown,fchown,fchownat,unlink,"
    "unlinkat,mkdir,mkdirat,ftruncate,truncate,link,linkat,symlink,symlinkat,utimensat,setxattr,fsetxattr"
)


def test_the_second_apply_makes_no_call_that_writes(place: Path, tmp_path: Path) -> None:
    strace = require_tool("strace")
    home = furnish(place)
    package = Path(kimi_profiles.__file__).parent.parent
    environment = {**os.environ, "CANARY": TOKEN, "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-P", "-m", "kimi_profiles", "apply", "work", "--quiet", "--home", str(home)]
    logs = []
    for name in ("first", "second"):
        log = tmp_path / name
        trace = [strace, "-f", "-y", "-o", str(log), "-e", f"trace={WRITES}"]
        subprocess.run([*trace, *command], check=True, env=environment)
        logs.append(
            [line for line in log.read_text().splitlines() if str(place) in line and "= -1" not in line]
        )
    assert any("rename" in line for line in logs[0])
    assert logs[1] == []
