"""What the dock widget tells below its buttons: how far it is, what is missing, what went wrong."""

import time
from typing import Any, Literal

from qtpy.QtCore import Qt
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_unit._widget.fold import Fold
from napari_unit._widget.trouble import Trouble
from napari_unit.pace import Pace, phase_in_words

_BAR_STEPS = 1000
_DETAILS_PX = 150
Kind = Literal["hint", "error", "done"]


def wrapping_label(role: str) -> QLabel:
    """Return an empty label that breaks its lines."""
    label = QLabel()
    label.setProperty("role", role)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


class StatusPanel(QWidget):
    """A progress bar while a job runs, and a sentence when there is something to say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.phase = QLabel()
        self.time_left = QLabel()
        self.bar = QProgressBar()
        self.bar.setAccessibleName("Progress")
        self.steps = QLabel()
        self.steps.setProperty("role", "note")
        self.message = wrapping_label("message")
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setTabChangesFocus(True)
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.details.setMinimumHeight(_DETAILS_PX)
        self.details.setAccessibleName("Details")
        self.details_fold = Fold("Details")
        self.details_fold.setToolTip("What to send along when you ask for help.")
        self.details_fold.hold(self.details)
        self.kind: Kind | None = None
        heading = QHBoxLayout()
        heading.addWidget(self.phase, 1)
        heading.addWidget(self.time_left)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(heading)
        for part in (self.bar, self.steps, self.message, self.details_fold, self.details):
            layout.addWidget(part)
        self._pace = Pace()
        self.rest()
        self.clear()

    def say(self, kind: Kind, said: str | Trouble) -> None:
        """Show a sentence; another one replaces it. Details of a trouble can be unfolded."""
        trouble = said if isinstance(said, Trouble) else Trouble(said)
        self.kind = kind
        self.message.setProperty("kind", kind)
        # Qt looks at a property only when it styles the label anew
        self.message.style().unpolish(self.message)
        self.message.style().polish(self.message)
        self.message.setText(trouble.sentence)
        self.message.show()
        self.details.setPlainText(trouble.details)
        self.details_fold.setChecked(False)
        self.details_fold.setVisible(bool(trouble.details))

    def clear(self) -> None:
        """Take the sentence away."""
        self.kind = None
        self.message.clear()
        self.message.hide()
        self.details_fold.setChecked(False)
        self.details_fold.hide()

    def work(self, phase: str) -> None:
        """Show that something is going on, and what, without knowing how long it takes."""
        self._pace = Pace()
        self.bar.setRange(0, 0)
        self.phase.setText(phase)
        self.time_left.clear()
        self.steps.clear()
        self._show_progress(True)

    def tell(self, progress: Any, of: str = "") -> None:
        """Show how far the job is.

        Parameters
        ----------
        progress
            A `napari_unit.engine.run.Progress`.
        of
            Of which job, put in front of the phase.
        """
        self._pace.take_note(progress.phase, progress.done, progress.total, time.monotonic())
        # Qt counts in 32 bits
        self.bar.setRange(0, _BAR_STEPS)
        self.bar.setValue(progress.done * _BAR_STEPS // max(1, progress.total))
        self.phase.setText(of + phase_in_words(progress.phase))
        self.time_left.setText(self._pace.left_in_words())
        self.steps.setText(self._pace.in_words())

    def rest(self) -> None:
        """Take the progress away."""
        self._show_progress(False)

    def _show_progress(self, shown: bool) -> None:
        for part in (self.phase, self.time_left, self.bar, self.steps):
            part.setVisible(shown)
