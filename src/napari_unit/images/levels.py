"""Smaller levels of an image: each pixel is the mean of the pixels that it stands for."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.engine.planes import PlaneSource
from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span

_BLOCK_VALUES = 2**24
_FEW = 8
"""Up to so many equal parts, slices are added faster than `np.add.reduceat` goes along an axis."""
_FROM_PX = 2048
_SMALLEST_PX = 1024


def halved_sizes(size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Return height and width of the levels for an image without its own; level 0 is the image.

    Images of more than 2048 px have them, the smallest of at most 1024 px.
    """
    sizes = [size]
    while max(size) > _FROM_PX and max(sizes[-1]) > _SMALLEST_PX:
        sizes.append((max(1, sizes[-1][0] // 2), max(1, sizes[-1][1] // 2)))
    return tuple(sizes)


def shrink(array: Any, smaller: Any, row_axis: int) -> Iterator[tuple[int, int]]:
    """Write the local means of an array into a smaller one, a block of rows at a time.

    On every axis, entry i of n is the mean of the entries from ``floor(i m / n)`` to
    ``floor((i + 1) m / n)`` of m. Integers are rounded, and a half true is false.

    Parameters
    ----------
    array, smaller
        Of the same dtype and number of axes; neither need fit in memory.
    row_axis
        Axis along which the blocks are cut.

    Yields
    ------
    Rows of the smaller array that are done, and how many it has.

    Raises
    ------
    ValueError
        If the second array is larger on some axis, or empty.
    """
    if any(not 0 < n <= m for m, n in zip(array.shape, smaller.shape, strict=True)):
        raise ValueError(f"Shape {array.shape} cannot be shrunk to {smaller.shape}.")
    n_rows = smaller.shape[row_axis]
    edges = _edges(array.shape[row_axis], n_rows)
    values_per_row = max(1, int(np.prod(array.shape)) // n_rows)
    step = max(1, _BLOCK_VALUES // values_per_row)
    lead = (slice(None),) * row_axis
    for first in range(0, n_rows, step):
        last = min(first + step, n_rows)
        block = np.asarray(array[(*lead, slice(edges[first], edges[last]))])
        shape = (*smaller.shape[:row_axis], last - first, *smaller.shape[row_axis + 1 :])
        bounds = {row_axis: edges[first : last + 1] - edges[first]}
        smaller[(*lead, slice(first, last))] = _means(block, shape, bounds)
        yield last, n_rows


def shrunk(planes: PlaneSource, plane: int, size: tuple[int, int], region: Region) -> NDArray[Any]:
    """Return the pixels (C, Y, X) of a region of a plane that is shrunk, as `shrink` does it.

    Parameters
    ----------
    planes
        The larger level; read in bands of rows.
    plane
        Number of the plane.
    size
        Height and width of the whole plane once it is shrunk.
    region
        Of the shrunk plane.
    """
    rows, columns = region.rows, region.columns
    row_edges = _edges(planes.height, size[0])
    column_edges = _edges(planes.width, size[1])[columns.start : columns.stop + 1]
    across = Span(int(column_edges[0]), int(column_edges[-1]))
    shape = (planes.n_channels, rows.length, columns.length)
    made = np.empty(shape, planes.dtype)
    values_per_row = planes.n_channels * across.length * -(-planes.height // size[0])
    step = max(1, _BLOCK_VALUES // values_per_row)
    for first in range(rows.start, rows.stop, step):
        last = min(first + step, rows.stop)
        edges = row_edges[first : last + 1]
        block = planes.read(plane, Region(Span(int(edges[0]), int(edges[-1])), across))
        bounds = {1: edges - edges[0], 2: column_edges - across.start}
        made[:, first - rows.start : last - rows.start] = _means(
            block, (planes.n_channels, last - first, columns.length), bounds
        )
    return made


def _edges(length: int, n: int) -> NDArray[np.intp]:
    return np.arange(n + 1, dtype=np.intp) * length // n


def _means(
    block: NDArray[Any], shape: Sequence[int], bounds: dict[int, NDArray[np.intp]]
) -> NDArray[Any]:
    means = block.astype(np.float64 if block.dtype.itemsize > 4 else np.float32)
    for axis, n in enumerate(shape):
        edges = bounds.get(axis, _edges(block.shape[axis], n))
        if n == block.shape[axis]:
            continue
        counts = np.diff(edges).astype(means.dtype)
        if counts.min() == counts.max() <= _FEW:
            means = _strided_sum(means, axis, int(counts[0])) / counts[0]
            continue
        sums = np.add.reduceat(means, edges[:-1], axis=axis)
        means = sums / counts.reshape([-1 if i == axis else 1 for i in range(block.ndim)])
    if block.dtype.kind in "biu":
        np.rint(means, out=means)
    return means.astype(block.dtype)


def _strided_sum(values: NDArray[Any], axis: int, n: int) -> NDArray[Any]:
    """Add up every n neighbours on an axis."""
    lead = (slice(None),) * axis
    sums = values[(*lead, slice(0, None, n))].copy()
    for first in range(1, n):
        sums += values[(*lead, slice(first, None, n))]
    return sums
