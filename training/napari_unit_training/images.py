"""Reading one image file as channels first, whatever it was written as."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
_TIFF_ALPHA = (1, 2)  # ExtraSamples of TIFF 6.0: associated and unassociated alpha
MAX_UNNAMED_CHANNELS = 4
"""An axis that a TIFF does not name is taken for channels up to this length."""


class UnreadableImageError(ValueError):
    """A file that is no single 2D image; the message continues "NAME: "."""


@dataclass(frozen=True, slots=True, eq=False)
class RawImage:
    """The pixels of a file.

    Parameters
    ----------
    pixels
        Shape (C, Y, X), the dtype of the file.
    is_rgb
        Whether the file says that its channels are red, green and blue.
    dropped_alpha
        Whether it had an alpha channel, which is left out.
    """

    pixels: NDArray[Any]
    is_rgb: bool
    dropped_alpha: bool


def read_image(path: Path) -> RawImage:
    """Read a TIFF, PNG or JPEG with its own bit depth.

    Raises
    ------
    UnreadableImageError
        If the file is damaged, or holds a stack or another array that is no 2D image.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".tif", ".tiff"):
            return _read_tiff(path)
        content = path.read_bytes()
        if suffix == ".png":
            return _from_last_axis(imagecodecs.png_decode(content))
        pixels = imagecodecs.jpeg_decode(content)
    except UnreadableImageError:
        raise
    except Exception as error:
        # the codecs raise types of their own, and anything at all on damaged files
        raise UnreadableImageError(f"cannot be read ({str(error) or type(error).__name__})") from (
            error
        )
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        raise UnreadableImageError("is a CMYK JPEG; save it as RGB or gray")
    return _from_last_axis(pixels)


def _from_last_axis(pixels: NDArray[Any]) -> RawImage:
    """Take (Y, X) or (Y, X, S), where 2 or 4 samples end with alpha, as in PNG."""
    if pixels.ndim == 2:
        return RawImage(pixels[np.newaxis], is_rgb=False, dropped_alpha=False)
    samples = pixels.shape[2]
    has_alpha = samples in (2, 4)
    colours = samples - 1 if has_alpha else samples
    return RawImage(np.moveaxis(pixels[..., :colours], 2, 0), colours == 3, has_alpha)


def _read_tiff(path: Path) -> RawImage:
    with tifffile.TiffFile(path) as file:
        if len(file.series) != 1:
            raise UnreadableImageError(f"holds {len(file.series)} images; save one image per file")
        series = file.series[0]
        pixels = series.asarray()
        axes = series.axes
        extra = file.pages.first.extrasamples
        has_alpha = "S" in axes and bool(extra) and int(extra[-1]) in _TIFF_ALPHA
    kept = [i for i, (axis, n) in enumerate(zip(axes, pixels.shape, strict=True))
            if axis in "YX" or n > 1]  # fmt: skip
    axes = "".join(axes[i] for i in kept)
    pixels = pixels.reshape([pixels.shape[i] for i in kept])
    if axes == "YX":
        return RawImage(pixels[np.newaxis], is_rgb=False, dropped_alpha=False)
    pixels = _channels_first(pixels, axes)
    if has_alpha:
        pixels = pixels[:-1]
    return RawImage(pixels, "S" in axes and len(pixels) == 3, has_alpha)


def _channels_first(pixels: NDArray[Any], axes: str) -> NDArray[Any]:
    extra = "".join(axis for axis in axes if axis not in "YX")
    named = extra in ("C", "S")
    if "Y" not in axes or "X" not in axes or len(extra) != 1:
        raise UnreadableImageError(f"has axes {axes}; save one 2D image per file")
    where = axes.index(extra)
    unnamed = extra not in "CSTZ" and pixels.shape[where] <= MAX_UNNAMED_CHANNELS
    if not (named or unnamed):
        raise UnreadableImageError(
            f"has axes {axes} of shape {pixels.shape}, a stack; save one 2D image per file"
        )
    return np.moveaxis(pixels, where, 0)
