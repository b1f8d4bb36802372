"""The command ``napari-unit translate``."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a translation to a parser; `run` takes what it parses."""
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
    add("--tile", default="auto", type=tile_side, metavar="PX", help="side of a tile, or auto")
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


def run(args: argparse.Namespace) -> int:
    """Translate; return the exit status 0."""
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
        if not folder.is_dir():
            raise
        kept = f"What is finished is in {folder}; the same command goes on."
        raise KeyboardInterrupt(kept) from None
    if not args.quiet:
        print(summary_of(result))
        print(result.path)
    return 0


def tile_side(text: str) -> int | str:
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
