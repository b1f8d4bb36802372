"""How far one set of features is from another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_unit_training.quality.features import Features

_N_DIRECTIONS = 512
_LEAST_DEVIATION = 0.05
"""Of the median: a feature that hardly varies in the reference would drown all others."""


@dataclass(frozen=True, slots=True)
class Standard:
    """A reference set's mean and deviation of each feature (F,)."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, reference: Features) -> "Standard":
        """Measure a reference set (N, F)."""
        deviation = reference.std(0)
        least = _LEAST_DEVIATION * float(np.median(deviation))
        return cls(reference.mean(0), np.maximum(deviation, max(least, 1e-9)))

    def apply(self, features: Features) -> Features:
        """Return features of mean 0 and deviation 1 in the reference set."""
        return (features - self.mean) / self.deviation


def sliced_wasserstein(first: Features, second: Features, seed: int = 0) -> float:
    """Return the mean Wasserstein-1 distance of two sets along random directions.

    Each direction compares the sorted projections of both sets (Bonneel et al. 2015, section 3);
    the larger set is read at the quantiles of the smaller one.

    Parameters
    ----------
    first, second
        Shapes (N, F) and (M, F), standardised.
    seed
        Of the directions.
    """
    directions = np.random.default_rng(seed).standard_normal((first.shape[1], _N_DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    n = min(len(first), len(second))
    at = (np.arange(n) + 0.5) / n
    quantiles = [np.quantile(features @ directions, at, axis=0) for features in (first, second)]
    return float(np.abs(quantiles[0] - quantiles[1]).mean())
