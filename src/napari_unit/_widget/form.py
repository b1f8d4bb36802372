"""What a person chooses in the dock widget, and whether it can be done."""

from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_unit._widget.choices import DirectionChoice, LayerChoice, ModelChoice, OptionChoice
from napari_unit._widget.fit import image_in_words, misfit
from napari_unit._widget.options import DEVICES, DTYPES, STATISTICS
from napari_unit._widget.status import wrapping_label
from napari_unit.images.layers import read_layer
from napari_unit.images.source_image import SourceImage
from napari_unit.models import zoo
from napari_unit.models.card import ModelFileError
from napari_unit.request import TranslationRequest


class TranslationForm(QWidget):
    """Fields for layer, model, direction and device, and a fold with the rest.

    Parameters
    ----------
    viewer
        Whose layers are offered.
    """

    changed = Signal()
    """Something is chosen anew, or what was chosen has changed."""
    edited = Signal()
    """A person has chosen something else: what was said about earlier choices is past."""
    refused = Signal(str)
    """A sentence that says why a model file cannot be opened."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image: SourceImage | None = None
        self._axes_are_of: Any = None
        self.layer_choice = LayerChoice(viewer.layers, viewer.layers.selection.active)
        self.layer_note = wrapping_label("note")
        self.model_choice = ModelChoice()
        self.open_button = QPushButton("Open…")
        self.model_note = wrapping_label("note")
        self.direction_choice = DirectionChoice()
        self.device_choice = OptionChoice(DEVICES)
        self.fold_button = QPushButton()
        self.statistics_choice = OptionChoice(STATISTICS)
        self.dtype_choice = OptionChoice(DTYPES)
        self.axes_edit = QLineEdit()
        self._lay_out()
        self._explain()
        self._connect()
        self._unfold(False)
        self.bring_up_to_date()

    def _lay_out(self) -> None:
        model = QHBoxLayout()
        model.setSpacing(4)
        model.addWidget(self.model_choice, 1)
        model.addWidget(self.open_button)
        grid = self._grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        self._add_row("Layer", self.layer_choice)
        grid.addWidget(self.layer_note, grid.rowCount(), 1)
        self._add_row("Model", self.model_choice, model)
        grid.addWidget(self.model_note, grid.rowCount(), 1)
        self._add_row("Direction", self.direction_choice)
        self._add_row("Device", self.device_choice)
        grid.addWidget(self.fold_button, grid.rowCount(), 0, 1, 2)
        self._folded = [
            *self._add_row("Statistics", self.statistics_choice),
            *self._add_row("Pixel type", self.dtype_choice),
            *self._add_row("Axes", self.axes_edit),
        ]

    def _add_row(
        self, text: str, field: QWidget, within: QHBoxLayout | None = None
    ) -> tuple[QWidget, QWidget]:
        """Add a field with its label; `within` is the layout that holds it already."""
        row, label = self._grid.rowCount(), QLabel(text)
        self._grid.addWidget(label, row, 0)
        if within is None:
            self._grid.addWidget(field, row, 1)
        else:
            self._grid.addLayout(within, row, 1)
        field.setAccessibleName(text)
        label.setBuddy(field)
        return label, field

    def _explain(self) -> None:
        self.fold_button.setObjectName("fold")
        self.fold_button.setCheckable(True)
        for button in (self.open_button, self.fold_button):
            button.setAutoDefault(True)  # the return key presses it, as the space bar does
        self.layer_choice.setToolTip("The image to translate. It is not changed.")
        self.model_choice.setToolTip("The model to translate with: bundled, your own, or opened.")
        self.open_button.setToolTip("Open a model file (.safetensors).")
        self.direction_choice.setToolTip("What the layer is, and what it becomes.")
        self.device_choice.setToolTip("What computes the translation.")
        self.statistics_choice.setToolTip(
            "From which pixels the networks take the brightness and contrast that they "
            "normalise by. All tiles share them, so that none stands out."
        )
        self.dtype_choice.setToolTip("The type of the new layer's pixels.")
        self.axes_edit.setToolTip(
            "A letter for each axis of the layer: Y and X for rows and columns, C for "
            "channels, Z and T for planes. Leave it empty to go by the layer's axis labels."
        )

    def _connect(self) -> None:
        self.layer_choice.changed.connect(self.bring_up_to_date)
        self.model_choice.currentIndexChanged.connect(self.bring_up_to_date)
        self.direction_choice.currentIndexChanged.connect(self.bring_up_to_date)
        self.axes_edit.textChanged.connect(self.bring_up_to_date)
        for choice in (self.layer_choice, self.model_choice, self.direction_choice):
            choice.activated.connect(self.edited)
        self.axes_edit.textEdited.connect(self.edited)
        self.fold_button.toggled.connect(self._unfold)
        self.open_button.clicked.connect(self._ask_for_model)

    def bring_up_to_date(self) -> None:
        """Show what follows from the choices, and tell that they have changed."""
        self.image, self._unreadable = self._read_layer()
        entry = self.model_choice.entry
        self.layer_note.setText(image_in_words(self.image) if self.image else "")
        self.layer_note.setVisible(self.image is not None)
        self.model_note.setText(entry.card.description if entry else "")
        self.model_note.setVisible(bool(self.model_note.text()))
        self.axes_edit.setPlaceholderText(self.image.axes.letters if self.image else "")
        self.direction_choice.offer(
            entry.card.domains if entry else None, self.image.n_channels if self.image else None
        )
        self.changed.emit()

    def reason(self) -> str | None:
        """Say why what is chosen cannot be done; None where it can."""
        if self._unreadable or self.image is None:
            return self._unreadable
        source = self.direction_choice.source
        if source is None:
            return (
                "There is no model yet; open a model file, or train a model with "
                "'napari-unit train'."
            )
        return misfit(self.image, source)

    def request(self) -> TranslationRequest:
        """Return what is chosen; only where there is no `reason` against it."""
        entry, target = self.model_choice.entry, self.direction_choice.target
        assert entry is not None
        assert target is not None
        return TranslationRequest(
            model=entry.path,
            to=target.name,
            statistics=self.statistics_choice.value,
            device=self.device_choice.value,
            dtype=self.dtype_choice.value,
        )

    def _read_layer(self) -> tuple[SourceImage | None, str | None]:
        """Read the chosen layer; else say why that cannot be done."""
        layer = self.layer_choice.layer
        if layer is not self._axes_are_of:
            # what was said of another layer's axes
            self._axes_are_of = layer
            blocked = self.axes_edit.blockSignals(True)
            self.axes_edit.clear()
            self.axes_edit.blockSignals(blocked)
        if layer is None:
            return None, "There is no image layer; open an image first."
        axes = self.axes_edit.text().strip()
        try:
            return read_layer(layer, axes or None), None
        except ValueError as error:
            if axes:
                return None, str(error)
            return None, (
                f"The axis labels of the layer {layer.name!r}, {', '.join(layer.axis_labels)}, "
                "leave open which axis is which; say it under More options, Axes, as in ZYX."
            )

    def _unfold(self, shown: bool) -> None:
        self.fold_button.setText(("▾" if shown else "▸") + "  More options")
        for part in self._folded:
            part.setVisible(shown)

    def _ask_for_model(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a model file", str(zoo.user_folder()), "Models (*.safetensors)"
        )
        if not path:
            return
        self.edited.emit()
        try:
            self.model_choice.open_file(Path(path))
        except ModelFileError as error:
            self.refused.emit(str(error))
