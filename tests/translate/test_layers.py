import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import tifffile
import zarr
from napari.layers import Image

import napari_unit
from napari_unit.models.file import load_model

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing:UserWarning")

FIELDS = ("scale", "translate", "rotate", "shear", "units", "axis_labels")

MOVED: dict[str, Any] = {
    "scale": (0.5, 0.25), "translate": (3.0, -4.0), "rotate": 30.0, "shear": (0.2,),
    "affine": np.array([[1.0, 0.1, 7.0], [-0.2, 1.1, 8.0], [0, 0, 1]]),
    "units": ("um", "um"), "axis_labels": ("y", "x"),
}  # fmt: skip
MOVED_4D: dict[str, Any] = {
    "scale": (1.0, 2.0, 0.5, 0.5), "translate": (0.0, 1.0, 2.0, 3.0),
    "units": ("s", "um", "um", "um"), "axis_labels": ("t", "z", "y", "x"),
    "shear": np.arange(6) / 10,
}  # fmt: skip
LAYERS: dict[str, tuple[str, str, Callable[[Any, Any], Any], dict[str, Any]]] = {
    "gray": ("nuclei", "real", lambda gray, _: gray, MOVED),
    "rgb": ("stain", "synthetic", lambda _, color: color, MOVED | {"rgb": True}),
    "gray to rgb": ("stain", "stained", lambda gray, _: gray, MOVED),
    "multiscale": ("nuclei", "real", lambda gray, _: pyramid(gray, 3), MOVED),
    "multiscale to rgb": ("stain", "stained", lambda gray, _: pyramid(gray, 2), MOVED),
    "dask": ("nuclei", "real", lambda gray, _: dask.array.from_array(gray, chunks=16), MOVED),
    "zarr": ("nuclei", "real", lambda gray, _: zarr.array(gray, chunks=(16, 16)), MOVED),
    "3-D and t": ("nuclei", "real", lambda gray, _: four_d(gray[:24, :20]), MOVED_4D),
}
"""Model, target domain, pixels (made of a gray and a color image) and fields of a layer."""


def pyramid(image: np.ndarray, n_levels: int) -> list[np.ndarray]:
    return [image[:: 2**level, :: 2**level] for level in range(n_levels)]


def four_d(image: np.ndarray) -> np.ndarray:
    return np.tile(image, (2, 2, 1, 1))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("to_file", [False, True])
def test_a_layer_becomes_a_layer_in_its_place(
    request: pytest.FixtureRequest,
    gray: np.ndarray,
    color: np.ndarray,
    tmp_path: Path,
    name: str,
    to_file: bool,
) -> None:
    model, to, data, fields = LAYERS[name]
    layer = Image(data(gray, color), name=name, **fields)
    out = tmp_path / "out.ome.tif" if to_file else None
    made = napari_unit.translate(layer, request.getfixturevalue(model), to, tile=32, out=out)
    assert isinstance(made, Image)
    assert made.rgb == (to == "stained")
    assert made.multiscale == layer.multiscale
    for field in FIELDS:
        old, new = getattr(layer, field), getattr(made, field)
        assert np.array_equal(np.asarray(old), np.asarray(new)), field
    assert np.array_equal(layer.affine.affine_matrix, made.affine.affine_matrix)
    assert made.extent.world == pytest.approx(layer.extent.world)
    if layer.multiscale:
        assert [d.shape[:2] for d in made.data] == [d.shape for d in layer.data]
        whole, half = np.asarray(made.data[0]), np.asarray(made.data[1])
        n = 2 * half.shape[0], 2 * half.shape[1]
        means = whole[: n[0], : n[1]].reshape(half.shape[0], 2, half.shape[1], 2, -1).mean((1, 3))
        assert np.allclose(half.reshape(means.shape), means, rtol=1e-4, atol=1e-5)
    told = made.metadata["napari_unit"]
    assert json.loads(json.dumps(told)) == told
    assert (told["model"], told["to"], told["source"]) == (model, to, name)
    assert told["sha256"] == load_model(request.getfixturevalue(model)).sha256
    if to_file:
        first = made.data[0] if made.multiscale else made.data
        assert isinstance(first, dask.array.Array)
        assert tifffile.imread(out).shape == tuple(n for n in first.shape if n > 1)


def test_contrast_limits_are_those_of_the_target_not_of_the_source(
    gray: np.ndarray, nuclei: Path
) -> None:
    layer = Image(gray, contrast_limits=(5, 60000))
    assert napari_unit.translate(layer, nuclei, "real").contrast_limits == [0, 255]
    made = napari_unit.translate(layer, nuclei, "synthetic", dtype="uint8")
    assert made.contrast_limits == [100, 255]  # what uint8 can hold of 100 to 40000


def test_metadata_tells_how_the_layer_was_made(gray: np.ndarray, nuclei: Path) -> None:
    made = napari_unit.translate(
        Image(gray, name="plate 7"), nuclei, "synthetic", statistics="whole", tile=36, seed=5
    )
    told = made.metadata["napari_unit"]
    assert told["window"] == {"low": [0.0], "high": [255.0]}
    assert told["clipped_fraction"] == pytest.approx(np.mean(gray > 255))
    assert told.pop("squares") == [1, 1]
    assert told.pop("standard_error") == 0.0
    del told["sha256"], told["window"], told["clipped_fraction"], told["version"]
    assert told == {
        "model": "nuclei", "from": "real", "to": "synthetic", "source": "plate 7",
        "statistics": "whole", "tile": 36, "seed": 5, "device": "cpu", "precision": "float32",
        "dtype": "float32",
        "n_saturated": 0, "notes": [], "part": None, "channels": None,
    }  # fmt: skip


def test_opacity_is_left_out_and_it_says_so(color: np.ndarray, stain: Path) -> None:
    opaque = np.dstack([color, np.full((60, 52), 255, "u1")])
    made = napari_unit.translate(Image(opaque, rgb=True), stain, "synthetic")
    assert made.metadata["napari_unit"]["notes"] == ["Its opacity channel was left out."]
    assert np.array_equal(
        made.data, napari_unit.translate(Image(color, rgb=True), stain, "synthetic").data
    )
