"""What translations leave in the viewer: layers that fill, that are done, pairs to compare."""

from typing import Any

from napari.layers import Image

from napari_unit._widget.translating.compare import SideBySide
from napari_unit._widget.translating.filling import FillingLayer
from napari_unit._widget.translating.selection import selection_kept
from napari_unit.images.layers import TranslationResult, make_layer
from napari_unit.lazy_layer import show_when_measured


class ResultLayers:
    """The layers of results.

    Parameters
    ----------
    viewer
        Where they are added.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._begun: TranslationResult | None = None
        self._filling: FillingLayer | None = None
        self._pair: tuple[Image, Image] | None = None
        self._side_by_side = SideBySide(viewer)

    def begin(self, result: TranslationResult) -> None:
        """Take a result that is black so far."""
        self._begun = result

    def draw(self) -> None:
        """Show the tiles that have come since, in a layer that is added for the first."""
        begun, self._begun = self._begun, None
        if begun is not None:
            self._filling = FillingLayer(self._viewer, begun)
        elif self._filling is not None:
            self._filling.refresh()

    def add(self, result: TranslationResult, source: Image | None) -> Image:
        """Show a result that is whole; return its layer.

        Parameters
        ----------
        result
            Of a translation.
        source
            The layer that it was made of; None where it came from a file.
        """
        filling, self._filling, self._begun = self._filling, None, None
        if filling is not None:
            layer = filling.finish(result)
        else:
            layer = make_layer(result)
            if result.opening is not None:
                show_when_measured(layer, result.opening)
            with selection_kept(self._viewer.layers):
                self._viewer.add_layer(layer)
        if source is not None:
            self._pair = (source, layer)
        return layer

    def discard(self) -> None:
        """Take away what is unfinished."""
        filling, self._filling, self._begun = self._filling, None, None
        if filling is not None:
            filling.discard()

    @property
    def can_compare(self) -> bool:
        """Whether there is an image and its translation to put beside each other."""
        there = self._viewer.layers
        return self._pair is not None and all(layer in there for layer in self._pair)

    def compare(self, shown: bool) -> None:
        """Show the last translation beside its image, or everything as it was."""
        if not shown:
            self._side_by_side.end()
        elif self.can_compare and self._pair is not None:
            self._side_by_side.show(*self._pair)
