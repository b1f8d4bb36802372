"""How visible the borders of tiles are in an image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

AROUND_PX = 8
"""Lines on either side of a border that it is compared with."""


def seam_excess(
    image: NDArray[Any], rows: Sequence[int], columns: Sequence[int], around_px: int = AROUND_PX
) -> float:
    """Return by how much an image jumps more at the borders of its tiles than beside them.

    The jump of line i is the mean of ``|image[i] - image[i - 1]|`` along it. From that of each
    border the mean jump of the lines around it, borders left out, is subtracted. 0 is no seam;
    noise and texture, which jump everywhere alike, add nothing.

    Parameters
    ----------
    image
        Shape (C, Y, X).
    rows, columns
        First lines of tiles; 0 and what lies beyond the image is no border.
    around_px
        As `AROUND_PX`.

    Returns
    -------
    In the image's unit, the mean over all pixels of all borders; NaN if there is none.
    """
    per_border = [
        (excess, weight)
        for jumps, borders, weight in (
            (_jumps(image, 1), rows, image.shape[2]),
            (_jumps(image, 2), columns, image.shape[1]),
        )
        for excess in _excesses(jumps, borders, around_px)
    ]
    if not per_border:
        return float("nan")
    excesses, weights = np.array(per_border).T
    return float(np.average(excesses, weights=weights))


def _jumps(image: NDArray[Any], axis: int) -> NDArray[np.float64]:
    """Return the jump of each line to the one before it; that of line 0 is NaN."""
    other = 3 - axis
    found = np.full(image.shape[axis], np.nan)
    for line in range(1, image.shape[axis]):  # whole differences would take several images' memory
        pair = image.take([line - 1, line], axis).astype(np.float64, copy=False)
        found[line] = np.abs(np.diff(pair, axis=axis)).mean(axis=(0, axis, other))
    return found


def _excesses(jumps: NDArray[np.float64], borders: Sequence[int], around_px: int) -> list[float]:
    inside = sorted({border for border in borders if 0 < border < len(jumps)})
    beside = jumps.copy()
    beside[inside] = np.nan
    found = []
    for border in inside:
        around = beside[max(1, border - around_px) : border + around_px + 1]
        if np.isfinite(around).any():
            found.append(float(jumps[border] - np.nanmean(around)))
    return found
