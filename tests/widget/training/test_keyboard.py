"""The tab of a new training without a mouse."""

import sys

import pytest
from keyboard import fields_of, name_of, reached_by_tab
from qtpy.QtCore import Qt

pytestmark = [
    pytest.mark.qt,
    pytest.mark.skipif(
        sys.platform == "darwin", reason="macOS leaves buttons out unless its user asks for them"
    ),
]


@pytest.mark.parametrize("is_unfolded", [False, True])
def test_tab_reaches_every_field_in_reading_order(bench, image_folders, is_unfolded):
    at = bench(show=True)
    at.fill(*image_folders)
    if is_unfolded:
        at.qtbot.keyClick(at.form.fold_button, Qt.Key.Key_Space)
    fields = fields_of(at.qtbot, at.setup)
    assert at.form.panels[0].name_edit is fields[0]
    assert fields[-1] is at.setup.check_button
    reached = reached_by_tab(at.qtbot, at.setup, fields[0])
    assert [name_of(field) for field in reached] == [name_of(field) for field in fields]
    assert all(map(name_of, fields))


def test_a_training_is_started_from_the_keyboard_alone(bench, image_folders):
    at = bench(show=True)
    at.fill(*image_folders)
    at.wait(at.setup.isVisible)
    *_, focus = reached_by_tab(at.qtbot, at.setup, at.form.panels[0].name_edit)
    assert focus is at.setup.check_button
    at.qtbot.keyClick(focus, Qt.Key.Key_Return)
    assert at.setup.window().focusWidget() is at.setup.cancel_button
    at.wait(lambda: at.form.isEnabled())
    assert at.setup.window().focusWidget() is at.setup.start_button, at.said()
    at.qtbot.keyClick(at.setup.start_button, Qt.Key.Key_Space)
    at.wait_for_state("finished")
