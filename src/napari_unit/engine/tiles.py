"""The tiles of a translation: read ahead, translated, written behind, cut smaller where need be."""

import logging
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_unit.domains import Domain
from napari_unit.engine.devices import release_memory
from napari_unit.engine.planes import PlaneSink
from napari_unit.engine.planning import TranslationPlan
from napari_unit.engine.reports import Progress
from napari_unit.engine.settings import MIN_TILE_PX
from napari_unit.engine.translators import Translator
from napari_unit.geometry.regions import Region, grid

_logger = logging.getLogger(__name__)


def translate_units(
    plan: TranslationPlan,
    translator: Translator,
    target: Domain,
    sink: PlaneSink,
) -> Generator[Progress, None, int]:
    """Translate the units that are not there yet, tile by tile.

    While one tile is computed, another thread reads the next one and a third writes the unit
    before. Closing the generator waits for what is being written.

    Parameters
    ----------
    plan
        Of the translation.
    translator
        Translates regions.
    target
        Domain of the result.
    sink
        Where the units go.

    Yields
    ------
    After each tile.

    Returns
    -------
    Pixel values of all units that the dtype cannot hold.

    Raises
    ------
    FloatingPointError
        If the networks' output is not finite.
    """
    n_px = plan.part.n_px
    total = done = 0
    missing: list[tuple[int, Region]] = []
    for plane, unit in units_of(plan, sink.unit_px):
        n_saturated = sink.written(plane, unit)
        if n_saturated is None:
            missing.append((plane, unit))
        else:
            total += n_saturated
            done += unit.n_px
    if done:
        yield Progress("tiles", done, n_px)
    tiles = _Tiles(plan, translator)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        written: Future[None] | None = None
        ahead = _read_ahead(reader, tiles, missing)
        for plane, unit in missing:
            made = _Unit(plan, target, unit)
            parts = list(grid(unit, plan.tile_px))
            for number, tile in enumerate(parts):
                made.put(plane, tile, tiles.translate(plane, tile, next(ahead)))
                done += tile.n_px
                if number + 1 < len(parts):
                    yield Progress("tiles", done, n_px)
            if written is not None:
                written.result()
            written = writer.submit(sink.write, plane, unit, made.pixels, made.n_saturated)
            if (plane, unit) == missing[-1]:
                written.result()
            total += made.n_saturated
            yield Progress("tiles", done, n_px)
    return total


def translate_unit(
    plan: TranslationPlan, translator: Translator, target: Domain, plane: int, unit: Region
) -> tuple[NDArray[Any], int]:
    """Translate one unit; return its pixels (C, Y, X), and how many the dtype cannot hold.

    Parameters
    ----------
    plan, translator, target
        As of `translate_units`.
    plane, unit
        Which one.
    """
    tiles, made = _Tiles(plan, translator), _Unit(plan, target, unit)
    with ThreadPoolExecutor(1) as reader:
        ahead = _read_ahead(reader, tiles, [(plane, unit)])
        for tile in grid(unit, plan.tile_px):
            made.put(plane, tile, tiles.translate(plane, tile, next(ahead)))
    return made.pixels, made.n_saturated


class _Unit:
    """The pixels of a unit, put together of tiles."""

    def __init__(self, plan: TranslationPlan, target: Domain, unit: Region) -> None:
        self._dtype = plan.settings.dtype
        self._window = target.typical_window
        self._unit = unit
        shape = (target.n_channels, unit.rows.length, unit.columns.length)
        self.pixels = np.empty(shape, self._dtype)
        self.n_saturated = 0

    def put(self, plane: int, tile: Region, values: NDArray[np.float32]) -> None:
        _refuse_not_finite(values, plane, tile)
        self.n_saturated += self._window.saturated(values, self._dtype)
        rows, columns = tile.within(self._unit)
        self.pixels[:, rows, columns] = self._window.from_unit(values, self._dtype)


def units_of(plan: TranslationPlan, unit_px: int) -> Iterator[tuple[int, Region]]:
    """Yield what is written at once, in order; any region will do where `unit_px` is 0."""
    for plane in plan.part.planes:
        for unit in grid(plan.part.region, unit_px or plan.tile_px):
            yield plane, unit


class _Tiles:
    """Translates tiles, in smaller parts from when the device has run out of memory."""

    def __init__(self, plan: TranslationPlan, translator: Translator) -> None:
        self.plan = plan
        self.translator = translator
        self._largest_px: int | None = None

    def translate(
        self, plane: int, tile: Region, read: "Future[NDArray[np.float32] | None]"
    ) -> NDArray[np.float32]:
        if self._largest_px is None:
            try:
                return self.translator.translate(plane, tile, read.result())
            except torch.OutOfMemoryError:
                self._largest_px = max(tile.rows.length, tile.columns.length)
            # outside of the handler, whose traceback holds what is to be released
            self._cut()
        return self._in_parts(plane, tile)

    def _in_parts(self, plane: int, tile: Region) -> NDArray[np.float32]:
        while True:
            assert self._largest_px is not None
            try:
                return self._assembled(plane, tile, self._largest_px)
            except torch.OutOfMemoryError:
                pass
            self._cut()

    def _assembled(self, plane: int, tile: Region, largest_px: int) -> NDArray[np.float32]:
        whole: NDArray[np.float32] | None = None
        for part in grid(tile, largest_px):
            values = self.translator.translate(plane, part, self.translator.read(plane, part))
            if whole is None:
                shape = (len(values), tile.rows.length, tile.columns.length)
                whole = np.empty(shape, np.float32)
            rows, columns = part.within(tile)
            whole[:, rows, columns] = values
        assert whole is not None
        return whole

    def _cut(self) -> None:
        assert self._largest_px is not None
        smaller = self._largest_px // 2 // self.plan.lattice_px * self.plan.lattice_px
        if smaller < MIN_TILE_PX:
            raise MemoryError(
                f"{self.plan.device} ran out of memory even with tiles of {self._largest_px} px; "
                "free some of it, or use another device."
            )
        _logger.warning(
            "%s ran out of memory with tiles of %d px; it goes on with %d px, to the same result.",
            self.plan.device, self._largest_px, smaller,
        )  # fmt: skip
        self._largest_px = smaller
        release_memory(self.plan.device)


def _read_ahead(
    reader: ThreadPoolExecutor, tiles: _Tiles, missing: list[tuple[int, Region]]
) -> "Iterator[Future[NDArray[np.float32] | None]]":
    """Yield the reading of each tile in turn; that of the next one has begun."""
    following: Future[NDArray[np.float32] | None] | None = None
    for plane, unit in missing:
        for tile in grid(unit, tiles.plan.tile_px):
            began = following
            following = reader.submit(tiles.translator.read, plane, tile)
            if began is not None:
                yield began
    if following is not None:
        yield following


def _refuse_not_finite(values: NDArray[np.float32], plane: int, tile: Region) -> None:
    n_wrong = int(np.count_nonzero(~np.isfinite(values)))
    if n_wrong:
        raise FloatingPointError(
            f"The network gave {n_wrong} pixels that are not finite in the tile at plane {plane}, "
            f"row {tile.rows.start}, column {tile.columns.start}; the model may be damaged."
        )
