"""Carry out a plan on a cluster: the same jobs as in one process, on whichever worker is free."""

import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_unit.cluster import worker
from napari_unit.cluster.worker import WorkerJob
from napari_unit.engine.calibration import Calibration
from napari_unit.engine.mapping import Found, Item
from napari_unit.engine.measuring import Measured, Workers, calibrate
from napari_unit.engine.planes import PaddedPlanes, PlaneSink, PlaneSource
from napari_unit.engine.planning import TranslationPlan
from napari_unit.engine.reports import PhaseSeconds, Progress, Report
from napari_unit.engine.run import Known
from napari_unit.engine.runner import FeatureMap
from napari_unit.engine.states import PerField
from napari_unit.engine.sweep import Sweeper
from napari_unit.engine.sweep_plan import SweepPlan
from napari_unit.engine.tiles import units_of
from napari_unit.geometry.regions import Region
from napari_unit.models.model import TranslationModel

if TYPE_CHECKING:
    from distributed import Client, Future

    from napari_unit.engine.sampling import Field

_BATCHES_PER_WORKER = 8
_LARGEST_JOB_BYTES = 4 * 10**6
"""Of an image as it is sent to the workers: its path, not its pixels."""


def run_on_cluster(
    client: "Client",
    plan: TranslationPlan,
    model: TranslationModel,
    model_file: tuple[Path, str],
    planes: PlaneSource,
    sink: PlaneSink,
    known: Known,
    keep: Callable[[Calibration], None],
) -> Generator[Progress, None, Report]:
    """Carry out a plan on the workers of a cluster.

    Closing the generator takes back what has not begun. A worker that is lost is made up for by
    others, which compute again what it alone had.

    Parameters
    ----------
    client
        Of the cluster.
    plan, model, planes, sink, known, keep
        As of `napari_unit.engine.run.run_plan`; image and sink open themselves by their paths
        where they are unpickled.
    model_file
        Path that every worker can read, and its hash.

    Raises
    ------
    ValueError
        If the image is in this process' memory, where no worker can read it.
    RuntimeError
        If workers are lost again and again.
    """
    job = WorkerJob(uuid.uuid4().hex, *model_file, model.domains, planes, plan)
    _check_sendable(job)
    times = [time.perf_counter()]
    with _Submitting(client, job.key) as submit:
        states: list[_StatesOnWorkers] = []

        def make_states(sweep: SweepPlan, padded: PaddedPlanes) -> _StatesOnWorkers:
            states.append(_StatesOnWorkers(submit, job, sweep, padded))
            return states[-1]

        measured = Measured(known.calibration, None) if known.calibration else None
        if measured is None or plan.reuses_maps:
            measured = yield from calibrate(
                plan, model, planes, None, known.calibration, known.statistics,
                Workers(_OnWorkers(submit), make_states),
            )  # fmt: skip
        keep(measured.calibration)
        times += [time.perf_counter()] * 2
        maps = states[-1] if states and plan.reuses_maps else None
        n_saturated = yield from _translate(submit, job, measured.calibration, sink, maps)
        times.append(time.perf_counter())
    return Report(measured.calibration, n_saturated, PhaseSeconds(*np.diff(times).tolist()))


def _check_sendable(job: WorkerJob) -> None:
    from cloudpickle import dumps

    n_bytes = len(dumps(job))
    if n_bytes > _LARGEST_JOB_BYTES:
        raise ValueError(
            f"The image is in the memory of this process ({n_bytes / 1e6:.0f} MB), where no worker "
            "can read it; give the path of a file that the workers can read, or a zarr array."
        )


class _Submitting:
    """Sends jobs to workers; those that are still out when the block ends are taken back."""

    def __init__(self, client: "Client", key: str) -> None:
        self.client = client
        self._key = key
        self._out: set[Any] = set()

    def __enter__(self) -> "_Submitting":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        unfinished = [future for future in self._out if not future.done()]
        if kind is not None and unfinished:
            self.client.cancel(unfinished)
        self._out.clear()
        # what runs already cannot be taken back, and must not write where another job goes on
        self.client.run(worker.settle, self._key, on_error="ignore")

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        future = self.client.submit(function, *arguments, pure=False)
        self._out.add(future)
        return future

    def shared(self, value: Any) -> "Future[Any]":
        """Return a value for many jobs; workers hand it on, and can have it again when lost."""
        return self(worker.same, value)

    def release(self, futures: Sequence[Any]) -> None:
        """Let go of results that no one needs any more."""
        self._out.difference_update(futures)
        for future in futures:
            future.release()

    def as_completed(self, futures: Sequence[Any]) -> Iterator[Any]:
        """Yield futures as they end; raise what went wrong."""
        from distributed import as_completed

        with _losses_told():
            for future in as_completed(futures):
                future.result()
                yield future


