"""Simulated scenes in two renderings whose relation is known: models with a truth to measure by.

Run ``python benchmarks/statistics_pairs.py FOLDER``; it writes ``fluorescence/`` and
``absorption/`` (scenes to learn from, none of them in both), and the scene to measure on with its
truth, ``scene.tif`` and ``truth.tif``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import tifffile

from napari_unit.simulate import SceneSettings
from napari_unit.simulate.two_domains import absorption, fluorescence


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
        settings = SceneSettings(shape=(args.side, args.side))
        first = fluorescence(settings, 2 * index)
        second = absorption(fluorescence(settings, 2 * index + 1))
        tifffile.imwrite(args.folder / "fluorescence" / f"{index:05d}.tif", first)
        tifffile.imwrite(args.folder / "absorption" / f"{index:05d}.tif", second)
    measured = SceneSettings(shape=(args.measured_side, args.measured_side))
    scene = fluorescence(measured, 2 * args.scenes)
    tifffile.imwrite(args.folder / "scene.tif", scene)
    tifffile.imwrite(args.folder / "truth.tif", absorption(scene))


if __name__ == "__main__":
    main()
