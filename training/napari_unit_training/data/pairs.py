"""Crops at the same places of two domains whose images correspond one to one."""

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_unit_training.data.sampling import draw_crop
from napari_unit_training.data.training_images import TrainingImage
from napari_unit_training.errors import TrainingError

_STREAM = 0
"""Of domain a, see `seed_of`: pairs are cut where its crops would be without pairs."""


def check_pairs(a: Sequence[TrainingImage], b: Sequence[TrainingImage]) -> None:
    """Refuse images that cannot correspond one to one, in their order.

    Raises
    ------
    TrainingError
        If their numbers differ, or the planes or sizes of a pair.
    """
    if len(a) != len(b):
        raise TrainingError(
            f"There are {len(a)} images of the first domain and {len(b)} of the second; pairs need "
            "as many of both, in the same order by name."
        )
    for first, second in zip(a, b, strict=True):
        if _extent(first) != _extent(second):
            raise TrainingError(
                f"{first.path.name} ({_told(first)}) and {second.path.name} ({_told(second)}) are "
                "a pair by their order, and pairs need the same planes and size; check that both "
                "folders have the same images in the same order by name."
            )


def sample_pairs(
    a: Sequence[TrainingImage],
    b: Sequence[TrainingImage],
    *,
    seed: int,
    count: int,
    crop_px: int,
    min_deviation: float,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Cut crops at the same places of corresponding images.

    The places are drawn as `sample_crops` draws those of domain a: what is flat in a is drawn
    again, what is flat in b is not. Pair number n depends on the seed and on n alone.

    Parameters
    ----------
    a, b
        Image n of a corresponds to image n of b; see `check_pairs`. No side below `crop_px`.
    seed
        Of images and places.
    count, crop_px
        How many pairs, and the side of the crops.
    min_deviation
        See `sample_crops`.
    device
        Of the result.

    Returns
    -------
    Shapes (count, C, crop_px, crop_px) and (count, D, crop_px, crop_px), in [-1, 1].

    Raises
    ------
    TrainingError
        As `check_pairs`.
    """
    check_pairs(a, b)
    firsts, seconds = [], []
    for index in range(count):
        place, crop = draw_crop(
            a, seed=seed, index=index, stream=_STREAM, crop_px=crop_px, min_deviation=min_deviation
        )
        firsts.append(crop.to(device))
        partner = b[place.image].crop(place.plane, place.top, place.left, crop_px)
        seconds.append(partner.to(device))
    return torch.stack(firsts), torch.stack(seconds)


def _extent(image: TrainingImage) -> tuple[int, int, int]:
    return image.n_planes, image.height, image.width


def _told(image: TrainingImage) -> str:
    planes = f"{image.n_planes} planes of " if image.n_planes > 1 else ""
    return f"{planes}{image.height} x {image.width} px"
