"""Tiled translation against the translation in one piece, on a real image; and its speed.

Run ``python benchmarks/tiled_vs_whole.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from results_file import markdown_table, provenance, write_result

from napari_unit.domains import Domain, IntensityScaling
from napari_unit.engine.devices import calm
from napari_unit.engine.run import EngineSettings, Report, plan_translation, run_plan
from napari_unit.engine.settings import StatisticsMode
from napari_unit.geometry.regions import whole
from napari_unit.images.axes import Axes
from napari_unit.images.files import open_path
from napari_unit.images.storage import ArraySink, ArraySource
from napari_unit.models.architecture import Architecture
from napari_unit.models.file import load_model
from napari_unit.models.model import TranslationModel

MODES: tuple[StatisticsMode, ...] = ("whole", "image", "tile")
SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg"}
PACKAGES = ("napari-unit", "torch", "numpy")
CHANNELS_FIRST = Axes("CYX")
GEMM_SIDE = 2048


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
    """Read the first plane of an image as (C, Y, X)."""
    opened = open_path(path)
    planes = ArraySource(opened.array, opened.axes, opened.n_channels)
    return planes.read(0, whole((planes.height, planes.width)))


def mosaic(folder: Path, size: tuple[int, int]) -> NDArray[Any]:
    """Lay a folder's images side by side in the order of their names, and crop to the size."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise SystemExit(f"There are no images in {folder}.")
    first = read_image(paths[0])
    channels, height, width = first.shape
    rows, columns = -(-size[0] // height), -(-size[1] // width)
    out = np.zeros((channels, rows * height, columns * width), first.dtype)
    for index in range(rows * columns):
        piece = read_image(paths[index % len(paths)])[:, :height, :width]
        top, left = index // columns * height, index % columns * width
        out[:, top : top + piece.shape[1], left : left + piece.shape[2]] = piece
    return out[:, : size[0], : size[1]]


def random_network(n_channels: int, width: int, seed: int) -> TranslationModel:
    """Return a network of random weights, the hardest case: it amplifies every difference."""
    torch.manual_seed(seed)
    names = tuple(f"channel {index}" for index in range(n_channels))
    typical = ((0.0,) * n_channels, (255.0,) * n_channels)
    scaling = IntensityScaling("percentiles", 0.1, 99.9, *typical)
    source, target = (Domain(name, names, scaling) for name in ("a", "b"))
    return TranslationModel(source, target, Architecture(width=width))


def tiled(case: Case, mode: StatisticsMode, tile_px: int) -> tuple[NDArray[np.float32], Report]:
    """Translate with the engine; the result is in [-1, 1]."""
    planes = ArraySource(case.image, CHANNELS_FIRST, len(case.image))
    settings = EngineSettings(statistics=mode, tile_px=tile_px, device="cpu")
    plan = plan_translation(case.model, case.source, case.target, planes, settings)
    target = case.model.domains[case.model.index_of(case.target)]
    pixels = np.full((target.n_channels, *case.image.shape[1:]), np.nan, np.float32)
    job = run_plan(plan, case.model, planes, ArraySink(pixels, CHANNELS_FIRST))
    while True:
        try:
            next(job)
        except StopIteration as end:
            report: Report = end.value
            break
    window = target.typical_window
    low, high = (np.asarray(v).reshape(-1, 1, 1) for v in (window.low, window.high))
    return ((pixels - low) / (high - low) * 2.0 - 1.0).astype(np.float32), report


def in_one_piece(case: Case, report: Report) -> NDArray[np.float32]:
    """Translate by the definition, with the window that the engine has measured."""
    unit = torch.from_numpy(report.input_window.to_unit(case.image))[None]
    with calm():
        return case.model.translate(unit, case.source, case.target)[0].numpy()


def compare(case: Case, tiles_px: Sequence[int]) -> dict[str, Any]:
    """Return per statistics and tile size how far the pixels are from the whole-image pass."""
    numbers: dict[str, Any] = {}
    expected: NDArray[np.float32] | None = None
    for mode in MODES:
        lowest = highest = None
        per_tile: dict[str, Any] = {}
        for tile_px in tiles_px:
            started = time.process_time()
            found, report = tiled(case, mode, tile_px)
            cpu_s = time.process_time() - started
            if expected is None:
                expected = in_one_piece(case, report)
            off = np.abs(found - expected)
            per_tile[str(tile_px)] = {
                "max_difference": float(off.max()),
                "mean_difference": float(off.mean()),
                "cpu_seconds": round(cpu_s, 2),
            }
            print(f"{mode}, tiles of {tile_px} px: {off.max():.2g}", flush=True)
            lowest = found if lowest is None else np.minimum(lowest, found)
            highest = found if highest is None else np.maximum(highest, found)
        assert lowest is not None
        assert highest is not None
        numbers[mode] = {
            "tiles": per_tile,
            "spread_between_tile_sizes": float((highest - lowest).max()),
            "n_sampled": report.statistics.n_sampled if report.statistics else None,
            "n_eligible": report.statistics.n_eligible if report.statistics else None,
        }
    return numbers


def comparison_table(numbers: dict[str, Any], tiles_px: Sequence[int]) -> str:
    """Return the comparison as Markdown."""
    header = ["statistics", *(f"{tile} px" for tile in tiles_px), "spread between tile sizes"]
    rows = [
        [
            f"`{mode}`",
            *(f"{numbers[mode]['tiles'][str(t)]['max_difference']:.2g}" for t in tiles_px),
            f"{numbers[mode]['spread_between_tile_sizes']:.2g}",
        ]
        for mode in MODES
    ]
    return markdown_table(header, rows)


def gemm_gflops() -> float:
    """Return the rate of single-precision matrix products now, in GFLOP per CPU second."""
    a, b = torch.randn(2, GEMM_SIDE, GEMM_SIDE)
    a @ b
    started, n = time.process_time(), 0
    while (seconds := time.process_time() - started) < 1.0:
        a @ b
        n += 1
    return 2 * GEMM_SIDE**3 * n / seconds / 1e9


def network_gflop_per_px(model: TranslationModel, source: str, target: str) -> float:
    """Return the arithmetic of the networks as they are written, per pixel of the image."""
    scale, operations = 1.0, 0.0
    for step in model.steps(source, target):
        geometry = step.block.geometry
        scale *= geometry.upsample / geometry.stride
        operations += 2.0 * step.block.conv.weight.numel() * scale**2
    return operations / 1e9


def measure_speed(case: Case, tiles_px: Sequence[int]) -> dict[str, Any]:
    """Return per tile size the CPU time of a translation, beside that of matrix products."""
    numbers: dict[str, Any] = {}
    megapixels = case.image[0].size / 1e6
    gflop = network_gflop_per_px(case.model, case.source, case.target) * case.image[0].size
    runs: list[tuple[StatisticsMode, int]] = [("image", tile_px) for tile_px in tiles_px]
    for mode, tile_px in [*runs, ("whole", max(tiles_px))]:
        gemm = [gemm_gflops()]
        cpu, wall = time.process_time(), time.perf_counter()
        _, report = tiled(case, mode, tile_px)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        gemm.append(gemm_gflops())
        # of the phases only wall time is known; they share the CPU time alike
        share = {
            phase: getattr(report.seconds, phase) / wall
            for phase in ("intensities", "statistics", "tiles")
        }
        numbers[f"{mode} {tile_px}"] = {
            "wall_seconds": round(wall, 2),
            "cpu_seconds": round(cpu, 2),
            "share": {phase: round(value, 3) for phase, value in share.items()},
            "mpx_per_wall_second_of_tiles": round(megapixels / (wall * share["tiles"]), 3),
            "mpx_per_cpu_second_of_tiles": round(megapixels / (cpu * share["tiles"]), 3),
            "gemm_gflops_per_cpu_second": [round(rate, 1) for rate in gemm],
            # the networks' own arithmetic over the time, beside the rate of matrix products
            "tiles_to_gemm": round(gflop / (cpu * share["tiles"]) / (sum(gemm) / 2), 2),
        }
        print(f"{mode}, tiles of {tile_px} px: {cpu:.1f} CPU s, {wall:.1f} s", flush=True)
    return numbers


def speed_table(numbers: dict[str, Any]) -> str:
    """Return the speeds as Markdown."""
    header = ["statistics, tile", "CPU s", "s", "of it statistics", "Mpx per CPU s of tiles",
              "arithmetic rate / GEMM's"]  # fmt: skip
    rows = [
        [
            f"{name} px",
            f"{n['cpu_seconds']:.1f}",
            f"{n['wall_seconds']:.1f}",
            f"{n['share']['statistics']:.0%}",
            f"{n['mpx_per_cpu_second_of_tiles']:.2f}",
            f"{n['tiles_to_gemm']:.2f}",
        ]
        for name, n in numbers.items()
    ]
    return markdown_table(header, rows)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--image", type=Path, help="image to translate")
    made.add_argument("--folder", type=Path, help="instead of it: a mosaic of a folder's images")
    made.add_argument("--size", type=int, nargs=2, default=(1000, 777), metavar=("H", "W"))
    made.add_argument("--model", type=Path, help="model file; without: random weights")
    made.add_argument("--to", help="domain to translate to; without: the model's second one")
    made.add_argument("--width", type=int, default=16, help="of the random network")
    made.add_argument("--seed", type=int, default=0, help="of the random network")
    made.add_argument("--tiles", type=int, nargs="+", default=(64, 96, 256, 512))
    made.add_argument("--speed", action="store_true", help="measure speed, not differences")
    made.add_argument("--threads", type=int, default=torch.get_num_threads())
    made.add_argument("--out", type=Path, help="result file (JSON)")
    return made


def make_case(args: argparse.Namespace) -> Case:
    """Read the image and the model."""
    if (args.image is None) == (args.folder is None):
        raise SystemExit("Give either --image or --folder.")
    if args.folder is not None:
        image = mosaic(args.folder, tuple(args.size))
    else:
        image = read_image(args.image)[:, : args.size[0], : args.size[1]]
    if args.model is None:
        return Case(image, random_network(len(image), args.width, args.seed), "a", "b")
    model = load_model(args.model).model
    names = [domain.name for domain in model.domains]
    target = args.to or names[1]
    return Case(image, model, names[1 - model.index_of(target)], target)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print tables and write the result."""
    args = parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    result: dict[str, Any] = provenance(PACKAGES, args.threads)
    case = make_case(args)
    result["settings"] = {
        "image": str(args.image or args.folder),
        "shape": list(case.image.shape),
        "dtype": str(case.image.dtype),
        "model": str(args.model or f"random weights, width {args.width}, seed {args.seed}"),
        "direction": [case.source, case.target],
        "tiles_px": list(args.tiles),
    }
    if args.speed:
        result["speed"] = measure_speed(case, args.tiles)
        table = speed_table(result["speed"])
    else:
        result["differences"] = compare(case, args.tiles)
        table = comparison_table(result["differences"], args.tiles)
    print(f"\n{table}")
    if args.out is not None:
        write_result(args.out, result)


if __name__ == "__main__":
    main()
