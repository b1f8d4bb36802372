import warnings
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit.geometry.regions import Region
from napari_unit.geometry.tiling import Span
from napari_unit.images.axes import Axes
from napari_unit.images.decoding import PixelsError
from napari_unit.images.files import open_path
from napari_unit.images.storage import ArraySink, ArraySource, RenumberedSink
from napari_unit.images.tiff_pixels import TiffPixels
from napari_unit.images.zarr_pixels import ZarrPixels

LENGTH = {"T": 2, "Z": 3, "Q": 2, "C": 3, "S": 3, "Y": 7, "X": 5}
axes_strings = (
    st.lists(st.sampled_from("TZQ"), unique=True, max_size=2)
    .flatmap(lambda planes: st.permutations([*planes, "Y", "X"]))
    .flatmap(lambda rest: st.sampled_from([rest, [*rest, "S"], ["C", *rest], [*rest, "C"]]))
    .map("".join)
)
AREA = Region(Span(1, 5), Span(2, 4))
ALL = Region(Span(0, 7), Span(0, 5))


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


def test_what_is_not_inside_the_image_is_refused() -> None:
    source = ArraySource(image("TYX"), Axes("TYX"), 1)
    with pytest.raises(ValueError, match=r"no rows 1 to 7 and columns 2 to 3 in a plane of 7 x 5"):
        source.read(0, Region(Span(1, 8), Span(2, 4)))
    for plane in (-1, 2):
        with pytest.raises(ValueError, match=f"There is no plane {plane}; the image has 2."):
            source.read(plane, AREA)


class Broken:
    """An array that gives something else than it says."""

    shape, dtype = (2, 7, 5), np.dtype("u1")

    def __init__(self, given: Any) -> None:
        self.given = given

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.given, BaseException):
            raise self.given
        return self.given


def test_an_array_that_is_not_what_it_says_is_noticed() -> None:
    def read(given: Any) -> np.ndarray:
        return ArraySource(Broken(given), Axes("TYX"), 1).read(1, AREA)

    with pytest.raises(ValueError, match=r"gave pixels of shape \(4, 3\) for rows 1 to 4 and col"):
        read(np.zeros((4, 3), "u1"))
    with pytest.raises(ValueError, match=r"gave pixels of type float32 for .* says .* holds uint8"):
        read(np.zeros((4, 2), "f4"))
    assert read(np.zeros((4, 2), bool)).dtype == np.uint8
    where = "Rows 1 to 4 and columns 2 to 3 of plane 1 of the image cannot be read: "
    for cause in (KeyError("gone"), ZeroDivisionError("no"), OSError("the disk")):
        with pytest.raises(PixelsError, match=where) as caught:
            read(cause)
        assert caught.value.__cause__ is cause
    with pytest.raises(MemoryError, match="not enough memory to read rows 1 to 4 and columns 2"):
        read(MemoryError())
    with pytest.raises(PixelsError, match=r"^it says more\.$"):
        read(PixelsError("it says more."))


