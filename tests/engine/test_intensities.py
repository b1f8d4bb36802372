from collections.abc import Callable
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.domains import Domain, IntensityScaling, Window
from napari_unit.engine import intensities
from napari_unit.engine.intensities import Intensities, measure_intensities, n_reads
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySource

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "float16", "float32",
          "float64")  # fmt: skip


def domain(n_channels: int, low: float = 1.0, high: float = 95.0) -> Domain:
    scaling = IntensityScaling("percentiles", low, high, (0.0,) * n_channels, (1.0,) * n_channels)
    return Domain("a", tuple(f"channel {index}" for index in range(n_channels)), scaling)


def measured(image: np.ndarray, of: Domain | None = None) -> Intensities:
    """Measure an image (T, C, Y, X)."""
    planes = ArraySource(image, Axes("TCYX"), image.shape[1])
    job = measure_intensities(planes, of or domain(image.shape[1]))
    done = 0
    while True:
        try:
            assert next(job) == done + 1
        except StopIteration as end:
            assert done == n_reads(planes)
            result: Intensities = end.value
            return result
        done += 1


@pytest.mark.parametrize("dtype", DTYPES)
@given(
    drawn=hnp.arrays(
        "float64",
        st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 6), st.integers(1, 6)),
        elements=st.floats(-6e4, 6e4),
        fill=st.nothing(),
    )
)
def test_the_window_is_numpys_percentiles(dtype: str, drawn: np.ndarray) -> None:
    if dtype.startswith("float"):
        image = drawn.astype(dtype)
    else:
        bounds = np.iinfo(dtype)
        image = drawn.clip(bounds.min, bounds.max).astype(dtype)
    values = image.astype(np.float32).astype(np.float64)
    low, high = np.percentile(values, [1.0, 95.0], axis=(0, 2, 3))
    if not (low < high).all():
        return  # the fallback has its own tests
    window = measured(image).window
    np.testing.assert_allclose(window.low, low, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(window.high, high, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32"])
@given(seed=st.integers(0, 1000), low=st.floats(0, 40), high=st.floats(60, 100))
def test_clipped_pixels_are_counted(dtype: str, seed: int, low: float, high: float) -> None:
    image = np.random.default_rng(seed).integers(0, 30, (2, 2, 7, 9)).astype(dtype)
    found = measured(image, domain(2, low, high))
    assert found.n_clipped == sum(found.window.outside(plane) for plane in image)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_the_window_does_not_depend_on_what_is_read_at_once(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.random.default_rng(0).normal(500, 90, (1, 1, 50, 70)).astype(dtype)
    whole = measured(image)
    monkeypatch.setattr(intensities, "READ_PX", 16)
    assert measured(image) == whole


def test_planes_are_measured_together() -> None:
    image = np.zeros((2, 1, 4, 4), "uint8")
    image[1] = 200
    assert measured(image).window == Window((0.0,), (200.0,))


def test_a_fixed_range_is_taken_as_it_is_and_its_clipping_counted() -> None:
    of = Domain("a", ("x",), IntensityScaling("range", 10.0, 20.0))
    image = np.array([[[[9.0, 10.0], [20.0, 25.0]]]])
    found = measured(image, of)
    assert found == Intensities(Window((10.0,), (20.0,)), 2, ())


@pytest.mark.parametrize("kind", ["percentiles", "range"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_refused(kind: str, wrong: float) -> None:
    of = (
        domain(1) if kind == "percentiles" else Domain("a", ("x",), IntensityScaling("range", 0, 1))
    )
    image = np.random.default_rng(0).normal(size=(1, 1, 20, 20)).astype("float32")
    image[0, 0, 3, 5:7] = wrong
    says = "2 of the image's 400 pixel values are NaN or infinite, the first at plane 0, row 3, col"
    with pytest.raises(ValueError, match=f"{says}umn 5; replace"):
        measured(image, of)


def test_the_first_pixel_that_is_not_finite_is_named_among_many_regions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intensities, "READ_PX", 16)
    image = np.random.default_rng(0).normal(size=(3, 2, 50, 60)).astype("float32")
    image[1, 1, 40, 35] = image[1, 0, 47, 33] = image[2, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"3 of .* at plane 1, row 40, column 35, channel 1; rep"):
        measured(image)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_an_image_without_contrast_is_refused(dtype: str) -> None:
    image = np.full((2, 2, 9, 9), 7, dtype)
    for of in (domain(2), Domain("a", ("x", "y"), IntensityScaling("range", 0, 9))):
        with pytest.raises(ValueError, match=r"have the same value \(7\); there is nothing"):
            measured(image, of)


@pytest.mark.parametrize("dtype", ["uint16", "float64"])
def test_a_sparse_channel_gets_its_extremes_and_a_note(dtype: str) -> None:
    image = np.zeros((1, 1, 30, 30), dtype)
    image[0, 0, 4, 4] = 500
    found = measured(image)
    assert found.window == Window((0.0,), (500.0,))
    assert found.n_clipped == 0
    assert found.notes == (
        (
            "The percentiles 1 and 95 of channel 'channel 0' coincide; its smallest and largest "
            "value, 0 and 500, stand for them."
        ),
    )


def test_an_empty_channel_beside_others_maps_to_minus_1_with_a_note() -> None:
    image = np.random.default_rng(0).integers(0, 99, (1, 2, 9, 9)).astype("uint8")
    image[:, 1] = 3
    found = measured(image)
    assert (found.window.to_unit(image[0])[1] == -1.0).all()
    assert found.notes == ("All pixels of channel 'channel 1' are 3, which maps to -1.",)


def test_huge_float64_values_do_not_overflow() -> None:
    image = np.linspace(-1e300, 1e300, 100).reshape(1, 1, 10, 10)
    window = measured(image).window
    assert np.isfinite([*window.low, *window.high]).all()


def test_each_region_is_read_once_per_pass(finish: Callable[..., Any]) -> None:
    class Counted(ArraySource):
        reads = 0

        def read(self, plane: int, region: Any) -> Any:
            self.reads += 1
            return super().read(plane, region)

    for dtype, n_passes in (("uint16", 1), ("float32", 2)):
        planes = Counted(np.eye(64, dtype=dtype)[None, None], Axes("TCYX"), 1)
        finish(measure_intensities(planes, domain(1)))
        assert planes.reads == n_passes
