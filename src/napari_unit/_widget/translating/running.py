"""A translation on a thread of its own, and what it tells the thread that draws."""

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker
from napari.utils.notifications import notification_manager, show_error
from napari.utils.progress import cancelable_progress
from qtpy.QtCore import QObject, QThreadPool, QTimer, Signal

from napari_unit._widget.trouble import REFUSALS, Trouble
from napari_unit.images.layers import TranslationResult
from napari_unit.images.source_image import SourceImage
from napari_unit.job import translation_job
from napari_unit.lazy_job import translate_lazily
from napari_unit.pace import phase_in_words
from napari_unit.progress import Throttled
from napari_unit.request import TranslationRequest
from napari_unit.torch_import import import_torch

_logger = logging.getLogger(__name__)
_REPORT_INTERVAL_S = 0.1
_REFRESH_INTERVAL_MS = 100

UNDERWAY: set["RunningTranslation"] = set()
"""Translations that have not ended: one whose widget is gone must outlive it to end in order."""


@dataclass(frozen=True, slots=True)
class Crash:
    """A translation that met a fault of the plugin or of a library."""

    error: Exception


class JobWorker(GeneratorWorker):
    """Runs a translation until it ends or is told to quit, asked between any two steps.

    One of napari's workers, for napari asks about those before it closes. Its own loop would
    sleep through a refusal: it takes a RuntimeError for a deleted worker and then never finishes,
    it reports every step however fast they come, and it leaves the generator to the garbage
    collector, hence to another thread.
    """

    def work(self) -> TranslationResult | Trouble | Crash | None:
        """Take the job's steps; return what came of them, None where it was told to stop."""
        tell = Throttled(self.yielded.emit, _REPORT_INTERVAL_S)
        try:
            while not self.abort_requested:
                step = next(self._gen)
                if isinstance(step, TranslationResult):
                    self.yielded.emit(step)
                else:
                    tell(step)
            self.aborted.emit()
        except StopIteration as end:
            result: TranslationResult = end.value
            return result
        except REFUSALS as error:
            _logger.debug("A translation was refused.", exc_info=error)
            return Trouble.refused(error)
        except Exception as error:
            return Crash(error)
        finally:
            self._gen.close()
        return None


def _job(
    image: Callable[[], SourceImage], request: TranslationRequest
) -> Generator[Any, None, TranslationResult]:
    """Translate an image that is opened on the thread; yields its result when it begins to fill."""
    import_torch()
    begun: list[TranslationResult] = []
    job = translation_job(image(), request, begun.append)
    try:
        while True:
            try:
                news = next(job)
            except StopIteration as end:
                result: TranslationResult = end.value
                return result
            while begun:
                yield begun.pop()
            yield news
    finally:
        job.close()


def _lazy_job(
    image: Callable[[], SourceImage], request: TranslationRequest
) -> Generator[Any, None, TranslationResult]:
    """Open the model, of which nothing is computed yet: that alone takes too long to draw."""
    yield from ()
    import_torch()
    return translate_lazily(image(), request).result


