"""Carry out a job in the foreground and show how far it is."""

import logging
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from napari_unit.engine.run import Progress

Result = TypeVar("Result")
Listener = Callable[["Progress"], None]

_logger = logging.getLogger(__name__)
PHASES = {
    "intensities": ("Measuring intensities", "tiles"),
    "statistics": ("Measuring statistics", "steps"),
    "tiles": ("Translating", "tiles"),
    "levels": ("Making smaller levels", "steps"),
    "writing": ("Writing", "tiles"),
}
"""What users call a phase, and what is counted in it."""


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
                result = _run(job, listen)
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
        TextColumn("{task.completed:.0f} of {task.total:.0f} {task.fields[unit]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with RichProgress(*columns, console=console) as bars:
        yield console, _Bars(bars).show


class _Bars:
    """A bar per phase, in the order in which the phases come."""

    def __init__(self, bars: "RichProgress") -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._phase = ""

    def show(self, news: "Progress") -> None:
        name, unit = PHASES.get(news.phase, (news.phase, "steps"))
        if self._task is None or news.phase != self._phase:
            self._phase = news.phase
            self._task = self._bars.add_task(name, total=news.total, unit=unit, rate="")
        speed = self._bars.tasks[self._task].speed
        rate = f"{speed:.{0 if speed >= 20 else 1}f} {unit}/s" if speed else ""
        self._bars.update(self._task, completed=news.done, total=news.total, rate=rate)


_LINE_INTERVAL_S = 5.0


def foreground() -> bool | Listener:
    """Return what shows the progress of a command: a bar in a terminal, else a line at times."""
    return sys.stderr.isatty() or Lines()


class Lines:
    """Prints a line to stderr at the end of every phase, and every few seconds in between."""

    def __init__(self) -> None:
        self._phase = ""
        self._began_s = self._told_s = 0.0
        self._began_done = 0

    def __call__(self, news: "Progress") -> None:
        """Take news of the job."""
        now_s = time.monotonic()
        if news.phase != self._phase:
            self._phase, self._began_s, self._told_s = news.phase, now_s, now_s
            self._began_done = news.done
        if news.done < news.total and now_s - self._told_s < _LINE_INTERVAL_S:
            return
        self._told_s = now_s
        name, unit = PHASES.get(news.phase, (news.phase, "steps"))
        line = f"{name}: {news.done} of {news.total} {unit}"
        passed_s, passed = now_s - self._began_s, news.done - self._began_done
        if passed and passed_s > 0:
            rate = passed / passed_s
            line += f", {rate:.{0 if rate >= 20 else 1}f} {unit}/s"
            if news.done < news.total:
                line += f", {(news.total - news.done) / rate:.0f} s left"
        print(line, file=sys.stderr, flush=True)
