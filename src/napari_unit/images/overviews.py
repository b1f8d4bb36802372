"""Smaller views of an image that has none of its own, made of what is read of it."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.engine.planes import PlaneSource
from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.geometry.tiling import Span

_BAND_PX = 1024
"""Rows that are read at once."""


class PooledPlanes:
    """Planes made smaller by means of squares, each read when it is asked for.

    Parameters
    ----------
    planes
        The image.
    factor
        Side of the squares; those at the far ends may be smaller.
    """

    def __init__(self, planes: PlaneSource, factor: int) -> None:
        self._planes = planes
        self.factor = factor
        self.n_planes = planes.n_planes
        self.n_channels = planes.n_channels
        self.height = -(-planes.height // factor)
        self.width = -(-planes.width // factor)
        self.dtype = planes.dtype

    def read(self, plane: int, region: Region) -> NDArray[Any]:
        """Return the pooled pixels (C, Y, X) of a region."""
        bands = []
        step = max(1, _BAND_PX // self.factor)
        for first in range(region.rows.start, region.rows.stop, step):
            rows = Span(first, min(first + step, region.rows.stop))
            source = Region(self._rows(rows), self._columns(region.columns))
            bands.append(pooled(self._planes.read(plane, source), self.factor))
        return np.concatenate(bands, axis=1)

    def _rows(self, rows: Span) -> Span:
        return Span(rows.start * self.factor, min(rows.stop * self.factor, self._planes.height))

    def _columns(self, columns: Span) -> Span:
        last = min(columns.stop * self.factor, self._planes.width)
        return Span(columns.start * self.factor, last)


def pooled(pixels: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return means of squares of pixels (C, Y, X); integers are rounded.

    Parameters
    ----------
    pixels
        From the corner of a square on.
    factor
        Side of the squares; those at the far ends may be smaller.
    """
    means = pixels.astype(np.float64 if pixels.dtype.itemsize > 4 else np.float32)
    for axis in (1, 2):
        starts = np.arange(0, pixels.shape[axis], factor)
        lengths = np.diff([*starts, pixels.shape[axis]])
        shape = [-1 if i == axis else 1 for i in range(3)]
        means = np.add.reduceat(means, starts, axis=axis) / lengths.reshape(shape).astype(
            means.dtype
        )
    if pixels.dtype.kind in "iu":
        np.rint(means, out=means)
    return means.astype(pixels.dtype)


class Remembering:
    """Reads planes, and keeps a small picture of all that was read.

    Measuring an image's intensities reads every pixel once. A picture of the whole image falls
    off, which would take minutes of reading else.

    Parameters
    ----------
    planes
        The image.
    factor
        Side of the squares that become a pixel, a power of two.
    """

    def __init__(self, planes: PlaneSource, factor: int) -> None:
        self._planes = planes
        self.factor = factor
        self.n_planes = planes.n_planes
        self.n_channels = planes.n_channels
        self.height = planes.height
        self.width = planes.width
        self.dtype = planes.dtype
        size = (-(-planes.height // factor), -(-planes.width // factor))
        self._picture = np.zeros((planes.n_planes, planes.n_channels, *size), planes.dtype)
        self._is_known = np.zeros((planes.n_planes, *size), bool)

    def read(self, plane: int, region: Region) -> NDArray[Any]:
        """Return the pixels (C, Y, X) of a region."""
        pixels = self._planes.read(plane, region)
        rows, columns = region.rows, region.columns
        whole_rows = rows.stop % self.factor == 0 or rows.stop == self.height
        whole_columns = columns.stop % self.factor == 0 or columns.stop == self.width
        starts_whole = rows.start % self.factor == columns.start % self.factor == 0
        if starts_whole and whole_rows and whole_columns:
            top, left = rows.start // self.factor, columns.start // self.factor
            made = pooled(pixels, self.factor)
            place = np.s_[top : top + made.shape[1], left : left + made.shape[2]]
            self._picture[plane][:, *place] = made
            self._is_known[plane][place] = True
        return pixels

    def reading(self) -> Iterator[None]:
        """Read what was not read yet, step by step."""
        side = max(self.factor, _BAND_PX // self.factor * self.factor)
        for plane in range(self.n_planes):
            for region in grid(whole((self.height, self.width)), side):
                top, left = (s.start // self.factor for s in (region.rows, region.columns))
                if not self._is_known[plane, top, left]:
                    self.read(plane, region)
                    yield

    def pictures(self) -> NDArray[Any]:
        """Return the picture of every plane (planes, C, Y, X); what was not read is read now."""
        for _ in self.reading():
            pass
        return self._picture


class Enlarged:
    """The small picture of an image, each of its pixels repeated; made when it is first read.

    Parameters
    ----------
    remembering
        Has the picture.
    repeat
        How often, along either axis: a power of two, not above the picture's factor.
    """

    def __init__(self, remembering: Remembering, repeat: int) -> None:
        self._remembering = remembering
        self._repeat = repeat
        self.n_planes, self.n_channels = remembering.n_planes, remembering.n_channels
        factor = remembering.factor // repeat
        self.height, self.width = (
            -(-length // factor) for length in (remembering.height, remembering.width)
        )
        self.dtype = remembering.dtype

    def read(self, plane: int, region: Region) -> NDArray[Any]:
        """Return the pixels (C, Y, X) of a region."""
        rows, columns = (
            np.arange(span.start, span.stop) // self._repeat
            for span in (region.rows, region.columns)
        )
        picture = self._remembering.pictures()[plane]
        found: NDArray[Any] = picture[:, rows[:, None], columns[None, :]]
        return found


def factors_of(size: tuple[int, int], largest_px: int) -> tuple[int, ...]:
    """Return powers of two by which to make planes smaller, until the larger side is small.

    Parameters
    ----------
    size
        Height and width.
    largest_px
        That the last one must not exceed.
    """
    n = max(0, math.ceil(math.log2(max(size) / largest_px)))
    return tuple(2**k for k in range(1, n + 1))
