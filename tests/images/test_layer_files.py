import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import zarr
from napari.layers import Image
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from yaozarrs import validate_zarr_store

from napari_unit.images import blocks, layer_files, levels, unit_store
from napari_unit.images.files import open_path
from napari_unit.images.layer_files import path_of, save_layer
from napari_unit.images.layer_state import plan_saving
from napari_unit.images.work_folder import WorkFolder

RNG = np.random.default_rng(0)
PLACED: dict[str, Any] = {"units": ("um", "um"), "scale": (0.5, 0.25), "translate": (10.0, -20.0)}
STACKED: dict[str, Any] = {
    "axis_labels": ("t", "z", "y", "x"), "units": ("s", "um", "um", "um"),
    "scale": (5.0, 2.0, 0.5, 0.25), "translate": (100.0, 1.0, 10.0, -20.0),
}  # fmt: skip


def gray(*shape: int, dtype: str = "u2") -> np.ndarray:
    return RNG.integers(0, 250, shape).astype(dtype)


def save(layer: Image, path: Path) -> Path:
    data, state, _ = layer.as_layer_data_tuple()
    steps = list(save_layer(plan_saving(data, state), path))
    assert [done for done, _ in steps] == list(range(1, steps[-1][1] + 1))
    return path


@pytest.fixture
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (unit_store, layer_files):
        monkeypatch.setattr(module, "UNIT_PX", 32)
    monkeypatch.setattr(unit_store, "CHUNK_PX", 16)


def layers() -> dict[str, Image]:
    full = gray(300, 200)
    volume = gray(2, 3, 70, 50)
    return {
        "gray": Image(gray(70, 50), **PLACED),
        "8 bits": Image(gray(70, 50, dtype="u1"), **PLACED),
        "signed": Image(gray(70, 50, dtype="i2") - 100, **PLACED),
        "bool": Image(gray(70, 50) > 100, **PLACED),
        "float": Image(gray(70, 50, dtype="f4") / 7, **PLACED),
        "double": Image(gray(70, 50, dtype="f8") / 7, **PLACED),
        "big-endian": Image(gray(70, 50).astype(">u2"), **PLACED),
        "rgb": Image(gray(70, 50, 3, dtype="u1"), rgb=True, **PLACED),
        "rgba": Image(gray(70, 50, 4, dtype="u1"), rgb=True, **PLACED),
        "multiscale": Image([full, full[::2, ::2], full[::4, ::4]], multiscale=True, **PLACED),
        "dask": Image(dask.array.from_array(gray(70, 50), chunks=(33, 50)), **PLACED),
        "zarr": Image(zarr.array(gray(70, 50), chunks=(16, 16)), **PLACED),
        "stack": Image(volume, **STACKED),
        "channels": Image(
            gray(3, 70, 50), axis_labels=("c", "y", "x"), contrast_limits=(7, 99),
            scale=(1.0, 0.5, 0.25), units=("pixel", "um", "um"),
        ),
        "unlabelled": Image(gray(2, 2, 3, 40, 50), scale=(1.0, 1.0, 3.0, 1.0, 1.0)),
        "x first": Image(gray(70, 50), axis_labels=("x", "y"), scale=(2.0, 3.0)),
        "mirrored": Image(gray(70, 50), scale=(-2.0, 3.0), translate=(4.0, 5.0)),
    }  # fmt: skip


def as_stored(layer: Image, letters: str) -> np.ndarray:
    """Return the pixels of a layer in the order of the file."""
    full = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    if layer.rgb:
        return full.transpose(2, 0, 1)
    if letters == "TQZYX":
        return full.transpose(1, 0, 2, 3, 4)
    return full.T if layer.name == "x first" else full


