"""Shell code for start-up files: a profile whose token is looked up when the shell starts. Pure.

The code works under ``set -eu``, changes nothing but the profile's variables, and never sets a base URL
without a token. Beside POSIX's words it needs ``[ -nt ]``, ``[ -ef ]`` and ``[ -O ]``, which dash, bash, zsh,
fish and busybox have; tests/shells/test_env.py runs it in the first four.
"""

from __future__ import annotations

from kimi_profiles.digests import sha256
from kimi_profiles.errors import InvalidError, TokenUnavailableError, UsageError
from kimi_profiles.screen import visible
from kimi_profiles.shells import INTERACTIVE, fish_quote, posix_quote, render
from kimi_profiles.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kimi_profiles.profile import Profile, TokenRef

__all__ = ["Kept", "by_reference", "kept_name", "snippet"]

_PROGRAM = "kimi-profiles"
_LOADER = "_kimi_profiles_load"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a kept text depends on. Not noticed: a file that is replaced by one with an older date.

    Attributes:
        present: Files that were there, and than which the text has to be newer; each with the file behind its
            links, which has to stay the same: what takes its place may well be older, as with Nix.
        absent: Files that were not there, and must not be.
    """

    present: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


def by_reference(
    profile: Profile,
    variables: Mapping[str, str | None],
    shell: str,
    *,
    token_file: str | None = None,
    token_command: Sequence[str] = (),
    kept: Kept | None = None,
) -> str:
    """Code that sets ``variables``, but takes the token from where the profile says it is, at that time.

    If there is no token, or what is there cannot be one, all of them are unset, and one line on standard
    error says so. What a token is made of is decided as :class:`~kimi_profiles.secrets.Secret` does it.

    Args:
        profile: Its ``token`` says where to look.
        variables: As for :func:`~kimi_profiles.shells.render`; the value of the credential is not looked at.
        shell: ``sh``, ``bash``, ``zsh`` or ``fish``.
        token_file: Absolute path, for a reference to a file.
        token_command: Command line that prints the token, for a reference to the keyring.
        kept: For a text that is kept in a file, to be sourced with its own path as the first argument: it
            first looks whether it is still true, unless the second argument is ``new``. If it is not, nothing
            is set; fish gets the status 1, the others ``old`` as the first argument.

    Raises:
        UsageError: No code for this shell.
        TokenUnavailableError: The profile does not say where its token is.
        InvalidError: A value that cannot be said in this shell; or the token is in a variable that must not
            be set beside the credential, so that a shell inside the shell would not find it.
    """
    _check_shell(shell)
    reference = profile.token
    if reference is None:
        raise TokenUnavailableError(f"profile {profile.name} does not say where its token is")
    name = profile.auth_variable
    rest = {other: value for other, value in variables.items() if other != name}
    if reference.kind == "env" and reference.value in rest:
        raise InvalidError(
            f"{reference.value} holds the token, and must not be set beside {name}",
            hint=f"keep the token in a variable of another name, or in {name} itself",
        )
    command = reference.arguments if reference.kind == "command" else tuple(token_command)
    nothing = render(
        {**dict.fromkeys(other for other, value in rest.items() if value is not None), name: None}, shell
    )
    message = f"{_PROGRAM}: profile {profile.name} is not loaded: {_missing(reference, token_file)}"
    parts = _Parts(name, reference, token_file or "", command, nothing, render(rest, shell), message)
    return _fish(parts, kept) if shell == "fish" else _posix(parts, kept)


def snippet(profile_name: str, shell: str, *, kept_in: str, arguments: Sequence[str]) -> str:
    """Code for a start-up file that loads what :func:`by_reference` gives, and keeps it in a file.

    Args:
        profile_name: For the comment.
        shell: As there.
        kept_in: Absolute path of that file; its folder is made private.
        arguments: Command line that prints the code.
    """
    _check_shell(shell)
    about = f"# Profile {profile_name}. Python starts only when the profile, or {_PROGRAM} itself, changed.\n"
    quote = fish_quote if shell == "fish" else posix_quote
    words = " ".join(map(quote, (kept_in, *arguments)))
    renewal = quote(_RENEWAL)
    return about + (_FISH_LOADER if shell == "fish" else _POSIX_LOADER).format(
        loader=_LOADER, renewal=renewal, words=words
    )


def kept_name(profile_name: str, arguments: Sequence[str]) -> str:
    """Name of the file in which the code is kept: another one for other arguments."""
    digest = sha256("\0".join(arguments).encode("utf-8", "surrogateescape"))[:12]
    return f"{profile_name}-{digest}"


@dataclass(frozen=True, slots=True)
class _Parts:
    name: str
    reference: TokenRef
    file: str
    command: tuple[str, ...]
    nothing: str
    rest: str
    message: str


def _check_shell(shell: str) -> None:
    if shell not in INTERACTIVE:
        raise UsageError(f"there is no such code for {shell}", hint=f"choose one of {', '.join(INTERACTIVE)}")


def _missing(reference: TokenRef, file: str | None) -> str:
    where = {
        "env": f"the variable {reference.value}",
        "file": f"the file {visible(file or '')}",
        "command": "the token command",
        "keyring": "the keyring",
    }
    return f"{where.get(reference.kind, 'the profile')} gives no token"


# ---- sh, bash, zsh

# Printable ASCII but the blank, one by one: a range would depend on the language of the session.
_POSIX_TOKEN = "]" + "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "]-!^") + "^!-"


def _posix(parts: _Parts, kept: Kept | None) -> str:
    name, quoted = parts.name, posix_quote
    lines = []
    if kept is not None:
        tests = [f'[ "$1" -nt {quoted(path)} ]' for path in kept.present]
        tests += [f"[ {quoted(path)} -ef {quoted(real)} ]" for path, real in kept.present.items()]
        tests += [f"[ ! -e {quoted(path)} ]" for path in kept.absent]
        # Not `return 1`, on which dash exits with -e, although it stands behind an `if`.
        fresh = " && ".join(["true", *tests])
        lines.append(f'[ "${{2-}}" = new ] || {{ {fresh}; }} || {{ set -- old "$@"; return 0; }}')
    lines += [
        *_posix_token(parts),
        f'{name}=${{{name}#"${{{name}%%[![:space:]]*}}"}}',
        f'{name}=${{{name}%"${{{name}##*[![:space:]]}}"}}',
        f"case ${name} in",
        f"'' | *[!{quoted(_POSIX_TOKEN)}]*)",
        f"{parts.nothing}printf '%s\\n' {quoted(parts.message)} >&2",
        ";;",
        "*)",
        f"{parts.rest};;",
        "esac",
    ]
    return "\n".join(lines) + "\n"


def _posix_token(parts: _Parts) -> list[str]:
    name, reference, quoted = parts.name, parts.reference, posix_quote
    if reference.kind == "env":
        return [f'export {name}="${{{reference.value}-}}"']
    if reference.kind == "fixed":
        return [f"export {name}={quoted(reference.value)}"]
    if reference.kind == "file":
        file = quoted(parts.file)
        return [
            f"export {name}=",
            f"if [ -f {file} ] && [ -r {file} ]; then",
            f'while IFS= read -r REPLY || [ -n "$REPLY" ]; do {name}="${name} $REPLY"; done <{file}',
            f"unset -v REPLY; {name}=${{{name}#' \ufeff'}}",
            "fi",
        ]
    # Not a function or an alias of that name; what fails leaves nothing.
    return [f'export {name}="$(command {" ".join(map(quoted, parts.command))})" || :']


# Its arguments are the loader's. The text gets the time at which its making began: what changed meanwhile is
# newer than that.
_RENEWAL = """\
kept=$1
shift
give_up() {
  printf "kimi-profiles: no profile is loaded: %s\\n" "$(printf %s "$1" | tr -d "[:cntrl:]")" >&2
  exit 1
}
command -v "$1" >/dev/null || give_up "$1 is not installed, or not on the PATH"
unset KIMI_PROFILES_STORE
umask 077
trap "exit 1" HUP INT TERM
trap "rm -f \\"\\$kept.$$\\" \\"\\$kept.$$.new\\"" EXIT
{ mkdir -p "${kept%/*}" && chmod 700 "${kept%/*}" && : >"$kept.$$"; } 2>/dev/null ||
  give_up "${kept%/*} cannot be written"
