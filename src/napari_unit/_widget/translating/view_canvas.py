"""What a viewer shows of a translation: which tiles of which level, put together as an image."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_unit.geometry.regions import Region, whole
from napari_unit.geometry.tiling import Span
from napari_unit.images.placement import Placement
from napari_unit.images.storage import PlaneLayout
from napari_unit.lazy import LazyLevel
from napari_unit.lazy_job import LazyJob

Ranges = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class View:
    """A part of one plane of one level.

    Parameters
    ----------
    number
        Of the level.
    plane
        Of its planes.
    region
        In pixels of the level.
    """

    number: int
    plane: int
    region: Region


def view_of(job: LazyJob, area: Ranges, planes: Ranges, canvas_px: int) -> View:
    """Return the level that has about as many pixels as the canvas, and the part of it.

    Parameters
    ----------
    job
        The translation.
    area
        Rows and columns of the full resolution that are seen.
    planes
        At which the sliders stand.
    canvas_px
        The longer side of the canvas.
    """
    levels = job.translation.levels
    longest = max(stop - start for start, stop in area.values())
    number = 0
    for index, level in enumerate(levels):
        layout, full = _layout(level), _layout(levels[0])
        if longest * layout.height >= canvas_px * full.height:
            number = index
    level = levels[number]
    spans = {
        letter: _scaled(area[letter], _length(levels[0], letter), _length(level, letter))
        for letter in "YX"
    }
    counts = [level.shape[axis] for axis in level.axes.planes]
    at = [planes.get(level.axes.letters[axis], (0, 1))[0] for axis in level.axes.planes]
    plane = int(np.ravel_multi_index(at, counts)) if counts else 0
    return View(number, plane, Region(spans["Y"], spans["X"]))


def tiles_of(job: LazyJob, view: View) -> list[Region]:
    """Return the tiles of a level that a view touches, those in its middle first."""
    level = job.translation.levels[view.number]
    layout, side = _layout(level), level.tile_px
    bounds = whole((layout.height, layout.width))

    def starts(span: Span) -> range:
        return range(span.start // side * side, span.stop, side)

    found = [
        Region(
            Span(top, min(top + side, bounds.rows.stop)),
            Span(left, min(left + side, bounds.columns.stop)),
        )
        for top in starts(view.region.rows)
        for left in starts(view.region.columns)
    ]

    def off_centre(tile: Region) -> float:
        y = (tile.rows.start + tile.rows.stop - view.region.rows.start - view.region.rows.stop) / 2
        x = (
            tile.columns.start
            + tile.columns.stop
            - view.region.columns.start
            - view.region.columns.stop
        ) / 2
        return y * y + x * x

    return sorted(found, key=off_centre)


@dataclass(eq=False)
class ViewCanvas:
    """An image of a view that fills tile by tile; what is not there yet is transparent.

    Parameters
    ----------
    job
        The translation; of floating-point pixels.
    view
        What is shown of it.
    """

    job: LazyJob
    view: View
    array: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        """Make it empty."""
        level = self._level
        region = self.view.region
        sizes = {"Y": region.rows.length, "X": region.columns.length}
        shape = []
        for letter, length in zip(level.axes.letters, level.shape, strict=True):
            if letter == "S":
                shape.append(length + 1)  # opacity
            else:
                shape.append(sizes.get(letter, length if letter == "C" else 1))
        is_color = "S" in level.axes.letters
        self.array = np.full(shape, 0.0 if is_color else np.nan, np.float32)

    @property
    def _level(self) -> LazyLevel:
        return self.job.translation.levels[self.view.number]

    @property
    def is_color(self) -> bool:
        """Whether the last axis is red, green, blue and opacity."""
        return "S" in self._level.axes.letters

    def missing(self) -> Iterator[Region]:
        """Put in the tiles that are known, and yield the others, in order."""
        for tile in tiles_of(self.job, self.view):
            found = self.job.translation.kept(self.view.number, self.view.plane, tile)
            if found is None:
                yield tile
            else:
                self.put(tile, found)

    def put(self, tile: Region, pixels: NDArray[np.float32]) -> None:
        """Put in the pixels (C, Y, X) of a tile, as far as the view shows them."""
        common = tile.common(self.view.region)
        if common is None:
            return
        axes = self._level.axes
        rows, columns = common.within(self.view.region)
        index: list[int | slice] = [0] * self.array.ndim
        index[axes.y], index[axes.x] = rows, columns
        if axes.channel is not None:
            index[axes.channel] = slice(None)
        part = pixels[(slice(None), *common.within(tile))]
        if self.is_color:
            part = np.concatenate([part, np.ones_like(part[:1])])
        self.array[tuple(index)] = PlaneLayout(axes, self.array.shape).as_stored(part)

    def placement(self) -> Placement | None:
        """Return where the view stands; None where the image stands nowhere."""
        result = self.job.result
        placed = result.source.placement
        if placed is None:
            return None
        placed = placed.for_axes(result.source.axes, result.axes)
        full, level = self.job.translation.levels[0], self._level
        letters = result.axes.letters.replace("S", "")
        factors = [
            _length(full, letter) / _length(level, letter) if letter in "YX" else 1.0
            for letter in letters
        ]
        counts = [level.shape[axis] for axis in level.axes.planes]
        at = dict(
            zip(level.axes.planes, np.unravel_index(self.view.plane, counts or (1,)), strict=False)
        )
        first: dict[str, float] = {"Y": self.view.region.rows.start,
                                   "X": self.view.region.columns.start}  # fmt: skip
        offset = [first.get(letter, float(at.get(i, 0))) for i, letter in enumerate(letters)]
        return placed.coarser(factors).shifted(offset)


def _layout(level: LazyLevel) -> PlaneLayout:
    return PlaneLayout(level.axes, level.shape)


def _length(level: LazyLevel, letter: str) -> int:
    return level.shape[level.axes.letters.index(letter)]


def _scaled(ends: tuple[int, int], full: int, length: int) -> Span:
    start = ends[0] * length // full
    stop = min(length, -(-ends[1] * length // full))
    return Span(start, max(stop, start + 1))
