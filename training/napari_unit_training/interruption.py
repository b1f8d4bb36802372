"""Ctrl-C between two steps, never within one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupt_deferred() -> Iterator[None]:
    """Hold a Ctrl-C back until the block is done, then raise KeyboardInterrupt.

    A step that is cut in half leaves weights that no resumed run can equal. In other threads
    than the main one, which no Ctrl-C reaches, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived = False

    def remember(_signal: int, _frame: FrameType | None) -> None:
        nonlocal arrived
        arrived = True

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if arrived:
        raise KeyboardInterrupt