@contextmanager
def _losses_told() -> Iterator[None]:
    from distributed.scheduler import KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise ConnectionError(
            "Workers of the cluster were lost again and again at the same job, most likely for "
            "want of memory; give them more, or less to each (memory), and start again: finished "
            "work stays."
        ) from error


class _OnWorkers:
    """Maps small jobs over batches of items; a `Mapper`."""

    def __init__(self, submit: _Submitting) -> None:
        self._submit = submit

    def run(self, job: Callable[[Sequence[Item]], Found], items: Sequence[Item]) -> Iterator[Found]:
        """Yield what the job finds in each batch."""
        n = max(1, _BATCHES_PER_WORKER * len(self._submit.client.nthreads()))
        size = -(-len(items) // n)
        batches = [items[start : start + size] for start in range(0, len(items), size)]
        futures = [self._submit(job, batch) for batch in batches]
        for future in self._submit.as_completed(futures):
            yield future.result()
        self._submit.release(futures)


class _StatesOnWorkers:
    """Keeps the maps of fields on the workers that have made them; a `States`."""

    def __init__(
        self, submit: _Submitting, job: WorkerJob, sweep: SweepPlan, padded: PaddedPlanes
    ) -> None:
        self._submit = submit
        self._job = submit.shared(job)
        fields: tuple[Field, ...] = tuple(field.field for field in sweep.fields)
        self.fields = submit.shared(fields)
        self._window = submit.shared(padded.window)
        self.states: list[Any] = [None] * len(fields)
        self.plan = sweep

    def advance(self, sweeper: Sweeper, index: int) -> Generator[int, None, PerField]:
        """Take every field through one step; yields the multiplications carried out."""
        frozen = self._submit.shared(tuple(sweeper.moments))
        after = [
            self._submit(
                worker.advance, self._job, self._window, self.fields, frozen, number, before
            )
            for number, before in enumerate(self.states)
        ]
        measured = {
            self._submit(worker.moments_of, future): number for number, future in enumerate(after)
        }
        found: list[Any] = [None] * len(after)
        for future in self._submit.as_completed(list(measured)):
            number = measured[future]
            found[number] = future.result()
            field = sweeper.plan.fields[number]
            yield sweeper.plan.work[index] * sum(piece.n_px for piece in field.pieces[index])
        self._submit.release([*measured, frozen, *(s for s in self.states if s is not None)])
        self.states = after
        return tuple(found)

    def last_map(self, sweeper: Sweeper, number: int) -> FeatureMap:
        """Return nothing: the maps stay where they are."""
        raise NotImplementedError("maps of a cluster are not fetched")


def _translate(
    submit: _Submitting,
    job: WorkerJob,
    calibration: Calibration,
    sink: PlaneSink,
    maps: _StatesOnWorkers | None,
) -> Generator[Progress, None, int]:
    n_px = job.plan.part.n_px
    common = [submit.shared(value) for value in (job, calibration, sink)]
    total = done = 0
    out: dict[Any, Region] = {}
    for plane, unit in units_of(job.plan, sink.unit_px):
        n_saturated = sink.written(plane, unit)
        if n_saturated is not None:
            total += n_saturated
            done += unit.n_px
            continue
        numbers = [] if maps is None else _touched(maps.plan, plane, unit)
        fields = () if maps is None else maps.fields
        last = [] if maps is None else [maps.states[number] for number in numbers]
        future = submit(worker.translate, *common, plane, unit, fields, numbers, *last)
        out[future] = unit
    if done:
        yield Progress("tiles", done, n_px)
    for future in submit.as_completed(list(out)):
        total += future.result()
        done += out[future].n_px
        yield Progress("tiles", done, n_px)
    return total


def _touched(plan: SweepPlan, plane: int, unit: Region) -> list[int]:
    return [
        number
        for number, field in enumerate(plan.fields)
        if field.field.plane == plane and field.field.core.common(unit) is not None
    ]
