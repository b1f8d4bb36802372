"""Plan which pixels of which maps are computed to measure an image's normalisation statistics."""

from collections.abc import Sequence
from dataclasses import dataclass

from napari_unit.engine.runner import Route
from napari_unit.engine.sampling import Field
from napari_unit.geometry.regions import Region, cover, grid, plan_region

CELL_PX = 1024
"""Side of the regions that are read at once, in pixels of the image."""
_STRIP_PX = 1 << 16
"""Pixels of a coarse map that are computed at once."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """What is computed for one field behind each step.

    Parameters
    ----------
    field
        The field.
    targets
        Per step: the pixels to compute.
    cores
        Per step: those of them that count.
    pieces
        Per step: the targets cut into what is computed between two reports of progress.
    """

    field: Field
    targets: tuple[Region, ...]
    cores: tuple[Region, ...]
    pieces: tuple[tuple[Region, ...], ...]


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """Which fields go through which layers.

    Parameters
    ----------
    route
        The layers.
    n_steps
        How many of them: up to the last that has a normalisation.
    size
        Height and width of the padded planes.
    fields
        One plan for each.
    """

    route: Route
    n_steps: int
    size: tuple[int, int]
    fields: tuple[FieldPlan, ...]

    @property
    def n_pieces(self) -> int:
        """Pieces of all fields and steps."""
        return sum(len(pieces) for field in self.fields for pieces in field.pieces)

    def memory_bytes(self, itemsize: int) -> int:
        """Return the size of the coarse maps kept at the same time, two per field."""
        route = self.route
        return max(
            2 * itemsize * route.steps[index].block.conv.out_channels
            * sum(field.targets[index].n_px for field in self.fields)
            for index in range(route.down - 1, route.up)
        )  # fmt: skip


def plan_sweep(route: Route, size: tuple[int, int], fields: Sequence[Field]) -> SweepPlan:
    """Plan a sweep of fields of padded planes of this height and width."""
    with_norm = [i for i, step in enumerate(route.steps) if step.block.norm is not None]
    n_steps = max([route.up, *(index + 1 for index in with_norm)])
    return SweepPlan(
        route, n_steps, size, tuple(_plan_field(route, size, n_steps, f) for f in fields)
    )


def _plan_field(route: Route, size: tuple[int, int], n_steps: int, field: Field) -> FieldPlan:
    sizes = [route.size_at(index, size) for index in range(n_steps + 1)]
    cores = tuple(field.core.at_scale(size, behind) for behind in sizes[1:])
    needed = plan_region(route.geometry[:n_steps], size, cores[-1])
    targets: list[Region] = []
    pieces: list[tuple[Region, ...]] = []
    for index in range(n_steps):
        is_kept = route.down - 1 <= index < route.up
        target = needed[index].target if is_kept else cores[index]
        has_norm = route.steps[index].block.norm is not None
        if route.down <= index < route.up:
            rows = max(route.geometry[index].kernel, _STRIP_PX // target.columns.length)
            strips = cover(target.rows, rows)
            parts = tuple(Region(strip, target.columns) for strip in strips)
        elif has_norm or is_kept:
            parts = tuple(grid(target, max(1, CELL_PX * sizes[index + 1][0] // size[0])))
        else:
            parts = ()
        targets.append(target)
        pieces.append(parts)
    return FieldPlan(field, tuple(targets), cores, tuple(pieces))
