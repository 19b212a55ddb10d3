"""A token that was found, kept where a profile can refer to it: in the keyring, or in a file of its own."""

from __future__ import annotations

from kimi_profiles.credentials import keep_in_keyring
from kimi_profiles.errors import UsageError
from kimi_profiles.files import create_file, make_folder, remove_file, take_snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from kimi_profiles.importing.recognize import Proposal

__all__ = ["file_reference", "forget_file", "keep_in_file", "keep_in_service", "keyring_reference"]


def keyring_reference(service: str, name: str) -> dict[str, str]:
    """What a profile says of an entry of the keyring; its user name is the profile's."""
    if not service:
        raise UsageError("--keyring is empty")
    return {"keyring": service, "username": name}


def file_reference(path: Path, *, home: Path) -> dict[str, str]:
    """What a profile says of a file; below the home in a form that holds on another machine too."""
    text = f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("the path of the token's file cannot be written in UTF-8") from None
    return {"file": text}


def keep_in_service(service: str, proposal: Proposal) -> None:
    """Put the token into the keyring; the same one may be there already.

    Raises:
        TokenUnavailableError: There is no keyring, or it holds another token there.
    """
    if proposal.token is not None:
        keep_in_keyring(service, proposal.name, proposal.token)


def keep_in_file(path: Path, proposal: Proposal) -> None:
    """Put the token into a new file, mode 0600.

    Raises:
        UsageError: There is such a file already; it is never written over.
        NotPermittedError: The file system does not allow it.
    """
    if proposal.token is None:
        return
    make_folder(path.parent)
    if not create_file(path, f"{proposal.token.reveal()}\n".encode()):
        raise UsageError(
            "the token's file is there already", hint="name another one, or refer to that one yourself"
        ).at(path)


def forget_file(path: Path) -> None:
    """Take away what :func:`keep_in_file` made."""
    remove_file(take_snapshot(path))
