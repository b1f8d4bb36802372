"""The training step against the same step as it is commonly written: speed and memory.

Run ``python benchmarks/train_speed.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from matrix_rate import matrix_rate, synchronise
from plain_step import PlainStep, batches
from results_file import markdown_table, peak_resident, provenance, write_result
from torch.utils.flop_counter import FlopCounterMode
from train_profile import GROUPS, where_time_goes

from napari_unit.simulate import write_training_scenes
from napari_unit_training.config import TrainSettings
from napari_unit_training.config_tables import DomainSettings
from napari_unit_training.data.loading import DomainImages, load_domain
from napari_unit_training.precision import choose_device, flushed_denormals
from napari_unit_training.session import Session

PACKAGES = ("napari-unit", "torch", "kornia", "numpy")
OURS, PLAIN = "default", "plain"
SCENE_PX = 512
N_SCENES = 8
MEMORY_STEPS = 3


@dataclass(frozen=True, slots=True)
class Case:
    """What is trained.

    Parameters
    ----------
    width, crop_px, batch_size
        As in the settings of a run; all others have their defaults.
    """

    width: int
    crop_px: int
    batch_size: int

    @property
    def name(self) -> str:
        """In words."""
        return f"width {self.width}, crops of {self.crop_px} px, batch {self.batch_size}"


def write_images(folder: Path, n_scenes: int = N_SCENES) -> None:
    """Write simulated scenes as 16-bit TIFFs for both domains."""
    for seed, name in enumerate("ab"):
        write_training_scenes(folder / name, n_scenes, (SCENE_PX, SCENE_PX), seed=seed)


class Sides:
    """Both trainings of one case, ready to take steps.

    Parameters
    ----------
    case
        Which.
    folder
        With the images; see `write_images`.
    device
        Where it computes.
    """

    def __init__(self, case: Case, folder: Path, device: torch.device) -> None:
        settings = TrainSettings(
            width=case.width,
            crop_px=case.crop_px,
            batch_size=case.batch_size,
            device=str(device),
        )
        self.device = device
        a, b = (
            load_domain(str(folder / n), DomainSettings(name=n), case.crop_px, device=device)
            for n in "ab"
        )
        self.data: tuple[DomainImages, DomainImages] = (a, b)
        self.session = Session(settings, (a.domain, b.domain), device)
        self._plain: tuple[PlainStep, Iterator[list[torch.Tensor]]] | None = None

    def ours(self) -> None:
        """Take a step as `napari-unit train` does."""
        self.session.step(self.data)

    def plain(self) -> None:
        """Take a plain step."""
        if self._plain is None:
            settings = self.session.settings
            self._plain = (PlainStep(self.session), batches(self.data, settings, self.device))
        step, crops = self._plain
        step.step(*next(crops))

    def seconds(self, step: Callable[[], None]) -> float:
        """Return how long a step takes."""
        synchronise(self.device)
        started = time.perf_counter()
        step()
        synchronise(self.device)
        return time.perf_counter() - started


def arithmetic(step: Callable[[], None]) -> float:
    """Return the GFLOP of the convolutions and matrix products of a step."""
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops()) / 1e9


def measure(
    case: Case, folder: Path, device: torch.device, seconds: float, repeats: int
) -> dict[str, Any]:
    """Return times of both steps in turn, the arithmetic, and where the time goes."""
    with flushed_denormals():
        sides = Sides(case, folder, device)
        gflop = {OURS: arithmetic(sides.ours), PLAIN: arithmetic(sides.plain)}
        sides.ours()
        sides.plain()
        times: dict[str, list[float]] = {OURS: [], PLAIN: []}
        rates: dict[str, list[float]] = {"float32": [], "bfloat16": []}
        until = time.perf_counter() + seconds
        while len(times[OURS]) < repeats and (len(times[OURS]) < 3 or time.perf_counter() < until):
            if len(times[OURS]) % 5 == 0:
                for name, of_dtype in rates.items():
                    of_dtype.append(matrix_rate(device, getattr(torch, name)))
            times[PLAIN].append(sides.seconds(sides.plain))
            times[OURS].append(sides.seconds(sides.ours))
        goes = where_time_goes(sides.session, sides.data, 2)
    return {
        **asdict(case),
        "seconds": times,
        "gflop": gflop,
        "matrix_gflop_per_second": rates,
        "where": goes,
    }


def peak_memory(case: Case, folder: Path, device: torch.device, side: str, threads: int) -> int:
    """Return the peak memory of a training, in a process of its own, in bytes."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", side, "--folder", str(folder), "--case",
         json.dumps(asdict(case)), "--device", str(device), "--threads", str(threads)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout.split()[-1])


