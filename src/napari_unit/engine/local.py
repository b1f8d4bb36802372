"""Statistics that drift over an image: moments on a coarse grid, interpolated in between.

For slides whose stain or exposure changes from place to place. Each node of the grid stands for
the cell around it. The result is still one local operator, the same for every tile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit.models.normalisation import MeasurableNorm, Moments, merge_all

CELL_PX = 1024
"""Side of a cell, about; the cells of an image are of nearly one size."""
_OF_NEIGHBOURS = 0.5
"""Weight of a cell beside a node's own, per axis: the field is as smooth as its grid is coarse."""
_OF_IMAGE = 0.25
"""Share of the whole image in every node: a cell of empty glass has no contrast of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalMoments:
    """Moments of one normalisation on a grid of cells.

    Parameters
    ----------
    nodes
        Per row of cells, per column of cells.
    rows, columns
        The middle of each row and column of cells, as a share of the height and of the width.
    """

    nodes: tuple[tuple[Moments, ...], ...]
    rows: tuple[float, ...]
    columns: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Cells:
    """A plane cut into cells of nearly one size.

    Parameters
    ----------
    rows, columns
        Spans that cover the plane.
    """

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def regions(self) -> tuple[Region, ...]:
        """The cells, row by row."""
        return tuple(Region(rows, columns) for rows in self.rows for columns in self.columns)


def cells_of(size: tuple[int, int], lattice_px: int) -> Cells:
    """Cut a padded plane into cells whose borders lie on the lattice."""
    rows, columns = (_even_spans(length, lattice_px) for length in size)
    return Cells(rows, columns)


def _even_spans(length: int, lattice_px: int) -> tuple[Span, ...]:
    n = max(1, round(length / CELL_PX))
    steps = length // lattice_px
    edges = [lattice_px * (steps * i // n) for i in range(n)] + [length]
    return tuple(Span(a, b) for a, b in pairwise(edges))


def pool_locally(per_cell: Sequence[Moments], cells: Cells) -> LocalMoments:
    """Return the moments at the nodes: of their cell, its neighbours, and a part of the image.

    Parameters
    ----------
    per_cell
        Of the cells of each plane in turn; planes are pooled, so that a stack does not flicker.
    cells
        Of every plane.
    """
    n_rows, n_columns = len(cells.rows), len(cells.columns)
    n = n_rows * n_columns
    together = [merge_all(per_cell[number::n]) for number in range(n)]
    image = merge_all(together)
    shape = (n_rows, n_columns)
    nodes = tuple(
        tuple(_node(together, image, (row, column), shape) for column in range(n_columns))
        for row in range(n_rows)
    )
    return LocalMoments(nodes, _middles(cells.rows), _middles(cells.columns))


def _node(
    together: Sequence[Moments], image: Moments, place: tuple[int, int], shape: tuple[int, int]
) -> Moments:
    near = [
        _weighted(together[row * shape[1] + column], _OF_NEIGHBOURS ** (abs(dy) + abs(dx)))
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if 0 <= (row := place[0] + dy) < shape[0] and 0 <= (column := place[1] + dx) < shape[1]
    ]
    pooled = merge_all(near)
    part = _OF_IMAGE / (1.0 - _OF_IMAGE) * pooled.count / image.count
    return pooled.merge(_weighted(image, part))


def _weighted(moments: Moments, weight: float) -> Moments:
    return Moments(moments.count * weight, moments.mean, moments.squared_deviations * weight)


def _middles(spans: Sequence[Span]) -> tuple[float, ...]:
    length = spans[-1].stop
    return tuple((span.start + span.stop) / 2 / length for span in spans)


@dataclass(frozen=True, slots=True, eq=False)
class LocalAffine:
    """A frozen normalisation that differs from pixel to pixel.

    Parameters
    ----------
    scale, shift
        At the nodes, shape (rows, columns, C), float64 on the CPU.
    rows, columns
        Places of the nodes, as in `LocalMoments`.
    size
        Height and width of the map that it normalises.
    """

    scale: Tensor
    shift: Tensor
    rows: tuple[float, ...]
    columns: tuple[float, ...]
    size: tuple[int, int]

    def at(self, region: Region, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return scale and shift (1, C, H, W) of a region, bilinear between the nodes."""
        rows = _weights(region.rows, self.size[0], self.rows)
        columns = _weights(region.columns, self.size[1], self.columns)
        scale, shift = (
            torch.einsum("hr,rkc,wk->hwc", rows.to(like), nodes.to(like), columns.to(like))
            for nodes in (self.scale, self.shift)
        )
        return scale.permute(2, 0, 1)[None], shift.permute(2, 0, 1)[None]


def local_affine(norm: MeasurableNorm, moments: LocalMoments, size: tuple[int, int]) -> LocalAffine:
    """Return how a normalisation frozen by local moments acts on its map of this size."""
    nodes = [[norm.affine(node) for node in row] for row in moments.nodes]
    scale, shift = (
        torch.stack([torch.stack([node[part].cpu() for node in row]) for row in nodes])
        for part in (0, 1)
    )
    return LocalAffine(scale, shift, moments.rows, moments.columns, size)


def _weights(span: Span, length: int, nodes: Sequence[float]) -> Tensor:
    """Return each pixel's share of each node (pixels, nodes); the outer nodes reach to the edge."""
    places = (torch.arange(span.start, span.stop, dtype=torch.float64) + 0.5) / length
    weights = torch.zeros(span.length, len(nodes), dtype=torch.float64)
    if len(nodes) == 1:
        weights[:] = 1.0
        return weights
    at = torch.tensor(nodes, dtype=torch.float64)
    left = (torch.bucketize(places, at) - 1).clamp(0, len(nodes) - 2)
    share = ((places - at[left]) / (at[left + 1] - at[left])).clamp(0.0, 1.0)
    pixels = torch.arange(span.length)
    weights[pixels, left] = 1.0 - share
    weights[pixels, left + 1] = share
    return weights
