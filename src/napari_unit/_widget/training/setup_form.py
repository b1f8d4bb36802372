"""What a person chooses before a training, and whether it can be done."""

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_unit._widget.choices import OptionChoice
from napari_unit._widget.fold import Fold
from napari_unit._widget.options import DEVICES
from napari_unit._widget.training.domain_panel import DomainPanel
from napari_unit._widget.training.preparing import Wanted
from napari_unit._widget.training.words import PRESETS
from napari_unit.runs.inspection import DomainInspection

_CONTENT_WEIGHT = 10.0
"""Of the trainer's content term where bright is to stay bright, as for the bundled models."""
_AS_PRESET = "as the preset"
_MOST = 10**6


class SetupForm(QWidget):
    """Fields for two domains, a preset and a time, and a fold with the rest.

    Values are checked by the trainer, when the images are looked at.

    Parameters
    ----------
    viewer
        Whose layers are offered.
    """

    changed = Signal()
    """What was found out of the images before does not hold any more."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.panels = (DomainPanel("A", viewer), DomainPanel("B", viewer))
        self.preset_choice = OptionChoice((p.name, p.words, p.meaning) for p in PRESETS)
        self.minutes_box = QDoubleSpinBox()
        self.bright_box = QCheckBox("Bright stays bright")
        self.device_choice = OptionChoice(DEVICES)
        self.images_box = _optional("by the time", 10**9)
        self.width_box = _optional(_AS_PRESET, 512)
        self.crop_box = _optional(_AS_PRESET, 4096, step=4)
        self.batch_box = _optional(_AS_PRESET, 4096)
        self.held_out_box = QSpinBox()
        self.seed_box = QSpinBox()
        self.axes_edits = (QLineEdit(), QLineEdit())
        self._lay_out()
        self._explain()
        self._connect()
        self._take_preset()

    def _lay_out(self) -> None:
        self.minutes_box.setRange(0.1, 10**6)
        self.minutes_box.setDecimals(1)
        self.minutes_box.setSuffix(" min")
        self.held_out_box.setRange(0, 50)
        self.held_out_box.setValue(10)
        self.held_out_box.setSuffix(" %")
        self.seed_box.setRange(0, _MOST)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(8)
        for panel in self.panels:
            outer.addWidget(panel)
        grid = self._grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        outer.addLayout(grid)
        self._add_row("Preset", self.preset_choice)
        self._add_row("Time", self.minutes_box)
        grid.addWidget(self.bright_box, grid.rowCount(), 1)
        self.fold_button = Fold("More options")
        grid.addWidget(self.fold_button, grid.rowCount(), 0, 1, 2)
        self.fold_button.hold(
            *(
                part
                for text, field in (
                    ("Device", self.device_choice),
                    ("Crops to see", self.images_box),
                    ("Width", self.width_box),
                    ("Crop (px)", self.crop_box),
                    ("Batch", self.batch_box),
                    ("Held out", self.held_out_box),
                    ("Seed", self.seed_box),
                    ("Axes of A", self.axes_edits[0]),
                    ("Axes of B", self.axes_edits[1]),
                )
                for part in self._add_row(text, field)
            )
        )

    def _add_row(self, text: str, field: QWidget) -> tuple[QWidget, QWidget]:
        row, label = self._grid.rowCount(), QLabel(text)
        self._grid.addWidget(label, row, 0)
        self._grid.addWidget(field, row, 1)
        field.setAccessibleName(text)
        label.setBuddy(field)
        return label, field

    def _explain(self) -> None:
        self.fold_button.setToolTip("Show or hide the settings that few trainings need.")
        self.preset_choice.setToolTip("Settings to begin with; each says when to take it.")
        self.minutes_box.setToolTip(
            "How long to train. The speed is measured at the start, and how many crops are seen "
            "follows from it. Reading the images comes before, and is not counted."
        )
        self.bright_box.setToolTip(
            "Choose this where what is bright in A is bright in B as well, as in two stains of "
            "tissue: it keeps structures in their place, and dark from becoming bright. Leave it "
            "off where brightness inverts, as between fluorescence and H&E."
        )
        self.device_choice.setToolTip("What computes the training.")
        self.images_box.setToolTip("Crops of each domain to see in all, instead of a time.")
        self.width_box.setToolTip("Size of the networks: more can do more, and take longer.")
        self.crop_box.setToolTip(
            "Side of the squares that are learned from; no image may be smaller. A multiple of 4."
        )
        self.batch_box.setToolTip("Squares of each domain in one step.")
        self.held_out_box.setToolTip(
            "Part of the images that is not learned from: quality is measured on it, and the best "
            "model chosen by that. 0: all are learned from, and no quality is measured."
        )
        self.seed_box.setToolTip("Another number gives another training of the same settings.")
        for edit in self.axes_edits:
            edit.setPlaceholderText("as the images say")
            edit.setToolTip(
                "A letter for each axis, where the images do not say it: Y and X for rows and "
                "columns, C for channels, Z and T for planes."
            )

    def _connect(self) -> None:
        for panel in self.panels:
            panel.changed.connect(self.changed)
        self.preset_choice.activated.connect(self._take_preset)
        self.preset_choice.currentIndexChanged.connect(self.changed)
        for box in (self.width_box, self.crop_box, self.batch_box):
            box.valueChanged.connect(self.changed)
        for edit in self.axes_edits:
            edit.textChanged.connect(self.changed)

    @property
    def names(self) -> tuple[str, str]:
        """Of the domains; a letter where none was given."""
        a, b = (panel.name or panel.letter for panel in self.panels)
        return a, b

    def reason(self) -> str | None:
        """Say why what is chosen cannot be looked at yet; None where it can."""
        for panel in self.panels:
            if not panel.has_images:
                return f"Choose images of {panel.letter}: layers, files or a folder."
        a, b = self.names
        if a == b:
            return f"Both domains are called {a!r}; give them names that differ."
        for panel, edit in zip(self.panels, self.axes_edits, strict=True):
            if edit.text().strip() and panel.has_layers and panel.has_paths:
                return (
                    f"The axes of {panel.letter} are given, and it has layers and files; write the "
                    "layers to files first, or leave the axes empty."
                )
        return None

    def wanted(self) -> Wanted:
        """Return what is chosen; only where there is no `reason` against it.

        Raises
        ------
        ValueError
            If a layer leaves open which axis is which.
        """
        parts, settings = [], self._settings()
        for panel, edit, name, letter in zip(
            self.panels, self.axes_edits, self.names, "ab", strict=True
        ):
            axes = edit.text().strip().upper()
            parts.append(panel.parts(axes))
            # a layer is written with its axes named
            of_files = "" if panel.has_layers else axes
            settings[f"domain_{letter}"] = {"name": name, "axes": of_files}
        return Wanted(parts[0], parts[1], self.preset_choice.value, settings)

    def show_found(self, found: tuple[DomainInspection, ...]) -> None:
        """Show what the images were taken for; nothing of a domain that is not among them."""
        by_side = {one.side.upper(): one for one in found}
        for panel in self.panels:
            panel.show_found(by_side.get(panel.letter))

    def _settings(self) -> dict[str, Any]:
        """Return what differs from the preset."""
        settings: dict[str, Any] = {
            "minutes": self.minutes_box.value(),
            "device": self.device_choice.value,
            "seed": self.seed_box.value(),
            "validation": {"held_out": self.held_out_box.value() / 100},
        }
        if self.images_box.value():
            settings |= {"images_total": self.images_box.value(), "minutes": 0.0}
        for name, box in (
            ("width", self.width_box), ("crop_px", self.crop_box), ("batch_size", self.batch_box),
        ):  # fmt: skip
            if box.value():
                settings[name] = box.value()
        if self.bright_box.isChecked():
            settings["weights"] = {"content": _CONTENT_WEIGHT}
        return settings

    def _take_preset(self) -> None:
        chosen = next(p for p in PRESETS if p.name == self.preset_choice.value)
        self.minutes_box.setValue(chosen.minutes)


def _optional(unset: str, most: int, step: int = 1) -> QSpinBox:
    """Return a field for a number that may be left to others: its lowest value says so."""
    box = QSpinBox()
    box.setRange(0, most)
    box.setSingleStep(step)
    box.setSpecialValueText(unset)
    return box
