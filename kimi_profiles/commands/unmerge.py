"""A filter: settings on standard input, the same settings without a profile on standard output.

No file is touched. What the text says just as the profile does is taken out; what somebody changed stays, and
is told. The base URL and the credential beside it go together or not at all, so no token is needed. What the
profile had replaced cannot come back this way; for that, use --record with `merge` and with this command.

  kimi-profiles unmerge work < settings.json > settings.new
"""

from __future__ import annotations

from kimi_profiles.commands.merge import STDIN, answer, print_text, read_input
from kimi_profiles.errors import LedgerInvalidError, Notice, TargetInvalidError
from kimi_profiles.merge import unmerge_profile, unmerge_text
from kimi_profiles.presumed import strange_credentials
from kimi_profiles.recordfile import RecordFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from kimi_profiles.call import Call
    from kimi_profiles.merge import MergedText

USAGE = "NAME "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", help="the profile that was merged in")
    parser.add_argument("--record", metavar="FILE", help="what `merge --record` kept")


def run(call: Call) -> int:
    """Take the profile out of standard input, and print the result."""
    path = call.path("--record", call.args.record)
    text = read_input("unmerge")
    try:
        merged, notices = _without(call, text) if path is None else (_by_record(RecordFile(path), text), [])
    except TargetInvalidError as error:
        raise error.at(STDIN) from None
    answer(call, "unmerge", merged, changed=merged.text != text, notices=notices)
    if not call.is_json:
        print_text(merged.text)
    return 0


def _by_record(kept: RecordFile, text: str) -> MergedText:
    record, base = kept.known()
    try:
        return unmerge_text(text, record, base=base)
    except LedgerInvalidError as error:
        raise error.at(kept.path) from None


def _without(call: Call, text: str) -> tuple[MergedText, list[Notice]]:
    profile = call.store()[call.args.name]
    merged = unmerge_profile(text, profile)
    notices = [
        Notice(
            "credential-taken-out",
            f"{pointer} is not what profile {profile.name} writes there, but was sent to its base URL, "
            "so it is taken out with it",
        )
        for pointer in strange_credentials(merged.actions, profile)
    ]
    return merged, notices
