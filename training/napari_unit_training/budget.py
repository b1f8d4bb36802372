"""How many images a run can see in the minutes that it has."""

import time

MEASURED_SHARE = 0.05
"""Part of the time after which the speed is known well enough."""
_MEASURED_S = (5.0, 120.0)
_MIN_STEPS = 5


class TimeBudget:
    """Measures a run's speed at its start, and then fixes how many images it will see.

    From then on the run is one of so many images: its learning rates follow their number, and it
    can be interrupted and gone on with like any other.

    Parameters
    ----------
    minutes
        That the run has.
    spent_s
        Seconds of it that were spent before an interruption.
    """

    def __init__(self, minutes: float, spent_s: float = 0.0) -> None:
        self._budget_s = minutes * 60.0
        self._began_s = time.monotonic() - spent_s
        self._measured_from: tuple[float, int] | None = None
        self._steps = 0

    @property
    def spent_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began_s

    def leave_out(self, seconds: float) -> None:
        """Do not count some seconds that the run has waited; measure its speed anew."""
        self._began_s += seconds
        self._measured_from = None
        self._steps = 0

    def images_in_all(self, images_seen: int, batch_size: int) -> int | None:
        """Count a step; return how many images the run will see, once that is known.

        The first steps are not measured: memory is taken and code compiled in them.
        """
        self._steps += 1
        spent = self.spent_s
        if self._steps <= 2 or self._measured_from is None:
            self._measured_from = (spent, images_seen)
        since_s, since = self._measured_from
        least, most = _MEASURED_S
        wanted = min(max(least, MEASURED_SHARE * self._budget_s), most)
        is_over = spent >= self._budget_s
        if not is_over and (spent - since_s < wanted or self._steps < _MIN_STEPS):
            return None
        rate = (images_seen - since) / max(spent - since_s, 1e-9)
        n_steps = int(rate * max(0.0, self._budget_s - spent) / batch_size)
        return images_seen + n_steps * batch_size
