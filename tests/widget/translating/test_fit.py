import dask.array as da
import numpy as np
import pytest

from napari_unit._widget.translating.fit import image_in_words, misfit
from napari_unit.domains import Domain, IntensityScaling
from napari_unit.images.axes import Axes
from napari_unit.images.source_image import SourceImage

GRAY = Domain("synthetic", ("light",), IntensityScaling("range", 0.0, 1.0))
RGB = Domain("H&E", ("red", "green", "blue"), IntensityScaling("range", 0.0, 255.0))


def image(
    shape: tuple[int, ...], axes: str, dtype: str = "uint16", **fields: object
) -> SourceImage:
    return SourceImage(da.zeros(shape, dtype=dtype), Axes(axes), "cells", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (image((30, 40), "YX"), "40 × 30 px, gray, uint16"),
        (image((30, 40, 3), "YXS", "uint8"), "40 × 30 px, RGB, uint8"),
        (
            image((30, 40, 4), "YXS", "uint8", has_alpha=True),
            "40 × 30 px, RGB without its opacity, uint8",
        ),
        (image((2, 30, 40), "CYX", "float32"), "40 × 30 px, 2 channels, float32"),
        (image((5, 30, 40), "ZYX"), "5 planes (5 Z) of 40 × 30 px, gray, uint16"),
        (image((3, 5, 30, 40), "TZYX"), "15 planes (3 T × 5 Z) of 40 × 30 px, gray, uint16"),
        (image((1, 30, 40), "ZYX"), "40 × 30 px, gray, uint16"),
        (
            image((30, 40), "YX", level_shapes=((30, 40), (15, 20))),
            "40 × 30 px, gray, uint16, 2 levels",
        ),
    ],
)
def test_an_image_is_described_by_what_matters_for_a_model(
    described: SourceImage, words: str
) -> None:
    assert image_in_words(described) == words


def test_what_fits_has_nothing_said_about_it() -> None:
    assert misfit(image((30, 40), "YX"), GRAY) is None
    assert misfit(image((30, 40, 4), "YXS", "uint8", has_alpha=True), RGB) is None
    assert misfit(image((3, 30, 40), "CYX", "float64"), RGB) is None


def test_another_channel_count_is_said_with_both_numbers() -> None:
    said = misfit(image((30, 40, 3), "YXS", "uint8"), GRAY)
    assert said is not None
    assert "'synthetic' have 1 channel (light)" in said
    assert "'cells' has 3 channels" in said
    assert "name it C" not in said


def test_an_axis_that_may_hold_the_channels_is_pointed_at() -> None:
    said = misfit(image((3, 30, 40), "ZYX"), RGB)
    assert said is not None
    assert "name it C under More options" in said


@pytest.mark.parametrize("dtype", ["bool", "complex64"])
def test_pixels_that_are_no_intensities_are_refused(dtype: str) -> None:
    said = misfit(image((30, 40), "YX", dtype), GRAY)
    assert said is not None
    assert np.dtype(dtype).name in said


@pytest.mark.parametrize("shape", [(1, 1), (7, 40), (40, 7)])
def test_an_image_too_small_for_the_networks_is_said_before_run(shape: tuple[int, int]) -> None:
    said = misfit(image(shape, "YX"), GRAY)
    assert said == (
        f"The layer 'cells' is {shape[0]} x {shape[1]} px; both sides must have at least 8."
    )
    assert misfit(image((8, 8), "YX"), GRAY) is None
