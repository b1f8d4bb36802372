"""Carry fields of an image through the networks, measuring layer by layer.

A layer's statistics depend on those of the layers before it. So all fields reach a layer, their
moments are pooled, the layer is frozen, and all fields go on. Small maps are kept from layer to
layer; those at full resolution are large and few layers make them, so they are computed again,
block by block, from the image or from the last map that was kept.

`Sweeper` takes one field one step further. Where the fields are in between, `states` decides.
"""

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_unit.engine.convolution import convolve
from napari_unit.engine.devices import calm
from napari_unit.engine.folding import Frozen, Layer, apply_frozen, make_layer
from napari_unit.engine.planes import PaddedPlanes
from napari_unit.engine.runner import FeatureMap, run_in_blocks
from napari_unit.engine.spare import SpareMemory
from napari_unit.engine.sweep_plan import FieldPlan, SweepPlan
from napari_unit.geometry.regions import Region, RegionStep, plan_region
from napari_unit.geometry.tiling import Span, step_for
from napari_unit.models.normalisation import Moments, merge_all


@dataclass(slots=True, eq=False)
class FieldState:
    """A field between two steps.

    Parameters
    ----------
    map
        What the last step has put out, its normalisation not yet carried out; None before the
        first map that is kept.
    skip
        What the next closing step adds to its output.
    is_raw
        Whether the map's normalisation, activation and skip are still to come.
    """

    map: FeatureMap | None = None
    skip: FeatureMap | None = None
    is_raw: bool = True

    def to(self, device: torch.device) -> "FieldState":
        """Return the state on a device; maps that are there already are not copied."""
        return FieldState(_to(self.map, device), _to(self.skip, device), self.is_raw)


def _to(kept: FeatureMap | None, device: torch.device) -> FeatureMap | None:
    return None if kept is None else FeatureMap(kept.values.to(device), kept.region, kept.size)


