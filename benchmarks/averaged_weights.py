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

_GENERATORS = "model."
"""What their weights' names begin with in a checkpoint."""


def compare(run: Path, score: Score) -> list[Numbers]:
    """Score both weights of a run at each checkpoint that it has kept; none if it averages none.

    Parameters
    ----------
    run
        Folder of a training that has ended.
    score
        Of models.
    """
    loaded = load_model(run / "last.safetensors")
    settings = loaded.card.training["settings"]
    if not settings["ema_half_life_images"]:
        return []
    total = settings["images_total"]
    states = [
        torch.load(path, map_location="cpu", weights_only=True)
        for path in sorted((run / "checkpoints").glob("images-*.pt"))
    ]
    if not states or states[-1]["images_seen"] < total:
        raise SystemExit(f"{run} has no checkpoint of its end; give runs that are whole.")
    return [
        {
            "run": run.name,
            "images": state["images_seen"],
            "half_life_images": settings["ema_half_life_images"],
            "when": _when(state["images_seen"], total, settings["decay_fraction"]),
            "averaged": score(with_weights(loaded, state["averaged"])),
            "last": score(with_weights(loaded, _generators(state["networks"]))),
        }
        for state in states
    ]


def _when(images: int, total: int, decay_fraction: float) -> str:
    if not decay_fraction:
        return "constant"
    return "fallen" if images == total else f"on the way, at {images / total:.0%}"


def _generators(networks: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(_GENERATORS): weights
        for name, weights in networks.items()
        if name.startswith(_GENERATORS)
    }


def with_weights(loaded: LoadedModel, weights: dict[str, torch.Tensor]) -> LoadedModel:
    """Return the model with other weights of its networks."""
    model = copy.deepcopy(loaded.model)
    model.load_state_dict(weights)
    return replace(loaded, model=model)


def table(runs: Sequence[Numbers], measures: dict[str, int]) -> str:
    """Return what averaging adds, as Markdown: mean and range over runs."""
    rows = []
    for when in dict.fromkeys(run["when"] for run in runs):
        found = [run for run in runs if run["when"] == when]
        cells = [when, str(len(found))]
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
    found: list[Numbers] = []
    for run in args.runs:
        found += compare(run, score)
        print(run.name, flush=True)
    source = provenance(PACKAGES, torch.get_num_threads())
    header = {"benchmark": "averaged_weights", "on": args.on, "split": "tuning", **source}
    write_result(args.out, header | {"runs": found})
    print(table(found, dict(TASKS[args.on].measures)))


if __name__ == "__main__":
    main()
