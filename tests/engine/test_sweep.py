from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_unit.domains import Window
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.runner import FeatureMap, Route, assemble, route_of, translate_region
from napari_unit.engine.sampling import Field
from napari_unit.engine.states import States, StatesInMemory
from napari_unit.engine.sweep import Sweeper
from napari_unit.engine.sweep_plan import Pieces, plan_sweep
from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource
from napari_unit.models.model import TranslationModel
from napari_unit.models.normalisation import Moments, merge_all

SIZE = (64, 84)
CPU = torch.device("cpu")
PLANES = np.random.default_rng(0).uniform(-1, 1, (2, 2, *SIZE)).astype("float32")


@pytest.fixture(scope="module")
def route(random_model: Callable[..., TranslationModel]) -> Route:
    return route_of(random_model(width=2, channels=(2, 1)).double().steps("a", "b"))


@pytest.fixture(params=["one piece", "many pieces"])
def pieces(request: pytest.FixtureRequest) -> Pieces:
    return Pieces(28, 50 * 4 * 8, 12) if request.param == "many pieces" else Pieces()


def padded(planes: np.ndarray) -> PaddedPlanes:
    n = planes.shape[1]
    source = ArraySource(planes, Axes("TCYX"), n)
    return PaddedPlanes(source, Window((-1.0,) * n, (1.0,) * n), SIZE)


def swept(
    route: Route, planes: np.ndarray, fields: Sequence[Field], pieces: Pieces
) -> tuple[list[list[Moments]], Sweeper, States]:
    """Sweep over fields in memory; return the moments per normalisation and field."""
    plan = plan_sweep(route, SIZE, fields, pieces)
    sweeper, states = Sweeper(plan, padded(planes), CPU), StatesInMemory(len(fields))
    moments, work = sweep_all(sweeper, states)
    assert work == sum(plan.work_of(field) for field in plan.fields)
    return moments, sweeper, states


def sweep_all(sweeper: Sweeper, states: States) -> tuple[list[list[Moments]], int]:
    found: list[list[Moments]] = []
    work = 0
    for index, step in enumerate(sweeper.plan.route.steps):
        job, per_field = states.advance(sweeper, index), ()
        while index < sweeper.plan.n_steps:
            try:
                work += next(job)
            except StopIteration as end:
                per_field = end.value
                break
        if step.block.norm is None:
            assert not any(per_field)
            sweeper.freeze(None)
            continue
        found.append(list(per_field))
        sweeper.freeze(merge_all(found[-1]))
    return found, work


def moments_of_batch(route: Route, batch: Tensor) -> tuple[list[Moments], Tensor]:
    """Walk the steps over whole planes, each norm frozen by the moments of all of them."""
    found, x, kept = [], batch, batch
    for step in route.steps:
        block, up = step.block, step.block.geometry.upsample
        kept = x if step.skip == "open" else kept
        x = torch.nn.functional.interpolate(x, scale_factor=float(up)) if up > 1 else x
        x = torch.nn.functional.pad(x, (block.geometry.padding,) * 4, mode="reflect")
        x = block.conv(x)
        if block.norm is not None:
            found.append(block.norm.measure(x))
            scale, shift = block.norm.affine(found[-1])
            x = x * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)
        x = block.activation(x)
        x = x + kept if step.skip == "close" else x
    return found, x


def assert_same(found: Moments, expected: Moments) -> None:
    assert found.count == expected.count
    torch.testing.assert_close(found.mean, expected.mean, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        found.squared_deviations, expected.squared_deviations, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("n_planes", [1, 2])
@torch.no_grad()
def test_whole_planes_have_the_moments_of_the_pass_in_one_piece(
    route: Route, n_planes: int, pieces: Pieces
) -> None:
    planes = PLANES[:n_planes]
    expected, translation = moments_of_batch(route, torch.from_numpy(planes).double())
    fields = [Field(plane, whole(SIZE)) for plane in range(n_planes)]
    found, sweeper, states = swept(route, planes, fields, pieces)
    for parts, pooled in zip(found, expected, strict=True):
        assert len(parts) == n_planes
        assert_same(parts[0] if n_planes == 1 else parts[0].merge(parts[1]), pooled)
    # the frozen layers and the kept maps lead on to the same translation
    values = torch.from_numpy(planes[:1]).double()
    image = FeatureMap(values, whole(SIZE), SIZE)
    region = Region(*(list(grid(whole(SIZE), 40))[1].rows,) * 2)
    made = translate_region(sweeper.layers, route, image, region, 16)
    rows, columns = region.within(whole(SIZE))
    torch.testing.assert_close(made, translation[:1, :, rows, columns], rtol=1e-9, atol=1e-9)
    kept = states.last_map(sweeper, n_planes - 1)
    assert kept.region == whole((32, 42))
    made = assemble(sweeper.layers[route.kept[1] :], kept, region, 16).values
    expected_part = translation[n_planes - 1 : n_planes, :, rows, columns]
    torch.testing.assert_close(made, expected_part, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_fields_that_cover_an_image_have_its_moments(route: Route, pieces: Pieces) -> None:
    """Context around each field is seen and not counted: the pooled moments are exact."""
    expected, translation = moments_of_batch(route, torch.from_numpy(PLANES[:1]).double())
    fields = [Field(0, core) for core in grid(whole(SIZE), 24)]
    found, sweeper, states = swept(route, PLANES[:1], fields, pieces)
    for parts, pooled in zip(found, expected, strict=True):
        assert_same(merge_all(parts), pooled)
    # what is kept of a field is all that its pixels need
    for number, field in enumerate(fields):
        kept = states.last_map(sweeper, number)
        made = assemble(sweeper.layers[route.kept[1] :], kept, field.core, 9).values
        rows, columns = field.core.within(whole(SIZE))
        torch.testing.assert_close(made, translation[:, :, rows, columns], rtol=1e-9, atol=1e-9)


def test_the_model_stays_as_it_is(random_model: Callable[..., TranslationModel]) -> None:
    model = random_model(width=1, channels=(2, 1))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    route = route_of(model.steps("a", "b"))
    moments, sweeper, _ = swept(route, PLANES[:1], [Field(0, whole(SIZE))], Pieces())
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    for module in model.modules():
        assert getattr(module, "frozen", None) is None
    assert not any(layer.direct.weight.requires_grad for layer in sweeper.layers)
    # moments can be computed with outside of inference mode
    assert not moments[0][0].mean.is_inference()
