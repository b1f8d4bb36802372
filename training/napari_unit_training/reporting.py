"""What a run reports: where it begins, its losses since the last report, its speed."""

import time
from typing import Any

from torch import Tensor

from napari_unit.engine.devices import taken_bytes
from napari_unit.runs.events import Progress, Started
from napari_unit_training.data.loading import DomainImages
from napari_unit_training.precision import bfloat16_pays
from napari_unit_training.session import Session


class Reporter:
    """Sums losses up between two reports.

    The sums are part of a checkpoint, so that a run that goes on reports what the run without the
    break would have reported; times are not.

    Parameters
    ----------
    session
        Of the run.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sums: dict[str, tuple[Tensor, int]] = {}
        self.start_clock()

    def start_clock(self) -> None:
        """Count time and images from now on."""
        self._started_s = self._reported_s = time.monotonic()
        self._started_at = self._reported_at = self._session.images_seen

    def add(self, losses: dict[str, Tensor], n_images: int) -> None:
        """Count the losses of a step; nothing waits for the device."""
        for name, value in losses.items():
            weighted = value * n_images
            if name in self._sums:
                total, count = self._sums[name]
                self._sums[name] = (total + weighted, count + n_images)
            else:
                self._sums[name] = (weighted, n_images)

    def report(self) -> Progress:
        """Return the means since the last report, and begin anew."""
        session, now = self._session, time.monotonic()
        seen, total = session.images_seen, session.images_total
        means = {name: float(total) / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        speed = (seen - self._started_at) / max(now - self._started_s, 1e-9)
        recent = (seen - self._reported_at) / max(now - self._reported_s, 1e-9)
        self._reported_s, self._reported_at = now, seen
        rate = session.settings.generator_learning_rate * session.learning_rate_factor
        left = (total - seen) / speed if speed > 0 else float("inf")
        return Progress(seen, total, means, rate, recent, left, taken_bytes(session.device))

    def state(self) -> dict[str, Any]:
        """Return the sums."""
        return {name: [total, count] for name, (total, count) in self._sums.items()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._sums = {name: (total, int(count)) for name, (total, count) in state.items()}
        self.start_clock()


def started(session: Session, data: tuple[DomainImages, DomainImages]) -> Started:
    """Return what is known of a run before its first step."""
    a, b = data
    n = session.team.n_processes
    wants_half = session.settings.precision == "auto" and bfloat16_pays(session.device)
    return Started(
        session.images_seen,
        session.images_total,
        f"{n} x {session.device.type}" if n > 1 else str(session.device),
        "bfloat16" if wants_half else "float32",
        (a.domain.name, b.domain.name),
        (len(a.images), len(b.images)),
        a.notes + b.notes,
    )
