"""The dock widget without a mouse."""

import sys
from typing import Any

import pytest
from keyboard import fields_of, name_of, reached_by_tab
from qtpy.QtCore import Qt

pytestmark = [
    pytest.mark.qt,
    pytest.mark.skipif(
        sys.platform == "darwin", reason="macOS leaves buttons out unless its user asks for them"
    ),
]


def in_reading_order(at: Any) -> list[Any]:
    """Return the fields of the widget, those that are scrolled above the others."""
    fields = fields_of(at.qtbot, at.form.parentWidget())
    below = [at.widget.run_button, at.widget.cancel_button, at.widget.compare_button]
    fields += [button for button in below if button.isEnabled()]
    assert set(fields) == set(fields_of(at.qtbot, at.widget))
    return fields


@pytest.mark.parametrize("kind", ["gray", "stack"])
def test_tab_reaches_every_field_in_reading_order(samples: Any, desk: Any, kind: str) -> None:
    at = desk(getattr(samples, kind)(), show=True)
    assert at.run() is not None, "then it can be compared"
    for fold in (at.form.mapping_fold, at.form.fold_button):
        at.qtbot.keyClick(fold, Qt.Key.Key_Space)
    at.pick(at.form.output.choice, "OME-TIFF file")
    fields = in_reading_order(at)
    assert fields[0] is at.form.layer_choice
    assert fields[-2:] == [at.widget.run_button, at.widget.compare_button]
    reached = reached_by_tab(at.qtbot, at.widget, fields[0])
    assert [name_of(field) for field in reached] == [name_of(field) for field in fields]
    assert all(map(name_of, fields))
    at.pick(at.form.images_fields.choice, "A folder of files")
    fields = in_reading_order(at)
    assert at.form.images_fields.folder.browse_button in fields
    assert reached_by_tab(at.qtbot, at.widget, fields[0]) == fields


def test_fields_of_another_layer_are_reached_where_they_stand(samples: Any, desk: Any) -> None:
    at = desk(samples.gray(), show=True)
    at.qtbot.keyClick(at.form.mapping_fold, Qt.Key.Key_Space)
    at.viewer.add_layer(samples.stack())
    at.pick(at.form.layer_choice, "cells [1]")
    fields = in_reading_order(at)
    assert set(at.form.mapping.axis_choices) < set(fields)
    assert reached_by_tab(at.qtbot, at.widget, fields[0]) == fields


def test_a_translation_is_started_from_the_keyboard_alone(samples: Any, desk: Any) -> None:
    at = desk(samples.gray(), show=True)
    at.wait(at.widget.isVisible)
    focus = at.form.layer_choice
    focus.setFocus()
    while focus is not at.widget.run_button:
        assert at.widget.isAncestorOf(focus), "Tab left the widget before Run"
        at.qtbot.keyClick(focus, Qt.Key.Key_Tab)
        focus = at.widget.window().focusWidget()
    at.qtbot.keyClick(focus, Qt.Key.Key_Space)
    assert at.widget.window().focusWidget() is at.widget.cancel_button
    at.wait_for_end()
    assert len(at.viewer.layers) == 2, at.said()
    assert at.widget.window().focusWidget() is at.widget.run_button
