"""The command ``napari-unit train``."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from napari_unit.runs.files import RunFiles
from napari_unit.runs.sources import RunSources
from napari_unit_training.config import TrainSettings
from napari_unit_training.config_files import (
    merge,
    preset_names,
    read_config,
    read_preset,
    settings_from,
)
from napari_unit_training.errors import TrainingError

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training to a parser; `run` takes what it parses."""
    add = parser.add_argument
    for side, which in (("a", "first"), ("b", "second")):
        add(f"--{side}", nargs="+", metavar="SOURCE",
            help=f"images of the {which} domain: folders, files, patterns; without any, the run "
            "that is in --out goes on")  # fmt: skip
    for side, which in (("a", "first"), ("b", "second")):
        add(f"--val-{side}", nargs="+", metavar="SOURCE",
            help=f"images of the {which} domain to measure on (a tenth is held out)")  # fmt: skip
    add("--val-paired", action="store_true", help="those correspond one to one, in order by name")
    add("--out", type=Path, metavar="RUN",
        help="folder of the run; a run that is there goes on")  # fmt: skip
    add("--preset", metavar="NAME", help=f"bundled settings: {', '.join(preset_names())}")
    add("--config", type=Path, metavar="FILE",
        help="settings from a .toml file or a run's settings.json, over the preset")  # fmt: skip
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--images", type=int, metavar="N",
        help="crops of each domain to see, in all")  # fmt: skip
    length.add_argument("--minutes", type=float, metavar="N", help="time to train, instead")
    add("--seed", type=int, metavar="N", help="of everything random")
    add("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1, mps")
    add("--devices", type=int, metavar="N", help="how many train together, sharing every batch")
    for side, which in (("a", "first"), ("b", "second")):
        add(f"--name-{side}", metavar="NAME", help=f"name of the {which} domain")
        add(f"--scaling-{side}", metavar="SCALING",
            help=f"intensities of the {which} domain: percentiles:LOW,HIGH, "
            "range:LOW,HIGH or auto")  # fmt: skip
        add(f"--axes-{side}", metavar="LETTERS",
            help=f"axes of the {which} domain's images, where files do not say: CYX")  # fmt: skip
    add("--fit", action="store_true",
        help="take a smaller batch or crop where the device has too little memory")  # fmt: skip
    add("--dry-run", action="store_true",
        help="say what the run would take, measured in a few steps; write nothing")  # fmt: skip
    add("--inspect", action="store_true",
        help="say as lines of JSON what the images are taken for, by a look at a few; write "
        "nothing")  # fmt: skip
    add("--skip-bad-images", action="store_const", const=True,
        help="leave out images that cannot be used, instead of refusing them all")  # fmt: skip


def settings_of(args: argparse.Namespace) -> TrainSettings:
    """Lay the options over the settings file over the preset over the defaults.

    Raises
    ------
    TrainingError
        If a setting is unknown or out of bounds.
    """
    flags: dict[str, Any] = {
        "images_total": args.images,
        "minutes": 0.0 if args.images is not None else args.minutes,
        "seed": args.seed,
        "device": args.device,
        "devices": args.devices,
        "skip_bad_images": args.skip_bad_images,
        "domain_a": {"name": args.name_a, "scaling": args.scaling_a, "axes": args.axes_a},
        "domain_b": {"name": args.name_b, "scaling": args.scaling_b, "axes": args.axes_b},
    }
    preset = read_preset(args.preset) if args.preset is not None else {}
    config = read_config(args.config) if args.config is not None else {}
    if _goes_on(args) and args.preset is None and args.config is None:
        config = read_config(RunFiles(args.out).settings_path)
    return settings_from(merge(preset, config, _given(flags)))


def sources_of(args: argparse.Namespace) -> RunSources:
    """Return the images that were given; or those of the run that is in the folder, if none were.

    Raises
    ------
    TrainingError
        If there are none, or only those of one side.
    """
    if args.out is None and not args.inspect:
        raise TrainingError("There is no folder for the run; give one with --out.")
    if args.a is None and args.b is None and args.out is not None:
        try:
            return RunSources.read(RunFiles(args.out).sources_path)
        except ValueError as error:
            raise TrainingError(str(error)) from error
    if args.a is None or args.b is None:
        raise TrainingError("A training needs images of two domains; give both --a and --b.")
    given = (tuple(parts or ()) for parts in (args.a, args.b, args.val_a, args.val_b))
    return RunSources(*given, val_paired=args.val_paired)


def run(args: argparse.Namespace) -> int:
    """Train, with a line of progress; return the exit status.

    0: finished; 1: something must be changed first, said on stderr; 130: interrupted.
    """
    from napari_unit_training.data.sources import validation_of

    try:
        sources = sources_of(args)
        settings = settings_of(args)
        if args.inspect:
            return _inspect(settings, sources)
        given = (sources.val_a or None, sources.val_b or None)
        validation = validation_of(*given, paired=sources.val_paired)
    except TrainingError as error:
        return _fail(error)
    # torch takes seconds to import: a wrong option need not wait for it
    from napari_unit_training.loop import rehearse, train
    from napari_unit_training.progress import show

    run_or_rehearse = rehearse if args.dry_run else train
    job = run_or_rehearse(
        settings, sources.a, sources.b, args.out, validation=validation, fit=args.fit
    )
    try:
        with contextlib.closing(job) as events:
            show(events, sys.stdout)
    except (TrainingError, OSError) as error:
        return _fail(error)
    except KeyboardInterrupt:
        print(f"Interrupted; the same command goes on with the run in {args.out}.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _goes_on(args: argparse.Namespace) -> bool:
    """Tell whether nothing but the folder of a run was given, which has settings of its own."""
    return args.a is None and args.out is not None and RunFiles(args.out).settings_path.is_file()


def _inspect(settings: TrainSettings, sources: RunSources) -> int:
    from napari_unit_training.data.inspecting import inspect_sources

    for found in inspect_sources(settings, sources.a, sources.b):
        print(found.to_json(), flush=True)
    return 0


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    """Leave out the options that were not given, in nested tables too."""
    return {
        key: _given(value) if isinstance(value, dict) else value
        for key, value in flags.items()
        if value is not None
    }


def _fail(error: Exception) -> int:
    print(f"napari-unit train: {error}", file=sys.stderr)
    return 1
