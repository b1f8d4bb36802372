import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.geometry.tiling import Span
from napari_unit.images import levels
from napari_unit.images.axes import Axes
from napari_unit.images.levels import halved_sizes, shrink, shrunk
from napari_unit.images.storage import ArraySource

sides = st.tuples(st.integers(1, 23), st.integers(1, 23)).map(sorted).map(tuple)


@given(st.tuples(sides, sides), st.integers(0, 1), st.integers(1, 200), st.integers(0, 9))
def test_each_pixel_is_the_mean_of_those_it_stands_for(
    pairs: tuple[tuple[int, int], tuple[int, int]], row_axis: int, block: int, seed: int
) -> None:
    (n0, m0), (n1, m1) = pairs
    array = np.random.default_rng(seed).normal(size=(m0, m1)).astype(np.float32)
    smaller = np.full((n0, n1), np.nan, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levels, "_BLOCK_VALUES", block)
        news = list(shrink(array, smaller, row_axis))
    assert news[-1] == (smaller.shape[row_axis],) * 2
    for i in range(n0):
        for j in range(n1):
            part = array[i * m0 // n0 : (i + 1) * m0 // n0, j * m1 // n1 : (j + 1) * m1 // n1]
            assert smaller[i, j] == pytest.approx(part.mean(), abs=1e-5)


def test_integers_are_rounded_and_other_axes_shrink_too() -> None:
    array = np.array([[[0, 1], [1, 1]], [[2, 2], [2, 3]]], np.uint8)
    smaller = np.zeros((1, 1, 1), np.uint8)
    list(shrink(array, smaller, 1))
    assert smaller.item() == 2  # 12 / 8 = 1.5


def test_a_level_cannot_be_larger() -> None:
    with pytest.raises(ValueError, match=r"\(4, 4\) cannot be shrunk to \(4, 5\)"):
        list(shrink(np.zeros((4, 4)), np.zeros((4, 5)), 0))


@given(st.tuples(sides, sides), st.integers(1, 9), st.integers(1, 400), st.integers(0, 9))
def test_a_region_of_a_shrunk_plane_is_the_same_as_of_the_whole(
    pairs: tuple[tuple[int, int], tuple[int, int]], unit_px: int, block: int, seed: int
) -> None:
    (n0, m0), (n1, m1) = pairs
    image = np.random.default_rng(seed).normal(size=(2, m0, m1)).astype(np.float32)
    expected = np.empty((2, n0, n1), np.float32)
    list(shrink(image, expected, 1))
    source = ArraySource(image, Axes("CYX"), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levels, "_BLOCK_VALUES", block)
        for region in grid(whole((n0, n1)), unit_px):
            rows, columns = region.within(whole((n0, n1)))
            made = shrunk(source, 0, (n0, n1), region)
            assert np.allclose(made, expected[:, rows, columns], atol=1e-5)


def test_a_region_is_read_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "_BLOCK_VALUES", 5000)
    image = np.random.default_rng(0).integers(0, 99, (400, 300)).astype("u1")
    heights = []

    class Listening(ArraySource):
        def read(self, plane: int, region: Region) -> np.ndarray:
            heights.append(region.rows.length * region.columns.length)
            return super().read(plane, region)

    source = Listening(image, Axes("YX"), 1)
    made = shrunk(source, 0, (100, 75), Region(Span(0, 100), Span(0, 75)))
    assert max(heights) <= 5000
    assert made.shape == (1, 100, 75)


def test_images_of_more_than_2048_px_are_halved_until_they_are_small() -> None:
    assert halved_sizes((2048, 2048)) == ((2048, 2048),)
    assert halved_sizes((2049, 300)) == ((2049, 300), (1024, 150))
    assert halved_sizes((1, 9001)) == ((1, 9001), (1, 4500), (1, 2250), (1, 1125), (1, 562))
