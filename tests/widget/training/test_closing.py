"""Windows that are closed while a training runs, with the question that is asked then."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import stand_in_trainer
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_unit._widget.training import closing
from napari_unit._widget.training.closing import CloseGuard
from napari_unit.runs import starting
from napari_unit.runs.control import Control
from napari_unit.runs.files import RunFiles
from napari_unit.runs.listing import WatchedRun

pytestmark = pytest.mark.qt


@pytest.fixture
def running(bench, image_folders, stand_in):
    """Return a function that opens a viewer in which something runs as a training does."""

    def start(*, floats=False):
        at = bench()
        at.dock.setFloating(floats)
        at.fill(*image_folders, images=100_000)
        at.start()
        at.wait_for_state("running")
        return at

    return start


@pytest.fixture
def answer(qtbot):
    """Return a function that asks a window to close, and presses a button of the dialog."""
    asked: list[str] = []

    def press(window, text):
        def click():
            for box in QApplication.topLevelWidgets():
                if isinstance(box, QMessageBox) and box.isVisible():
                    asked.append(box.text())
                    (button,) = [b for b in box.buttons() if b.text().replace("&", "") == text]
                    button.click()

        timer = QTimer()
        timer.setInterval(50)
        timer.timeout.connect(click)
        timer.start()
        stays_open = CloseGuard.of(window).eventFilter(window, QCloseEvent())
        timer.stop()
        return not stays_open

    press.asked = asked
    return press


def test_training_goes_on(running, answer):
    at = running()
    files = at.view.files
    window = at.viewer.window._qt_window
    assert answer(window, "Keep training")
    assert answer.asked == ["The training 'dark to bright' is still running."]
    assert starting.is_own_child(files)
    assert not Control(files.control).asked()


def test_training_stops_and_saves(bench, image_folders, answer):
    at = bench()
    at.fill(*image_folders, images=100_000)
    at.start()
    at.wait_for_state("running")
    files = at.view.files
    assert answer(at.viewer.window._qt_window, "Stop and save")
    child = starting._CHILDREN[files.path]
    assert child.wait(60) == 0
    assert list(files.checkpoints.glob("*.pt"))


def test_one_that_cannot_be_told_to_stop_keeps_the_window_open(running, answer, monkeypatch):
    at = running()
    said = []
    monkeypatch.setattr(closing, "show_error", said.append)

    def refuse(self, request):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Control, "ask", refuse)
        assert not answer(at.viewer.window._qt_window, "Stop and save")
    assert said == [
        "The training 'dark to bright' cannot be told to stop: No space left on device."
    ]


def test_the_window_stays_open(running, answer):
    at = running()
    window = at.viewer.window._qt_window
    assert not answer(window, "Cancel")
    assert len(answer.asked) == 1
    assert starting.is_own_child(at.view.files)
    at.wait(lambda: at.view.story.reports)  # and goes on as before
    assert answer(window, "Keep training"), "asked only once"
    assert len(answer.asked) == 2


def test_closing_only_the_dock_asks_nothing_and_closing_napari_later_does(running, answer):
    at = running()
    files = at.view.files
    at.close_dock()
    at.qtbot.wait(50)
    assert answer.asked == []
    assert starting.is_own_child(files)
    assert answer(at.viewer.window._qt_window, "Stop and save")
    assert len(answer.asked) == 1
    starting._CHILDREN[files.path].wait(60)


def test_a_window_that_stays_open_after_all_asks_the_next_time(running, answer):
    """Napari has a question of its own, which can be answered with no."""
    at = running()
    window = at.viewer.window._qt_window
    assert answer(window, "Keep training")
    assert answer(window, "Keep training"), "the same event again"
    assert len(answer.asked) == 1
    at.qtbot.wait(50)
    assert answer(window, "Keep training")
    assert len(answer.asked) == 2


def test_a_dock_that_floats_closes_without_a_question_and_napari_does_not(running, answer):
    at = running(floats=True)
    assert answer(at.widget.window(), "Cancel")
    assert answer.asked == []
    assert answer(at.viewer.window._qt_window, "Keep training")
    assert len(answer.asked) == 1


def test_a_viewer_that_started_nothing_closes_without_a_question(running, bench, answer):
    other = bench()
    at = running()
    other.wait(lambda: other.view is not None)
    assert answer(other.viewer.window._qt_window, "Cancel")
    assert answer.asked == []
    assert answer(at.viewer.window._qt_window, "Keep training")
    assert len(answer.asked) == 1


def test_a_training_that_has_ended_is_not_asked_about(bench, image_folders, stand_in, answer):
    at = bench()
    at.fill(*image_folders, images=2)
    at.start()
    at.wait_for_state("finished")
    assert answer(at.viewer.window._qt_window, "Cancel")
    assert answer.asked == []


def test_cancel_keeps_the_real_window(running, answer, monkeypatch):
    at = running()
    monkeypatch.setattr(closing, "ask", lambda *_: "cancel")
    window = at.viewer.window._qt_window
    assert not window.close()
    at.viewer.add_image(np.ones((9, 9)))
    assert at.viewer.window._qt_window is window
    monkeypatch.undo()


LEAVING = """
import sys
import napari
from pathlib import Path
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_unit.runs import starting

starting._trainer = lambda: sys.argv[4:]
viewer = napari.Viewer(show=True)
_, widget = viewer.window.add_plugin_dock_widget("napari-unit", "Train")
form = widget.setup.form
for panel, path in zip(form.panels, sys.argv[1:3]):
    panel.add_path(Path(path))
for box, n in ((form.width_box, 2), (form.crop_box, 64), (form.images_box, 100000)):
    box.setValue(n)

def answer():
    for box in QApplication.topLevelWidgets():
        if isinstance(box, QMessageBox):
            (button,) = [b for b in box.buttons() if b.text().replace("&", "") == sys.argv[3]]
            button.click()
            answering.stop()

def go_on():
    view = widget.runs.panel.current
    if widget.setup.start_button.isEnabled():
        widget.setup.start_button.click()
    elif view is not None and view.state == "running":
        print(view.files.path, flush=True)
        timer.stop()
        answering.start(50)  # a timer does not strike again while it is being heard
        viewer.window._qt_window.close()

answering = QTimer()
answering.timeout.connect(answer)
timer = QTimer()
timer.timeout.connect(go_on)
timer.start(50)
QTimer.singleShot(0, widget.setup.check_button.click)
napari.run()
print("left")
"""


@pytest.mark.parametrize("button", ["Keep training", "Stop and save"])
def test_napari_ends_without_a_complaint_and_the_training_does_as_it_was_told(
    button, image_folders
):
    command = [sys.executable, "-X", "faulthandler", "-c", LEAVING, *image_folders, button]
    command += stand_in_trainer.command()
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    path, left = ran.stdout.splitlines()
    assert left == "left"
    run = WatchedRun(RunFiles(Path(path)))
    if button == "Keep training":
        assert run.look().state == "running"
        Control(run.files.control).ask("stop")
    until = time.monotonic() + 60
    while run.look().is_at_work:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert run.look().state == "stopped"


def test_a_script_that_closes_the_viewer_is_not_asked(running, answer):
    at = running()
    files = at.view.files
    at.viewer.close()
    assert starting.is_own_child(files)


def test_a_window_has_one_guard(bench):
    at = bench()
    window = at.viewer.window._qt_window
    assert CloseGuard.of(window) is CloseGuard.of(window)
    assert not CloseGuard.of(window).eventFilter(window, QEvent(QEvent.Type.Close))
