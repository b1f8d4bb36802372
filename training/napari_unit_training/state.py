"""Checkpoints: whole or not at all, and read without executing anything."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from napari_unit.atomic import written_whole
from napari_unit_training.errors import TrainingError

FORMAT_VERSION = 1
KEPT = 2


def checkpoint_path(folder: Path, images_seen: int) -> Path:
    """Return where the checkpoint of that moment is; names sort as time does."""
    return folder / f"images-{images_seen:010d}.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> Path:
    """Write a checkpoint and remove all but the last two.

    Parameters
    ----------
    folder
        Made if it is not there.
    state
        Tensors and plain values, with ``images_seen``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = checkpoint_path(folder, state["images_seen"])
    with written_whole(path) as partial:
        torch.save({"format_version": FORMAT_VERSION, **state}, partial)
    for old in _paths(folder)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def load_latest(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """Read the newest checkpoint that is whole, or None where there is none at all.

    Raises
    ------
    TrainingError
        If there are checkpoints and none of them can be read.
    """
    problems = []
    for path in reversed(_paths(folder)):
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


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("images-*.pt"))
