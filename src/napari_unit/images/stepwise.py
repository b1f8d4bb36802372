"""Work that tells of its steps, as a generator of them."""

import queue
import threading
from collections.abc import Callable, Generator
from contextlib import suppress


class _StoppedError(Exception):
    """Ends the writing thread when nobody waits for the file any more."""


def in_thread(work: Callable[[Callable[[], None]], None]) -> Generator[int, None, None]:
    """Run work on a thread, and yield how often it told of a step; closing stops it.

    For what wants to be the caller beside a job that yields its progress: a TIFF writer that asks
    for tiles, the reading of many files.
    """
    told: queue.SimpleQueue[BaseException | bool] = queue.SimpleQueue()
    stop = threading.Event()

    def tell() -> None:
        if stop.is_set():
            raise _StoppedError
        told.put(True)

    def target() -> None:
        try:
            work(tell)
        except _StoppedError:
            pass
        except BaseException as error:
            told.put(error)
        told.put(False)

    thread = threading.Thread(target=target, name="napari-unit work", daemon=True)
    thread.start()
    try:
        done = 0
        while (news := told.get()) is not False:
            if isinstance(news, BaseException):
                raise news
            done += 1
            yield done
    finally:
        stop.set()
        with suppress(RuntimeError):
            thread.join()
