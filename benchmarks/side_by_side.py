"""What an hour of training gives: the preset `default` beside plain CycleGAN, by the clock.

Run ``python benchmarks/side_by_side.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from curves_figure import draw_curves
from equal_compute import images_of_equal_compute
from maps_images import CONSTANT
from results_file import markdown_table, spread, write_result
from switch_tasks import RAW_SCENE, TASKS, baselines, make_task
from training_trials import reduced, train_trial
from trials import Numbers, Trial, add_arguments, last, run_trials

from napari_unit_training.config_files import merge, read_preset

IMAGES = 4_000
N_POINTS = 8
SIZE: Mapping[str, Any] = {
    key: reduced()[key]
    for key in ("width", "discriminator_width", "crop_px", "precision", "device")
}
"""What makes a preset small enough for a CPU; all else is as it says."""
SIDES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "maps": {"default": reduced(), "cyclegan": {}},
    "nuclei": {
        "default": reduced(),
        "nuclei": {},
        "cyclegan": {},
    },
}
KEYS: Mapping[str, Mapping[str, str]] = {
    "maps": {"accuracy_16": "pixels within 16 levels", "drawn_16": "of those that are drawn"},
    "nuclei": {
        "labels": "F1 on translated scenes",
        "kernel": "kernel distance to real images",
        "sliced": "sliced Wasserstein distance",
    },
}
UNTRAINED: Mapping[str, str] = {"maps": CONSTANT, "nuclei": RAW_SCENE}
"""What the curves are to be held against; see `switch_tasks.baselines`."""


def trials_of(on: str, seeds: Sequence[int], images: int) -> list[Trial]:
    """Return the trainings of all sides, at the compute of the first."""
    n_channels = TASKS[on].n_channels
    found = []
    reference: Mapping[str, Any] | None = None
    for preset, change in SIDES[on].items():
        given = merge(read_preset(preset), SIZE, change)
        reference = reference or given
        count = images_of_equal_compute(given, reference, images, n_channels)
        settings = merge(SIZE, change)
        found += [Trial(preset, seed, count, settings, preset) for seed in seeds]
    return sorted(found, key=lambda trial: trial.seed)


def table(
    trials: Sequence[Numbers],
    keys: Mapping[str, str],
    untrained: Mapping[str, Mapping[str, float]],
) -> str:
    """Return the ends of all trainings as Markdown; medians and ranges over seeds.

    Parameters
    ----------
    trials
        With their curves.
    keys
        Measures, and what they are called.
    untrained
        What was measured of what needs no training.
    """
    names = list(dict.fromkeys(t["name"] for t in trials))
    rows = [
        [
            name,
            spread([s / 60 for s in last(trials, name, "seconds")], 1),
            f"{last(trials, name, 'images')[0]:.0f}",
            *(spread(last(trials, name, key)) for key in keys),
        ]
        for name in names
    ]
    rows += [
        [name, "", "", *(f"{found[key]:.3f}" for key in keys)] for name, found in untrained.items()
    ]
    return markdown_table(("preset", "minutes", "images", *keys.values()), rows)


def main() -> None:
    """Train what the result file does not have yet; print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, seeds=2, images=IMAGES)
    parser.add_argument("--on", choices=SIDES, required=True, help="which images")
    parser.add_argument("--figure", type=Path, help="PNG file")
    args = parser.parse_args()
    task = replace(
        make_task(args.on, args.data, args.work / "pictures", "validation"), n_points=N_POINTS
    )
    work = args.work / f"runs_side_by_side_{args.on}"
    do = partial(train_trial, task=task, work=work, threads=args.threads)
    wanted = trials_of(args.on, range(args.seeds), args.images)
    header = {"benchmark": "side_by_side", "on": args.on, "split": "validation"}
    trials = run_trials(wanted, do, args.out, jobs=args.jobs, header=header)
    untrained = baselines(task)
    write_result(args.out, json.loads(args.out.read_text()) | {"baselines": untrained})
    keys = KEYS[args.on]
    print(table(trials, keys, untrained))
    if args.figure:
        level = UNTRAINED[args.on]
        over = ("seconds", "minutes of training", 60.0)
        draw_curves(trials, keys, args.figure, over, (level, untrained[level]))


if __name__ == "__main__":
    main()
