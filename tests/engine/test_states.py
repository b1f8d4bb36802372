from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_unit.domains import Window
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.runner import route_of
from napari_unit.engine.sampling import Field
from napari_unit.engine.states import States, StatesInMemory, StatesOnDisk
from napari_unit.engine.sweep import Sweeper
from napari_unit.engine.sweep_plan import Pieces, SweepPlan, plan_sweep
from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource
from napari_unit.models.model import TranslationModel
from napari_unit.models.normalisation import merge_all

SIZE = (48, 60)
IMAGE = np.random.default_rng(0).uniform(-1, 1, (1, 1, *SIZE)).astype("float32")


class Counting(ArraySource):
    """Counts what is read."""

    n_reads = 0

    def read(self, plane: int, region: Region) -> np.ndarray:
        self.n_reads += 1
        return super().read(plane, region)


@pytest.fixture(scope="module")
def plan(random_model: Callable[..., TranslationModel]) -> SweepPlan:
    route = route_of(random_model(width=2, n_shared=4).steps("a", "b"))
    fields = [Field(0, core) for core in grid(whole(SIZE), 28)]
    return plan_sweep(route, SIZE, fields, Pieces(strip_bytes=40 * 4 * 8))


def sweeper_of(plan: SweepPlan) -> tuple[Sweeper, Counting]:
    source = Counting(IMAGE, Axes("TCYX"), 1)
    planes = PaddedPlanes(source, Window((-1.0,), (1.0,)), SIZE)
    return Sweeper(plan, planes, torch.device("cpu")), source


class InterruptedError_(Exception):
    pass


def sweep(sweeper: Sweeper, states: States, stop_after: int | None = None) -> list[Tensor]:
    """Sweep to the end, or until as many pieces are done; return what was pooled."""
    pooled: list[Tensor] = []
    n_pieces = 0
    for index in range(sweeper.plan.n_steps):
        job = states.advance(sweeper, index)
        while True:
            try:
                next(job)
            except StopIteration as end:
                per_field = end.value
                break
            n_pieces += 1
            if stop_after is not None and n_pieces >= stop_after:
                raise InterruptedError_
        frozen = merge_all(per_field) if per_field[0] is not None else None
        sweeper.freeze(frozen)
        if frozen is not None:
            pooled += [frozen.mean, frozen.squared_deviations]
    while len(sweeper.layers) < len(sweeper.plan.route.steps):
        sweeper.freeze(None)
    return pooled


def everything(plan: SweepPlan, states: States) -> list[Tensor]:
    sweeper, _ = sweeper_of(plan)
    pooled = sweep(sweeper, states)
    return pooled + [states.last_map(sweeper, n).values for n in range(len(plan.fields))]


def test_files_hold_what_memory_holds_to_the_last_bit(plan: SweepPlan, tmp_path: Path) -> None:
    in_memory = everything(plan, StatesInMemory(len(plan.fields)))
    on_disk = everything(plan, StatesOnDisk(tmp_path / "new", len(plan.fields)))
    for one, other in zip(in_memory, on_disk, strict=True):
        assert torch.equal(one, other)


def test_a_folder_holds_two_maps_of_each_field(plan: SweepPlan, tmp_path: Path) -> None:
    sweeper, _ = sweeper_of(plan)
    states = StatesOnDisk(tmp_path, len(plan.fields))
    most = 0
    for index in range(plan.n_steps):
        for _ in states.advance(sweeper, index):
            held = sum(path.stat().st_size for path in tmp_path.glob("field-*"))
            most = max(most, held)
        moments = None
        if plan.route.steps[index].block.norm is not None:
            # read back from what the step has left
            again = states.advance(sweeper, index)
            while True:
                try:
                    next(again)
                except StopIteration as end:
                    moments = merge_all(end.value)
                    break
        sweeper.freeze(moments)
    assert 0.5 < most / plan.state_bytes(4) < 1.6


@pytest.mark.parametrize("stop_after", [1, 5, 17, 60, 150, 300])
def test_a_sweep_goes_on_where_it_was_interrupted(
    plan: SweepPlan, tmp_path: Path, stop_after: int
) -> None:
    expected = everything(plan, StatesInMemory(len(plan.fields)))
    sweeper, source = sweeper_of(plan)
    n_reads_in_all = source.n_reads
    with pytest.raises(InterruptedError_):
        sweep(sweeper, StatesOnDisk(tmp_path, len(plan.fields)), stop_after)
    before = source.n_reads
    sweeper, source = sweeper_of(plan)
    states = StatesOnDisk(tmp_path, len(plan.fields))
    found = sweep(sweeper, states)
    found += [states.last_map(sweeper, n).values for n in range(len(plan.fields))]
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)
    # the pixels of a field that had been measured are not read again
    complete = sweeper_of(plan)
    sweep(complete[0], StatesInMemory(len(plan.fields)))
    n_reads_in_all = complete[1].n_reads
    assert source.n_reads < n_reads_in_all or stop_after == 1
    assert before + source.n_reads <= n_reads_in_all + 1


def test_a_half_written_file_is_not_taken_for_a_whole_one(plan: SweepPlan, tmp_path: Path) -> None:
    expected = everything(plan, StatesInMemory(len(plan.fields)))
    tmp_path.joinpath("field-0-step-0.partial").write_bytes(b"half")
    found = everything(plan, StatesOnDisk(tmp_path, len(plan.fields)))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
