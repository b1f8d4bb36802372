"""What a training says, fit to be shown."""

import re

# names of folders may hold spaces, but do not end in one: what does is the text between two paths
_FOLDERS = re.compile(r"(?<![\w.…])(?:[A-Za-z]:)?[\\/]{1,2}(?:[^\\/;,:()\n]*[^\\/;,:()\s][\\/])+")


def without_folders(text: str) -> str:
    """Take the folders out of absolute paths in a text: what is shown may be shown to others."""
    return _FOLDERS.sub("…/", text)
