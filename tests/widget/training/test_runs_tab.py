"""Trainings that are watched, asked for something and gone on with, in real child processes."""

import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest
from filelock import FileLock
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog
from run_folders import END, REPORT, START, write_run

from napari_unit._widget.model_dialog import ModelDialog
from napari_unit._widget.models_hub import models_hub
from napari_unit.models.card import read_card
from napari_unit.models.file import load_model
from napari_unit.runs import starting
from napari_unit.runs.control import Control
from napari_unit.runs.events import CheckpointSaved, Paused

pytestmark = pytest.mark.qt
LONG = 100_000


def test_a_training_is_started_watched_and_finished(bench, image_folders):
    at = bench()
    assert not at.panel.empty_note.isHidden()
    at.fill(*image_folders, images=45)
    at.start()
    assert at.widget.tabs.currentIndex() == 1
    assert at.view.state in ("starting", "running")
    assert "dark to bright · starting" in at.panel.run_list.item(0).text()
    at.wait(lambda: at.view.story.reports)
    assert not at.panel.bar.isHidden()
    assert at.panel.curves.is_drawn
    at.wait_for_state("finished")
    assert "45 of 45 crops seen" in at.panel.state_label.text()
    assert at.panel.bar.isHidden()
    seen, values = at.panel.curves._lines["cycle"].getData()
    assert list(seen) == [20, 40, 45]
    assert np.isfinite(values).all()
    for button in (at.panel.pause_button, at.panel.stop_button, at.panel.resume_button):
        assert not button.isEnabled()
    assert at.panel.use_button.isEnabled()
    assert at.panel.report_button.isEnabled()
    (child,) = starting._CHILDREN.values()
    assert child.returncode == 0
    assert not psutil.pid_exists(child.pid), "a zombie is left"


def test_it_is_paused_saved_stopped_and_resumed(bench, image_folders):
    at = bench()
    at.fill(*image_folders, images=LONG)
    at.start()
    at.wait(lambda: at.view.state == "running" and at.view.story.reports)
    assert "crops/s" in at.panel.pace_label.text()
    assert "left" in at.panel.pace_label.text()
    assert "GB of memory" in at.panel.pace_label.text()

    at.click(at.panel.pause_button)
    assert at.panel.pause_button.text() == "Go on"
    at.wait_for_state("paused")
    assert any(isinstance(event, Paused) for event in at.view.story.events)
    assert at.panel.state_label.text().startswith("Paused.")
    at.click(at.panel.pause_button)
    at.wait_for_state("running")

    n_saved = sum(isinstance(e, CheckpointSaved) for e in at.view.story.events)
    at.click(at.panel.checkpoint_button)
    assert not at.panel.checkpoint_button.isEnabled()
    at.wait(lambda: sum(isinstance(e, CheckpointSaved) for e in at.view.story.events) > n_saved)
    at.wait(at.panel.checkpoint_button.isEnabled)

    at.click(at.panel.stop_button)
    assert not at.panel.stop_button.isEnabled()
    at.wait_for_state("stopped")
    seen = at.view.story.images_seen
    assert at.panel.resume_button.isEnabled()
    at.click(at.panel.resume_button)
    at.wait_for_state("running")
    at.wait(lambda: at.view.story.images_seen > seen)
    assert at.view.story.starts[-1].images_seen == seen
    Control(at.view.files.control).ask("stop")
    at.wait_for_state("stopped")


def test_one_that_cannot_start_says_why(bench, image_folders):
    at = bench()
    at.fill(*image_folders)
    at.check()
    for path in image_folders[0].iterdir():
        path.unlink()
    at.click(at.setup.start_button)
    at.wait_for_state("failed")
    assert "has no images" in at.panel.state_label.text()
    assert not at.panel.resume_button.isEnabled()
    assert not at.panel.use_button.isEnabled()


def test_images_that_are_gone_are_said_when_it_is_resumed(bench, image_folders):
    at = bench()
    at.fill(*image_folders, images=LONG)
    at.start()
    at.wait(lambda: at.view.story.reports)
    at.click(at.panel.stop_button)
    at.wait_for_state("stopped")
    for path in image_folders[0].iterdir():
        path.unlink()
    at.click(at.panel.resume_button)
    at.wait(lambda: "has no images" in at.panel.state_label.text())
    assert at.view.state == "stopped"


@pytest.mark.usefixtures("stand_in")
def test_a_later_napari_finds_what_runs_and_what_has_run(bench, image_folders):
    at = bench()
    at.fill(*image_folders, images=LONG)
    at.start()
    at.wait_for_state("running")
    at.close_dock()
    children = dict(starting._CHILDREN)
    starting._CHILDREN.clear()  # another process has other children
    later = bench()
    try:
        later.wait(lambda: later.view is not None)
        assert later.view.state == "running"
        assert later.widget.tabs.currentIndex() == 1, "what runs is not in sight"
        later.wait(lambda: later.view.story.reports)
        later.click(later.panel.stop_button)
        later.wait_for_state("stopped")
    finally:
        starting._CHILDREN.update(children)
    for child in children.values():
        child.wait(60)
    last = bench()
    last.wait(lambda: last.view is not None)
    assert last.view.state == "stopped"
    assert last.widget.tabs.currentIndex() == 0


