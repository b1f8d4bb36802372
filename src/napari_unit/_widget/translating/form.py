"""What a person chooses in the dock widget, and whether it can be done."""

from dataclasses import replace
from typing import Any

from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_unit._widget.choices import DirectionChoice, LayerChoice, OptionChoice
from napari_unit._widget.fold import Fold
from napari_unit._widget.options import DTYPES, MEMORY, STATISTICS
from napari_unit._widget.status import wrapping_label
from napari_unit._widget.translating.area import AreaChoice, PlanesChoice
from napari_unit._widget.translating.batch import ImagesFields
from napari_unit._widget.translating.device import DeviceChoice
from napari_unit._widget.translating.fit import image_in_words, misfit
from napari_unit._widget.translating.mapping import MappingPanel
from napari_unit._widget.translating.model_row import ModelRow
from napari_unit._widget.translating.output import OutputFields
from napari_unit.images.layers import read_layer
from napari_unit.images.parts import Ranges
from napari_unit.images.source_image import SourceImage
from napari_unit.request import TranslationRequest


class TranslationForm(QWidget):
    """Fields for images, model, direction, part, result and device, and folds with the rest.

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
        self._unreadable: str | None = None
        self.layer_choice = LayerChoice(viewer.layers, viewer.layers.selection.active)
        self.layer_note = wrapping_label("note")
        self.images_fields = ImagesFields(viewer.layers)
        self.model_row = ModelRow()
        self.model_choice = self.model_row.choice
        self.direction_choice = DirectionChoice()
        self.mapping_fold = Fold("Axes and channels")
        self.mapping = MappingPanel(self.mapping_fold)
        self.area_choice = AreaChoice(viewer)
        self.planes_choice = PlanesChoice(viewer)
        self.output = OutputFields()
        self.device_choice = DeviceChoice()
        self.statistics_choice = OptionChoice(STATISTICS)
        self.dtype_choice = OptionChoice(DTYPES)
        self.memory_choice = OptionChoice(MEMORY)
        self._lay_out()
        self._explain()
        self._connect()
        self.bring_up_to_date()

    def _lay_out(self) -> None:
        grid = self._grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        self._add_row("Layer", self.layer_choice)
        grid.addWidget(self.layer_note, grid.rowCount(), 1)
        self._add_row("Model", self.model_choice, self.model_row)
        self._add_row("Direction", self.direction_choice)
        self.mapping_fold.hold(self.mapping)
        grid.addWidget(self.mapping_fold, grid.rowCount(), 0, 1, 2)
        grid.addWidget(self.mapping, grid.rowCount(), 0, 1, 2)
        self._add_row("Area", self.area_choice)
        self._planes_row = self._add_row("Planes", self.planes_choice)
        self._add_row("Result", self.output.choice, self.output)
        self._add_row("Device", self.device_choice)
        self.fold_button = Fold("More options")
        grid.addWidget(self.fold_button, grid.rowCount(), 0, 1, 2)
        self.fold_button.hold(
            *self._add_row("Images", self.images_fields.choice, self.images_fields),
            self.images_fields,
            *self._add_row("Statistics", self.statistics_choice),
            *self._add_row("Pixel type", self.dtype_choice),
            *self._add_row("Memory", self.memory_choice),
        )

    def _add_row(
        self, text: str, field: QWidget, within: QWidget | None = None
    ) -> tuple[QWidget, QWidget]:
        """Add a field with its label; `within` is the widget that holds it already."""
        row, label = self._grid.rowCount(), QLabel(text)
        label.setMinimumHeight(field.sizeHint().height())
        self._grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(within or field, row, 1)
        field.setAccessibleName(text)
        label.setBuddy(field)
        return label, field

    def _explain(self) -> None:
        self.layer_choice.setToolTip("The image to translate. It is not changed.")
        self.direction_choice.setToolTip("What the layer is, and what it becomes.")
        self.area_choice.setToolTip(
            "What is translated. All of the image is measured in any case, so that a part has the "
            "pixels that it would have in the whole."
        )
        self.planes_choice.setToolTip("Which planes of a stack are translated.")
        self.statistics_choice.setToolTip(
            "From which pixels the networks take the brightness and contrast that they "
            "normalise by. All tiles share them, so that none stands out."
        )
        self.dtype_choice.setToolTip("The type of the result's pixels.")
        self.memory_choice.setToolTip(
            "What the networks may take while they compute. The result does not depend on it."
        )
        self.mapping_fold.setToolTip("Which axis and which channel of the layer is which.")

    def _connect(self) -> None:
        self.layer_choice.changed.connect(self.bring_up_to_date)
        self.mapping.changed.connect(self.bring_up_to_date)
        self.images_fields.changed.connect(self.bring_up_to_date)
        self.output.changed.connect(self.changed)
        self.area_choice.changed.connect(self.changed)
        for choice in (self.model_choice, self.direction_choice):
            choice.currentIndexChanged.connect(self.bring_up_to_date)
        for choice in (
            self.planes_choice, self.device_choice, self.statistics_choice, self.dtype_choice,
            self.memory_choice,
        ):  # fmt: skip
            choice.currentIndexChanged.connect(self.changed)
        for choice in (
            self.layer_choice, self.model_choice, self.direction_choice, self.area_choice,
            self.planes_choice, self.output.choice, self.images_fields.choice,
        ):  # fmt: skip
            choice.activated.connect(self.edited)
        self.mapping.changed.connect(self.edited)
        self.output.file.edited.connect(self.edited)
        self.model_row.opened.connect(self.edited)
        self.model_row.refused.connect(self.refused)

    @property
    def is_batch(self) -> bool:
        """Whether several images are translated, one after another."""
        return self.images_fields.kind != "one"

    def bring_up_to_date(self) -> None:
        """Show what follows from the choices, and tell that they have changed."""
        layer = self.layer_choice.layer
        self.mapping.follow(layer)
        image, self._unreadable = self._read_layer(layer)
        if image is not None:
            self.model_choice.suit(image.n_channels)
        entry = self.model_choice.entry
        self.layer_note.setText(image_in_words(image) if image else "")
        self.layer_note.setVisible(image is not None)
        self.model_row.bring_up_to_date()
        self.direction_choice.offer_between(
            entry.card.domains if entry else None, image.n_channels if image else None
        )
        self.mapping.show_image(image, self.direction_choice.source)
        if image is not None and self.mapping.channels is not None:
            every = tuple(range(image.n_channels))
            if self.mapping.channels != every:
                image = replace(image, channels=self.mapping.channels)
        self.image = image
        if self._needs_mapping():
            self.mapping_fold.unfold()
        for part in self._planes_row:
            part.setVisible(image is not None and bool(image.axes.planes))
        self.output.ask_for_folder(self.is_batch)
        if image is not None and entry is not None:
            self._suggest_file(image)
        self.changed.emit()

    def reason(self) -> str | None:
        """Say why what is chosen cannot be done; None where it can."""
        if self.images_fields.kind == "folder":
            return self._folder_reason()
        if self._unreadable or self.image is None:
            return self._unreadable
        source = self.direction_choice.source
        if source is None:
            return (
                "There is no model yet; open a model file, or train a model with "
                "'napari-unit train'."
            )
        return (
            self.mapping.reason(self.image, source)
            or misfit(self.image, source)
            or self.images_fields.reason()
            or self.output.reason()
        )

    def request(self) -> TranslationRequest:
        """Return what is chosen but for the part and the file; only where there is no `reason`."""
        entry, target = self.model_choice.entry, self.direction_choice.target
        assert entry is not None
        assert target is not None
        return TranslationRequest(
            model=entry.path,
            to=target.name,
            statistics=self.statistics_choice.value,
            device=self.device_choice.value,
            dtype=self.dtype_choice.value,
            memory=self.memory_choice.value,
        )

    def part(self, layer: Image, image: SourceImage) -> Ranges | None:
        """Return the part that is chosen of a layer, now; None is all of it.

        Raises
        ------
        ValueError
            If there is no such part; the message says why.
        """
        area = self.area_choice.ranges(layer, image.axes)
        planes = self.planes_choice.ranges(layer, image.axes) if image.axes.planes else None
        return None if area is None and planes is None else {**(area or {}), **(planes or {})}

    def _folder_reason(self) -> str | None:
        if self.direction_choice.source is None:
            return "There is no model yet; open a model file."
        if self.output.kind in ("memory", "lazy"):
            return "Images of a folder are translated to files; choose a file under Result."
        return self.images_fields.reason() or self.output.reason()

    def _needs_mapping(self) -> bool:
        if self._unreadable is not None and self.layer_choice.layer is not None:
            return True
        return bool(self.mapping.reason(self.image, self.direction_choice.source))

    def _suggest_file(self, image: SourceImage) -> None:
        target = self.direction_choice.target
        folder = None if image.path is None else image.path.parent
        self.output.suggest(f"{image.name} {target.name if target else ''}".strip(), folder)

    def _read_layer(self, layer: Image | None) -> tuple[SourceImage | None, str | None]:
        """Read the chosen layer; else say why that cannot be done."""
        if layer is None:
            return None, "There is no image layer; open an image first."
        axes = self.mapping.axes
        try:
            return read_layer(layer, axes), None
        except ValueError as error:
            if axes:
                return None, str(error)
            return None, (
                f"The axis labels of the layer {layer.name!r}, {', '.join(layer.axis_labels)}, "
                "leave open which axis is which; say it under Axes and channels."
            )
