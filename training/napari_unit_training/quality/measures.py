"""A model's quality on crops of both domains, which may correspond or not."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_unit.models.model import TranslationModel
from napari_unit_training.losses import content_disagreement, l1_distance
from napari_unit_training.quality.distances import Standard, sliced_wasserstein
from napari_unit_training.quality.features import features_of
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
        From translations to images of the target: sliced Wasserstein distance of random features,
        standardised by one half of the target's crops, to the other half.
    untranslated
        The same of the source's images as they are; None where channel counts differ.
    real
        The same of the one half of the target's images to the other: about what a perfect
        translation would have.
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
    of_real = features_of(real)
    standard = Standard.of(of_real[::2])
    other = standard.apply(of_real[1::2])

    def to_real(others: Tensor) -> float:
        # as many as the half that they are compared with: a distance shrinks with numbers
        return sliced_wasserstein(standard.apply(features_of(others[: len(other)])), other)

    return DirectionQuality(
        source,
        target,
        to_real(translations),
        to_real(images) if images.shape[1] == real.shape[1] else None,
        sliced_wasserstein(standard.apply(of_real[::2]), other),
        cycle,
        agreement,
        compare_pairs(translations, real) if paired else None,
        None if inception is None else _by_inception(inception, translations, real),
    )


def _by_inception(network: nn.Module, translations: Tensor, real: Tensor) -> InceptionQuality:
    return inception_distances(
        inception_features(network, translations), inception_features(network, real)
    )
