"""Three ways to translate one region of a plane: from its pixels, from kept maps, on its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_unit.engine.devices import calm
from napari_unit.engine.folding import Layer
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.runner import BLOCK_PX, FeatureMap, Route, assemble, translate_region
from napari_unit.geometry.regions import Region, plan_region
from napari_unit.geometry.tiling import Span
from napari_unit.models.model import TranslationModel


class Translator(Protocol):
    """Translates any region of any plane of an image."""

    def translate(self, plane: int, target: Region) -> NDArray[np.float32]:
        """Return the translation (C, Y, X) of a region, in [-1, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class FromPixels:
    """Translates with frozen normalisations, from the pixels around the region.

    Parameters
    ----------
    route, layers
        The networks, and their frozen layers on their device.
    planes
        The image.
    """

    route: Route
    layers: Sequence[Layer]
    planes: PaddedPlanes

    def translate(self, plane: int, target: Region) -> NDArray[np.float32]:
        """Return the translation (C, Y, X) of a region, in [-1, 1]."""
        source = plan_region(self.route.geometry, self.planes.size, target)[0].source
        unit = torch.from_numpy(self.planes.read(plane, source))[None]
        with calm():
            values = unit.to(self.layers[0].direct.weight)
            tile = FeatureMap(values, source, self.planes.size)
            return _pixels(
                translate_region(self.layers, self.route, tile, target, _block_px(values, target))
            )


@dataclass(frozen=True, slots=True, eq=False)
class FromMaps:
    """Translates from the coarse maps that measuring a whole image has left.

    Parameters
    ----------
    route, layers
        The networks, and their frozen layers on their device.
    maps
        Per plane, the whole map behind ``route.steps[route.up - 1]``.
    """

    route: Route
    layers: Sequence[Layer]
    maps: Sequence[FeatureMap]

    def translate(self, plane: int, target: Region) -> NDArray[np.float32]:
        """Return the translation (C, Y, X) of a region, in [-1, 1]."""
        coarse = self.maps[plane]
        with calm():
            block_px = _block_px(coarse.values, target)
            tile = assemble(self.layers[self.route.up :], coarse, target, block_px)
            return _pixels(tile.values)


@dataclass(frozen=True, slots=True, eq=False)
class OnItsOwn:
    """Translates each region with a halo as if it were an image, normalised by itself.

    That is what tiled predictors commonly do. Neighbouring regions are normalised differently.

    Parameters
    ----------
    model
        On the device where it is to run.
    source, target
        Names of the domains.
    planes
        The image.
    halo_px
        Pixels around the region, a multiple of the lattice.
    """

    model: TranslationModel
    source: str
    target: str
    planes: PaddedPlanes
    halo_px: int

    def translate(self, plane: int, target: Region) -> NDArray[np.float32]:
        """Return the translation (C, Y, X) of a region, in [-1, 1]."""
        height, width = self.planes.size
        around = Region(
            _with_halo(target.rows, self.halo_px, height),
            _with_halo(target.columns, self.halo_px, width),
        )
        unit = torch.from_numpy(self.planes.read(plane, around))[None]
        rows, columns = target.within(around)
        with calm():
            values = unit.to(next(self.model.parameters()))
            translated = self.model.translate(values, self.source, self.target)
            return _pixels(translated[:, :, rows, columns])


def _with_halo(span: Span, halo_px: int, length: int) -> Span:
    return Span(max(0, span.start - halo_px), min(length, span.stop + halo_px))


def _block_px(values: Tensor, target: Region) -> int:
    """Return a block that suits a CPU's cache; other devices take a tile at once."""
    if values.device.type == "cpu":
        return BLOCK_PX
    return max(target.rows.length, target.columns.length)


def _pixels(tile: Tensor) -> NDArray[Any]:
    return tile[0].float().cpu().numpy()
