"""Classifying digits of which nobody has labelled one: MNIST to USPS and back.

Run ``python benchmarks/adaptation.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from results_file import markdown_table, spread
from trials import Numbers, Trial, add_arguments, run_trials, whereabouts

Part = Literal["tuning", "validation"]
Frames = Literal["alike", "own"]
SETS = {"MNIST": "mnist", "USPS": "usps"}
DIRECTIONS = (("MNIST", "USPS"), ("USPS", "MNIST"))
PAPER: Mapping[str, Mapping[tuple[str, str], float]] = {
    "unit": {DIRECTIONS[0]: 0.9597, DIRECTIONS[1]: 0.9358},
    "cogan": {DIRECTIONS[0]: 0.9565, DIRECTIONS[1]: 0.9315},
}
"""Liu et al. 2017, section 4, "Domain Adaptation"; CoGAN as quoted there."""
METHODS = ("source-only", "cogan", "unit", "target-supervised")
TUNING_SHARE = 0.15
MARGINS_PX = {"MNIST": 0, "USPS": 3}
"""That give digits nearly the same share of both sets' images: 20 of 28 px, and 16 of 22."""
STEPS = 4_000
SETTINGS: Mapping[str, Any] = {
    "side_px": 16,
    "width": 16,
    "discriminator_width": 16,
    "learning_rate": 1e-3,
    "decay_fraction": 0.3,
    "device": "cpu",
}
"""Chosen with ``--split tuning --frames own``, MNIST to USPS, one seed."""


def name_of(method: str, direction: tuple[str, str]) -> str:
    """Return the name of a trial."""
    return f"{method}, {direction[0]} → {direction[1]}"


def trials_of(
    methods: Sequence[str], seeds: Sequence[int], steps: int, change: Mapping[str, Any]
) -> list[Trial]:
    """Return all adaptations, seed by seed."""
    return [
        Trial(name_of(method, way), seed, steps, {**SETTINGS, **change, "method": method})
        for seed in seeds
        for way in DIRECTIONS
        for method in methods
    ]


def prepare(data: Path, out: Path, part: Part, frames: Frames) -> dict[str, Path]:
    """Return where both sets are, each with images to train on and to test with.

    With ``"tuning"`` the end of the training images is what is tested with, and the test images are
    not opened. With frames ``"alike"`` images get `MARGINS_PX`; with ``"own"`` they are as they
    came.
    """
    made = {}
    for name, file in SETS.items():
        margin = MARGINS_PX[name] if frames == "alike" else 0
        path = data / "digits" / f"{file}.npz"
        if part == "validation" and not margin:
            made[name] = path
            continue
        made[name] = out / f"{file}_{part}_{margin}px.npz"
        if made[name].is_file():
            continue
        with np.load(path, allow_pickle=False) as found:
            images, labels = found["x_train"], found["y_train"]
            if part == "validation":
                tested, truth = found["x_test"], found["y_test"]
            else:
                cut = round(len(images) * (1 - TUNING_SHARE))
                (images, tested), (labels, truth) = np.split(images, [cut]), np.split(labels, [cut])
        around = ((0, 0), (margin, margin), (margin, margin))
        out.mkdir(parents=True, exist_ok=True)
        partial = made[name].with_suffix(".partial.npz")
        np.savez(
            partial,
            x_train=np.pad(images, around), y_train=labels,
            x_test=np.pad(tested, around), y_test=truth,
        )  # fmt: skip
        partial.replace(made[name])
    return made


def adapt_trial(trial: Trial, paths: Mapping[str, Path], work: Path, threads: int) -> Numbers:
    """Adapt once; an adaptation that was stopped goes on.

    Returns
    -------
    The trial, its ``accuracy`` on the target's test images by the weights of the last step, and
    where that was done.
    """
    import time

    import torch

    from napari_unit_training.adapting.run import adapt
    from napari_unit_training.adapting.settings import AdaptationSettings
    from napari_unit_training.config_files import table_from

    place = whereabouts(threads)
    if threads:
        torch.set_num_threads(threads)
    source, _, target = trial.name.partition(", ")[2].partition(" → ")
    settings = table_from(
        AdaptationSettings, {**trial.settings, "seed": trial.seed, "steps": trial.images}
    )
    # no other settings find their result there
    mark = hashlib.sha256(json.dumps(trial.as_dict(), sort_keys=True).encode()).hexdigest()[:8]
    folder = work / f"{trial.settings['method']}_{source}_{target}_{trial.seed}_{mark}"
    began, processor = time.monotonic(), time.process_time()
    if not (folder / "result.json").is_file():
        for _ in adapt(settings, paths[source], paths[target], folder):
            pass
    accuracy = json.loads((folder / "result.json").read_text())["accuracy"]
    print(f"{trial.name}, seed {trial.seed}: {accuracy:.4f}", flush=True)
    return trial.as_dict() | {
        "accuracy": accuracy,
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
        **place,
    }


def table(trials: Sequence[Numbers], methods: Sequence[str]) -> str:
    """Return the result as Markdown; medians and ranges over seeds."""
    rows = []
    for method in methods:
        row = [method]
        for way in DIRECTIONS:
            found = [t["accuracy"] for t in trials if t["name"] == name_of(method, way)]
            paper = PAPER.get(method, {}).get(way)
            row += [spread(found, 4), "" if paper is None else f"{paper:.4f}"]
        rows.append(row)
    header = ["", *(cell for a, b in DIRECTIONS for cell in (f"{a} → {b}", "paper"))]
    return markdown_table(header, rows)


def main() -> None:
    """Adapt what the result file does not have yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, seeds=3)
    parser.add_argument("--split", choices=("tuning", "validation"), default="validation")
    parser.add_argument("--frames", choices=("alike", "own"), default="alike")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--set", type=json.loads, default={}, metavar="JSON", help="settings")
    args = parser.parse_args()
    paths = prepare(args.data, args.work, args.split, args.frames)
    runs = args.work / f"runs_{args.split}_{args.frames}"
    do = partial(adapt_trial, paths=paths, work=runs, threads=args.threads)
    wanted = trials_of(args.methods, range(args.seeds), args.steps, args.set)
    header = {"benchmark": "adaptation", "split": args.split, "frames": args.frames}
    trials = run_trials(wanted, do, args.out, jobs=args.jobs, header=header)
    print(table(trials, args.methods))


if __name__ == "__main__":
    main()
