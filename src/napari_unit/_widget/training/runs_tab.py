"""Watches the trainings there are, and does what is asked for the one that is looked at."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_unit._widget.errands import Errand, once
from napari_unit._widget.model_dialog import ModelDialog
from napari_unit._widget.models_hub import models_hub
from napari_unit._widget.status import StatusPanel
from napari_unit._widget.training.closing import CloseGuard
from napari_unit._widget.training.curves import has_curves, import_drawing
from napari_unit._widget.training.deleting import Deletion
from napari_unit._widget.training.preview_layers import PreviewLayers, read_pictures
from napari_unit._widget.training.run_panel import RunPanel
from napari_unit.models.card import ModelFileError, read_card
from napari_unit.runs.files import RunFiles
from napari_unit.runs.listing import RunList, RunView
from napari_unit.runs.starting import resume_training

_LOOK_INTERVAL_MS = 500


class RunsTab(QWidget):
    """The trainings, looked at twice a second on a thread of their own.

    Parameters
    ----------
    viewer
        In which previews are shown.
    root
        Folder of the trainings.
    """

    found_at_work = Signal()
    """One was at work at the first look."""

    def __init__(self, viewer: Any, root: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._root = root
        self._runs = RunList(root)
        self._look: Errand | None = None
        self._draw: Errand | None = None
        self._resuming: Errand | None = None
        self._drawn: tuple[Path, int] | None = None
        self._to_choose: Path | None = None
        self._is_first_look = True
        self.panel = RunPanel()
        self.status = StatusPanel()
        self.previews = PreviewLayers(viewer)
        self.deletion = Deletion(self, root)
        self._clock = QTimer(self)
        self._clock.setInterval(_LOOK_INTERVAL_MS)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(4, 6, 4, 4)
        outer.setSpacing(8)
        outer.addWidget(self.panel)
        outer.addWidget(self.status)
        outer.addStretch(1)
        self._connect()
        self._clock.start()
        self._look_at_runs()

    def _connect(self) -> None:
        panel = self.panel
        panel.chosen.connect(self._leave_preview)
        panel.resumed.connect(self._resume)
        panel.failed.connect(partial(self.status.say, "error"))
        panel.opened.connect(self._ask_for_run)
        panel.use_asked.connect(self._ask_for_name)
        panel.delete_asked.connect(self._ask_to_delete)
        panel.preview_toggled.connect(self._toggle_preview)
        self.deletion.refused.connect(partial(self.status.say, "error"))
        self.deletion.ended.connect(self._look_at_runs)
        self._clock.timeout.connect(self._look_at_runs)

    def show_run(self, path: Path) -> None:
        """Look at the training in a folder as soon as it is found there."""
        self._to_choose = path
        self._look_at_runs()

    def let_go(self) -> None:
        """Look no more; trainings and preview layers stay."""
        self._clock.stop()
        for errand in (self._look, self._draw, self._resuming):
            if errand is not None:
                errand.abandon()
        self._look = self._draw = self._resuming = None
        self.deletion.let_go()
        self.previews.close()

    def _look_at_runs(self) -> None:
        """Read what is new of all trainings, on a thread; one look at a time."""
        if self._look is not None:
            return
        self._look = Errand(once(self._look_closely))
        self._look.succeeded.connect(self._show_runs)
        self._look.ended.connect(self._end_look)
        self._look.start()

    def _look_closely(self) -> Sequence[RunView]:
        views = self._runs.look()
        if any(has_curves(view.story) for view in views):
            import_drawing()
        return views

    def _end_look(self) -> None:
        self._look = None

    def _show_runs(self, views: list[RunView]) -> None:
        self.panel.show_views(views)
        if self._to_choose is not None and self.panel.run_list.choose(self._to_choose):
            self._to_choose = None
        if self._is_first_look and any(view.is_at_work for view in views):
            self.found_at_work.emit()
        self._is_first_look = False
        self._look_at_preview()

    def _resume(self, files: RunFiles) -> None:
        errand = self._resuming = Errand(once(lambda: resume_training(files)))
        errand.succeeded.connect(lambda _: CloseGuard.of(self.window()).watch(files))
        errand.failed.connect(partial(self.status.say, "error"))
        errand.ended.connect(self._look_at_runs)
        self.status.clear()
        errand.start()

    def _ask_to_delete(self, view: RunView) -> None:
        self.status.clear()
        self.deletion.ask(view.files)

    def _ask_for_run(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Folder of a training", str(self._root))
        if not path:
            return
        self.status.clear()
        try:
            self._runs.open(Path(path))
        except ValueError as error:
            self.status.say("error", str(error))
            return
        self._to_choose = Path(path)
        self._look_at_runs()

    def _toggle_preview(self, shown: bool) -> None:
        self._drawn = None
        if shown:
            self._look_at_preview()
        else:
            self.previews.remove()

    def _leave_preview(self) -> None:
        self.status.clear()
        self._drawn = None

    def _look_at_preview(self) -> None:
        """Read the preview of the training that is looked at, where there is a newer one."""
        view = self.panel.current
        button = self.panel.preview_button
        if not button.isChecked() or view is None or self._draw is not None:
            return
        if self._drawn is not None and not self.previews.are_there:
            button.setChecked(False)  # a person has removed the layers
            return
        path = view.files.latest_preview_path
        try:
            newest = (path, path.stat().st_mtime_ns)
        except OSError:
            return
        if newest == self._drawn:
            return
        self._draw = Errand(once(partial(read_pictures, path)))
        self._draw.succeeded.connect(partial(self._show_pictures, newest))
        self._draw.ended.connect(self._end_drawing)
        self._draw.start()

    def _show_pictures(self, newest: tuple[Path, int], pictures: Any) -> None:
        if not self.panel.preview_button.isChecked():
            return
        if self.previews.are_there:
            self.previews.update(pictures)
        else:
            self.previews.add(pictures)
        self._drawn = newest

    def _end_drawing(self) -> None:
        self._draw = None

    def _ask_for_name(self, view: RunView) -> None:
        path = view.files.model_path
        try:
            card = read_card(path)
        except ModelFileError as error:
            self.status.say("error", str(error))
            return
        dialog = ModelDialog(path, card, self)
        dialog.setWindowTitle("Use this model")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.saved.connect(self._tell_saved)
        self._dialog = dialog
        dialog.open()

    def _tell_saved(self, path: Path) -> None:
        self.status.say("done", f"Saved as {path}; the Translate widget offers it.")
        models_hub().saved.emit(path)
