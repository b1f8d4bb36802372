"""The command ``napari-unit``. Every import that takes time waits until its command is given."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unit.terminal import print_anything

if TYPE_CHECKING:
    from napari_unit.models.card import ModelCard

_REFUSED = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; None takes the process's.

    Returns
    -------
    Exit status: 0 done, 2 refused with a sentence on stderr, 130 interrupted.
    """
    print_anything()
    given = list(sys.argv[1:] if argv is None else argv)
    args = _parser(given).parse_args(given)
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = _show_warning
        try:
            status: int = args.run(args)
        except (ValueError, OSError, MemoryError, FloatingPointError) as error:
            print(f"napari-unit {args.command}: {error}", file=sys.stderr)
            return _REFUSED
        except KeyboardInterrupt:
            print(f"napari-unit {args.command}: interrupted.", file=sys.stderr)
            return _INTERRUPTED
    return status


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"napari-unit: {message}", file=sys.stderr)


class _Version(argparse.Action):
    """Prints the version, which takes an import of its own."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from importlib.metadata import version

        print(f"napari-unit {version('napari-unit')}")
        parser.exit()


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-unit",
        description="Translate images between two domains without paired examples (UNIT).",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands.add_parser("demo", help="simulate a field of nuclei and translate it"))
    _add_translate(commands.add_parser("translate", help="translate an image file"))
    train = commands.add_parser("train", help="train a model on two folders of images")
    if given[:1] == ["train"]:
        from napari_unit_training.command import add_arguments, run

        add_arguments(train)
        train.set_defaults(run=run)
    evaluate = commands.add_parser("evaluate", help="measure how good a model is")
    if given[:1] == ["evaluate"]:
        from napari_unit_training import evaluate as evaluation

        evaluation.add_arguments(evaluate)
        evaluate.set_defaults(run=evaluation.run)
    calibrate = commands.add_parser("calibrate", help="add statistics of its training to a model")
    if given[:1] == ["calibrate"]:
        from napari_unit_training import calibrate as calibration

        calibration.add_arguments(calibrate)
        calibrate.set_defaults(run=calibration.run)
    _add_models(commands.add_parser("models", help="list the models there are, or show one"))
    _add_devices(commands.add_parser("devices", help="list what translations can run on"))
    return parser


def _tile(text: str) -> int | str:
    """Read a tile's side; a number that is out of bounds is refused later, with the bounds."""
    return text if text == "auto" or not text.lstrip("-").isdecimal() else int(text)


def _part(text: str) -> dict[str, tuple[int, int]]:
    """Read ranges along axes."""
    found = {}
    for one in text.split(","):
        letter, _, ends = one.strip().partition("=")
        start, _, stop = ends.partition(":")
        if not (start.strip().isdecimal() and stop.strip().isdecimal()):
            raise argparse.ArgumentTypeError(
                f"{one.strip()!r} is no range along an axis; write it as Y=1000:1512"
            )
        found[letter.strip().upper()] = int(start), int(stop)
    return found


def _channels(text: str) -> tuple[int, ...]:
    """Read numbers of channels."""
    numbers = [one.strip() for one in text.split(",")]
    if not all(map(str.isdecimal, numbers)):
        raise argparse.ArgumentTypeError(f"{text!r} are no numbers of channels; write them as 2,0")
    return tuple(map(int, numbers))


