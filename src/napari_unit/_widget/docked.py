"""What both dock widgets have in common: napari's theme, and an end."""

from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QWidget

from napari_unit._widget.style import stylesheet

if TYPE_CHECKING:
    import napari.viewer


class DockedWidget(QWidget):
    """A widget in a dock of a viewer, which follows its theme and lets go when it is closed.

    Parameters
    ----------
    viewer
        The viewer that the widget is docked in.
    """

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = viewer
        viewer.events.theme.connect(self.restyle)

    def restyle(self, event: Any = None) -> None:
        """Take the colours of the viewer's theme; first when all parts are there."""
        self.setStyleSheet(stylesheet(get_theme(self._viewer.theme)))

    def let_go(self) -> None:
        """Stop what should not outlive the widget."""
        raise NotImplementedError

    def changeEvent(self, event: QEvent) -> None:
        """Let go when the dock is closed: napari then takes the widget out of it."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.let_go()
        super().changeEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Let go when the widget is closed as a window of its own."""
        self.let_go()
        super().closeEvent(event)
