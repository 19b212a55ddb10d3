"""The version, and that of what is promised to scripts."""

__version__ = "0.1.0"

SCHEMA = 1
"""Of the object that answers ``--json``."""
