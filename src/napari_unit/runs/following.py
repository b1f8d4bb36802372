"""What a training tells, read while it is told, and whether a process is at it."""

import sys
from dataclasses import dataclass
from pathlib import Path

from napari_unit.runs.event_lines import Told, from_json_line


@dataclass(frozen=True, slots=True)
class News:
    """What has been told since the last look.

    Parameters
    ----------
    told
        Events, in order; of lines that are torn or unknown nothing.
    starts_over
        What was told before does not hold any more: the training has been taken back.
    """

    told: tuple[Told, ...]
    starts_over: bool = False


class Follower:
    """Reads ``events.jsonl`` piece by piece while a training writes it.

    Parameters
    ----------
    events_path
        Of the file; it need not be there yet.
    """

    def __init__(self, events_path: Path) -> None:
        self._path = events_path
        self._offset = 0
        self._last_line = b""

    def read(self) -> News:
        """Return what is new; a line that is still being written comes with the next look.

        Raises
        ------
        OSError
            If the file is there and cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                # a training that is taken back writes the file anew: other lines are then before
                # this place, if it is there at all
                file.seek(self._offset - len(self._last_line))
                starts_over = file.read(len(self._last_line)) != self._last_line
                if starts_over:
                    self._offset, self._last_line = 0, b""
                    file.seek(0)
                content = file.read()
        except FileNotFoundError:
            starts_over, content = self._offset > 0, b""
            self._offset, self._last_line = 0, b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole:
            self._offset += len(whole)
            self._last_line = whole[whole.rfind(b"\n", 0, -1) + 1 :]
        told = map(from_json_line, whole.decode("utf-8", "replace").splitlines())
        return News(tuple(one for one in told if one is not None), starts_over)


if sys.platform == "win32":

    def is_at_work(lock_path: Path) -> bool:
        """Tell whether a process holds the lock of a training, which it does until it ends.

        The lock is taken for a moment where it is free: the trainer waits longer than that.
        """
        from filelock import FileLock, Timeout

        if not lock_path.is_file():
            return False
        lock = FileLock(lock_path)
        try:
            lock.acquire(blocking=False)
        except (Timeout, OSError):
            return True
        lock.release()
        return False

else:

    def is_at_work(lock_path: Path) -> bool:
        """Tell whether a process holds the lock of a training, which it does until it ends.

        Others who look at the same time do no harm; the trainer waits longer than a look takes.
        """
        import fcntl

        try:
            with lock_path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # not there, or on a disk without locks
            return False
        return False
