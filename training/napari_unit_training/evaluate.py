"""The command ``napari-unit evaluate``, which measures how good a model is."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_unit_training.errors import TrainingError

if TYPE_CHECKING:
    from napari_unit_training.quality.measures import DirectionQuality

N_SHOWN = 6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of an evaluation to a parser; `run` takes what it parses."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="name of a model or path of a model file")
    for side, which in (("a", "first"), ("b", "second")):
        add(f"--{side}", nargs="+", required=True, metavar="SOURCE",
            help=f"images of the {which} domain that the model was not trained on")  # fmt: skip
    for side, which in (("a", "first"), ("b", "second")):
        add(f"--axes-{side}", default="", metavar="LETTERS",
            help=f"axes of the {which} domain's images, where files do not say: CYX")  # fmt: skip
    add("--crops", type=int, default=200, metavar="N", help="of each domain (200)")
    add("--crop-px", type=int, metavar="PX", help="their side (as in the training, else 256)")
    add("--seed", type=int, default=0, metavar="N", help="of the crops")
    add("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps")
    add("--paired", action="store_true",
        help="images correspond in order by name: compare pixels as well")  # fmt: skip
    add("--inception", type=Path, metavar="FILE",
        help="weights of the Inception network: FID and KID as well")  # fmt: skip
    add("--json", type=Path, metavar="FILE", help="file to write what was measured to")
    add("--picture", type=Path, metavar="PNG", help="picture of a few crops to write")


def run(args: argparse.Namespace) -> int:
    """Print a table of the model's quality; return the exit status: 0, or 1 with a sentence."""
    try:
        _evaluate(args)
    except (TrainingError, ValueError, OSError) as error:
        print(f"napari-unit evaluate: {error}", file=sys.stderr)
        return 1
    return 0


def _evaluate(args: argparse.Namespace) -> None:
    for what, path in (("picture", args.picture), ("file", args.json)):
        if path is not None and path.exists():
            raise TrainingError(f"The {what} {path} exists already; give another name.")
        if path is not None and any(p.exists() and not p.is_dir() for p in path.parents):
            raise TrainingError(f"The {what} {path} cannot be made: a part of its path is a file.")
    if args.seed < 0:
        raise TrainingError(f"--seed is {args.seed}; it must be 0 or more.")
    from napari_unit.models.file import load_model
    from napari_unit.models.zoo import find_model
    from napari_unit_training.precision import choose_device
    from napari_unit_training.preview import translations, write_preview
    from napari_unit_training.quality.crops import CropChoice, draw_crops, open_domain
    from napari_unit_training.quality.inception import load_inception
    from napari_unit_training.quality.measures import measure_quality
    from napari_unit_training.quality.report import write_report

    loaded = load_model(find_model(args.model).path)
    choice = CropChoice.of(loaded.card, args.crops, args.seed, args.crop_px)
    device = choose_device(args.device)
    model = loaded.model.to(device)
    inception = None if args.inception is None else load_inception(args.inception).to(device)
    domains = (
        open_domain(loaded.card, 0, args.a, choice.crop_px, args.axes_a),
        open_domain(loaded.card, 1, args.b, choice.crop_px, args.axes_b),
    )
    for note in (*domains[0].notes, *domains[1].notes):
        print(note)
    crops = draw_crops((domains[0].images, domains[1].images), choice, device, paired=args.paired)
    found = measure_quality(model, crops, paired=args.paired, inception=inception)
    if args.paired:
        first, second = (domain.images[0].path.name for domain in domains)
        print(f"Pairs: {len(domains[0].images)}, in order by name; the first is {first}, {second}.")
    _print_table(found, choice.count)
    if args.picture is not None:
        shown = (crops[0][:N_SHOWN], crops[1][:N_SHOWN])
        write_preview(args.picture, translations(model, shown))
        print(f"Picture: {args.picture}")
    if args.json is not None:
        write_report(args.json, loaded.card, choice, found)
        print(f"Measured values: {args.json}")


def _print_table(found: "tuple[DirectionQuality, DirectionQuality]", n_crops: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from napari_unit_training.quality.report import remarks, table_rows

    table = Table("", *(f"{q.source} → {q.target}" for q in found), box=None, pad_edge=False)
    for name, cells in table_rows(found).items():
        table.add_row(name, *cells)
    console = Console(highlight=False)
    console.print(table)
    for remark in remarks(found, n_crops):
        console.print(remark)
