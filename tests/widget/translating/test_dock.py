"""The dock widget as a person uses it, in a real viewer, with real (tiny, random) models."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from opening import OPENING_S, opened

from napari_unit import translate

pytestmark = pytest.mark.qt
SEVEN = ("scale", "translate", "rotate", "shear", "units", "axis_labels")


def levels_of(layer: Any) -> list[NDArray[Any]]:
    return [np.asarray(level) for level in (layer.data if layer.multiscale else [layer.data])]


@pytest.mark.parametrize("kind", ["gray", "rgb", "multiscale", "lazy", "stack"])
def test_result_stands_where_its_source_stands_with_the_pixels_of_translate(
    kind: str, samples: Any, desk: Any, models: Any
) -> None:
    model = models.add("colour", a=("H&E", 3), b=("IHC", 3)) if kind == "rgb" else None
    at = desk(getattr(samples, kind)())
    source = at.viewer.layers[0]
    before = [level.copy() for level in levels_of(source)]
    if model:
        at.pick(at.form.model_choice, "colour")
    target = "IHC" if model else "real"

    result = at.run()

    assert result is not None, at.said()
    expected = translate(
        source, model or models.bundled / "nuclei.safetensors", target, progress=False
    )
    for ours, theirs in zip(levels_of(result), levels_of(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert np.asarray(levels_of(result)[0]).std() > 0
    assert (result.multiscale, result.rgb) == (source.multiscale, source.rgb)
    for field in SEVEN:
        ours, theirs = getattr(result, field), getattr(source, field)
        assert np.array_equal(ours, theirs) if field in SEVEN[:4] else ours == theirs, field
    np.testing.assert_array_equal(result.affine.affine_matrix, source.affine.affine_matrix)
    np.testing.assert_allclose(result.extent.world, source.extent.world)
    low, high = result.contrast_limits
    assert low < high
    for now, then in zip(levels_of(source), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert source.name == "cells"
    assert result.metadata["napari_unit"]["to"] == target


def test_a_second_run_adds_a_second_layer_of_another_name(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    first, second = at.run(), at.run()
    assert first is not second
    assert first.name != second.name
    np.testing.assert_array_equal(first.data, second.data)
    assert at.form.layer_choice.currentText() == "cells", "the choice jumped to the result"


def test_directions_are_offered_by_domain_name_and_do_different_things(
    samples: Any, desk: Any
) -> None:
    at = desk(samples.gray())
    assert at.offered(at.form.direction_choice) == ["synthetic → real", "real → synthetic"]
    there = at.run()
    at.pick(at.form.direction_choice, "real → synthetic")
    back = at.run()
    assert (there.metadata["napari_unit"]["to"], back.metadata["napari_unit"]["to"]) == (
        "real",
        "synthetic",
    )
    assert not np.array_equal(there.data, back.data)


def test_options_reach_the_translation(samples: Any, desk: Any, models: Any) -> None:
    at = desk(samples.gray())
    assert not at.form.statistics_choice.isVisibleTo(at.widget)
    at.click(at.form.fold_button)
    assert at.form.statistics_choice.isVisibleTo(at.widget)
    at.pick(at.form.statistics_choice, "From every pixel of the image")
    at.pick(at.form.dtype_choice, "As the layer")
    at.pick(at.form.device_choice, "CPU")

    result = at.run()

    assert result is not None, at.said()
    expected = translate(
        at.viewer.layers["cells"],
        models.bundled / "nuclei.safetensors",
        "real",
        statistics="whole",
        dtype="same",
        progress=False,
    )
    assert result.data.dtype == np.uint8
    np.testing.assert_array_equal(result.data, expected.data)
    assert result.metadata["napari_unit"]["statistics"] == "whole"


# -- how it looks and opens ---------------------------------------------------------------------


def test_it_fits_a_laptop_with_everything_shown(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    at.click(at.form.fold_button)
    at.widget.status.work("Loading the model…")
    at.widget.status.say("error", "A sentence of some length that says what went wrong. " * 4)
    assert at.widget.sizeHint().height() < 700
    assert at.widget.minimumSizeHint().width() < 400


def test_it_follows_the_theme(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    dark = at.widget.styleSheet()
    at.viewer.theme = "light"
    assert at.widget.styleSheet() != dark


def test_every_field_says_what_it_is_for(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    for name, field in vars(at.form).items():
        if name.endswith(("_choice", "_edit")):
            assert field.accessibleName(), name
            assert field.toolTip(), name
    for button in (at.form.model_row.open_button, at.widget.run_button, at.widget.cancel_button):
        assert button.toolTip(), button.text()


def test_the_return_key_runs_it(samples: Any, desk: Any) -> None:
    at = desk(samples.gray())
    at.press_return(at.widget.run_button)
    at.wait_for_end()
    assert len(at.viewer.layers) == 2


def test_it_comes_from_the_plugin_menu(samples: Any, make_napari_viewer: Any, models: Any) -> None:
    models.add("nuclei")
    viewer = make_napari_viewer()
    viewer.add_image(samples.pixels(64, 64), name="cells")
    _, widget = viewer.window.add_plugin_dock_widget("napari-unit", "Translate")
    assert widget.form.layer_choice.currentText() == "cells"
    assert widget.run_button.isEnabled()


def test_with_the_mouse_in_a_window_on_the_screen(samples: Any, desk: Any, models: Any) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    models.add("other", a=("phase contrast", 1), b=("fluorescence", 1))
    at = desk(samples.gray(), show=True)

    def pick_with_mouse(choice: Any, text: str) -> None:
        at.click(choice)
        view = choice.view()
        at.wait(view.isVisible)
        # Qt takes an earlier release of the mouse for that of the click which opened the list
        at.qtbot.wait(QApplication.doubleClickInterval() + 50)
        spot = view.visualRect(choice.model().index(choice.findText(text), 0)).center()
        at.qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
        at.wait(lambda: not view.isVisible())
        assert choice.currentText() == text

    pick_with_mouse(at.form.model_choice, "other")
    pick_with_mouse(at.form.direction_choice, "fluorescence → phase contrast")
    result = at.run()
    assert result is not None, at.said()
    assert result.metadata["napari_unit"]["to"] == "phase contrast"
    assert result.visible
    assert at.widget.window().focusWidget() is at.widget.run_button
    assert at.widget.status.message.isVisible()
    assert at.viewer.screenshot(canvas_only=True, flash=False).std() > 0


def test_it_opens_at_once_and_without_torch() -> None:
    module = "napari_unit._widget.translating.dock"
    seconds, loaded = opened(module, "TranslateWidget", ("torch", "kornia"))
    assert loaded == []
    assert seconds < OPENING_S


def test_nothing_is_cut_off_where_it_must_be_scrolled(samples: Any, desk: Any) -> None:
    at = desk(samples.image_layer(samples.pixels(1024, 1000)), show=True)
    at.viewer.window.resize(1366, 560)
    at.qtbot.wait(200)
    at.click(at.form.mapping_fold)
    at.click(at.form.fold_button)
    area = at.form.parent().parent().parent()
    at.wait(lambda: area.verticalScrollBar().maximum() > 0)
    at.wait(lambda: at.form.parent().width() <= area.viewport().width())
    last = at.form.model_row.open_button
    right = last.mapTo(area.viewport(), last.rect().topRight()).x()
    assert right <= area.viewport().width()
