"""Variables as text for each shell and each kind of file. Pure.

What a shell cannot be told exactly is refused, never changed. Source of the rules: POSIX.1-2024, "Shell
Command Language" §2.2.2 and "unset"; fish's manual, "Quotes"; PowerShell's about_Quoting_Rules and
about_Environment_Variables; Microsoft's reference of ``set``, ``setx`` and ``reg delete``, and of how the C
runtime takes a command line apart.
"""

from __future__ import annotations

import json
from pathlib import PurePath

from kimi_profiles.errors import InvalidError, UsageError
from kimi_profiles.patterns import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["INTERACTIVE", "SHELLS", "fish_quote", "guess_shell", "posix_quote", "render", "render_unset"]


# Numbers, read-only and tied variables of bash, zsh, dash or fish: an assignment fails, changes the value, or
# (OPTIND in bash) evaluates it. tests/shells/test_env.py tries every variable that the real shells know.
_OF_THE_SHELL = frozenset(
    """
    _ aliases ARGC argv BASH_ALIASES BASH_ARGC BASH_ARGV BASH_CMDS BASH_COMMAND BASH_LINENO BASH_SOURCE
    BASH_SUBSHELL BASH_VERSINFO BASHOPTS BASHPID builtins cdpath COLUMNS commands DIRSTACK dirstack
    dis_aliases dis_builtins dis_functions dis_functions_source dis_galiases dis_patchars dis_reswords
    dis_saliases EGID EPOCHREALTIME EPOCHSECONDS epochtime EUID fignore fish_kill_signal fish_killring
    fish_pid FISH_VERSION fpath funcfiletrace FUNCNAME FUNCNEST funcsourcetrace funcstack functions
    functions_source functrace galiases GID GROUPS HISTCHARS histchars HISTCMD history historywords
    HISTSIZE hostname IFS jobdirs jobstates jobtexts KEYBOARD_HACK keymaps KEYTIMEOUT LINENO LINES
    LISTMAX MAILCHECK mailpath manpath module_path modules nameddirs OLDPWD OPTIND options parameters
    patchars path PIPESTATUS pipestatus PPID psvar PWD RANDOM reswords saliases SAVEHIST SECONDS
    SHELLOPTS SHLVL signals SRANDOM status status_generation termcap terminfo TRY_BLOCK_ERROR
    TRY_BLOCK_INTERRUPT TTYIDLE UID umask userdirs usergroups USERNAME version WATCH watch widgets
    ZSH_EVAL_CONTEXT zsh_eval_context zsh_scheduled_events ZSH_SUBSHELL
    """.split()  # noqa: SIM905 - a hundred words
)

_POSIX_BYTES = 131_072  # Linux starts no program with NAME=value and its end longer than that: MAX_ARG_STRLEN
_WINDOWS_LENGTH = 32_767
_PIECES = pattern(r"[ -~]+|[^ -~]")
_NOT_IN_CMD = pattern(r'[^ -~]|[%"!]')
_CMD_LINE_LENGTH = 8191
_SETX_LENGTH = 1024
# Nothing in it means anything to sh, bash, zsh (which looks up =x and :=x), python-dotenv, Node or Docker.
_PLAIN = pattern(r"(?!=|.*:=)[A-Za-z0-9_./:@%+=,^*?\[\]{}-]*")


def render(variables: Mapping[str, str | None], shell: str) -> str:
    """Text that sets ``variables``.

    Args:
        variables: Name → value; ``None`` for a variable that shall not be set. Where a file cannot say that
            (``dotenv``, ``vscode``), it is set to nothing.
        shell: One of :data:`SHELLS`.

    Returns:
        Lines, the last one ended. For ``powershell``, ``cmd``, ``setx`` and ``json`` it is ASCII, and each
        line but those of ``json`` is a command by itself.

    Raises:
        UsageError: No such shell.
        InvalidError: A name or a value that cannot be said exactly in this shell. The message has the name.
    """
    writer = _writer(shell)
    for name, value in variables.items():
        _check(name, value, shell)
    return writer(variables)


def render_unset(names: Iterable[str], shell: str) -> str:
    """Text that takes variables away again. Arguments and errors as for :func:`render`."""
    if shell == "vscode":
        return _vscode({})
    return render(dict.fromkeys(names), shell)


