"""An image and its translation side by side, each in its own part of the canvas."""

from typing import Any

from napari.layers import Layer


class SideBySide:
    """Shows two layers beside each other, and everything as it was when that ends.

    The two parts of the canvas pan and zoom together.

    Parameters
    ----------
    viewer
        That has the layers.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._before: tuple[dict[str, Any], list[tuple[Layer, bool]]] | None = None

    @property
    def is_on(self) -> bool:
        """Whether two layers are shown beside each other."""
        return self._before is not None

    @property
    def _grid(self) -> Any:
        return getattr(self._viewer, "canvas", self._viewer).grid

    def show(self, source: Layer, translation: Layer) -> None:
        """Show two layers of the viewer beside each other, and hide the others."""
        self.end()
        grid = self._grid
        fields = {name: getattr(grid, name) for name in ("enabled", "shape", "stride")}
        layers = [getattr(layer, "__wrapped__", layer) for layer in self._viewer.layers]
        self._before = fields, [(layer, layer.visible) for layer in layers]
        for layer in layers:
            layer.visible = layer in (source, translation)
        # from the bottom of the list to its top: the image is left of its translation
        grid.stride = 1
        grid.shape = (1, -1)
        grid.enabled = True

    def end(self) -> None:
        """Show everything as it was, as far as it is still there."""
        if self._before is None:
            return
        fields, visible = self._before
        self._before = None
        for name, value in fields.items():
            setattr(self._grid, name, value)
        for layer, was_visible in visible:
            if layer in self._viewer.layers:
                layer.visible = was_visible
