"""Small valid images and a model of every format that is read, to be damaged."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
import torch
import zarr

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.models.architecture import Architecture
from napari_unit.models.card import ModelCard
from napari_unit.models.file import save_model
from napari_unit.models.model import TranslationModel

_RNG = np.random.default_rng(7)
_NOISE = _RNG.integers(0, 60000, (90, 110)).astype("u2")
_SMOOTH = np.kron(_RNG.integers(0, 255, (6, 7, 3)), np.ones((16, 16, 1))).astype("u1")
_STACK = np.stack([_NOISE, _NOISE // 2, _NOISE // 3])

_TIFFS: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "plain.tif": (_NOISE, {}),
    "stripes.tif": (_NOISE, {"compression": "lzw", "rowsperstrip": 16}),
    "big-endian.tif": (_NOISE, {"byteorder": ">", "rowsperstrip": 20, "compression": "zlib"}),
    "bigtiff.tif": (_NOISE, {"bigtiff": True, "tile": (32, 32)}),
    "predictor.tif": (
        _NOISE,
        {"compression": "zlib", "predictor": True, "tile": (32, 48)},
    ),
    "float.tif": (
        _NOISE.astype("f4"),
        {"compression": "zstd", "predictor": 3, "tile": (32, 32)},
    ),
    "jpeg.tif": (
        _SMOOTH,
        {"photometric": "rgb", "compression": "jpeg", "tile": (32, 32)},
    ),
    "planar.tif": (
        np.moveaxis(_SMOOTH, -1, 0).copy(),
        {"photometric": "rgb", "planarconfig": "separate", "compression": "packbits"},
    ),
    "imagej.tif": (
        _STACK,
        {"imagej": True, "resolution": (2.0, 2.0), "metadata": {"axes": "TYX", "unit": "um"}},
    ),
    "pages.tif": (
        _STACK,
        {"photometric": "minisblack", "compression": "zlib", "metadata": {"axes": "CYX"}},
    ),
    "jpeg2000.tif": (_SMOOTH, {"photometric": "rgb", "compression": "jpeg2000", "tile": (32, 32)}),
    "webp.tif": (_SMOOTH, {"photometric": "rgb", "compression": "webp", "tile": (32, 32)}),
}


def write_seeds(folder: Path) -> dict[str, Path]:
    """Write one file or folder of each kind; return them by name."""
    folder.mkdir(parents=True)
    for name, (pixels, how) in _TIFFS.items():
        tifffile.imwrite(folder / name, pixels, **how)
    with tifffile.TiffWriter(folder / "pyramid.ome.tif", ome=True) as tif:
        metadata = {"axes": "CYX", "PhysicalSizeX": 0.5, "Channel": {"Name": ["a", "b", "c"]}}
        tif.write(_STACK, subifds=1, tile=(32, 32), compression="zlib", metadata=metadata)
        tif.write(_STACK[:, ::2, ::2], subfiletype=1, tile=(32, 32), compression="zlib")
    np.save(folder / "array.npy", _NOISE)
    np.savez(folder / "arrays.npz", image=_NOISE, other=_NOISE)
    np.savez_compressed(folder / "packed.npz", image=_NOISE)
    imagecodecs.imwrite(str(folder / "gray.png"), _NOISE)
    imagecodecs.imwrite(str(folder / "color.png"), _SMOOTH)
    imagecodecs.imwrite(str(folder / "color.jpg"), _SMOOTH)
    _write_zarrs(folder)
    _write_model(folder / "model.safetensors")
    return {path.name: path for path in folder.iterdir()}


def _write_zarrs(folder: Path) -> None:
    for name, version, how in (
        ("v2.zarr", 2, {}),
        ("v3.zarr", 3, {}),
        ("raw.zarr", 3, {"compressors": None}),
        ("shards.zarr", 3, {"shards": (64, 64)}),
    ):
        how = {"chunks": (32, 32), "zarr_format": version, **how}
        array = zarr.create_array(folder / name, shape=_NOISE.shape, dtype="u2", **how)
        array[...] = _NOISE
    for name, version in (("v04.ome.zarr", 2), ("v05.ome.zarr", 3)):
        group = zarr.open_group(folder / name, mode="w", zarr_format=version)
        group.attrs.update(_described(version))
        for level in range(2):
            pixels = _STACK[:, :: 2**level, :: 2**level]
            array = zarr.create_array(
                folder / name / str(level), shape=pixels.shape, dtype="u2", chunks=(1, 32, 32),
                zarr_format=version,
            )  # fmt: skip
            array[...] = pixels


def _described(version: int) -> dict[str, Any]:
    axes = [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    datasets = [
        {"path": str(level), "coordinateTransformations": [
            {"type": "scale", "scale": [1, 0.5 * 2**level, 0.5 * 2**level]}]}
        for level in range(2)
    ]  # fmt: skip
    scales = {"name": "cells", "axes": axes, "datasets": datasets}
    omero = {"channels": [{"label": name} for name in "abc"]}
    if version == 2:
        return {"multiscales": [scales | {"version": "0.4"}], "omero": omero}
    return {"ome": {"version": "0.5", "multiscales": [scales], "omero": omero}}


def _write_model(path: Path) -> None:
    scaling = IntensityScaling("range", 0.0, 255.0)
    domains = (Domain("a", ("x",), scaling), Domain("b", ("y",), scaling))
    torch.manual_seed(0)
    model = TranslationModel(*domains, Architecture(width=2, n_residual=1))
    save_model(path, model, ModelCard("m", "Random.", domains, model.architecture, {}, "0.1.0"))
