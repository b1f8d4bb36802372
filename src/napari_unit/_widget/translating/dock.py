"""The dock widget that translates layers."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout

from napari_unit._widget.docked import DockedWidget
from napari_unit._widget.models_hub import models_hub
from napari_unit._widget.scrolled import scrolled
from napari_unit._widget.status import StatusPanel, wrapping_label
from napari_unit._widget.translating.asked import items_of
from napari_unit._widget.translating.batch import Item
from napari_unit._widget.translating.expectation import Expectation
from napari_unit._widget.translating.form import TranslationForm
from napari_unit._widget.translating.preview import LivePreview
from napari_unit._widget.translating.queue import TranslationQueue
from napari_unit._widget.translating.remembered import recall, remember
from napari_unit._widget.translating.results import ResultLayers
from napari_unit._widget.trouble import Trouble
from napari_unit.images.layers import TranslationResult
from napari_unit.images.source_image import SourceImage
from napari_unit.pace import duration_in_words
from napari_unit.provenance import remarks

if TYPE_CHECKING:
    import napari.viewer
    from napari.layers import Image

_MODEL_ENDING = ".safetensors"


class TranslateWidget(DockedWidget):
    """Choose images, a model and a direction; each translation comes as a new layer.

    Parameters
    ----------
    napari_viewer
        The viewer that the widget is docked in.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__(napari_viewer)
        self._source: Image | None = None
        self._began_s = 0.0
        self._n_done = 0
        self._is_canceled = False
        self._complaints: list[Trouble] = []
        self.form = TranslationForm(napari_viewer)
        self.queue = TranslationQueue(self)
        self.preview = LivePreview(napari_viewer, self)
        self.results = ResultLayers(napari_viewer)
        self.expectation = Expectation(self.form)
        self.preview_box = QCheckBox("Preview what is seen")
        self.preview_label = wrapping_label("note")
        self.estimate_label = wrapping_label("note")
        self.run_button = QPushButton("Run")
        self.cancel_button = QPushButton("Cancel")
        self.compare_button = QPushButton("Side by side")
        self.status = StatusPanel()
        self._lay_out()
        self._explain()
        self._connect()
        self.restyle()
        recall(self.form)
        self._settle()
        if self.form.model_choice.problems:
            self.status.say("error", " ".join(self.form.model_choice.problems))

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.compare_button)
        for button in (self.run_button, self.cancel_button, self.compare_button):
            button.setAutoDefault(True)  # the return key presses it, as the space bar does
        outer = QVBoxLayout(self)
        outer.setContentsMargins(10, 8, 10, 10)
        outer.setSpacing(6)
        outer.addWidget(scrolled(self.form, self.preview_box, self.preview_label), 1)
        outer.addWidget(self.estimate_label)
        outer.addLayout(buttons)
        outer.addWidget(self.status)

    def _explain(self) -> None:
        self.setAcceptDrops(True)
        self.run_button.setObjectName("primary")
        self.compare_button.setCheckable(True)
        self.run_button.setToolTip("Translate; the image stays as it is.")
        self.cancel_button.setToolTip(
            "Stop after the tile that is being computed. What is finished of a file is kept, and "
            "running again with the same choices goes on there."
        )
        self.preview_box.setToolTip(
            "Show a translation of what the canvas shows, which follows as you pan and zoom. The "
            "image is measured first."
        )
        self.compare_button.setToolTip("Show the image and its translation beside each other.")

    def _connect(self) -> None:
        form, queue, preview = self.form, self.queue, self.preview
        form.changed.connect(self._settle)
        form.changed.connect(self._preview_anew)
        form.edited.connect(self.status.clear)
        form.edited.connect(self._settle)
        form.refused.connect(partial(self.status.say, "error"))
        self.expectation.told.connect(self.estimate_label.setText)
        self.run_button.clicked.connect(self._start)
        self.cancel_button.clicked.connect(queue.cancel)
        self.preview_box.toggled.connect(self._switch_preview)
        self.compare_button.toggled.connect(self.results.compare)
        queue.told.connect(self._tell)
        queue.begun.connect(self._begin)
        queue.canceling.connect(self._show_canceling)
        queue.succeeded.connect(self._take)
        queue.failed.connect(self._take_failure)
        queue.ended.connect(self._rest)
        preview.told.connect(self.preview_label.setText)
        preview.failed.connect(partial(self.status.say, "error"))
        preview.ended.connect(partial(self.preview_box.setChecked, False))
        self._viewer.layers.events.removed.connect(self._forget_pair)
        models_hub().saved.connect(self._adopt)
        self.destroyed.connect(queue.abandon)
        self.destroyed.connect(preview.abandon)

    def _settle(self) -> None:
        """Enable what can be used now, and say why nothing can be run."""
        runs, reason = self.queue.is_running, self.form.reason()
        self.form.setEnabled(not runs)
        self.run_button.setEnabled(not runs and reason is None)
        previews = self.preview_box.isChecked() or (reason is None and not self.form.is_batch)
        self.preview_box.setEnabled(not runs and previews)
        self.compare_button.setEnabled(self.results.can_compare or self.compare_button.isChecked())
        if runs:
            return
        self.cancel_button.setEnabled(False)
        if reason is not None and self.status.kind != "error":
            self.status.say("hint", reason)
        elif reason is None and self.status.kind == "hint":
            self.status.clear()

    def _start(self) -> None:
        self.form.bring_up_to_date()  # what napari does not tell of, such as a new scale
        if self.form.reason() is not None:
            return
        try:
            items = items_of(self.form)
        except ValueError as error:
            self.status.say("error", str(error))
            return
        remember(self.form)
        self.compare_button.setChecked(False)
        if not self.form.is_batch and self.form.image is not None:
            # what the preview has measured need not be measured again
            known = self.preview.calibration(self.form.image, items[0].request)
            items = [item.calibrated(known) for item in items]
        self.preview_box.setChecked(False)
        self._source = None if self.form.is_batch else self.form.layer_choice.layer
        self._began_s = time.monotonic()
        self._n_done, self._complaints, self._is_canceled = 0, [], False
        self.status.clear()
        self.status.work("Loading the model…")
        self.queue.run(items, lazy=self.form.output.kind == "lazy")
        self._settle()
        self.cancel_button.setEnabled(True)
        self.cancel_button.setFocus()

    def _adopt(self, path: Path) -> None:
        """Choose a model that was just trained and saved."""
        self.form.model_choice.reload()
        if not self.queue.is_running:
            self.form.model_choice.choose(path)

    def _tell(self, progress: Any) -> None:
        of = f"Image {self.queue.number} of {self.queue.n_items}: "
        self.status.tell(progress, of if self.queue.n_items > 1 else "")
        if progress.phase == "tiles":  # until then the image is seen
            self.results.draw()

    def _show_canceling(self) -> None:
        self._is_canceled = True
        self.cancel_button.setEnabled(False)
        self.status.work("Stopping after this tile…")

    def _begin(self, item: Item, result: TranslationResult) -> None:
        self.results.begin(result)

    def _take(self, item: Item, result: TranslationResult) -> None:
        layer = self.results.add(result, self._source)
        self._n_done += 1
        took = time.monotonic() - self._began_s
        if self.queue.n_items > 1:
            return
        if result.opening is None:
            # of a file that the thread has opened, all is translated
            image = item.image if isinstance(item.image, SourceImage) else result.source
            self.expectation.note(image, result.source, item.request, took)
        added = f"Added the layer {layer.name!r} after {duration_in_words(took)}."
        if result.path is not None:
            added = f"Wrote {result.path} and opened it after {duration_in_words(took)}."
            self.form.output.done()
        self.status.say("done", " ".join([added, *_remarks(result)]))

    def _take_failure(self, item: Item, trouble: Trouble) -> None:
        self.results.discard()
        if self.queue.n_items > 1:
            sentence, details = trouble.sentence, trouble.details
            self._complaints.append(Trouble(f"{item.name}: {sentence}", f"{item.name}\n{details}"))
        else:
            self.status.say("error", trouble)

    def _rest(self) -> None:
        self.results.discard()  # canceled in between
        self.status.rest()
        n = self.queue.n_items
        if n > 1:
            how = "Canceled after" if self._is_canceled else "Translated"
            done = f"{how} {self._n_done} of {n} images."
            sentences = [done, *(one.sentence for one in self._complaints)]
            details = "\n\n".join(one.details for one in self._complaints)
            self.status.say("error" if self._complaints else "done",
                            Trouble(" ".join(sentences), details))  # fmt: skip
        elif self.status.kind is None:
            self.status.say("done", "Canceled; no layer was added.")
        # a person who has gone on to something else meanwhile keeps the keyboard there
        stays = self.window().focusWidget() is self.cancel_button
        self._settle()
        if stays:
            self.run_button.setFocus()

    def _forget_pair(self, event: Any = None) -> None:
        if not self.results.can_compare:
            self.compare_button.setChecked(False)
            self.compare_button.setEnabled(False)

    def _switch_preview(self, on: bool) -> None:
        self.preview_label.setVisible(on)
        if on:
            self._preview_anew()
        else:
            self.preview.stop()

    def _preview_anew(self) -> None:
        """Preview what is chosen now, where it is another thing than what is previewed."""
        if not self.preview_box.isChecked() or self.queue.is_running:
            return
        layer, image = self.form.layer_choice.layer, self.form.image
        if layer is None or image is None or self.form.reason() is not None:
            self.preview.stop()
        elif not self.preview.shows(image, self.form.request()):
            self.preview.start(layer, image, self.form.request())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take a model file that is dragged over the widget."""
        if _model_of(event) is not None and self.form.isEnabled():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the model file that is dropped."""
        path = _model_of(event)
        if path is not None:
            self.form.model_row.open(path)
            event.acceptProposedAction()

    def let_go(self) -> None:
        """Stop everything, and leave nothing unfinished in the viewer."""
        self.preview.stop()
        if self.queue.is_running:
            self.queue.abandon()
            self.results.discard()
            self.status.rest()
            self._settle()


def _remarks(result: TranslationResult) -> list[str]:
    """Return what a person should know of a result; nothing of it is known of a lazy one yet."""
    return [] if result.opening is not None else remarks(result.provenance)


def _model_of(event: Any) -> Path | None:
    """Return the model file that is dragged."""
    urls = event.mimeData().urls()
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return paths[0] if len(paths) == 1 and paths[0].suffix == _MODEL_ENDING else None
