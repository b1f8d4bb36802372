from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_unit.engine import pooling
from napari_unit.engine.pooling import pool_statistics
from napari_unit.engine.run import EngineSettings, Known, plan_translation, run_plan
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySink, ArraySource
from napari_unit.models.model import TranslationModel

N, PX = 5, 24


@pytest.fixture
def model(random_model: Callable[..., TranslationModel]) -> TranslationModel:
    return random_model(width=2, channels=(2, 1)).double()


@pytest.fixture
def crops() -> Tensor:
    random = torch.Generator().manual_seed(1)
    brightness = torch.linspace(-0.6, 0.6, N, dtype=torch.float64).view(N, 1, 1, 1)
    noise = torch.rand((N, 2, PX, PX), generator=random, dtype=torch.float64)
    return brightness + 0.4 * (noise - 0.5) * (1.5 - brightness)


def naive(model: TranslationModel, batch: Tensor) -> list[tuple[int, Tensor, Tensor]]:
    """Return count, mean and variance before each norm, all crops taken as one batch."""
    found: list[tuple[int, Tensor, Tensor]] = []
    x = kept = batch
    with torch.no_grad():
        for step in model.steps("a", "b"):
            conv, norm, geometry = step.block.conv, step.block.norm, step.block.geometry
            if step.skip == "open":
                kept = x
            for _ in range(geometry.upsample - 1):
                x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            x = torch.nn.functional.pad(x, (geometry.padding,) * 4, mode="reflect")
            x = torch.nn.functional.conv2d(x, conv.weight, conv.bias, geometry.stride)
            if norm is not None and norm.n_means == 1:  # layer norm: all channels together
                found.append((x.numel(), x.mean().view(1), x.var(correction=0).view(1)))
                gamma, beta = norm.gamma.view(1, -1, 1, 1), norm.beta.view(1, -1, 1, 1)
                x = gamma * (x - x.mean()) / (x.std() + norm.eps) + beta
            elif norm is not None:
                mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
                found.append((x.numel() // x.shape[1], mean, variance))
                x = (x - mean.view(1, -1, 1, 1)) / (variance + norm.eps).sqrt().view(1, -1, 1, 1)
            x = step.block.activation(x)
            x = x + kept if step.skip == "close" else x
    return found


@pytest.mark.parametrize("crops_at_once", [1, 2, N])
def test_the_moments_are_those_of_all_crops_as_one_batch(
    model: TranslationModel, crops: Tensor, crops_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooling, "_BATCH_PX", crops_at_once * PX * PX)
    before = crops.clone()
    stored = pool_statistics(model.steps("a", "b"), crops)
    expected = naive(model, crops)
    assert len(stored.moments) == len(expected)
    for moments, (count, mean, variance) in zip(stored.moments, expected, strict=True):
        assert moments.count == count
        torch.testing.assert_close(moments.mean, mean, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(
            moments.variance(unbiased=False), variance, rtol=1e-9, atol=1e-12
        )
    assert (stored.n_crops, stored.crop_px) == (N, PX)
    assert torch.equal(crops, before)


def test_it_is_no_average_of_what_each_crop_has_alone(
    model: TranslationModel, crops: Tensor
) -> None:
    stored = pool_statistics(model.steps("a", "b"), crops)
    alone = [pool_statistics(model.steps("a", "b"), crop[None]) for crop in crops]
    variance = stored.moments[1].variance(unbiased=False)
    averaged = torch.stack([one.moments[1].variance(unbiased=False) for one in alone]).mean(0)
    assert float((averaged / variance - 1).abs().max()) > 0.05


def test_the_spread_is_that_between_crops(model: TranslationModel, crops: Tensor) -> None:
    spread = pool_statistics(model.steps("a", "b"), crops).spread
    stem = model.steps("a", "b")[0].block.conv
    with torch.no_grad():
        x = stem(torch.nn.functional.pad(crops, (3,) * 4, mode="reflect"))
    means, deviations = x.mean((2, 3)), x.std((2, 3), correction=0)
    for found, expected in (
        (spread.mean, means.mean(0)),
        (spread.mean_spread, means.std(0)),
        (spread.deviation, deviations.mean(0)),
        (spread.deviation_spread, deviations.std(0)),
    ):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_tiles_by_stored_moments_are_the_networks_frozen_by_them(
    random_model: Callable[..., TranslationModel], finish: Any
) -> None:
    """In float32, as models are, and on an image that is no crop."""
    model = random_model(width=3)
    random = torch.Generator().manual_seed(2)
    stored = pool_statistics(model.steps("a", "b"), torch.rand((6, 1, 32, 32), generator=random))
    image = torch.rand((1, 1, 61, 84), generator=random) * 2 - 1
    axes = Axes("TCYX")
    planes, out = ArraySource(image.numpy(), axes, 1), np.full(image.shape, np.nan, "float32")
    settings = EngineSettings(statistics="model", tile_px=32, device="cpu")
    plan = plan_translation(model, "a", "b", planes, settings)
    known = Known(statistics=stored)
    finish(run_plan(plan, model, planes, ArraySink(out, axes), known))
    norms = [step.block.norm for step in model.steps("a", "b") if step.block.norm is not None]
    for norm, moments in zip(norms, stored.moments, strict=True):
        norm.freeze(moments)
    with torch.no_grad():
        expected = model.translate(image, "a", "b")
    torch.testing.assert_close(torch.from_numpy(out), expected, atol=1e-5, rtol=0)


def test_it_changes_nothing_and_gives_plain_tensors(model: TranslationModel, crops: Tensor) -> None:
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    stored = pool_statistics(model.steps("a", "b"), crops)
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    tensors = [stored.spread.mean, stored.spread.deviation_spread]
    tensors += [t for m in stored.moments for t in (m.mean, m.squared_deviations)]
    for tensor in tensors:
        assert not tensor.is_inference()
        assert tensor.dtype == torch.float64


@pytest.mark.parametrize("shape", [(0, 2, 24, 24), (3, 1, 24, 24), (3, 2, 24, 28), (3, 2, 26, 26)])
def test_other_crops_are_refused(model: TranslationModel, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be squares of 2 channels, their side a multiple"):
        pool_statistics(model.steps("a", "b"), torch.zeros(shape, dtype=torch.float64))