"$@" >"$kept.$$.new" && touch -r "$kept.$$" "$kept.$$.new" && mv -f "$kept.$$.new" "$kept"
"""

_POSIX_LOADER = """\
{loader}() {{
  if [ -f "$1" ] && [ -O "$1" ] && [ -r "$1" ]; then . "$1"; else set -- old "$@"; fi
  if [ "$1" != old ]; then return 0; fi
  shift
  command sh -c {renewal} sh "$@" || return 0
  set -- "$1" new
  . "$1"
}}
{loader} {words} || :
unset -f {loader}
"""


# ---- fish

_FISH_LOADER = """\
function {loader}
    test -f $argv[1]; and test -O $argv[1]; and test -r $argv[1]; and source $argv[1] $argv[1]; and return
    command sh -c {renewal} sh $argv; or return 0
    source $argv[1] $argv[1] new
end
{loader} {words}
functions -e {loader}
"""


def _fish(parts: _Parts, kept: Kept | None) -> str:
    name, quoted = parts.name, fish_quote
    lines = [
        *_fish_token(parts),
        f'set -gx {name} (string trim -- "${name}")',
        f'if string match -qr "\\A[!-~]+\\z" -- "${name}"',
        f"{parts.rest}else",
        f"{parts.nothing}echo {quoted(parts.message)} >&2",
        "end",
    ]
    if kept is not None:
        # To fish 3.6 two files that are not there are one.
        tests = [f"-e {quoted(path)}" for path in kept.present]
        tests += [f"$argv[1] -nt {quoted(path)}" for path in kept.present]
        tests += [f"{quoted(path)} -ef {quoted(real)}" for path, real in kept.present.items()]
        # Older ones have neither -nt nor -ef.
        fresh = ["true", *(f"begin; test {test} 2>/dev/null; or command test {test}; end" for test in tests)]
        fresh += [f"not test -e {quoted(path)}" for path in kept.absent]
        # Not `return`, which would end the loader; and `set` leaves the status as it was.
        first = f'if test "$argv[2]" = new; or begin; {"; and ".join(fresh)}; end'
        lines = [first, *lines, "true", "else", "false", "end"]
    return "\n".join(lines) + "\n"


def _fish_token(parts: _Parts) -> list[str]:
    name, reference, quoted = parts.name, parts.reference, fish_quote
    if reference.kind == "env":
        return [f'set -gx {name} "${reference.value}"']
    if reference.kind == "fixed":
        return [f"set -gx {name} {quoted(reference.value)}"]
    if reference.kind == "file":
        file = quoted(parts.file)
        return [
            f"set -gx {name}",
            f"if test -f {file}; and test -r {file}",
            f"set -gx {name} (string collect <{file})",
            f"set -gx {name} (string replace -r '^\\x{{feff}}' '' -- \"${name}\")",
            "end",
        ]
    return [f"set -gx {name} (command {' '.join(map(quoted, parts.command))} | string collect)"]
