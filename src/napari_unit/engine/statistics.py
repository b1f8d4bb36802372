"""The statistics by which an image's normalisation layers are frozen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_unit.engine.folding import Frozen
from napari_unit.engine.settings import StatisticsMode
from napari_unit.models.normalisation import Moments, merge_all


@dataclass(frozen=True, slots=True, eq=False)
class NormStatistics:
    """Moments of every normalisation on the way from one domain to the other.

    Parameters
    ----------
    mode
        How they were measured.
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

    mode: StatisticsMode
    moments: tuple[Frozen, ...]
    n_sampled: int
    n_eligible: int
    standard_error: tuple[float, ...]
    seed: int


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
