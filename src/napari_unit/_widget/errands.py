"""Work on a thread of its own, and what comes of it on the thread that draws."""

import logging
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from napari.utils.notifications import notification_manager
from qtpy.QtCore import QObject, QRunnable, QThreadPool, Signal

from napari_unit._widget.trouble import REFUSALS, Trouble
from napari_unit.progress import Throttled

Steps = Generator[Any, None, Any]
_REPORT_INTERVAL_S = 0.1
_logger = logging.getLogger(__name__)

UNDERWAY: set["Errand"] = set()
"""Errands that have not ended: one whose widget is gone must outlive it to end in order."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far a job is.

    Parameters
    ----------
    phase
        What it is doing, in words.
    done, total
        Parts of that.
    """

    phase: str
    done: int
    total: int


class Errand(QObject):
    """A job of several steps that someone waits for; it can be canceled between two of them.

    Make and use it on the thread that draws; its signals come there.

    Parameters
    ----------
    job
        Returns a generator of what is to be told, which returns the result. `REFUSALS` carry
        sentences for people; everything else is a fault of the plugin.
    """

    told = Signal(object)
    """What the job yields: of steps at most ten a second, of None nothing."""
    succeeded = Signal(object)
    """What the job returns."""
    failed = Signal(object)
    """The `Trouble`, where it cannot be done."""
    ended = Signal()
    """Nothing of it runs any more; the last signal, and the only one of a job that was canceled."""
    _sent = Signal(object, object)

    def __init__(self, job: Callable[[], Steps]) -> None:
        super().__init__()
        self._is_abandoned = False
        self._canceled = threading.Event()
        self._sent.connect(self._deliver)
        self._runnable = _Runnable(job, self._canceled, self._sent.emit)

    def start(self) -> None:
        """Start the thread."""
        UNDERWAY.add(self)
        pool = QThreadPool.globalInstance()
        assert pool is not None
        pool.start(self._runnable)

    def cancel(self) -> None:
        """Stop after the step at work; `ended` comes when it has stopped."""
        self._canceled.set()

    def abandon(self) -> None:
        """Stop, and tell nobody any more: whoever asked for it is gone."""
        self._is_abandoned = True
        self.cancel()

    def _deliver(self, kind: str, value: Any) -> None:
        if kind != "told":
            UNDERWAY.discard(self)
        if self._is_abandoned:
            return
        if kind == "told":
            self.told.emit(value)
            return
        if kind == "returned":
            self.succeeded.emit(value)
        elif kind == "refused":
            self.failed.emit(value)
        elif kind == "crashed":
            notification_manager.receive_error(type(value), value, value.__traceback__)
            self.failed.emit(Trouble.unexpected(value, "This"))
        self.ended.emit()


def once(function: Callable[[], Any]) -> Callable[[], Steps]:
    """Return a job of a single step."""

    def job() -> Steps:
        return function()
        yield

    return job


class _Runnable(QRunnable):
    """Takes the steps of a job; `send` is called on the job's thread."""

    def __init__(
        self,
        job: Callable[[], Steps],
        canceled: threading.Event,
        send: Callable[[str, Any], None],
    ) -> None:
        super().__init__()
        self.setAutoDelete(False)  # Python deletes it, with the errand
        self._job = job
        self._canceled = canceled
        self._send = send

    def run(self) -> None:
        """Carry the job out."""
        self._send(*self._outcome())

    def _outcome(self) -> tuple[str, Any]:
        tell: Any = Throttled(partial(self._send, "told"), _REPORT_INTERVAL_S)
        steps = self._job()
        try:
            while not self._canceled.is_set():
                news = next(steps)
                if isinstance(news, Step):
                    tell(news)
                elif news is not None:
                    self._send("told", news)
        except StopIteration as end:
            return "returned", end.value
        except REFUSALS as error:
            _logger.debug("An errand was refused.", exc_info=error)
            return "refused", Trouble.refused(error)
        except Exception as error:
            return "crashed", error
        finally:
            steps.close()
        return "canceled", None
