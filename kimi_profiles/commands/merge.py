"""A filter: settings on standard input, the same settings with a profile in them on standard output.

No file is touched, neither Claude Code's nor ours. Every character that is not the profile's stays; merged
again, nothing changes. The result is what `apply --settings FILE` would make of such a file: variables that
would bring a second credential, or lead elsewhere, are masked with "", whether anything sets them or not.
With inline delivery it holds the token; --helper puts a command that prints it in its place.

  kimi-profiles merge work < settings.json > settings.new
  kimi-profiles merge work --without home < settings.json > settings.new

--without takes another profile out first, as `unmerge` does. With --record FILE that is not needed: what an
earlier merge put in goes, and `unmerge NAME --record FILE` gives back all that was there before, also what
was replaced. With --json the answer says what would change, and FILE is left alone.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

from kimi_profiles._version import SCHEMA
from kimi_profiles.claude import MASKABLE
from kimi_profiles.credentials import read_token, token_notices
from kimi_profiles.endpoint import check_token, profile_notices
from kimi_profiles.errors import LedgerInvalidError, Notice, NotPermittedError, TargetInvalidError, UsageError
from kimi_profiles.files import MAX_SIZE_BYTES, Snapshot
from kimi_profiles.merge import helper_command, merge_text, record_ahead, unmerge_profile
from kimi_profiles.paths import find_places
from kimi_profiles.recordfile import RecordFile
from kimi_profiles.report import changes_json
from kimi_profiles.targets import decode, encode
from kimi_profiles.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence
    from typing import Any

    from kimi_profiles.call import Call
    from kimi_profiles.merge import MergedText
    from kimi_profiles.profile import Profile

USAGE = "NAME "

STDIN = Path("<stdin>")
"""How the errors call standard input."""


def add_delivery_arguments(parser: argparse.ArgumentParser) -> None:
    """What ``merge`` and ``render`` have in common."""
    parser.add_argument("name", metavar="NAME", help="a profile of yours, or a provider")
    parser.add_argument(
        "--helper", action="store_true", help="a command that prints the token, in place of the token"
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_delivery_arguments(parser)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--record", metavar="FILE", help="keep what was there before in this file")
    way.add_argument(
        "--without", metavar="NAME", action="append", default=[], help="take this profile out first"
    )


def run(call: Call) -> int:
    """Merge standard input, and print the result."""
    path = call.path("--record", call.args.record)
    text = read_input("merge")
    kept = None if path is None else RecordFile(path)
    profile = chosen_profile(call)
    merged = merge_profile(call, profile, text, kept, without=call.args.without)
    answer(call, "merge", merged, changed=merged.text != text, notices=notices(call, profile))
    if call.is_json:
        return 0
    if kept is not None:  # before the text: whoever has the one must have the other
        kept.write(record_ahead(text, kept.record, merged), merged.base)
    print_text(merged.text)
    return 0


def chosen_profile(call: Call) -> Profile:
    """The profile that the arguments name, with a helper if they say so."""
    profile = call.store()[call.args.name]
    return replace(profile, delivery="helper") if call.args.helper else profile


def merge_profile(
    call: Call, profile: Profile, text: str, kept: RecordFile | None = None, *, without: Sequence[str] = ()
) -> MergedText:
    """``text`` with ``profile`` in it, and those called ``without`` not, wherever it may end up."""
    token = helper = None
    if profile.delivery == "helper":
        is_usual = profile.source is None or Path(profile.source) == find_places(home=call.home).store
        helper = helper_command(profile, store=None if is_usual else profile.source)
    else:
        token = read_token(profile, home=call.home)
        check_token(profile.base_url, token)
    others = [call.store()[name] for name in without]
    try:
        for other in others:
            text = unmerge_profile(text, other).text
        return merge_text(
            text,
            profile,
            token=None if token is None else token.reveal(),
            record=None if kept is None else kept.record,
            base=None if kept is None else kept.base,
            supplied=MASKABLE,
            helper=helper,
        )
    except TargetInvalidError as error:
        raise error.at(STDIN) from None
    except LedgerInvalidError as error:
        raise error if kept is None else error.at(kept.path) from None


def notices(call: Call, profile: Profile) -> list[Notice]:
    """What is odd about the profile, and about where its token goes."""
    found = [*profile_notices(profile), *token_notices(profile, home=call.home)]
    if profile.delivery == "helper" and shutil.which("kimi-profiles") is None:
        message = "the helper is the command kimi-profiles, which is not on the PATH here"
        found.append(Notice("helper-not-found", message, "install it with: pipx install kimi-profiles"))
    mode = _output_mode()
    if profile.delivery == "inline" and not call.is_json and mode & 0o077:
        message = f"the token goes into a file that others can read (mode {mode:04o})"
        found.append(Notice("output-readable", message, "chmod 600 that file, or `umask 077` before"))
    return found


def read_input(command: str) -> str:
    """The text on standard input.

    Raises:
        UsageError: It is a terminal, or the file that standard output overwrites.
        NotPermittedError: It is larger than any settings file may be.
        TargetInvalidError: It is not UTF-8.
    """
    example = f"kimi-profiles {command} NAME < settings.json > settings.new"
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(f"{command} reads settings from standard input", hint=f"for example: {example}")
    if _is_overwritten():
        raise UsageError(
            "standard input and output are the same file, which the shell empties before it is read",
            hint=f"for example: {example} && mv settings.new settings.json",
        )
    data = sys.stdin.buffer.read(MAX_SIZE_BYTES + 1)
    if len(data) > MAX_SIZE_BYTES:
        raise NotPermittedError(f"the input is larger than {MAX_SIZE_BYTES >> 20} MiB", path=STDIN)
    return decode(Snapshot(STDIN, STDIN, data, None)) or ""


def answer(call: Call, command: str, merged: MergedText, *, changed: bool, notices: Iterable[Notice]) -> None:
    """Say what differs: with ``--json`` as the object, else what is odd, on standard error."""
    notices = list(notices)
    body: dict[str, Any] = {"schema": SCHEMA, "ok": True, "command": command, "profile": call.args.name}
    call.answer(
        body
        | {"changed": changed, **changes_json(merged.actions, merged.drift)}
        | {"warnings": [notice.to_json() for notice in notices]}
    )
    if call.is_json or call.is_quiet:
        return
    for drift in merged.drift:
        fate = "left as it is" if drift.is_kept else "replaced; their value comes back at unmerge"
        call.err.line(("  ! ", "change"), f"{drift.pointer} was changed since by somebody else: {fate}")
    call.warn(notices)


def print_text(text: str) -> None:
    """Print ``text`` to standard output, byte for byte."""
    sys.stdout.flush()
    sys.stdout.buffer.write(encode(text) or b"")


def _output_mode() -> int:
    """Permission bits of the file that standard output goes to; 0 where there is none, or no such bits."""
    status = _status(sys.stdout)
    return 0 if status is None or os.name == "nt" else stat.S_IMODE(status.st_mode)


def _is_overwritten() -> bool:
    one, other = _status(sys.stdin), _status(sys.stdout)
    return one is not None and other is not None and os.path.samestat(one, other)


def _status(stream: Any) -> os.stat_result | None:
    """Of the regular file behind ``stream``, if there is one."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # replaced by something without a descriptor
        return None
    return status if stat.S_ISREG(status.st_mode) else None
