"""The images of one domain: layers, files and folders that a person has put together."""

from pathlib import Path
from typing import Any

from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

_ROWS = 3


class SourceList(QListWidget):
    """A short list of layers, files and folders; files can be dropped on it.

    Parameters
    ----------
    layers
        The viewer's layer list: what is removed there is removed here.
    """

    changed = Signal()
    """There are other images, or those that are there have changed."""

    def __init__(self, layers: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer_layers = layers
        self._parts: list[Path | Image] = []
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAcceptDrops(True)
        self.setFixedHeight(self.fontMetrics().height() * _ROWS + 14)
        layers.events.removed.connect(self._forget_removed)

    @property
    def parts(self) -> tuple[Path | Image, ...]:
        """What is in the list, in order."""
        return tuple(self._parts)

    def add_path(self, path: Path) -> None:
        """Add a file or a folder."""
        self._add(path, str(path))

    def add_layer(self, layer: Any) -> None:
        """Add a layer of the viewer."""
        # a plugin gets the viewer behind a proxy, which hides what a layer is
        layer = getattr(layer, "__wrapped__", layer)
        if layer in self._parts:
            return
        layer.events.data.connect(self._tell)
        layer.events.axis_labels.connect(self._tell)
        layer.events.name.connect(self._rename)
        self._add(layer, layer.name)

    def remove_selected(self) -> None:
        """Remove what is selected; where nothing is, the last."""
        rows = {self.row(item) for item in self.selectedItems()} or {self.count() - 1}
        for row in sorted(rows, reverse=True):
            self._remove(row)

    def keyPressEvent(self, event: Any) -> None:
        """Let the delete key remove what is selected."""
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.count():
            self.remove_selected()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Take files and folders."""
        _accept_files(event)

    def dragMoveEvent(self, event: QDragMoveEvent | None) -> None:
        """Take files and folders."""
        _accept_files(event)

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Add the files and folders that were dropped."""
        mime = None if event is None else event.mimeData()
        for url in mime.urls() if mime is not None else ():
            if url.isLocalFile():
                self.add_path(Path(url.toLocalFile()))
        _accept_files(event)

    def _add(self, part: Path | Image, text: str) -> None:
        if part in self._parts:
            return
        self._parts.append(part)
        item = QListWidgetItem(text)
        item.setToolTip(text if isinstance(part, Path) else f"The layer {text!r}")
        self.addItem(item)
        self.changed.emit()

    def _remove(self, row: int) -> None:
        if not 0 <= row < len(self._parts):
            return
        part = self._parts.pop(row)
        self.takeItem(row)
        if not isinstance(part, Path):
            part.events.data.disconnect(self._tell)
            part.events.axis_labels.disconnect(self._tell)
            part.events.name.disconnect(self._rename)
        self.changed.emit()

    def _forget_removed(self, event: Any) -> None:
        removed = getattr(event.value, "__wrapped__", event.value)
        if removed in self._parts:
            self._remove(self._parts.index(removed))

    def _rename(self, event: Any = None) -> None:
        for row, part in enumerate(self._parts):
            item = self.item(row)
            if not isinstance(part, Path) and item is not None:
                item.setText(part.name)
                item.setToolTip(f"The layer {part.name!r}")

    def _tell(self, event: Any = None) -> None:
        self.changed.emit()


def _accept_files(event: QDropEvent | None) -> None:
    mime = None if event is None else event.mimeData()
    if event is not None and mime is not None and mime.hasUrls():
        event.acceptProposedAction()


def image_layers(layers: Any) -> list[Image]:
    """Return the image layers of a viewer, the top one first."""
    found = [getattr(layer, "__wrapped__", layer) for layer in reversed(layers)]
    return [layer for layer in found if isinstance(layer, Image)]
