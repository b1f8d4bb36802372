"""Where the result goes: into memory, into a lazy layer, or to a file."""

import re
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_unit._widget.choices import OptionChoice
from napari_unit._widget.options import Option
from napari_unit._widget.path_row import PathRow

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
        self.file = PathRow(self._ask_for_path)
        self._is_written = False
        self._asks_for_folder = False
        self._name = ""
        self._folder = Path.home()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.choice)
        layout.addWidget(self.file)
        self.choice.setToolTip("Where the result goes.")
        self.choice.currentIndexChanged.connect(self._settle)
        self.file.edited.connect(self._take_path)
        self._explain_path()
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
        return Path(self.file.text).expanduser()

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
        self._explain_path()
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
            where = self.file.text
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

    def _explain_path(self) -> None:
        if self._asks_for_folder:
            name, tip = "Folder to write to", "The folder that the files go to; it must exist."
        else:
            name, tip = "File to write", "The file to write. It must not exist yet."
        self.file.explain(name, tip, "Choose a folder and a name.")

    def _settle(self) -> None:
        self.file.setVisible(self.kind in _FILTERS)
        if not self._is_written:
            self._fill()
        elif self.kind in _FILTERS and not self._asks_for_folder:
            text = self.file.text
            for ending in _FILTERS:
                text = text.removesuffix(ending)
            self.file.edit.setText(text + self.kind)
        self.changed.emit()

    def _fill(self) -> None:
        if self.kind not in _FILTERS:
            return
        if self._asks_for_folder:
            self.file.edit.setText(str(self._folder))
            return
        path = self._folder / f"{self._name}{self.kind}"
        number = 2
        while path.exists():
            path = self._folder / f"{self._name} {number}{self.kind}"
            number += 1
        self.file.edit.setText(str(path))

    def _take_path(self) -> None:
        self._is_written = True
        self.changed.emit()

    def _ask_for_path(self, start: str) -> str:
        if self._asks_for_folder:
            return str(QFileDialog.getExistingDirectory(self, "Folder to write to", start))
        found, _ = QFileDialog.getSaveFileName(self, "File to write", start, _FILTERS[self.kind])
        path = str(found)
        is_named = path.endswith(".zarr") or "." in Path(path).name
        return path if not path or is_named else path + self.kind


def _as_name(text: str) -> str:
    """Return a text without what names of files must not have on some system."""
    allowed = re.sub(r'[<>:"/\\|?*\x00-\x1f]', " ", text)
    return " ".join(allowed.split()).strip(".")
