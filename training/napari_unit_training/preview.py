"""Pictures of a few fixed crops: what the model does to them, and what augmentation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from napari_unit.atomic import written_whole
from napari_unit.models.model import TranslationModel
from napari_unit_training.augment import Augmenter
from napari_unit_training.rgb import to_rgb

GAP_PX = 2
N_AUGMENTED = 4
GAP_VALUE = 128


@torch.no_grad()
def translations(model: TranslationModel, crops: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """Translate crops without noise, there and back.

    Parameters
    ----------
    model
        Its domains are a and b.
    crops
        Of a and b, shape (B, C, H, W) in [-1, 1], as many of each, on the model's device.

    Returns
    -------
    ``a``, ``a_to_a``, ``a_to_b``, ``a_to_b_to_a``, then the same of b with the roles exchanged.
    """
    found: dict[str, Tensor] = {}
    names = [domain.name for domain in model.domains]
    for this, that, own, other, images in zip(
        "ab", "ba", names, reversed(names), crops, strict=True
    ):
        code = model.encode(images, own)
        translated = model.decode(code, other)
        found[this] = images
        found[f"{this}_to_{this}"] = model.decode(code, own)
        found[f"{this}_to_{that}"] = translated
        found[f"{this}_to_{that}_to_{this}"] = model.decode(model.encode(translated, other), own)
    return found


def preview_grid(columns: Mapping[str, Tensor]) -> NDArray[np.uint8]:
    """Lay crops and their translations out, a row per crop, a column per kind.

    Parameters
    ----------
    columns
        As `translations` returns them.

    Returns
    -------
    Shape (Y, X, 3). One channel is shown gray, of more the first three as red, green, blue.
    """
    shown = [to_rgb(column) for column in columns.values()]
    rows = [_joined([column[i] for column in shown], 1) for i in range(len(shown[0]))]
    return _joined(rows, 0)


def write_preview(path: Path, columns: Mapping[str, Tensor]) -> None:
    """Write `preview_grid` as a PNG."""
    _write(path, preview_grid(columns))


def write_preview_arrays(
    path: Path, columns: Mapping[str, Tensor], domains: tuple[str, str], images_seen: int
) -> None:
    """Write crops and their translations as numbers, for programs that show them.

    Parameters
    ----------
    path
        Of the ``.npz``, which `napari_unit.runs.latest_preview` reads; replaced if it is there.
    columns
        As `translations` returns them.
    domains
        Names of domain a and b.
    images_seen
        Of the model.
    """
    arrays: dict[str, Any] = {
        "domains": np.array(domains),
        "images_seen": np.array(images_seen),
    }
    arrays |= {name: column.float().cpu().numpy().astype("f2") for name, column in columns.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def write_augmented(path: Path, augmenter: Augmenter, crops: tuple[Tensor, Tensor]) -> None:
    """Write a picture of what augmentation makes of crops: each, and `N_AUGMENTED` times beside it.

    Random numbers come from torch's global generator.

    Parameters
    ----------
    path
        Of the PNG.
    augmenter
        Of the run.
    crops
        Of a and b, shape (B, C, H, W) in [-1, 1]; those of a fill the left half.
    """
    columns = [
        to_rgb(column)
        for images in crops
        for column in (images, *(augmenter(images) for _ in range(N_AUGMENTED)))
    ]
    rows = [_joined([column[i] for column in columns], 1) for i in range(len(crops[0]))]
    _write(path, _joined(rows, 0))


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        Image.fromarray(picture).save(partial, format="png")


def _joined(parts: list[NDArray[np.uint8]], axis: int) -> NDArray[np.uint8]:
    shape = list(parts[0].shape)
    shape[axis] = GAP_PX
    gap = np.full(shape, GAP_VALUE, np.uint8)
    spaced = [piece for part in parts for piece in (part, gap)][:-1]
    return np.concatenate(spaced, axis)
