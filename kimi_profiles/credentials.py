"""Follow a token reference to the token: environment, file, command or keyring."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from kimi_profiles.errors import Notice, TokenUnavailableError
from kimi_profiles.files import read_file
from kimi_profiles.secrets import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kimi_profiles.profile import Profile, TokenRef

__all__ = ["is_below_home", "keep_in_keyring", "read_token", "token_file", "token_notices"]

_MAX_FILE_BYTES = 64 << 10
_COMMAND_TIMEOUT_S = 60.0


class NoEntryError(TokenUnavailableError):
    """The keyring works, and holds nothing there."""


def read_token(
    profile: Profile,
    *,
    env: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> Secret:
    """The token of ``profile``.

    Args:
        profile: Its ``token`` says where to look.
        env: The process environment; ``os.environ`` if left out.
        home: What ``~`` means in the path of a token file; the user's home if left out.

    Raises:
        TokenUnavailableError: The reference leads nowhere. The message names the reference, never the token.
    """
    reference = profile.token
    if reference is None:
        raise TokenUnavailableError(
            f"profile {profile.name} does not say where its token is",
            hint='set auth.token, for example to { env = "MY_API_KEY" }',
        )
    if reference.kind == "fixed":
        return Secret(reference.value)
    if reference.kind == "env":
        return _from_env(reference.value, os.environ if env is None else env)
    if reference.kind == "file":
        return _from_file(token_file(reference, profile, home=home))
    if reference.kind == "command":
        return _from_command(reference.arguments)
    return _from_keyring(reference.value, reference.arguments[0] if reference.arguments else None)


def token_notices(profile: Profile, *, home: Path | None = None) -> list[Notice]:
    """What is odd about where the token is kept: a file that others can read."""
    if profile.token is None or profile.token.kind != "file" or os.name == "nt":
        return []
    path = token_file(profile.token, profile, home=home)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return []
    if not mode & (stat.S_IRGRP | stat.S_IROTH):
        return []
    import shlex

    message = f"the token file {path} can be read by others (mode {mode:04o})"
    return [Notice("token-file-readable", message, f"chmod 600 {shlex.quote(str(path))}")]


def keep_in_keyring(service: str, username: str, token: Secret) -> bool:
    """Put a token into the keyring, never over another one.

    Returns:
        Whether it had to be put there; ``False`` where the same one was there already.

    Raises:
        TokenUnavailableError: There is no keyring, it cannot be used, or it holds another token there.
    """
    try:
        there = _from_keyring(service, username)
    except NoEntryError:
        pass
    else:
        if there == token:
            return False
        raise TokenUnavailableError(
            f"the keyring holds another token for {username!a} at {service!a}",
            hint="name another service, or take that entry out first",
        )
    import keyring

    try:
        keyring.set_password(service, username, token.reveal())
    except Exception as error:  # noqa: BLE001 - as in _from_keyring
        raise TokenUnavailableError(
            f"the keyring does not take it: {type(error).__name__}",
            hint="unlock it, or keep the token elsewhere",
        ) from None
    if _from_keyring(service, username) != token:
        raise TokenUnavailableError("the keyring does not give back what was put into it")
    return True


def _from_env(name: str, env: Mapping[str, str]) -> Secret:
    value = env.get(name, "").strip()
    if not value:
        how = f"$env:{name} = '…'" if os.name == "nt" else f"export {name}=…"
        state = "empty" if name in env else "not set"
        raise TokenUnavailableError(
            f"the variable {name} is {state}", hint=f"{how} in the shell that runs this, then try again"
        )
    return Secret(value, source=f"the value of {name}")


def token_file(reference: TokenRef, profile: Profile, *, home: Path | None) -> Path:
    """The path that the reference means: from the home, or from the folder of the file that declares it."""
    text = reference.value
    if _is_below_home(text):
        return (home or Path.home()) / text[2:].lstrip("/\\")
    return (Path(profile.source).parent if profile.source else Path()) / text


def is_below_home(reference: TokenRef) -> bool:
    """Whether the reference means another file in each home."""
    return reference.kind == "file" and _is_below_home(reference.value)


def _is_below_home(text: str) -> bool:
    return text == "~" or text.startswith(("~/", "~\\"))


def _from_file(path: Path) -> Secret:
    data = read_file(path, limit_bytes=_MAX_FILE_BYTES)
    if data is None:
        raise TokenUnavailableError("there is no such token file", path=path)
    try:
        return Secret(data.decode("utf-8-sig").strip(), source="the content of the token file")
    except UnicodeDecodeError:
        raise TokenUnavailableError("the token file is not UTF-8", path=path) from None
    except TokenUnavailableError as error:
        raise error.at(path) from None


def _from_command(command: tuple[str, ...]) -> Secret:
    """Run the command without a shell; its standard error goes to ours, so that it can ask for a password."""
    import subprocess

    program = command[0]
    has_terminal = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    stdin = None if has_terminal else subprocess.DEVNULL
    try:
        run = subprocess.run(
            command, stdin=stdin, stdout=subprocess.PIPE, timeout=_COMMAND_TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise TokenUnavailableError(f"the token command {program!a} is not installed") from None
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise TokenUnavailableError(f"the token command {program!a} cannot be started: {reason}") from None
    except subprocess.TimeoutExpired:
        raise TokenUnavailableError(
            f"the token command {program!a} did not answer in {_COMMAND_TIMEOUT_S:.0f} s"
        ) from None
    if run.returncode != 0:
        status = f"exit status {run.returncode}" if run.returncode > 0 else f"signal {-run.returncode}"
        raise TokenUnavailableError(
            f"the token command {program!a} failed with {status}",
            hint="run it by itself in a terminal and see what it says",
        )
    return Secret(
        run.stdout.decode("utf-8", "replace").strip(), source=f"the output of the token command {program!a}"
    )


def _from_keyring(service: str, username: str | None) -> Secret:
    try:
        import keyring
        from keyring.backends.fail import Keyring as NoKeyring
    except ImportError:
        raise TokenUnavailableError(
            "the keyring package is not installed", hint="pip install 'kimi-profiles[keyring]'"
        ) from None
    try:
        is_there = not isinstance(keyring.get_keyring(), NoKeyring)
        credential = keyring.get_credential(service, username) if is_there else None
    # Whatever a backend raises: KeyringError, its own bus's errors, ImportError for one that is not there.
    except Exception as error:  # noqa: BLE001
        raise TokenUnavailableError(
            f"the keyring cannot be used: {type(error).__name__}",
            hint="unlock it, or choose another kind of token reference",
        ) from None
    if not is_there:
        raise TokenUnavailableError("there is no keyring here", hint="choose another kind of token reference")
    if credential is None or not credential.password:
        import shlex

        who = f" for {username!a}" if username else ""
        hint = f"keyring set {shlex.quote(service)} {shlex.quote(username or 'USERNAME')}"
        if username is None:  # the keyrings of macOS and KDE among them
            hint += ", and set auth.token.username: some keyrings find nothing without it"
        raise NoEntryError(f"the keyring has no entry {service!a}{who}", hint=hint)
    return Secret(credential.password.strip(), source=f"the keyring entry {service!a}")
