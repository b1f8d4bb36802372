"""Whether the distance of `napari-unit evaluate` knows a trained model from one just begun.

Run ``python benchmarks/quality_check.py --help``; the protocol is in ``benchmarks/README.md``.
"""

import argparse
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from nuclei_splits import SETS, Part, copy_training_images, image_names, split_names
from results_file import markdown_table, provenance, spread, write_result

import napari_unit
from napari_unit.models.file import load_model
from napari_unit.models.zoo import find_model
from napari_unit.simulate import write_training_scenes
from napari_unit_training.quality.crops import CropChoice, draw_crops, open_domain
from napari_unit_training.quality.measures import DirectionQuality, measure_quality

PACKAGES = ("napari-unit", "torch", "numpy", "kornia")
TRAINED = "nuclei"
UNTRANSLATED = "untranslated"
OTHER_REAL = "other images of the target"
TRAINING_SCENES_SEED = 1
"""Of the scenes of the bundled `nuclei`, see training/README.md."""
SCORED_SCENES_SEED = 2
"""Other seeds share no scenes."""
N_SCORED_SCENES = 100

Distances = dict[str, dict[str, list[float]]]
"""Distances of every seed, by direction, by what is measured."""


def scored_images(data: Path, part: Part) -> list[Path]:
    """Return the real images of one part of both sets; no model here was trained on them."""
    found = []
    for name in SETS:
        split = split_names(name, image_names(data / name))
        scored = split.tuning if part == "tuning" else split.validation
        found += [data / name / "images" / f"{image}.png" for image in scored]
    return found


def train_early(work: Path, images: Iterable[int]) -> dict[str, Path]:
    """Train models of the preset `nuclei` that end after so many images of each domain.

    Parameters
    ----------
    work
        Holds the training images, in ``scenes`` and ``real``.
    images
        How long each is trained; its learning rate falls to 0 by then, as the preset says.
    """
    return {
        f"{count} images": napari_unit.train(
            work / "scenes", work / "real", work / f"run_{count}",
            preset=TRAINED, settings={"device": "cpu"}, images=count,
        )
        for count in images
    }  # fmt: skip


def gather(found: dict[str, list[tuple[DirectionQuality, ...]]]) -> Distances:
    """Collect distances by direction.

    Parameters
    ----------
    found
        Of every model, its two directions for every seed. All were measured on the same crops, so
        that what is not a translation is the same for all.
    """
    distances: Distances = {}
    for model, seeds in found.items():
        for directions in seeds:
            for quality in directions:
                of_direction = distances.setdefault(f"{quality.source} → {quality.target}", {})
                of_direction.setdefault(model, []).append(quality.distance)
    for directions in next(iter(found.values())):
        for quality in directions:
            of_direction = distances[f"{quality.source} → {quality.target}"]
            if quality.untranslated is not None:
                of_direction.setdefault(UNTRANSLATED, []).append(quality.untranslated)
            of_direction.setdefault(OTHER_REAL, []).append(quality.real)
    return distances


def wrong_ranks(distances: Distances, trained: str) -> list[str]:
    """Return a sentence for all that comes out nearer than the trained model, at any seed."""
    wrong = []
    for direction, found in distances.items():
        for name, others in found.items():
            if name in (trained, OTHER_REAL):
                continue
            pairs = zip(found[trained], others, strict=True)
            seeds = [seed for seed, (own, other) in enumerate(pairs) if own >= other]
            if seeds:
                wrong.append(
                    f"{direction}: {name!r} is not farther than {trained!r} (seeds {seeds})."
                )
    return wrong


def main() -> None:
    """Train early models, measure all, and print how they rank."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {', '.join(SETS)}")
    parser.add_argument("--scenes", type=int, default=400, help="that early models are trained on")
    parser.add_argument("--early", type=int, nargs="+", default=[200, 1000], metavar="IMAGES")
    parser.add_argument("--seeds", type=int, default=3, help="of the crops")
    parser.add_argument("--crops", type=int, default=200, help="of each domain")
    parser.add_argument("--split", choices=("tuning", "validation"), default="tuning")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    args = parser.parse_args()
    result: dict[str, Any] = {
        "benchmark": "quality_check",
        **provenance(PACKAGES, torch.get_num_threads()),
        "settings": vars(args) | {"data": str(args.data), "out": str(args.out)},
    }
    found: dict[str, list[tuple[DirectionQuality, ...]]] = {}
    with TemporaryDirectory() as folder:
        work = Path(folder)
        write_training_scenes(work / "scenes", args.scenes, seed=TRAINING_SCENES_SEED)
        write_training_scenes(work / "scored", N_SCORED_SCENES, seed=SCORED_SCENES_SEED)
        copy_training_images(args.data, work / "real")
        models = {TRAINED: find_model(TRAINED).path, **train_early(work, args.early)}
        card = load_model(models[TRAINED]).card
        choices = [CropChoice.of(card, args.crops, seed) for seed in range(args.seeds)]
        domains = (
            open_domain(card, 0, work / "scored", choices[0].crop_px),
            open_domain(card, 1, scored_images(args.data, args.split), choices[0].crop_px),
        )
        images = (domains[0].images, domains[1].images)
        crops = [draw_crops(images, choice, torch.device("cpu")) for choice in choices]
        for name, path in models.items():
            model = load_model(path).model
            found[name] = [measure_quality(model, drawn) for drawn in crops]
    distances = gather(found)
    wrong = wrong_ranks(distances, TRAINED)
    result |= {
        "distances": distances,
        "wrong_ranks": wrong,
        "all": {
            name: [[asdict(q) for q in seed] for seed in seeds] for name, seeds in found.items()
        },
    }
    directions = list(distances)
    rows = [
        [name, *(spread(distances[d][name]) for d in directions)]
        for name in distances[directions[0]]
    ]
    print(markdown_table(["distance to real images of the target", *directions], rows))
    if args.out:
        write_result(args.out, result)
    print("\n".join(wrong) or f"{TRAINED!r} is nearest in both directions, at every seed.")
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
