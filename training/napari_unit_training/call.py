"""Training as a call, the same as on the command line."""

import contextlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari_unit.runs.events import Event, Finished
from napari_unit_training.config_files import merge, read_config, read_preset, settings_from
from napari_unit_training.data.sources import Source, validation_of
from napari_unit_training.errors import TrainingError
from napari_unit_training.launch import follows
from napari_unit_training.loop import rehearse
from napari_unit_training.loop import train as run_training
from napari_unit_training.progress import show
from napari_unit_training.run_folder import RunFolder


def train(
    a: Source,
    b: Source,
    out: str | Path,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | str | Path | None = None,
    images: int | None = None,
    minutes: float | None = None,
    devices: int | None = None,
    val_a: Source | None = None,
    val_b: Source | None = None,
    val_paired: bool = False,
    fit: bool = False,
    dry_run: bool = False,
    progress: bool | Callable[[Event], None] = True,
) -> Path:
    """Train a model between two kinds of images that were never imaged together.

    Parameters
    ----------
    a, b
        Images of the two domains: a folder, a file, a pattern such as ``"plate*/*.tif"``, or
        several of these.
    out
        Folder of the run; a run that is there goes on where it was.
    preset
        Bundled settings: ``"default"``, ``"quick"``, ``"hour"``, ``"overnight"``, ``"paper"``,
        ``"v2"``, ``"master"``, ``"nuclei"``.
    settings
        Over the preset: a mapping nested as in TOML, such as ``{"width": 16, "weights":
        {"content": 10.0}}``, or the path of a TOML file or of a run's ``settings.json``.
    images
        Crops of each domain to see in all.
    minutes
        Time to train, instead of `images`.
    devices
        How many train together, sharing every batch.
    val_a, val_b
        Images of the two domains to measure quality on, and to choose the best model by; None:
        a tenth of `a` and `b` is held out, see ``validation`` in the settings.
    val_paired
        Those images correspond one to one, in the order of their paths.
    fit
        Take a smaller batch or crop where the memory asks for it.
    dry_run
        Look at the images, take a few steps and say what the run would take, by an `Estimated`
        event; write nothing.
    progress
        True prints a line per report, a live one in a terminal; a function is called with each
        event.

    Returns
    -------
    The path of the best model, or of the last where no quality was measured, which
    `napari_unit.translate` takes. After a dry run there is nothing yet.

    Raises
    ------
    napari_unit_training.errors.TrainingError
        If images, settings or folder cannot be used, or the training fails; the message says why.
    """
    if images is not None and minutes is not None:
        raise TrainingError("Give images or minutes, not both: one follows from the other.")
    given = settings if isinstance(settings, Mapping) else {}
    if isinstance(settings, str | Path):
        given = read_config(Path(settings))
    length: dict[str, Any] = {}
    if images is not None:
        length = {"images_total": images, "minutes": 0.0}
    elif minutes is not None:
        length = {"minutes": minutes}
    shared = {} if devices is None else {"devices": devices}
    made = settings_from(merge(read_preset(preset), given, length, shared))
    validation = validation_of(val_a, val_b, paired=val_paired)
    finished: list[Finished] = []
    run_or_rehearse = rehearse if dry_run else run_training
    run = run_or_rehearse(made, a, b, Path(out), validation=validation, fit=fit)
    with contextlib.closing(run) as events:
        told = _remember(events, finished)
        if progress is True:
            show(told, sys.stdout)
        else:
            for event in told:
                if callable(progress):
                    progress(event)
    if not finished and (dry_run or follows()):
        return RunFolder(Path(out)).model_path
    if not finished:
        raise TrainingError(f"The run in {out} was stopped; the same call goes on with it.")
    return finished[0].model_path


def _remember(events: Any, finished: list[Finished]) -> Any:
    for event in events:
        if isinstance(event, Finished):
            finished.append(event)
        yield event
