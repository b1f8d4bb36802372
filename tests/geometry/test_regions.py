import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.geometry.regions import Region, cover, grid, plan_region, whole
from napari_unit.geometry.tiling import LayerGeometry, Span, plan_axis

spans = st.tuples(st.integers(0, 30), st.integers(1, 40)).map(lambda t: Span(t[0], t[0] + t[1]))
regions = st.builds(Region, spans, spans)


@given(region=regions, tile_px=st.integers(1, 50))
def test_a_grid_covers_every_pixel_once(region: Region, tile_px: int) -> None:
    times = np.zeros((region.rows.length, region.columns.length), int)
    tiles = list(grid(region, tile_px))
    for tile in tiles:
        times[tile.within(region)] += 1
        assert max(tile.rows.length, tile.columns.length) <= tile_px
        # on the lattice that starts with the region, last tiles included: never shifted back
        assert (tile.rows.start - region.rows.start) % tile_px == 0
        assert (tile.columns.start - region.columns.start) % tile_px == 0
    assert (times == 1).all()
    order = [(tile.rows.start, tile.columns.start) for tile in tiles]
    assert order == sorted(order)


def test_the_last_tile_may_be_shorter() -> None:
    assert cover(Span(0, 10), 4) == (Span(0, 4), Span(4, 8), Span(8, 10))


@given(regions, regions)
def test_regions_agree_with_sets_of_pixels(one: Region, other: Region) -> None:
    def pixels(region: Region | None) -> set[tuple[int, int]]:
        if region is None:
            return set()
        rows, columns = region.rows, region.columns
        return {
            (row, column)
            for row in range(rows.start, rows.stop)
            for column in range(columns.start, columns.stop)
        }

    assert pixels(one.common(other)) == pixels(one) & pixels(other)
    assert one.contains(other) == (pixels(other) <= pixels(one))
    assert one.n_px == len(pixels(one))


def test_a_region_keeps_its_place_at_another_resolution() -> None:
    region = Region(Span(8, 20), Span(0, 16))
    assert region.at_scale((40, 80), (10, 20)) == Region(Span(2, 5), Span(0, 4))
    with pytest.raises(ValueError, match="no whole pixels"):
        region.at_scale((40, 80), (10, 31))


def test_a_plan_is_the_product_of_its_axes() -> None:
    layers = [LayerGeometry(kernel=4, stride=2, padding=1, upsample=1)] * 2
    target = Region(Span(0, 5), Span(7, 10))
    steps = plan_region(layers, (60, 44), target)
    assert [step.rows for step in steps] == list(plan_axis(layers, 60, target.rows))
    assert [step.columns for step in steps] == list(plan_axis(layers, 44, target.columns))
    assert steps[-1].target == target
    assert steps[0].target == steps[1].source
    assert whole((60, 44)).contains(steps[0].source)
