"""The list of the trainings there are; one of them is looked at."""

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_unit._widget.training.words import title_of
from napari_unit.runs.listing import RunView

_ROWS = 4


class RunListWidget(QListWidget):
    """Trainings by their names and states."""

    chosen = Signal()
    """Another training is looked at, or none."""
    delete_pressed = Signal()
    """Someone has pressed the key that deletes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._views: list[RunView] = []
        self.setFixedHeight(self.fontMetrics().height() * _ROWS + 18)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.currentRowChanged.connect(self.chosen)

    @property
    def current(self) -> RunView | None:
        """The training that is looked at."""
        row = self.currentRow()
        return self._views[row] if 0 <= row < len(self._views) else None

    @property
    def views(self) -> tuple[RunView, ...]:
        """All trainings, as they were seen last."""
        return tuple(self._views)

    def choose(self, path: Path) -> bool:
        """Look at the training in a folder; False where there is none in the list."""
        paths = [view.files.path for view in self._views]
        if path not in paths:
            return False
        self.setCurrentRow(paths.index(path))
        return True

    def show_views(self, views: Sequence[RunView]) -> None:
        """Show the trainings as they are now.

        The one that is looked at stays; where it is gone, the one that takes its place follows.
        """
        before, row_before = _path_of(self.current), self.currentRow()
        self._views = list(views)
        paths = [view.files.path for view in views]
        blocked = self.blockSignals(True)
        while self.count() > len(views):
            self.takeItem(self.count() - 1)
        for row, view in enumerate(views):
            item = self.item(row)
            if item is None:
                item = QListWidgetItem()
                self.addItem(item)
            if item.text() != title_of(view):
                item.setText(title_of(view))
            item.setToolTip(str(view.files.path))
        row = paths.index(before) if before in paths else min(max(0, row_before), len(views) - 1)
        self.setCurrentRow(row)
        self.blockSignals(blocked)
        if _path_of(self.current) != before:
            self.chosen.emit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Let the delete key ask for what the button asks for."""
        if event is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)


def _path_of(view: RunView | None) -> Path | None:
    return None if view is None else view.files.path
