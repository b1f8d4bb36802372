"""The command ``napari-unit demo``."""

import argparse

from napari_unit.commands.translate import tile_side


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the demo to a parser; `run` takes what it parses."""
    add = parser.add_argument
    add("--size", default=4096, type=int, metavar="PX", help="side of the field (4096)")
    add("--out", metavar="DIR", help="folder to write to (a new napari-unit-demo here)")
    add("--seed", default=0, type=int, metavar="N", help="of the simulation (0)")
    add("--model", default="nuclei", metavar="NAME", help="model from synthetic images (nuclei)")
    add("--tile", default="auto", type=tile_side, metavar="PX", help="side of a tile, or auto")
    add("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps")
    add("--no-viewer", action="store_true", help="do not open napari at the end")


def run(args: argparse.Namespace) -> int:
    """Simulate a field, translate and show it; return the exit status 0."""
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
