"""Carry many fields of an image through the networks together, measuring layer by layer.

A layer's statistics depend on those of the layers before it. So all fields reach a layer, their
moments are pooled, the layer is frozen, and all fields go on. Coarse maps are kept from layer
to layer; fine maps are large and few layers make them, so they are computed again, block by
block, from the image or from the last coarse map.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_unit.engine.convolution import convolve
from napari_unit.engine.devices import calm
from napari_unit.engine.folding import Layer, apply_frozen, make_layer
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.runner import BLOCK_PX, FeatureMap, Route, run_in_blocks
from napari_unit.engine.sweep_plan import FieldPlan, SweepPlan
from napari_unit.geometry.regions import Region, RegionStep, plan_region
from napari_unit.geometry.tiling import Span, step_for
from napari_unit.models.normalisation import Moments, merge_all


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """What a sweep found.

    Parameters
    ----------
    moments
        Per normalisation, and in it per field.
    layers
        The route's layers, frozen by the pooled moments.
    maps
        Per field, the last coarse map: the input of ``route.steps[route.up]``.
    """

    moments: tuple[tuple[Moments, ...], ...]
    layers: tuple[Layer, ...]
    maps: tuple[FeatureMap, ...]


def sweep(
    plan: SweepPlan, planes: PaddedPlanes, device: torch.device
) -> Generator[int, None, Swept]:
    """Carry a plan out.

    Parameters
    ----------
    plan
        What to compute.
    planes
        The image.
    device
        Where to compute.

    Yields
    ------
    Pieces computed so far, of ``plan.n_pieces``.
    """
    fields = [_CarriedField(field, plan.route, planes, device) for field in plan.fields]
    layers: list[Layer] = []
    per_norm: list[tuple[Moments, ...]] = []
    done = 0
    for index, step in enumerate(plan.route.steps):
        moments: Moments | None = None
        if index < plan.n_steps:
            raw = make_layer(step, None, device)
            for field in fields:
                for number in range(len(field.plan.pieces[index])):
                    with calm():
                        field.compute(index, number, [*layers, raw])
                    done += 1
                    yield done
            if step.block.norm is not None:
                per_norm.append(tuple(field.take_moments() for field in fields))
                moments = merge_all(per_norm[-1])
            if plan.route.down - 1 <= index < plan.route.up:
                for field in fields:
                    with calm():
                        field.freeze(index, moments)
        layers.append(make_layer(step, moments, device))
    return Swept(tuple(per_norm), tuple(layers), tuple(field.coarse for field in fields))


class _CarriedField:
    """A field on its way through the layers.

    Parameters
    ----------
    plan
        Of the field.
    route
        The layers.
    planes, device
        As of `sweep`.
    """

    def __init__(
        self, plan: FieldPlan, route: Route, planes: PaddedPlanes, device: torch.device
    ) -> None:
        self.plan = plan
        self._route = route
        self._planes = planes
        self._device = device
        self._moments: list[Moments] = []
        self._input: FeatureMap | None = None  # of the current step, where maps are coarse
        self._output: FeatureMap | None = None
        self._skip: FeatureMap | None = None
        self._lost: FeatureMap | None = None  # rows of the input that the output has replaced

    @property
    def coarse(self) -> FeatureMap:
        """The last coarse map."""
        assert self._input is not None
        return self._input

    def compute(self, index: int, number: int, layers: Sequence[Layer]) -> None:
        """Compute one piece of a step's output by all layers up to it, the last one raw."""
        piece = self.plan.pieces[index][number]
        if self._route.down <= index < self._route.up:
            self._count(index, piece, self._compute_strip(index, number, layers[-1]))
            return
        for block, values in self._blocks(index, piece, layers):
            self._count(index, block, values)
            if index == self._route.down - 1:
                self._keep(index, block, values)

    def take_moments(self) -> Moments:
        """Return the moments of the step just computed, and forget them."""
        pooled = merge_all(self._moments)
        self._moments = []
        # clones, because tensors of inference mode are of no use to who computes gradients
        return Moments(pooled.count, pooled.mean.clone(), pooled.squared_deviations.clone())

    def freeze(self, index: int, moments: Moments | None) -> None:
        """Normalise the coarse output just computed, and make it the next step's input."""
        step, output = self._route.steps[index], self._output
        assert output is not None
        skip = None
        if step.skip == "close":
            assert self._skip is not None
            skip, self._skip = self._skip.read(output.region), None
        apply_frozen(step, moments, output.values, skip)
        self._input, self._output, self._lost = output, None, None

    def _blocks(
        self, index: int, piece: Region, layers: Sequence[Layer]
    ) -> Iterator[tuple[Region, Tensor]]:
        padded, route = self._planes.size, self._route
        block_px = max(1, BLOCK_PX * route.size_at(index + 1, padded)[0] // padded[0])
        if index >= route.up:
            return run_in_blocks(layers[route.up :], self.coarse, piece, block_px)
        source = plan_region(route.geometry[: index + 1], padded, piece)[0].source
        unit = torch.from_numpy(self._planes.read(self.plan.field.plane, source))[None]
        values = unit.to(layers[0].direct.weight)
        return run_in_blocks(layers, FeatureMap(values, source, padded), piece, block_px)

    def _count(self, index: int, region: Region, values: Tensor) -> None:
        norm = self._route.steps[index].block.norm
        counted = region.common(self.plan.cores[index])
        if norm is not None and counted is not None:
            rows, columns = counted.within(region)
            self._moments.append(norm.measure(values[:, :, rows, columns]))

    def _keep(self, index: int, region: Region, values: Tensor) -> None:
        """Put part of a coarse output where the whole of it is collected."""
        target = self.plan.targets[index]
        if self._output is None:
            size = self._route.size_at(index + 1, self._planes.size)
            if region == target:
                self._output = FeatureMap(values, region, size)
                return
            shape = (1, values.shape[1], target.rows.length, target.columns.length)
            whole = torch.empty(
                shape,
                dtype=values.dtype,
                device=values.device,
                memory_format=torch.channels_last,
            )
            self._output = FeatureMap(whole, target, size)
        self._output.read(region).copy_(values)

    def _compute_strip(self, index: int, number: int, layer: Layer) -> Tensor:
        """Compute one strip of a coarse step's output, in place of its input where it may be."""
        strips, source, target = self.plan.pieces[index], self.coarse, self.plan.targets[index]
        is_kept = self._route.steps[index].skip == "open"
        if is_kept:
            self._skip = source
        step = _strip_step(layer, source, strips[number])
        values = convolve(layer, self._strip_input(step.source), step)
        if len(strips) > 1 and values.shape[1] == source.values.shape[1] and not is_kept:
            if self._output is None:
                self._output = FeatureMap(source.read(target), target, source.size)
            if number + 1 < len(strips):
                following = _strip_step(layer, source, strips[number + 1]).source
                rows = Span(following.rows.start, strips[number].rows.stop)
                self._save_rows(Region(rows, following.columns))
        self._keep(index, strips[number], values)
        if number + 1 == len(strips):
            self._input = None  # one map less, times the fields, until all of them are here
        return values

    def _strip_input(self, needed: Region) -> Tensor:
        if self._lost is None:
            return self.coarse.read(needed)
        rest = Region(Span(self._lost.region.rows.stop, needed.rows.stop), needed.columns)
        return torch.cat([self._lost.values, self.coarse.read(rest)], dim=2)

    def _save_rows(self, rows: Region) -> None:
        """Copy rows of the input that this strip's output replaces and the next strip sees."""
        self._lost = FeatureMap(self.coarse.read(rows).clone(), rows, self.coarse.size)


def _strip_step(layer: Layer, source: FeatureMap, strip: Region) -> RegionStep:
    height, width = source.size
    return RegionStep(
        step_for(layer.geometry, height, strip.rows),
        step_for(layer.geometry, width, strip.columns),
    )
