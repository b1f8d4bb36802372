"""What a layer is beside what a model expects, and which axis and channel stands for which."""

from typing import Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_unit._widget.choices import OptionChoice
from napari_unit._widget.options import Option
from napari_unit._widget.status import wrapping_label
from napari_unit.domains import Domain, channels_in_words, domain_in_words
from napari_unit.images.source_image import SourceImage

AXES: tuple[Option, ...] = (
    ("Y", "rows (Y)", "Counts the rows of a plane."),
    ("X", "columns (X)", "Counts the columns of a plane."),
    ("C", "channels (C)", "Counts the channels that a model translates together."),
    ("Z", "depth (Z)", "Counts planes, each translated by itself."),
    ("T", "time (T)", "Counts planes, each translated by itself."),
    ("Q", "other planes (Q)", "Counts planes, each translated by itself."),
)
_OPEN: Option = (None, "choose…", "Nothing is guessed.")


class MappingPanel(QWidget):
    """Axes of the layer and channels of the model, each with a choice.

    What the layer's labels say and what can only be meant is filled in; where the numbers of
    channels differ, nothing is: a person says which is which.

    Parameters
    ----------
    field_before
        From which the Tab key comes here.
    """

    changed = Signal()
    """A person has said what an axis or a channel is."""

    def __init__(self, field_before: QWidget) -> None:
        super().__init__()
        self._field_before = field_before
        self._layer: Image | None = None
        self._asked_channels: Any = None
        self._axes_are_said = False
        self.axis_choices: list[OptionChoice] = []
        self.channel_choices: list[OptionChoice] = []
        self.expected_label = wrapping_label("note")
        grid = self._grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.expected_label, 0, 0, 1, 2)
        self._rows: list[QWidget] = []

    @property
    def axes(self) -> str | None:
        """The letters that a person has chosen, without that of colours; None: as labelled."""
        if not self._axes_are_said:
            return None
        letters = "".join(choice.value or "?" for choice in self.axis_choices)
        return letters + ("S" if self._layer is not None and self._layer.rgb else "")

    @property
    def channels(self) -> tuple[int, ...] | None:
        """The layer's channel for each one of the model; None where one is not chosen."""
        chosen = [choice.value for choice in self.channel_choices]
        return None if not chosen or None in chosen else tuple(chosen)

    def follow(self, layer: Image | None) -> None:
        """Forget what was said of another layer."""
        if layer is self._layer:
            return
        self._layer = layer
        self._axes_are_said = False
        self._asked_channels = None
        self._build()

    def show_image(self, image: SourceImage | None, source: Domain | None) -> None:
        """Show what is known of the layer, and ask for what is not.

        Parameters
        ----------
        image
            The layer as it is read; None where its axes leave open what it is.
        source
            The domain that the chosen model and direction start from.
        """
        if image is not None and not self._axes_are_said:
            for choice, letter in zip(self.axis_choices, image.axes.letters, strict=False):
                self._set(choice, letter if choice.findData(letter) >= 0 else "Q")
        self._ask_for_channels(image, source)
        said = "" if source is None else f"{source.name!r} images have {domain_in_words(source)}."
        self.expected_label.setText(said)
        self.expected_label.setVisible(bool(said))

    def reason(self, image: SourceImage | None, source: Domain | None) -> str | None:
        """Say what a person has to choose here; None where nothing is missing."""
        if image is None or source is None or self.channels is not None:
            return None
        missing = [
            name
            for name, choice in zip(source.channels, self.channel_choices, strict=True)
            if choice.value is None
        ]
        there = image.axes.channels_in(image.shape) - image.has_alpha
        return (
            f"The layer {image.name!r} has {channels_in_words(there)}, and {source.name!r} "
            f"{channels_in_words(source.n_channels)}; choose under Axes and channels which one is "
            f"{' and which is '.join(map(repr, missing))}, or change the model or the axes."
        )

    def _build(self) -> None:
        """Make a row per axis of the layer."""
        self._clear()
        self.axis_choices = []
        self.channel_choices = []
        if self._layer is None:
            return
        data = self._layer.data[0] if self._layer.multiscale else self._layer.data
        for axis, label in enumerate(self._layer.axis_labels):
            choice = OptionChoice((_OPEN, *AXES))
            choice.activated.connect(self._take_axes)
            choice.setToolTip("What this axis of the layer counts.")
            self.axis_choices.append(choice)
            self._add_row(f"Axis {label}, {data.shape[axis]} long", choice)

    def _ask_for_channels(self, image: SourceImage | None, source: Domain | None) -> None:
        there = None
        if image is not None:
            there = image.axes.channels_in(image.shape) - image.has_alpha
        asked = (there, None if source is None else source.channels)
        if asked == self._asked_channels:
            return
        self._asked_channels = asked
        n_axis_rows = 2 * len(self.axis_choices)
        for row in self._rows[n_axis_rows:]:
            self._grid.removeWidget(row)
            row.deleteLater()
        del self._rows[n_axis_rows:]
        self.channel_choices = []
        if image is None or source is None or there is None:
            return
        names = image.channel_names or [str(number) for number in range(there)]
        options = [(i, f"channel {name}", "") for i, name in enumerate(names[:there])]
        for number, name in enumerate(source.channels):
            choice = OptionChoice((_OPEN, *options))
            if there == source.n_channels:
                self._set(choice, number)
            choice.activated.connect(self.changed)
            choice.setToolTip(f"Which channel of the layer is {name!r} of {source.name!r}.")
            self.channel_choices.append(choice)
            self._add_row(f"{source.name}: {name}", choice)

    def _add_row(self, text: str, choice: OptionChoice) -> None:
        row = self._grid.rowCount()
        label = QLabel(text)
        label.setBuddy(choice)
        choice.setAccessibleName(text)
        self._grid.addWidget(label, row, 0)
        self._grid.addWidget(choice, row, 1)
        # Qt puts what is made later behind all other fields of the window
        self.setTabOrder(self._rows[-1] if self._rows else self._field_before, choice)
        self._rows += [label, choice]

    def _clear(self) -> None:
        for row in self._rows:
            self._grid.removeWidget(row)
            row.deleteLater()
        self._rows = []

    def _take_axes(self) -> None:
        self._axes_are_said = True
        self.changed.emit()

    def _set(self, choice: OptionChoice, value: Any) -> None:
        blocked = choice.blockSignals(True)
        choice.setCurrentIndex(choice.findData(value))
        choice.blockSignals(blocked)
