import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from napari_unit.domains import Window
from napari_unit.engine import sampling
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.runner import Route, route_of
from napari_unit.engine.sampling import Field, Sample
from napari_unit.engine.statistics import (
    Measured,
    measure_statistics,
    standard_error,
    statistics_of_model,
)
from napari_unit.engine.sweep_plan import plan_sweep
from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource
from napari_unit.models.model import TranslationModel
from napari_unit.models.normalisation import InstanceNorm, Moments, merge_all
from napari_unit.models.stored_statistics import BothStatistics

SIZE = (64, 64)


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


@pytest.fixture(scope="module")
def route(random_model: Callable[..., TranslationModel]) -> Route:
    return route_of(random_model(width=2).double().steps("a", "b"))


@pytest.fixture(scope="module")
def planes() -> PaddedPlanes:
    image = np.random.default_rng(0).uniform(-1, 1, (1, 1, *SIZE)).astype("float32")
    return PaddedPlanes(ArraySource(image, Axes("TCYX"), 1), Window((-1.0,), (1.0,)), SIZE)


def measured(
    route: Route, planes: PaddedPlanes, sample: Sample, finish: Any, mode: Any = "image"
) -> Measured:
    plan = plan_sweep(route, SIZE, sample.fields)
    job = measure_statistics(plan, sample, planes, torch.device("cpu"), mode, 7)
    result, done = finish(job)
    assert done[-1] == plan.n_pieces
    assert isinstance(result, Measured)
    return result


def test_a_sample_of_everything_equals_the_whole(
    route: Route, planes: PaddedPlanes, finish: Any
) -> None:
    fields = tuple(Field(0, core) for core in grid(whole(SIZE), 24))
    sampled = measured(route, planes, Sample(fields, len(fields)), finish)
    together = measured(route, planes, sampling.all_of(planes), finish, "whole")
    for one, other in zip(sampled.statistics.moments, together.statistics.moments, strict=True):
        torch.testing.assert_close(one.mean, other.mean, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(
            one.squared_deviations, other.squared_deviations, rtol=1e-9, atol=1e-9
        )
    assert sampled.statistics.standard_error == (0.0,) * 21
    assert (sampled.statistics.mode, together.statistics.mode) == ("image", "whole")
    assert sampled.statistics.seed == 7


def test_a_part_has_an_error_about_as_large_as_its_distance(
    route: Route, planes: PaddedPlanes, finish: Any
) -> None:
    fields = tuple(Field(0, core) for core in grid(whole(SIZE), 16))
    part = measured(route, planes, Sample(fields[::2], len(fields)), finish).statistics
    everything = measured(route, planes, Sample(fields, len(fields)), finish).statistics
    assert (part.n_sampled, part.n_eligible) == (8, 16)
    assert all(error > 0 for error in part.standard_error)
    # the first layer: later ones inherit the distance of those before
    first, true = part.moments[0], everything.moments[0]
    scale = true.variance(unbiased=False)
    distance = ((first.mean - true.mean).square() / scale).mean().sqrt()
    assert distance < 5 * part.standard_error[0]


def test_one_calibration_is_not_an_average_of_many(
    route: Route, planes: PaddedPlanes, finish: Any
) -> None:
    """Averaging what each field finds under its own statistics is what others do; it differs."""
    cores = [Region(c.rows, c.columns) for c in grid(whole(SIZE), 32)]
    together = measured(route, planes, Sample(tuple(Field(0, c) for c in cores), 4), finish)
    alone = [measured(route, planes, Sample((Field(0, c),), 1), finish) for c in cores]
    averaged = torch.stack([m.statistics.moments[-1].mean for m in alone]).mean(0)
    assert not torch.allclose(averaged, together.statistics.moments[-1].mean, rtol=1e-3)


def test_those_of_a_model_are_its_own_and_without_error(
    random_model: Callable[..., TranslationModel], stored_statistics: Callable[..., BothStatistics]
) -> None:
    stored = stored_statistics(random_model())[1]
    found = statistics_of_model(stored)
    assert found.mode == "model"
    assert found.moments is stored.moments
    assert (found.n_sampled, found.n_eligible) == (4, 4)
    assert found.standard_error == (0.0,) * len(stored.moments)
