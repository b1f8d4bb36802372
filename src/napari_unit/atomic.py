"""Files that are there whole or not at all."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Windows moves nothing that another program has open: who reads it, or looks for viruses in it
_WAITS_S = (0.01, 0.03, 0.1, 0.3, 1.0, 2.0) if os.name == "nt" else ()


def put_in_place(made: Path, path: Path) -> None:
    """Give a file its own name, in place of an earlier one; or a folder, where there is none yet.

    Parameters
    ----------
    made
        On the same disk as `path`.
    path
        Its name from now on.

    Raises
    ------
    OSError
        If that is not possible; on Windows after a few seconds of trying.
    """
    for wait_s in _WAITS_S:
        try:
            made.replace(path)
        except PermissionError:
            time.sleep(wait_s)
        else:
            return
    made.replace(path)


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
        put_in_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)
