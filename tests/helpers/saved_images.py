"""Images in files, as the tests of reading want them."""

from pathlib import Path

import imagecodecs
import numpy as np
import tifffile


def random_image(*shape: int, dtype: str = "uint16") -> np.ndarray:
    """Return an image of small integers in this dtype, always the same."""
    return np.random.default_rng(0).integers(0, 250, shape).astype(dtype)


def save_image(folder: Path, name: str, pixels: np.ndarray) -> None:
    """Write an image as its file's name says, in a folder that is made if it is missing."""
    folder.mkdir(exist_ok=True)
    if name.endswith(".png"):
        (folder / name).write_bytes(imagecodecs.png_encode(pixels))
    elif name.endswith(".jpg"):
        (folder / name).write_bytes(imagecodecs.jpeg_encode(pixels))
    else:
        rgb = pixels.ndim == 3 and pixels.shape[2] == 3
        tifffile.imwrite(folder / name, pixels, photometric="rgb" if rgb else "minisblack")
