"""One of the two domains: its name, its images, and what they were taken for."""

import base64
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_unit._widget.status import wrapping_label
from napari_unit._widget.training.preparing import Part
from napari_unit._widget.training.source_list import SourceList, image_layers
from napari_unit._widget.training.words import found_in_words
from napari_unit.images.layers import read_layer
from napari_unit.runs.inspection import DomainInspection

_ENDINGS = "*.tif *.tiff *.png *.jpg *.jpeg *.npy *.npz"


class DomainPanel(QWidget):
    """Fields for one domain.

    Parameters
    ----------
    letter
        ``"A"`` or ``"B"``.
    viewer
        Whose layers are offered.
    """

    changed = Signal()
    """What was found out of the images before does not hold any more."""

    def __init__(self, letter: str, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.letter = letter
        self.name_edit = QLineEdit()
        self.source_list = SourceList(viewer.layers)
        self.layer_button = QPushButton("Layer")
        self.layer_menu = QMenu(self.layer_button)
        self.files_button = QPushButton("Files…")
        self.folder_button = QPushButton("Folder…")
        self.remove_button = QPushButton("Remove")
        self.found_note = wrapping_label("note")
        self.thumbnails = QWidget()
        self._lay_out()
        self._explain()
        self._connect()
        self._settle()

    def _lay_out(self) -> None:
        heading = QHBoxLayout()
        heading.setSpacing(8)
        title = QLabel(f"<b>{self.letter}</b>")
        title.setBuddy(self.name_edit)
        heading.addWidget(title)
        heading.addWidget(self.name_edit, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for button in (
            self.layer_button, self.files_button, self.folder_button, self.remove_button,
        ):  # fmt: skip
            button.setAutoDefault(True)  # the return key presses it, as the space bar does
            buttons.addWidget(button)
        row = QHBoxLayout(self.thumbnails)
        row.setContentsMargins(9, 0, 0, 0)
        row.setSpacing(4)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(4)
        outer.addLayout(heading)
        outer.addWidget(self.source_list)
        outer.addLayout(buttons)
        outer.addWidget(self.found_note)
        outer.addWidget(self.thumbnails)
        self.show_found(None)

    def _explain(self) -> None:
        letter = self.letter
        self.layer_button.setMenu(self.layer_menu)
        self.name_edit.setAccessibleName(f"Name of domain {letter}")
        self.source_list.setAccessibleName(f"Images of domain {letter}")
        self.name_edit.setPlaceholderText(f"What images of {letter} are called")
        self.name_edit.setToolTip(
            "A word for this kind of image, by which the direction is chosen when the model is "
            "used: 'H&E', 'fluorescence', 'synthetic'."
        )
        self.source_list.setToolTip(
            f"The images of domain {letter}: layers, files, or all images of a folder. Files and "
            "folders can be dropped here. The two domains need not show the same things."
        )
        self.layer_button.setToolTip("Add an image layer; every plane of a stack is an image.")
        self.files_button.setToolTip("Add image files: TIFF, PNG, JPEG, npy.")
        self.folder_button.setToolTip("Add all images in a folder, or an OME-Zarr.")
        self.remove_button.setToolTip("Remove what is selected in the list.")

    def _connect(self) -> None:
        self.source_list.changed.connect(self._settle)
        self.source_list.changed.connect(self.changed)
        self.name_edit.textChanged.connect(self.changed)
        self.layer_menu.aboutToShow.connect(self._offer_layers)
        self.files_button.clicked.connect(self._ask_for_files)
        self.folder_button.clicked.connect(self._ask_for_folder)
        self.remove_button.clicked.connect(self.source_list.remove_selected)

    @property
    def name(self) -> str:
        """Of the domain, as it was written."""
        return str(self.name_edit.text()).strip()

    @property
    def has_images(self) -> bool:
        """Whether anything was chosen."""
        return bool(self.source_list.parts)

    @property
    def has_layers(self) -> bool:
        """Whether layers are among what was chosen."""
        return any(not isinstance(part, Path) for part in self.source_list.parts)

    @property
    def has_paths(self) -> bool:
        """Whether files or folders are among what was chosen."""
        return any(isinstance(part, Path) for part in self.source_list.parts)

    def parts(self, axes: str) -> tuple[Part, ...]:
        """Return the chosen images as plain values.

        Parameters
        ----------
        axes
            A letter per axis of the layers, where their labels do not say it; may be empty.

        Raises
        ------
        ValueError
            If a layer leaves open which axis is which.
        """
        return tuple(
            part if isinstance(part, Path) else read_layer(part, axes or None)
            for part in self.source_list.parts
        )

    def show_found(self, found: DomainInspection | None) -> None:
        """Show what the images were taken for; None: nobody knows."""
        row = self.thumbnails.layout()
        assert row is not None
        while (item := row.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        text = found_in_words(found) if found is not None else ""
        self.found_note.setText(text)
        self.found_note.setVisible(bool(text))
        pictures = found.thumbnails if found is not None else ()
        for encoded in pictures:
            label = QLabel()
            picture = QPixmap()
            picture.loadFromData(base64.b64decode(encoded))
            label.setPixmap(picture)
            label.setAccessibleName("Thumbnail")
            row.addWidget(label)
        assert isinstance(row, QHBoxLayout)
        row.addStretch(1)
        self.thumbnails.setVisible(bool(pictures))

    def _settle(self) -> None:
        self.remove_button.setEnabled(self.has_images)

    def _offer_layers(self) -> None:
        self.layer_menu.clear()
        layers = image_layers(self._viewer.layers)
        for layer in layers:
            # one ampersand alone would underline the next letter
            action = self.layer_menu.addAction(layer.name.replace("&", "&&"))
            assert action is not None
            action.triggered.connect(lambda _=False, chosen=layer: self.add_layer(chosen))
        if not layers:
            action = self.layer_menu.addAction("There is no image layer")
            assert action is not None
            action.setEnabled(False)

    def add_layer(self, layer: Any) -> None:
        """Add a layer; the first one names a domain that has no name yet."""
        self.source_list.add_layer(layer)
        self._suggest(str(layer.name))

    def add_path(self, path: Path) -> None:
        """Add a file or folder; the first one names a domain that has no name yet."""
        self.source_list.add_path(path)
        self._suggest(path.name if path.is_dir() else path.parent.name)

    def _suggest(self, name: str) -> None:
        if not self.name:
            self.name_edit.setText(name.strip())

    def _ask_for_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(
            self, f"Images of {self.letter}", "", f"Images ({_ENDINGS});;All files (*)"
        )
        for path in paths:
            self.add_path(Path(path))

    def _ask_for_folder(self) -> None:
        path = QFileDialog.getExistingDirectory(self, f"Folder with images of {self.letter}")
        if path:
            self.add_path(Path(path))
