import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array
import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
import zarr
from napari.layers import Image, Labels

import napari_unit
from napari_unit import cli
from napari_unit._translate import TranslationRequest, translation_job
from napari_unit.domains import Domain, IntensityScaling
from napari_unit.images.axes import Axes
from napari_unit.images.files import open_path
from napari_unit.images.layers import LayerImage, read_layer
from napari_unit.models import zoo
from napari_unit.models.card import ModelFileError
from napari_unit.models.file import load_model

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing:UserWarning")

RANGE = IntensityScaling("range", 0.0, 255.0)
SYNTHETIC = Domain(
    "synthetic", ("dna",), IntensityScaling("percentiles", 0.5, 99.5, (100.0,), (40000.0,))
)
REAL = Domain("real", ("dna",), RANGE)
STAINED = Domain("stained", ("red", "green", "blue"), RANGE)
TWO = Domain("two", ("dna", "actin"), RANGE)
RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 60000, (60, 52)).astype("u2")
COLOR = RNG.integers(0, 256, (60, 52, 3)).astype("u1")
FIELDS = ("scale", "translate", "rotate", "shear", "units", "axis_labels")


@pytest.fixture(scope="module")
def nuclei(save_tiny_model: Callable[..., Path]) -> Path:
    return save_tiny_model("nuclei", SYNTHETIC, REAL)


@pytest.fixture(scope="module")
def stain(save_tiny_model: Callable[..., Path]) -> Path:
    return save_tiny_model("stain", SYNTHETIC, STAINED)


@pytest.fixture(scope="module")
def pair(save_tiny_model: Callable[..., Path]) -> Path:
    return save_tiny_model("pair", TWO, REAL)


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


# What comes out


def test_an_array_becomes_what_the_whole_model_makes_of_it(nuclei: Path) -> None:
    made = napari_unit.translate(GRAY, nuclei, "real", statistics="whole", tile=32)
    assert (made.shape, made.dtype) == (GRAY.shape, np.float32)
    expected = in_one_piece(nuclei, GRAY[None], "real")[0]
    assert np.abs(made - expected).max() < 1e-4 * 255 / 2


@pytest.mark.parametrize("statistics", ["image", "whole"])
def test_the_tile_does_not_change_the_pixels(nuclei: Path, statistics: Any) -> None:
    image = RNG.integers(0, 60000, (150, 131)).astype("u2")
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
    request: pytest.FixtureRequest, model: str, axes: str, shape: tuple[int, ...], to: str,
    out: tuple[int, ...],
) -> None:  # fmt: skip
    path = request.getfixturevalue(model)
    image = RNG.integers(0, 256, shape).astype("u1")
    made = napari_unit.translate(image, path, to, axes=axes, tile=32)
    assert made.shape == out
    assert np.isfinite(made).all()
    assert made.std() > 0


