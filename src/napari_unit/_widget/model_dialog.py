"""What people call a model and say of it: asked when it is saved, and changed later."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from napari_unit._widget.errands import Errand, once
from napari_unit._widget.status import wrapping_label
from napari_unit._widget.trouble import Trouble
from napari_unit.models import zoo
from napari_unit.models.card import ModelCard
from napari_unit.models.relabeling import own_model_path, with_card


class ModelDialog(QDialog):
    """The words of a model's card.

    Parameters
    ----------
    path
        Of the model file.
    card
        Its card.
    parent
        Over which the dialog stands.
    in_place
        Whether the file itself gets the words; else a copy among the user's own models.
    facts
        What else there is to know of the model, in lines.
    """

    saved = Signal(object)
    """The path of the model among the user's own."""

    def __init__(
        self,
        path: Path,
        card: ModelCard,
        parent: QWidget | None = None,
        *,
        in_place: bool = False,
        facts: Sequence[str] = (),
    ) -> None:
        super().__init__(parent)
        self._path, self._card, self._in_place = path, card, in_place
        self._errand: Errand | None = None
        self.name_edit = QLineEdit(card.name)
        self.description_edit = QPlainTextEdit(card.description)
        self.author_edit = QLineEdit(card.author)
        self.license_edit = QLineEdit(card.license)
        self.facts_label = wrapping_label("note")
        self.facts_label.setText("\n".join(facts))
        self.note = wrapping_label("message")
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel
        )
        self._lay_out()
        self.name_edit.textChanged.connect(self._check)
        self.buttons.accepted.connect(self._save)
        self.buttons.rejected.connect(self.reject)
        self._check()

    def _lay_out(self) -> None:
        self.name_edit.setEnabled(not self._in_place)
        self.description_edit.setFixedHeight(self.fontMetrics().height() * 4 + 12)
        self.description_edit.setTabChangesFocus(True)
        self.note.setProperty("kind", "hint")
        self.facts_label.setVisible(bool(self.facts_label.text()))
        self.facts_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        form = QFormLayout()
        for text, field, tip in (
            ("Name", self.name_edit, "By which the model is chosen; also the name of its file."),
            (
                "Description",
                self.description_edit,
                "For those who choose it: what it translates, and for which images it holds.",
            ),
            ("Author", self.author_edit, "Whom to name; may be empty."),
            (
                "License",
                self.license_edit,
                "Under which others may use it, such as CC-BY-4.0; may be empty.",
            ),
        ):
            field.setToolTip(tip)
            field.setAccessibleName(text)
            form.addRow(text, field)
        outer = QVBoxLayout(self)
        outer.addLayout(form)
        outer.addWidget(self.facts_label)
        outer.addWidget(self.note)
        outer.addWidget(self.buttons)
        self.setMinimumWidth(420)

    @property
    def save_button(self) -> QWidget:
        """The button that saves."""
        button = self.buttons.button(QDialogButtonBox.StandardButton.Save)
        assert button is not None
        return button

    def _check(self) -> Path | None:
        """Return where the model would be saved; None, and a sentence, where it cannot be."""
        try:
            out = self._path
            if not self._in_place:
                out = own_model_path(self.name_edit.text(), zoo.user_folder())
        except ValueError as error:
            self._refuse(str(error))
            return None
        self.note.hide()
        self.save_button.setEnabled(True)
        return out

    def _refuse(self, sentence: str) -> None:
        self.note.setText(sentence)
        self.note.show()
        self.save_button.setEnabled(self._in_place)
        self.name_edit.setEnabled(not self._in_place)

    def _save(self) -> None:
        out = self._check()  # someone may have taken the name since it was written
        if out is None:
            return
        self.save_button.setEnabled(False)
        self.name_edit.setEnabled(False)  # another name would let it be saved twice
        self._errand = Errand(once(self._writing(out)))
        self._errand.succeeded.connect(self._end)
        self._errand.failed.connect(self._tell)
        self._errand.start()

    def _writing(self, out: Path) -> Callable[[], Path]:
        card = replace(
            self._card,
            name=self.name_edit.text().strip(),
            description=self.description_edit.toPlainText().strip(),
            author=self.author_edit.text().strip(),
            license=self.license_edit.text().strip(),
        )
        path = self._path

        def write() -> Path:
            with_card(path, card, out)
            return out

        return write

    def _tell(self, trouble: Trouble) -> None:
        self._refuse(trouble.sentence)

    def _end(self, out: Path) -> None:
        self.saved.emit(out)
        self.accept()

    def done(self, result: int) -> None:
        """Close; a file that is being written is finished all the same."""
        if self._errand is not None:
            self._errand.abandon()
        super().done(result)
