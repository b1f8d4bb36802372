"""How far one set of images is from another, unpaired, on features that nobody trained.

Two independent measures; the kernel distance is the primary one, fixed before any translated
image was looked at.

- kernel distance: the unbiased squared maximum mean discrepancy with a cubic polynomial kernel
  (Bińkowski et al. 2018, "Demystifying MMD GANs", KID) on a random convolutional network, which
  Naeem et al. 2020 ("Reliable fidelity and diversity metrics") recommend where images are unlike
  those of ImageNet;
- sliced Wasserstein distance (Bonneel et al. 2015) on classical statistics: intensity quantiles,
  band-pass contrast and skewness, gradients, radial spectrum.

Network features are whitened, classical ones standardised, by the real training images.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from nuclei_segmentation import normalised
from numpy.typing import NDArray
from random_network import RandomNetwork
from scipy import fft

Patches = NDArray[np.float32]  # (N, C, Y, X)
Features = NDArray[np.float64]  # (N, F)

PERCENTILES = (1.0, 99.8)
"""Of each whole image; they become 0 and 1: gains and offsets of cameras are no realism."""


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance and its standard deviation over subsets of the patches."""

    mean: float
    spread: float


def draw_patches(
    groups: Sequence[Sequence[NDArray[Any]]],
    weights: Sequence[float],
    count: int,
    side_px: int,
    rng: np.random.Generator,
) -> Patches:
    """Draw patches: a group by weight, an image of it evenly, a place in it evenly.

    Parameters
    ----------
    groups
        Images (Y, X) of any real dtype, or (Y, X, 3), each at least a patch large.
    weights
        Of the groups, summing to 1.
    count, side_px
        Number and side of the patches.
    rng
        Decides all draws.
    """
    scaled = [[normalised(image, PERCENTILES) for image in group] for group in groups]
    patches = np.empty((count, len(scaled[0][0]), side_px, side_px), np.float32)
    for index, group in enumerate(rng.choice(len(scaled), count, p=weights)):
        image = scaled[group][rng.integers(len(scaled[group]))]
        top, left = (int(rng.integers(size - side_px + 1)) for size in image.shape[1:])
        patches[index] = image[:, top : top + side_px, left : left + side_px]
    return patches


@torch.inference_mode()
def network_features(patches: Patches, seed: int = 0) -> Features:
    """Return the random network's features (N, 480) of patches (N, C, Y, X)."""
    network = RandomNetwork(patches.shape[1], seed)
    batches = torch.from_numpy(patches).split(32)
    features = torch.cat([network(batch) for batch in batches]).double().numpy()
    return np.asarray(np.log(features + 1e-3), np.float64)


def classical_features(patches: Patches) -> Features:
    """Return classical statistics (N, 41 C) of square patches (N, C, Y, X)."""
    parts = [patches[i : i + 64] for i in range(0, len(patches), 64)]
    of_channels = [[_statistics(channel) for channel in np.moveaxis(p, 1, 0)] for p in parts]
    return np.concatenate([np.concatenate(channels, 1) for channels in of_channels])


def _statistics(patches: NDArray[np.float32]) -> Features:
    """Quantiles, contrast and skewness per band, gradients, radial spectrum."""
    spectrum = fft.dctn(patches.astype(np.float64), axes=(1, 2), norm="ortho")
    frequency = np.hypot(*np.meshgrid(*(np.arange(n) / (2 * n) for n in patches.shape[1:])))

    def blurred(sigma_px: float) -> Features:
        """Gaussian blur with reflecting borders, which the cosine transform has by nature."""
        transfer = np.exp(-2 * (np.pi * sigma_px * frequency) ** 2)
        return np.asarray(fft.idctn(spectrum * transfer, axes=(1, 2), norm="ortho"))

    columns = list(np.quantile(patches, (0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99), (1, 2)))
    pyramid: list[NDArray[Any]] = [
        patches,
        *(blurred(sigma_px) for sigma_px in (0.7, 1.4, 2.8, 5.6, 11.2)),
    ]
    for fine, coarse in itertools.pairwise(pyramid):
        band = fine - coarse
        band -= band.mean((1, 2), keepdims=True)
        deviation = band.std((1, 2)) + 1e-6
        columns += [np.log(deviation), np.cbrt((band**3).mean((1, 2)) / deviation**3)]
    slope = np.hypot(*np.gradient(blurred(1.0), axis=(1, 2)))
    columns += list(np.log(np.quantile(slope, (0.1, 0.25, 0.5, 0.75, 0.9, 0.99), (1, 2)) + 1e-4))
    rings = np.minimum((frequency * 2 * 17).astype(int), 17)  # the 17 of them up to Nyquist
    for ring in range(17):
        columns.append(np.log((spectrum[:, rings == ring] ** 2).mean(1) + 1e-6))
    return np.stack(columns, 1)


