"""The list of trainings, with folders that lie there as trainings have left them."""

import pytest
from filelock import FileLock
from qtpy.QtWidgets import QFileDialog
from run_folders import END, REPORT, START, write_run

from napari_unit.runs.control import Control

pytestmark = pytest.mark.qt
TWO_LOOKS_MS = 1100


def test_a_sentence_stays_where_no_training_is_in_the_list(bench, tmp_path, monkeypatch):
    at = bench()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    at.click(at.panel.open_button)
    at.qtbot.wait(TWO_LOOKS_MS)
    assert "There is no training in" in at.widget.runs.status.message.text()


def test_another_is_chosen_where_the_chosen_one_is_gone(bench, root, qtbot):
    first, second = (write_run(root / name, START, REPORT, END) for name in ("one", "two"))
    at = bench()
    at.wait(lambda: len(at.panel.run_list.views) == 2)
    assert at.panel.run_list.choose(first.path)
    with qtbot.waitSignal(at.panel.chosen):
        first.path.rename(root.parent / "away")
    assert at.view.files.path == second.path


def test_what_cannot_be_asked_is_said(bench, root):
    files = write_run(root / "one", START, REPORT)
    files.control.write_text("no folder")  # as little as on a disk that is full or not ours
    with FileLock(files.lock_path):
        at = bench()
        at.wait(lambda: at.view is not None and at.view.state == "running")
        for button in (at.panel.pause_button, at.panel.checkpoint_button, at.panel.stop_button):
            at.widget.runs.status.clear()
            at.click(button)
            assert at.widget.runs.status.kind == "error"
            said = at.widget.runs.status.message.text()
            assert said.startswith("The training 'one' cannot be asked for anything: ")


def test_one_that_starts_can_be_stopped_but_not_paused(bench, root):
    files = write_run(root / "one")
    with FileLock(files.lock_path):
        at = bench()
        at.wait(lambda: at.view is not None)
        assert at.view.state == "starting"
        assert not at.panel.pause_button.isEnabled(), "it would forget that"
        at.click(at.panel.stop_button)
        assert not at.panel.stop_button.isEnabled()
        Control(files.control).forget_old()  # as a training does when it starts
        at.wait(lambda: Control(files.control).asked() == {"stop"})
