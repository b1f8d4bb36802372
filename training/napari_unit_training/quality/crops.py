"""The crops that a model's quality is measured on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_unit.domains import Domain
from napari_unit.models.card import ModelCard
from napari_unit_training.config_tables import DomainSettings
from napari_unit_training.data.loading import DomainImages, load_domain
from napari_unit_training.data.pairs import sample_pairs
from napari_unit_training.data.sampling import sample_crops
from napari_unit_training.data.sources import Source, told
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
    wanted = DomainSettings(name=domain.name, scaling=_scaling_text(domain), axes=axes)
    data = load_domain(source, wanted, crop_px)
    if data.domain.n_channels != domain.n_channels:
        raise TrainingError(
            f"The images in {told(source)} have {data.domain.n_channels} channels, and domain "
            f"{domain.name!r} of {card.name!r} has {domain.n_channels}."
        )
    return data


def draw_crops(
    domains: tuple[DomainImages, DomainImages],
    choice: CropChoice,
    device: torch.device,
    *,
    paired: bool = False,
) -> tuple[Tensor, Tensor]:
    """Draw crops of both domains.

    Parameters
    ----------
    domains
        See `open_domain`.
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
            domains[0].images,
            domains[1].images,
            seed=choice.seed,
            count=choice.count,
            crop_px=choice.crop_px,
            min_deviation=choice.min_deviation,
            device=device,
        )
    a, b = (
        sample_crops(
            domain.images,
            seed=choice.seed,
            images_seen=0,
            stream=index,
            batch_size=choice.count,
            crop_px=choice.crop_px,
            min_deviation=choice.min_deviation,
            device=device,
        )
        for index, domain in enumerate(domains)
    )
    return a, b


def _scaling_text(domain: Domain) -> str:
    scaling = domain.scaling
    return f"{scaling.kind}:{scaling.low!r},{scaling.high!r}"
