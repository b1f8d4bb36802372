"""Plan which pixels of which maps are computed to measure an image's normalisation statistics."""

from collections.abc import Sequence
from dataclasses import dataclass

from napari_unit.engine.runner import Route
from napari_unit.engine.sampling import Field
from napari_unit.geometry.regions import Region, cover, grid, plan_region


@dataclass(frozen=True, slots=True)
class Pieces:
    """How much is computed at once; the moments are the same to rounding.

    Parameters
    ----------
    cell_px
        Side of the regions that are read, in pixels of the image.
    strip_bytes
        Part of a kept map in float32 that is computed from the map before; stays in a CPU's
        cache while it is measured.
    block_px
        Side of the blocks in which maps at full resolution are computed.
    """

    cell_px: int = 1024
    strip_bytes: int = 1 << 22
    block_px: int = 256

    def smaller(self) -> "Pieces":
        """Return pieces of a quarter of the pixels."""
        return Pieces(self.cell_px // 2, self.strip_bytes // 4, self.block_px // 2)


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """What is computed for one field behind each step.

    Parameters
    ----------
    field
        The field.
    targets
        Per step: the pixels to compute. Those of the kept maps are all that the field's own
        pixels of the translation need.
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
        How many of them: up to the last that has a normalisation or whose map is kept.
    size
        Height and width of the padded planes.
    fields
        One plan for each.
    pieces
        How much is computed at once.
    work
        Per step: multiplications per pixel behind it, those of recomputed maps included.
    """

    route: Route
    n_steps: int
    size: tuple[int, int]
    fields: tuple[FieldPlan, ...]
    pieces: Pieces
    work: tuple[int, ...]

    @property
    def n_px(self) -> int:
        """Pixels of all fields."""
        return sum(field.field.core.n_px for field in self.fields)

    def work_of(self, field: FieldPlan) -> int:
        """Return the multiplications that measuring a field takes."""
        return sum(
            self.work[index] * piece.n_px
            for index in range(self.n_steps)
            for piece in field.pieces[index]
        )

    def state_bytes(self, itemsize: int) -> int:
        """Return the size of the maps of all fields that are kept at the same time."""
        return sum(self.field_bytes(field, itemsize) for field in self.fields)

    def field_bytes(self, field: FieldPlan, itemsize: int) -> int:
        """Return the size of the maps of one field that are kept at the same time: two."""
        first, stop = self.route.kept
        maps = [
            self.route.steps[index].block.conv.out_channels * field.targets[index].n_px
            for index in range(first, stop)
        ]
        return itemsize * max(made + before for made, before in zip(maps, [0, *maps], strict=False))


def plan_sweep(
    route: Route,
    size: tuple[int, int],
    fields: Sequence[Field],
    pieces: Pieces = Pieces(),
) -> SweepPlan:
    """Plan a sweep of fields of padded planes of this height and width."""
    with_norm = [i for i, step in enumerate(route.steps) if step.block.norm is not None]
    n_steps = max([route.kept[1], *(index + 1 for index in with_norm)])
    planned = tuple(_plan_field(route, size, n_steps, field, pieces) for field in fields)
    work = tuple(_work(route, size, index) for index in range(n_steps))
    return SweepPlan(route, n_steps, size, planned, pieces, work)


def _work(route: Route, size: tuple[int, int], index: int) -> int:
    """Return the multiplications per pixel behind a step, since the last map that is kept."""
    first, stop = route.kept
    start = 0 if index <= first else index if index < stop else stop
    # pixels behind each step that stand for one of the coarsest map
    sizes = [route.size_at(i + 1, size) for i in range(len(route.steps))]
    least = min(height * width for height, width in sizes)
    areas = [height * width // least for height, width in sizes]
    per_cell = [
        step.block.conv.weight.numel() * area for step, area in zip(route.steps, areas, strict=True)
    ]
    return sum(per_cell[start : index + 1]) // areas[index]


def _plan_field(
    route: Route, size: tuple[int, int], n_steps: int, field: Field, at_once: Pieces
) -> FieldPlan:
    sizes = [route.size_at(index, size) for index in range(len(route.steps) + 1)]
    cores = tuple(field.core.at_scale(size, behind) for behind in sizes[1 : n_steps + 1])
    needed = plan_region(route.geometry, size, field.core.at_scale(size, sizes[-1]))
    first, stop = route.kept
    targets: list[Region] = []
    pieces: list[tuple[Region, ...]] = []
    for index in range(n_steps):
        is_kept = first <= index < stop
        target = needed[index].target if is_kept else cores[index]
        has_norm = route.steps[index].block.norm is not None
        if first < index < stop:
            row_bytes = 4 * route.steps[index].block.conv.out_channels * target.columns.length
            rows = max(route.geometry[index].kernel, at_once.strip_bytes // row_bytes)
            strips = cover(target.rows, rows)
            parts = tuple(Region(strip, target.columns) for strip in strips)
        elif has_norm or is_kept:
            parts = tuple(grid(target, max(1, at_once.cell_px * sizes[index + 1][0] // size[0])))
        else:
            parts = ()
        targets.append(target)
        pieces.append(parts)
    return FieldPlan(field, tuple(targets), cores, tuple(pieces))
