"""A training from its images to its model: a generator of plain values."""

import contextlib
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import torch

from napari_unit.domains import Domain
from napari_unit.engine.devices import available_bytes
from napari_unit.images.stepwise import in_thread
from napari_unit.runs.control import Control
from napari_unit.runs.events import (
    Estimated,
    Event,
    ImagesRead,
    MemoryEstimated,
    Reading,
    Stopped,
)
from napari_unit.runs.sources import RunSources, absolute
from napari_unit_training.config import TrainSettings
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.data.run_images import load_domains, with_held_out
from napari_unit_training.data.sources import Source, ValidationSources, told
from napari_unit_training.data.validation import fingerprints_of, with_validation
from napari_unit_training.follower import follow
from napari_unit_training.launch import gathered
from napari_unit_training.memory import make_fit
from napari_unit_training.precision import flushed_denormals
from napari_unit_training.reporting import started
from napari_unit_training.run import Run
from napari_unit_training.run_folder import RunFolder
from napari_unit_training.session import Session
from napari_unit_training.state import latest_images_seen, load_latest
from napari_unit_training.team import Team

REHEARSED_STEPS = 2
READING_TOLD_S = 2.0
"""Seconds between two words on how many images are read."""

_Data = tuple[DomainImages, DomainImages]


class _StoppedError(Exception):
    """Ends a run that is told to stop before its first step."""


def train(
    settings: TrainSettings,
    source_a: Source,
    source_b: Source,
    out: Path,
    *,
    validation: ValidationSources | None = None,
    fit: bool = False,
) -> Generator[Event, None, None]:
    """Train a model, or go on with the run that is in `out`.

    Closing the generator, or Ctrl-C, saves a checkpoint after the step at work; the same call
    then goes on, on a CPU to the same bits as without the break.

    Parameters
    ----------
    settings
        Of the run; when it goes on they must be the same, but for device, devices and cadence.
    source_a, source_b
        Training images of the two domains, unpaired; see `find_images`.
    out
        Folder of the run, made if missing.
    validation
        Images to measure quality on; None: as `settings.validation` says, some are held out.
    fit
        Take a smaller batch or crop where the device has too little memory.

    Yields
    ------
    Events; from `Started` on each is also a line of ``events.jsonl`` in `out`.

    Raises
    ------
    TrainingError
        If images, settings or folder cannot be used, or the training diverges.
    """
    folder = RunFolder(out)
    goes_on = folder.settings_path.is_file()
    if fit:
        settings = folder.fitted(settings)
    folder.check(settings)
    with (
        contextlib.suppress(_StoppedError),
        gathered(settings.devices, settings.device) as (team, device),
    ):
        if not team.leads:
            follow(team, device)
            return
        settings = replace(settings, devices=team.n_processes)
        with contextlib.ExitStack() as held:
            is_new = not folder.path.exists()
            if not is_new:
                held.enter_context(folder.locked())
            control = Control(folder.control)
            control.forget_old()
            yield Reading(told(source_a), told(source_b))
            sources = (source_a, source_b, validation)
            try:
                data = yield from _load(settings, sources, device, team, control)
            except _StoppedError:
                control.obeyed("stop")
                stopped = Stopped(latest_images_seen(folder.checkpoints))
                if not is_new:
                    folder.log(stopped)
                yield stopped
                raise
            if not goes_on:
                settings, estimated = _fitted(settings, data, device, team, fit=fit)
                yield estimated
            if is_new:  # what is refused until here leaves no folder
                held.enter_context(folder.locked())
            paired = validation is not None and validation.paired
            prints = fingerprints_of(data, paired=paired)
            folder.claim(settings, prints, _remembered(source_a, source_b, validation))
            session, data = _begin(settings, data, device, team, validation is None)
            folder.tidy()
            run = Run(session, data, folder, paired=paired)
            state = load_latest(folder.checkpoints, device)
            if state is not None:
                run.load_state(state)
            folder.rewind(session.images_seen, best_at=run.best_at)
            # closed here and not by the garbage collector, which would swallow a failing checkpoint
            yield from held.enter_context(contextlib.closing(run.events()))


