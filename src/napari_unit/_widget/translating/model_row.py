"""The model to translate with: chosen, opened, looked at."""

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QGridLayout, QPushButton, QWidget

from napari_unit._widget.choices import ModelChoice
from napari_unit._widget.model_dialog import ModelDialog
from napari_unit._widget.status import wrapping_label
from napari_unit.models import zoo
from napari_unit.models.card import ModelFileError
from napari_unit.models.describing import facts_of


class ModelRow(QWidget):
    """A list of models, buttons to open a file and to see what a model is, and its description."""

    opened = Signal()
    """A person has given a file."""
    refused = Signal(str)
    """A sentence that says why a model file cannot be opened."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = ModelChoice()
        self.open_button = QPushButton("Open…")
        self.about_button = QPushButton("?")
        self.note = wrapping_label("note")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.choice, 0, 0)
        grid.addWidget(self.open_button, 0, 1)
        grid.addWidget(self.about_button, 0, 2)
        grid.addWidget(self.note, 1, 0, 1, 3)
        self.about_button.setAccessibleName("About the model")
        self.about_button.setObjectName("narrow")
        self.about_button.setFixedWidth(28)
        for button in (self.open_button, self.about_button):
            button.setAutoDefault(True)  # the return key presses it, as the space bar does
        self.choice.setToolTip(
            "The model to translate with: bundled, your own, or opened. A model file can be "
            "dropped here."
        )
        self.open_button.setToolTip("Open a model file (.safetensors).")
        self.about_button.setToolTip(
            "What the model is and where its file lies. The words about your own models can be "
            "changed; others are saved as your own."
        )
        self.open_button.clicked.connect(self._ask_for_file)
        self.about_button.clicked.connect(self._show_card)
        self.bring_up_to_date()

    def bring_up_to_date(self) -> None:
        """Show what is said of the model that is chosen."""
        entry = self.choice.entry
        self.note.setText(entry.card.description if entry else "")
        self.note.setVisible(bool(self.note.text()))
        self.about_button.setEnabled(entry is not None)

    def open(self, path: Path) -> None:
        """Offer the model of a file and choose it, or say why that cannot be done."""
        self.opened.emit()
        try:
            self.choice.open_file(path)
        except ModelFileError as error:
            self.refused.emit(str(error))

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a model file", str(zoo.user_folder()), "Models (*.safetensors)"
        )
        if path:
            self.open(Path(path))

    def _show_card(self) -> None:
        entry = self.choice.entry
        if entry is None:
            return
        try:
            facts = (*facts_of(entry), f"file: {entry.path}")
        except ModelFileError as error:
            self.refused.emit(str(error))
            return
        dialog = ModelDialog(
            entry.path, entry.card, self, in_place=entry.origin == "user", facts=facts
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(f"About {entry.name}")
        dialog.saved.connect(self._take)
        dialog.open()

    def _take(self, path: Path) -> None:
        self.choice.reload()
        self.choice.choose(path)
