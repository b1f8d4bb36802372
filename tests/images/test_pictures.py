import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit.images.pictures import SideBySide, draw, inset_places
from napari_unit.simulate import SceneSettings, simulate_nuclei


def content(size: int, seed: int = 0) -> SideBySide:
    scene = simulate_nuclei(SceneSettings(shape=(size, size)), seed)
    return SideBySide(
        source=scene.image,
        translated=255.0 - scene.image / 257,
        labels=scene.labels,
        source_title="Simulated",
        translated_title="Translated",
        caption=("one", "two"),
        pixel_size_um=0.65,
    )


def test_the_picture_shows_both_images_at_the_same_places() -> None:
    shown = content(700)
    page = np.asarray(draw(shown)).astype(int)
    height, width, _ = page.shape
    assert width > 1500
    left, right = page[100 : height // 2, 60 : width // 2 - 20], page[100 : height // 2]
    right = right[:, 60 + width // 2 - 30 : width - 50]
    columns = min(left.shape[1], right.shape[1])
    # the second image is the first one's negative
    correlation = np.corrcoef(left[:, :columns].ravel(), right[:, :columns].ravel())[0, 1]
    assert correlation < -0.8


@pytest.mark.parametrize("size", [64, 97, 2100])
def test_any_size_makes_a_picture(size: int) -> None:
    labels = np.zeros((size, size), "i4")
    labels[10:30, 10:30] = 1
    image = labels.astype("u2") * 100
    page = draw(SideBySide(image, image, labels, "a", "b", (), 0.65))
    assert page.size[0] > 1500


@settings(max_examples=30, deadline=None)
@given(st.integers(8, 90), st.integers(8, 90), st.integers(1, 120), st.integers(0, 5))
def test_insets_lie_in_the_image(height: int, width: int, side: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 9, (height, width))
    places = inset_places(labels, side, 3)
    assert len(places) == 3
    for rows, columns in places:
        assert 0 <= rows.start < rows.stop <= height
        assert 0 <= columns.start < columns.stop <= width
        assert rows.stop - rows.start == min(side, height)


def test_insets_are_where_the_objects_are() -> None:
    labels = np.zeros((400, 400), "i4")
    for number, (y, x) in enumerate([(20, 20), (30, 30), (300, 300), (310, 320)]):
        labels[y : y + 5, x : x + 5] = number + 1
    first, second, _ = inset_places(labels, 80, 3)
    found = [set(np.unique(labels[place])) - {0} for place in (first, second)]
    assert found in ([{1, 2}, {3, 4}], [{3, 4}, {1, 2}])
