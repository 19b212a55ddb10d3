#!/bin/sh
# Runs once in each new container, in the folder of the workspace: Claude Code there talks to Kimi.
set -eu

command -v kimi-profiles >/dev/null || python3 -m pip install --quiet --user kimi-profiles
PATH=$HOME/.local/bin:$PATH

if [ -z "${MOONSHOT_API_KEY:-}" ]; then
    # No reason to fail: there would be no container.
    echo 'post-create.sh: set MOONSHOT_API_KEY on your machine, then rebuild the container' >&2
    exit 0
fi

# The user scope is the home inside the container. A project's settings would lie in the workspace, which is a
# folder of your machine, and the key with them.
printf %s "$MOONSHOT_API_KEY" | kimi-profiles apply moonshot-intl --token-stdin