@dataclass(frozen=True, slots=True)
class Whitening:
    """A fixed linear map of features, taken from one reference set.

    Raw features are strongly correlated (two thirds of their variance is how bright and how full a
    patch is) and would hide texture and grain; whitened, every direction counts the same.

    Parameters
    ----------
    mean, deviation
        Of each feature (F,) in the reference set.
    axes
        Its first principal components (F, K), scaled to unit variance.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    axes: NDArray[np.float64]

    def standardise(self, features: Features) -> Features:
        """Return features (N, F) of mean 0 and deviation 1 in the reference set."""
        return (features - self.mean) / self.deviation

    def whiten(self, features: Features) -> Features:
        """Return features (N, K) that are uncorrelated in the reference set."""
        return self.standardise(features) @ self.axes


def whitening(reference: Features, components: int = 64) -> Whitening:
    """Measure the whitening of a reference set (N, F)."""
    # A feature that is all but constant in the reference would drown the others in any other set.
    deviation = reference.std(0)
    mean, deviation = reference.mean(0), np.maximum(deviation, 0.05 * np.median(deviation))
    _, singular, rows = np.linalg.svd((reference - mean) / deviation, full_matrices=False)
    kept = min(components, int(np.count_nonzero(singular > 1e-6 * singular[0])))
    return Whitening(mean, deviation, rows[:kept].T / (singular[:kept] / np.sqrt(len(reference))))


def kernel_distance(
    first: Features, second: Features, rng: np.random.Generator, subsets: int = 50, size: int = 200
) -> Distance:
    """Unbiased squared MMD, kernel ``(x·y / F + 1)³``; mean and spread over random subsets.

    Around zero, and as often below it, where both sets come from one distribution.
    """
    size = min(size, len(first), len(second))
    values = []
    for _ in range(subsets):
        x = first[rng.choice(len(first), size, replace=False)]
        y = second[rng.choice(len(second), size, replace=False)]
        values.append(squared_mmd(x, y))
    return Distance(float(np.mean(values)), float(np.std(values)))


def squared_mmd(first: Features, second: Features) -> float:
    """Unbiased estimate of the squared MMD (Gretton et al. 2012, eq. 3), cubic kernel."""
    n, m, width = len(first), len(second), first.shape[1]
    within_first = (first @ first.T / width + 1) ** 3
    within_second = (second @ second.T / width + 1) ** 3
    between = (first @ second.T / width + 1) ** 3
    return float(
        (within_first.sum() - np.trace(within_first)) / (n * (n - 1))
        + (within_second.sum() - np.trace(within_second)) / (m * (m - 1))
        - 2 * between.mean()
    )


def sliced_wasserstein(
    first: Features, second: Features, rng: np.random.Generator, directions: int = 256
) -> float:
    """Mean over random directions of the 1-D Wasserstein-1 distance; equally many points each."""
    axes = rng.standard_normal((first.shape[1], directions))
    axes /= np.linalg.norm(axes, axis=0)
    return float(np.abs(np.sort(first @ axes, 0) - np.sort(second @ axes, 0)).mean())
