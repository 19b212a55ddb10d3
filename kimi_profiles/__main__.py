"""``python -m kimi_profiles`` and the console script are the same program."""

from __future__ import annotations

import sys

from kimi_profiles.cli import main as run_cli

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit status."""
    sys.exit(run_cli())


if __name__ == "__main__":
    main()
