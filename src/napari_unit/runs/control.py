"""What other programs ask of a run, by files in its folder."""

from pathlib import Path
from typing import Literal, get_args

Request = Literal["stop", "pause", "checkpoint"]


class Control:
    """Requests to a run: files that are named ``stop``, ``pause`` or ``checkpoint``.

    Whoever may write to the folder may ask, by making the file, empty or not. A run looks between
    two steps. ``stop``: it saves a checkpoint and ends; the same command goes on. ``pause``: it
    waits until the file is gone. ``checkpoint``: it saves one now. The run removes ``stop`` and
    ``checkpoint`` once it has obeyed, ``pause`` is for the one to remove who made it.

    Parameters
    ----------
    folder
        Of the requests, in the folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def asks_for(self, request: Request) -> bool:
        """Return whether this is asked for now."""
        return (self.folder / request).exists()

    def asked(self) -> set[Request]:
        """Return what is asked for now."""
        return {request for request in get_args(Request) if self.asks_for(request)}

    def obeyed(self, request: Request) -> None:
        """Take note that a request was done."""
        (self.folder / request).unlink(missing_ok=True)

    def ask(self, request: Request) -> None:
        """Ask the run for something."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / request).touch()

    def forget_old(self) -> None:
        """Remove what was asked of an earlier start of the run."""
        for request in get_args(Request):
            self.obeyed(request)
