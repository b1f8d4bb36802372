"""Pixels of an image in any axis order, plane by plane: from arrays and into them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.engine.planes import PlaneSink
from napari_unit.geometry.regions import Region
from napari_unit.images.axes import Axes
from napari_unit.images.decoding import PixelsError, first_line


def _in_words(region: Region) -> str:
    rows, columns = region.rows, region.columns
    return f"rows {rows.start} to {rows.stop - 1} and columns {columns.start} to {columns.stop - 1}"


@dataclass(frozen=True, slots=True)
class PlaneLayout:
    """Where the planes of an image are in its array.

    Planes are counted over all axes but channels, rows and columns, the last one fastest.

    Parameters
    ----------
    axes, shape
        Of the array.
    """

    axes: Axes
    shape: tuple[int, ...]

    @property
    def n_planes(self) -> int:
        """Number of planes."""
        return math.prod(self.shape[axis] for axis in self.axes.planes)

    @property
    def height(self) -> int:
        """Rows of a plane."""
        return self.shape[self.axes.y]

    @property
    def width(self) -> int:
        """Columns of a plane."""
        return self.shape[self.axes.x]

    def index(
        self, plane: int, region: Region, n_channels: int, first: int = 0
    ) -> tuple[int | slice, ...]:
        """Return the index of `n_channels` channels, from `first` on, of a region of one plane.

        Raises
        ------
        ValueError
            If the plane or the region is not inside the image.
        """
        if not 0 <= plane < self.n_planes:
            raise ValueError(f"There is no plane {plane}; the image has {self.n_planes}.")
        if region.rows.stop > self.height or region.columns.stop > self.width:
            raise ValueError(
                f"There are no {_in_words(region)} in a plane of {self.height} x {self.width} px."
            )
        counts = [self.shape[axis] for axis in self.axes.planes]
        at = dict(zip(self.axes.planes, np.unravel_index(plane, counts or (1,)), strict=False))
        index: list[int | slice] = [int(at.get(axis, 0)) for axis in range(len(self.shape))]
        index[self.axes.y] = slice(region.rows.start, region.rows.stop)
        index[self.axes.x] = slice(region.columns.start, region.columns.stop)
        if self.axes.channel is not None:
            index[self.axes.channel] = slice(first, first + n_channels)
        return tuple(index)

    def channels_first(self, block: NDArray[Any]) -> NDArray[Any]:
        """Bring what `index` took out of the array into the order (C, Y, X)."""
        letters = [letter for letter in self.axes.letters if letter in "CSYX"]
        if len(letters) == 2:
            block, letters = block[np.newaxis], ["C", *letters]
        order = [
            next(i for i, got in enumerate(letters) if got in name) for name in ("CS", "Y", "X")
        ]
        ordered: NDArray[Any] = block.transpose(order)
        return ordered

    def as_stored(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Bring pixels (C, Y, X) into the order of the array, the inverse of `channels_first`."""
        letters = [letter for letter in self.axes.letters if letter in "CSYX"]
        if len(letters) == 2:
            stored: NDArray[Any] = pixels[0].transpose(["YX".index(letter) for letter in letters])
        else:
            order = ["CYX".index(letter.replace("S", "C")) for letter in letters]
            stored = pixels.transpose(order)
        return stored


