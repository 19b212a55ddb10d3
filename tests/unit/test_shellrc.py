"""Which line of which start-up file sets a variable; ``shells/test_rc`` asks the real shells the same."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shells.cases import ALL, written
from support import amount

from kimi_profiles import files
from kimi_profiles.shellrc import Setting, find_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RC = {
    "bash": ".bashrc",
    "sh": ".profile",
    "zsh": ".zshrc",
    "fish": ".config/fish/config.fish",
    "csh": ".tcshrc",
    "powershell": ".config/powershell/profile.ps1",
    "systemd": ".config/environment.d/a.conf",
    "pam": ".pam_environment",
}


@pytest.fixture
def home(isolated_environment: Path) -> Path:
    return isolated_environment


def write(file: Path, text: str | bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def find(
    home: Path,
    *names: str,
    env: Mapping[str, str] | None = None,
    platform: str = "linux",
    root: str = "no-root",
) -> list[Setting]:
    return find_settings(names or ["KEY"], home=home, env=env or {}, platform=platform, root=home / root)


def exported(home: Path, rc: str = "") -> str:
    """The places that export KEY, as the table of cases has them."""
    places = []
    for one in find(home):
        name = one.path.relative_to(home).as_posix()
        places += [f"{'rc' if name == rc else name}:{one.line}"] if one.is_exported else []
    return " ".join(places)


# ---- the table of the shells

SHELLS = [(name, shell) for name, case in ALL.items() for shell in case.shells.split()]


@pytest.mark.parametrize(("name", "shell"), SHELLS, ids=[f"{shell}-{name}" for name, shell in SHELLS])
def test_the_lines_that_export(name: str, shell: str, home: Path) -> None:
    case, rc = ALL[name], RC[shell]
    write(home / ".bash_profile", "")  # so that only sh reads .profile
    for file, text in {rc: case.text, **case.others}.items():
        write(home / file, written(text, "rc" if file == rc else file))
    # What fish writes itself, when it is told to keep a variable.
    expected = [
        place for place in case.places.split() if ("-Ux" not in case.text or "fish_variables" not in place)
    ]
    assert exported(home, rc) == " ".join(expected)


# ---- PowerShell, of which there is none here: what its documentation says

POWERSHELL = {
    "assigned": ("$env:KEY = 'x'\n", "1"),
    "without blanks": ("$env:KEY='x'\n", "1"),
    "in braces": ("${env:KEY} = 'x'\n", "1"),
    "another case of env": ("$Env:KEY = 'x'\n$ENV:KEY = 'x'\n", "1 2"),
    "another case of the name is another variable": ("$env:Key = 'x'\n", ""),
    "another name": ("$env:KEY_OLD = 'x'; $env:MY_KEY = 'x'; $KEY = 'x'\n", ""),
    "after a semicolon": ("$x = 1; $env:KEY = 'x'\n", "1"),
    "two at once": ("$env:A = $env:KEY = 'x'\n", "1"),
    "appended to": ("$env:KEY += 'x'\n", "1"),
    "unless it is set": ("$env:KEY ??= 'x'\n", "1"),
    "compared": ("if ($env:KEY -eq 'x') { }\n$env:KEY\n", ""),
    "used": ("$x = $env:KEY\nWrite-Output $env:KEY = 1\n", ""),
    "CRLF": ("$x = 1\r\n$env:KEY = 'x'\r\n", "2"),
    "method": ("[Environment]::SetEnvironmentVariable('KEY', 'x')\n", "1"),
    "method of the user": ('[System.Environment]::SetEnvironmentVariable("KEY", "x", \'User\')\n', "1"),
    "method that removes": ("$env:KEY = 'x'\n[Environment]::SetEnvironmentVariable('KEY', $null)\n", ""),
    "Set-Item": ("Set-Item -Path Env:KEY -Value x\n", "1"),
    "Set-Item, short": ("set-item env:\\KEY x\n", "1"),
    "New-Item": ("New-Item -Force -Path 'Env:KEY' -Value 'x'\n", "1"),
    "Set-Item of another": ("Set-Item Env:KEY_OLD x\nSet-Item KEY x\n", ""),
    "Remove-Item": ("$env:KEY = 'x'\nRemove-Item Env:KEY\n", ""),
    "Remove-Item, short": ("$env:KEY = 'x'\nri env:/KEY\n", ""),
    "Remove-Item under a condition": ("$env:KEY = 'x'\nif ($x) { Remove-Item Env:KEY }\n", "1"),
    "null": ("$env:KEY = 'x'\n$env:KEY = $null\n", ""),
    "comment": ("# $env:KEY = 'x'\n$x = 1 # $env:KEY = 'x'\n", ""),
    "comment of several lines": ("<#\n$env:KEY = 'x'\n#>\n", ""),
    "after a comment of several lines": ("<# it's\n#>\n$env:KEY = 'x'\n", "3"),
    "text": ("Write-Output '$env:KEY = 1'\n\"`\"\n$env:KEY = 'x'\n\"\n", ""),
    "quotes": ("$x = 'it''s'\n$env:KEY = 'x'\n$y = \"`\"\"\n", "2"),
    "text of several lines": ("$x = @'\n$env:KEY = 'x'\nit's\n'@\n$y = @\"\n$env:KEY = 'x'\n\"@\n", ""),
    "after a text of several lines": ("$x = @'\nit's\n'@\n$env:KEY = 'x'\n", "4"),
    "subexpression": ('$x = "$("it\'s")"\n$env:KEY = \'x\'\n', "2"),
    "continued": ("Set-Item `\n  Env:KEY `\n  x\n", "1"),
    "if": ("if (Test-Path ~/x) { $env:KEY = 'x' }\n", "1"),
    "if, on the next line": ("if (Test-Path ~/x)\n{\n  $env:KEY = 'x'\n}\n", "3"),
    "else": ("if ($x) {\n} elseif ($y) {\n} else {\n  $env:KEY = 'x'\n}\n", "4"),
    "foreach": ("foreach ($x in 1, 2) { $env:KEY = $x }\n", "1"),
    "ForEach-Object": ("1 | ForEach-Object { $env:KEY = $_ }\n1 | % { $env:KEY = $_ }\n", "1 2"),
    "switch": ("switch ($x) {\n  'a' { $env:KEY = 'x' }\n  default { $y = 1 }\n}\n", "2"),
    "try": ("try { $env:KEY = 'x' } catch { }\n", "1"),
    "done now": ("& { $env:KEY = 'x' }\n. { $env:KEY = 'x' }\n", "1 2"),
    "done later, perhaps": (
        "Register-EngineEvent x -Action { $env:KEY = 'x' }\n$f = { $env:KEY = 'x' }\n",
        "",
    ),
    "table": ("$x = @{ KEY = 'x'; env = 1 }\n$env:KEY = 'x'\n", "2"),
    "function": ("function Use-Kimi {\n  $env:KEY = 'x'\n}\n", ""),
    "function that is called": ("function Use-Kimi($x) {\n  $env:KEY = 'x'\n}\nuse-kimi\n", "2"),
    "function, brace on the next line": ("function Use-Kimi\n{\n  $env:KEY = 'x'\n}\n", ""),
    "return": ("return\n$env:KEY = 'x'\n", ""),
    "return under a condition": ("if ($x) { return }\n$env:KEY = 'x'\n", "2"),
    "dot": (". ~/x.ps1\n", "x.ps1:1"),
    "dot, quoted": ('. "$HOME/x.ps1"\n', "x.ps1:1"),
    "dot, backslashes": (". $HOME\\x.ps1\n", "x.ps1:1"),
    "dot, of the user's folder": (". $env:USERPROFILE\\x.ps1\n", "x.ps1:1"),
    "dot, joined": (". (Join-Path $HOME 'x.ps1')\n", "x.ps1:1"),
    "dot, own variable": ('$d = "$HOME/d"\n. $d/../x.ps1\n', "x.ps1:1"),
    "dot, beside this file": (". $PSScriptRoot/../../x.ps1\n", "x.ps1:1"),
    "called": ("& ~/x.ps1\n", "x.ps1:1"),
    "after a test": ("if (Test-Path ~/x.ps1) { . ~/x.ps1 }\n", "x.ps1:1"),
}


@pytest.mark.parametrize(("text", "lines"), POWERSHELL.values(), ids=POWERSHELL)
def test_powershell(text: str, lines: str, home: Path) -> None:
    write(home / RC["powershell"], text)
    write(home / "x.ps1", "$env:KEY = 'x'\n")
    assert exported(home, RC["powershell"]) == " ".join(
        place if ":" in place else f"rc:{place}" for place in lines.split()
    )


def test_on_windows_powershell_takes_any_case_and_has_its_own_folders(home: Path) -> None:
    for folder in ("Documents/PowerShell", "Documents/WindowsPowerShell", "OneDrive/Documents/PowerShell"):
        write(home / folder / "Microsoft.PowerShell_profile.ps1", "\n$ENV:key = 'x'\n")
    write(home / RC["powershell"], "$env:KEY = 'x'\n")
    found = find(home, platform="win32")
    assert [(one.name, one.path.parent.name, one.line) for one in found] == [
        ("KEY", "PowerShell", 2),
        ("KEY", "WindowsPowerShell", 2),
        ("KEY", "PowerShell", 2),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_the_first_line(encoding: str, home: Path) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    write(home / RC["powershell"], f"{mark}$env:KEY = 'é'\n".encode(encoding))
    assert exported(home) == f"{RC['powershell']}:1"


# ---- files of lines; held once to systemd 252 and pam_env 1.5

LINES = {
    "systemd": {
        "plain": ("KEY=x\n", "1"),
        "blanks": (" KEY = x\n", "1"),
        "comments": ("# KEY=x\n;KEY=x\n", ""),
        "export": ("export KEY=x\n", ""),
        "empty": ("KEY=\n", ""),
        "another name": ("KEY_OLD=x\nMY_KEY=x\nkey=x\n", ""),
        "continued": ("A=x\\\nKEY=x\n", ""),
    },
    "pam": {
        "plain": ("KEY=x\n", "1"),
        "export": ("export KEY=x\n", "1"),
        "blanks": ("KEY = x\n", ""),
        "comment": ("#KEY=x\n", ""),
        "another name": ("KEY_OLD=x\nMY_KEY=x\n", ""),
        "default": ("A DEFAULT=1\nKEY DEFAULT=x\n", "2"),
    },
}
LINE_CASES = [(shell, *case, name) for shell, cases in LINES.items() for name, case in cases.items()]


@pytest.mark.parametrize(
    ("shell", "text", "lines"), [case[:3] for case in LINE_CASES], ids=[f"{c[0]}-{c[3]}" for c in LINE_CASES]
)
def test_a_file_of_lines(shell: str, text: str, lines: str, home: Path) -> None:
    write(home / RC[shell], text)
    assert [str(one.line) for one in find(home)] == lines.split()
    assert all(one.is_exported and one.shell == shell for one in find(home))


# ---- what is told of a setting


def test_a_setting_says_what_where_and_for_whom_but_no_value(home: Path) -> None:
    write(home / ".zshrc", "\nexport ANTHROPIC_API_KEY=sk-canary-zq9 KIMI=sk-canary-zq9\n")
    found = find(home, "ANTHROPIC_API_KEY", "KIMI", "OTHER")
    assert found == [
        Setting("ANTHROPIC_API_KEY", home / ".zshrc", 2, "zsh", is_exported=True, is_empty=False),
        Setting("KIMI", home / ".zshrc", 2, "zsh", is_exported=True, is_empty=False),
    ]
    assert "canary" not in repr(found)


def test_a_condition_on_a_call_is_one_on_all_it_does(home: Path) -> None:
    write(home / ".bashrc", 'f() { unset KEY; }\nexport KEY=x\n[ -n "$X" ] && f\n')
    assert exported(home) == ".bashrc:2"


def test_what_is_not_exported_is_told_too(home: Path) -> None:
    write(home / ".bashrc", "KEY=x\n")
    write(home / ".zshrc", "export KEY=x\ntypeset +x KEY\n")
    assert [(one.shell, one.line, one.is_exported) for one in find(home)] == [
        ("bash", 1, False),
        ("zsh", 1, False),
    ]


EMPTY = {
    "nothing": ("bash", "export KEY=\n"),
    "single quotes": ("bash", "export KEY=''\n"),
    "double quotes": ("bash", 'export KEY=""\n'),
    "quotes around it all": ("bash", "export 'KEY='\n"),
    "fish, empty text": ("fish", "set -gx KEY ''\n"),
    "fish, nothing": ("fish", "set -gx KEY\n"),
    "csh": ("csh", "setenv KEY\n"),
    "PowerShell": ("powershell", "$env:KEY = ''\n"),
    "pam": ("pam", "KEY=\n"),
}
NOT_EMPTY = {
    "blank": ("bash", "export KEY=' '\n"),
    "command": ("bash", 'export KEY="$(true)"\n'),
    "variable": ("bash", "export KEY=$NOTHING\n"),
    "unknown": ("bash", "read KEY\nexport KEY\n"),
    "fish, command": ("fish", "set -gx KEY (true)\n"),
    "csh": ("csh", "setenv KEY x\n"),
    "PowerShell": ("powershell", "$env:KEY = Get-Content x\n"),
}


@pytest.mark.parametrize(
    ("shell", "text", "is_empty"),
    [(*case, True) for case in EMPTY.values()] + [(*case, False) for case in NOT_EMPTY.values()],
    ids=[*EMPTY, *(f"not {name}" for name in NOT_EMPTY)],
)
def test_an_empty_text_is_told_from_all_else(shell: str, text: str, *, is_empty: bool, home: Path) -> None:
    write(home / RC[shell], text)
    assert [one.is_empty for one in find(home)] == [is_empty]


def test_a_line_that_two_shells_read_is_told_once_and_as_exported_if_it_is_for_one(home: Path) -> None:
    write(home / ".profile", "export KEY=x\nf() { typeset -x KIMI=x; }\nf\n")
    write(home / ".zprofile", ". ~/.profile\n")
    found = find(home, "KEY", "KIMI")
    assert [(one.name, one.shell, one.is_exported) for one in found] == [
        ("KEY", "bash", True),
        ("KIMI", "zsh", True),
    ]


# ---- which files are read

READ = {
    "bash, login": ([".bash_profile"], "bash"),
    "bash, login, second": ([".bash_login", ".profile"], "bash"),
    "bash and sh, login": ([".profile"], "bash"),
    "sh, login": ([".profile"], "sh"),
    "bash, interactive": ([".bashrc"], "bash"),
    "zshenv": ([".zshenv"], "zsh"),
    "zprofile": ([".zprofile"], "zsh"),
    "zshrc": ([".zshrc"], "zsh"),
    "zlogin": ([".zlogin"], "zsh"),
    "fish": ([".config/fish/config.fish"], "fish"),
    "fish, snippet": ([".config/fish/conf.d/a.fish"], "fish"),
    "tcsh": ([".tcshrc"], "csh"),
    "csh": ([".cshrc"], "csh"),
    "csh, login": ([".login"], "csh"),
}
SETS = {"fish": "set -gx KEY x\n", "csh": "setenv KEY x\n"}


@pytest.mark.parametrize(("names", "shell"), READ.values(), ids=READ)
def test_a_file_is_read_by_its_shell(names: list[str], shell: str, home: Path) -> None:
    if shell == "sh":
        write(home / ".bash_profile", "")  # else bash reads it first
    for name in names:
        write(home / name, SETS.get(shell, "export KEY=x\n"))
    assert (find(home)[0].path, find(home)[0].shell) == (home / names[0], shell)


UNREAD = {
    "bash reads only the first one": ([".bash_login"], [".bash_profile"]),
    "tcsh has its own": ([".cshrc"], [".tcshrc"]),
    "read only if something sources it": ([".bash_aliases", ".env", ".zsh_secrets"], [".bashrc"]),
    "hidden snippets of fish": ([".config/fish/conf.d/.a.fish"], []),
    "other snippets of fish": ([".config/fish/conf.d/a.sh", ".config/fish/functions/a.fish"], []),
    "other files of systemd": ([".config/environment.d/a.txt"], []),
}


@pytest.mark.parametrize(("unread", "present"), UNREAD.values(), ids=UNREAD)
def test_a_file_that_nothing_reads_says_nothing(unread: list[str], present: list[str], home: Path) -> None:
    for name in unread:
        write(home / name, "export KEY=x\nset -gx KEY x\nsetenv KEY x\nKEY=x\n")
    for name in present:
        write(home / name, "\n")
    assert find(home) == []


SYSTEM = {
    "etc/profile": ("bash", "export KEY=x\n"),
    "etc/bash.bashrc": ("bash", "export KEY=x\n"),
    "etc/zshenv": ("zsh", "export KEY=x\n"),
    "etc/zsh/zshenv": ("zsh", "export KEY=x\n"),
    "etc/zsh/zprofile": ("zsh", "export KEY=x\n"),
    "etc/zsh/zshrc": ("zsh", "export KEY=x\n"),
    "etc/zsh/zlogin": ("zsh", "export KEY=x\n"),
    "etc/fish/config.fish": ("fish", "set -gx KEY x\n"),
    "etc/fish/conf.d/a.fish": ("fish", "set -gx KEY x\n"),
    "etc/csh.cshrc": ("csh", "setenv KEY x\n"),
    "etc/csh.login": ("csh", "setenv KEY x\n"),
    "etc/environment": ("pam", "KEY=x\n"),
    "etc/environment.d/a.conf": ("systemd", "KEY=x\n"),
}


@pytest.mark.parametrize("name", SYSTEM)
def test_a_file_of_the_system_is_read(name: str, home: Path) -> None:
    shell, text = SYSTEM[name]
    write(home / "root" / name, text)
    assert [(one.path, one.shell) for one in find(home, root="root")] == [(home / "root" / name, shell)]


def test_what_the_system_sets_and_the_user_takes_back_is_not_set(home: Path) -> None:
    write(home / "root/etc/bash.bashrc", "export KEY=x\n")
    write(home / ".bashrc", "unset KEY\n")
    assert find(home, root="root") == []


def test_the_files_of_this_machine_can_be_read(home: Path) -> None:
    names = [line.partition("=")[0] for line in ("PATH=", "READNULLCMD=", "PS1=")]
    found = find_settings(names, home=home, env={})
    assert all(one.path.is_absolute() and one.line > 0 for one in found)


def test_zsh_finds_its_folder_in_the_environment(home: Path) -> None:
    for name in (".zshenv", "dot/.zshenv", "dot/.zshrc", ".zshrc"):
        write(home / name, "export KEY=x\n")
    found = find(home, env={"ZDOTDIR": str(home / "dot")})
    assert [one.path.relative_to(home).as_posix() for one in found] == [
        ".zshenv",
        "dot/.zshenv",
        "dot/.zshrc",
    ]


def test_zsh_finds_its_folder_in_its_first_file(home: Path) -> None:
    write(home / ".zshenv", 'export ZDOTDIR="${XDG_CONFIG_HOME:-$HOME/.config}/zsh"\n')
    write(home / ".config/zsh/.zshrc", 'source "$ZDOTDIR/secrets.zsh"\n')
    write(home / ".config/zsh/secrets.zsh", "export KEY=x\n")
    write(home / ".zshrc", "export KEY=x\n")
    assert exported(home) == ".config/zsh/secrets.zsh:1"


def test_the_environment_says_where_fish_powershell_and_systemd_look(home: Path) -> None:
    write(home / "xdg/fish/config.fish", "set -gx KEY x\n")
    write(home / "xdg/powershell/profile.ps1", "$env:KEY = 'x'\n")
    write(home / "xdg/environment.d/a.conf", "KEY=x\n")
    write(home / RC["fish"], "set -gx KEY x\n")
    shells = {one.shell for one in find(home, env={"XDG_CONFIG_HOME": str(home / "xdg")})}
    assert shells == {"systemd", "fish", "powershell"}
    assert [one.path for one in find(home)] == [home / RC["fish"]]


def test_a_path_may_hold_a_variable_of_the_environment(home: Path) -> None:
    write(home / ".bashrc", '. "$DOTFILES/x.sh"\n')
    write(home / "dot/x.sh", "export KEY=x\n")
    assert [one.path for one in find(home, env={"DOTFILES": str(home / "dot")})] == [home / "dot/x.sh"]
    assert find(home) == []


def test_a_variable_that_is_asked_for_may_be_part_of_a_path(home: Path) -> None:
    write(home / ".bashrc", "export DIR=~/dot\n. $DIR/x.sh\n")
    write(home / "dot/x.sh", "export KEY=x\n")
    assert [(one.name, one.line) for one in find(home, "KEY", "DIR")] == [("DIR", 1), ("KEY", 1)]


def test_the_home_is_the_one_that_was_named(home: Path) -> None:
    other = home / "other"
    write(other / ".bashrc", ". $HOME/x.sh\n. ~/y.sh\n")
    for name in ("x.sh", "y.sh", "other/x.sh", "other/y.sh"):
        write(home / name, "export KEY=x\n")
    found = find(other, env={"HOME": str(home)})
    assert [one.path for one in found] == [other / "x.sh", other / "y.sh"]


# ---- what is in the way


def test_a_file_is_read_through_a_link_and_told_by_its_name(home: Path) -> None:
    write(home / "dotfiles/zshrc", "export KEY=x\n")
    (home / ".zshrc").symlink_to("dotfiles/zshrc")
    assert exported(home) == ".zshrc:1"


def test_what_is_no_file_is_not_opened(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    take = files.take_snapshot
    monkeypatch.setattr(files, "take_snapshot", lambda path, **o: opened.append(path) or take(path, **o))
    os.mkfifo(home / ".bashrc")
    (home / ".zshrc").mkdir()
    (home / ".zshenv").symlink_to("/dev/zero")
    (home / ".profile").symlink_to(".profile")
    (home / ".zprofile").symlink_to("nowhere")
    assert find(home) == []
    assert opened == []
    write(home / ".zlogin", "")
    assert find(home) == []
    assert opened == [home / ".zlogin"]


def test_a_pipe_in_the_way_stops_nothing(home: Path) -> None:
    write(home / ".zshrc", ". ~/pipe\nsource /dev/zero\nexport KEY=x\n")
    os.mkfifo(home / "pipe")
    assert exported(home) == ".zshrc:3"


def test_a_file_that_may_not_be_read_says_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".bashrc", "export KEY=x\n")
    write(home / ".zshrc", "export KEY=x\n")
    real = os.open

    def refuse(path: str, *args: object, **options: object) -> int:
        if path == ".bashrc":
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    assert exported(home) == ".zshrc:1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_somebody_else_put_where_anybody_can_says_nothing(home: Path) -> None:
    write(home / ".zshrc", ". ~/shared/x.sh\n. ~/own.sh\n")
    os.chown(write(home / "shared/x.sh", "export KEY=x\n"), 65534, 65534)
    (home / "shared").chmod(0o1777)
    os.chown(write(home / "own.sh", "export KEY=x\n"), 65534, 65534)
    assert exported(home) == "own.sh:1"


def test_a_file_over_a_mebibyte_says_nothing(home: Path) -> None:
    size = 1 << 20
    line = b"export KEY=x\n"
    write(home / ".bashrc", line + b"#" * (size - len(line)))
    write(home / ".zshrc", line + b"#" * (size - len(line) + 1))
    assert exported(home) == ".bashrc:1"


def test_files_that_source_each_other_are_read_once(home: Path) -> None:
    write(home / ".zshrc", ". ~/a\n. ~/.zshrc\nexport KEY=x\n")
    write(home / "a", ". ~/b\nexport KEY=x\n")
    write(home / "b", ". ~/a\n. ~/d/../.zshrc\nexport KEY=x\n")
    assert exported(home) == "b:3 a:2 .zshrc:3"


def test_sources_are_followed_five_deep(home: Path) -> None:
    write(home / ".zshrc", ". ~/1\n")
    for number in range(1, 8):
        write(home / str(number), f"export KEY=x\n. ~/{number + 1}\n")
    assert exported(home) == "1:1 2:1 3:1 4:1 5:1"


def test_a_hundred_files_are_read(home: Path) -> None:
    write(home / ".zshrc", "for f in ~/d/*; do . $f; done\n")
    for number in range(200):
        write(home / f"d/{number:03}", "export KEY=x\n")
    assert len(find(home)) == 99


STRANGE = {
    "NUL": b". ~/a\0b\nsource \0\nexport KEY=\0x\n",
    "no UTF-8": b"# \xff\xfe\n. ~/\xff\nexport KEY=\xff\n",
    "a path that is too long": b". /" + b"x" * 5000 + b"\n. ~/" + b"d/" * 3000 + b"x\nexport KEY=x\n",
    "another user's home": b". ~root/x\nexport KEY=x\n",
    "a pattern that is none": b". ~/[*\n. ~/d/[!\nexport KEY=x\n",
    "many folders": b". /*/*/*/*/*/*\nexport KEY=x\n",
}


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_strange_bytes_hide_nothing(text: bytes, home: Path) -> None:
    for rc in RC.values():
        write(home / rc, text)
    assert {one.shell for one in find(home)} >= {"bash", "zsh", "fish"}
    assert {one.line for one in find(home)} == {text.count(b"\n")}


# ---- files that mean harm

FORKS = "".join(f"f{n}() {{ " + f"f{n + 1}; " * 60 + "}\n" for n in range(9)) + "f0\n"
HARM = {
    "double quotes": '"',
    "single quotes": "'",
    "substitutions": "$(",
    "quoted substitutions": '"$(',
    "closed substitutions": '"$(" ")"',
    "parentheses": "(",
    "arithmetic": "((",
    "arithmetic that is none": "((a) ",
    "parameters": '"${a:-',
    "backticks": "`",
    "backslashes": "\\",
    "lists": "a=(",
    "pattern parentheses": "a(",
    "line ends": "\n",
    "operators": ";&|",
    "here-documents": "<<a\n",
    "here-documents of one line": "<<a ",
    "here-documents in substitutions": "$(<<a\n",
    "blocks": "if { case x in a) ",
    "block ends": "fi } esac )\n",
    "functions": "f() {\n",
    "functions that call": "f() { f; }\nf\n",
    "evals": "eval 'eval \"eval f\"'\n",
    "settings": "export KEY=x\n",
    "variables": "a={b,c}$a$a$a$a\n",
    "globs": ". ~/*x*\n",
    "sources": ". ~/x\n",
    "brackets": "[[ ",
    "fish blocks": "function f\nif\n",
    "here-strings": "@'\n",
    "statements": "if\n",
    "assignments": "$env:KEY=",
    "comments": "<#",
}


@pytest.mark.once
@pytest.mark.parametrize("unit", HARM.values(), ids=HARM)
def test_a_hostile_file_takes_no_time(unit: str, home: Path) -> None:
    for shell in ("bash", "fish", "csh", "powershell"):
        write(home / RC[shell], (unit * 6000)[:12_000])
    started = time.process_time()
    find(home)
    assert time.process_time() - started < 2


def test_a_variable_with_a_billion_meanings_hides_nothing(home: Path) -> None:
    write(home / ".bashrc", f"a={'{b,c}' * 30}\n" * 100)
    write(home / ".zshrc", "export KEY=x\n")
    assert exported(home) == ".zshrc:1"


def test_unmatched_ends_take_no_time(home: Path) -> None:
    write(home / ".bashrc", "{ " * 20_000 + "fi\n" * 20_000)
    started = time.process_time()
    find(home)
    assert time.process_time() - started < 3


def test_functions_that_call_each_other_a_billion_times_end(home: Path) -> None:
    write(home / ".bashrc", FORKS)
    started = time.process_time()
    find(home)
    assert time.process_time() - started < 4


@pytest.mark.once
def test_the_largest_file_ends(home: Path) -> None:
    write(home / ".bashrc", ("export KEY=x\n" * (1 << 20))[: 1 << 20])
    started = time.process_time()
    find(home)
    assert time.process_time() - started < 4


@pytest.mark.once
def test_many_large_files_end(home: Path) -> None:
    write(home / ".bashrc", "for f in ~/d/*; do . $f; done\n")
    for number in range(50):
        write(home / f"d/{number}", f"export KEY=x\n{';a' * 50_000}")
    started = time.process_time()
    assert 1 <= len(find(home)) < 50
    assert time.process_time() - started < 4


WORDS = (
    *("export", "KEY=x", "KEY", "unset", "set", "setenv", "read", "local", "typeset", "emulate", ".", "~/x"),
    *(
        "-x",
        "+x",
        "-o",
        "+o",
        "-a",
        "-e",
        "-gx",
        "-c",
        "--",
        "-",
        "$env:KEY",
        "=",
        "$null",
        "Remove-Item Env:KEY",
    ),
    *("for", "f", "in", "do", "(", ")", "{", "}", "{a,b}", "${", "function", "switch", "end", "then", "else"),
    *("HOME=$(x)", "ZDOTDIR=$x", "HOME", "case", "x", "esac", "&&", "|"),
    *("SETUVAR", "--export", "KEY:x", "é", " ", "\n", "\t", ";", "\0", "\udcff"),
)
PIECES = st.sampled_from([*HARM.values(), *WORDS, " ", " ", "\n", "\n"])


@pytest.mark.once
@settings(
    max_examples=amount(60, 1500),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=st.lists(
        PIECES | PIECES | st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=30
    ).map("".join)
)
def test_nothing_raises(text: str, home: Path) -> None:
    data = text.encode(errors="surrogateescape")
    for rc in (*RC.values(), ".config/fish/fish_variables", "x"):
        write(home / rc, data)
    for one in find(home, "KEY", "f"):
        assert 1 <= one.line <= data.count(b"\n") + 1
