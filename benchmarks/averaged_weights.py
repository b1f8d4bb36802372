"""Averaged or last weights: both of the same trainings, measured by the same scores.

Run ``python benchmarks/averaged_weights.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch
from results_file import markdown_table, provenance, write_result
from switch_tasks import TASKS, make_task
from training_trials import Score
from trials import PACKAGES, Numbers

from napari_unit.models.file import LoadedModel, load_model
from napari_unit_training.state import load_latest

_GENERATORS = "model."
"""What their weights' names begin with in a checkpoint."""


def compare(run: Path, score: Score) -> Numbers | None:
    """Score both weights of a run, or None where it averages none.

    Parameters
    ----------
    run
        Folder of a training that has ended, with its last checkpoint.
    score
        Of models.
    """
    averaged = load_model(run / "last.safetensors")
    settings = averaged.card.training["settings"]
    if not settings["ema_half_life_images"]:
        return None
    state = load_latest(run / "checkpoints", torch.device("cpu"))
    if state is None or state["images_seen"] < settings["images_total"]:
        raise SystemExit(f"{run} has no checkpoint of its end; give runs that are whole.")
    return {
        "run": run.name,
        "images": state["images_seen"],
        "half_life_images": settings["ema_half_life_images"],
        "falling": settings["decay_fraction"] > 0,
        "averaged": score(averaged),
        "last": score(with_weights(averaged, state["networks"])),
    }


def with_weights(loaded: LoadedModel, networks: dict[str, torch.Tensor]) -> LoadedModel:
    """Return the model with the generators' weights of a checkpoint."""
    model = copy.deepcopy(loaded.model)
    model.load_state_dict(
        {
            name.removeprefix(_GENERATORS): weights
            for name, weights in networks.items()
            if name.startswith(_GENERATORS)
        }
    )
    return replace(loaded, model=model)


def table(runs: Sequence[Numbers], measures: dict[str, int]) -> str:
    """Return what averaging adds, as Markdown: mean and range over runs, rates fallen or not."""
    rows = []
    for falling, words in ((True, "falling"), (False, "constant")):
        found = [run for run in runs if run["falling"] is falling]
        if not found:
            continue
        cells = [words, str(len(found))]
        for name, digits in measures.items():
            added = [run["averaged"][name] - run["last"][name] for run in found]
            numbers = (f"{n:+.{digits}f}" for n in (mean(added), min(added), max(added)))
            cells.append("{} ({} to {})".format(*numbers))
        rows.append(cells)
    return markdown_table(("learning rates", "runs", *measures), rows)


def main() -> None:
    """Score all runs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets of images")
    parser.add_argument("--work", type=Path, required=True, help="folder for pictures")
    parser.add_argument("--on", choices=TASKS, required=True, help="which images")
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="folders of trainings")
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the result")
    args = parser.parse_args()
    score = make_task(args.on, args.data, args.work / "pictures").score
    found = []
    for run in args.runs:
        if both := compare(run, score):
            found.append(both)
            print(run.name, flush=True)
    source = provenance(PACKAGES, torch.get_num_threads())
    header = {"benchmark": "averaged_weights", "on": args.on, "split": "tuning", **source}
    write_result(args.out, header | {"runs": found})
    print(table(found, dict(TASKS[args.on].measures)))


if __name__ == "__main__":
    main()
