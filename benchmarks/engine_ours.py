"""Our engine as one of the methods that are compared, and on images larger than memory."""

from pathlib import Path
from typing import Any, get_args

import numpy as np
from engine_case import LeftOut, Prepared, outcome, read_case
from numpy.typing import NDArray
from tiled_vs_whole import CHANNELS_FIRST

from napari_unit.engine.run import EngineSettings, Report, plan_translation, run_plan
from napari_unit.engine.runner import BLOCK_PX
from napari_unit.engine.statistics import StatisticsMode
from napari_unit.geometry.regions import Region, cover
from napari_unit.geometry.tiling import Span
from napari_unit.images.storage import ArraySink, ArraySource

MODES: tuple[str, ...] = get_args(StatisticsMode)


class Mirrored:
    """A `PlaneSource`: a square that shows an image over and over, mirrored at its edges.

    Parameters
    ----------
    image
        Shape (C, Y, X).
    side
        Rows and columns of the plane.
    """

    n_planes = 1

    def __init__(self, image: NDArray[Any], side: int) -> None:
        self._image = image
        self.n_channels = len(image)
        self.height = self.width = side
        self.dtype = image.dtype

    def read(self, plane: int, region: Region) -> NDArray[Any]:
        """Return pixels (C, Y, X) of a region; the plane is 0."""
        rows, columns = (
            _mirrored(span, length)
            for span, length in zip(
                (region.rows, region.columns), self._image.shape[1:], strict=True
            )
        )
        return self._image[:, rows[:, None], columns]


class Nowhere:
    """A `PlaneSink` that forgets what it takes."""

    unit_px = 0

    def written(self, plane: int, unit: Region) -> None:
        """Nothing is there."""

    def write(self, plane: int, unit: Region, pixels: NDArray[Any], n_saturated: int) -> None:
        """Forget the pixels."""


def prepare_ours(folder: Path, statistics: Any) -> Prepared:
    """Prepare the engine; all that a user waits for is in `run`: window, statistics, tiles."""
    case = read_case(folder)
    model = case.networks()
    image = np.load(folder / "image.npy")
    planes = ArraySource(image, CHANNELS_FIRST, len(image))
    settings = EngineSettings(statistics=statistics, device="cpu")
    names = (case.source, case.target)
    target = model.domains[model.index_of(case.target)]
    try:
        tile_px = plan_translation(model, *names, planes, settings).tile_px
    except MemoryError as error:
        raise LeftOut(str(error)) from error
    facts: dict[str, Any] = {"tile_px": tile_px}

    def run() -> NDArray[np.float32]:
        plan = plan_translation(model, *names, planes, settings)
        pixels = np.empty((target.n_channels, *case.size), np.float32)
        report = outcome(run_plan(plan, model, planes, ArraySink(pixels, CHANNELS_FIRST)))
        facts.update(facts_of(report))
        return pixels

    def unit(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        window = target.typical_window
        low, high = (np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (window.low, window.high))
        return ((pixels - low) / (high - low) * 2.0 - 1.0).astype(np.float32)

    rows, columns = (_starts(length, tile_px) for length in case.size)
    return Prepared(run, (rows, columns), unit, facts)


def prepare_lazily(folder: Path, statistics: Any, side: int) -> Prepared:
    """Prepare the engine for a larger image that is made, and forgotten, region by region."""
    case = read_case(folder)
    model = case.networks()
    planes = Mirrored(np.load(folder / "image.npy"), side)
    sink = Nowhere()
    settings = EngineSettings(statistics=statistics, device="cpu")
    try:
        plan = plan_translation(model, case.source, case.target, planes, settings)
    except MemoryError as error:
        raise LeftOut(str(error)) from error
    facts: dict[str, Any] = {"tile_px": plan.tile_px, "n_px": side**2}

    def run() -> NDArray[np.float32]:
        facts.update(facts_of(outcome(run_plan(plan, model, planes, sink))))
        return np.empty((0, 0, 0), np.float32)

    return Prepared(run, ([], []), facts=facts)


def facts_of(report: Report) -> dict[str, Any]:
    """Return what is noted of a translation."""
    phases = ("intensities", "statistics", "tiles")
    return {"phase_seconds": {name: getattr(report.seconds, name) for name in phases}}


def _starts(length: int, tile_px: int) -> list[int]:
    """Return where tiles start, and in them the blocks that are computed at a time."""
    tiles = cover(Span(0, length), tile_px)
    return [block.start for tile in tiles for block in cover(tile, BLOCK_PX)]


def _mirrored(span: Span, length: int) -> NDArray[np.intp]:
    index = np.arange(span.start, span.stop) % (2 * length)
    return np.minimum(index, 2 * length - 1 - index)
