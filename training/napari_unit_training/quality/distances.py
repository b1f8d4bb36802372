"""How far one set of images is from another that shows other things, by their patches."""

from itertools import pairwise

import torch
from torch import Tensor

PATCH_PX = 7
N_PATCHES = 64
"""Of each image, per level of the pyramid."""
COARSEST_PX = 16
"""The last level of the pyramid is about as large."""
_N_DIRECTIONS = 256
_LEAST_DEVIATION = 1e-4
"""In units of [-1, 1]: what varies less is as good as constant."""


@torch.no_grad()
def patch_distance(first: Tensor, second: Tensor) -> float:
    """Return the sliced Wasserstein distance of patches, the mean over the levels of a pyramid.

    Source: Karras et al. 2018 ("Progressive growing of GANs"), section 5: patches of 7x7 px from
    every level of a Laplacian pyramid, which shows structures of one size each, normalised to mean
    0 and deviation 1 per channel in either set. So one gain and one offset per set, level and
    channel do not count. Nothing is learned or downloaded. Places and directions are always the
    same. Differs from theirs: fewer patches, all directions at once, and no factor of 1000.

    Parameters
    ----------
    first, second
        Shapes (N, C, H, W), as many and as large, in [-1, 1]; H and W at least 16.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"Sets of shape {tuple(first.shape)} and {tuple(second.shape)} cannot be compared; "
            "take as many images of the same size and channels."
        )
    levels = zip(laplacian_pyramid(first), laplacian_pyramid(second), strict=True)
    found = [
        sliced_wasserstein(_descriptors(a, index), _descriptors(b, index))
        for index, (a, b) in enumerate(levels)
    ]
    return sum(found) / len(found)


def intensity_distance(first: Tensor, second: Tensor) -> float:
    """Return the Wasserstein-1 distance of the intensities of two sets, the mean over channels.

    Parameters
    ----------
    first, second
        Shapes (N, C, H, W) and (M, C, H, W) in [-1, 1].

    Returns
    -------
    By how much an intensity is off, on average, in units of [-1, 1].
    """
    at = (torch.arange(1024, device=first.device) + 0.5) / 1024
    found = []
    for channel in range(first.shape[1]):
        ranked = [s[:, channel].float().flatten().sort().values for s in (first, second)]
        quantiles = [values[(at * len(values)).long()] for values in ranked]
        found.append(float((quantiles[0] - quantiles[1]).abs().mean()))
    return sum(found) / len(found)


def sharpness(first: Tensor, second: Tensor) -> float:
    """Return how much fine structure one set has for each unit of it in another.

    1: as sharp; less: blurrier; more: noisier. The ratio of the standard deviations in the finest
    level of the pyramid, which `patch_distance` does not count.

    Parameters
    ----------
    first, second
        Shapes (N, C, H, W) and (M, C, H, W) in [-1, 1].
    """
    made, real = (float(laplacian_pyramid(images)[0].std()) for images in (first, second))
    return made / max(real, _LEAST_DEVIATION)


def laplacian_pyramid(images: Tensor) -> list[Tensor]:
    """Return images (N, C, H, W) as differences of ever blurrier ones, the finest first.

    Burt, Adelson 1983. Each level is half as large as the one before; the last is no difference.
    """
    from kornia.geometry.transform import pyrdown

    blurrier = [images.float()]
    while min(blurrier[-1].shape[-2:]) >= 2 * COARSEST_PX:
        blurrier.append(pyrdown(blurrier[-1]))
    differences = [
        fine
        - torch.nn.functional.interpolate(
            coarse, fine.shape[-2:], mode="bilinear", align_corners=False
        )
        for fine, coarse in pairwise(blurrier)
    ]
    return [*differences, blurrier[-1]]


def sliced_wasserstein(first: Tensor, second: Tensor) -> float:
    """Return the mean Wasserstein-1 distance of two sets along random directions, the same always.

    Each direction compares the sorted projections of both sets (Bonneel et al. 2015, section 3).

    Parameters
    ----------
    first, second
        Shape (N, F) each.
    """
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(first.shape[1], _N_DIRECTIONS, generator=generator)
    directions = torch.nn.functional.normalize(directions, dim=0).to(first.device)
    ranked = [(points @ directions).sort(0).values for points in (first, second)]
    return float((ranked[0] - ranked[1]).abs().mean())


def _descriptors(level: Tensor, seed: int) -> Tensor:
    """Return patches of a level (N, C, H, W), (N * N_PATCHES, C * 49), normalised per channel."""
    n, channels, height, width = level.shape
    generator = torch.Generator().manual_seed(seed)
    draw = (n, N_PATCHES, 1, 1)
    tops = torch.randint(height - PATCH_PX + 1, draw, generator=generator).to(level.device)
    lefts = torch.randint(width - PATCH_PX + 1, draw, generator=generator).to(level.device)
    within = torch.arange(PATCH_PX, device=level.device)
    image = torch.arange(n, device=level.device)[:, None, None, None]
    # (n, N_PATCHES, 7, 7, C)
    patches = level.permute(0, 2, 3, 1)[image, tops + within[:, None], lefts + within]
    flat = patches.reshape(-1, channels)
    deviation = flat.std(0, correction=0).clamp_min(_LEAST_DEVIATION)
    return ((patches - flat.mean(0)) / deviation).reshape(n * N_PATCHES, -1)
