"""A layer in which the tiles of a translation appear as they are finished."""

import time
from typing import Any

from napari.layers import Image

from napari_unit._widget.translating.selection import selection_kept
from napari_unit.images.layers import TranslationResult, layer_fields, make_layer

_PAUSE = 8.0
"""Time without drawing after each drawing, in units of the time that it took."""
_LEAST_PAUSE_S = 0.4
_LARGEST_PX = 4096
"""Side of what is drawn at once; of larger images every second, fourth ... pixel is a level."""


class FillingLayer:
    """Shows a result while it fills, and what it became in the end; or nothing.

    Parameters
    ----------
    viewer
        Where the layer is added, above all others.
    begun
        The result, black so far.
    """

    def __init__(self, viewer: Any, begun: TranslationResult) -> None:
        self._viewer = viewer
        levels = _strided(begun)
        fields = layer_fields(begun)
        fields["metadata"] = {"napari_unit": {**begun.provenance, "unfinished": True}}
        self._given_name = f"{fields['name']} (unfinished)"
        self._is_final_shape = len(levels) == len(begun.levels) == 1
        self.layer: Image = Image(
            list(levels) if len(levels) > 1 else levels[0],
            multiscale=len(levels) > 1,
            **{**fields, "name": self._given_name},
        )
        with selection_kept(viewer.layers):
            viewer.add_layer(self.layer)
        self._next_s = 0.0

    @property
    def is_there(self) -> bool:
        """Whether nobody has deleted it."""
        return self.layer in self._viewer.layers

    def refresh(self) -> None:
        """Draw what has come since, unless that was done a moment ago."""
        if not self.is_there or time.monotonic() < self._next_s:
            return
        began = time.monotonic()
        self.layer.refresh(extent=False, thumbnail=False)
        ended = time.monotonic()
        self._next_s = ended + max(_LEAST_PAUSE_S, _PAUSE * (ended - began))

    def finish(self, result: TranslationResult) -> Image:
        """Show the whole result; return its layer."""
        name = self.layer.name if self.layer.name != self._given_name else result.name
        if self._is_final_shape and self.is_there:
            self.layer.metadata = {"napari_unit": result.provenance}
            self.layer.name = name
            self.layer.refresh(extent=False)
            return self.layer
        made = make_layer(result)
        if self.is_there:
            place = self._viewer.layers.index(self.layer)
            made.visible, made.name = self.layer.visible, name
            with selection_kept(self._viewer.layers):
                self._viewer.layers.remove(self.layer)
                self._viewer.layers.insert(place, made)
            return made
        with selection_kept(self._viewer.layers):
            self._viewer.add_layer(made)
        return made

    def discard(self) -> None:
        """Take the layer away: what is unfinished must not look whole."""
        if self.is_there:
            with selection_kept(self._viewer.layers):
                self._viewer.layers.remove(self.layer)


def _strided(begun: TranslationResult) -> tuple[Any, ...]:
    """Return the result and, where it is large, views of every second, fourth ... pixel of it."""
    levels = [begun.levels[0]]
    y, x = begun.axes.y, begun.axes.x
    step = 1
    while max(levels[-1].shape[y], levels[-1].shape[x]) > _LARGEST_PX:
        step *= 2
        index: list[slice] = [slice(None)] * levels[0].ndim
        index[y] = index[x] = slice(None, None, step)
        levels.append(begun.levels[0][tuple(index)])
    return tuple(levels)
