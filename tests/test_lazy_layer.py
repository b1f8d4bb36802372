import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from napari.settings import get_settings
from qtpy.QtCore import QObject
from scipy.ndimage import gaussian_filter

import napari_unit
from napari_unit import lazy_job
from napari_unit.domains import Domain, IntensityScaling

pytestmark = pytest.mark.qt
PATIENCE_MS = 30_000


@pytest.fixture
def model(save_tiny_model: Callable[..., Path]) -> Path:
    scaling = IntensityScaling("percentiles", 0.5, 99.5, (100.0,), (40000.0,))
    real = Domain("real", ("dna",), IntensityScaling("range", 0.0, 255.0))
    return save_tiny_model("nuclei", Domain("synthetic", ("dna",), scaling), real)


class Gated:
    """An image whose readers wait until one lets them."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype
        self.ndim = pixels.ndim
        self.gate = threading.Event()

    def __getitem__(self, index: Any) -> np.ndarray:
        assert self.gate.wait(PATIENCE_MS / 1000)
        return self.pixels[index]


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch) -> Gated:
    monkeypatch.setattr(lazy_job, "_OVERVIEW_PX", 40)
    noise = np.random.default_rng(0).random((300, 200))
    return Gated((gaussian_filter(noise, 2) * 60000).astype("u2"))


@pytest.fixture(params=[False, True], ids=["synchronous", "asynchronous"])
def slicing(request: pytest.FixtureRequest, qapp: QObject) -> Iterator[None]:
    experimental = get_settings().experimental
    before, experimental.async_ = experimental.async_, request.param
    yield
    experimental.async_ = before


def test_it_appears_when_it_is_measured_and_shows_what_is_looked_at(
    model: Path, image: Gated, make_napari_viewer: Any, qtbot: Any, slicing: None
) -> None:
    viewer = make_napari_viewer(show=True)
    layer = Image(image, name="cells", contrast_limits=(0, 60000), visible=False)
    made = napari_unit.translate(layer, model, "real", lazy=True, tile=64)
    told = made.metadata["napari_unit"]
    viewer.add_layer(made)
    # the window has not waited
    assert not made.visible
    assert "window" not in told
    image.gate.set()
    qtbot.waitUntil(lambda: made.visible, timeout=PATIENCE_MS)
    assert "window" in told
    qtbot.waitUntil(lambda: made.loaded, timeout=PATIENCE_MS)
    assert viewer.screenshot(canvas_only=True, flash=False)[..., :3].std() > 5
    camera = getattr(viewer, "scene", viewer).camera  # before napari 0.9 it was the viewer's own
    camera.center = (0.0, 150.0, 100.0)
    camera.zoom = 8.0
    qtbot.waitUntil(lambda: made.data_level == 0 and made.loaded, timeout=PATIENCE_MS)
    rows, columns = (slice(a, b + 1) for a, b in made.corner_pixels.T)
    eager = napari_unit.translate(image.pixels, model, "real", progress=False)
    shown = made._slice.image.raw
    np.testing.assert_allclose(shown, eager[rows, columns], rtol=0, atol=255 * 1e-4)


def test_an_image_that_cannot_be_measured_is_told(
    model: Path, make_napari_viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari.utils import notifications

    told: list[str] = []
    monkeypatch.setattr(notifications, "show_error", told.append)
    viewer = make_napari_viewer()
    flat = Image(np.zeros((60, 52), "u2"), name="dark")
    made = napari_unit.translate(flat, model, "real", lazy=True)
    viewer.add_layer(made)
    qtbot.waitUntil(lambda: bool(told), timeout=PATIENCE_MS)
    assert told[0].startswith("dark")
    assert "there is nothing to translate" in told[0]
    assert not made.visible


def test_without_a_window_it_is_shown_and_whoever_looks_waits(
    model: Path, image: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_unit.lazy_layer._would_wait", lambda: False)
    made = napari_unit.translate(Image(image.pixels), model, "real", lazy=True)
    assert made.visible
    assert "window" not in made.metadata["napari_unit"]


def test_a_layer_that_is_gone_is_measured_no_further(qtbot: Any) -> None:
    from napari_unit.lazy_layer import show_when_measured

    steps: list[int] = []
    is_closed: list[bool] = []

    def opening() -> Any:
        try:
            for number in range(10**6):
                steps.append(number)
                time.sleep(0.01)
                yield
        finally:
            is_closed.append(True)

    layer = Image(np.zeros((8, 8)))
    show_when_measured(layer, opening)
    qtbot.waitUntil(lambda: len(steps) > 2, timeout=PATIENCE_MS)
    del layer
    gc.collect()  # napari's layers refer to themselves
    qtbot.waitUntil(lambda: bool(is_closed), timeout=PATIENCE_MS)
