"""Images without any contrast, which would break what normalises them.

An instance normalisation divides by the deviation of its input, or by the square root of its eps
(1e-5) where there is none: it multiplies gradients by up to 316. Of an image that is the same
everywhere all maps are flat, so a dozen such layers in a row multiply them by 1e20 and more. One
such image makes Adam's second moments huge or infinite, and those weights hardly change again.
"""

from functools import lru_cache

import torch
from torch import Tensor

FAINTEST = 1e-3
"""Standard deviation, in units of [-1, 1]: an eighth of a level of 8 bits."""


def dithered(images: Tensor) -> Tensor:
    """Return images (B, C, H, W) in [-1, 1], with a faint grain on those that have no contrast.

    Those are the ones whose standard deviation is below `FAINTEST` in every channel; they get a
    grain of that deviation, always the same. All others are returned as they are.
    """
    deviation = images.detach().float().std(dim=(2, 3), correction=0).amax(1)
    amount = torch.where(deviation < FAINTEST, FAINTEST, 0.0)
    return images + (amount.view(-1, 1, 1, 1) * _grain(*images.shape[2:], images.device))


@lru_cache(maxsize=8)
def _grain(height: int, width: int, device: torch.device) -> Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randn(1, 1, height, width, generator=random).to(device)
