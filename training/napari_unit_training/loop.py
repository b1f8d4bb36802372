"""The training loop: a generator of plain values."""

import contextlib
import copy
import math
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_unit_training.config import TrainSettings
from napari_unit_training.data.loading import DomainImages, load_domain
from napari_unit_training.data.sampling import sample_crops, seed_of
from napari_unit_training.data.sources import Source, told
from napari_unit_training.errors import TrainingError
from napari_unit_training.events import (
    CheckpointSaved,
    Event,
    Finished,
    PreviewWritten,
    Progress,
    Reading,
    Started,
    WentBack,
)
from napari_unit_training.export import export_model
from napari_unit_training.interruption import interrupt_deferred
from napari_unit_training.precision import bfloat16_pays, choose_device, flushed_denormals
from napari_unit_training.preview import write_augmented, write_preview
from napari_unit_training.run_folder import RunFolder
from napari_unit_training.session import AUGMENTED, PREVIEW_A, PREVIEW_B, Session, seeded
from napari_unit_training.state import forget_after, load_latest, save_checkpoint
from napari_unit_training.watch import Look, Watch, variation

PREVIEW_CROPS = 4


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
    run = _Run(session, data, folder)
    state = load_latest(folder.checkpoints, device)
    if state is not None:
        run.load_state(state)
    # closed here and not by the garbage collector, which would swallow a failing last checkpoint
    with contextlib.closing(run.events()) as events:
        for event in events:
            folder.log(event)
            yield event


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


class _Trouble(Exception):
    """What has gone wrong with the training, as the end of a sentence."""


