"""Trainings that nobody wants any more: their folders are removed for good."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from napari_unit.atomic import put_in_place
from napari_unit.runs.files import RunFiles
from napari_unit.runs.following import is_at_work
from napari_unit.runs.listing import WatchedRun, is_run
from napari_unit.runs.starting import forget

DELETED_PREFIX = ".deleted-"
"""Of folders among the trainings in which one is being removed; a kill may leave them."""


def folder_bytes(path: Path) -> int:
    """Return what the files in a folder hold; a link counts for itself, what goes meanwhile not."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += Path(folder, name).lstat().st_size
    return total


def check_deletable(files: RunFiles, root: Path) -> None:
    """Refuse to delete what is no training in the folder of the trainings, or one that runs.

    Parameters
    ----------
    files
        Of the folder that would be removed.
    root
        Folder of the trainings.

    Raises
    ------
    ValueError
        With the sentence that says why.
    """
    path = files.path
    # a link would lead out of the folder of the trainings, or to one of them by another name
    if path.is_symlink() or path.resolve() != root.resolve() / path.name:
        raise ValueError(
            f"Only trainings that lie in {root} themselves are deleted here, and {path} does not; "
            "delete it in your file manager."
        )
    if not is_run(path):
        raise ValueError(f"There is no training in {path} any more; look whether it was moved.")
    if WatchedRun(files).look().is_at_work:
        raise ValueError(f"The training {path.name!r} runs; stop it first.")


def delete_run(files: RunFiles, root: Path) -> None:
    """Remove the folder of a training, with all that is in it.

    Links in it are removed, and what they lead to stays.

    Parameters
    ----------
    files
        Of the folder.
    root
        Folder of the trainings.

    Raises
    ------
    ValueError
        If it may not be (`check_deletable`), or the system does not let go of it.
    """
    check_deletable(files, root)
    path = files.path
    try:
        made = Path(tempfile.mkdtemp(prefix=DELETED_PREFIX, dir=root))
    except OSError as error:
        raise ValueError(_refusal(path, error)) from error
    aside = RunFiles(made / path.name)
    try:
        # at once: nobody finds half a training, and nobody starts one that is being removed
        put_in_place(path, aside.path)
    except OSError as error:
        made.rmdir()
        raise ValueError(_refusal(path, error)) from error
    if is_at_work(aside.lock_path):  # it was started between the two
        put_in_place(aside.path, path)
        made.rmdir()
        raise ValueError(f"The training {path.name!r} runs; stop it first.")
    forget(files)
    try:
        shutil.rmtree(made)
    except OSError as error:
        raise ValueError(
            f"A part of the training {path.name!r} cannot be deleted ({error}); what is left of it "
            f"is in {made}."
        ) from error


def _refusal(path: Path, error: OSError) -> str:
    return (
        f"The folder {path} cannot be deleted ({error}); close what has its files open, or delete "
        "it in your file manager."
    )
