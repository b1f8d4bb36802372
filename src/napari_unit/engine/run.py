"""Translate images of any size tile by tile, equal to translating them in one piece.

`plan_translation` says what will be done; `run_plan` does it and tells how far it is.
"""

import copy
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from napari_unit.domains import Domain, Window
from napari_unit.engine.devices import available_devices, resolve_device
from napari_unit.engine.intensities import measure_intensities, n_reads
from napari_unit.engine.planes import PaddedPlanes, PlaneSink, PlaneSource
from napari_unit.engine.planning import EngineSettings, TranslationPlan, plan_translation
from napari_unit.engine.runner import Route, route_of
from napari_unit.engine.sampling import Sample, all_of, n_looks, stratified_sample
from napari_unit.engine.statistics import NormStatistics, measure_statistics
from napari_unit.engine.sweep_plan import plan_sweep
from napari_unit.engine.translators import FromMaps, FromPixels, OnItsOwn, Translator
from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.models.model import TranslationModel

__all__ = [
    "EngineSettings",
    "PhaseSeconds",
    "PlaneSink",
    "PlaneSource",
    "Progress",
    "Report",
    "TranslationPlan",
    "available_devices",
    "plan_translation",
    "run_plan",
]

Phase = Literal["intensities", "statistics", "tiles", "levels", "writing"]
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a translation is.

    Parameters
    ----------
    phase
        ``"intensities"``: the image is read and its intensities are measured;
        ``"statistics"``: those of the normalisation layers are; ``"tiles"``: it is translated.
        A whole job goes on: ``"levels"``: smaller levels are made; ``"writing"``: the file is.
    done, total
        Steps of the phase.
    """

    phase: Phase
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PhaseSeconds:
    """How long the phases of a translation took, who carries it out included.

    Parameters
    ----------
    intensities, statistics, tiles
        Seconds.
    """

    intensities: float
    statistics: float
    tiles: float


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a translation was like.

    Parameters
    ----------
    input_window
        Pixel values of the image that stood for -1 and 1.
    notes
        Sentences about the image that users should read.
    n_clipped
        Pixel values of the image outside the window.
    n_saturated
        Pixel values of the translation that its integer dtype cannot hold.
    statistics
        By which the normalisation layers were frozen; None if each tile had its own.
    seconds
        Per phase.
    """

    input_window: Window
    notes: tuple[str, ...]
    n_clipped: int
    n_saturated: int
    statistics: NormStatistics | None
    seconds: PhaseSeconds


def run_plan(
    plan: TranslationPlan, model: TranslationModel, planes: PlaneSource, sink: PlaneSink
) -> Generator[Progress, None, Report]:
    """Carry out a plan.

    Closing the generator cancels: between two steps nothing is running and no setting is
    changed. A stack is calibrated once, so that its planes do not flicker.

    Parameters
    ----------
    plan
        From `plan_translation`.
    model
        The model; it stays as it is.
    planes
        The image.
    sink
        Gets each pixel of the translation once, unit by unit, row by row; what it has already
        from an earlier run is not made again.

    Yields
    ------
    After each step.

    Returns
    -------
    What was measured.

    Raises
    ------
    ValueError
        If the image has pixels that are not finite, or no contrast.
    FloatingPointError
        If the networks' output is not finite.
    MemoryError
        If the device runs out of memory.
    """
    try:
        return (yield from _run(plan, model, planes, sink))
    except torch.OutOfMemoryError as error:
        raise MemoryError(
            f"{plan.device} ran out of memory with tiles of {plan.tile_px} px and statistics "
            f"{plan.settings.statistics!r}; use smaller tiles, or another device."
        ) from error


def _run(
    plan: TranslationPlan, model: TranslationModel, planes: PlaneSource, sink: PlaneSink
) -> Generator[Progress, None, Report]:
    source = model.domains[model.index_of(plan.source_domain)]
    target = model.domains[model.index_of(plan.target_domain)]
    route = route_of(model.steps(plan.source_domain, plan.target_domain))
    times = [time.perf_counter()]

    looks = n_looks(planes.n_planes, plan.size) if plan.settings.statistics == "image" else 0
    total = n_reads(planes) + looks
    intensities = yield from _tell("intensities", measure_intensities(planes, source), 0, total)
    padded = PaddedPlanes(planes, intensities.window, plan.size)
    sample = yield from _sample(plan, padded, total - looks, total)
    times.append(time.perf_counter())

    translator, statistics = yield from _prepare(plan, model, route, padded, sample)
    times.append(time.perf_counter())

    n_saturated = yield from _translate_units(plan, translator, target, planes, sink)
    times.append(time.perf_counter())
    return Report(
        intensities.window,
        intensities.notes,
        intensities.n_clipped,
        n_saturated,
        statistics,
        PhaseSeconds(*np.diff(times).tolist()),
    )


