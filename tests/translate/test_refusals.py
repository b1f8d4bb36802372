import os
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import tifffile
import torch
import zarr
from napari.layers import Image, Labels

import napari_unit
from napari_unit.images import outputs
from napari_unit.images.axes import Axes
from napari_unit.images.layers import read_layer
from napari_unit.models.card import ModelFileError

GRAY = np.random.default_rng(0).integers(0, 60000, (60, 52)).astype("u2")
COLOR = np.random.default_rng(1).integers(0, 256, (60, 52, 3)).astype("u1")


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
    "device": ({"device": "abacus"}, ValueError, "'abacus'; here there are 'auto', 'cpu'"),
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


def test_a_result_that_no_memory_holds_is_refused_before_it_is_made(
    nuclei: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tall = np.broadcast_to(np.uint8(3), (200, 4000, 4000))  # takes a byte; its result 12.8 GB
    monkeypatch.setattr(outputs, "available_system_bytes", lambda: 10**10)
    with pytest.raises(MemoryError, match=r"takes about 1\d.\d GB of memory, and 10.0 GB are"):
        napari_unit.translate(tall, nuclei, "real", axes="ZYX")


def fails_below(block: np.ndarray, block_info: Any = None) -> np.ndarray:
    if block_info and block_info[0]["chunk-location"] == (1, 0):
        raise RuntimeError("the microscope is off")
    return block


def damaged_image(kind: str, folder: Path) -> Any:
    """Return an image that can be opened, and of which one part cannot be read."""
    if kind == "dask":
        return dask.array.from_array(GRAY, chunks=(40, 52)).map_blocks(fails_below, dtype="u2")
    if kind == "zarr":
        path = folder / "a.zarr"
        array = zarr.create_array(path, shape=GRAY.shape, dtype="u2", chunks=(40, 40))
        array[...] = GRAY
        (path / "c/1/0").write_bytes(b"")
        return path
    path = folder / "a.tif"
    tifffile.imwrite(path, GRAY, tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages[0].tags["TileOffsets"].overwrite((*tif.pages[0].dataoffsets[:3], 10**6))
    return path


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (
            "dask",
            r"Rows 0 to 59 and columns 0 to 51 of the image .* read: the microscope is off\.$",
        ),
        ("zarr", r"a.zarr is damaged: the chunk c/1/0 \(elements 40 to 59, 0 to 39 along"),
        ("tiff", r"a.tif cannot be read as an image: the file is shorter than its pixels"),
    ],
)
def test_an_image_of_which_a_part_cannot_be_read_leaves_no_result(
    nuclei: Path, tmp_path: Path, kind: str, sentence: str
) -> None:
    image = damaged_image(kind, tmp_path)
    with pytest.raises((OSError, ValueError), match=sentence) as caught:
        napari_unit.translate(image, nuclei, "real", out=tmp_path / "out.ome.tif")
    assert caught.value.__cause__ is not None
    assert [path.name for path in tmp_path.iterdir()] in ([], ["a.zarr"], ["a.tif"])


def test_nan_in_one_part_of_a_large_image_is_named_with_its_place(nuclei: Path) -> None:
    stack = np.zeros((2, 40, 1500), "f4")
    stack[..., ::3] = 7.0
    stack[1, 30, 1400:1403] = np.nan
    says = "3 of the image's 120000 .* infinite, the first at plane 1, row 30, column 1400; repl"
    with pytest.raises(ValueError, match=says):
        napari_unit.translate(
            dask.array.from_array(stack, (1, 40, 500)), nuclei, "real", axes="ZYX"
        )
