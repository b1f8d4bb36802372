"""A widget in a dock lets go when it is closed, and takes the theme's colours before."""

from typing import Any

import pytest

pytestmark = pytest.mark.qt


@pytest.mark.parametrize("is_docked", [True, False])
def test_it_lets_go_when_it_is_closed_and_not_before(
    make_napari_viewer: Any, qtbot: Any, is_docked: bool
) -> None:
    from napari_unit._widget.docked import DockedWidget

    class Docked(DockedWidget):
        n_ends = 0

        def let_go(self) -> None:
            self.n_ends += 1

    viewer = make_napari_viewer()
    widget = Docked(viewer)
    qtbot.addWidget(widget)
    if is_docked:
        dock = viewer.window.add_dock_widget(widget)
    viewer.theme = "light"
    light = widget.styleSheet()
    viewer.theme = "dark"
    assert light != widget.styleSheet()
    assert widget.n_ends == 0
    if is_docked:
        dock.destroyOnClose()  # what the cross on the dock does
    else:
        widget.close()
    assert widget.n_ends == 1
