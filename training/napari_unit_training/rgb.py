"""Images of any number of channels in 8-bit RGB. Needs no torch."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def to_rgb(images: "Tensor") -> NDArray[np.uint8]:
    """Map images (B, C, H, W) in [-1, 1], on any device, as `rgb_of` does."""
    return rgb_of(images.float().cpu().numpy())


def rgb_of(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Map images (B, C, H, W) in [-1, 1] to (B, H, W, 3) in 0..255.

    One channel becomes gray; two become red and green, with blue 0; of more the first three are
    red, green and blue.
    """
    values = np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)
    channels = values.shape[1]
    if channels == 1:
        values = np.repeat(values, 3, axis=1)
    elif channels == 2:
        values = np.concatenate([values, np.zeros_like(values[:, :1])], axis=1)
    return np.ascontiguousarray(values[:, :3].transpose(0, 2, 3, 1))