class Sweeper:
    """Takes fields through the layers, one step at a time.

    Parameters
    ----------
    plan
        What to compute.
    planes
        The image.
    device
        Where to compute.

    Attributes
    ----------
    spare
        Memory for maps; None where every field has its own.
    """

    def __init__(self, plan: SweepPlan, planes: PaddedPlanes, device: torch.device) -> None:
        self.plan = plan
        self.planes = planes
        self.device = device
        self.layers: list[Layer] = []
        self.moments: list[Frozen | None] = []
        self.spare: SpareMemory | None = None
        self._raw: dict[int, Layer] = {}

    def freeze(self, moments: Frozen | None) -> None:
        """Give the moments of the next step, None where it has no normalisation."""
        index = len(self.layers)
        size = self.plan.route.size_at(index + 1, self.plan.size)
        step = self.plan.route.steps[index]
        self.layers.append(make_layer(step, moments, self.device, size))
        self.moments.append(moments)

    def advance(
        self, number: int, index: int, state: FieldState
    ) -> Generator[int, None, tuple[FieldState, Moments | None]]:
        """Take one field through one step; those before it must be frozen.

        Parameters
        ----------
        number
            Of the field.
        index
            Of the step.
        state
            The field behind the step before; its maps are written over.

        Yields
        ------
        Multiplications carried out, piece by piece.

        Returns
        -------
        The field behind this step, and what was measured of it.
        """
        field = self.plan.fields[number]
        first, stop = self.plan.route.kept
        moments: list[Moments] = []
        state = state.to(self.device)
        if index <= first:
            state = yield from self._from_pixels(field, index, moments)
        elif index < stop:
            state = yield from self._from_map(field, index, state, moments)
        else:
            state = yield from self._to_full_resolution(field, index, state, moments)
        # clones, because tensors of inference mode are of no use to who computes gradients
        pooled = merge_all(moments).clone() if moments else None
        return state, pooled

    def finished(self, state: FieldState) -> FeatureMap:
        """Return the last kept map, normalised."""
        stop = self.plan.route.kept[1]
        made = state.to(self.device)
        with calm():
            self._normalise(stop - 1, made)
        assert made.map is not None
        return made.map

    def _from_pixels(
        self, field: FieldPlan, index: int, moments: list[Moments]
    ) -> Generator[int, None, FieldState]:
        route, size = self.plan.route, self.planes.size
        layers = [*self.layers[:index], self._raw_layer(index)]
        block_px = max(1, self.plan.pieces.block_px * route.size_at(index + 1, size)[0] // size[0])
        collected = None
        for piece in field.pieces[index]:
            with calm():
                source = plan_region(route.geometry[: index + 1], size, piece)[0].source
                unit = torch.from_numpy(self.planes.read(field.field.plane, source))[None]
                values = unit.to(layers[0].direct.weight)
                image = FeatureMap(values, source, size)
                for block, made in run_in_blocks(layers, image, piece, block_px):
                    self._count(field, index, block, made, moments)
                    if index == route.kept[0]:
                        collected = self._collect(field, index, collected, block, made)
            yield self.plan.work[index] * piece.n_px
        return FieldState(collected)

    def _from_map(
        self, field: FieldPlan, index: int, state: FieldState, moments: list[Moments]
    ) -> Generator[int, None, FieldState]:
        """Compute a map from the one before it, strip by strip, in memory that is there already."""
        route, layer = self.plan.route, self._raw_layer(index)
        opens = route.steps[index].skip == "open"
        closed = route.steps[index - 1].skip == "close"
        keeps_shape = _keeps_shape(layer)
        with calm():
            if not keeps_shape and state.skip is not None:
                self._normalise(index - 1, state)
        source, skip, ready = _taken(state)
        target, strips = field.targets[index], field.pieces[index]
        collected = None
        if keeps_shape and not opens:
            collected = FeatureMap(source.read(target), target, source.size)
        elif opens and skip is not None and ready < source.region.rows.stop:
            # each row of the old skip is needed no more once the source's row is normalised
            collected = FeatureMap(skip.read(target), target, source.size)
        # what no one needs once it is convolved is normalised on the way, and not written back
        is_passing = keeps_shape and not opens and not closed and ready < source.region.rows.stop
        behind: tuple[Region, Tensor] | None = None  # may lie where the next strip still reads
        for strip in strips:
            with calm():
                step = _strip_step(layer, source, strip)
                if is_passing:
                    x = self._normalised(index - 1, source, step.source)
                else:
                    if ready < step.source.rows.stop:
                        fresh = Region(Span(ready, step.source.rows.stop), source.region.columns)
                        self._normalise_part(index - 1, source, skip if closed else None, fresh)
                        ready = step.source.rows.stop
                    x = source.read(step.source)
                values = convolve(layer, x, step)
                if behind is not None:
                    collected = self._collect(field, index, collected, *behind)
                behind = strip, values
                self._count(field, index, strip, values, moments)
            yield self.plan.work[index] * strip.n_px
        with calm():
            assert behind is not None
            collected = self._collect(field, index, collected, *behind)
        after = FieldState(collected, source if opens else None if closed else skip)
        self._give_back(after, source, skip)
        return after

    def _to_full_resolution(
        self, field: FieldPlan, index: int, state: FieldState, moments: list[Moments]
    ) -> Generator[int, None, FieldState]:
        route, size = self.plan.route, self.planes.size
        last = self.finished(state)
        layers = [*self.layers[route.kept[1] : index], self._raw_layer(index)]
        block_px = max(1, self.plan.pieces.block_px * route.size_at(index + 1, size)[0] // size[0])
        for piece in field.pieces[index]:
            with calm():
                for block, made in run_in_blocks(layers, last, piece, block_px):
                    self._count(field, index, block, made, moments)
            yield self.plan.work[index] * piece.n_px
        return FieldState(last, None, is_raw=False)

    def _normalised(self, index: int, raw: FeatureMap, region: Region) -> Tensor:
        """Return part of a step's output from its raw output, which stays as it is."""
        x = raw.read(region).clone(memory_format=torch.channels_last)
        apply_frozen(self.plan.route.steps[index], self.moments[index], x, None, region, raw.size)
        return x

    def _give_back(self, state: FieldState, *gone: FeatureMap | None) -> None:
        """Let the memory of maps be used again that are in no state any more."""
        used = [kept.values for kept in (state.map, state.skip) if kept is not None]
        for kept in gone:
            if self.spare is not None and kept is not None:
                self.spare.give(kept.values, *used)
                used.append(kept.values)

    def _raw_layer(self, index: int) -> Layer:
        if index not in self._raw:
            self._raw = {index: make_layer(self.plan.route.steps[index], None, self.device)}
        return self._raw[index]

    def _normalise(self, index: int, state: FieldState) -> None:
        """Turn a step's raw output into its output, in place, and let go of the skip."""
        assert state.map is not None
        if state.is_raw:
            self._normalise_part(index, state.map, state.skip, state.map.region)
            skip, state.skip, state.is_raw = state.skip, None, False
            self._give_back(state, skip)

    def _normalise_part(
        self, index: int, raw: FeatureMap, skip: FeatureMap | None, region: Region
    ) -> None:
        step = self.plan.route.steps[index]
        added = skip.read(region) if skip is not None and step.skip == "close" else None
        apply_frozen(step, self.moments[index], raw.read(region), added, region, raw.size)

    def _count(
        self, field: FieldPlan, index: int, region: Region, values: Tensor, into: list[Moments]
    ) -> None:
        norm = self.plan.route.steps[index].block.norm
        counted = region.common(field.cores[index])
        if norm is not None and counted is not None:
            rows, columns = counted.within(region)
            into.append(norm.measure(values[:, :, rows, columns]))

    def _collect(
        self,
        field: FieldPlan,
        index: int,
        collected: FeatureMap | None,
        region: Region,
        values: Tensor,
    ) -> FeatureMap:
        """Put part of a kept map where the whole of it is collected."""
        target = field.targets[index]
        if collected is None:
            size = self.plan.route.size_at(index + 1, self.planes.size)
            if region == target:
                return FeatureMap(values, region, size)
            shape = (1, values.shape[1], target.rows.length, target.columns.length)
            memory = SpareMemory() if self.spare is None else self.spare
            collected = FeatureMap(memory.take(shape, values), target, size)
        collected.read(region).copy_(values)
        return collected


def _taken(state: FieldState) -> tuple[FeatureMap, FeatureMap | None, int]:
    """Take the maps out of a state; also the row up to which the first one is normalised."""
    source, skip = state.map, state.skip
    assert source is not None
    state.map = state.skip = None
    rows = source.region.rows
    return source, skip, rows.start if state.is_raw else rows.stop


def _keeps_shape(layer: Layer) -> bool:
    geometry, weight = layer.geometry, layer.direct.weight
    return geometry.stride == geometry.upsample == 1 and weight.shape[0] == weight.shape[1]


def _strip_step(layer: Layer, source: FeatureMap, strip: Region) -> RegionStep:
    height, width = source.size
    return RegionStep(
        step_for(layer.geometry, height, strip.rows),
        step_for(layer.geometry, width, strip.columns),
    )
