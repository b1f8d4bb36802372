"""How near translations are to the images that they should have become."""

from dataclasses import dataclass

import torch
from torch import Tensor

_RANGE = 2.0
"""Of images in [-1, 1]."""
_RIGHT_WITHIN = 16.0
"""Largest difference of a right pixel, of 255 levels of the range."""
_ROUNDING = 1e-3
"""Of a level: 8-bit pixels that differ by just 16 are right, whatever float32 makes of them."""
_BATCH = 8


@dataclass(frozen=True, slots=True)
class PairedQuality:
    """How near translations are to their ground truth, over all pixels of all crops.

    Parameters
    ----------
    psnr_db
        Peak signal-to-noise ratio in dB: ``10 log10(range^2 / mean squared error)``, with the range
        of 2 and one mean over all crops. Infinite where nothing differs.
    ssim
        Structural similarity, -1 to 1 (Wang et al. 2004, eq. 13), in windows of 11 px with a
        Gaussian of 1.5 px; a mean over channels and crops. Images are shifted to [0, 2] first: its
        term of brightness is meant for intensities of 0 or more.
    accuracy
        Share of pixels, 0 to 1, whose color is right: no channel differs by more than 16 of 255
        levels of the range that the domain's intensities are scaled to. UNIT's measure on maps
        (Liu et al. 2017, section 4, "Performance Analysis"): a pixel is right if its color differs
        by at most 16 of 255. That every channel must is our reading of it.
    """

    psnr_db: float
    ssim: float
    accuracy: float


@torch.no_grad()
def compare_pairs(translations: Tensor, truths: Tensor) -> PairedQuality:
    """Compare translations with the images that they should have become.

    Parameters
    ----------
    translations, truths
        Shape (N, C, H, W) in [-1, 1]; number n of both show the same. H and W at least 6.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if translations.shape != truths.shape:
        raise ValueError(
            f"Translations of shape {tuple(translations.shape)} have no counterparts in images of "
            f"shape {tuple(truths.shape)}; pairs need the same shape."
        )
    # takes as long to import as torch does, and unpaired measures do without
    from torchmetrics.functional.image import (
        peak_signal_noise_ratio,
        structural_similarity_index_measure,
    )

    made, true = translations.float(), truths.float()
    ssim = 0.0
    for one, other in zip(made.split(_BATCH), true.split(_BATCH), strict=True):
        # variances are differences of squares: float32 would cost the fourth digit
        shifted, as_other = (batch.cpu().double() + 1.0 for batch in (one, other))
        of_batch = structural_similarity_index_measure(shifted, as_other, data_range=_RANGE)
        assert isinstance(of_batch, Tensor)  # more than one is returned where asked for only
        ssim += float(of_batch) * len(one) / len(made)
    levels = (made - true).abs().amax(1) * (255.0 / _RANGE)
    return PairedQuality(
        float(peak_signal_noise_ratio(made, true, data_range=_RANGE)),
        ssim,
        float((levels <= _RIGHT_WITHIN + _ROUNDING).float().mean()),
    )
