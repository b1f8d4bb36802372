from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_unit.engine.folding import Layer, make_layer
from napari_unit.engine.runner import (
    FeatureMap,
    Route,
    assemble,
    route_of,
    run,
    run_in_blocks,
    translate_region,
)
from napari_unit.geometry.regions import Region, plan_region, whole
from napari_unit.geometry.tiling import Span, padded_length
from napari_unit.models.model import TranslationModel

MakeModel = Callable[..., TranslationModel]
CPU = torch.device("cpu")


def frozen(model: TranslationModel, image: Tensor) -> tuple[Route, list[Layer], list[Tensor]]:
    """Freeze a model's norms by an image's own statistics; return the maps behind each step."""
    route = route_of(model.steps("a", "b"))
    x, kept, layers, maps = image, image, [], []
    for step in route.steps:
        block = step.block
        if step.skip == "open":
            kept = x
        measured: list[Tensor] = []
        hook = block.conv.register_forward_hook(lambda *a, m=measured: m.append(a[2]))
        x = block(x)
        hook.remove()
        x = x + kept if step.skip == "close" else x
        moments = None if block.norm is None else block.norm.measure(measured[0])
        layers.append(make_layer(step, moments, CPU))
        maps.append(x)
    return route, layers, maps


@pytest.fixture(scope="module")
def case(random_model: MakeModel) -> Any:
    model = random_model(width=2, channels=(2, 3)).double()
    size = (44, 60)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 2, *size, generator=generator, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        route, layers, maps = frozen(model, image)
        torch.testing.assert_close(maps[-1], model.translate(image, "a", "b"))
    return route, layers, maps, FeatureMap(image, whole(size), size)


def part(x: Tensor, region: Region) -> Tensor:
    rows, columns = region.rows, region.columns
    return x[:, :, rows.start : rows.stop, columns.start : columns.stop]


spans = st.tuples(st.integers(0, 43), st.integers(1, 44)).map(lambda t: Span(t[0], min(44, sum(t))))


@settings(max_examples=30)
@given(target=st.builds(Region, spans, spans), block_px=st.integers(3, 50))
def test_any_region_is_part_of_the_whole_translation(
    case: Any, target: Region, block_px: int
) -> None:
    route, layers, maps, image = case
    found = translate_region(layers, route, image, target, block_px)
    torch.testing.assert_close(found, part(maps[-1], target), rtol=1e-9, atol=1e-9)


@settings(max_examples=30)
@given(ends=st.lists(st.sampled_from([0, 1, 2, 3, 5, 7, 17, 19, 20, 21, 22]), min_size=2,
                     max_size=2, unique=True).map(sorted), data=st.data())  # fmt: skip
def test_any_stretch_between_skips_is_exact(case: Any, ends: list[int], data: Any) -> None:
    route, layers, maps, image = case
    start, stop = ends
    source = image.values if start == 0 else maps[start - 1]
    size = (source.shape[2], source.shape[3])
    lengths = maps[stop - 1].shape[2:]
    firsts = [data.draw(st.integers(0, length - 1)) for length in lengths]
    target = Region(*(Span(f, min(f + 9, n)) for f, n in zip(firsts, lengths, strict=True)))
    steps = plan_region(route.geometry[start:stop], size, target)
    found = run(layers[start:stop], steps, part(source, steps[0].source))
    torch.testing.assert_close(found, part(maps[stop - 1], target), rtol=1e-9, atol=1e-9)


def test_a_region_needs_no_pixel_beyond_its_plan(case: Any) -> None:
    route, layers, maps, image = case
    target = Region(Span(0, 4), Span(8, 12))
    source = plan_region(route.geometry[:3], image.size, Region(Span(0, 1), Span(2, 3)))[0].source
    spoiled = torch.full_like(image.values, torch.nan)
    rows, columns = source.within(image.region)
    spoiled[:, :, rows, columns] = part(image.values, source)
    held = FeatureMap(spoiled, image.region, image.size)
    coarse = assemble(layers[:3], held, target.at_scale(image.size, (11, 15)), 100)
    torch.testing.assert_close(coarse.values, maps[2][:, :, :1, 2:3], rtol=1e-9, atol=1e-9)


def test_running_leaves_the_input_as_it_is(case: Any) -> None:
    route, layers, maps, _image = case
    before = maps[2].clone()
    steps = plan_region(route.geometry[3:19], (11, 15), whole((11, 15)))
    run(layers[3:19], steps, maps[2])
    assert torch.equal(maps[2], before)


def test_a_route_is_cut_where_maps_are_coarsest(case: Any) -> None:
    route = case[0]
    assert (route.down, route.up, len(route.steps)) == (3, 19, 22)
    assert [route.size_at(index, (44, 60)) for index in (0, 1, 2, 3, 19, 20, 21)] == [
        (44, 60), (44, 60), (22, 30), (11, 15), (11, 15), (22, 30), (44, 60),
    ]  # fmt: skip


def test_a_route_without_ups_ends_coarse(case: Any) -> None:
    route, layers, maps, image = case
    down = route_of(route.steps[:5])
    assert (down.down, down.up) == (3, 5)
    target = Region(Span(1, 7), Span(0, 15))
    found = translate_region(layers[:5], down, image, target, 16)
    torch.testing.assert_close(found, part(maps[4], target), rtol=1e-9, atol=1e-9)


def test_assembling_fills_the_target_whatever_the_blocks(case: Any) -> None:
    _route, layers, maps, image = case
    target = Region(Span(2, 20), Span(0, 30))
    for block_px in (7, 100):
        made = assemble(layers[:2], image, target, block_px)
        assert (made.region, made.size) == (target, (22, 30))
        torch.testing.assert_close(made.values, part(maps[1], target))


def test_blocks_of_no_layers_are_the_source(case: Any) -> None:
    image = case[3]
    target = Region(Span(2, 20), Span(0, 30))
    ((region, values),) = run_in_blocks([], image, target, 4)
    assert region == target
    assert torch.equal(values, part(image.values, target))


def test_a_map_gives_only_what_it_holds() -> None:
    held = FeatureMap(torch.zeros(1, 1, 4, 4), Region(Span(4, 8), Span(0, 4)), (20, 20))
    assert held.read(Region(Span(5, 7), Span(0, 4))).shape == (1, 1, 2, 4)
    with pytest.raises(ValueError, match="does not lie in"):
        held.read(Region(Span(3, 7), Span(0, 4)))


def test_sizes_are_planned_on_the_padded_image(case: Any) -> None:
    assert padded_length(37, case[0].geometry) == 40
