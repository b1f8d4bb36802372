"""A training from its images to its model: a generator of plain values."""

import contextlib
from collections.abc import Generator
from pathlib import Path

import torch

from napari_unit_training.config import TrainSettings
from napari_unit_training.data.loading import DomainImages, load_domain
from napari_unit_training.data.sources import Source, told
from napari_unit_training.errors import TrainingError
from napari_unit_training.events import Event, Reading
from napari_unit_training.precision import choose_device, flushed_denormals
from napari_unit_training.run import Run
from napari_unit_training.run_folder import RunFolder
from napari_unit_training.session import Session
from napari_unit_training.state import load_latest


def train(
    settings: TrainSettings, source_a: Source, source_b: Source, out: Path
) -> Generator[Event, None, None]:
    """Train a model, or go on with the run that is in `out`.

    Closing the generator, or Ctrl-C, saves a checkpoint after the step at work; the same call
    then goes on, on a CPU to the same bits as without the break.

    Parameters
    ----------
    settings
        Of the run; when it goes on they must be the same, but for device and cadence.
    source_a, source_b
        Training images of the two domains, unpaired; see `find_images`.
    out
        Folder of the run, made if missing.

    Yields
    ------
    Events, each also a line of ``events.jsonl`` in `out`.

    Raises
    ------
    TrainingError
        If images, settings or folder cannot be used, or the training diverges.
    """
    device = choose_device(settings.device)
    folder = RunFolder(out)
    folder.check(settings)
    yield Reading(told(source_a), told(source_b))
    data = _load(settings, source_a, source_b, device)
    folder.claim(settings, (data[0].fingerprint, data[1].fingerprint))
    with flushed_denormals():
        session = Session(settings, (data[0].domain, data[1].domain), device)
    folder.tidy()
    run = Run(session, data, folder)
    state = load_latest(folder.checkpoints, device)
    if state is not None:
        run.load_state(state)
    folder.rewind(session.images_seen)
    # closed here and not by the garbage collector, which would swallow a failing last checkpoint
    with contextlib.closing(run.events()) as events:
        yield from events


def _load(
    settings: TrainSettings, source_a: Source, source_b: Source, device: torch.device
) -> tuple[DomainImages, DomainImages]:
    a, b = (
        load_domain(
            source, domain, settings.crop_px, skip_bad=settings.skip_bad_images, device=device
        )
        for source, domain in ((source_a, settings.domain_a), (source_b, settings.domain_b))
    )
    if a.domain.name == b.domain.name:
        raise TrainingError(
            f"Both domains are called {a.domain.name!r}; name them apart with --name-a and "
            "--name-b, or domain_a.name and domain_b.name."
        )
    return a, b
