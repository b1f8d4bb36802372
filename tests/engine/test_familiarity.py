from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_unit.domains import Window
from napari_unit.engine.familiarity import MAX_SQUARES, distances, unlike_training
from napari_unit.engine.intensities import measure_intensities
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.pooling import pool_statistics
from napari_unit.geometry.regions import Region
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource
from napari_unit.models.file import load_model
from napari_unit.models.model import TranslationModel
from napari_unit.models.stored_statistics import CropSpread, StoredStatistics
from napari_unit.models.zoo import bundled_folder
from napari_unit.simulate import SceneSettings, simulate_nuclei

CROP_PX = 32


def texture(n: int, height: int, width: int, seed: int) -> NDArray[np.float32]:
    """Return planes (n, height, width) whose squares differ in brightness and contrast."""
    random = np.random.default_rng(seed)
    rows, columns = -(-height // CROP_PX), -(-width // CROP_PX)
    level = random.normal(-0.3, 0.1, (n, rows, columns)).repeat(CROP_PX, 1).repeat(CROP_PX, 2)
    contrast = random.normal(0.2, 0.03, (n, rows, columns)).repeat(CROP_PX, 1).repeat(CROP_PX, 2)
    noise = random.uniform(-1, 1, (n, height, width))
    return (level[:, :height, :width] + contrast[:, :height, :width] * noise).astype("float32")


def padded(planes: NDArray[np.float32]) -> PaddedPlanes:
    source = ArraySource(planes, Axes("TYX"), 1)
    return PaddedPlanes(source, Window((-1.0,), (1.0,)), planes.shape[1:])


@pytest.fixture(scope="module")
def model(random_model: Callable[..., TranslationModel]) -> TranslationModel:
    return random_model(width=4)


@pytest.fixture(scope="module")
def stored(model: TranslationModel) -> StoredStatistics:
    crops = torch.from_numpy(texture(40, CROP_PX, CROP_PX, 0))[:, None]
    return pool_statistics(model.steps("a", "b"), crops)


def said(model: TranslationModel, stored: StoredStatistics, planes: NDArray[np.float32]) -> str:
    told = unlike_training(stored, model.steps("a", "b")[0], padded(planes), 0)
    return told or ""


@pytest.mark.parametrize("shape", [(1, 160, 200), (4, 68, 36), (1, 20, 64), (1, 640, 640)])
def test_an_image_of_the_same_kind_is_not_spoken_of(
    model: TranslationModel, stored: StoredStatistics, shape: tuple[int, int, int]
) -> None:
    assert said(model, stored, texture(*shape, 5)) == ""


def test_what_is_inverted_brighter_or_without_contrast_is_told(
    model: TranslationModel, stored: StoredStatistics
) -> None:
    image = texture(1, 160, 200, 5)
    assert "in brightness it is" in said(model, stored, -image)
    assert "in brightness it is" in said(model, stored, image + 0.8)
    sentence = said(model, stored, np.float32(-0.3) + (image + np.float32(0.3)) * np.float32(4))
    assert "in contrast it is" in sentence
    assert sentence.endswith("use statistics 'image', and check channel and direction.")


def test_empty_squares_do_not_count_unless_there_are_no_others(
    model: TranslationModel, stored: StoredStatistics
) -> None:
    image = np.full((1, 160, 320), -1, "float32")
    assert "is unlike" in said(model, stored, image)
    image[:, :96, :96] = texture(1, 96, 96, 5)
    assert said(model, stored, image) == ""


def test_a_large_image_is_read_in_a_few_squares(
    model: TranslationModel, stored: StoredStatistics, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, Region]] = []
    planes = padded(texture(2, 640, 640, 1))
    read = ArraySource.read

    def counted(self: ArraySource, plane: int, region: Region) -> NDArray[np.float32]:
        seen.append((plane, region))
        return read(self, plane, region)

    monkeypatch.setattr(ArraySource, "read", counted)
    stem = model.steps("a", "b")[0]
    assert unlike_training(stored, stem, planes, 3) is None
    assert len(seen) == len(set(seen)) == MAX_SQUARES
    assert {plane for plane, _ in seen} == {0, 1}
    first, seen = seen, []
    unlike_training(stored, stem, planes, 3)
    assert seen == first


def test_distances_are_in_spreads_of_crops_and_bounded_where_those_do_not_differ() -> None:
    one, none = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    training = CropSpread(none, one, 0.5 * one, 0.25 * one)
    image = CropSpread(one, 2 * one, none, none)
    assert distances(training, image) == pytest.approx((2.0, 4.0))
    alike = CropSpread(none, one, none, none)
    assert distances(alike, image) == pytest.approx((50.0, 50.0))


def test_the_bundled_model_knows_its_kind_of_image(finish: Callable[..., tuple]) -> None:
    loaded = load_model(bundled_folder() / "nuclei.safetensors")
    assert loaded.statistics is not None
    pixels = simulate_nuclei(SceneSettings(shape=(512, 512)), seed=12345).image

    def told(image: NDArray[np.uint16]) -> str | None:
        source = ArraySource(image, Axes("YX"), 1)
        window = finish(measure_intensities(source, loaded.model.domains[0]))[0].window
        stem = loaded.model.steps("synthetic", "real")[0]
        assert loaded.statistics is not None
        planes = PaddedPlanes(source, window, image.shape)
        return unlike_training(loaded.statistics[0], stem, planes, 0)

    assert told(pixels) is None
    assert "in brightness" in (told(pixels.max() - pixels) or "")
