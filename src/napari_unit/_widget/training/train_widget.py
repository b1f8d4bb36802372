"""The dock widget that trains a model."""

from typing import TYPE_CHECKING, Any

from napari.utils.theme import get_theme
from qtpy.QtWidgets import QTabWidget, QVBoxLayout

from napari_unit._widget.docked import DockedWidget
from napari_unit._widget.scrolled import scrolled
from napari_unit._widget.training.runs_tab import RunsTab
from napari_unit._widget.training.setup_tab import SetupTab
from napari_unit.runs.files import RunFiles
from napari_unit.runs.starting import runs_root

if TYPE_CHECKING:
    import napari.viewer


class TrainWidget(DockedWidget):
    """Choose images of two domains, look at what they are taken for, train, and watch.

    Trainings run in processes of their own: they go on when napari is closed, and are found again.

    Parameters
    ----------
    napari_viewer
        The viewer that the widget is docked in.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__(napari_viewer)
        root = runs_root()
        self.setup = SetupTab(napari_viewer, root)
        self.runs = RunsTab(napari_viewer, root)
        self.tabs = QTabWidget()
        self.tabs.addTab(scrolled(self.setup), "New")
        self.tabs.addTab(scrolled(self.runs), "Trainings")
        self.tabs.setDocumentMode(True)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(6, 4, 6, 6)
        outer.addWidget(self.tabs)
        self.setup.started.connect(self._show_started)
        self.runs.found_at_work.connect(self._show_runs)
        self.restyle()

    def restyle(self, event: Any = None) -> None:
        """Take the colours of the viewer's theme, in the diagrams as well."""
        super().restyle()
        self.runs.panel.curves.restyle(get_theme(self._viewer.theme))

    def _show_started(self, files: RunFiles) -> None:
        self._show_runs()
        self.runs.show_run(files.path)

    def _show_runs(self) -> None:
        self.tabs.setCurrentIndex(1)

    def let_go(self) -> None:
        """Look no more, and prepare nothing; trainings go on."""
        self.setup.let_go()
        self.runs.let_go()
