"""What a model is can be read, and said anew for one's own."""

from typing import Any

import pytest

from napari_unit._widget.model_dialog import ModelDialog
from napari_unit.models.card import read_card

pytestmark = pytest.mark.qt


def dialog_of(at: Any) -> Any:
    at.click(at.form.model_row.about_button)
    (dialog,) = at.widget.findChildren(ModelDialog)
    return dialog


def test_words_about_an_own_model_are_changed_in_its_file(
    samples: Any, desk: Any, models: Any
) -> None:
    path = models.add("mine", folder=models.user)
    at = desk(samples.gray())
    at.pick(at.form.model_choice, "mine")
    dialog = dialog_of(at)
    assert not dialog.name_edit.isEnabled()
    assert f"file: {path}" in dialog.facts_label.text()
    dialog.description_edit.setPlainText("For nuclei at 20x.")
    at.click(dialog.save_button)
    at.wait(lambda: at.form.model_row.note.text() == "For nuclei at 20x.")
    assert at.form.model_choice.currentText() == "mine"
    assert read_card(path).description == "For nuclei at 20x."
    assert at.run() is not None


def test_a_bundled_model_stays_and_its_copy_gets_the_words(
    samples: Any, desk: Any, models: Any
) -> None:
    at = desk(samples.gray())
    bundled = (models.bundled / "nuclei.safetensors").read_bytes()
    dialog = dialog_of(at)
    assert not dialog.save_button.isEnabled()  # the name is taken
    dialog.name_edit.setText("ours")
    dialog.author_edit.setText("Ada")
    at.click(dialog.save_button)
    at.wait(lambda: at.form.model_choice.currentText() == "ours")
    assert read_card(models.user / "ours.safetensors").author == "Ada"
    assert (models.bundled / "nuclei.safetensors").read_bytes() == bundled


def test_what_cannot_be_written_leaves_the_words(
    samples: Any, desk: Any, models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_unit._widget import model_dialog

    def refuse(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(model_dialog, "with_card", refuse)
    path = models.add("mine", folder=models.user)
    at = desk(samples.gray())
    at.pick(at.form.model_choice, "mine")
    before = path.read_bytes()
    dialog = dialog_of(at)
    dialog.author_edit.setText("Ada")
    at.click(dialog.save_button)
    at.wait(lambda: dialog.note.text() == "No space left on device")
    assert dialog.save_button.isEnabled()
    assert path.read_bytes() == before
    dialog.reject()


def test_a_model_file_that_is_gone_is_said(samples: Any, desk: Any, models: Any) -> None:
    at = desk(samples.gray())
    (models.bundled / "nuclei.safetensors").unlink()
    at.click(at.form.model_row.about_button)
    assert not at.widget.findChildren(ModelDialog)
    kind, sentence = at.said()
    assert kind == "error"
    assert "nuclei.safetensors" in sentence
