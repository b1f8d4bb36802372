"""Trials that are trainings: by `napari_unit.train`, on the same images, measured on the way."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trials import Numbers, Trial, whereabouts

Score = Callable[[Any], dict[str, float]]
"""Maps a `napari_unit.models.file.LoadedModel` to what was measured; can be pickled."""


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


class Record:
    """What was measured of a training so far, and the time that it took, kept in a file.

    Time runs from `start` to `stop`. Where a training was stopped, what it had spent since its last
    point counts for the next one; a point without scores is one whose scoring was cut off.

    Parameters
    ----------
    path
        Of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        kept = json.loads(path.read_text()) if path.is_file() else {}
        self.points: list[Numbers] = kept.get("points", [])
        self._spent = kept.get("spent", {"seconds": 0.0, "processor_seconds": 0.0})
        self._since: tuple[float, float] | None = None

    def start(self) -> None:
        """Let the time run from now, whether it ran or not."""
        self._since = time.monotonic(), time.process_time()

    def stop(self) -> None:
        """Count the time that ran until now, and keep it."""
        if self._since is not None:
            self._spent["seconds"] += time.monotonic() - self._since[0]
            self._spent["processor_seconds"] += time.process_time() - self._since[1]
            self._since = None
            self._write()

    def begin_point(self, images_seen: int) -> None:
        """Note when a point is reached; the time stands still until `start`."""
        self.stop()
        spent = {name: round(seconds, 1) for name, seconds in self._spent.items()}
        kept = [point for point in self.points if point["images"] < images_seen]
        self.points = [*kept, {"images": images_seen, **spent}]
        self._write()

    def end_point(self, scored: dict[str, float]) -> Numbers:
        """Add what was measured at the point, and return it."""
        self.points[-1] |= {name: round(value, 5) for name, value in scored.items()}
        self._write()
        return self.points[-1]

    @property
    def is_cut_off(self) -> bool:
        """Whether the last point has times, but no scores."""
        return bool(self.points) and set(self.points[-1]) == {"images", *self._spent}

    def _write(self) -> None:
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({"points": self.points, "spent": self._spent}))
        partial.replace(self.path)


def train_trial(trial: Trial, task: Task, work: Path, threads: int) -> Numbers:
    """Train and measure one trial; a trial that was stopped goes on from its last checkpoint.

    Parameters
    ----------
    trial
        What is trained.
    task
        On what, and how it is measured.
    work
        Has a folder for each training.
    threads
        Of torch; 0: its own choice.

    Returns
    -------
    The trial, its ``curve`` (per point images, wall-clock and processor seconds of training, and
    what was measured), how often it went back to an earlier state, and where that was done.
    """
    import torch

    import napari_unit
    from napari_unit.models.file import load_model
    from napari_unit.runs.events import CheckpointSaved, Event, Progress, Started
    from napari_unit_training.config_files import merge

    place = whereabouts(threads)
    if threads:
        torch.set_num_threads(threads)
    folder = work / f"{trial.name}_{trial.seed}".replace(" ", "-").replace("/", "-")
    record = Record(folder / "curve.json")
    every = math.ceil(trial.images / task.n_points)
    log = max(1, every // 10)

    def score() -> None:
        point = record.end_point(task.score(load_model(folder / "last.safetensors")))
        print(f"{trial.name}, seed {trial.seed}: {_in_words(point)}", flush=True)

    def take(event: Event) -> None:
        begins = isinstance(event, Progress) and not record.points and event.images_seen <= log
        if begins or isinstance(event, Started):
            record.start()  # reading images, and steps in which torch sets itself up, do not count
        if isinstance(event, CheckpointSaved):
            record.begin_point(event.images_seen)
            score()
            record.start()

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
    if record.is_cut_off:
        score()
    try:
        napari_unit.train(
            task.a, task.b, folder,
            preset=trial.preset, settings=settings, images=trial.images, progress=take,
        )  # fmt: skip
    finally:
        record.stop()
    if not record.points or record.points[-1]["images"] < trial.images:  # killed as it ended
        record.begin_point(trial.images)
        score()
    lines = (folder / "events.jsonl").read_text("utf-8").splitlines()
    returns = sum(json.loads(line)["event"] == "WentBack" for line in lines)
    return trial.as_dict() | {"curve": record.points, "returns": returns, **place}


def reduced(crop_px: int = 64) -> Numbers:
    """Return what makes the preset `default` small enough for two CPU cores and two hours.

    Parameters
    ----------
    crop_px
        Side of the crops.
    """
    return {
        "width": 16,
        "discriminator_width": 16,
        "crop_px": crop_px,
        "generator_learning_rate": 2e-4,
        "discriminator_learning_rate": 2e-4,
        "precision": "float32",  # or a processor with bfloat16 would have another result
        "device": "cpu",
    }


def _in_words(point: Numbers) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in point.items())
