"""Claude Code, or another program, with a profile for one process.

``flag`` says what it is to be given, ``handover`` keeps that in private files, ``child`` starts the program
and ends as it ends, ``launch`` puts these together.
"""
