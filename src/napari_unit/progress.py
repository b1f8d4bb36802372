"""Carry out a job in the foreground and show how far it is."""

import logging
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from napari_unit.pace import Pace, phase_in_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from napari_unit.engine.run import Progress

Result = TypeVar("Result")
Listener = Callable[["Progress"], None]

_logger = logging.getLogger(__name__)


def carry_out(
    job: Generator["Progress", None, Result],
    progress: bool | Listener,
    summary: Callable[[Result], str] | None = None,
    remarks: Callable[[Result], Sequence[str]] = lambda _: (),
) -> Result:
    """Run a job to its end and return its result.

    Parameters
    ----------
    job
        Closed in any case, so that an interruption (Ctrl-C) leaves nothing half done.
    progress
        True: a bar on stderr if that is a terminal or a notebook; False: none; or what is called
        with every `napari_unit.engine.run.Progress`.
    summary
        Makes a sentence of the result, shown under the bar and logged.
    remarks
        Sentences on what was lost or doubtful, logged as warnings where nobody sees the summary.

    Raises
    ------
    TypeError
        If `progress` is none of these.
    """
    if not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"progress is {progress!r}; it must be True, False or a function.")
    try:
        if progress is True:
            with _bars() as (console, listen):
                result = _run(job, Throttled(listen, _BAR_INTERVAL_S))
        else:
            console = None
            result = _run(job, progress or _ignore)
    finally:
        job.close()
    if summary is not None:
        sentence = summary(result)
        _logger.info(sentence)
        if console is not None:
            console.print(sentence, highlight=False, soft_wrap=True)
            return result
    for remark in remarks(result):
        _logger.warning(remark)
    return result


def _run(job: Generator["Progress", None, Result], listen: Listener) -> Result:
    while True:
        try:
            news = next(job)
        except StopIteration as end:
            result: Result = end.value
            return result
        listen(news)


def _ignore(_: "Progress") -> None:
    pass


@contextmanager
def _bars() -> Iterator[tuple["Console | None", Listener]]:
    """Show a bar per phase while the block runs; nothing where nobody would see it."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield None, _ignore
        return
    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with RichProgress(*columns, console=console) as bars:
        yield console, _Bars(bars).show


class _Bars:
    """A bar per phase, in the order in which the phases come."""

    def __init__(self, bars: "RichProgress") -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._pace = Pace()

    def show(self, news: "Progress") -> None:
        if self._task is None or news.phase != self._pace.phase:
            name = phase_in_words(news.phase)
            self._task = self._bars.add_task(name, total=news.total, pace="")
        self._pace.take_note(news.phase, news.done, news.total, time.monotonic())
        self._bars.update(self._task, completed=news.done, pace=self._pace.in_words())


class Throttled:
    """Hears the first and the last news of every phase, and few in between.

    Parameters
    ----------
    listener
        Called with what is heard.
    interval_s
        From one call to the next.
    """

    def __init__(self, listener: Listener, interval_s: float) -> None:
        self._listener = listener
        self._interval_s = interval_s
        self._phase = ""
        self._told_s = 0.0

    def __call__(self, news: "Progress") -> None:
        """Take news of the job."""
        now_s = time.monotonic()
        is_new = news.phase != self._phase
        if is_new or news.done >= news.total or now_s - self._told_s >= self._interval_s:
            self._phase, self._told_s = news.phase, now_s
            self._listener(news)


_BAR_INTERVAL_S = 0.05
_LINE_INTERVAL_S = 5.0


def foreground() -> bool | Listener:
    """Return what shows the progress of a command: a bar in a terminal, else a line at times."""
    return sys.stderr.isatty() or Lines()


class Lines:
    """Prints a line to stderr at the end of every phase, and every few seconds in between."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._told_s = 0.0

    def __call__(self, news: "Progress") -> None:
        """Take news of the job."""
        now_s = time.monotonic()
        if news.phase != self._pace.phase:
            self._told_s = now_s
        self._pace.take_note(news.phase, news.done, news.total, now_s)
        if news.done < news.total and now_s - self._told_s < _LINE_INTERVAL_S:
            return
        self._told_s = now_s
        told = [self._pace.in_words(), self._pace.left_in_words()]
        line = f"{phase_in_words(news.phase)}: {', '.join(part for part in told if part)}"
        print(line, file=sys.stderr, flush=True)
