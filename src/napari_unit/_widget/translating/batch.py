"""Which images are translated: one layer, all selected ones, or those of a folder."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_unit._widget.choices import OptionChoice
from napari_unit._widget.options import Option
from napari_unit._widget.path_row import PathRow
from napari_unit.images.files import SUFFIXES, open_path
from napari_unit.images.source_image import SourceImage
from napari_unit.images.zarr_files import is_zarr
from napari_unit.request import TranslationRequest

if TYPE_CHECKING:
    from napari_unit.engine.run import Calibration

IMAGES: tuple[Option, ...] = (
    ("one", "This layer", "The layer above."),
    ("selected", "All selected layers", "Every image layer that is selected in the layer list."),
    ("folder", "A folder of files", "Every image file in a folder, to files in another one."),
)


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One image to translate.

    Parameters
    ----------
    name
        For sentences.
    image
        The image, or what opens it on another thread.
    request
        How.
    """

    name: str
    image: SourceImage | Callable[[], SourceImage]
    request: TranslationRequest

    def calibrated(self, known: "Calibration | None") -> "Item":
        """Return the item with what has been measured of its image already."""
        if known is None:
            return self
        return replace(self, request=replace(self.request, calibration=known))


class ImagesFields(QWidget):
    """A choice of which images are translated.

    Parameters
    ----------
    layers
        The viewer's layer list.
    """

    changed = Signal()
    """Other images are chosen."""

    def __init__(self, layers: Any) -> None:
        super().__init__()
        self._layers = layers
        self.choice = OptionChoice(IMAGES)
        self.folder = PathRow(self._ask_for_folder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.choice)
        layout.addWidget(self.folder)
        self.choice.setToolTip("One image, or several with the same settings, one after another.")
        self.folder.explain(
            "Folder with images",
            "The folder with the images.",
            "Choose the folder with the images.",
        )
        self.choice.currentIndexChanged.connect(self._settle)
        self.folder.edited.connect(self._tell)
        layers.selection.events.changed.connect(self._tell)
        self._settle()

    @property
    def kind(self) -> str:
        """``"one"``, ``"selected"`` or ``"folder"``."""
        return str(self.choice.value)

    def layers(self) -> list[Image]:
        """Return the selected image layers, in the order of the layer list."""
        found = [getattr(layer, "__wrapped__", layer) for layer in self._layers]
        selected = {id(getattr(one, "__wrapped__", one)) for one in self._layers.selection}
        return [one for one in found if isinstance(one, Image) and id(one) in selected]

    def paths(self) -> list[Path]:
        """Return the images in the folder, by name."""
        folder = Path(self.folder.text).expanduser()
        if not self.folder.text or not folder.is_dir():
            return []
        return sorted(
            path
            for path in folder.iterdir()
            if not path.name.startswith(".")
            and (path.suffix.lower() in SUFFIXES or (path.is_dir() and is_zarr(path)))
        )

    def reason(self) -> str | None:
        """Say why there is nothing to translate; None where there is."""
        if self.kind == "selected" and not self.layers():
            return "No image layer is selected; select some in the layer list."
        if self.kind == "folder" and not self.paths():
            if not self.folder.text:
                return "Choose the folder with the images."
            return f"There are no images in {self.folder.text}; choose another folder."
        return None

    def _settle(self) -> None:
        self.folder.setVisible(self.kind == "folder")
        self.changed.emit()

    def _tell(self, event: Any = None) -> None:
        if self.kind != "one":
            self.changed.emit()

    def _ask_for_folder(self, start: str) -> str:
        return str(QFileDialog.getExistingDirectory(self, "Folder with images", start))


def opener(path: Path, axes: str | None, channels: tuple[int, ...] | None) -> Callable[[], Any]:
    """Return what opens an image file, with the channels that are chosen."""

    def open_it() -> SourceImage:
        image = open_path(path, axes)
        return image if channels is None else image.with_channels(channels)

    return open_it
