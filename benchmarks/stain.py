"""One stain as another: hematoxylin and eosin to immunohistochemistry, without pairs.

Run ``python benchmarks/stain.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from results_file import markdown_table, spread
from training_trials import Task, reduced, train_trial
from trials import Numbers, Trial, add_arguments, last, run_trials

from napari_unit.engine.settings import StatisticsMode
from napari_unit_training.config_files import merge

DOMAINS = ("HE", "IHC")
IMAGES = 2_000
N_CROPS = 60
CROP_PX = 128
N_SHOWN = 5
STATISTICS: StatisticsMode = "model"
"""Of the pictures: all alike, as a pathologist would want a slide."""
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "content": {"weights": {"content": 10.0}},
}
MEASURES = {"distance": 3, "content_agreement": 3, "intensity_distance": 3, "sharpness": 2}
KNOWN = {"untranslated": "untranslated", "other real images": "real"}


@dataclass(frozen=True, slots=True)
class StainScore:
    """Scores a model on crops of the validation fragment, always the same ones.

    Parameters
    ----------
    he, ihc
        Folders of that fragment's images.
    """

    he: Path
    ihc: Path

    def __call__(self, loaded: Any) -> dict[str, float]:
        """Measure the direction from HE to IHC; see `DirectionQuality`."""
        import torch

        from napari_unit_training.quality.crops import CropChoice, draw_crops, open_domain
        from napari_unit_training.quality.measures import measure_quality

        folders = (self.he, self.ihc)
        domains = [open_domain(loaded.card, i, f, CROP_PX) for i, f in enumerate(folders)]
        choice = CropChoice(N_CROPS, CROP_PX, 0.05, 0)  # glass without tissue says nothing
        images = (domains[0].images, domains[1].images)
        quality = measure_quality(loaded.model, draw_crops(images, choice, torch.device("cpu")))[0]
        names = (*MEASURES, *KNOWN.values(), "cycle_error")
        return {name: float(getattr(quality, name)) for name in names}


def trials_of(seeds: Sequence[int], images: int) -> list[Trial]:
    """Return all trainings, seed by seed."""
    return [
        Trial(name, seed, images, merge(reduced(CROP_PX), change))
        for seed in seeds
        for name, change in VARIANTS.items()
    ]


def table(trials: Sequence[Numbers]) -> str:
    """Return the result as Markdown; medians and ranges over seeds."""
    rows = [
        [name, *(spread(last(trials, name, key), digits) for key, digits in MEASURES.items())]
        for name in VARIANTS
    ]
    first = trials[0]["curve"][-1]
    rows += [[name, f"{first[key]:.3f}", "", "", ""] for name, key in KNOWN.items()]
    header = ("", "distance to real IHC", "content agreement", "intensities off", "sharpness")
    return markdown_table(header, rows)


def draw(model: Path, folder: Path, path: Path) -> None:
    """Draw whole validation images above their translations, through `napari_unit.translate`."""
    from napari_unit import translate

    names = sorted(folder.iterdir())
    shown = [np.asarray(Image.open(p).convert("RGB")) for p in names[:: len(names) // N_SHOWN]]
    rows: list[list[np.ndarray[Any, Any]]] = [[], []]
    for image in shown[:N_SHOWN]:
        made = translate(
            image, model, to=DOMAINS[1], axes="YXS", statistics=STATISTICS, dtype="uint8",
            progress=False,
        )  # fmt: skip
        rows[0].append(image)
        rows[1].append(np.asarray(made))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([np.concatenate(row, 1) for row in rows])).save(path)


def main() -> None:
    """Train what the result file does not have yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, seeds=2, images=IMAGES)
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each training")
    args = parser.parse_args()
    data = args.data / "stain_hpylori"
    score = StainScore(data / "val_HE", data / "val_IHC")
    task = Task(data / "train_HE", data / "train_IHC", DOMAINS, 4, score)
    work = args.work / "runs_stain"
    do = partial(train_trial, task=task, work=work, threads=args.threads)
    wanted = trials_of(range(args.seeds), args.images)
    trials = run_trials(wanted, do, args.out, jobs=args.jobs, header={"benchmark": "stain"})
    print(table(trials))
    for trial in wanted if args.pictures else ():
        name = f"{trial.name}_{trial.seed}"
        model = work / name / "last.safetensors"
        if model.is_file():  # trained by an earlier call on another machine: no picture
            draw(model, data / "val_HE", args.pictures / f"{name}.png")


if __name__ == "__main__":
    main()
