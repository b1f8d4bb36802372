"""What a training makes of a few fixed crops, as layers that change while it learns."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_unit.runs.latest_preview import LatestPreview, read_latest_preview

_SHOWN = ("a", "a_to_b", "a_to_b_to_a", "b", "b_to_a", "b_to_a_to_b")
_GAP_PX = 4
MARK = "napari_unit_preview"
"""Key of a layer's metadata that tells a preview from the user's own images."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One column of a preview, ready to be a layer.

    Parameters
    ----------
    name
        Of the layer.
    pixels
        All crops below each other: (Y, X) in [-1, 1], or (Y, X, 3) in 0..255.
    column
        Where it stands.
    """

    name: str
    pixels: NDArray[Any]
    column: int


def read_pictures(path: Path) -> list[Picture]:
    """Read the latest preview of a training. Slow enough for a thread of its own.

    Raises
    ------
    OSError, ValueError
        If there is none.
    """
    preview = read_latest_preview(path)
    return [
        Picture(_name(preview, key), _stacked(preview.crops[key]), column)
        for column, key in enumerate(_SHOWN)
    ]


def _name(preview: LatestPreview, key: str) -> str:
    words = dict(zip("ab", preview.domains, strict=True))
    named = " → ".join(words[letter] for letter in key.split("_to_"))
    return named if "→" in named else f"{named} (preview)"


def _stacked(crops: NDArray[Any]) -> NDArray[Any]:
    """Lay crops (B, C, H, W) below each other; more than one channel becomes RGB."""
    values = crops.astype(np.float32)
    if crops.shape[1] == 1:
        return np.concatenate(_with_gaps(list(values[:, 0]), -1.0))
    channels = values[:, :3]
    if channels.shape[1] == 2:  # red and green, as in the trainer's pictures
        channels = np.concatenate([channels, np.full_like(channels[:, :1], -1.0)], axis=1)
    pixels = np.clip(np.rint((channels + 1.0) * 127.5), 0, 255).astype(np.uint8)
    return np.concatenate(_with_gaps(list(pixels.transpose(0, 2, 3, 1)), 0))


def _with_gaps(parts: list[NDArray[Any]], value: float) -> list[NDArray[Any]]:
    gap = np.full((_GAP_PX, *parts[0].shape[1:]), value, parts[0].dtype)
    return [piece for part in parts for piece in (part, gap)][:-1]


class PreviewLayers:
    """Six layers in a row: a, a to b, a to b to a, and the other way.

    Parameters
    ----------
    viewer
        In which they are.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._layers: dict[int, Image] = {}
        self._to_add: list[Image] = []
        self._offset = (0.0, 0.0)
        self._scale = 1.0
        viewer.layers.events.removed.connect(self._forget)

    @property
    def are_there(self) -> bool:
        """Whether any of them is in the viewer."""
        return bool(self._layers)

    def add(self, pictures: list[Picture]) -> None:
        """Add the layers below what the viewer shows; those that are there are replaced."""
        self.remove()
        self._find_place(pictures)
        for picture in pictures:
            self._layers[picture.column] = self._make(picture)
        self._to_add = list(self._layers.values())
        self._add_next()

    def update(self, pictures: list[Picture]) -> None:
        """Show newer pictures in the layers that are there; what a person removed stays away."""
        for picture in pictures:
            layer = self._layers.get(picture.column)
            if layer is None:
                continue
            if layer.data.shape != picture.pixels.shape:
                self.add(pictures)  # of another training
                return
            layer.data = picture.pixels
            if not layer.name.startswith(picture.name):  # of another training; napari may number it
                layer.name = picture.name

    def remove(self) -> None:
        """Take them out of the viewer."""
        layers, self._layers, self._to_add = list(self._layers.values()), {}, []
        # napari collects garbage for each layer that goes, or once for many; older versions never
        at_once = getattr(self._viewer.layers, "batched_update", nullcontext)
        with at_once():
            for layer in layers:
                if layer in self._viewer.layers:
                    self._viewer.layers.remove(layer)

    def close(self) -> None:
        """Leave the layers to the viewer, and look after them no more."""
        self._layers, self._to_add = {}, []
        self._viewer.layers.events.removed.disconnect(self._forget)

    def _add_next(self) -> None:
        """Add one layer; napari takes a tenth of a second for it, and the window a turn between."""
        if not self._to_add:
            return
        self._viewer.add_layer(self._to_add.pop(0))
        if self._to_add:
            QTimer.singleShot(0, self._add_next)
        else:
            self._viewer.reset_view()  # they would be out of sight

    def _forget(self, event: Any) -> None:
        removed = getattr(event.value, "__wrapped__", event.value)
        self._layers = {c: layer for c, layer in self._layers.items() if layer is not removed}

    def _find_place(self, pictures: list[Picture]) -> None:
        """Choose a place below all other layers, as wide as they are."""
        width_px = sum(p.pixels.shape[1] + _GAP_PX for p in pictures) + _GAP_PX
        self._offset, self._scale = (0.0, 0.0), 1.0
        if not len(self._viewer.layers):
            return
        extent = np.asarray(self._viewer.layers.extent.world)[:, -2:]
        if not np.isfinite(extent).all() or extent[1, 1] <= extent[0, 1]:
            return
        self._scale = float(extent[1, 1] - extent[0, 1]) / width_px
        self._offset = (
            float(extent[1, 0]) + 4 * _GAP_PX * self._scale,
            float(extent[0, 1]),
        )

    def _make(self, picture: Picture) -> Image:
        width = picture.pixels.shape[1]
        # the two ways stand apart by one more gap
        shift = picture.column * (width + _GAP_PX) + (picture.column >= 3) * _GAP_PX
        is_rgb = picture.pixels.ndim == 3
        return Image(
            picture.pixels,
            name=picture.name,
            rgb=is_rgb,
            contrast_limits=None if is_rgb else (-1.0, 1.0),
            scale=(self._scale, self._scale),
            translate=(self._offset[0], self._offset[1] + shift * self._scale),
            units=self._units(),
            interpolation2d="nearest",
            metadata={MARK: True},
        )

    def _units(self) -> Any:
        """Return the units of the other layers: napari cannot show a scale bar for two kinds."""
        if not len(self._viewer.layers):
            return None
        units = getattr(self._viewer.layers.extent, "units", None)
        return None if units is None else tuple(units)[-2:]
