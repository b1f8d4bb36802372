"""What a worker of a cluster does: small jobs that read for themselves and write for themselves.

Of pixels, nothing passes the scheduler. A worker opens the image and the model by their paths and
keeps what it has prepared for the next job of the same translation.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_unit.cluster.parking import ParkedState, parked, unparked
from napari_unit.domains import Domain, Window
from napari_unit.engine.calibration import Calibration
from napari_unit.engine.devices import resolve_device
from napari_unit.engine.folding import Frozen
from napari_unit.engine.measuring import Measured
from napari_unit.engine.planes import PaddedPlanes, PlaneSink, PlaneSource
from napari_unit.engine.planning import TranslationPlan
from napari_unit.engine.runner import FeatureMap, route_of
from napari_unit.engine.sampling import Field
from napari_unit.engine.sweep import Sweeper
from napari_unit.engine.sweep_plan import plan_sweep
from napari_unit.engine.tiles import translate_unit
from napari_unit.engine.translators import FromMaps, Translator, translator_for
from napari_unit.geometry.regions import Region
from napari_unit.models.file import load_model
from napari_unit.models.normalisation import Moments

if TYPE_CHECKING:
    from napari_unit.models.model import TranslationModel

_KEPT = 2
"""Translations that a worker keeps prepared."""


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """A translation as it is sent to workers.

    Parameters
    ----------
    key
        Tells this translation from others.
    model_path, model_sha256
        File of the model, which every worker can read.
    domains
        Of the model, at the depth of the image's and of the result's pixels.
    planes
        The image; opens itself by its path.
    plan
        Of the engine.
    """

    key: str
    model_path: Path
    model_sha256: str
    domains: tuple[Domain, Domain]
    planes: PlaneSource
    plan: TranslationPlan


class _Prepared:
    """A translation on this worker."""

    def __init__(self, job: WorkerJob) -> None:
        loaded = load_model(job.model_path)
        if loaded.sha256 != job.model_sha256:
            raise ValueError(
                f"The model {job.model_path} is another one on this worker; give all computers "
                "of the cluster the same file."
            )
        self.model: TranslationModel = loaded.model
        self.model.domains = job.domains
        # the computer that plans need not have the devices of those that compute
        self.plan = replace(job.plan, device=_device(job.plan.settings.device))
        self.planes = job.planes
        self.sweeper: Sweeper | None = None
        self.translator: Translator | None = None
        self.turn = threading.Lock()


def _device(wanted: str) -> str:
    """Return this worker's device: of several GPUs of a computer another one for each worker."""
    from distributed import get_worker

    device = resolve_device(wanted)
    if device.type == "cuda" and wanted in ("auto", "cuda"):
        name = str(get_worker().name)
        number = int(name) if name.isdecimal() else 0
        return f"cuda:{number % torch.cuda.device_count()}"
    return str(device)


_prepared: dict[str, _Prepared] = {}
_preparing = threading.Lock()


def _prepare(job: WorkerJob) -> _Prepared:
    from distributed import get_worker

    with _preparing:
        # one job at a time computes, with all threads of the worker; for torch, a setting of the
        # thread that computes
        torch.set_num_threads(get_worker().state.nthreads)
        if job.key not in _prepared:
            while len(_prepared) >= _KEPT:
                _prepared.pop(next(iter(_prepared)))
            _prepared[job.key] = _Prepared(job)
        return _prepared[job.key]


def advance(
    job: WorkerJob,
    window: Window,
    fields: Sequence[Field],
    frozen: Sequence[Frozen | None],
    number: int,
    before: tuple[ParkedState, Moments | None] | None,
) -> tuple[ParkedState, Moments | None]:
    """Take one field one step further.

    Parameters
    ----------
    job
        The translation.
    window
        Pixel values of the image that stand for -1 and 1.
    fields
        All that are measured.
    frozen
        By what the steps before are frozen; its length is the step's number.
    number
        Of the field.
    before
        What this function has returned for the step before; it stays as it is.
    """
    here = _prepare(job)
    with here.turn:
        sweeper = _sweeper(here, window, fields, frozen)
        index = len(frozen)
        state = unparked(sweeper, number, index - 1, before[0] if before else ParkedState())
        steps = sweeper.advance(number, index, state)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                after, moments = end.value
                return parked(after), moments


