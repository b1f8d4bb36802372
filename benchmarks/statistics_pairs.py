"""Simulated scenes in two renderings whose relation is known: models with a truth to measure by.

Run ``python benchmarks/statistics_pairs.py FOLDER``; it writes ``fluorescence/`` and
``absorption/`` (scenes to learn from, none of them in both), and the scene to measure on with its
truth, ``scene.tif`` and ``truth.tif``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_unit.simulate import SceneSettings, simulate_nuclei

ABSORPTION = 3.0
"""Optical density of a pixel at the brightest value."""


def fluorescence(shape: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Draw a scene and show its brightest 0.2 % of pixels as 255."""
    image = simulate_nuclei(SceneSettings(shape=shape), seed).image.astype(np.float64)
    low, high = np.percentile(image, (0.2, 99.8))
    return np.rint(255 * np.clip((image - low) / (high - low), 0, 1)).astype(np.uint8)


def absorption(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Show a scene as a stain that takes light away: Beer and Lambert's law."""
    return np.rint(255 * np.exp(-ABSORPTION * image.astype(np.float64) / 255)).astype(np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=150, help="of each domain")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--measured-side", type=int, default=3072)
    args = parser.parse_args(arguments)
    for name in ("fluorescence", "absorption"):
        (args.folder / name).mkdir(parents=True)
    for index in range(args.scenes):
        shape = (args.side, args.side)
        first = fluorescence(shape, 2 * index)
        second = absorption(fluorescence(shape, 2 * index + 1))
        tifffile.imwrite(args.folder / "fluorescence" / f"{index:05d}.tif", first)
        tifffile.imwrite(args.folder / "absorption" / f"{index:05d}.tif", second)
    scene = fluorescence((args.measured_side, args.measured_side), 2 * args.scenes)
    tifffile.imwrite(args.folder / "scene.tif", scene)
    tifffile.imwrite(args.folder / "truth.tif", absorption(scene))


if __name__ == "__main__":
    main()
