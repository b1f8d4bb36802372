"""The command ``napari-unit adapt``."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_unit.pace import duration_in_words
from napari_unit_training.adapting.settings import METHODS, AdaptationSettings
from napari_unit_training.config_files import merge, read_config, table_from
from napari_unit_training.errors import TrainingError

if TYPE_CHECKING:
    from napari_unit_training.adapting.run import AdaptationEvent

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of an adaptation to a parser; `run` takes what it parses."""
    add = parser.add_argument
    add("--source", type=Path, required=True, metavar="FILE",
        help="labelled images: .npz, SVHN's .mat, or a folder with a folder per class")  # fmt: skip
    add("--target", type=Path, required=True, metavar="FILE",
        help="images of the other domain; their labels are not learned from")  # fmt: skip
    add("--test", type=Path, metavar="FILE",
        help="target images to classify at the end (the test part of --target)")  # fmt: skip
    add("--out", type=Path, required=True, metavar="RUN",
        help="folder of the run; a run that is there goes on")  # fmt: skip
    add("--method", choices=METHODS, help="unit, or what to compare it with")
    add("--config", type=Path, metavar="FILE", help="settings from a .toml file")
    add("--steps", type=int, metavar="N", help="in all")
    add("--side-px", type=int, metavar="PX", help="images are made so large: 16, 32 or 64")
    add("--width", type=int, metavar="N", help="of generators and discriminators")
    add("--inverted-target", action="store_const", const=True,
        help="add the negatives of the target's images")  # fmt: skip
    add("--seed", type=int, metavar="N", help="of everything random")
    add("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps")


def settings_of(args: argparse.Namespace) -> AdaptationSettings:
    """Lay the options over the settings file over the defaults.

    Raises
    ------
    TrainingError
        If a setting is unknown or out of bounds.
    """
    flags: dict[str, Any] = {
        "method": args.method,
        "steps": args.steps,
        "side_px": args.side_px,
        "width": args.width,
        "discriminator_width": args.width,
        "inverted_target": args.inverted_target,
        "seed": args.seed,
        "device": args.device,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    config = read_config(args.config) if args.config is not None else {}
    return table_from(AdaptationSettings, merge(config, given))


def run(args: argparse.Namespace) -> int:
    """Adapt, with a line per report; return the exit status.

    0: finished; 1: something must be changed first, said on stderr; 130: interrupted.
    """
    try:
        settings = settings_of(args)
        from napari_unit_training.adapting.run import adapt

        job = adapt(settings, args.source, args.target, args.out, test=args.test)
        with contextlib.closing(job) as events:
            for event in events:
                print(_in_words(event), flush=True)
    except (TrainingError, OSError) as error:
        print(f"napari-unit adapt: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"Interrupted; the same command goes on with the run in {args.out}.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _in_words(event: "AdaptationEvent") -> str:
    from napari_unit_training.adapting.run import AdaptationProgress, AdaptationStarted

    if isinstance(event, AdaptationStarted):
        source, target, test = event.n_images
        told = (
            f"{source} source images, {target} target images, {test} to test with, "
            f"{len(event.classes)} classes; step {event.steps_done} of {event.steps_total}, on "
            f"{event.device}."
        )
        if event.tests_training_images:
            told += " It is tested with the target images that it trains on, without their labels."
        if event.unknown_classes:
            unknown = ", ".join(event.unknown_classes)
            told += f" The labels have no {unknown}: such test images never count as right."
        return told
    if isinstance(event, AdaptationProgress):
        losses = ", ".join(f"{name} {value:.3g}" for name, value in event.losses.items())
        left = duration_in_words(event.seconds_left)
        return f"{event.steps_done} of {event.steps_total} steps, {left} left: {losses}"
    right = "their labels are unknown" if event.accuracy is None else f"{event.accuracy:.4f} right"
    return f"The target's test images: {right}. Classifier: {event.path}"
