"""The dialog in which a trained model gets its name."""

import threading

import pytest
from qtpy.QtCore import Qt

from napari_unit._widget import model_dialog
from napari_unit._widget.model_dialog import ModelDialog
from napari_unit.models.card import read_card

pytestmark = pytest.mark.qt


@pytest.fixture
def dialog(qtbot, models, tmp_path):
    path = models.add("trained", folder=tmp_path)
    made = ModelDialog(path, read_card(path))
    qtbot.addWidget(made)
    return made


def press(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_name_that_was_taken_meanwhile_is_said(qtbot, dialog, models):
    models.add("trained", folder=models.user)
    before = (models.user / "trained.safetensors").read_bytes()
    press(qtbot, dialog.save_button)
    assert "There is a model 'trained' of yours already" in dialog.note.text()
    assert not dialog.save_button.isEnabled()
    assert (models.user / "trained.safetensors").read_bytes() == before
    dialog.name_edit.setText("mine")
    with qtbot.waitSignal(dialog.saved):
        press(qtbot, dialog.save_button)
    assert (models.user / "mine.safetensors").is_file()


def test_it_is_saved_once(qtbot, dialog, monkeypatch):
    go_on, saved = threading.Event(), []

    def save(path, card, out):
        assert go_on.wait(60)
        saved.append(out.name)

    monkeypatch.setattr(model_dialog, "with_card", save)
    press(qtbot, dialog.save_button)
    qtbot.keyClicks(dialog.name_edit, "2")
    assert not dialog.save_button.isEnabled()
    with qtbot.waitSignal(dialog.saved):
        go_on.set()
    assert saved == ["trained.safetensors"]


def test_what_cannot_be_written_can_be_tried_again(qtbot, dialog, monkeypatch):
    def refuse(path, card, out):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(model_dialog, "with_card", refuse)
        press(qtbot, dialog.save_button)
        qtbot.waitUntil(lambda: dialog.note.text() == "No space left on device")
    qtbot.keyClicks(dialog.name_edit, "2")
    with qtbot.waitSignal(dialog.saved):
        press(qtbot, dialog.save_button)
