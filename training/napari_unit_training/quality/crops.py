"""The crops that a model's quality is measured on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_unit.models.card import ModelCard
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.data.pairs import sample_pairs
from napari_unit_training.data.sampling import sample_crops
from napari_unit_training.data.sources import Source
from napari_unit_training.data.training_images import TrainingImage
from napari_unit_training.data.validation import load_like
from napari_unit_training.errors import TrainingError

LEAST_COUNT = 4
LEAST_CROP_PX = 16
_UNKNOWN_CROP_PX = 256


@dataclass(frozen=True, slots=True)
class CropChoice:
    """Which crops are drawn.

    Parameters
    ----------
    count
        Of each domain.
    crop_px
        Their side.
    min_deviation
        Crops that are flatter are drawn again, see `sample_crops`.
    seed
        Of images and places.
    """

    count: int
    crop_px: int
    min_deviation: float
    seed: int

    @classmethod
    def of(cls, card: ModelCard, count: int, seed: int, crop_px: int | None = None) -> "CropChoice":
        """Choose crops as in the training of a model, where its card tells.

        Raises
        ------
        TrainingError
            If they are too few or too small.
        """
        settings = card.training.get("settings", {})
        if crop_px is None:
            crop_px = int(settings.get("crop_px", _UNKNOWN_CROP_PX))
        if count < LEAST_COUNT:
            raise TrainingError(f"--crops is {count}; at least {LEAST_COUNT} are needed.")
        if crop_px < LEAST_CROP_PX:
            raise TrainingError(
                f"Crops of {crop_px} px are too small to be measured; "
                f"give a --crop-px of {LEAST_CROP_PX} or more."
            )
        return cls(count, crop_px, float(settings.get("min_crop_deviation", 0.0)), seed)


def open_domain(
    card: ModelCard, index: int, source: Source, crop_px: int, axes: str = ""
) -> DomainImages:
    """Open images for one domain of a model, with the intensity scaling of its card.

    Parameters
    ----------
    card
        Of the model.
    index
        0 for domain a, 1 for domain b.
    source
        See `load_domain`.
    crop_px
        The smallest side that an image may have.
    axes
        A letter per axis, where files do not say; empty: they do.

    Raises
    ------
    TrainingError
        If images cannot be used, or have other channels than the domain.
    """
    domain = card.domains[index]
    return load_like(domain, f"domain {domain.name!r} of {card.name!r}", source, crop_px, axes)


def draw_crops(
    images: tuple[Sequence[TrainingImage], Sequence[TrainingImage]],
    choice: CropChoice,
    device: torch.device,
    *,
    paired: bool = False,
) -> tuple[Tensor, Tensor]:
    """Draw crops of both domains.

    Parameters
    ----------
    images
        Of a and of b.
    choice
        Which crops.
    device
        Of the result.
    paired
        Images correspond one to one in their order: crops are cut at the same places of both.

    Returns
    -------
    Of a and of b, shapes (count, C, crop_px, crop_px), in [-1, 1].

    Raises
    ------
    TrainingError
        If images that should be pairs cannot be.
    """
    if paired:
        return sample_pairs(
            *images,
            seed=choice.seed,
            count=choice.count,
            crop_px=choice.crop_px,
            min_deviation=choice.min_deviation,
            device=device,
        )
    a, b = (
        sample_crops(
            of_domain,
            seed=choice.seed,
            images_seen=0,
            stream=index,
            batch_size=choice.count,
            crop_px=choice.crop_px,
            min_deviation=choice.min_deviation,
            device=device,
        )
        for index, of_domain in enumerate(images)
    )
    return a, b
