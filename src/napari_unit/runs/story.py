"""What the events of a training say together."""

import math
from dataclasses import dataclass
from functools import cached_property

from napari_unit.runs.events import (
    OPEN_END,
    CheckpointSaved,
    Event,
    Finished,
    GaveUp,
    Paused,
    Progress,
    QualityMeasured,
    Started,
    Stopped,
    WentBack,
    WentOn,
)


@dataclass(frozen=True)
class Story:
    """What is known of a training by what it has told.

    Parameters
    ----------
    events
        In their order.
    """

    events: tuple[Event, ...] = ()

    @cached_property
    def starts(self) -> list[Started]:
        """The first start, and those after a break."""
        return [event for event in self.events if isinstance(event, Started)]

    @cached_property
    def reports(self) -> list[Progress]:
        """Reports of the losses."""
        return [event for event in self.events if isinstance(event, Progress)]

    @cached_property
    def measured(self) -> list[QualityMeasured]:
        """Measurements of quality."""
        return [event for event in self.events if isinstance(event, QualityMeasured)]

    @cached_property
    def best(self) -> QualityMeasured | None:
        """The measurement of the best model."""
        return next((event for event in reversed(self.measured) if event.is_best), None)

    @cached_property
    def ending(self) -> Finished | Stopped | GaveUp | None:
        """How the training ended; None where it did not say so, or has gone on since."""
        for event in reversed(self.events):
            if isinstance(event, Finished | Stopped | GaveUp):
                return event
            if isinstance(event, Started | WentOn):
                break
        return None

    @property
    def gave_up(self) -> str:
        """Why a training gave up; empty where it did not, or has gone on since."""
        return self.ending.reason if isinstance(self.ending, GaveUp) else ""

    @cached_property
    def is_paused(self) -> bool:
        """Whether the last that was told of a pause is that it began."""
        for event in reversed(self.events):
            if isinstance(event, Paused | WentOn | Started):
                return isinstance(event, Paused)
        return False

    @cached_property
    def images_seen(self) -> int:
        """Crops of each domain so far."""
        for event in reversed(self.events):
            if isinstance(event, WentBack):
                return event.to_images_seen
            if isinstance(
                event, Started | Progress | CheckpointSaved | Stopped | GaveUp | Finished
            ):
                return event.images_seen
        return 0

    @cached_property
    def images_total(self) -> int | None:
        """Crops of each domain in all; None where that is not known yet."""
        totals = [e.images_total for e in self.events if isinstance(e, Started | Progress)]
        return totals[-1] if totals and totals[-1] < OPEN_END else None

    @cached_property
    def seconds(self) -> float:
        """About how long was computed, after the speeds that were reported."""
        total, before = 0.0, 0
        for event in self.events:
            if isinstance(event, Started):
                before = event.images_seen
            elif isinstance(event, Progress):
                if event.images_per_second > 0 and event.images_seen > before:
                    total += (event.images_seen - before) / event.images_per_second
                before = event.images_seen
        return total if math.isfinite(total) else 0.0
