"""Smaller levels of an image: each pixel is the mean of the pixels that it stands for."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK_VALUES = 2**24


def shrink(array: Any, smaller: Any, row_axis: int) -> Iterator[tuple[int, int]]:
    """Write the local means of an array into a smaller one, a block of rows at a time.

    On every axis, entry i of n is the mean of the entries from ``floor(i m / n)`` to
    ``floor((i + 1) m / n)`` of m. Integers are rounded.

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
        sums = np.add.reduceat(means, edges[:-1], axis=axis)
        counts = np.diff(edges).reshape([-1 if i == axis else 1 for i in range(block.ndim)])
        means = sums / counts.astype(means.dtype)
    if block.dtype.kind in "iu":
        np.rint(means, out=means)
    return means.astype(block.dtype)
