import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_unit.images import ome_tiff
from napari_unit.images.axes import Axes
from napari_unit.images.files import open_path
from napari_unit.images.ome_tiff import OmeTiffPlan, check_storable, stored_axes, write_ome_tiff
from napari_unit.images.placement import PixelSize
from napari_unit.images.stored_image import StoredImage

SIZE = PixelSize(0.5, 0.25, 2.0, "µm")


def plan(axes: str, *shapes: tuple[int, ...], dtype: str = "u2") -> OmeTiffPlan:
    stored = StoredImage(Axes(axes), shapes, np.dtype(dtype), "cells", SIZE)
    return OmeTiffPlan(stored, ("dna", "actin"))


def written(path: Path, axes: str, *levels: np.ndarray) -> None:
    planned = plan(axes, *(level.shape for level in levels), dtype=levels[0].dtype.str)
    news = list(write_ome_tiff(path, planned, levels))
    assert news == [(i + 1, len(news)) for i in range(len(news))]


def random_image(*shape: int, dtype: str = "u2") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 60000, shape).astype(dtype)


@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("YX", (300, 611)),
        ("ZYX", (3, 40, 51)),
        ("TZYX", (2, 3, 40, 51)),
        ("ZCYX", (3, 2, 40, 51)),
        ("YXS", (300, 111, 3)),
        ("ZYXS", (3, 40, 51, 3)),
        ("QTZYX", (2, 2, 3, 40, 51)),
    ],
)
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "i4"])
def test_readers_find_pixels_axes_and_pixel_size(
    tmp_path: Path, axes: str, shape: tuple[int, ...], dtype: str
) -> None:
    image = random_image(*shape, dtype=dtype)
    path = tmp_path / "image.ome.tif"
    written(path, axes, image)
    with tifffile.TiffFile(path) as tif:
        assert len(tif.series) == 1
        assert tif.is_ome
        assert not tif.is_bigtiff
        series = tif.series[0]
        assert (series.axes, series.shape, series.dtype) == (axes, shape, image.dtype)
        assert np.array_equal(series.asarray(), image)
        page = tif.pages[0]
        assert page.is_tiled
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        pixels = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"]
    assert [pixels[f"PhysicalSize{axis}"] for axis in "XYZ"] == [0.25, 0.5, 2.0]
    assert {pixels[f"PhysicalSize{axis}Unit"] for axis in "XYZ"} == {"µm"}
    if "C" in axes:
        assert [channel["Name"] for channel in pixels["Channel"]] == ["dna", "actin"]


def test_smaller_levels_are_sub_ifds(tmp_path: Path) -> None:
    image = random_image(2, 64, 48, dtype="f4")
    given = [image, image[:, ::2, ::2], image[:, ::4, ::4]]
    written(tmp_path / "p.tif", "ZYX", *given)
    with tifffile.TiffFile(tmp_path / "p.tif") as tif:
        assert len(tif.series) == 1
        levels = [level.asarray() for level in tif.series[0].levels]
    assert all(np.array_equal(level, pixels) for level, pixels in zip(levels, given, strict=True))


@pytest.mark.parametrize(("axes", "shape"), [("CYX", (2, 900, 1300)), ("YXS", (1100, 700, 3))])
def test_a_zarr_array_is_decoded_once(
    tmp_path: Path, axes: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ome_tiff, "_READ_PX", 1024)
    image = random_image(*shape, dtype="u1")
    chunks = tuple(512 if letter in "YX" else n for letter, n in zip(axes, shape, strict=True))
    array = zarr.create_array(tmp_path / "a.zarr", data=image, chunks=chunks)
    seen: list[tuple[slice, ...]] = []

    class Listening:
        shape, dtype = array.shape, array.dtype

        def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
            seen.append(index)
            return array[index]

    list(write_ome_tiff(tmp_path / "a.tif", plan(axes, shape, dtype="u1"), [Listening()]))
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), image)
    assert len(seen) == len({repr(index) for index in seen}) <= 8


def test_large_files_are_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_tiff, "_CLASSIC_TIFF_BYTES", 1000)
    written(tmp_path / "big.tif", "YX", random_image(40, 40))
    with tifffile.TiffFile(tmp_path / "big.tif") as tif:
        assert tif.is_bigtiff


@pytest.mark.parametrize("n_steps", [0, 1, 3])
def test_writing_can_be_stopped_and_begun_anew(tmp_path: Path, n_steps: int) -> None:
    image = random_image(3000, 3000)
    steps = write_ome_tiff(tmp_path / "a.tif", plan("YX", image.shape), [image])
    assert len(list(itertools.islice(steps, n_steps))) == n_steps
    steps.close()
    written(tmp_path / "a.tif", "YX", image[:20])
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), image[:20])


def test_an_error_while_reading_is_raised(tmp_path: Path) -> None:
    class Torn:
        shape, dtype = (60, 60), np.dtype("u2")

        def __getitem__(self, _: object) -> np.ndarray:
            raise OSError("torn")

    with pytest.raises(OSError, match="torn"):
        list(write_ome_tiff(tmp_path / "a.tif", plan("YX", (60, 60)), [Torn()]))


def test_pixels_and_axes_that_ome_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot hold axes 'YX' of float16"):
        check_storable(plan("YX", (8, 8), dtype="f2"))
    with pytest.raises(ValueError, match="cannot name W"):
        stored_axes(Axes("WYX"))


def test_the_time_between_images_carries_over(tmp_path: Path) -> None:
    stored = replace(plan("TYX", (3, 20, 20)).stored, time_step_s=0.5)
    list(
        write_ome_tiff(tmp_path / "a.tif", OmeTiffPlan(stored, ("dna",)), [random_image(3, 20, 20)])
    )
    assert open_path(tmp_path / "a.tif").time_step_s == 0.5


def test_an_unknown_pixel_size_is_not_invented(tmp_path: Path) -> None:
    stored = replace(plan("YX", (20, 20)).stored, pixel_size=None)
    planned = OmeTiffPlan(stored, ("dna", "actin"))
    list(write_ome_tiff(tmp_path / "a.tif", planned, [random_image(20, 20)]))
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert "PhysicalSize" not in tif.ome_metadata


def test_axes_are_stored_with_rows_and_columns_last() -> None:
    assert [stored_axes(Axes(a)).letters for a in ("XYZ", "YXC", "YXS", "CZYX")] == [
        "ZYX", "CYX", "YXS", "CZYX",
    ]  # fmt: skip


def test_an_image_of_one_column_comes_back(tmp_path: Path) -> None:
    """tifffile would take its rows for columns, and columns for samples."""
    levels = [np.array([[1, 2], [3, 4], [5, 6]], "u1"), np.array([[7], [9]], "u1")]
    shapes = tuple(level.shape for level in levels)
    plan = OmeTiffPlan(StoredImage(Axes("YX"), shapes, np.dtype("u1"), "column"), ("dna",))
    for _ in write_ome_tiff(tmp_path / "a.ome.tif", plan, levels):
        pass
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tif:
        for found, level in zip(tif.series[0].levels, levels, strict=True):
            assert np.array_equal(found.asarray(), level)