def child(case: Case, folder: Path, device: torch.device, side: str) -> None:
    """Take a few steps of one side and print the most memory that was in use."""
    with flushed_denormals():
        sides = Sides(case, folder, device)
        for _ in range(MEMORY_STEPS):
            (sides.ours if side == OURS else sides.plain)()
    if device.type == "cuda":
        print(torch.cuda.max_memory_allocated(device))
        return
    print(peak_resident())


def derived(measured: dict[str, Any]) -> dict[str, Any]:
    """Return what the tables show: speeds, their ratio, and shares of the matrix rate."""
    times = measured["seconds"]
    pairs = zip(times[PLAIN], times[OURS], strict=True)
    rate = measured["gflop"][OURS] / median(times[OURS])
    return {
        "images_per_second": {s: measured["batch_size"] / median(times[s]) for s in (OURS, PLAIN)},
        "ratio": median(times[PLAIN]) / median(times[OURS]),
        "ratio_of_pairs": [plain / ours for plain, ours in pairs],
        "gflop_per_second": rate,
        "share_of_matrix_rate": {
            name: rate / max(values) for name, values in measured["matrix_gflop_per_second"].items()
        },
    }


def label(case: dict[str, Any]) -> str:
    """Return a case for the first row or column of a table."""
    return f"{case['width']}, {case['crop_px']} px, {case['batch_size']}"


def speed_table(cases: Sequence[dict[str, Any]]) -> str:
    """Return speeds and memory as Markdown."""
    header = [
        "width, crop, batch",
        "plain, images/s",
        "default, images/s",
        "times as fast",
        "of the float32 matrix rate",
        "of the bfloat16 matrix rate",
        "plain, GB",
        "default, GB",
    ]
    rows = [
        [
            label(c),
            f"{c['images_per_second'][PLAIN]:.2f}",
            f"{c['images_per_second'][OURS]:.2f}",
            f"{c['ratio']:.2f} ({min(c['ratio_of_pairs']):.2f}–{max(c['ratio_of_pairs']):.2f})",
            *(f"{c['share_of_matrix_rate'][n]:.0%}" for n in ("float32", "bfloat16")),
            *(f"{c['peak_bytes'][side] / 1e9:.2f}" for side in (PLAIN, OURS)),
        ]
        for c in cases
    ]
    return markdown_table(header, rows)


def where_table(cases: Sequence[dict[str, Any]]) -> str:
    """Return where the time of the default step goes as Markdown."""
    header = ["", *map(label, cases)]
    rows = [[group, *(f"{c['where'][group]:.1%}" for c in cases)] for group in GROUPS]
    return markdown_table(header, rows)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--widths", type=int, nargs="+", default=(16, 64))
    made.add_argument("--crops", type=int, nargs="+", default=(128, 256))
    made.add_argument("--batches", type=int, nargs="+", default=(1,))
    made.add_argument("--minutes", type=float, default=16.0, help="of timing, over all cases")
    made.add_argument("--repeats", type=int, default=60, help="of a case, at most")
    made.add_argument("--quick", action="store_true", help="to try it: five repeats a case")
    made.add_argument("--device", default="auto")
    made.add_argument("--threads", type=int, default=torch.get_num_threads())
    made.add_argument("--out", type=Path, help="result file (JSON)")
    for name in ("--child", "--case", "--folder"):
        made.add_argument(name, help=argparse.SUPPRESS)
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print tables and write the result."""
    args = parser().parse_args(arguments)
    torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    if args.child:
        child(Case(**json.loads(args.case)), Path(args.folder), device, args.child)
        return
    result: dict[str, Any] = {"benchmark": "train_speed", **provenance(PACKAGES, args.threads)}
    result["device"] = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    cases = [Case(w, c, b) for w in args.widths for c in args.crops for b in args.batches]
    seconds, repeats = (10.0, 5) if args.quick else (60 * args.minutes / len(cases), args.repeats)
    result["cases"] = []
    with TemporaryDirectory() as folder:
        write_images(Path(folder))
        for case in cases:
            measured = measure(case, Path(folder), device, seconds, repeats)
            measured |= derived(measured)
            measured["peak_bytes"] = {
                side: peak_memory(case, Path(folder), device, side, args.threads)
                for side in (PLAIN, OURS)
            }
            result["cases"].append(measured)
            print(f"{case.name}: {measured['ratio']:.2f} times as fast", flush=True)
    print(f"\n{speed_table(result['cases'])}\n\n{where_table(result['cases'])}")
    if args.out:
        write_result(args.out, result)


if __name__ == "__main__":
    main()
