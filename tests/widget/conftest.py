"""A viewer with the dock widget, models to choose from, and a watch for what is left running."""

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models import zoo
from napari_unit.models.architecture import Architecture
from napari_unit.models.card import ModelCard
from napari_unit.models.file import save_model
from napari_unit.models.model import TranslationModel

CHANNEL_NAMES = {1: ("light",), 2: ("nuclei", "actin"), 3: ("red", "green", "blue")}
PATIENCE_MS = 60_000


def domain(name: str, n_channels: int) -> Domain:
    scaling = IntensityScaling("range", 0.0, 255.0)
    return Domain(name, CHANNEL_NAMES[n_channels], scaling)


@dataclass
class Zoo:
    """The folders in which the plugin looks for models, and files for them."""

    bundled: Path
    user: Path

    def add(
        self,
        name: str,
        *,
        a: tuple[str, int] = ("synthetic", 1),
        b: tuple[str, int] = ("real", 1),
        folder: Path | None = None,
        spoil: bool = False,
    ) -> Path:
        """Write a tiny model with random weights; `spoil` puts a NaN among them."""
        domains = (domain(*a), domain(*b))
        architecture = Architecture(width=2, n_residual=1, n_shared=1)
        torch.manual_seed(0)
        model = TranslationModel(*domains, architecture)
        card = ModelCard(name, f"What {name} is for.", domains, architecture, {}, "0.1.0")
        path = (folder or self.bundled) / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_model(path, model, card)
        if spoil:
            content = path.read_bytes()
            path.write_bytes(content[:-4] + b"\x00\x00\xc0\x7f")
        return path


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    """Empty model folders."""
    made = Zoo(tmp_path / "bundled", tmp_path / "user")
    monkeypatch.setattr(zoo, "bundled_folder", lambda: made.bundled)
    monkeypatch.setattr(zoo, "user_folder", lambda: made.user)
    return made


@pytest.fixture(autouse=True)
def nothing_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither read nor write what the person who runs the tests has chosen or measured."""
    from napari_unit import estimate
    from napari_unit._widget.translating import remembered

    monkeypatch.setattr(remembered, "settings_path", lambda: tmp_path / "config" / "t.json")
    monkeypatch.setattr(estimate, "rates_path", lambda: tmp_path / "cache" / "rates.json")


@pytest.fixture(autouse=True)
def no_job_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail where a test leaves a job or a progress bar behind; the rest is watched for every test.

    It is set up before the viewer and looks after the viewer is closed.
    """
    if "make_napari_viewer" not in request.fixturenames:
        yield
        return
    from napari.utils.progress import progress
    from qtpy.QtCore import QThreadPool

    from napari_unit._widget import errands
    from napari_unit._widget.translating import running

    yield
    assert QThreadPool.globalInstance().waitForDone(PATIENCE_MS), "a worker thread still runs"
    for _ in range(20):  # what the workers have sent is delivered here
        request.getfixturevalue("qapp").processEvents()
    assert not running.UNDERWAY, "a translation has not ended"
    assert not errands.UNDERWAY, "an errand has not ended"
    assert not list(progress._all_instances), "a progress bar is still open"


