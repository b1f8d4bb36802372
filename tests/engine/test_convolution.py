import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit.engine.convolution import convolve
from napari_unit.engine.folding import make_layer
from napari_unit.geometry.regions import Region, RegionStep, plan_region
from napari_unit.geometry.tiling import LayerGeometry, Span
from napari_unit.models.networks import ConvBlock, Step

GEOMETRIES = {
    "stem": LayerGeometry(kernel=7, stride=1, padding=3, upsample=1),
    "down": LayerGeometry(kernel=4, stride=2, padding=1, upsample=1),
    "same": LayerGeometry(kernel=3, stride=1, padding=1, upsample=1),
    "up": LayerGeometry(kernel=5, stride=1, padding=2, upsample=2),
    "up 3x3": LayerGeometry(kernel=3, stride=1, padding=1, upsample=2),
}


@pytest.mark.parametrize("out_channels", [1, 5])
@pytest.mark.parametrize("name", GEOMETRIES)
@settings(max_examples=60)
@given(size=st.tuples(st.integers(4, 17), st.integers(4, 17)), data=st.data())
def test_a_tile_is_part_of_the_whole(
    name: str, out_channels: int, size: tuple[int, int], data: st.DataObject
) -> None:
    geometry = GEOMETRIES[name]
    torch.manual_seed(0)
    block = ConvBlock(2, out_channels, geometry, None, "relu").double()
    x = torch.randn(1, 2, *size, dtype=torch.float64)
    with torch.no_grad():
        whole = block(x)
    target = Region(*(drawn_span(data, length) for length in whole.shape[2:]))
    (step,) = plan_region([geometry], size, target)
    found = convolve(make_layer(Step(block), None, torch.device("cpu")), tile_of(x, step), step)
    rows, columns = target.rows, target.columns
    expected = whole[:, :, rows.start : rows.stop, columns.start : columns.stop]
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def drawn_span(data: st.DataObject, length: int) -> Span:
    start = data.draw(st.integers(0, length - 1))
    return Span(start, data.draw(st.integers(start + 1, length)))


def tile_of(x: torch.Tensor, step: RegionStep) -> torch.Tensor:
    rows, columns = step.source.rows, step.source.columns
    return x[:, :, rows.start : rows.stop, columns.start : columns.stop]


def test_the_input_is_not_changed_and_the_output_is_dense() -> None:
    block = ConvBlock(2, 4, GEOMETRIES["up"], None, "relu")
    x = torch.randn(1, 2, 9, 9)
    before = x.clone()
    layer = make_layer(Step(block), None, torch.device("cpu"))
    (step,) = plan_region([block.geometry], (9, 9), Region(Span(3, 12), Span(5, 14)))
    with torch.inference_mode():
        y = convolve(layer, tile_of(x, step), step)
    assert torch.equal(x, before)
    # the next convolution would copy it otherwise
    assert y.is_contiguous(memory_format=torch.channels_last)
