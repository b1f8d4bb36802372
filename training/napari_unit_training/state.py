"""Checkpoints: whole or not at all, and read without executing anything."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from napari_unit.atomic import written_whole
from napari_unit_training.errors import TrainingError

FORMAT_VERSION = 3
KEPT = 2


_DOUBTFUL = "-doubtful"


def checkpoint_path(folder: Path, images_seen: int, *, is_good: bool = True) -> Path:
    """Return where the checkpoint of that moment is; names sort as time does."""
    return folder / f"images-{images_seen:010d}{'' if is_good else _DOUBTFUL}.pt"


def save_checkpoint(folder: Path, state: dict[str, Any], *, is_good: bool = True) -> Path:
    """Write a checkpoint and remove all but the last two and the last good one.

    Parameters
    ----------
    folder
        Made if it is not there.
    state
        Tensors and plain values, with ``images_seen``.
    is_good
        Whether the run was well then; a run goes on from any, and goes back to a good one only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = checkpoint_path(folder, state["images_seen"], is_good=is_good)
    with written_whole(path) as partial:
        try:
            torch.save({"format_version": FORMAT_VERSION, **state}, partial)
        except RuntimeError as error:  # torch's word for a disk that is full
            raise OSError(
                f"The checkpoint {path.name} cannot be written to {folder} "
                f"({str(error).splitlines()[0]}); make room and give the same command again."
            ) from error
    kept = {path, *_paths(folder)[-KEPT:], *_paths(folder, good_only=True)[-1:]}
    for old in set(_paths(folder)) - kept:
        old.unlink(missing_ok=True)
    return path


def forget_after(folder: Path, images_seen: int) -> None:
    """Remove the checkpoints of later moments, and the doubtful one of this."""
    for path in _paths(folder):
        if path.name > checkpoint_path(folder, images_seen).name or (
            path == checkpoint_path(folder, images_seen, is_good=False)
        ):
            path.unlink(missing_ok=True)


def latest_images_seen(folder: Path) -> int:
    """Return how many images the newest checkpoint has seen, by its name; 0 where there is none."""
    paths = _paths(folder)
    return int(paths[-1].stem.split("-")[1]) if paths else 0


def load_latest(
    folder: Path, device: torch.device, *, good_only: bool = False
) -> dict[str, Any] | None:
    """Read the newest checkpoint that is whole, or None where there is none at all.

    Raises
    ------
    TrainingError
        If there are checkpoints and none of them can be read.
    """
    problems = []
    for path in reversed(_paths(folder, good_only=good_only)):
        try:
            state = torch.load(path, map_location=device, weights_only=True)
        except (
            OSError,
            EOFError,
            RuntimeError,
            pickle.UnpicklingError,
            zipfile.BadZipFile,
        ) as error:
            problems.append(
                f"{path.name} ({str(error).splitlines()[0] if str(error) else error!r})"
            )
            continue
        if not isinstance(state, dict) or state.pop("format_version", None) != FORMAT_VERSION:
            problems.append(f"{path.name} (not a checkpoint of this version)")
            continue
        return state
    if problems:
        raise TrainingError(
            f"No checkpoint in {folder} can be read: {'; '.join(problems)}. "
            "Start again with another --out."
        )
    return None


def _paths(folder: Path, *, good_only: bool = False) -> list[Path]:
    found = sorted(folder.glob("images-*.pt"))
    return [path for path in found if not (good_only and _DOUBTFUL in path.name)]
