"""Trials that are compared: other settings and seeds, each in a process of its own.

What a trial measured is kept in the result file, so that the same command goes on where it was
stopped, and adds only what is new.
"""

import argparse
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results_file import provenance, write_result

PACKAGES = ("napari-unit", "torch", "numpy", "kornia")

Numbers = dict[str, Any]


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
    before: Numbers = {}
    if out.is_file():
        before = json.loads(out.read_text())
        other = [name for name, value in header.items() if before.get(name) != value]
        if other:
            raise SystemExit(
                f"{out} has trials of another {' and another '.join(other)}; give another --out."
            )
        kept = before.pop("trials")
    missing = [t for t in wanted if not any(t.is_in(numbers) for numbers in kept)]
    result = {**before, **header, **provenance(PACKAGES, 0)}
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
