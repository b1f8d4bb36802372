from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr
from napari.layers import Image

import napari_unit
from napari_unit.images.files import open_path


def test_a_16_bit_file_goes_round(gray: np.ndarray, tmp_path: Path, nuclei: Path) -> None:
    source = tmp_path / "in.tif"
    cm = {"resolution": (4e4, 2e4), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(source, gray, **cm)  # 0.25 µm wide, 0.5 µm high
    out = tmp_path / "out.ome.tif"
    assert napari_unit.translate(source, nuclei, "synthetic", dtype="same", out=out) == out
    expected = napari_unit.translate(gray, nuclei, "synthetic", dtype="same")
    assert expected.dtype == np.uint16
    with tifffile.TiffFile(out) as tif:
        assert tif.series[0].axes == "YX"
        assert np.array_equal(tif.asarray(), expected)
        pixels = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeY"]) == pytest.approx((0.25, 0.5))
    assert (pixels["PhysicalSizeXUnit"], pixels["Channel"]["Name"]) == ("µm", "dna")
    again = tmp_path / "again.ome.tif"
    napari_unit.translate(str(out), nuclei, "real", out=str(again))
    assert open_path(again).pixel_size == open_path(source).pixel_size


@pytest.mark.parametrize("kind", ["png", "jpg", "jpeg.tif", "tiled.tif", "stack.ome.tif"])
def test_every_kind_of_file_gives_the_pixels_of_its_array(
    gray: np.ndarray, color: np.ndarray, tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    path, axes = tmp_path / f"in.{kind}", None
    smooth = np.kron(color[:4, :4], np.ones((16, 16, 1), "u1"))
    if kind in ("png", "jpg"):
        imagecodecs.imwrite(str(path), smooth)
    elif kind == "jpeg.tif":
        tifffile.imwrite(path, smooth, photometric="rgb", compression="jpeg", tile=(32, 32))
    elif kind == "tiled.tif":
        tifffile.imwrite(path, gray, tile=(16, 32), compression="zlib")
    else:
        tifffile.imwrite(path, np.stack([gray, gray // 2]), metadata={"axes": "ZYX"})
        axes = "ZYX"
    pixels = open_path(path).array[:]
    model, to = ("stain", "synthetic") if pixels.shape[-1] == 3 else ("nuclei", "real")
    axes = "YXS" if pixels.shape[-1] == 3 else axes
    model_path = request.getfixturevalue(model)
    expected = napari_unit.translate(pixels, model_path, to, axes=axes)
    assert np.array_equal(napari_unit.translate(path, model_path, to), expected)


@pytest.mark.parametrize(
    ("axes", "stored"),
    [("ZYX", "ZYX"), ("TZYX", "TZYX"), ("XYZ", "ZYX"), ("QTZYX", "QTZYX"), ("CYX", "YX")],
)
def test_stacks_are_written_in_tiff_order(
    rng: np.random.Generator, tmp_path: Path, nuclei: Path, axes: str, stored: str
) -> None:
    length = {"Q": 2, "T": 2, "Z": 3, "C": 1, "Y": 24, "X": 20}
    image = rng.integers(0, 255, [length[letter] for letter in axes]).astype("u1")
    out = tmp_path / "out.tif"
    napari_unit.translate(image, nuclei, "real", axes=axes, out=out)
    expected = napari_unit.translate(image, nuclei, "real", axes=axes)
    with tifffile.TiffFile(out) as tif:
        assert tif.series[0].axes == stored
        ordered = np.einsum(f"{axes.lower()}->{stored.lower()}", expected)
        assert np.array_equal(tif.asarray(), ordered)


@pytest.mark.parametrize(
    ("axes", "stored"),
    [("ZTYX", "TZYX"), ("ZYXT", "TZYX"), ("XZY", "ZYX"), ("ZCTYX", "TCZYX"), ("TZYX", "TZYX")],
)
@pytest.mark.parametrize("part", [None, {"Z": (1, 3), "Y": (4, 20)}])
def test_stacks_are_written_in_zarr_order(
    rng: np.random.Generator, tmp_path: Path, nuclei: Path, axes: str, stored: str, part: Any
) -> None:
    length = {"T": 2, "Z": 3, "C": 1, "Y": 24, "X": 20}
    image = rng.integers(0, 255, [length[letter] for letter in axes]).astype("u1")
    options: dict[str, Any] = {"axes": axes, "part": part, "progress": False}
    expected = napari_unit.translate(image, nuclei, "real", **options)
    out = napari_unit.translate(image, nuclei, "real", out=tmp_path / "out.zarr", **options)
    ordered = np.einsum(f"{axes.lower()}->{stored.lower()}", expected)
    np.testing.assert_array_equal(zarr.open_group(out, mode="r")["0"][...], ordered)
    layer = Image(image, axis_labels=list(axes.lower()))
    made = napari_unit.translate(
        layer, nuclei, "real", out=tmp_path / "layer.zarr", part=part, progress=False
    )
    np.testing.assert_array_equal(np.asarray(made.data), expected)


def test_channels_of_the_target_are_named_in_the_file(
    gray: np.ndarray, tmp_path: Path, pair: Path
) -> None:
    out = napari_unit.translate(gray, pair, "two", out=tmp_path / "o.ome.tif")
    with tifffile.TiffFile(out) as tif:
        assert tif.series[0].axes == "CYX"
        pixels = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"]
    assert [channel["Name"] for channel in pixels["Channel"]] == ["dna", "actin"]
