import math

import pytest
import torch

from napari_unit.engine.statistics import standard_error
from napari_unit.models.normalisation import InstanceNorm, Moments, merge_all


def parts_of(n: int, seed: int = 0) -> list[Moments]:
    generator = torch.Generator().manual_seed(seed)
    norm = InstanceNorm(3)
    sizes = torch.randint(2, 9, (n,), generator=generator).tolist()
    return [
        norm.measure(
            torch.randn(1, 3, size, 5, generator=generator, dtype=torch.float64)
            * (1 + torch.rand(1, 3, 1, 1, generator=generator))
            + torch.randn(1, 3, 1, 1, generator=generator)
        )
        for size in sizes
    ]


def test_the_standard_error_is_the_jackknifes() -> None:
    parts = parts_of(6)
    without = [merge_all(parts[:i] + parts[i + 1 :]) for i in range(6)]
    means = torch.stack([m.mean for m in without])
    deviations = torch.stack([m.variance(unbiased=False).sqrt() for m in without])
    variance = sum(5 / 6 * (v - v.mean(0)).square().sum(0) for v in (means, deviations))
    scale = merge_all(parts).variance(unbiased=False)
    expected = math.sqrt(float((variance / scale).mean()))
    assert standard_error(parts, 10**9) == pytest.approx(expected, rel=1e-6)
    assert standard_error(parts, 12) == pytest.approx(expected * math.sqrt(0.5), rel=1e-6)


def test_what_was_measured_wholly_has_no_error() -> None:
    assert standard_error(parts_of(6), 6) == 0.0
    assert standard_error(parts_of(1), 1) == 0.0


def test_one_part_of_several_has_an_unknown_error() -> None:
    assert math.isnan(standard_error(parts_of(1), 2))


def test_the_error_is_about_that_of_the_mean() -> None:
    """For parts of one kind it is the deviation over the root of the count."""
    values = torch.randn(400, 1, dtype=torch.float64)
    norm = InstanceNorm(1)
    parts = [norm.measure(v.view(1, 1, 1, 5)) for v in values.view(80, 5)]
    # mean: 1 / n; deviation of a normal variable: 1 / (2 n)
    assert standard_error(parts, 10**9) == pytest.approx(math.sqrt(1.5 / 400), rel=0.2)


def test_flat_channels_do_not_spoil_the_error() -> None:
    flat = [Moments(4.0, torch.zeros(1).double(), torch.zeros(1).double())] * 3
    assert standard_error(flat, 9) == 0.0