@pytest.mark.parametrize("kind", layers())
def test_others_and_we_find_its_pixels_where_they_were(
    tmp_path: Path, kind: str, small_units: None
) -> None:
    layer = layers()[kind]
    layer.name = kind
    path = save(layer, tmp_path / "a.ome.zarr")
    validate_zarr_store(path)
    location = parse_url(path)
    assert location is not None
    (node, *_) = list(Reader(location)())
    letters = "".join(axis["name"] for axis in node.metadata["axes"]).upper()
    pixels = as_stored(layer, letters)
    stored = node.data[0].compute()
    assert stored.dtype == layer.dtype.newbyteorder("=")
    np.testing.assert_array_equal(stored, pixels)
    # by its transforms a pixel is where napari shows it
    transforms = node.metadata["coordinateTransformations"][0]
    scale = np.array(transforms[0]["scale"])
    offset = np.array(transforms[1]["translation"]) if len(transforms) > 1 else 0 * scale
    place = np.arange(1.0, len(letters) + 1)
    found = place * scale + offset
    names = list(letters.replace("C", "")) if layer.rgb else list(letters)
    order = {"unlabelled": [1, 0, 2, 3, 4], "x first": [1, 0]}.get(kind, range(layer.ndim))
    at = np.zeros(layer.ndim)
    at[list(order)] = place[-layer.ndim :] if layer.rgb else place
    world = np.asarray(layer.data_to_world(at))[list(order)]
    np.testing.assert_allclose(found[-len(names) :], world)
    # and this plugin's own reader
    opened = open_path(path)
    assert opened.axes.letters == letters
    np.testing.assert_array_equal(np.asarray(opened.array[...]), pixels)


@pytest.mark.parametrize("kind", ["gray", "stack", "channels"])
def test_size_place_time_and_channels_carry_over(tmp_path: Path, kind: str) -> None:
    layer = layers()[kind]
    found = open_path(save(layer, tmp_path / "a.ome.zarr"))
    size = found.pixel_size
    assert size is not None
    assert (size.y, size.x, size.unit) == (0.5, 0.25, "µm")
    assert size.z == (2.0 if kind == "stack" else None)
    assert found.time_step_s == (5.0 if kind == "stack" else None)
    assert found.origin is not None
    if kind != "channels":
        assert found.origin[-2:] == (10.0, -20.0)
    attributes = zarr.open_group(tmp_path / "a.ome.zarr", mode="r").attrs.asdict()
    shown = attributes["ome"]["omero"]["channels"]
    assert len(shown) == (3 if kind == "channels" else 1)
    low, high = layer.contrast_limits
    assert {(c["window"]["start"], c["window"]["end"]) for c in shown} == {(low, high)}
    assert attributes["ome"]["multiscales"][0]["name"] == layer.name


def test_levels_are_local_means(tmp_path: Path, small_units: None) -> None:
    layer = layers()["multiscale"]
    path = save(layer, tmp_path / "a.ome.zarr")
    group = zarr.open_group(path, mode="r")
    assert [group[str(level)].shape for level in range(3)] == [(300, 200), (150, 100), (75, 50)]
    full = np.asarray(layer.data[0], float)
    means = full.reshape(150, 2, 100, 2).mean((1, 3))
    np.testing.assert_array_equal(group["1"][...], np.rint(means))
    mask = Image(np.kron(np.eye(80, dtype=bool), np.ones((2, 4), bool)), name="mask")
    data, state, _ = mask.as_layer_data_tuple()
    plan = plan_saving([data, data[::2, ::4]], {**state, "multiscale": True})
    list(save_layer(plan, tmp_path / "mask.zarr"))
    smaller = zarr.open_group(tmp_path / "mask.zarr", mode="r")["1"]
    np.testing.assert_array_equal(smaller[...], np.eye(80, dtype=bool))


def test_a_path_that_is_there_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    path.mkdir()
    (path / "precious").touch()
    with pytest.raises(FileExistsError, match=r"a\.ome\.zarr exists already; remove it or give"):
        save(layers()["gray"], path)
    assert os.listdir(path) == ["precious"]
    assert os.listdir(tmp_path) == ["a.ome.zarr"]
    with pytest.raises(FileNotFoundError, match="does not exist; make it first"):
        save(layers()["gray"], tmp_path / "nowhere" / "a.zarr")