def _translate_units(
    plan: TranslationPlan,
    translator: Translator,
    target: Domain,
    planes: PlaneSource,
    sink: PlaneSink,
) -> Generator[Progress, None, int]:
    """Translate the units that are not there yet, tile by tile; return the saturated values."""
    size = (planes.height, planes.width)
    unit_px = sink.unit_px or plan.tile_px
    n_tiles = planes.n_planes * sum(
        1 for unit in grid(whole(size), unit_px) for _ in grid(unit, plan.tile_px)
    )
    total = done = 0
    for plane in range(planes.n_planes):
        for unit in grid(whole(size), unit_px):
            tiles = list(grid(unit, plan.tile_px))
            n_saturated = sink.written(plane, unit)
            if n_saturated is None:
                n_saturated = 0
                shape = (target.n_channels, unit.rows.length, unit.columns.length)
                pixels = np.empty(shape, plan.settings.dtype)
                for tile in tiles:
                    values = translator.translate(plane, tile)
                    _refuse_not_finite(values, tile)
                    n_saturated += target.typical_window.saturated(values, plan.settings.dtype)
                    rows, columns = tile.within(unit)
                    made = target.typical_window.from_unit(values, plan.settings.dtype)
                    pixels[:, rows, columns] = made
                    done += 1
                    if done % len(tiles):
                        yield Progress("tiles", done, n_tiles)
                sink.write(plane, unit, pixels, n_saturated)
            else:
                done += len(tiles)
            total += n_saturated
            yield Progress("tiles", done, n_tiles)
    return total


def _tell(
    phase: Phase, job: Generator[int, None, _Found], offset: int, total: int
) -> Generator[Progress, None, _Found]:
    """Carry out part of a phase and return what it found."""
    while True:
        try:
            done = next(job)
        except StopIteration as end:
            found: _Found = end.value
            return found
        yield Progress(phase, offset + done, total)


def _sample(
    plan: TranslationPlan, padded: PaddedPlanes, offset: int, total: int
) -> Generator[Progress, None, Sample]:
    if plan.settings.statistics != "image":
        return all_of(padded)
    job = stratified_sample(padded, plan.settings.seed)
    return (yield from _tell("intensities", job, offset, total))


def _prepare(
    plan: TranslationPlan,
    model: TranslationModel,
    route: Route,
    padded: PaddedPlanes,
    sample: Sample,
) -> Generator[Progress, None, tuple[Translator, NormStatistics | None]]:
    """Measure the statistics and return what translates by them."""
    device, settings = resolve_device(plan.device), plan.settings
    if settings.statistics == "tile":
        halo_px = -(-plan.reach_px // plan.lattice_px) * plan.lattice_px
        on_device = model if next(model.parameters()).device == device else copy.deepcopy(model)
        names = (plan.source_domain, plan.target_domain)
        return OnItsOwn(on_device.to(device), *names, padded, halo_px), None
    sweep_plan = plan_sweep(route, plan.size, sample.fields)
    job = measure_statistics(sweep_plan, sample, padded, device, settings.statistics, settings.seed)
    measured = yield from _tell("statistics", job, 0, sweep_plan.n_pieces)
    if sample == all_of(padded):
        # what comes before has just been computed for every plane
        return FromMaps(route, measured.layers, measured.maps), measured.statistics
    return FromPixels(route, measured.layers, padded), measured.statistics


def _refuse_not_finite(unit: NDArray[np.float32], core: Region) -> None:
    n_wrong = int(np.count_nonzero(~np.isfinite(unit)))
    if n_wrong:
        raise FloatingPointError(
            f"The network gave {n_wrong} pixels that are not finite in the tile at row "
            f"{core.rows.start}, column {core.columns.start}; the model may be damaged."
        )
