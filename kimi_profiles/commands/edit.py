"""Open the file with your profiles in your editor: $VISUAL, else $EDITOR, else vi (notepad on Windows).

It opens a private copy. What you save is checked, and takes the place of the file only if all of it is valid.
If it is not, the fault is shown with line and column; on a terminal you can go back to it, otherwise the copy
stays where it is said. With NAME many editors begin at that profile.

  kimi-profiles edit
  kimi-profiles edit work
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from kimi_profiles._version import SCHEMA
from kimi_profiles.commands.init import TEMPLATE
from kimi_profiles.editing.file import install_store
from kimi_profiles.editing.profiles import profile_key
from kimi_profiles.errors import (
    NotFoundError,
    ProfileInvalidError,
    ProfileNotFoundError,
    ProfilesError,
    UsageError,
)
from kimi_profiles.files import PRIVATE, make_folder, read_file
from kimi_profiles.paths import find_places
from kimi_profiles.report import short_path, tell_error
from kimi_profiles.store import MAX_SIZE_BYTES, ProfileStore
from kimi_profiles.tomltext import key_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from kimi_profiles.call import Call

USAGE = "[NAME] "
_TAKES_LINE = {"vi", "vim", "nvim", "nano", "pico", "emacs", "emacsclient", "micro", "joe"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="where to begin")


def run(call: Call) -> int:
    """Edit the file."""
    path, name = call.own_store_path(), call.args.name
    before = read_file(path, limit_bytes=MAX_SIZE_BYTES)
    start = TEMPLATE.encode() if before is None else before
    command = _editor()
    if name is not None:
        line = _line_of(path, start, name)
        command += [f"+{line}"] if Path(command[0]).stem in _TAKES_LINE else []
    with _private_copy(call, path.name, start) as copy:
        after = _edited(call, command, copy, start)
        is_changed = after != start
        if is_changed:
            timeout_s = call.args.lock_timeout
            install_store(path, after, expected=before, timeout_s=timeout_s, home=call.home)
    facts = {"profile": name, "path": str(path), "changed": is_changed, "dry_run": False, "warnings": []}
    call.answer({"schema": SCHEMA, "ok": True, "command": "edit", **facts})
    call.say(*([("saved ", "good"), short_path(path)] if is_changed else ["nothing changed"]))
    return 0


def _editor() -> list[str]:
    """The program and its arguments.

    Raises:
        UsageError: They cannot be told apart.
        NotFoundError: There is no such program.
    """
    fallback = "notepad" if os.name == "nt" else "vi"
    line = os.environ.get("VISUAL") or os.environ.get("EDITOR") or fallback
    hint = "set VISUAL or EDITOR to your editor, such as: export EDITOR=nano"
    try:
        words = shlex.split(line, posix=os.name != "nt")
    except ValueError:
        words = []
    if not words:
        raise UsageError(f"{line!a:.80} does not name an editor", hint=hint)
    if shutil.which(words[0]) is None:
        raise NotFoundError(f"there is no editor {words[0]!a:.80}", hint=hint)
    return words


def _line_of(path: Path, data: bytes, name: str) -> int:
    """The line where profile ``name`` begins; 1 in a file that is invalid."""
    try:
        store = ProfileStore.read(path, data)
    except ProfileInvalidError:
        return 1
    if name not in set(store):
        raise ProfileNotFoundError(
            f"there is no profile {name!a:.80}", hint="see: kimi-profiles list", path=path
        )
    place = next(offset for key, offset in key_places(store.text) if key == profile_key(name))
    return store.text.count("\n", 0, place) + 1


@contextlib.contextmanager
def _private_copy(call: Call, name: str, data: bytes) -> Iterator[Path]:
    """A copy in a folder of its own, mode 0700; on an error it stays if there are changes in it."""
    state = find_places(home=call.home).state
    make_folder(state)
    copy = Path(tempfile.mkdtemp(prefix="edit-", dir=state)) / name
    with os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as file:
        file.write(data)
    is_kept = False
    try:
        yield copy
    except BaseException as error:
        with contextlib.suppress(ProfilesError):
            is_kept = read_file(copy) not in {None, data}
        kept = f"what you wrote is kept in {copy}"
        if is_kept and isinstance(error, ProfilesError):
            advice = error.hint if isinstance(error, ProfileInvalidError) else None
            error.hint = (
                f"{advice}; nothing was changed; {kept}" if advice else f"nothing was changed; {kept}"
            )
        elif is_kept:  # a signal, which carries no hint
            call.err.line(("hint: ", "dim"), kept, hang=6)
        raise
    finally:
        if not is_kept:
            shutil.rmtree(copy.parent, ignore_errors=True)


def _edited(call: Call, command: list[str], copy: Path, start: bytes) -> bytes:
    """What the person made of the copy, which is valid; ``start`` if nothing, or if it was discarded."""
    while True:
        _run(command, copy, is_json=call.is_json)
        after = read_file(copy)
        if after is None or after == start:
            return start
        fault = _fault(copy, after)
        if fault is None:
            return after
        if call.is_json or sys.stdin is None or not sys.stdin.isatty():
            raise fault
        tell_error(call.err, fault)
        if not _wants_to_go_on(fault):
            return start


def _run(command: list[str], copy: Path, *, is_json: bool) -> None:
    try:
        with _interrupts_are_the_editors():
            status = subprocess.run(
                [*command, str(copy)], stdout=2 if is_json else None, check=False
            ).returncode
    except OSError as error:
        raise NotFoundError(f"the editor cannot be started: {os.strerror(error.errno or 0)}") from None
    if status != 0:
        raise ProfilesError(f"the editor failed with exit status {status}", hint="nothing was changed")


@contextlib.contextmanager
def _interrupts_are_the_editors() -> Iterator[None]:
    """Ctrl-C is meant for the editor, and must not end us before it."""
    try:
        earlier = signal.signal(
            signal.SIGINT, lambda *_: None
        )  # unlike SIG_IGN, the editor does not inherit it
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)


def _fault(copy: Path, data: bytes) -> ProfileInvalidError | None:
    """The first one in the whole file."""
    if len(data) > MAX_SIZE_BYTES:
        return ProfileInvalidError(f"the file is larger than {MAX_SIZE_BYTES >> 20} MiB", path=copy)
    try:
        return next(iter(ProfileStore.read(copy, data).check()), None)
    except ProfileInvalidError as error:
        return error


def _wants_to_go_on(fault: ProfileInvalidError) -> bool:
    while True:
        sys.stderr.write("edit again (e), or discard what you wrote (d)? ")
        sys.stderr.flush()
        answer = sys.stdin.readline(80)
        if not answer:
            raise fault
        if answer.strip().lower() in {"e", "edit", "d", "discard"}:
            return answer.strip().lower().startswith("e")
