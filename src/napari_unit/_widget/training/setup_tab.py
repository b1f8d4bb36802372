"""From images to a training that runs: choose, check, start."""

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_unit._widget.errands import Errand, once
from napari_unit._widget.status import StatusPanel
from napari_unit._widget.training import preparing
from napari_unit._widget.training.closing import CloseGuard
from napari_unit._widget.training.preparing import Checked, Wanted
from napari_unit._widget.training.setup_form import SetupForm
from napari_unit.runs.files import RunFiles
from napari_unit.runs.inspection import DomainInspection
from napari_unit.runs.sentences import without_folders


class SetupTab(QWidget):
    """The form of a new training, and what is done with it.

    Parameters
    ----------
    viewer
        Whose layers are offered.
    root
        Folder of the trainings.
    """

    started = Signal(object)
    """A training was started: its `RunFiles`."""

    def __init__(self, viewer: Any, root: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._root = root
        self._checked: tuple[Wanted, Checked] | None = None
        self._found: list[DomainInspection] = []
        self._busy: Errand | None = None
        self.form = SetupForm(viewer)
        self.check_button = QPushButton("Check images")
        self.start_button = QPushButton("Start training")
        self.cancel_button = QPushButton("Cancel")
        self.status = StatusPanel()
        self._lay_out()
        self.form.changed.connect(self._forget_check)
        self.check_button.clicked.connect(self._check)
        self.start_button.clicked.connect(self._start)
        self.cancel_button.clicked.connect(self._cancel)
        self._settle()

    def _lay_out(self) -> None:
        self.check_button.setToolTip(
            "Look at the images as the training will, and show what they are taken for."
        )
        self.start_button.setToolTip("Train in a process of its own; napari stays free.")
        self.cancel_button.setToolTip("Stop what is being prepared; nothing of it stays.")
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        for button, stretch in (
            (self.check_button, 1), (self.start_button, 1), (self.cancel_button, 0),
        ):  # fmt: skip
            button.setAutoDefault(True)  # the return key presses it, as the space bar does
            buttons.addWidget(button, stretch)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(4, 6, 4, 4)
        outer.setSpacing(8)
        outer.addWidget(self.form)
        outer.addLayout(buttons)
        outer.addWidget(self.status)
        outer.addStretch(1)

    def let_go(self) -> None:
        """Stop what is being prepared, and leave nothing of it."""
        busy, self._busy = self._busy, None
        if busy is not None:
            busy.abandon()
        checked, self._checked = self._checked, None
        if checked is not None:
            checked[1].discard()

    def _settle(self) -> None:
        """Enable what can be used now, and say what is missing."""
        is_busy, reason = self._busy is not None, self.form.reason()
        is_ready = self._checked is not None and not self._checked[1].problems
        self.form.setEnabled(not is_busy)
        self.check_button.setEnabled(not is_busy and reason is None)
        self.start_button.setEnabled(not is_busy and reason is None and is_ready)
        self.cancel_button.setVisible(is_busy)
        _make_primary(self.start_button if is_ready else self.check_button,
                      self.check_button if is_ready else self.start_button)  # fmt: skip
        if is_busy:
            return
        if reason is not None and self.status.kind != "error":
            self.status.say("hint", reason)
        elif reason is None and self.status.kind == "hint":
            self.status.clear()

    def _forget_check(self) -> None:
        checked, self._checked = self._checked, None
        if checked is not None:
            checked[1].discard()
        self._found = []
        self.form.show_found(())
        self.status.clear()
        self._settle()

    def _check(self) -> None:
        self._forget_check()
        try:
            wanted = self.form.wanted()
        except ValueError as error:
            self.status.say("error", f"{error} Name the axes under More options.")
            return
        errand = self._undertake(
            lambda: preparing.check(wanted, self._root),
            "Looking at the images…",
            self._keep(wanted),
        )
        errand.told.connect(self._tell)

    def _keep(self, wanted: Wanted) -> Any:
        def keep(checked: Checked) -> None:
            self._checked = (wanted, checked)
            self.form.show_found(checked.found)
            notes = [note for one in checked.found for note in one.notes]
            if checked.problems:
                self.status.say("error", without_folders(" ".join(checked.problems)))
            else:
                said = " ".join(["The images can be learned from.", *notes])
                self.status.say("done", without_folders(said))

        return keep

    def _tell(self, news: Any) -> None:
        if isinstance(news, DomainInspection):
            self._found.append(news)
            self.form.show_found(tuple(self._found))
        else:
            self.status.tell(news)

    def _start(self) -> None:
        if self._checked is None:
            return
        _, checked = self._checked
        try:
            wanted = self.form.wanted()  # the time may have changed since the check
        except ValueError as error:
            self.status.say("error", str(error))
            return
        self._checked = None
        self._undertake(
            once(lambda: preparing.start(checked, wanted, self._root)),
            "Starting…",
            self._tell_started,
        )

    def _tell_started(self, files: RunFiles) -> None:
        CloseGuard.of(self.window()).watch(files)
        self.form.show_found(())
        self.started.emit(files)

    def _undertake(self, job: Any, phase: str, then: Any) -> Errand:
        errand = self._busy = Errand(job)
        errand.succeeded.connect(then)
        errand.failed.connect(partial(self.status.say, "error"))
        errand.ended.connect(self._rest)
        self.status.clear()
        self.status.work(phase)
        self._settle()
        self.cancel_button.setFocus()
        errand.start()
        return errand

    def _cancel(self) -> None:
        if self._busy is not None:
            self._busy.cancel()
            self.cancel_button.setEnabled(False)

    def _rest(self) -> None:
        self._busy = None
        # a person who has gone on to something else meanwhile keeps the keyboard there
        stays = self.window().focusWidget() is self.cancel_button
        self.cancel_button.setEnabled(True)
        self.status.rest()
        self._settle()
        if stays:
            (self.start_button if self.start_button.isEnabled() else self.check_button).setFocus()


def _make_primary(primary: QPushButton, other: QPushButton) -> None:
    for button, name in ((primary, "primary"), (other, "")):
        if button.objectName() != name:
            button.setObjectName(name)
            # Qt looks at a name only when it styles the button anew
            style = button.style()
            assert style is not None
            style.unpolish(button)
            style.polish(button)
