"""Tiled translation against the translation in one piece, on a real image.

``python benchmarks/tiled_vs_whole.py --folder IMAGES --out result.json`` prints a table per
tile size: the largest difference from the whole-image pass, in the range [-1, 1], with each of
the engine's statistics. ``--speed`` measures throughput instead.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from results_file import markdown_table, provenance, write_result

from napari_unit.architecture import Architecture
from napari_unit.axes import Axes
from napari_unit.devices import calm
from napari_unit.domains import Domain, IntensityScaling
from napari_unit.engine import EngineSettings, Report, plan_translation, run_plan
from napari_unit.image_files import open_path
from napari_unit.model import TranslationModel
from napari_unit.modelfile import load_model
from napari_unit.statistics import StatisticsMode
from napari_unit.storage import ArraySink, ArraySource

MODES: tuple[StatisticsMode, ...] = ("whole", "image", "tile")
SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg"}
PACKAGES = ("napari-unit", "torch", "numpy")
CHANNELS_FIRST = Axes("CYX")


@dataclass(frozen=True, slots=True)
class Case:
    """What is translated.

    Parameters
    ----------
    image
        Pixels (C, Y, X).
    model
        With domains for it.
    source, target
        Names of the domains.
    """

    image: NDArray[Any]
    model: TranslationModel
    source: str
    target: str


def read_image(path: Path) -> NDArray[Any]:
    """Read an image as (C, Y, X)."""
    pixels = open_path(path)
    planes = ArraySource(pixels.array, pixels.axes, pixels.n_channels)
    from napari_unit.regions import whole

    return planes.read(0, whole((planes.height, planes.width)))


def mosaic(folder: Path, size: tuple[int, int]) -> NDArray[Any]:
    """Lay a folder's images side by side, in the order of their names, and crop the size."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"There are no images in {folder}.")
    tiles = [read_image(path) for path in paths[:1]]
    channels, height, width = tiles[0].shape
    rows, columns = -(-size[0] // height), -(-size[1] // width)
    out = np.zeros((channels, rows * height, columns * width), tiles[0].dtype)
    for index in range(rows * columns):
        tile = read_image(paths[index % len(paths)])
        top, left = index // columns * height, index % columns * width
        piece = tile[:, :height, :width]
        out[:, top : top + piece.shape[1], left : left + piece.shape[2]] = piece
    return out[:, : size[0], : size[1]]
