"""Three ways to translate one region of a plane: from its pixels, from kept maps, on its own."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_unit.engine.calibration import Calibration
from napari_unit.engine.devices import calm, resolve_device
from napari_unit.engine.folding import Layer, make_layer
from napari_unit.engine.measuring import Measured
from napari_unit.engine.planes import PaddedPlanes, PlaneSource
from napari_unit.engine.planning import TranslationPlan
from napari_unit.engine.runner import (
    BLOCK_PX,
    FeatureMap,
    Route,
    assemble,
    route_of,
    translate_region,
)
from napari_unit.engine.settings import Precision
from napari_unit.engine.states import LastMaps
from napari_unit.engine.statistics import NormStatistics
from napari_unit.engine.sweep import Sweeper
from napari_unit.geometry.regions import Region, plan_region
from napari_unit.geometry.tiling import Span, padded_length
from napari_unit.models.model import TranslationModel


class Translator(Protocol):
    """Translates any region of any plane of an image."""

    def read(self, plane: int, target: Region) -> NDArray[np.float32] | None:
        """Read what translating a region takes, on any thread."""

    def translate(
        self, plane: int, target: Region, read: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the translation (C, Y, X) of a region, in [-1, 1], given what was read for it."""


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

    def read(self, plane: int, target: Region) -> NDArray[np.float32]:
        """Return the pixels (C, Y, X) around the region."""
        return self.planes.read(plane, self._source(target))

    def translate(
        self, plane: int, target: Region, read: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the translation (C, Y, X) of a region, in [-1, 1]."""
        assert read is not None
        with calm():
            values = _on_device(read, self.layers[0].direct.weight)
            tile = FeatureMap(values, self._source(target), self.planes.size)
            return _pixels(
                translate_region(self.layers, self.route, tile, target, _block_px(values, target))
            )

    def _source(self, target: Region) -> Region:
        return plan_region(self.route.geometry, self.planes.size, target)[0].source


class FromMaps:
    """Translates from the maps that measuring a whole image has left.

    Parameters
    ----------
    sweeper, states
        After the sweep; its fields cover every plane.
    layers
        All of the route's, in another precision than the sweeper's.
    """

    def __init__(
        self, sweeper: Sweeper, states: LastMaps, layers: Sequence[Layer] | None = None
    ) -> None:
        self._sweeper = sweeper
        self._states = states
        stop = sweeper.plan.route.kept[1]
        self._layers = (sweeper.layers if layers is None else layers)[stop:]
        self._held: tuple[int, FeatureMap] | None = None

    def read(self, plane: int, target: Region) -> None:
        """Return nothing: the maps lie in the sweep's states."""

    def translate(
        self, plane: int, target: Region, read: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the translation (C, Y, X) of a region, in [-1, 1]."""
        layers = self._layers
        parts = []
        for number, field in enumerate(self._sweeper.plan.fields):
            part = field.field.core.common(target) if field.field.plane == plane else None
            if part is not None:
                kept = self._map(number)
                with calm():
                    made = assemble(layers, kept, part, _block_px(kept.values, part))
                    parts.append((part, _pixels(made.values)))
        if len(parts) == 1:
            return parts[0][1]
        whole = np.empty((len(parts[0][1]), target.rows.length, target.columns.length), np.float32)
        for part, values in parts:
            rows, columns = part.within(target)
            whole[:, rows, columns] = values
        return whole

    def _map(self, number: int) -> FeatureMap:
        """Return the map of a field; the last one is held, as neighbouring regions share it."""
        if self._held is None or self._held[0] != number:
            self._held = None
            self._held = (number, self._states.last_map(self._sweeper, number))
        return self._held[1]


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

    def read(self, plane: int, target: Region) -> NDArray[np.float32]:
        """Return the pixels (C, Y, X) of the region and its halo."""
        return self.planes.read(plane, self._around(target))

    def translate(
        self, plane: int, target: Region, read: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the translation (C, Y, X) of a region, in [-1, 1]."""
        assert read is not None
        rows, columns = target.within(self._around(target))
        with calm():
            values = torch.from_numpy(read)[None].to(next(self.model.parameters()))
            translated = self.model.translate(values, self.source, self.target)
            return _pixels(translated[:, :, rows, columns])

    def _around(self, target: Region) -> Region:
        height, width = self.planes.size
        return Region(
            _with_halo(target.rows, self.halo_px, height),
            _with_halo(target.columns, self.halo_px, width),
        )


def translator_for(
    plan: TranslationPlan, model: TranslationModel, planes: PlaneSource, measured: Measured
) -> Translator:
    """Return what translates any region of an image with its calibration.

    Parameters
    ----------
    plan, model, planes
        As of `run_plan`.
    measured
        The calibration; its maps are used where they are there.
    """
    device = resolve_device(plan.device)
    padded = PaddedPlanes(planes, measured.calibration.window, plan.size)
    if plan.settings.statistics == "tile":
        halo_px = -(-plan.reach_px // plan.lattice_px) * plan.lattice_px
        on_device = model if next(model.parameters()).device == device else copy.deepcopy(model)
        names = (plan.source_domain, plan.target_domain)
        return OnItsOwn(on_device.to(device), *names, padded, halo_px)
    if plan.reuses_maps and measured.swept is not None:
        sweeper, layers = measured.swept.sweeper, None
        if plan.settings.precision != "float32":
            assert measured.calibration.statistics is not None
            layers = frozen_layers(
                sweeper.plan.route, measured.calibration.statistics, plan.size, device,
                plan.settings.precision,
            )  # fmt: skip
        return FromMaps(sweeper, measured.swept.states, layers)
    return frozen_translator(plan, model, planes, measured.calibration)


def frozen_translator(
    plan: TranslationPlan, model: TranslationModel, planes: PlaneSource, calibration: Calibration
) -> FromPixels:
    """Return what translates any region from the pixels around it.

    Parameters
    ----------
    plan, model
        As of `run_plan`.
    planes
        The image, or a smaller level of it.
    calibration
        Of the image; not of tiles on their own.
    """
    assert calibration.statistics is not None
    route = route_of(model.steps(plan.source_domain, plan.target_domain))
    size = (
        padded_length(planes.height, route.geometry),
        padded_length(planes.width, route.geometry),
    )
    device = resolve_device(plan.device)
    layers = frozen_layers(route, calibration.statistics, size, device, plan.settings.precision)
    return FromPixels(route, layers, PaddedPlanes(planes, calibration.window, size))


def frozen_layers(
    route: Route,
    statistics: NormStatistics,
    size: tuple[int, int],
    device: torch.device,
    precision: Precision = "float32",
) -> tuple[Layer, ...]:
    """Return a route's layers, frozen by these statistics.

    The last layer runs in float32 in any case: near -1, bfloat16 has steps of a grey level.

    Raises
    ------
    ValueError
        If the statistics are those of other networks.
    """
    with_norm = [step for step in route.steps if step.block.norm is not None]
    if len(with_norm) != len(statistics.moments):
        raise ValueError(
            f"The statistics are of {len(statistics.moments)} normalisations, but the model has "
            f"{len(with_norm)}; measure the image again with this model."
        )
    moments = iter(statistics.moments)
    return tuple(
        make_layer(
            step,
            None if step.block.norm is None else next(moments),
            device,
            route.size_at(index + 1, size),
            torch.bfloat16 if precision == "bfloat16" and index + 1 < len(route.steps) else None,
        )
        for index, step in enumerate(route.steps)
    )


def _on_device(pixels: NDArray[np.float32], like: Tensor) -> Tensor:
    values = torch.from_numpy(pixels)[None]
    if like.device.type == "cuda":
        # from pinned memory the copy runs while the device still computes the tile before
        return values.pin_memory().to(like.device, non_blocking=True).to(like.dtype)
    return values.to(like)


def _with_halo(span: Span, halo_px: int, length: int) -> Span:
    return Span(max(0, span.start - halo_px), min(length, span.stop + halo_px))


def _block_px(values: Tensor, target: Region) -> int:
    """Return a block that suits a CPU's cache; other devices take a tile at once."""
    if values.device.type == "cpu":
        return BLOCK_PX
    return max(target.rows.length, target.columns.length)


def _pixels(tile: Tensor) -> NDArray[Any]:
    return tile[0].float().cpu().numpy()
