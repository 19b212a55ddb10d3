"""``python -m kimi_profiles`` and the console script are the same program."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit status."""
    try:
        from kimi_profiles.cli import main as run_cli
    except KeyboardInterrupt:  # before there is anybody to handle it well
        sys.exit(130)
    sys.exit(run_cli())


if __name__ == "__main__":
    main()
