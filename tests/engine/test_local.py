from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.engine.local import CELL_PX, cells_of, local_affine, pool_locally
from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.geometry.tiling import Span
from napari_unit.models.normalisation import InstanceNorm, LayerNorm, Moments, merge_all


@given(st.integers(2, 3000), st.integers(2, 3000))
def test_cells_cover_a_plane_on_the_lattice_with_nearly_one_size(rows: int, columns: int) -> None:
    size = (4 * rows, 4 * columns)
    cells = cells_of(size, 4)
    for spans, length in zip((cells.rows, cells.columns), size, strict=True):
        assert spans[0].start == 0
        assert spans[-1].stop == length
        assert all(a.stop == b.start for a, b in pairwise(spans))
        assert all(span.start % 4 == 0 for span in spans)
        lengths = [span.length for span in spans]
        assert max(lengths) - min(lengths) <= 8
        assert max(lengths) <= 1.5 * CELL_PX + 4
    assert len(cells.regions) == len(cells.rows) * len(cells.columns)


def measured(values: list[float]) -> list[Moments]:
    norm = InstanceNorm(2)
    generator = torch.Generator().manual_seed(0)
    return [
        norm.measure(v + torch.randn(1, 2, 30, 30, generator=generator, dtype=torch.float64))
        for v in values
    ]


def test_nodes_lean_on_their_neighbours_and_on_the_image() -> None:
    cells = cells_of((CELL_PX, 4 * CELL_PX), 4)
    (row,) = pool_locally(measured([0.0, 0.0, 10.0, 10.0]), cells).nodes
    means = [float(node.mean[0]) for node in row]
    assert means == sorted(means)
    # own and one alike neighbour three quarters, of them 2/3 and 1/3; the image a quarter
    assert means[0] == pytest.approx(0.25 * 5.0, abs=0.2)
    assert means[1] == pytest.approx(0.25 * 5.0 + 0.75 * 10.0 * 0.25, abs=0.2)


def test_alike_cells_are_the_image() -> None:
    cells = cells_of((2 * CELL_PX, 2 * CELL_PX), 4)
    per_cell = measured([3.0])[0]
    pooled = pool_locally([per_cell] * 4, cells)
    for row in pooled.nodes:
        for node in row:
            torch.testing.assert_close(node.mean, per_cell.mean)
            torch.testing.assert_close(
                node.variance(unbiased=False), per_cell.variance(unbiased=False)
            )


def test_planes_are_pooled_cell_by_cell() -> None:
    cells = cells_of((CELL_PX, 2 * CELL_PX), 4)
    parts = measured([0.0, 1.0, 4.0, 9.0])
    both = pool_locally(parts, cells)
    expected = pool_locally([merge_all(parts[::2]), merge_all(parts[1::2])], cells)
    for one, other in zip(both.nodes[0], expected.nodes[0], strict=True):
        torch.testing.assert_close(one.mean, other.mean)
    assert both.columns == (0.25, 0.75)
    assert both.rows == (0.5,)


@pytest.mark.parametrize("kind", [InstanceNorm, LayerNorm])
def test_it_is_bilinear_between_the_nodes_and_flat_beyond(kind: type[InstanceNorm]) -> None:
    cells = cells_of((2 * CELL_PX, 2 * CELL_PX), 4)
    norm = kind(2)
    parts = [norm.measure(v + 2 * torch.randn(1, 2, 9, 9)) for v in (0.0, 1.0, 2.0, 5.0)]
    affine = local_affine(norm, pool_locally(parts, cells), (40, 80))
    _scale, shift = affine.at(whole((40, 80)), torch.zeros(1).double())
    assert shift.shape == (1, 2, 40, 80)
    # nodes at a quarter and three quarters: rows 9.5 and 29.5, columns 19.5 and 59.5
    torch.testing.assert_close(shift[0, :, :10, :20], shift[0, :, :1, :1].expand(2, 10, 20))
    torch.testing.assert_close(shift[0, :, 0, 0], affine.shift[0, 0])
    middle = shift[0, :, 19:21, 39:41].mean((1, 2))
    torch.testing.assert_close(middle, affine.shift.mean((0, 1)))


def test_every_tile_sees_the_same_field() -> None:
    cells = cells_of((2 * CELL_PX, 3 * CELL_PX), 4)
    norm = InstanceNorm(2)
    parts = [norm.measure(torch.randn(1, 2, 9, 9) * (1 + v)) for v in range(6)]
    affine = local_affine(norm, pool_locally(parts, cells), (50, 70))
    scale, _ = affine.at(whole((50, 70)), torch.zeros(1))
    for tile in grid(Region(Span(3, 50), Span(0, 69)), 13):
        rows, columns = tile.within(whole((50, 70)))
        found, _ = affine.at(tile, torch.zeros(1))
        assert np.array_equal(found.numpy(), scale[:, :, rows, columns].numpy())
