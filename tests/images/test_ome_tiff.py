import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_unit.geometry.regions import Region, grid, whole
from napari_unit.geometry.tiling import Span
from napari_unit.images import ome_tiff
from napari_unit.images.axes import Axes
from napari_unit.images.ome_tiff import OmeTiffPlan, OmeTiffSink, check_free, stored_axes
from napari_unit.images.placement import PixelSize

SIZE = PixelSize(0.5, 0.25, 2.0, "µm")


def plan(path: Path, axes: str, *shapes: tuple[int, ...], dtype: str = "u2") -> OmeTiffPlan:
    return OmeTiffPlan(path, Axes(axes), shapes, np.dtype(dtype), ("dna", "actin"), SIZE, "cells")


def fill(sink: OmeTiffSink, image: np.ndarray) -> None:
    """Give the sink an image in tiles of odd sizes, last ones first."""
    is_color = "S" in sink.plan.axes.letters
    planes = image.reshape(-1, *image.shape[-3:] if is_color else (*image.shape[-2:], 1))
    if "C" in sink.plan.axes.letters:  # C before Y and X
        planes = image.reshape(-1, *image.shape[-3:]).transpose(0, 2, 3, 1)
    for number, plane in reversed(list(enumerate(planes))):
        for region in reversed(list(grid(whole(plane.shape[:2]), 97))):
            rows, columns = region.within(whole(plane.shape[:2]))
            sink.write(number, region, plane[rows, columns].transpose(2, 0, 1))


def written(path: Path, axes: str, image: np.ndarray, *smaller: tuple[int, ...]) -> OmeTiffPlan:
    planned = plan(path, axes, image.shape, *smaller, dtype=image.dtype.str)
    with OmeTiffSink(planned) as sink:
        fill(sink, image)
        news = list(sink.finish())
    assert news[-1][0] == "writing"
    assert news[-1][1] == news[-1][2]
    return planned


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
    assert sorted(os.listdir(tmp_path)) == ["image.ome.tif"]


def test_smaller_levels_are_local_means_in_sub_ifds(tmp_path: Path) -> None:
    image = random_image(2, 64, 48, dtype="f4")
    written(tmp_path / "p.tif", "ZYX", image, (2, 32, 24), (2, 16, 12))
    with tifffile.TiffFile(tmp_path / "p.tif") as tif:
        levels = [level.asarray() for level in tif.series[0].levels]
    for n, level in ((2, levels[1]), (4, levels[2])):
        means = image.reshape(2, 64 // n, n, 48 // n, n).mean((2, 4))
        assert np.allclose(level, means, rtol=1e-6)


def test_large_files_are_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_tiff, "_CLASSIC_TIFF_BYTES", 1000)
    written(tmp_path / "big.tif", "YX", random_image(40, 40))
    with tifffile.TiffFile(tmp_path / "big.tif") as tif:
        assert tif.is_bigtiff


def test_a_block_left_early_leaves_no_file(tmp_path: Path) -> None:
    with OmeTiffSink(plan(tmp_path / "a.tif", "YX", (600, 600))) as sink:
        sink.write(0, Region(Span(0, 9), Span(0, 9)), np.ones((1, 9, 9), "u2"))
        assert len(os.listdir(tmp_path)) == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("n_steps", [0, 1, 3])
def test_writing_that_is_cancelled_leaves_no_file(tmp_path: Path, n_steps: int) -> None:
    with OmeTiffSink(plan(tmp_path / "a.tif", "YX", (3000, 3000))) as sink:
        steps = sink.finish()
        assert len(list(itertools.islice(steps, n_steps))) == n_steps
        steps.close()
    assert os.listdir(tmp_path) == []


def test_an_error_while_writing_is_raised_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Iterator[np.ndarray]:
        raise OSError(errno.ENOSPC, "No space left on device")
        yield

    monkeypatch.setattr(ome_tiff, "_tiles", full)
    sink = OmeTiffSink(plan(tmp_path / "a.tif", "YX", (60, 60)))
    with pytest.raises(OSError, match="No space left"), sink:
        list(sink.finish())
    assert os.listdir(tmp_path) == []


def test_what_exists_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="exists already; remove it or give another name"):
        OmeTiffSink(plan(path, "YX", (8, 8)))
    assert path.read_text() == "mine"


def test_a_path_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist; make it first"):
        check_free(tmp_path / "no" / "a.tif")
    with pytest.raises(ValueError, match=r"'a.png'; it must end in .ome.tif or .tif"):
        check_free(tmp_path / "a.png")


def test_a_full_disk_is_told_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(tmp_path / "a.tif", "YX", (80, 80))
    # room for the scratch file, but not for the file that is made of it
    usage = replace_free(shutil.disk_usage(tmp_path), 2 * planned.n_bytes - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"0.0 GB free, and writing a.tif takes up to"):
        OmeTiffSink(planned)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system takes no room ahead")
def test_the_room_of_the_scratch_file_is_taken_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(tmp_path / "a.tif", "YX", (2000, 2000))
    with OmeTiffSink(planned):
        (scratch,) = tmp_path.iterdir()
        assert scratch.stat().st_blocks * 512 >= planned.n_bytes

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(OSError, match=r"There is no room for 0.0 GB in .* choose another disk"):
        OmeTiffSink(planned).__enter__()
    assert os.listdir(tmp_path) == []


def test_a_file_system_that_takes_no_room_ahead_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    written(tmp_path / "a.tif", "YX", random_image(40, 40))
    assert tifffile.imread(tmp_path / "a.tif").shape == (40, 40)


def replace_free(usage: object, free: int) -> object:
    return usage._replace(free=free)  # type: ignore[attr-defined]


def test_pixels_and_axes_that_ome_lacks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot hold axes 'YX' of float16"):
        OmeTiffSink(plan(tmp_path / "a.tif", "YX", (8, 8), dtype="f2"))
    with pytest.raises(ValueError, match="cannot name W"):
        stored_axes(Axes("WYX"))


def test_an_unknown_pixel_size_is_not_invented(tmp_path: Path) -> None:
    planned = replace(plan(tmp_path / "a.tif", "YX", (20, 20)), pixel_size=None)
    with OmeTiffSink(planned) as sink:
        list(sink.finish())
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert "PhysicalSize" not in tif.ome_metadata


def test_axes_are_stored_with_rows_and_columns_last() -> None:
    assert [stored_axes(Axes(a)).letters for a in ("XYZ", "YXC", "YXS", "CZYX")] == [
        "ZYX", "CYX", "YXS", "CZYX",
    ]  # fmt: skip
