"""How far a job is, how fast, what it takes of time and memory: as numbers and in words."""

from dataclasses import dataclass

PHASES = {
    "intensities": "Measuring intensities",
    "statistics": "Measuring statistics",
    "tiles": "Translating",
    "levels": "Making smaller levels",
    "writing": "Writing",
}
"""What users call a phase."""
_ENOUGH_S = 0.2
"""What is shorter than this says little about the speed."""


@dataclass(slots=True)
class Pace:
    """The speed of the phase that a job is in.

    Parameters
    ----------
    phase
        Name of the phase; another one starts the measurement anew.
    began_s, began_px
        Time and pixels of the phase's first note. What an earlier run had done says nothing
        about the speed of this one, and comes with the first note.
    now_s, done_px, total_px
        Time and pixels of its last one.
    """

    phase: str = ""
    began_s: float = 0.0
    began_px: int = 0
    now_s: float = 0.0
    done_px: int = 0
    total_px: int = 0

    def take_note(self, phase: str, done_px: int, total_px: int, now_s: float) -> None:
        """Note how far the job is at a time of any clock that only goes forward."""
        if phase != self.phase:
            self.phase, self.began_s, self.began_px = phase, now_s, done_px
        self.now_s, self.done_px, self.total_px = now_s, done_px, total_px

    @property
    def rate_px(self) -> float | None:
        """Pixels per second in this phase; None while that cannot be told yet."""
        passed_s, passed_px = self.now_s - self.began_s, self.done_px - self.began_px
        return passed_px / passed_s if passed_px > 0 and passed_s > _ENOUGH_S else None

    @property
    def left_s(self) -> float | None:
        """Seconds until the phase ends; None while that cannot be told yet."""
        rate = self.rate_px
        return None if rate is None else (self.total_px - self.done_px) / rate

    def in_words(self) -> str:
        """Say how many of the phase's pixels are done and how fast."""
        done, total = (megapixels(n, self.total_px) for n in (self.done_px, self.total_px))
        told = f"{done} of {total} Mpx"
        rate = self.rate_px
        return told if rate is None else f"{told}, {megapixels(rate, rate)} Mpx/s"

    def left_in_words(self) -> str:
        """Say how long the phase will still take; nothing while that cannot be told."""
        if self.left_s is None or self.done_px >= self.total_px:
            return ""
        return f"{duration_in_words(self.left_s)} left"


def phase_in_words(phase: str) -> str:
    """Name a phase of the engine for users."""
    return PHASES.get(phase, phase)


def megapixels(n_px: float, largest_px: float) -> str:
    """Say a number of pixels in millions, as precisely as the largest one beside it needs.

    Examples
    --------
    >>> megapixels(65_536, 65_536), megapixels(3_100_000, 42e6), megapixels(1e9, 1e9)
    ('0.066', '3.1', '1000')
    """
    millions = largest_px / 1e6
    digits = 3 if millions < 1 else 2 if millions < 10 else 1 if millions < 100 else 0
    return f"{n_px / 1e6:.{digits}f}"


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


def size_in_words(n_bytes: int) -> str:
    """Return a number of bytes as users read it; what is less than a megabyte counts as one.

    Examples
    --------
    >>> size_in_words(1_900_000_000), size_in_words(94_400_000), size_in_words(16_384)
    ('1.9 GB', '94 MB', '1 MB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(1, round(n_bytes / 1e6))} MB"