def _add_translate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("image", metavar="IN", help="TIFF, PNG, JPEG, OME-Zarr, zarr, npy or npz")
    add("out", metavar="OUT",
        help="OME-TIFF (.ome.tif, .tif) or OME-Zarr (.ome.zarr, .zarr) to write; an existing one "
        "is refused, and one that was interrupted is gone on with")  # fmt: skip
    add("--model", metavar="NAME", help="name of a model or path of a model file")
    add("--to", metavar="DOMAIN", help="domain to translate to")
    add("--axes", metavar="LETTERS", help="axes of the image, where it does not name them: ZYX")
    add("--statistics", default="image", choices=("image", "whole", "model", "local", "tile"),
        help="normalise by a sample of the image (image), exactly as in one piece (whole), by "
        "what the model was trained on (model), by the surroundings (local), each tile alone "
        "(tile)")  # fmt: skip
    add("--tile", default="auto", type=_tile, metavar="PX", help="side of a tile, or auto")
    add("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps")
    add("--dtype", default="float32", choices=("float32", "same", "uint8", "uint16"),
        help="of the pixels written; same: as the image")  # fmt: skip
    add("--seed", type=int, metavar="N", help="of the sample of the image")
    add("--memory", metavar="SIZE", help="what the networks' maps may take (2 GB)")
    add("--calibration", metavar="FILE", help="of an earlier translation; nothing is measured")
    add("--cluster", metavar="WHERE", help="address of a dask scheduler, or local")
    add("--precision", default="float32", choices=("float32", "bfloat16"),
        help="of the tiles; bfloat16 is faster on some hardware, and less exact")  # fmt: skip
    add("--part", type=_part, metavar="RANGES",
        help="what to translate, along axes: Y=1000:1512,X=0:512,Z=3:4")  # fmt: skip
    add("--channels", type=_channels, metavar="NUMBERS",
        help="channels of the image, from 0, in the order of the model's: 2,0")  # fmt: skip
    add("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=_translate)


def _translate(args: argparse.Namespace) -> int:
    from napari_unit.images.files import open_path
    from napari_unit.images.work_folder import WorkFolder
    from napari_unit.job import translation_job
    from napari_unit.progress import carry_out, foreground
    from napari_unit.provenance import summary_of
    from napari_unit.request import TranslationRequest

    request = TranslationRequest(
        model=args.model,
        to=args.to,
        statistics=args.statistics,
        tile=args.tile,
        device=args.device,
        dtype=args.dtype,
        out=args.out,
        seed=args.seed,
        memory=args.memory,
        calibration=args.calibration,
        cluster=args.cluster,
        precision=args.precision,
        part=args.part,
        channels=args.channels,
    )
    image = open_path(args.image, args.axes)
    try:
        result = carry_out(translation_job(image, request), not args.quiet and foreground())
    except KeyboardInterrupt:
        folder = WorkFolder.beside(Path(args.out)).path
        kept = (
            f" What is finished is in {folder}; the same command goes on."
            if folder.is_dir()
            else ""
        )
        print(f"napari-unit translate: interrupted.{kept}", file=sys.stderr)
        return _INTERRUPTED
    if not args.quiet:
        print(summary_of(result))
        print(result.path)
    return 0


def _add_demo(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--size", default=4096, type=int, metavar="PX", help="side of the field (4096)")
    add("--out", metavar="DIR", help="folder to write to (a new napari-unit-demo here)")
    add("--seed", default=0, type=int, metavar="N", help="of the simulation (0)")
    add("--model", default="nuclei", metavar="NAME", help="model from synthetic images (nuclei)")
    add("--tile", default="auto", type=_tile, metavar="PX", help="side of a tile, or auto")
    add("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps")
    add("--no-viewer", action="store_true", help="do not open napari at the end")
    parser.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> int:
    from napari_unit.demo import DemoSettings, run_demo

    run_demo(
        DemoSettings(
            size_px=args.size,
            out=args.out,
            seed=args.seed,
            model=args.model,
            tile=args.tile,
            device=args.device,
            viewer=not args.no_viewer,
        )
    )
    return 0


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="model to show, by name or path")
    parser.set_defaults(run=_models)


def _models(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from napari_unit.models.card import has_statistics
    from napari_unit.models.zoo import find_model, list_models, user_folder

    console = Console()
    if args.name is not None:
        entry = find_model(args.name)
        _show_card(entry.card, has_statistics(entry.path), Console(soft_wrap=True))
        return 0
    entries = list_models()
    if not entries:
        console.print(f"There is no model; own models are looked for in {user_folder()}.")
        return 0
    table = Table("Model", "Domains", "Channels", "Origin", "Path", box=None, pad_edge=False)
    for entry in entries:
        domains = entry.card.domains
        table.add_row(
            escape(entry.name),
            escape(" ↔ ".join(domain.name for domain in domains)),
            " ↔ ".join(str(domain.n_channels) for domain in domains),
            entry.origin,
            escape(str(entry.path)),
        )
    table.columns[-1].overflow = "fold"
    console.print(table)
    console.print(f"Own models are looked for in {user_folder()}.", highlight=False, markup=False)
    return 0


def _add_devices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_devices)


def _devices(args: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    from napari_unit.engine.devices import describe_devices

    devices = describe_devices()
    if args.json:
        print(json.dumps([asdict(device) for device in devices]))
        return 0
    for device in devices:
        free = "" if device.free_bytes is None else f", {device.free_bytes / 1e9:.1f} GB free"
        print(f"{device.name}: {device.description}{free}")
    return 0


def _show_card(card: "ModelCard", with_statistics: bool, console: Any) -> None:
    import json

    console.print(card.name, style="bold", highlight=False, markup=False)
    console.print(card.description, highlight=False, markup=False)
    for what, said in (("author", card.author), ("license", card.license)):
        if said:
            console.print(f"  {what}: {said}", highlight=False, markup=False)
    for domain in card.domains:
        window = domain.typical_window
        console.print(
            f"  {domain.name}: {', '.join(domain.channels)}; intensities by "
            f"{domain.scaling.kind} {domain.scaling.low:g} to {domain.scaling.high:g}, typically "
            f"{min(window.low):g} to {max(window.high):g}",
            highlight=False,
            markup=False,
        )
    size = card.architecture
    console.print(
        f"  networks: width {size.width}, {size.n_residual} residual blocks, "
        f"{size.n_shared} of them shared",
        highlight=False,
    )
    stored = "with" if with_statistics else "without"
    console.print(f"  {stored} statistics of training crops", highlight=False)
    console.print(f"  written by napari-unit {card.version}; trained by:", highlight=False)
    console.print_json(json.dumps(dict(card.training)))


if __name__ == "__main__":
    raise SystemExit(main())
