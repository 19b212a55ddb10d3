"""``--homes-from``: one command for many homes, each by itself, whatever becomes of the others."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands.conftest import STORE, TOKEN, Told, tree

from kimi_profiles import credentials
from kimi_profiles.cli import main
from kimi_profiles.errors import InvalidError
from kimi_profiles.homes import each_home, parse_homes

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="paths, links and modes as POSIX has them")

Fleet = "Callable[[str], Told]"


@pytest.fixture
def homes(tmp_path: Path) -> list[Path]:
    """Three homes; Claude Code has been in the first."""
    found = [tmp_path / "fleet" / name for name in ("ann", "b ö b", "cy")]
    for home in found:
        home.mkdir(parents=True)
    (found[0] / ".claude").mkdir()
    (found[0] / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_MODEL": "mine"}}')
    return found


@pytest.fixture
def listed(tmp_path: Path, homes: list[Path]) -> Path:
    path = tmp_path / "homes.txt"
    path.write_text("".join(f"{home}\n" for home in homes), encoding="utf-8")
    return path


@pytest.fixture
def fleet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Told]:
    """Run one command line; the profiles are the caller's own."""
    monkeypatch.setenv("WORK_KEY", TOKEN)
    store = tmp_path / "profiles.toml"
    store.write_text(STORE, encoding="utf-8")

    def told(line: str) -> Told:
        status = main(["--store", str(store), *shlex.split(line)])
        out, err = capsys.readouterr()
        assert TOKEN not in out + err
        assert "Traceback" not in err
        return Told(status, out, err)

    return told


def env_of(home: Path) -> dict[str, str]:
    return dict(json.loads((home / ".claude" / "settings.json").read_text())["env"])


def test_apply_and_unapply_each_home(fleet: Callable[[str], Told], homes: list[Path], listed: Path) -> None:
    before = {home: (home / ".claude/settings.json").exists() for home in homes}
    told = fleet(f"apply work --homes-from {listed}")

    assert told.status == 0
    assert told.out.splitlines() == [
        f"{homes[0]}  2 files changed",
        f"{homes[1]}  2 files changed",
        f"{homes[2]}  2 files changed",
        "3 homes, 3 changed, 0 failed",
    ]
    assert told.err.count("warning:") == 1  # once, not for each home
    for home in homes:
        assert env_of(home)["ANTHROPIC_AUTH_TOKEN"] == TOKEN
        assert (home / ".claude" / "settings.json").stat().st_mode & 0o777 == 0o600
    once = {home: tree(home) for home in homes}
    again = fleet(f"apply work --homes-from {listed}")
    assert again.out.splitlines()[-1] == "3 homes, 0 changed, 0 failed"
    assert {home: tree(home) for home in homes} == once

    assert fleet(f"unapply --homes-from {listed}").out.splitlines()[-1] == "3 homes, 3 changed, 0 failed"
    assert {home: (home / ".claude/settings.json").exists() for home in homes} == before
    assert env_of(homes[0]) == {"ANTHROPIC_MODEL": "mine"}


@pytest.mark.parametrize(
    "line", ["plan work", "apply work --dry-run", "unapply --dry-run", "plan work --exit-code"]
)
def test_a_dry_run_writes_nothing_in_any_home(
    line: str, fleet: Callable[[str], Told], homes: list[Path], listed: Path
) -> None:
    before = {home: tree(home) for home in homes}
    told = fleet(f"{line} --homes-from {listed}")

    assert told.status == (4 if "--exit-code" in line else 0)
    assert {home: tree(home) for home in homes} == before
    assert [str(home) in told.out for home in homes] == [True, True, True]
    number = 0 if "unapply" in line else 3
    assert told.out.splitlines()[-1] == f"3 homes, {number} to change, 0 failed"


def test_plan_finds_nothing_where_all_is_done(
    fleet: Callable[[str], Told], homes: list[Path], listed: Path
) -> None:
    fleet(f"apply work --homes-from {listed}")
    assert fleet(f"plan work --exit-code --homes-from {listed}").status == 0
    fleet(f"unapply --home {shlex.quote(str(homes[1]))}")
    assert fleet(f"plan work --exit-code --homes-from {listed}").status == 4


def test_a_home_that_fails_stops_no_other(
    fleet: Callable[[str], Told], homes: list[Path], listed: Path
) -> None:
    (homes[0] / ".claude" / "settings.json").write_text('{"env": ')
    listed.write_text(f"{homes[0]}\n{homes[0].parent}/gone\n{homes[1]}\n{listed}\n{homes[2]}\n")
    told = fleet(f"apply work --homes-from {listed}")

    assert told.status == 78  # of the first that failed
    assert told.out.splitlines() == [
        f"{homes[0]}  failed",
        f"{homes[0].parent}/gone  failed",
        f"{homes[1]}  2 files changed",
        f"{listed}  failed",
        f"{homes[2]}  2 files changed",
        "5 homes, 2 changed, 3 failed",
    ]
    assert f"kimi-profiles: {homes[0]}/.claude/settings.json:1:" in told.err
    assert f"kimi-profiles: {homes[0].parent}/gone: " in told.err
    assert env_of(homes[2])["ANTHROPIC_AUTH_TOKEN"] == TOKEN
    assert not (homes[0].parent / "gone").exists()


