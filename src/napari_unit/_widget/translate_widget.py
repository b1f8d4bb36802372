"""The dock widget that translates a layer."""

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtCore import QEvent
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_unit._widget.form import TranslationForm
from napari_unit._widget.status import StatusPanel
from napari_unit._widget.style import stylesheet
from napari_unit._widget.translation_worker import RunningTranslation
from napari_unit.images.layers import TranslationResult, make_layer
from napari_unit.pace import duration_in_words
from napari_unit.provenance import remarks

if TYPE_CHECKING:
    import napari.viewer


class TranslateWidget(QWidget):
    """Choose a layer, a model and a direction; the translation comes as a new layer.

    Parameters
    ----------
    napari_viewer
        The viewer that the widget is docked in.
    """

    _running: RunningTranslation | None = None

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._began_s = 0.0
        self.form = TranslationForm(napari_viewer)
        self.run_button = QPushButton("Run")
        self.cancel_button = QPushButton("Cancel")
        self.status = StatusPanel()
        self._lay_out()
        self._connect()
        self._restyle()
        self._settle()
        if self.form.model_choice.problems:
            self.status.say("error", " ".join(self.form.model_choice.problems))

    def _lay_out(self) -> None:
        self.run_button.setObjectName("primary")
        self.run_button.setToolTip("Translate the layer; the result is a new layer.")
        self.cancel_button.setToolTip("Stop after the tile that is being computed; keep nothing.")
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.cancel_button)
        for button in (self.run_button, self.cancel_button):
            button.setAutoDefault(True)  # the return key presses it, as the space bar does
        outer = QVBoxLayout(self)
        outer.setContentsMargins(10, 8, 10, 10)
        outer.setSpacing(8)
        outer.addWidget(self.form)
        outer.addLayout(buttons)
        outer.addWidget(self.status)

    def _connect(self) -> None:
        self.form.changed.connect(self._settle)
        self.form.edited.connect(self.status.clear)
        self.form.edited.connect(self._settle)
        self.form.refused.connect(partial(self.status.say, "error"))
        self.run_button.clicked.connect(self._start)
        self.cancel_button.clicked.connect(self._cancel)
        self._viewer.events.theme.connect(self._restyle)

    def _restyle(self, event: Any = None) -> None:
        self.setStyleSheet(stylesheet(get_theme(self._viewer.theme)))

    def _settle(self) -> None:
        """Enable what can be used now, and say why nothing can be run."""
        runs, reason = self._running is not None, self.form.reason()
        self.form.setEnabled(not runs)
        self.run_button.setEnabled(not runs and reason is None)
        if runs:
            return
        self.cancel_button.setEnabled(False)
        if reason is not None and self.status.kind != "error":
            self.status.say("hint", reason)
        elif reason is None and self.status.kind == "hint":
            self.status.clear()

    def _start(self) -> None:
        self.form.bring_up_to_date()  # what napari does not tell of, such as a new scale
        if self.form.image is None or self.form.reason() is not None:
            return
        running = RunningTranslation(self.form.image, self.form.request())
        self._running = running
        running.told.connect(self.status.tell)
        running.canceling.connect(self._show_canceling)
        running.succeeded.connect(self._add_layer)
        running.failed.connect(partial(self.status.say, "error"))
        running.ended.connect(self._rest)
        self.destroyed.connect(running.abandon)
        self._began_s = time.monotonic()
        self.status.clear()
        self.status.work("Loading the model…")
        self._settle()
        self.cancel_button.setEnabled(True)
        self.cancel_button.setFocus()
        running.start()

    def _cancel(self) -> None:
        if self._running is not None:
            self._running.cancel()

    def _show_canceling(self) -> None:
        self.cancel_button.setEnabled(False)
        self.status.work("Stopping after this tile…")

    def _add_layer(self, result: TranslationResult) -> None:
        layer = self._viewer.add_layer(make_layer(result))
        took = duration_in_words(time.monotonic() - self._began_s)
        added = f"Added the layer {layer.name!r} after {took}."
        self.status.say("done", " ".join([added, *remarks(result.provenance)]))

    def _rest(self) -> None:
        self._running = None
        self.status.rest()
        if self.status.kind is None:
            self.status.say("done", "Canceled; no layer was added.")
        # a person who has gone on to something else meanwhile keeps the keyboard there
        stays = self.window().focusWidget() is self.cancel_button
        self._settle()
        if stays:
            self.run_button.setFocus()

    def changeEvent(self, event: QEvent) -> None:
        """Stop the job when the dock is closed: napari then takes the widget out of it."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._abandon()
        super().changeEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop the job when the widget is closed as a window of its own."""
        self._abandon()
        super().closeEvent(event)

    def _abandon(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.abandon()
            self.status.rest()
            self._settle()
