"""What the train widget says of presets, images and trainings. Needs no Qt."""

from dataclasses import dataclass

from napari_unit.pace import duration_in_words
from napari_unit.runs.events import GaveUp, Progress, WentBack
from napari_unit.runs.inspection import DomainInspection
from napari_unit.runs.listing import RunView, State
from napari_unit.runs.sentences import inversions, without_folders


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings of the trainer to begin with.

    Parameters
    ----------
    name
        By which the trainer knows them.
    words
        What people call them.
    meaning
        When to take them.
    minutes
        How long they train.
    """

    name: str
    words: str
    meaning: str
    minutes: float


PRESETS = (
    Preset(
        "quick",
        "Quick look, 10 minutes",
        (
            "Small networks: shows whether the two kinds of images can be translated at all, and "
            "whether the check has understood them. The result is not for use."
        ),
        10,
    ),
    Preset(
        "hour",
        "First result, 1 hour",
        "Small networks with some time: enough for images of simple structure.",
        60,
    ),
    Preset(
        "overnight",
        "Good, overnight (8 hours)",
        "Larger networks that see more of the surroundings. Better with a GPU.",
        480,
    ),
)

STATES: dict[State, str] = {
    "starting": "starting",
    "running": "running",
    "paused": "paused",
    "stopping": "stopping",
    "stopped": "stopped",
    "finished": "finished",
    "failed": "failed",
    "interrupted": "interrupted",
}
_STATE_MEANINGS: dict[State, str] = {
    "starting": "It is being started: the images are read.",
    "running": "",
    "paused": "It waits, and keeps its memory.",
    "stopping": "It saves and ends after the step at work.",
    "stopped": "It can be resumed where it was.",
    "finished": "",
    "failed": "It could not go on.",
    "interrupted": "Its process ended without a word; it can be resumed from its last checkpoint.",
}


def found_in_words(found: DomainInspection) -> str:
    """Describe the images of a domain in a line: count, sizes, type, channels, intensities."""
    if not found.n_planes:
        return ""
    counted = f"{found.n_images} image{'s' if found.n_images != 1 else ''}"
    if found.n_planes > found.n_looked_at:
        counted += f" with {found.n_planes} planes"
    width, height = _range(*found.width_px), _range(*found.height_px)
    parts = [f"{counted} of {width} × {height} px", ", ".join(found.dtypes)]
    names = ", ".join(found.channels)
    parts.append(names if len(found.channels) > 1 else "1 channel")
    if found.low:
        low, high = min(found.low), max(found.high)
        parts.append(f"intensities about {low:.4g} to {high:.4g}")
    return " · ".join(parts)


def _range(least: int, most: int) -> str:
    return str(least) if least == most else f"{least}-{most}"


def title_of(view: RunView) -> str:
    """Name a training and its state for a list."""
    return f"{view.name} · {STATES[view.state]}{_share(view)}"


def _share(view: RunView) -> str:
    total = view.story.images_total
    if not total or view.state in ("starting", "finished"):
        return ""
    return f" at {min(100, view.story.images_seen * 100 // total)} %"


def state_in_words(view: RunView) -> str:
    """Say what a training is doing, or how it ended."""
    seen, total = view.story.images_seen, view.story.images_total
    of_all = f" of {total:,}" if total else ""
    counted = f" {seen:,}{of_all} crops seen." if seen else ""
    said = without_folders(view.sentence) or _STATE_MEANINGS[view.state]
    return f"{STATES[view.state].capitalize()}.{counted} {said}".strip()


def pace_in_words(report: Progress, *, is_open: bool) -> str:
    """Say the speed, the time left and the memory of a training that runs."""
    # at which the time left was reckoned: since the last report there may have been a measurement
    left = report.images_total - report.images_seen
    speed = left / report.seconds_left if report.seconds_left > 0 else report.images_per_second
    parts = [f"{speed:.3g} crops/s"]
    if is_open:
        parts.append("measuring the speed")
    elif report.seconds_left > 0:
        parts.append(f"{duration_in_words(report.seconds_left)} left")
    if report.memory_bytes is not None:
        parts.append(f"{report.memory_bytes / 1e9:.1f} GB of memory")
    return " · ".join(parts)


def troubles_in_words(view: RunView) -> str:
    """Say the last thing that went wrong in a training, and what it did about it."""
    for event in reversed(view.story.events):
        if isinstance(event, WentBack):
            return (
                f"After {event.images_seen:,} crops {event.trouble}; it went back to "
                f"{event.to_images_seen:,} with lower learning rates "
                f"({event.n_returns} of {event.max_returns} times)."
            )
        if isinstance(event, GaveUp):
            break
    return ""


def notes_in_words(view: RunView) -> str:
    """Say what the training found worth saying of its images."""
    notes = view.story.starts[-1].notes if view.story.starts else ()
    return without_folders(" ".join(notes))


def quality_in_words(view: RunView) -> str:
    """Say how good the best model is, since when, and what its score does not see."""
    best = view.story.best
    if best is None:
        return ""
    so_far = f"Best so far: {best.score:.3f} after {best.images_seen:,} crops (smaller is better)."
    return " ".join([so_far, *inversions(best.directions)])
