"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Write under another name in the same folder; it gets its own name when the block ends well.

    Parameters
    ----------
    path
        The file to make; one that exists is replaced, at once and only by a whole one.

    Yields
    ------
    The path to write to. When the block raises, it is removed and `path` stays as it was.
    """
    # beginning with a dot and keeping the ending: unseen by folder scans, understood by writers
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # a rename can reach the disk before the content does
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
