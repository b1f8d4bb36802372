"""What a training tells the outside: plain frozen values. As text: `event_lines`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OPEN_END = 10**12
"""Images in all of a run that has a time, as long as their number does not follow from it yet."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All images are about to be looked at, which takes as long as reading them does.

    Parameters
    ----------
    source_a, source_b
        Where they are.
    """

    source_a: str
    source_b: str


@dataclass(frozen=True, slots=True)
class ImagesRead:
    """The images are being looked at; told every few seconds.

    Parameters
    ----------
    n_images
        So far, of both domains.
    """

    n_images: int


@dataclass(frozen=True, slots=True)
class Started:
    """The images are read and the networks built.

    Parameters
    ----------
    images_seen, images_total
        Where the run begins, above 0 when it is resumed, and where it ends; crops per domain.
    device, precision
        Where and in which precision it computes.
    domains
        Names of domain a and b.
    n_images
        Images found for domain a and b.
    notes
        Sentences about the images.
    """

    images_seen: int
    images_total: int
    device: str
    precision: str
    domains: tuple[str, str]
    n_images: tuple[int, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MemoryEstimated:
    """What a step of a new run takes, before it starts.

    Parameters
    ----------
    memory_bytes, available_bytes
        About what a step takes on the device, in one process, and what is free there; None where
        unknown.
    batch_size, crop_px
        Of the run, as they were set or as they fit.
    """

    memory_bytes: int
    available_bytes: int | None
    batch_size: int
    crop_px: int


@dataclass(frozen=True, slots=True)
class Estimated:
    """What a run would take.

    Parameters
    ----------
    images_total
        Crops of each domain that it would see.
    images_per_second
        Measured in a few steps.
    seconds
        At that speed; pictures and checkpoints come on top.
    memory_bytes, available_bytes
        About what a step takes on the device, and what is free there; None where unknown.
    settings
        All of them, resolved.
    """

    images_total: int
    images_per_second: float
    seconds: float
    memory_bytes: int
    available_bytes: int | None
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Progress:
    """A report of the losses.

    Parameters
    ----------
    images_seen, images_total
        Crops of each domain so far and in all.
    losses
        Mean of every unweighted term since the last report, by name.
    learning_rate
        Of the generators, at the last step.
    images_per_second
        Since the last report.
    seconds_left
        At the mean speed since the training was started or resumed.
    memory_bytes
        What the run takes of its device's memory, or of the computer's on a CPU; None where that
        cannot be told.
    """

    images_seen: int
    images_total: int
    losses: Mapping[str, float]
    learning_rate: float
    images_per_second: float
    seconds_left: float
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PreviewWritten:
    """A preview picture is on disk.

    Parameters
    ----------
    images_seen
        When it was made.
    path
        Of the PNG.
    """

    images_seen: int
    path: Path


@dataclass(frozen=True, slots=True)
class QualityMeasured:
    """How good the model is on crops that it does not learn from.

    Parameters
    ----------
    images_seen
        When it was measured.
    directions
        From a to b and from b to a: names of ``source`` and ``target``, the ``distance`` of
        translations to real images, and whatever else the trainer measures.
    score
        What the best model is chosen by; smaller is better.
    is_best
        Whether this is the best so far; ``best.safetensors`` is this model then.
    """

    images_seen: int
    directions: tuple[Mapping[str, Any], ...]
    score: float
    is_best: bool


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """The run can go on from here after a kill.

    Parameters
    ----------
    images_seen
        When it was made.
    path
        Of the checkpoint.
    """

    images_seen: int
    path: Path


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a run at a moment.

    Parameters
    ----------
    images_seen
        Crops of each domain so far.
    """

    images_seen: int


class Paused(Moment):
    """The run waits, as it was asked to."""

    __slots__ = ()


class WentOn(Moment):
    """The run waits no longer."""

    __slots__ = ()


class Stopped(Moment):
    """The run has ended before its time, as it was asked to; the same command goes on."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class WentBack:
    """The run had gone wrong and goes on from an earlier state with lower learning rates.

    Parameters
    ----------
    images_seen
        When that was noticed.
    to_images_seen
        From where it goes on.
    trouble
        What had gone wrong, as the end of a sentence.
    n_returns, max_returns
        How often it has gone back, and how often it may.
    """

    images_seen: int
    to_images_seen: int
    trouble: str
    n_returns: int
    max_returns: int


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The run had gone wrong too often.

    Parameters
    ----------
    images_seen
        When that was noticed.
    reason
        A sentence.
    """

    images_seen: int
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is complete.

    Parameters
    ----------
    images_seen
        Crops of each domain in all.
    model_path
        Of the best model where quality was measured, else of the last.
    """

    images_seen: int
    model_path: Path


Event = (
    Reading
    | ImagesRead
    | MemoryEstimated
    | Started
    | Estimated
    | Progress
    | PreviewWritten
    | QualityMeasured
    | CheckpointSaved
    | Paused
    | WentOn
    | Stopped
    | WentBack
    | GaveUp
    | Finished
)
