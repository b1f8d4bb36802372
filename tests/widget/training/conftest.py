"""A viewer with the train widget, small images, and an end to all that a test has started."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stand_in_trainer
import tifffile

from napari_unit.runs import starting
from napari_unit.runs.files import RunFiles
from napari_unit.runs.sources import RunSources

PATIENCE_MS = 120_000
SMALL = {
    "n_residual": 1,
    "discriminator_width": 2,
    "n_scales": 1,
    "cadence": {"log": 20, "preview": 20, "quality": 400, "checkpoint": 400},
}
"""Settings of a training beyond those in the form; they take most of a small training's time."""


@pytest.fixture(autouse=True)
def no_training_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the trainings of a test; fail where it leaves work of the widget behind."""
    from qtpy.QtCore import QThreadPool

    from napari_unit._widget import errands

    yield
    for child in starting._CHILDREN.values():
        child.kill()
        child.wait()
    starting._CHILDREN.clear()
    if "qapp" in request.fixturenames:
        pool = QThreadPool.globalInstance()
        assert pool is not None
        assert pool.waitForDone(30_000), "a worker thread still runs"
        for _ in range(20):  # what the workers have sent is delivered here
            request.getfixturevalue("qapp").processEvents()
        assert not errands.UNDERWAY, "an errand has not ended"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the trainings."""
    path = tmp_path / "runs"
    monkeypatch.setattr("napari_unit._widget.training.train_widget.runs_root", lambda: path)
    return path


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a training that has ended, made by the trainer once; tests take copies of it.

    In a process of its own, as napari starts one: beside Qt, the LLVM of some builds of torch meets
    that of OpenGL.
    """
    folder = tmp_path_factory.mktemp("finished")
    settings = {
        **SMALL, "width": 2, "crop_px": 64, "batch_size": 1, "images_total": 3, "minutes": 0.0,
        "device": "cpu", "domain_a": {"name": "dark"}, "domain_b": {"name": "bright"},
        "validation": {"held_out": 0.0},
    }  # fmt: skip
    a, b = map(str, write_image_folders(folder))
    files = starting.make_run_folder(folder, "run")
    starting.start_training(
        starting.TrainingRequest(RunSources((a,), (b,)), "quick", settings), files
    )
    starting._CHILDREN.pop(files.path).wait(PATIENCE_MS / 1000)
    assert files.model_path.is_file(), files.log_path.read_text(encoding="utf-8")
    return files.path


@pytest.fixture
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainings have networks of a few kilobytes and previews soon, where no one says more."""
    from napari_unit._widget.training.setup_form import SetupForm

    chosen = SetupForm._settings
    monkeypatch.setattr(SetupForm, "_settings", lambda form: {**SMALL, **chosen(form)})


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process that learns nothing check and train, where neither is what is tested."""
    monkeypatch.setattr(starting, "_trainer", stand_in_trainer.command)


@pytest.fixture
def stand_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it train what the trainer has checked."""
    start, n_words = starting._start, len(starting._trainer())

    def start_other(command: list[str], files: RunFiles) -> None:
        start([*stand_in_trainer.command(), *command[n_words:]], files)

    monkeypatch.setattr(starting, "_start", start_other)


@pytest.fixture
def image_folders(tmp_path: Path) -> tuple[Path, Path]:
    """Folders with small images of two kinds."""
    return write_image_folders(tmp_path)


def write_image_folders(folder: Path) -> tuple[Path, Path]:
    random = np.random.default_rng(0)
    for name, n, high in (("dark", 3, 900), ("bright", 2, 60000)):
        (folder / name).mkdir()
        for index in range(n):
            pixels = random.integers(100, high, (96, 80), dtype=np.uint16)
            tifffile.imwrite(folder / name / f"{index}.tif", pixels)
    return folder / "dark", folder / "bright"


@dataclass
class Bench:
    """A person in front of a viewer with the train widget."""

    viewer: Any
    widget: Any
    qtbot: Any
    root: Path

    @property
    def setup(self) -> Any:
        return self.widget.setup

    @property
    def form(self) -> Any:
        return self.widget.setup.form

    @property
    def panel(self) -> Any:
        return self.widget.runs.panel

    @property
    def view(self) -> Any:
        return self.panel.current

    def click(self, button: Any) -> None:
        from qtpy.QtCore import Qt

        assert button.isEnabled(), (button.text(), self.said())
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def said(self) -> tuple[str | None, str]:
        status = self.setup.status
        return status.kind, status.message.text()

    def wait(self, condition: Callable[[], Any]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE_MS)

    def fill(self, a: Any, b: Any, *, images: int = 6) -> None:
        """Put images into the form, layers or paths, and choose networks of a few kilobytes."""
        for panel, part in zip(self.form.panels, (a, b), strict=True):
            add = panel.add_path if isinstance(part, Path) else panel.add_layer
            add(part)
        for box, value in (
            (self.form.width_box, 2), (self.form.crop_box, 64), (self.form.batch_box, 1),
            (self.form.images_box, images), (self.form.held_out_box, 0),
        ):  # fmt: skip
            box.setValue(value)

    def check(self) -> None:
        self.click(self.setup.check_button)
        self.wait(lambda: self.form.isEnabled())

    def start(self) -> None:
        """Check the images, start the training, and wait until it is in the list."""
        self.check()
        self.click(self.setup.start_button)
        self.wait(lambda: self.view is not None)

    def wait_for_state(self, *states: str) -> None:
        self.wait(lambda: self.view is not None and self.view.state in states)

    @property
    def dock(self) -> Any:
        from qtpy.QtWidgets import QDockWidget

        dock = self.widget.parent()
        while not isinstance(dock, QDockWidget):
            dock = dock.parent()
        return dock

    def close_dock(self) -> None:
        """Do what the cross on the dock does."""
        self.dock.destroyOnClose()


@pytest.fixture
def bench(
    make_napari_viewer: Any, qtbot: Any, root: Path, small_networks: None
) -> Callable[..., Bench]:
    """Return a function that opens a viewer with the widget."""
    from napari_unit._widget.training.train_widget import TrainWidget

    def sit_down(*layers: Any, show: bool = False) -> Bench:
        viewer = make_napari_viewer(show=show)
        for layer in layers:
            viewer.add_layer(layer)
        widget = TrainWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Train")
        return Bench(viewer, widget, qtbot, root)

    return sit_down


@pytest.fixture
def bench_at(qtbot: Any, root: Path, small_networks: None) -> Callable[[Any, Any], Bench]:
    """Return a function that sits down at a viewer with the widget in it."""
    return lambda viewer, widget: Bench(viewer, widget, qtbot, root)


class Ticker:
    """A clock on the thread that draws, which stands still while that is held up."""

    def __init__(self, qtbot: Any) -> None:
        from qtpy.QtCore import QTimer

        self.ticks: list[float] = []
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(lambda: self.ticks.append(time.monotonic()))
        self._timer.start()

    def stop(self) -> Any:
        """Return the times between two ticks, in seconds."""
        self._timer.stop()
        return np.diff(self.ticks)


@pytest.fixture
def ticker(qtbot: Any) -> Callable[[], Ticker]:
    return lambda: Ticker(qtbot)
