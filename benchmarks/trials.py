"""Trainings that are compared: the same images, other settings and seeds, measured on the way.

A trial is trained by `napari_unit.train` in a process of its own. What it measured is kept in the
result file, so that the same command goes on where it was stopped, and adds only what is new.
"""

import argparse
import json
import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results_file import provenance, write_result

PACKAGES = ("napari-unit", "torch", "numpy", "kornia")

Score = Callable[[Any], dict[str, float]]
"""Maps a `napari_unit.models.file.LoadedModel` to what was measured; can be pickled."""
Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """What all trials of a comparison share.

    Parameters
    ----------
    a, b
        Folders of the training images.
    domains
        Names of the two.
    n_points
        How often a trial is measured, evenly over its images; its end is the last time.
    score
        Measures a model on images that no trial learns from.
    """

    a: Path
    b: Path
    domains: tuple[str, str]
    n_points: int
    score: Score


@dataclass(frozen=True, slots=True)
class Trial:
    """One training.

    Parameters
    ----------
    name
        What is special about it; with the seed it names the trial.
    seed
        Of everything random.
    images
        Crops of each domain that it sees in all.
    settings
        Over the preset, nested as in TOML.
    preset
        Bundled settings.
    """

    name: str
    seed: int
    images: int
    settings: Mapping[str, Any]
    preset: str = "default"

    def as_dict(self) -> Numbers:
        """Return it as plain JSON values."""
        return {
            "name": self.name, "seed": self.seed, "images": self.images,
            "preset": self.preset, "settings": json.loads(json.dumps(self.settings)),
        }  # fmt: skip

    def is_in(self, numbers: Mapping[str, Any]) -> bool:
        """Whether these numbers are of this very trial."""
        return all(numbers.get(key) == value for key, value in self.as_dict().items())


def train_trial(trial: Trial, task: Task, work: Path, threads: int) -> Numbers:
    """Train and measure one trial; a trial that was stopped goes on from its last checkpoint.

    Returns
    -------
    The trial, its ``curve`` (per point images, wall-clock and processor seconds of training, and
    what was measured), and where that was done.
    """
    import torch

    import napari_unit
    from napari_unit.models.file import load_model
    from napari_unit.runs.events import CheckpointSaved, Event, Progress, WentBack
    from napari_unit_training.config_files import merge

    torch.set_num_threads(threads)
    folder = work / f"{trial.name}_{trial.seed}".replace(" ", "-").replace("/", "-")
    path = folder / "curve.json"
    curve: list[Numbers] = json.loads(path.read_text()) if path.is_file() else []
    returns = 0
    clock, processor = time.monotonic(), time.process_time()
    began = curve[-1] if curve else {"seconds": 0.0, "processor_seconds": 0.0}

    def take(event: Event) -> None:
        nonlocal clock, processor, returns
        returns += isinstance(event, WentBack)
        if isinstance(event, Progress) and not curve and event.images_seen <= log:
            # reading the images and the first steps, in which torch sets itself up, are no training
            clock, processor = time.monotonic(), time.process_time()
        if isinstance(event, CheckpointSaved):
            measure(event.images_seen)

    def measure(images_seen: int) -> None:
        nonlocal clock, processor, began
        point: Numbers = {
            "images": images_seen,
            "seconds": round(began["seconds"] + time.monotonic() - clock, 1),
            "processor_seconds": round(
                began["processor_seconds"] + time.process_time() - processor, 1
            ),
        }
        scored = task.score(load_model(folder / "last.safetensors"))
        point |= {name: round(value, 5) for name, value in scored.items()}
        curve[:] = [p for p in curve if p["images"] < images_seen] + [point]
        path.write_text(json.dumps(curve))
        print(f"{trial.name}, seed {trial.seed}: {_in_words(point)}", flush=True)
        began, clock, processor = point, time.monotonic(), time.process_time()

    every = math.ceil(trial.images / task.n_points)
    log = max(1, every // 10)
    settings = merge(
        {
            "domain_a": {"name": task.domains[0]},
            "domain_b": {"name": task.domains[1]},
            "validation": {"held_out": 0.0},
            "cadence": {
                "log": log, "preview": trial.images, "quality": trial.images, "checkpoint": every,
            },
            "seed": trial.seed,
        },
        trial.settings,
    )  # fmt: skip
    napari_unit.train(
        task.a, task.b, folder,
        preset=trial.preset, settings=settings, images=trial.images, progress=take,
    )  # fmt: skip
    if not curve or curve[-1]["images"] < trial.images:  # killed while it was measured
        measure(trial.images)
    return trial.as_dict() | {
        "curve": curve,
        "returns": returns,
        **whereabouts(threads),
    }


def run_trials(
    trials: Iterable[Trial],
    do: Callable[[Trial], Numbers],
    out: Path,
    *,
    jobs: int,
    header: Mapping[str, Any],
) -> list[Numbers]:
    """Do the trials that the result file does not have yet, several at once, and keep them there.

    Parameters
    ----------
    trials
        All that are wanted; others in the file stay.
    do
        Does one in a process of its own, as `train_trial`; can be pickled.
    out
        The result file; each trial is added as it ends.
    jobs
        Trials at once.
    header
        Goes to the file with the provenance of this call.

    Returns
    -------
    What was measured of the wanted trials, in their order.

    Raises
    ------
    SystemExit
        If trials failed, after all others are done and kept; if the file is of another comparison.
    """
    wanted = list(trials)
    kept: list[Numbers] = []
    if out.is_file():
        before = json.loads(out.read_text())
        other = [name for name, value in header.items() if before.get(name) != value]
        if other:
            raise SystemExit(
                f"{out} has trials of another {' and another '.join(other)}; give another --out."
            )
        kept = before["trials"]
    missing = [t for t in wanted if not any(t.is_in(numbers) for numbers in kept)]
    result = {**header, **provenance(PACKAGES, 0)}
    failed: list[str] = []
    # a process per trial: torch keeps memory, and a crash costs one
    with ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with_parent,
        max_tasks_per_child=1,
    ) as pool:
        running = {pool.submit(do, trial): trial for trial in missing}
        for done in as_completed(running):
            if error := done.exception():  # those that come after it count all the same
                failed.append(f"{running[done].name}, seed {running[done].seed}: {error}")
                continue
            numbers = done.result()
            same = (numbers["name"], numbers["seed"])
            kept = [k for k in kept if (k["name"], k["seed"]) != same] + [numbers]
            write_result(out, result | {"trials": kept})
    if failed:
        raise SystemExit("\n".join([f"{len(failed)} of {len(missing)} trials failed:", *failed]))
    return [next(n for n in kept if t.is_in(n)) for t in wanted]


