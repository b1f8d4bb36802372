"""The command ``napari-unit calibrate``, which adds statistics of training crops to a model."""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unit_training.errors import TrainingError

if TYPE_CHECKING:
    from napari_unit.models.card import ModelCard
    from napari_unit_training.quality.crops import CropChoice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a calibration to a parser; `run` takes what it parses."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="name of a model or path of a model file")
    for side, which in (("a", "first"), ("b", "second")):
        add(f"--{side}", nargs="+", required=True, metavar="SOURCE",
            help=f"images of the {which} domain that the model was trained on")  # fmt: skip
    for side, which in (("a", "first"), ("b", "second")):
        add(f"--axes-{side}", default="", metavar="LETTERS",
            help=f"axes of the {which} domain's images, where files do not say: CYX")  # fmt: skip
    add("--out", type=Path, metavar="FILE",
        help="model file to write (MODEL-calibrated.safetensors here)")  # fmt: skip
    add("--crops", type=int, metavar="N", help="of each domain (256, of large ones fewer)")
    add("--crop-px", type=int, metavar="PX", help="their side (as in the training, else 256)")
    add("--seed", type=int, metavar="N", help="of the crops (as in the training, else 0)")
    add("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps")


def run(args: argparse.Namespace) -> int:
    """Write the model with its statistics; return the exit status: 0, or 1 with a sentence."""
    try:
        _calibrate(args)
    except (TrainingError, ValueError, OSError) as error:
        print(f"napari-unit calibrate: {error}", file=sys.stderr)
        return 1
    return 0


def _calibrate(args: argparse.Namespace) -> None:
    from napari_unit.models.zoo import find_model

    entry = find_model(args.model)
    out = args.out or Path(f"{entry.name}-calibrated.safetensors")
    if out.exists():
        raise TrainingError(f"The file {out} exists already; give another name with --out.")
    if out.suffix != ".safetensors":
        raise TrainingError(f"The model file is called {out.name}; it must end in .safetensors.")
    if any(path.exists() and not path.is_dir() for path in out.parents):
        raise TrainingError(f"The file {out} cannot be made: a part of its path is a file.")
    from napari_unit.models.file import load_model, save_model
    from napari_unit_training.calibration import model_statistics
    from napari_unit_training.precision import choose_device
    from napari_unit_training.quality.crops import open_domain

    choice = _choice(entry.card, args)
    device = choose_device(args.device)
    loaded = load_model(entry.path)
    domains = (
        open_domain(loaded.card, 0, args.a, choice.crop_px, args.axes_a),
        open_domain(loaded.card, 1, args.b, choice.crop_px, args.axes_b),
    )
    for note in (*domains[0].notes, *domains[1].notes):
        print(note)
    images = (domains[0].images, domains[1].images)
    statistics = model_statistics(loaded.model.to(device), images, choice)
    data = {letter: d.description for letter, d in zip("ab", domains, strict=True)}
    made_of = {"crops": asdict(choice), "data": data}
    card = replace(loaded.card, training={**loaded.card.training, "statistics": made_of})
    out.parent.mkdir(parents=True, exist_ok=True)
    save_model(out, loaded.model, card, weights_dtype=loaded.weights_dtype, statistics=statistics)
    print(f"{out}: the same weights, with statistics of {choice.count} crops of each domain.")


def _choice(card: "ModelCard", args: argparse.Namespace) -> "CropChoice":
    """Choose crops as in the training of the model, where its card tells and no option does."""
    from napari_unit_training.calibration import MAX_CROPS, n_crops
    from napari_unit_training.quality.crops import CropChoice

    seed = args.seed
    if seed is None:
        seed = int(card.training.get("settings", {}).get("seed", 0))
    if seed < 0:
        raise TrainingError(f"--seed is {seed}; it must be 0 or more.")
    choice = CropChoice.of(
        card, MAX_CROPS if args.crops is None else args.crops, seed, args.crop_px
    )
    if choice.crop_px % 4:
        raise TrainingError(f"--crop-px is {choice.crop_px}; it must be a multiple of 4.")
    if args.crops is None:
        choice = replace(choice, count=n_crops(card.architecture.width, choice.crop_px))
    return choice
