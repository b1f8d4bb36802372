"""The engine against other ways to translate a large image: speed, memory, errors and seams.

Run ``python benchmarks/engine_speed.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from engine_case import Case, choose_direction, read_crop, write_case
from engine_measures import compare, derived, folded_gflop_per_px, speed_table
from engine_ours import MODES
from engine_peers import PREPARE
from engine_process import OURS, REFERENCE, SEARCH, Order, measure
from engine_scaling import measure_scaling, scaling_table
from matrix_rate import matrix_rate
from numpy.typing import NDArray
from results_file import provenance, write_result
from tiled_vs_whole import mosaic

PACKAGES = ("napari-unit", "torch", "numpy", "monai", "bioimageio.core", "bioimageio.spec",
            "pydantic", "tiler")  # fmt: skip


def cases(args: argparse.Namespace) -> Iterator[tuple[Case, NDArray[Any]]]:
    """Yield each image in each width, as large as is asked for that width."""
    if args.image is None and args.folder is None:
        raise SystemExit("Give --image, --folder, or both.")
    if len(args.sizes) not in (1, len(args.widths)):
        raise SystemExit(
            f"There are {len(args.sizes)} sizes and {len(args.widths)} widths; give one size, or "
            "one for each width."
        )
    sizes = args.sizes * len(args.widths) if len(args.sizes) == 1 else args.sizes
    for width, side in zip(args.widths, sizes, strict=True):
        images: dict[str, NDArray[Any]] = {}
        if args.image is not None:
            images[args.image.name] = read_crop(args.image, tuple(args.at), side)
        if args.folder is not None:
            images[f"mosaic of {args.folder.name}"] = mosaic(args.folder, (side, side))
        for name, image in images.items():
            found, source, target = choose_direction(image, args.model, args.to, width)
            model = None if args.model is None else str(args.model)
            shape = (image.shape[0], image.shape[1], image.shape[2])
            yield (
                Case(name, shape, str(image.dtype), model, found, args.seed, source, target),
                image,
            )


def measure_case(folder: Path, case: Case, methods: Sequence[str], args: Any) -> dict[str, Any]:
    """Return the rounds of each method, and what its pixels are like."""
    model = case.networks()
    numbers: dict[str, Any] = {
        **asdict(case),
        "n_px": case.n_px,
        "gflop_per_px": folded_gflop_per_px(model.steps(case.source, case.target)),
        "methods": {name: {"rounds": []} for name in methods},
    }
    if "MONAI best" in methods:
        order = Order(str(folder), SEARCH, args.threads)
        numbers["monai_search"] = measure(order)
    expected, numbers["reference"] = reference(folder, args.threads)
    rate = rate_of_matrices(args.threads)
    for number in range(args.rounds):
        first = number * len(methods) // args.rounds
        for name in [*methods[first:], *methods[:first]]:
            method = numbers["methods"][name]
            if "left_out" in method:
                continue
            keep = folder / "found.npy" if not method["rounds"] else None
            order = Order(str(folder), name, args.threads, None if keep is None else str(keep))
            made = measure(order)
            if "left_out" in made:
                method |= made
                print(f"{name}: {made['left_out']}", flush=True)
                continue
            if keep is not None:
                method |= compare(np.load(keep), expected, made["borders"])
                method["facts"] = made["facts"]
            before, rate = rate, rate_of_matrices(args.threads)
            made.pop("borders")
            method["rounds"].append({"round": number, "matrix_rates": [before, rate], **made})
            print(f"{name}, round {number}: {made['seconds']:.1f} s", flush=True)
    derived(numbers)
    return numbers


def reference(folder: Path, threads: int) -> tuple[NDArray[np.float32] | None, dict[str, Any]]:
    """Return the translation of the whole image, if there is memory for it."""
    keep = folder / "reference.npy"
    made = measure(Order(str(folder), REFERENCE, threads, str(keep)))
    return (np.load(keep) if keep.is_file() else None), made


def rate_of_matrices(threads: int) -> float:
    """Return the rate of float32 matrix products now, in GFLOP per second."""
    torch.set_num_threads(threads)
    return matrix_rate(torch.device("cpu"), torch.float32)


def title(case: Case) -> str:
    """Return a case in words."""
    return f"{case.name}, {'x'.join(map(str, case.shape))} {case.dtype}, width {case.width}"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--image", type=Path, help="a large image, of which a square is translated")
    made.add_argument("--at", type=int, nargs=2, default=(4000, 3000), metavar=("ROW", "COLUMN"),
                      help="where the square begins")  # fmt: skip
    made.add_argument("--folder", type=Path, help="and, or instead: a mosaic of a folder's images")
    made.add_argument("--widths", type=int, nargs="+", default=(16, 64), help="of random networks")
    made.add_argument("--sizes", type=int, nargs="+", default=(4096, 2048), metavar="PX",
                      help="side of the image, for each width")  # fmt: skip
    made.add_argument("--seed", type=int, default=0, help="of the random networks")
    made.add_argument("--model", type=Path, help="model file, instead of random networks")
    made.add_argument("--to", help="domain to translate to; without: the model's second one")
    made.add_argument("--statistics", nargs="+", choices=MODES, default=("image", "whole"))
    made.add_argument("--methods", nargs="+", choices=tuple(PREPARE), default=tuple(PREPARE),
                      help="beside ours")  # fmt: skip
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--scaling", type=float, nargs="+", metavar="MPX",
                      help="instead: ours alone, on images of these sizes")  # fmt: skip
    made.add_argument("--threads", type=int, default=torch.get_num_threads())
    made.add_argument("--out", type=Path, help="result file (JSON)")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print tables and write the result."""
    args = parser().parse_args(arguments)
    if args.model is not None:
        args.widths = args.widths[:1]
    result: dict[str, Any] = {"benchmark": "engine_speed", **provenance(PACKAGES, args.threads)}
    result["settings"] = {
        name: str(value) if isinstance(value, Path) else value for name, value in vars(args).items()
    }
    result["cases"] = []
    methods = [*(OURS + mode for mode in args.statistics), *args.methods]
    for case, image in cases(args):
        print(f"\n{title(case)}", flush=True)
        with TemporaryDirectory() as made:
            folder = Path(made)
            write_case(folder, case, image)
            if args.scaling:
                scaling = measure_scaling(
                    folder, args.scaling, args.statistics, args.rounds, args.threads
                )
                result["cases"].append({**asdict(case), "scaling": scaling})
                print(f"\n{scaling_table(scaling)}")
            else:
                result["cases"].append(measure_case(folder, case, methods, args))
                print(f"\n{speed_table(result['cases'][-1])}")
        if args.out is not None:
            write_result(args.out, result)


if __name__ == "__main__":
    main()
