"""Rectangles of pixels: the product of two axes' plans, and grids of tiles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from napari_unit.geometry.tiling import AxisStep, LayerGeometry, Span, plan_axis


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of pixels.

    Parameters
    ----------
    rows, columns
        From the image's true edges.
    """

    rows: Span
    columns: Span

    @property
    def n_px(self) -> int:
        """Pixels in the region."""
        return self.rows.length * self.columns.length

    def contains(self, other: "Region") -> bool:
        """Whether all of the other region lies in this one."""
        return self.rows.contains(other.rows) and self.columns.contains(other.columns)

    def common(self, other: "Region") -> "Region | None":
        """Return the pixels of both regions; None if there is none."""
        rows, columns = self.rows.common(other.rows), self.columns.common(other.columns)
        return Region(rows, columns) if rows and columns else None

    def within(self, outer: "Region") -> tuple[slice, slice]:
        """Return where this region lies in an array that holds the outer one."""
        return self.rows.within(outer.rows), self.columns.within(outer.columns)

    def at_scale(self, size: tuple[int, int], other_size: tuple[int, int]) -> "Region":
        """Return the region at another resolution, given (height, width) at both."""
        return Region(
            self.rows.at_scale(size[0], other_size[0]),
            self.columns.at_scale(size[1], other_size[1]),
        )


@dataclass(frozen=True, slots=True)
class RegionStep:
    """What one layer does on both axes of one tile.

    Parameters
    ----------
    rows, columns
        Its step on either axis.
    """

    rows: AxisStep
    columns: AxisStep

    @property
    def source(self) -> Region:
        """What goes in."""
        return Region(self.rows.source, self.columns.source)

    @property
    def target(self) -> Region:
        """What comes out."""
        return Region(self.rows.target, self.columns.target)


def plan_region(
    layers: Sequence[LayerGeometry], size: tuple[int, int], target: Region
) -> tuple[RegionStep, ...]:
    """Return a step per layer, so that the last one yields the target.

    Parameters
    ----------
    layers
        One after the other; any stretch of a network.
    size
        Height and width of the first layer's whole input.
    target
        Wanted pixels of the last layer's output.
    """
    rows = plan_axis(layers, size[0], target.rows)
    columns = plan_axis(layers, size[1], target.columns)
    return tuple(RegionStep(r, c) for r, c in zip(rows, columns, strict=True))


def cover(span: Span, tile_px: int) -> tuple[Span, ...]:
    """Cut a span into tiles, from its start on; the last one may be shorter."""
    starts = range(span.start, span.stop, tile_px)
    return tuple(Span(start, min(start + tile_px, span.stop)) for start in starts)


def grid(region: Region, tile_px: int) -> Iterator[Region]:
    """Cut a region into tiles that cover each of its pixels once, row by row of tiles."""
    columns = cover(region.columns, tile_px)
    for rows in cover(region.rows, tile_px):
        for column_span in columns:
            yield Region(rows, column_span)


def whole(size: tuple[int, int]) -> Region:
    """Return the region that is all of an image of this height and width."""
    return Region(Span(0, size[0]), Span(0, size[1]))
