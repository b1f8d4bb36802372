"""Translations of which only what is looked at is computed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.geometry.tiling import Span
from napari_unit.images.axes import Axes
from napari_unit.images.storage import PlaneLayout

if TYPE_CHECKING:
    from napari_unit.engine.translators import Translator

Making = Literal["translated", "translated from the source's level", "translated from means",
                 "translated from a picture of all"]  # fmt: skip
"""How a level is made of the source."""
_Made = TypeVar("_Made")
CACHE_BYTES = 512 * 10**6


@dataclass(frozen=True, slots=True)
class LazyLevel:
    """What a level is.

    Parameters
    ----------
    axes, shape, dtype
        Of its array.
    tile_px
        Side of what is computed at once.
    making
        How it is made.
    """

    axes: Axes
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    tile_px: int
    making: Making


class TileCache:
    """Keeps the tiles that were used last.

    Parameters
    ----------
    limit_bytes
        Of their pixels.
    """

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._tiles: OrderedDict[Any, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> NDArray[Any] | None:
        """Return a tile that is there."""
        with self._lock:
            if key in self._tiles:
                self._tiles.move_to_end(key)
            return self._tiles.get(key)

    def put(self, key: Any, tile: NDArray[Any]) -> None:
        """Keep a tile, and let go of the oldest ones where there are too many."""
        with self._lock:
            if key in self._tiles or tile.nbytes > self._limit_bytes:
                return
            self._tiles[key] = tile
            self._held_bytes += tile.nbytes
            while self._held_bytes > self._limit_bytes:
                _, oldest = self._tiles.popitem(last=False)
                self._held_bytes -= oldest.nbytes


class LazyTranslation:
    """Translates tiles of any level when they are asked for, each once while it is in the cache.

    Parameters
    ----------
    levels
        Full resolution first.
    prepare
        Measures what must be known of the image, step by step; returns a translator per level.
        Called once, with the first tile.
    finish
        Turns a level's values in [-1, 1] into pixels.
    cache
        Of tiles.
    """

    def __init__(
        self,
        levels: Sequence[LazyLevel],
        prepare: "Callable[[], Generator[object, None, Sequence[Translator]]]",
        finish: Callable[[NDArray[np.float32]], NDArray[Any]],
        cache: TileCache,
    ) -> None:
        self.levels = tuple(levels)
        self._prepare = prepare
        self._finish = finish
        self._cache = cache
        self._translators: Sequence[Translator] | None = None
        # no lock of a thread: who measures step by step may be closed on another one
        self._measuring = threading.Lock()
        # one tile at a time has all cores; two at a time would wait for each other
        self._turn = threading.Lock()

    def arrays(self, name: str) -> tuple[Any, ...]:
        """Return a dask array per level, one chunk per tile.

        Parameters
        ----------
        name
            Of the graph's tasks; two translations must not share it.
        """
        from dask.array import from_array

        return tuple(
            from_array(  # type: ignore[no-untyped-call]
                LazyPixels(self, number),
                chunks=_chunks(level),
                name=f"{name}-{number}",
                asarray=False,
                fancy=False,
                inline_array=True,
                meta=np.empty((0,) * len(level.shape), level.dtype),
            )
            for number, level in enumerate(self.levels)
        )

    def measuring(self) -> "Generator[None, None, Sequence[Translator]]":
        """Measure what must be known of the image, if that has not been done yet.

        Others that ask for tiles wait.
        """
        with self._measuring:
            if self._translators is None:
                job = self._prepare()
                while True:
                    try:
                        next(job)
                    except StopIteration as end:
                        self._translators = end.value
                        break
                    yield
            assert self._translators is not None
            return self._translators

    def making_smallest(self) -> Iterator[None]:
        """Make the tiles of the smallest level's first plane, which viewers ask for first."""
        number = len(self.levels) - 1
        level = self.levels[number]
        layout = PlaneLayout(level.axes, level.shape)
        for tile in grid(whole((layout.height, layout.width)), level.tile_px):
            self.tile(number, 0, tile)
            yield

    def kept(self, number: int, plane: int, tile: Region) -> NDArray[Any] | None:
        """Return the pixels (C, Y, X) of a tile that is in the cache; never computes."""
        return self._cache.get((number, plane, tile))

    def tile(self, number: int, plane: int, tile: Region) -> NDArray[Any]:
        """Return the pixels (C, Y, X) of one tile of a level; they must not be changed."""
        key = (number, plane, tile)
        found = self._cache.get(key)
        if found is not None:
            return found
        translator = _carried_out(self.measuring())[number]
        with self._turn:
            found = self._cache.get(key)
            if found is None:
                values = translator.translate(plane, tile, translator.read(plane, tile))
                found = self._finish(values)
                found.setflags(write=False)
                self._cache.put(key, found)
        return found


