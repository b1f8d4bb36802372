import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.geometry.tiling import Span
from napari_unit.images import overviews
from napari_unit.images.axes import Axes
from napari_unit.images.overviews import Enlarged, PooledPlanes, Remembering, factors_of, pooled
from napari_unit.images.storage import ArraySource

IMAGE = np.random.default_rng(0).integers(0, 60000, (2, 3, 75, 110)).astype("u2")
SOURCE = ArraySource(IMAGE, Axes("TCYX"), 3)


def means(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Return what `pooled` should, written out."""
    rows, columns = (-(-n // factor) for n in pixels.shape[1:])
    out = np.empty((len(pixels), rows, columns))
    for r in range(rows):
        for c in range(columns):
            square = pixels[:, r * factor : (r + 1) * factor, c * factor : (c + 1) * factor]
            out[:, r, c] = square.reshape(len(pixels), -1).astype("f8").mean(1)
    return out


@pytest.mark.parametrize("factor", [1, 2, 3, 8, 200])
def test_squares_become_their_means(factor: int) -> None:
    found = pooled(IMAGE[0], factor)
    assert found.dtype == "u2"
    np.testing.assert_allclose(found, means(IMAGE[0], factor), atol=0.51)


@given(data=st.data(), factor=st.sampled_from([1, 2, 5, 8]), band=st.sampled_from([1, 16, 1000]))
def test_any_region_of_pooled_planes_is_part_of_the_whole(
    data: st.DataObject, factor: int, band: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overviews, "_BAND_PX", band)
        planes = PooledPlanes(SOURCE, factor)
        spans = []
        for length in (planes.height, planes.width):
            start = data.draw(st.integers(0, length - 1))
            spans.append(Span(start, data.draw(st.integers(start + 1, length))))
        region = Region(*spans)
        rows, columns = region.within(whole((planes.height, planes.width)))
        expected = pooled(IMAGE[1], factor)[:, rows, columns]
        np.testing.assert_allclose(planes.read(1, region).astype("f8"), expected, atol=1)


@pytest.mark.parametrize(("factor", "side"), [(8, 16), (8, 64), (8, 20), (16, 1024)])
def test_a_picture_of_all_comes_of_reading_it_once(factor: int, side: int) -> None:
    """Regions that do not begin on a square are no use; what lacks is read in the end."""
    remembering = Remembering(SOURCE, factor)
    for plane in range(2):
        for region in grid(whole((75, 110)), side):
            rows, columns = region.within(whole((75, 110)))
            assert np.array_equal(remembering.read(plane, region), IMAGE[plane][:, rows, columns])
    picture = Enlarged(remembering, 1)
    for plane in range(2):
        everything = picture.read(plane, whole((picture.height, picture.width)))
        np.testing.assert_allclose(everything.astype("f8"), pooled(IMAGE[plane], factor), atol=1)


def test_a_picture_is_made_without_any_reading_before() -> None:
    picture = Enlarged(Remembering(SOURCE, 8), 1)
    found = picture.read(1, whole((picture.height, picture.width)))
    np.testing.assert_allclose(found.astype("f8"), pooled(IMAGE[1], 8), atol=1)


def test_an_enlarged_picture_repeats_its_pixels() -> None:
    small, large = (Enlarged(Remembering(SOURCE, 8), repeat) for repeat in (1, 4))
    assert (small.height, small.width) == (10, 14)
    assert (large.height, large.width) == (38, 55)  # half of the image, as a level of its own
    region = Region(Span(6, 11), Span(4, 9))
    expected = small.read(0, whole((small.height, small.width))).repeat(4, 1).repeat(4, 2)
    assert np.array_equal(large.read(0, region), expected[:, 6:11, 4:9])


@pytest.mark.parametrize(
    ("size", "factors"),
    [((2048, 100), ()), ((2049, 100), (2,)), ((100_000, 90_000), (2, 4, 8, 16, 32, 64))],
)
def test_levels_are_halved_until_they_are_small(
    size: tuple[int, int], factors: tuple[int, ...]
) -> None:
    assert factors_of(size, 2048) == factors
