"""What happens to trainings when the window closes in which they were started."""

from collections.abc import Sequence
from typing import Any

from napari.utils.notifications import show_error
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_unit.runs.control import Control
from napari_unit.runs.files import RunFiles
from napari_unit.runs.starting import is_own_child


class CloseGuard(QObject):
    """Asks, before a window closes, what is to become of the trainings that were started in it.

    It belongs to the window: closing the dock widget alone leaves it, and the trainings, as they
    are. A window that a script closes is not asked about: the trainings go on.

    Parameters
    ----------
    window
        Napari's main window.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._runs: list[RunFiles] = []
        self._is_answered = False
        window.installEventFilter(self)

    @classmethod
    def of(cls, widget: QWidget) -> "CloseGuard":
        """Return the guard of a widget's main window; made when it is asked for first."""
        window = widget.window()
        while (owner := window.parentWidget()) is not None:  # of a dock that floats
            window = owner.window()
        found: Any = window.findChild(cls)
        return found if found is not None else cls(window)

    def watch(self, files: RunFiles) -> None:
        """Ask about this training."""
        self._runs.append(files)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Ask when the window is about to close; True keeps it open."""
        if event is None or event.type() != QEvent.Type.Close or watched is not self._window:
            return False
        alive = [files for files in self._runs if is_own_child(files)]
        if not alive or self._is_answered or _is_closed_by_script(self._window):
            return False
        answer = ask(self._window, [files.path.name for files in alive])
        if answer == "cancel" or (answer == "stop" and not _are_told_to_stop(alive)):
            event.ignore()
            return True
        # napari may send the event again; or ask something, too, and stay open after all
        self._is_answered = True
        QTimer.singleShot(0, self._ask_again)
        return False

    def _ask_again(self) -> None:
        self._is_answered = False


def ask(window: QWidget, names: Sequence[str]) -> str:
    """Return ``"keep"``, ``"stop"`` or ``"cancel"``, as the person says."""
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle("A training is running")
    what = f"The training {names[0]!r} is" if len(names) == 1 else f"{len(names)} trainings are"
    box.setText(f"{what} still running.")
    box.setInformativeText(
        "It can go on without napari: the Train widget finds it again the next time. Or it is "
        "stopped after the step at work and saved, and can be resumed."
    )
    keep = box.addButton("Keep training", QMessageBox.ButtonRole.AcceptRole)
    stop = box.addButton("Stop and save", QMessageBox.ButtonRole.DestructiveRole)
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(keep)
    box.setEscapeButton(cancel)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    return "keep" if clicked is keep else "stop" if clicked is stop else "cancel"


def _are_told_to_stop(runs: Sequence[RunFiles]) -> bool:
    for files in runs:
        try:
            Control(files.control).ask("stop")
        except OSError as error:
            show_error(f"The training {files.path.name!r} cannot be told to stop: {error}.")
            return False
    return True


def _is_closed_by_script(window: Any) -> bool:
    """Tell whether ``viewer.close()`` closes the window: it has closed the canvas before."""
    canvas = getattr(window, "_qt_viewer", None)
    return canvas is not None and canvas.isHidden()
