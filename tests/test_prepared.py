import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_unit
from napari_unit.domains import Domain, IntensityScaling
from napari_unit.images.axes import Axes
from napari_unit.images.source_image import SourceImage
from napari_unit.prepared import prepare
from napari_unit.request import TranslationRequest

RANGE = IntensityScaling("range", 0.0, 255.0)
GRAY = np.random.default_rng(0).integers(0, 255, (60, 52)).astype("u1")


class Unreadable:
    """An image of which no pixel may be read."""

    shape, dtype, ndim = (60, 52), np.dtype("u1"), 2

    def __getitem__(self, _: Any) -> np.ndarray:
        raise AssertionError("a pixel was read")


@pytest.fixture(scope="module")
def model(save_tiny_model: Callable[..., Path]) -> Path:
    return save_tiny_model("m", Domain("a", ("x",), RANGE), Domain("b", ("y",), RANGE))


@pytest.fixture(scope="module")
def calibration(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "o.tif"
    napari_unit.translate(GRAY, model, "b", out=out, progress=False)
    return out.with_name("o.tif.calibration.safetensors")


def refuse(request: TranslationRequest, error: type[Exception], says: str) -> None:
    """Expect a sentence before any pixel is read."""
    with pytest.raises(error, match=says):
        prepare(SourceImage(Unreadable(), Axes("YX"), "image"), request, {})


def test_a_translation_is_planned_without_reading_a_pixel(model: Path) -> None:
    image = SourceImage(Unreadable(), Axes("YX"), "image")
    prepared = prepare(image, TranslationRequest(model, "b", memory="1 GB"), {})
    assert prepared.plan.settings.memory_bytes == 10**9
    assert prepared.plan.reuses_maps
    assert prepared.known.calibration is None
    assert prepared.result.shapes == ((60, 52),)


def test_a_tile_that_was_begun_with_is_taken_again(model: Path) -> None:
    image = SourceImage(Unreadable(), Axes("YX"), "image")
    assert prepare(image, TranslationRequest(model, "b"), {"tile": 32}).plan.tile_px == 32


def test_a_model_without_statistics_of_its_own_is_refused(model: Path) -> None:
    request = TranslationRequest(model, "b", "model")
    refuse(request, ValueError, "'m' has no statistics of its own; use statistics 'image', or add")


def test_a_calibration_gives_the_same_pixels_and_measures_nothing(
    model: Path, calibration: Path
) -> None:
    told: list[str] = []
    given = {"calibration": calibration, "statistics": "model"}  # those of the file count
    found = napari_unit.translate(
        GRAY, model, "b", progress=lambda news: told.append(news.phase), **given
    )
    expected = napari_unit.translate(GRAY, model, "b", progress=False)
    np.testing.assert_allclose(found, expected, rtol=0, atol=255 * 1e-4)
    assert set(told) == {"tiles"}


def test_a_calibration_that_is_not_there_is_refused(model: Path, tmp_path: Path) -> None:
    request = TranslationRequest(model, "b", calibration=tmp_path / "no.safetensors")
    refuse(request, FileNotFoundError, r"no calibration .*no\.safetensors; give the file that lies")


def test_a_file_that_is_no_calibration_is_refused(model: Path) -> None:
    request = TranslationRequest(model, "b", calibration=model)
    refuse(request, ValueError, r"cannot be read as a calibration \(it carries no calibration\)")


def test_a_calibration_of_another_direction_or_model_is_refused(
    model: Path, calibration: Path, save_tiny_model: Callable[..., Path]
) -> None:
    request = TranslationRequest(model, "a", calibration=calibration)
    refuse(request, ValueError, "is of 'm' from 'a' to 'b', not of 'm' from 'b' to 'a'")
    other = save_tiny_model("n", Domain("a", ("x",), RANGE), Domain("b", ("y",), RANGE))
    request = TranslationRequest(other, "b", calibration=calibration)
    refuse(request, ValueError, "is of 'm' from 'a' to 'b', not of 'n' from 'a' to 'b'")


def test_a_calibration_says_where_it_comes_from(calibration: Path) -> None:
    content = calibration.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])["__metadata__"]["napari_unit_calibration"]
    about = json.loads(header)["about"]
    assert (about["model"], about["from"], about["to"], about["source"]) == ("m", "a", "b", "array")
    assert len(about["sha256"]) == 64
