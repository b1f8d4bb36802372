from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unit import translate

TOLERANCE = 1e-4 * 127.5  # the engine's promise, in grey levels of the model's domain


@st.composite
def images(draw: st.DrawFn) -> np.ndarray:
    """Return one or two planes of blobs, of any dtype and byte order."""
    shape = draw(st.integers(1, 2)), draw(st.integers(8, 90)), draw(st.integers(8, 90))
    z, y, x = np.mgrid[: shape[0], : shape[1], : shape[2]]
    noise = np.random.default_rng(draw(st.integers(0, 9))).uniform(0, 20, shape)
    pixels = 60 + 30 * np.sin(y / 5 + z) * np.sin(x / 7) + noise
    return pixels.astype(draw(st.sampled_from(["u1", "i2", "u2", ">u2", "u4", "f4", "f8", ">f4"])))


@settings(max_examples=30)
@given(image=images(), data=st.data())
def test_it_makes_no_difference_how_an_image_is_stored_and_cut(
    nuclei: Path, tmp_path_factory: pytest.TempPathFactory, image: np.ndarray, data: st.DataObject
) -> None:
    mode = data.draw(st.sampled_from(["image", "whole", "local"]))
    options: dict[str, Any] = {
        "to": "real", "statistics": mode, "progress": False, "device": "cpu",
    }  # fmt: skip
    in_one = image.astype(image.dtype.newbyteorder("="))
    expected = translate(in_one, nuclei, axes="ZYX", tile=300, **options)
    source, axes = stored(image, tmp_path_factory.mktemp("stored"), data)
    found = translate(source, nuclei, axes=axes, tile=data.draw(st.integers(16, 100)), **options)
    order = [axes.index(letter) for letter in "ZYX"]
    found = np.asarray(found).transpose(order)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def stored(image: np.ndarray, folder: Path, data: st.DataObject) -> tuple[Any, str]:
    """Return the image in another form, and its axes."""
    chunks = tuple(data.draw(st.integers(1, length)) for length in image.shape)
    kind = data.draw(st.sampled_from(["dask", "zarr", "zarr file", "tiff", "turned", "strided"]))
    if kind == "dask":
        return dask.array.from_array(image, chunks=chunks), "ZYX"
    if kind.startswith("zarr"):
        version = data.draw(st.sampled_from([2, 3]))
        array = zarr.create_array(folder / "a.zarr", data=image, chunks=chunks, zarr_format=version)
        return (folder / "a.zarr" if kind == "zarr file" else array), "ZYX"
    if kind == "tiff":
        tile = data.draw(st.sampled_from([None, (16, 32), (64, 16)]))
        tifffile.imwrite(folder / "a.tif", image, tile=tile, metadata={"axes": "ZYX"})
        return folder / "a.tif", "ZYX"
    if kind == "turned":
        return np.ascontiguousarray(image.transpose(2, 0, 1)), "XZY"
    return np.repeat(image, 2, axis=-1)[..., ::2], "ZYX"