class Samples:
    """Layers to translate."""

    @staticmethod
    def pixels(*shape: int, dtype: str = "uint8", seed: int = 0) -> NDArray[Any]:
        """Smooth blobs with some noise: something to measure statistics of."""
        rng = np.random.default_rng(seed)
        coarse = rng.uniform(20, 220, size=[max(1, n // 8) if n > 8 else n for n in shape])
        for axis, n in enumerate(shape):
            if n > 8:
                coarse = np.repeat(coarse, -(-n // coarse.shape[axis]), axis=axis).take(
                    range(n), axis
                )
        return np.clip(coarse + rng.normal(0, 8, shape), 0, 255).astype(dtype)

    @staticmethod
    def image_layer(data: Any, name: str = "cells", **fields: Any) -> Any:
        from napari.layers import Image

        return Image(data, name=name, **fields)

    @staticmethod
    def placed(ndim: int) -> dict[str, Any]:
        """Transforms of which none is trivial."""
        angle = np.deg2rad(30.0)
        rotate = np.eye(ndim)
        rotate[-2:, -2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        affine = np.eye(ndim + 1)
        affine[-2, -1], affine[-3, -2] = 12.0, 0.1
        return {
            "scale": [2.0, *(0.65 for _ in range(ndim - 1))] if ndim > 2 else [0.65, 0.7],
            "translate": np.arange(1.0, ndim + 1.0),
            "rotate": rotate,
            "shear": np.eye(ndim) + np.eye(ndim, k=1) * 0.05,
            "affine": affine,
            "units": ["µm"] * ndim,
            "axis_labels": ["t", "z", "y", "x"][-ndim:],
        }

    @staticmethod
    def gray() -> Any:
        return Samples.image_layer(Samples.pixels(90, 70), **Samples.placed(2))

    @staticmethod
    def rgb() -> Any:
        return Samples.image_layer(Samples.pixels(66, 90, 3), rgb=True, **Samples.placed(2))

    @staticmethod
    def multiscale() -> Any:
        full = Samples.pixels(128, 96)
        return Samples.image_layer(
            [full, full[::2, ::2], full[::4, ::4]], multiscale=True, **Samples.placed(2)
        )

    @staticmethod
    def lazy() -> Any:
        return Samples.image_layer(
            da.from_array(Samples.pixels(90, 70, dtype="uint16"), chunks=(40, 40)),
            **Samples.placed(2),
        )

    @staticmethod
    def stack() -> Any:
        return Samples.image_layer(Samples.pixels(3, 64, 48), **Samples.placed(3))


@pytest.fixture
def samples() -> type[Samples]:
    """Layers to translate."""
    return Samples


@dataclass
class Desk:
    """A person in front of a viewer with the dock widget."""

    viewer: Any
    widget: Any
    qtbot: Any

    @property
    def form(self) -> Any:
        return self.widget.form

    @property
    def camera(self) -> Any:
        return getattr(self.viewer, "scene", self.viewer).camera  # before napari 0.9 the viewer's

    def click(self, button: Any) -> None:
        from qtpy.QtCore import Qt

        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def pick(self, choice: Any, text: str) -> None:
        """Choose an entry with the keyboard."""
        from qtpy.QtCore import Qt

        index = choice.findText(text)
        assert index >= 0, f"{text!r} is not offered; there is {self.offered(choice)}"
        self.qtbot.keyClick(choice, Qt.Key.Key_Home)
        for _ in range(index):
            self.qtbot.keyClick(choice, Qt.Key.Key_Down)
        assert choice.currentText() == text

    def offered(self, choice: Any) -> list[str]:
        return [choice.itemText(i) for i in range(choice.count())]

    def said(self) -> tuple[str | None, str]:
        """Return kind and text of the sentence that the widget shows."""
        return self.widget.status.kind, self.widget.status.message.text()

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=PATIENCE_MS)

    def press_return(self, button: Any) -> None:
        from qtpy.QtCore import Qt

        self.qtbot.keyClick(button, Qt.Key.Key_Return)

    def wait_for_end(self) -> None:
        self.wait(lambda: self.form.isEnabled())

    def run(self) -> Any:
        """Translate; return the layer that is added, None if there is none."""
        before = list(self.viewer.layers)
        assert self.widget.run_button.isEnabled(), self.said()
        self.click(self.widget.run_button)
        assert not self.widget.run_button.isEnabled()
        self.wait_for_end()
        added = [layer for layer in self.viewer.layers if layer not in before]
        assert len(added) <= 1
        return added[0] if added else None


@pytest.fixture
def desk(make_napari_viewer: Any, models: Zoo, qtbot: Any) -> Callable[..., Desk]:
    """Return a function that opens a viewer, adds layers and docks the widget."""
    from napari_unit._widget.translating.dock import TranslateWidget

    def sit_down(*layers: Any, model: bool = True, show: bool = False) -> Desk:
        if model:
            models.add("nuclei")
        viewer = make_napari_viewer(show=show)
        for layer in layers:
            viewer.add_layer(layer)
        widget = TranslateWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Translate")
        return Desk(viewer, widget, qtbot)

    return sit_down


@dataclass
class Gate:
    """Holds the real job in its worker thread between two of its steps."""

    after: str = "tiles"
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)
    closed_in: list[threading.Thread] = field(default_factory=list)
    n_steps: int = 0

    def hold(self, job: Callable[..., Generator[Any, None, Any]]) -> Callable[..., Any]:
        def held(*args: Any) -> Generator[Any, None, Any]:
            steps = job(*args)
            try:
                while True:
                    try:
                        step = next(steps)
                    except StopIteration as end:
                        return end.value
                    self.n_steps += 1
                    yield step
                    if step.phase == self.after:
                        self.reached.set()
                        assert self.opened.wait(PATIENCE_MS / 1000)
            finally:
                steps.close()
                self.closed_in.append(threading.current_thread())

        return held


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Hold the job at its first tile until the gate opens."""
    from napari_unit._widget.translating import running

    made = Gate()
    monkeypatch.setattr(running, "translation_job", made.hold(running.translation_job))
    yield made
    made.opened.set()
