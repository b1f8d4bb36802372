from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit.engine.runner import Route, route_of
from napari_unit.engine.sampling import Field
from napari_unit.engine.sweep_plan import FieldPlan, Pieces, plan_sweep
from napari_unit.geometry.regions import Region, plan_region, whole
from napari_unit.geometry.tiling import Span
from napari_unit.models.model import TranslationModel

SIZE = (96, 128)


@pytest.fixture(scope="module")
def route(random_model: Callable[..., TranslationModel]) -> Route:
    return route_of(random_model(width=1).steps("a", "b"))


lattice_spans = st.tuples(st.integers(0, 23), st.integers(1, 8)).map(
    lambda t: Span(4 * t[0], min(96, 4 * sum(t)))
)


@settings(max_examples=20)
@given(core=st.builds(Region, lattice_spans, lattice_spans), cell_px=st.integers(8, 200))
def test_each_step_has_what_the_next_one_needs_and_counts_each_pixel_once(
    route: Route, core: Region, cell_px: int
) -> None:
    plan = plan_sweep(route, SIZE, [Field(0, core)], Pieces(cell_px=cell_px))
    # the head has no normalisation
    assert plan.n_steps == len(route.steps) - 1
    (field,) = plan.fields
    for index in range(plan.n_steps):
        size = route.size_at(index + 1, SIZE)
        assert field.cores[index] == core.at_scale(SIZE, size)
        assert field.targets[index].contains(field.cores[index])
        check_cover(field, index)
    first, stop = route.kept
    for index in range(first + 1, stop):
        size = route.size_at(index, SIZE)
        (step,) = plan_region(route.geometry[index : index + 1], size, field.targets[index])
        assert field.targets[index - 1].contains(step.source)
    # the head's, too, which is not part of the sweep
    size = route.size_at(stop, SIZE)
    steps = plan_region(route.geometry[stop:], size, core)
    assert field.targets[stop - 1].contains(steps[0].source)


def check_cover(field: FieldPlan, index: int) -> None:
    target = field.targets[index]
    times = np.zeros((target.rows.length, target.columns.length), int)
    for piece in field.pieces[index]:
        times[piece.within(target)] += 1
    assert (times == 1).all()


def test_whole_planes_keep_whole_maps(route: Route) -> None:
    plan = plan_sweep(route, SIZE, [Field(plane, whole(SIZE)) for plane in range(3)])
    for field in plan.fields:
        assert set(field.targets[route.down - 1 : route.up]) == {whole((24, 32))}
        assert field.targets[route.up] == whole((48, 64))
    # the last two: 4 channels at a quarter and 2 channels at a half of the resolution
    one = 4 * (4 * 24 * 32 + 2 * 48 * 64)
    assert plan.field_bytes(plan.fields[0], 4) == one
    assert plan.state_bytes(4) == 3 * one


def test_work_is_the_arithmetic_of_each_step(route: Route) -> None:
    plan = plan_sweep(route, SIZE, [Field(0, whole(SIZE))])
    weights = [step.block.conv.weight.numel() for step in route.steps]
    assert plan.work[0] == weights[0]
    # the first map is computed again for the second one, of a quarter of the pixels
    assert plan.work[1] == 4 * weights[0] + weights[1]
    assert plan.work[7] == weights[7]
    assert plan.work[plan.n_steps - 1] == weights[plan.n_steps - 1]
    assert plan.work_of(plan.fields[0]) == sum(
        plan.work[index] * plan.fields[0].targets[index].n_px for index in range(plan.n_steps)
    )
    assert plan.n_px == 96 * 128


def test_smaller_pieces_have_a_quarter_of_the_pixels() -> None:
    smaller = Pieces().smaller()
    assert (smaller.cell_px, smaller.strip_bytes, smaller.block_px) == (512, 1 << 20, 128)
