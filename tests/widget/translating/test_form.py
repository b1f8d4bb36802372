"""What is offered to choose from, and what is said where it cannot be done."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.qt


# -- what can be chosen -------------------------------------------------------------------------


def test_only_image_layers_are_offered_and_the_list_follows_the_viewer(
    samples: Any, desk: Any
) -> None:
    at = desk()
    choice = at.form.layer_choice
    assert at.said() == ("hint", "There is no image layer; open an image first.")
    at.viewer.add_labels(np.ones((64, 64), int), name="labels")
    at.viewer.add_points(np.ones((3, 2)), name="points")
    assert at.offered(choice) == []
    assert not at.widget.run_button.isEnabled()

    cells = at.viewer.add_image(samples.pixels(64, 64), name="cells")
    other = at.viewer.add_image(samples.pixels(64, 64, seed=1), name="other")
    assert at.offered(choice) == ["other", "cells"]
    assert at.widget.run_button.isEnabled()

    at.pick(choice, "cells")
    cells.name = "renamed"
    assert at.offered(choice) == ["other", "renamed"]
    assert choice.currentText() == "renamed"
    at.viewer.layers.move(0, 3)
    assert choice.currentText() == "renamed"
    at.viewer.layers.remove(other)
    assert at.offered(choice) == ["renamed"]
    at.viewer.layers.remove(cells)
    assert at.offered(choice) == []
    assert not at.widget.run_button.isEnabled()


def test_the_selected_layer_is_chosen_when_the_widget_opens(samples: Any, desk: Any) -> None:
    from napari_unit._widget.translating.dock import TranslateWidget

    at = desk(
        samples.image_layer(samples.pixels(64, 64), "one"),
        samples.image_layer(samples.pixels(64, 64), "two"),
    )
    at.viewer.layers.selection.active = at.viewer.layers["one"]
    again = TranslateWidget(at.viewer)
    at.viewer.window.add_dock_widget(again, name="again")
    assert again.form.layer_choice.currentText() == "one"


def test_new_data_in_the_chosen_layer_is_looked_at(samples: Any, desk: Any) -> None:
    at = desk(samples.image_layer(samples.pixels(64, 64)))
    assert "64 × 64 px" in at.form.layer_note.text()
    at.viewer.layers[0].data = samples.pixels(40, 32)
    assert "32 × 40 px" in at.form.layer_note.text()


def test_bundled_and_own_models_are_offered_with_what_they_are_for(
    samples: Any, desk: Any, models: Any
) -> None:
    models.add("mine", folder=models.user)
    at = desk(samples.gray())
    assert at.offered(at.form.model_choice) == ["nuclei", "mine"]
    at.pick(at.form.model_choice, "mine")
    assert at.form.model_row.note.text() == "What mine is for."


def test_without_a_model_the_widget_says_how_to_get_one(
    samples: Any, desk: Any, models: Any
) -> None:
    at = desk(samples.gray(), model=False)
    assert not at.widget.run_button.isEnabled()
    assert at.said()[0] == "hint"
    assert "open a model file" in at.said()[1]
    # one that is trained meanwhile appears when the list is opened
    models.add("trained", folder=models.user)
    at.form.model_choice.showPopup()
    at.form.model_choice.hidePopup()
    assert at.offered(at.form.model_choice) == ["trained"]
    assert at.widget.run_button.isEnabled()


def test_a_model_file_is_opened_from_anywhere(
    samples: Any, desk: Any, models: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QFileDialog

    path = models.add("elsewhere", b=("confocal", 1), folder=tmp_path / "usb")
    at = desk(samples.gray())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(path), ""))
    at.click(at.form.model_row.open_button)
    assert at.form.model_choice.currentText() == "elsewhere"
    assert at.form.direction_choice.currentText() == "synthetic → confocal"
    result = at.run()
    assert result.metadata["napari_unit"]["to"] == "confocal"


def test_closing_the_file_dialog_changes_nothing(
    samples: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QFileDialog

    at = desk(samples.gray())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: ("", ""))
    at.click(at.form.model_row.open_button)
    assert at.form.model_choice.currentText() == "nuclei"
    assert at.said() == (None, "")


def test_the_direction_that_fits_the_layer_is_chosen(samples: Any, desk: Any, models: Any) -> None:
    models.add("staining", a=("fluorescence", 1), b=("H&E", 3))
    at = desk(samples.gray(), samples.rgb(), model=False)
    at.viewer.layers[1].name = "slide"
    at.pick(at.form.layer_choice, "slide")
    assert at.form.direction_choice.currentText() == "H&E → fluorescence"
    at.pick(at.form.layer_choice, "cells")
    assert at.form.direction_choice.currentText() == "fluorescence → H&E"
    result = at.run()
    assert result.rgb
    assert result.data.shape == (90, 70, 3)


def test_the_model_follows_the_layer_and_a_persons_choice_is_kept_for_it(
    samples: Any, desk: Any, models: Any
) -> None:
    rgb = samples.rgb()
    rgb.name = "slide"
    models.add("histology", a=("synthetic", 3), b=("real", 3))
    models.add("mine", folder=models.user)
    at = desk(rgb, samples.gray())
    choice = at.form.model_choice
    assert choice.currentText() == "nuclei"
    at.pick(at.form.layer_choice, "slide")
    assert choice.currentText() == "histology"
    assert at.run().rgb
    at.pick(at.form.layer_choice, "cells")
    assert choice.currentText() == "nuclei"
    at.pick(choice, "mine")
    at.pick(at.form.layer_choice, "slide")
    assert choice.currentText() == "histology"
    at.pick(at.form.layer_choice, "cells")
    assert choice.currentText() == "mine"
    assert at.run() is not None

    at.pick(at.form.layer_choice, "slide")
    at.pick(choice, "mine")  # to map one of the channels to it
    assert choice.currentText() == "mine"
    rgb.data = samples.pixels(64, 64, 3)
    assert choice.currentText() == "mine"
    assert not at.widget.run_button.isEnabled()


def test_a_model_that_takes_other_images_stays_where_no_model_takes_these(
    samples: Any, desk: Any, models: Any
) -> None:
    models.add("other")
    at = desk(samples.gray())
    at.pick(at.form.model_choice, "other")
    rgb = samples.rgb()
    rgb.name = "slide"
    at.viewer.add_layer(rgb)
    at.pick(at.form.layer_choice, "slide")
    assert at.form.model_choice.currentText() == "other"


def test_a_damaged_model_in_the_zoo_is_left_out_and_said(
    samples: Any, desk: Any, models: Any
) -> None:
    path = models.add("cut")
    path.write_bytes(path.read_bytes()[:-100])
    at = desk(samples.gray())
    assert at.offered(at.form.model_choice) == ["nuclei"]
    kind, sentence = at.said()
    assert kind == "error"
    assert "cut.safetensors" in sentence
    assert at.run() is not None


def test_a_foreign_file_is_refused_in_a_sentence(
    samples: Any, desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qtpy.QtWidgets import QFileDialog

    path = tmp_path / "foreign.safetensors"
    path.write_bytes(b"no model at all")
    at = desk(samples.gray())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(path), ""))
    at.click(at.form.model_row.open_button)
    kind, sentence = at.said()
    assert kind == "error"
    assert "foreign.safetensors" in sentence
    assert at.offered(at.form.model_choice) == ["nuclei"]
    assert at.run() is not None
    assert at.said()[0] == "done"


def drop(over: Any, *paths: Path) -> bool:
    """Drop files over a part of the widget; return whether they were taken."""
    from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
    from qtpy.QtGui import QDragEnterEvent, QDropEvent
    from qtpy.QtWidgets import QApplication

    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    held = Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    with warnings.catch_warnings():  # PySide6 calls the only way that PyQt6 has deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        enter = QDragEnterEvent(QPoint(4, 4), *held)
    QApplication.sendEvent(over, enter)  # which Qt hands on to the parents
    if not enter.isAccepted():
        return False
    event = QDropEvent(QPointF(4, 4), *held)
    QApplication.sendEvent(over, event)
    return bool(event.isAccepted())


def test_a_model_file_is_dropped_anywhere_on_the_widget(
    samples: Any, desk: Any, models: Any, tmp_path: Path
) -> None:
    path = models.add("elsewhere", b=("confocal", 1), folder=tmp_path / "usb")
    at = desk(samples.gray(), show=True)
    assert drop(at.form.layer_choice, path)
    assert at.form.model_choice.currentText() == "elsewhere"
    result = at.run()
    assert result.metadata["napari_unit"]["to"] == "confocal"


def test_a_wrong_file_that_is_dropped_is_refused(samples: Any, desk: Any, tmp_path: Path) -> None:
    foreign, picture = tmp_path / "foreign.safetensors", tmp_path / "picture.tif"
    foreign.write_bytes(b"no model at all")
    picture.write_bytes(b"no model either")
    at = desk(samples.gray(), show=True)
    assert not drop(at.form.layer_choice, picture), "the cursor says that it cannot be dropped"
    assert not drop(at.form.layer_choice, foreign, foreign), "which of the two?"
    assert at.said() == (None, "")
    assert drop(at.form.layer_choice, foreign)
    kind, sentence = at.said()
    assert kind == "error"
    assert "foreign.safetensors" in sentence
    assert at.form.model_choice.currentText() == "nuclei"


def test_nothing_is_dropped_on_a_translation_that_runs(
    samples: Any, desk: Any, models: Any, gate: Any, tmp_path: Path
) -> None:
    path = models.add("elsewhere", folder=tmp_path / "usb")
    at = desk(samples.gray(), show=True)
    at.click(at.widget.run_button)
    at.wait(gate.reached.is_set)
    assert not drop(at.widget, path)
    gate.opened.set()
    at.wait_for_end()
    assert at.form.model_choice.currentText() == "nuclei"
