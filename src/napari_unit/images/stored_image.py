"""A translation as it lies in a file, whatever the format."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_unit.images.axes import Axes
from napari_unit.images.placement import PixelSize


@dataclass(frozen=True, slots=True)
class StoredImage:
    """What is written to a file, besides the pixels.

    Parameters
    ----------
    axes
        As stored.
    shapes
        Of the levels, full resolution first; they differ in Y and X only.
    dtype
        Of the pixels.
    name
        Of the image.
    pixel_size
        None where it is not known.
    origin
        Where the first pixel stands along axes that have a size, in its unit, by their letters;
        0 along those that are not in it.
    time_step_s
        Seconds between two images along T; None where it is not known.
    """

    axes: Axes
    shapes: tuple[tuple[int, ...], ...]
    dtype: np.dtype[Any]
    name: str
    pixel_size: PixelSize | None = None
    origin: Mapping[str, float] = field(default_factory=dict)
    time_step_s: float | None = None

    @property
    def sides(self) -> dict[str, float]:
        """What is known of the size of a pixel, by the letters of axes."""
        size = self.pixel_size
        sides = {} if size is None else {"Z": size.z, "Y": size.y, "X": size.x}
        return {letter: side for letter, side in sides.items() if side is not None}
