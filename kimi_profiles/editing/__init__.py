"""Changes to the profile file that a person asks for, and no others.

``keys`` understands what is to be set, ``profiles`` makes the new text of it and proves it (``splicing``
places it, ``layout`` and ``values`` write it), ``diff`` shows it, ``file`` puts it on disk.
"""
