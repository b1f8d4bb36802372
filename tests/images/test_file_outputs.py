import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.engine.planes import PlaneSink
from napari_unit.geometry.regions import grid, whole
from napari_unit.images import unit_store
from napari_unit.images.axes import Axes
from napari_unit.images.file_outputs import FileOutput, check_free, file_output
from napari_unit.images.files import open_path
from napari_unit.images.levels import shrink
from napari_unit.images.outputs import shape_result
from napari_unit.images.placement import PixelSize
from napari_unit.images.source_image import SourceImage
from napari_unit.images.storage import ArraySource
from napari_unit.images.unit_store import UnitStore

RANGE = IntensityScaling("range", 0.0, 255.0)
DNA = Domain("real", ("dna",), RANGE)
TWO = Domain("two", ("dna", "actin"), RANGE)
RGB = Domain("stained", ("red", "green", "blue"), RANGE)
LENGTHS = {"T": 2, "Z": 3, "C": 1, "S": 3, "Q": 2}
ENDINGS = ("ome.tif", "ome.zarr")


def source(axes: str, size: tuple[int, int], dtype: str = "u1", **of: Any) -> SourceImage:
    shape = [(LENGTHS | {"Y": size[0], "X": size[1]})[letter] for letter in axes]
    array = np.zeros(shape, dtype)
    return SourceImage(array, Axes(axes), "cells", pixel_size=PixelSize(0.5, 0.25), **of)


def output(image: SourceImage, target: Domain, path: Path, dtype: str = "u1") -> FileOutput:
    return file_output(
        shape_result(image, target, np.dtype(dtype)), image, target, path, {"seed": 0}
    )


def fill(sink: PlaneSink, axes: Axes, pixels: np.ndarray, n_channels: int) -> None:
    planes = ArraySource(pixels, axes, n_channels)
    for plane in range(planes.n_planes):
        for unit in grid(whole((planes.height, planes.width)), sink.unit_px):
            sink.write(plane, unit, planes.read(plane, unit), 0)


def write(to: FileOutput, axes: Axes, pixels: np.ndarray, n_channels: int) -> list[Any]:
    with to as sink:
        fill(sink, axes, pixels, n_channels)
        return list(to.finish({"model": "nuclei"}))


@pytest.fixture
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_store, "UNIT_PX", 32)
    monkeypatch.setattr(unit_store, "CHUNK_PX", 16)
    monkeypatch.setattr(UnitStore, "unit_px", 32)


