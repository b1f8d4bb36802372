"""How far a job is and how long it will take, in words. Needs no Qt."""

from dataclasses import dataclass

from napari_unit.progress import PHASES


@dataclass(slots=True)
class Pace:
    """The speed of the phase that a job is in.

    Parameters
    ----------
    phase
        Name of the phase; another one starts the measurement anew.
    began_s, began_done
        Time and count of the phase's first note.
    now_s, done
        Time and count of its last one.
    """

    phase: str = ""
    began_s: float = 0.0
    began_done: int = 0
    now_s: float = 0.0
    done: int = 0

    def take_note(self, phase: str, done: int, now_s: float) -> None:
        """Note how far the job is at a time of any clock that only goes forward."""
        if phase != self.phase:
            self.phase, self.began_s, self.began_done = phase, now_s, done
        self.now_s, self.done = now_s, done

    @property
    def rate(self) -> float | None:
        """Steps per second in this phase; None while that cannot be told yet."""
        passed_s, passed = self.now_s - self.began_s, self.done - self.began_done
        # the first steps warm up caches and say little about the others
        return passed / passed_s if passed >= 2 and passed_s > 0.2 else None

    def steps_in_words(self, total: int) -> str:
        """Say how many of the phase's steps are done and how fast they are."""
        _, unit = PHASES.get(self.phase, (self.phase, "steps"))
        told = f"{self.done} of {total} {unit}"
        if self.rate is None:
            return told
        return f"{told}, {self.rate:.{0 if self.rate >= 20 else 1}f} {unit}/s"

    def time_left_in_words(self, total: int) -> str:
        """Say how long the phase will still take; nothing while that cannot be told."""
        if self.rate is None or self.done >= total:
            return ""
        return f"{duration_in_words((total - self.done) / self.rate)} left"


def phase_in_words(phase: str) -> str:
    """Name a phase of the engine for users."""
    return PHASES.get(phase, (phase, ""))[0]


def duration_in_words(seconds: float) -> str:
    """Say a duration with the precision that a person needs.

    Examples
    --------
    >>> duration_in_words(0.4), duration_in_words(83.0), duration_in_words(7300.0)
    ('1 s', '1 min 23 s', '2 h 1 min')
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
