"""Measure what must be known of an image before its tiles are translated: its calibration."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import torch

from napari_unit.engine.calibration import Calibration
from napari_unit.engine.devices import resolve_device
from napari_unit.engine.familiarity import unlike_training
from napari_unit.engine.folding import Frozen
from napari_unit.engine.intensities import Intensities, measure_intensities, n_reads
from napari_unit.engine.local import cells_of, pool_locally
from napari_unit.engine.mapping import IN_PROCESS, Mapper
from napari_unit.engine.planes import PaddedPlanes, PlaneSource
from napari_unit.engine.planning import TranslationPlan
from napari_unit.engine.reports import Progress, tell
from napari_unit.engine.runner import route_of
from napari_unit.engine.sampling import Sample, all_of, n_looks, stratified_sample
from napari_unit.engine.states import States, StatesInMemory, StatesOnDisk
from napari_unit.engine.statistics import NormStatistics, standard_error, statistics_of_model
from napari_unit.engine.sweep import Sweeper
from napari_unit.engine.sweep_plan import SweepPlan, plan_sweep
from napari_unit.models.model import TranslationModel
from napari_unit.models.normalisation import Moments, merge_all
from napari_unit.models.stored_statistics import StoredStatistics

MakeStates = Callable[[SweepPlan, PaddedPlanes], States]


@dataclass(frozen=True, slots=True, eq=False)
class Workers:
    """Who measures.

    Parameters
    ----------
    mapper
        Reads the image.
    make_states
        Where the maps of fields are kept, and who advances them; None leaves that to the plan.
    """

    mapper: Mapper = IN_PROCESS
    make_states: MakeStates | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """A finished sweep.

    Parameters
    ----------
    sweeper
        With all layers frozen.
    states
        With the last map of each field.
    """

    sweeper: Sweeper
    states: States


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A calibration, and what measuring it has computed besides.

    Parameters
    ----------
    calibration
        The calibration.
    swept
        The maps of every pixel, where all of the image was measured; else None.
    """

    calibration: Calibration
    swept: Swept | None


def calibrate(
    plan: TranslationPlan,
    model: TranslationModel,
    planes: PlaneSource,
    scratch: Path | None,
    known: Calibration | None = None,
    of_model: StoredStatistics | None = None,
    workers: Workers = Workers(),
) -> Generator[Progress, None, Measured]:
    """Measure the calibration that a plan asks for.

    Parameters
    ----------
    plan
        Of the translation.
    model
        The model.
    planes
        The image.
    scratch
        Folder for the maps that are too large for the memory; what lies there from an earlier
        run of the same plan is not computed again.
    known
        What an earlier run has measured: its intensities are not measured again.
    of_model
        The statistics that ``"model"`` takes.
    workers
        Who measures.

    Yields
    ------
    After each piece.

    Raises
    ------
    ValueError
        If the model has no statistics of its own, where it should.
    """
    source = model.domains[model.index_of(plan.source_domain)]
    n_px = planes.n_planes * planes.height * planes.width
    mode = plan.settings.statistics
    looks = 0 if mode != "image" or plan.reuses_maps else n_looks(planes.n_planes, plan.size)
    if known is None:
        reads = n_reads(planes)
        job = measure_intensities(planes, source, workers.mapper)
        found = yield from tell("intensities", job, reads + looks, n_px)
    else:
        reads = 0
        found = Intensities(known.window, known.n_clipped, known.notes)
    padded = PaddedPlanes(planes, found.window, plan.size)
    if mode == "tile":
        return Measured(Calibration(found.window, found.n_clipped, found.notes, None), None)
    if mode == "model":
        return Measured(_of_model(plan, model, padded, found, of_model), None)
    if looks:
        drawing = stratified_sample(padded, plan.settings.seed, workers.mapper)
        sample = yield from tell("intensities", drawing, reads + looks, n_px, reads)
    else:
        sample = _everything(plan, padded)
    swept, statistics = yield from measure_statistics(
        plan, model, padded, sample, scratch, workers.make_states
    )
    calibration = Calibration(found.window, found.n_clipped, found.notes, statistics)
    return Measured(calibration, None if looks else swept)


