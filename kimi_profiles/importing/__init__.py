"""Somebody's configuration made into a profile: one reader for each source, and what is recognised in it."""
