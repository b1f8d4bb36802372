"""Two processes that share every batch, against one that trains alone.

Run ``python benchmarks/processes.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from nuclei_splits import copy_training_images
from results_file import markdown_table, provenance, write_result

import napari_unit
from napari_unit.runs.events import Event, Progress
from napari_unit.simulate import write_training_scenes

PACKAGES = ("napari-unit", "torch", "numpy", "kornia")
BATCH = 4
SETTINGS: dict[str, Any] = {
    "device": "cpu",
    "precision": "float32",
    "batch_size": BATCH,
    "reuse_fakes": False,
    "gradient_penalty": 0.1,
    "gradient_penalty_every": 2,
    "weights": {"identity": 1.0},
    "augmentation": {"rotation": 10.0, "blur": 1.0, "noise": 0.05},
    "cadence": {"log": BATCH},
}
N_SCENES = 20

Losses = list[dict[str, float]]


def train(work: Path, name: str, n_images: int, devices: int, threads: int) -> Losses:
    """Train from the beginning and return the losses of every step."""
    found: Losses = []

    def take(event: Event) -> None:
        if isinstance(event, Progress):
            found.append(dict(event.losses))

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        napari_unit.train(
            work / "scenes", work / "real", work / name, preset="nuclei", settings=SETTINGS,
            images=n_images, devices=devices, progress=take,
        )  # fmt: skip
    finally:
        torch.set_num_threads(before)
    return found


def largest_differences(one: Losses, other: Losses) -> list[float]:
    """Return the largest relative difference of any loss, per step."""
    return [
        max(abs(first[name] - second[name]) / max(abs(first[name]), 1e-6) for name in first)
        for first, second in zip(one, other, strict=True)
    ]


def table(found: dict[str, list[float]]) -> str:
    """Return a Markdown table, a row per step."""
    rows = [
        [str(step + 1), *(f"{values[step]:.1e}" for values in found.values())]
        for step in range(len(next(iter(found.values()))))
    ]
    return markdown_table(["step", *found], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train three times and print how the losses differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="see nuclei.py")
    parser.add_argument("--images", type=int, default=48, help="of each run")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    args = parser.parse_args(arguments)
    result: dict[str, Any] = {
        "benchmark": "processes",
        **provenance(PACKAGES, torch.get_num_threads()),
        "settings": SETTINGS | {"images": args.images},
    }
    with TemporaryDirectory() as folder:
        work = Path(folder)
        write_training_scenes(work / "scenes", N_SCENES, seed=1)
        copy_training_images(args.data, work / "real")
        alone = train(work, "one", args.images, 1, 2)
        found = {
            "two processes": largest_differences(alone, train(work, "two", args.images, 2, 2)),
            "one thread": largest_differences(alone, train(work, "thread", args.images, 1, 1)),
        }
    print(table(found))
    result |= {"largest_relative_difference_of_a_loss_per_step": found}
    if args.out:
        write_result(args.out, result)


if __name__ == "__main__":
    main()
