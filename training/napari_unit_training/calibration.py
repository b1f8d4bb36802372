"""A model's own statistics, of crops as its training draws them."""

from collections.abc import Sequence

import torch

from napari_unit.engine.pooling import pool_statistics
from napari_unit.models.model import TranslationModel
from napari_unit.models.stored_statistics import BothStatistics
from napari_unit_training.data.training_images import TrainingImage
from napari_unit_training.quality.crops import CropChoice, draw_crops

MAX_CROPS = 256
"""Crops of each domain; of large ones fewer."""
LEAST_CROPS = 16
_PARKED_BYTES = 1 << 30


def n_crops(width: int, crop_px: int) -> int:
    """Return how many crops are taken, so that their coarse maps take at most 1 GiB.

    Parameters
    ----------
    width
        Of the networks.
    crop_px
        Side of a crop.
    """
    # two maps of 4 * width channels at a quarter of the resolution, in float32
    return max(LEAST_CROPS, min(MAX_CROPS, _PARKED_BYTES // (2 * width * crop_px**2)))


def model_statistics(
    model: TranslationModel,
    images: tuple[Sequence[TrainingImage], Sequence[TrainingImage]],
    choice: CropChoice,
) -> BothStatistics:
    """Measure a model's normalisations over crops of its training images, in both directions.

    The crops are drawn as in a training, but not augmented: the statistics are to stand for
    images as they come, and flips and other intensities are the trainer's, not theirs. The same
    choice gives the same statistics, and no random numbers of the training are used up.

    Parameters
    ----------
    model
        With the weights that the file will hold; computed where they lie.
    images
        That the model was trained on, domain a and b.
    choice
        Which crops.
    """
    # parked on the CPU, whatever computes: all crops at once would fill a GPU
    a, b = draw_crops(images, choice, torch.device("cpu"))
    first, second = (domain.name for domain in model.domains)
    return (
        pool_statistics(model.steps(first, second), a),
        pool_statistics(model.steps(second, first), b),
    )
