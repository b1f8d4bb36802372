from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import torch
import zarr
from napari.layers import Image

import napari_unit
from napari_unit.models.file import load_model


def in_one_piece(path: Path, image: np.ndarray, to: str) -> np.ndarray:
    """Translate (C, Y, X) by the definition: window, whole image, typical window."""
    loaded = load_model(path)
    source, target = loaded.card.domains
    if target.name != to:
        source, target = target, source
    bounds = [np.percentile(c, (source.scaling.low, source.scaling.high)) for c in image]
    unit = torch.from_numpy(source.window_from(bounds).to_unit(image))[None]
    with torch.inference_mode():
        made = loaded.model.translate(unit, source.name, target.name)[0].numpy()
    return target.typical_window.from_unit(made, np.dtype("f4"))


def test_an_array_becomes_what_the_whole_model_makes_of_it(gray: np.ndarray, nuclei: Path) -> None:
    made = napari_unit.translate(gray, nuclei, "real", statistics="whole", tile=32)
    assert (made.shape, made.dtype) == (gray.shape, np.float32)
    expected = in_one_piece(nuclei, gray[None], "real")[0]
    assert np.abs(made - expected).max() < 1e-4 * 255 / 2


@pytest.mark.parametrize("statistics", ["image", "whole"])
def test_the_tile_does_not_change_the_pixels(
    rng: np.random.Generator, nuclei: Path, statistics: Any
) -> None:
    image = rng.integers(0, 60000, (150, 131)).astype("u2")
    made = [
        napari_unit.translate(image, nuclei, "real", statistics=statistics, tile=tile)
        for tile in (32, 60, 512, "auto")
    ]
    for other in made[1:]:
        assert np.abs(other - made[0]).max() < 1e-4 * 255 / 2


@pytest.mark.parametrize(
    ("model", "axes", "shape", "to", "out"),
    [
        ("nuclei", "YX", (60, 52), "real", (60, 52)),
        ("nuclei", "ZYX", (3, 60, 52), "real", (3, 60, 52)),
        ("nuclei", "TZYX", (2, 2, 30, 26), "real", (2, 2, 30, 26)),
        ("nuclei", "XYZ", (52, 60, 2), "real", (52, 60, 2)),
        ("nuclei", "CYX", (1, 60, 52), "real", (1, 60, 52)),
        ("stain", "YX", (60, 52), "stained", (60, 52, 3)),
        ("stain", "ZYX", (2, 60, 52), "stained", (2, 60, 52, 3)),
        ("stain", "YXC", (60, 52, 3), "synthetic", (60, 52)),
        ("stain", "CZYX", (3, 2, 60, 52), "synthetic", (2, 60, 52)),
        ("pair", "ZCYX", (2, 2, 60, 52), "real", (2, 60, 52)),
        ("pair", "ZYX", (2, 60, 52), "two", (2, 2, 60, 52)),
    ],
)
def test_stacks_and_channels(
    request: pytest.FixtureRequest, rng: np.random.Generator, model: str, axes: str,
    shape: tuple[int, ...], to: str, out: tuple[int, ...],
) -> None:  # fmt: skip
    path = request.getfixturevalue(model)
    image = rng.integers(0, 256, shape).astype("u1")
    made = napari_unit.translate(image, path, to, axes=axes, tile=32)
    assert made.shape == out
    assert np.isfinite(made).all()
    assert made.std() > 0


def test_planes_share_one_calibration(gray: np.ndarray, nuclei: Path) -> None:
    stack = np.stack([gray, gray // 4, gray])
    made = napari_unit.translate(stack, nuclei, "real", axes="TYX")
    assert np.array_equal(made[0], made[2])
    alone = napari_unit.translate(gray // 4, nuclei, "real")
    # by its own percentiles the darker plane would come out as bright as the others
    assert np.abs(made[1] - alone).max() > 1


@pytest.mark.parametrize("dtype", ["same", "uint8", "uint16", "float32"])
def test_output_dtypes_round_and_clip_what_float32_says(
    gray: np.ndarray, nuclei: Path, dtype: Any
) -> None:
    exact = napari_unit.translate(gray, nuclei, "synthetic", dtype="float32")
    layer = napari_unit.translate(Image(gray), nuclei, "synthetic", dtype=dtype)
    expected = np.dtype({"same": "uint16"}.get(dtype, dtype))
    assert layer.data.dtype == expected
    told = layer.metadata["napari_unit"]
    assert told["dtype"] == expected.name
    if expected.kind == "u":
        bound = np.iinfo(expected).max
        assert told["n_saturated"] == np.count_nonzero(np.rint(exact) > bound)
        exact = np.clip(np.rint(exact), 0, bound)
    assert np.abs(layer.data - exact).max() <= (1 if expected.kind == "u" else 0)


def test_same_means_float32_for_floats(gray: np.ndarray, nuclei: Path) -> None:
    made = napari_unit.translate(gray.astype("f8"), nuclei, "real", dtype="same")
    assert made.dtype == np.float32


def test_colours_are_fractions_of_the_dtypes_full_scale(
    gray: np.ndarray, color: np.ndarray, stain: Path
) -> None:
    made = {
        dtype: napari_unit.translate(gray, stain, "stained", dtype=dtype).astype(float)
        for dtype in ("float32", "uint8", "uint16")
    }
    assert 0 <= made["float32"].min() < made["float32"].max() <= 1
    assert np.allclose(made["uint8"] / 255, made["float32"], atol=0.51 / 255)
    assert np.allclose(made["uint16"] / 65535, made["float32"], atol=0.51 / 65535)
    back = [
        napari_unit.translate(image, stain, "synthetic", axes="YXS")
        for image in (color, color / np.float32(255), color * np.uint16(257))
    ]
    assert np.allclose(back[0], back[1], atol=0.5)
    assert np.allclose(back[0], back[2], atol=0.5)


def test_lazy_arrays_give_the_same_pixels(gray: np.ndarray, nuclei: Path) -> None:
    expected = napari_unit.translate(gray, nuclei, "real", tile=32)
    for lazy in (dask.array.from_array(gray, chunks=17), zarr.array(gray, chunks=(20, 20))):
        assert np.array_equal(napari_unit.translate(lazy, nuclei, "real", tile=32), expected)


def test_much_that_is_clipped_is_logged_for_scripts(
    gray: np.ndarray, nuclei: Path, caplog: pytest.LogCaptureFixture
) -> None:
    napari_unit.translate(gray, nuclei, "real", progress=False)
    assert caplog.messages == []
    napari_unit.translate(gray, nuclei, "synthetic", dtype="uint8", progress=False)
    assert "Clipped to fit uint8: " in caplog.text