@pytest.mark.usefixtures("small_units")
@settings(max_examples=40)
@given(
    axes=st.sampled_from(["YX", "XY", "ZYX", "XYZ", "TZYX", "CYX", "YXC", "ZCYX", "TCZYX", "YXS"]),
    size=st.tuples(st.integers(2, 70), st.integers(2, 70)),
    dtype=st.sampled_from(["u1", "u2", "i4", "f4"]),
    target=st.sampled_from([DNA, TWO, RGB]),
    ending=st.sampled_from(ENDINGS),
    has_levels=st.booleans(),
)
def test_any_image_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    axes: str, size: tuple[int, int], dtype: str, target: Domain, ending: str, has_levels: bool,
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("out") / f"a.{ending}"
    shapes = [source(axes, s).shape for s in (size, (-(-size[0] // 2), size[1] // 2))]
    image = source(axes, size, level_shapes=tuple(shapes) if has_levels else ())
    to = output(image, target, path, dtype)
    result = shape_result(image, target, np.dtype(dtype))
    pixels = np.random.default_rng(0).integers(0, 250, result.shapes[0]).astype(dtype)
    news = write(to, result.axes, pixels, target.n_channels)
    assert all(done <= total for _, done, total in news)
    assert os.listdir(path.parent) == [path.name]
    levels = to.levels()
    assert [level.shape for level in levels] == list(result.shapes)
    assert levels[0].dtype == np.dtype(dtype)
    assert np.array_equal(levels[0].compute(), pixels)
    if has_levels:
        expected = np.empty(result.shapes[1], dtype)
        list(shrink(pixels, expected, result.axes.y))
        difference = np.abs(levels[1].compute().astype("f8") - expected)
        assert difference.max() <= (1 if expected.dtype.kind in "iu" else 1e-3)
    found = open_path(path)
    assert found.pixel_size is not None
    assert (found.pixel_size.y, found.pixel_size.x) == (0.5, 0.25)


@pytest.mark.parametrize("ending", ENDINGS)
def test_large_images_without_levels_get_some(tmp_path: Path, ending: str) -> None:
    image = source("YXS", (2100, 300))
    pixels = np.random.default_rng(0).integers(0, 250, image.shape).astype("u1")
    to = output(image, RGB, tmp_path / f"a.{ending}")
    write(to, Axes("YXS"), pixels, 3)
    full, half, *_ = to.levels()
    assert np.array_equal(full.compute(), pixels)
    expected = pixels.reshape(1050, 2, 150, 2, 3).mean((1, 3))
    assert np.abs(half.compute() - expected).max() <= 0.51
    assert open_path(to.path).level_shapes[1][-1] in (3, 150)


@pytest.mark.parametrize("ending", ENDINGS)
def test_without_its_end_there_is_no_file(tmp_path: Path, ending: str) -> None:
    to = output(source("YX", (20, 30)), DNA, tmp_path / f"a.{ending}")
    with to as sink:
        assert os.listdir(tmp_path) == [f"a.{ending}.partial"]
        assert to.work.path == tmp_path / f"a.{ending}.partial"
    assert os.listdir(tmp_path) == []
    with to as sink:
        fill(sink, Axes("YX"), np.ones((20, 30), "u1"), 1)
    assert os.listdir(tmp_path) == [f"a.{ending}.partial"]
    with to as sink:
        assert sink.written(0, whole((20, 30))) == 0
        list(to.finish({}))
    assert os.listdir(tmp_path) == [f"a.{ending}"]


def test_a_path_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist; make it first"):
        check_free(tmp_path / "no" / "a.tif")
    with pytest.raises(
        ValueError, match=r"'a.png'; it must end in .ome.tif or .tif .OME-TIFF., or in .ome.zarr"
    ):
        check_free(tmp_path / "a.png")
    for name in ("a.tif", "a.ome.zarr"):
        (tmp_path / name).mkdir()
        with pytest.raises(FileExistsError, match="exists already; remove it or give another name"):
            output(source("YX", (20, 30)), DNA, tmp_path / name)
        assert (tmp_path / name).is_dir()


def test_axes_and_pixels_that_a_format_lacks_are_refused_before_there_is_a_folder(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match="an OME-Zarr has none for Q"):
        output(source("QYX", (20, 30)), DNA, tmp_path / "a.zarr")
    wide = SourceImage(np.zeros((2, 20, 30), "u1"), Axes("WYX"), "cells")
    with pytest.raises(ValueError, match="an OME-TIFF cannot name W"):
        output(wide, DNA, tmp_path / "a.tif")
    with pytest.raises(ValueError, match="cannot hold axes 'YX' of float16"):
        output(source("YX", (20, 30)), DNA, tmp_path / "a.tif", "f2")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("ending", "n_copies"), [("ome.tif", 2), ("ome.zarr", 1)])
def test_a_disk_that_is_too_small_is_told_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, n_copies: int
) -> None:
    image = source("YX", (300, 400))
    usage = shutil.disk_usage(tmp_path)
    free = n_copies * 300 * 400
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free - 20_000))
    to = output(image, DNA, tmp_path / f"a.{ending}")
    with pytest.raises(OSError, match=rf"0.0 GB free, and writing a.{ending} takes up to 0.0 GB"):
        to.__enter__()
    assert os.listdir(tmp_path) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    with to as sink:
        noise = np.random.default_rng(0).integers(0, 255, (300, 400)).astype("u1")
        fill(sink, Axes("YX"), noise, 1)
    # what is there already needs no room
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free - 20_000))
    with to:
        list(to.finish({}))