def rehearse(
    settings: TrainSettings,
    source_a: Source,
    source_b: Source,
    out: Path,
    *,
    validation: ValidationSources | None = None,
    fit: bool = False,
) -> Generator[Event, None, None]:
    """Do all that comes before a training and a few steps of it, and write nothing.

    Parameters
    ----------
    settings, source_a, source_b, out, validation, fit
        As for `train`.

    Yields
    ------
    What would be read and started, and an `Estimated`.

    Raises
    ------
    TrainingError
        As `train`.
    """
    folder = RunFolder(out)
    if fit:
        settings = folder.fitted(settings)
    folder.check(settings)
    with gathered(settings.devices, settings.device) as (team, device):
        if not team.leads:
            follow(team, device)
            return
        settings = replace(settings, devices=team.n_processes)
        yield Reading(told(source_a), told(source_b))
        sources = (source_a, source_b, validation)
        data = yield from _load(settings, sources, device, team)
        settings, estimated = _fitted(settings, data, device, team, fit=fit)
        n_images = max(settings.images_total, (REHEARSED_STEPS + 1) * settings.batch_size)
        settings_of_steps = replace(settings, images_total=n_images)
        session, data = _begin(settings_of_steps, data, device, team, validation is None)
        yield started(session, data)
        speed = _speed(session, data)
    if settings.minutes:
        seconds = settings.minutes * 60
        n_images = int(seconds * speed)
    else:
        n_images = settings.images_total
        seconds = n_images / speed
    yield Estimated(
        n_images,
        speed,
        seconds,
        estimated.memory_bytes,
        estimated.available_bytes,
        settings.to_mapping(),
    )


def _speed(session: Session, data: _Data) -> float:
    """Return the images per second of a few steps."""
    with flushed_denormals():
        session.step(data)  # memory is taken and code compiled in the first
        began_s, before = time.monotonic(), session.images_seen
        for _ in range(REHEARSED_STEPS):
            losses = session.step(data)
        float(losses["kl_a"])  # until here the device may have been at work
    return (session.images_seen - before) / max(time.monotonic() - began_s, 1e-9)


def _load(
    settings: TrainSettings,
    sources: tuple[Source, Source, ValidationSources | None],
    device: torch.device,
    team: Team,
    control: Control | None = None,
) -> Generator[Event, None, _Data]:
    """Load the images, in all processes at the same time; to measure on, in the leader alone.

    Raises
    ------
    _StoppedError
        If `control` asks for it between two images.
    """
    source_a, source_b, validation = sources
    plain = {"a": _plain(source_a), "b": _plain(source_b)}
    team.send({"settings": settings.to_mapping(), **plain})
    loaded: list[_Data] = []

    def load(tell: Callable[[], None]) -> None:
        n = team.n_sharing
        data = load_domains(settings, source_a, source_b, device, n, tell=tell)
        if validation is not None:
            data = with_validation(data, validation, settings, device, n, tell)
        loaded.append(data)

    told_s = time.monotonic()
    for n_images in (steps := in_thread(load)):
        if control is not None and control.asks_for("stop"):
            steps.close()
            raise _StoppedError
        if time.monotonic() - told_s >= READING_TOLD_S:
            told_s = time.monotonic()
            yield ImagesRead(n_images)
    team.agree()
    return loaded[0]


def _fitted(
    settings: TrainSettings, data: _Data, device: torch.device, team: Team, *, fit: bool
) -> tuple[TrainSettings, MemoryEstimated]:
    with flushed_denormals():  # before anything starts torch's threads, which inherit it
        settings, n_bytes = make_fit(settings, _domains(data), device, team.n_sharing, fit=fit)
    free = available_bytes(device)
    return settings, MemoryEstimated(n_bytes, free, settings.batch_size, settings.crop_px)


def _begin(
    settings: TrainSettings, data: _Data, device: torch.device, team: Team, may_hold_out: bool
) -> tuple[Session, _Data]:
    """Build the networks, in all processes; return what is learned from and what is not."""
    fingerprints = [domain.fingerprint for domain in data]
    team.send(
        {
            "settings": settings.to_mapping(),
            "fingerprints": fingerprints,
            "may_hold_out": may_hold_out,
        }
    )
    team.agree()
    if may_hold_out:
        data = with_held_out(data, settings)
    with flushed_denormals():
        return Session(settings, _domains(data), device, team), data


def _domains(data: _Data) -> tuple[Domain, Domain]:
    return data[0].domain, data[1].domain


def _remembered(a: Source, b: Source, validation: ValidationSources | None) -> RunSources:
    """Return the sources as the folder of the run keeps them."""
    if validation is None:
        return RunSources(absolute(a), absolute(b))
    given = (absolute(source) for source in (a, b, validation.a, validation.b))
    return RunSources(*given, val_paired=validation.paired)


def _plain(source: Source) -> list[str]:
    return [str(source)] if isinstance(source, str | Path) else [str(part) for part in source]
