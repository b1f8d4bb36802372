"""Reads an array in blocks of whole chunks, so that none is decoded more often than need be."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource, PlaneLayout

BLOCK_BYTES = 2**28
"""What a block may take, unless a single square of a plane takes more."""


@dataclass(frozen=True, slots=True)
class Block:
    """Planes of an array that are read together, and where on them.

    Parameters
    ----------
    planes
        Their numbers, one after the other.
    region
        Of each.
    """

    planes: range
    region: Region


class BlockReader:
    """Reads an array in another order of its axes, plane by plane, block by block.

    The blocks follow the array's chunks: a volume in chunks of 64 planes is read 64 planes at a
    time, and a plane that is one chunk is read once. Only the last block is kept.

    Parameters
    ----------
    array
        Numpy, dask, zarr, or anything that gives pixels when sliced.
    axes
        Of the array.
    order
        The same axes in the order in which planes are counted; C may stand for S.
    unit_px
        Side of the squares that will be asked for.
    """

    def __init__(self, array: Any, axes: Axes, order: Axes, unit_px: int) -> None:
        source = axes.letters
        wanted = order.letters.replace("C", "S") if "S" in source else order.letters
        self._array = array
        self._from = [source.index(letter) for letter in wanted]
        shape = tuple(int(length) for length in array.shape)
        self.shape = tuple(shape[axis] for axis in self._from)
        self.dtype = np.dtype(array.dtype).newbyteorder("=")
        self._layout = PlaneLayout(order, self.shape)
        self._n_channels = order.channels_in(self.shape)
        self._unit_px = unit_px
        chunks = longest_chunks(array)
        self._chunks = tuple(chunks[axis] for axis in self._from)
        self._kept: tuple[Any, NDArray[Any]] | None = None

    def blocks(self) -> Iterator[Block]:
        """Yield blocks that hold every pixel once."""
        side, n_planes = self._block_size()
        # planes of one block differ in the last axis alone
        per_axis = self.shape[self._layout.axes.planes[-1]] if self._layout.axes.planes else 1
        starts = range(0, self._layout.n_planes, per_axis)
        size = (self._layout.height, self._layout.width)
        for start, first in product(starts, range(0, per_axis, n_planes)):
            planes = range(start + first, start + min(first + n_planes, per_axis))
            for region in grid(whole(size), side):
                yield Block(planes, region)

    def _block_size(self) -> tuple[int, int]:
        """Return the side of a block and how many planes it has."""
        axes = self._layout.axes
        longest = max(self._chunks[axes.y], self._chunks[axes.x])
        side = -(-longest // self._unit_px) * self._unit_px

        def n_bytes(side: int) -> int:
            n_px = min(side, self._layout.height) * min(side, self._layout.width)
            return int(n_px * self._n_channels * self.dtype.itemsize)

        if n_bytes(side) > BLOCK_BYTES:
            side = self._unit_px
        n_planes = self._chunks[axes.planes[-1]] if axes.planes else 1
        return side, max(1, min(n_planes, BLOCK_BYTES // n_bytes(side)))

    def read(self, block: Block, plane: int, region: Region) -> NDArray[Any]:
        """Return pixels (C, Y, X) of a region of one plane; both of the block.

        Raises
        ------
        PixelsError
            If the array cannot give them.
        ValueError
            If the array gives something else than it says.
        MemoryError
            If there is not the memory for it.
        """
        source = ArraySource(_Kept(self, block), self._layout.axes, self._n_channels)
        return source.read(plane, region)

    def part(self, block: Block, index: Sequence[int | slice]) -> NDArray[Any]:
        """Return what an index of one plane takes out of the array, from the block's pixels."""
        if self._kept is None or self._kept[0] != block:
            self._kept = None  # the next block may need its memory
            self._kept = block, self._read(block)
        start = self._layout.index(block.planes[0], block.region, self._n_channels)
        inside: list[int | slice] = []
        for at, first in zip(index, start, strict=True):
            if isinstance(at, slice) and isinstance(first, slice):
                inside.append(slice(at.start - first.start, at.stop - first.start))
            elif isinstance(at, int) and isinstance(first, int):
                inside.append(at - first)
        return self._kept[1][tuple(inside)]

    def _read(self, block: Block) -> NDArray[Any]:
        first = self._layout.index(block.planes[0], block.region, self._n_channels)
        index = [at if isinstance(at, slice) else slice(at, at + 1) for at in first]
        planes = self._layout.axes.planes
        if planes:
            start = index[planes[-1]].start
            index[planes[-1]] = slice(start, start + len(block.planes))
        there: list[slice] = [slice(None)] * len(index)
        for axis, at in zip(self._from, index, strict=True):
            there[axis] = at
        found = np.asarray(self._array[tuple(there)])
        wanted = tuple(at.stop - at.start for at in index)
        if found.ndim != len(wanted) or found.transpose(self._from).shape != wanted:
            raise ValueError(
                f"the array gave pixels of shape {found.shape} for a slice of "
                f"{tuple(at.stop - at.start for at in there)}"
            )
        return found.transpose(self._from)


class _Kept:
    """A block as `ArraySource` reads it: as a whole array, of which nothing else is asked for."""

    def __init__(self, reader: BlockReader, block: Block) -> None:
        self.shape, self.dtype = reader.shape, reader.dtype
        self._reader, self._block = reader, block

    def __getitem__(self, index: tuple[int | slice, ...]) -> NDArray[Any]:
        return self._reader.part(self._block, index)


def longest_chunks(array: Any) -> tuple[int, ...]:
    """Return the longest chunk along each axis; 1 where an array is not in chunks.

    Examples
    --------
    >>> import dask.array
    >>> longest_chunks(dask.array.zeros((5, 7), chunks=(3, 7)))
    (3, 7)
    """
    shape = tuple(int(length) for length in array.shape)
    try:
        found = tuple(
            max(lengths) if isinstance(lengths, tuple) else int(lengths) for lengths in array.chunks
        )
    except (AttributeError, TypeError, ValueError):  # not in chunks, or of unknown lengths
        return (1,) * len(shape)
    if len(found) != len(shape) or not all(math.isfinite(n) for n in found):
        return (1,) * len(shape)
    return tuple(
        max(1, min(int(chunk), length)) for chunk, length in zip(found, shape, strict=True)
    )
