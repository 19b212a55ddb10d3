"""Provider profiles for Claude Code."""
