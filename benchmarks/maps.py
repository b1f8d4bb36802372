"""Satellite photo to street map, unpaired: UNIT, without weight sharing, without the cycle.

Run ``python benchmarks/maps.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from curves_figure import draw_curves
from equal_compute import images_of_equal_compute
from maps_images import CONSTANT, MapsScore, best_constant, prepare, read
from results_file import markdown_table, spread
from training_trials import Task, reduced, train_trial
from trials import Numbers, Trial, add_arguments, last, run_trials

from napari_unit_training.config_files import merge

DOMAINS = ("photo", "map")
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "UNIT": {},
    "no weight sharing": {"n_shared": 0},
    "no cycle": {"weights": {"cycle": 0.0, "cycle_kl": 0.0}},
}
"""The paper's three (Liu et al. 2017, section 4, "Performance Analysis")."""
PAPER = {"UNIT": 0.600, "no weight sharing": 0.569, "no cycle": 0.568}


@dataclass(frozen=True, slots=True)
class Size:
    """How large the pictures and networks are, and how long a training is.

    Parameters
    ----------
    side_px
        Of the pictures.
    images
        That UNIT sees; the others see as many as cost as much.
    settings
        Over the preset `default`.
    """

    side_px: int
    images: int
    settings: Mapping[str, Any]


SIZES = {
    "full": Size(256, 100_000, {}),
    "reduced": Size(64, 6_000, reduced()),
}
"""The reduced size is for two CPU cores and two hours."""


def trials_of(size: Size, seeds: Sequence[int]) -> list[Trial]:
    """Return all trainings, at the compute of UNIT's."""
    found = []
    for name, variant in VARIANTS.items():
        settings = merge(size.settings, variant)
        images = images_of_equal_compute(settings, size.settings, size.images, 3)
        found += [Trial(name, seed, images, settings) for seed in seeds]
    return sorted(found, key=lambda trial: trial.seed)


def table(trials: Sequence[Numbers], compared: Mapping[str, Mapping[str, float]]) -> str:
    """Return the result as Markdown; medians and ranges over seeds."""
    keys = ("accuracy_16", "accuracy_10", "accuracy_5", "drawn_16")
    rows = [
        [
            name,
            *(spread(last(trials, name, key)) for key in keys),
            spread(last(trials, name, "rmse"), 1),
            f"{PAPER[name]:.3f}",
        ]
        for name in VARIANTS
    ]
    rows += [
        [name, *(f"{found[key]:.3f}" for key in keys), f"{found['rmse']:.1f}", ""]
        for name, found in compared.items()
    ]
    header = ("", "within 16", "within 10", "within 5", "drawn, within 16", "RMSE", "paper")
    return markdown_table(header, rows)


def main() -> None:
    """Train what the result file does not have yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, seeds=2)
    parser.add_argument("--size", choices=SIZES, default="reduced")
    parser.add_argument("--curves", type=Path, help="PNG file for the curves")
    args = parser.parse_args()
    size = SIZES[args.size]
    folders = prepare(args.data, args.work / "pictures", "validation", size.side_px)
    constant = best_constant(read(folders.maps))
    red, green, blue = (int(level) for level in constant)
    score = MapsScore(folders, (red, green, blue))
    compared = score.baselines()
    task = Task(folders.photos, folders.maps, DOMAINS, 8, score)
    header = {
        "benchmark": "maps",
        "size": args.size,
        "side_px": size.side_px,
        "pictures": {"train": len(read(folders.maps)), "scored": len(read(folders.scored_maps))},
        "constant": [red, green, blue],
        "baselines": compared,
    }
    work = args.work / f"runs_{args.size}"
    do = partial(train_trial, task=task, work=work, threads=args.threads)
    wanted = trials_of(size, range(args.seeds))
    trials = run_trials(wanted, do, args.out, jobs=args.jobs, header=header)
    print(table(trials, compared))
    if args.curves:
        keys = {"accuracy_16": "pixels within 16 levels", "drawn_16": "of those that are drawn"}
        draw_curves(trials, keys, args.curves, untrained=(CONSTANT, compared[CONSTANT]))


if __name__ == "__main__":
    main()