def test_json_is_one_object_with_each_home(
    fleet: Callable[[str], Told], homes: list[Path], listed: Path
) -> None:
    listed.write_text(f"{homes[0]}\n/no/such/home\n")
    told = fleet(f"apply work --json --homes-from {listed}")

    assert (told.status, told.err) == (66, "")
    assert {key: told.json[key] for key in told.json if key != "homes"} == {
        "schema": 1,
        "ok": False,
        "command": "apply",
        "changed": True,
        "exit_code": 66,
    }
    done, failed = told.json["homes"]
    assert (done["home"], done["ok"], done["profile"], done["changed"]) == (str(homes[0]), True, "work", True)
    assert [target["path"] for target in done["targets"]] == [
        str(homes[0] / ".claude.json"),
        str(homes[0] / ".claude" / "settings.json"),
    ]
    assert (failed["home"], failed["ok"], failed["exit_code"]) == ("/no/such/home", False, 66)
    assert (failed["error"]["name"], failed["error"]["path"]) == ("not-found", "/no/such/home")
    listed.write_text(f"{homes[0]}\n")
    assert fleet(f"unapply --json --homes-from {listed}").json.keys() == {
        "schema",
        "ok",
        "command",
        "changed",
        "homes",
    }


def test_quiet_tells_errors_only(fleet: Callable[[str], Told], homes: list[Path], listed: Path) -> None:
    listed.write_text(f"{homes[0]}\n/no/such/home\n")
    told = fleet(f"apply work --quiet --homes-from {listed}")
    assert told.out == ""
    assert told.err == "kimi-profiles: /no/such/home: --homes-from: there is no such folder\n"


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
def test_the_list_comes_on_standard_input(
    separator: bytes, fleet: Callable[[str], Told], homes: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"".join(os.fsencode(home) + separator for home in homes)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    assert fleet("apply work --homes-from -").out.splitlines()[-1] == "3 homes, 3 changed, 0 failed"


def test_a_home_under_several_names_is_done_once(
    fleet: Callable[[str], Told], homes: list[Path], listed: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(homes[0])
    listed.write_text(f"{homes[0]}\n{homes[0]}/\n{homes[0]}/.claude/..\n{tmp_path}/link\n{homes[0]}\n")

    assert fleet(f"apply work --homes-from {listed}").out.splitlines() == [
        f"{homes[0]}  2 files changed",
        "1 home, 1 changed, 0 failed",
    ]


def test_the_token_is_got_once_for_all_homes(
    fleet: Callable[[str], Told], homes: list[Path], listed: Path, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    script = f"echo x >> {count}; echo $WORK_KEY"
    (tmp_path / "profiles.toml").write_text(
        f'[profiles.work]\nprovider = "moonshot-cn"\nauth.token = {{ command = ["sh", "-c", "{script}"] }}\n'
    )
    assert fleet(f"apply work --homes-from {listed}").status == 0
    assert count.read_text() == "x\n"
    assert [env_of(home)["ANTHROPIC_AUTH_TOKEN"] for home in homes] == [TOKEN] * 3


def test_a_token_in_each_home_is_that_of_the_home(
    fleet: Callable[[str], Told], homes: list[Path], listed: Path, tmp_path: Path
) -> None:
    (tmp_path / "profiles.toml").write_text(
        '[profiles.work]\nprovider = "moonshot-cn"\nauth.token = { file = "~/key" }\n'
    )
    for number, home in enumerate(homes[1:]):
        (home / "key").write_text(f"{TOKEN}{number}")
        (home / "key").chmod(0o600)
    told = fleet(f"apply work --homes-from {listed}")

    assert told.status == 78
    assert f"kimi-profiles: {homes[0]}/key: there is no such token file" in told.err
    assert [env_of(home)["ANTHROPIC_AUTH_TOKEN"] for home in homes[1:]] == [f"{TOKEN}0", f"{TOKEN}1"]


def test_without_a_token_no_home_is_touched(
    fleet: Callable[[str], Told], homes: list[Path], listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORK_KEY")
    before = {home: tree(home) for home in homes}
    told = fleet(f"apply work --homes-from {listed}")
    assert (told.status, told.out) == (78, "")
    assert "the variable WORK_KEY is not set" in told.err
    assert {home: tree(home) for home in homes} == before


def test_a_helper_in_each_home_asks_for_that_home(
    fleet: Callable[[str], Told],
    homes: list[Path],
    listed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "profiles.toml").write_text(
        STORE.replace("auth.token", 'auth.delivery = "helper"\nauth.token', 1)
    )
    monkeypatch.setattr(credentials, "_from_keyring", pytest.fail)
    assert fleet(f"apply work --homes-from {listed}").status == 0
    for home in homes:
        words = shlex.split(json.loads((home / ".claude/settings.json").read_text())["apiKeyHelper"])
        assert words[words.index("--home") + 1] == str(home)


# command line → part of the message
REFUSED = {
    "--home .": "--homes-from and --home do not go together",
    "--settings x.json": "--homes-from and --settings do not go together",
    "--project .": "--homes-from and --project do not go together",
    "--scope local": "--homes-from is for the user scope",
}


@pytest.mark.parametrize(("option", "message"), REFUSED.items(), ids=REFUSED)
@pytest.mark.parametrize("command", ["apply work", "unapply", "plan work"])
def test_options_that_say_otherwise_are_refused(
    command: str, option: str, message: str, fleet: Callable[[str], Told], listed: Path
) -> None:
    told = fleet(f"{command} --homes-from {listed} {option}")
    assert (told.status, told.out) == (2, "")
    assert message in told.err


def test_token_and_list_cannot_both_come_on_standard_input(fleet: Callable[[str], Told]) -> None:
    assert fleet("apply work --homes-from - --token-stdin").status == 2


# What the moving line says: option, whether the output goes to a terminal, words.
COUNTED = ["working on 3 homes", *(f"working on 3 homes, {count} done" for count in (1, 2, 3))]
MOVING: dict[str, tuple[str, bool, list[str]]] = {
    "a file": ("", False, COUNTED),
    "a terminal, where each home has its line": ("", True, []),
    "a terminal, and nothing before the end": ("--json", True, COUNTED),
    "nothing is wanted": ("--quiet", False, []),
}


@pytest.mark.parametrize("row", MOVING.values(), ids=MOVING)
def test_who_looks_is_told_how_far_it_is(
    row: tuple[str, bool, list[str]],
    fleet: Callable[[str], Told],
    listed: Path,
    moving_line: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    option, is_terminal, expected = row
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert fleet(f"apply work --homes-from {listed} {option}").status == 0
    assert moving_line == expected


def test_a_list_that_is_not_there_is_told(fleet: Callable[[str], Told], tmp_path: Path) -> None:
    told = fleet(f"apply work --homes-from {tmp_path}/none")
    assert (told.status, told.err) == (66, f"kimi-profiles: {tmp_path}/none: there is no such file\n")


# id → a list, and the line that is wrong
WRONG = {
    "a relative path": (b"/home/a\nhome/b\n", 2),
    "a tilde": (b"~/x\n", 1),
    "a byte order mark": (b"\xef\xbb\xbf/home/a\n", 1),
    "UTF-16": ("/home/a\n".encode("utf-16-le"), None),
    "an empty piece of a path": (b"\n\n.\n", 3),
    "a comment where NUL ends a path": (b"#x\0", None),
}


@pytest.mark.parametrize(("data", "line"), WRONG.values(), ids=WRONG)
def test_a_list_with_a_path_from_somewhere_else_is_refused_as_a_whole(data: bytes, line: int | None) -> None:
    with pytest.raises(InvalidError, match="from the root on") as caught:
        parse_homes(data, name="homes.txt")
    assert (caught.value.path, caught.value.line) == ("homes.txt", line)


def test_what_a_list_may_hold() -> None:
    assert parse_homes(b"", name="x") == []
    assert parse_homes(b"\n \n\t\r\n# /home/x\n", name="x") == []
    assert parse_homes(b"/b\n/a//b/./c/\r\n/b/\n/ x \n", name="x") == [
        Path("/b"),
        Path("/a/b/c"),
        Path("/ x "),
    ]
    assert parse_homes(b"/a\nb\0/c\r\0\0", name="x") == [Path("/a\nb"), Path("/c\r")]
    assert os.fsencode(parse_homes(b"/\xff\x1b[31m\n", name="x")[0]) == b"/\xff\x1b[31m"


def test_a_long_list_is_no_burden() -> None:
    homes = parse_homes(b"".join(b"/no/such/home/%d\n" % number for number in range(100_000)), name="x")
    assert len(homes) == 100_000
    failed = [outcome.error for outcome in each_home(homes, lambda home: home.joinpath("x").rmdir())]  # type: ignore[arg-type,func-returns-value]
    assert len(failed) == 100_000
    assert all(error is not None and error.exit_code == 1 for error in failed)


def test_a_list_that_is_too_large_is_refused(
    fleet: Callable[[str], Told], listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listed.open("wb") as file:
        file.truncate((32 << 20) + 1)
    assert fleet(f"apply work --homes-from {listed}").status == 77
    with listed.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        assert fleet("apply work --homes-from -").status == 77


def test_control_characters_of_a_path_are_shown_as_such(
    fleet: Callable[[str], Told], homes: list[Path], listed: Path
) -> None:
    evil = homes[0].parent / "x\x1b[31m\u202ey"
    evil.mkdir()
    listed.write_bytes(os.fsencode(evil) + b"\n" + os.fsencode(evil) + b"\x07\n")
    told = fleet(f"apply work --homes-from {listed}")
    assert "x\\x1b[31m\\u202ey  2 files changed" in told.out
    assert "\x1b" not in told.out + told.err
    assert "\x07" not in told.out + told.err
