"""How the widget looks and opens."""

import pytest
from opening import OPENING_S, opened
from qtpy.QtWidgets import QAbstractSpinBox, QCheckBox, QComboBox, QLineEdit, QPushButton

pytestmark = pytest.mark.qt


def test_it_fits_a_laptop_with_everything_shown(bench, image_folders):
    at = bench()
    at.fill(*image_folders)
    at.form.fold_button.click()
    at.setup.status.say("error", "A sentence of some length that says what went wrong. " * 4)
    assert at.widget.sizeHint().height() < 700
    assert at.widget.minimumSizeHint().height() < 400
    assert at.widget.minimumSizeHint().width() < 400
    for tab in (at.setup, at.widget.runs):
        assert tab.minimumSizeHint().width() < 380, "what does not fit is cut off at the side"


def test_it_follows_the_theme(bench, image_folders):
    from napari_unit.runs.events import Progress, Started
    from napari_unit.runs.story import Story

    at = bench()
    started = Started(0, 9, "cpu", "float32", ("a", "b"), (1, 1), ())
    report = Progress(4, 9, {"cycle_a": 0.5, "cycle_b": 0.4}, 1e-4, 2.0, 2.5)
    at.panel.curves.show_story(Story((started, report)))
    dark, background = at.widget.styleSheet(), at.panel.curves.losses.backgroundBrush().color()
    at.viewer.theme = "light"
    assert at.widget.styleSheet() != dark
    assert at.panel.curves.losses.backgroundBrush().color().lightness() > background.lightness()


def test_every_field_says_what_it_is_for(bench):
    at = bench()
    kinds = (QLineEdit, QComboBox, QCheckBox, QPushButton, QAbstractSpinBox)
    fields = [field for kind in kinds for field in at.widget.findChildren(kind)]
    assert len(fields) > 25
    for field in fields:
        if field.objectName().startswith("qt_"):  # a part of Qt's own
            continue
        name = field.accessibleName() or getattr(field, "text", str)()
        assert field.toolTip(), name
        assert name, field.toolTip()


def test_it_comes_from_the_plugin_menu(make_napari_viewer, root):
    viewer = make_napari_viewer()
    _, widget = viewer.window.add_plugin_dock_widget("napari-unit", "Train")
    assert not widget.setup.check_button.isEnabled()


def test_it_opens_without_what_it_does_not_need_yet(tmp_path, monkeypatch):
    for name in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):  # where there is no training yet
        monkeypatch.setenv(name, str(tmp_path))
    unwanted = ("torch", "kornia", "pyqtgraph", "tifffile", "zarr")
    seconds, loaded = opened("napari_unit._widget.training.train_widget", "TrainWidget", unwanted)
    assert loaded == []
    assert seconds < OPENING_S
