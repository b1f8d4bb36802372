from collections.abc import Callable
from dataclasses import fields

import pytest
import torch
from torch import Tensor

from napari_unit.models.model import TranslationModel
from napari_unit.models.normalisation import Moments
from napari_unit.models.stored_statistics import (
    BothStatistics,
    CropSpread,
    check,
    from_tensors,
    spread_over,
    to_tensors,
)

Change = Callable[[dict[str, Tensor]], object]


@pytest.fixture
def model(random_model: Callable[..., TranslationModel]) -> TranslationModel:
    return random_model(width=2, channels=(2, 1))


@pytest.fixture
def statistics(stored_statistics: Callable[..., BothStatistics], model: TranslationModel):
    return stored_statistics(model)


def test_they_come_back_to_the_last_bit(
    model: TranslationModel, statistics: BothStatistics
) -> None:
    tensors = to_tensors(statistics)
    assert all(name.startswith("statistics.") for name in tensors)
    check(tensors, model)
    for found, expected in zip(from_tensors(tensors), statistics, strict=True):
        assert (found.n_crops, found.crop_px) == (expected.n_crops, expected.crop_px)
        for field in fields(CropSpread):
            one, other = (getattr(s.spread, field.name) for s in (found, expected))
            assert torch.equal(one, other)
        for moments, other in zip(found.moments, expected.moments, strict=True):
            assert moments.count == other.count
            assert torch.equal(moments.mean, other.mean)
            assert torch.equal(moments.squared_deviations, other.squared_deviations)


def put(name: str, value: Tensor) -> Change:
    return lambda tensors: tensors.update({f"statistics.{name}": value})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("statistics.b_to_a.3.mean"), r"1 tensors .* statistics.b_to_a.3.mean"),
        (put("a_to_b.99.mean", torch.zeros(1)), r"unknown, statistics.a_to_b.99.mean"),
        (put("code", torch.zeros(1)), "unknown, statistics.code"),
        (put("a_to_b.0.mean", torch.zeros(2)), r"0.mean is torch.float32 \(2,\) and should be"),
        (put("a_to_b.0.mean", torch.zeros(3).double()), r"\(3,\) and should be .* \(2,\)"),
        (put("a_to_b.0.mean", torch.full((2,), torch.nan).double()), "0.mean holds NaN"),
        (
            put("a_to_b.1.squared_deviations", torch.full((4,), -1.0).double()),
            "1.squared_deviations holds numbers below 0",
        ),
        (put("b_to_a.counts", torch.zeros(21).double()), "counts holds numbers below 1"),
        (put("b_to_a.crops", torch.tensor([0, 8])), "crops holds numbers below 1"),
        (put("b_to_a.crops", torch.ones(2).double()), "crops is torch.float64"),
        (
            put("a_to_b.spread.mean_spread", torch.full((2,), -1.0).double()),
            "mean_spread holds numbers below 0",
        ),
        (put("a_to_b.spread.deviation", torch.full((2,), torch.inf).double()), "holds NaN or inf"),
    ],
)
def test_what_is_damaged_is_said(
    model: TranslationModel, statistics: BothStatistics, change: Change, says: str
) -> None:
    tensors = to_tensors(statistics)
    change(tensors)
    with pytest.raises(ValueError, match=says):
        check(tensors, model)


def test_those_of_other_networks_are_refused(
    statistics: BothStatistics, random_model: Callable[..., TranslationModel]
) -> None:
    with pytest.raises(ValueError, match="should be"):
        check(to_tensors(statistics), random_model(width=3, channels=(2, 1)))


def test_one_direction_alone_is_refused(
    model: TranslationModel, statistics: BothStatistics
) -> None:
    tensors = to_tensors(statistics)
    with pytest.raises(ValueError, match=r"missing or unknown, statistics\.b_to_a"):
        check({name: t for name, t in tensors.items() if ".a_to_b." in name}, model)


def test_the_spread_over_crops() -> None:
    crops = [
        Moments(4.0, torch.tensor([mean], dtype=torch.float64), torch.tensor([4.0 * sd**2]))
        for mean, sd in ((1.0, 2.0), (2.0, 2.0), (6.0, 5.0))
    ]
    spread = spread_over(crops)
    assert [float(v) for v in (spread.mean, spread.deviation)] == pytest.approx([3.0, 3.0])
    found = [float(v) for v in (spread.mean_spread, spread.deviation_spread)]
    assert found == pytest.approx([7.0**0.5, 3.0**0.5])
    assert float(spread_over(crops[:1]).mean_spread) == 0.0
