"""What the normalisation layers should be told: five choices, on real images, trained models.

Run ``python benchmarks/statistics_choice.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from engine_reference import whole_image_pass
from numpy.typing import NDArray
from results_file import markdown_table, provenance, spread, write_result
from seams import seam_excess
from tiled_vs_whole import CHANNELS_FIRST, PACKAGES, mosaic, read_image
from torch import nn

from napari_unit.engine.devices import calm
from napari_unit.engine.run import EngineSettings, Known, Report, plan_translation, run_plan
from napari_unit.engine.settings import StatisticsMode
from napari_unit.geometry.tiling import padded_length
from napari_unit.images.color import at_depth
from napari_unit.images.storage import ArraySink, ArraySource
from napari_unit.models.file import LoadedModel, load_model

MODES: tuple[StatisticsMode, ...] = ("image", "whole", "model", "local", "tile")


@dataclass(frozen=True, slots=True)
class Case:
    """An image and a model that fits it.

    Parameters
    ----------
    name
        In the table.
    image
        Pixels (C, Y, X).
    loaded
        The model.
    to
        Domain of the result.
    truth
        What the translation should be, (C', Y, X) in pixel values of that domain; None where no
        one knows.
    """

    name: str
    image: NDArray[Any]
    loaded: LoadedModel
    to: str
    truth: NDArray[Any] | None

    @property
    def source(self) -> str:
        """Domain of the image."""
        names = [domain.name for domain in self.loaded.model.domains]
        return names[1 - names.index(self.to)]


def translated(
    case: Case, mode: StatisticsMode, tile_px: int, seed: int
) -> tuple[NDArray[np.float32], Report, float]:
    """Translate with the engine; return values in [-1, 1], the report and the seconds."""
    model = case.loaded.model
    planes = ArraySource(case.image, CHANNELS_FIRST, len(case.image))
    settings = EngineSettings(mode, tile_px, "cpu", seed=seed, memory_bytes=8 * 10**9)
    plan = plan_translation(model, case.source, case.to, planes, settings)
    target = model.domains[model.index_of(case.to)]
    pixels = np.full((target.n_channels, *case.image.shape[1:]), np.nan, np.float32)
    stored = case.loaded.statistics
    known = Known(None, None if stored is None else stored[model.index_of(case.source)])
    began = time.perf_counter()
    job = run_plan(plan, model, planes, ArraySink(pixels, CHANNELS_FIRST), known)
    while True:
        try:
            next(job)
        except StopIteration as end:
            report: Report = end.value
            break
    seconds = time.perf_counter() - began
    return target.typical_window.to_unit(pixels), report, seconds


def in_one_piece(case: Case, report: Report) -> NDArray[np.float32]:
    """Translate the whole image by the definition, with the engine's intensity window."""
    steps = case.loaded.model.steps(case.source, case.to)
    geometry = [step.block.geometry for step in steps]
    height, width = case.image.shape[1:]
    far = (0, padded_length(width, geometry) - width, 0, padded_length(height, geometry) - height)
    unit = torch.from_numpy(report.input_window.to_unit(case.image))[None]
    with calm():
        made = whole_image_pass(steps, nn.functional.pad(unit, far, mode="reflect"))
    return made[0, :, :height, :width].numpy()


def compare(case: Case, tile_px: int, seeds: Sequence[int]) -> dict[str, Any]:
    """Return per choice its distance to one piece and to the truth, its seams and its cost."""
    _, report, _ = translated(case, "whole", tile_px, 0)
    expected = in_one_piece(case, report)
    target = case.loaded.model.domains[case.loaded.model.index_of(case.to)]
    truth = None if case.truth is None else target.typical_window.to_unit(case.truth)
    numbers: dict[str, Any] = {}
    if truth is not None:
        numbers["in one piece"] = {"psnr_to_truth": [psnr(expected, truth)]}
    for mode in MODES:
        found: dict[str, list[float]] = {}
        for seed in seeds if mode == "image" else seeds[:1]:
            values, report, seconds = translated(case, mode, tile_px, seed)
            other, _, _ = translated(case, mode, tile_px // 2 + 36, seed)
            borders = [list(range(tile_px, length, tile_px)) for length in case.image.shape[1:]]
            row = {
                "max_error": float(np.abs(values - expected).max()),
                "psnr_to_one_piece": psnr(values, expected),
                "seam_excess": 127.5 * seam_excess(values, *borders),
                "between_tile_sizes": float(np.abs(values - other).max()),
                "seconds": seconds,
            }
            if truth is not None:
                row["psnr_to_truth"] = psnr(values, truth)
            for key, value in row.items():
                found.setdefault(key, []).append(value)
        numbers[mode] = {**found, "notes": list(report.notes)}
        print(case.name, mode, {k: round(v[0], 5) for k, v in found.items()}, flush=True)
    return numbers


def psnr(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return the peak signal-to-noise ratio in dB of values in [-1, 1]."""
    error = float(np.mean((found.astype(np.float64) - expected) ** 2))
    return float(10 * np.log10(4.0 / max(error, 1e-20)))


def table(numbers: dict[str, Any]) -> str:
    """Return the numbers of all cases as Markdown."""
    header = ["image", "statistics", "max error to one piece", "dB to one piece", "dB to truth",
              "seam excess (of 255)", "between tile sizes", "seconds"]  # fmt: skip
    rows = []
    for name, per_mode in numbers.items():
        for mode, found in per_mode.items():
            if mode == "in one piece":
                continue
            truth = found.get("psnr_to_truth")
            rows.append([
                name, f"`{mode}`", f"{max(found['max_error']):.2g}",
                spread(found["psnr_to_one_piece"], 1), "" if truth is None else spread(truth, 2),
                spread(found["seam_excess"], 2), f"{max(found['between_tile_sizes']):.1g}",
                spread(found["seconds"], 1),
            ])  # fmt: skip
    return markdown_table(header, rows)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument(
        "--case", nargs="+", action="append", required=True, metavar=("NAME", "IMAGE"),
        help="NAME IMAGE MODEL TO [TRUTH]: image and truth are files, or folders for a mosaic",
    )  # fmt: skip
    made.add_argument("--size", type=int, nargs=2, default=(2048, 2048), metavar=("H", "W"))
    made.add_argument("--at", type=int, nargs=2, default=(0, 0), metavar=("ROW", "COLUMN"),
                      help="where a file's part begins")  # fmt: skip
    made.add_argument("--tile", type=int, default=300)
    made.add_argument("--seeds", type=int, default=3, help="of the sample")
    made.add_argument("--threads", type=int, default=torch.get_num_threads())
    made.add_argument("--out", type=Path)
    return made


def read_case(words: Sequence[str], size: tuple[int, int], at: tuple[int, int]) -> Case:
    """Read one case of the command line."""
    if len(words) not in (4, 5):
        raise SystemExit(f"A case is NAME IMAGE MODEL TO [TRUTH], not {' '.join(words)}.")
    name, image, model, to = words[:4]
    loaded = load_model(model)
    pixels, truth = (
        _read(Path(path), size, at) if path else None
        for path in (image, words[4] if len(words) == 5 else "")
    )
    assert pixels is not None
    source, target = loaded.model.domains
    loaded.model.domains = (at_depth(source, pixels.dtype), at_depth(target, pixels.dtype))
    return Case(name, pixels, loaded, to, truth)


def _read(path: Path, size: tuple[int, int], at: tuple[int, int]) -> NDArray[Any]:
    if path.is_dir():
        return mosaic(path, size)
    rows, columns = (slice(first, first + n) for first, n in zip(at, size, strict=True))
    return np.ascontiguousarray(read_image(path)[:, rows, columns])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and write the result."""
    args = parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    result: dict[str, Any] = provenance(PACKAGES, args.threads)
    result["settings"] = {"size": list(args.size), "tile_px": args.tile, "seeds": args.seeds}
    numbers: dict[str, Any] = {}
    for words in args.case:
        case = read_case(words, tuple(args.size), tuple(args.at))
        numbers[case.name] = {
            "model_sha256": case.loaded.sha256,
            "direction": [case.source, case.to],
            "shape": list(case.image.shape),
            "statistics": compare(case, args.tile, range(args.seeds)),
        }
        result["cases"] = numbers
        if args.out is not None:
            write_result(args.out, result)
    print("\n" + table({name: found["statistics"] for name, found in numbers.items()}))


if __name__ == "__main__":
    main()