class Failing:
    """An array that fails in its last rows."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.shape, self.dtype, self.ndim = (100, 64), np.dtype("u2"), 2

    def __getitem__(self, index: Any) -> np.ndarray:
        if index[0].stop > 90:
            raise self.error
        return np.ones(tuple(at.stop - at.start for at in index), "u2")


@pytest.mark.parametrize(
    ("error", "raised"),
    [(RuntimeError("the disk is gone"), OSError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_what_fails_midway_leaves_nothing(
    tmp_path: Path, small_units: None, error: BaseException, raised: type[BaseException]
) -> None:
    plan = plan_saving(Failing(error), {"name": "a"})
    steps = save_layer(plan, tmp_path / "a.zarr")
    next(steps)
    assert not (tmp_path / "a.zarr").exists()
    with pytest.raises(raised):
        list(steps)
    assert os.listdir(tmp_path) == []


def test_whoever_closes_it_midway_leaves_nothing(tmp_path: Path, small_units: None) -> None:
    data, state, _ = layers()["gray"].as_layer_data_tuple()
    steps = save_layer(plan_saving(data, state), tmp_path / "a.zarr")
    next(steps)
    assert os.listdir(tmp_path) == ["a.zarr.partial"]
    steps.close()
    assert os.listdir(tmp_path) == []


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from napari_unit.images.layer_files import save_layer
from napari_unit.images.layer_state import plan_saving
steps = save_layer(plan_saving(np.ones((3, 40, 40), "u1"), {"name": "cells"}), Path(sys.argv[1]))
next(steps)
os._exit(9)
"""


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    died = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=100)
    assert died.returncode == 9
    assert os.listdir(tmp_path) == ["a.ome.zarr.partial"]
    layer = layers()["gray"]
    save(layer, path)
    np.testing.assert_array_equal(zarr.open_group(path, mode="r")["0"][...], layer.data)
    assert os.listdir(tmp_path) == ["a.ome.zarr"]


def test_a_translation_that_can_be_gone_on_with_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    work = WorkFolder.beside(path)
    with work.claimed({"model": "nuclei"}):
        work.mark("unit-0-0-0-0", {})
    with pytest.raises(FileExistsError, match="holds a translation that is not finished; go on"):
        save(layers()["gray"], path)
    assert work.begun_with() == {"model": "nuclei"}
    assert work.record("unit-0-0-0-0") == {}


def test_a_disk_without_room_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(OSError, match=r"has 0.0 GB free, and writing a.zarr takes up to"):
        save(layers()["gray"], tmp_path / "a.zarr")
    assert os.listdir(tmp_path) == []


def test_memory_does_not_grow_with_the_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (unit_store, layer_files):
        monkeypatch.setattr(module, "UNIT_PX", 256)
    monkeypatch.setattr(unit_store, "CHUNK_PX", 128)
    monkeypatch.setattr(levels, "_BLOCK_VALUES", 2**16)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2**20)
    array = dask.array.ones((3, 2560, 2560), dtype="f4", chunks=(1, 512, 512))
    plan = plan_saving(array, {"name": "large"})
    tracemalloc.start()
    for _ in save_layer(plan, tmp_path / "a.zarr"):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < array.nbytes / 5
    assert len(list((tmp_path / "a.zarr").glob("[0-9]"))) == 3


def test_a_translation_says_in_the_file_how_it_was_made(tmp_path: Path) -> None:
    told = {"model": "nuclei", "to": "real"}
    layer = Image(gray(20, 20), metadata={"napari_unit": told})
    path = save(layer, tmp_path / "a.zarr")
    assert json.loads((path / "zarr.json").read_text("utf-8"))["attributes"]["napari_unit"] == told


@pytest.mark.parametrize(
    ("given", "written"),
    [("a", "a.ome.zarr"), ("a.zarr", "a.zarr"), ("a.OME.ZARR", "a.OME.ZARR"),
     ("a.b", "a.b.ome.zarr"), ("cells.tif", "cells.tif.ome.zarr")],
)  # fmt: skip
def test_a_name_without_the_ending_gets_it(given: str, written: str) -> None:
    assert path_of(Path("folder", given)) == Path("folder", written)