class RunningTranslation(QObject):
    """One translation from start to end, with its bar in napari's activity dock.

    Make and use it on the thread that draws; its signals come there.

    Parameters
    ----------
    image
        What to translate, or what opens it, which is called on the thread.
    request
        How to translate it.
    lazy
        Whether only what is looked at is computed: the result comes at once.
    """

    begun = Signal(object)
    """A `TranslationResult` in memory that is black so far, and fills."""
    told = Signal(object)
    """How far it is: a `napari_unit.engine.run.Progress`, at most ten a second."""
    canceling = Signal()
    """It was told to stop, here or in the activity dock."""
    succeeded = Signal(object)
    """The `TranslationResult`."""
    failed = Signal(object)
    """The `Trouble`, where there is no result."""
    ended = Signal()
    """It runs no longer, for whatever reason; comes last."""

    def __init__(
        self,
        image: SourceImage | Callable[[], SourceImage],
        request: TranslationRequest,
        *,
        lazy: bool = False,
    ) -> None:
        super().__init__()
        opened = (lambda: image) if isinstance(image, SourceImage) else image
        self._phase = ""
        self._news: Any = None
        self._is_refreshing = False
        self._is_canceling = False
        self._bar: cancelable_progress | None = None
        self._is_over = False
        self._clock = QTimer(self)
        self._clock.setInterval(_REFRESH_INTERVAL_MS)
        self._clock.timeout.connect(self._refresh)
        self._worker = create_worker(
            _lazy_job if lazy else _job,
            opened,
            request,
            _worker_class=JobWorker,
            _start_thread=False,
            _ignore_errors=True,
        )
        self._worker.yielded.connect(self._note)
        self._worker.returned.connect(self._return)
        self._worker.warned.connect(self._warn)
        self._worker.finished.connect(self._end)

    def start(self) -> None:
        """Start the thread."""
        UNDERWAY.add(self)
        self._clock.start()
        # the worker's own start waits for Qt's next turn, which may be the one that quits: it
        # would then run in a Python that is being torn down, and nobody would wait for it
        QThreadPool.globalInstance().start(self._worker)

    def cancel(self) -> None:
        """Stop after the step that is being computed; `ended` comes when it has stopped."""
        if self._is_canceling:
            return
        self._is_canceling = True
        self._worker.quit()
        self.canceling.emit()

    def abandon(self) -> None:
        """Stop, and tell nobody any more: whoever asked for the translation is gone."""
        self.blockSignals(True)
        self.cancel()
        self._clock.stop()
        self._close_bar()

    def _note(self, progress: Any) -> None:
        """Remember the latest report; drawing each of them could fall behind the job."""
        if isinstance(progress, TranslationResult):
            self.begun.emit(progress)
        else:
            self._news = progress

    def _refresh(self) -> None:
        """Show the latest report, and ask the bar whether it was canceled: it does not tell.

        A change of napari's bar lets Qt handle events, this method's own timer among them: on a
        machine that draws more slowly than the job reports, it would call itself without end.
        """
        if self._is_refreshing:
            return
        self._is_refreshing = True
        try:
            if self._bar is None:
                # not before torch is there: beside its import a bar takes half a second to make
                if self._news is not None:
                    self._open_bar()
            elif self._bar.is_canceled:
                self.cancel()
            news, self._news = self._news, None
            if news is not None and not self._is_canceling:
                self.told.emit(news)
                self._show_in_bar(news)
        finally:
            self._is_refreshing = False

    def _open_bar(self) -> None:
        if self._is_over:
            return
        # few words: beside more, napari's dock has no room for its button to cancel
        bar = cancelable_progress(
            total=0, desc="Loading the model", bar_format="{l_bar}{bar}| {remaining} left"
        )
        self._bar = bar
        if self._is_over:  # napari lets Qt handle events while it makes the bar
            self._close_bar()

    def _show_in_bar(self, progress: Any) -> None:
        # the job may end, and the bar with it, while Qt handles events in between
        if self._bar is not None and progress.phase != self._phase:
            self._phase = progress.phase
            self._bar.set_description(phase_in_words(progress.phase))
            if self._bar is not None:
                self._bar.reset(progress.total)
        if self._bar is not None:
            self._bar.update(progress.done - self._bar.n)

    def _return(self, outcome: TranslationResult | Trouble | Crash | None) -> None:
        if isinstance(outcome, TranslationResult):
            self.succeeded.emit(outcome)
        elif isinstance(outcome, Trouble):
            show_error(outcome.sentence)
            self.failed.emit(outcome)
        elif isinstance(outcome, Crash):
            error = outcome.error
            notification_manager.receive_error(type(error), error, error.__traceback__)
            self.failed.emit(Trouble.unexpected(error, "The translation"))

    def _warn(self, warning: tuple[Any, ...]) -> None:
        notification_manager.receive_warning(*warning)

    def _end(self) -> None:
        self._clock.stop()
        self._close_bar()
        UNDERWAY.discard(self)
        self.ended.emit()

    def _close_bar(self) -> None:
        self._is_over = True
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
