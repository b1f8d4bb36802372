"""Run the networks on regions of an image: exactly the wanted pixels come out, no more."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_unit.engine.convolution import convolve
from napari_unit.engine.folding import Layer
from napari_unit.geometry.regions import Region, RegionStep, grid, plan_region
from napari_unit.geometry.tiling import LayerGeometry, lattice_of, lengths_of
from napari_unit.models.networks import Step

BLOCK_PX = 256
"""Side of the blocks in which fine maps are computed, so that they stay in a CPU's cache."""


@dataclass(frozen=True, slots=True)
class Route:
    """The convolutions of one translation, cut where the maps are smallest.

    Going down (``steps[:down]``) an image becomes a map at the coarsest resolution; there most
    layers work (``steps[down:up]``); then it goes up again (``steps[up:]``). Fine maps are large
    and their layers see few pixels around, so they run block by block; coarse maps are small
    and their layers see far, so they run on a whole tile at once.

    Parameters
    ----------
    steps
        In order.
    down, up
        Where the coarsest maps begin and end.
    """

    steps: tuple[Step, ...]
    down: int
    up: int

    @property
    def geometry(self) -> tuple[LayerGeometry, ...]:
        """Geometry of each step."""
        return tuple(step.block.geometry for step in self.steps)

    @property
    def kept(self) -> tuple[int, int]:
        """Return the first and behind the last step whose output is smaller than the image."""
        layers = self.geometry
        side = lattice_of(layers)
        small = [i for i, n in enumerate(lengths_of(layers, side)[1:]) if n < side]
        return (small[0], small[-1] + 1) if small else (self.down, self.up)

    def size_at(self, index: int, size: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of the map before step `index`, given the image's size."""
        layers = self.geometry[:index]
        return lengths_of(layers, size[0])[-1], lengths_of(layers, size[1])[-1]


def route_of(steps: tuple[Step, ...]) -> Route:
    """Return the route through these steps."""
    scale, scales = 1.0, []
    for step in steps:
        scale *= step.block.geometry.upsample / step.block.geometry.stride
        scales.append(scale)
    coarse = [index for index, value in enumerate(scales) if value == min(scales)]
    return Route(steps, coarse[0] + 1, coarse[-1] + 1)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMap:
    """Part of the map between two layers.

    Parameters
    ----------
    values
        Shape (1, C, H, W) of the region.
    region
        Where they belong in the whole map.
    size
        Height and width of the whole map.
    """

    values: Tensor
    region: Region
    size: tuple[int, int]

    def read(self, region: Region) -> Tensor:
        """Return the values of a region inside this one, without copying."""
        rows, columns = region.within(self.region)
        return self.values[:, :, rows, columns]


def run(layers: Sequence[Layer], steps: Sequence[RegionStep], x: Tensor) -> Tensor:
    """Run layers one after the other on one tile.

    Parameters
    ----------
    layers
        A stretch of the networks that opens each skip that it closes.
    steps
        One for each.
    x
        Shape (1, C, H, W), exactly the first step's source; not changed.

    Returns
    -------
    Shape (1, C', H', W'), exactly the last step's target.
    """
    kept, kept_region = x, steps[0].source
    for layer, step in zip(layers, steps, strict=True):
        if layer.skip == "open":
            kept, kept_region = x, step.source
        x = convolve(layer, x, step)
        if layer.skip == "close":
            rows, columns = step.target.within(kept_region)
            x += kept[:, :, rows, columns]
    return x


def run_in_blocks(
    layers: Sequence[Layer], source: FeatureMap, target: Region, block_px: int
) -> Iterator[tuple[Region, Tensor]]:
    """Run layers on one block of the target after the other.

    Parameters
    ----------
    layers
        A stretch of the networks.
    source
        Holds all that the target needs.
    target
        Wanted pixels behind the last layer.
    block_px
        Side of a block.

    Yields
    ------
    Each block's place and its values (1, C, H, W).
    """
    if not layers:
        yield target, source.read(target)
        return
    geometry = [layer.geometry for layer in layers]
    for block in grid(target, block_px):
        steps = plan_region(geometry, source.size, block)
        yield block, run(layers, steps, source.read(steps[0].source))


def assemble(
    layers: Sequence[Layer], source: FeatureMap, target: Region, block_px: int
) -> FeatureMap:
    """Run layers block by block and return the target as one map; parameters as above."""
    geometry = [layer.geometry for layer in layers]
    size = (lengths_of(geometry, source.size[0])[-1], lengths_of(geometry, source.size[1])[-1])
    whole: Tensor | None = None
    for block, values in run_in_blocks(layers, source, target, block_px):
        if block == target:
            return FeatureMap(values, target, size)
        if whole is None:
            shape = (1, values.shape[1], target.rows.length, target.columns.length)
            whole = values.new_empty(shape).contiguous(memory_format=torch.channels_last)
        rows, columns = block.within(target)
        whole[:, :, rows, columns] = values
    assert whole is not None
    return FeatureMap(whole, target, size)


def translate_region(
    layers: Sequence[Layer], route: Route, source: FeatureMap, target: Region, block_px: int
) -> Tensor:
    """Translate one tile.

    Parameters
    ----------
    layers
        All of the route's.
    route
        Its steps.
    source
        Pixels of the image in [-1, 1], all that the target needs.
    target
        Wanted pixels of the translation.
    block_px
        Side of the blocks in which fine maps are computed, in pixels of the image.

    Returns
    -------
    Shape (1, C, H, W) of the target, in [-1, 1].
    """
    down, up = route.down, route.up
    steps = plan_region(route.geometry, source.size, target)
    coarse_px = max(1, block_px * route.size_at(down, source.size)[0] // source.size[0])
    coarse = assemble(layers[:down], source, steps[down - 1].target, coarse_px)
    if up > down:
        values = run(layers[down:up], steps[down:up], coarse.values)
        coarse = FeatureMap(values, steps[up - 1].target, coarse.size)
    return assemble(layers[up:], coarse, target, block_px).values
