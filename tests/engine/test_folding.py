import pytest
import torch
from torch import nn

from napari_unit.engine.folding import activate, apply_frozen, blocked_weight, fold, make_layer
from napari_unit.geometry.regions import whole
from napari_unit.geometry.tiling import LayerGeometry
from napari_unit.models.networks import Activation, ConvBlock, Step
from napari_unit.models.normalisation import InstanceNorm, LayerNorm

CPU = torch.device("cpu")
SAME = LayerGeometry(kernel=3, stride=1, padding=1, upsample=1)
UP = LayerGeometry(kernel=5, stride=1, padding=2, upsample=2)
HEAD = LayerGeometry(kernel=7, stride=1, padding=3, upsample=1)
DOWN = LayerGeometry(kernel=4, stride=2, padding=1, upsample=1)


def block_with(
    norm: type[InstanceNorm] | type[LayerNorm] | None,
    activation: Activation = "relu",
    geometry: LayerGeometry = SAME,
    channels: tuple[int, int] = (2, 3),
) -> ConvBlock:
    torch.manual_seed(0)
    made = None if norm is None else norm(channels[1])
    block = ConvBlock(*channels, geometry, made, activation).double()
    assert block.conv.bias is not None
    nn.init.normal_(block.conv.bias)
    if isinstance(made, LayerNorm):
        nn.init.normal_(made.beta)
    return block


@pytest.mark.parametrize("norm", [InstanceNorm, LayerNorm])
def test_folding_a_frozen_norm_changes_nothing(norm: type[InstanceNorm] | type[LayerNorm]) -> None:
    block = block_with(norm)
    x, other = torch.randn(2, 2, 2, 9, 9, dtype=torch.float64)
    assert block.norm is not None
    block.norm.freeze(block.norm.measure(block.conv(other) * 3 + 1))
    weight, bias = fold(Step(block), block.norm.frozen)
    torch.testing.assert_close(
        nn.functional.conv2d(x, weight, bias), block.norm(block.conv(x)), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("norm", [InstanceNorm, None])
def test_without_moments_the_convolution_is_left_as_it_is(norm: type[InstanceNorm] | None) -> None:
    block = block_with(norm)
    weight, bias = fold(Step(block), None)
    assert torch.equal(weight, block.conv.weight)
    assert torch.equal(bias, block.conv.bias)
    assert not weight.requires_grad


@pytest.mark.parametrize(
    ("geometry", "block"), [(UP, 1), (UP, 2), (HEAD, 2), (HEAD, 4), (SAME, 1), (SAME, 3)]
)
def test_a_blocked_weight_is_the_same_operator(geometry: LayerGeometry, block: int) -> None:
    weight = torch.randn(3, 2, geometry.kernel, geometry.kernel, dtype=torch.float64)
    x = torch.randn(1, 2, 24, 36, dtype=torch.float64)
    up, padding = geometry.upsample, geometry.padding
    upsampled = nn.functional.interpolate(x, scale_factor=float(up)) if up > 1 else x
    expected = nn.functional.conv2d(upsampled, weight, padding=padding)

    n = block * up
    small = -(-padding // up)
    y = nn.functional.conv2d(
        nn.functional.pad(x, (small,) * 4), blocked_weight(weight, geometry, block), stride=block
    )
    height, width = y.shape[2:]
    found = y.view(n, n, 3, height, width).permute(2, 3, 0, 4, 1).reshape(1, 3, n * height, -1)
    # zero padding is the same on both maps, but for what a block sees beyond the far edge
    inner = slice(0, 24 * up - n)
    torch.testing.assert_close(found[:, :, inner, inner], expected[:, :, inner, inner])


def test_upsampling_costs_a_third_of_the_arithmetic() -> None:
    weight = torch.randn(3, 2, 5, 5)
    assert blocked_weight(weight, UP, 1).shape == (4 * 3, 2, 3, 3)


@pytest.mark.parametrize(
    ("geometry", "out_channels", "block"),
    [(SAME, 64, 0), (DOWN, 1, 0), (UP, 32, 1), (HEAD, 1, 4), (HEAD, 3, 2), (HEAD, 16, 0)],
)
def test_blocks_are_used_where_they_save_arithmetic(
    geometry: LayerGeometry, out_channels: int, block: int
) -> None:
    step = Step(block_with(None, "none", geometry, (2, out_channels)))
    layer = make_layer(step, None, CPU)
    assert layer.block == block
    assert (layer.blocked is None) == (block == 0)


def test_a_raw_layer_yields_what_is_to_be_measured() -> None:
    step = Step(block_with(InstanceNorm), "close")
    raw = make_layer(step, None, CPU)
    assert (raw.activation, raw.skip) == ("none", "none")
    assert torch.equal(raw.direct.weight, step.block.conv.weight)
    moments = InstanceNorm(3).measure(torch.randn(1, 3, 5, 5))
    frozen = make_layer(step, moments, CPU)
    assert (frozen.activation, frozen.skip) == ("relu", "close")
    assert not torch.equal(frozen.direct.weight, step.block.conv.weight)


@pytest.mark.parametrize(
    ("parameters", "runs_in"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.float16, torch.float32),
    ],
)
def test_layers_run_in_float32_at_least(parameters: torch.dtype, runs_in: torch.dtype) -> None:
    layer = make_layer(Step(block_with(None).to(parameters)), None, CPU)
    assert layer.direct.weight.dtype == layer.direct.bias.dtype == runs_in
    assert layer.direct.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("norm", [InstanceNorm, LayerNorm, None])
@pytest.mark.parametrize("skip", ["none", "close"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "none"])
def test_applying_the_moments_later_is_the_frozen_step(
    norm: type[InstanceNorm] | None, skip: str, activation: Activation
) -> None:
    block = block_with(norm, activation)
    step = Step(block, "close") if skip == "close" else Step(block)
    x, kept = torch.randn(1, 2, 7, 7).double(), torch.randn(1, 3, 5, 5).double()
    raw = block.conv(x)
    moments = None
    if block.norm is not None:
        moments = block.norm.measure(raw * 2 + 1)
        block.norm.freeze(moments)
    expected = block.activation(raw if block.norm is None else block.norm(raw))
    expected = expected + kept if skip == "close" else expected
    found = raw.detach().clone()
    added = kept if skip == "close" else None
    apply_frozen(step, moments, found, added, whole((5, 5)), (5, 5))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_activations_work_in_place() -> None:
    x = torch.tensor([-2.0, 0.5])
    for name, expected in (("none", x), ("relu", x.relu()), ("tanh", x.tanh())):
        y = x.clone()
        activate(y, name)  # type: ignore[arg-type]
        torch.testing.assert_close(y, expected)