def test_planes_share_one_calibration(nuclei: Path) -> None:
    stack = np.stack([GRAY, GRAY // 4, GRAY])
    made = napari_unit.translate(stack, nuclei, "real", axes="TYX")
    assert np.array_equal(made[0], made[2])
    alone = napari_unit.translate(GRAY // 4, nuclei, "real")
    # by its own percentiles the darker plane would come out as bright as the others
    assert np.abs(made[1] - alone).max() > 1


@pytest.mark.parametrize("dtype", ["same", "uint8", "uint16", "float32"])
def test_output_dtypes_round_and_clip_what_float32_says(nuclei: Path, dtype: Any) -> None:
    exact = napari_unit.translate(GRAY, nuclei, "synthetic", dtype="float32")
    layer = napari_unit.translate(Image(GRAY), nuclei, "synthetic", dtype=dtype)
    expected = np.dtype({"same": "uint16"}.get(dtype, dtype))
    assert layer.data.dtype == expected
    told = layer.metadata["napari_unit"]
    assert told["dtype"] == expected.name
    if expected.kind == "u":
        bound = np.iinfo(expected).max
        assert told["n_saturated"] == np.count_nonzero(np.rint(exact) > bound)
        exact = np.clip(np.rint(exact), 0, bound)
    assert np.abs(layer.data - exact).max() <= (1 if expected.kind == "u" else 0)


def test_same_means_float32_for_floats(nuclei: Path) -> None:
    made = napari_unit.translate(GRAY.astype("f8"), nuclei, "real", dtype="same")
    assert made.dtype == np.float32


def test_colours_are_fractions_of_the_dtypes_full_scale(stain: Path) -> None:
    made = {
        dtype: napari_unit.translate(GRAY, stain, "stained", dtype=dtype).astype(float)
        for dtype in ("float32", "uint8", "uint16")
    }
    assert 0 <= made["float32"].min() < made["float32"].max() <= 1
    assert np.allclose(made["uint8"] / 255, made["float32"], atol=0.51 / 255)
    assert np.allclose(made["uint16"] / 65535, made["float32"], atol=0.51 / 65535)
    back = [
        napari_unit.translate(image, stain, "synthetic", axes="YXS")
        for image in (COLOR, COLOR / np.float32(255), COLOR * np.uint16(257))
    ]
    assert np.allclose(back[0], back[1], atol=0.5)
    assert np.allclose(back[0], back[2], atol=0.5)


def test_lazy_arrays_give_the_same_pixels(nuclei: Path) -> None:
    expected = napari_unit.translate(GRAY, nuclei, "real", tile=32)
    for lazy in (dask.array.from_array(GRAY, chunks=17), zarr.array(GRAY, chunks=(20, 20))):
        assert np.array_equal(napari_unit.translate(lazy, nuclei, "real", tile=32), expected)


# Layers

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
LAYERS: dict[str, tuple[str, str, Callable[[], Any], dict[str, Any]]] = {
    "gray": ("nuclei", "real", lambda: GRAY, MOVED),
    "rgb": ("stain", "synthetic", lambda: COLOR, MOVED | {"rgb": True}),
    "gray to rgb": ("stain", "stained", lambda: GRAY, MOVED),
    "multiscale": ("nuclei", "real", lambda: [GRAY, GRAY[::2, ::2], GRAY[::4, ::4]], MOVED),
    "multiscale to rgb": ("stain", "stained", lambda: [GRAY, GRAY[::2, ::2]], MOVED),
    "dask": ("nuclei", "real", lambda: dask.array.from_array(GRAY, chunks=16), MOVED),
    "zarr": ("nuclei", "real", lambda: zarr.array(GRAY, chunks=(16, 16)), MOVED),
    "3-D and t": ("nuclei", "real", lambda: np.tile(GRAY[:24, :20], (2, 2, 1, 1)), MOVED_4D),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("to_file", [False, True])
def test_a_layer_becomes_a_layer_in_its_place(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, to_file: bool
) -> None:
    model, to, data, fields = LAYERS[name]
    layer = Image(data(), name=name, **fields)
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


def test_contrast_limits_are_those_of_the_target_not_of_the_source(nuclei: Path) -> None:
    layer = Image(GRAY, contrast_limits=(5, 60000))
    assert napari_unit.translate(layer, nuclei, "real").contrast_limits == [0, 255]
    made = napari_unit.translate(layer, nuclei, "synthetic", dtype="uint8")
    assert made.contrast_limits == [100, 255]  # what uint8 can hold of 100 to 40000


def test_metadata_tells_how_the_layer_was_made(nuclei: Path) -> None:
    made = napari_unit.translate(
        Image(GRAY, name="plate 7"), nuclei, "synthetic", statistics="whole", tile=36, seed=5
    )
    told = made.metadata["napari_unit"]
    assert told["window"] == {"low": [0.0], "high": [255.0]}
    assert told["clipped_fraction"] == pytest.approx(np.mean(GRAY > 255))
    del told["sha256"], told["window"], told["clipped_fraction"], told["version"]
    assert told == {
        "model": "nuclei", "from": "real", "to": "synthetic", "source": "plate 7",
        "statistics": "whole", "tile": 36, "seed": 5, "device": "cpu", "dtype": "float32",
        "n_saturated": 0, "notes": [],
    }  # fmt: skip


def test_opacity_is_left_out_and_it_says_so(stain: Path) -> None:
    opaque = np.dstack([COLOR, np.full((60, 52), 255, "u1")])
    made = napari_unit.translate(Image(opaque, rgb=True), stain, "synthetic")
    assert made.metadata["napari_unit"]["notes"] == ["Its opacity channel was left out."]
    assert np.array_equal(
        made.data, napari_unit.translate(Image(COLOR, rgb=True), stain, "synthetic").data
    )


# Files


def test_a_16_bit_file_goes_round(tmp_path: Path, nuclei: Path) -> None:
    source = tmp_path / "in.tif"
    cm = {"resolution": (4e4, 2e4), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(source, GRAY, **cm)  # 0.25 µm wide, 0.5 µm high
    out = tmp_path / "out.ome.tif"
    assert napari_unit.translate(source, nuclei, "synthetic", dtype="same", out=out) == out
    expected = napari_unit.translate(GRAY, nuclei, "synthetic", dtype="same")
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
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    path, axes = tmp_path / f"in.{kind}", None
    smooth = np.kron(COLOR[:4, :4], np.ones((16, 16, 1), "u1"))
    if kind in ("png", "jpg"):
        imagecodecs.imwrite(str(path), smooth)
    elif kind == "jpeg.tif":
        tifffile.imwrite(path, smooth, photometric="rgb", compression="jpeg", tile=(32, 32))
    elif kind == "tiled.tif":
        tifffile.imwrite(path, GRAY, tile=(16, 32), compression="zlib")
    else:
        tifffile.imwrite(path, np.stack([GRAY, GRAY // 2]), metadata={"axes": "ZYX"})
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
    tmp_path: Path, nuclei: Path, axes: str, stored: str
) -> None:
    length = {"Q": 2, "T": 2, "Z": 3, "C": 1, "Y": 24, "X": 20}
    image = RNG.integers(0, 255, [length[letter] for letter in axes]).astype("u1")
    out = tmp_path / "out.tif"
    napari_unit.translate(image, nuclei, "real", axes=axes, out=out)
    expected = napari_unit.translate(image, nuclei, "real", axes=axes)
    with tifffile.TiffFile(out) as tif:
        assert tif.series[0].axes == stored
        ordered = np.einsum(f"{axes.lower()}->{stored.lower()}", expected)
        assert np.array_equal(tif.asarray(), ordered)


def test_channels_of_the_target_are_named_in_the_file(tmp_path: Path, pair: Path) -> None:
    out = napari_unit.translate(GRAY, pair, "two", out=tmp_path / "o.ome.tif")
    with tifffile.TiffFile(out) as tif:
        assert tif.series[0].axes == "CYX"
        pixels = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"]
    assert [channel["Name"] for channel in pixels["Channel"]] == ["dna", "actin"]


# All ways lead to the same pixels


def test_layer_array_file_and_command_line_make_the_same_pixels(
    tmp_path: Path, nuclei: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tifffile.imwrite(tmp_path / "in.tif", GRAY)
    expected = napari_unit.translate(GRAY, nuclei, "real")
    layer = napari_unit.translate(Image(GRAY), nuclei, "real")
    assert np.array_equal(layer.data, expected)
    out = tmp_path / "out.ome.tif"
    arguments = ["translate", str(tmp_path / "in.tif"), str(out), "--model", str(nuclei)]
    assert cli.main([*arguments, "--to", "real", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert np.array_equal(tifffile.imread(out), expected)
    assert np.array_equal(napari_unit.translate(tmp_path / "in.tif", nuclei, "real"), expected)
    loaded = load_model(nuclei)
    assert np.array_equal(napari_unit.translate(GRAY, loaded, "real"), expected)
    assert loaded.model.domains == (SYNTHETIC, REAL)


def test_without_a_model_the_bundled_one_that_fits_is_taken(
    tmp_path: Path, save_tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_tiny_model("nuclei", SYNTHETIC, REAL, folder=tmp_path)
    monkeypatch.setattr(zoo, "bundled_folder", lambda: tmp_path)
    made = napari_unit.translate(Image(GRAY), to="real")
    assert made.metadata["napari_unit"]["model"] == "nuclei"
    with pytest.raises(ModelFileError, match="images of 3 channels; there is 'nuclei'"):
        napari_unit.translate(COLOR, axes="YXS")


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"napari", "qtpy", "magicgui", "PyQt6", "PySide6", "vispy"}:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Block())
import numpy, napari_unit
from pathlib import Path
model, source, out = sys.argv[1:]
image = numpy.load(source)
made = napari_unit.translate(image, model, "real")
assert napari_unit.translate(Path(source).with_suffix(".tif"), model, "real", out=out) == Path(out)
numpy.save(source, made)
"""


def test_arrays_and_files_need_neither_napari_nor_qt(tmp_path: Path, nuclei: Path) -> None:
    np.save(tmp_path / "a.npy", GRAY)
    tifffile.imwrite(tmp_path / "a.tif", GRAY)
    arguments = [str(nuclei), str(tmp_path / "a.npy"), str(tmp_path / "o.tif")]
    run = subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert np.array_equal(np.load(tmp_path / "a.npy"), tifffile.imread(tmp_path / "o.tif"))


# Stopping


@pytest.mark.parametrize("phase", ["intensities", "statistics", "tiles", "levels", "writing"])
def test_an_interruption_in_any_phase_leaves_nothing_behind(
    tmp_path: Path, nuclei: Path, phase: str
) -> None:
    seen: list[str] = []

    def interrupt(news: Any) -> None:
        seen.append(news.phase)
        if news.phase == phase:
            raise KeyboardInterrupt

    layer = Image([GRAY, GRAY[::2, ::2]], multiscale=True)
    with pytest.raises(KeyboardInterrupt):
        napari_unit.translate(
            layer, nuclei, "real", out=tmp_path / "o.tif", tile=32, progress=interrupt
        )
    assert seen[-1] == phase
    assert os.listdir(tmp_path) == []


def test_a_failing_image_leaves_nothing_behind(tmp_path: Path, nuclei: Path) -> None:
    broken = GRAY.astype("f4")
    broken[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        napari_unit.translate(broken, nuclei, "real", out=tmp_path / "o.tif")
    assert os.listdir(tmp_path) == []


def test_progress_counts_every_phase_to_its_end(nuclei: Path) -> None:
    job = translation_job(
        LayerImage(GRAY, Axes("YX"), "image"), TranslationRequest(nuclei, "real", tile=32)
    )
    last: dict[str, Any] = {}
    for news in job:
        assert 0 <= news.done <= news.total
        last[news.phase] = news
    assert list(last) == ["intensities", "statistics", "tiles"]
    assert all(news.done == news.total for news in last.values())


# What cannot be done is told in a sentence


def broken(value: float) -> np.ndarray:
    image = GRAY.astype("f4")
    image[3, 4] = value
    return image


REFUSALS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "unknown model": ({"model": "cells"}, ValueError, "There is no model 'cells'"),
    "missing model": ({"model": Path("x.safetensors")}, ValueError, "no model file x.safetensors"),
    "model of another type": ({"model": 3}, TypeError, "what load_model returned, not int"),
    "domain it lacks": ({"to": "stained"}, ValueError, "no domain 'stained'; it has 'synthetic'"),
    "no domain": ({"to": None}, ValueError, "say where to: to='synthetic' or to='real'"),
    "channels": ({"image": COLOR, "axes": "YXS"}, ValueError, "The image has 3 channels, but"),
    "three axes": ({"image": COLOR}, ValueError, "3 axes of lengths .*; say what they are with"),
    "axes": ({"axes": "YY"}, ValueError, "name Y twice"),
    "too many axes": ({"axes": "ZYX"}, ValueError, "name 3 axes, but the image has 2"),
    "NaN": ({"image": broken(np.nan)}, ValueError, "1 of the image's 3120 .* NaN or infinite"),
    "infinite": ({"image": broken(np.inf)}, ValueError, "are NaN or infinite"),
    "empty": ({"image": GRAY[:0]}, ValueError, "The image is empty: its axes YX have the lengths"),
    "no planes": ({"image": GRAY[None][:0], "axes": "ZYX"}, ValueError, "The image is empty"),
    "one pixel": ({"image": GRAY[:1, :1]}, ValueError, "1 x 1 px; both sides must have at least"),
    "bool": ({"image": GRAY > 5}, ValueError, "pixels of type bool; only"),
    "complex": ({"image": GRAY * 1j}, ValueError, "pixels of type complex128; only"),
    "object": ({"image": GRAY.astype(object)}, ValueError, "pixels of type object; only"),
    "tensor": ({"image": torch.zeros(20, 20)}, TypeError, "type torch.float32; turn it into"),
    "constant": ({"image": np.full((40, 40), 7)}, ValueError, "have the same value .7.; there is"),
    "list": ({"image": [[1, 2], [3, 4]]}, TypeError, "an array or the path of an image, not list"),
    "Labels": ({"image": Labels(GRAY, name="cells")}, TypeError, "'cells' is a Labels layer"),
    "path": ({"image": "none.tif"}, OSError, "none.tif does not exist; give the path"),
    "statistics": ({"statistics": "best"}, ValueError, "are 'best'; they must be 'image', 'whole'"),
    "tile": ({"tile": -4}, ValueError, "tile is -4; it must be 'auto' or a whole number"),
    "tile's type": ({"tile": "big"}, ValueError, "tile is 'big'; it must be"),
    "device": ({"device": "abacus"}, ValueError, "device is 'abacus'; here there is 'auto' or"),
    "dtype": ({"dtype": "int64"}, ValueError, "dtype is 'int64'; it must be 'float32', 'same'"),
    "same of int64": (
        {"image": GRAY.astype("i8"), "dtype": "same"}, ValueError, "int64; it must be one of"
    ),
    "seed": ({"seed": -1}, ValueError, "seed is -1; it must be a whole number from 0 on"),
    "progress": ({"progress": "on"}, TypeError, "progress is 'on'; it must be True"),
    "ending": ({"out": "o.png"}, ValueError, "must end in .ome.tif or .tif"),
    "folder": ({"out": Path("nowhere/o.tif")}, OSError, "nowhere does not exist; make it first"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_what_cannot_be_done_gets_one_sentence(
    nuclei: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    changes, kind, sentence = REFUSALS[what]
    arguments: dict[str, Any] = {"image": GRAY, "model": nuclei, "to": "real", **changes}
    with pytest.raises(kind, match=sentence) as caught:
        napari_unit.translate(**arguments)
    told = str(caught.value)
    assert told.endswith(".")
    assert "\n" not in told
    assert os.listdir(tmp_path) == []


def test_an_output_that_exists_is_not_touched(tmp_path: Path, nuclei: Path) -> None:
    out = tmp_path / "out.tif"
    out.write_text("mine")
    with pytest.raises(FileExistsError, match=r"out.tif exists already; remove it"):
        napari_unit.translate(GRAY, nuclei, "real", out=out)
    assert out.read_text() == "mine"


def test_truncated_and_foreign_model_files_get_a_sentence(tmp_path: Path, nuclei: Path) -> None:
    truncated = tmp_path / "truncated.safetensors"
    truncated.write_bytes(nuclei.read_bytes()[:900])
    with pytest.raises(ModelFileError, match="is not a whole"):
        napari_unit.translate(GRAY, truncated, "real")
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_text("weights")
    with pytest.raises(ModelFileError, match="is not a whole"):
        napari_unit.translate(GRAY, foreign, "real")


def test_a_stack_without_named_channels_asks_for_them(pair: Path) -> None:
    layer = Image(np.stack([GRAY, GRAY]))
    with pytest.raises(ValueError, match="is the channels, say so: axes='CYX'"):
        napari_unit.translate(layer, pair, "real")
    made = napari_unit.translate(layer, pair, "real", axes="CYX")
    assert made.data.shape == (60, 52)
    labelled = Image(np.stack([GRAY, GRAY]), axis_labels=("channel", "y", "x"))
    assert np.array_equal(napari_unit.translate(labelled, pair, "real").data, made.data)
    assert read_layer(labelled).axes == Axes("CYX")
