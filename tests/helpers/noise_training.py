"""Noise to train on, and settings with which that takes a second."""

from pathlib import Path

import numpy as np
from PIL import Image

TINY = {
    "width": 2, "n_residual": 1, "discriminator_width": 2, "n_scales": 1, "crop_px": 32,
    "device": "cpu", "min_crop_deviation": 0.0,
}  # fmt: skip


def write_noise(folder: Path, *shape: int) -> None:
    """Write three images of 8 bits to each of the folders `a` and `b`, which are made."""
    rng = np.random.default_rng(0)
    for name in "ab":
        (folder / name).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