def _of_model(
    plan: TranslationPlan,
    model: TranslationModel,
    padded: PaddedPlanes,
    found: Intensities,
    stored: StoredStatistics | None,
) -> Calibration:
    if stored is None:
        raise ValueError(
            "The model has no statistics of its own; use statistics 'image', or add them with "
            "napari-unit calibrate."
        )
    stem = model.steps(plan.source_domain, plan.target_domain)[0]
    doubt = unlike_training(stored, stem, padded, plan.settings.seed)
    notes = found.notes if doubt is None else (*found.notes, doubt)
    return Calibration(found.window, found.n_clipped, notes, statistics_of_model(stored))


def _everything(plan: TranslationPlan, padded: PaddedPlanes) -> Sample:
    if plan.settings.statistics == "local":
        cells = cells_of(plan.size, plan.lattice_px).regions
        return all_of(padded, cells)
    return all_of(padded, plan.fields)


def measure_statistics(
    plan: TranslationPlan,
    model: TranslationModel,
    padded: PaddedPlanes,
    sample: Sample,
    scratch: Path | None,
    make_states: MakeStates | None = None,
) -> Generator[Progress, None, tuple[Swept, NormStatistics]]:
    """Measure all normalisations over a sample of an image.

    All fields of the sample advance together, and each layer's moments are pooled over them
    before the next layer is reached, the differences between the fields included. Averaging
    statistics that each tile found under its own normalisation would be something else.

    Parameters
    ----------
    plan, model, scratch
        As of `calibrate`.
    padded
        The image.
    sample
        The fields.
    make_states
        Where their maps are kept; None leaves that to the plan.
    """
    route = route_of(model.steps(plan.source_domain, plan.target_domain))
    sweep = plan_sweep(route, plan.size, sample.fields, plan.pieces)
    sweeper = Sweeper(sweep, padded, resolve_device(plan.device))
    states: States
    if make_states is not None:
        states = make_states(sweep, padded)
    elif plan.keeps_on_disk:
        assert scratch is not None
        states = StatesOnDisk(scratch, len(sample.fields))
    else:
        states = StatesInMemory(len(sample.fields), plan.states_device)
    n_work = sum(sweep.work_of(field) for field in sweep.fields)
    job = _sweep(plan, sweeper, states, sample)
    statistics = yield from tell("statistics", job, n_work, sweep.n_px)
    return Swept(sweeper, states), statistics


def _sweep(
    plan: TranslationPlan, sweeper: Sweeper, states: States, sample: Sample
) -> Generator[int, None, NormStatistics]:
    moments: list[Frozen] = []
    errors: list[float] = []
    done = 0
    for index, step in enumerate(sweeper.plan.route.steps):
        frozen: Frozen | None = None
        if index < sweeper.plan.n_steps:
            job = states.advance(sweeper, index)
            while True:
                try:
                    done += next(job)
                except StopIteration as end:
                    per_field = tuple(m for m in end.value if m is not None)
                    break
                yield done
        if step.block.norm is not None:
            _refuse_not_finite(per_field)
            frozen = _pooled(plan, per_field)
            moments.append(frozen)
            errors.append(standard_error(per_field, sample.n_eligible))
        sweeper.freeze(frozen)
    sweeper.spare = None  # the tiles have a use for its memory
    settings = plan.settings
    return NormStatistics(
        settings.statistics,
        tuple(moments),
        len(sample.fields),
        sample.n_eligible,
        tuple(errors),
        settings.seed,
    )


def _pooled(plan: TranslationPlan, per_field: tuple[Moments, ...]) -> Frozen:
    if plan.settings.statistics == "local":
        return pool_locally(per_field, cells_of(plan.size, plan.lattice_px))
    return merge_all(per_field)


def _refuse_not_finite(per_field: tuple[Moments, ...]) -> None:
    for moments in per_field:
        if not bool(torch.isfinite(moments.mean + moments.squared_deviations).all()):
            raise FloatingPointError(
                "The network gave numbers that are not finite while its statistics were measured; "
                "the model may be damaged."
            )
