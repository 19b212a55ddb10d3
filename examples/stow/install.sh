#!/bin/sh
# usage: ./install.sh [PROFILE]
# Links these packages into the home directory with GNU Stow and applies a profile (work, if none is named). Run
# it as often as you like.
set -eu

profile=${1:-work}
cd -- "$(dirname -- "$0")"

# --no-folding: else stow may make ~/.claude itself a link, and all that Claude Code keeps there, its login
# among it, would lie in this repository.
stow --no-folding --target="$HOME" claude profiles

# What git compares and commits is the file without the profile. `required`: if that cannot be had, git refuses
# to add the file.
git config filter.kimi-profiles.clean "kimi-profiles unmerge $profile"
git config filter.kimi-profiles.smudge cat
git config filter.kimi-profiles.required true

kimi-profiles apply "$profile"

# Git takes another size for a change until it has looked at the file once more.
file=claude/.claude/settings.json
if [ -z "$(git diff --name-only -- "$file")" ]; then
    git add -- "$file"
fi

# The key need not be there yet: Claude Code asks for it later. But say so now.
kimi-profiles token "$profile" >/dev/null ||
    printf 'install.sh: put the key in its place before you start claude\n' >&2
