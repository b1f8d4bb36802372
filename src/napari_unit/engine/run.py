"""Translate images of any size tile by tile, equal to translating them in one piece.

`plan_translation` says what will be done; `run_plan` does it and tells how far it is.
"""

import logging
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch

from napari_unit.engine.calibration import Calibration
from napari_unit.engine.devices import available_devices, release_memory
from napari_unit.engine.measuring import Measured, calibrate
from napari_unit.engine.planes import PlaneSink, PlaneSource
from napari_unit.engine.planning import TranslationPlan, plan_translation
from napari_unit.engine.reports import PhaseSeconds, Progress, Report
from napari_unit.engine.settings import EngineSettings
from napari_unit.engine.tiles import translate_units, units_of
from napari_unit.engine.translators import translator_for
from napari_unit.models.model import TranslationModel
from napari_unit.models.stored_statistics import StoredStatistics

__all__ = [
    "Calibration",
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

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What need not be measured.

    Parameters
    ----------
    calibration
        Of this image and model, from a file or an earlier run.
    statistics
        Of the model, for ``statistics="model"``.
    """

    calibration: Calibration | None = None
    statistics: StoredStatistics | None = None


def run_plan(
    plan: TranslationPlan,
    model: TranslationModel,
    planes: PlaneSource,
    sink: PlaneSink,
    known: Known = Known(),
    scratch: Path | None = None,
    keep: Callable[[Calibration], None] = lambda _: None,
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
    known
        What need not be measured.
    scratch
        Folder for maps that are too large for the memory; what an earlier run has left there is
        used. None makes one for this run where it is needed. It is gone in the end.
    keep
        Called with the calibration as soon as it is there.

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
        If the device runs out of memory however small the tiles.
    OSError
        If there is no room for maps that are too large for the memory.
    """
    target = model.domains[model.index_of(plan.target_domain)]
    times = [time.perf_counter()]
    is_all_there = not any(
        sink.written(plane, unit) is None for plane, unit in units_of(plan, sink.unit_px)
    )
    if known.calibration is not None:
        reuses = plan.reuses_maps and not is_all_there
        plan = replace(plan, reuses_maps=reuses, keeps_on_disk=plan.keeps_on_disk and reuses)
    with _scratch_folder(plan, scratch) as folder:
        measured, measured_s = yield from _measured(plan, model, planes, folder, known)
        keep(measured.calibration)
        times += [times[0] + measured_s, time.perf_counter()]
        translator = translator_for(plan, model, planes, measured)
        n_saturated = yield from translate_units(plan, translator, target, sink)
        times.append(time.perf_counter())
    return Report(measured.calibration, n_saturated, PhaseSeconds(*np.diff(times).tolist()))


def measure(
    plan: TranslationPlan,
    model: TranslationModel,
    planes: PlaneSource,
    known: Known = Known(),
) -> Generator[Progress, None, Calibration]:
    """Measure the calibration that a plan asks for, without translating anything.

    Parameters
    ----------
    plan, model, planes, known
        As of `run_plan`.

    Yields
    ------
    After each step.
    """
    with _scratch_folder(plan, None) as folder:
        measured, _ = yield from _measured(plan, model, planes, folder, known)
        return measured.calibration


def _measured(
    plan: TranslationPlan,
    model: TranslationModel,
    planes: PlaneSource,
    scratch: Path | None,
    known: Known,
) -> Generator[Progress, None, tuple[Measured, float]]:
    """Return the calibration, and the seconds that its intensities took."""
    if known.calibration is not None and not plan.reuses_maps:
        return Measured(known.calibration, None), 0.0
    began = intensities = time.perf_counter()
    while True:
        job = calibrate(plan, model, planes, scratch, known.calibration, known.statistics)
        try:
            while True:
                news = next(job)
                if news.phase == "intensities":
                    intensities = time.perf_counter()
                yield news
        except StopIteration as end:
            measured: Measured = end.value
            return measured, intensities - began
        except torch.OutOfMemoryError as error:
            following = plan.with_less_device_memory()
            if following is None:
                raise MemoryError(
                    f"{plan.device} ran out of memory while the statistics were measured; free "
                    "some of it, or use another device."
                ) from error
            plan = following
        _logger.warning(
            "%s ran out of memory; the statistics are measured again in smaller pieces.",
            plan.device,
        )
        release_memory(plan.device)


@contextmanager
def _scratch_folder(plan: TranslationPlan, given: Path | None) -> Iterator[Path | None]:
    """Give a folder with room for the maps; it is removed, but a given one only once all is done.

    A given folder outlasts what goes wrong, so that the next run goes on with it.
    """
    if not plan.keeps_on_disk:
        yield None
        return
    folder = Path(mkdtemp(prefix="napari-unit-")) if given is None else given
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = sum(file.stat().st_size for file in folder.iterdir())
        free = shutil.disk_usage(folder).free + there
        if free < plan.scratch_bytes:
            raise OSError(
                f"Measuring the statistics {plan.settings.statistics!r} takes "
                f"{plan.scratch_bytes / 1e9:.1f} GB of scratch space, and {folder} has "
                f"{free / 1e9:.1f} GB; use statistics 'image', more memory (memory), or a folder "
                "on another disk (TMPDIR)."
            )
        yield folder
    except BaseException:
        if given is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
