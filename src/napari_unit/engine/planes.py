"""What the engine reads pixels from and writes them to."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_unit.domains import Window
from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span


@dataclass(frozen=True, slots=True)
class Part:
    """What is translated of an image; all of it is measured in any case.

    Parameters
    ----------
    planes
        Numbers of planes, in order.
    region
        Of each of them.
    """

    planes: tuple[int, ...]
    region: Region

    @property
    def n_px(self) -> int:
        """Pixels of the part."""
        return len(self.planes) * self.region.n_px


class PlaneSource(Protocol):
    """Planes of one size that are translated alike, read region by region.

    Attributes
    ----------
    n_planes, n_channels, height, width, dtype
        Of the image.
    """

    @property
    def n_planes(self) -> int:
        """Number of planes."""

    @property
    def n_channels(self) -> int:
        """Channels of a plane."""

    @property
    def height(self) -> int:
        """Rows of a plane."""

    @property
    def width(self) -> int:
        """Columns of a plane."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels."""

    def read(self, plane: int, region: Region) -> NDArray[Any]:
        """Return the pixels (C, Y, X) of a region inside the plane."""


class PlaneSink(Protocol):
    """Where translated planes go, unit by unit.

    Attributes
    ----------
    unit_px
        Side of the squares, counted from a plane's first pixel, that are written at once, those
        at the far ends cropped; 0 where any region may come.
    """

    @property
    def unit_px(self) -> int:
        """Side of a unit."""

    def written(self, plane: int, unit: Region) -> int | None:
        """Return what was noted as `n_saturated` of a unit that is there already; else None."""

    def write(self, plane: int, unit: Region, pixels: NDArray[Any], n_saturated: int) -> None:
        """Take the pixels (C, Y, X) of a unit; each comes once.

        Parameters
        ----------
        plane, unit, pixels
            What is written where.
        n_saturated
            Pixel values of it that the dtype cannot hold.
        """


@dataclass(frozen=True, slots=True)
class PartSink:
    """Takes the units of a part as planes of their own, counted from its first pixel.

    Parameters
    ----------
    sink
        Where they go.
    part
        Of the image.
    """

    sink: PlaneSink
    part: Part

    @property
    def unit_px(self) -> int:
        """Side of a unit."""
        return self.sink.unit_px

    def written(self, plane: int, unit: Region) -> int | None:
        """Return what was noted of a unit that is there already; else None."""
        return self.sink.written(*self._inside(plane, unit))

    def write(self, plane: int, unit: Region, pixels: NDArray[Any], n_saturated: int) -> None:
        """Take the pixels (C, Y, X) of a unit, placed in the image."""
        self.sink.write(*self._inside(plane, unit), pixels, n_saturated)

    def _inside(self, plane: int, unit: Region) -> tuple[int, Region]:
        region = self.part.region
        return self.part.planes.index(plane), Region(
            unit.rows.shifted(-region.rows.start), unit.columns.shifted(-region.columns.start)
        )


@dataclass(frozen=True, slots=True)
class PaddedPlanes:
    """The planes as the networks see them: in [-1, 1], reflected at the far ends.

    Nothing is held in memory; the reflection is made where a region reaches into it.

    Parameters
    ----------
    planes
        The image.
    window
        Pixel values that stand for -1 and 1.
    size
        Height and width after the reflection, not smaller than the image's.
    """

    planes: PlaneSource
    window: Window
    size: tuple[int, int]

    def read(self, plane: int, region: Region) -> NDArray[np.float32]:
        """Return the pixels (C, Y, X) of a region inside the padded plane."""
        rows, row_index = _reflected(region.rows, self.planes.height)
        columns, column_index = _reflected(region.columns, self.planes.width)
        unit = self.window.to_unit(self.planes.read(plane, Region(rows, columns)))
        if row_index is not None:
            unit = unit[:, row_index]
        if column_index is not None:
            unit = unit[:, :, column_index]
        return unit


def _reflected(span: Span, length: int) -> tuple[Span, NDArray[np.intp] | None]:
    """Return which pixels of an axis to read, and in which order they make the span."""
    if span.stop <= length:
        return span, None
    index = np.arange(span.start, span.stop)
    index = np.where(index < length, index, 2 * (length - 1) - index)
    first, last = int(index.min()), int(index.max())
    return Span(first, last + 1), index - first
