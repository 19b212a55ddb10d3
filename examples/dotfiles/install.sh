#!/bin/sh
# usage: ./install.sh [PROFILE]
# Links these dotfiles into the home directory and applies a profile (work, if none is named). Run it as often
# as you like; it never replaces a file, nor a link that leads elsewhere.
set -eu

profile=${1:-work}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

link() { # link SOURCE PLACE
    if [ -L "$2" ] && [ "$(readlink "$2")" = "$1" ]; then
        return
    fi
    if [ -e "$2" ] || [ -L "$2" ]; then
        fail "$2 is there already; move it away, then run this again"
    fi
    mkdir -p "$(dirname -- "$2")"
    ln -s "$1" "$2"
}

command -v kimi-profiles >/dev/null || fail "kimi-profiles is not installed"

case $(uname -s) in
    Darwin) config="$HOME/Library/Application Support" ;;
    *) config=${XDG_CONFIG_HOME:-$HOME/.config} ;;
esac

link "$here/profiles.toml" "$config/kimi-profiles/profiles.toml"
link "$here/claude/settings.json" "${CLAUDE_CONFIG_DIR:-$HOME/.claude}/settings.json"
kimi-profiles apply "$profile"

# The key need not be there yet: Claude Code asks for it later. But say so now.
kimi-profiles token "$profile" >/dev/null ||
    printf 'install.sh: put the key in its place before you start claude\n' >&2
