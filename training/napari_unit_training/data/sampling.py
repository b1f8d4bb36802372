"""Which crops a step sees: a pure function of the seed and of the images seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_unit_training.data.training_images import TrainingImage

MAX_DRAWS = 10
"""After so many draws a flat crop is taken as it is: some domains have little else."""


def seed_of(seed: int, images_seen: int, stream: int) -> int:
    """Return a seed for one purpose (`stream`) at one point of a run, 0 to 2**63 - 1."""
    state = np.random.SeedSequence((seed, images_seen, stream)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a crop is taken.

    Parameters
    ----------
    image
        Index among the images of a domain.
    plane, top, left
        Of that image; in pixels.
    """

    image: int
    plane: int
    top: int
    left: int


def draw_crop(
    images: Sequence[TrainingImage],
    *,
    seed: int,
    index: int,
    stream: int,
    crop_px: int,
    min_deviation: float,
) -> tuple[Place, Tensor]:
    """Draw crop number `index` of a run: its place, and its pixels (C, crop_px, crop_px).

    The parameters are those of `sample_crops`.
    """
    random = np.random.default_rng((seed, index, stream))
    for _ in range(MAX_DRAWS):
        number = int(random.integers(len(images)))
        image = images[number]
        plane = int(random.integers(image.n_planes))
        top = int(random.integers(image.height - crop_px + 1))
        left = int(random.integers(image.width - crop_px + 1))
        crop = image.crop(plane, top, left, crop_px)
        if bool((crop.std(dim=(1, 2), correction=0) >= min_deviation).any()):
            break
    return Place(number, plane, top, left), crop


def sample_crops(
    images: Sequence[TrainingImage],
    *,
    seed: int,
    images_seen: int,
    stream: int,
    batch_size: int,
    crop_px: int,
    min_deviation: float,
    device: torch.device,
) -> Tensor:
    """Draw crops: an image uniformly, then a plane of it, then a place in it.

    Crop number n of a run depends on seed, stream and n alone, whatever the batch size.

    Parameters
    ----------
    images
        No side below `crop_px`.
    seed, images_seen, stream
        See `seed_of`.
    batch_size, crop_px
        How many, and their side.
    min_deviation
        A crop whose standard deviation is below it in every channel is drawn again, image and
        place, at most `MAX_DRAWS` times in all.

    device
        Of the result.

    Returns
    -------
    Shape (B, C, crop_px, crop_px), in [-1, 1].
    """
    crops = []
    for index in range(images_seen, images_seen + batch_size):
        _, crop = draw_crop(
            images, seed=seed, index=index, stream=stream, crop_px=crop_px,
            min_deviation=min_deviation,
        )  # fmt: skip
        crops.append(crop.to(device))
    return torch.stack(crops)