def guess_shell(parent: str, env: Mapping[str, str], *, is_windows: bool) -> str:
    """The shell that a process was most likely started from.

    Args:
        parent: The name of the program that started it, where the system tells; else empty.
        env: Its environment: ``SHELL``, and ``PSModulePath``, which PowerShell sets; on Windows everything
            has that one, but only a Unix-like shell sets ``SHELL``.
        is_windows: Whether it runs there.

    Raises:
        UsageError: It is one for which there is no text.
    """
    if parent in _PARENTS:
        return _PARENTS[parent]
    path = env.get("SHELL", "")
    name = PurePath(path.replace("\\", "/")).name.removesuffix(".exe")
    if (is_windows and not name) or (not is_windows and env.get("PSModulePath")):
        return "powershell"
    if name in {"csh", "tcsh", "nu", "elvish", "xonsh", "rc", "es"}:
        raise UsageError(f"there is no text for {name}", hint="choose --shell, for example --shell json")
    return name if name in INTERACTIVE else "sh"


def posix_quote(text: str) -> str:
    """``text`` as one word of sh, bash or zsh; only NUL cannot be one."""
    return "'" + text.replace("'", "'\\''") + "'"


def fish_quote(text: str) -> str:
    """``text`` as one word of fish."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _check(name: str, value: str | None, shell: str) -> None:
    if not (name.isascii() and name.isidentifier()):
        raise InvalidError(f"{name!a:.80} is not the name of a variable")
    if name in _OF_THE_SHELL and shell in {*INTERACTIVE, "dotenv"}:
        raise InvalidError(f"{name} is a variable of the shell's own, which cannot be set to any text")
    if value is None:
        return
    reason = "it holds a NUL character" if "\0" in value else _reason(name, value, shell)
    if reason is None and any("\ud800" <= char <= "\udfff" for char in value):
        reason = "it is not Unicode text"
    if reason is not None:
        raise InvalidError(f"{name} cannot be said to {shell}: {reason}", hint="take another --shell, or run")


def _posix(variables: Mapping[str, str | None]) -> str:
    lines = [f"export {name}={posix_quote(value)}" for name, value in _set(variables)]
    gone = _unset(variables)
    # -v: without it bash takes a function of that name where there is no variable.
    return _lines([f"unset -v {' '.join(gone)}"] if gone else [], lines)


def _fish(variables: Mapping[str, str | None]) -> str:
    lines = [f"set -gx {name} {fish_quote(value)}" for name, value in _set(variables)]
    gone = _unset(variables)
    # A universal variable is the user's for good, and exported unless a global one that is exported hides it.
    hidden = [f"set -qU {name}; and set -gx {name} ''" for name in gone]
    # `set` leaves the status as it was, and `source` hands it on.
    return _lines([f"set -eg {' '.join(gone)}", *hidden, "true"] if gone else [], lines)


def _powershell(variables: Mapping[str, str | None]) -> str:
    lines = [f"$Env:{name} = {_powershell_quote(value)}" for name, value in _set(variables)]
    gone = [f"Remove-Item Env:\\{name} -ErrorAction SilentlyContinue" for name in _unset(variables)]
    return _lines(gone, lines)


def _powershell_quote(text: str) -> str:
    """One line of ASCII, so that neither code page nor ``| Invoke-Expression``, line by line, can harm it.

    That also takes care of the typographic quotation marks, which end a string like ``'`` does.
    """
    parts: list[str] = []
    for piece in _PIECES.findall(text):
        if " " <= piece[0] <= "~":
            parts.append("'" + piece.replace("'", "''") + "'")
        else:
            units = piece.encode("utf-16-le")
            parts += [
                f"[char]0x{int.from_bytes(units[i : i + 2], 'little'):04X}" for i in range(0, len(units), 2)
            ]
    if not parts or not parts[0].startswith("'"):  # the left side decides that + joins text
        parts.insert(0, "''")
    return " + ".join(parts)


def _cmd(variables: Mapping[str, str | None]) -> str:
    lines = [f'set "{name}={value}"' for name, value in _set(variables)]
    return _lines([f'set "{name}="' for name in _unset(variables)], lines)


def _setx(variables: Mapping[str, str | None]) -> str:
    lines = [f"setx {name} {_runtime_quote(value)}" for name, value in _set(variables)]
    gone = [f"reg delete HKCU\\Environment /v {name} /f >nul 2>nul" for name in _unset(variables)]
    return _lines(gone, lines)


def _runtime_quote(text: str) -> str:
    """Backslashes count only in front of the closing quotation mark; there each is written twice."""
    ending = len(text) - len(text.rstrip("\\"))
    return '"' + text + "\\" * ending + '"'


def _dotenv(variables: Mapping[str, str | None]) -> str:
    """Without quotation marks, which Docker takes for a part of the value."""
    return _lines([f"{name}={value or ''}" for name, value in variables.items()])


def _json(variables: Mapping[str, str | None]) -> str:
    return json.dumps(dict(variables), indent=2) + "\n"


def _vscode(variables: Mapping[str, str | None]) -> str:
    """For the official extension of Claude Code; an empty value hides what VS Code was started with."""
    entries = [{"name": name, "value": value or ""} for name, value in variables.items()]
    return json.dumps({"claudeCode.environmentVariables": entries}, indent=2) + "\n"


_WRITERS: dict[str, Callable[[Mapping[str, str | None]], str]] = {
    "sh": _posix,
    "bash": _posix,
    "zsh": _posix,
    "fish": _fish,
    "powershell": _powershell,
    "cmd": _cmd,
    "setx": _setx,
    "dotenv": _dotenv,
    "json": _json,
    "vscode": _vscode,
}
SHELLS = tuple(_WRITERS)
"""What :func:`render` knows."""
INTERACTIVE = ("sh", "bash", "zsh", "fish")
# Names of processes. A login shell has a hyphen before its name in its arguments, not here.
_PARENTS = {name: name for name in ("sh", "bash", "zsh", "fish")} | {
    "dash": "sh",
    "ash": "sh",
    "pwsh": "powershell",
}
"""Those of them with a start-up file that we have text for."""


def _writer(shell: str) -> Callable[[Mapping[str, str | None]], str]:
    if shell not in _WRITERS:
        raise UsageError(f"there is no text for {shell!a:.80}", hint=f"choose one of {', '.join(SHELLS)}")
    return _WRITERS[shell]


def _refuse_for_posix(name: str, value: str) -> str | None:
    if len(f"{name}={value}\0".encode()) > _POSIX_BYTES:
        return f"with more than {_POSIX_BYTES} bytes in a variable no program can be started"
    return None


def _refuse_for_windows(name: str, value: str) -> str | None:
    """Before PowerShell 7.5 an empty value takes the variable away; cmd and setx know none."""
    if not value:
        return "there it would be the same as not to set it"
    if len(f"{name}={value}\0".encode("utf-16-le")) > _WINDOWS_LENGTH * 2:
        return f"a variable of Windows has at most {_WINDOWS_LENGTH} characters"
    return None


def _refuse_for_cmd(name: str, value: str) -> str | None:
    """``%`` is doubled in a batch file and cannot be written at the prompt; ``!`` depends on the session.

    Beyond ASCII the code page of the console decides what arrives.
    """
    if _NOT_IN_CMD.search(value):
        return 'it holds a line end, a character outside ASCII, or one of % " !'
    if len(f'set "{name}={value}"') > _CMD_LINE_LENGTH:
        return f"a line has at most {_CMD_LINE_LENGTH} characters"
    return _refuse_for_windows(name, value)


def _refuse_for_setx(name: str, value: str) -> str | None:
    if len(value) > _SETX_LENGTH:
        return f"it is cut after {_SETX_LENGTH} characters"
    if value.startswith(("/", "-")):
        return "it begins like an option"
    return _refuse_for_cmd(name, value)


def _refuse_for_dotenv(name: str, value: str) -> str | None:
    if _PLAIN.fullmatch(value) is None:
        return "sh, python-dotenv, Node and Docker read blanks, quotation marks and the like differently"
    return _refuse_for_posix(name, value)


_REASONS: dict[str, Callable[[str, str], str | None]] = {
    **dict.fromkeys(INTERACTIVE, _refuse_for_posix),
    "powershell": _refuse_for_windows,
    "cmd": _refuse_for_cmd,
    "setx": _refuse_for_setx,
    "dotenv": _refuse_for_dotenv,
}


def _reason(name: str, value: str, shell: str) -> str | None:
    """Why it cannot be said; ``None`` if it can."""
    if "\0" in value:
        return "it holds a NUL character"
    if any("\ud800" <= char <= "\udfff" for char in value):
        return "it is not Unicode text"
    return _REASONS[shell](name, value) if shell in _REASONS else None


def _set(variables: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in variables.items() if value is not None)


def _unset(variables: Mapping[str, str | None]) -> list[str]:
    return [name for name, value in variables.items() if value is None]


def _lines(*groups: Iterable[str]) -> str:
    return "".join(f"{line}\n" for group in groups for line in group)