@pytest.mark.usefixtures("stand_in")
def test_two_viewers_watch_the_same_training(bench, image_folders):
    one, other = bench(), bench()
    one.fill(*image_folders, images=LONG)
    one.start()
    other.wait(lambda: other.view is not None and other.view.state == "running")
    other.wait(lambda: other.view.story.reports)
    other.click(other.panel.pause_button)
    one.wait_for_state("paused")
    one.wait(lambda: one.panel.pause_button.text() == "Go on")
    other.viewer.close()
    one.click(one.panel.stop_button)
    one.wait_for_state("stopped")


def test_the_choice_stays_while_the_list_changes(bench, root):
    first = write_run(root / "first", START, REPORT, END).path
    at = bench()
    at.wait(lambda: at.view is not None)
    with FileLock(write_run(root / "another", START, REPORT).lock_path):
        at.wait(lambda: at.panel.run_list.count() == 2)
        assert at.panel.run_list.item(0).text().startswith("another · running")
        assert at.view.files.path == first
        at.panel.run_list.setCurrentRow(0)
        assert at.view.name == "another"


def test_a_training_in_another_folder_is_opened(bench, root, tmp_path, monkeypatch):
    files = write_run(root / "one", START, REPORT, END)
    files.report_path.write_text("a page", "utf-8")
    at = bench()
    at.wait(lambda: at.view is not None)
    elsewhere = tmp_path / "elsewhere"
    at.view.files.path.rename(elsewhere)
    at.wait(lambda: at.view is None)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    at.click(at.panel.open_button)
    assert at.widget.runs.status.kind == "error"
    assert "There is no training in" in at.widget.runs.status.message.text()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(elsewhere))
    at.click(at.panel.open_button)
    at.wait(lambda: at.view is not None)
    assert (at.view.name, at.view.state) == ("elsewhere", "finished")
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    at.click(at.panel.folder_button)
    at.click(at.panel.report_button)
    assert opened == [str(elsewhere), str(elsewhere / "report.html")]


def test_the_viewer_is_not_held_up(bench, image_folders, ticker):
    """From the check to the end; other work on the machine may hold it up at times."""
    at = bench()
    at.fill(*image_folders, images=60)
    clock = ticker()
    at.start()
    at.wait(lambda: len(at.view.story.reports) >= 2)
    at.wait_for_state("finished")
    gaps_s = clock.stop()
    assert len(gaps_s) > 200
    assert np.mean(gaps_s > 0.05) < 0.02, sorted(gaps_s)[-10:]
    assert np.median(gaps_s) < 0.02


# -- the model ----------------------------------------------------------------------------------


def test_the_model_is_saved_among_the_users_own_and_told_to_all(
    bench, finished_run, root, models, desk, samples
):
    shutil.copytree(finished_run, root / "dark to bright")
    at = bench()
    at.wait_for_state("finished")
    translating = desk(samples.gray(), model=False)
    choice = translating.form.model_choice

    def adopt(path: Path) -> None:
        choice.reload()
        choice.choose(path)

    models_hub().saved.connect(adopt)
    try:
        at.click(at.panel.use_button)
        dialog = at.widget.findChild(ModelDialog)
        assert dialog.name_edit.text() == "dark-bright"
        dialog.name_edit.setText("my stain")
        dialog.description_edit.setPlainText("For my plates.")
        dialog.author_edit.setText("Ada")
        dialog.license_edit.setText("CC-BY-4.0")
        at.click(dialog.save_button)
        at.wait(lambda: (models.user / "my stain.safetensors").exists())
        at.wait(lambda: choice.currentText() == "my stain")
    finally:
        models_hub().saved.disconnect(adopt)
    card = read_card(models.user / "my stain.safetensors")
    assert (card.name, card.description) == ("my stain", "For my plates.")
    assert (card.author, card.license) == ("Ada", "CC-BY-4.0")
    ours = load_model(models.user / "my stain.safetensors").model.state_dict()
    theirs = load_model(at.view.files.model_path).model.state_dict()
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert at.widget.runs.status.kind == "done"
    assert translating.run() is not None, translating.said()

    at.click(at.panel.use_button)
    dialog = at.widget.findChildren(ModelDialog)[-1]
    dialog.name_edit.setText("my stain")
    assert not dialog.save_button.isEnabled()
    assert "a model 'my stain' of yours already" in dialog.note.text()
    dialog.reject()
