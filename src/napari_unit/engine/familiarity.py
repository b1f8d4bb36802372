"""Whether an image is like what a model's own statistics stand for."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_unit.engine.devices import calm
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.sampling import MIN_DEVIATION
from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit.models.networks import Step, reflect_padded
from napari_unit.models.normalisation import Moments
from napari_unit.models.stored_statistics import CropSpread, StoredStatistics, spread_over

MAX_SQUARES = 64
"""Squares that are looked at."""
FAR = 3.0
"""Spreads between training crops from which on an image is called unlike them."""
_LEAST_SPREAD = 0.02
"""Of the deviation within a crop: a smaller spread between crops tells nothing of other images."""


def unlike_training(
    stored: StoredStatistics, stem: Step, planes: PaddedPlanes, seed: int
) -> str | None:
    """Say so if an image is far from what the model's statistics stand for.

    Squares as large as the training crops, at random places, go through the first convolution
    alone. Flat ones are left out, as the trainer leaves out flat crops, unless all are flat.

    Parameters
    ----------
    stored
        The model's statistics of this direction.
    stem
        Its first step; computed where its weights lie.
    planes
        The image.
    seed
        Of the squares' places.

    Returns
    -------
    A sentence, or None where the image is like training crops.
    """
    mean, deviation = distances(stored.spread, _look(stored.crop_px, stem, planes, seed))
    if max(mean, deviation) <= FAR:
        return None
    what, by = ("brightness", mean) if mean >= deviation else ("contrast", deviation)
    return (
        f"The image is unlike those that the model's own statistics stand for: in {what} it is "
        f"{by:.1f} times as far from them as training crops usually are; use statistics 'image', "
        "and check channel and direction."
    )


def distances(training: CropSpread, image: CropSpread) -> tuple[float, float]:
    """Return how far mean and deviation of an image's squares lie from those of training crops.

    In units of the spread between training crops, root mean square over the channels.
    """
    least = _LEAST_SPREAD * training.deviation.square().mean().sqrt().clamp_min(1e-12)

    def apart(one: Tensor, other: Tensor, spread: Tensor) -> float:
        return math.sqrt(float(((one - other) / spread.clamp_min(least)).square().mean()))

    return (
        apart(training.mean, image.mean, training.mean_spread),
        apart(training.deviation, image.deviation, training.deviation_spread),
    )


def _look(crop_px: int, stem: Step, planes: PaddedPlanes, seed: int) -> CropSpread:
    """Return how what the first normalisation sees differs over squares of the image."""
    sides = [min(crop_px, length) for length in planes.size]
    n_rows, n_columns = (length // side for length, side in zip(planes.size, sides, strict=True))
    n = planes.planes.n_planes * n_rows * n_columns
    numbers = np.random.default_rng(seed).choice(n, min(n, MAX_SQUARES), replace=False)
    seen: list[Moments] = []
    flat: list[Moments] = []
    for number in numbers.tolist():
        plane, place = divmod(number, n_rows * n_columns)
        top, left = (i * s for i, s in zip(divmod(place, n_columns), sides, strict=True))
        square = Region(Span(top, top + sides[0]), Span(left, left + sides[1]))
        pixels = planes.read(plane, square)
        is_flat = bool((pixels.std(axis=(1, 2)) < MIN_DEVIATION).all())
        (flat if is_flat else seen).append(_measure(stem, pixels))
    return spread_over(seen or flat)


def _measure(stem: Step, pixels: NDArray[np.float32]) -> Moments:
    conv, norm = stem.block.conv, stem.block.norm
    assert norm is not None
    x = torch.from_numpy(pixels)[None].to(conv.weight)
    with calm():
        found = norm.measure(conv(reflect_padded(x, stem.block.geometry.padding)))
    # a clone, because tensors of inference mode are of no use to who computes gradients
    return found.clone()
