"""Where the result goes: into memory, into a lazy layer, or to a file."""

import re
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_unit._widget.choices import OptionChoice
from napari_unit._widget.options import Option

RESULTS: tuple[Option, ...] = (
    (
        "memory",
        "New layer",
        "The result is held in memory; tiles appear in the layer as they are finished.",
    ),
    (
        "lazy",
        "New layer, computed where one looks",
        "For images of any size: only what the viewer shows is translated, when it is shown.",
    ),
    (
        ".ome.zarr",
        "OME-Zarr file",
        "Written tile by tile with smaller levels; stopping loses nothing. Opened as a layer.",
    ),
    (
        ".ome.tif",
        "OME-TIFF file",
        "Tiled, with smaller levels; stopping loses nothing. Opened as a layer.",
    ),
)
_FILTERS = {".ome.zarr": "OME-Zarr (*.zarr)", ".ome.tif": "OME-TIFF (*.tif *.tiff)"}


class OutputFields(QWidget):
    """A choice of where the result goes, and the file where it is one."""

    changed = Signal()
    """Another kind or another file is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.choice = OptionChoice(RESULTS)
        self.path_edit = QLineEdit()
        self.browse_button = QPushButton("Browse…")
        self._is_written = False
        self._asks_for_folder = False
        self._name = ""
        self._folder = Path.home()
        self._file = QWidget()
        row = QHBoxLayout(self._file)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.path_edit, 1)
        row.addWidget(self.browse_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.choice)
        layout.addWidget(self._file)
        self.choice.setToolTip("Where the result goes.")
        self.path_edit.setToolTip("The file to write. It must not exist yet.")
        self.path_edit.setAccessibleName("File to write")
        self.browse_button.setToolTip("Choose a folder and a name.")
        self.browse_button.setAutoDefault(True)
        self.choice.currentIndexChanged.connect(self._settle)
        self.path_edit.textEdited.connect(self._take_text)
        self.browse_button.clicked.connect(self._browse)
        self._settle()

    @property
    def kind(self) -> str:
        """``"memory"``, ``"lazy"``, or the ending of a file."""
        return str(self.choice.value)

    @property
    def path(self) -> Path | None:
        """The file to write, or the folder for several; None where the result is none."""
        if self.kind in ("memory", "lazy"):
            return None
        return Path(self.path_edit.text().strip()).expanduser()

    def path_for(self, name: str) -> Path | None:
        """Return the file for one image of several; None where the result is none."""
        folder = self.path
        return None if folder is None else folder / (_as_name(name) + self.kind)

    def ask_for_folder(self, asks: bool) -> None:
        """Ask for a folder, into which several files go, instead of a file."""
        if asks == self._asks_for_folder:
            return
        self._asks_for_folder = asks
        self._is_written = False
        what = "Folder to write to" if asks else "File to write"
        self.path_edit.setAccessibleName(what)
        self.path_edit.setToolTip(
            "The folder that the files go to; it must exist." if asks
            else "The file to write. It must not exist yet."
        )  # fmt: skip
        self._fill()

    def suggest(self, name: str, folder: Path | None) -> None:
        """Suggest a file for an image, unless a person has written one.

        Parameters
        ----------
        name
            Of the result.
        folder
            Of the image, where it comes from a file.
        """
        self._name = _as_name(name)
        self._folder = folder or Path.home()
        if not self._is_written:
            self._fill()

    def reason(self) -> str | None:
        """Say why nothing can be written; None where it can, as far as that is known."""
        path = self.path
        if path is None:
            return None
        if self._asks_for_folder:
            where = self.path_edit.text().strip()
            is_there = bool(where) and path.is_dir()
            return None if is_there else f"There is no folder {where!r}; choose one to write to."
        if not path.name:
            return "Say which file to write."
        if path.exists():
            return f"The file {path} exists already; choose another name."
        if not path.parent.is_dir():
            return f"The folder {path.parent} does not exist; choose another one."
        return None

    def done(self) -> None:
        """Take note that the file is written: the next one needs another name."""
        self._is_written = False
        self._fill()

    def _settle(self) -> None:
        self._file.setVisible(self.kind in _FILTERS)
        if not self._is_written:
            self._fill()
        elif self.kind in _FILTERS and not self._asks_for_folder:
            text = self.path_edit.text()
            for ending in _FILTERS:
                text = text.removesuffix(ending)
            self.path_edit.setText(text + self.kind)
        self.changed.emit()

    def _fill(self) -> None:
        if self.kind not in _FILTERS:
            return
        if self._asks_for_folder:
            self.path_edit.setText(str(self._folder))
            return
        path = self._folder / f"{self._name}{self.kind}"
        number = 2
        while path.exists():
            path = self._folder / f"{self._name} {number}{self.kind}"
            number += 1
        self.path_edit.setText(str(path))

    def _take_text(self) -> None:
        self._is_written = True
        self.changed.emit()

    def _browse(self) -> None:
        if self._asks_for_folder:
            folder = QFileDialog.getExistingDirectory(
                self, "Folder to write to", self.path_edit.text()
            )
            if folder:
                self.path_edit.setText(folder)
                self._take_text()
            return
        path, _ = QFileDialog.getSaveFileName(
            self, "File to write", self.path_edit.text(), _FILTERS[self.kind]
        )
        if path:
            self.path_edit.setText(path if path.endswith(".zarr") or "." in Path(path).name
                                   else path + self.kind)  # fmt: skip
            self._take_text()


def _as_name(text: str) -> str:
    """Return a text without what names of files must not have on some system."""
    allowed = re.sub(r'[<>:"/\\|?*\x00-\x1f]', " ", text)
    return " ".join(allowed.split()).strip(".")
