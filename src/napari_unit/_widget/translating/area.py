"""Which part of the image is translated: all of it, what is seen, or a rectangle that is drawn."""

from typing import Any

from napari.layers import Image
from qtpy.QtCore import Signal

from napari_unit._widget.choices import Choice, OptionChoice
from napari_unit._widget.options import Option
from napari_unit._widget.translating.seen import (
    Ranges,
    rectangle,
    rectangles,
    seen_area,
    seen_planes,
)
from napari_unit.images.axes import Axes

_WHOLE: Option = ("whole", "Whole image", "Every row and column.")
_VIEW: Option = ("view", "Current view", "What the canvas shows when Run is pressed.")
PLANES: tuple[Option, ...] = (
    ("all", "All planes", "Every slice and time point; all with the same calibration."),
    ("current", "Current plane", "The one at which the sliders stand when Run is pressed."),
)


class AreaChoice(Choice):
    """A choice between the whole image, the current view, and rectangles in Shapes layers.

    Parameters
    ----------
    viewer
        Whose layers are offered.
    """

    changed = Signal()
    """Another area is chosen."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        events = viewer.layers.events
        for name in {"inserted", "removed", "reordered", "renamed"} & set(events.emitters):
            getattr(events, name).connect(self.reload)
        self.reload()
        self.currentIndexChanged.connect(self.changed)

    def reload(self, event: Any = None) -> None:
        """Offer the Shapes layers that there are now; the choice stays while its layer is there."""
        chosen = self.currentData()
        entries = [_WHOLE, _VIEW]
        for shapes in rectangles(self._viewer.layers):
            meaning = "The rectangle that is selected in this layer, else the one drawn last."
            entries.append((shapes, f"Rectangle in {shapes.name!r}", meaning))
        self.offer(entries)
        kept = [i for i in range(self.count()) if self.itemData(i) == chosen]
        blocked = self.blockSignals(True)
        self.setCurrentIndex(kept[0] if kept else 0)
        self.blockSignals(blocked)
        if not kept:
            self.changed.emit()

    def ranges(self, layer: Image, axes: Axes) -> Ranges | None:
        """Return what is chosen, now; None is all rows and columns.

        Raises
        ------
        ValueError
            If there is no such part; the message says why.
        """
        chosen = self.currentData()
        if chosen == "whole":
            return None
        if chosen == "view":
            return seen_area(self._viewer, layer, axes)
        return rectangle(chosen, layer, axes)


class PlanesChoice(OptionChoice):
    """A choice between all planes of a stack and the current one.

    Parameters
    ----------
    viewer
        Whose sliders count.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__(PLANES)
        self._viewer = viewer

    def ranges(self, layer: Image, axes: Axes) -> Ranges | None:
        """Return what is chosen, now; None is all planes."""
        return seen_planes(self._viewer, layer, axes) if self.value == "current" else None
