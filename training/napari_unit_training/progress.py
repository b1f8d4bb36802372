"""A run's events as lines in a terminal."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from napari_unit.runs import events as run_events
from napari_unit.runs.events import OPEN_END
from napari_unit.runs.sentences import inversions


def show(events: Iterable[run_events.Event], stream: TextIO) -> None:
    """Consume a run: a live line in a terminal, else one line per report.

    Parameters
    ----------
    events
        As `napari_unit_training.loop.train` yields them.
    stream
        Where to write.
    """
    console = Console(file=stream, soft_wrap=True, highlight=False)
    if not console.is_terminal:
        for event in events:
            print(describe(event), file=stream, flush=True)
        return
    bar = Progress(
        TextColumn("{task.completed:.0f}/{task.total:.0f} images"),
        BarColumn(),
        TextColumn("{task.description}"),
        console=console,
    )
    with bar:
        task = bar.add_task("", total=1)
        for event in events:
            if isinstance(event, run_events.Progress):
                bar.update(
                    task,
                    completed=event.images_seen,
                    total=event.images_total,
                    description=_report(event),
                )
                continue
            if isinstance(event, run_events.Started) and event.images_total < OPEN_END:
                bar.update(task, completed=event.images_seen, total=event.images_total)
            console.print(describe(event), markup=False)


def describe(event: run_events.Event) -> str:
    """Return an event as a line for people."""
    match event:
        case run_events.Reading():
            return f"Reading the images of {event.source_a} and of {event.source_b}."
        case run_events.ImagesRead():
            return f"{event.n_images} images read."
        case run_events.Started():
            (name_a, name_b), (n_a, n_b) = event.domains, event.n_images
            how = f"goes on from {event.images_seen}" if event.images_seen else "starts"
            length = f"{event.images_total} crops" if event.images_total < OPEN_END else "crops"
            first = (
                f"Training {how}: {n_a} images of {name_a}, {n_b} of {name_b}; "
                f"{length} of each on {event.device} in {event.precision}."
            )
            return "\n".join([first, *event.notes])
        case run_events.MemoryEstimated():
            return (
                f"A step with batches of {event.batch_size} crops of {event.crop_px} px takes "
                f"about {event.memory_bytes / 1e9:.2g} GB{_room(event.available_bytes)}."
            )
        case run_events.Estimated():
            return (
                f"{json.dumps(event.settings, indent=2)}\n"
                f"{event.images_total} crops of each take about {_clock(event.seconds)} at "
                f"{event.images_per_second:.2g} images/s, and {event.memory_bytes / 1e9:.2g} GB"
                f"{_room(event.available_bytes)}. Nothing was written."
            )
        case run_events.Progress():
            is_open = event.images_total >= OPEN_END
            of_all = "" if is_open else f"/{event.images_total}"
            return f"{event.images_seen}{of_all} images · {_report(event)}"
        case run_events.PreviewWritten():
            return f"Preview: {event.path}"
        case run_events.QualityMeasured():
            found = ", ".join(
                f"{q['source']} → {q['target']} {q['distance']:.3f}{_similarity(q)}"
                for q in event.directions
            )
            best = "; the best so far" if event.is_best else ""
            measured = f"Distance to real images after {event.images_seen} images: {found}{best}."
            return "\n".join([measured, *inversions(event.directions)])
        case run_events.CheckpointSaved():
            return f"Checkpoint: {event.path}"
        case run_events.Paused():
            return f"Paused after {event.images_seen} images; it goes on when 'pause' is removed."
        case run_events.WentOn():
            return f"Goes on after {event.images_seen} images."
        case run_events.Stopped():
            return f"Stopped after {event.images_seen} images; the same command goes on."
        case run_events.WentBack():
            return (
                f"After {event.images_seen} images {event.trouble}; back to "
                f"{event.to_images_seen} images with lower learning rates "
                f"({event.n_returns} of {event.max_returns} times)."
            )
        case run_events.GaveUp():
            return f"Gave up after {event.images_seen} images: {event.reason}"
        case run_events.Finished():
            return f"Finished after {event.images_seen} images: {event.model_path}"


def _similarity(quality: Mapping[str, Any]) -> str:
    paired = quality.get("paired")
    return f" (SSIM {paired['ssim']:.3f})" if paired else ""


def _room(free: int | None) -> str:
    return "" if free is None else f" of {free / 1e9:.1f} GB that are free"


def _report(event: run_events.Progress) -> str:
    """Return speed, time left, and each loss summed over the two domains."""
    summed: dict[str, float] = {}
    for name, value in event.losses.items():
        term = name.removesuffix("_a").removesuffix("_b")
        summed[term] = summed.get(term, 0.0) + value
    losses = " ".join(f"{term} {value:.3g}" for term, value in summed.items())
    is_open = event.images_total >= OPEN_END
    left = "measuring the speed" if is_open else f"{_clock(event.seconds_left)} left"
    return f"{event.images_per_second:.1f} images/s · {left} · {losses}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
