import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.images.axes import Axes
from napari_unit.images.content_mark import content_mark
from napari_unit.images.storage import ArraySource


def mark(image: np.ndarray, axes: str = "ZYX", n_channels: int = 1) -> str:
    return content_mark(ArraySource(image, Axes(axes), n_channels))


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 300), st.integers(1, 300)), st.integers(0, 10**6)
)
def test_equal_images_have_equal_marks_and_others_another(
    shape: tuple[int, int, int], seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 200, shape).astype("u1")
    assert mark(image) == mark(image.copy())
    assert mark(image) == mark(image.transpose(2, 1, 0), "XYZ")
    assert mark(image) != mark(image + np.uint8(1))
    assert mark(image) != mark(image.astype("u2"))
    assert mark(image) != mark(np.concatenate([image, image]))


def test_every_plane_of_a_stack_of_64_counts() -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 200, 200)).astype("u1")
    before = mark(image)
    for plane in range(64):
        changed = image.copy()
        changed[plane] = 255 - changed[plane]
        assert mark(changed) != before


def test_every_pixel_of_a_small_image_counts() -> None:
    image = np.random.default_rng(0).integers(0, 255, (250, 250)).astype("u1")
    image[123, 77] = 0
    before = mark(image, "YX")
    image[123, 77] = 1
    assert mark(image, "YX") != before


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_the_order_of_bytes_does_not_count(dtype: str) -> None:
    image = np.random.default_rng(0).normal(100, 9, (3, 400, 500)).astype(dtype)
    assert mark(image) == mark(image.astype(image.dtype.newbyteorder(">")))
