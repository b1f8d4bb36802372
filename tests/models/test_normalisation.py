from itertools import pairwise

import hypothesis.extra.numpy as hnp
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.models.normalisation import (
    InstanceNorm,
    LayerNorm,
    MeasurableNorm,
    Moments,
    merge_all,
)

F64 = torch.float64


def maps(*shape: int, mean: float = 0.0, dtype: torch.dtype = F64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator, dtype=dtype) * 3.0 + mean


def norms(channels: int) -> list[MeasurableNorm]:
    torch.manual_seed(0)
    layer = LayerNorm(channels).double()
    torch.nn.init.normal_(layer.beta)
    return [InstanceNorm(channels), layer]


def moments_of(values: torch.Tensor) -> Moments:
    """Return the moments of values (N, C) by their definition."""
    mean = values.mean(0)
    return Moments(float(len(values)), mean, (values - mean).square().sum(0))


@given(
    values=hnp.arrays(
        "float64",
        st.tuples(st.integers(2, 30), st.just(2)),
        elements=st.floats(-1e3, 1e3, allow_subnormal=False),
    ),
    cuts=st.lists(st.integers(1, 29), max_size=4),
)
def test_merged_moments_are_those_of_all_values_together(values: object, cuts: list[int]) -> None:
    together = torch.as_tensor(values)
    ends = sorted({cut for cut in cuts if cut < len(together)} | {0, len(together)})
    parts = [moments_of(together[start:stop]) for start, stop in pairwise(ends)]
    merged, expected = merge_all(parts), moments_of(together)
    assert merged.count == expected.count
    torch.testing.assert_close(merged.mean, expected.mean, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        merged.squared_deviations, expected.squared_deviations, rtol=1e-9, atol=1e-6
    )


def test_variance_divides_by_count_or_by_one_less() -> None:
    moments = moments_of(torch.tensor([[1.0], [2.0], [6.0]], dtype=F64))
    assert moments.variance(unbiased=False).item() == pytest.approx(14 / 3)
    assert moments.variance(unbiased=True).item() == pytest.approx(7.0)


