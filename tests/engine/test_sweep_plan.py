from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit.engine import sweep_plan
from napari_unit.engine.runner import Route, route_of
from napari_unit.engine.sampling import Field
from napari_unit.engine.sweep_plan import FieldPlan, plan_sweep
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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep_plan, "CELL_PX", cell_px)
        plan = plan_sweep(route, SIZE, [Field(0, core)])
    # the head has no normalisation
    assert plan.n_steps == len(route.steps) - 1
    (field,) = plan.fields
    for index in range(plan.n_steps):
        size = route.size_at(index + 1, SIZE)
        assert field.cores[index] == core.at_scale(SIZE, size)
        assert field.targets[index].contains(field.cores[index])
        check_cover(field, index)
    for index in range(route.down, route.up):
        size = route.size_at(index, SIZE)
        (step,) = plan_region(route.geometry[index : index + 1], size, field.targets[index])
        assert field.targets[index - 1].contains(step.source)
    for index in range(route.up, plan.n_steps):
        size = route.size_at(route.up, SIZE)
        steps = plan_region(route.geometry[route.up : index + 1], size, field.targets[index])
        assert field.targets[route.up - 1].contains(steps[0].source)


def check_cover(field: FieldPlan, index: int) -> None:
    target = field.targets[index]
    times = np.zeros((target.rows.length, target.columns.length), int)
    for piece in field.pieces[index]:
        times[piece.within(target)] += 1
    assert (times == 1).all()


def test_whole_planes_keep_whole_maps(route: Route) -> None:
    plan = plan_sweep(route, SIZE, [Field(plane, whole(SIZE)) for plane in range(3)])
    coarse = whole((24, 32))
    for field in plan.fields:
        assert set(field.targets[route.down - 1 : route.up]) == {coarse}
    # two maps of 4 channels in float32, of three planes
    assert plan.memory_bytes(4) == 2 * 4 * 4 * 24 * 32 * 3


def test_pieces_are_counted(route: Route) -> None:
    plan = plan_sweep(route, SIZE, [Field(0, whole(SIZE)), Field(1, whole(SIZE))])
    assert plan.n_pieces == 2 * 21
