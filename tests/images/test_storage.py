import dask.array
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit.images.axes import Axes
from napari_unit.images.storage import ArraySink, ArraySource

LENGTH = {"T": 2, "Z": 3, "Q": 2, "C": 3, "S": 3, "Y": 7, "X": 5}
axes_strings = (
    st.lists(st.sampled_from("TZQ"), unique=True, max_size=2)
    .flatmap(lambda planes: st.permutations([*planes, "Y", "X"]))
    .flatmap(lambda rest: st.sampled_from([rest, [*rest, "S"], ["C", *rest], [*rest, "C"]]))
    .map("".join)
)
AREA = Region(Span(1, 5), Span(2, 4))


def image(axes: str, dtype: str = "u2") -> np.ndarray:
    shape = tuple(LENGTH[letter] for letter in axes)
    return np.random.default_rng(0).integers(0, 1000, shape).astype(dtype)


@given(axes_strings)
def test_regions_come_channels_first_and_go_back_to_where_they_were(axes: str) -> None:
    array = image(axes)
    n_channels = 3 if set(axes) & set("CS") else 1
    source = ArraySource(array, Axes(axes), n_channels)
    copy = np.zeros_like(array)
    sink = ArraySink(copy, Axes(axes))
    halves = (Span(0, 4), Span(4, 7))
    for plane in range(source.n_planes):
        for rows in halves:
            region = Region(rows, Span(0, 5))
            pixels = source.read(plane, region)
            assert pixels.shape == (n_channels, rows.length, 5)
            sink.write(plane, region, pixels)
    assert np.array_equal(copy, array)
    assert (source.height, source.width, source.n_channels) == (7, 5, n_channels)


@given(axes_strings)
def test_planes_are_counted_over_the_other_axes_in_order(axes: str) -> None:
    array = image(axes)
    planes = "".join(letter for letter in axes if letter in "TZQ")
    channel = next((letter for letter in axes if letter in "CS"), "")
    ordered = np.einsum(f"{axes.lower()}->{planes.lower()}{channel.lower()}yx", array)
    expected = ordered.reshape(-1, 3 if channel else 1, 7, 5)
    source = ArraySource(array, Axes(axes), expected.shape[1])
    for plane in range(source.n_planes):
        assert np.array_equal(source.read(plane, AREA), expected[plane][:, 1:5, 2:4])


@pytest.mark.parametrize("kind", ["dask", "zarr", "big-endian"])
def test_lazy_arrays_give_the_pixels_of_the_region(kind: str) -> None:
    array = image("TZYX")
    lazy = {
        "dask": lambda: dask.array.from_array(array, chunks=(1, 1, 3, 2)),
        "zarr": lambda: zarr.array(array, chunks=(1, 1, 3, 2)),
        "big-endian": lambda: array.astype(">u2"),
    }[kind]()
    pixels = ArraySource(lazy, Axes("TZYX"), 1).read(4, AREA)
    assert isinstance(pixels, np.ndarray)
    assert pixels.dtype.isnative
    assert np.array_equal(pixels[0], array[1, 1, 1:5, 2:4])


def test_a_region_touches_no_other_chunk() -> None:
    asked: list[tuple[slice, ...]] = []

    class Recorder:
        shape, dtype = (10**6, 10**6), np.dtype("u1")

        def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
            asked.append(index)
            return np.zeros([s.stop - s.start for s in index], "u1")

    ArraySource(Recorder(), Axes("YX"), 1).read(0, AREA)
    assert asked == [(slice(1, 5), slice(2, 4))]


def test_opacity_behind_the_colours_is_not_read() -> None:
    array = np.dstack([image("YXS"), np.full((7, 5), 255, "u2")])
    assert np.array_equal(
        ArraySource(array, Axes("YXS"), 3).read(0, AREA), array[1:5, 2:4, :3].transpose(2, 0, 1)
    )