class _Run:
    """One session on its way to the end."""

    def __init__(
        self, session: Session, data: tuple[DomainImages, DomainImages], folder: RunFolder
    ) -> None:
        self.session = session
        self.data = data
        self.folder = folder
        self.watch = Watch(session.settings.watchdog, session.settings.weights)
        self.beginning = copy.deepcopy(session.state())
        self.fresh_watch = self.watch.state()
        self.saved_at = 0
        self.preview_crops = (self._fixed_crops(0, PREVIEW_A), self._fixed_crops(1, PREVIEW_B))
        self.sums: dict[str, tuple[Tensor | float, int]] = {}
        self._start_clock()

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.session.load_state(state)
        self.watch.load_state(state["watch"])
        self.saved_at = self.session.images_seen
        self._start_clock()

    def _start_clock(self) -> None:
        self.sums = {}
        self.started_at = self.reported_at = time.monotonic()
        self.started_from = self.reported_from = self.session.images_seen

    def events(self) -> Generator[Event, None, None]:
        """Step until all images are seen; report, preview and save on the way."""
        session, total = self.session, self.session.settings.images_total
        yield self._started()
        if session.images_seen == 0:
            yield self._augmented()
        self.started_at = self.reported_at = time.monotonic()
        try:
            while session.images_seen < total:
                with interrupt_deferred():
                    events = self._advance()
                yield from events
        except (GeneratorExit, KeyboardInterrupt):
            if session.images_seen > self.saved_at:
                with contextlib.suppress(_Trouble):  # the last checkpoint is better then
                    self.folder.log(self._save())
            raise
        export_model(self.folder.model_path, session, self.data)
        self.folder.last_model_path.unlink(missing_ok=True)
        yield Finished(session.images_seen, self.folder.model_path)

    def _advance(self) -> list[Event]:
        """Take one step and return what is due after it."""
        session = self.session
        before = session.images_seen
        try:
            with flushed_denormals():
                losses = session.step(self.data)
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"The device {session.device} has too little memory for batches of "
                f"{session.settings.batch_size} crops of {session.settings.crop_px} px; take a "
                "smaller batch_size, crop_px or width, and another --out."
            ) from error
        for name, value in losses.items():
            n = session.images_seen - before
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = (total + value * n, count + n)
        trouble = None
        if self._is_due(before, session.settings.watchdog.every_images):
            trouble = self.watch.take(self._look(losses), session.images_seen)
        events: list[Event] = []
        cadence = session.settings.cadence
        try:
            if trouble:
                raise _Trouble(trouble)
            if self._is_due(before, cadence.log):
                events.append(self._progress())
            if self._is_due(before, cadence.preview):
                events.append(self._preview())
            if self._is_due(before, cadence.checkpoint):
                events.append(self._save())
                export_model(self.folder.last_model_path, session, self.data)
        except _Trouble as error:
            events.append(self._go_back(str(error)))
        return events

    def _look(self, losses: dict[str, Tensor]) -> Look:
        variations = {}
        if self.session.last_batch is not None:
            images, fakes = self.session.last_batch
            for domain, name in zip(self.data, "ab", strict=True):
                made, real = variation(getattr(fakes, name)), variation(getattr(images, name))
                variations[domain.domain.name] = (made, real)
        return Look({name: float(value) for name, value in losses.items()}, variations)

    def _go_back(self, trouble: str) -> WentBack:
        """Go on from the last good state, or from the beginning, with lower learning rates."""
        session, at = self.session, self.session.images_seen
        n_returns, may = session.returns + 1, session.settings.watchdog.max_returns
        state = load_latest(self.folder.checkpoints, session.device, good_only=True)
        kept = (
            "there is no checkpoint yet"
            if state is None
            else f"the checkpoint at {state['images_seen']} images is kept"
        )
        if n_returns > may:
            raise TrainingError(
                f"The training has gone wrong after {at} images ({trouble}) and has gone back "
                f"{may} times; {kept}. Start another run with lower learning rates."
            )
        self.load_state(state or {**self.beginning, "watch": self.fresh_watch})
        session.returns = n_returns
        self.watch.load_state(self.fresh_watch)
        # this state first, then none that is later: a kill in between just finds trouble again
        self._save()
        forget_after(self.folder.checkpoints, session.images_seen)
        return WentBack(at, session.images_seen, trouble, n_returns, may)

    def _is_due(self, before: int, every: int) -> bool:
        now = self.session.images_seen
        return before // every != now // every or now >= self.session.settings.images_total

    def _started(self) -> Started:
        session, (a, b) = self.session, self.data
        wants_half = session.settings.precision == "auto" and bfloat16_pays(session.device)
        return Started(
            session.images_seen,
            session.settings.images_total,
            str(session.device),
            "bfloat16" if wants_half else "float32",
            (a.domain.name, b.domain.name),
            (len(a.images), len(b.images)),
            a.notes + b.notes,
        )

    def _progress(self) -> Progress:
        session, now = self.session, time.monotonic()
        seen, total = session.images_seen, session.settings.images_total
        losses = self._mean_losses()
        since_start = max(now - self.started_at, 1e-9)
        speed = (seen - self.started_from) / since_start
        recent = (seen - self.reported_from) / max(now - self.reported_at, 1e-9)
        self.reported_at, self.reported_from = now, seen
        rate = session.settings.generator_learning_rate * session.learning_rate_factor
        return Progress(seen, total, losses, rate, recent, (total - seen) / speed)

    def _mean_losses(self) -> dict[str, float]:
        """Return the means since the last report and begin anew; the one place that syncs."""
        means = {name: float(total) / count for name, (total, count) in self.sums.items()}
        self.sums = {}
        odd = [name for name, mean in means.items() if not math.isfinite(mean)]
        if odd:
            raise _Trouble(f"not finite: {', '.join(odd)}")
        return means

    def _preview(self) -> PreviewWritten:
        session = self.session
        path = self.folder.previews / f"images-{session.images_seen:010d}.png"
        write_preview(path, session.averaged.model, self.preview_crops)
        return PreviewWritten(session.images_seen, path)

    def _augmented(self) -> PreviewWritten:
        session, path = self.session, self.folder.previews / "augmented.png"
        with seeded(seed_of(session.settings.seed, 0, AUGMENTED), session.device):
            write_augmented(path, session.augmenter, self.preview_crops)
        return PreviewWritten(0, path)

    def _save(self) -> CheckpointSaved:
        if not self.session.is_finite():
            raise _Trouble("not finite: weights")
        state = {**self.session.state(), "watch": self.watch.state()}
        path = save_checkpoint(self.folder.checkpoints, state, is_good=self.watch.is_calm)
        self.saved_at = self.session.images_seen
        return CheckpointSaved(self.saved_at, path)

    def _fixed_crops(self, index: int, stream: int) -> Tensor:
        settings = self.session.settings
        crops = sample_crops(
            self.data[index].images,
            seed=settings.seed,
            images_seen=0,
            stream=stream,
            batch_size=PREVIEW_CROPS,
            crop_px=settings.crop_px,
            min_deviation=settings.min_crop_deviation,
            device=self.session.device,
        )
        return crops.contiguous(memory_format=torch.channels_last)
