"""A model's quality on crops of both domains, which may correspond or not."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_unit.models.model import TranslationModel
from napari_unit_training.losses import content_disagreement, l1_distance
from napari_unit_training.quality.distances import (
    intensity_distance,
    patch_distance,
    sharpness,
)
from napari_unit_training.quality.fid import InceptionQuality, inception_distances
from napari_unit_training.quality.inception import inception_features
from napari_unit_training.quality.paired import PairedQuality, compare_pairs

_BATCH = 8


@dataclass(frozen=True, slots=True)
class DirectionQuality:
    """How good one direction is.

    Parameters
    ----------
    source, target
        Names of the domains.
    distance
        From translations to images of the target, see `patch_distance`. One half of the crops is
        compared with the other half of the target's, and the other way round: the mean.
    untranslated
        The same of the source's images as they are; None where channel counts differ.
    real
        The same of the one half of the target's images to the other: about what a perfect
        translation would have.
    intensity_distance
        By how much intensities of translations are off those of the target's images as a whole, in
        units of [-1, 1]; see `intensity_distance`.
    sharpness
        Of translations for each unit of it in the target's images; see `sharpness`.
    cycle_error
        Mean absolute difference of an image and its way there and back, in units of [-1, 1].
    content_agreement
        Correlation of an image with its translation in blocks of 4 px, from -1 to 1: what was
        bright is bright, and in its place. About 0 or below it is right only between domains in
        which it does not hold.
    paired
        How near translations are to their counterparts; None where there are none.
    inception
        FID and KID of translations to images of the target; None without their network.
    """

    source: str
    target: str
    distance: float
    untranslated: float | None
    real: float
    intensity_distance: float
    sharpness: float
    cycle_error: float
    content_agreement: float
    paired: PairedQuality | None = None
    inception: InceptionQuality | None = None


@torch.no_grad()
def measure_quality(
    model: TranslationModel,
    crops: tuple[Tensor, Tensor],
    *,
    paired: bool = False,
    inception: nn.Module | None = None,
) -> tuple[DirectionQuality, DirectionQuality]:
    """Measure both directions of a model, without noise.

    Parameters
    ----------
    model
        Its domains are a and b.
    crops
        Of a and of b, shapes (N, C, H, W) in [-1, 1], at least 4 each, on the model's device.
    paired
        Crop n of a and crop n of b show the same: translations are compared with them as well.
    inception
        See `load_inception`, on the model's device: FID and KID are measured as well.

    Returns
    -------
    From a to b and from b to a.

    Raises
    ------
    ValueError
        If paired crops are not as many, or not of the same size.
    """
    a, b = (domain.name for domain in model.domains)
    return (
        _one_direction(model, a, b, crops[0], crops[1], paired, inception),
        _one_direction(model, b, a, crops[1], crops[0], paired, inception),
    )


def _one_direction(
    model: TranslationModel,
    source: str,
    target: str,
    images: Tensor,
    real: Tensor,
    paired: bool,
    inception: nn.Module | None,
) -> DirectionQuality:
    made: list[Tensor] = []
    cycle = agreement = 0.0
    for batch in images.split(_BATCH):
        translated = model.translate(batch, source, target)
        share = len(batch) / len(images)
        back = model.translate(translated, target, source)
        cycle += share * float(l1_distance(back, batch))
        agreement += share * (1.0 - float(content_disagreement(batch, translated)))
        made.append(translated)
    translations = torch.cat(made)
    return DirectionQuality(
        source,
        target,
        _across(translations, real),
        _across(images, real) if images.shape[1] == real.shape[1] else None,
        _across(real, real),
        intensity_distance(translations, real),
        sharpness(translations, real),
        cycle,
        agreement,
        compare_pairs(translations, real) if paired else None,
        None if inception is None else _by_inception(inception, translations, real),
    )


def _across(images: Tensor, real: Tensor) -> float:
    """Return the distance of either half of the images to the other half of the real ones.

    All distances here are of sets of one size, as a distance shrinks with numbers; and a crop is
    never compared with what it was made from, or shows the same as.
    """
    n = min(len(images), len(real)) // 2
    one = patch_distance(images[::2][:n], real[1::2][:n])
    return (one + patch_distance(images[1::2][:n], real[::2][:n])) / 2


def _by_inception(network: nn.Module, translations: Tensor, real: Tensor) -> InceptionQuality:
    return inception_distances(
        inception_features(network, translations), inception_features(network, real)
    )