class ArraySource:
    """Reads an array region by region; a `napari_unit.engine.planes.PlaneSource`.

    Parameters
    ----------
    array
        Numpy, dask, zarr, or anything that gives pixels when sliced.
    axes
        Of the array.
    channels
        Numbers of the channels to read, in the order in which they are wanted; or how many, from
        the first on: an opacity channel behind them is left out.
    """

    def __init__(self, array: Any, axes: Axes, channels: int | Sequence[int]) -> None:
        self._layout = PlaneLayout(axes, tuple(int(length) for length in array.shape))
        self._array = array
        wanted = range(channels) if isinstance(channels, int) else channels
        self._first, self._n_read = min(wanted), max(wanted) + 1 - min(wanted)
        self._order = [number - self._first for number in wanted]
        self.n_planes = self._layout.n_planes
        self.n_channels = len(self._order)
        self.height = self._layout.height
        self.width = self._layout.width
        self.dtype = np.dtype(array.dtype).newbyteorder("=")

    def read(self, plane: int, region: Region) -> NDArray[Any]:
        """Return pixels (C, Y, X) of a region of one plane.

        Raises
        ------
        ValueError
            If the region is not inside the image, or the array gives something else than it says.
        PixelsError
            If the array cannot give them: a damaged file, or a lazy array whose computation fails.
        MemoryError
            If there is not the memory for it.
        """
        index = self._layout.index(plane, region, self._n_read, self._first)
        try:
            block = np.asarray(self._array[index])
        except PixelsError:  # says more of it
            raise
        except MemoryError as error:
            raise MemoryError(
                f"There is not enough memory to read {self._place(plane, region)}."
            ) from error
        except Exception as error:  # the array is the user's, and may raise anything
            raise PixelsError(
                f"{self._place(plane, region).capitalize()} cannot be read: {first_line(error)}."
            ) from error
        wanted = tuple(part.stop - part.start for part in index if isinstance(part, slice))
        if block.shape != wanted:
            raise ValueError(
                f"The array gave pixels of shape {block.shape} for {self._place(plane, region)}, "
                f"which are {wanted}; its slices are not what its shape {self._layout.shape} says."
            )
        # floats of another precision are what lazy arrays often give, and do no harm
        is_float = block.dtype.kind == self.dtype.kind == "f"
        if not is_float and not np.can_cast(block.dtype, self.dtype):
            raise ValueError(
                f"The array gave pixels of type {block.dtype} for {self._place(plane, region)}, "
                f"but says that it holds {self.dtype}; give it the right dtype."
            )
        pixels = self._layout.channels_first(block.astype(self.dtype, copy=False))
        return pixels if self._order == [*range(self._n_read)] else pixels[self._order]

    def _place(self, plane: int, region: Region) -> str:
        of_plane = f" of plane {plane}" if self.n_planes > 1 else ""
        return f"{_in_words(region)}{of_plane} of the image"


@dataclass(frozen=True, slots=True)
class RenumberedSink:
    """Takes planes that are counted in another order of axes; a `PlaneSink`.

    Parameters
    ----------
    sink
        Where they go.
    numbers
        What the sink calls each plane.
    """

    sink: PlaneSink
    numbers: tuple[int, ...]

    @classmethod
    def between(cls, sink: PlaneSink, axes: Axes, stored: Axes, shape: Sequence[int]) -> PlaneSink:
        """Return the sink for planes that are counted over `axes`.

        Parameters
        ----------
        sink
            Counts planes over `stored`.
        axes, stored
            The same ones but for channels, in two orders.
        shape
            Of what is stored.
        """
        counted = [axes.letters[axis] for axis in axes.planes]
        kept = [stored.letters[axis] for axis in stored.planes]
        if counted == kept:
            return sink
        numbers = np.arange(PlaneLayout(stored, tuple(shape)).n_planes)
        grid = numbers.reshape([shape[axis] for axis in stored.planes])
        return cls(
            sink, tuple(grid.transpose([kept.index(one) for one in counted]).ravel().tolist())
        )

    @property
    def unit_px(self) -> int:
        """Side of a unit."""
        return self.sink.unit_px

    def written(self, plane: int, unit: Region) -> int | None:
        """Return what was noted of a unit that is there already."""
        return self.sink.written(self.numbers[plane], unit)

    def write(self, plane: int, unit: Region, pixels: NDArray[Any], n_saturated: int) -> None:
        """Write pixels (C, Y, X) of a unit."""
        self.sink.write(self.numbers[plane], unit, pixels, n_saturated)


class ArraySink:
    """Writes into an array, any region; a `napari_unit.engine.planes.PlaneSink`.

    Parameters
    ----------
    array
        Written to: a numpy array, or a memory map of a file.
    axes
        Of the array.
    """

    unit_px = 0

    def __init__(self, array: NDArray[Any], axes: Axes) -> None:
        self.array = array
        self._layout = PlaneLayout(axes, array.shape)

    def written(self, plane: int, unit: Region) -> None:
        """Nothing is there from an earlier run."""

    def write(self, plane: int, unit: Region, pixels: NDArray[Any], n_saturated: int = 0) -> None:
        """Write pixels (C, Y, X) to a region of one plane."""
        index = self._layout.index(plane, unit, len(pixels))
        self.array[index] = self._layout.as_stored(pixels)
