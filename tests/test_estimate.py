import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_unit import estimate as estimates
from napari_unit.domains import Domain, IntensityScaling
from napari_unit.estimate import Estimate, Rates, estimate, work_of, work_per_px
from napari_unit.images.axes import Axes
from napari_unit.images.outputs import ResultShape
from napari_unit.images.source_image import SourceImage
from napari_unit.models.architecture import Architecture
from napari_unit.models.model import TranslationModel
from napari_unit.request import TranslationRequest

RANGE = IntensityScaling("range", 0.0, 255.0)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cache" / "rates.json"
    monkeypatch.setattr(estimates, "rates_path", lambda: path)
    return path


@pytest.mark.parametrize("architecture", [Architecture(4, 2, 1), Architecture(16, 4, 1)])
@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (3, 1), (1, 3)])
def test_the_multiplications_are_those_of_the_networks(
    architecture: Architecture, n_in: int, n_out: int
) -> None:
    names = ("x", "y", "z")
    model = TranslationModel(
        Domain("a", names[:n_in], RANGE), Domain("b", names[:n_out], RANGE), architecture
    )
    counted = 0.0
    area = 1.0
    for step in model.steps("a", "b"):
        g, weight = step.block.geometry, step.block.conv.weight
        area *= g.upsample**2 / g.stride**2
        taps = 9 if g.upsample == 2 else g.kernel**2  # three by three for each phase
        counted += weight.shape[0] * weight.shape[1] * taps * area
    assert work_per_px(architecture, n_in, n_out) == pytest.approx(counted)
    assert isinstance(model, torch.nn.Module)


def image(*shape: int) -> SourceImage:
    return SourceImage(np.broadcast_to(np.zeros((), "u1"), shape), Axes("ZYX"), "image")


def result(*shape: int, dtype: str = "f4") -> ResultShape:
    return ResultShape(Axes("ZYX"), (shape,), np.dtype(dtype))


def test_more_to_measure_or_to_translate_is_more_work() -> None:
    small, large = (1, 1000, 1000), (1, 9000, 9000)
    of = lambda shape, made, mode, known=False: work_of(  # noqa: E731
        image(*shape), result(*made), mode, 1.0, calibrated=known
    )
    assert of(large, large, "whole") > of(large, large, "image") > of(large, large, "image", True)
    assert of(small, small, "image") == of(small, small, "whole")
    assert of(large, small, "image") < of(large, large, "image")
    assert of(large, small, "image") > of(small, small, "image")


def test_an_estimate_is_a_sentence() -> None:
    request = TranslationRequest(memory="4 GB", out="a.tif")
    made = estimate(image(1, 4000, 4000), result(1, 4000, 4000), request, 1e4, 1e11)
    assert made.seconds == pytest.approx(5, abs=4)
    assert made.in_words().startswith("About ")
    assert made.in_words().endswith("4.0 GB of memory for the networks, 64 MB on the disk.")
    unknown = estimate(image(1, 90, 90), result(1, 90, 90), TranslationRequest(), 1e4, None)
    assert unknown == Estimate(None, 2 * 10**9, 4 * 8100, False)
    assert "not known before the first run on this device" in unknown.in_words()


def test_rates_are_kept_by_device_and_width() -> None:
    assert Rates().of("cuda:1", 16) is None
    Rates().note("cuda:1", 16, 1e12)
    Rates().note("cpu", 64, 2e11)
    assert Rates().of("cuda", 16) == 1e12
    assert Rates().of("cuda", 64) is None
    assert Rates().of("cpu", 64) == 2e11
    guessed = Rates().of("cpu", 16)
    assert guessed is not None
    assert 1e8 < guessed < 1e14


@pytest.mark.parametrize("content", ["no json", "[1]", json.dumps({"cuda 16": "fast"}),
                                     json.dumps({"cuda 16": math.inf})])  # fmt: skip
def test_a_damaged_cache_is_none(elsewhere: Path, content: str) -> None:
    elsewhere.parent.mkdir()
    elsewhere.write_text(content)
    assert Rates().of("cuda", 16) is None
    Rates().note("cuda", 16, 1e12)
    assert Rates().of("cuda", 16) == 1e12


def test_a_cache_that_cannot_be_written_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(estimates, "rates_path", lambda: tmp_path / "file" / "rates.json")
    Rates().note("cuda", 16, 1e12)
    assert Rates().of("cuda", 16) is None
