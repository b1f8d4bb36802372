"""Translated planes as zarr arrays in a work folder, unit by unit.

A unit is a square of one plane with all its channels, and a shard of the array: a file of its own.
So any number of processes may write at once, as long as no two write the same unit.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.images.axes import Axes
from napari_unit.images.decoding import DECODING_ERRORS, first_line
from napari_unit.images.levels import shrunk
from napari_unit.images.storage import ArraySource, PlaneLayout
from napari_unit.images.work_folder import WorkFolder

if TYPE_CHECKING:
    import zarr

UNIT_PX = 2048
CHUNK_PX = 512
"""What a reader decodes at once; a unit holds a square of these."""


def create_store(
    work: WorkFolder, axes: Axes, shapes: Sequence[tuple[int, ...]], dtype: np.dtype[Any]
) -> "UnitStore":
    """Make the arrays in a work folder, without pixels, or open those that are there.

    Parameters
    ----------
    work
        Claimed by this process.
    axes
        Of all levels.
    shapes
        Of the levels, full resolution first.
    dtype
        Of the pixels.

    Raises
    ------
    ValueError
        If a level is larger than the one before.
    OSError
        If they cannot be made, or those there are damaged.
    """
    import zarr

    for larger, smaller in pairwise(shapes):
        if any(not 0 < n <= m for m, n in zip(larger, smaller, strict=True)):
            raise ValueError(f"Shape {larger} cannot be shrunk to {smaller}.")
    if not (work.store_path / "zarr.json").exists():
        work.forget_records()
        for level, shape in enumerate(shapes):
            _create_level(work.store_path / str(level), axes, shape, dtype)
        # last: without it, all is made anew
        zarr.create_group(work.store_path, zarr_format=3)
    return UnitStore(work)


def _create_level(path: Path, axes: Axes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    import zarr
    from zarr.codecs import BloscCodec

    chunks, shards = [], []
    for letter, length in zip(axes.letters, shape, strict=True):
        chunk = shard = 1
        if letter in "YX":
            chunk = min(CHUNK_PX, length)
            shard = min(UNIT_PX // chunk, -(-length // chunk)) * chunk
        elif letter in "CS":
            chunk, shard = (1 if letter == "C" else length), length
        chunks.append(chunk)
        shards.append(shard)
    zarr.create_array(
        path,
        shape=shape,
        dtype=dtype,
        chunks=tuple(chunks),
        shards=None if chunks == shards else tuple(shards),
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
        fill_value=0,
        dimension_names=list(axes.letters.lower()),
        overwrite=True,
    )


class UnitStore:
    """Pixels of a translation and its levels in a work folder; a `PlaneSink`.

    Can be pickled; each process opens the arrays for itself.

    Parameters
    ----------
    work
        Where `create_store` has made it.

    Raises
    ------
    OSError
        If it is damaged.
    """

    unit_px = UNIT_PX

    def __init__(self, work: WorkFolder) -> None:
        import zarr

        self.work = work
        try:
            group = zarr.open_group(work.store_path, mode="r+", zarr_format=3)
            n_levels = sum(1 for _ in group.array_keys())
            opened = [group[str(level)] for level in range(n_levels)]
            self.levels: list[zarr.Array[Any]] = [_checked(array) for array in opened]
            names = self.levels[0].metadata.dimension_names  # type: ignore[union-attr]
            self.axes = Axes("".join(str(name) for name in names or ()).upper())
        except DECODING_ERRORS as error:
            raise OSError(
                f"The pixels in {work.store_path} cannot be read ({first_line(error)}); remove "
                f"{work.path} to start anew."
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        return UnitStore, (self.work,)

    def written(self, plane: int, unit: Region) -> int | None:
        """Return the saturated values of a unit that is there; None if it is not."""
        record = self.work.record(_name(0, plane, unit))
        n_saturated = None if record is None else record.get("n_saturated")
        return n_saturated if type(n_saturated) is int else None

    def write(self, plane: int, unit: Region, pixels: NDArray[Any], n_saturated: int = 0) -> None:
        """Write pixels (C, Y, X) of a unit and record that it is there."""
        self._write(0, plane, unit, pixels)
        self.work.mark(_name(0, plane, unit), {"n_saturated": n_saturated})

    def _write(self, level: int, plane: int, unit: Region, pixels: NDArray[Any]) -> None:
        array = self.levels[level]
        layout = PlaneLayout(self.axes, array.shape)
        index = layout.index(plane, unit, len(pixels))
        array[index] = layout.as_stored(pixels)

    def build_levels(self) -> Iterator[tuple[int, int]]:
        """Make each level of the stored one before it; what is there already is left out.

        Yields
        ------
        Units that are done, and how many there are.
        """
        smaller = range(1, len(self.levels))
        total = sum(self.n_units(level) for level in smaller)
        done = 0
        for level in smaller:
            larger, size = self.planes(level - 1), self._size(level)
            for plane, unit in product(range(larger.n_planes), grid(whole(size), UNIT_PX)):
                name = _name(level, plane, unit)
                if self.work.record(name) is None:
                    self._write(level, plane, unit, shrunk(larger, plane, size, unit))
                    self.work.mark(name, {})
                done += 1
                yield done, total

    def n_units(self, level: int) -> int:
        """Return how many units a level has."""
        height, width = self._size(level)
        return self.planes(level).n_planes * -(-height // UNIT_PX) * -(-width // UNIT_PX)

    def planes(self, level: int) -> ArraySource:
        """Return a level, to be read plane by plane."""
        array = self.levels[level]
        return ArraySource(array, self.axes, self.axes.channels_in(array.shape))

    def _size(self, level: int) -> tuple[int, int]:
        shape = self.levels[level].shape
        return shape[self.axes.y], shape[self.axes.x]


def _checked(found: Any) -> "zarr.Array[Any]":
    import zarr

    if not isinstance(found, zarr.Array):
        raise TypeError("a level is no array")
    # a unit of zeros alone is written, too: it was translated
    return found.with_config({"write_empty_chunks": True})


def _name(level: int, plane: int, unit: Region) -> str:
    row, column = unit.rows.start // UNIT_PX, unit.columns.start // UNIT_PX
    return f"unit-{level}-{plane}-{row}-{column}"