def same(value: Any) -> Any:
    """Return what is given: a value that many jobs need, sent once."""
    return value


def moments_of(found: tuple[ParkedState, Moments | None]) -> Moments | None:
    """Return what was measured, without the maps."""
    return found[1]


def _sweeper(
    here: _Prepared,
    window: Window,
    fields: Sequence[Field],
    frozen: Sequence[Frozen | None],
) -> Sweeper:
    """Return a sweeper that is frozen as far as it is said, and no further."""
    plan = here.plan
    if here.sweeper is None or len(here.sweeper.layers) > len(frozen):
        route = route_of(here.model.steps(plan.source_domain, plan.target_domain))
        padded = PaddedPlanes(here.planes, window, plan.size)
        swept = plan_sweep(route, plan.size, fields, plan.pieces)
        here.sweeper = Sweeper(swept, padded, resolve_device(plan.device))
    for moments in frozen[len(here.sweeper.layers) :]:
        here.sweeper.freeze(moments)
    return here.sweeper


def translate(
    job: WorkerJob,
    calibration: Calibration,
    sink: PlaneSink,
    plane: int,
    unit: Region,
    fields: Sequence[Field],
    numbers: Sequence[int],
    *maps: tuple[ParkedState, Moments | None],
) -> int:
    """Translate one unit and write it; return its saturated pixel values.

    Parameters
    ----------
    job
        The translation.
    calibration
        Of the image.
    sink
        Where the unit goes; opens itself by its path.
    plane, unit
        Which one.
    fields, numbers, maps
        All fields; and of those that the unit touches, their numbers and last maps. None where
        units are made of pixels.
    """
    written = sink.written(plane, unit)
    if written is not None:  # by a worker that was lost before it could say so
        return written
    here = _prepare(job)
    target = here.model.domains[here.model.index_of(here.plan.target_domain)]
    with here.turn:
        translator = _translator(here, calibration, fields, dict(zip(numbers, maps, strict=True)))
        pixels, n_saturated = translate_unit(here.plan, translator, target, plane, unit)
        sink.write(plane, unit, pixels, n_saturated)
    return n_saturated


def settle(key: str) -> None:
    """Wait until nothing of a translation is being computed or written here."""
    here = _prepared.pop(key, None)
    if here is not None:
        with here.turn:
            pass


def _translator(
    here: _Prepared,
    calibration: Calibration,
    fields: Sequence[Field],
    maps: Mapping[int, tuple[ParkedState, Moments | None]],
) -> Translator:
    if maps:
        assert calibration.statistics is not None
        route = route_of(here.model.steps(here.plan.source_domain, here.plan.target_domain))
        moments = iter(calibration.statistics.moments)
        frozen = [None if step.block.norm is None else next(moments) for step in route.steps]
        sweeper = _sweeper(here, calibration.window, fields, frozen)
        stop = route.kept[1]
        last = {
            number: sweeper.finished(unparked(sweeper, number, stop - 1, kept[0]))
            for number, kept in maps.items()
        }
        return FromMaps(sweeper, _Given(last))
    if here.translator is None:
        plan = replace(here.plan, reuses_maps=False)
        measured = Measured(calibration, None)
        here.translator = translator_for(plan, here.model, here.planes, measured)
    return here.translator


class _Given:
    """The last maps of the fields that a unit touches."""

    def __init__(self, maps: Mapping[int, FeatureMap]) -> None:
        self._maps = maps

    def last_map(self, _: Sweeper, number: int) -> FeatureMap:
        return self._maps[number]
