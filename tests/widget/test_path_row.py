"""A path that is written, and one that is chosen in a dialog."""

from typing import Any

import pytest

pytestmark = pytest.mark.qt


def test_a_path_is_written_or_chosen(qtbot: Any) -> None:
    from qtpy.QtCore import Qt

    from napari_unit._widget.path_row import PathRow

    answers, starts, edits = ["", "/chosen"], [], []

    def ask(start: str) -> str:
        starts.append(start)
        return answers.pop(0)

    row = PathRow(ask)
    qtbot.addWidget(row)
    row.edited.connect(lambda: edits.append(row.text))
    qtbot.keyClicks(row.edit, " /a")
    assert edits[-1] == "/a"
    for expected in ("/a", "/chosen"):  # closing the dialog changes nothing
        before = len(edits)
        qtbot.keyClick(row.browse_button, Qt.Key.Key_Return)
        assert row.text == expected
        assert edits[before:] == [expected] * (expected == "/chosen")
    assert starts == ["/a", "/a"]