@pytest.mark.parametrize("shape", [(1, 3, 5, 7), (4, 3, 6, 2), (1, 2, 130, 131)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_norm_measures_the_batch_pooled(
    shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    x = maps(*shape, mean=50.0).contiguous(memory_format=layout)
    instance, layer = (norm.measure(x) for norm in norms(shape[1]))
    values = x.transpose(0, 1).flatten(1)  # (C, B * H * W)
    for found, expected in ((instance, values.T), (layer, values.reshape(-1, 1))):
        torch.testing.assert_close(found.mean, expected.mean(0), rtol=1e-12, atol=0.0)
        torch.testing.assert_close(
            found.variance(unbiased=True), expected.var(0), rtol=1e-10, atol=0.0
        )
        assert found.count == len(expected)


def test_measuring_float32_keeps_the_variance_of_values_far_from_zero() -> None:
    x = maps(1, 2, 300, 300, mean=1000.0, dtype=torch.float32)
    found = InstanceNorm(2).measure(x).variance(unbiased=False)
    torch.testing.assert_close(found, x.double().var((0, 2, 3), correction=0), rtol=1e-5, atol=0.0)
    assert found.dtype == F64


def test_instance_norm_is_torchs() -> None:
    x = maps(2, 3, 8, 9)
    torch.testing.assert_close(InstanceNorm(3)(x), torch.nn.InstanceNorm2d(3)(x))


def test_layer_norm_is_units() -> None:
    x = maps(2, 3, 8, 9, mean=2.0)
    norm = norms(3)[1]
    assert isinstance(norm, LayerNorm)
    for image, found in zip(x, norm(x), strict=True):
        unit = (image - image.mean()) / (image.std() + 1e-5)
        expected = norm.gamma.view(-1, 1, 1) * unit + norm.beta.view(-1, 1, 1)
        torch.testing.assert_close(found, expected)


def test_layer_norms_gamma_starts_uniform_from_0_to_1_as_units() -> None:
    gamma = LayerNorm(4000).gamma
    assert 0.0 <= gamma.min() < 0.01 < 0.99 < gamma.max() <= 1.0


@pytest.mark.parametrize("index", [0, 1])
def test_frozen_by_an_images_own_moments_a_norm_changes_nothing(index: int) -> None:
    norm, x = norms(3)[index], maps(1, 3, 8, 9, mean=5.0)
    live = norm(x)
    norm.freeze(norm.measure(x))
    torch.testing.assert_close(norm(x), live, rtol=1e-9, atol=1e-9)
    norm.thaw()
    assert torch.equal(norm(x), live)


@pytest.mark.parametrize("index", [0, 1])
def test_a_frozen_norm_treats_every_pixel_alone(index: int) -> None:
    norm, x = norms(3)[index], maps(1, 3, 8, 9)
    norm.freeze(norm.measure(x))
    torch.testing.assert_close(norm(x[:, :, 2:5, 3:4]), norm(x)[:, :, 2:5, 3:4])
    norm.thaw()
    assert not torch.allclose(norm(x[:, :, 2:5, 3:4]), norm(x)[:, :, 2:5, 3:4])


def test_a_flat_map_becomes_zero_and_not_nan() -> None:
    x = torch.full((1, 2, 4, 4), 7.0)
    norm = InstanceNorm(2)
    norm.freeze(norm.measure(x))
    torch.testing.assert_close(norm(x), torch.zeros_like(x), atol=1e-3, rtol=0.0)


@pytest.mark.parametrize("index", [0, 1])
def test_norms_of_half_precision_maps_compute_in_float32(index: int) -> None:
    norm = norms(3)[index].float()
    x = maps(1, 3, 8, 9, mean=300.0, dtype=torch.float32).bfloat16()
    assert norm(x).dtype == torch.bfloat16
    torch.testing.assert_close(norm(x).float(), norm(x.float()), atol=2e-2, rtol=1e-2)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("index", [0, 1])
def test_a_live_norm_and_its_gradient_are_right_in_either_layout(
    layout: torch.memory_format, batch: int, index: int
) -> None:
    """Torch's instance norm has a wrong gradient for one channels-last image (2.13, on a CPU)."""
    x = maps(batch, 3, 6, 5, mean=2.0).contiguous(memory_format=layout).requires_grad_()
    norm = norms(3)[index]
    weights = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=F64)
    weights = weights.contiguous(memory_format=layout)
    normalised = norm(x)
    assert normalised.is_contiguous(memory_format=layout)
    (found,) = torch.autograd.grad(normalised, x, weights)
    plain = x.detach().contiguous().requires_grad_()
    dims = (2, 3) if index == 0 else (1, 2, 3)
    variance, mean = torch.var_mean(plain, dims, correction=index, keepdim=True)
    if isinstance(norm, InstanceNorm):
        expected = (plain - mean) / (variance + norm.eps).sqrt()
    else:
        gamma, beta = (p.detach().view(1, -1, 1, 1) for p in norm.parameters())
        expected = gamma * (plain - mean) / (variance.sqrt() + norm.eps) + beta
    torch.testing.assert_close(normalised, expected, rtol=1e-9, atol=1e-9)
    (gradient,) = torch.autograd.grad(expected, plain, weights.contiguous())
    torch.testing.assert_close(found, gradient, rtol=1e-8, atol=1e-9)


def test_instance_norm_of_bfloat16_measures_in_float32() -> None:
    x = maps(1, 2, 40, 40, mean=100.0, dtype=torch.float32).bfloat16()
    expected = torch.nn.functional.instance_norm(x.double())
    found = InstanceNorm(2)(x)
    assert found.dtype == torch.bfloat16
    assert (found.double() - expected).abs().max() < 0.02


@pytest.mark.parametrize("norm", [InstanceNorm(8), LayerNorm(8)], ids=["instance", "layer"])
@torch.no_grad()
def test_large_images_are_normalised_as_exactly_as_small_ones(norm: MeasurableNorm) -> None:
    """Summed in float32 pixel by pixel, a million pixels would be off by a thousandth."""
    x = maps(1, 8, 1000, 1100, mean=5.0, dtype=torch.float32)
    x = x.contiguous(memory_format=torch.channels_last)
    expected = norm.double()(x.double())
    assert (norm.float()(x).double() - expected).abs().max() < 3e-6
