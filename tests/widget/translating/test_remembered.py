"""What was chosen is chosen again, as far as it is still there."""

from typing import Any

import pytest

from napari_unit._widget.translating import remembered

pytestmark = pytest.mark.qt


def test_the_next_widget_begins_where_the_last_run_was(
    samples: Any, desk: Any, models: Any
) -> None:
    models.add("mine", folder=models.user)
    at = desk(samples.gray())
    at.pick(at.form.model_choice, "mine")
    at.pick(at.form.direction_choice, "real → synthetic")
    at.click(at.form.fold_button)
    at.pick(at.form.dtype_choice, "As the layer")
    at.pick(at.form.memory_choice, "4 GB")
    assert not remembered.settings_path().exists()
    assert at.run() is not None
    again = desk(samples.gray(), model=False)
    assert again.form.model_choice.currentText() == "mine"
    assert again.form.direction_choice.currentText() == "real → synthetic"
    assert again.form.dtype_choice.value == "same"
    assert again.form.memory_choice.value == "4 GB"
    assert again.said() == (None, "")


def test_the_remembered_model_waits_for_images_that_it_takes(
    samples: Any, desk: Any, models: Any
) -> None:
    models.add("histology", a=("synthetic", 3), b=("real", 3))
    models.add("mine", folder=models.user)
    at = desk(samples.gray())
    at.pick(at.form.model_choice, "mine")
    assert at.run() is not None
    slide = samples.rgb()
    slide.name = "slide"
    again = desk(samples.gray(), slide, model=False)
    again.pick(again.form.layer_choice, "slide")
    assert again.form.model_choice.currentText() == "histology"
    again.pick(again.form.layer_choice, "cells")
    assert again.form.model_choice.currentText() == "mine"


@pytest.mark.parametrize(
    "content", [b"no json", b"[]", b'{"device": "abacus", "model": 3, "from": null}']
)
def test_what_is_damaged_or_gone_is_left_alone(samples: Any, desk: Any, content: bytes) -> None:
    path = remembered.settings_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    at = desk(samples.gray())
    assert at.form.device_choice.value == "auto"
    assert at.run() is not None


def test_preferences_are_the_first_values_and_what_was_chosen_comes_before_them(
    samples: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_unit._widget.preferences import Preferences

    def prefer(**fields: Any) -> None:
        monkeypatch.setattr(remembered, "stored_preferences", lambda: Preferences(**fields))

    prefer(device="cpu", memory="4 GB", dtype="same")
    at = desk(samples.gray())
    chosen = (at.form.device_choice, at.form.memory_choice, at.form.dtype_choice)
    assert [choice.value for choice in chosen] == ["cpu", "4 GB", "same"]
    at.click(at.form.fold_button)
    at.pick(at.form.dtype_choice, "16-bit whole numbers")
    assert at.run() is not None
    prefer(device="cpu", memory="8 GB", dtype="uint8")
    again = desk(samples.gray(), model=False)
    assert again.form.memory_choice.value == "8 GB"
    assert again.form.dtype_choice.value == "uint16"
