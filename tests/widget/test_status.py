from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_unit._widget.status import StatusPanel
from napari_unit._widget.trouble import Trouble

pytestmark = pytest.mark.qt


@pytest.fixture
def panel(qtbot: Any) -> StatusPanel:
    made = StatusPanel()
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_details_are_there_on_demand(panel: StatusPanel, qtbot: Any) -> None:
    panel.say("error", Trouble("It cannot be read.", "Traceback\nline 7"))
    assert panel.message.text() == "It cannot be read."
    assert panel.details_fold.isVisible()
    assert not panel.details.isVisible()
    panel.details_fold.setFocus()
    qtbot.keyClick(panel.details_fold, Qt.Key.Key_Space)
    assert panel.details.isVisible()
    assert panel.details.toPlainText() == "Traceback\nline 7"


def test_the_next_sentence_begins_folded(panel: StatusPanel, qtbot: Any) -> None:
    panel.say("error", Trouble("It cannot be read.", "Traceback"))
    qtbot.mouseClick(panel.details_fold, Qt.MouseButton.LeftButton)
    panel.say("error", Trouble("Nor can this.", "Another"))
    assert panel.details_fold.isVisible()
    assert not panel.details.isVisible()
    qtbot.mouseClick(panel.details_fold, Qt.MouseButton.LeftButton)
    panel.clear()
    assert not panel.details_fold.isVisible()
    assert not panel.details.isVisible()


def test_where_there_are_no_details_there_is_nothing_to_unfold(panel: StatusPanel) -> None:
    panel.say("hint", "Choose a layer.")
    assert panel.message.isVisible()
    assert not panel.details_fold.isVisible()
