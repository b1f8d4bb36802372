import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.images import levels
from napari_unit.images.levels import shrink

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
