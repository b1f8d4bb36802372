"""How a training is doing, and what can be asked of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_unit._widget.status import wrapping_label
from napari_unit._widget.training.curves import Curves
from napari_unit._widget.training.run_list import RunListWidget
from napari_unit._widget.training.words import (
    notes_in_words,
    pace_in_words,
    quality_in_words,
    state_in_words,
    troubles_in_words,
)
from napari_unit.runs.control import Control, Request
from napari_unit.runs.listing import RunView

if TYPE_CHECKING:
    from pathlib import Path

_BAR_STEPS = 1000


class RunPanel(QWidget):
    """A list of trainings; what the chosen one tells; buttons for what can be asked of it."""

    chosen = Signal()
    """Another training is looked at."""
    resumed = Signal(object)
    """Someone wants to go on with a training: its files."""
    opened = Signal()
    """Someone wants to open the folder of a training elsewhere."""
    failed = Signal(str)
    """A training could not be asked for something: a sentence."""
    use_asked = Signal(object)
    """Someone wants the model of a training: its `RunView`."""
    delete_asked = Signal(object)
    """Someone wants to be rid of a training: its `RunView`."""
    preview_toggled = Signal(bool)
    """Someone wants the preview layers, or not."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._to_stop: set[Path] = set()
        self.run_list = RunListWidget()
        self.empty_note = wrapping_label("note")
        self.state_label = wrapping_label("state")
        self.bar = QProgressBar()
        self.pace_label = wrapping_label("note")
        self.trouble_label = wrapping_label("message")
        self.quality_label = wrapping_label("note")
        self.notes_label = wrapping_label("note")
        self.curves = Curves()
        self.pause_button = QPushButton("Pause")
        self.stop_button = QPushButton("Stop")
        self.checkpoint_button = QPushButton("Save")
        self.resume_button = QPushButton("Resume")
        self.preview_button = QPushButton("Preview")
        self.use_button = QPushButton("Use this model…")
        self.delete_button = QPushButton("Delete…")
        self.report_button = QPushButton("Report")
        self.folder_button = QPushButton("Folder")
        self.open_button = QPushButton("Open…")
        self._lay_out()
        self._explain()
        self._connect()
        self.show_views([])

    def _lay_out(self) -> None:
        self.bar.setRange(0, _BAR_STEPS)
        self.bar.setAccessibleName("Progress")
        buttons = QGridLayout()
        buttons.setSpacing(4)
        rows = (
            (self.pause_button, self.stop_button, self.checkpoint_button, self.resume_button),
            (self.preview_button, self.report_button, self.folder_button, self.open_button),
        )
        for row, in_row in enumerate(rows):
            for column, button in enumerate(in_row):
                button.setAutoDefault(True)  # the return key presses it, as the space bar does
                buttons.addWidget(button, row, column)
        self.use_button.setObjectName("primary")
        last = QHBoxLayout()
        last.setSpacing(4)
        for button, stretch in ((self.use_button, 1), (self.delete_button, 0)):
            button.setAutoDefault(True)
            last.addWidget(button, stretch)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(5)
        label = QLabel("Trainings")
        label.setBuddy(self.run_list)
        outer.addWidget(label)
        for part in (
            self.run_list, self.empty_note, self.state_label, self.bar, self.pace_label,
            self.trouble_label, self.curves, self.quality_label,
        ):  # fmt: skip
            outer.addWidget(part)
        outer.addLayout(buttons)
        outer.addLayout(last)
        outer.addWidget(self.notes_label)  # last: they can be long

    def _explain(self) -> None:
        self.trouble_label.setProperty("kind", "hint")
        self.run_list.setAccessibleName("Trainings")
        self.run_list.setToolTip("Trainings in your folder, those that run first.")
        self.pause_button.setToolTip("Wait after the step at work, or go on. Memory stays taken.")
        self.stop_button.setToolTip("Save after the step at work and end; it can be resumed.")
        self.checkpoint_button.setToolTip("Save a checkpoint after the step at work, and go on.")
        self.resume_button.setToolTip("Go on with this training where it was last saved.")
        self.preview_button.setCheckable(True)
        self.preview_button.setToolTip(
            "Show a few fixed crops and their translations as layers that change as it learns."
        )
        self.report_button.setToolTip("Open the page on this training in the browser.")
        self.folder_button.setToolTip("Open the folder of this training.")
        self.open_button.setToolTip("Look at a training in another folder.")
        self.use_button.setToolTip(
            "Save the best model among your own, and choose it in the Translate widget."
        )
        self.delete_button.setToolTip(
            "Remove the folder of this training from the disk; you are asked first. Models that "
            "you saved among your own stay."
        )

    def _connect(self) -> None:
        self.run_list.chosen.connect(self.chosen)
        self.run_list.chosen.connect(self._show_current)
        self.run_list.delete_pressed.connect(self.delete_button.click)
        self.pause_button.clicked.connect(self._pause_or_go_on)
        self.stop_button.clicked.connect(lambda: self._ask("stop"))
        self.checkpoint_button.clicked.connect(lambda: self._ask("checkpoint"))
        self.resume_button.clicked.connect(self._resume)
        self.preview_button.toggled.connect(self.preview_toggled)
        self.report_button.clicked.connect(lambda: self._open(report=True))
        self.folder_button.clicked.connect(lambda: self._open(report=False))
        self.open_button.clicked.connect(self.opened)
        self.use_button.clicked.connect(self._use)
        self.delete_button.clicked.connect(self._delete)

    @property
    def current(self) -> RunView | None:
        """The training that is looked at."""
        return self.run_list.current

    def show_views(self, views: Sequence[RunView]) -> None:
        """Show the trainings as they are now; the one that is looked at stays."""
        self.run_list.show_views(views)
        self.empty_note.setText("There is no training yet." if not views else "")
        self.empty_note.setVisible(not views)
        self._insist()
        self._show_current()

    def _show_current(self) -> None:
        view = self.current
        self._enable(view)
        parts = (self.state_label, self.bar, self.pace_label, self.trouble_label,
                 self.quality_label, self.notes_label, self.curves)  # fmt: skip
        if view is None:
            for part in parts:
                part.hide()
            return
        story = view.story
        self._say(self.state_label, state_in_words(view))
        total = story.images_total
        self.bar.setVisible(view.is_at_work)
        if total and view.state != "starting":
            self.bar.setRange(0, _BAR_STEPS)
            self.bar.setValue(min(_BAR_STEPS, story.images_seen * _BAR_STEPS // total))
        else:
            self.bar.setRange(0, 0)
        runs = view.state in ("running", "stopping") and story.reports
        pace = pace_in_words(story.reports[-1], is_open=total is None) if runs else ""
        self._say(self.pace_label, pace)
        self._say(self.trouble_label, troubles_in_words(view))
        self._say(self.quality_label, quality_in_words(view))
        self._say(self.notes_label, notes_in_words(view))
        self.curves.show()
        self.curves.show_story(story)

    def _say(self, label: QLabel, text: str) -> None:
        label.setText(text)
        label.setVisible(bool(text))

    def _enable(self, view: RunView | None) -> None:
        asked = set() if view is None else Control(view.files.control).asked()
        listens = view is not None and view.state in ("running", "paused")
        # one that starts forgets what it was asked before; a stop is asked again
        can_stop = listens or (view is not None and view.state == "starting")
        self.pause_button.setEnabled(listens and "stop" not in asked)
        self.pause_button.setText("Go on" if "pause" in asked and listens else "Pause")
        self.stop_button.setEnabled(can_stop and "stop" not in asked)
        runs = view is not None and view.state == "running"
        self.checkpoint_button.setEnabled(runs and "checkpoint" not in asked)
        self.resume_button.setEnabled(view is not None and view.can_resume)
        self.use_button.setEnabled(view is not None and view.has_model)
        self.delete_button.setEnabled(view is not None and not view.is_at_work)
        has_preview = view is not None and view.files.latest_preview_path.is_file()
        self.preview_button.setEnabled(has_preview or self.preview_button.isChecked())
        self.report_button.setEnabled(view is not None and view.files.report_path.is_file())
        self.folder_button.setEnabled(view is not None)

    def _insist(self) -> None:
        """Ask again to stop: what is asked before a training listens is forgotten by it."""
        for view in self.run_list.views:
            if view.files.path not in self._to_stop:
                continue
            if view.is_at_work:
                self._tell(view, "stop")
            else:
                self._to_stop.discard(view.files.path)

    def _ask(self, request: Request) -> None:
        view = self.current
        if view is None:
            return
        if request == "stop" and view.state == "starting":
            self._to_stop.add(view.files.path)
        self._tell(view, request)
        self._enable(view)

    def _pause_or_go_on(self) -> None:
        if self.current is None:
            return
        is_paused = Control(self.current.files.control).asks_for("pause")
        self._tell(self.current, "pause", take_back=is_paused)
        self._enable(self.current)

    def _tell(self, view: RunView, request: Request, *, take_back: bool = False) -> None:
        control = Control(view.files.control)
        try:
            if take_back:
                control.obeyed(request)
            else:
                control.ask(request)
        except OSError as error:
            self.failed.emit(f"The training {view.name!r} cannot be asked for anything: {error}.")

    def _resume(self) -> None:
        if self.current is not None:
            self.resume_button.setEnabled(False)
            self.resumed.emit(self.current.files)

    def _use(self) -> None:
        if self.current is not None:
            self.use_asked.emit(self.current)

    def _delete(self) -> None:
        if self.current is not None:
            self.delete_asked.emit(self.current)

    def _open(self, *, report: bool) -> None:
        if self.current is not None:
            files = self.current.files
            path = files.report_path if report else files.path
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
