from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_unit.domains import Window
from napari_unit.engine import sweep, sweep_plan
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.runner import FeatureMap, Route, route_of, translate_region
from napari_unit.engine.sampling import Field
from napari_unit.engine.sweep_plan import plan_sweep
from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource
from napari_unit.models.model import TranslationModel
from napari_unit.models.normalisation import Moments

SIZE = (64, 84)
CPU = torch.device("cpu")
PLANES = np.random.default_rng(0).uniform(-1, 1, (2, 2, *SIZE)).astype("float32")


@pytest.fixture(scope="module")
def route(random_model: Callable[..., TranslationModel]) -> Route:
    return route_of(random_model(width=2, channels=(2, 1)).double().steps("a", "b"))


@pytest.fixture(params=["one piece", "many pieces"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "many pieces":
        monkeypatch.setattr(sweep_plan, "CELL_PX", 28)
        monkeypatch.setattr(sweep_plan, "_STRIP_PX", 50)
        monkeypatch.setattr(sweep, "BLOCK_PX", 12)
    return request.param


def padded(planes: np.ndarray) -> PaddedPlanes:
    n = planes.shape[1]
    source = ArraySource(planes, Axes("TCYX"), n)
    return PaddedPlanes(source, Window((-1.0,) * n, (1.0,) * n), SIZE)


def swept(route: Route, planes: np.ndarray, fields: Sequence[Field], finish: Any) -> Any:
    plan = plan_sweep(route, SIZE, fields)
    result, done = finish(sweep.sweep(plan, padded(planes), CPU))
    assert done == list(range(1, plan.n_pieces + 1))
    return result


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
@pytest.mark.usefixtures("pieces")
@torch.no_grad()
def test_whole_planes_have_the_moments_of_the_pass_in_one_piece(
    route: Route, n_planes: int, finish: Any
) -> None:
    planes = PLANES[:n_planes]
    expected, translation = moments_of_batch(route, torch.from_numpy(planes).double())
    fields = [Field(plane, whole(SIZE)) for plane in range(n_planes)]
    result = swept(route, planes, fields, finish)
    for index, pooled in enumerate(expected):
        parts = result.moments[index]
        assert len(parts) == n_planes
        assert_same(parts[0] if n_planes == 1 else parts[0].merge(parts[1]), pooled)
    # the frozen layers and the kept maps lead on to the same translation
    values = torch.from_numpy(planes[:1]).double()
    image = FeatureMap(values, whole(SIZE), SIZE)
    region = Region(*(list(grid(whole(SIZE), 40))[1].rows,) * 2)
    found = translate_region(result.layers, route, image, region, 16)
    rows, columns = region.within(whole(SIZE))
    torch.testing.assert_close(found, translation[:1, :, rows, columns], rtol=1e-9, atol=1e-9)
    assert [m.region for m in result.maps] == [whole((16, 21))] * n_planes


@pytest.mark.usefixtures("pieces")
@torch.no_grad()
def test_fields_that_cover_an_image_have_its_moments(route: Route, finish: Any) -> None:
    """Context around each field is seen and not counted: the pooled moments are exact."""
    expected, _ = moments_of_batch(route, torch.from_numpy(PLANES[:1]).double())
    fields = [Field(0, core) for core in grid(whole(SIZE), 24)]
    result = swept(route, PLANES[:1], fields, finish)
    for parts, pooled in zip(result.moments, expected, strict=True):
        total = parts[0]
        for part in parts[1:]:
            total = total.merge(part)
        assert_same(total, pooled)


def test_the_model_stays_as_it_is(
    random_model: Callable[..., TranslationModel], finish: Any
) -> None:
    model = random_model(width=1, channels=(2, 1))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    route = route_of(model.steps("a", "b"))
    result = swept(route, PLANES[:1], [Field(0, whole(SIZE))], finish)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    for module in model.modules():
        assert getattr(module, "frozen", None) is None
    assert not any(layer.direct.weight.requires_grad for layer in result.layers)
    # moments can be computed with outside of inference mode
    assert not result.moments[0][0].mean.is_inference()
