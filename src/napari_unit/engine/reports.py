"""What a translation tells while it runs, and in the end."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, TypeVar

from napari_unit.domains import Window
from napari_unit.engine.calibration import Calibration
from napari_unit.engine.statistics import NormStatistics

Phase = Literal["intensities", "statistics", "tiles", "levels", "writing"]
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a translation is.

    Parameters
    ----------
    phase
        ``"intensities"``: the image is read and its intensities are measured;
        ``"statistics"``: those of the normalisation layers are; ``"tiles"``: it is translated.
        A whole job goes on: ``"levels"``: smaller levels are made; ``"writing"``: the file is.
    done, total
        Pixels of the phase. What an earlier run has done counts as done.
    """

    phase: Phase
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PhaseSeconds:
    """How long the phases of a translation took, who carries it out included.

    Parameters
    ----------
    intensities, statistics, tiles
        Seconds.
    """

    intensities: float
    statistics: float
    tiles: float


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a translation was like.

    Parameters
    ----------
    calibration
        What was measured of the image.
    n_saturated
        Pixel values of the translation that its integer dtype cannot hold.
    seconds
        Per phase.
    """

    calibration: Calibration
    n_saturated: int
    seconds: PhaseSeconds

    @property
    def input_window(self) -> Window:
        """Pixel values of the image that stood for -1 and 1."""
        return self.calibration.window

    @property
    def statistics(self) -> NormStatistics | None:
        """By which the normalisation layers were frozen; None if each tile had its own."""
        return self.calibration.statistics

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the image that users should read."""
        return self.calibration.notes

    @property
    def n_clipped(self) -> int:
        """Pixel values of the image outside the window."""
        return self.calibration.n_clipped


def tell(
    phase: Phase, job: Generator[int, None, _Found], n_steps: int, n_px: int, before: int = 0
) -> Generator[Progress, None, _Found]:
    """Carry out part of a phase, telling its progress in pixels; return what it found.

    Parameters
    ----------
    phase
        Its name.
    job
        Yields how many steps are done.
    n_steps, n_px
        Steps of the phase, and the pixels that they stand for.
    before
        Steps that another part of the phase has done.
    """
    while True:
        try:
            done = next(job)
        except StopIteration as end:
            found: _Found = end.value
            return found
        yield Progress(phase, (before + done) * n_px // max(1, n_steps), n_px)
