from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from napari_unit.domains import Window
from napari_unit.engine.measuring import calibrate
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.planning import plan_translation
from napari_unit.engine.runner import route_of
from napari_unit.engine.settings import EngineSettings
from napari_unit.engine.translators import FromMaps, FromPixels, OnItsOwn, Translator
from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource
from napari_unit.models.model import TranslationModel

SIZE = (40, 52)
IMAGE = np.random.default_rng(0).uniform(-1, 1, (1, 1, *SIZE)).astype("float32")
PLANES = PaddedPlanes(ArraySource(IMAGE, Axes("TCYX"), 1), Window((-1.0,), (1.0,)), SIZE)


@pytest.fixture(scope="module")
def model(random_model: Callable[..., TranslationModel]) -> TranslationModel:
    return random_model(width=2, channels=(1, 2))


@pytest.fixture(scope="module")
def expected(model: TranslationModel) -> np.ndarray:
    with torch.no_grad():
        return model.translate(torch.from_numpy(IMAGE), "a", "b")[0].numpy()


def test_pixels_and_maps_lead_to_the_same_translation(
    model: TranslationModel, expected: np.ndarray, finish: Any
) -> None:
    route = route_of(model.steps("a", "b"))
    for side in (60, 20):
        settings = EngineSettings(statistics="whole", device="cpu")
        plan = plan_translation(model, "a", "b", PLANES.planes, settings)
        plan = replace(plan, fields=tuple(grid(whole(SIZE), side)))
        measured, _ = finish(calibrate(plan, model, PLANES.planes, None))
        assert measured.swept is not None
        sweeper, states = measured.swept.sweeper, measured.swept.states
        check(FromPixels(route, sweeper.layers, PLANES), expected)
        check(FromMaps(sweeper, states), expected)


def check(translator: Translator, expected: np.ndarray) -> None:
    for region in grid(whole(SIZE), 24):
        rows, columns = region.within(whole(SIZE))
        found = translator.translate(0, region, translator.read(0, region))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[:, rows, columns], rtol=0, atol=1e-4)


def translated(translator: Translator, region: Region) -> np.ndarray:
    return translator.translate(0, region, translator.read(0, region))


def test_a_region_on_its_own_is_normalised_by_itself_and_its_halo(
    model: TranslationModel, expected: np.ndarray
) -> None:
    alone = OnItsOwn(model, "a", "b", PLANES, 8)
    first, *_, last = grid(whole(SIZE), 24)
    with torch.no_grad():
        around = model.translate(torch.from_numpy(IMAGE[:, :, :32, :32]), "a", "b")[0].numpy()
    np.testing.assert_allclose(translated(alone, first), around[:, :24, :24], atol=1e-5)
    assert np.abs(translated(alone, first) - expected[:, :24, :24]).max() > 1e-2
    assert translated(alone, last).shape == (2, 16, 4)


def test_one_region_that_is_all_is_the_whole_translation(
    model: TranslationModel, expected: np.ndarray
) -> None:
    found = translated(OnItsOwn(model, "a", "b", PLANES, 84), whole(SIZE))
    np.testing.assert_allclose(found, expected, atol=1e-5)