def _end_with_parent() -> None:
    """End this process when the command is killed, or it would train on beside the next one."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def whereabouts(threads: int) -> Numbers:
    """Return when, by which code and on which machine a trial was done."""
    return {key: provenance(PACKAGES, threads)[key] for key in ("date", "commit", "machine")}


def reduced(images: int, crop_px: int = 64) -> Numbers:
    """Return what makes the preset `default` small enough for two CPU cores and two hours.

    Parameters
    ----------
    images
        That a training sees; the averaged weights' half-life is 2% of them, as in the preset.
    crop_px
        Side of the crops.
    """
    return {
        "width": 16,
        "discriminator_width": 16,
        "n_scales": 2,
        "crop_px": crop_px,
        "generator_learning_rate": 2e-4,
        "discriminator_learning_rate": 2e-4,
        "ema_half_life_images": images // 50,
        "device": "cpu",
    }


def add_arguments(parser: argparse.ArgumentParser, *, seeds: int, images: int = 0) -> None:
    """Add what all comparisons ask for.

    Parameters
    ----------
    parser
        Of the command.
    seeds
        How many there are unless said otherwise.
    images
        How many a training sees unless said otherwise; 0: that is not asked.
    """
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder with the sets of images")
    add("--work", type=Path, required=True, help="folder for pictures and runs")
    add("--out", type=Path, required=True, help="JSON file for the result")
    add("--seeds", type=int, default=seeds)
    add("--jobs", type=int, default=2, help="trainings at once")
    add("--threads", type=int, default=1, help="of each")
    if images:
        add("--images", type=int, default=images, help="that a training sees; of equal compute")


def last(trials: Sequence[Numbers], name: str, key: str) -> list[float]:
    """Return what was measured at the end of all trials of a name, a value per seed."""
    return [t["curve"][-1][key] for t in trials if t["name"] == name]


def _in_words(point: Numbers) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in point.items())
