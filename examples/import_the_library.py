"""Use kimi_profiles from Python: ``python examples/import_the_library.py HOME [PROFILE]``.

Give it a throw-away HOME, and the profile's key in its environment variable (MOONSHOT_API_KEY for
moonshot-cn, which it takes if you name no profile).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kimi_profiles import ClaudeCode, Profile, ProfilesError, ProfileStore, Record, merge_text, unmerge_text


def main(home: Path, name: str = "moonshot-cn") -> None:
    """Plan, apply, look, and take it out again; then the same on a text, without any file."""
    store = ProfileStore.open(home=home)  # the user's own profiles.toml; it need not exist
    profile = store[name]  # resolved and checked; a provider's name works without any TOML
    print(f"profile {profile.name}: {profile.base_url}, {profile.models['default']}")

    claude = ClaudeCode.user(home=home)  # or .project(root), .local(root), .at(settings_file)
    plan = claude.plan(profile)  # a value; nothing is written
    print(f"plan: {len(plan.targets)} files, {'changes' if plan.changed else 'nothing to do'}")
    print(plan)  # the difference; secrets are masked

    result = claude.apply(profile)
    print(f"apply: changed {[target.plan.path.name for target in result.targets]}")
    for warning in result.warnings:
        print(f"  {warning.name}: {warning.message}")
    print(f"apply again: {'changed' if claude.apply(profile).changed else 'nothing to do'}")

    status = claude.status(profile=profile)
    if status.applied is not None:
        print(f"status: {status.applied.profile}, {'in sync' if status.in_sync else 'changed since'}")

    print(f"unapply: {'changed' if claude.unapply().changed else 'nothing to do'}")
    print(f"status: {'applied' if claude.status().applied else 'nothing applied'}")
    merge_a_text(profile)


def merge_a_text(profile: Profile) -> None:
    """The pure pair: text and record in, text and record out. You keep both where you like."""
    before = '{\n\t"model": "opus"\n}'
    merged = merge_text(before, profile, token="sk-test-a-key-that-is-none")  # noqa: S106
    kept = json.dumps(merged.record.to_json())  # holds no token

    # Somebody else edits the file in the meantime; that stays.
    edited = merged.text.replace('"opus"', '"sonnet"')
    after = unmerge_text(edited, Record.from_json(json.loads(kept)))
    print(f"unmerge_text: {after.text == before.replace('opus', 'sonnet')}")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:  # noqa: PLR2004
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), *sys.argv[2:])
    except ProfilesError as error:  # the root of every error; each knows its exit code and a hint
        print(error, *([f"hint: {error.hint}"] if error.hint else []), sep="\n", file=sys.stderr)
        sys.exit(error.exit_code)
