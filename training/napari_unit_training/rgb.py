"""Images of any number of channels in 8-bit RGB."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_rgb(images: Tensor) -> NDArray[np.uint8]:
    """Map images (B, C, H, W) in [-1, 1] to (B, H, W, 3) in 0..255.

    One channel becomes gray; two become red and green, with blue 0; of more the first three are
    red, green and blue.
    """
    values = ((images.float().cpu() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
    channels = values.shape[1]
    if channels == 1:
        values = values.expand(-1, 3, -1, -1)
    elif channels == 2:
        values = torch.cat([values, torch.zeros_like(values[:, :1])], dim=1)
    return values[:, :3].permute(0, 2, 3, 1).contiguous().numpy()
