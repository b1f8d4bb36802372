import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_unit.images.files import open_path
from napari_unit.images.placement import PixelSize
from napari_unit.images.zarr_files import ZarrPixels

RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 60000, (3, 2, 40, 52)).astype("u2")  # C, Z, Y, X


def write_array(path: Path, pixels: np.ndarray, version: Any, **how: Any) -> zarr.Array:
    array = zarr.create_array(
        path, shape=pixels.shape, dtype=pixels.dtype, chunks=(1,) * (pixels.ndim - 2) + (16, 16),
        zarr_format=version, **how,
    )  # fmt: skip
    array[...] = pixels
    return array


def described(version: str, **changes: Any) -> dict[str, Any]:
    axes = [
        {"name": "c", "type": "channel"},
        {"name": "z", "type": "space", "unit": "micrometer"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    datasets = [
        {"path": str(level),
         "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 0.5 * 2**level, 0.4]}]}
        for level in range(2)
    ]  # fmt: skip
    scales = {"name": "cells", "axes": axes, "datasets": datasets} | changes
    if version == "0.4":
        return {"multiscales": [scales | {"version": "0.4"}]}
    return {"ome": {"version": "0.5", "multiscales": [scales]}}


def write_ome(path: Path, version: str, **changes: Any) -> Path:
    zarr_format: Any = 2 if version == "0.4" else 3
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    group.attrs.update(described(version, **changes))
    write_array(path / "0", STACK, zarr_format)
    write_array(path / "1", STACK[:, :, ::2, ::2], zarr_format)
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_ome_zarr_names_axes_levels_and_pixel_size(tmp_path: Path, version: str) -> None:
    image = open_path(write_ome(tmp_path / "a.ome.zarr", version))
    assert (image.axes.letters, image.name, image.n_channels) == ("CZYX", "a", 3)
    assert image.level_shapes == (STACK.shape, (3, 2, 20, 26))
    assert image.pixel_size == PixelSize(0.5, 0.4, 2.0, "µm")
    assert np.array_equal(image.array[:, 1, 5:30, 7:40], STACK[:, 1, 5:30, 7:40])
    copy = pickle.loads(pickle.dumps(image.array))
    assert np.array_equal(copy[0, 0], STACK[0, 0])


@pytest.mark.parametrize("version", [2, 3])
def test_a_bare_array_is_an_image(tmp_path: Path, version: int) -> None:
    write_array(tmp_path / "gray.zarr", STACK[0, 0], version)
    image = open_path(tmp_path / "gray.zarr")
    assert (image.axes.letters, image.name) == ("YX", "gray")
    assert np.array_equal(image.array[3:9, 4:30], STACK[0, 0, 3:9, 4:30])
    write_array(tmp_path / "stack.zarr", STACK, version)
    with pytest.raises(ValueError, match=r"stack.zarr has 4 axes and does not say what they are"):
        open_path(tmp_path / "stack.zarr")
    assert open_path(tmp_path / "stack.zarr", "CZYX").n_channels == 3


@pytest.mark.parametrize("version", [2, 3])
def test_names_of_dimensions_are_axes(tmp_path: Path, version: int) -> None:
    names = ["c", "z", "y", "x"]
    if version == 3:
        write_array(tmp_path / "a.zarr", STACK, 3, dimension_names=names)
    else:
        write_array(tmp_path / "a.zarr", STACK, 2).attrs["_ARRAY_DIMENSIONS"] = names
    assert open_path(tmp_path / "a.zarr").axes.letters == "CZYX"


def test_a_path_in_the_metadata_cannot_lead_out(tmp_path: Path) -> None:
    write_array(tmp_path / "secret", STACK, 3)
    for inner in ("../secret", "/../secret", "x/../../secret"):
        dataset = described("0.5")["ome"]["multiscales"][0]["datasets"][0] | {"path": inner}
        path = write_ome(tmp_path / "a.zarr", "0.5", datasets=[dataset])
        with pytest.raises(ValueError, match=r"a.zarr cannot be read as an image"):
            open_path(path)


def test_what_is_no_image_gets_a_sentence(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "group.zarr", mode="w")
    with pytest.raises(ValueError, match="a zarr group without an image of its own"):
        open_path(tmp_path / "group.zarr")
    with pytest.raises(ValueError, match=r"no OME-Zarr image of version 0.4 or 0.5\.$"):
        open_path(write_ome(tmp_path / "odd.zarr", "0.5", axes=[{"name": "q"}]))
    three = described("0.5")["ome"]["multiscales"][0]["axes"][1:]
    with pytest.raises(ValueError, match="cannot be read as an image"):
        open_path(write_ome(tmp_path / "axes.zarr", "0.5", axes=three))
    (tmp_path / "torn.zarr").mkdir()
    (tmp_path / "torn.zarr" / "zarr.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        open_path(tmp_path / "torn.zarr")


def test_a_damaged_chunk_is_told_when_it_is_read(tmp_path: Path) -> None:
    write_array(tmp_path / "a.zarr", STACK[0, 0], 3)
    (chunk, *_) = sorted(p for p in (tmp_path / "a.zarr" / "c").rglob("*") if p.is_file())
    chunk.write_bytes(b"\0" * 20)
    with pytest.raises(OSError, match=r"a.zarr is damaged: "):
        ZarrPixels(tmp_path / "a.zarr")[:]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_place_times_and_channels_are_carried(tmp_path: Path, version: str) -> None:
    axes = [
        {"name": "t", "type": "time", "unit": "millisecond"},
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    datasets = [
        {
            "path": "0",
            "coordinateTransformations": [
                {"type": "scale", "scale": [100, 1, 0.5, 0.25]},
                {"type": "translation", "translation": [0, 0, 3, -4]},
            ],
        }
    ]
    of_all = [{"type": "scale", "scale": [5, 1, 2, 2]}]
    changes = {"axes": axes, "datasets": datasets, "coordinateTransformations": of_all}
    path = write_ome(tmp_path / "a.ome.zarr", version, **changes)
    # without the window and colour that the schema asks for
    attributes = zarr.open_group(path).attrs
    omero = {"channels": [{"label": "DAPI"}, {"label": "GFP"}]}
    if version == "0.4":
        attributes["omero"] = omero
    else:
        attributes["ome"] = attributes["ome"] | {"omero": omero}
    image = open_path(path)
    assert (image.axes.letters, image.shape[1]) == ("TCYX", 2)
    assert image.pixel_size == PixelSize(1.0, 0.5, None, "µm")
    assert (image.origin, image.time_step_s) == ((0.0, 0.0, 6.0, -8.0), 0.5)
    assert image.channel_names == ("DAPI", "GFP")


def test_words_name_axes_and_other_names_are_planes(tmp_path: Path) -> None:
    def opened(*names: str) -> str:
        path = tmp_path / f"{'-'.join(names)}.zarr"
        write_array(path, STACK, 3, dimension_names=list(names))
        return open_path(path).axes.letters

    assert opened("time", "channel", "row", "column") == "TCYX"
    assert opened("channels", "focus", "y", "x") == "CZYX"
    with pytest.raises(ValueError, match=r"lat-lon-a-b.zarr has 4 axes and does not say what they"):
        opened("lat", "lon", "a", "b")