def test_a_computation_of_dask_that_fails_names_the_place_and_the_cause() -> None:
    def fails_in_one_block(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        if block_info and block_info[0]["chunk-location"] == (1, 0):
            raise RuntimeError("the microscope is off")
        return block

    lazy = dask.array.zeros((8, 6), chunks=(4, 6), dtype="u1").map_blocks(
        fails_in_one_block, dtype="u1"
    )
    source = ArraySource(lazy, Axes("YX"), 1)
    assert (source.read(0, Region(Span(0, 4), Span(0, 6))) == 0).all()
    with pytest.raises(
        PixelsError, match=r"Rows 2 to 5 .* cannot be read: the microscope is off\."
    ):
        source.read(0, Region(Span(2, 6), Span(0, 6)))


DTYPES = ("u1", ">u2", "<u2", "i1", ">i2", "u4", ">i4", "i8", "f2", ">f4", "f8")


@settings(max_examples=60)
@given(data=st.data(), axes=axes_strings, dtype=st.sampled_from(DTYPES))
@pytest.mark.parametrize("kind", ["dask", "zarr 2", "zarr 3", "TIFF", "tiled TIFF", "npy"])
def test_every_reader_gives_the_regions_that_numpy_slices(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject, axes: str, dtype: str
) -> None:
    shape = tuple(data.draw(st.integers(1, 9), label=letter) for letter in axes)
    array = np.random.default_rng(1).integers(0, 99, shape).astype(dtype)
    chunks = tuple(data.draw(st.integers(1, length)) for length in shape)
    lazy = stored(kind, array, chunks, tmp_path_factory.mktemp("any"))
    n_channels = Axes(axes).channels_in(shape)
    source = ArraySource(lazy, Axes(axes), n_channels)
    expected = ArraySource(array, Axes(axes), n_channels)
    plane = data.draw(st.integers(0, source.n_planes - 1))
    rows, columns = (
        data.draw(st.integers(0, n - 1).flatmap(lambda a, n=n: st.builds(
            Span, st.just(a), st.integers(a + 1, n))))
        for n in (source.height, source.width)
    )  # fmt: skip
    got = source.read(plane, Region(rows, columns))
    assert got.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(got, expected.read(plane, Region(rows, columns)))
    with pytest.raises(ValueError, match="There are no rows"):
        source.read(plane, Region(rows, Span(columns.start, source.width + 1)))


def stored(kind: str, array: np.ndarray, chunks: tuple[int, ...], folder: Path) -> Any:
    if kind == "dask":
        return dask.array.from_array(array, chunks=chunks)
    if kind.startswith("zarr"):
        version: Any = int(kind[-1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = zarr.create_array(
                folder / "a", shape=array.shape, dtype=array.dtype, chunks=chunks,
                zarr_format=version,
            )  # fmt: skip
        made[...] = array
        return ZarrPixels(folder / "a")
    if kind == "npy":
        np.save(folder / "a.npy", array if chunks[0] == 1 else np.asfortranarray(array))
        return open_path(folder / "a.npy", axes="".join("YXTZQC"[: array.ndim])).array
    how: dict[str, Any] = {"tile": (16, 16)} if "tiled" in kind else {}
    tifffile.imwrite(
        folder / "a.tif", array, compression="zlib", byteorder=array.dtype.byteorder.strip("|=")
        or None, photometric="minisblack", metadata={"axes": "TZQCYX"[-array.ndim :]}, **how
    )  # fmt: skip
    pixels = TiffPixels(folder / "a.tif")
    return Squeezed(pixels, array.shape)


class Squeezed:
    """A TIFF with the axes of length 1 that it does not keep."""

    def __init__(self, pixels: TiffPixels, shape: tuple[int, ...]) -> None:
        self.pixels, self.shape, self.dtype = pixels, shape, pixels.dtype
        lengths = list(pixels.shape)
        self.kept = [bool(lengths) and n == lengths[0] and bool(lengths.pop(0) + 1) for n in shape]
        assert not lengths

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        block = self.pixels[tuple(i for i, kept in zip(index, self.kept, strict=True) if kept)]
        return block.reshape([part.stop - part.start for part in index if isinstance(part, slice)])


@given(axes_strings, st.data())
def test_planes_that_are_counted_in_another_order_find_their_place(
    axes: str, data: st.DataObject
) -> None:
    stored = "".join(data.draw(st.permutations(axes)))
    array = image(axes)
    wanted = array.transpose([axes.index(letter) for letter in stored])
    source = ArraySource(array, Axes(axes), 3 if set(axes) & set("CS") else 1)
    copy = np.zeros_like(wanted)
    sink = RenumberedSink.between(
        ArraySink(copy, Axes(stored)), Axes(axes), Axes(stored), copy.shape
    )
    assert sink.unit_px == 0
    for plane in range(source.n_planes):
        assert sink.written(plane, AREA) is None
        sink.write(plane, ALL, source.read(plane, ALL), 0)
    np.testing.assert_array_equal(copy, wanted)
