"""A training is deleted, after a question."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_unit._widget.errands import Errand, once
from napari_unit.pace import size_in_words
from napari_unit.runs.deleting import check_deletable, delete_run, folder_bytes
from napari_unit.runs.files import RunFiles


class Deletion(QObject):
    """Measures a folder, asks whether it is to go, and removes it; on threads, one at a time.

    Parameters
    ----------
    parent
        Over which the question stands.
    root
        Folder of the trainings.
    """

    refused = Signal(object)
    """The `Trouble`, where a training is not deleted."""
    ended = Signal()
    """A folder was measured or removed, or was refused: look at the trainings again."""

    def __init__(self, parent: QWidget, root: Path) -> None:
        super().__init__(parent)
        self._over = parent
        self._root = root
        self._errand: Errand | None = None

    def ask(self, files: RunFiles) -> None:
        """Ask whether a training is to be deleted, and do as the person says."""
        if self._errand is None:
            self._undertake(partial(_measured, files, self._root), partial(self._question, files))

    def let_go(self) -> None:
        """Ask nothing more; a folder that is being removed goes all the same."""
        if self._errand is not None:
            self._errand.abandon()
            self._errand = None

    def _question(self, files: RunFiles, n_bytes: int) -> None:
        box = QMessageBox(self._over)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Delete a training")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(f"Delete the training {files.path.name!r}?")
        box.setInformativeText(
            f"The folder {files.path} and all that is in it, {size_in_words(n_bytes)}, are "
            "removed from the disk for good. Models that you saved among your own stay."
        )
        delete = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)
        assert delete is not None
        delete.clicked.connect(lambda: self._delete(files))
        box.open()

    def _delete(self, files: RunFiles) -> None:
        self._undertake(partial(delete_run, files, self._root), lambda _: None)

    def _undertake(self, job: Callable[[], Any], then: Callable[[Any], None]) -> None:
        errand = self._errand = Errand(once(job))
        errand.succeeded.connect(then)
        errand.failed.connect(self.refused)
        errand.ended.connect(self._rest)
        errand.start()

    def _rest(self) -> None:
        self._errand = None
        self.ended.emit()


def _measured(files: RunFiles, root: Path) -> int:
    """Return how much would be removed, where it may be."""
    check_deletable(files, root)
    return folder_bytes(files.path)
