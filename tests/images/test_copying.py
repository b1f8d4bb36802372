from itertools import permutations
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr

from napari_unit.geometry.regions import whole
from napari_unit.images import copying
from napari_unit.images.axes import Axes
from napari_unit.images.copying import copy_to_tiff, is_same_as_file
from napari_unit.images.files import open_path
from napari_unit.images.placement import PixelSize
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySource


def planes(image):
    source = ArraySource(image.array, image.axes, image.channels_read)
    return [source.read(i, whole((source.height, source.width))) for i in range(source.n_planes)]


def image_of(shape, axes, dtype="uint16", **fields):
    random = np.random.default_rng(0)
    array = random.integers(0, 250, shape).astype(dtype)
    return SourceImage(array, Axes(axes), "cells", **fields)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((40, 30), "YX"),
        ((30, 40), "XY"),
        ((3, 40, 30), "ZYX"),
        ((2, 40, 30), "CYX"),
        ((40, 30, 2), "YXC"),
        ((4, 3, 2, 40, 30), "TZCYX"),
        ((2, 4, 40, 30, 3), "CTYXZ"),
        ((40, 30, 3), "YXS"),
        ((3, 40, 30, 3), "ZYXS"),
        ((3, 5, 40, 30), "ZQYX"),
        ((600, 1100), "YX"),
    ],
)
def test_a_copy_holds_every_plane_in_its_order(tmp_path, shape, axes):
    image = image_of(shape, axes)
    path = tmp_path / "copy.ome.tif"
    steps = list(copy_to_tiff(image, path))
    assert steps[-1][0] == steps[-1][1]
    there = open_path(path)
    assert there.n_channels == image.n_channels
    ours, theirs = planes(image), planes(there)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("order", ["".join(p) for p in permutations("CYX")])
def test_any_order_of_axes_is_written_in_one(tmp_path, order):
    length = dict(zip("CYX", (2, 40, 30), strict=True))
    image = image_of([length[letter] for letter in order], order)
    list(copy_to_tiff(image, tmp_path / "x.ome.tif"))
    assert open_path(tmp_path / "x.ome.tif").axes.letters == "CYX"
    np.testing.assert_array_equal(planes(image)[0], planes(open_path(tmp_path / "x.ome.tif"))[0])


def test_opacity_is_left_out(tmp_path):
    image = image_of((40, 30, 4), "YXS", "uint8", has_alpha=True)
    list(copy_to_tiff(image, tmp_path / "x.ome.tif"))
    there = open_path(tmp_path / "x.ome.tif")
    assert there.shape == (40, 30, 3)
    np.testing.assert_array_equal(np.asarray(there.array[:]), image.array[..., :3])


def test_the_pixel_size_goes_along(tmp_path):
    size = PixelSize(0.5, 0.25, None, "µm")
    list(copy_to_tiff(image_of((40, 30), "YX", pixel_size=size), tmp_path / "x.ome.tif"))
    there = open_path(tmp_path / "x.ome.tif").pixel_size
    assert (there.y, there.x, there.unit) == (0.5, 0.25, "µm")


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "float32", "float64", "int64", "float16", ">u2"]
)
def test_values_of_any_type_are_kept(tmp_path, dtype):
    image = image_of((40, 30), "YX", dtype)
    list(copy_to_tiff(image, tmp_path / "x.ome.tif"))
    np.testing.assert_array_equal(
        np.asarray(open_path(tmp_path / "x.ome.tif").array[:]), image.array
    )


def test_what_is_no_number_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'cells' holds pixels of type bool; convert"):
        list(copy_to_tiff(image_of((40, 30), "YX", "bool"), tmp_path / "x.ome.tif"))
    assert not list(tmp_path.iterdir())


def test_lazy_arrays_are_read_piece_by_piece(tmp_path):
    array = image_of((3, 1100, 1200), "ZYX").array
    stored = zarr.create_array(tmp_path / "x.zarr", data=array, chunks=(1, 256, 256))
    largest = []

    def look(block):
        largest.append(block.nbytes)
        return block

    lazy = da.from_array(array, chunks=(1, 512, 600)).map_blocks(look, dtype="u2", meta=array[:0])
    for name, one in (("zarr", stored), ("dask", lazy)):
        path = tmp_path / f"{name}.ome.tif"
        list(copy_to_tiff(SourceImage(one, Axes("ZYX"), name), path))
        np.testing.assert_array_equal(tifffile.imread(path), array)
    assert max(largest) <= 512 * 600 * 2


def test_a_copy_that_is_canceled_leaves_nothing(tmp_path):
    steps = copy_to_tiff(image_of((8, 600, 600), "ZYX"), tmp_path / "x.ome.tif")
    next(steps)
    steps.close()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_before(tmp_path, monkeypatch):
    class Usage:
        free = 10

    monkeypatch.setattr(copying.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(OSError, match=r"0\.0 GB free, and a copy of 'cells' takes up to"):
        list(copy_to_tiff(image_of((40, 30), "YX"), tmp_path / "x.ome.tif"))


# -- whether a file has an image already --------------------------------------------------------


def answer(image) -> bool:
    found = list(is_same_as_file(image))
    return bool(found) and found[-1]


@pytest.fixture
def stored(tmp_path) -> tuple[Path, np.ndarray]:
    pixels = np.random.default_rng(0).integers(0, 99, (3, 40, 30)).astype("u2")
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": "ZYX"})
    return path, pixels


def layer_of(pixels, path, axes="ZYX"):
    return SourceImage(pixels, Axes(axes), "cells", path=path)


def test_an_unchanged_image_is_its_file(stored):
    path, pixels = stored
    assert answer(layer_of(pixels, path))
    assert answer(layer_of(da.from_array(pixels), path))


@pytest.mark.parametrize("where", [(0, 0, 0), (2, 39, 29)])
def test_a_single_changed_pixel_makes_it_another(stored, where):
    path, pixels = stored
    pixels[where] += 1
    assert not answer(layer_of(pixels, path))


def test_another_meaning_shape_or_type_makes_it_another(stored, tmp_path):
    path, pixels = stored
    assert not answer(layer_of(pixels, path, "CYX"))
    assert not answer(layer_of(pixels[:2], path))
    assert not answer(layer_of(pixels.astype("f4"), path))
    assert not answer(layer_of(pixels, None))
    assert not answer(layer_of(pixels, tmp_path / "gone.tif"))
    (tmp_path / "text.tif").write_text("no image")
    assert not answer(layer_of(pixels, tmp_path / "text.tif"))