class LazyPixels:
    """One level as an array that computes what is sliced.

    Parameters
    ----------
    translation
        The translation.
    number
        Of the level.
    """

    def __init__(self, translation: LazyTranslation, number: int) -> None:
        level = translation.levels[number]
        self._translation = translation
        self._number = number
        self._layout = PlaneLayout(level.axes, level.shape)
        self.shape = level.shape
        self.dtype = level.dtype
        self.ndim = len(level.shape)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[Any]:
        """Return the pixels of an index of slices without steps, as dask takes chunks."""
        axes = self._layout.axes
        spans = [Span(*s.indices(n)[:2]) for s, n in zip(index, self.shape, strict=True)]
        out = np.empty([span.length for span in spans], self.dtype)
        region = Region(spans[axes.y], spans[axes.x])
        counts = [self.shape[axis] for axis in axes.planes]
        inside = [spans[axis].length for axis in axes.planes]
        for place in np.ndindex(*inside):
            at = [spans[a].start + i for a, i in zip(axes.planes, place, strict=True)]
            plane = int(np.ravel_multi_index(at, counts)) if counts else 0
            where: list[int | slice] = [slice(None)] * self.ndim
            for axis, i in zip(axes.planes, place, strict=True):
                where[axis] = i
            pixels = self._region(plane, region)
            if axes.channel is not None:
                channels = spans[axes.channel]
                pixels = pixels[channels.start : channels.stop]
            out[tuple(where)] = self._layout.as_stored(pixels)
        return out

    def _region(self, plane: int, region: Region) -> NDArray[Any]:
        """Put a region together of the tiles that it touches."""
        side = self._translation.levels[self._number].tile_px
        height, width = self._layout.height, self._layout.width
        parts = []
        for top in range(region.rows.start // side * side, region.rows.stop, side):
            for left in range(region.columns.start // side * side, region.columns.stop, side):
                rows, columns = (
                    Span(top, min(top + side, height)),
                    Span(left, min(left + side, width)),
                )
                tile = Region(rows, columns)
                common = tile.common(region)
                assert common is not None
                pixels = self._translation.tile(self._number, plane, tile)
                inside = common.within(tile)
                parts.append((common, pixels[:, inside[0], inside[1]]))
        if len(parts) == 1:
            return parts[0][1]
        shape = (len(parts[0][1]), region.rows.length, region.columns.length)
        whole = np.empty(shape, self.dtype)
        for common, pixels in parts:
            to_rows, to_columns = common.within(region)
            whole[:, to_rows, to_columns] = pixels
        return whole


def _carried_out(job: Generator[object, None, _Made]) -> _Made:
    while True:
        try:
            next(job)
        except StopIteration as end:
            made: _Made = end.value
            return made


def _chunks(level: LazyLevel) -> tuple[int, ...]:
    return tuple(
        min(level.tile_px, length) if letter in "YX" else length if letter in "CS" else 1
        for letter, length in zip(level.axes.letters, level.shape, strict=True)
    )
