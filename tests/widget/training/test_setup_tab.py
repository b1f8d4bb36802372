"""From images to a training that runs, as a person does it, in a real viewer."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QFileDialog

from napari_unit._widget.training import preparing
from napari_unit.runs.sources import RunSources

pytestmark = pytest.mark.qt


def test_nothing_can_be_started_before_it_was_looked_at(bench, image_folders):
    at = bench()
    assert at.said() == ("hint", "Choose images of A: layers, files or a folder.")
    assert not at.setup.check_button.isEnabled()
    a, b = image_folders
    at.form.panels[0].add_path(a)
    assert at.said()[1].startswith("Choose images of B")
    at.form.panels[1].add_path(b)
    assert at.said() == (None, "")
    assert at.setup.check_button.isEnabled()
    assert not at.setup.start_button.isEnabled()
    at.check()
    assert at.said()[0] == "error"  # smaller than the crop of the preset
    assert "are smaller than the crop of 128 x 128 pixels" in at.said()[1]
    assert not at.setup.start_button.isEnabled()
    at.form.crop_box.setValue(64)
    assert at.said() == (None, ""), "what was found does not hold for another crop"
    at.check()
    assert at.said()[0] == "done"
    assert at.setup.start_button.isEnabled()
    assert at.setup.start_button.objectName() == "primary"


def test_it_shows_what_the_images_were_taken_for(bench, image_folders):
    at = bench()
    at.fill(*image_folders)
    at.check()
    dark, bright = (panel.found_note.text() for panel in at.form.panels)
    assert dark.startswith("3 images of 80 × 96 px · uint16 · 1 channel · intensities about 10")
    assert bright.startswith("2 images of 80 × 96 px")
    thumbnails = [panel.thumbnails.layout().count() - 1 for panel in at.form.panels]
    assert thumbnails == [3, 2]
    picture = at.form.panels[0].thumbnails.layout().itemAt(0).widget().pixmap()
    assert (picture.width(), picture.height()) == (60, 72)
    at.form.panels[0].source_list.remove_selected()
    assert at.form.panels[0].found_note.text() == ""
    assert not at.setup.start_button.isEnabled()


def test_domains_are_named_by_what_they_are_and_must_differ(bench, image_folders):
    at = bench()
    at.form.panels[0].add_path(image_folders[0])
    at.form.panels[1].add_path(image_folders[0])
    assert at.form.names == ("dark", "dark")
    assert at.said() == ("hint", "Both domains are called 'dark'; give them names that differ.")
    at.form.panels[1].name_edit.setText("other")
    assert at.setup.check_button.isEnabled()


def test_what_the_trainer_refuses_is_said_in_its_words(bench, image_folders):
    at = bench()
    at.fill(*image_folders)
    at.form.crop_box.setValue(62)
    at.check()
    kind, sentence = at.said()
    assert kind == "error"
    assert sentence.startswith("crop_px is 62; it must be a multiple of 4")
    assert not list(at.root.glob(".prepared-*")), "what was prepared stayed"


def test_a_damaged_image_is_named(bench, image_folders):
    (image_folders[0] / "broken.tif").write_bytes(b"II*\0")
    at = bench()
    at.fill(*image_folders)
    at.check()
    assert at.said()[0] == "error"
    assert "broken.tif" in at.said()[1]
    assert str(image_folders[0].parent) not in at.said()[1]


def test_files_and_folders_are_chosen_in_dialogs_and_dropped(bench, image_folders, monkeypatch):
    at = bench()
    panel = at.form.panels[0]
    a, b = image_folders
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(a))
    at.click(panel.folder_button)
    files = [str(b / "0.tif"), str(b / "1.tif")]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (files, ""))
    at.click(panel.files_button)
    assert panel.source_list.parts == (a, *map(Path, files))
    assert panel.name == "dark"
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(b)), QUrl.fromLocalFile(str(a))])
    drop = QDropEvent(
        QPointF(4, 4), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    panel.source_list.dropEvent(drop)
    assert panel.source_list.parts == (a, *map(Path, files), b), "each once"
    panel.source_list.setCurrentRow(1)
    at.qtbot.keyClick(panel.source_list, Qt.Key.Key_Delete)
    assert panel.source_list.parts == (a, Path(files[1]), b)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    at.click(panel.folder_button)
    assert len(panel.source_list.parts) == 3


def test_layers_are_chosen_from_a_menu_and_followed(bench, samples):
    at = bench(
        samples.image_layer(samples.pixels(96, 80), "one"),
        samples.image_layer(samples.pixels(96, 80), "H&E"),
    )
    at.viewer.add_points([[1, 1]], name="points")
    panel = at.form.panels[0]
    panel.layer_menu.aboutToShow.emit()
    shown = [action.text() for action in panel.layer_menu.actions()]
    assert shown == ["H&&E", "one"], "Qt takes one ampersand for the mark of a key"
    panel.layer_menu.actions()[1].trigger()
    assert panel.source_list.item(0).text() == "one"
    assert panel.name == "one"
    at.viewer.layers["one"].name = "renamed"
    assert panel.source_list.item(0).text() == "renamed"
    at.viewer.layers.remove("renamed")
    assert panel.source_list.parts == ()
    assert at.said()[1].startswith("Choose images of A")


@pytest.mark.usefixtures("stand_in_training")
def test_layers_become_files_with_the_same_pixels(bench, samples):
    stack = samples.image_layer(samples.pixels(3, 96, 80), "a stack", axis_labels=("z", "y", "x"))
    colour = samples.image_layer(samples.pixels(96, 80, 3), "H&E", rgb=True)
    at = bench(stack, colour)
    at.fill(stack, colour)
    at.check()
    assert at.said()[0] == "done", at.said()
    found = [panel.found_note.text() for panel in at.form.panels]
    assert found[0].startswith("1 image with 3 planes of 80 × 96 px · uint8 · 1 channel")
    assert "red, green, blue" in found[1]
    at.click(at.setup.start_button)
    at.wait(lambda: at.view is not None)
    files = at.view.files
    sources = RunSources.read(files.sources_path)
    (a,), (b,) = sources.a, sources.b
    assert Path(a).is_relative_to(files.images)
    np.testing.assert_array_equal(tifffile.imread(a), stack.data)
    np.testing.assert_array_equal(tifffile.imread(b), colour.data)
    assert not list(at.root.glob(".prepared-*"))
    at.wait_for_state("finished")


def test_of_a_start_that_fails_nothing_stays(bench, samples, image_folders, monkeypatch):
    def refuse(request, files):
        assert list(files.images.rglob("*.tif"))
        raise OSError("There can be no more processes.")

    monkeypatch.setattr(preparing, "start_training", refuse)
    layer = samples.image_layer(samples.pixels(96, 80), "one")
    at = bench(layer)
    at.fill(layer, image_folders[1])
    at.check()
    at.click(at.setup.start_button)
    at.wait(lambda: at.form.isEnabled())
    assert at.said() == ("error", "There can be no more processes.")
    assert list(at.root.iterdir()) == []
    assert not at.setup.start_button.isEnabled(), "what was checked is gone"


def test_a_layer_that_is_still_its_file_is_given_by_its_path(bench, image_folders):
    at = bench()
    (unchanged,) = at.viewer.open(image_folders[0] / "0.tif", plugin="napari")
    (changed,) = at.viewer.open(image_folders[1] / "0.tif", plugin="napari")
    changed.data[0, 0] += 1
    unchanged.name, changed.name = "left", "right"
    at.fill(unchanged, changed)
    at.check()
    assert at.said()[0] == "done", at.said()
    _, checked = at.setup._checked
    assert checked.sources.a == (str(image_folders[0] / "0.tif"),)
    assert Path(checked.sources.b[0]).parent == checked.folder / "images" / "b"


def test_a_layer_changed_after_the_check_is_looked_at_again(bench, samples):
    one, two = (samples.image_layer(samples.pixels(96, 80, seed=n), f"n{n}") for n in range(2))
    at = bench(one, two)
    at.fill(one, two)
    at.check()
    assert at.setup.start_button.isEnabled()
    one.data = samples.pixels(96, 88, seed=5)
    assert not at.setup.start_button.isEnabled()
    assert not list(at.root.glob(".prepared-*")), "copies of what is no more"


def test_axes_that_nobody_names_are_asked_for(bench, samples, image_folders):
    odd = samples.image_layer(samples.pixels(2, 96, 80), "odd", axis_labels=("c", "y", "q"))
    at = bench(odd)
    at.fill(odd, image_folders[1])
    at.click(at.setup.check_button)
    assert at.said()[0] == "error"
    assert "Name the axes under More options" in at.said()[1]
    at.form.axes_edits[0].setText("cyx")
    at.check()
    assert at.said()[0] == "done", at.said()
    assert "channel 0, channel 1" in at.form.panels[0].found_note.text()


def test_options_reach_the_training(bench, image_folders):
    at = bench()
    at.fill(*image_folders, images=5)
    at.form.seed_box.setValue(77)
    at.form.bright_box.setChecked(True)
    at.form.panels[0].name_edit.setText("before")
    at.start()
    at.wait_for_state("finished")
    settings = json.loads(at.view.files.settings_path.read_text())
    assert settings["images_total"] == 5
    assert (settings["width"], settings["crop_px"], settings["seed"]) == (2, 64, 77)
    assert settings["weights"]["content"] == 10
    assert settings["weights"]["cycle"] == 10, "the preset's other weights"
    assert settings["validation"] == {"held_out": 0.0, "crops": 32}
    assert at.view.domains == ("before", "bright")
    assert at.view.name == "before to bright"


def test_a_preset_brings_its_time(bench):
    at = bench()
    assert at.form.minutes_box.value() == 10
    at.qtbot.keyClick(at.form.preset_choice, Qt.Key.Key_End)
    at.form.preset_choice.activated.emit(2)
    assert at.form.minutes_box.value() == 480


def test_what_is_prepared_can_be_canceled(bench, samples, image_folders, monkeypatch):
    large = samples.image_layer(np.zeros((40, 1024, 1024), "u1"), "large")
    at = bench(large)
    at.fill(large, image_folders[1])
    at.click(at.setup.check_button)
    assert not at.form.isEnabled()
    at.wait(lambda: "Writing 'large'" in at.setup.status.phase.text())
    at.click(at.setup.cancel_button)
    at.wait(lambda: at.form.isEnabled())
    assert not at.setup.start_button.isEnabled()
    assert not list(at.root.glob(".prepared-*"))


def test_an_inspection_is_ended_when_it_is_canceled(bench, image_folders, monkeypatch):
    import psutil

    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(preparing, "inspection_command", lambda *_: sleeper)
    at = bench()
    at.fill(*image_folders)
    at.click(at.setup.check_button)
    at.wait(lambda: any("sleep(600)" in " ".join(p.cmdline()) for p in psutil.Process().children()))
    at.click(at.setup.cancel_button)
    at.wait(lambda: at.form.isEnabled())
    assert not [p for p in psutil.Process().children() if "sleep(600)" in " ".join(p.cmdline())]


def test_closing_the_dock_meanwhile_leaves_nothing(bench, samples, image_folders):
    large = samples.image_layer(np.zeros((40, 1024, 1024), "u1"), "large")
    at = bench(large)
    at.fill(large, image_folders[1])
    at.click(at.setup.check_button)
    at.wait(lambda: list(at.root.glob(".prepared-*")))
    at.close_dock()
    at.wait(lambda: not list(at.root.glob(".prepared-*")))


def test_what_a_crash_has_left_is_removed_after_a_day(tmp_path):
    import os
    import time

    for kind in ("prepared", "deleted"):
        for name, age_s in ((f".{kind}-old", 90_000), (f".{kind}-new", 60)):
            (tmp_path / name / "images").mkdir(parents=True)
            os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    preparing.forget_old(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".prepared-new", ".deleted-new"}
