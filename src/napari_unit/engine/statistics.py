"""The statistics by which an image's normalisation layers are frozen, and how they are measured."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from napari_unit.engine.folding import Layer
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.runner import FeatureMap
from napari_unit.engine.sampling import Sample
from napari_unit.engine.sweep import sweep
from napari_unit.engine.sweep_plan import SweepPlan
from napari_unit.models.normalisation import Moments, merge_all
from napari_unit.models.stored_statistics import StoredStatistics

StatisticsMode = Literal["image", "whole", "tile"]
"""
``"image"``: of a pooled, stratified sample of the image.
``"whole"``: of all of it, which equals translating it in one piece.
``"tile"``: of each tile alone, as others do; for comparison only, its tiles do not fit together.
"""


@dataclass(frozen=True, slots=True, eq=False)
class NormStatistics:
    """Moments of every normalisation on the way from one domain to the other.

    Parameters
    ----------
    mode
        How they were measured; ``"model"``: by the trainer, over training crops.
    moments
        One per normalisation, in the order in which an image passes them.
    n_sampled, n_eligible
        Fields that were measured, and fields that they stand for.
    standard_error
        Per normalisation: how far mean and deviation may be from those of all eligible fields,
        in units of the deviation, root mean square over the channels (jackknife over the
        fields; what strata gain is not counted). Zero if all were measured, NaN if one of
        several was.
    seed
        Of the sample.
    """

    mode: StatisticsMode | Literal["model"]
    moments: tuple[Moments, ...]
    n_sampled: int
    n_eligible: int
    standard_error: tuple[float, ...]
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Statistics, and what measuring them has computed besides.

    Parameters
    ----------
    statistics
        The statistics.
    layers
        The route's layers, frozen by them.
    maps
        Per measured field, its last coarse map, so that a plane that was measured whole need
        not be taken through the layers before again.
    """

    statistics: NormStatistics
    layers: tuple[Layer, ...]
    maps: tuple[FeatureMap, ...]


def measure_statistics(
    plan: SweepPlan,
    sample: Sample,
    planes: PaddedPlanes,
    device: torch.device,
    mode: Literal["image", "whole"],
    seed: int,
) -> Generator[int, None, Measured]:
    """Measure all normalisations of a route over a sample of an image.

    All fields of the sample advance together, and each layer's moments are pooled over them
    before the next layer is reached, the differences between the fields included. Averaging
    statistics that each tile found under its own normalisation would be something else.

    Parameters
    ----------
    plan
        Of the sample's fields.
    sample
        The fields.
    planes
        The image.
    device
        Where to compute.
    mode, seed
        Noted in the result.

    Yields
    ------
    Pieces of work done, of ``plan.n_pieces``.
    """
    swept = yield from sweep(plan, planes, device)
    statistics = NormStatistics(
        mode,
        tuple(merge_all(per_field) for per_field in swept.moments),
        len(sample.fields),
        sample.n_eligible,
        tuple(standard_error(per_field, sample.n_eligible) for per_field in swept.moments),
        seed,
    )
    return Measured(statistics, swept.layers, swept.maps)


def statistics_of_model(stored: StoredStatistics) -> NormStatistics:
    """Return the statistics that a model file carries; they have no error, as they are its own."""
    n = stored.n_crops
    return NormStatistics("model", stored.moments, n, n, (0.0,) * len(stored.moments), 0)


def standard_error(parts: Sequence[Moments], n_eligible: int) -> float:
    """Return the standard error of the moments of these parts together.

    Delete-one jackknife (Efron & Stein 1981) with the finite population correction: parts that
    are all there are have no error.

    Parameters
    ----------
    parts
        Moments of one layer over disjoint fields.
    n_eligible
        Fields that they were drawn from.

    Returns
    -------
    In units of the layer's deviation, root mean square over the channels, mean's and deviation's
    error taken together.
    """
    n = len(parts)
    if n >= n_eligible:
        return 0.0
    if n < 2:
        return math.nan
    pooled = merge_all(parts)
    counts = torch.tensor([part.count for part in parts], dtype=torch.float64).view(-1, 1)
    shift = torch.stack([part.mean for part in parts]) - pooled.mean  # (N, C)
    squares = torch.stack([part.squared_deviations for part in parts]) + counts * shift.square()
    left = pooled.count - counts
    mean = -(counts * shift) / left  # of all but one, relative to the pooled mean
    variance = (squares.sum(0) - squares) / left - mean.square()
    deviation = variance.clamp_min(0.0).sqrt()
    error = (_jackknife(mean) + _jackknife(deviation)) * (1.0 - n / n_eligible)
    scale = pooled.variance(unbiased=False)
    relative = error[scale > 0] / scale[scale > 0]
    return math.sqrt(float(relative.mean())) if len(relative) else 0.0


def _jackknife(replicates: Tensor) -> Tensor:
    """Return the variance (C,) of a statistic from its values (N, C) without one part each."""
    n = len(replicates)
    return (n - 1) / n * (replicates - replicates.mean(0)).square().sum(0)
