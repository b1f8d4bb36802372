"""The loop: one session on its way to the end."""

import contextlib
import copy
import math
import time
from collections.abc import Generator
from typing import Any

import torch
from torch import Tensor

from napari_unit.runs.control import Control
from napari_unit.runs.events import (
    CheckpointSaved,
    Event,
    Finished,
    GaveUp,
    Paused,
    Stopped,
    WentBack,
    WentOn,
)
from napari_unit_training.budget import TimeBudget
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.errors import TrainingError
from napari_unit_training.export import export_model
from napari_unit_training.fixed_crops import FixedCrops
from napari_unit_training.interruption import interrupt_deferred
from napari_unit_training.judge import Judge
from napari_unit_training.precision import flushed_denormals
from napari_unit_training.report.page import write_report
from napari_unit_training.reporting import Reporter, started
from napari_unit_training.run_folder import RunFolder
from napari_unit_training.scalars import TensorBoardLog
from napari_unit_training.session import Session
from napari_unit_training.state import forget_after, load_latest, save_checkpoint
from napari_unit_training.team import Kind, Order
from napari_unit_training.watch import Look, Watch, variation

_POLL_S = 0.2


class _TroubleError(Exception):
    """What has gone wrong with the training, as the end of a sentence."""


class Run:
    """One session on its way to the end.

    Parameters
    ----------
    session
        At its beginning.
    data
        Domain a and b.
    folder
        Where everything is written.
    paired
        The images that are held out correspond one to one.
    """

    def __init__(
        self,
        session: Session,
        data: tuple[DomainImages, DomainImages],
        folder: RunFolder,
        *,
        paired: bool = False,
    ) -> None:
        self.session = session
        self.data = data
        self.folder = folder
        self.control = Control(folder.control)
        self.watch = Watch(session.settings.watchdog, session.settings.weights)
        self.reporter = Reporter(session)
        self.budget = TimeBudget(session.settings.minutes) if session.settings.minutes else None
        self.saved_at = 0
        self.pictures = FixedCrops(session, data, folder)
        can_judge = all(domain.held_out for domain in data)
        self.judge = Judge(session, data, paired=paired) if can_judge else None
        self._beginning = copy.deepcopy(self._state())
        self._scalars: TensorBoardLog | None = None

    def _state(self) -> dict[str, Any]:
        return {
            **self.session.state(),
            "watch": self.watch.state(),
            "reporter": self.reporter.state(),
            "judge": self.judge.state() if self.judge else {},
            "spent_s": self.budget.spent_s if self.budget else 0.0,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.session.load_state(state)
        self.watch.load_state(state["watch"])
        self.reporter.load_state(state["reporter"])
        if self.judge is not None:
            self.judge.load_state(state["judge"])
        if self.budget is not None:
            self.budget = TimeBudget(self.session.settings.minutes, state["spent_s"])
        self.saved_at = self.session.images_seen

    @property
    def best_at(self) -> int:
        """Images seen by the best model; -1 where none was measured."""
        return self.judge.best_at if self.judge is not None else -1

    def events(self) -> Generator[Event, None, None]:
        """Step until all images are seen; report, preview and save on the way."""
        session = self.session
        self._scalars = TensorBoardLog(self.folder.tensorboard, session.images_seen)
        try:
            yield self._told(started(session, self.data))
            if session.images_seen == 0:
                yield self._told(self.pictures.augmented())
            if not self.folder.latest_preview_path.is_file():
                self.pictures.show_first()
            self.reporter.start_clock()
            while session.images_seen < session.images_total:
                with interrupt_deferred():
                    events = self._advance()
                yield from events
                if self.control.asks_for("checkpoint"):
                    yield self._save_as_asked()
                    self.control.obeyed("checkpoint")
                if self.control.asks_for("pause"):
                    yield from self._wait()
                if self.control.asks_for("stop"):
                    if session.images_seen > self.saved_at:
                        yield self._save_as_asked()
                    self.control.obeyed("stop")
                    yield self._ended(Stopped(session.images_seen))
                    return
            export_model(self.folder.last_model_path, session, self.data, with_statistics=True)
            yield self._ended(Finished(session.images_seen, self.folder.model_path))
        except (GeneratorExit, KeyboardInterrupt):
            if self.saved_at < session.images_seen < session.images_total:
                with contextlib.suppress(_TroubleError):  # the last checkpoint is better then
                    self._save()
            raise
        finally:
            self._scalars.close()

    def _told(self, event: Event) -> Event:
        """Log an event at once: what follows may be killed, the next checkpoint first of all."""
        self.folder.log(event)
        if self._scalars is not None:
            self._scalars.take(event)
        return event

    def _ended(self, event: Event) -> Event:
        self._told(event)
        write_report(self.folder)
        return event

    def _wait(self) -> Generator[Event, None, None]:
        began_s = time.monotonic()
        yield self._told(Paused(self.session.images_seen))
        while self.control.asks_for("pause") and not self.control.asks_for("stop"):
            self.session.team.give(Order(Kind.IDLE))  # or those that follow would give up
            time.sleep(_POLL_S)
        self.reporter.start_clock()
        if self.budget is not None:
            self.budget.leave_out(time.monotonic() - began_s)
        yield self._told(WentOn(self.session.images_seen))

    def _advance(self) -> list[Event]:
        """Take one step and return what is due after it."""
        session = self.session
        before = session.images_seen
        losses = self._step()
        self.reporter.add(losses, session.images_seen - before)
        has_settled = self._settle()
        trouble = None
        if self._is_due(before, session.settings.watchdog.every_images):
            trouble = self.watch.take(self._look(losses), session.images_seen)
        events: list[Event] = []
        cadence = session.settings.cadence
        try:
            if trouble:
                raise _TroubleError(trouble)
            if self._is_due(before, cadence.log):
                events.append(self._progress())
            if self._is_due(before, cadence.preview):
                events.append(self._told(self.pictures.preview()))
            if self.judge is not None and self._is_due(before, cadence.quality):
                events.append(self._judged(self.judge))
            if has_settled or self._is_due(before, cadence.checkpoint):
                events.append(self._save())
                # on the way without statistics: a run may save every few images
                export_model(self.folder.last_model_path, session, self.data, with_statistics=False)
        except _TroubleError as error:
            events.append(self._go_back(str(error)))
        return events

    def _settle(self) -> bool:
        """Fix the length of a run that has a time, once its speed is known."""
        session = self.session
        if self.budget is None or not session.is_open_ended:
            return False
        session.settle(self.budget.images_in_all(session.images_seen, session.settings.batch_size))
        return not session.is_open_ended

    def _step(self) -> dict[str, Tensor]:
        settings = self.session.settings
        try:
            with flushed_denormals():
                return self.session.step(self.data)
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"The device {self.session.device} has too little memory for batches of "
                f"{settings.batch_size} crops of {settings.crop_px} px; take a smaller "
                "batch_size, crop_px or width, and another --out."
            ) from error

    def _progress(self) -> Event:
        report = self.reporter.report()
        odd = [name for name, mean in report.losses.items() if not math.isfinite(mean)]
        if odd:
            raise _TroubleError(f"not finite: {', '.join(odd)}")
        return self._told(report)

    def _look(self, losses: dict[str, Tensor]) -> Look:
        assert self.session.last_batch is not None
        images, fakes = self.session.last_batch
        variations = {
            domain.domain.name: (variation(getattr(fakes, name)), variation(getattr(images, name)))
            for domain, name in zip(self.data, "ab", strict=True)
        }
        return Look({name: float(value) for name, value in losses.items()}, variations)

    def _go_back(self, trouble: str) -> Event:
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
            reason = (
                f"The training has gone wrong after {at} images ({trouble}) and has gone back "
                f"{may} times; {kept}. Start another run with lower learning rates."
            )
            self._ended(GaveUp(at, reason))
            raise TrainingError(reason)
        # the time that is spent stays spent, and the best model stays the best
        lasting = {key: self._state()[key] for key in ("spent_s", "judge")}
        self.load_state({**(state or self._beginning), **lasting})
        session.returns = n_returns
        self.watch.load_state(self._beginning["watch"])
        # this state first, then none that is later: a kill in between just finds trouble again
        self._save()
        forget_after(self.folder.checkpoints, session.images_seen)
        self.folder.rewind(session.images_seen, best_at=self.best_at)
        return self._told(WentBack(at, session.images_seen, trouble, n_returns, may))

    def _is_due(self, before: int, every: int) -> bool:
        now = self.session.images_seen
        return before // every != now // every or now >= self.session.images_total

    def _judged(self, judge: Judge) -> Event:
        """Measure the averaged model, and keep it where it is the best."""
        measured = judge.measure(self.session.averaged.model, self.session.images_seen)
        if measured.is_best:
            path = self.folder.best_model_path
            # takes about as long as the measuring before it, so cadence.quality bounds both
            export_model(path, self.session, self.data, with_statistics=True)
        return self._told(measured)

    def _save_as_asked(self) -> Event:
        """Save, the model too: whoever asks may want to use it as it is now."""
        event = self._save_or_go_back()
        if isinstance(event, CheckpointSaved):
            path = self.folder.last_model_path
            export_model(path, self.session, self.data, with_statistics=False)
        return event

    def _save_or_go_back(self) -> Event:
        try:
            return self._save()
        except _TroubleError as error:
            return self._go_back(str(error))

    def _save(self) -> Event:
        if not self.session.is_finite():
            raise _TroubleError("not finite: weights or their moments")
        path = save_checkpoint(self.folder.checkpoints, self._state(), is_good=self.watch.is_calm)
        self.saved_at = self.session.images_seen
        return self._told(CheckpointSaved(self.saved_at, path))
